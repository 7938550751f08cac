"""What is made of an item when it is published: whole mails by locale, and the fragments that its texts include.

A version is shown from its body and these alone, so nothing that is edited later can change it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.content.blocks import read_fragment, read_mail
from courtesy.content.findings import Check, Finding, error
from courtesy.content.items import DEFAULT, FRAGMENT, Body, FieldType, ItemKey, Value, chosen, key_of, locales, values
from courtesy.content.kinds import OFFER
from courtesy.content.limits import Platform, SmsTerms, check_mail_size, check_push, check_sms
from courtesy.content.links import Linked, Slot, rewrite
from courtesy.content.mail import FragmentText, compile_mail
from courtesy.content.offering import terms_of
from courtesy.content.release import Candidate, Compiled
from courtesy.content.templates import Language, compile_template

MAIL, FRAGMENTS = "mail", "fragments"
EMAIL = "email"
PLATFORMS: Mapping[str, tuple[Platform, ...]] = {
    "push": (Platform.ANDROID, Platform.IOS),
    "web_push": (Platform.BROWSER,),
}

_encode = msgspec.json.Encoder(order="sorted").encode


class MailArtefact(msgspec.Struct, frozen=True):
    """A mail in a locale, as templates whose links are slots. It is the artefact `mail.<locale>`, and `mail.default` is
    for everybody else; `language` is what it is written in. `fragments`: the locale of each that is used in it."""

    subject: str
    preheader: str
    html: str
    text: str
    language: str
    slots: tuple[Slot, ...]
    fragments: dict[str, str] = {}


def compile_item(candidate: Candidate, used: Mapping[ItemKey, Body]) -> Compiled:
    """The artefacts of an item, and what is wrong with its templates, blocks and lengths, as far as that can be told
    without a person. Of `used` the fragments are put in, and a layout has what the item lacks itself."""
    making = _Making(candidate, _filled(candidate, used), used)
    making.check_texts()
    making.check_blocks()
    if candidate.kind is OFFER:
        making.check_terms()
    if candidate.kind.name in ("template", "campaign") and "blocks" in making.fields:
        making.make_mails()
    making.keep_fragments()
    return Compiled(making.artefacts, tuple(making.findings))


def _filled(candidate: Candidate, used: Mapping[ItemKey, Body]) -> dict[str, Any]:
    """The fields of an item over those of its layout."""
    layout = candidate.body.fields.get("template") if candidate.kind.name == "campaign" else None
    below = {} if layout is None else used[key_of(layout)].fields
    return {**below, **candidate.body.fields}


@dataclass(slots=True)
class _Making:
    """One item that is being made."""

    candidate: Candidate
    fields: dict[str, Any]
    used: Mapping[ItemKey, Body]
    artefacts: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def _body(self) -> Body:
        return msgspec.structs.replace(self.candidate.body, fields=self.fields)

    def check_texts(self) -> None:
        """Whether every template of its own can be read, and fits its channel."""
        for value in values(self.candidate.kind, self.candidate.body):
            if value.field.type is FieldType.TEMPLATE:
                fragments = self._texts(value.variant.locale or "", value.variant.channel or "")
                with self._finding(Check.TEMPLATE, value.place):
                    compile_template(value.content, html=False, language=Language(fragments=fragments))
                    self.findings += self._too_long(value)

    def check_blocks(self) -> None:
        """Whether all blocks of its own can be read. Of a mail they are read as a whole."""
        for value in values(self.candidate.kind, self.candidate.body):
            if value.field.type is FieldType.BLOCKS:
                with self._finding(Check.BLOCK, value.place):
                    read_fragment(_encode(value.content))

    def check_terms(self) -> None:
        """Whether the terms of an offer can hold; what is missing is found before."""
        if {"value", "title"} <= self.fields.keys() and chosen(self.fields["title"]) is not None:
            with self._finding(Check.TERMS, "fields"):
                terms_of(self.candidate.body)

    def make_mails(self) -> None:
        """A mail for each locale for which it says something."""
        if any(each.code is Check.BLOCK for each in self.findings):
            return
        for locale in sorted(locales(self.candidate.kind, self._body)):
            with self._finding(Check.TEMPLATE, f"{MAIL}.{locale}"):
                self._make_mail(locale)

    def _make_mail(self, locale: str) -> None:
        wanted = "" if locale == DEFAULT else locale
        language = wanted or self.candidate.body.language
        parts: dict[str, Any] = {
            name: best[0]
            for name in ("subject", "preheader", "blocks")
            if name in self.fields and (best := chosen(self.fields[name], wanted, EMAIL)) is not None
        }
        if "blocks" not in parts:
            return
        if self.candidate.kind.name == "template":
            parts.setdefault("subject", self.candidate.key.name)
        if "theme" in self.fields:
            parts["theme"] = self.fields["theme"]
        mail = compile_mail(read_mail(_encode(parts)), language, self._blocks(wanted))
        linked = rewrite(mail.html, mail.text)
        self._check_mail(mail.subject, mail.preheader, linked, self._texts(wanted, EMAIL), locale)
        made = MailArtefact(
            mail.subject, mail.preheader, linked.html, linked.text, language, linked.slots, mail.fragments
        )
        self.artefacts[f"{MAIL}.{locale}"] = _encode(made).decode()

    def _check_mail(
        self, subject: str, preheader: str, linked: Linked, texts: Callable[[str], str | None], locale: str
    ) -> None:
        language = Language(fragments=texts)
        for text in (subject, preheader, linked.text):
            compile_template(text, html=False, language=language)
        compile_template(linked.html, html=True, language=language)
        self.findings += check_mail_size(linked.html, f"{MAIL}.{locale}")

    def keep_fragments(self) -> None:
        """The texts of all fragments that are used, so that what includes them can be rendered from the version."""
        texts = {key.name: body.fields["text"] for key, body in self._fragments() if "text" in body.fields}
        if texts:
            self.artefacts[FRAGMENTS] = _encode(texts).decode()

    def _fragments(self) -> Iterator[tuple[ItemKey, Body]]:
        return ((key, body) for key, body in sorted(self.used.items()) if key.kind == FRAGMENT)

    def _texts(self, locale: str, channel: str) -> Callable[[str], str | None]:
        return fragment_texts(
            {key.name: body.fields.get("text", {}) for key, body in self._fragments()}, locale, channel
        )

    def _blocks(self, locale: str) -> Callable[[str], FragmentText | None]:
        """The blocks of a fragment in the locale of a mail; of one that has only text, that as a block."""

        def found(name: str) -> FragmentText | None:
            body = self.used.get(ItemKey(FRAGMENT, name))
            best = None if body is None else chosen(body.fields.get("blocks", {}), locale, EMAIL)
            if best is not None:
                return FragmentText(read_fragment(_encode(best[0])), best[1].partition("@")[0])
            text = None if body is None else chosen(body.fields.get("text", {}), locale, EMAIL)
            if text is None:
                return None
            return FragmentText(read_fragment(_encode([{"type": "text", "text": text[0]}])), text[1].partition("@")[0])

        return found

    @contextmanager
    def _finding(self, check: Check, place: str) -> Iterator[None]:
        """What is wrong inside is found, and goes no further."""
        try:
            yield
        except CourtesyError as wrong:
            at = f"{place}{'' if wrong.place.startswith('/') else ' '}{wrong.place}" if wrong.place else place
            self.findings.append(error(check, wrong.message, at, wrong.hint))

    def _too_long(self, value: Value) -> list[Finding]:
        """Whether a text without anything personal in it fits its channel; others are known only with a person."""
        channel = value.variant.channel
        if value.field.name != "text" or "{{" in value.content or "{%" in value.content:
            return []
        if channel == "sms":
            return check_sms(value.content, SmsTerms(), value.place).findings
        title = chosen(self.fields.get("title", {}), value.variant.locale or "", channel or "")
        return [
            found
            for platform in PLATFORMS.get(channel or "", ())
            for found in check_push(title[0] if title else "", value.content, platform, place=value.place)
        ]


def fragment_texts(texts: Mapping[str, Mapping[str, str]], locale: str, channel: str) -> Callable[[str], str | None]:
    """The text of a fragment by its name, in the variant that fits best; of the artefact `fragments`, or alike."""

    def found(name: str) -> str | None:
        best = chosen(texts.get(name, {}), locale, channel)
        return None if best is None else str(best[0])

    return found
