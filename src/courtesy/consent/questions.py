"""A question that people are asked one at a time: what it says, when it fits, and what an answer becomes.

Every answer is a choice in the ledger. The wording and the form that were shown are bytes that are kept under their
SHA-256, so that it can be looked up later what somebody said yes to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.consent.preference_centre import Item, Locale
from courtesy.consent.wishes import Person, Told, switched
from courtesy.event.choice import ANY, HEALTH, VALUE_BYTES_MAX, Action, Place, Scope, Word

QUESTION = "question"
"""The kind under which definitions are kept."""

CAPS = "question_caps"

DEFINED_MAX = 40
"""Questions in force at once. Each is about a scope of its own, of which a person's state keeps 200, and a preference
centre may ask for 150."""

COMMENT_CHARS_MAX = 500
RATINGS = range(1, 6)
TRAIT_TOPIC = "trait:"
"""Before the path of a trait: the topic of the choice that tells it."""

Wording = Annotated[str, Meta(min_length=1, max_length=500)]
Options = Annotated[tuple[Item, ...], Meta(min_length=2, max_length=20)]
Path = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$")]
Days = Annotated[int, Meta(ge=0, le=3_650)]


class Consent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="consent"):
    """May we? Yes grants the scope, no refuses it."""

    purpose: Word
    channel: Word = ANY
    topic: Word = ANY
    brand: Word = ANY

    @property
    def scope(self) -> Scope:
        """What is allowed or refused."""
        return Scope(self.purpose, self.channel, self.topic, self.brand)


class OneOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="one_of"):
    """Which of these? Sets the topic to the name of an option."""

    topic: Word
    options: Options
    purpose: Word = ANY


class SomeOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="some_of"):
    """Which of these, any number of them? Sets the topic to the names of options."""

    topic: Word
    options: Options
    purpose: Word = ANY


class Rating(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="rating"):
    """How was it, from 1 to 5? A comment of up to `comment_chars` may come with it; what is longer is cut."""

    topic: Word
    comment_chars: Annotated[int, Meta(ge=0, le=COMMENT_CHARS_MAX)] = 200
    purpose: Word = ANY


class TraitOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="trait"):
    """What is your ...? Sets a trait, by its path, to a text: one of the options if there are any."""

    path: Path
    options: Annotated[tuple[Item, ...], Meta(max_length=20)] = ()


AnswerKind = Consent | OneOf | SomeOf | Rating | TraitOf


class After(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """After an event of that name, from so many days later to so many. `each`: of each such event once, rather than of
    the person once."""

    event: Annotated[str, Meta(min_length=1, max_length=200)]
    from_days: Days = 0
    to_days: Days = 14
    each: bool = False


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question.

    `text` by locale; who speaks none of these gets the first. `after`: only after something happened. `channels`,
    `places`: where alone it may be asked; without any, anywhere. `weight`: what an answer of which nothing is known
    beforehand is worth to the company, `cost`: what asking costs the person, in the same unit. `again_after_days`: an
    answer is out of date after so many; without it, never. `not_now_days`: how long it is left alone after "not now".
    """

    text: Annotated[dict[Locale, Wording], Meta(min_length=1, max_length=40)]
    answer: AnswerKind
    after: After | None = None
    channels: Annotated[tuple[Word, ...], Meta(max_length=20)] = ()
    places: Annotated[tuple[Place, ...], Meta(max_length=50)] = ()
    weight: Annotated[float, Meta(ge=0, le=1_000)] = 1.0
    cost: Annotated[float, Meta(ge=0, le=1_000)] = 0.15
    again_after_days: Annotated[int, Meta(ge=1, le=3_650)] | None = None
    not_now_days: Days = 90

    def checked(self) -> Question:
        """The same; or CourtesyError(INVALID) for one that asks what must not be asked, or can't be answered."""
        answer = self.answer
        words = [getattr(answer, name) for name in ("purpose", "topic", "path") if hasattr(answer, name)]
        if found := sorted({part.casefold() for word in words for part in word.split(".")} & HEALTH):
            raise _invalid(f"health is not asked for here: {found[0]!r}", "answer")
        names = [each.name for each in _options_of(answer)]
        if len(set(names)) < len(names):
            raise _invalid(f"expected each option once, got {names}", "answer.options")
        if isinstance(answer, Consent) and answer.purpose == ANY:
            raise _invalid("expected one purpose to ask consent for, got *", "answer.purpose")
        if self.after is not None and self.after.from_days > self.after.to_days:
            raise _invalid("from_days lies after to_days", "after")
        return self


