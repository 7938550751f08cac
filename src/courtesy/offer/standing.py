"""Where a person stands on offers: what was done about each, as far as it is kept in their state.

It is kept as *marks*: for each grant, for each redemption, and for each other thing that may happen to an offer, the
latest that is known of it. Of two marks under one key the higher one counts, and of all marks the latest stay. Both are
orders fixed in advance, so it does not matter what came first; and of two people who became one it is the union, so
that what either has redeemed is redeemed.

Only the ledger of offers grants and redeems: its events are of the type `system`, which no source can send. What else
happens (it was chosen, sent, seen, clicked, declined) anybody may tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from heapq import nsmallest
from typing import Annotated, Any

import msgspec
from msgspec import Meta

CHOSEN, SENT, SEEN, CLICKED = "Offer Chosen", "Offer Sent", "Offer Seen", "Offer Clicked"
GRANTED, DECLINED, EXPIRED = "Offer Granted", "Offer Declined", "Offer Expired"
REDEEMED, GIVEN_BACK = "Offer Redeemed", "Offer Given Back"

MARKS_MAX = 500
"""Of some hundred offers. Who is told of more is known by the latest; what they redeemed the tables know."""

NAME_CHARS_MAX = 100
TEXT_CHARS_MAX = 100
INSTANT_MAX = 2**52
NUMBER_MAX = 2**63 - 1


class What(IntEnum):
    """What happened; of two at one instant the higher counts."""

    CHOSEN = 0
    SENT = 1
    SEEN = 2
    CLICKED = 3
    GRANTED = 4
    DECLINED = 5
    EXPIRED = 6
    REDEEMED = 7
    GIVEN_BACK = 8


WHAT = {
    CHOSEN: What.CHOSEN,
    SENT: What.SENT,
    SEEN: What.SEEN,
    CLICKED: What.CLICKED,
    GRANTED: What.GRANTED,
    DECLINED: What.DECLINED,
    EXPIRED: What.EXPIRED,
    REDEEMED: What.REDEEMED,
    GIVEN_BACK: What.GIVEN_BACK,
}
EVENTS = frozenset(WHAT)
OF_MESSAGES = {"Message Sent": SENT, "Message Opened": SEEN, "Message Clicked": CLICKED}
"""What happens to an offer when something happens to a message that carries it."""
TOLD_BY_ANYBODY = frozenset({What.CHOSEN, What.SENT, What.SEEN, What.CLICKED, What.DECLINED})


class Mark(msgspec.Struct, array_like=True, order=True, gc=False):
    """What is known under one key. `at`: when (ms UTC). `tie` settles what the rest does not. `until`: when a grant
    ends (ms UTC), 0 for never."""

    at: int
    what: What
    tie: int
    until: int = 0
    code: str = ""
    channel: str = ""
    placement: str = ""


Marks = dict[str, Mark]
"""By what they are about: `<offer>`, a tab, and `grant <number>`, `redemption <number>` or the number of a `What`."""


class _Told(msgspec.Struct):
    """What an event says of an offer."""

    offer: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
    grant: Annotated[int, Meta(ge=0, le=NUMBER_MAX)] = 0
    redemption: Annotated[int, Meta(ge=0, le=NUMBER_MAX)] = 0
    until: Annotated[int, Meta(ge=0, lt=INSTANT_MAX)] = 0
    code: Annotated[str, Meta(max_length=TEXT_CHARS_MAX)] = ""
    channel: Annotated[str, Meta(max_length=TEXT_CHARS_MAX)] = ""
    placement: Annotated[str, Meta(max_length=TEXT_CHARS_MAX)] = ""


def note(marks: Marks, name: str, at: int, tie: int, properties: Mapping[str, Any], *, by_ledger: bool) -> None:
    """Add an event of one of the names in `EVENTS`. One that says of no offer, or says what only the ledger may, counts
    for nothing."""
    what = WHAT[name]
    if not (by_ledger or what in TOLD_BY_ANYBODY):
        return
    try:
        told = msgspec.convert(properties, _Told)
    except msgspec.ValidationError:
        return
    mark = Mark(at, what, tie, told.until, told.code, told.channel, told.placement)
    # Also what else happens to a grant: so a declined one is held no more.
    if by_ledger and told.redemption:
        _add(marks, f"{told.offer}\tredemption {told.redemption}", mark)
    elif by_ledger and told.grant:
        _add(marks, f"{told.offer}\tgrant {told.grant}", mark)
    if what in TOLD_BY_ANYBODY:
        _add(marks, f"{told.offer}\t{what.value}", mark)
    _trim(marks)


def note_message(marks: Marks, name: str, at: int, tie: int, properties: Mapping[str, Any]) -> None:
    """Add what became of a message, by one of the names in `OF_MESSAGES`. One without an offer counts for nothing, nor
    does what a machine did, or may have done."""
    if "offer" in properties and properties.get("verdict", "human") == "human":
        told = {each: properties[each] for each in ("offer", "channel") if each in properties}
        note(marks, OF_MESSAGES[name], at, tie, told, by_ledger=False)


def join(into: Marks, other: Mapping[str, Mark]) -> None:
    """Add all of another's. Commutative, associative and idempotent."""
    for key, mark in other.items():
        _add(into, key, mark)
    _trim(into)


