"""What checks find: how grave it is, a code from a closed list, plain words, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """ERROR keeps content from being published; WARNING is to be looked at; ADVICE would make it better; NOTE tells
    what was measured, or could not be checked."""

    ERROR = "error"
    WARNING = "warning"
    ADVICE = "advice"
    NOTE = "note"


class Check(StrEnum):
    """What a finding is about. The meaning of each is in `MEANING`."""

    TEMPLATE = "template"
    UNKNOWN_NAME = "unknown_name"
    LACKING_NAME = "lacking_name"
    BLOCK = "block"
    LINK = "link"
    ALT_TEXT = "alt_text"
    CONTRAST = "contrast"
    SIZE = "size"
    UNSUBSCRIBE = "unsubscribe"
    TEXT_PART = "text_part"
    LANGUAGE = "language"
    SUBJECT = "subject"
    PREHEADER = "preheader"
    IMAGE_SIZE = "image_size"
    LENGTH = "length"
    PARTS = "parts"
    PRINT = "print"
    LOCALE = "locale"
    TRANSLATION = "translation"
    MISSING = "missing"
    DEFAULT = "default"
    EXPRESSION = "expression"
    RIGHTS = "rights"
    VALIDITY = "validity"
    REFERENCE = "reference"
    ASSET = "asset"
    CIRCLE = "circle"
    APPROVAL = "approval"
    STATE = "state"
    SUPERSEDED = "superseded"
    IN_USE = "in_use"
    TERMS = "terms"
    SAMPLES = "samples"
    SPAM = "spam"
    MORE = "more"


MEANING: dict[Check, str] = {
    Check.TEMPLATE: "The template can't be read or rendered.",
    Check.UNKNOWN_NAME: "A name that nobody has, so probably misspelt.",
    Check.LACKING_NAME: "Something that some people lack and that has no default, so nothing stands in its place.",
    Check.BLOCK: "A block stands where it can't, or says nothing.",
    Check.LINK: "A link that leads nowhere, is not https, or leads to a domain that nobody expects.",
    Check.ALT_TEXT: "A picture without words for those who do not see it.",
    Check.CONTRAST: "Text that many can't read on its background (WCAG 2.2 AA: 4.5, large text 3).",
    Check.SIZE: "More bytes than the channel takes or shows.",
    Check.UNSUBSCRIBE: "No way to unsubscribe.",
    Check.TEXT_PART: "The text part says something else than the HTML, or nothing.",
    Check.LANGUAGE: "The language is not declared, so screen readers guess.",
    Check.SUBJECT: "A subject that is missing, or longer than is shown.",
    Check.PREHEADER: "A preheader that is missing, or longer than is shown.",
    Check.IMAGE_SIZE: "A picture that is wider than its place, or has no width.",
    Check.LENGTH: "A text that is longer than the channel shows or takes.",
    Check.PARTS: "A text message of several parts, each of which costs.",
    Check.PRINT: "A page or picture that a printer can't use: bleed, resolution.",
    Check.LOCALE: "A field that a locale lacks.",
    Check.TRANSLATION: "Something of another dialect that has no counterpart here.",
    Check.MISSING: "A field without which nothing of its kind is published.",
    Check.DEFAULT: "A field with values for some, and none for everybody else.",
    Check.EXPRESSION: "An expression that can't be read.",
    Check.RIGHTS: "Rights that ran out, or will within 14 days.",
    Check.VALIDITY: "A validity that is over, or that never begins.",
    Check.REFERENCE: "An item that it stands on is not published.",
    Check.ASSET: "A file that it shows is not among the assets.",
    Check.CIRCLE: "It stands on itself, by way of others or not.",
    Check.APPROVAL: "Somebody has to approve it yet.",
    Check.STATE: "It is archived, or not published where it would have to be.",
    Check.SUPERSEDED: "A later revision was published meanwhile.",
    Check.IN_USE: "Something that people are shown stands on it.",
    Check.TERMS: "Terms of an offer that can't hold.",
    Check.SAMPLES: "There is nobody, or no event, to try a template with.",
    Check.SPAM: "What a spam filter makes of the mail, and by which of its rules.",
    Check.MORE: "More was found than is told.",
}


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing found. `place`: a JSON pointer, line and column, or a field; empty for the whole. `locale` (`default`
    for all that have no text of their own) and `channel`: in which it shows first; empty where that makes no
    difference."""

    severity: Severity
    code: Check
    message: str
    place: str = ""
    hint: str = ""
    locale: str = ""
    channel: str = ""


def publishable(findings: list[Finding]) -> bool:
    """Whether nothing found keeps content from being published."""
    return all(each.severity is not Severity.ERROR for each in findings)


def error(code: Check, message: str, place: str = "", hint: str = "") -> Finding:
    """A finding that keeps content from being published."""
    return Finding(Severity.ERROR, code, message, place, hint)


def warning(code: Check, message: str, place: str = "", hint: str = "") -> Finding:
    """A finding that is to be looked at."""
    return Finding(Severity.WARNING, code, message, place, hint)


def note(code: Check, message: str, place: str = "", hint: str = "") -> Finding:
    """A finding that only tells."""
    return Finding(Severity.NOTE, code, message, place, hint)


def gravest_first(findings: Iterable[Finding]) -> list[Finding]:
    """Each once: what is found in several locales alike is told of the first. Errors first, then as they were found."""
    told: dict[tuple[Check, str, str], Finding] = {}
    for each in findings:
        told.setdefault((each.code, each.place, each.message), each)
    return sorted(told.values(), key=lambda each: list(Severity).index(each.severity))
