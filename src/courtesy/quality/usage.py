"""How a source uses its events: which names, which fields, of what kind, how often. Compared over days it tells what is
usual; a day compared with what is usual tells what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from courtesy.schema.shape import PLAIN, TYPES, format_of

NAMES_MAX = 50
FIELDS_MAX = 100
DEPTH_MAX = 4
NULL = "null"


class Sample(NamedTuple):
    """An event as far as quality looks at it. `value` is the object that schemas are about; `delay_ms` is how long
    after it happened it arrived, None for history, which is late on purpose."""

    person: int
    message_id: str
    name: str
    value: Mapping[str, Any]
    delay_ms: int | None


class FieldUse(msgspec.Struct):
    """How often a field was there, and with which kinds of values; `null` is one of them."""

    count: int = 0
    kinds: dict[str, int] = {}

    @property
    def null_count(self) -> int:
        """How often it was there and null."""
        return self.kinds.get(NULL, 0)

    @property
    def main_kind(self) -> str | None:
        """The kind that most of its values have; None when all are null."""
        told = {kind: count for kind, count in self.kinds.items() if kind != NULL}
        return max(sorted(told), key=told.__getitem__) if told else None


class NameUse(msgspec.Struct):
    """How many events of a name there were, and what they had."""

    count: int = 0
    fields: dict[str, FieldUse] = {}


class Usage(msgspec.Struct):
    """The events of a source, of a day or of several. Nine in ten of its live events arrived within `delay_ms`."""

    count: int = 0
    names: dict[str, NameUse] = {}
    delay_ms: int | None = None

    def share(self, name: str) -> float:
        """The share of events that have a name."""
        known = self.names.get(name)
        return known.count / self.count if known is not None and self.count else 0.0


def kind_of(value: Any) -> str:
    """The kind of a value: its JSON type, numbers as one, and texts by their format."""
    if isinstance(value, str):
        form = format_of(value)
        return "string" if form == PLAIN else form
    name = TYPES[type(value)]
    return "number" if name == "integer" else name


def leaves(value: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Dotted paths and values of an object, nested objects opened."""
    for name, inner in value.items():
        path = f"{prefix}.{name}" if prefix else name
        if isinstance(inner, dict) and inner and depth < DEPTH_MAX:
            yield from leaves(inner, path, depth + 1)
        else:
            yield path, inner


def usage_of(samples: Iterable[Sample]) -> Usage:
    """The usage that some events show."""
    usage = Usage()
    delays: list[int] = []
    for each in samples:
        usage.count += 1
        if each.delay_ms is not None:
            delays.append(each.delay_ms)
        name = usage.names.get(each.name)
        if name is None:
            if len(usage.names) >= NAMES_MAX:
                continue
            name = usage.names[each.name] = NameUse()
        _add(name, each.value)
    usage.delay_ms = nine_in_ten(delays)
    return usage


def _add(name: NameUse, value: Mapping[str, Any]) -> None:
    name.count += 1
    for path, inner in leaves(value):
        use = name.fields.get(path)
        if use is None:
            if len(name.fields) >= FIELDS_MAX:
                continue
            use = name.fields[path] = FieldUse()
        use.count += 1
        kind = kind_of(inner)
        use.kinds[kind] = use.kinds.get(kind, 0) + 1


def nine_in_ten(values: Sequence[int]) -> int | None:
    """What nine in ten of the values do not exceed; None without any."""
    return sorted(values)[min(len(values) - 1, len(values) * 9 // 10)] if values else None


def together(days: Iterable[Usage]) -> Usage:
    """Several days as one. The delay is the middle one, so that one bad day does not make all delays usual."""
    whole = Usage()
    delays: list[int] = []
    for day in days:
        whole.count += day.count
        if day.delay_ms is not None:
            delays.append(day.delay_ms)
        for name, use in day.names.items():
            _merge(whole.names.setdefault(name, NameUse()), use)
    whole.delay_ms = sorted(delays)[len(delays) // 2] if delays else None
    return whole


def _merge(whole: NameUse, day: NameUse) -> None:
    whole.count += day.count
    for path, use in day.fields.items():
        known = whole.fields.setdefault(path, FieldUse())
        known.count += use.count
        for kind, count in use.kinds.items():
            known.kinds[kind] = known.kinds.get(kind, 0) + count
