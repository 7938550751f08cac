"""Asking people one question at a time, taking the answer, and defining the questions."""

from __future__ import annotations

from functools import wraps
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.ids import Position
from courtesy.base.time import to_iso
from courtesy.consent.preference_centre import Locale
from courtesy.consent.questions import QUESTION, Caps, Question, Shown
from courtesy.event.choice import Action, Word
from courtesy.http.metrics import count_fates
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.http.people import PERSON_PATH, PositionNumber
from courtesy.person.choosing import NO_COUNTS, Candidate, WhyNot
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Scope
from courtesy.runtime.questions import Decision, Taken, Visit

Session = Annotated[str, Meta(min_length=1, max_length=100)]


class LookQuery(msgspec.Struct, frozen=True):
    """`channel`: where the person could be asked. `session`: as when it is asked. `after`: a position that the answer
    must include."""

    channel: Word
    session: Session | None = None
    after: PositionNumber | None = None


class AskBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`channel`: where the person can be asked now. `session`: a name of what belongs together, such as one visit; the
    cap for sessions counts by it. `locale`: their language, by what is known of them unless it is said. `after`: a
    position that the answer must include."""

    channel: Word
    session: Session | None = None
    locale: Locale | None = None
    after: PositionNumber | None = None


class CandidateView(msgspec.Struct, frozen=True):
    """How a question stands for this person. `why_not` null: it is the one to ask. `worth`: what asking it is worth by
    now, null when that was not looked at. `about`: when that happened which it is about."""

    question: str
    why_not: WhyNot | None
    worth: float | None
    about: str | None


class AskView(msgspec.Struct, frozen=True):
    """The one question to ask now, and the token that takes its answer until `expires`; all null when it is better to
    ask nothing. `candidates` says why."""

    person: str
    question: Shown | None
    token: str | None
    expires: str | None
    candidates: list[CandidateView]
    position: str


class LookView(msgspec.Struct, frozen=True):
    """The name of the question that would be asked, null for none, and how each stands."""

    person: str
    question: str | None
    candidates: list[CandidateView]
    position: str


class AnswerBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody says: an `answer` of the question's kind, for a rating with a `comment` if they like; or
    `not_now`."""

    token: Annotated[str, Meta(min_length=1, max_length=4_096)]
    answer: Any | UnsetType = UNSET
    comment: Annotated[str, Meta(max_length=10_000)] = ""
    not_now: bool = False


class AnswerChoice(msgspec.Struct, frozen=True):
    """A choice that an answer makes."""

    action: Action
    purpose: str
    channel: str
    topic: str
    value: Any


class TakenView(msgspec.Struct, frozen=True):
    """`counted`: false when the question was answered before; the first answer stands. `choices`: what this answer
    says, empty for "not now". `position`: a read `?after=<position>` sees it."""

    question: str
    counted: bool
    choices: list[AnswerChoice]
    position: str


class QuestionView(msgspec.Struct, frozen=True):
    """A question, its revision, and how often it was asked, answered, and answered in which way."""

    name: str
    revision: int
    definition: Question
    asked_count: int
    answered_count: int
    answers: dict[str, int]
    changed: str
    changed_by: str


class QuestionsView(msgspec.Struct, frozen=True):
    """All questions by name."""

    questions: list[QuestionView]


class QuestionRemoved(msgspec.Struct, frozen=True):
    """It is asked no more."""

    removed: str


def _candidate_view(each: Candidate) -> CandidateView:
    about = to_iso(each.occasion) if each.occasion else None
    looked_at = each.why_not in (None, WhyNot.NOT_WORTH_IT, WhyNot.ANOTHER)
    return CandidateView(each.name, each.why_not, round(each.worth, 6) if looked_at else None, about)


def _candidates(found: Decision) -> list[CandidateView]:
    return [_candidate_view(each) for each in found.candidates]


def _position(told: int | None) -> Position | None:
    return None if told is None else Position(told)


async def look_at_questions(asked: Asked[LookQuery, None]) -> LookView:
    """What would be asked."""
    query = asked.query
    visit = Visit(query.channel, query.session or "", (), _position(query.after))
    found = await asked.app.questions.look(asked.path["kind"], asked.path["value"], visit)
    chosen = next((each.name for each in found.candidates if each.why_not is None), None)
    return LookView(str(found.person), chosen, _candidates(found), str(found.position))


async def ask_question(asked: Asked[NoQuery, AskBody]) -> AskView:
    """The question to ask."""
    body = asked.body
    locales = () if body.locale is None else (body.locale,)
    visit = Visit(body.channel, body.session or "", locales, _position(body.after))
    found = await asked.app.questions.ask(asked.path["kind"], asked.path["value"], visit)
    if found.receipt is not None:
        count_fates(found.receipt)
    person, candidates, position = str(found.person), _candidates(found), str(found.position)
    if found.offer is None:
        return AskView(person, None, None, None, candidates, position)
    offer = found.offer
    return AskView(person, offer.shown, offer.token, to_iso(offer.expires_ms), candidates, position)


