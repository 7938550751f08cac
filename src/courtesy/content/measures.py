"""How much of what each channel takes and shows a message uses: told to whoever writes it, while they write.

Of what differs from person to person the longest of a few is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.content.items import DEFAULT, Body, FieldType, ItemKey, Kind, chosen, values
from courtesy.content.limits import (
    MAIL_BYTES_MAX,
    PRINT_DPI,
    SHOWN,
    Platform,
    check_sms,
    dots_per_inch,
    payload,
    pixels_wanted,
    push_bytes_max,
)
from courtesy.content.mail import tidied
from courtesy.content.printing import PRINT, PrintFile, page_of, printed_files, with_bleed
from courtesy.content.release import Candidate
from courtesy.content.sampling import Expectations
from courtesy.content.scope import Scope
from courtesy.content.sheet_checks import PLATFORMS, SMS, samples_for
from courtesy.content.sms import Encoding, encoding_of
from courtesy.content.wording import EMAIL, SAID, Made, Wording, make_sheets

SUBJECT_SHOWN = 60


class SmsMeasure(msgspec.Struct, frozen=True):
    """A text message: its parts, their `units` in all (septets, or 16-bit units in UCS-2) and how many are `left` in
    the last, and what it costs in a currency, null when no price is known. `odd`: the characters as they are written
    that keep it from GSM 7 bit, each of which makes all of it dearer."""

    encoding: Encoding
    parts: int
    units: int
    left: int
    odd: list[str]
    cost: float | None
    currency: str


class PushMeasure(msgspec.Struct, frozen=True):
    """A push message on a platform: bytes of the payload, and how many characters of title and text are seen."""

    platform: Platform
    bytes: int
    bytes_max: int
    title_chars: int
    title_shown: int
    body_chars: int
    body_shown: int


class MailMeasure(msgspec.Struct, frozen=True):
    """A mail: bytes of its HTML, after `bytes_max` of which Gmail cuts it, and of its text; characters of its subject,
    and how many of them are seen."""

    bytes: int
    bytes_max: int
    text_bytes: int
    subject_chars: int
    subject_shown: int


class PrintMeasure(msgspec.Struct, frozen=True):
    """A printed sheet, by width and height in mm: `trim` after it was cut, `bleed` before, `safe` where nothing that
    matters is cut off. `dpi` of a picture, for which `pixels_wanted` would be `dpi_wanted`; `pages` of a document. Both
    are null when they are not known."""

    trim: tuple[float, float]
    bleed: tuple[float, float]
    safe: tuple[float, float]
    pixels_wanted: tuple[int, int]
    dpi_wanted: int
    dpi: int | None
    pages: int | None


class Measure(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a locale (`default` for all others) takes on a channel, with the longest of `people` that were tried."""

    locale: str
    channel: str
    people: int = 0
    sms: SmsMeasure | None = None
    push: list[PushMeasure] = []
    mail: MailMeasure | None = None
    print: PrintMeasure | None = None


def measured_item(candidate: Candidate, used: Mapping[ItemKey, Body], wanted: Expectations) -> list[Measure]:
    """The measures of all that an item says. `used`: what it stands on."""
    if candidate.key.kind not in SAID:
        return measured_texts(candidate.kind, candidate.body, wanted)
    return measured(make_sheets(candidate, used)[0], wanted)


def measured(made: Sequence[Made], wanted: Expectations) -> list[Measure]:
    """The measures of an item's sheets."""
    own = {each.sheet.locale for each in made}
    found = []
    for each in made:
        people = samples_for(each.sheet, own, wanted)
        try:
            wording = Wording(each.sheet)
        except CourtesyError:
            continue  # that it can't be read is a finding
        rendered = list(_rendered(wording, people or [Scope()]))
        written = each.sheet.parts.get("text", "")
        one = measure(each.sheet.channel, rendered, written, wanted)
        found.append(msgspec.structs.replace(one, locale=each.sheet.locale or DEFAULT, people=len(people)))
    return found


