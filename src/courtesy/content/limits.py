"""What each channel takes and shows, checked while somebody is still writing. Sizes are in bytes of UTF-8."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from courtesy.content.findings import Check, Finding, Severity
from courtesy.content.sms import Encoding, Parts, encoding_of, in_gsm7, parts_of

MAIL_BYTES_MAX = 102 * 1024
"""Of HTML; Gmail shows no more, and with the rest hides the link to unsubscribe."""

PUSH_BYTES_MAX = 4_096
"""Of a payload, for FCM and APNs alike."""

WEB_PUSH_BYTES_MAX = 4_096
WEB_PUSH_OVERHEAD_BYTES = 86 + 16 + 1
"""Of aes128gcm (RFC 8188): the header with a key of 65 bytes, the tag, and the delimiter of the padding."""

MM_PER_INCH = 25.4
PRINT_DPI = 300
PRINT_DPI_LEAST = 150


class Platform(StrEnum):
    """Where a push message is shown."""

    ANDROID = "android"
    IOS = "ios"
    BROWSER = "browser"


class Shown(NamedTuple):
    """How many characters of a title and a text are seen without opening the message."""

    title: int
    body: int


SHOWN = {Platform.ANDROID: Shown(65, 240), Platform.IOS: Shown(50, 178), Platform.BROWSER: Shown(50, 120)}
"""What common devices show of a notification when it arrives. They differ by size and font; these are on the safe
side."""


class SmsTerms(NamedTuple):
    """What a text message may take: the price of a part in a currency, and how many parts are still welcome."""

    price: Decimal = Decimal(0)
    currency: str = "EUR"
    parts_max: int = 3


class SmsReport(NamedTuple):
    """A text message with its parts, what it costs, and what was found."""

    parts: Parts
    cost: Decimal
    findings: list[Finding]


def check_sms(text: str, terms: SmsTerms, place: str = "", written: str | None = None) -> SmsReport:
    """Parts and cost of a text message, and which characters make it dearer. `written`: only of its characters is told,
    as the others are somebody's."""
    parts = parts_of(text)
    count = len(parts.texts)
    cost = terms.price * count
    found: list[Finding] = []
    if count > terms.parts_max:
        message = f"the message takes {count} parts, at most {terms.parts_max} are wanted"
        found.append(Finding(Severity.ERROR, Check.PARTS, message, place, "shorten it"))
    elif count > 1:
        message = f"the message takes {count} parts and costs {cost} {terms.currency} a person"
        found.append(Finding(Severity.WARNING, Check.PARTS, message, place))
    if parts.encoding is Encoding.UCS2 and (dearer := _dearer(text, place, count, written)):
        found.append(dearer)
    return SmsReport(parts, cost, found)


def _dearer(text: str, place: str, count: int, written: str | None) -> Finding | None:
    """Which characters keep a message from GSM 7 bit, when it would take fewer parts without them."""
    odd = sorted({char for char in text if encoding_of(char) is Encoding.UCS2 and char in (written or text)})
    shown = " ".join(odd[:10]) or "what people told of themselves"
    otherwise = in_gsm7(text)
    fewer = len(parts_of(otherwise).texts)
    if encoding_of(otherwise) is Encoding.GSM7:
        if fewer == count:
            return None
        return Finding(
            Severity.WARNING, Check.PARTS, f"without {shown} it would take {fewer}", place, "write it otherwise"
        )
    message = f"{shown} can't be sent in GSM 7 bit, so a part has 70 characters instead of 160"
    return Finding(Severity.ADVICE, Check.PARTS, message, place)


def payload(title: str, body: str, platform: Platform, data: Mapping[str, Any] | None = None) -> bytes:
    """A push message as it is sent, without the address of the device."""
    match platform:
        case Platform.IOS:
            message: Any = {"aps": {"alert": {"title": title, "body": body}, "mutable-content": 1}, **(data or {})}
        case Platform.ANDROID:
            message = {"notification": {"title": title, "body": body}, "data": dict(data or {})}
        case Platform.BROWSER:
            message = {"title": title, "body": body, **(data or {})}
    return msgspec.json.encode(message)


def push_bytes_max(platform: Platform) -> int:
    """How many bytes of a payload a platform takes."""
    return WEB_PUSH_BYTES_MAX - WEB_PUSH_OVERHEAD_BYTES if platform is Platform.BROWSER else PUSH_BYTES_MAX


