"""Mending: a fix is a list of plain operations on an item as it came; what they do not name stays byte for byte.

A place is a path from the top of the call, `properties.price`; a number counts the elements of a list from 0, and
`\\.` is a dot within a name. An operation on a place where there is nothing does nothing, except `default`. So a fix
may be applied to events of which only some need it, and again to what it mended before.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.event.casting import Unread, dates, to_boolean, to_number, to_object

OPERATIONS_MAX = 50
PATH_PARTS_MAX = 16

Path = Annotated[str, Meta(min_length=1, max_length=300)]


class Kind(StrEnum):
    """What a value can be cast to. An object is read from JSON text."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    OBJECT = "object"


class _Operation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """One change."""


class Rename(_Operation, frozen=True, tag="rename", rename={"from_": "from"}):
    """Move what is at `from` to `to`, making the objects on the way. What is at `to` already is not overwritten."""

    from_: Path
    to: Path


class Cast(_Operation, frozen=True, tag="cast"):
    """Read a value as something else. `format` of a date: `iso`, `unix_s`, `unix_ms`, `unix_us`, `unix_ns`, or a
    pattern such as `%d/%m/%Y %H:%M`, in UTC unless `timezone` (`Europe/Madrid`) or the date itself says otherwise."""

    path: Path
    to: Kind
    format: Annotated[str, Meta(max_length=100)] = "iso"
    timezone: Annotated[str, Meta(max_length=60)] = "UTC"


class Default(_Operation, frozen=True, tag="default"):
    """Put a value where there is nothing or null."""

    path: Path
    value: Any


class Drop(_Operation, frozen=True, tag="drop"):
    """Take a field away."""

    path: Path


class MapValues(_Operation, frozen=True, tag="map"):
    """Put another value in place of a known one: old to new. A number is looked up as it is written."""

    path: Path
    values: Annotated[dict[str, Any], Meta(min_length=1, max_length=1_000)]


Operation = Rename | Cast | Default | Drop | MapValues
Fix = Annotated[tuple[Operation, ...], Meta(max_length=OPERATIONS_MAX)]


@dataclass(frozen=True, slots=True)
class Unmended:
    """Why an operation (`number` from 1; 0: the item itself) could not be carried out; the item stays as it was."""

    number: int
    detail: str


class _CannotMend(Exception):
    """Ends the mending of one item; never leaves this module."""


_Parts = dict[str, msgspec.Raw]
_PARTS = msgspec.json.Decoder(_Parts)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])
_ENCODE = msgspec.json.Encoder().encode
_STEP = re.compile(r"(?:[^.\\]|\\.)+")
_NULL = b"null"


def steps_of(path: str) -> tuple[str, ...]:
    """The names on a path. Raises ValueError for one that is empty, has an empty name, or more than 16."""
    steps = tuple(re.sub(r"\\(.)", r"\1", step) for step in _STEP.findall(path))
    if not steps or len(steps) > PATH_PARTS_MAX or len(".".join(_STEP.findall(path))) != len(path):
        raise ValueError(f"expected a path such as properties.price, got {path!r:.80}")
    return steps


def path_of(steps: Sequence[str]) -> str:
    """The inverse of `steps_of`."""
    return ".".join(re.sub(r"([.\\])", r"\\\1", step) for step in steps)


def problem_of(operation: Operation) -> str | None:
    """What is wrong with an operation, whatever it is applied to; None when it is sound."""
    try:
        for path in (operation.from_, operation.to) if isinstance(operation, Rename) else (operation.path,):
            steps_of(path)
        if isinstance(operation, Rename) and operation.from_ == operation.to:
            return "expected two places, got the same twice"
        if isinstance(operation, Cast) and operation.to is Kind.DATE:
            dates(operation.format, operation.timezone)
    except (ValueError, KeyError, OSError) as error:
        return str(error)
    return None


def mend(raw: bytes, fix: Sequence[Operation]) -> bytes | Unmended:
    """The item with the operations applied in order; the very same bytes when none of them finds anything to do.

    Objects on the way to a place that changes are written anew, without blanks between their members; all else stays
    byte for byte. Sound operations only (`problem_of`). Never raises for what is in the item.
    """
    for number, operation in enumerate(fix, 1):
        try:
            raw = _applied(raw, operation)
        except _CannotMend as problem:
            return Unmended(number, str(problem))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            return Unmended(0, f"the event is not JSON that can be changed: {error}")
    return raw


def _applied(raw: bytes, operation: Operation) -> bytes:
    top = _opened(raw)
    if top is None:
        raise _CannotMend("the event is not a JSON object")
    changed = _change(top, operation)
    return raw if changed is None else changed


def _change(top: _Parts, operation: Operation) -> bytes | None:
    """The whole item after one operation; None when it is as before."""
    if isinstance(operation, Rename):
        return _renamed(top, operation)
    steps = steps_of(operation.path)
    value = _found(top, steps)
    if isinstance(operation, Default):
        return _put(top, steps, _ENCODE(operation.value)) if value in (None, _NULL) else None
    if value is None:
        return None
    if isinstance(operation, Drop):
        return _dropped(top, steps)
    new = _cast(value, operation) if isinstance(operation, Cast) else _mapped(value, operation)
    return None if new is None or new == value else _put(top, steps, new)


