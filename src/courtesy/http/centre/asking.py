"""Questions on the page: the one worth asking now, and those whose answers are known, to be answered anew.

What stands between the tags of a question's fields is what is kept as its form, so it names nobody; the token beside it
says whose answer it is.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import structlog

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.consent.questions import RATINGS, Shown
from courtesy.event.choice import ANY, Scope
from courtesy.http.centre.form import Fields, digest_of, first
from courtesy.http.centre.markup import Markup, markup, tag
from courtesy.http.centre.masked import shown_value
from courtesy.http.centre.texts import Texts
from courtesy.http.metrics import count_fates
from courtesy.person.answered import Answer
from courtesy.runtime.app import App
from courtesy.runtime.people import PERSON
from courtesy.runtime.preferences import Guest
from courtesy.runtime.questions import Given, Offer, Visit

CHANNEL = "preference_centre"
"""The channel of questions that are asked on the page."""

TEXT_CHARS_MAX = 500
NOTHING_SAID = Answer(None, 0)

_log = structlog.get_logger()


async def offered(app: App, guest: Guest, token: str, texts: Texts) -> Offer | None:
    """The one question to show, which counts as asked. A link is one session: opened again, it shows the same."""
    if not app.catalog.now.questions:
        return None
    visit = Visit(CHANNEL, digest_of(token)[:32], (texts.locale,))
    try:
        found = await app.questions.ask(
            PERSON, str(guest.reading.person), visit, lambda seen: _fields(texts, seen, NOTHING_SAID).encode()
        )
    except CourtesyError as error:
        # People came for their choices, which are shown whether or not there is something to ask.
        _log.warning("no question was asked", code=error.code, error=error.message, place=error.place)
        return None
    if found.receipt is not None:
        count_fates(found.receipt)
    return found.offer


async def answered_before(app: App, guest: Guest, texts: Texts) -> list[Given]:
    """The answers that are known, but for likes, which stand in the form above."""
    likes: Collection[Scope] = {Scope(ANY, topic=each.name) for each in app.preferences.centre.under(guest.brand).likes}
    person: PersonId = guest.reading.person
    return await app.questions.given(
        person, guest.state, (texts.locale,), lambda seen, answer: _fields(texts, seen, answer).encode(), likes
    )


async def take(app: App, fields: Fields) -> str | None:
    """Store what a form says to a question; what the page is to say then, None for a form that is not from here or too
    old."""
    questions, again = app.questions, "revise" in fields
    try:
        if "not_now" in fields:
            count_fates((await questions.put_off(first(fields, "question"))).receipt)
            return "put_off"
        kind = first(fields, "kind")
        told = _told(kind, fields.get("answer", []))
        if told is None:
            return "unanswered"
        comment = first(fields, "comment")
        if again:
            receipt = await questions.revise(first(fields, "revise"), told, comment)
        else:
            receipt = (await questions.answer(first(fields, "question"), told, comment)).receipt
    except CourtesyError as error:
        if error.code in (Code.INVALID, Code.CONFLICT):
            return None
        raise
    if receipt is not None:
        count_fates(receipt)
    return "answered" if receipt is not None and receipt.stored_count else "unchanged"


def _told(kind: str, values: list[str]) -> Any:
    """What the fields say, as the question takes it; None when nothing was chosen."""
    if kind == "some_of":
        return values
    value = values[0].strip() if values else ""
    if kind == "consent":
        return {"yes": True, "no": False}.get(value)
    if kind == "rating":
        return int(value) if value in {str(each) for each in RATINGS} else None
    return value or None


def question_section(texts: Texts, offer: Offer, action: str) -> Markup:
    """The question to answer, or to put off."""
    fields = _fields(texts, offer.shown, NOTHING_SAID)
    not_now = tag(
        "button", texts["not_now"], type="submit", name="not_now", value="yes", class_="plain", formnovalidate=True
    )
    return tag(
        "section",
        tag("h2", texts["question"]),
        _form(
            action, _hidden("question", offer.token), _hidden("kind", offer.shown.kind), fields, _send(texts), not_now
        ),
    )


def answers_section(texts: Texts, given: list[Given], action: str) -> Markup:
    """What was answered, each with what is known, and behind it the question to answer anew."""
    return tag(
        "section",
        tag("h2", texts["answers"]),
        [_answered(texts, each, action) for each in given],
    )


def _answered(texts: Texts, given: Given, action: str) -> Markup:
    seen = given.shown
    mark = tag("span", texts["inferred"], class_="mark") if given.answer.is_inferred else None
    form = _form(
        action,
        _hidden("revise", given.token),
        _hidden("kind", seen.kind),
        Markup(given.form.decode()),
        _send(texts),
    )
    question = tag("dt", tag("span", seen.text, lang=seen.locale), mark)
    said = tag("dd", tag("bdi", _in_words(texts, given)))
    when = tag("dd", texts.day(given.answer.at_ms), class_="from")
    change = tag("summary", texts["change"], aria_label=f"{texts['change']}: {seen.text}")
    return markup([tag("dl", question, said, when), tag("details", change, form)])


def _in_words(texts: Texts, given: Given) -> str:
    """An answer as people read it; of a text that may be private only that it is known."""
    seen, answer = given.shown, given.answer
    labels = {each.name: each.label for each in seen.options}
    value = answer.value
    if isinstance(value, bool):
        return texts["yes" if value else "no"]
    if isinstance(value, int):
        said = texts.say("rating", value=str(value), most=str(RATINGS[-1]))
        return f"{said} · {answer.comment}" if answer.comment else said
    if isinstance(value, list):
        return ", ".join(str(labels.get(each, each)) for each in value) or texts["none_of_these"]
    return labels.get(value) or _open_text(answer) or texts["hidden"]


def _open_text(answer: Answer) -> str:
    """A text that may stand on the page as it is; empty for one that a forwarded link must not show."""
    value = answer.value
    return value if isinstance(value, str) and shown_value(answer.path, value) == value else ""


def _fields(texts: Texts, seen: Shown, answer: Answer) -> Markup:
    """A question with all that is asked with it: what is kept as its form."""
    legend = tag("legend", tag("span", seen.text, lang=seen.locale))
    return tag("fieldset", legend, _inputs(texts, seen, answer), class_="question")


def _inputs(texts: Texts, seen: Shown, answer: Answer) -> list[Markup]:
    if seen.kind == "consent":
        known = {True: "yes", False: "no"}.get(answer.value)
        return [_radio(each, tag("span", texts[each]), known) for each in ("yes", "no")]
    if seen.kind == "rating":
        return _rating(texts, seen, answer)
    if seen.kind == "some_of":
        ticked = answer.value or ()
        return [_input("checkbox", each.name, _label(seen, each.label), each.name in ticked) for each in seen.options]
    if seen.options:
        return [_radio(each.name, _label(seen, each.label), answer.value) for each in seen.options]
    text = tag(
        "input", type="text", name="answer", value=_open_text(answer), required=True, autocomplete="off",
        maxlength=str(TEXT_CHARS_MAX), aria_label=seen.text, class_="text",
    )  # fmt: skip
    return [text]


def _rating(texts: Texts, seen: Shown, answer: Answer) -> list[Markup]:
    known = None if answer.value is None else str(answer.value)
    row = tag("div", [_radio(str(each), tag("span", str(each)), known) for each in RATINGS], class_="row")
    hint = tag("p", texts["rating_hint"], class_="hint")
    if not seen.comment_chars:
        return [hint, row]
    entry = tag(
        "input", type="text", name="comment", value=answer.comment, maxlength=str(seen.comment_chars),
        autocomplete="off", class_="text",
    )  # fmt: skip
    return [hint, row, tag("label", tag("span", texts["comment"]), entry)]


def _label(seen: Shown, label: str) -> Markup:
    return tag("span", label, lang=seen.locale)


def _radio(value: str, label: Markup, known: Any) -> Markup:
    return _input("radio", value, label, value == known, required=True)


def _input(kind: str, value: str, label: Markup, is_on: bool, **more: object) -> Markup:
    box = tag("input", type=kind, name="answer", value=value, checked=is_on, autocomplete="off", **more)
    return tag("label", box, label, class_="choice")


def _hidden(name: str, value: str) -> Markup:
    return tag("input", type="hidden", name=name, value=value)


def _send(texts: Texts) -> Markup:
    return tag("button", texts["answer"], type="submit", name="send", value="yes")


def _form(action: str, *content: object) -> Markup:
    return tag("form", *content, method="post", action=action, autocomplete="off")
