"""The lake's one table: opened or created, appended to, rewritten in part, and swept of what nothing needs any more.

Every commit is PyIceberg's optimistic one: it takes hold when the table is still the one that it was built on, and
fails otherwise. PyIceberg would try a failed commit again on top of what another has written. That would append a
second time what the other had just appended, so it is switched off: whoever fails looks again at how far the table is.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.exceptions import (
    CommitFailedException,
    NamespaceAlreadyExistsError,
    NoSuchTableError,
    TableAlreadyExistsError,
    ValidationException,
)
from pyiceberg.expressions import AlwaysTrue, BooleanExpression
from pyiceberg.io.pyarrow import PyArrowFileIO, write_file
from pyiceberg.manifest import DataFile
from pyiceberg.partitioning import PartitionFieldValue, PartitionKey
from pyiceberg.table import Table, TableProperties, WriteTask
from pyiceberg.table.snapshots import Snapshot
from sqlalchemy.exc import IntegrityError

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import DAY_MS
from courtesy.lake.place import NAMESPACE, TABLE
from courtesy.lake.rows import ARROW, BY_DAY, SCHEMA

POSITION = "courtesy.position"
"""The property of a snapshot that tells up to where in the log the table has everything."""

PROPERTIES = {
    "format-version": "2",
    TableProperties.COMMIT_NUM_RETRIES: "0",
    TableProperties.MANIFEST_MERGE_ENABLED: "true",
    TableProperties.MANIFEST_MIN_MERGE_COUNT: "30",
    TableProperties.METADATA_DELETE_AFTER_COMMIT_ENABLED: "true",
    TableProperties.METADATA_PREVIOUS_VERSIONS_MAX: "20",
    # A person is found in a file without reading much of the rest: rows are sorted by person, in groups of this many.
    TableProperties.PARQUET_ROW_GROUP_LIMIT: "20000",
    # Bounds of texts would keep the beginnings of names and addresses in the manifests.
    TableProperties.DEFAULT_WRITE_METRICS_MODE: "none",
    **{
        f"{TableProperties.METRICS_MODE_COLUMN_CONF_PREFIX}.{name}": "full"
        for name in ("position", "person_id", "at", "received", "source_id")
    },
}


class EventTable:
    """The table in a catalogue. Its methods wait for the store; call them from a thread.

    They raise what PyIceberg, Arrow and SQLAlchemy raise. After CommitFailedException or ValidationException nothing
    has changed and nothing is left behind; after anything else a commit may have taken hold, and `position` tells.
    """

    def __init__(self, catalog: SqlCatalog, warehouse: str) -> None:
        self._catalog = catalog
        self._location = f"{warehouse}/{'/'.join(TABLE)}"

    def load(self) -> Table:
        """The table as it is now, made when there is none. Raises CourtesyError(SETUP) when it lies elsewhere."""
        try:
            table = self._catalog.load_table(TABLE)
        except NoSuchTableError:
            table = self._create()
        if not _is_same_place(table.location(), self._location):
            raise CourtesyError(
                Code.SETUP,
                f"expected the lake at {self._location}, its catalogue says {table.location()}",
                hint="set it back; or drop the table from the catalogue to begin a new lake",
                place="lake",
            )
        return table

    def _create(self) -> Table:
        # Another process may be at it.
        with suppress(NamespaceAlreadyExistsError, IntegrityError):
            self._catalog.create_namespace(NAMESPACE)
        try:
            return self._catalog.create_table(TABLE, SCHEMA, self._location, BY_DAY, properties=PROPERTIES)
        except TableAlreadyExistsError:
            return self._catalog.load_table(TABLE)

    # -- writing

    def append(self, table: Table, rows: pa.Table, up_to: Position) -> None:
        """Add rows, and say in the same commit that the table has the log up to a position."""
        self.add(table, write_rows(table, rows), up_to)

    def add(self, table: Table, files: Sequence[DataFile], up_to: Position) -> None:
        """Add files that `write_rows` wrote; as `append`."""
        with undone(table, files), table.transaction() as transaction:
            update = transaction.update_snapshot(snapshot_properties={POSITION: str(up_to)})
            with update.merge_append() as added:
                for file in files:
                    added.append_data_file(file)

    def replace(self, table: Table, old: Collection[DataFile], new: Collection[DataFile]) -> None:
        """Put files in the place of others, whose rows they hold, or some of them."""
        with undone(table, new), table.transaction() as transaction:
            properties = {POSITION: str(position_of(table) or 0)}
            with transaction.update_snapshot(snapshot_properties=properties).overwrite() as overwriting:
                for file in old:
                    overwriting.delete_data_file(file)
                for file in new:
                    overwriting.append_data_file(file)

    def fence(self, table: Table) -> None:
        """Add an empty snapshot. Every commit under way elsewhere fails, and the entries of files that the snapshot
        before had removed are no longer in any manifest of the latest one."""
        with table.transaction() as transaction:
            update = transaction.update_snapshot(snapshot_properties={POSITION: str(position_of(table) or 0)})
            with update.fast_append():
                pass

    def expire(self, table: Table, before_ms: int | None) -> None:
        """Forget the snapshots older than an instant, or with None all but the latest, tags and branches too."""
        if before_ms is None:
            self._drop_refs(table)
        current = table.current_snapshot()
        old = [
            each.snapshot_id
            for each in table.snapshots()
            if each != current and (before_ms is None or each.timestamp_ms < before_ms)
        ]
        kept = {ref.snapshot_id for ref in table.refs().values()}
        if doomed := [each for each in old if each not in kept]:
            table.maintenance.expire_snapshots().by_ids(doomed).commit()

    def _drop_refs(self, table: Table) -> None:
        for name, ref in dict(table.refs()).items():
            if name != "main":
                managing = table.manage_snapshots()
                (managing.remove_tag(name) if ref.snapshot_ref_type == "tag" else managing.remove_branch(name)).commit()

    def sweep(self, table: Table, listed: Iterable[fs.FileInfo], before_ms: int) -> int:
        """Delete the listed files last changed before an instant that no snapshot of the table needs; how many."""
        needed = {path_of(table, each) for each in reachable(table)}
        doomed = [each.path for each in listed if each.path not in needed and each.mtime_ns < before_ms * 1_000_000]
        store = filesystem(table)
        for path in doomed:
            with suppress(FileNotFoundError):
                store.delete_file(path)
        return len(doomed)


@contextmanager
def undone(table: Table, files: Collection[DataFile]) -> Iterator[None]:
    """Delete new files again when the commit inside is known to have failed."""
    try:
        yield
    except (CommitFailedException, ValidationException):
        discard(table, files)
        raise


def discard(table: Table, files: Collection[DataFile]) -> None:
    """Delete files that were written and never committed."""
    for file in files:
        with suppress(FileNotFoundError):
            table.io.delete(file.file_path)


def position_of(table: Table) -> Position | None:
    """Up to where in the log the table has everything; None for a table in which nothing was ever written.

    Others who rewrite the table leave snapshots that do not tell; then an earlier one does, or else the rows.
    """
    snapshot = table.current_snapshot()
    if snapshot is None:
        return None
    for each in _with_ancestors(table, snapshot):
        if each.summary is not None and (told := each.summary.additional_properties.get(POSITION)) is not None:
            return Position(int(told))
    files = live_files(table)
    last = pc.max(dataset(table, files).to_table(columns=["position"]).column(0)).as_py() if files else None
    return Position(last or 0)


def _with_ancestors(table: Table, snapshot: Snapshot | None) -> Iterator[Snapshot]:
    while snapshot is not None:
        yield snapshot
        parent = snapshot.parent_snapshot_id
        snapshot = None if parent is None else table.snapshot_by_id(parent)


def live_files(table: Table, matching: BooleanExpression | None = None) -> list[DataFile]:
    """The files of the latest snapshot that may hold rows which match, all by default."""
    return [task.file for task in table.scan(row_filter=matching or AlwaysTrue()).plan_files()]


def dataset(table: Table, files: Sequence[DataFile]) -> ds.Dataset:
    """Some of the table's files for Arrow to read, with filters that skip row groups by their bounds."""
    return ds.dataset(
        [path_of(table, file.file_path) for file in files], filesystem=filesystem(table), schema=ARROW, format="parquet"
    )


