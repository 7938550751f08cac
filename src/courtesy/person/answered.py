"""What is known as somebody's answer to a question, in the words in which the question takes one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from courtesy.base.time import from_iso
from courtesy.consent.questions import RATINGS, AnswerKind, Consent, OneOf, Question, Rating, SomeOf, TraitOf, scope_of
from courtesy.consent.standing import Kept, Standing, State, verdict
from courtesy.event.choice import ANY, Basis
from courtesy.event.event import Party
from courtesy.person.asking import Asking, Past
from courtesy.person.choosing import latest_set
from courtesy.person.state import PersonState


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `value` as `read_answer` takes it, None for what no question takes any more; `at_ms`: since when it is
    so; `occasion_ms`: when that happened which it is about, 0 for nothing; `is_inferred`: others told it or worked it
    out, the person did not; `path` of the trait that it is, empty for none."""

    value: Any
    at_ms: int
    comment: str = ""
    occasion_ms: int = 0
    is_inferred: bool = False
    path: str = ""


def answer_in(state: PersonState, name: str, question: Question, now_ms: int, place: str = ANY) -> Answer | None:
    """The answer that holds now, whatever way it came: asked for, in a form, or told by others; None for none.

    Of a question for consent only what came back when it was asked counts: channels and uses have a form of their own.
    """
    answer, standing = question.answer, state.standing or Standing()
    match answer:
        case Consent():
            past = (state.asking or Asking()).questions.get(name, Past())
            found = verdict(standing, answer.scope._replace(jurisdiction=place), now_ms, frozenset(Basis), {}).state
            if not past.answered or found is State.UNKNOWN:
                return None
            return Answer(found is State.GRANTED, past.answered)
        case TraitOf():
            return _of_trait(state, answer)
        case OneOf() | SomeOf() | Rating():
            kept = latest_set(standing, scope_of(answer), now_ms)
            return None if kept is None else _of_choice(answer, kept)


def _of_trait(state: PersonState, answer: TraitOf) -> Answer | None:
    trait = state.traits.get(answer.path)
    if trait is None or trait.value is None:
        return None
    value = trait.value if isinstance(trait.value, str) and _fits(answer, trait.value) else None
    return Answer(value, trait.at, is_inferred=trait.party is Party.THIRD, path=answer.path)


def _of_choice(answer: AnswerKind, kept: Kept) -> Answer:
    value, at_ms = kept.value, kept.held_from
    match answer:
        case Rating():
            told = value if isinstance(value, dict) else {}
            rating, about, comment = (told.get(name) for name in ("rating", "about", "comment"))
            occasion_ms = from_iso(about) if isinstance(about, str) else None
            known = rating if type(rating) is int and rating in RATINGS else None
            return Answer(known, at_ms, comment if isinstance(comment, str) else "", occasion_ms or 0)
        case SomeOf():
            names = [each for each in value if _fits(answer, each)] if isinstance(value, list) else None
            return Answer(names, at_ms)
        case _:
            return Answer(value if _fits(answer, value) else None, at_ms)


def _fits(answer: AnswerKind, value: Any) -> bool:
    """Whether it is one of the options, where there are any."""
    if isinstance(answer, OneOf | SomeOf | TraitOf) and answer.options:
        return value in [each.name for each in answer.options]
    return isinstance(value, str)