def measured_texts(kind: Kind, body: Body, wanted: Expectations) -> list[Measure]:
    """The measures of the texts of an item that is no message by itself, as they are written."""
    found = []
    for each in values(kind, body):
        channel = each.variant.channel or ""
        if each.field.type is FieldType.TEMPLATE and each.field.name == "text" and channel:
            title = chosen(body.fields.get("title", {}), each.variant.locale or "", channel)
            parts = {"title": title[0] if title else "", "text": each.content}
            one = measure(channel, [parts], each.content, wanted)
            found.append(msgspec.structs.replace(one, locale=each.variant.locale or DEFAULT))
    return found


def measured_print(kind: Kind, body: Body, files: Mapping[str, PrintFile]) -> list[Measure]:
    """The sheet that an item declares, with each of its files that is printed."""
    page = page_of(body)
    if page is None:
        return []
    sheet, whole = page.sheet, with_bleed(page.sheet)
    safe = sheet.width_mm - 2 * page.safe_mm, sheet.height_mm - 2 * page.safe_mm
    found = []
    for each in printed_files(kind, body):
        file = files.get(each.digest, PrintFile())
        dpi = round(dots_per_inch(file.pixels, whole)) if file.pixels != (0, 0) else None
        pages = None if file.pages is None else len(file.pages)
        one = PrintMeasure(
            _rounded(sheet[:2]), _rounded(whole), _rounded(safe), pixels_wanted(whole), PRINT_DPI, dpi, pages
        )
        found.append(Measure(each.variant.locale or DEFAULT, PRINT, print=one))
    return found


def _rounded(size: tuple[float, float]) -> tuple[float, float]:
    """In hundredths: an eighth of an inch is 3.175 mm."""
    width, height = size
    return round(width, 2), round(height, 2)


def measure(channel: str, rendered: Sequence[dict[str, str]], written: str, wanted: Expectations) -> Measure:
    """The longest of some renderings of a message. `written`: its text as somebody wrote it."""
    if not rendered:
        return Measure("", channel)
    if channel == SMS:
        return Measure("", channel, sms=max((_sms(each, written, wanted) for each in rendered), key=_length))
    if channel == EMAIL:
        mails = [_mail(each) for each in rendered]
        return Measure("", channel, mail=max(mails, key=lambda each: (each.bytes, each.text_bytes)))
    pushes = [
        max((_push(each, platform) for each in rendered), key=lambda each: each.bytes)
        for platform in PLATFORMS.get(channel, ())
    ]
    return Measure("", channel, push=pushes)


def _rendered(wording: Wording, people: Sequence[Scope]) -> Iterator[dict[str, str]]:
    for each in people:
        try:
            yield wording.render(each)[0]
        except CourtesyError:
            continue  # that it runs too long is one, too


def _length(measure: SmsMeasure) -> tuple[int, int]:
    return measure.parts, measure.units


def _sms(parts: dict[str, str], written: str, wanted: Expectations) -> SmsMeasure:
    report = check_sms(parts.get("text", ""), wanted.sms)
    odd = sorted({each for each in written if encoding_of(each) is Encoding.UCS2})
    has_price = wanted.sms.price > 0
    return SmsMeasure(
        report.parts.encoding,
        len(report.parts.texts),
        report.parts.units,
        report.parts.left,
        odd,
        float(report.cost) if has_price else None,
        wanted.sms.currency if has_price else "",
    )


def _push(parts: dict[str, str], platform: Platform) -> PushMeasure:
    title, body, shown = parts.get("title", ""), parts.get("text", ""), SHOWN[platform]
    size = len(payload(title, body, platform))
    return PushMeasure(platform, size, push_bytes_max(platform), len(title), shown.title, len(body), shown.body)


def _mail(parts: dict[str, Any]) -> MailMeasure:
    size, text = len(parts.get("html", "").encode()), len(tidied(parts["text"]).encode())
    return MailMeasure(size, MAIL_BYTES_MAX, text, len(parts["subject"].strip()), SUBJECT_SHOWN)