class Caps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many questions one person is asked at most, whichever they are: in one session, and in any seven days."""

    per_session: Annotated[int, Meta(ge=0, le=10)] = 1
    per_week: Annotated[int, Meta(ge=0, le=20)] = 1


class ShownOption(msgspec.Struct, frozen=True):
    """One of the answers to choose from; `name` is what to send back."""

    name: str
    label: str


class Shown(msgspec.Struct, frozen=True):
    """A question as somebody is shown it, in one language. `kind`: what to send back as the answer. consent: true or
    false; one_of: the name of an option; some_of: a list of such names; rating: 1 to 5; trait: a text, or the name of
    an option."""

    question: str
    kind: str
    locale: str
    text: str
    options: tuple[ShownOption, ...]
    comment_chars: int

    @property
    def wording(self) -> bytes:
        """What was read."""
        return self.text.encode()

    @property
    def form(self) -> bytes:
        """All that was shown, as it was handed out."""
        return msgspec.json.encode(self)


def shown(name: str, question: Question, locales: Iterable[str]) -> Shown:
    """A question in the first of some languages in which it is there; in its first language if it is in none."""
    locale = _in_first(question.text, locales)
    answer = question.answer
    options = tuple(ShownOption(each.name, _label(each, locale)) for each in _options_of(answer))
    comment_chars = answer.comment_chars if isinstance(answer, Rating) else 0
    return Shown(name, kind_of(answer), locale, question.text[locale], options, comment_chars)


def kind_of(answer: AnswerKind) -> str:
    """What a definition calls it."""
    return str(answer.__struct_config__.tag)


def _in_first(text: Mapping[str, str], locales: Iterable[str]) -> str:
    by_language: dict[str, str] = {}
    for each in text:
        by_language.setdefault(each.partition("-")[0], each)
    for wanted in locales:
        exact = next((each for each in text if each.casefold() == wanted.replace("_", "-").casefold()), None)
        found = exact or by_language.get(wanted.replace("_", "-").partition("-")[0].casefold())
        if found is not None:
            return found
    return next(iter(text))


def _label(option: Item, locale: str) -> str:
    return option.labels.get(locale) or option.labels.get(locale.partition("-")[0]) or option.name


def _options_of(answer: AnswerKind) -> tuple[Item, ...]:
    return answer.options if isinstance(answer, OneOf | SomeOf | TraitOf) else ()


class Said(NamedTuple):
    """An answer that fits its question. `labels`: which of the answers that can be counted it is."""

    value: Any
    labels: tuple[str, ...]
    comment: str = ""


def read_answer(answer: AnswerKind, told: Any, comment: str = "") -> Said:
    """What somebody says, held against the question. Raises CourtesyError(INVALID)."""
    match answer:
        case Consent():
            if not isinstance(told, bool):
                raise _unfit("true or false", told)
            return Said(told, ("yes" if told else "no",))
        case Rating():
            if type(told) is not int or told not in RATINGS:
                raise _unfit("a whole number from 1 to 5", told)
            return Said(told, (str(told),), comment[: answer.comment_chars])
        case SomeOf():
            if not isinstance(told, list) or any(not isinstance(each, str) for each in told):
                raise _unfit("a list of names of options", told)
            return Said(told, tuple(_known(answer.options, each) for each in dict.fromkeys(told)))
        case OneOf() | TraitOf():
            if not isinstance(told, str) or not 1 <= len(told.strip()) <= COMMENT_CHARS_MAX:
                raise _unfit("a text", told)
            return Said(told.strip(), (_known(answer.options, told),) if answer.options else ())


def _known(options: Iterable[Item], told: str) -> str:
    names = [each.name for each in options]
    if told not in names:
        raise _unfit(f"one of {', '.join(names)}", told)
    return told


def choices_of(answer: AnswerKind, said: Said, person: Person, now_ms: int, occasion_ms: int) -> list[Told]:
    """The choices that an answer makes. `occasion_ms`: when that happened which it is about; 0 for nothing."""
    match answer:
        case Consent():
            return list(switched(person, answer.scope, now_ms, on=said.value))
        case Rating():
            about = {"about": to_iso(occasion_ms)} if occasion_ms else {}
            value = _with_comment({"rating": said.value, **about}, said.comment)
            return [_set(answer.purpose, answer.topic, value)]
        case OneOf():
            return [_set(answer.purpose, answer.topic, said.value)]
        case SomeOf():
            return [_set(answer.purpose, answer.topic, list(said.labels))]
        case TraitOf():
            return [_set(ANY, TRAIT_TOPIC + answer.path, _cut(said.value, VALUE_BYTES_MAX - 2))]


def traits_of(answer: AnswerKind, said: Said) -> dict[str, Any]:
    """The traits that an answer sets, nested; none for most."""
    if not isinstance(answer, TraitOf):
        return {}
    *parents, leaf = answer.path.split(".")
    traits: dict[str, Any] = {leaf: said.value}
    for each in reversed(parents):
        traits = {each: traits}
    return traits


def scope_of(answer: AnswerKind) -> Scope:
    """What an answer is about, as the ledger has it."""
    match answer:
        case Consent():
            return answer.scope
        case TraitOf():
            return Scope(ANY, topic=TRAIT_TOPIC + answer.path)
        case OneOf() | SomeOf() | Rating():
            return Scope(answer.purpose, topic=answer.topic)


def evidence_of(seen: Shown, form: bytes) -> dict[str, Any]:
    """What was shown, in which form, as a choice tells it."""
    return {
        "notice": sha256(seen.wording).hexdigest(),
        "form": sha256(form).hexdigest(),
        "locale": seen.locale,
        "affirmative": True,
    }


def _set(purpose: str, topic: str, value: Any) -> Told:
    return {"action": str(Action.SET), "purpose": purpose, "topic": topic, "value": value}


def _with_comment(value: dict[str, Any], comment: str) -> dict[str, Any]:
    """With as much of a comment as fits what a choice can hold."""
    if not comment:
        return value
    room = VALUE_BYTES_MAX - len(msgspec.json.encode({**value, "comment": ""}))
    return {**value, "comment": _cut(comment, room)}


def _cut(text: str, bytes_max: int) -> str:
    """As much of a text as takes so many bytes as JSON, without its quotes."""
    while len(msgspec.json.encode(text)) - 2 > bytes_max:
        text = text[: len(text) * 9 // 10]
    return text


def _invalid(message: str, place: str) -> CourtesyError:
    return CourtesyError(Code.INVALID, message, place=place)


def _unfit(expected: str, told: Any) -> CourtesyError:
    return _invalid(f"expected {expected}, got {told!r:.60}", "answer")
