"""Where somebody stands on offers: the same whatever came first, and of two who become one the stricter of both."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from courtesy.offer.standing import (
    CHOSEN,
    CLICKED,
    DECLINED,
    EVENTS,
    EXPIRED,
    GIVEN_BACK,
    GRANTED,
    MARKS_MAX,
    REDEEMED,
    SEEN,
    SENT,
    Mark,
    Marks,
    Stage,
    What,
    join,
    note,
    note_message,
    standings,
)

Told = tuple[str, int, int, dict[str, Any], bool]


def folded(told: Sequence[Told]) -> Marks:
    """What events come to in this order."""
    marks: Marks = {}
    for name, at, tie, properties, by_ledger in told:
        note(marks, name, at, tie, properties, by_ledger=by_ledger)
    return marks


def lived(seed: int, count: int) -> list[Told]:
    """Events of many offers."""
    chance = Random(seed)
    names = sorted(EVENTS)
    return [
        (
            chance.choice(names),
            chance.randrange(1, 4_000),
            tie,
            {"offer": f"o{chance.randrange(80)}", "grant": chance.randrange(9), "redemption": chance.randrange(9)},
            chance.random() < 0.7,
        )
        for tie in range(count)
    ]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [60, 1_500])
def test_it_is_the_same_whatever_the_order_and_however_it_was_cut(seed: int, count: int) -> None:
    """Also when more happened than is kept."""
    told, chance = lived(seed, count), Random(seed)
    expected = folded(told)
    assert (len(expected) == MARKS_MAX) is (count == 1_500)
    shuffled = chance.sample(told, len(told))
    assert folded(shuffled) == expected
    cut = chance.randrange(len(told))
    one, other = folded(shuffled[:cut]), folded(shuffled[cut:])
    both = dict(other)
    join(both, one)
    join(one, other)
    join(one, other)
    assert one == both == expected


def stage_of(*told: tuple[str, int, dict[str, Any]]) -> Stage:
    """How far somebody is whom the ledger and pages told of."""
    marks = folded([(name, at, 0, {"offer": "o", **more}, bool(more)) for name, at, more in told])
    return standings(marks)["o"].stage


G1, G2 = {"grant": 1, "until": 90}, {"grant": 2, "until": 95}
R1 = {"redemption": 1, **G1}


@pytest.mark.parametrize(
    ("told", "stage"),
    [
        ([(CHOSEN, 1, {})], Stage.CHOSEN),
        ([(SENT, 2, {}), (SEEN, 3, {})], Stage.SEEN),
        ([(GRANTED, 1, G1), (SENT, 2, {}), (CLICKED, 4, {}), (SEEN, 3, {})], Stage.CLICKED),
        ([(CLICKED, 1, {}), (GRANTED, 5, G1)], Stage.GRANTED),
        ([(GRANTED, 1, G1), (EXPIRED, 90, G1)], Stage.EXPIRED),
        ([(GRANTED, 1, G1), (DECLINED, 4, G1)], Stage.DECLINED),
        ([(GRANTED, 1, G1), (DECLINED, 4, {})], Stage.DECLINED),
        ([(GRANTED, 1, G1), (DECLINED, 4, G1), (GRANTED, 9, G2)], Stage.GRANTED),
        ([(GRANTED, 1, G1), (REDEEMED, 4, R1), (DECLINED, 7, {})], Stage.REDEEMED),
        ([(GRANTED, 1, G1), (REDEEMED, 4, R1), (GIVEN_BACK, 5, R1)], Stage.GRANTED),
        ([(GRANTED, 1, G1), (REDEEMED, 4, R1), (GRANTED, 2, G2)], Stage.REDEEMED),
    ],
)
def test_stages(told: list[tuple[str, int, dict[str, Any]]], stage: Stage) -> None:
    """In either order of arrival."""
    assert stage_of(*told) is stage_of(*reversed(told)) is stage


def test_what_says_nothing_of_an_offer_counts_for_nothing() -> None:
    """Nor what is no text or no number."""
    odd: list[dict[str, Any]] = [{}, {"offer": ""}, {"offer": 7}, {"offer": "o", "code": {}}, {"offer": "o" * 101}]
    assert folded([(SEEN, 1, 0, each, False) for each in odd]) == {}
    assert folded([(REDEEMED, 1, 0, {"offer": "o", "redemption": 1}, False)]) == {}


def test_the_latest_grant_shows_its_code() -> None:
    """And who holds none shows none."""
    marks = folded([(GRANTED, at, 0, {"offer": "o", "grant": at, "code": f"C{at}"}, True) for at in (3, 1)])
    (found,) = standings(marks).values()
    assert found.held == Mark(3, found.held.what, 0, code="C3") if found.held is not None else False
    assert standings(folded([(SEEN, 1, 0, {"offer": "o"}, False)]))["o"].held is None


def test_a_message_that_carries_an_offer_takes_it_along() -> None:
    """Sent, seen and clicked with the message, but not by a machine, and not without an offer."""
    marks: Marks = {}
    note_message(marks, "Message Sent", 10, 1, {"offer": "ten", "channel": "email", "message": "m1"})
    note_message(marks, "Message Opened", 11, 2, {"offer": "ten", "channel": "email", "verdict": "machine"})
    note_message(marks, "Message Clicked", 12, 3, {"message": "m2", "verdict": "human"})
    assert marks == {f"ten\t{What.SENT.value}": Mark(10, What.SENT, 1, channel="email")}
    note_message(marks, "Message Clicked", 13, 4, {"offer": "ten", "channel": "email", "verdict": "human"})
    assert marks[f"ten\t{What.CLICKED.value}"].at == 13
