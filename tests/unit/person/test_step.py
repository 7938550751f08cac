"""The step: what an event starts and calls off, what a timer does, and how one person becomes part of another."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.event.event import EventType, Fact
from courtesy.person.catalog import EMPTY_CATALOG, Catalog, Subscription
from courtesy.person.state import TIMERS_MAX, PersonState, decode_state, encode_state
from courtesy.person.step import (
    NOTHING,
    STARTING,
    Absorb,
    Effect,
    Forward,
    GroupOccurred,
    HandOver,
    Outcome,
    TimerCancelled,
    TimerFired,
    TimerSet,
    step,
)
from tests.unit.person.facts import ANN, BOB, CID, NOON_MS, fact, folded, occurred

ORDERED, CARTED = "Order Completed", "Cart Updated"
URL = "https://remote.example"
AT_ONCE = Subscription("orders", URL, (ORDERED,))
CART = Subscription("cart", URL, (CARTED,), HOUR_MS, (ORDERED,))
LAST_CART = Subscription("last cart", URL, (CARTED,), HOUR_MS, (CARTED, ORDERED))


def _catalog(*subscriptions: Subscription) -> Catalog:
    return Catalog(1, subscriptions)


def _happen(state: PersonState, given: Fact, catalog: Catalog, now_ms: int | None = None) -> Outcome:
    """What follows from a fact that arrives when it happens, or at `now_ms`."""
    return step(state, occurred(given), catalog, given.at if now_ms is None else now_ms)


def _timers(outcome: Outcome) -> dict[str, int]:
    return {each.timer: each.due_ms for each in outcome.timers if isinstance(each, TimerSet)}


def _cancelled(outcome: Outcome) -> set[str]:
    return {each.timer for each in outcome.timers if isinstance(each, TimerCancelled)}


def _fired(state: PersonState, catalog: Catalog) -> list[Effect]:
    """The effects of everything that waits, when it comes due."""
    due = sorted((pending.due, timer) for timer, pending in state.timers.items())
    return [effect for at, timer in due for effect in step(state, TimerFired(timer, at), catalog, at).effects]


def _body(effect: Effect) -> Any:
    return msgspec.json.decode(effect.body)


def _absorbed(forward: Forward | None) -> Absorb:
    assert forward is not None
    assert forward.absorb is not None
    return Absorb(decode_state(forward.absorb))


# -- what an event starts


@pytest.mark.parametrize(("name", "starts"), [*((name, True) for name in sorted(STARTING)), ("Webhook Failed", False)])
def test_what_is_news_calls_a_webhook(name: str, starts: bool) -> None:
    """As no other report of Courtesy about itself does; what is over time and what runs low as well."""
    told = fact("m1", name, type=EventType.SYSTEM)
    outcome = _happen(PersonState(ANN), told, _catalog(Subscription("all", URL, ("*",))))
    assert bool(outcome.effects) is starts


def test_an_event_starts_what_waits_for_nothing_at_once() -> None:
    """One effect, that tells the whole event."""
    outcome = _happen(PersonState(ANN), fact("m1", ORDERED, properties={"revenue": 5}), _catalog(AT_ONCE, CART))
    (effect,) = outcome.effects
    assert (effect.kind, effect.target, outcome.timers) == ("webhook", "orders", [])
    assert _body(effect) == {
        "type": "event.occurred",
        "timestamp": "2025-11-22T12:00:00.000Z",
        "data": {
            "subscription": "orders",
            "person": "1",
            "event": {
                "messageId": "m1",
                "type": "track",
                "event": ORDERED,
                "timestamp": "2025-11-22T12:00:00.000Z",
                "identifiers": ["user_id:ann"],
                "properties": {"revenue": 5},
            },
        },
    }


def test_an_event_starts_a_wait_that_ends_in_an_effect() -> None:
    """One timer, due after the delay; when it fires, the effect tells of the event that set it."""
    state, catalog = PersonState(ANN), _catalog(CART)
    outcome = _happen(state, fact("m1", CARTED), catalog)
    ((timer, due),) = _timers(outcome).items()
    assert (outcome.effects, due) == ([], NOON_MS + HOUR_MS)
    (effect,) = step(state, TimerFired(timer, due), catalog, due).effects
    assert _body(effect)["data"]["event"]["messageId"] == "m1"
    assert state.timers == {}


def test_a_timer_fires_once() -> None:
    """A second record of it, as after a merge, does nothing."""
    state, catalog = PersonState(ANN), _catalog(CART)
    ((timer, due),) = _timers(_happen(state, fact("m1", CARTED), catalog)).items()
    assert len(step(state, TimerFired(timer, due), catalog, due).effects) == 1
    assert step(state, TimerFired(timer, due), catalog, due) is NOTHING
    assert step(state, TimerFired("unknown/00", due), catalog, due) is NOTHING


def test_a_wait_that_would_be_over_ends_at_once() -> None:
    """An event that arrives late does not set a timer in the past, nor waits its delay once more."""
    late = _happen(PersonState(ANN), fact("m1", CARTED), _catalog(CART), now_ms=NOON_MS + DAY_MS)
    early = _happen(PersonState(ANN), fact("m1", CARTED), _catalog(CART), now_ms=NOON_MS + 1)
    assert list(_timers(late).values()) == [NOON_MS + DAY_MS]
    assert list(_timers(early).values()) == [NOON_MS + HOUR_MS]


@pytest.mark.parametrize(
    "given",
    [
        fact("m1", ORDERED, live=False),
        fact("m1", ORDERED, type=EventType.SYSTEM),
        fact("m1", None, type=EventType.IDENTIFY),
        fact("m1", "Something Else"),
    ],
)
def test_what_starts_nothing(given: Fact) -> None:
    """Imports and replays, what the system itself reports, and calls that are no behaviour, not even for `*`."""
    every = () if given.name == "Something Else" else (Subscription("all", URL, ("*",)),)
    outcome = _happen(PersonState(ANN), given, _catalog(AT_ONCE, *every))
    assert (outcome.effects, outcome.timers) == ([], [])


def test_a_group_call_starts_nothing_for_the_group() -> None:
    """It is a fact about the group; what its sender did starts at the sender."""
    given = occurred(fact("m1", None, type=EventType.GROUP, group="acme"))
    assert (
        step(PersonState(ANN), GroupOccurred(*given[:3]), _catalog(Subscription("all", URL, ("*",))), NOON_MS)
        is NOTHING
    )


def test_a_page_view_is_an_event_like_any_other() -> None:
    """Pages start what listens to page views, and to everything."""
    catalog = _catalog(Subscription("pages", URL, ("Page Viewed",)), Subscription("all", URL, ("*",)))
    outcome = _happen(PersonState(ANN), fact("m1", "Home", type=EventType.PAGE), catalog)
    assert [effect.target for effect in outcome.effects] == ["pages", "all"]


@pytest.mark.parametrize("name", [ORDERED, "*"])
def test_a_subscription_is_started_once_by_an_event(name: str) -> None:
    """Though it lists the event's name twice, or everything beside it."""
    catalog = _catalog(Subscription("both", URL, (ORDERED, "*", ORDERED)))
    assert len(_happen(PersonState(ANN), fact("m1", name), catalog).effects) == 1


