"""Scripts that somebody thought of: what may go wrong when segments are handed over."""

from __future__ import annotations

from courtesy.event.event import EventType
from courtesy.segment.parsing import parse
from tests.unit.segment.facts import Defined, Killed, Looked, Merged, Parted, Script, Step, Told


def order(number: int, body: int = 1, at_ms: int = 1_000, **properties: int) -> Told:
    """Somebody orders."""
    return Told(number, body, EventType.TRACK, at_ms, at_ms, tie=number + 1, name="Order", properties=properties)


def killed(asked: int) -> Script:
    """Whoever makes two segments ready dies after so many questions, while people order."""
    steps: list[Step] = [
        order(0),
        order(1, body=2),
        Defined("twice", parse("did Order exactly 2 times").segment, 1_000),
        Defined("not twice", parse("did Order and not in segment twice").segment, 1_000),
        order(2),
        Looked(1_000),
        Killed(1_000),
        order(3, body=3, at_ms=2_000),
    ]
    # Folded now and then, for it waits for who folds.
    return Script(steps, [*[(0, True)] * 5, (asked, asked % 2 == 0), (asked % 7, True), (0, True)])


def parted_and_joined(asked: int) -> Script:
    """A segment is defined; so many questions later one is found anew, of whom another becomes part."""
    steps: list[Step] = [
        order(0),
        order(1, body=2),
        order(2, body=3),
        Merged(2, 1, 1_000),
        Defined("twice", parse("did Order exactly 2 times").segment, 1_000),
        Parted(2, 1_000),
        Merged(3, 1, 1_000),
        Looked(2_000),
    ]
    return Script(steps, [*[(0, True)] * 4, (asked, True), *[(0, True)] * 3])


def overtaken() -> Script:
    """One is the best, until another is; then the two become one, and a third is, and they are two again."""
    steps: list[Step] = [
        order(0, b=5),
        order(1, body=3, b=1),
        Defined("best", parse("in the top 1 by sum of b of Order").segment, 1_000),
        Looked(1_000),
        order(2, body=2, at_ms=2_000, b=9),
        Merged(2, 1, 3_000),
        order(3, body=3, at_ms=4_000, b=20),
        order(4, body=2, at_ms=5_000, b=30),
        Parted(2, 6_000),
        Looked(7_000),
    ]
    return Script(steps, [(30, True)] * len(steps))