def _add(marks: Marks, key: str, mark: Mark) -> None:
    known = marks.get(key)
    marks[key] = mark if known is None else max(known, mark)


def _trim(marks: Marks) -> None:
    """Keep the latest. A key that was dropped comes back only with a mark that is later than all that it had, so
    nothing is missing of it that counts."""
    if len(marks) == MARKS_MAX + 1:
        del marks[min(marks, key=lambda key: (marks[key], key))]
    elif len(marks) > MARKS_MAX:
        for key in nsmallest(len(marks) - MARKS_MAX, marks, key=lambda key: (marks[key], key)):
            del marks[key]


class Stage(IntEnum):
    """How far somebody is with an offer; the words are those of the names, in small letters."""

    CHOSEN = 0
    SENT = 1
    SEEN = 2
    CLICKED = 3
    GRANTED = 4
    DECLINED = 5
    EXPIRED = 6
    REDEEMED = 7


@dataclass(slots=True)
class Standing:
    """Where a person stands on one offer. Instants are ms UTC, 0 for never; `granted` is the latest grant's, `until` is
    when that ends (0: never), `code` its code. `redeemed_count`: without what was given back. `channel` and `placement`
    are those of the latest that is known."""

    offer: str
    last: dict[What, int] = field(default_factory=dict)
    held: Mark | None = None
    latest: Mark | None = None
    redeemed_count: int = 0

    @property
    def stage(self) -> Stage:
        """How far they are. Redeemed once is redeemed; else it is what was done since the grant that they hold; without
        one, how it ended."""
        if self.redeemed_count:
            return Stage.REDEEMED
        if self.held is not None:
            since = self.held.at
            if self.last.get(What.DECLINED, -1) >= since:
                return Stage.DECLINED
            done = [what for what in (What.SENT, What.SEEN, What.CLICKED) if self.last.get(what, -1) >= since]
            return Stage(max(done, default=What.GRANTED))
        over = [(at, what) for what, at in self.last.items() if what in (What.DECLINED, What.EXPIRED)]
        if over:
            return Stage(max(over)[1])
        return Stage(max((what for what in self.last if what <= What.CLICKED), default=What.CHOSEN))


def standings(marks: Mapping[str, Mark]) -> dict[str, Standing]:
    """What the marks come to, by the name of the offer, in order."""
    found: dict[str, Standing] = {}
    for key, mark in sorted(marks.items()):
        offer, _, about = key.partition("\t")
        one = found.setdefault(offer, Standing(offer))
        one.latest = mark if one.latest is None else max(one.latest, mark)
        one.last[mark.what] = max(mark.at, one.last.get(mark.what, 0))
        if about.startswith("redemption "):
            one.redeemed_count += mark.what is What.REDEEMED
        elif mark.what is What.GRANTED:
            one.last[What.GRANTED] = max(mark.at, one.last[What.GRANTED])
            one.held = mark if one.held is None else max(one.held, mark)
    return found
