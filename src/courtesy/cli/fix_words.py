"""Fixes as people type them: `rename name to event`, one operation a line."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.event.mend import Cast, Default, Drop, Kind, MapValues, Operation, Rename, problem_of

FORMS = {
    "rename": "rename FIELD to FIELD",
    "cast": "cast FIELD as text|number|boolean|date|object [FORMAT [TIMEZONE]]",
    "default": "default FIELD to VALUE",
    "drop": "drop FIELD",
    "map": "map FIELD OLD NEW [OLD NEW ...]",
}
"""How each operation is written. `to` and `as` may be left out; what has blanks in it is put in quotes."""

_FILLERS = ("to", "as")


def operation_of(text: str) -> Operation:
    """The operation that a line means. Raises CourtesyError(INVALID) with how it should be written."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise CourtesyError(Code.INVALID, f"{error}: {text!r:.80}", place="--do") from None
    name = words[0].casefold() if words else ""
    if name not in FORMS:
        hint = nearest(name, FORMS) or "; ".join(FORMS.values())
        raise CourtesyError(Code.INVALID, f"expected one of {', '.join(FORMS)}, got {text!r:.80}", hint=hint)
    rest = words[1:]
    if name != "map" and len(rest) > 2 and rest[1] in _FILLERS:
        del rest[1]
    operation = _MAKE[name](rest)
    problem = "" if operation is None else problem_of(operation)
    if operation is None or problem:
        message = problem or f"expected {FORMS[name]}, got {text!r:.80}"
        raise CourtesyError(Code.INVALID, message, hint=FORMS[name], place="--do")
    return operation


def _rename(words: Sequence[str]) -> Operation | None:
    return Rename(words[0], words[1]) if len(words) == 2 else None


def _cast(words: Sequence[str]) -> Operation | None:
    if not 2 <= len(words) <= 4 or words[1] not in list(Kind):
        return None
    return Cast(words[0], Kind(words[1]), *words[2:])


def _default(words: Sequence[str]) -> Operation | None:
    return Default(words[0], _value(words[1])) if len(words) == 2 else None


def _drop(words: Sequence[str]) -> Operation | None:
    return Drop(words[0]) if len(words) == 1 else None


def _map(words: Sequence[str]) -> Operation | None:
    pairs = words[1:]
    if not pairs or len(pairs) % 2:
        return None
    return MapValues(words[0], {old: _value(new) for old, new in zip(pairs[::2], pairs[1::2], strict=True)})


_MAKE: dict[str, Callable[[Sequence[str]], Operation | None]] = {
    "rename": _rename,
    "cast": _cast,
    "default": _default,
    "drop": _drop,
    "map": _map,
}


def _value(text: str) -> Any:
    """A number, true, false, null, a list or an object when it reads as JSON; else the text itself."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text