def test_a_number_beyond_64_bits_can_wait() -> None:
    """The state that holds the waiting event can be stored, and the effect tells the number as text."""
    state = PersonState(ANN)
    _happen(state, fact("m1", CARTED, properties={"n": [2**70]}), _catalog(CART))
    (effect,) = _fired(decode_state(encode_state(state)), _catalog(CART))
    assert _body(effect)["data"]["event"]["properties"] == {"n": [str(2**70)]}


def test_so_many_events_of_one_person_wait_and_no_more() -> None:
    """A bot can't grow its state for ever; what waits already goes on waiting."""
    state, catalog = PersonState(ANN), _catalog(CART)
    set_count = sum(len(_happen(state, fact(f"m{n}", CARTED), catalog).timers) for n in range(TIMERS_MAX + 50))
    assert set_count == len(state.timers) == TIMERS_MAX
    assert len(_fired(state, catalog)) == TIMERS_MAX


# -- what calls a wait off


def test_an_event_calls_off_what_waits_for_it_not_to_happen() -> None:
    """The timer is cancelled, and nothing is left of it in the state."""
    state, catalog = PersonState(ANN), _catalog(CART)
    ((timer, _),) = _timers(_happen(state, fact("m1", CARTED), catalog)).items()
    assert _cancelled(_happen(state, fact("m2", ORDERED, at=NOON_MS + 1), catalog)) == {timer}
    assert state.timers == {}


@pytest.mark.parametrize(("ordered_at", "calls_off"), [(-1, False), (0, True), (1, True)])
@pytest.mark.parametrize("cart_first", [True, False])
def test_order_of_arrival_does_not_matter_for_calling_off(ordered_at: int, calls_off: bool, cart_first: bool) -> None:
    """What happened at the time of the first event or later calls it off, though it was heard of before."""
    state, catalog = PersonState(ANN), _catalog(CART)
    events = [fact("m1", CARTED), fact("m2", ORDERED, at=NOON_MS + ordered_at)]
    for each in events if cart_first else events[::-1]:
        _happen(state, each, catalog, now_ms=NOON_MS + 10)
    assert (_fired(state, catalog) == []) is calls_off


