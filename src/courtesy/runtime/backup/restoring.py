"""Restoring a backup into an empty place, without those whose keys are gone or of whom the register tells."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from cryptography.exceptions import InvalidTag

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import Clock, to_iso
from courtesy.engine_postgres import PostgresEngine, restoring
from courtesy.engine_postgres.restoring import Restoration
from courtesy.person.record import Record, RecordKind
from courtesy.runtime.app import App, make_app
from courtesy.runtime.archive import lake_archive
from courtesy.runtime.assets_named import lacking_assets
from courtesy.runtime.backup.format import FILES, KEYS, LAKE, BackupFile, Header, SectionReader
from courtesy.runtime.backup.keys_file import KeysHeader, read_header, read_keys
from courtesy.runtime.backup.making import DATA_FILES
from courtesy.runtime.backup.opening import Opening, key_row
from courtesy.runtime.fold import fold_rest
from courtesy.runtime.register import REGISTER, Register
from courtesy.runtime.settings import Settings

if TYPE_CHECKING:
    from courtesy.lake import Lake

LAKE_RECORDS = 100_000
"""Events that are written to the lake at once: one file for each of their days."""

BY = "restore"


class Restored(msgspec.Struct, frozen=True):
    """What a restoration came to. `made_ms`: of which instant the backup is (ms UTC).

    `without`: people and held events whose keys are gone. `erased`: erasures of the register that were made again.
    `unexplained`: people whose keys are gone and of whom no erasure in the register tells: what the rows of others,
    such as groups, tell of them is still there. `lacking`: the assets that live content names and that are not there,
    by their SHA-256; None when the place where assets lie can't be asked.
    """

    made_ms: int
    without: int
    erased: int
    unexplained: int
    lacking: list[str] | None = None


_FILE = msgspec.msgpack.Decoder(tuple[str, bytes])
_RECORD = msgspec.msgpack.Decoder(Record)


async def restored(
    settings: Settings, url: str, backup: BackupFile, keys: Path, erasures: Path | None, clock: Clock
) -> Restored:
    """Restore a backup that was `checked` into an empty database, an empty lake and the data folder. Everything is
    there afterwards, or nothing. Raises CourtesyError."""
    plan = await asyncio.to_thread(_planned, settings, url, backup, keys)
    lost = _Lost()
    try:
        await asyncio.to_thread(_put, plan, lost, clock.now_ms())
        register = Register(Path(settings.data) / REGISTER)
        if erasures is not None:
            await register.take_over(Register(erasures))
        async with _app(plan, clock, register) as app:
            again = await _settled(app, plan.lake, Position(plan.backup.header.lake_up_to))
            lacking = await _lacking(app)
        told = {person for entry in await register.entries() for person in entry.people}
        await asyncio.to_thread(restoring.opened, url)
    except BaseException:
        await asyncio.to_thread(_cleared, plan)
        raise
    finally:
        if plan.lake is not None:
            await plan.lake.close()
    return Restored(plan.backup.header.made_ms, len(lost.people) + lost.held, again, len(lost.people - told), lacking)


async def _lacking(app: App) -> list[str] | None:
    try:
        return await lacking_assets(app.engine, app.shelf.assets.has)
    except CourtesyError:
        # All else is restored; a store of pictures that is out of reach may come back.
        return None


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is restored, and where to."""

    settings: Settings
    url: str
    backup: BackupFile
    keys: Path
    lake: Lake | None


@dataclass(slots=True)
class _Lost:
    """Whose keys are gone, and which."""

    ids: set[bytes] = field(default_factory=set)
    people: set[int] = field(default_factory=set)
    held: int = 0


def checked(file: Path, keys: Path) -> BackupFile:
    """A backup that this version can restore, by these keys. Raises CourtesyError."""
    backup, header_of_keys = BackupFile(file), read_header(keys)
    header = backup.header
    _check_keys(header, header_of_keys, keys)
    if header.schema > restoring.latest_schema():
        raise CourtesyError(
            Code.SETUP,
            f"expected a backup of migration {restoring.latest_schema()} or earlier, got {header.schema}",
            hint="restore it with the newer Courtesy that made it",
            place=str(file),
        )
    return backup


def _planned(settings: Settings, url: str, backup: BackupFile, keys: Path) -> _Plan:
    """Where it is restored to: a place that is empty. Raises CourtesyError."""
    header = backup.header
    restoring.check_empty(url)
    # What the log is cut into is the store's own matter.
    placed = msgspec.structs.replace(settings, partitions=header.partition_count)
    lake = _empty_lake(placed, url)
    if lake is None and header.lake_up_to:
        raise CourtesyError(
            Code.INVALID, "expected a lake, for the backup has events of one, got `off`", place="COURTESY_LAKE"
        )
    _check_folder(Path(settings.data))
    return _Plan(placed, url, backup, keys, lake)


def _check_keys(header: Header, keys: KeysHeader, path: Path) -> None:
    if keys.store != header.store:
        raise CourtesyError(Code.INVALID, "these are the keys of another store's backups", place=str(path))
    if keys.made_ms < header.made_ms:
        raise CourtesyError(
            Code.INVALID,
            f"expected keys from {to_iso(header.made_ms)} or later, when the backup was made, got some from"
            f" {to_iso(keys.made_ms)}",
            hint="whoever came in between would be lost; take the keys that were written with the backup, or later",
            place=str(path),
        )


