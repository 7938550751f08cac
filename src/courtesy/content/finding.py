"""What a check of content found: how bad, what, where, and what to do about it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """An error keeps content from being published; a warning is told and keeps nothing from anything."""

    ERROR = "error"
    WARNING = "warning"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """`code` is for programs, `message` says what was expected and what was found, `place` where, `hint` what to do
    about it."""

    severity: Severity
    code: str
    message: str
    place: str = ""
    hint: str = ""


def error(code: str, message: str, place: str = "", hint: str = "") -> Finding:
    """A finding that keeps content from being published."""
    return Finding(Severity.ERROR, code, message, place, hint)


def warning(code: str, message: str, place: str = "", hint: str = "") -> Finding:
    """A finding that is only told."""
    return Finding(Severity.WARNING, code, message, place, hint)
