"""The score of a day of a source: five parts from 0 to 1, each with its reasons in words, and one number of them.

The number is the weighted geometric mean of the parts that can be told: one bad part can't be hidden by the others, and
a part at zero makes the whole zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from courtesy.base.time import HOUR_MS, MINUTE_MS
from courtesy.event.cause import FATE, MEANING, Cause, Fate
from courtesy.quality.usage import Sample, Usage, kind_of, leaves, usage_of
from courtesy.schema.event_schema import Checks

REASONS_MAX = 5
EXAMPLES_MAX = 3
EXPECTED_SHARE = 0.95
"""A field that so many of a name's events have is expected of each."""

EXPECTED_SEEN_MIN = 20
LATE_MS = 10 * MINUTE_MS
"""A delay up to here is never late, whatever is usual."""

RHYTHM_DAYS_MIN = 3
RHYTHM_SHARE = 0.8
"""An hour in which a source sent something on four of five days is one in which it is expected to. A shop closed at
weekends sends on five of seven, so that its weekends are not silence."""

SILENT_HOURS = 4
"""So many such hours without anything, up to now, are no accident: each alone happens on one day of five at most."""

MIX_FREE = 0.1
"""How far the shares of event names may move from the usual (total variation distance) before it counts: with 200
events of ten names chance alone moves them by about 0.1."""

MIX_SEEN_MIN = 200


class Part(StrEnum):
    """What makes up quality."""

    VALID = "valid"
    COMPLETE = "complete"
    FRESH = "fresh"
    UNIQUE = "unique"
    UNIFORM = "uniform"


WEIGHTS: dict[Part, float] = {
    Part.VALID: 0.30,
    Part.COMPLETE: 0.25,
    Part.FRESH: 0.15,
    Part.UNIQUE: 0.15,
    Part.UNIFORM: 0.15,
}


class Reason(msgspec.Struct, frozen=True):
    """Why a part is below 1. Counts of what is told by a sample are those of the sample; `people_count` is None where
    people are not known, as of what was kept out. `event` and `field` are empty where it is about all of them."""

    part: Part
    said: str
    event_count: int
    people_count: int | None = None
    event: str = ""
    field: str = ""
    message_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """An event that was kept out: why, in short and in words, what it is called, and whom it names."""

    cause: Cause
    detail: str
    message_id: str | None
    names: str | None


@dataclass(frozen=True, slots=True)
class Observed:
    """What is known of a source's day.

    `stored` and `others` are exact counts; `samples` are some or all of the stored events and `kept` some of those that
    were not. `hours` are the hours of the day, 0 to 23, in which something came, `past_hours` those of earlier days;
    `over_hours` is how many hours of the day are over. `usual` is empty when there are no earlier days.
    """

    stored: int
    others: Mapping[Cause, int]
    samples: Sequence[Sample]
    kept: Sequence[Kept] = ()
    hours: frozenset[int] = frozenset()
    past_hours: Sequence[frozenset[int]] = ()
    over_hours: int = 0
    usual: Usage = field(default_factory=Usage)
    checks: Checks = field(default_factory=dict)


@dataclass(slots=True)
class Tally:
    """Events of one kind of fault, and whom they touch."""

    event_count: int = 0
    people: set[int] = field(default_factory=set)
    message_ids: list[str] = field(default_factory=list)

    def add(self, sample: Sample) -> None:
        """Count an event."""
        self.event_count += 1
        self.people.add(sample.person)
        if len(self.message_ids) < EXAMPLES_MAX:
            self.message_ids.append(sample.message_id)

    def reason(self, part: Part, said: str, event: str = "", path: str = "") -> Reason:
        """The reason that it makes."""
        return Reason(part, said, self.event_count, len(self.people), event, path, tuple(self.message_ids))


Judged = tuple[float | None, list[Reason]]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A day's score, None when nothing can be told; its parts; the gravest reasons of each; and the usage it shows."""

    score: float | None
    parts: Mapping[Part, float | None]
    reasons: tuple[Reason, ...]
    usage: Usage


def judge(day: Observed) -> Judgement:
    """Judge a source's day."""
    usage = usage_of(day.samples)
    judged: dict[Part, Judged] = {
        Part.VALID: _valid(day),
        Part.COMPLETE: _complete(day, usage),
        Part.FRESH: _fresh(day),
        Part.UNIQUE: _unique(day),
        Part.UNIFORM: _uniform(day, usage),
    }
    parts = {part: value for part, (value, _) in judged.items()}
    reasons = tuple(reason for _, found in judged.values() for reason in _gravest(found))
    return Judgement(combined(parts), parts, reasons, usage)


