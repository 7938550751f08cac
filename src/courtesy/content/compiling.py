"""What is made of an item when it is published: what messages say of it, sheet by sheet, or the fragments that its
texts include; and all that is wrong with it.

A version is shown from its body and these alone, so nothing that is edited later can change it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.content.blocks import Block, Mail, read_fragment
from courtesy.content.checks import check_blocks, code_of
from courtesy.content.coverage import uncovered
from courtesy.content.findings import Check, Finding, error, gravest_first, publishable, warning
from courtesy.content.items import FRAGMENT, Body, FieldType, ItemKey, Value, chosen, values
from courtesy.content.limits import SmsTerms, check_push, check_sms
from courtesy.content.release import Candidate, Compiled
from courtesy.content.sampling import NOTHING, Expectations, check_names_of
from courtesy.content.sheet_checks import PLATFORMS, check_sheet
from courtesy.content.templates import Language, Template, compile_template
from courtesy.content.wording import SAID, fragment_blocks, fragment_texts, make_sheets

FRAGMENTS = "fragments"
LAYOUT = "template"
FINDINGS_MAX = 200
"""Of an item, after which nobody reads on."""

_encode = msgspec.json.Encoder(order="sorted").encode


def compile_item(candidate: Candidate, used: Mapping[ItemKey, Body], wanted: Expectations = NOTHING) -> Compiled:
    """The artefacts of an item, and what is wrong with it: its templates, blocks, lengths and locales, and its messages
    in every locale and on every channel. `used`: all that it stands on."""
    checking = _Checking(candidate, used, wanted)
    checking.check_texts()
    checking.check_blocks()
    found = [*checking.findings, *uncovered(candidate.kind, candidate.body, wanted.locales)]
    if candidate.key.kind not in SAID:
        return Compiled(_fragments(used), told(found))
    made, failed = make_sheets(candidate, used)
    if publishable(checking.findings):
        # What can't be read is told where it was written; that a sheet can't be made of it says no more.
        found += failed
    own = {each.sheet.locale for each in made}
    if candidate.key.kind == LAYOUT:
        wanted = replace(wanted, marketing=False)  # what it is for is known only of what fills it
    for each in made:
        found += check_sheet(each, own, wanted)
    sheets = {each.sheet.name: msgspec.json.encode(each.sheet).decode() for each in made}
    return Compiled(sheets, told(found))


def told(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The gravest of what was found, and how much more there is."""
    some = gravest_first(found)
    if len(some) <= FINDINGS_MAX:
        return tuple(some)
    more = warning(Check.MORE, f"{len(some) - FINDINGS_MAX} more findings are not told", hint="mend these first")
    return (*some[:FINDINGS_MAX], more)


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
    wanted: Expectations
    findings: list[Finding] = field(default_factory=list)

    def check_texts(self) -> None:
        """Whether every template of its own can be read. Of what messages say, more is asked sheet by sheet."""
        for value in values(self.candidate.kind, self.candidate.body):
            if value.field.type is not FieldType.TEMPLATE:
                continue
            texts = fragment_texts(self.used, value.variant.locale or "", value.variant.channel or "")
            with self._finding(None, value.place):
                template = compile_template(value.content, html=False, language=Language(fragments=texts.get))
                if self.candidate.key.kind not in SAID:
                    self.findings += self._of_text(value, template)

    def _of_text(self, value: Value, template: Template) -> Iterator[Finding]:
        yield from check_names_of(template.body, self.wanted, lambda at: f"{value.place}, {at}")
        yield from self._too_long(value)

    def check_blocks(self) -> None:
        """Whether all blocks of its own can be read. Of a mail they are looked at as a whole."""
        for value in values(self.candidate.kind, self.candidate.body):
            if value.field.type is FieldType.BLOCKS:
                with self._finding(Check.BLOCK, value.place):
                    blocks = read_fragment(_encode(value.content))
                    if self.candidate.key.kind not in SAID:
                        self.findings += self._of_blocks(value, blocks)

    def _of_blocks(self, value: Value, blocks: tuple[Block, ...]) -> Iterator[Finding]:
        """Of blocks that stand in some mail: on which colours they will is known only there."""
        mail, fragments = Mail(subject="-", blocks=blocks), fragment_blocks(self.used, value.variant.locale or "")
        for each in check_blocks(mail, self.wanted, fragments):
            if each.code is not Check.CONTRAST:
                yield msgspec.structs.replace(each, place=value.place + each.place.removeprefix("/blocks"))

    @contextmanager
    def _finding(self, check: Check | None, place: str) -> Iterator[None]:
        """What is wrong inside is found, and goes no further."""
        try:
            yield
        except CourtesyError as wrong:
            at = f"{place}{'' if wrong.place.startswith('/') else ', '}{wrong.place}" if wrong.place else place
            self.findings.append(error(check or code_of(wrong), wrong.message, at, wrong.hint))

    def _too_long(self, value: Value) -> list[Finding]:
        """Whether a text without anything personal in it fits its channel; others are known only in a message."""
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
