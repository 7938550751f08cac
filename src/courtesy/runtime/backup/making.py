"""Making a backup while the server goes on: the store and its lake at one instant, and the keys in a file apart."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from secrets import token_bytes
from typing import NamedTuple

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import Clock
from courtesy.engine.contract import Unavailable
from courtesy.engine_postgres import backup
from courtesy.engine_postgres.backup import Facts, Row, Snapshot
from courtesy.engine_postgres.backup_tables import TABLES, Table
from courtesy.person.record import Record
from courtesy.runtime.backup import framed
from courtesy.runtime.backup.format import FILES, KEYS, LAKE, TITLE, BackupWriter, Header, Section
from courtesy.runtime.backup.keys_file import KeysHeader, write_keys
from courtesy.runtime.links import KEY_FILE as LINK_KEY_FILE
from courtesy.runtime.sealer import KEY_FILE as LEDGER_KEY_FILE
from courtesy.runtime.settings import Settings

DATA_FILES = (LEDGER_KEY_FILE, LINK_KEY_FILE)
"""What lies in the data folder and in no table, and never changes."""

BACKUP_ID_BYTES = 16


class Made(NamedTuple):
    """What a backup came to. `made_ms`: the instant of which it is, ms UTC."""

    made_ms: int
    row_count: int
    key_count: int


def make_backup(settings: Settings, url: str, file: Path, keys: Path, clock: Clock) -> Made:
    """Write a backup, and the keys to it and to all earlier ones in place of those that were there.

    Both files are there afterwards, or neither has changed but that the keys may be newer. Erasing waits for its part
    of the lake as long as the lake is read. Call it from a thread. Raises CourtesyError.
    """
    if file.absolute() == keys.absolute():
        raise CourtesyError(Code.INVALID, "expected two files, got one for the backup and its keys", place=str(keys))
    with framed.written(file, TITLE) as frames:
        with ExitStack() as still:
            # Nobody rewrites the lake from before the snapshot until it is read. Until anything is dropped from the log
            # there is nothing in it that is not there.
            lake = _LakeRows(settings, url, still) if settings.has_lake and backup.was_trimmed(url) else None
            snapshot = still.enter_context(backup.snapshot(url))
            facts = snapshot.facts()
            if lake is None and settings.has_lake and facts.dropped_up_to:
                raise Unavailable("the log was just trimmed for the first time")
            lake_up_to = Position(0) if lake is None else min(facts.dropped_up_to, lake.position)
            header = _header(facts, lake_up_to, clock.now_ms())
            writer = BackupWriter(frames, header, snapshot.store_key())
            _write_files(writer, Path(settings.data), snapshot.store_key())
            if lake is not None and lake_up_to:
                writer.section(Section(LAKE), lake.rows(snapshot, lake_up_to))
            if lake is not None:
                lake.let_go()
            _write_tables(writer, snapshot)
            writer.end()
        key_count = _write_keys(url, keys, facts.store, clock)
    return Made(header.made_ms, writer.row_count, key_count)


def refresh_keys(url: str, keys: Path, clock: Clock) -> int:
    """Write the keys alone, in place of those that were there; how many."""
    return _write_keys(url, keys, backup.store_id(url), clock)


def _write_keys(url: str, keys: Path, store: bytes, clock: Clock) -> int:
    return write_keys(keys, KeysHeader(store, clock.now_ms()), backup.read_keys(url))


def _header(facts: Facts, lake_up_to: Position, now_ms: int) -> Header:
    return Header(
        token_bytes(BACKUP_ID_BYTES),
        facts.store,
        facts.schema,
        now_ms,
        facts.partition_count,
        facts.head,
        lake_up_to,
        facts.sequences,
    )


def _write_files(writer: BackupWriter, folder: Path, store_key: bytes) -> None:
    present = [name for name in DATA_FILES if os.path.exists(folder / name)]
    rows = (msgspec.msgpack.encode((name, (folder / name).read_bytes())) for name in present)
    writer.section(Section(FILES), (Row(store_key, row, b"") for row in rows))


def _write_tables(writer: BackupWriter, snapshot: Snapshot) -> None:
    writer.section(Section(KEYS), snapshot.key_ids())
    for table in TABLES:
        own, rest = snapshot.columns(table)
        writer.section(Section(table.name, tuple(own), tuple(rest)), snapshot.rows(table))
    for name, rows in (("chapter", snapshot.torn_chapters()), ("ledger_key", snapshot.entry_keys())):
        columns = snapshot.columns(Table(name))[0]
        writer.section(Section(name, tuple(columns), is_spare=True), rows)


class _LakeRows:
    """The lake, held still."""

    def __init__(self, settings: Settings, url: str, still: ExitStack) -> None:
        # To import what it stands on takes a second and much memory.
        from courtesy.lake import make_lake

        lake = make_lake(settings, url)
        assert lake is not None, "there is one"
        self._lake = lake
        self._turn = still.enter_context(ExitStack())
        self._turn.callback(lake.close_now)
        self.position = self._turn.enter_context(lake.held_still()) or Position(0)

    def let_go(self) -> None:
        """Let others rewrite it again."""
        self._turn.close()

    def rows(self, snapshot: Snapshot, up_to: Position) -> Iterator[Row]:
        """Its events up to a position, sealed as those of the log."""
        for records in self._lake.records(up_to):
            keys = snapshot.keys_of_records([(record.position, record.person) for record in records])
            yield from _lake_rows(records, keys)


def _lake_rows(records: Sequence[Record], keys: Sequence[bytes]) -> Iterator[Row]:
    for record, own_keys in zip(records, keys, strict=True):
        yield Row(own_keys, msgspec.msgpack.encode(record), b"")
