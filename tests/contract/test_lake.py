"""The lake in a folder and in an S3-compatible store: what goes in comes out, once, and what is erased is gone."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from moto.server import ThreadedMotoServer
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.table import Table

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position
from courtesy.base.time import DAY_MS, HOUR_MS, ManualClock
from courtesy.engine.contract import Unavailable
from courtesy.engine.imported import Span
from courtesy.lake import Lake, make_lake, place_of
from courtesy.lake.lake import SNAPSHOT_KEPT_MS
from courtesy.lake.place import TABLE, Place, catalog_url
from courtesy.lake.rewriting import OPEN_DEPTH, depth
from courtesy.lake.rows import KINDS
from courtesy.lake.table import POSITION, live_files
from courtesy.person.chapter import written
from courtesy.person.record import Record, RecordKind, hand_over_payload
from courtesy.runtime.lake import LakeRetention
from courtesy.runtime.retention import Rule
from tests.contract.builders import ANN, BOB, NOW_MS, SHOP, TILL
from tests.contract.conftest import Databases
from tests.contract.lakes import LakeSettings, Site, all_of, close, event, folder_site, put, s3_site

CID = PersonId(103)
FAR_MS = 2**45
"""So late that everything not needed is old."""


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of an S3-compatible store on this machine."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def site(request: pytest.FixtureRequest, databases: Databases, tmp_path: Path) -> Iterator[Site]:
    """A place of each kind, with nothing in it."""
    with databases.fresh() as url:
        made = folder_site(url, tmp_path) if request.param == "folder" else s3_site(url, request.getfixturevalue("s3"))
        yield made
        close(made)


@pytest.fixture
def folder(databases: Databases, tmp_path: Path) -> Iterator[Site]:
    """A place in a folder, for what does not depend on the kind."""
    with databases.fresh() as url:
        made = folder_site(url, tmp_path)
        yield made
        close(made)


def plain_table(site: Site) -> Table:
    """The table as a client of PyIceberg finds it that knows nothing of Courtesy."""
    catalog = SqlCatalog("courtesy", uri=catalog_url(site.url), warehouse=site.place.warehouse, **site.place.files)
    try:
        return catalog.load_table("courtesy.events")
    finally:
        catalog.engine.dispose()


def some_events(count: int, first: int = 1, **more: Any) -> list[Record]:
    """Events of Ann, Bob and Cid in turn."""
    return [event(first + n, (ANN, BOB, CID)[n % 3], **more) for n in range(count)]


# -- what goes in comes out


async def test_history_is_the_records_of_the_log(site: Site) -> None:
    """Byte for byte and in order, of the people asked for, up to the position asked for, whoever wrote how often."""
    records = [
        *some_events(30),
        event(31, ANN, kind=RecordKind.GROUP),
        event(32, BOB, name=None, traits={"a": "Zoë 🙂"}),
    ]
    lake = site.lake()
    assert await lake.position() is None
    assert [await put(lake, records[:10]), await put(lake, records[10:])] == [10, 22]
    assert await lake.position() == 32
    assert await all_of(lake, [ANN, BOB, CID]) == records
    assert await lake.history([BOB], Position(20)) == [each for each in records[:20] if each.person == BOB]
    assert await lake.history([], Position(20)) == await all_of(lake, [PersonId(999)]) == []
    await lake.close()
    assert await all_of(site.lake(), [ANN]) == [each for each in records if each.person == ANN]


async def test_of_chapters_only_their_days_are_read(site: Site) -> None:
    """All that a chapter is made of comes, and nothing of a day on which none of its events arrived."""
    records = [event(1 + n, (ANN, BOB)[n % 2], received=NOW_MS + n * DAY_MS // 3) for n in range(60)]
    lake = site.lake()
    await put(lake, records)
    chapters = [chapter for person in (ANN, BOB) for chapter in written(None, _of(records, person))]
    assert len(chapters) > 4
    for chapter in chapters:
        found = await lake.of_chapters([chapter])
        own = [each for each in _of(records, chapter.person) if chapter.covers(each.position)]
        assert [each for each in found if chapter.covers(each.position)] == own
        assert {each.received // DAY_MS for each in found} == set(chapter.days)
    assert await lake.of_chapters(chapters) == records
    assert await lake.of_chapters([]) == []


def _of(records: list[Record], person: PersonId) -> list[Record]:
    return [each for each in records if each.person == person]


async def test_only_events_flow_to_the_lake(folder: Site) -> None:
    """Timers and merges mean nothing outside of the log, but the lake's position passes them."""
    merged = event(2, ANN)._replace(kind=RecordKind.HAND_OVER, payload=hand_over_payload(BOB))
    lake = folder.lake()
    async with lake.appending() as appending:
        assert await appending.write([event(1, ANN), merged], Position(2)) == 1
    async with lake.appending() as appending:
        assert appending.position == 2
        assert await appending.write([merged._replace(position=Position(3))], Position(3)) == 0
    assert [await lake.position(), len(await all_of(lake, [ANN]))] == [2, 1]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b'{"id": 7}',
        b'{"id":"m1","type":"track","properties":{"a":"\xff\xfe"}}',
        b"\x80\x00\xff",
        b"[" * 5_000,
    ],
)
async def test_a_payload_that_is_broken_is_kept_as_it_is(folder: Site, payload: bytes) -> None:
    """Whatever lies in the log: the lake takes it, with its neighbours, and gives it back."""
    records = [event(1, ANN), event(2, ANN, payload=payload), event(3, ANN)]
    lake = folder.lake()
    assert await put(lake, records) == 3
    assert await all_of(lake, [ANN]) == records


