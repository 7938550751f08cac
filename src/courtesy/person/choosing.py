"""Which one question, if any, is worth asking a person now. Pure: the same answer for the same state, and a reason for
every question that is not asked.

A question is worth what an answer is worth to the company, times the chance that one comes, times how much of it is
not known beforehand, less what asking costs:

    worth = weight × chance × interest × unknown − cost × friction

`chance` is the share of all people asked so far who answered, begun with `USUAL_PRIOR` asks of which half were
answered, so that a few who did not can't end a question; counted as `PRIOR_ASKS` asks of this person, beside all that
they were asked in half a year; and halved each time that they did not react to this very question. `interest` is how
often they did what the question is about beside what they did most of all that questions of the same form are about,
such as goods looked at: its square root, for the tenth look tells less than the second. Who did little of it may have
nothing to say to it. It is 1 for a question that has no others of its form. `friction` is 2
just after they were asked something, and nears 1 by half each two weeks. `unknown` is the entropy of the answers so
far, with one added to each that is possible, as a share of its highest: 1 while nothing is known, near 0 when
everybody says the same. Consent is never known beforehand, nor is a text that can be anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import log2, sqrt

from courtesy.base.time import DAY_MS
from courtesy.consent.places import larger_places
from courtesy.consent.questions import (
    RATINGS,
    AnswerKind,
    Caps,
    Consent,
    OneOf,
    Question,
    Rating,
    SomeOf,
    TraitOf,
    scope_of,
)
from courtesy.consent.standing import Kept, Standing, State, scope_key, verdict
from courtesy.consent.standing import scope_of as scope_in
from courtesy.event.choice import ANY, Action, Basis, Scope
from courtesy.event.event import Party
from courtesy.person.asking import Ask, Asking, Outcome, Past
from courtesy.person.state import PersonState

WEEK_MS = 7 * DAY_MS
NO_ASKING_AFTER_REFUSAL_MS = 365 * DAY_MS
"""After somebody opted out they are not asked to opt in again for twelve months (CCPA 1798.135(c)(4)); we hold to that
for every consent, everywhere."""

USUAL_PRIOR = 10
PRIOR_ASKS = 2
"""How many asks of a person weigh as much as everybody else's."""

REMEMBERED_MS = 182 * DAY_MS
FRICTION_HALVES_MS = 14 * DAY_MS


_Form = tuple[str, tuple[str, ...]]


class WhyNot(StrEnum):
    """Why a question is not asked; of several reasons the first of these."""

    CHANNEL = "channel"
    PLACE = "place"
    NO_OCCASION = "no_occasion"
    KNOWN = "known"
    REFUSED = "refused"
    ANSWERED = "answered"
    NOT_NOW = "not_now"
    SESSION_CAP = "session_cap"
    WEEK_CAP = "week_cap"
    NOT_WORTH_IT = "not_worth_it"
    ANOTHER = "another"


@dataclass(frozen=True, slots=True)
class Counts:
    """How often a question was asked of anybody, how often answered, and how often in which way."""

    asked: int = 0
    answered: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)


NO_COUNTS = Counts()


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where somebody could be asked. `place`: where they are, `*` when that is not known. An empty `session`
    is none: the cap for sessions does not count then."""

    now_ms: int
    channel: str
    session: str = ""
    place: str = ANY


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question as it stands for one person. `why_not` None: it is the one to ask. `occasion`: when that happened
    which it is about, 0 for nothing. `worth` 0 where it was not looked at."""

    name: str
    why_not: WhyNot | None
    worth: float = 0.0
    occasion: int = 0


@dataclass(frozen=True, slots=True)
class Chosen:
    """The question to ask, None when it is better to ask nothing; and every candidate, by name."""

    question: Candidate | None
    candidates: tuple[Candidate, ...]


def choose(
    state: PersonState,
    questions: Mapping[str, Question],
    counts: Mapping[str, Counts],
    caps: Caps,
    moment: Moment,
) -> Chosen:
    """The question that is worth most, if it is worth anything; of equals the first by name."""
    capped = _capped(state.asking or Asking(), caps, moment)
    most = _most_done(state, questions.values())
    judged = [
        _judged(state, name, questions[name], counts.get(name, NO_COUNTS), moment, capped, most)
        for name in sorted(questions)
    ]
    best = max((each for each in judged if each.why_not is None), key=lambda each: each.worth, default=None)
    return Chosen(best, tuple(_unless_best(each, best) for each in judged))


def _unless_best(candidate: Candidate, best: Candidate | None) -> Candidate:
    if candidate.why_not is not None or candidate is best:
        return candidate
    return replace(candidate, why_not=WhyNot.ANOTHER)


