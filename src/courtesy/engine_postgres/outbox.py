"""The outbox: effects claimed, carried out and settled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.engine.outbox import FINAL, ClaimedEffect, EffectReading, EffectState, NewEffect, Settlement, StoredEffect
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.engine_postgres.delivery import count_messages
from courtesy.engine_postgres.permits import put_sends
from courtesy.engine_postgres.records import put_records

# What is due is found once: joined as it stands, a planner that takes the table for empty finds it anew for each row.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT ctid AS place, state FROM effect WHERE kind = %s AND next_at <= %s
      AND NOT target = ANY(%b::text[])
    ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE effect SET state = 'claimed', attempt = attempt + 1, next_at = %s
FROM due WHERE effect.ctid = due.place
RETURNING effect.key, kind, person_id, target, body, created, attempt, due.state = 'claimed'
"""
# All that is due would be sorted for each claim, where nobody has counted yet how much that is.
IN_ORDER = "SET LOCAL enable_sort = off"
_PUT_OFF = """
UPDATE effect SET state = given.state, cause = given.cause, detail = given.detail, next_at = given.at
FROM unnest(%b::bytea[], %b::int[], %b::text[], %b::text[], %b::text[], %b::bigint[])
    AS given (key, attempt, state, cause, detail, at)
WHERE effect.key = given.key AND effect.attempt = given.attempt RETURNING effect.key
"""
_END = """
WITH gone AS (
    DELETE FROM effect USING unnest(%b::bytea[], %b::int[], %b::text[], %b::text[], %b::text[], %b::bigint[])
        AS given (key, attempt, state, cause, detail, at)
    WHERE effect.key = given.key AND effect.attempt = given.attempt
    RETURNING effect.key, kind, person_id, target, body, created, given.state, effect.attempt, given.cause,
        given.detail, given.at
)
INSERT INTO effect_ended SELECT * FROM gone RETURNING key
"""
_ALL = """
SELECT key, kind, person_id, target, body, created, state, attempt, cause, detail, NULL::bigint AS settled FROM effect
UNION ALL SELECT * FROM effect_ended
"""
_BY_KEY = f"SELECT key, kind, person_id, body, settled FROM ({_ALL}) AS every WHERE key = ANY(%b::bytea[])"
_LATEST = f"""
SELECT key, kind, person_id, target, state, attempt, cause, detail, created, settled FROM ({_ALL}) AS every
{{condition}} ORDER BY created DESC, key LIMIT %s
"""
_DUE = """
SELECT count(*) FROM (SELECT FROM effect WHERE kind = ANY(%b::text[]) AND next_at <= %s LIMIT %s) AS due
"""
_LET_GO = """
WITH gone AS (
    DELETE FROM effect_ended WHERE key IN (SELECT key FROM effect_ended WHERE settled < %s LIMIT %s) RETURNING key
)
INSERT INTO effect_past SELECT key FROM gone RETURNING 1
"""
_PUT = """
INSERT INTO effect (key, kind, person_id, target, body, created, next_at)
SELECT key, kind, person_id, target, body, created, greatest(created, not_before)
FROM unnest(%b::bytea[], %b::text[], %b::bigint[], %b::text[], %b::bytea[], %b::bigint[], %b::bigint[])
    AS fresh (key, kind, person_id, target, body, created, not_before)
ON CONFLICT (key) DO NOTHING
"""
# After the insert, by a snapshot of its own: of one that came to its end meanwhile the insert had to wait.
_PUT_BEFORE = """
DELETE FROM effect WHERE key IN (
    SELECT key FROM unnest(%(keys)b::bytea[]) AS fresh (key) WHERE EXISTS (
        SELECT FROM effect_ended WHERE effect_ended.key = fresh.key
        UNION ALL SELECT FROM effect_past WHERE effect_past.key = fresh.key
    )
)
"""
LET_GO_AT_ONCE = 5_000


async def put_effects(connection: Connection, effects: Sequence[NewEffect]) -> None:
    """Within a transaction: put those whose keys were never put before."""
    await connection.execute(_PUT, [list(column) for column in zip(*effects, strict=True)])
    keys = {"keys": [each.key for each in effects]}
    await connection.execute(_PUT_BEFORE, keys, prepare=False)
    await connection.execute("NOTIFY courtesy_effect")


class Outbox(Connected):
    """The engine's outbox."""

    partition_count: int

    async def claim_effects(
        self, kind: str, now_ms: int, ttl_ms: int, limit: int, except_targets: Collection[str] = ()
    ) -> list[ClaimedEffect]:
        given = (kind, now_ms, list(except_targets), limit, now_ms + ttl_ms)
        async with self._transaction() as connection:
            await connection.execute(IN_ORDER)
            rows = await (await connection.execute(_CLAIM, given, binary=True, prepare=False)).fetchall()
        claimed = [ClaimedEffect(key, kind_, PersonId(person), *rest) for key, kind_, person, *rest in rows]
        return sorted(claimed, key=lambda effect: (effect.created_ms, effect.key))

    async def settle(self, settlement: Settlement) -> bool:
        return (await self.settle_all([settlement]))[0]

    async def settle_all(self, settlements: Sequence[Settlement]) -> list[bool]:
        if not settlements:
            return []
        async with self._transaction() as connection:
            settled = set[bytes]()
            for text, is_final in ((_PUT_OFF, False), (_END, True)):
                rows = [_settled_row(each) for each in settlements if (each.state in FINAL) is is_final]
                if rows:
                    columns = [list(column) for column in zip(*rows, strict=True)]
                    cursor = await connection.execute(text, columns, binary=True, prepare=False)
                    settled |= {key for (key,) in await cursor.fetchall()}
            final = [each for each in settlements if each.key in settled and each.state in FINAL]
            await put_sends(connection, [each.send for each in final if each.send is not None])
            await count_messages(connection, [each.fate for each in final if each.fate is not None])
            reports = [each.report for each in final if each.report is not None]
            if reports:
                await put_records(connection, reports, self.partition_count)
                await connection.execute("NOTIFY courtesy_log")
        return [each.key in settled for each in settlements]

    async def effects_by_key(self, keys: Collection[bytes]) -> dict[bytes, StoredEffect]:
        rows = await self._rows_planned(_BY_KEY, list(keys))
        return {row[0]: StoredEffect(row[0], row[1], PersonId(row[2]), *row[3:]) for row in rows}

    async def effects(self, person: PersonId | None, limit: int) -> list[EffectReading]:
        if person is None:
            rows = await self._rows_planned(_LATEST.format(condition=""), limit)
        else:
            rows = await self._rows_planned(_LATEST.format(condition="WHERE person_id = %s"), person, limit)
        return [
            EffectReading(key, kind, PersonId(who), target, EffectState(state), *rest)
            for key, kind, who, target, state, *rest in rows
        ]

    async def due_effects(self, kinds: Collection[str], now_ms: int, limit: int) -> int:
        return int((await self._rows_planned(_DUE, sorted(kinds), now_ms, limit))[0][0])

    async def let_go_of_effects(self, settled_before_ms: int) -> int:
        gone = 0
        while rows := await self._rows_planned(_LET_GO, settled_before_ms, LET_GO_AT_ONCE):
            gone += len(rows)
        return gone


def _settled_row(each: Settlement) -> tuple[Any, ...]:
    at_ms = each.at_ms if each.state in FINAL else each.not_before_ms
    return each.key, each.attempt, str(each.state), each.cause, each.detail, at_ms
