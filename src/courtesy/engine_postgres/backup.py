"""Copying a store out for a backup: every row from one snapshot, each with the keys that are to seal it.

Its functions wait for the database; call them from a thread. They raise what the engine raises.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg

from courtesy.base.ids import PersonId, Position
from courtesy.consent.sealing import commitment_key, encryption_key, salt_of
from courtesy.engine_postgres.backup_tables import MOVED_ENTRIES, RECORD, TORN_CHAPTERS, Table, owner_in_log
from courtesy.engine_postgres.connection import plain_url, translated

KEY_ID_BYTES = 16
KEY_BYTES = 32

COPY_HEADER_BYTES = 19
"""What PostgreSQL's binary COPY begins with: signature, flags and the length of an extension that there is not."""

_LENGTH = struct.Struct(">i")
_FIELDS = struct.Struct(">h")
_KEYS_AT_ONCE = 10_000

_STORE_KEY = "(SELECT id || key FROM backup_key WHERE person_id IS NULL AND held IS NULL)"
_MAKE_FOR_PEOPLE = """
INSERT INTO backup_key (id, person_id, key)
SELECT uuid_send(gen_random_uuid()), number, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
FROM person_counter,
    generate_series((SELECT coalesce(max(person_id), 0) + 1 FROM backup_key), person_counter.next - 1) AS number
ON CONFLICT DO NOTHING
"""
_MAKE_FOR_HELD = """
INSERT INTO backup_key (id, held, key)
SELECT uuid_send(gen_random_uuid()), number, uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
FROM quarantine WHERE number > (SELECT coalesce(max(held), 0) FROM backup_key)
ON CONFLICT DO NOTHING
"""
# Up to where the log was dropped in some partition, or might have been.
_DROPPED_UP_TO = """
SELECT coalesce(max(coalesce(first.position - 1, log_head.position)), 0)
FROM log_trimmed, log_head, partition_state LEFT JOIN LATERAL (
    SELECT position FROM log WHERE log.partition = partition_state.partition ORDER BY position LIMIT 1
) AS first ON true
"""
_COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


class Row(NamedTuple):
    """A row as PostgreSQL copies it, field by field, without their number.

    `keys`: ids and keys of all who have to be there for `own` to be read, one after the other. `rest`: the fields that
    the store's key opens.
    """

    keys: bytes
    own: bytes
    rest: bytes


class BackupKey(NamedTuple):
    """A key, and whose it is: a person's, a held event's (its number), or the store's own."""

    id: bytes
    person: PersonId | None
    held: int | None
    key: bytes


@dataclass(frozen=True, slots=True)
class Facts:
    """What is to be known of a store before anything of it is restored.

    `schema`: the number of its last migration. `sequences`: the last number that each has given. `dropped_up_to`: the
    log has every event after this position; of what lies before, some may be in the lake alone.
    """

    store: bytes
    schema: int
    partition_count: int
    head: Position
    dropped_up_to: Position
    sequences: dict[str, int]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A store as it was at one instant, while it goes on."""

    connection: psycopg.Connection[Any]

    def facts(self) -> Facts:
        """What there is to know before the rows."""
        store, schema, partition_count, head, dropped_up_to = self._one(
            "SELECT store.id, (SELECT max(number) FROM migration), (SELECT count(*) FROM partition_state),"
            f" log_head.position, ({_DROPPED_UP_TO}) FROM store, log_head"
        )
        sequences = self.connection.execute(
            "SELECT sequencename::text, last_value FROM pg_sequences WHERE schemaname = 'public'"
            " AND last_value IS NOT NULL ORDER BY 1"
        ).fetchall()
        return Facts(store, schema, partition_count, head, dropped_up_to, dict(sequences))

    def store_key(self) -> bytes:
        """Id and key of the store's own key."""
        key: bytes = self._one(f"SELECT {_STORE_KEY}")[0]
        return key

    def columns(self, table: Table) -> tuple[list[str], list[str]]:
        """The columns of a table that its owners' keys open, and those that the store's does."""
        names = [name for (name,) in self.connection.execute(_COLUMNS, (table.name,)).fetchall()]
        if not table.forgotten:
            return names, []
        return list(table.forgotten), [name for name in names if name not in table.forgotten]

    def rows(self, table: Table) -> Iterator[Row]:
        """Every row of a table. Nothing else may be asked until they are read."""
        own, rest = self.columns(table)
        chosen = ", ".join(f'own."{name}"' for name in (*own, *rest))
        text = f'COPY (SELECT {_keys_of(table)}, {chosen} FROM "{table.name}" AS own) TO STDOUT (FORMAT BINARY)'
        yield from self._copied(text, len(own) if rest else None)

    def _copied(self, text: str, own_count: int | None) -> Iterator[Row]:
        start = COPY_HEADER_BYTES
        with self.connection.cursor().copy(text.encode()) as copy:
            # The server sends each row as one message, the first behind the header, and after the last a trailer.
            for message in copy:
                content = bytes(message)
                if _FIELDS.unpack_from(content, start)[0] >= 0:
                    yield _row(content, start, own_count)
                start = 0

    def key_ids(self) -> Iterator[Row]:
        """Which keys there are of whom: rows of id, number of a person and of a held event, without the keys."""
        text = f"COPY (SELECT {_STORE_KEY}, id, person_id, held FROM backup_key) TO STDOUT (FORMAT BINARY)"
        yield from self._copied(text, None)

    def torn_chapters(self) -> Iterator[Row]:
        """Rows to spare of the table of chapters."""
        text = TORN_CHAPTERS.format(keys=_keys_of(Table("chapter", ("moved.person_id",))))
        yield from self._copied(f"COPY ({text}) TO STDOUT (FORMAT BINARY)", None)

    def entry_keys(self) -> Iterator[Row]:
        """Rows to spare of the table of keys to single entries of the ledger."""
        text = MOVED_ENTRIES.format(keys=_keys_of(Table("ledger", (owner_in_log("own"),))))
        for keys, index, sealed, key in self.connection.execute(text.encode(), binary=True).fetchall():
            salt = salt_of(sealed)
            pair = commitment_key(key, salt), encryption_key(key, salt)
            fields = (struct.pack(">q", index), *pair)
            yield Row(keys, b"".join(_LENGTH.pack(len(each)) + each for each in fields), b"")

    def keys_of_records(self, places: Sequence[tuple[Position, PersonId]]) -> list[bytes]:
        """The keys that are to seal records of the log at these positions, appended for these people; as in `Row`."""
        text = (
            f"SELECT {_keys_of(RECORD)} FROM unnest(%s::bigint[], %s::bigint[]) WITH ORDINALITY"
            " AS own (position, person_id, place) ORDER BY place"
        )
        given = [position for position, _ in places], [person for _, person in places]
        return [keys for (keys,) in self.connection.execute(text.encode(), given).fetchall()]

    def _one(self, text: str) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self.connection.execute(text.encode()).fetchone()
        assert row is not None, "asked for what there is one of"
        return row


