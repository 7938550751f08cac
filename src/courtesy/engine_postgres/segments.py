"""Segments: who is in which, what each hour counted, and how far each is."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from courtesy.base.ids import PersonId, Position, partition_of
from courtesy.engine.segment import (
    HourFlow,
    Member,
    MemberKey,
    MembershipChange,
    SegmentSize,
    SegmentStage,
    SegmentState,
    ValueSize,
    membership_write,
)
from courtesy.engine_postgres.connection import Connected, Connection

_COLUMNS = "segment, value, person_id, entered"
_KNOWN = """
SELECT member.segment, member.value, member.person_id FROM segment_member AS member
JOIN unnest(%b::bigint[], %b::text[], %b::bigint[]) AS named (segment, value, person_id)
    ON member.segment = named.segment AND member.value = named.value AND member.person_id = named.person_id
"""
_ENTER = """
INSERT INTO segment_member (segment, value, person_id, entered)
SELECT * FROM unnest(%b::bigint[], %b::text[], %b::bigint[], %b::bigint[])
ON CONFLICT (segment, value, person_id) DO UPDATE SET entered = excluded.entered
"""
_LEAVE = """
DELETE FROM segment_member AS member
USING unnest(%b::bigint[], %b::text[], %b::bigint[]) AS gone (segment, value, person)
WHERE member.segment = gone.segment AND member.value = gone.value AND member.person_id = gone.person
"""
_COUNT = """
INSERT INTO segment_hour (segment, hour, partition, entered_count, left_count)
SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::smallint[], %b::bigint[], %b::bigint[])
ON CONFLICT (segment, hour, partition) DO UPDATE SET
    entered_count = segment_hour.entered_count + excluded.entered_count,
    left_count = segment_hour.left_count + excluded.left_count
"""
FORGET_IN_SEGMENTS = """
WITH gone AS (DELETE FROM segment_member WHERE person_id = ANY(%(people)s::bigint[]) RETURNING segment)
INSERT INTO segment_hour (segment, hour, partition, entered_count, left_count)
SELECT segment, %(at)s::bigint / 3600000 * 3600000, -1, 0, count(*) FROM gone GROUP BY segment ORDER BY segment
ON CONFLICT (segment, hour, partition) DO UPDATE SET left_count = segment_hour.left_count + excluded.left_count
"""
"""Under a partition that there is not, lest who counts them wait for a fold or let one wait."""

_MEMBERS = f"""
SELECT {_COLUMNS} FROM segment_member
WHERE segment = %(segment)s AND (value, person_id) > (%(value)s, %(person)s)
ORDER BY value, person_id LIMIT %(limit)s
"""
_MEMBERS_FOR = f"""
SELECT {_COLUMNS} FROM segment_member WHERE segment = %s AND value = %s AND person_id > %s ORDER BY person_id LIMIT %s
"""
_SINCE = f"""
SELECT {_COLUMNS} FROM segment_member WHERE segment = %s AND entered >= %s
ORDER BY entered DESC, value, person_id LIMIT %s
"""
# From as many numbers, evenly between the first and the last, on to the next who is in.
_SAMPLE = f"""
WITH ends AS (
    SELECT min(person_id) AS first, max(person_id) AS last FROM segment_member WHERE segment = %(segment)s
        AND value = %(value)s
), probe AS (
    SELECT DISTINCT first + (last - first + 1) * step / %(limit)s AS number
    FROM ends, generate_series(0, %(limit)s - 1) AS step WHERE first IS NOT NULL
)
SELECT DISTINCT next.* FROM probe CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM segment_member
    WHERE segment = %(segment)s AND value = %(value)s AND person_id >= probe.number ORDER BY person_id LIMIT 1
) AS next ORDER BY next.person_id
"""
_VALUES = """
SELECT value, count(*) FROM segment_member WHERE segment = %s GROUP BY value ORDER BY count(*) DESC, value LIMIT %s
"""
_OVERLAP = """
SELECT of, count(*) FROM (
    SELECT array_agg(DISTINCT segment ORDER BY segment) AS of FROM segment_member
    WHERE segment = ANY(%b::bigint[]) GROUP BY person_id
) AS person GROUP BY of
"""
_SIZES = """
SELECT segment, count(DISTINCT person_id), count(*) FROM segment_member
WHERE segment = ANY(%b::bigint[]) GROUP BY segment
"""
_IDENTIFIERS = """
SELECT person_id, array_agg(identifier ORDER BY identifier) FROM identifier WHERE person_id = ANY(%b::bigint[])
GROUP BY person_id
"""
_SET_STATE = """
INSERT INTO segment_state (segment, revision, stage, position, at, member_count) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (segment) DO UPDATE SET revision = excluded.revision, stage = excluded.stage,
    position = excluded.position, at = excluded.at, member_count = excluded.member_count
