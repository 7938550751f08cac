"""Reading: one person from one snapshot, their records, the evidence, counts and the state of partitions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from courtesy.base.ids import PARTITION_FACTOR, Partition, PersonId, Position, SourceId
from courtesy.base.time import Clock
from courtesy.engine.contract import (
    Alarm,
    Count,
    HeldIdentifier,
    IdentityReading,
    PartitionStatus,
    PersonReading,
    Poisoned,
    Quarantined,
    QuarantineGroup,
)
from courtesy.engine_postgres.connection import Connected
from courtesy.engine_postgres.records import RECORD_COLUMNS, record_of
from courtesy.event.cause import Cause, Fate
from courtesy.identity.resolve import Evidence, Link, LinkRefusal, Merge, RefusalReason
from courtesy.identity.rules import SOURCE_KIND
from courtesy.person.record import Record, RecordKind

_BY_IDENTIFIER = "(SELECT person_id FROM identifier WHERE identifier = %s)"
_BY_PERSON = "coalesce((SELECT root FROM merged_person WHERE person_id = %s), %s)"
# One statement, so one snapshot and one round trip. Its parts share columns; `part` tells which a row belongs to. The
# tail is asked for person by person: before a table's first ANALYZE a plain join would scan the whole log.
_PERSON = """
WITH root AS (SELECT {root} AS person_id),
everyone AS (
    SELECT person_id FROM root WHERE person_id IS NOT NULL
    UNION SELECT merged_person.person_id FROM merged_person JOIN root ON merged_person.root = root.person_id
)
SELECT 0 AS part, root.person_id AS person, log_head.position, NULL::smallint AS partition, NULL::smallint AS kind,
    NULL::bigint AS at, NULL::bigint AS received, NULL::int AS source, NULL::bytea AS key, NULL::bytea AS payload,
    NULL::text AS identifier, NULL::text AS message_id, NULL::boolean AS shared
FROM root, log_head
UNION ALL
SELECT 1, NULL, NULL, NULL, NULL, since, NULL, source_id, NULL, NULL, identifier, message_id, shared
FROM identifier JOIN root USING (person_id)
UNION ALL
SELECT 2, everyone.person_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, state, NULL, NULL, NULL
FROM everyone LEFT JOIN person_state USING (person_id)
UNION ALL
SELECT 3, person_id, tail.*, NULL, NULL, NULL
FROM everyone
JOIN partition_state AS progress ON progress.partition = {partition}
CROSS JOIN LATERAL (
    SELECT position, log.partition, kind, at, received, source_id, key, payload FROM log
    WHERE log.person_id = everyone.person_id AND position > progress.folded ORDER BY position
) AS tail
"""
# The same of many, each row with the root to whom it belongs; part 0 says who was asked for.
_PEOPLE = """
WITH asked AS (
    SELECT given.person_id AS asked, coalesce(merged_person.root, given.person_id) AS root
    FROM unnest(%b::bigint[]) AS given (person_id) LEFT JOIN merged_person USING (person_id)
), everyone AS (
    SELECT root, root AS person_id FROM asked
    UNION SELECT merged_person.root, merged_person.person_id FROM merged_person JOIN asked USING (root)
)
SELECT 0 AS part, root, asked AS person, log_head.position, NULL::smallint AS partition, NULL::smallint AS kind,
    NULL::bigint AS at, NULL::bigint AS received, NULL::int AS source, NULL::bytea AS key, NULL::bytea AS payload,
    NULL::text AS identifier, NULL::text AS message_id, NULL::boolean AS shared
