"""Repairing: what people were before, and the writes that correct who is who."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.engine.contract import IdentityHistory
from courtesy.engine.outbox import NewEffect
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.engine_postgres.reading import PARTITION_OF, person_id
from courtesy.identity.repair import Ban, CorrectedEffect, Move, Note, OwnerChange, Repair
from courtesy.identity.resolve import Evidence, Merge
from courtesy.person.record import RecordKind

PUT_MERGE = """
INSERT INTO merge (loser, survivor, a, b, source_id, message_id, at, reason, recorded)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
KEEP_OWNERS = """
INSERT INTO owner_before (identifier, person_id, shared, until)
SELECT identifier, known.person_id, known.shared, %s FROM identifier AS known
JOIN unnest(%b::text[], %b::bigint[], %b::bool[]) AS given (identifier, person_id, shared) USING (identifier)
WHERE known.person_id <> given.person_id OR known.shared <> given.shared
"""
_GIVE = """
UPDATE identifier SET person_id = given.person_id, shared = false
FROM unnest(%b::text[], %b::bigint[]) AS given (identifier, person_id) WHERE identifier.identifier = given.identifier
"""
_CUT = """
WITH gone AS (
    DELETE FROM link USING unnest(%b::text[], %b::text[]) AS given (a, b) WHERE link.a = given.a AND link.b = given.b
    RETURNING link.*
)
INSERT INTO cut_link (a, b, source_id, message_id, at, reason, cut)
SELECT a, b, source_id, message_id, at, reason, %s FROM gone
"""
_UNDO = "UPDATE merge SET undone = %s WHERE loser = %s AND survivor = %s AND undone IS NULL"
_BAN = "INSERT INTO ban (a, b) SELECT * FROM unnest(%b::text[], %b::text[]) ON CONFLICT DO NOTHING"
_LIFT = "DELETE FROM ban USING unnest(%b::text[], %b::text[]) AS given (a, b) WHERE ban.a = given.a AND ban.b = given.b"
_MOVE = """
INSERT INTO moved (position, appended_for, person_id, at)
SELECT * FROM unnest(%b::bigint[], %b::bigint[], %b::bigint[], %b::bigint[])
"""
_MOVES = """
SELECT position, appended_for, person_id, at FROM moved WHERE position IN (
    SELECT position FROM moved WHERE appended_for = ANY(%b::bigint[]) OR person_id = ANY(%b::bigint[])
) ORDER BY number
"""
_CORRECT = """
UPDATE effect SET person_id = given.person_id, body = given.body
FROM unnest(%b::bytea[], %b::bigint[], %b::bytea[]) AS given (key, person_id, body)
WHERE effect.key = given.key
"""
_NOTE = "INSERT INTO repair (kind, person_id, made_by, reason, at) VALUES (%s, %s, %s, %s, %s)"

_OWNERS_BEFORE = """
SELECT before.identifier, before.person_id, before.shared, before.until
FROM owner_before AS before JOIN identifier USING (identifier) WHERE identifier.person_id = %s
ORDER BY identifier, before.number
"""
_MERGES_BEFORE = """
SELECT loser, survivor, a, b, source_id, message_id, at, reason, recorded, undone FROM merge
WHERE survivor = %(person)s OR survivor IN (SELECT person_id FROM merged_person WHERE root = %(person)s)
ORDER BY number
"""
OWNER_AT = """
SELECT coalesce(
    (SELECT person_id FROM owner_before WHERE identifier = %(key)s AND until > %(at)s ORDER BY number LIMIT 1),
    person_id
) AS person_id FROM identifier WHERE identifier = %(key)s AND recorded <= %(at)s
"""
ROOT_AT = """
WITH RECURSIVE up (person_id, passed) AS (
    SELECT %(key)s::bigint, ARRAY[%(key)s::bigint]
    UNION ALL
    SELECT merge.survivor, up.passed || merge.survivor FROM merge JOIN up ON merge.loser = up.person_id
    WHERE recorded <= %(at)s AND (undone IS NULL OR undone > %(at)s) AND merge.survivor <> ALL(up.passed)
)
SELECT person_id FROM up ORDER BY cardinality(passed) DESC LIMIT 1
"""
_MERGED_AT = """
WITH RECURSIVE part (person_id) AS (
    SELECT loser FROM merge WHERE survivor = %(person)s AND recorded <= %(at)s AND (undone IS NULL OR undone > %(at)s)
    UNION
    SELECT merge.loser FROM merge JOIN part ON merge.survivor = part.person_id
    WHERE recorded <= %(at)s AND (undone IS NULL OR undone > %(at)s)
)
SELECT person_id FROM part ORDER BY person_id
"""
_UNFOLDED_KINDS = f"""
SELECT DISTINCT tail.kind FROM unnest(%b::bigint[]) AS one (person_id)
JOIN partition_state AS progress ON progress.partition = {PARTITION_OF.format(person="one.person_id")}
CROSS JOIN LATERAL (
    SELECT kind FROM log WHERE log.person_id = one.person_id AND position > progress.folded ORDER BY position
) AS tail
"""
_BANS = "SELECT a, b FROM ban WHERE a = ANY(%b::text[]) OR b = ANY(%b::text[])"


async def bans_of(connection: Connection, identifiers: Collection[str]) -> dict[str, set[str]]:
    """For each of the identifiers that is banned with others, the others."""
    keys = list(identifiers)
    cursor = await connection.execute(_BANS, (keys, keys), binary=True)
    found: dict[str, set[str]] = {}
    for a, b in await cursor.fetchall():
        for one, other in ((a, b), (b, a)):
            if one in identifiers:
                found.setdefault(one, set()).add(other)
    return found


