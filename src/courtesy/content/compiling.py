"""What is made of an item when it is published: what messages say of it, sheet by sheet, or the fragments that its
texts include; and what is wrong with it.

A version is shown from its body and these alone, so nothing that is edited later can change it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.content.blocks import read_fragment
from courtesy.content.findings import Check, Finding, error, publishable
from courtesy.content.items import FRAGMENT, Body, FieldType, ItemKey, Value, chosen, values
from courtesy.content.limits import Platform, SmsTerms, check_mail_size, check_push, check_sms
from courtesy.content.release import Candidate, Compiled
from courtesy.content.templates import Language, compile_template
from courtesy.content.wording import SAID, compile_sheets, fragment_texts, sheets_of

FRAGMENTS = "fragments"
PLATFORMS: Mapping[str, tuple[Platform, ...]] = {
    "push": (Platform.ANDROID, Platform.IOS),
    "web_push": (Platform.BROWSER,),
}

_encode = msgspec.json.Encoder(order="sorted").encode


def compile_item(candidate: Candidate, used: Mapping[ItemKey, Body]) -> Compiled:
    """The artefacts of an item, and what is wrong with its templates, blocks and lengths, as far as that can be
    told without a person. `used`: all that it stands on."""
    checking = _Checking(candidate, used)
    checking.check_texts()
    checking.check_blocks()
    if candidate.key.kind not in SAID:
        return Compiled(_fragments(used), tuple(checking.findings))
    if checking.findings and not publishable(checking.findings):
        return Compiled({}, tuple(checking.findings))
    made = compile_sheets(candidate, used)
    sizes = [
        found
        for (locale, channel), sheet in sheets_of(made.artefacts).items()
        for found in check_mail_size(sheet.parts.get("html", ""), f"{locale}@{channel}")
    ]
    return Compiled(made.artefacts, (*checking.findings, *made.findings, *sizes))


def _fragments(used: Mapping[ItemKey, Body]) -> dict[str, str]:
    """The texts of all fragments that are used, in all their variants, so that what includes them can be rendered from
    the version."""
    some = sorted(used.items())
    texts = {key.name: body.fields["text"] for key, body in some if key.kind == FRAGMENT and "text" in body.fields}
    return {FRAGMENTS: _encode(texts).decode()} if texts else {}


@dataclass(slots=True)
class _Checking:
    """One item that is being looked at."""

    candidate: Candidate
    used: Mapping[ItemKey, Body]
    findings: list[Finding] = field(default_factory=list)

    def check_texts(self) -> None:
        """Whether every template of its own can be read, and fits its channel."""
        for value in values(self.candidate.kind, self.candidate.body):
            if value.field.type is FieldType.TEMPLATE:
                texts = fragment_texts(self.used, value.variant.locale or "", value.variant.channel or "")
                with self._finding(Check.TEMPLATE, value.place):
                    compile_template(value.content, html=False, language=Language(fragments=texts.get))
                    self.findings += self._too_long(value)

    def check_blocks(self) -> None:
        """Whether all blocks of its own can be read. Of a mail they are read as a whole."""
        for value in values(self.candidate.kind, self.candidate.body):
            if value.field.type is FieldType.BLOCKS:
                with self._finding(Check.BLOCK, value.place):
                    read_fragment(_encode(value.content))

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
        title = chosen(self.candidate.body.fields.get("title", {}), value.variant.locale or "", channel or "")
        return [
            found
            for platform in PLATFORMS.get(channel or "", ())
            for found in check_push(title[0] if title else "", value.content, platform, place=value.place)
        ]
