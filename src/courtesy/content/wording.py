"""What a published item says in each locale on each channel: templates, to be rendered for one person at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.content.blocks import Block, Mail, read_fragment, read_mail
from courtesy.content.findings import Check, Finding, error
from courtesy.content.items import FRAGMENT, Body, ItemKey, fallback, resolved, values
from courtesy.content.kinds import KINDS
from courtesy.content.links import Slot, rewrite, with_pixel
from courtesy.content.mail import FragmentText, compile_mail
from courtesy.content.release import Candidate, Compiled
from courtesy.content.scope import Scope
from courtesy.content.templates import Language, Missed, Template, compile_template

EMAIL = "email"
SAID = ("template", "campaign")
"""The kinds of items that messages say."""

PLAIN_PARTS = ("title", "text", "link")


class Sheet(msgspec.Struct, frozen=True):
    """What an item says in a locale (empty: in all others) on a channel: a template for each part, of which those in
    `html` are HTML, what it says of itself (`item`), the links that are tracked, and the texts of the `fragments` that
    the templates include."""

    locale: str
    channel: str
    parts: dict[str, str]
    html: tuple[str, ...] = ()
    item: dict[str, Any] = {}
    slots: tuple[Slot, ...] = ()
    fragments: dict[str, str] = {}

    @property
    def name(self) -> str:
        """As what it is kept with its version."""
        return f"{self.locale}@{self.channel}"


def compile_sheets(candidate: Candidate, used: Mapping[ItemKey, Body]) -> Compiled:
    """The sheets of an item that messages say, and what is wrong with them; of others nothing is made."""
    if candidate.key.kind not in SAID:
        return Compiled()
    sheets: dict[str, str] = {}
    findings: list[Finding] = []
    for locale in _locales(candidate):
        for channel in _channels(candidate, used):
            try:
                sheet = _sheet(candidate, used, locale, channel)
                if sheet is None:
                    continue
                Wording(sheet)
            except CourtesyError as problem:
                place = f"fields {locale or 'default'}@{channel}: {problem.place}".rstrip(": ")
                findings.append(error(Check.TEMPLATE, problem.message, place, problem.hint))
            else:
                sheets[sheet.name] = msgspec.json.encode(sheet).decode()
    if not sheets and not findings:
        findings.append(error(Check.MISSING, "expected something to say: blocks and a subject, or a text", "fields"))
    return Compiled(sheets, tuple(findings))


def _locales(candidate: Candidate) -> list[str]:
    return sorted({"", *(each.variant.locale or "" for each in values(candidate.kind, candidate.body))})


def _channels(candidate: Candidate, used: Mapping[ItemKey, Body]) -> list[str]:
    named = {each.variant.channel for each in values(candidate.kind, candidate.body) if each.variant.channel}
    fields = candidate.body.fields
    if "blocks" in fields or "subject" in fields or _layout(candidate.body, used) is not None:
        named.add(EMAIL)
    if "text" in fields or "title" in fields:
        named.add("in_app")
    return sorted(named)


def _layout(body: Body, used: Mapping[ItemKey, Body]) -> Body | None:
    """The template that a campaign fills."""
    name = body.fields.get("template")
    if not isinstance(name, str):
        return None
    return next((each for key, each in used.items() if str(key) == name), None)


def _sheet(candidate: Candidate, used: Mapping[ItemKey, Body], locale: str, channel: str) -> Sheet | None:
    """What the item says there; None when that is nothing. Raises CourtesyError(INVALID)."""
    fields = resolved(candidate.kind, candidate.body, locale, channel)
    layout = _layout(candidate.body, used)
    if layout is not None:
        fields = resolved(KINDS["template"], layout, locale, channel) | fields
    item: dict[str, Any] = {name: fields[name] for name in ("title", "link", "image", "display") if name in fields}
    if channel == EMAIL:
        made = _mail(fields, used, locale, locale or candidate.body.language, item)
    else:
        parts = {name: fields[name] for name in PLAIN_PARTS if isinstance(fields.get(name), str)}
        made = Sheet(locale, channel, parts, (), item) if parts else None
    texts = fragment_texts(used, locale, channel)
    return None if made is None else msgspec.structs.replace(made, fragments=texts)


def fragment_texts(used: Mapping[ItemKey, Body], locale: str, channel: str) -> dict[str, str]:
    """The texts of fragments by their names, each in the variant that fits best."""
    kind = KINDS[FRAGMENT]
    found = {
        key.name: resolved(kind, body, locale, channel).get("text")
        for key, body in used.items()
        if key.kind == FRAGMENT
    }
    return {name: text for name, text in sorted(found.items()) if text is not None}


def _mail(
    fields: Mapping[str, Any], used: Mapping[ItemKey, Body], locale: str, language: str, item: dict[str, Any]
) -> Sheet | None:
    subject = fields.get("subject") or fields.get("title")
    if not isinstance(subject, str):
        return None
    if "blocks" not in fields:
        text = fields.get("text")
        return Sheet(locale, EMAIL, {"subject": subject, "text": text}, (), item) if isinstance(text, str) else None
    given = {"subject": subject, "preheader": fields.get("preheader", ""), "blocks": fields["blocks"]}
    if "theme" in fields:
        given["theme"] = fields["theme"]
    mail: Mail = read_mail(msgspec.json.encode(given))

    def fragment(name: str) -> FragmentText | None:
        body = used.get(ItemKey("fragment", name))
        said = {} if body is None else resolved(KINDS[FRAGMENT], body, locale, EMAIL)
        found = said.get("blocks", [{"type": "text", "text": said["text"]}] if "text" in said else None)
        if found is None:
            return None
        blocks: tuple[Block, ...] = read_fragment(msgspec.json.encode(found))
        return FragmentText(blocks, locale)

    made = compile_mail(mail, language, fragment)
    linked = rewrite(made.html, made.text)
    parts = {"subject": made.subject, "html": with_pixel(linked.html), "text": linked.text}
    return Sheet(locale, EMAIL, parts, ("html",), item, linked.slots)


@dataclass(slots=True, init=False)
class Wording:
    """A sheet, ready to be rendered."""

    sheet: Sheet
    _templates: dict[str, Template]

    def __init__(self, sheet: Sheet) -> None:
        """Raises CourtesyError(INVALID) for a template that can't be read, with its place."""
        self.sheet = sheet
        language = Language(fragments=sheet.fragments.get)
        self._templates = {
            name: compile_template(source, html=name in sheet.html, name=name, language=language)
            for name, source in sheet.parts.items()
        }

    def render(self, scope: Scope) -> tuple[dict[str, str], list[Missed]]:
        """Each part for one person, and what they lacked. Raises CourtesyError(TOO_LARGE)."""
        parts: dict[str, str] = {}
        missed: list[Missed] = []
        for name, template in self._templates.items():
            rendered = template.render(scope)
            parts[name] = rendered.text
            missed += rendered.missed
        return parts, missed


def sheets_of(artefacts: Mapping[str, str]) -> dict[tuple[str, str], Sheet]:
    """The sheets of a version, by locale and channel."""
    found = [msgspec.json.decode(each, type=Sheet) for each in artefacts.values()]
    return {(each.locale, each.channel): each for each in found}


def nearest_locales(locale: str) -> Iterator[str]:
    """The locales to look for, in order: the person's own, what is less exact, and what is for all others."""
    yield from fallback(locale) if locale else ()
    yield ""
