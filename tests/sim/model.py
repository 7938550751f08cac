"""A slow, plain model of what facts come to: lists sorted and counted, nothing kept up to date. It shares no code with
the fold, so that the two can disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from courtesy.person.record import RecordKind
from courtesy.person.state import PersonState
from tests.sim.history import Filed

MILLION = 1_000_000
RECENT_COUNT, TRAIT_COUNT, NAME_COUNT, SUM_COUNT = 30, 500, 100, 12


class Model:
    """Facts of one person, and what must be true of a state that holds them."""

    def __init__(self, facts: Sequence[Filed]) -> None:
        decoded = [(each, msgspec.json.decode(each.record.payload)) for each in facts]
        self._facts = sorted(decoded, key=lambda each: (each[1]["at"], _tie(each[0])))

    def differences(self, state: PersonState) -> Iterator[str]:
        """What a state says otherwise; nothing when it is right."""
        says = {
            "event_count": (state.event_count, len(self._facts)),
            "type_counts": (state.type_counts, dict(Counter(fact["type"] for _, fact in self._facts))),
            "first": (state.first.at if state.first else None, self._facts[0][1]["at"] if self._facts else None),
            "last": (state.last.at if state.last else None, self._facts[-1][1]["at"] if self._facts else None),
            "recent": ([each.message_id for each in state.recent], self._recent()),
        }
        yield from (f"{name}: {is_!r}, expected {ought!r}" for name, (is_, ought) in says.items() if is_ != ought)
        yield from _compare("trait", {path: each.value for path, each in state.traits.items()}, self._traits())
        yield from _compare("count of", {name: each.count for name, each in state.behaviours.items()}, self._names())
        for name, behaviour in state.behaviours.items():
            sums = {each: units * MILLION + rest for each, (units, rest) in behaviour.sums.items()}
            yield from _compare(f"{name}: sum of", sums, self._sums(name), SUM_COUNT)

    def _recent(self) -> list[str]:
        own = [fact["id"] for filed, fact in self._facts if filed.record.kind is RecordKind.EVENT]
        return own[::-1][:RECENT_COUNT]

    def _traits(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for filed, fact in sorted(self._facts, key=lambda each: each[1]["rank"]):
            name = "group_traits" if filed.record.kind is RecordKind.GROUP else "traits"
            found.update(_paths(fact.get(name, {}), ""))
        return found

    def _named(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for filed, fact in self._facts:
            if filed.record.kind is RecordKind.GROUP:
                continue
            if fact["type"] in ("track", "system"):
                yield fact["name"], fact
            elif fact["type"] in ("page", "screen"):
                yield f"{fact['type'].capitalize()} Viewed", fact

    def _names(self) -> dict[str, int]:
        return dict(Counter(name for name, _ in self._named()))

    def _sums(self, name: str) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for each, fact in self._named():
            for key, value in fact.get("properties", {}).items() if each == name else ():
                if isinstance(value, int | float) and abs(value) <= 1e12:
                    sums[key] += round(value * MILLION)
        return dict(sums)


def _tie(filed: Filed) -> int:
    return int.from_bytes(filed.record.key[:8], "big", signed=True)


def _paths(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, child in value.items():
        path = prefix + name.replace("\\", "\\\\").replace(".", "\\.")
        if isinstance(child, dict) and child:
            yield from _paths(child, f"{path}.")
        else:
            yield path, child


_MOST = {"trait": TRAIT_COUNT, "count of": NAME_COUNT}


def _compare(what: str, is_: dict[str, Any], ought: dict[str, Any], most: int | None = None) -> Iterator[str]:
    """Of more than fit, any may be kept; but as many as fit, and what is kept must be right."""
    most = _MOST[what] if most is None else most
    if len(is_) != min(len(ought), most):
        yield f"{len(is_)} entries of {what!r}, expected {min(len(ought), most)}"
    missing = object()
    for name, value in is_.items():
        if ought.get(name, missing) != value:
            yield f"{what} {name!r}: {value!r}, expected {ought.get(name)!r}"