def open_ask(state: PersonState, questions: Mapping[str, Question], moment: Moment) -> Ask | None:
    """The latest question of this session, if nothing came back and it may still be asked: it can be shown again, which
    counts as once."""
    if state.asking is None or not moment.session:
        return None
    ask = next((each for each in state.asking.recent if each.session == moment.session), None)
    question = None if ask is None or ask.outcome else questions.get(ask.question)
    if ask is None or question is None:
        return None
    past = state.asking.questions.get(ask.question, Past())
    return ask if _why_not(state, question, past, moment, ask.occasion) is None else None


def _capped(asking: Asking, caps: Caps, moment: Moment) -> WhyNot | None:
    in_session = sum(bool(moment.session) and each.session == moment.session for each in asking.recent)
    if in_session >= caps.per_session and (moment.session or not caps.per_session):
        return WhyNot.SESSION_CAP
    in_week = sum(each.at > moment.now_ms - WEEK_MS for each in asking.recent)
    return WhyNot.WEEK_CAP if in_week >= caps.per_week else None


def _judged(
    state: PersonState,
    name: str,
    question: Question,
    counts: Counts,
    moment: Moment,
    capped: WhyNot | None,
    most: Mapping[_Form, int],
) -> Candidate:
    past = (state.asking or Asking()).questions.get(name, Past())
    occasion = _occasion(state, question, past, moment.now_ms)
    why_not = _why_not(state, question, past, moment, occasion) or capped
    if why_not is not None:
        return Candidate(name, why_not, occasion=occasion or 0)
    form = _form(question)
    interest = 1.0 if form is None else sqrt(_done(state, question) / max(1, most[form]))
    worth = worth_of(question, counts, past, state.asking or Asking(), moment.now_ms, interest)
    return Candidate(name, None if worth > 0 else WhyNot.NOT_WORTH_IT, worth, occasion or 0)


def _form(question: Question) -> _Form | None:
    """What questions have in common that differ in what they are about: the answers that they take after something that
    happened. None for those that need nothing to happen, or are about each time that it does."""
    answer = question.answer
    if question.after is None or question.after.each or not isinstance(answer, OneOf | SomeOf):
        return None
    return type(answer).__name__, tuple(each.name for each in answer.options)


def _done(state: PersonState, question: Question) -> int:
    """How often somebody did what a question is about."""
    behaviour = None if question.after is None else state.behaviours.get(question.after.event)
    return 0 if behaviour is None else behaviour.count


def _most_done(state: PersonState, questions: Iterable[Question]) -> dict[_Form, int]:
    """Of what questions of each form are about, how often they did that which they did most."""
    most: dict[_Form, int] = {}
    for each in questions:
        form = _form(each)
        if form is not None:
            most[form] = max(most.get(form, 0), _done(state, each))
    return most


def _why_not(state: PersonState, question: Question, past: Past, moment: Moment, occasion: int | None) -> WhyNot | None:
    """What keeps a question from being asked, whatever it is worth."""
    if question.channels and moment.channel not in question.channels:
        return WhyNot.CHANNEL
    if question.places and not {moment.place, *larger_places(moment.place), ANY} & set(question.places):
        return WhyNot.PLACE
    if occasion is None:
        return WhyNot.NO_OCCASION
    found = _why_known(state, question, moment)
    if found is not None:
        return found
    if past.answered and not occasion and not _is_out_of_date(question, past.answered, moment.now_ms):
        return WhyNot.ANSWERED
    if past.declined and moment.now_ms < past.declined + question.not_now_days * DAY_MS:
        return WhyNot.NOT_NOW
    return None


def _occasion(state: PersonState, question: Question, past: Past, now_ms: int) -> int | None:
    """When that happened which the question may be about; 0 when it needs nothing to happen, None when nothing did."""
    after = question.after
    if after is None:
        return 0
    behaviour = state.behaviours.get(after.event)
    stamps = [] if behaviour is None else [each.at for each in behaviour.recent]
    first, last = now_ms - after.to_days * DAY_MS, now_ms - after.from_days * DAY_MS
    within = [at for at in stamps if first <= at <= last]
    if not after.each:
        return 0 if within else None
    return max((at for at in within if at not in past.occasions), default=None)


def _is_out_of_date(question: Question, at_ms: int, now_ms: int) -> bool:
    return question.again_after_days is not None and now_ms >= at_ms + question.again_after_days * DAY_MS


