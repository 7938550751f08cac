"""Putting a store together again from the rows of a backup, in an empty database, all of it or nothing.

Its functions wait for the database; call them from a thread. They raise what the engine raises.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine_postgres.backup import COPY_HEADER_BYTES, KEY_BYTES, KEY_ID_BYTES, BackupKey, connected
from courtesy.engine_postgres.backup_tables import SPARE, TABLES
from courtesy.engine_postgres.connection import migrations, translated

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = struct.pack(">h", -1)
assert len(_SIGNATURE) == COPY_HEADER_BYTES, "the header of PostgreSQL's binary COPY"

_TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
_GIVEN_KEYS = """
CREATE TEMPORARY TABLE given_key (id bytea PRIMARY KEY, person_id bigint, held bigint, key bytea NOT NULL)
ON COMMIT DROP
"""
# Numbers that the backup does not know may be given again, to others.
_KEEP_KEYS = """
INSERT INTO backup_key (id, person_id, held, key) SELECT id, person_id, held, key FROM given_key
WHERE (person_id IS NULL OR person_id < (SELECT next FROM person_counter))
  AND (held IS NULL OR held IN (SELECT number FROM quarantine))
"""
# Of who is left out, for what is written under their number from now on.
_MAKE_KEYS = """
INSERT INTO backup_key (id, person_id, key)
SELECT uuid_send(gen_random_uuid()), number, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
FROM person_counter, generate_series(1, person_counter.next - 1) AS number
ON CONFLICT DO NOTHING
"""


def latest_schema() -> int:
    """The number of the last migration that this version knows."""
    return migrations()[-1][0]


def check_empty(url: str) -> None:
    """Raises CourtesyError(CONFLICT) when there is anything in the database."""
    with translated(), connected(url) as connection:
        found = connection.execute(_TABLES).fetchall()
    if found:
        raise CourtesyError(
            Code.CONFLICT,
            f"expected an empty database to restore into, got one with {len(found)} tables",
            hint="restore into a new data folder, or an empty database",
        )


@dataclass(frozen=True, slots=True)
class Restoration:
    """A store that is being put together."""

    connection: psycopg.Connection[Any]

    def give_keys(self, keys: Iterable[BackupKey]) -> None:
        """What rows are opened with, and the restored store goes on with."""
        self.connection.execute(_GIVEN_KEYS)
        with self.connection.cursor().copy("COPY given_key FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(("bytea", "int8", "int8", "bytea"))
            for each in keys:
                copy.write_row(tuple(each))

    def keys(self, ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Those of the keys that are there, by id."""
        found = self.connection.execute(
            "SELECT id, key FROM given_key WHERE id = ANY(%b::bytea[])", (list(ids),), binary=True
        )
        return dict(found.fetchall())

    def store_keys(self) -> dict[bytes, bytes]:
        """The store's own key, by id; empty when it is not there."""
        found = self.connection.execute("SELECT id, key FROM given_key WHERE person_id IS NULL AND held IS NULL")
        return dict(found.fetchall())

    def put(self, table: str, columns: Collection[str], rows: Iterable[bytes]) -> None:
        """Put rows into a table, each as `backup.Row` has its fields."""
        into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
        )
        count = struct.pack(">h", len(columns))
        with self.connection.cursor().copy(into) as copy:
            copy.write(_SIGNATURE)
            for row in rows:
                copy.write(count + row)
            copy.write(_TRAILER)

    def put_spare(self, table: str, columns: Collection[str], rows: Iterable[bytes]) -> None:
        """Put rows into a table where it has none of the same place."""
        like = sql.SQL("CREATE TEMPORARY TABLE spare (LIKE {}) ON COMMIT DROP").format(sql.Identifier(table))
        self.connection.execute(like)
        self.put("spare", columns, rows)
        self.connection.execute(SPARE[table].encode())
        self.connection.execute("DROP TABLE spare")

    def finish(self, store: bytes, sequences: Mapping[str, int]) -> None:
        """Say which store it is, and have it go on counting from where it was."""
        self.connection.execute("UPDATE store SET id = %b", (store,))
        self.connection.execute("UPDATE partition_state SET owner = NULL, expires = 0")
        self.connection.execute("DELETE FROM backup_key")
        self.connection.execute(_KEEP_KEYS)
        self.connection.execute(_MAKE_KEYS)
        for name, last in sequences.items():
            self.connection.execute("SELECT setval(%s::regclass, %s)", (name, last))


@contextmanager
def restoration(url: str, schema: int, now_ms: int) -> Iterator[Restoration]:
    """An empty store of an earlier or the same schema, to be filled; committed, and closed to everybody else until
    `opened`, when nothing went wrong. Otherwise the database is as empty as before."""
    with translated(), connected(url) as connection, connection.transaction():
        connection.execute(
            "CREATE TABLE migration (number integer PRIMARY KEY, name text NOT NULL,"
            " applied timestamptz NOT NULL DEFAULT now())"
        )
        for number, name, text in migrations():
            if number <= schema:
                connection.execute(text.encode())
                connection.execute("INSERT INTO migration (number, name) VALUES (%s, %s)", (number, name))
        there = {name for (name,) in connection.execute(_TABLES).fetchall()}
        names = sql.SQL(", ").join(sql.Identifier(each.name) for each in TABLES if each.name in there)
        # What migrations put there is in the backup as well. Also: what is copied into a table that was emptied in the
        # same transaction needs no log of its own.
        connection.execute(sql.SQL("TRUNCATE {}, backup_key").format(names))
        yield Restoration(connection)
        connection.execute("INSERT INTO restoring (began) VALUES (%s)", (now_ms,))


@contextmanager
def reading_keys(url: str) -> Iterator[Callable[[Collection[bytes]], dict[bytes, bytes]]]:
    """Asks a restored store for its keys, by id."""
    with translated(), connected(url) as connection:

        def keys(ids: Collection[bytes]) -> dict[bytes, bytes]:
            text = "SELECT id, key FROM backup_key WHERE id = ANY(%b::bytea[])"
            return dict(connection.execute(text, (list(ids),)).fetchall())

        yield keys


def opened(url: str) -> None:
    """Let everybody work on a restored store."""
    with translated(), connected(url) as connection:
        connection.execute("DELETE FROM restoring")


def emptied(url: str) -> None:
    """Drop every table of a database that was empty before something was restored into it."""
    with translated(), connected(url) as connection, connection.transaction():
        names = [sql.Identifier(name) for (name,) in connection.execute(_TABLES).fetchall()]
        if names:
            connection.execute(sql.SQL("DROP TABLE {} CASCADE").format(sql.SQL(", ").join(names)))


def key_parts(keys: bytes) -> list[tuple[bytes, bytes]]:
    """The ids and keys that a row of a backup comes with."""
    step = KEY_ID_BYTES + KEY_BYTES
    return [(keys[at : at + KEY_ID_BYTES], keys[at + KEY_ID_BYTES : at + step]) for at in range(0, len(keys), step)]