async def test_a_plain_client_reads_equal_rows(site: Site) -> None:
    """PyIceberg with the catalogue alone, and DuckDB over the files that it plans, see what the log had."""
    records = [*some_events(20), *some_events(10, 21, source=TILL, received=NOW_MS + DAY_MS)]
    await put(site.lake(), records)
    table = plain_table(site)
    rows = table.scan().to_arrow().sort_by("position").to_pylist()
    assert [
        (row["position"], row["person_id"], row["payload"].encode(), row["key"], row["message_id"], row["ids"])
        for row in rows
    ] == [
        (each.position, each.person, each.payload, each.key, f"m{each.position}", [f"user_id:u{each.person}"])
        for each in records
    ]
    assert {(row["kind"], row["type"], row["name"], row["live"]) for row in rows} == {
        (KINDS[RecordKind.EVENT], "track", "Product Viewed", True)
    }
    assert [(int(row["at"].timestamp() * 1_000), int(row["received"].timestamp() * 1_000)) for row in rows] == [
        (each.at, each.received) for each in records
    ]
    assert {task.file.partition[0] for task in table.scan().plan_files()} == {NOW_MS // DAY_MS, NOW_MS // DAY_MS + 1}


async def test_duckdb_sums_over_the_planned_files_equal_the_log(site: Site) -> None:
    """A question of a data engineer, with a filter that leaves out files."""
    records = [*some_events(20), *some_events(10, 21, source=TILL, received=NOW_MS + DAY_MS)]
    lake = site.lake()
    await put(lake, records)
    planned = plain_table(site).scan(row_filter="received >= '2025-11-23T00:00:00+00:00'").plan_files()
    paths = [task.file.file_path.split("://")[1] for task in planned]
    assert len(paths) == 1
    events = ds.dataset(paths, filesystem=site.files)
    with duckdb.connect() as connection:
        connection.register("events", events)
        asked = connection.execute(
            "SELECT person_id, count(*), sum(position), max(payload->>'$.source') FROM events GROUP BY 1 ORDER BY 1"
        ).fetchall()
    of = {person: [each.position for each in records[20:] if each.person == person] for person in (ANN, BOB, CID)}
    assert asked == [(person, len(found), sum(found), str(TILL)) for person, found in of.items()]


# -- once


async def test_what_is_written_again_is_left_out(site: Site) -> None:
    """A writer that died after the commit, and its successor that reads from where the store had it last."""
    records = some_events(12)
    lake = site.lake()
    await put(lake, records[:8])
    assert await put(lake, records) == 4
    assert await put(lake, records) == 0
    assert await all_of(lake, [ANN, BOB, CID]) == records


async def test_writers_at_once_write_each_event_once(site: Site) -> None:
    """Turns are told by the database, so that processes do not spoil each other's work."""
    records = some_events(30)
    lakes = [site.lake() for _ in range(3)]
    counts = await asyncio.gather(*(put(lake, records[: 10 * (n + 1)]) for n, lake in enumerate(lakes)))
    assert sum(counts) == 30
    assert await all_of(lakes[0], [ANN, BOB, CID]) == records


async def test_a_writer_that_lost_its_turn_fails_and_leaves_nothing(folder: Site) -> None:
    """Locks can be lost without notice. Then the commit fails, because the table has moved on, and the file is gone."""
    records = some_events(20)
    lake, other = folder.lake(), folder.lake()
    await put(lake, records[:5])
    async with lake.appending() as late:
        _end_turns(folder.url)
        await put(other, records[:15])
        with pytest.raises(Unavailable):
            await late.write(records, Position(20))
        # Also when the loss shows in nothing but the table itself.
        late._check = lambda: None
        before = folder.paths()
        with pytest.raises(Unavailable, match="somebody else"):
            await late.write(records, Position(20))
        assert [path for path in folder.paths() if path.endswith(".parquet") and path not in before] == []
    assert await put(lake, records) == 5
    assert await all_of(lake, [ANN, BOB, CID]) == records


def _end_turns(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


async def test_the_position_is_found_behind_what_others_wrote(folder: Site) -> None:
    """Somebody's own rewriting leaves snapshots that do not tell; the one before does."""
    lake = folder.lake()
    await put(lake, some_events(5))
    async with lake.appending() as appending:
        await appending.write([event(6, ANN)._replace(kind=RecordKind.TIMER), event(7, BOB)], Position(9))
    catalog = folder.place.catalog(folder.url)
    table = catalog.load_table(TABLE)
    table.delete("position = 7")
    table = catalog.load_table(TABLE)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    assert snapshot.summary is not None
    assert POSITION not in snapshot.summary.additional_properties
    assert await lake.position() == 9
    table.maintenance.expire_snapshots().by_ids([each.snapshot_id for each in table.snapshots()][:-1]).commit()
    catalog.close()
    assert await lake.position() == 5, "no snapshot tells: the last row does"


# -- upkeep


async def test_small_files_become_few_and_nothing_changes(site: Site) -> None:
    """Of days that are over one file is left, and a day that goes on is left alone until it has many."""
    records = [event(n + 1, (ANN, BOB, CID)[n % 3], received=NOW_MS + (n // 6) * DAY_MS) for n in range(24)]
    lake = site.lake()
    for n in range(0, 24, 3):
        await put(lake, records[n : n + 3])
    assert len(live_files(plain_table(site))) == 8
    await lake.tidy(NOW_MS + 3 * DAY_MS)
    assert len(live_files(plain_table(site))) == 3 + 2
    assert await all_of(lake, [ANN, BOB, CID]) == records
    assert await lake.position() == 24
    assert await put(lake, records) == 0


async def test_a_day_that_goes_on_is_compacted_when_it_has_many_files(folder: Site) -> None:
    """Events come every few seconds, and reading a person must not open thousands of files."""
    lake = folder.lake()
    count = OPEN_DEPTH + 1
    for n in range(1, count + 1):
        await put(lake, [event(n, ANN)])
    await lake.tidy(NOW_MS)
    files = live_files(plain_table(folder))
    assert [len(files), depth(files)] == [1, 1]
    assert [each.position for each in await all_of(lake, [ANN])] == list(range(1, count + 1))


async def test_files_that_no_snapshot_needs_are_deleted(site: Site) -> None:
    """Old snapshots stay for a while, for those who still read them; then they are gone, with all that was only
    theirs and with what a dead writer left behind."""
    lake = site.lake()
    for n in range(1, 7):
        await put(lake, [event(n, ANN)])
    await lake.tidy(NOW_MS + DAY_MS)
    assert len([path for path in site.paths() if path.endswith(".parquet")]) == 7, "all that snapshots need is there"
    with site.files.open_output_stream(f"{site.path}/courtesy/events/data/stray.parquet") as stream:
        stream.write(b"half a file")
    await lake.tidy(FAR_MS)
    table = plain_table(site)
    assert len([path for path in site.paths() if path.endswith(".parquet")]) == len(live_files(table)) == 1
    assert len(table.snapshots()) == 1
    metadata = {entry.metadata_file for entry in table.metadata.metadata_log} | {table.metadata_location}
    assert len([path for path in site.paths() if path.endswith(".json")]) <= len(metadata)
    assert [each.position for each in await all_of(lake, [ANN])] == [1, 2, 3, 4, 5, 6]


async def test_a_snapshot_can_be_read_for_some_hours(folder: Site) -> None:
    """A long question, or a backup, goes on with the files that it began with."""
    lake = folder.lake()
    await put(lake, some_events(3))
    await put(lake, some_events(3, 4))
    before = plain_table(folder)
    made_ms = before.snapshots()[-1].timestamp_ms
    await lake.tidy(made_ms + SNAPSHOT_KEPT_MS - 1)
    assert before.scan().to_arrow().num_rows == 6


async def test_tidying_ends_when_told_to(folder: Site) -> None:
    """A server that stops does not wait for the sorting of a day, and nothing half done is left."""
    lake = folder.lake()
    for n in range(1, 4):
        await put(lake, [event(n, ANN)])
    files = folder.paths()
    asked = iter([False, True])
    await lake.tidy(NOW_MS + DAY_MS, lambda: next(asked))
    assert [path for path in folder.paths() if path.endswith(".parquet") and path not in files] == []
    assert len(await all_of(lake, [ANN])) == 3


# -- what is erased is gone


async def test_no_byte_of_the_erased_is_left(site: Site) -> None:
    """Not in data, not in manifests and their bounds, not in old snapshots or tags, not in what dead writers left."""
    secret = "Rumpelstiltskin"
    lake = site.lake()
    records = [event(n, (ANN, BOB, CID)[n % 3], traits={"name": secret if n % 3 == 1 else "Else"}) for n in range(30)]
    records = [each._replace(position=Position(each.position + 1)) for each in records]
    for n in range(0, 30, 10):
        await put(lake, records[n : n + 10])
    await lake.tidy(NOW_MS + DAY_MS)
    await put(lake, [event(31, BOB, traits={"name": secret})])
    _tag(site, "audit")
    _leave_behind(site, secret)
    assert site.holding(secret)
    assert site.holding(f"u{BOB}")
    assert await lake.erase([BOB]) == 11
    assert site.holding(secret) == site.holding(f"u{BOB}") == []
    others = [each for each in records if each.person != BOB]
    assert await all_of(lake, [ANN, BOB, CID]) == others
    assert plain_table(site).scan().to_arrow().num_rows == len(others)
    assert await lake.position() == 31
    assert await lake.erase([BOB]) == 0


def _tag(site: Site, name: str) -> None:
    catalog = site.place.catalog(site.url)
    table = catalog.load_table(TABLE)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    table.manage_snapshots().create_tag(snapshot.snapshot_id, name).commit()
    catalog.close()


def _leave_behind(site: Site, text: str) -> None:
    with site.files.open_output_stream(f"{site.path}/courtesy/events/data/stray.parquet") as stream:
        pa.parquet.write_table(pa.table({"payload": [text]}), stream)


async def test_an_erasure_that_was_cut_short_is_finished_by_the_next(folder: Site) -> None:
    """When the rows are gone from the table, but files with them are still there."""
    lake = folder.lake()
    await put(lake, some_events(9, traits={"word": "Rumpelstiltskin"}))
    catalog = folder.place.catalog(folder.url)
    catalog.load_table(TABLE).delete(f"person_id in ({ANN}, {BOB}, {CID})")
    catalog.close()
    assert folder.holding("Rumpelstiltskin")
    assert await lake.erase([ANN, BOB, CID]) == 0
    assert folder.holding("Rumpelstiltskin") == []


async def test_erasing_and_writing_at_once_lose_nothing_and_bring_nothing_back(site: Site) -> None:
    """Events of others that come meanwhile are kept; those of the erased that came before are gone."""
    lake, other = site.lake(), site.lake()
    for n in range(5):
        await put(lake, some_events(30, 1 + 30 * n))

    async def write() -> None:
        for n in range(5, 10):
            await put(other, [event(1 + 30 * n + m, (ANN, CID)[m % 2]) for m in range(30)])

    erased, _, _ = await asyncio.gather(lake.erase([BOB]), write(), lake.tidy(NOW_MS + DAY_MS))
    assert erased == 50
    assert site.holding(f"u{BOB}") == []
    assert sorted(each.position for each in await all_of(lake, [ANN, CID])) == sorted(
        [n for n in range(1, 151) if (n - 1) % 3 != 1] + list(range(151, 301))
    )


async def test_the_log_is_read_within_the_turn_of_who_writes(folder: Site) -> None:
    """An erasure waits for a writer that has begun, and finds what it wrote."""
    lake, other = folder.lake(), folder.lake()
    await put(lake, some_events(3))
    async with lake.appending() as appending:
        erasing = asyncio.create_task(other.erase([BOB]))
        await asyncio.sleep(0.2)
        assert not erasing.done()
        await appending.write(some_events(3, 4), Position(6))
    assert await erasing == 2
    assert folder.holding(f"u{BOB}") == []


async def test_old_events_of_a_source_and_a_name_are_removed(site: Site) -> None:
    """What a rule of retention names goes, and nothing else: not the young, not other sources, not other names."""
    old, young = NOW_MS - 400 * DAY_MS, NOW_MS
    made = [
        (position, event(position, ANN, source=source, name=name, received=received))
        for position, (source, name, received) in enumerate(
            [(s, n, r) for s in (SHOP, TILL) for n in ("Searched", "Order Completed", None) for r in (old, young)], 1
        )
    ]
    records = [each for _, each in made]
    lake = site.lake()
    await put(lake, records)
    assert await lake.erase_where(SHOP, "Searched", NOW_MS) == 1
    assert await all_of(lake, [ANN]) == records[1:]
    assert await lake.erase_where(TILL, None, NOW_MS) == 3
    assert await lake.erase_where(None, None, NOW_MS - DAY_MS) == 2
    assert await all_of(lake, [ANN]) == [each for each in records if each.received == young]
    assert await lake.erase_where(None, None, old) == 0


async def test_old_events_are_let_go_of_once_a_day(site: Site) -> None:
    """Each rule by its own days; asked again on the same day it does not touch the lake, on the next it does."""
    clock = ManualClock(NOW_MS + HOUR_MS)
    lake = site.lake()
    await put(lake, [event(n + 1, ANN, name="Searched", received=NOW_MS - n * DAY_MS) for n in range(6)])
    rules = [Rule(None, "Searched", 3), Rule(TILL, None, 1)]
    retention = LakeRetention(lake, lambda: rules, clock)
    assert await retention.let_go() == 2
    await put(lake, [event(9, ANN, name="Searched", received=NOW_MS - 9 * DAY_MS)])
    assert await retention.let_go() == 0
    clock.advance(DAY_MS)
    assert await retention.let_go() == 2
    assert [each.position for each in await all_of(lake, [ANN])] == [1, 2, 3]


async def test_events_at_some_positions_are_found_and_removed(site: Site) -> None:
    """Both ends included, in whatever order and however many spans they come; the others stay."""
    lake = site.lake()
    records = some_events(40)
    await put(lake, records)
    spans = [Span(each.position, each.position) for each in records[::2]]
    assert await lake.people_in(spans) == {each.person for each in records[::2]}
    assert await lake.people_in([]) == set()
    assert await lake.erase_at(spans[::-1]) == 20
    assert await lake.erase_at(spans) == 0
    people = {each.person for each in records}
    assert await all_of(lake, sorted(people)) == records[1::2]


# -- when something is wrong


async def test_a_lake_that_can_not_be_reached_is_unavailable(folder: Site, tmp_path: Path) -> None:
    """Neither without a catalogue nor without a place to write does anything else happen."""
    lost = Lake(folder.place, "postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")
    with pytest.raises(Unavailable, match="catalogue"):
        await lost.position()
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    lake = Lake(Place(f"file://{blocked}", folder.place.files), folder.url)
    with pytest.raises(Unavailable, match="lake does not answer"):
        await put(lake, some_events(1))
    await lake.close()
    await put(folder.lake(), some_events(1))


async def test_a_lake_that_lies_elsewhere_is_refused(folder: Site, tmp_path: Path) -> None:
    """A changed setting must not begin a second lake that lacks everything before."""
    await put(folder.lake(), some_events(1))
    moved = make_lake(LakeSettings(str(tmp_path / "moved")), folder.url)
    assert moved is not None
    with pytest.raises(CourtesyError) as raised:
        await moved.position()
    await moved.close()
    assert [raised.value.code, raised.value.place] == [Code.SETUP, "lake"]


async def test_a_lake_that_is_reached_by_a_link_is_the_same(folder: Site, tmp_path: Path) -> None:
    """A command may name the folder otherwise than the server does."""
    await put(folder.lake(), some_events(3))
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    lake = make_lake(LakeSettings(str(link)), folder.url)
    assert lake is not None
    assert (await lake.planned()).row_count == 3
    await lake.close()


@pytest.mark.parametrize("lake", ["gs://bucket/x", "s3://", "s3:///prefix", "what#ever", "a?b"])
def test_a_place_that_makes_no_sense_is_refused(lake: str) -> None:
    """Before anything is written, with what was expected and what came."""
    with pytest.raises(CourtesyError) as raised:
        place_of(LakeSettings("data", lake))
    assert [raised.value.code, raised.value.place] == [Code.INVALID, "lake"]


def test_a_lake_that_is_off_is_none() -> None:
    """Then nothing is made, nor connected to."""
    assert make_lake(LakeSettings("data", "off"), "postgresql://nowhere") is None


async def test_history_is_read_while_files_are_replaced(folder: Site) -> None:
    """Erasures delete files at once; a read that has planned with them plans anew."""
    lake, other = folder.lake(), folder.lake()
    records = some_events(60)
    for n in range(0, 60, 3):
        await put(lake, records[n : n + 3])
    stop = threading.Event()

    async def read() -> int:
        count = 0
        while not stop.is_set():
            assert await all_of(other, [ANN]) == [each for each in records if each.person == ANN]
            count += 1
        return count

    reading = asyncio.create_task(read())
    await lake.erase([BOB])
    await lake.tidy(NOW_MS + DAY_MS)
    await lake.erase([CID])
    stop.set()
    assert await reading > 0


def test_hours_are_kept_for_readers() -> None:
    """Long enough for the exporter's own commits of minutes, and for a backup of the folder."""
    assert SNAPSHOT_KEPT_MS >= HOUR_MS