async def moves_of(connection: Connection, people: Collection[PersonId]) -> list[Move]:
    """All moves of records that were ever moved away from or to any of the people."""
    numbers = list(people)
    cursor = await connection.execute(_MOVES, (numbers, numbers))
    rows = await cursor.fetchall()
    return [Move(Position(place), PersonId(old), PersonId(new), at) for place, old, new, at in rows]


def merge_values(merge: Merge, now_ms: int) -> tuple[int | str, ...]:
    """The parameters of PUT_MERGE."""
    why = merge.evidence
    told = (why.source, why.message_id, why.at, merge.reason, now_ms)
    return (merge.loser, merge.survivor, merge.a, merge.b, *told)


async def put_repair(connection: Connection, repair: Repair) -> None:
    """Write a correction, within the transaction of an append. The identity epoch is moved by the caller."""
    note = repair.note
    if repair.owners:
        keys, people = list(repair.owners), list(repair.owners.values())
        await connection.execute(KEEP_OWNERS, (note.at_ms, keys, people, [False] * len(keys)))
        await connection.execute(_GIVE, (keys, people))
    await _put_roots(connection, repair)
    for merge in repair.undone:
        await connection.execute(_UNDO, (note.at_ms, merge.loser, merge.survivor))
    for merge in repair.rejoined:
        await connection.execute(PUT_MERGE, merge_values(merge, note.at_ms))
    if repair.cut:
        await connection.execute(_CUT, ([link.a for link in repair.cut], [link.b for link in repair.cut], note.at_ms))
    for text, bans in ((_LIFT, repair.lifted), (_BAN, repair.bans)):
        if bans:
            await connection.execute(text, _pairs(bans))
    if repair.moves:
        await connection.execute(_MOVE, tuple(list(column) for column in zip(*repair.moves, strict=True)))
    if repair.effects:
        await _correct_effects(connection, repair.effects)
    await connection.execute(_NOTE, tuple(note))


async def _put_roots(connection: Connection, repair: Repair) -> None:
    own = [person for person, root in repair.roots.items() if root is None]
    if own:
        await connection.execute("DELETE FROM merged_person WHERE person_id = ANY(%b::bigint[])", (own,))
    for person, root in repair.roots.items():
        if root is not None:
            await connection.execute("UPDATE merged_person SET root = %s WHERE person_id = %s", (root, person))


def _pairs(bans: Sequence[Ban]) -> tuple[list[str], list[str]]:
    """Both columns; of each pair the one that sorts first is `a`."""
    ordered = [sorted(each) for each in bans]
    return [a for a, _ in ordered], [b for _, b in ordered]


async def _correct_effects(connection: Connection, effects: Sequence[CorrectedEffect]) -> None:
    await connection.execute(
        _CORRECT,
        ([each.key for each in effects], [each.person for each in effects], [each.body for each in effects]),
    )


class Repairing(Connected):
    """The engine's side of corrections and of the past."""

    partition_count: int

    async def identity_history(self, person: PersonId) -> IdentityHistory:
        async with self._connection() as connection:
            owners = await (await connection.execute(_OWNERS_BEFORE, (person,), binary=True)).fetchall()
            merges = await (await connection.execute(_MERGES_BEFORE, {"person": person}, binary=True)).fetchall()
        return IdentityHistory([OwnerChange(*row) for row in owners], [_recorded_merge(*row) for row in merges])

    async def person_at(self, identifier: str, at_ms: int) -> tuple[PersonId, list[PersonId]] | None:
        number = person_id(identifier)
        text, key = (OWNER_AT, identifier) if number is None else (ROOT_AT, number)
        async with self._connection() as connection:
            cursor = await connection.execute(text, {"key": key, "at": at_ms}, binary=True)
            row = await cursor.fetchone()
            if row is None:
                return None
            (person,) = row
            cursor = await connection.execute(_MERGED_AT, {"person": person, "at": at_ms}, binary=True)
            return PersonId(person), [PersonId(each) for (each,) in await cursor.fetchall()]

    async def moves(self, people: Collection[PersonId]) -> list[Move]:
        async with self._connection() as connection:
            return await moves_of(connection, people)

    async def unfolded_kinds(self, people: Collection[PersonId]) -> set[RecordKind]:
        rows = await self._rows(_UNFOLDED_KINDS, list(people), self.partition_count)
        return {RecordKind(kind) for (kind,) in rows}

    async def waiting_effects(self, people: Collection[PersonId]) -> list[NewEffect]:
        rows = await self._rows(
            "SELECT key, kind, person_id, target, body, created FROM effect"
            " WHERE person_id = ANY(%b::bigint[]) ORDER BY created, key",
            list(people),
        )
        return [NewEffect(*row) for row in rows]

    async def notes(self, person: PersonId | None, limit: int) -> list[Note]:
        rows = await self._rows(
            "SELECT kind, person_id, made_by, reason, at FROM repair"
            " WHERE %s::bigint IS NULL OR person_id = %s ORDER BY number DESC LIMIT %s",
            person,
            person,
            limit,
        )
        return [Note(*row) for row in rows]


def _recorded_merge(
    loser: int,
    survivor: int,
    a: str,
    b: str,
    source: int,
    message_id: str,
    at: int,
    reason: str,
    recorded: int,
    undone: int | None,
) -> tuple[Merge, int, int | None]:
    evidence = Evidence(SourceId(source), message_id, at)
    return Merge(PersonId(loser), PersonId(survivor), a, b, evidence, reason), recorded, undone
