"""Drift: fields that are new or gone, types never seen before, and nulls where there were none."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from courtesy.quality.usage import NULL, FieldUse, NameUse, Usage
from courtesy.schema.event_schema import Checks, EventCheck

KNOWN_SEEN_MIN = 50
"""Events of a name that must have been seen before anything about it counts as known."""

CHANGED_SEEN_MIN = 5
CHANGED_SHARE = 0.01
GONE_SHARE = 0.5
GONE_SEEN_MIN = 30
"""A field that half of the events had is missing from 30 in a row by chance once in 2^30."""

NULL_JUMP = 0.2
NULL_SEEN_MIN = 30


class DriftKind(StrEnum):
    """What changed about a field."""

    NEW_FIELD = "new_field"
    GONE_FIELD = "gone_field"
    NEW_TYPE = "new_type"
    MORE_NULLS = "more_nulls"


class Drift(NamedTuple):
    """A field that is not what it was, of `event_count` events in the sample."""

    event: str
    field: str
    kind: DriftKind
    said: str
    event_count: int


def drifts(usual: Usage, today: Usage, checks: Checks) -> list[Drift]:
    """What changed about names that are known, from earlier days or by a schema, by name and field."""
    found: list[Drift] = []
    for name, use in sorted(today.names.items()):
        known = usual.names.get(name, NameUse())
        is_known = known.count >= KNOWN_SEEN_MIN
        check = checks.get(name)
        if is_known or check is not None:
            found.extend(_new_fields(name, known, use, check))
        if is_known:
            found.extend(_gone_fields(name, known, use))
            found.extend(_changed_fields(name, known, use))
    return found


def _new_fields(name: str, known: NameUse, use: NameUse, check: EventCheck | None) -> Iterator[Drift]:
    declared = check.declared.schema.get("properties") if check is not None else None
    if known.count < KNOWN_SEEN_MIN and not isinstance(declared, dict):
        return
    described = declared if isinstance(declared, dict) else {}
    for path, field in sorted(use.fields.items()):
        is_new = path not in known.fields and path.partition(".")[0] not in described and path not in described
        if is_new and _is_much(field.count, use.count):
            said = f"{name} has a field that it did not have: {path}, {field.main_kind or NULL}"
            yield Drift(name, path, DriftKind.NEW_FIELD, said, field.count)


def _gone_fields(name: str, known: NameUse, use: NameUse) -> Iterator[Drift]:
    if use.count < GONE_SEEN_MIN:
        return
    for path, field in sorted(known.fields.items()):
        # Of a field that is gone because what is around it changed its type, the type is told.
        if field.count >= GONE_SHARE * known.count and path not in use.fields and not _is_around(path, use):
            said = f"{name} no longer has {path}, which {field.count / known.count:.0%} of its events had"
            yield Drift(name, path, DriftKind.GONE_FIELD, said, use.count)


def _is_around(path: str, use: NameUse) -> bool:
    return any(path.startswith(f"{other}.") or other.startswith(f"{path}.") for other in use.fields)


def _changed_fields(name: str, known: NameUse, use: NameUse) -> Iterator[Drift]:
    for path, field in sorted(use.fields.items()):
        before = known.fields.get(path)
        if before is None or before.count < KNOWN_SEEN_MIN:
            continue
        for kind, count in sorted(field.kinds.items()):
            if kind != NULL and kind not in before.kinds and _is_much(count, field.count):
                was = ", ".join(sorted(before.kinds))
                said = f"{path} of {name} came as {kind} for the first time; it was {was}"
                yield Drift(name, path, DriftKind.NEW_TYPE, said, count)
        if field.count >= NULL_SEEN_MIN and _null_share(field) >= _null_share(before) + NULL_JUMP:
            said = f"{path} of {name} is null in {_null_share(field):.0%}, was in {_null_share(before):.0%}"
            yield Drift(name, path, DriftKind.MORE_NULLS, said, field.null_count)


def _null_share(field: FieldUse) -> float:
    return field.null_count / field.count


def _is_much(count: int, whole: int) -> bool:
    return count >= max(CHANGED_SEEN_MIN, CHANGED_SHARE * whole)
