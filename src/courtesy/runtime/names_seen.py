"""The names and values that really came in lately: to tell those that are misspelt in a segment.

They are kept already: what each source sent is judged every day with all names and fields of a sample, and that is
kept for a year. What came since, and texts that a field had, are found in the latest events of the log.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import msgspec

from courtesy.base.ids import Position
from courtesy.base.time import DAY_MS, SECOND_MS, Clock
from courtesy.engine.contract import Engine
from courtesy.event.event import SEGMENT_ENTERED, SEGMENT_LEFT, Event, EventType, Party
from courtesy.person.record import Record
from courtesy.quality.day import decode_day
from courtesy.runtime.catalog import CatalogCache
from courtesy.segment.parsing import NameKind
from courtesy.segment.remarks import About, Seen

DAYS = 30
EVENTS_MAX = 2_000
"""Of the latest: some 30 ms of work."""

FRESH_MS = 10 * SECOND_MS
BREATH_EVENTS = 250
NAMES_MAX = 2_000
VALUES_MAX = 50
"""Texts that a field has at most for each of them to count as one of a few."""

TEXT_CHARS_MAX = 60
DEPTH_MAX = 6

_EVENT = msgspec.json.Decoder(Event)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_NAMES = {EventType.PAGE: "Page Viewed", EventType.SCREEN: "Screen Viewed"}
"""Of the calls that are called by their type elsewhere."""

_DONE = (EventType.TRACK, EventType.SYSTEM, *_NAMES)
"""The calls that tell of something done."""


class NamesSeen:
    """What came in lately, as known to one process; looked up again after `FRESH_MS`."""

    def __init__(self, engine: Engine, catalog: CatalogCache, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._clock = clock
        self._found: _Found | None = None
        self._found_ms = 0
        self._looking = asyncio.Lock()

    async def look(self) -> Seen:
        """The names and values, also those that are defined by now."""
        async with self._looking:
            now_ms = self._clock.now_ms()
            if self._found is None or not 0 <= now_ms - self._found_ms < FRESH_MS:
                self._found, self._found_ms = await self._look(now_ms), now_ms
        return self._found.seen(self._defined())

    async def _look(self, now_ms: int) -> _Found:
        found = _Found()
        for row in await self._engine.quality(None, now_ms - DAYS * DAY_MS, now_ms + DAY_MS):
            for name, use in decode_day(row.body).usage.names.items():
                found.add_usage(name, use.fields)
        head = await self._engine.head()
        first = Position(max(0, head - EVENTS_MAX))
        for number, record in enumerate(await self._engine.events_between(first, head, None, EVENTS_MAX)):
            if number % BREATH_EVENTS == 0:
                await asyncio.sleep(0)
            found.add_record(record)
        return found

    def _defined(self) -> Mapping[About, set[str]]:
        now = self._catalog.now
        centre = now.centre
        return {
            About(NameKind.SEGMENT): {name for name, each in now.segments.items() if not each.archived},
            About(NameKind.PURPOSE): {each.name for each in centre.purposes},
            About(NameKind.CHANNEL): {each.name for each in centre.channels},
            About(NameKind.TOPIC): {each.name for each in centre.topics},
            About(NameKind.SOURCE): {"name", "party"},
        }


class _Found:
    """Names and values by what they are of."""

    def __init__(self) -> None:
        self._names: dict[About, set[str]] = defaultdict(set)
        self._values: dict[tuple[About, str], set[str] | None] = {}

    def seen(self, defined: Mapping[About, set[str]]) -> Seen:
        """All of it, with what is defined."""
        kinds = self._names.keys() | defined.keys()
        names = {each: self._names.get(each, set()) | defined.get(each, set()) for each in kinds}
        values = {key: few for key, few in self._values.items() if few}
        values[About(NameKind.SOURCE), "party"] = set(map(str, Party))
        return Seen(names, values)

    def add_usage(self, name: str, fields: Mapping[str, object]) -> None:
        """What a day of a source had of a name, as quality calls it."""
        about = {
            str(EventType.IDENTIFY): About(NameKind.TRAIT),
            str(EventType.GROUP): About(NameKind.GROUP),
        }.get(name)
        if about is None:
            event = next((own for kind, own in _NAMES.items() if kind == name), name)
            self._name(About(NameKind.EVENT), event)
            about = About(NameKind.PROPERTY, event)
        for path in fields:
            self._name(about, path)
            if about.kind is NameKind.TRAIT and path.startswith("scores."):
                self._name(About(NameKind.SCORE), path.removeprefix("scores."))

    def add_record(self, record: Record) -> None:
        """What an event had; one that can't be read had nothing."""
        try:
            event = _EVENT.decode(record.payload)
            objects = [_object(each) for each in (event.traits, event.group_traits, event.context, event.properties)]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        traits, group_traits, context, properties = objects
        self._add(About(NameKind.TRAIT), traits)
        self._add(About(NameKind.GROUP), group_traits)
        self._add(About(NameKind.CONTEXT), context)
        scores = traits.get("scores")
        if isinstance(scores, dict):
            self._add(About(NameKind.SCORE), scores)
        name = _NAMES.get(event.type, event.name)
        if event.type in _DONE and name is not None and name not in (SEGMENT_ENTERED, SEGMENT_LEFT):
            self._name(About(NameKind.EVENT), name)
            self._add(About(NameKind.PROPERTY, name), properties)
        for choice in event.choices:
            for kind, word in zip((NameKind.PURPOSE, NameKind.CHANNEL, NameKind.TOPIC), choice.scope[:3], strict=True):
                self._name(About(kind), word)

    def _add(self, about: About, given: Mapping[str, Any], prefix: str = "", depth: int = 0) -> None:
        for name, value in given.items():
            path = prefix + name.replace("\\", "\\\\").replace(".", "\\.")
            self._name(about, path)
            if isinstance(value, dict) and depth < DEPTH_MAX:
                self._add(about, value, f"{path}.", depth + 1)
            elif isinstance(value, list) and depth < DEPTH_MAX:
                for each in value[:VALUES_MAX]:
                    if isinstance(each, dict):
                        self._add(About(NameKind.PROPERTY, path), each, "", depth + 1)
                    elif isinstance(each, str):
                        self._value(about, path, each)
            elif isinstance(value, str):
                self._value(about, path, value)

    def _name(self, about: About, name: str) -> None:
        names = self._names[about]
        if len(names) < NAMES_MAX:
            names.add(name)

    def _value(self, about: About, path: str, text: str) -> None:
        few = self._values.setdefault((about, path), set())
        if few is not None:
            few.add(text)
            if len(few) > VALUES_MAX or len(text) > TEXT_CHARS_MAX:
                self._values[about, path] = None


def _object(raw: msgspec.Raw) -> dict[str, Any]:
    content = bytes(raw)
    return {} if content in (b"", b"null") else _OBJECT.decode(content)
