"""Content that nobody saved yet: checked while it is written, and translated from what was written elsewhere."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.content.findings import Finding
from courtesy.content.items import Body, key_of
from courtesy.content.kinds import kind_of
from courtesy.content.liquid import Dialect
from courtesy.content.measures import Measure
from courtesy.content.translating import TEXT_CHARS_MAX, Original, translated
from courtesy.http.content import Short, TrialBody, operation
from courtesy.http.operation import Asked, NoQuery


class DraftBody(TrialBody, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an item might say; it need not be there. `body`: as it is written to an item of this `kind`."""

    kind: Short
    name: Short = "draft"
    body: Body


class DraftChecked(msgspec.Struct, frozen=True):
    """What would keep it from being published or is odd, and how long its texts are on each channel and locale."""

    findings: list[Finding]
    measures: list[Measure]


class OriginalBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A template of another system. `dialect`: whose Liquid it is. `names`: what its names mean here, beside what the
    dialect says: `{"product": "event.properties.product"}`."""

    original: Original
    text: str
    dialect: Dialect = Dialect.BRAZE
    names: Annotated[dict[Short, Short], Meta(max_length=1_000)] = {}


class TranslatedView(msgspec.Struct, frozen=True):
    """The template as it is written here. An error is told where something was left out, a warning where it may say
    something else; their places are those of the original."""

    text: str
    findings: list[Finding]


async def check_draft(asked: Asked[NoQuery, DraftBody]) -> DraftChecked:
    """What would be found of something that nobody saved."""
    body = asked.body
    kind_of(body.kind, "kind")
    key = key_of(f"{body.kind}/{body.name}", "name")
    draft = await asked.app.shelf.publications.check_draft(key, body.body, body.trial)
    return DraftChecked(draft.findings, draft.measures)


async def translate_template(asked: Asked[NoQuery, OriginalBody]) -> TranslatedView:
    """A template as one of ours."""
    body = asked.body
    if len(body.text) > TEXT_CHARS_MAX:
        message = f"expected a template of at most {TEXT_CHARS_MAX:,} characters, got {len(body.text):,}"
        raise CourtesyError(Code.TOO_LARGE, message, place="text")
    done = translated(body.text, body.original, body.dialect, body.names)
    return TranslatedView(done.source, done.findings)


OPERATIONS = (
    operation(
        "POST",
        "/v1/content/check",
        "Check what an item might say, while it is written.",
        check_draft,
        DraftChecked,
        codes=(Code.NOT_FOUND, Code.TOO_LARGE),
        body=DraftBody,
        doc="Nothing is kept. Beside what would be found if it were published it tells the measures of each channel"
        " and locale: parts of a text message, its encoding and cost, bytes of push messages and mails.",
    ),
    operation(
        "POST",
        "/v1/content/translate",
        "Translate a template of another system.",
        translate_template,
        TranslatedView,
        codes=(Code.TOO_LARGE,),
        body=OriginalBody,
        doc="Nothing is kept. What has no counterpart is left out, and told with its place and the reason.",
    ),
)
