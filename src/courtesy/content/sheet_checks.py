"""The checks of one message in one locale on one channel, as real people would get it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from courtesy.base.errors import CourtesyError
from courtesy.content.checks import check_mail, check_parts, check_plain_mail
from courtesy.content.findings import Check, Finding, error
from courtesy.content.limits import Platform, check_push, check_sms
from courtesy.content.sampling import RENDERED_LEAST, Expectations, Tally, as_told, people_for
from courtesy.content.scope import Scope
from courtesy.content.templates import Language
from courtesy.content.wording import EMAIL, Made, Sheet, Wording

PLATFORMS: Mapping[str, tuple[Platform, ...]] = {
    "push": (Platform.ANDROID, Platform.IOS),
    "web_push": (Platform.BROWSER,),
}
SMS = "sms"
RENDERED_CHARS_MAX = 1_000_000
"""Of templates, with all people together: a mail of 100 KB is tried with a few, one of 18 KB with all."""

_TOKEN = "x" * 160


def _link(*_: object) -> str:
    """An address as long as tracked ones are."""
    return f"https://links.invalid/l/{_TOKEN}"


def samples_for(sheet: Sheet, own: Collection[str], wanted: Expectations) -> list[Scope]:
    """The samples with whom a sheet is tried, as its message speaks to them."""
    room = max(RENDERED_LEAST, RENDERED_CHARS_MAX // (sum(map(len, sheet.parts.values())) or 1))
    return [
        replace(as_told(each, sheet.locale, sheet.item), functions={**each.functions, "link": _link})
        for each in people_for(wanted.samples, sheet.locale, own)[:room]
    ]


def check_sheet(made: Made, own: Collection[str], wanted: Expectations) -> Iterator[Finding]:
    """Everything that is found about a sheet, told of its item. `own`: the locales for which the item has sheets."""
    sheet = made.sheet
    language = Language(fragments=sheet.fragments.get)
    told = replace(
        wanted,
        samples=[as_told(each, sheet.locale, sheet.item) for each in wanted.samples],
        rendered=samples_for(sheet, own, wanted),
        language=language,
    )
    if made.mail is not None:
        found = iter(check_mail(made.mail, told))
    elif sheet.channel == EMAIL:
        found = iter(check_plain_mail(sheet.parts, told))
    else:
        found = _of_parts(made, told)
    yield from map(made.origin.told, found)


def _of_parts(made: Made, wanted: Expectations) -> Iterator[Finding]:
    """Of a message that is made of single texts."""
    yield from check_parts(made.sheet.parts, made.sheet.html, wanted)
    try:
        wording = Wording(made.sheet)
    except CourtesyError:
        return  # which is told by now
    samples = wanted.tried or (Scope(functions={"link": _link}),)
    tally = Tally(len(samples))
    for sample in samples:
        tally.add(_of_person(wording, sample, wanted))
    yield from tally.findings()


def _of_person(wording: Wording, sample: Scope, wanted: Expectations) -> Iterator[Finding]:
    """Whether what one person gets fits the channel."""
    try:
        parts, _ = wording.render(sample)
    except CourtesyError as problem:
        yield error(Check.SIZE, problem.message, "/text", problem.hint)
        return
    channel, text = wording.sheet.channel, parts.get("text", "")
    if channel == SMS:
        yield from check_sms(text, wanted.sms, "/text", written=wording.sheet.parts.get("text", "")).findings
    for platform in PLATFORMS.get(channel, ()):
        yield from check_push(parts.get("title", ""), text, platform)
