"""The outbox: effects claimed, carried out and settled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.engine.outbox import FINAL, ClaimedEffect, EffectReading, EffectState, Settlement, StoredEffect
from courtesy.engine_postgres.connection import Connected
from courtesy.engine_postgres.delivery import count_messages
from courtesy.engine_postgres.permits import put_sends
from courtesy.engine_postgres.records import put_records

# What is due is found once: joined as it stands, a planner that takes the table for empty finds it anew for each row.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT ctid AS place, state FROM effect WHERE kind = %s AND settled IS NULL AND next_at <= %s
      AND NOT target = ANY(%b::text[])
    ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE effect SET state = 'claimed', attempt = attempt + 1, next_at = %s
FROM due WHERE effect.ctid = due.place
RETURNING effect.key, kind, person_id, target, body, created, attempt, due.state = 'claimed'
"""
_SETTLE = """
UPDATE effect SET state = given.state, cause = given.cause, detail = given.detail, next_at = given.next_at,
    settled = given.settled
FROM unnest(%b::bytea[], %b::int[], %b::text[], %b::text[], %b::text[], %b::bigint[], %b::bigint[])
    AS given (key, attempt, state, cause, detail, next_at, settled)
WHERE effect.key = given.key AND effect.attempt = given.attempt AND effect.settled IS NULL RETURNING effect.key
"""
_LATEST = """
SELECT key, kind, person_id, target, state, attempt, cause, detail, created, settled FROM effect
WHERE %(person)s::bigint IS NULL OR person_id = %(person)s::bigint ORDER BY created DESC, key LIMIT %(limit)s
"""


class Outbox(Connected):
    """The engine's outbox."""

    partition_count: int

    async def claim_effects(
        self, kind: str, now_ms: int, ttl_ms: int, limit: int, except_targets: Collection[str] = ()
    ) -> list[ClaimedEffect]:
        rows = await self._rows_planned(_CLAIM, kind, now_ms, list(except_targets), limit, now_ms + ttl_ms)
        claimed = [ClaimedEffect(key, kind_, PersonId(person), *rest) for key, kind_, person, *rest in rows]
        return sorted(claimed, key=lambda effect: (effect.created_ms, effect.key))

    async def settle(self, settlement: Settlement) -> bool:
        return (await self.settle_all([settlement]))[0]

    async def settle_all(self, settlements: Sequence[Settlement]) -> list[bool]:
        if not settlements:
            return []
        async with self._transaction() as connection:
            columns = [list(column) for column in zip(*map(_settled_row, settlements), strict=True)]
            cursor = await connection.execute(_SETTLE, columns, binary=True, prepare=False)
            settled = {key for (key,) in await cursor.fetchall()}
            final = [each for each in settlements if each.key in settled and each.state in FINAL]
            await put_sends(connection, [each.send for each in final if each.send is not None])
            await count_messages(connection, [each.fate for each in final if each.fate is not None])
            reports = [each.report for each in final if each.report is not None]
            if reports:
                await put_records(connection, reports, self.partition_count)
                await connection.execute("NOTIFY courtesy_log")
        return [each.key in settled for each in settlements]

    async def effects_by_key(self, keys: Collection[bytes]) -> dict[bytes, StoredEffect]:
        text = "SELECT key, kind, person_id, body, settled FROM effect WHERE key = ANY(%b::bytea[])"
        rows = await self._rows(text, list(keys))
        return {row[0]: StoredEffect(row[0], row[1], PersonId(row[2]), *row[3:]) for row in rows}

    async def effects(self, person: PersonId | None, limit: int) -> list[EffectReading]:
        async with self._connection() as connection:
            cursor = await connection.execute(_LATEST, {"person": person, "limit": limit}, binary=True)
            rows = await cursor.fetchall()
        return [
            EffectReading(key, kind, PersonId(who), target, EffectState(state), *rest)
            for key, kind, who, target, state, *rest in rows
        ]


def _settled_row(each: Settlement) -> tuple[Any, ...]:
    settled_ms = each.at_ms if each.state in FINAL else None
    return each.key, each.attempt, str(each.state), each.cause, each.detail, each.not_before_ms, settled_ms
