"""The ledger in PostgreSQL: written within an append, read by person and by index."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from courtesy.base.ids import Partition, PersonId, Position
from courtesy.consent.leaf import DIGEST_BYTES
from courtesy.consent.tree import Frontier, Node, Run
from courtesy.engine.ledger import (
    ENTRIES_TOLD_MAX,
    Chain,
    Entry,
    EntryKeys,
    Keyring,
    Known,
    LedgerHead,
    LedgerWrite,
    PersonKey,
)
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.engine_postgres.reading import person_id
from courtesy.engine_postgres.repairing import OWNER_AT, ROOT_AT

_COLUMNS = "index, partition, number, recorded, subject, previous, sealed, person_id, position"
_ENTRY = ", ".join(f"entry.{column}" for column in _COLUMNS.split(", "))
_COLUMN_COUNT = len(_COLUMNS.split(", "))
_PUT = f"COPY ledger ({_COLUMNS}) FROM STDIN (FORMAT BINARY)"
_TYPES = ("int8", "int2", "int8", "int8", "bytea", "bytea", "bytea", "int8", "int8")
_PUT_KEY = "INSERT INTO person_key (person_id, key, subject) VALUES (%s, %b, %b)"
_PUT_CHAIN = """
INSERT INTO ledger_chain (partition, number, digest) VALUES (%s, %s, %b)
ON CONFLICT (partition) DO UPDATE SET number = excluded.number, digest = excluded.digest
"""
_HEAD = """
SELECT log_head.ledger_size, chain.partition, chain.number, chain.digest
FROM log_head LEFT JOIN ledger_chain AS chain ON chain.partition = ANY(%b::smallint[])
"""
_KEYS = "SELECT person_id, key, subject FROM person_key WHERE person_id = ANY(%b::bigint[])"
_SINGLE_KEYS = """
SELECT index, commitment_key, encryption_key FROM ledger_key JOIN ledger USING (index)
WHERE person_id = ANY(%b::bigint[])
"""
# One statement, so one snapshot and one round trip: whose keys are destroyed meanwhile is not read half.
_OPENED = """
    LEFT JOIN person_key ON person_key.person_id = entry.person_id
    LEFT JOIN ledger_key ON ledger_key.index = entry.index
