"""All conditions that can be made of what is known of people: what they did, when, how much, and who they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import numpy as np

from courtesy.base.time import DAY_MS
from courtesy.runtime.discovery_tables import Tables, rows
from courtesy.segment.discovery import conditions as made
from courtesy.segment.discovery.conditions import Condition, days
from courtesy.segment.discovery.people import Numbers
from courtesy.segment.discovery.profile import Shown, pointer, shown
from courtesy.segment.moment import ZONE_TRAIT, Moment, zone_of
from courtesy.segment.tree import (
    ANYTHING,
    Compare,
    Event,
    Field,
    Function,
    Is,
    Measure,
    Sign,
    Sliding,
    Value,
    Which,
    Whose,
)
from courtesy.segment.values import instant_of

NAMES_MAX = 40
"""Names of events that are looked at; those that most people have."""

SEQUENCE_NAMES_MAX = 8
PROPERTIES_MAX = 12
TRAITS_MAX = 40
"""Properties of the events of a name, and traits: those that most of them have."""

VALUES_MAX = 20
"""Values of a property or trait; those that most people have."""

WINDOWS_DAYS = (7, 30, 90)
CHANGES_DAYS = (30, 90)

EVENT_CUTS = 3
"""Of the cuts of an amount those that few events reach are asked of single events: `where total >= 100`."""

SCORES = "scores."

NUMBERS = ["UBIGINT", "BIGINT", "HUGEINT", "DOUBLE"]
LABELS = ["VARCHAR", "BOOLEAN"]
"""How DuckDB calls types of JSON."""

_COUNTS = """
    SELECT number, count(*) AS ever, min(at_ms) AS first_ms, max(at_ms) AS last_ms,
        count(*) FILTER (at_ms > $since_7) AS since_7, count(*) FILTER (at_ms > $since_30) AS since_30,
        count(*) FILTER (at_ms > $since_60) AS since_60, count(*) FILTER (at_ms > $since_90) AS since_90,
        count(*) FILTER (at_ms > $since_180) AS since_180
    FROM happened WHERE name = $name OR ($name = '*' AND name IS NOT NULL)
    GROUP BY number
"""

_NAMES = """
    SELECT name FROM happened WHERE name IS NOT NULL GROUP BY name
    HAVING count(DISTINCT number) >= $least ORDER BY count(DISTINCT number) DESC, name LIMIT $most
"""

_NUMBERS = """
    SELECT number, sum(millionths) / 1e6 AS sum, sum(millionths) / 1e6 / count(*) AS average, max(amount) AS largest
    FROM (
        SELECT number, TRY_CAST(value AS DOUBLE) AS amount,
            CAST(TRY_CAST(round_even(TRY_CAST(value AS DOUBLE) * 1000000, 0) AS HUGEINT) AS DOUBLE) AS millionths
        FROM told
        WHERE path = $path AND at_ms > $since AND list_contains($types, type)
            AND isfinite(TRY_CAST(value AS DOUBLE))
    )
    GROUP BY number
"""

_KEYS = """
    CREATE OR REPLACE TEMP TABLE keys AS
    SELECT number, at_ms, CASE type
        WHEN 'VARCHAR' THEN 't' || lower(value ->> '$') WHEN 'BOOLEAN' THEN 'b' || value
        ELSE 'n' || CAST(TRY_CAST(value AS DOUBLE) AS VARCHAR)
    END AS key, true AS is_whole
    FROM told WHERE path = $path AND list_contains($types, type)
    UNION ALL
    -- An event counts once for a value that an array has twice.
    SELECT number, at_ms, unnest(list_distinct(list_transform(json_extract(value, '$[*]'), lambda each: CASE
        WHEN NOT list_contains($types, json_type(each)) THEN NULL
        WHEN json_type(each) = 'VARCHAR' THEN 't' || lower(each ->> '$')
        WHEN json_type(each) = 'BOOLEAN' THEN 'b' || each
        ELSE 'n' || CAST(TRY_CAST(each AS DOUBLE) AS VARCHAR)
    END))), false
    FROM told WHERE path = $path AND type = 'ARRAY'
"""

_FREQUENT = """
    SELECT key FROM keys WHERE key IS NOT NULL AND length(key) <= 100
    GROUP BY key HAVING count(DISTINCT number) >= $least
    ORDER BY count(DISTINCT number) DESC, key LIMIT $most
"""

_OF_KEY = """
    SELECT number, count(*) AS ever, count(*) FILTER (at_ms > $since_30) AS since_30,
        count(*) FILTER (at_ms > $since_90) AS since_90
    FROM keys WHERE key = $key GROUP BY number
"""

_OVER = """
    SELECT number, count(*) AS ever, count(*) FILTER (at_ms > $since_30) AS since_30,
        count(*) FILTER (at_ms > $since_90) AS since_90
    FROM told
    WHERE path = $path AND CASE WHEN list_contains($types, type) THEN TRY_CAST(value AS DOUBLE) >= $cut END
    GROUP BY number
