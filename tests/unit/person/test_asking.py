"""What was asked of a person, folded: the same whatever the order, and bounded."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from courtesy.person.asking import (
    ANSWERED,
    ASKED,
    DECLINED,
    OCCASIONS_MAX,
    RECENT_ASKS_MAX,
    Ask,
    Asking,
    Outcome,
    Past,
    ask_properties,
    join,
    note,
)

Told = tuple[str, int, dict[str, Any]]


def lived(seed: int, ask_count: int = 80) -> list[Told]:
    """Events of a life with many questions."""
    chance = Random(seed)
    told: list[Told] = []
    for number in range(ask_count):
        at = 1_000 + chance.randrange(5_000)
        occasion = chance.choice([0, 0, chance.randrange(1, 900)])
        ask = Ask(at, f"ask-{seed}-{number}", f"q{chance.randrange(6)}", f"s{chance.randrange(9)}", occasion)
        told.append((ASKED, at, ask_properties(ask)))
        if chance.random() < 0.7:
            told.append((chance.choice([ANSWERED, DECLINED]), at + chance.randrange(1, 500), ask_properties(ask)))
    return told


def folded(told: list[Told]) -> Asking:
    """What they come to."""
    asking = Asking()
    for event, at, properties in told:
        note(asking, event, at, properties)
    return asking


def encoded(asking: Asking) -> bytes:
    """As it is stored."""
    return msgspec.msgpack.encode(asking, order="deterministic")


@pytest.mark.parametrize("seed", range(20))
def test_it_is_the_same_whatever_the_order_and_however_it_was_cut(seed: int) -> None:
    """Random orders, and random parts that are joined either way, come to one state."""
    told, chance = lived(seed), Random(seed)
    expected = encoded(folded(told))
    shuffled = chance.sample(told, len(told))
    assert encoded(folded(shuffled)) == expected
    cut = chance.randrange(len(told))
    for parts in ((shuffled[:cut], shuffled[cut:]), (shuffled[cut:], shuffled[:cut])):
        whole, other = map(folded, parts)
        join(whole, other)
        assert encoded(whole) == expected


def test_it_is_bounded_and_keeps_the_latest() -> None:
    """However much was asked, the count knows all of it."""
    asking = folded(lived(1, 2_000))
    assert asking.count == 2_000
    assert len(asking.recent) == RECENT_ASKS_MAX
    assert [each.at for each in asking.recent] == sorted((each.at for each in asking.recent), reverse=True)
    assert all(len(each.occasions) <= OCCASIONS_MAX for each in asking.questions.values())


def test_an_ask_has_the_outcome_of_its_answer_in_either_order() -> None:
    """And what was asked and not answered is known to be ignored."""
    ask = Ask(1_000, "a", "boots", "s", 0)
    events: list[Told] = [(ASKED, 1_000, ask_properties(ask)), (ANSWERED, 1_005, ask_properties(ask))]
    for told in (events, events[::-1]):
        asking = folded(told)
        assert [each.outcome for each in asking.recent] == [Outcome.ANSWERED]
        assert asking.questions == {"boots": Past(1, 1, 1_000, 1_005, 0, [])}
    assert folded(events[:1]).questions["boots"].ignored_count == 1


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"question": "boots"},
        {"question": "boots", "ask": "a", "askedAt": "today"},
        {"question": "boots", "ask": "a", "askedAt": -1},
        {"question": "boots", "ask": "a", "askedAt": 2**60},
        {"question": ["boots"], "ask": "a", "askedAt": 1},
        {"question": "b" * 101, "ask": "a", "askedAt": 1},
    ],
)
def test_events_of_others_by_that_name_count_for_nothing(properties: dict[str, Any]) -> None:
    """Whoever sends one must say which question and which ask it is about."""
    asking = Asking()
    note(asking, ASKED, 1, properties)
    assert asking == Asking()