def combined(parts: Mapping[Part, float | None]) -> float | None:
    """One number of the parts that can be told; None when none can."""
    told = {part: value for part, value in parts.items() if value is not None}
    if not told:
        return None
    if min(told.values()) <= 0:
        return 0.0
    weight = sum(WEIGHTS[part] for part in told)
    # Rounding must not lift a whole above its best part.
    mean = math.exp(sum(WEIGHTS[part] * math.log(value) for part, value in told.items()) / weight)
    return min(max(told.values()), mean)


def _gravest(reasons: Sequence[Reason]) -> list[Reason]:
    return sorted(reasons, key=lambda each: (-each.event_count, each.said))[:REASONS_MAX]


def _share(good: float, whole: float) -> float | None:
    return min(1.0, max(0.0, good / whole)) if whole else None


def _valid(day: Observed) -> Judged:
    """The share of events that were neither kept out nor warned of."""
    wrong = {
        cause: count
        for cause, count in day.others.items()
        if count and (FATE[cause] is Fate.QUARANTINED or cause is Cause.SCHEMA_WARNED)
    }
    kept_out = sum(count for cause, count in wrong.items() if FATE[cause] is Fate.QUARANTINED)
    reasons = [_cause_reason(day, cause, count) for cause, count in wrong.items() if cause is not Cause.SCHEMA_WARNED]
    if Cause.SCHEMA_WARNED in wrong:
        reasons.extend(_schema_reasons(day, wrong[Cause.SCHEMA_WARNED]))
    return _share(day.stored - wrong.get(Cause.SCHEMA_WARNED, 0), day.stored + kept_out), reasons


def _cause_reason(day: Observed, cause: Cause, count: int) -> Reason:
    some = [each for each in day.kept if each.cause is cause]
    named = {each.names for each in some if each.names}
    example = f", for example: {some[0].detail}" if some else ""
    said = f"quarantined as {cause}: {MEANING[cause].rstrip('.')}{example}"
    message_ids = tuple(each.message_id for each in some if each.message_id)[:EXAMPLES_MAX]
    return Reason(Part.VALID, said, count, len(named) or None, message_ids=message_ids)


def _schema_reasons(day: Observed, warned_count: int) -> list[Reason]:
    """Which fields break which schema, as far as the sample tells; else how many broke any."""
    tallies: dict[tuple[str, str, str], Tally] = {}
    for each in day.samples:
        check = day.checks.get(each.name)
        for breach in check.breaches(each.value) if check is not None else ():
            key = (each.name, breach.path.lstrip("."), breach.expected)
            tallies.setdefault(key, Tally()).add(each)
    if not tallies:
        return [Reason(Part.VALID, "stored with a warning: they break their schema", warned_count)]
    return [
        tally.reason(Part.VALID, f"break the schema of {name}: expected {expected} in {path or 'it'}", name, path)
        for (name, path, expected), tally in tallies.items()
    ]


def expected_fields(name: str, usual: Usage, today: Usage, checks: Checks) -> frozenset[str]:
    """The fields that each event of a name should have: those that its schema requires, and those that nearly all such
    events had on earlier days, or have today when there are none."""
    known = usual.names.get(name) or today.names.get(name)
    found = set[str]()
    if known is not None and known.count >= EXPECTED_SEEN_MIN:
        found |= {
            path for path, use in known.fields.items() if use.count - use.null_count >= EXPECTED_SHARE * known.count
        }
    check = checks.get(name)
    required: Any = check.declared.schema.get("required") if check is not None else None
    return frozenset(found | set(required if isinstance(required, list) else ()))


def _complete(day: Observed, usage: Usage) -> Judged:
    """The share of values that are there, among those that are expected."""
    expected = {name: expected_fields(name, day.usual, usage, day.checks) for name in usage.names}
    missing: dict[tuple[str, str], Tally] = {}
    expected_count = 0
    for each in day.samples:
        wanted = expected.get(each.name)
        if not wanted:
            continue
        expected_count += len(wanted)
        there = {path for path, value in leaves(each.value) if value is not None} | {
            name for name, value in each.value.items() if value is not None
        }
        for path in wanted - there:
            missing.setdefault((each.name, path), Tally()).add(each)
    missing_count = sum(tally.event_count for tally in missing.values())
    reasons = [
        tally.reason(Part.COMPLETE, f"{name} without {path}", name, path) for (name, path), tally in missing.items()
    ]
    return _share(expected_count - missing_count, expected_count), reasons


