"""The ledger in PostgreSQL: written within an append, read by person and by index."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from courtesy.base.ids import Partition, PersonId, Position
from courtesy.consent.leaf import DIGEST_BYTES
from courtesy.consent.tree import Frontier, Node, Run
from courtesy.engine.ledger import Chain, Entry, EntryKeys, Keyring, LedgerHead, LedgerWrite, PersonKey
from courtesy.engine_postgres.connection import Connected, Connection

_COLUMNS = "index, partition, number, recorded, subject, previous, sealed, person_id, position"
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
_OF = f"""
SELECT {_COLUMNS} FROM ledger WHERE person_id = ANY(%b::bigint[]) AND (%s::bigint IS NULL OR recorded <= %s)
ORDER BY index
"""
_SINGLE_KEYS = """
SELECT index, commitment_key, encryption_key FROM ledger_key JOIN ledger USING (index)
WHERE person_id = ANY(%b::bigint[])
"""
_GROW = "UPDATE ledger_frontier SET size = %s, subtrees = %b WHERE size = %s AND subtrees = %b"
_PUT_NODES = "COPY ledger_node (level, index, hash) FROM STDIN (FORMAT BINARY)"
_PUT_CHECKPOINT = """
INSERT INTO ledger_checkpoint (note) SELECT %s
WHERE (SELECT note FROM ledger_checkpoint ORDER BY number DESC LIMIT 1) IS NOT DISTINCT FROM %s
"""
_NODES = "SELECT hash FROM ledger_node WHERE level = %s AND index >= %s AND index < %s ORDER BY index"
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
        numbers = list(people)
        async with self._transaction() as connection:
            await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            entries = await connection.execute(_OF, (numbers, recorded_until_ms, recorded_until_ms), binary=True)
            found = [_entry(row) for row in await entries.fetchall()]
            if not found:
                return [], Keyring({}, {})
            return found, await _keyring(connection, numbers)

    async def ledger_keys(self, people: Collection[PersonId]) -> Keyring:
        async with self._connection() as connection:
            return await _keyring(connection, list(people))

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

    async def checkpoints(self, *, latest_only: bool = False) -> list[str]:
        text = "SELECT note FROM ledger_checkpoint ORDER BY number"
        return [row[0] for row in await self._rows(f"{text} DESC LIMIT 1" if latest_only else text)]


async def _keyring(connection: Connection, people: list[PersonId]) -> Keyring:
    keys = await (await connection.execute(_KEYS, (people,), binary=True)).fetchall()
    single = await (await connection.execute(_SINGLE_KEYS, (people,), binary=True)).fetchall()
    return Keyring({PersonId(row[0]): row[1] for row in keys}, {row[0]: EntryKeys(row[1], row[2]) for row in single})


def _entry(row: tuple[Any, ...]) -> Entry:
    return Entry(*row)
