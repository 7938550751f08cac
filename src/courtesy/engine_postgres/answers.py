"""How often questions were asked and answered."""

from __future__ import annotations

from collections.abc import Sequence

from courtesy.engine.answers import AnswerCount
from courtesy.engine_postgres.connection import Connected

_ADD = """
INSERT INTO answer_count (question, what, count)
    SELECT question, what, sum(count) FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS given (question, what, count)
    GROUP BY question, what ORDER BY question, what
ON CONFLICT (question, what) DO UPDATE SET count = answer_count.count + excluded.count
"""
_ALL = 'SELECT question, what, count FROM answer_count ORDER BY question COLLATE "C", what COLLATE "C"'


class Answers(Connected):
    """The engine's counts of answers."""

    async def count_answers(self, counts: Sequence[AnswerCount]) -> None:
        # In one order, so that two processes that count the same do not wait for each other in a circle.
        columns = [list(column) for column in zip(*counts, strict=True)]
        if columns:
            async with self._transaction() as connection:
                await connection.execute(_ADD, columns)

    async def answer_counts(self) -> list[AnswerCount]:
        return [AnswerCount(*row) for row in await self._rows(_ALL)]
