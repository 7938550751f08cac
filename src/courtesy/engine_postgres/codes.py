"""Codes that people are sent, in PostgreSQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from courtesy.base.ids import PersonId
from courtesy.engine.code import NewCode, Rate, Tried
from courtesy.engine_postgres.connection import Connected

_ADD = """
INSERT INTO code (person_id, about, digest, made) SELECT %(person)s, %(about)s, %(digest)s, %(made)s
WHERE NOT EXISTS (
    SELECT FROM unnest(%(counts)s::bigint[], %(withins)s::bigint[]) AS rate (count, within)
    WHERE (SELECT count(*) FROM code WHERE person_id = ANY(%(people)s::bigint[]) AND made > %(made)s - within)
        >= rate.count
)
RETURNING 1
"""
# Who waits for the row sees what the other wrote there, and is asked the conditions again.
_TRY = """
UPDATE code SET tries = tries + 1, is_used = digest = %(digest)s
WHERE number = (
    SELECT number FROM code WHERE person_id = ANY(%(people)s::bigint[]) AND about = %(about)s
    ORDER BY number DESC LIMIT 1
) AND made > %(after)s AND tries < %(tries_max)s AND NOT is_used
RETURNING is_used
"""

FORGET_CODES = "DELETE FROM code WHERE person_id = ANY(%(people)s::bigint[])"


class Codes(Connected):
    """The engine's codes."""

    async def add_code(self, code: NewCode, people: Collection[PersonId], rates: Sequence[Rate]) -> bool:
        given = {
            **code._asdict(),
            "made": code.made_ms,
            "people": list(people),
            "counts": [each.most for each in rates],
            "withins": [each.within_ms for each in rates],
        }
        oldest = code.made_ms - max(each.within_ms for each in rates)
        async with self._transaction() as connection:
            # One after the other, so that none is counted late; they are few.
            await connection.execute("LOCK TABLE code IN SHARE ROW EXCLUSIVE MODE")
            await connection.execute("DELETE FROM code WHERE made <= %s", (oldest,))
            cursor = await connection.execute(_ADD, given)
            return await cursor.fetchone() is not None

    async def try_code(
        self, people: Collection[PersonId], about: bytes, digest: bytes, after_ms: int, tries_max: int
    ) -> Tried:
        async with self._connection() as connection:
            cursor = await connection.execute(
                _TRY,
                {"people": list(people), "about": about, "digest": digest, "after": after_ms, "tries_max": tries_max},
            )
            row = await cursor.fetchone()
        if row is None:
            return Tried.OVER
        return Tried.RIGHT if row[0] else Tried.WRONG
