"""What was asked of a person, as far as it decides what may be asked next: how often, when, and what became of it.

Like all of a state it is a join: an ask and its answer each carry all that the other says of the ask, so it does not
matter which of them is folded first, and what is kept is chosen by an order that is fixed in advance.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

ASKED, ANSWERED, DECLINED = "Question Asked", "Question Answered", "Question Declined"
EVENTS = frozenset({ASKED, ANSWERED, DECLINED})

RECENT_ASKS_MAX = 32
"""More than any cap allows in a week."""

OCCASIONS_MAX = 16
"""As many as of an event's stamps are kept."""

QUESTIONS_KEPT_MAX = 100
TEXT_CHARS_MAX = 100
INSTANT_MAX = 2**42


class Outcome(IntEnum):
    """What came back; of two the higher holds."""

    NOTHING = 0
    DECLINED = 1
    ANSWERED = 2


_OUTCOMES = {ASKED: Outcome.NOTHING, DECLINED: Outcome.DECLINED, ANSWERED: Outcome.ANSWERED}


class Ask(msgspec.Struct, array_like=True, order=True, gc=False):
    """One question that was asked. `at`: when (ms UTC). `occasion`: when that happened which it is about, 0 for
    nothing."""

    at: int
    id: str
    question: str
    session: str
    occasion: int
    outcome: Outcome = Outcome.NOTHING


class Past(msgspec.Struct, array_like=True, gc=False):
    """What became of one question: how often it was asked, and answered or put off; when last (0: never); and the
    latest occasions on which it was asked, newest first."""

    asked_count: int = 0
    closed_count: int = 0
    asked: int = 0
    answered: int = 0
    declined: int = 0
    occasions: list[int] = []

    @property
    def ignored_count(self) -> int:
        """How often it was asked and nothing came back."""
        return max(0, self.asked_count - self.closed_count)


class Asking(msgspec.Struct, array_like=True, gc=False):
    """All that was asked. `count`: how often anything was, ever. `recent`: the latest, newest first."""

    count: int = 0
    questions: dict[str, Past] = {}
    recent: list[Ask] = []


def note(asking: Asking, event: str, at: int, properties: dict[str, Any]) -> None:
    """Add one of `EVENTS`; one that does not say which question and which ask it is about counts for nothing."""
    ask = _ask_in(event, properties)
    if ask is None:
        return
    past = asking.questions.setdefault(ask.question, Past())
    if event == ASKED:
        asking.count += 1
        past.asked_count += 1
        past.asked = max(past.asked, ask.at)
    else:
        past.closed_count += 1
        if event == ANSWERED:
            past.answered = max(past.answered, at)
        else:
            past.declined = max(past.declined, at)
    if ask.occasion:
        past.occasions = _latest_occasions(past.occasions, [ask.occasion])
    asking.recent = _latest_asks(asking.recent, [ask])


def join(into: Asking, other: Asking) -> None:
    """Add all of another, folded from other events. Commutative and associative."""
    into.count += other.count
    for name, theirs in other.questions.items():
        own = into.questions.get(name, Past())
        into.questions[name] = Past(
            own.asked_count + theirs.asked_count,
            own.closed_count + theirs.closed_count,
            max(own.asked, theirs.asked),
            max(own.answered, theirs.answered),
            max(own.declined, theirs.declined),
            _latest_occasions(own.occasions, theirs.occasions),
        )
    into.recent = _latest_asks(into.recent, other.recent)


def ask_properties(ask: Ask) -> dict[str, Any]:
    """What each of the events of an ask says of it."""
    return {
        "question": ask.question,
        "ask": ask.id,
        "askedAt": ask.at,
        "session": ask.session,
        "occasion": ask.occasion,
    }


class _ToldAsk(msgspec.Struct, rename={"asked_at": "askedAt"}):
    """What an event says of its ask."""

    question: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS_MAX)]
    ask: Annotated[str, Meta(min_length=1, max_length=TEXT_CHARS_MAX)]
    asked_at: Annotated[int, Meta(ge=0, lt=INSTANT_MAX)]
    session: Annotated[str, Meta(max_length=TEXT_CHARS_MAX)] = ""
    occasion: Annotated[int, Meta(ge=0, lt=INSTANT_MAX)] = 0


def _ask_in(event: str, properties: dict[str, Any]) -> Ask | None:
    try:
        told = msgspec.convert(properties, _ToldAsk)
    except msgspec.ValidationError:
        return None
    return Ask(told.asked_at, told.ask, told.question, told.session, told.occasion, _OUTCOMES[event])


def _latest_occasions(known: list[int], more: list[int]) -> list[int]:
    return sorted({*known, *more}, reverse=True)[:OCCASIONS_MAX]


def _latest_asks(known: list[Ask], more: list[Ask]) -> list[Ask]:
    """The latest by their own time; of what is told of one ask the highest, so that an answered one stays answered."""
    found: dict[tuple[int, str], Ask] = {}
    for each in (*known, *more):
        key = each.at, each.id
        found[key] = max(each, found.get(key, each))
    return sorted(found.values(), reverse=True)[:RECENT_ASKS_MAX]
