"""What a published item says in each locale on each channel: templates, to be rendered for one person at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.content.blocks import Block, Mail, read_fragment, read_mail
from courtesy.content.findings import Check, Finding, error
from courtesy.content.items import DEFAULT, FRAGMENT, Body, ItemKey, chosen, fallback, resolved, values
from courtesy.content.kinds import KINDS
from courtesy.content.links import Slot, with_pixel
from courtesy.content.made_mail import MadeMail, make_mail
from courtesy.content.mail import FragmentBlocks, FragmentText
from courtesy.content.release import Candidate
from courtesy.content.scope import Scope
from courtesy.content.templates import Language, Missed, Template, compile_template

EMAIL = "email"
SAID = ("template", "campaign")
"""The kinds of items that messages say."""

PLAIN_PARTS = ("title", "text", "link")
BLOCKS = "blocks"
_PART = re.compile(r"/?(html|text|body|subject|title|link|preheader|theme|blocks)\b")
_WRITTEN_AS = {name: name for name in ("text", "subject", "title", "link", "preheader", "theme", BLOCKS)} | {
    "body": "text"
}


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


class Origin(NamedTuple):
    """Where an item, or its `layout`, has what a sheet of a locale and a channel says."""

    candidate: Candidate
    layout: Body | None
    locale: str
    channel: str

    def place(self, said: str) -> str:
        """The place in the item of one in what is made of it: `fields.blocks.de/0/alt` of `/blocks/0/alt`."""
        found = _PART.match(said)
        if found is None:
            return said
        name = BLOCKS if found[1] == "html" or (found[1] == "text" and self._has(BLOCKS)) else _WRITTEN_AS[found[1]]
        if name == "subject" and not self._has(name):
            name = "title"
        return self._field(name) + said[found.end() :]

    def _has(self, name: str) -> bool:
        return self.channel == EMAIL and any(each is not None and name in each.fields for each in self._bodies)

    @property
    def _bodies(self) -> tuple[Body, Body | None]:
        return self.candidate.body, self.layout

    def _field(self, name: str) -> str:
        """The field of a name in the variant that is shown."""
        is_own = name in self.candidate.body.fields or self.layout is None
        given = self.candidate.body.fields.get(name) if is_own else (self.layout or Body()).fields.get(name)
        prefix = "" if is_own else f"{self.candidate.body.fields.get('template')}: "
        best = chosen(given, self.locale, self.channel) if isinstance(given, dict) else None
        return f"{prefix}fields.{name}" + ("" if best is None else f".{best[1]}")

    def told(self, found: Finding) -> Finding:
        """A finding about the sheet as one about the item."""
        return msgspec.structs.replace(
            found, place=self.place(found.place), locale=self.locale or DEFAULT, channel=self.channel
        )


class Made(NamedTuple):
    """A sheet, where it comes from, and the mail of blocks that it was made of, if it is one."""

    sheet: Sheet
    origin: Origin
    mail: MadeMail | None = None


def make_sheets(candidate: Candidate, used: Mapping[ItemKey, Body]) -> tuple[list[Made], list[Finding]]:
    """The sheets of an item that messages say, and why there is none of some locale or channel. Whether their templates
    can be read is a question of its own."""
    made: list[Made] = []
    findings: list[Finding] = []
    for locale in _locales(candidate):
        for channel in _channels(candidate, used):
            origin = Origin(candidate, _layout(candidate.body, used), locale, channel)
            try:
                found = _sheet(origin, used)
                if found is not None:
                    made.append(found)
            except CourtesyError as problem:
                findings.append(origin.told(error(Check.TEMPLATE, problem.message, problem.place, problem.hint)))
    if not made and not findings:
        findings.append(error(Check.MISSING, "expected something to say: blocks and a subject, or a text", "fields"))
    return made, findings


def _locales(candidate: Candidate) -> list[str]:
    return sorted({"", *(each.variant.locale or "" for each in values(candidate.kind, candidate.body))})


def _channels(candidate: Candidate, used: Mapping[ItemKey, Body]) -> list[str]:
    named = {each.variant.channel for each in values(candidate.kind, candidate.body) if each.variant.channel}
    fields = candidate.body.fields
    if BLOCKS in fields or "subject" in fields or _layout(candidate.body, used) is not None:
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


def _sheet(origin: Origin, used: Mapping[ItemKey, Body]) -> Made | None:
    """What the item says there; None when that is nothing. Raises CourtesyError(INVALID)."""
    candidate, layout, locale, channel = origin
    fields = resolved(candidate.kind, candidate.body, locale, channel)
    if layout is not None:
        fields = resolved(KINDS["template"], layout, locale, channel) | fields
    item: dict[str, Any] = {name: fields[name] for name in ("title", "link", "display") if name in fields}
    if (image := _image(fields.get("image"), used, locale, channel)) is not None:
        item["image"] = image
    if channel == EMAIL:
        made = _mail(origin, fields, used, item)
    else:
        parts = {name: fields[name] for name in PLAIN_PARTS if isinstance(fields.get(name), str)}
        made = Made(Sheet(locale, channel, parts, (), item), origin) if parts else None
    if made is None:
        return None
    texts = fragment_texts(used, locale, channel)
    return made._replace(sheet=msgspec.structs.replace(made.sheet, fragments=texts))


def _image(name: Any, used: Mapping[ItemKey, Body], locale: str, channel: str) -> dict[str, str] | None:
    """The file of a picture, and what it shows in words; None when there is none."""
    body = next((each for key, each in used.items() if str(key) == name), None)
    if body is None:
        return None
    shown = resolved(KINDS["image"], body, locale, channel)
    return {"file": shown["file"], "alt": shown.get("alt", "")} if "file" in shown else None


def fragment_texts(used: Mapping[ItemKey, Body], locale: str, channel: str) -> dict[str, str]:
    """The texts of fragments by their names, each in the variant that fits best."""
    kind = KINDS[FRAGMENT]
    found = {
        key.name: resolved(kind, body, locale, channel).get("text")
        for key, body in used.items()
        if key.kind == FRAGMENT
    }
    return {name: text for name, text in sorted(found.items()) if text is not None}


def _mail(origin: Origin, fields: Mapping[str, Any], used: Mapping[ItemKey, Body], item: dict[str, Any]) -> Made | None:
    locale = origin.locale
    subject = fields.get("subject") or fields.get("title")
    if not isinstance(subject, str):
        return None
    if BLOCKS not in fields:
        text = fields.get("text")
        if not isinstance(text, str):
            return None
        return Made(Sheet(locale, EMAIL, {"subject": subject, "text": text}, (), item), origin)
    given = {"subject": subject, "preheader": fields.get("preheader", ""), BLOCKS: fields[BLOCKS]}
    if "theme" in fields:
        given["theme"] = fields["theme"]
    mail: Mail = read_mail(msgspec.json.encode(given))
    made = make_mail(mail, locale or origin.candidate.body.language, fragment_blocks(used, locale))
    parts = {"subject": made.compiled.subject, "html": with_pixel(made.linked.html), "text": made.linked.text}
    return Made(Sheet(locale, EMAIL, parts, ("html",), item, made.linked.slots), origin, made)


def fragment_blocks(used: Mapping[ItemKey, Body], locale: str) -> FragmentBlocks:
    """The blocks of fragments by their names, as a mail in a locale shows them."""

    def fragment(name: str) -> FragmentText | None:
        body = used.get(ItemKey(FRAGMENT, name))
        said = {} if body is None else resolved(KINDS[FRAGMENT], body, locale, EMAIL)
        found = said.get(BLOCKS, [{"type": "text", "text": said["text"]}] if "text" in said else None)
        if found is None:
            return None
        blocks: tuple[Block, ...] = read_fragment(msgspec.json.encode(found))
        return FragmentText(blocks, locale)

    return fragment


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
