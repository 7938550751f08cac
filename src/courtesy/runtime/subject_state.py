"""What is so of a person, as one recipient is told: identifiers, choices, and what these come to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from courtesy.base.time import DAY_MS
from courtesy.consent.law import Laws, allowed
from courtesy.consent.laws import EMAIL, MARKETING, SMS
from courtesy.consent.standing import Standing, scope_of
from courtesy.engine.contract import PersonReading
from courtesy.event.choice import ANY, RESTRICTION, Scope
from courtesy.identity.rules import split_identifier
from courtesy.person.assemble import assemble
from courtesy.person.view import choices_view
from courtesy.person.whereabouts import place_of
from courtesy.runtime.recipient import Recipient

NOON = 12 * 60
"""What is told holds for days: at which hours one may write or call is for whoever does it to ask."""

QUESTIONS_MAX = 500
USUAL_PURPOSES = frozenset({MARKETING})
USUAL_CHANNELS = frozenset({EMAIL, SMS})

VERSION = "version"


@dataclass(frozen=True, slots=True)
class SubjectState:
    """What a recipient is told of a subject, and until when that holds by itself (ms UTC); None for ever."""

    document: Mapping[str, Any]
    until_ms: int | None

    def is_what(self, held: Mapping[str, Any] | None) -> bool:
        """Whether a recipient that gives this back holds it, whatever version it says that it is."""
        return held is not None and all(
            held.get(name) == value for name, value in self.document.items() if name != VERSION
        )


def subject_state(
    recipient: Recipient, subject: bytes, part_of: bytes | None, reading: PersonReading, now_ms: int, laws: Laws
) -> SubjectState:
    """What is so of a person as they were read. `part_of`: as whom, when the subject's person became part of another;
    then the identifiers are that one's alone.

    The version is the position of the log up to which it is complete.
    """
    state = assemble(reading.person, reading.merged, reading.states, reading.tail)
    standing = state.standing or Standing()
    place = place_of(state)
    questions = [scope._replace(jurisdiction=place) for scope in _questions(recipient, standing)]
    known = [] if part_of is not None else recipient.gets(each.identifier for each in reading.identifiers)
    document = {
        "subject": subject.hex(),
        VERSION: reading.head,
        "part_of": None if part_of is None else part_of.hex(),
        "identifiers": [dict(zip(("kind", "value"), split_identifier(each), strict=True)) for each in known],
        "allowed": [_answer(standing, each, now_ms, laws) for each in questions],
        "choices": [each for each in choices_view(standing) if recipient.cares_about(_scope_in(each))],
    }
    return SubjectState(document, _until(standing, questions, now_ms, laws))


def _scope_in(choice: Mapping[str, Any]) -> Scope:
    return Scope(*(choice[name] for name in Scope._fields))


def _questions(recipient: Recipient, standing: Standing) -> list[Scope]:
    """What the recipient might do: for each of its purposes and channels, and for each topic and brand that the person
    said something about. Of one that does anything, those that they named and the usual ones."""
    told = (scope_of(key) for key in standing.scopes)
    scopes = [scope for scope in told if scope.purpose != RESTRICTION and recipient.cares_about(scope)]
    purposes = set(recipient.purposes) or USUAL_PURPOSES | {each.purpose for each in scopes} - {ANY}
    channels = set(recipient.channels) or USUAL_CHANNELS | {each.channel for each in scopes} - {ANY}
    found = {Scope(*each) for each in product(purposes, channels)}
    for scope in scopes:
        if (scope.topic, scope.brand) != (ANY, ANY):
            some = (_some(scope.purpose, purposes), _some(scope.channel, channels), (scope.topic,), (scope.brand,))
            found |= {Scope(*each) for each in product(*some)}
    return sorted(found)[:QUESTIONS_MAX]


def _some(part: str, all_: Iterable[str]) -> Iterable[str]:
    return all_ if part == ANY else (part,)


def _answer(standing: Standing, asked: Scope, now_ms: int, laws: Laws) -> dict[str, Any]:
    answer = allowed(standing, asked, now_ms, laws, NOON)
    return {**asked._asdict(), "allowed": answer.allowed, "why": str(answer.why)}


def _until(standing: Standing, questions: Iterable[Scope], now_ms: int, laws: Laws) -> int | None:
    """The next instant at which a choice begins or ends by itself, or by a law that says how long its basis lives."""
    choices = [each for kept in standing.scopes.values() for each in kept]
    lives = {
        (basis, days * DAY_MS)
        for asked in questions
        for _, rule in laws.about(asked, now_ms)
        for basis, days in rule.lives_days.items()
    }
    instants = [instant for each in choices for instant in (each.held_from, each.held_to) if instant is not None]
    instants += [each.held_from + span for each in choices for basis, span in lives if each.basis is basis]
    return min((each for each in instants if each > now_ms), default=None)
