"""The outbox: effects claimed, carried out and settled."""

from __future__ import annotations

from collections.abc import Collection

from courtesy.base.ids import PersonId
from courtesy.engine.contract import ClaimedEffect, EffectReading, EffectState, Settlement
from courtesy.engine_postgres.connection import Connected
from courtesy.engine_postgres.records import put_records

_CLAIM = """
UPDATE effect SET state = 'claimed', attempt = attempt + 1, next_at = %s
WHERE key IN (
    SELECT key FROM effect WHERE kind = %s AND settled IS NULL AND next_at <= %s
      AND NOT target = ANY(%b::text[])
    ORDER BY next_at, key LIMIT %s FOR UPDATE SKIP LOCKED
)
RETURNING key, kind, person_id, target, body, created, attempt
"""
_SETTLE = """
UPDATE effect SET state = %s, cause = %s, detail = %s, next_at = %s, settled = %s
WHERE key = %b AND attempt = %s AND settled IS NULL RETURNING 1
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
        rows = await self._rows(_CLAIM, now_ms + ttl_ms, kind, now_ms, list(except_targets), limit)
        claimed = [ClaimedEffect(key, kind_, PersonId(person), *rest) for key, kind_, person, *rest in rows]
        return sorted(claimed, key=lambda effect: (effect.created_ms, effect.key))

    async def settle(self, settlement: Settlement) -> bool:
        final = settlement.state in (EffectState.DELIVERED, EffectState.FAILED)
        async with self._transaction() as connection:
            cursor = await connection.execute(
                _SETTLE,
                (
                    str(settlement.state),
                    settlement.cause,
                    settlement.detail,
                    settlement.not_before_ms,
                    settlement.at_ms if final else None,
                    settlement.key,
                    settlement.attempt,
                ),
            )
            if await cursor.fetchone() is None:
                return False
            if final and settlement.report is not None:
                await put_records(connection, [settlement.report], self.partition_count)
                await connection.execute("NOTIFY courtesy_log")
            return True

    async def effects(self, person: PersonId | None, limit: int) -> list[EffectReading]:
        async with self._connection() as connection:
            cursor = await connection.execute(_LATEST, {"person": person, "limit": limit}, binary=True)
            rows = await cursor.fetchall()
        return [
            EffectReading(key, kind, PersonId(who), target, EffectState(state), *rest)
            for key, kind, who, target, state, *rest in rows
        ]