"""
_OF = f"""
SELECT {_ENTRY}, person_key.key, commitment_key, encryption_key FROM ledger AS entry {_OPENED}
WHERE entry.person_id = ANY(%b::bigint[]) AND (%s::bigint IS NULL OR recorded <= %s) ORDER BY entry.index
"""
# Person by person: before a table's first ANALYZE a plain join would scan the whole ledger.
_KNOWN_AT = f"""
WITH RECURSIVE part (person_id, owns) AS (
    SELECT person_id, true FROM ({{owner}}) AS owner
    UNION
    SELECT merge.loser, false FROM merge JOIN part ON merge.survivor = part.person_id
    WHERE merge.recorded <= %(at)s AND (undone IS NULL OR undone > %(at)s)
),
everyone AS (
    SELECT person_id, bool_or(owns) AS owns, EXISTS (
        SELECT FROM moved WHERE appended_for = part.person_id OR moved.person_id = part.person_id
    ) AS has_moved
    FROM part GROUP BY person_id
)
SELECT everyone.person_id, owns, has_moved, {_ENTRY}, person_key.key, commitment_key, encryption_key
FROM everyone LEFT JOIN LATERAL (
    SELECT {_COLUMNS} FROM ledger WHERE ledger.person_id = everyone.person_id AND recorded <= %(at)s ORDER BY index
) AS entry ON true {_OPENED}
ORDER BY owns DESC, everyone.person_id, entry.index
"""
_KNOWN_BY_IDENTIFIER, _KNOWN_BY_NUMBER = (_KNOWN_AT.format(owner=owner) for owner in (OWNER_AT, ROOT_AT))
_GROW = "UPDATE ledger_frontier SET size = %s, subtrees = %b WHERE size = %s AND subtrees = %b"
_PUT_NODES = "COPY ledger_node (level, index, hash) FROM STDIN (FORMAT BINARY)"
_PUT_CHECKPOINT = """
INSERT INTO ledger_checkpoint (note) SELECT %s
WHERE (SELECT note FROM ledger_checkpoint ORDER BY number DESC LIMIT 1) IS NOT DISTINCT FROM %s
"""
# Found from the end, where it is one of the last: a ledger of years has a million of them.
_SIGN_CHECKPOINT = """
UPDATE ledger_checkpoint SET note = %s WHERE number = (
    SELECT number FROM ledger_checkpoint WHERE note = %s ORDER BY number DESC LIMIT 1
) AND note = %s
"""
_NODES = "SELECT hash FROM ledger_node WHERE level = %s AND index >= %s AND index < %s ORDER BY index"
_ENTERED = "SELECT DISTINCT person_id FROM ledger WHERE index >= %s AND person_id IS NOT NULL"
_FROM = f"SELECT {_COLUMNS} FROM ledger WHERE index >= %s ORDER BY index LIMIT %s"


async def ledger_head(connection: Connection, partitions: Collection[Partition]) -> LedgerHead:
    """Within an append: how far the ledger is."""
    rows = await (await connection.execute(_HEAD, (list(partitions),), binary=True)).fetchall()
    chains = {Partition(row[1]): Chain(row[2], row[3]) for row in rows if row[1] is not None}
    return LedgerHead(rows[0][0], chains)


async def person_keys(connection: Connection, people: Collection[PersonId]) -> dict[PersonId, PersonKey]:
    """Within an append: the keys of those who have one."""
    rows = await (await connection.execute(_KEYS, (list(people),), binary=True)).fetchall()
    return {PersonId(row[0]): PersonKey(PersonId(row[0]), row[1], row[2]) for row in rows}


async def entered_since(connection: Connection, index: int) -> tuple[int, set[PersonId] | None]:
    """Within an append: how many entries there are, and for whom those from an index on are."""
    (row,) = await (await connection.execute("SELECT ledger_size FROM log_head")).fetchall()
    size: int = row[0]
    if size - index > ENTRIES_TOLD_MAX:
        return size, None
    if size <= index:
        return size, set()
    rows = await (await connection.execute(_ENTERED, (index,), binary=True)).fetchall()
    return size, {PersonId(person) for (person,) in rows}


async def ledger_of(
    connection: Connection, people: Collection[PersonId], recorded_until_ms: int | None = None
) -> tuple[list[Entry], Keyring]:
    """Within a transaction: the entries of some people, and what opens them."""
    given = (list(people), recorded_until_ms, recorded_until_ms)
    return _opened(await (await connection.execute(_OF, given, binary=True)).fetchall())


async def put_ledger(connection: Connection, written: LedgerWrite, first: Position) -> None:
    """Within an append whose records begin at `first`."""
    async with connection.cursor() as cursor:
        await cursor.executemany(_PUT_KEY, [tuple(each) for each in written.keys])
        async with cursor.copy(_PUT) as copy:
            copy.set_types(_TYPES)
            for entry in written.entries:
                await copy.write_row(msgspec.structs.astuple(entry.stored(first)))
        await cursor.executemany(_PUT_CHAIN, [(partition, *chain) for partition, chain in written.chains.items()])
    await connection.execute("UPDATE log_head SET ledger_size = ledger_size + %s", (len(written.entries),))


class Ledger(Connected):
    """The engine's reading side of the ledger."""

    async def ledger_of(
        self, people: Collection[PersonId], recorded_until_ms: int | None = None
    ) -> tuple[list[Entry], Keyring]:
        return _opened(await self._rows(_OF, list(people), recorded_until_ms, recorded_until_ms))

    async def known_at(self, identifier: str, at_ms: int) -> Known | None:
        number = person_id(identifier)
        text, key = (_KNOWN_BY_IDENTIFIER, identifier) if number is None else (_KNOWN_BY_NUMBER, number)
        async with self._connection() as connection:
            rows = await (await connection.execute(text, {"key": key, "at": at_ms}, binary=True)).fetchall()
        if not rows:
            return None
        people = list(dict.fromkeys(PersonId(row[0]) for row in rows))
        entries, keyring = _opened([row[3:] for row in rows if row[3] is not None])
        return Known(people, entries, keyring, have_moved=any(row[2] for row in rows))

    async def ledger_keys(self, people: Collection[PersonId]) -> Keyring:
        numbers = list(people)
        async with self._connection() as connection:
            keys = await (await connection.execute(_KEYS, (numbers,), binary=True)).fetchall()
            single = await (await connection.execute(_SINGLE_KEYS, (numbers,), binary=True)).fetchall()
        return Keyring(
            {PersonId(row[0]): row[1] for row in keys}, {row[0]: EntryKeys(row[1], row[2]) for row in single}
        )

    async def ledger_from(self, index: int, limit: int) -> list[Entry]:
        return [_entry(row) for row in await self._rows(_FROM, index, limit)]

    async def tree(self) -> Frontier:
        (row,) = await self._rows("SELECT size, subtrees FROM ledger_frontier")
        return Frontier(row[0], tuple(row[1][at : at + DIGEST_BYTES] for at in range(0, len(row[1]), DIGEST_BYTES)))

    async def grow_tree(self, known: Frontier, grown: Frontier, nodes: Sequence[Node]) -> bool:
        async with self._transaction() as connection:
            subtrees = b"".join(grown.subtrees)
            moved = await connection.execute(_GROW, (grown.size, subtrees, known.size, b"".join(known.subtrees)))
            if moved.rowcount != 1:
                return False
            async with connection.cursor().copy(_PUT_NODES) as copy:
                copy.set_types(("int2", "int8", "bytea"))
                for node in nodes:
                    await copy.write_row((node.level, node.index, node.hash))
        return True

    async def tree_nodes(self, runs: Sequence[Run]) -> dict[Run, list[bytes]]:
        async with self._connection() as connection:
            return {
                run: [
                    row[0]
                    for row in await (
                        await connection.execute(_NODES, (run.level, run.first, run.first + run.count), binary=True)
                    ).fetchall()
                ]
                for run in runs
            }

    async def add_checkpoint(self, latest: str | None, note: str) -> bool:
        async with self._transaction() as connection:
            await connection.execute("SELECT FROM ledger_frontier FOR UPDATE")
            added = await connection.execute(_PUT_CHECKPOINT, (note, latest))
        return added.rowcount == 1

    async def sign_checkpoint(self, note: str, signed: str) -> bool:
        async with self._connection() as connection:
            changed = await connection.execute(_SIGN_CHECKPOINT, (signed, note, note))
        return changed.rowcount == 1

    async def checkpoints(self, *, latest_only: bool = False) -> list[str]:
        text = "SELECT note FROM ledger_checkpoint ORDER BY number"
        return [row[0] for row in await self._rows(f"{text} DESC LIMIT 1" if latest_only else text)]


def _opened(rows: Sequence[tuple[Any, ...]]) -> tuple[list[Entry], Keyring]:
    """Rows of `_ENTRY`, of the key of its person and its own two, in the order of their indexes."""
    people: dict[PersonId, bytes] = {}
    single: dict[int, EntryKeys] = {}
    entries = []
    for row in rows:
        entry = _entry(row[:_COLUMN_COUNT])
        key, commitment_key, encryption_key = row[_COLUMN_COUNT:]
        if key is not None and entry.person is not None:
            people[entry.person] = key
        if encryption_key is not None:
            single[entry.index] = EntryKeys(commitment_key, encryption_key)
        entries.append(entry)
    entries.sort(key=lambda entry: entry.index)
    return entries, Keyring(people, single)


def _entry(row: tuple[Any, ...]) -> Entry:
    return Entry(*row)