def test_an_imported_event_calls_nothing_off_that_waits() -> None:
    """What is not live changes facts only."""
    state, catalog = PersonState(ANN), _catalog(CART)
    _happen(state, fact("m1", CARTED), catalog)
    assert _happen(state, fact("m2", ORDERED, at=NOON_MS + 1, live=False), catalog).timers == []
    assert len(state.timers) == 1


def test_an_imported_event_that_is_known_before_calls_off() -> None:
    """Who is known to have ordered since is not told to have left a cart, wherever that is known from."""
    state, catalog = PersonState(ANN), _catalog(CART)
    _happen(state, fact("m2", ORDERED, at=NOON_MS + 1, live=False), catalog)
    assert _happen(state, fact("m1", CARTED), catalog).timers == []
    assert state.timers == {}


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("spread_ms", [0, 1])
def test_a_subscription_may_wait_until_its_own_event_stays_away(order: tuple[int, ...], spread_ms: int) -> None:
    """Of several carts one is told, an hour after the last; the same in any order, even within one millisecond."""
    state, catalog = PersonState(ANN), _catalog(LAST_CART)
    carts = [fact(f"m{n}", CARTED, at=NOON_MS + n * spread_ms) for n in range(3)]
    for place in order:
        _happen(state, carts[place], catalog, now_ms=NOON_MS + 10)
    (effect,) = _fired(state, catalog)
    assert _body(effect)["data"]["event"]["timestamp"] == f"2025-11-22T12:00:00.00{2 * spread_ms}Z"


def test_a_subscription_that_is_gone_is_told_nothing_more() -> None:
    """Neither when its timer fires, nor by waiting for ever."""
    state = PersonState(ANN)
    _happen(state, fact("m1", CARTED), _catalog(CART))
    ((timer, pending),) = state.timers.items()
    kept = decode_state(encode_state(state))
    assert step(state, TimerFired(timer, pending.due), _catalog(AT_ONCE), pending.due).effects == []
    assert _cancelled(_happen(kept, fact("m2", "Anything"), _catalog(AT_ONCE))) == {timer}


# -- keys


def test_effect_keys_are_the_same_each_time() -> None:
    """Folding again after a crash asks for the same effects, and the outbox holds each once."""
    first, again = (_happen(PersonState(ANN), fact("m1", ORDERED), _catalog(AT_ONCE)) for _ in range(2))
    assert first.effects == again.effects
    assert first.effects[0].key.hex() == "dfc1ee749904f1bc5b32d8bd83a4414d"


def test_effect_keys_differ_between_inputs_and_subscriptions() -> None:
    """No effect is taken for another one, at once or after a wait, whoever it is for."""
    catalog = _catalog(*(Subscription(f"s{n}", URL, ("*",), delay_ms=n % 2 * HOUR_MS) for n in range(6)))
    effects: list[Effect] = []
    for person, n in itertools.product((ANN, BOB), range(5)):
        state = PersonState(person)
        effects += _happen(state, fact(f"m{person}-{n}"), catalog).effects + _fired(state, catalog)
    assert len({effect.key for effect in effects}) == len(effects) == 60


def test_an_effect_keeps_its_key_when_its_person_becomes_part_of_another() -> None:
    """What waits is told once, whether its timer fires before the merge or after."""
    catalog = _catalog(CART)
    state, survivor = PersonState(BOB), PersonState(ANN)
    _happen(state, fact("m1", CARTED), catalog)
    (before,) = _fired(decode_state(encode_state(state)), catalog)
    step(survivor, _absorbed(step(state, HandOver(ANN), catalog, NOON_MS).forward), catalog, NOON_MS)
    (after,) = _fired(survivor, catalog)
    assert before.key == after.key


# -- becoming part of another


def test_handing_over_leaves_nothing_but_the_way_on() -> None:
    """The state goes to the survivor whole, timers are cancelled here, and what remains is a signpost."""
    state = folded([fact("m1"), fact("m2", traits={"a": 1})], BOB)
    _happen(state, fact("m3", CARTED), _catalog(CART))
    whole = encode_state(state)
    outcome = step(state, HandOver(ANN), _catalog(CART), NOON_MS)
    assert outcome.forward == Forward(ANN, whole)
    assert len(_cancelled(outcome)) == 1
    assert state == PersonState(BOB, merged_into=ANN)
    assert step(state, HandOver(ANN), _catalog(CART), NOON_MS) is NOTHING