def _opened(content: bytes) -> _Parts | None:
    """The members of an object; None for anything else."""
    return _PARTS.decode(content) if content.lstrip()[:1] == b"{" else None


def _found(top: _Parts, steps: Sequence[str]) -> bytes | None:
    """The value at a place; None when there is none."""
    parts: _Parts | None = top
    *way, last = steps
    for step in way:
        if parts is None or step not in parts:
            return None
        parts = _entered(bytes(parts[step]))
    return None if parts is None or last not in parts else bytes(parts[last])


def _entered(content: bytes) -> _Parts | None:
    """The members of an object, or the elements of a list by number."""
    if content[:1] == b"[":
        return {str(number): element for number, element in enumerate(_ELEMENTS.decode(content))}
    return _opened(content)


def _put(top: _Parts, steps: Sequence[str], value: bytes) -> bytes:
    """The object with a value at a place. Raises _CannotMend where something else than an object is in the way."""
    step, *rest = steps
    if rest:
        inner = bytes(top[step]) if step in top and bytes(top[step]) != _NULL else b"{}"
        value = _put_into(inner, step, rest, value)
    return _ENCODE({**top, step: msgspec.Raw(value)})


def _put_into(inner: bytes, name: str, rest: Sequence[str], value: bytes) -> bytes:
    parts = _entered(inner)
    if parts is None:
        raise _CannotMend(f"expected an object at {name}, got {_shown(inner)}")
    if inner[:1] != b"[":
        return _put(parts, rest, value)
    if rest[0] not in parts:
        raise _CannotMend(f"expected an element of the list at {name}, got {rest[0]!r:.40}")
    return _as_list(_put(parts, rest, value))


def _dropped(top: _Parts, steps: Sequence[str]) -> bytes:
    """The object without what is at a place, where something is."""
    step, *rest = steps
    if not rest:
        return _ENCODE({name: value for name, value in top.items() if name != step})
    inner = bytes(top[step])
    parts = _entered(inner)
    assert parts is not None, "something was found there"
    changed = _dropped(parts, rest)
    return _ENCODE({**top, step: msgspec.Raw(_as_list(changed) if inner[:1] == b"[" else changed)})


def _as_list(content: bytes) -> bytes:
    return _ENCODE(list(_PARTS.decode(content).values()))


def _renamed(top: _Parts, operation: Rename) -> bytes | None:
    source, target = steps_of(operation.from_), steps_of(operation.to)
    value = _found(top, source)
    if value is None:
        return None
    # What is moved out of the very place that it goes to, `userId.0` to `userId`, takes its place.
    unpacked = source[: len(target)] == target
    if not unpacked and _found(top, target) not in (None, _NULL):
        raise _CannotMend(f"there is something at {operation.to} already")
    return _put(top if unpacked else _PARTS.decode(_dropped(top, source)), target, value)


def _cast(value: bytes, operation: Cast) -> bytes | None:
    came = msgspec.json.decode(value)
    if came is None:
        return None
    read = _read(came, operation)
    if isinstance(read, Unread):
        raise _CannotMend(f"{operation.path}: {read.detail}")
    if operation.to is Kind.OBJECT and not isinstance(read, dict | None):
        raise _CannotMend(f"{operation.path}: expected JSON text of an object, got {_shown(value)}")
    return _ENCODE(read)


def _read(came: Any, operation: Cast) -> Any:
    if operation.to is Kind.TEXT:
        return came if isinstance(came, str) else msgspec.json.encode(came).decode()
    if operation.to is Kind.DATE:
        return dates(operation.format, operation.timezone)(came)
    if operation.to is Kind.OBJECT:
        return to_object(came)
    if isinstance(came, dict | list):
        raise _CannotMend(f"{operation.path}: expected a single value, got {_shown(_ENCODE(came))}")
    return to_number(came) if operation.to is Kind.NUMBER else to_boolean(came)


def _mapped(value: bytes, operation: MapValues) -> bytes | None:
    came = msgspec.json.decode(value)
    name = came if isinstance(came, str) else value.decode(errors="replace")
    return _ENCODE(operation.values[name]) if name in operation.values else None


def _shown(content: bytes) -> str:
    return content[:40].decode(errors="replace")


def described(operation: Operation) -> str:
    """An operation in plain words."""
    if isinstance(operation, Rename):
        return f"rename {operation.from_} to {operation.to}"
    if isinstance(operation, Cast):
        return f"read {operation.path} as {_cast_words(operation)}"
    if isinstance(operation, Default):
        return f"where {operation.path} is missing, set it to {_shown(_ENCODE(operation.value))}"
    if isinstance(operation, Drop):
        return f"drop {operation.path}"
    pairs = [f"{old} → {new}" for old, new in operation.values.items()]
    more = f" and {len(pairs) - 5} more" if len(pairs) > 5 else ""
    return f"in {operation.path}, change {', '.join(pairs[:5])}{more}"


def _cast_words(operation: Cast) -> str:
    if operation.to is not Kind.DATE:
        return {"object": "JSON", "boolean": "true or false"}.get(operation.to, operation.to.value)
    zone = "" if operation.timezone == "UTC" else f" in {operation.timezone}"
    return f"a date in the form {operation.format}{zone}"