def _why_known(state: PersonState, question: Question, moment: Moment) -> WhyNot | None:
    """Whether the person said it already, wherever that was; or said no to it too lately to be asked again."""
    standing, answer = state.standing or Standing(), question.answer
    if isinstance(answer, Consent):
        return _why_settled(standing, answer.scope, moment)
    if question.after is not None and question.after.each:
        return None
    said_ms = max(_told_ms(state, answer), _set_ms(standing, scope_of(answer), moment.now_ms))
    return WhyNot.KNOWN if said_ms >= 0 and not _is_out_of_date(question, said_ms, moment.now_ms) else None


def _told_ms(state: PersonState, answer: AnswerKind) -> int:
    """When a trait was told, -1 when it is not known. What others guessed is not known."""
    trait = state.traits.get(answer.path) if isinstance(answer, TraitOf) else None
    return -1 if trait is None or trait.value is None or trait.party is Party.THIRD else trait.at


def _set_ms(standing: Standing, scope: Scope, now_ms: int) -> int:
    """When a preference was set last, -1 when it never was."""
    latest = latest_set(standing, scope, now_ms)
    return -1 if latest is None else latest.held_from


def latest_set(standing: Standing, scope: Scope, now_ms: int) -> Kept | None:
    """What a preference was set to last, for just that scope; None when it never was."""
    kept = standing.scopes.get(scope_key(scope), ())
    return max(
        (each for each in kept if each.action is Action.SET and _counts(standing, each, now_ms)),
        key=lambda each: (each.held_from, each.id),
        default=None,
    )


def _counts(standing: Standing, kept: Kept, now_ms: int) -> bool:
    return (
        kept.id not in standing.voids and kept.held_from <= now_ms and (kept.held_to is None or now_ms < kept.held_to)
    )


def _why_settled(standing: Standing, scope: Scope, moment: Moment) -> WhyNot | None:
    """KNOWN for what is allowed. REFUSED when anything that overlaps it was refused in the last twelve months, or may
    have been, as far as is kept."""
    asked = scope._replace(jurisdiction=moment.place)
    if verdict(standing, asked, moment.now_ms, frozenset(Basis), {}).state is State.GRANTED:
        return WhyNot.KNOWN
    since = moment.now_ms - NO_ASKING_AFTER_REFUSAL_MS
    refusals = (
        each.held_from
        for key, kept in standing.scopes.items()
        if _overlap(scope, scope_in(key))
        for each in kept
        if each.refuses and each.id not in standing.voids
    )
    return WhyNot.REFUSED if standing.is_cut or any(at > since for at in refusals) else None


def _overlap(a: Scope, b: Scope) -> bool:
    """Whether two scopes are about anything in common; places are left out, for who refused somewhere meant it."""
    return all(ANY in (own, theirs) or own == theirs for own, theirs in zip(a[:4], b[:4], strict=True))


def worth_of(
    question: Question, counts: Counts, past: Past, asking: Asking, now_ms: int, interest: float = 1.0
) -> float:
    """What it is worth to ask; see the formula above."""
    usual = (counts.answered + USUAL_PRIOR / 2) / (counts.asked + USUAL_PRIOR)
    asked = [each for each in asking.recent if each.at > now_ms - REMEMBERED_MS]
    answered_count = sum(each.outcome is Outcome.ANSWERED for each in asked)
    chance = (usual * PRIOR_ASKS + answered_count) / (PRIOR_ASKS + len(asked)) / 2.0**past.ignored_count
    friction = 1 + 2.0 ** (-max(0, now_ms - asked[0].at) / FRICTION_HALVES_MS) if asked else 1.0
    return question.weight * chance * interest * unknown_of(question.answer, counts) - question.cost * friction


def unknown_of(answer: AnswerKind, counts: Counts) -> float:
    """How much of an answer is not known beforehand: 0 to 1."""
    match answer:
        case Consent():
            return 1.0
        case Rating():
            return _evenness(counts.labels.get(str(each), 0) for each in RATINGS)
        case OneOf():
            return _evenness(counts.labels.get(each.name, 0) for each in answer.options)
        case TraitOf():
            return _evenness(counts.labels.get(each.name, 0) for each in answer.options) if answer.options else 1.0
        case SomeOf():
            chosen = [counts.labels.get(each.name, 0) for each in answer.options]
            return sum(_evenness((each, max(0, counts.answered - each))) for each in chosen) / len(chosen)


def _evenness(found: Iterable[int]) -> float:
    """The entropy of counts, one added to each, as a share of the highest that so many can have."""
    smoothed = [each + 1 for each in found]
    if len(smoothed) < 2:
        return 1.0
    total = sum(smoothed)
    return -sum(each / total * log2(each / total) for each in smoothed) / log2(len(smoothed))