"""

_DIFFERENT = """
    SELECT number, count(DISTINCT key) AS different FROM keys
    WHERE at_ms > $since AND is_whole GROUP BY number
"""

_STEPS = """
    CREATE OR REPLACE TEMP TABLE steps AS
    SELECT number, at_ms, list_position($names, name) AS step, row_number() OVER (ORDER BY number, at_ms, tie) AS place
    FROM happened WHERE list_contains($names, name)
"""

_FOLLOWED = """
    SELECT one.step, one.number, min(other.at_ms - one.at_ms) AS gap_ms
    FROM steps AS one
    ASOF JOIN (SELECT number, at_ms, place FROM steps WHERE step = $then) AS other
        ON one.number = other.number AND one.place < other.place
    GROUP BY one.step, one.number
"""


@dataclass(frozen=True, slots=True)
class Source:
    """Makes conditions as of `now_ms`, of at least so many people. `left_out`: names of events and paths of traits that
    no condition may be about."""

    tables: Tables
    now_ms: int
    least_people: int
    left_out: frozenset[str] = frozenset()

    def conditions(self) -> Iterator[Condition]:
        """All of them, one after another: each is to be taken in before the next is made."""
        names = self._names()
        for name in names:
            yield from self._of_event(Event(name))
        yield from self._of_event(Event(ANYTHING))
        yield from self._sequences(names[:SEQUENCE_NAMES_MAX])
        samples = self.tables.samples()
        for name in names:
            yield from self._of_properties(name, self._shown(samples.get(name, ()), PROPERTIES_MAX))
        yield from self._of_traits()
        yield from self._of_groups()

    def _shown(self, objects: Sequence[str], most: int) -> list[Shown]:
        return [each for each in shown(objects, most) if each.path not in self.left_out]

    def _rows(self, query: str, **values: object) -> dict[str, Any]:
        return rows(self.tables.connection, query, **values)

    def _of_all(self, found: Mapping[str, Any], name: str, missing: float) -> Any:
        """A column of an answer as one value for each person, `missing` for those whom it does not have."""
        values = np.full(self.tables.people.size, missing, np.asarray(missing).dtype)
        values[found["number"]] = found[name]
        return values

    def _starts(self, *spans_days: int) -> dict[str, int]:
        return {f"since_{span}": self.now_ms - span * DAY_MS for span in spans_days}

    def _since(self, window: Sliding | None) -> int:
        return -(2**62) if window is None else self.now_ms - window.span.count * DAY_MS

    # -- what they did, and when

    def _names(self) -> list[str]:
        found = self.tables.connection.execute(_NAMES, {"least": self.least_people, "most": NAMES_MAX}).fetchall()
        return [name for (name,) in found if name not in self.left_out and name != ANYTHING]

    def _of_event(self, event: Event) -> Iterator[Condition]:
        found = self._rows(_COUNTS, name=event.name, **self._starts(7, 30, 60, 90, 180))
        ever = self._of_all(found, "ever", 0)
        yield from made.counted(event, None, ever)
        for window in WINDOWS_DAYS:
            yield from made.counted(event, Sliding(days(window)), self._of_all(found, f"since_{window}", 0))
        for which, column in ((Which.FIRST, "first_ms"), (Which.LAST, "last_ms")):
            yield from made.began_or_ended(event, which, self._of_all(found, column, np.nan), self.now_ms)
        for span in CHANGES_DAYS:
            now, twice = self._of_all(found, f"since_{span}", 0), self._of_all(found, f"since_{2 * span}", 0)
            yield from made.changed(event, span, now, twice - now)

    def _sequences(self, names: Sequence[str]) -> Iterator[Condition]:
        self.tables.connection.execute(_STEPS, {"names": list(names)})
        for then, last in enumerate(names, start=1):
            found = self._rows(_FOLLOWED, then=then)
            for step, first in enumerate(names, start=1):
                of_first = {name: column[found["step"] == step] for name, column in found.items()}
                yield from made.followed(Event(first), Event(last), self._of_all(of_first, "gap_ms", np.nan))

    # -- how much, and of what

    def _of_properties(self, name: str, paths: Sequence[Shown]) -> Iterator[Condition]:
        if not paths:
            return
        self.tables.read_properties(name, [pointer(each.path) for each in paths])
        for place, each in enumerate(paths, start=1):
            if each.is_amount:
                yield from self._amounts(name, each, place)
            if not each.is_date:
                yield from self._labels(name, each, place)

    def _amounts(self, name: str, each: Shown, place: int) -> Iterator[Condition]:
        for cut in made.cuts(np.asarray(each.amounts))[-EVENT_CUTS:]:
            event = Event(name, Field(each.path, Compare(Sign.AT_LEAST, made.whole(cut))))
            yield from self._filtered(
                event, self._rows(_OVER, path=place, cut=cut, types=NUMBERS, **self._starts(30, 90))
            )
        for window in (None, *(Sliding(days(each)) for each in WINDOWS_DAYS[1:])):
            found = self._rows(_NUMBERS, path=place, types=NUMBERS, since=self._since(window))
            for function in (Function.SUM, Function.AVERAGE, Function.LARGEST):
                # Of nobody's nothing the sum is 0, and the others are not there.
                missing = 0.0 if function is Function.SUM else np.nan
                values = self._of_all(found, function.value, missing)
                yield from made.measured(Measure(function, each.path, Event(name), window), values)

    def _filtered(self, event: Event, found: Mapping[str, Any]) -> Iterator[Condition]:
        for window, column in ((None, "ever"), (Sliding(days(30)), "since_30"), (Sliding(days(90)), "since_90")):
            yield from made.counted(event, window, self._of_all(found, column, 0))

    def _labels(self, name: str, each: Shown, place: int) -> Iterator[Condition]:
        for value, key in self._frequent(each, place):
            event = Event(name, Field(each.path, Is((value,))))
            yield from self._filtered(event, self._rows(_OF_KEY, key=key, **self._starts(30, 90)))
        if not each.is_amount:
            for window in (None, Sliding(days(90))):
                found = self._rows(_DIFFERENT, since=self._since(window))
                values = self._of_all(found, "different", 0.0)
                yield from made.measured(Measure(Function.DIFFERENT, each.path, Event(name), window), values)

    def _frequent(self, each: Shown, place: int) -> list[tuple[Value, str]]:
        """The values that most people have under a path, with what stands for them in `keys`, which is filled."""
        types = [*LABELS, *(() if each.is_amount else NUMBERS)]
        self.tables.connection.execute(_KEYS, {"path": place, "types": types})
        found = self.tables.connection.execute(_FREQUENT, {"least": self.least_people, "most": VALUES_MAX}).fetchall()
        return [(_value(key, each.spelled), key) for (key,) in found]

    # -- who they are

    def _of_traits(self) -> Iterator[Condition]:
        paths = self._shown(self.tables.sample_traits(), TRAITS_MAX)
        if not paths:
            return
        self.tables.read_traits([*(pointer(each.path) for each in paths), pointer(ZONE_TRAIT)])
        zones = self._texts(len(paths) + 1)
        for place, each in enumerate(paths, start=1):
            whose, path = Whose.PERSON, each.path
            if path.startswith(SCORES):
                whose, path = Whose.SCORE, path.removeprefix(SCORES)
            if each.is_amount:
                yield from made.numbered(path, whose, self._scalars(place))
            if each.is_date:
                yield from made.dated(path, whose, self._instants(place, zones), self.now_ms)
            else:
                yield from self._values(path, whose, each, place)

    def _values(self, path: str, whose: Whose, each: Shown, place: int) -> Iterator[Condition]:
        for value, key in self._frequent(each, place):
            found = self._rows(_OF_KEY, key=key, **self._starts(30, 90))
            yield from made.valued(path, whose, value, self._of_all(found, "ever", 0) > 0)

    def _of_groups(self) -> Iterator[Condition]:
        paths = self._shown(self.tables.sample_group_traits(), TRAITS_MAX)
        if not paths:
            return
        self.tables.read_group_traits([pointer(each.path) for each in paths])
        for place, each in enumerate(paths, start=1):
            # A number of one of several groups has no order among people: only what is said of any of them is asked.
            if not each.is_date:
                yield from self._values(each.path, Whose.GROUP, each, place)

    def _scalars(self, place: int) -> Numbers:
        query = """
            SELECT number, TRY_CAST(value AS DOUBLE) AS value FROM told
            WHERE path = $path AND list_contains($types, type) AND isfinite(TRY_CAST(value AS DOUBLE))
        """
        values: Numbers = self._of_all(self._rows(query, path=place, types=NUMBERS), "value", np.nan)
        return values

    def _texts(self, place: int) -> dict[int, str]:
        """The text of a trait, by the number of the person."""
        query = "SELECT number, value ->> '$' FROM told WHERE path = $path AND type = 'VARCHAR'"
        return dict(self.tables.connection.execute(query, {"path": place}).fetchall())

    def _instants(self, place: int, zones: Mapping[int, str]) -> Numbers:
        instants: Numbers = np.full(self.tables.people.size, np.nan)
        for number, text in self._texts(place).items():
            zone = zone_of({ZONE_TRAIT: zones.get(number)}, UTC)
            at_ms = instant_of(text, Moment(self.now_ms, zone))
            instants[number] = np.nan if at_ms is None else at_ms
        return instants


def _value(key: str, spelled: Mapping[str, str]) -> Value:
    kind, text = key[0], key[1:]
    match kind:
        case "t":
            return spelled.get(text, text)
        case "b":
            return text == "true"
        case _:
            number = float(text)
            return int(number) if number.is_integer() else number
