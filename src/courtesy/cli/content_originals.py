"""Templates of other systems, as they lie in files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from courtesy.base.errors import Code, CourtesyError
from courtesy.content.translating import TEXT_CHARS_MAX

TRANSLATED_SUFFIX = ".jinja"


def read_original(file: Path) -> str:
    """The text of a template. Raises CourtesyError: UNREADABLE, TOO_LARGE, INVALID if it would be written over."""
    if file.suffix == TRANSLATED_SUFFIX:
        raise CourtesyError(Code.INVALID, f"{file} ends as what is written beside it does", hint="rename it")
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError:
        raise CourtesyError(Code.UNREADABLE, f"{file} is not UTF-8", place="files") from None
    if len(text) > TEXT_CHARS_MAX:
        raise CourtesyError(Code.TOO_LARGE, f"{file} has more than {TEXT_CHARS_MAX:,} characters", place="files")
    return text


def read_names(given: Iterable[str]) -> dict[str, str]:
    """What names mean, as `name=path`. Raises CourtesyError(INVALID)."""
    found = {}
    for each in given:
        name, sign, path = each.partition("=")
        if not sign or not name or not path:
            raise CourtesyError(Code.INVALID, f"expected name=path, got {each!r:.100}", place="--name")
        found[name] = path
    return found
