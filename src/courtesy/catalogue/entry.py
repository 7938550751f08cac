"""An entry of a catalogue: what it says, since when, and by which values it is found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.catalogue.values import paths_of

ID_CHARS_MAX = 200
ENTRY_BYTES_MAX = 64 * 1024
TERM_BYTES_MAX = 200
TERMS_MAX = 200
VERSIONS_KEPT = 50
"""Of each entry, the newest ones: half a year of a price that changes twice a week."""

_encode = msgspec.json.Encoder(order="sorted").encode
_VALUES = msgspec.json.Decoder(dict[str, Any])


class EntryKey(NamedTuple):
    """Which entry of which catalogue."""

    catalogue: str
    id: str


class Was(msgspec.Struct, frozen=True, array_like=True):
    """The value that a field had before, and until when (ms UTC): since then it has the one that it has."""

    value: Any
    until_ms: int


class Entry(msgspec.Struct, frozen=True):
    """An entry as it is now. `body`: its fields as JSON. `was`: of fields that tell when they change, the value before.
    `retired_ms`: since when it is not offered any more."""

    id: str
    body: bytes
    version: int
    changed_ms: int
    changed_by: str
    retired_ms: int | None = None
    was: dict[str, Was] = {}

    @property
    def values(self) -> dict[str, Any]:
        """Its fields."""
        return _VALUES.decode(self.body)


class EntryVersion(NamedTuple):
    """What an entry said from an instant on."""

    number: int
    body: bytes
    changed_ms: int
    changed_by: str
    is_retired: bool


def encode_body(values: Mapping[str, Any]) -> bytes:
    """The form in which fields are kept, without those that are null: the same for the same fields.

    Raises CourtesyError(INVALID) when they are too large, or have text that can't be stored.
    """
    try:
        body = _encode({name: value for name, value in values.items() if value is not None})
    except (UnicodeEncodeError, ValueError, RecursionError, TypeError) as error:
        raise CourtesyError(Code.INVALID, f"expected fields that JSON has: {error}") from None
    if len(body) > ENTRY_BYTES_MAX:
        raise CourtesyError(Code.INVALID, f"expected at most {ENTRY_BYTES_MAX:,} bytes, got {len(body):,}")
    if "id" in values:
        raise CourtesyError(Code.INVALID, "expected no field 'id': it is what names an entry", place="id")
    return body


def check_id(id_: Any) -> str:
    """The id of an entry; a whole number counts as its digits. Raises CourtesyError(INVALID)."""
    text = str(id_) if isinstance(id_, int) and not isinstance(id_, bool) else id_
    if not isinstance(text, str) or not is_id(text):
        raise CourtesyError(
            Code.INVALID, f"expected an id of 1 to {ID_CHARS_MAX} characters, got {id_!r:.80}", place="id"
        )
    return text


def is_id(text: str) -> bool:
    """Whether an entry may be called so."""
    return 1 <= len(text) <= ID_CHARS_MAX and text.isprintable()


def merged(values: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Fields after a JSON merge patch (RFC 7396): null takes a field away, objects are merged, all else replaces."""
    out = dict(values)
    for name, value in patch.items():
        if value is None:
            out.pop(name, None)
        elif isinstance(value, dict):
            before = out.get(name)
            out[name] = merged(before if isinstance(before, dict) else {}, value)
        else:
            out[name] = value
    return out


def term(path: str, value: Any) -> str:
    """By what entries are found that have a value at a path."""
    return f"{path}={msgspec.json.encode(value).decode()}"


def terms_of(values: Mapping[str, Any]) -> list[str]:
    """All by which an entry is found, sorted; without values that are too long, and at most `TERMS_MAX`."""
    found = {term(path, value) for path, value in paths_of(values)}
    return sorted(each for each in found if len(each.encode()) <= TERM_BYTES_MAX and "\0" not in each)[:TERMS_MAX]


def terms_asked(path: str, text: str) -> list[str]:
    """The terms of what somebody looks for who wrote a value as text: as text, and as the number or word it may be."""
    found = {term(path, text)}
    try:
        value = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, UnicodeEncodeError):
        value = None
    if isinstance(value, int | float):
        found.add(term(path, value))
        if float(value).is_integer():
            found |= {term(path, int(value)), term(path, float(value))}
    return sorted(found)


def ids_in(value: Any, parts: Iterable[str]) -> set[str]:
    """The ids that properties name at a path, through any lists in between."""
    found = [value]
    for part in parts:
        inside = [each for one in found for each in (one if isinstance(one, list) else [one])]
        found = [one[part] for one in inside if isinstance(one, dict) and part in one]
    flat = [each for one in found for each in (one if isinstance(one, list) else [one])]
    texts = {str(each) for each in flat if isinstance(each, str | int) and not isinstance(each, bool)}
    return set(filter(is_id, texts))