FROM asked, log_head
UNION ALL
SELECT 1, person_id, NULL, NULL, NULL, NULL, since, NULL, source_id, NULL, NULL, identifier, message_id, shared
FROM identifier WHERE person_id IN (SELECT root FROM asked)
UNION ALL
SELECT 2, root, person_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, state, NULL, NULL, NULL
FROM everyone LEFT JOIN person_state USING (person_id)
UNION ALL
SELECT 3, root, person_id, tail.*, NULL, NULL, NULL
FROM everyone
JOIN partition_state AS progress ON progress.partition = {partition}
CROSS JOIN LATERAL (
    SELECT position, log.partition, kind, at, received, source_id, key, payload FROM log
    WHERE log.person_id = everyone.person_id AND position > progress.folded ORDER BY position
) AS tail
"""
_PERSON_COUNT = f"""
SELECT count(DISTINCT person_id) FROM identifier
WHERE NOT starts_with(identifier, 'group:') AND NOT starts_with(identifier, '{SOURCE_KIND}:')
"""
_IS_PERSONS = f"NOT starts_with(identifier, 'group:') AND NOT starts_with(identifier, '{SOURCE_KIND}:')"
_SOME_PEOPLE = f"""
WITH RECURSIVE step AS (
    SELECT bounds.low + (bounds.high - bounds.low) * number / greatest(%(count)s::bigint - 1, 1) AS at
    FROM (SELECT min(person_id) AS low, max(person_id) AS high FROM identifier) AS bounds,
        generate_series(0, %(count)s::bigint - 1) AS number
), first AS (
    (SELECT person_id, 1 AS number FROM identifier WHERE {_IS_PERSONS} ORDER BY person_id LIMIT 1)
    UNION ALL
    SELECT (SELECT person_id FROM identifier WHERE person_id > first.person_id AND {_IS_PERSONS}
            ORDER BY person_id LIMIT 1), number + 1
    FROM first WHERE number < %(count)s AND person_id IS NOT NULL
)
SELECT DISTINCT true AS is_spread, met.person_id FROM step CROSS JOIN LATERAL
    (SELECT person_id FROM identifier WHERE person_id >= step.at AND {_IS_PERSONS} ORDER BY person_id LIMIT 1) AS met
UNION ALL
SELECT false, person_id FROM first WHERE person_id IS NOT NULL
ORDER BY 1 DESC, 2
"""
"""Who is met first from each of evenly spread ids; and the first by id, for where these lie too close together."""

_LINKS = """
SELECT DISTINCT a, b, source_id, message_id, at, reason FROM link
WHERE a IN (SELECT identifier FROM identifier WHERE person_id = %(person)s)
   OR b IN (SELECT identifier FROM identifier WHERE person_id = %(person)s) ORDER BY at, a, b
"""
_MERGES = """
SELECT loser, survivor, a, b, source_id, message_id, at, reason FROM merge
WHERE undone IS NULL
  AND (survivor = %(person)s OR survivor IN (SELECT person_id FROM merged_person WHERE root = %(person)s))
ORDER BY number
"""
_REFUSALS = """
SELECT identifier, person_id, reason, source_id, message_id, last_at FROM link_refusal
WHERE person_id = %(person)s OR person_id IN (SELECT person_id FROM merged_person WHERE root = %(person)s)
ORDER BY last_at, identifier
"""
_ALARMS = """
SELECT identifier, count(DISTINCT person_id), sum(refusal_count)::bigint, min(first_at), max(last_at),
    (array_agg(message_id ORDER BY last_at DESC))[1]
FROM link_refusal WHERE reason = 'other_person' GROUP BY identifier HAVING count(DISTINCT person_id) >= %s
ORDER BY 3 DESC, 1 LIMIT %s
"""
_QUARANTINED = """
SELECT source_id, cause, detail, received, message_id, raw, number, signature, circumstances, mended, file
FROM quarantine
WHERE (%(source)s::int IS NULL OR source_id = %(source)s::int)
  AND (%(cause)s::text IS NULL OR cause = %(cause)s::text)
  AND (%(before)s::bigint IS NULL OR number < %(before)s::bigint)
  AND (%(signature)s::text IS NULL OR signature = %(signature)s::text)
  AND (%(numbers)b::bigint[] IS NULL OR number = ANY(%(numbers)b::bigint[]))
ORDER BY number DESC LIMIT %(limit)s
"""
_QUARANTINE_GROUPS = """
SELECT source_id, cause, signature, count(*), min(received), max(received), max(number) FROM quarantine
WHERE (%(source)s::int IS NULL OR source_id = %(source)s::int)
  AND (%(cause)s::text IS NULL OR cause = %(cause)s::text)
GROUP BY source_id, cause, signature ORDER BY count(*) DESC, max(number) DESC
"""
# Each partition's part is found by its primary key and read from its end; the parts are then put together.
_EVENTS_BETWEEN = f"""
SELECT recent.* FROM partition_state AS progress CROSS JOIN LATERAL (
    SELECT {RECORD_COLUMNS} FROM log
    WHERE log.partition = progress.partition AND position > %(after)s AND position <= %(upto)s
      AND kind = {RecordKind.EVENT.value} AND (%(source)s::int IS NULL OR source_id = %(source)s::int)
    ORDER BY position DESC LIMIT %(limit)s
) AS recent ORDER BY position DESC LIMIT %(limit)s
"""
_FIRST_AFTER = """
SELECT first.position, first.received FROM partition_state AS progress CROSS JOIN LATERAL (
    SELECT position, received FROM log WHERE log.partition = progress.partition AND position > %s
    ORDER BY position LIMIT 1
) AS first ORDER BY position LIMIT 1
"""
_STATUS = """
SELECT progress.partition, progress.folded, coalesce(tail.unfolded, 0), first.received,
    CASE WHEN progress.expires > %s THEN progress.owner END
