"""Judging what sources send: a sample of the day and exact counts become a score, drifts and falls become events.

Nothing of this is part of accepting an event. A run reads a bounded number of events, wherever they lie in the day.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import Position, SourceId
from courtesy.base.time import DAY_MS, HOUR_MS, Clock, to_iso
from courtesy.engine.contract import Count, Engine
from courtesy.engine.quality import QualityRow
from courtesy.event.cause import Cause, Fate
from courtesy.person.record import SYSTEM_SOURCE, Record
from courtesy.quality.day import QualityDay, Standing, decode_day, encode_day, standing, usual_score
from courtesy.quality.drift import Drift, drifts
from courtesy.quality.score import Judgement, Kept, Observed, Part, judge
from courtesy.quality.usage import Sample, Usage, together
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.schemas import came
from courtesy.runtime.settings import Settings
from courtesy.runtime.system_events import SourceReport, report
from courtesy.schema.event_schema import event_name

PAST_DAYS = 14
KEPT_DAYS = 400
"""How many days are kept, and can be asked for: a year, and a month more to compare with."""

WINDOWS = 25
"""Stretches of the log, evenly apart, of which a sample is made when the day has more events than are looked at."""

RARE_EVENTS = 50
RARE_SPAN = 200_000
"""A source with fewer events than this in the sample gets up to as many more from the latest stretch of the log."""

STANDING_SEEN_MIN = 20
"""A score of fewer events tells nothing about the source, except that it is silent."""

KEPT_READ = 200
BREATH_EVENTS = 500

DRIFTED, DEGRADED, RECOVERED = "Schema Drifted", "Source Degraded", "Source Recovered"


class _Ids(msgspec.Struct, rename="camel"):
    """As much of a rejected call as says whose it is."""

    user_id: Any = None
    anonymous_id: Any = None


_IDS = msgspec.json.Decoder(_Ids)


class SourceDay(NamedTuple):
    """A judged day of a source, by name."""

    source: str
    day: QualityDay


@dataclass(slots=True)
class _Tallies:
    """Exact counts of the last days, by source and day."""

    fates: dict[tuple[SourceId, int], dict[Fate, int]] = field(default_factory=lambda: defaultdict(dict))
    causes: dict[tuple[SourceId, int], dict[Cause, int]] = field(default_factory=lambda: defaultdict(dict))
    hours: dict[tuple[SourceId, int], set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, count: Count) -> None:
        """Add one count."""
        hour_of_day, day_ms = count.hour_ms % DAY_MS // HOUR_MS, count.hour_ms - count.hour_ms % DAY_MS
        key = (count.source, day_ms)
        fates, causes = self.fates[key], self.causes[key]
        fates[count.fate] = fates.get(count.fate, 0) + count.event_count
        if count.cause is not None:
            causes[count.cause] = causes.get(count.cause, 0) + count.event_count
        self.hours[key].add(hour_of_day)

    def past_hours(self, source: SourceId, day_ms: int) -> list[frozenset[int]]:
        """The hours of each day before `day_ms` since the source first sent something, oldest first."""
        days = [day for each, day in self.hours if each == source and day < day_ms]
        return [
            frozenset(self.hours.get((source, day), ())) for day in range(min(days, default=day_ms), day_ms, DAY_MS)
        ]


class Judge:
    """Judges the sources of one store. Several may do so at once: each day has one last word, each event one id."""

    def __init__(self, engine: Engine, catalog: CatalogCache, clock: Clock, settings: Settings) -> None:
        self._engine = engine
        self._catalog = catalog
        self._clock = clock
        self._sample_max = settings.quality_sample

    async def run(self) -> None:
        """Judge today so far; and yesterday for the last time, when that was not done.

        Holds afterwards: the days are saved, and what is to be told of them is in the log. Raises Unavailable or
        StorageFull.
        """
        now = self._clock.now_ms()
        today = now - now % DAY_MS
        rows = await self._engine.quality(None, today - DAY_MS, today)
        judged = {row.source for row in rows if row.computed_ms >= today}
        for day_ms in (today - DAY_MS, today):
            await self._run_day(day_ms, now, judged if day_ms < today else set())

    async def _run_day(self, day_ms: int, now_ms: int, judged: set[SourceId]) -> None:
        tallies = _Tallies()
        for count in await self._engine.counts(day_ms - PAST_DAYS * DAY_MS, day_ms + DAY_MS):
            tallies.add(count)
        past = await self._past(day_ms)
        active = {source for source, _ in tallies.fates} | past.keys()
        sources = {
            name: number
            for name, (number, declared) in sorted(self._catalog.now.sources.items())
            if number in active and number not in judged and not declared.paused
        }
        if not sources:
            return
        samples = await self._samples(day_ms, now_ms, set(sources.values()), tallies)
        for name, number in sources.items():
            observed = await self._observed(number, day_ms, now_ms, tallies, samples.get(number, []), past[number])
            judgement = await asyncio.to_thread(judge, observed)
            await self._conclude(_Case(name, number, day_ms, now_ms, past[number], observed, judgement, tallies))

    async def _past(self, day_ms: int) -> dict[SourceId, list[QualityDay]]:
        """The days of each source up to and with this one, as far as they are judged, oldest first."""
        past: dict[SourceId, list[QualityDay]] = defaultdict(list)
        for row in await self._engine.quality(None, day_ms - PAST_DAYS * DAY_MS, day_ms + DAY_MS):
            past[row.source].append(decode_day(row.body))
        return past

    async def _observed(
        self,
        source: SourceId,
        day_ms: int,
        now_ms: int,
        tallies: _Tallies,
        samples: Sequence[Sample],
        past: Sequence[QualityDay],
    ) -> Observed:
        key = (source, day_ms)
        usual = together(each.usage for each in past if each.day_ms < day_ms and each.standing is Standing.USUAL)
        return Observed(
            stored=tallies.fates[key].get(Fate.STORED, 0),
            others=tallies.causes[key],
            samples=samples,
            kept=await self._kept(source, day_ms) if tallies.fates[key].get(Fate.QUARANTINED) else (),
            hours=frozenset(tallies.hours[key]),
            past_hours=tallies.past_hours(source, day_ms),
            over_hours=min(24, (now_ms - day_ms) // HOUR_MS),
            usual=usual,
            checks=self._catalog.book().of(source),
        )

    async def _kept(self, source: SourceId, day_ms: int) -> list[Kept]:
        """Some of the events of a day that were kept out."""
        found = await self._engine.quarantined(source, None, None, KEPT_READ)
        return [
            Kept(each.cause, each.detail, each.message_id, _named(each.raw))
            for each in found
            if day_ms <= each.received_ms < day_ms + DAY_MS
        ]

    # -- sampling

    async def _samples(
        self, day_ms: int, now_ms: int, sources: set[SourceId], tallies: _Tallies
    ) -> Mapping[SourceId, list[Sample]]:
        """Events of a day by source: all of them, or as many as are looked at from all over the day."""
        first = await self._engine.position_before(day_ms)
        is_over = now_ms >= day_ms + DAY_MS
        last = await self._engine.position_before(day_ms + DAY_MS) if is_over else await self._engine.head()
        samples: dict[SourceId, list[Sample]] = defaultdict(list)
        for after, upto in _stretches(first, last, self._sample_max):
            await _add_samples(samples, await self._engine.events_between(after, upto, None, self._sample_max))
        if last - first > self._sample_max:
            for source in sources:
                stored = tallies.fates[source, day_ms].get(Fate.STORED, 0)
                if len(samples[source]) < min(stored, RARE_EVENTS):
                    span = Position(max(first, last - RARE_SPAN))
                    samples[source] = []
                    await _add_samples(samples, await self._engine.events_between(span, last, source, RARE_EVENTS))
        return samples

    # -- concluding

    async def _conclude(self, case: _Case) -> None:
        """Report what is to be told, then save the day: whatever is broken off in between is reported once."""
        found = drifts(case.observed.usual, case.judgement.usage, case.observed.checks)
        told = {*(case.before.told if case.before is not None else ())}
        fresh = [each for each in found if _drift_id(case, each) not in told]
        reports = [_drift_report(case, each) for each in fresh]
        if case.standing is not case.stood:
            reports.append(_standing_report(case))
        await report(self._engine, reports, case.now_ms)
        day = case.concluded(tuple(sorted(told | {_drift_id(case, each) for each in fresh})))
        await self._engine.save_quality([QualityRow(case.source, case.day_ms, case.now_ms, encode_day(day))])

    # -- reading

    async def days(self, source: str | None, day_count: int) -> list[SourceDay]:
        """The judged days of one source or of all, oldest first, of the last `day_count`, today's included.

        Raises CourtesyError(NOT_FOUND) for a source that is not there.
        """
        number = None if source is None else self._catalog.policy(source).source
        now = self._clock.now_ms()
        tomorrow = now - now % DAY_MS + DAY_MS
        rows = await self._engine.quality(number, tomorrow - day_count * DAY_MS, tomorrow)
        names = await self._catalog.source_names(row.source for row in rows)
        return [SourceDay(names[row.source], decode_day(row.body)) for row in rows if row.source in names]


@dataclass(frozen=True, slots=True)
class _Case:
    """A day of a source and what was found out about it. `past`: its judged days, this one included if it was."""

    name: str
    source: SourceId
    day_ms: int
    now_ms: int
    past: Sequence[QualityDay]
    observed: Observed
    judgement: Judgement
    tallies: _Tallies

    @property
    def before(self) -> QualityDay | None:
        """What was known of this very day."""
        return next((each for each in self.past if each.day_ms == self.day_ms), None)

    @property
    def stood(self) -> Standing:
        """How the source stood when it was last judged."""
        return self.past[-1].standing if self.past else Standing.USUAL

    @property
    def usual_score(self) -> float | None:
        """What the score is to be compared with."""
        return usual_score([each for each in self.past if each.day_ms < self.day_ms])

    @property
    def standing(self) -> Standing:
        """How the source stands now."""
        is_silent = self.judgement.parts[Part.FRESH] == 0
        if self.received_count < STANDING_SEEN_MIN and not is_silent:
            return self.stood
        return standing(self.judgement.score, self.usual_score, self.stood)

    @property
    def received_count(self) -> int:
        """How many events came."""
        return self.tallies.fates[self.source, self.day_ms].get(Fate.RECEIVED, 0)

    def concluded(self, told: tuple[str, ...]) -> QualityDay:
        """The day as it is kept."""
        return QualityDay(
            self.day_ms,
            self.now_ms,
            self.received_count,
            len(self.observed.samples),
            self.judgement.score,
            {str(part): value for part, value in self.judgement.parts.items()},
            self.judgement.reasons,
            self.standing,
            self.usual_score,
            told,
            self.judgement.usage if self.observed.samples else Usage(),
        )


def _stretches(first: Position, last: Position, count: int) -> list[tuple[Position, Position]]:
    """Stretches of the log after `first` up to `last` with `count` positions in all, evenly apart; or all of it."""
    if last - first <= count:
        return [(first, last)] if last > first else []
    step = (last - first) // WINDOWS
    size = max(1, count // WINDOWS)
    # From the end backwards, so that the latest events are always among them.
    ends = [last - number * step for number in range(WINDOWS)]
    return [(Position(end - size), Position(end)) for end in ends]


async def _add_samples(samples: dict[SourceId, list[Sample]], records: Sequence[Record]) -> None:
    for number, record in enumerate(records):
        if number % BREATH_EVENTS == 0:
            await asyncio.sleep(0)
        if record.source != SYSTEM_SOURCE and (sample := _sample(record)) is not None:
            samples[record.source].append(sample)


def _sample(record: Record) -> Sample | None:
    """The event of a record; None for a call that no schema is about."""
    given = came(record)
    name = event_name(given.event)
    if name is None:
        return None
    delay_ms = given.event.received - given.event.at if given.event.live else None
    return Sample(given.person, given.event.id, name, given.value, delay_ms)


def _named(raw: bytes) -> str | None:
    """Whom a rejected call names, as far as it can be read."""
    try:
        ids = _IDS.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    named = ids.user_id if ids.user_id is not None else ids.anonymous_id
    return None if named is None else str(named)


def _drift_id(case: _Case, drift: Drift) -> str:
    told = f"{drift.event}\0{drift.field}\0{drift.kind}".encode("utf-8", "surrogatepass")
    return f"drift-{case.source}-{case.day_ms // DAY_MS}-{blake2b(told, digest_size=12).hexdigest()}"


def _drift_report(case: _Case, drift: Drift) -> SourceReport:
    properties = {
        "source": case.name,
        "event": drift.event,
        "field": drift.field,
        "change": str(drift.kind),
        "said": drift.said,
        "event_count": drift.event_count,
    }
    return SourceReport(case.name, _drift_id(case, drift), DRIFTED, properties)


def _standing_report(case: _Case) -> SourceReport:
    name = DEGRADED if case.standing is Standing.DEGRADED else RECOVERED
    properties = {
        "source": case.name,
        "day": to_iso(case.day_ms)[:10],
        "score": case.judgement.score,
        "usual_score": case.usual_score,
        "parts": {str(part): value for part, value in case.judgement.parts.items()},
        "reasons": [each.said for each in case.judgement.reasons],
    }
    return SourceReport(case.name, f"{case.standing}-{case.source}-{case.day_ms // DAY_MS}", name, properties)
