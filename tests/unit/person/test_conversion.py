"""Conversions: what is told of them is what a slow reckoning of all facts says, whatever came first and to whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

import msgspec
import pytest

from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.event.event import EventType, Fact
from courtesy.person.catalog import Catalog, Decided
from courtesy.person.conversion import CONVERTED, CORRECTED, Goal, asked_of, holding
from courtesy.person.messages import SENT
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.person.step import Absorb, News, Restore, step
from tests.unit.person.facts import ANN, BOB, NOON_MS, fact, occurred

GOALS = {
    "autumn": Goal("Order Completed", {"shop": "web"}, 7 * DAY_MS, "total", undone_by="Order Refunded"),
    "spring": Goal("Order Completed", within_ms=2 * DAY_MS, value="total", undone_by="Order Refunded"),
}


class NoDesk:
    """Decides nothing."""

    def take(self, state: PersonState, fact: Fact, key: bytes, now_ms: int) -> Decided | None:
        return None


CATALOG = Catalog(1, desk=NoDesk(), goals=asked_of(GOALS))
READING = Catalog(1, goals=asked_of(GOALS))


def sent(message: str, at: int = NOON_MS) -> Fact:
    """A message left."""
    told = {"message": message, "channel": "email", "price": 1_000}
    return fact(f"sent {message}", SENT, at=at, type=EventType.SYSTEM, properties=told)


def ordered(event: str, at: int, **more: Any) -> Fact:
    """Somebody ordered for ten euros."""
    told = {"shop": "web", "total": 10.5, "currency": "EUR", "order_id": event} | more
    return fact(event, "Order Completed", at=at, properties=told)


def refunded(event: str, at: int) -> Fact:
    """They got their money back."""
    return fact(f"refund {event}", "Order Refunded", at=at, properties={"order_id": event})


def live(state: PersonState, facts: Iterable[Fact], catalog: Catalog = CATALOG) -> list[News]:
    """Fold facts and what is told of them; what was told."""
    told: list[News] = []
    for each in facts:
        news = step(state, occurred(each), catalog, each.at).news
        told += news
        for one in news:
            again = fact(f"{one.name} {one.about}", one.name, type=EventType.SYSTEM, properties=one.properties)
            assert step(state, occurred(again), catalog, each.at).news == [], "what was told is told"
    return told


def converted(state: PersonState) -> set[str]:
    """The messages that are converted."""
    kept = state.conversions
    return set() if kept is None else {message for message in kept.told if holding(kept, message) is not None}


def test_the_first_order_converts_the_last_message() -> None:
    """Once, with its value; it is what followed, and is said to be no more than that."""
    state = PersonState(ANN)
    told = live(
        state,
        [sent("autumn/1"), sent("autumn/2", NOON_MS + 1), *(ordered(f"o{n}", NOON_MS + n * DAY_MS) for n in (1, 2))],
    )
    ((name, properties, _),) = told
    assert name == CONVERTED
    assert (properties["message"], properties["event"], properties["value"]) == ("autumn/2", "o1", 10.5)
    assert (properties["currency"], properties["attribution"], properties["campaign"]) == (
        "EUR",
        "last_touch",
        "autumn",
    )


@pytest.mark.parametrize(
    "given",
    [
        ordered("o", NOON_MS - 1),
        ordered("o", NOON_MS + 7 * DAY_MS),
        ordered("o", NOON_MS + 1, shop="till"),
        fact("o", "Product Viewed", at=NOON_MS + 1),
        msgspec.structs.replace(ordered("o", NOON_MS + 1), live=False),
    ],
)
def test_what_does_not_fit_converts_nothing(given: Fact) -> None:
    """Too early, too late, another shop, another event, and what was imported."""
    state = PersonState(ANN)
    assert live(state, [sent("autumn/1"), given]) == []


def test_a_refund_takes_it_back_and_the_next_order_counts() -> None:
    """Also one that came before the refund."""
    state = PersonState(ANN)
    facts = [sent("autumn/1"), *(ordered(f"o{n}", NOON_MS + n * HOUR_MS) for n in (1, 2))]
    told = live(state, [*facts, refunded("o1", NOON_MS + DAY_MS)])
    assert [(each.name, each.properties["event"]) for each in told] == [
        (CONVERTED, "o1"),
        (CORRECTED, "o1"),
        (CONVERTED, "o2"),
    ]
    assert converted(state) == {"autumn/1"}


def test_who_becomes_one_converts_what_the_other_got() -> None:
    """Whoever of the two takes over the other."""
    for one, other in ([0], [1]), ([1], [0]):
        facts = [sent("autumn/1"), ordered("o1", NOON_MS + HOUR_MS)]
        state, absorbed = PersonState(ANN), PersonState(BOB)
        assert live(state, [facts[n] for n in one]) + live(absorbed, [facts[n] for n in other]) == []
        (news,) = step(state, Absorb(absorbed), CATALOG, NOON_MS + DAY_MS).news
        assert (news.name, news.properties["message"]) == (CONVERTED, "autumn/1")


def test_what_is_gone_is_told() -> None:
    """When history is found anew without the order, as after it was taken back, or without the message, as when two are
    cut apart; and nothing when all is there."""
    facts = [sent("autumn/1"), ordered("o1", NOON_MS + HOUR_MS)]
    state = PersonState(ANN)
    (told,) = live(state, facts)
    told_fact = fact("told", told.name, type=EventType.SYSTEM, properties=told.properties)
    for kept, news in (facts, []), (facts[:1], [CORRECTED]), (facts[1:], [CORRECTED]):
        anew = PersonState(ANN)
        assert live(anew, [*kept, told_fact], READING) == [], "who only reads tells nothing"
        now = decode_state(encode_state(state))
        assert [each.name for each in step(now, Restore(anew), CATALOG, NOON_MS + DAY_MS).news] == news
        assert converted(now) == (set() if news else {"autumn/1"})


def reckoned(facts: Sequence[Fact]) -> set[str]:
    """The messages that are converted by all facts, found by asking each about each."""
    orders = [each for each in facts if each.name == "Order Completed"]
    undone = {(each.properties or {})["order_id"] for each in facts if each.name == "Order Refunded"}
    found = set()
    for order in orders:
        told = order.properties or {}
        fitting = []
        for each in facts:
            message = (each.properties or {}).get("message", "") if each.name == SENT else ""
            goal = GOALS.get(message.split("/")[0])
            if (
                goal
                and 0 <= order.at - each.at < goal.within_ms
                and ("shop" not in goal.where or told["shop"] == "web")
            ):
                fitting.append((each.at, message))
        if fitting and told["order_id"] not in undone:
            found.add(max(fitting)[1])
    return found


def life(chance: Random) -> tuple[list[Fact], list[Fact]]:
    """Messages to somebody, and what they did."""
    messages = [
        sent(f"{chance.choice(['autumn', 'spring', 'other'])}/{n}", NOON_MS + chance.randrange(10) * DAY_MS + n)
        for n in range(chance.randrange(1, 8))
    ]
    doings = []
    for n in range(chance.randrange(8)):
        at = NOON_MS + chance.randrange(15 * DAY_MS)
        doings.append(ordered(f"o{n}", at, shop=chance.choice(["web", "web", "till"])))
        if chance.random() < 0.3:
            doings.append(refunded(f"o{n}", at + HOUR_MS))
    chance.shuffle(doings)
    return messages, doings


@pytest.mark.parametrize("seed", range(150))
def test_what_is_told_is_what_is_reckoned(seed: int) -> None:
    """In whatever order things are done and undone, by one person or by two who become one in the middle."""
    chance = Random(seed)
    messages, doings = life(chance)
    state, other = PersonState(ANN), PersonState(BOB)
    live(state, messages)
    half = chance.randrange(len(doings) + 1)
    for each in doings[:half]:
        live(chance.choice([state, other]), [each])
    step(state, Absorb(decode_state(encode_state(other))), CATALOG, NOON_MS)
    live(state, doings[half:])
    assert converted(state) == reckoned([*messages, *doings])
    kept = state.conversions
    events = [] if kept is None else [e for m in kept.told.values() for e, each in m.items() if not each.is_undone]
    assert len(events) == len(set(events)), "each order converts one message"


def test_the_reckoning_barks() -> None:
    """What is told would differ from it if refunds were not heard of."""
    lives = [life(Random(seed)) for seed in range(150)]
    deaf = [[each for each in doings if each.name != "Order Refunded"] for _, doings in lives]
    assert any(
        reckoned([*messages, *doings]) != reckoned([*messages, *rest])
        for (messages, doings), rest in zip(lives, deaf, strict=True)
    )