def _is_same_place(location: str, other: str) -> bool:
    """Whether two locations are one: a folder may be reached by links."""
    if location == other:
        return True
    scheme = "file://"
    if not location.startswith(scheme) or not other.startswith(scheme):
        return False
    return os.path.realpath(location.removeprefix(scheme)) == os.path.realpath(other.removeprefix(scheme))


@dataclass(frozen=True, slots=True)
class Planned:
    """The files of a snapshot: up to where in the log they have all events (0: nowhere), how many rows, and how to read
    them: `paths` of files on this machine (none when they lie elsewhere), or Arrow's dataset."""

    position: Position
    row_count: int
    paths: Sequence[str]
    dataset: ds.Dataset


def planned(table: Table) -> Planned:
    """The files of the latest snapshot."""
    files = live_files(table)
    is_here = isinstance(filesystem(table), fs.LocalFileSystem)
    paths = [path_of(table, file.file_path) for file in files] if is_here else []
    count = sum(file.record_count for file in files)
    return Planned(position_of(table) or Position(0), count, paths, dataset(table, files))


def write_rows(table: Table, rows: pa.Table) -> list[DataFile]:
    """Write rows to new files, one for each day of arrival, sorted by person. They belong to no snapshot yet."""
    days = pc.divide(rows.column("received").cast(pa.int64()), DAY_MS * 1_000)
    written: list[DataFile] = []
    identity, numbers = uuid.uuid4(), count()
    for day in sorted(pc.unique(days).to_pylist()):
        part = rows.filter(pc.equal(days, day)).sort_by([("person_id", "ascending"), ("position", "ascending")])
        task = WriteTask(
            identity,
            next(numbers),
            table.schema(),
            part.combine_chunks().to_batches(),
            partition_key=_partition(table, day),
        )
        written += write_file(table.io, table.metadata, iter([task]))
    return written


