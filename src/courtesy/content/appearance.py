"""What becomes of words on their way to a screen: parts and cost of a text message, what a phone shows of a push
message, how large a mail is; and what was found about it, now that it is known for whom it is."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from courtesy.content.findings import Check, Finding, error
from courtesy.content.limits import SHOWN, Platform, SmsTerms, check_mail_size, check_push, check_sms, payload
from courtesy.content.sheet_checks import PLATFORMS, SMS
from courtesy.content.sms import Encoding
from courtesy.content.wording import EMAIL
from courtesy.offer.terms import Money


class SmsLook(msgspec.Struct, frozen=True):
    """A text message in its parts. `units`: septets or 16-bit units in all; `left`: free in the last part. `cost`: of
    all parts, null when nobody said what one costs."""

    encoding: Encoding
    parts: list[str]
    units: int
    left: int
    cost: Money | None


class PushLook(msgspec.Struct, frozen=True):
    """What a platform shows of a push message before it is opened, and the bytes that it takes."""

    platform: Platform
    title: str
    text: str
    bytes: int


class Appearance(msgspec.Struct, frozen=True):
    """How words look on a channel, as far as that has a say."""

    findings: list[Finding]
    sms: SmsLook | None = None
    push: list[PushLook] = []


def appearance(channel: str, parts: Mapping[str, str], sms_price: Money | None = None) -> Appearance:
    """How the parts of a message look on a channel. `sms_price`: of one part of a text message."""
    if channel == EMAIL:
        return Appearance([*_of_subject(parts.get("subject", "")), *check_mail_size(parts.get("html", ""), "html")])
    if channel == SMS:
        return _of_sms(parts.get("text", ""), sms_price)
    return _of_push(channel, parts.get("title", ""), parts.get("text", ""))


def _of_subject(subject: str) -> list[Finding]:
    if subject.strip() and "\n" not in subject:
        return []
    return [error(Check.SUBJECT, "the subject is empty, or has several lines", "subject")]


def _of_sms(text: str, price: Money | None) -> Appearance:
    terms = SmsTerms() if price is None else SmsTerms(Decimal(str(price.amount)), price.currency)
    report = check_sms(text, terms, "text")
    cost = None if price is None else Money(float(report.cost), price.currency)
    parts = report.parts
    return Appearance(report.findings, SmsLook(parts.encoding, list(parts.texts), parts.units, parts.left, cost))


def _of_push(channel: str, title: str, text: str) -> Appearance:
    findings: list[Finding] = []
    looks: list[PushLook] = []
    for platform in PLATFORMS.get(channel, ()):
        findings += check_push(title, text, platform)
        seen = SHOWN[platform]
        size = len(payload(title, text, platform))
        looks.append(PushLook(platform, cut(title, seen.title), cut(text, seen.body), size))
    return Appearance(findings, push=looks)


def cut(text: str, most: int) -> str:
    """A text as it is shown where there is room for so many characters."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"
