"""Reading: one person from one snapshot, their records, the evidence, counts and the state of partitions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from courtesy.base.ids import Partition, PersonId, Position, SourceId
from courtesy.engine.contract import (
    Alarm,
    Count,
    HeldIdentifier,
    IdentityReading,
    PartitionStatus,
    PersonReading,
    Poisoned,
    Quarantined,
)
from courtesy.engine_postgres.connection import Connected
from courtesy.engine_postgres.folding import RECORD_COLUMNS, record_of
from courtesy.event.cause import Cause, Fate
from courtesy.identity.resolve import Evidence, Link, LinkRefusal, Merge, RefusalReason
from courtesy.person.record import Record

_BY_IDENTIFIER = "(SELECT person_id FROM identifier WHERE identifier = %s)"
_BY_PERSON = "coalesce((SELECT root FROM merged_person WHERE person_id = %s), %s)"
_WHO = "SELECT {root}, (SELECT position FROM log_head)"
_IDENTIFIERS = """
SELECT identifier, shared, source_id, message_id, since FROM identifier WHERE person_id = {root}
ORDER BY since, identifier
"""
_STATES = """
SELECT person_id, state FROM (
    SELECT {root} AS person_id UNION SELECT person_id FROM merged_person WHERE root = {root}
) AS one LEFT JOIN person_state USING (person_id)
"""
_TAIL = """
SELECT {columns} FROM log JOIN partition_state AS progress USING (partition)
WHERE person_id IN (SELECT {root} UNION SELECT person_id FROM merged_person WHERE root = {root})
  AND position > progress.folded ORDER BY position
"""
_LINKS = """
SELECT DISTINCT a, b, source_id, message_id, at, reason FROM link
WHERE a IN (SELECT identifier FROM identifier WHERE person_id = %(person)s)
   OR b IN (SELECT identifier FROM identifier WHERE person_id = %(person)s) ORDER BY at, a, b
"""
_MERGES = """
SELECT loser, survivor, a, b, source_id, message_id, at, reason FROM merge
WHERE survivor = %(person)s OR survivor IN (SELECT person_id FROM merged_person WHERE root = %(person)s)
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
SELECT source_id, cause, detail, received, message_id, raw, number FROM quarantine
WHERE (%(source)s::int IS NULL OR source_id = %(source)s::int)
  AND (%(cause)s::text IS NULL OR cause = %(cause)s::text)
  AND (%(before)s::bigint IS NULL OR number < %(before)s::bigint)
ORDER BY number DESC LIMIT %(limit)s
"""
_STATUS = """
SELECT progress.partition, progress.folded, coalesce(tail.unfolded, 0), first.received, progress.owner
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


def _person_id(identifier: str) -> int | None:
    """The id in `person:<id>`, None for anything else."""
    text = identifier.removeprefix("person:")
    return int(text) if text != identifier and text.isascii() and text.isdigit() and len(text) < 19 else None


class _Query:
    """The four statements that read a person, for one way of naming them."""

    def __init__(self, root: str) -> None:
        self.uses = root.count("%s")
        self.who = _WHO.format(root=root)
        self.identifiers = _IDENTIFIERS.format(root=root)
        self.states = _STATES.format(root=root)
        columns = ", ".join(f"log.{each.strip()}" for each in RECORD_COLUMNS.split(","))
        self.tail = _TAIL.format(root=root, columns=columns)


_QUERY_BY_IDENTIFIER = _Query(_BY_IDENTIFIER)
_QUERY_BY_PERSON = _Query(_BY_PERSON)


class Reading(Connected):
    """The engine's reading side."""

    async def head(self) -> Position:
        return Position((await self._rows("SELECT position FROM log_head"))[0][0])

    async def read_person(self, identifier: str) -> PersonReading | None:
        number = _person_id(identifier)
        query, name = (_QUERY_BY_IDENTIFIER, identifier) if number is None else (_QUERY_BY_PERSON, number)
        async with self._connection() as connection, connection.pipeline() as pipeline:
            # All statements go out at once: one round trip, one snapshot.
            await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursors = [
                await connection.execute(text, [name] * text.count("%s"), binary=True)
                for text in (query.who, query.identifiers, query.states, query.tail)
            ]
            await connection.execute("COMMIT")
            await pipeline.sync()
            who, identifiers, states, tail = [await cursor.fetchall() for cursor in cursors]
        person, head = who[0]
        if person is None or (not identifiers and all(state is None for _, state in states) and not tail):
            return None
        return PersonReading(
            person=PersonId(person),
            head=Position(head),
            identifiers=[HeldIdentifier(key, shared, SourceId(src), *rest) for key, shared, src, *rest in identifiers],
            merged=sorted(PersonId(one) for one, _ in states if one != person),
            states=[state for _, state in states if state is not None],
            tail=[record_of(row) for row in tail],
        )

    async def records_of(self, people: Collection[PersonId], before: Position | None, limit: int) -> list[Record]:
        rows = await self._rows(
            f"SELECT {RECORD_COLUMNS} FROM log WHERE person_id = ANY(%b::bigint[])"
            " AND position < %s ORDER BY position DESC LIMIT %s",
            list(people),
            2**63 - 1 if before is None else before,
            limit,
        )
        return [record_of(row) for row in rows]

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
            " ORDER BY hour, source_id, fate, cause",
            from_ms,
            to_ms,
        )
        return [
            Count(SourceId(source), hour, Fate(fate), Cause(cause) if cause else None, count)
            for source, hour, fate, cause, count in rows
        ]

    async def quarantined(
        self, source: SourceId | None, cause: Cause | None, before: int | None, limit: int
    ) -> list[Quarantined]:
        parameters = {"source": source, "cause": cause, "before": before, "limit": limit}
        async with self._connection() as connection:
            rows = await (await connection.execute(_QUARANTINED, parameters, binary=True)).fetchall()
        return [Quarantined(SourceId(src), Cause(why), *rest) for src, why, *rest in rows]

    async def poisoned(self, limit: int) -> list[Poisoned]:
        rows = await self._rows(
            f"SELECT {RECORD_COLUMNS}, error, set_aside FROM poisoned ORDER BY position DESC LIMIT %s", limit
        )
        return [Poisoned(record_of(row[:9]), row[9], row[10]) for row in rows]

    async def status(self) -> list[PartitionStatus]:
        rows = await self._rows(_STATUS)
        return [PartitionStatus(Partition(row[0]), Position(row[1]), *row[2:]) for row in rows]

    async def person_count(self) -> int:
        return int((await self._rows("SELECT count(DISTINCT person_id) FROM identifier"))[0][0])


def _evidence(source: int, message_id: str, at: Any) -> Evidence:
    return Evidence(SourceId(source), message_id, at)