async def answer_question(asked: Asked[NoQuery, AnswerBody]) -> TakenView:
    """Take an answer, or "not now"."""
    body, questions = asked.body, asked.app.questions
    if (body.answer is UNSET) is not body.not_now:
        raise CourtesyError(Code.INVALID, "expected `answer`, or `not_now` true, and not both", place="answer")
    if body.not_now:
        return _taken_view(await questions.put_off(body.token))
    return _taken_view(await questions.answer(body.token, body.answer, body.comment))


def _taken_view(taken: Taken) -> TakenView:
    count_fates(taken.receipt)
    choices = [
        AnswerChoice(
            each["action"], each["purpose"], each.get("channel", "*"), each.get("topic", "*"), each.get("value")
        )
        for each in taken.choices
    ]
    return TakenView(taken.question, taken.receipt.stored_count > 0, choices, str(taken.receipt.position))


async def _view(app: App, name: str) -> QuestionView:
    found = app.catalog.now.questions.get(name)
    if found is None:
        hint = nearest(name, app.catalog.now.questions)
        raise CourtesyError(Code.NOT_FOUND, f"no question named {name!r:.120}", hint=hint)
    definition = app.catalog.now.revisions[QUESTION, name]
    counts = (await app.questions.counts()).get(name, NO_COUNTS)
    return QuestionView(
        name,
        definition.revision,
        found,
        counts.asked,
        counts.answered,
        dict(counts.labels),
        to_iso(definition.changed_ms),
        definition.changed_by,
    )


async def list_questions(asked: Asked[NoQuery, None]) -> QuestionsView:
    """All questions."""
    return QuestionsView([await _view(asked.app, name) for name in sorted(asked.app.catalog.now.questions)])


async def read_question(asked: Asked[NoQuery, None]) -> QuestionView:
    """One question."""
    return await _view(asked.app, asked.path["name"])


async def define_question(asked: Asked[NoQuery, Question]) -> QuestionView:
    """Create or change a question."""
    await asked.app.catalog.define_question(asked.path["name"], asked.body, asked.by)
    return await _view(asked.app, asked.path["name"])


async def remove_question(asked: Asked[NoQuery, None]) -> QuestionRemoved:
    """Ask it no more."""
    await asked.app.catalog.remove_question(asked.path["name"], asked.by)
    return QuestionRemoved(asked.path["name"])


async def read_caps(asked: Asked[NoQuery, None]) -> Caps:
    """The caps in force."""
    return asked.app.catalog.now.question_caps


async def define_caps(asked: Asked[NoQuery, Caps]) -> Caps:
    """Change the caps."""
    await asked.app.catalog.define_question_caps(asked.body, asked.by)
    return asked.app.catalog.now.question_caps


def _admin(method: str, path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    docs = {"name": "Its name, percent-encoded."} if path.endswith("{name}") else {}

    @wraps(handle)
    async def fresh(asked: Asked[Any, Any]) -> Any:
        # Another process may have made the definition that this one is asked for next.
        await asked.app.catalog.refresh()
        return await handle(asked)

    return Operation(
        method, path, "questions", summary, fresh, scope=Scope.ADMIN, answer=answer, path_docs=docs, **more
    )


_GONE = (Code.NOT_FOUND,)

OPERATIONS = (
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/question",
        "questions",
        "See which question a person would be asked, and why no other.",
        look_at_questions,
        doc="It asks nothing.",
        scope=Scope.READ,
        query=LookQuery,
        answer=LookView,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs=PERSON_PATH,
    ),
    Operation(
        "POST",
        "/v1/people/{kind}/{value}/question",
        "questions",
        "Ask for the one question, if any, that is worth asking a person now.",
        ask_question,
        doc="It counts as asked, so show it. In the same session the same question is told again until it is answered.",
        scope=Scope.DECIDE,
        body=AskBody,
        answer=AskView,
        codes=(Code.NOT_FOUND, Code.CONFLICT, Code.TOO_MANY),
        path_docs=PERSON_PATH,
    ),
    Operation(
        "POST",
        "/v1/answers",
        "questions",
        "Answer a question, or put it off.",
        answer_question,
        doc="The token says who was asked what, so no key is needed. The first answer counts, once.",
        body=AnswerBody,
        answer=TakenView,
        codes=(Code.NOT_FOUND, Code.CONFLICT, Code.TOO_MANY),
    ),
    _admin("GET", "/v1/questions", "List all questions.", list_questions, QuestionsView),
    _admin("GET", "/v1/questions/{name}", "Read a question.", read_question, QuestionView, codes=_GONE),
    _admin(
        "PUT",
        "/v1/questions/{name}",
        "Create or change a question.",
        define_question,
        QuestionView,
        body=Question,
        codes=(Code.CONFLICT,),
    ),
    _admin("DELETE", "/v1/questions/{name}", "Ask a question no more.", remove_question, QuestionRemoved, codes=_GONE),
    _admin("GET", "/v1/question-caps", "Read how many questions a person is asked at most.", read_caps, Caps),
    _admin(
        "PUT",
        "/v1/question-caps",
        "Change how many questions a person is asked at most.",
        define_caps,
        Caps,
        body=Caps,
    ),
)