"""


async def put_memberships(connection: Connection, changes: Sequence[MembershipChange], partition_count: int) -> None:
    """Let people enter and leave, within the transaction of a fold's commit, in which nobody else folds them."""
    named = sorted({MemberKey(each.segment, each.value, each.person) for each in changes})
    cursor = await connection.execute(_KNOWN, _columns(named), binary=True)
    known = {MemberKey(*row) for row in await cursor.fetchall()}
    partitions = {each.person: partition_of(each.person, partition_count) for each in changes}
    write = membership_write(known, changes, partitions)
    if write.left:
        await connection.execute(_LEAVE, _columns(sorted(write.left)))
    if write.entered:
        keys = sorted(write.entered)
        await connection.execute(_ENTER, (*_columns(keys), [write.entered[key] for key in keys]))
    if write.flows:
        rows = [(*hour, *counts) for hour, counts in sorted(write.flows.items())]
        await connection.execute(_COUNT, [list(column) for column in zip(*rows, strict=True)])


def _columns(keys: Sequence[MemberKey]) -> list[list[object]]:
    return [list(column) for column in zip(*keys, strict=True)]


class Segments(Connected):
    """The engine's segments."""

    async def segments_of(self, people: Collection[PersonId]) -> list[Member]:
        query = f"SELECT {_COLUMNS} FROM segment_member WHERE person_id = ANY(%b::bigint[])"
        return sorted(_member(row) for row in await self._rows(query, list(people)))

    async def segment_sizes(self, segments: Collection[int]) -> dict[int, SegmentSize]:
        counted = {
            number: SegmentSize(people, members) for number, people, members in await self._rows(_SIZES, list(segments))
        }
        return {number: counted.get(number, SegmentSize(0, 0)) for number in segments}

    async def identifiers_of(self, people: Collection[PersonId]) -> dict[PersonId, list[str]]:
        return {PersonId(person): told for person, told in await self._rows(_IDENTIFIERS, list(people))}

    async def members(
        self, segment: int, value: str | None, after: tuple[str, PersonId] | None, limit: int
    ) -> list[Member]:
        place = after or ("" if value is None else value, PersonId(-1))
        if value is not None:
            if after is not None and after[0] != value:
                return [] if after[0] > value else await self.members(segment, value, None, limit)
            return [_member(row) for row in await self._rows(_MEMBERS_FOR, segment, value, place[1], limit)]
        async with self._connection() as connection:
            given = {"segment": segment, "value": place[0], "person": place[1], "limit": limit}
            cursor = await connection.execute(_MEMBERS, given, binary=True)
            return [_member(row) for row in await cursor.fetchall()]

    async def members_since(self, segment: int, from_ms: int, limit: int) -> list[Member]:
        return [_member(row) for row in await self._rows(_SINCE, segment, from_ms, limit)]

    async def entered_count(self, segment: int, from_ms: int) -> int:
        query = "SELECT count(*) FROM segment_member WHERE segment = %s AND entered >= %s"
        return int((await self._rows(query, segment, from_ms))[0][0])

    async def sample_members(self, segment: int, value: str, limit: int) -> list[Member]:
        async with self._connection() as connection:
            given = {"segment": segment, "value": value, "limit": limit}
            cursor = await connection.execute(_SAMPLE, given, binary=True)
            return [_member(row) for row in await cursor.fetchall()]

    async def segment_values(self, segment: int, limit: int) -> list[ValueSize]:
        return [ValueSize(*row) for row in await self._rows(_VALUES, segment, limit)]

    async def segment_overlap(self, segments: Collection[int]) -> dict[frozenset[int], int]:
        return {frozenset(of): count for of, count in await self._rows(_OVERLAP, list(segments))}

    async def segment_flows(self, segment: int, from_ms: int) -> list[HourFlow]:
        rows = await self._rows(
            "SELECT segment, hour, sum(entered_count)::bigint, sum(left_count)::bigint FROM segment_hour"
            " WHERE segment = %s AND hour >= %s GROUP BY segment, hour ORDER BY hour",
            segment,
            from_ms,
        )
        return [HourFlow(*row) for row in rows]

    async def segment_states(self) -> dict[int, SegmentState]:
        rows = await self._rows("SELECT segment, revision, stage, position, at, member_count FROM segment_state")
        return {
            row[0]: SegmentState(row[0], row[1], SegmentStage(row[2]), Position(row[3]), row[4], row[5]) for row in rows
        }

    async def set_segment_state(self, state: SegmentState) -> None:
        async with self._connection() as connection:
            await connection.execute(_SET_STATE, state)

    async def forget_segment(self, segment: int) -> None:
        async with self._transaction() as connection:
            for table in ("segment_member", "segment_hour", "segment_state"):
                await connection.execute(f"DELETE FROM {table} WHERE segment = %s", (segment,))


def _member(row: Sequence[object]) -> Member:
    return Member(*row)  # type: ignore[arg-type]