def _fresh(day: Observed) -> Judged:
    """The share of live events that are not later than usual, times the share of busy hours that were not silent; 0
    while the source has fallen silent."""
    limit = max(LATE_MS, 2 * (day.usual.delay_ms or 0))
    late = Tally()
    live_count = 0
    for each in day.samples:
        if each.delay_ms is None:
            continue
        live_count += 1
        if each.delay_ms > limit:
            late.add(each)
    reasons: list[Reason] = []
    if late.event_count:
        reasons.append(late.reason(Part.FRESH, f"arrived more than {_words(limit)} after they happened"))
    timely = _share(live_count - late.event_count, live_count)
    awake = _awake(day, reasons)
    if awake is None:
        return timely, reasons
    return awake if timely is None else timely * awake, reasons


def _awake(day: Observed, reasons: list[Reason]) -> float | None:
    """The share of hours in which something came, among those over in which something usually does."""
    if len(day.past_hours) < RHYTHM_DAYS_MIN:
        return None
    often = RHYTHM_SHARE * len(day.past_hours)
    busy = {hour for hour in range(24) if sum(hour in past for past in day.past_hours) >= often}
    due = sorted(hour for hour in busy if hour < day.over_hours)
    if len(due) < SILENT_HOURS:
        return None
    silent = [hour for hour in due if hour not in day.hours]
    if silent:
        shown = ", ".join(f"{hour:02}:00" for hour in silent[-SILENT_HOURS:])
        said = f"silent in {len(silent)} of {len(due)} hours in which it usually sends, the last {shown} UTC"
        reasons.append(Reason(Part.FRESH, said, 0, 0))
    fell_silent = silent[-SILENT_HOURS:] == due[-SILENT_HOURS:] and max(day.hours, default=-1) < due[-SILENT_HOURS]
    return 0.0 if fell_silent else _share(len(due) - len(silent), len(due))


def _words(span_ms: int) -> str:
    return f"{span_ms / HOUR_MS:.0f} h" if span_ms >= 2 * HOUR_MS else f"{span_ms / MINUTE_MS:.0f} min"


def _unique(day: Observed) -> Judged:
    """The share of what came that had not come before."""
    repeated = day.others.get(Cause.DUPLICATE, 0)
    kept_out = sum(count for cause, count in day.others.items() if FATE[cause] is Fate.QUARANTINED)
    reasons = [Reason(Part.UNIQUE, "sent before under the same messageId", repeated)] if repeated else []
    whole = day.stored + kept_out + repeated
    return _share(whole - repeated, whole), reasons


def _uniform(day: Observed, usage: Usage) -> Judged:
    """The share of values of the kind that their field usually has, lessened when the mix of names moved."""
    known = day.usual if day.usual.count else usage
    main = {
        (name, path): kind
        for name, use in known.names.items()
        for path, field_use in use.fields.items()
        if (kind := field_use.main_kind) is not None
    }
    odd: dict[tuple[str, str, str, str], Tally] = {}
    value_count = odd_count = 0
    for each in day.samples:
        for path, value in leaves(each.value):
            usual = main.get((each.name, path))
            if usual is None or value is None:
                continue
            value_count += 1
            kind = kind_of(value)
            if kind != usual:
                odd_count += 1
                odd.setdefault((each.name, path, usual, kind), Tally()).add(each)
    reasons = [
        tally.reason(Part.UNIFORM, f"{path} of {name} is usually {usual}, came as {kind}", name, path)
        for (name, path, usual, kind), tally in odd.items()
    ]
    alike = _share(value_count - odd_count, value_count)
    steady = _steady(day.usual, usage, reasons)
    return (steady if alike is None else alike * (1.0 if steady is None else steady)), reasons


def _steady(usual: Usage, usage: Usage, reasons: list[Reason]) -> float | None:
    """How little the shares of the events' names moved, from 1 to 0; None while there is too little to tell."""
    if usual.count < MIX_SEEN_MIN or usage.count < MIX_SEEN_MIN:
        return None
    moved = {name: usage.share(name) - usual.share(name) for name in usage.names.keys() | usual.names.keys()}
    distance = sum(map(abs, moved.values())) / 2
    if distance <= MIX_FREE:
        return 1.0
    name = max(sorted(moved), key=lambda each: abs(moved[each]))
    said = f"{name} is {usage.share(name):.0%} of events, usually {usual.share(name):.0%}"
    today = usage.names.get(name)
    reasons.append(Reason(Part.UNIFORM, said, today.count if today is not None else 0, None, name))
    return max(0.0, 1 - (distance - MIX_FREE) / (1 - MIX_FREE))
