"""The one application error, its closed list of codes, and their HTTP and exit status."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import StrEnum


class Code(StrEnum):
    """What went wrong, for a program. Each member's status is in `HTTP_STATUS` and `EXIT_STATUS`."""

    INVALID = "invalid"
    UNREADABLE = "unreadable"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    TOO_LARGE = "too_large"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"
    STORAGE_FULL = "storage_full"
    SETUP = "setup"


HTTP_STATUS: dict[Code, int] = {
    Code.INVALID: 400,
    Code.UNREADABLE: 400,
    Code.UNAUTHENTICATED: 401,
    Code.FORBIDDEN: 403,
    Code.NOT_FOUND: 404,
    Code.CONFLICT: 409,
    Code.TOO_LARGE: 413,
    Code.TOO_MANY: 429,
    Code.UNAVAILABLE: 503,
    Code.STORAGE_FULL: 503,
    Code.SETUP: 500,
}

# sysexits.h: 64 usage, 65 data, 66 no input, 69 unavailable, 73 can't create, 77 no permission, 78 config.
EXIT_STATUS: dict[Code, int] = {
    Code.INVALID: 64,
    Code.UNREADABLE: 65,
    Code.UNAUTHENTICATED: 77,
    Code.FORBIDDEN: 77,
    Code.NOT_FOUND: 66,
    Code.CONFLICT: 65,
    Code.TOO_LARGE: 65,
    Code.TOO_MANY: 69,
    Code.UNAVAILABLE: 69,
    Code.STORAGE_FULL: 73,
    Code.SETUP: 78,
}


class CourtesyError(Exception):
    """An expected failure, told to whoever asked.

    `message` says what was expected and what came; `place` where (a path, a field, a line);
    `hint` what to do about it.
    """

    def __init__(self, code: Code, message: str, *, hint: str = "", place: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.place = place

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{hint}"


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint with the known name closest to `name`, or the empty string when none is close."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {matches[0]!r}?" if matches else ""