def check_push(
    title: str, body: str, platform: Platform, data: Mapping[str, Any] | None = None, place: str = ""
) -> list[Finding]:  # fmt: skip
    """Bytes and lengths of a push message on a platform."""
    found: list[Finding] = []
    size = len(payload(title, body, platform, data))
    limit = push_bytes_max(platform)
    if size > limit:
        message = f"the message has {size:,} bytes on {platform}; it takes at most {limit:,}"
        found.append(Finding(Severity.ERROR, Check.SIZE, message, place, "shorten the text or what is sent along"))
    if not title.strip() and not body.strip():
        found.append(Finding(Severity.ERROR, Check.LENGTH, "the message says nothing", place))
    for name, text, shown in (("title", title, SHOWN[platform].title), ("body", body, SHOWN[platform].body)):
        if len(text) > shown:
            message = f"the {name} has {len(text)} characters; on {platform} about {shown} are seen"
            found.append(Finding(Severity.WARNING, Check.LENGTH, message, f"{place}/{name}", "begin with what matters"))
    return found


def check_mail_size(html: str, place: str = "") -> list[Finding]:
    """Whether all of a mail is shown. To be asked of the longest that is rendered, not of the template."""
    size = len(html.encode("utf-8", "replace"))
    if size > MAIL_BYTES_MAX:
        message = f"the HTML has {size:,} bytes; Gmail cuts it at {MAIL_BYTES_MAX:,}, and with it the footer"
        return [Finding(Severity.ERROR, Check.SIZE, message, place, "take out blocks, or turn lists into fewer")]
    if size > MAIL_BYTES_MAX * 9 // 10:
        message = f"the HTML has {size:,} bytes, close to the {MAIL_BYTES_MAX:,} at which Gmail cuts it"
        return [Finding(Severity.WARNING, Check.SIZE, message, place)]
    return []


class PrintFormat(NamedTuple):
    """A sheet in mm after it was cut, and how much is printed beyond each edge so that cutting leaves no white."""

    width_mm: float
    height_mm: float
    bleed_mm: float = 3.0


def check_print(format: PrintFormat, page_mm: tuple[float, float], place: str = "") -> list[Finding]:
    """Whether a page of this width and height has its format and bleed; within half a millimetre."""
    wanted = (format.width_mm + 2 * format.bleed_mm, format.height_mm + 2 * format.bleed_mm)
    if all(abs(has - want) <= 0.5 for has, want in zip(page_mm, wanted, strict=True)):
        return []
    has, want = (f"{width:g} × {height:g} mm" for width, height in (page_mm, wanted))
    if all(abs(each - trim) <= 0.5 for each, trim in zip(page_mm, (format.width_mm, format.height_mm), strict=True)):
        message = f"the page has no bleed: it is {has}, and {want} with {format.bleed_mm:g} mm on each side"
    else:
        message = f"the page is {has}, and {want} are wanted"
    return [Finding(Severity.ERROR, Check.PRINT, message, place)]


def dots_per_inch(pixels: tuple[int, int], printed_mm: tuple[float, float]) -> float:
    """Of a picture that covers all that is printed, whatever has to be cut off of it."""
    return min(has / (size / MM_PER_INCH) for has, size in zip(pixels, printed_mm, strict=True) if size > 0)


def pixels_wanted(printed_mm: tuple[float, float]) -> tuple[int, int]:
    """How many pixels a picture needs to be printed at this size."""
    width, height = (round(size / MM_PER_INCH * PRINT_DPI) for size in printed_mm)
    return width, height


def check_print_image(pixels: tuple[int, int], printed_mm: tuple[float, float], place: str = "") -> list[Finding]:
    """Whether a picture has enough pixels for the size at which it is printed, the bleed included."""
    dpi = dots_per_inch(pixels, printed_mm)
    if round(dpi) >= PRINT_DPI:
        return []
    severity = Severity.ERROR if dpi < PRINT_DPI_LEAST else Severity.WARNING
    wanted = " × ".join(map(str, pixels_wanted(printed_mm)))
    message = f"the picture has {dpi:.0f} dots per inch at this size; {PRINT_DPI} are wanted"
    return [Finding(severity, Check.PRINT, message, place, f"use one of {wanted} pixels")]