def test_absorbing_gives_what_one_person_would_have() -> None:
    """Facts come out as if all events had been the survivor's from the start, and timers go on."""
    ours, theirs = [fact("m1"), fact("m2", traits={"a": 1})], [fact("m3", at=NOON_MS + 1), fact("m4", traits={"a": 2})]
    survivor, other = folded(ours), folded(theirs, BOB)
    _happen(other, fact("m5", CARTED), _catalog(CART))
    outcome = step(survivor, Absorb(other), _catalog(CART), NOON_MS)
    assert list(_timers(outcome).values()) == [NOON_MS + HOUR_MS]
    survivor.timers.clear()
    assert encode_state(survivor) == encode_state(folded([*theirs, *ours, fact("m5", CARTED)]))


@pytest.mark.parametrize("buyer_survives", [True, False])
@pytest.mark.parametrize(("ordered_at", "calls_off"), [(-1, False), (0, True), (1, True)])
def test_a_merge_calls_off_what_either_has_done(buyer_survives: bool, ordered_at: int, calls_off: bool) -> None:
    """A visitor's cart is not mourned when the customer they turn out to be has bought it, nor the other way round."""
    catalog = _catalog(CART)
    buyer, visitor = PersonState(ANN), PersonState(BOB)
    _happen(visitor, fact("m1", CARTED), catalog)
    _happen(buyer, fact("m2", ORDERED, at=NOON_MS + ordered_at), catalog)
    (timer,) = visitor.timers
    survivor, other = (buyer, visitor) if buyer_survives else (visitor, buyer)
    outcome = step(survivor, Absorb(decode_state(encode_state(other))), catalog, NOON_MS + 10)
    assert (_fired(survivor, catalog) == []) is calls_off
    assert (timer in _timers(outcome)) is (buyer_survives and not calls_off)
    assert (timer in _cancelled(outcome)) is (calls_off and not buyer_survives)


def test_a_merge_keeps_waits_within_their_bound() -> None:
    """Of two who wait for too much, what is due first stays, and the store is told of every timer that does not."""
    catalog = _catalog(CART)
    survivor, other = PersonState(ANN), PersonState(BOB)
    for n in range(TIMERS_MAX):
        _happen(survivor, fact(f"a{n}", CARTED, at=NOON_MS + 2 * n), catalog)
        _happen(other, fact(f"b{n}", CARTED, at=NOON_MS + 2 * n + 1), catalog)
    before = set(survivor.timers)
    outcome = step(survivor, Absorb(other), catalog, NOON_MS)
    assert len(survivor.timers) == TIMERS_MAX
    assert max(pending.at for pending in survivor.timers.values()) == NOON_MS + TIMERS_MAX - 1
    assert (before - _cancelled(outcome)) | set(_timers(outcome)) == set(survivor.timers)


@pytest.mark.parametrize(
    "given", [occurred(fact("m1", ORDERED)), TimerFired("cart/00", NOON_MS), GroupOccurred(*occurred(fact("m2"))[:3])]
)
def test_what_comes_for_who_is_gone_is_sent_on(given: Any) -> None:
    """Whole and untouched: the survivor folds it, and starts what it starts."""
    gone = PersonState(BOB, merged_into=ANN)
    assert step(gone, given, _catalog(AT_ONCE), NOON_MS) == Outcome(forward=Forward(ANN))
    assert gone == PersonState(BOB, merged_into=ANN)


def _deliver(states: dict[PersonId, PersonState], person: PersonId, given: Any) -> None:
    """Step until nobody sends it on any more, as the log does."""
    outcome = step(states[person], given, EMPTY_CATALOG, NOON_MS)
    if outcome.forward is not None:
        _deliver(
            states, outcome.forward.person, given if outcome.forward.absorb is None else _absorbed(outcome.forward)
        )


def test_a_chain_of_merges_ends_with_everything_at_its_end() -> None:
    """Whichever hand-over is folded first, and whatever comes in between, the last survivor has all of it."""
    events = {ANN: fact("m1", traits={"a": 1}), BOB: fact("m2", at=NOON_MS + 1), CID: fact("m3", at=NOON_MS - 1)}
    late = {BOB: fact("m4"), CID: fact("m5")}
    inputs: list[tuple[PersonId, Any]] = [
        (CID, HandOver(BOB)),
        (BOB, HandOver(ANN)),
        *((person, occurred(each)) for person, each in late.items()),
    ]
    expected = encode_state(folded([*events.values(), *late.values()]))
    for order in itertools.permutations(inputs):
        states = {person: folded([each], person) for person, each in events.items()}
        for person, given in order:
            _deliver(states, person, given)
        assert encode_state(states[ANN]) == expected
        assert (states[BOB].merged_into, states[CID].merged_into) == (ANN, BOB)
        assert states[BOB].event_count == states[CID].event_count == 0