def _check_folder(folder: Path) -> None:
    for name in (*DATA_FILES, REGISTER):
        if (folder / name).exists():
            raise CourtesyError(
                Code.CONFLICT,
                f"expected an empty data folder, got one with {name}",
                hint="restore into a new one; a register of erasures is given by --erasures",
                place=str(folder),
            )


def _empty_lake(settings: Settings, url: str) -> Lake | None:
    from courtesy.lake import make_lake

    lake = make_lake(settings, url)
    if lake is not None and not lake.is_empty():
        raise CourtesyError(
            Code.CONFLICT,
            "expected an empty place for the lake, got one with files",
            hint="choose another with COURTESY_LAKE, or move them away",
        )
    return lake


def _put(plan: _Plan, lost: _Lost, now_ms: int) -> None:
    """Put back the rows of the database, in one transaction, then the lake, then the files of the data folder."""
    backup = plan.backup
    header = backup.header
    files: dict[str, bytes] = {}
    with _no_forgery(backup), restoring.restoration(plan.url, header.schema, now_ms) as made:
        made.give_keys(read_keys(plan.keys))
        opening = Opening(backup, made.keys, lost.ids)
        for section in backup.sections():
            _put_section(made, opening, section, files, lost)
        backup.check_end(made.store_keys())
        made.finish(header.store, header.sequences)
    if plan.lake is not None and header.lake_up_to:
        with _no_forgery(backup), restoring.reading_keys(plan.url) as find_keys:
            plan.lake.filled(_lake_batches(Opening(backup, find_keys, lost.ids)), Position(header.lake_up_to))
    for name, content in files.items():
        _write_file(Path(plan.settings.data) / name, content)


def _put_section(
    made: Restoration, opening: Opening, section: SectionReader, files: dict[str, bytes], lost: _Lost
) -> None:
    name = section.what.name
    if name == LAKE:
        return
    for rows in opening.rows(section):
        if name == FILES:
            files.update(_FILE.decode(row) for row in rows)
        elif name == KEYS:
            _add_lost(lost, made, rows)
        elif section.what.is_spare:
            made.put_spare(name, section.what.own, rows)
        else:
            made.put(name, [*section.what.own, *section.what.rest], rows)


def _add_lost(lost: _Lost, made: Restoration, rows: Sequence[bytes]) -> None:
    told = [key_row(row) for row in rows]
    there = made.keys([key_id for key_id, _, _ in told])
    for key_id, person, held in told:
        if key_id not in there:
            lost.ids.add(key_id)
            lost.people.update(() if person is None else (person,))
            lost.held += held is not None


def _lake_batches(opening: Opening) -> Iterator[list[Record]]:
    batch: list[Record] = []
    for section in opening.backup.sections():
        if section.what.name != LAKE:
            continue
        for rows in opening.rows(section):
            batch += (_record(row) for row in rows)
            if len(batch) >= LAKE_RECORDS:
                yield batch
                batch = []
    if batch:
        yield batch


def _record(row: bytes) -> Record:
    record = _RECORD.decode(row)
    return record._replace(kind=RecordKind(record.kind))


@contextmanager
def _no_forgery(backup: BackupFile) -> Iterator[None]:
    """What does not open, or opens to something else, was made by somebody without the keys."""
    try:
        yield
    except (InvalidTag, msgspec.DecodeError, UnicodeDecodeError):
        raise backup.refusal() from None


def _write_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@asynccontextmanager
async def _app(plan: _Plan, clock: Clock, register: Register) -> AsyncIterator[App]:
    """The parts of a server over the store that is restored, alone."""
    engine = PostgresEngine(plan.url, clock, plan.settings.partitions, restoring=True)
    await engine.open()
    archive = lake_archive(plan.settings, plan.url)
    app = make_app(plan.settings, engine, clock, archive)
    assert register.path == Path(plan.settings.data) / REGISTER, "where the app has its own"
    try:
        await app.catalog.start()
        yield app
    finally:
        await app.catalog.stop()
        if archive is not None:
            await archive.close()
        await engine.close()


async def _settled(app: App, lake: Lake | None, lake_up_to: Position) -> int:
    """Fold what was not folded, fill the lake, and erase again whom the register tells of; how many erasures."""
    fold = partial(fold_rest, app.engine, app.catalog.catalog, app.clock, BY)
    await fold()
    if lake is not None:
        from courtesy.runtime.lake import Exporter

        if lake_up_to:
            await app.engine.save_lake_position(lake_up_to)
        exporter = Exporter(app.engine, lake, app.clock, every_s=1)
        while await exporter.export_once():
            pass
    return len(await app.eraser.erase_again(BY, fold))


def _cleared(plan: _Plan) -> None:
    """Leave the place as it was. What can't be cleared is in the way of the next try, which says so."""
    steps: list[Callable[[], Any]] = [partial(restoring.emptied, plan.url)]
    if plan.lake is not None:
        steps.append(plan.lake.clear)
    folder = Path(plan.settings.data)
    steps += [partial((folder / name).unlink, missing_ok=True) for name in (*DATA_FILES, REGISTER)]
    for step in steps:
        with suppress(CourtesyError, OSError):
            step()