def _keys_of(table: Table) -> str:
    """SQL for the ids and keys that seal a row."""
    if table.held is not None:
        return f"(SELECT id || key FROM backup_key WHERE backup_key.held = {table.held})"
    if not table.owners:
        return _STORE_KEY
    people = ", ".join(table.owners)
    return (
        f"coalesce((SELECT string_agg(id || key, ''::bytea ORDER BY id) FROM backup_key"
        f" WHERE backup_key.person_id = ANY(ARRAY[{people}]::bigint[])), {_STORE_KEY})"
    )


def _row(content: bytes, start: int, own_count: int | None) -> Row:
    """A row from its message: the number of fields, then each with its length before it, the keys first."""
    at = start + _FIELDS.size
    length = _LENGTH.unpack_from(content, at)[0]
    assert length > 0, "everything has a key by now"
    keys_at = at + _LENGTH.size
    at = own_at = keys_at + length
    keys = content[keys_at:own_at]
    if own_count is None:
        return Row(keys, content[own_at:], b"")
    for _ in range(own_count):
        at += _LENGTH.size + max(_LENGTH.unpack_from(content, at)[0], 0)
    return Row(keys, content[own_at:at], content[at:])


@contextmanager
def snapshot(url: str) -> Iterator[Snapshot]:
    """The store at one instant, at which everything in it has a key.

    The append lock is held for as long as it takes to make the few keys that are missing and to take the snapshot.
    """
    with translated(), connected(url) as reading, connected(url) as locking:
        make_keys(url)
        with locking.transaction():
            locking.execute("SELECT FROM log_head FOR UPDATE")
            # People and held events come by appends alone, so nobody is without a key now.
            make_keys(url)
            reading.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            reading.read_only = True
            reading.autocommit = False
            reading.execute("SELECT FROM log_head")
        yield Snapshot(reading)


def was_trimmed(url: str) -> bool:
    """Whether anything was ever dropped from the log because it was old."""
    with translated(), connected(url) as connection:
        return connection.execute("SELECT FROM log_trimmed").fetchone() is not None


def make_keys(url: str) -> None:
    """Make the keys that are missing."""
    with translated(), connected(url) as connection:
        connection.execute(_MAKE_FOR_PEOPLE)
        connection.execute(_MAKE_FOR_HELD)


def read_keys(url: str) -> Iterator[BackupKey]:
    """All keys there are now."""
    with (
        translated(),
        connected(url) as connection,
        connection.transaction(),
        connection.cursor("keys", binary=True) as cursor,
    ):
        cursor.itersize = _KEYS_AT_ONCE
        cursor.execute("SELECT id, person_id, held, key FROM backup_key")
        for row in cursor:
            yield BackupKey(*row)


def connected(url: str) -> psycopg.Connection[Any]:
    """A connection of its own, in autocommit."""
    return psycopg.connect(plain_url(url), autocommit=True, connect_timeout=10)


def store_id(url: str) -> bytes:
    """Which store it is."""
    with translated(), connected(url) as connection:
        row = connection.execute("SELECT id FROM store").fetchone()
    assert row is not None, "each store has one"
    store: bytes = row[0]
    return store