FROM partition_state AS progress
LEFT JOIN LATERAL (
    SELECT count(*) AS unfolded FROM log
    WHERE log.partition = progress.partition AND log.position > progress.folded
) AS tail ON true
LEFT JOIN LATERAL (
    SELECT received FROM log WHERE log.partition = progress.partition AND log.position > progress.folded
    ORDER BY position LIMIT 1
) AS first ON true
ORDER BY progress.partition
"""


def person_id(identifier: str) -> int | None:
    """The id in `person:<id>`, None for anything else."""
    text = identifier.removeprefix("person:")
    return int(text) if text != identifier and text.isascii() and text.isdigit() and len(text) < 19 else None


# `partition_of` in SQL, so that the tail is found by an index: person and position, after the partition's folded one.
PARTITION_OF = f"div(mod({{person}} * {PARTITION_FACTOR}::numeric, {2**64}) * %s, {2**64})::smallint"
_PARTITION = PARTITION_OF.format(person="everyone.person_id")
_PERSON_BY_IDENTIFIER = _PERSON.format(root=_BY_IDENTIFIER, partition=_PARTITION)
_PERSON_BY_NUMBER = _PERSON.format(root=_BY_PERSON, partition=_PARTITION)
_PEOPLE_BY_NUMBER = _PEOPLE.format(partition=_PARTITION)


class Reading(Connected):
    """The engine's reading side."""

    _clock: Clock
    partition_count: int

    async def head(self) -> Position:
        return Position((await self._rows("SELECT position FROM log_head"))[0][0])

    async def read_person(self, identifier: str) -> PersonReading | None:
        number = person_id(identifier)
        if number is None:
            rows = await self._rows(_PERSON_BY_IDENTIFIER, identifier, self.partition_count)
        else:
            rows = await self._rows(_PERSON_BY_NUMBER, number, number, self.partition_count)
        return _person_reading(rows)

    async def read_people(self, people: Collection[PersonId]) -> dict[PersonId, PersonReading]:
        rows = await self._rows_planned(_PEOPLE_BY_NUMBER, list(people), self.partition_count) if people else []
        of_root: dict[int, list[tuple[Any, ...]]] = {}
        for part, root, *rest in rows:
            if part:
                of_root.setdefault(root, []).append((part, *rest))
        found: dict[PersonId, PersonReading] = {}
        for part, root, asked, *rest in rows:
            if part == 0:
                reading = _person_reading([(part, root, *rest), *of_root.get(root, ())])
                if reading is not None:
                    found[PersonId(asked)] = reading
        return found

    async def records_of(self, people: Collection[PersonId], before: Position | None, limit: int) -> list[Record]:
        rows = await self._rows(
            f"SELECT {RECORD_COLUMNS} FROM log WHERE person_id = ANY(%b::bigint[])"
            " AND position < %s ORDER BY position DESC LIMIT %s",
            list(people),
            2**63 - 1 if before is None else before,
            limit,
        )
        return [record_of(row) for row in rows]

    async def events_between(
        self, after: Position, upto: Position, source: SourceId | None, limit: int
    ) -> list[Record]:
        parameters = {"after": after, "upto": upto, "source": source, "limit": limit}
        async with self._connection() as connection:
            rows = await (await connection.execute(_EVENTS_BETWEEN, parameters, binary=True)).fetchall()
        return [record_of(row) for row in rows]

    async def position_before(self, received_ms: int) -> Position:
        low, high = 0, int(await self.head())
        while low < high:
            middle = (low + high) // 2
            rows = await self._rows(_FIRST_AFTER, middle)
            if rows and rows[0][0] <= high and rows[0][1] < received_ms:
                low = rows[0][0]
            else:
                high = middle
        return Position(low)

    async def identity_of(self, person: PersonId) -> IdentityReading:
        async with self._connection() as connection:
            links, merges, refusals = [
                await (await connection.execute(text, {"person": person}, binary=True)).fetchall()
                for text in (_LINKS, _MERGES, _REFUSALS)
            ]
        return IdentityReading(
            [Link(a, b, _evidence(src, message, at), reason) for a, b, src, message, at, reason in links],
            [
                Merge(PersonId(loser), PersonId(survivor), a, b, _evidence(src, message, at), reason)
                for loser, survivor, a, b, src, message, at, reason in merges
            ],
            [
                LinkRefusal(key, PersonId(who), RefusalReason(reason), _evidence(src, message, at))
                for key, who, reason, src, message, at in refusals
            ],
        )

    async def alarms(self, degree: int, limit: int) -> list[Alarm]:
        return [Alarm(*row) for row in await self._rows(_ALARMS, degree, limit)]

    async def counts(self, from_ms: int, to_ms: int) -> list[Count]:
        rows = await self._rows(
            "SELECT source_id, hour, fate, cause, event_count FROM accept_count WHERE hour >= %s AND hour < %s"
            " AND event_count <> 0 ORDER BY hour, source_id, fate, cause",
            from_ms,
            to_ms,
        )
        return [
            Count(SourceId(source), hour, Fate(fate), Cause(cause) if cause else None, count)
            for source, hour, fate, cause, count in rows
        ]

    async def quarantined(
        self,
        source: SourceId | None,
        cause: Cause | None,
        before: int | None,
        limit: int,
        *,
        signature: str | None = None,
        numbers: Collection[int] | None = None,
    ) -> list[Quarantined]:
        parameters = {
            "source": source,
            "cause": cause,
            "before": before,
            "limit": limit,
            "signature": signature,
            "numbers": None if numbers is None else list(numbers),
        }
        async with self._connection() as connection:
            rows = await (await connection.execute(_QUARANTINED, parameters, binary=True)).fetchall()
        return [Quarantined(SourceId(src), Cause(why), *rest) for src, why, *rest in rows]

    async def quarantine_groups(self, source: SourceId | None, cause: Cause | None) -> list[QuarantineGroup]:
        async with self._connection() as connection:
            cursor = await connection.execute(_QUARANTINE_GROUPS, {"source": source, "cause": cause}, binary=True)
            rows = await cursor.fetchall()
        return [QuarantineGroup(SourceId(src), Cause(why), *rest) for src, why, *rest in rows]

    async def poisoned(self, limit: int) -> list[Poisoned]:
        rows = await self._rows(
            f"SELECT {RECORD_COLUMNS}, error, set_aside FROM poisoned ORDER BY position DESC LIMIT %s", limit
        )
        return [Poisoned(record_of(row[:9]), row[9], row[10]) for row in rows]

    async def status(self) -> list[PartitionStatus]:
        rows = await self._rows(_STATUS, self._clock.now_ms())
        return [PartitionStatus(Partition(row[0]), Position(row[1]), *row[2:]) for row in rows]

    async def person_count(self) -> int:
        rows = await self._rows(_PERSON_COUNT)
        return int(rows[0][0])

    async def some_people(self, count: int) -> list[PersonId]:
        async with self._connection() as connection:
            cursor = await connection.execute(_SOME_PEOPLE, {"count": count}, binary=True)
            rows = await cursor.fetchall()
        return sorted(list(dict.fromkeys(PersonId(person) for _, person in rows))[:count])


def _person_reading(rows: list[tuple[Any, ...]]) -> PersonReading | None:
    parts: tuple[list[tuple[Any, ...]], ...] = ([], [], [], [])
    for row in rows:
        parts[row[0]].append(row[1:])
    who, identifiers, states, tail = parts
    person, head = who[0][:2]
    if person is None or (not identifiers and all(row[8] is None for row in states) and not tail):
        return None
    held = [
        HeldIdentifier(key, shared, SourceId(src), msg, at) for *_, at, _, src, _, _, key, msg, shared in identifiers
    ]
    return PersonReading(
        person=PersonId(person),
        head=Position(head),
        identifiers=sorted(held, key=lambda each: (each.since_ms, each.identifier)),
        merged=sorted(PersonId(row[0]) for row in states if row[0] != person),
        states=[row[8] for row in states if row[8] is not None],
        tail=sorted(_tail_record(row) for row in tail),
    )


def _tail_record(row: tuple[Any, ...]) -> Record:
    who, position, partition, kind, at, received, source, key, payload, *_ = row
    return record_of((position, partition, who, kind, at, received, source, key, payload))


def _evidence(source: int, message_id: str, at: Any) -> Evidence:
    return Evidence(SourceId(source), message_id, at)
