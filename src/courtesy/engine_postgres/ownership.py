"""To whom all events belong."""

from __future__ import annotations

from courtesy.base.ids import PersonId, Position
from courtesy.engine.ownership import Ownership
from courtesy.engine_postgres.connection import Connected
from courtesy.identity.rules import SOURCE_KIND

_HEAD = "SELECT position FROM log_head"
_MERGED = "SELECT person_id, root FROM merged_person ORDER BY person_id"
_MOVED = """
SELECT last.position, coalesce(root, last.person_id) FROM (
    SELECT DISTINCT ON (position) position, person_id FROM moved ORDER BY position, number DESC
) AS last LEFT JOIN merged_person ON merged_person.person_id = last.person_id
ORDER BY last.position
"""
_NOBODIES = "SELECT DISTINCT person_id FROM identifier WHERE identifier LIKE %s ORDER BY person_id"


class Owning(Connected):
    """The engine's answer to whom all events belong."""

    async def ownership(self) -> Ownership:
        async with self._transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            head = await (await connection.execute(_HEAD)).fetchone()
            merged = await (await connection.execute(_MERGED, binary=True)).fetchall()
            moved = await (await connection.execute(_MOVED, binary=True)).fetchall()
            nobodies = await (await connection.execute(_NOBODIES, (f"{SOURCE_KIND}:%",), binary=True)).fetchall()
        assert head is not None, "there is one from the beginning"
        return Ownership(
            Position(head[0]),
            [(PersonId(person), PersonId(root)) for person, root in merged],
            [(Position(position), PersonId(person)) for position, person in moved],
            [PersonId(person) for (person,) in nobodies],
        )