def _partition(table: Table, day: int) -> PartitionKey:
    spec = table.spec()
    return PartitionKey([PartitionFieldValue(spec.fields[0], day)], spec, table.schema())


def day_of(file: DataFile) -> int:
    """The day of arrival of a file's rows, in days since 1970."""
    day: int = file.partition[0]
    return day


def listing(table: Table) -> list[fs.FileInfo]:
    """Every file in the table's place, whoever wrote it."""
    found = filesystem(table).get_file_info(
        fs.FileSelector(path_of(table, table.location()), recursive=True, allow_not_found=True)
    )
    return [each for each in found if each.type == fs.FileType.File]


def listing_at(location: str, properties: Mapping[str, str]) -> list[fs.FileInfo]:
    """Every file in the place of a lake, whether or not there is a table."""
    scheme, authority, path = PyArrowFileIO.parse_location(location, dict(properties))
    store = PyArrowFileIO(dict(properties)).fs_by_scheme(scheme, authority)
    found = store.get_file_info(fs.FileSelector(path, recursive=True, allow_not_found=True))
    return [each for each in found if each.type == fs.FileType.File]


def delete_all_at(location: str, properties: Mapping[str, str]) -> None:
    """Delete every file in the place of a lake."""
    scheme, authority, _ = PyArrowFileIO.parse_location(location, dict(properties))
    store = PyArrowFileIO(dict(properties)).fs_by_scheme(scheme, authority)
    for each in listing_at(location, properties):
        store.delete_file(each.path)


def reachable(table: Table) -> set[str]:
    """The locations of all files that some snapshot needs, and the table's own."""
    metadata = table.metadata
    found = {table.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
    found |= {each.statistics_path for each in (*metadata.statistics, *metadata.partition_statistics)}
    manifests = set()
    for snapshot in metadata.snapshots:
        found.add(snapshot.manifest_list)
        manifests.update(snapshot.manifests(table.io))
    for manifest in manifests:
        found.add(manifest.manifest_path)
        found.update(entry.data_file.file_path for entry in manifest.fetch_manifest_entry(table.io))
    return found


def filesystem(table: Table) -> Any:
    """Arrow's way to the table's files."""
    assert isinstance(table.io, PyArrowFileIO), "the catalogue is opened with it"
    scheme, authority, _ = PyArrowFileIO.parse_location(table.location(), table.io.properties)
    return table.io.fs_by_scheme(scheme, authority)


def path_of(table: Table, location: str) -> str:
    """A location as `filesystem` names it."""
    return PyArrowFileIO.parse_location(location, table.io.properties)[2]
