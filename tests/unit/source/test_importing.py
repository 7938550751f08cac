"""Importing: files through ingest into a store, interrupted and repeated at will."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import SourceId
from courtesy.base.time import ManualClock
from courtesy.engine.contract import AppendBatch, ImportProgress, StorageFull, Unavailable
from courtesy.engine.imported import FileKey, TakeBack
from courtesy.engine_memory import MemoryEngine
from courtesy.event.accept import Accepted, Rejected, SourcePolicy
from courtesy.event.cause import Cause, Fate
from courtesy.identity.resolve import Changes
from courtesy.identity.rules import IdentityRules
from courtesy.runtime.importing import GO_ON, RETRY_DELAYS_S, SAVE_EVERY_ROWS, import_path
from courtesy.runtime.ingest import Ingest, Receipt
from courtesy.source.mapping import Format, Mapping, parse_mapping
from courtesy.source.summary import ImportSummary, Outcome, Progress

NOW_MS = 1_800_000_000_000
POLICY = SourcePolicy(SourceId(7))
HEADER = "user_id,event,at,price"


@dataclass
class World:
    """A store in memory, an ingest before it, and what was heard of the progress."""

    engine: MemoryEngine
    ingest: Ingest
    clock: ManualClock
    told: list[Progress] = field(default_factory=list)
    slept_s: list[float] = field(default_factory=list)

    async def run(self, path: Path | None, mapping: Mapping | None = None, **more: Any) -> ImportSummary:
        """Import with everything of this world, unless told otherwise."""
        ingest = more.pop("ingest", self.ingest)

        async def sleep(delay_s: float) -> None:
            self.slept_s.append(delay_s)

        return await import_path(
            ingest, self.engine, POLICY, path, mapping, self.clock, self.told.append, sleep=sleep, **more
        )

    async def stored_count(self) -> int:
        """How many events the store has, by its own counts."""
        counts = await self.engine.counts(0, NOW_MS * 2)
        return sum(count.event_count for count in counts if count.fate is Fate.STORED)

    async def received_is_accounted_for(self) -> bool:
        """Whether all that was received has one fate."""
        counts = await self.engine.counts(0, NOW_MS * 2)
        received = sum(count.event_count for count in counts if count.fate is Fate.RECEIVED)
        return received == sum(count.event_count for count in counts if count.fate is not Fate.RECEIVED)


@asynccontextmanager
async def world() -> AsyncIterator[World]:
    """A world, from its beginning to its end."""
    clock = ManualClock(NOW_MS)
    engine = MemoryEngine(clock)
    await engine.open()
    rules = IdentityRules()
    ingest = Ingest(engine, lambda: rules, clock)
    ingest.start()
    yield World(engine, ingest, clock)
    await ingest.stop()
    await engine.close()


class Failing:
    """An ingest that fails a number of times, after a number of appends that it lets through."""

    def __init__(self, inner: Ingest, errors: Sequence[CourtesyError], after: int = 0, *, stores: bool = False) -> None:
        self._inner = inner
        self._errors = list(errors)
        self._after = after
        self._stores = stores

    async def append(
        self,
        items: Sequence[Accepted | Rejected],
        policy: SourcePolicy,
        *,
        keep_keys: bool = False,
        file: str | None = None,
    ) -> Receipt:
        """Append or fail; `stores` appends and fails, as when the answer is lost."""
        assert keep_keys
        self._after -= 1
        if self._after >= 0 or not self._errors:
            return await self._inner.append(items, policy, keep_keys=keep_keys, file=file)
        if self._stores:
            await self._inner.append(items, policy, keep_keys=keep_keys, file=file)
        raise self._errors.pop(0)


def shop_rows(count: int, start: int = 0) -> list[str]:
    """Rows of a shop, each another one."""
    return [f"u{number % 97},view,2019-10-01 00:00:{number % 60:02},{number}" for number in range(start, start + count)]


def shop(folder: Path, rows: Sequence[str], name: str = "shop.csv") -> Path:
    """A file of those rows."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def mapping(*rules: dict[str, Any]) -> Mapping:
    """A mapping of those rules."""
    return parse_mapping(json.dumps({"name": "mine", "rules": rules}).encode())


async def test_a_file_is_imported_whole(tmp_path: Path) -> None:
    """Every row is an event, and the summary's counts are the store's."""
    async with world() as here:
        summary = await here.run(shop(tmp_path, shop_rows(12_345)))
        assert (summary.row_count, summary.received_count, summary.stored_count) == (12_345, 12_345, 12_345)
        assert await here.stored_count() == 12_345
        assert await here.engine.person_count() == 97
        (file,) = summary.files
        assert (file.outcome, file.mapping) == (Outcome.IMPORTED, "guessed")


async def test_a_file_that_was_imported_is_left_alone(tmp_path: Path) -> None:
    """By its bytes, under whatever name; the summary says as what."""
    async with world() as here:
        await here.run(shop(tmp_path, shop_rows(10)))
        (file,) = (await here.run(shop(tmp_path, shop_rows(10), "copy.csv"))).files
        assert (file.outcome, file.received_count) == (Outcome.KNOWN, 0)
        assert file.reason == "these bytes were imported before, as shop.csv with 10 rows"
        assert await here.stored_count() == 10


async def test_importing_again_on_purpose_adds_nothing(tmp_path: Path) -> None:
    """Exact duplicates within the file stay as many as they are."""
    async with world() as here:
        path = shop(tmp_path, [*shop_rows(10), *shop_rows(5), *shop_rows(5)])
        first = await here.run(path)
        second = await here.run(path, again=True)
        assert (first.stored_count, second.stored_count, second.duplicate_count) == (20, 0, 20)


async def test_a_file_that_grew_adds_its_new_rows_only(tmp_path: Path) -> None:
    """Packed or in another order of rows, too."""
    async with world() as here:
        await here.run(shop(tmp_path, shop_rows(10)))
        grown = await here.run(shop(tmp_path, [*shop_rows(3, 10), *shop_rows(10)]))
        assert (grown.stored_count, grown.duplicate_count) == (3, 10)
        packed = tmp_path / "shop.csv.gz"
        packed.write_bytes(gzip.compress(shop(tmp_path, shop_rows(14)).read_bytes()))
        again = await here.run(packed)
        assert (again.stored_count, again.duplicate_count) == (1, 13)


async def test_rows_that_cannot_be_used_wait_in_the_quarantine(tmp_path: Path) -> None:
    """Unreadable, without a time, without a person: each with its cause, and an example with its line."""
    rows = [
        *shop_rows(3),
        "u1,view",
        "u2,view,yesterday,1",
        ",view,2019-10-01,1",
        "u2,view,2019-10-01,cheap",
        "u2,view,tomorrow,1",
    ]
    rule = {
        "identifiers": {"user_id": "user_id"},
        "time": "at",
        "outputs": [{"type": "track", "event": "event", "properties": {"price": {"column": "price", "as": "number"}}}],
    }
    async with world() as here:
        summary = await here.run(shop(tmp_path, rows), mapping(rule))
        assert (summary.stored_count, summary.quarantined_count) == (3, 5)
        found = {each.cause: (each.count, each.place, each.detail) for each in summary.causes}
        assert found == {
            Cause.TIME_UNREADABLE: (2, "shop.csv:6", "time: expected a date, got 'yesterday'"),
            Cause.UNREADABLE: (1, "shop.csv:5", "expected 4 columns, got 2"),
            Cause.WRONG_TYPE: (1, "shop.csv:8", "properties.price: expected a number, got 'cheap'"),
            Cause.NO_IDENTIFIER: (1, "shop.csv:7", "expected a usable identifier, got none"),
        }
        waiting = await here.engine.quarantined(POLICY.source, None, None, 10)
        assert {each.cause for each in waiting} == found.keys()
        assert {each.raw for each in waiting if each.cause is Cause.UNREADABLE} == {b"u1,view"}
        assert await here.received_is_accounted_for()


async def test_a_folder_is_imported_file_by_file(tmp_path: Path) -> None:
    """The first rule that is for a file decides; what is no table or has no rule is told with the reason."""
    shop(tmp_path, shop_rows(3), "2019/a.csv")
    shop(tmp_path, shop_rows(2), "b.csv")
    shop(tmp_path, shop_rows(2), "notes.csv")
    shop(tmp_path, shop_rows(2), "other.csv")
    (tmp_path / "README.md").write_text("words\n", encoding="utf-8")
    track = {"identifiers": {"user_id": "user_id"}, "outputs": [{"type": "track", "event": "event"}]}
    async with world() as here:
        summary = await here.run(
            tmp_path,
            mapping({"files": "notes.csv", "skip": "a draft"}, {"files": "[ab].csv", "columns": ["at"], **track}),
        )
        assert [(file.name, file.outcome, file.stored_count, file.reason) for file in summary.files] == [
            ("2019/a.csv", Outcome.IMPORTED, 3, ""),
            ("README.md", Outcome.LEFT_OUT, 0, "no rule of the mapping is for it"),
            ("b.csv", Outcome.IMPORTED, 2, ""),
            ("notes.csv", Outcome.LEFT_OUT, 0, "a draft"),
            ("other.csv", Outcome.LEFT_OUT, 0, "no rule of the mapping is for it"),
        ]


async def test_a_mapping_that_does_not_fit_is_refused_before_the_first_row(tmp_path: Path) -> None:
    """The second file's fault keeps the first one out: nothing is half imported."""
    shop(tmp_path, shop_rows(3), "a.csv")
    (tmp_path / "b.csv").write_text("userid,event\n1,x\n", encoding="utf-8")
    rule = {"identifiers": {"user_id": "user_id"}, "outputs": [{"type": "track", "event": "event"}]}
    async with world() as here:
        with pytest.raises(CourtesyError) as caught:
            await here.run(tmp_path, mapping(rule))
        assert caught.value.hint == "did you mean 'userid'?"
        assert await here.stored_count() == 0


async def test_a_file_that_breaks_off_does_not_keep_a_folder_out(tmp_path: Path) -> None:
    """Its rows before the break are stored; alone it is an error."""
    whole = shop(tmp_path, shop_rows(20_000), "a.csv").read_bytes()
    (tmp_path / "a.csv").unlink()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(whole)[:-2_000])
    shop(tmp_path, ["u9,cart,2019-10-02,1"], "b.csv")
    async with world() as here:
        broken, sound = (await here.run(tmp_path)).files
        assert (broken.outcome, sound.outcome) == (Outcome.BROKEN_OFF, Outcome.IMPORTED)
        assert 5_000 <= broken.stored_count == broken.row_count < 20_000
        assert "can't be read on" in broken.reason
        assert await here.stored_count() == broken.stored_count + 1
        with pytest.raises(CourtesyError) as caught:
            await here.run(tmp_path / "a.csv.gz")
        assert caught.value.code is Code.UNREADABLE


async def test_the_standard_input_is_imported_and_known_by_its_name(tmp_path: Path) -> None:
    """The same bytes again are recognised; the format can be stated."""
    content = shop(tmp_path, shop_rows(5)).read_bytes()
    async with world() as here:
        first = await here.run(None, stdin=io.BytesIO(content))
        again = await here.run(Path("-"), stdin=io.BytesIO(content))
        other = await here.run(None, stdin=io.BytesIO(content[:-1]), format=Format.CSV, name="shop.csv")
        assert [summary.files[0].name for summary in (first, again, other)] == ["stdin", "stdin", "shop.csv"]
        assert [summary.stored_count for summary in (first, again, other)] == [5, 0, 5]


@pytest.mark.parametrize("error", [Unavailable("gone"), StorageFull("full"), CourtesyError(Code.TOO_MANY, "busy")])
async def test_a_store_that_stays_away_for_a_while_is_waited_for(tmp_path: Path, error: CourtesyError) -> None:
    """Longer each time; then everything is there once."""
    async with world() as here:
        failing = Failing(here.ingest, [error] * 3)
        summary = await here.run(shop(tmp_path, shop_rows(9)), ingest=failing)
        assert summary.stored_count == 9
        assert here.slept_s == list(RETRY_DELAYS_S[:3])


async def test_an_append_whose_answer_was_lost_stores_nothing_twice(tmp_path: Path) -> None:
    """It is sent again, and recognised."""
    async with world() as here:
        failing = Failing(here.ingest, [Unavailable("cut")], stores=True)
        summary = await here.run(shop(tmp_path, shop_rows(9)), ingest=failing)
        assert (summary.stored_count, summary.duplicate_count) == (0, 9)
        assert await here.stored_count() == 9


async def test_a_store_that_stays_away_for_good_ends_the_import_with_advice(tmp_path: Path) -> None:
    """The same command goes on later."""
    async with world() as here:
        failing = Failing(here.ingest, [Unavailable("gone")] * 99)
        with pytest.raises(CourtesyError) as caught:
            await here.run(shop(tmp_path, shop_rows(9)), ingest=failing)
        assert (caught.value.code, caught.value.hint) == (Code.UNAVAILABLE, GO_ON)
        assert here.slept_s == list(RETRY_DELAYS_S)


@pytest.mark.parametrize(("append_count", "resumed_row_count"), [(1, 0), (17, SAVE_EVERY_ROWS)])
async def test_an_interrupted_import_goes_on_where_it_stopped(
    tmp_path: Path, append_count: int, resumed_row_count: int
) -> None:
    """Wherever it stopped: rows that were under way are sent again and counted as duplicates, equal rows included."""
    rows = [*shop_rows(30_000), *shop_rows(2_000)]
    path = shop(tmp_path, rows)
    async with world() as here:
        failing = Failing(here.ingest, [Unavailable("gone")] * 99, after=append_count)
        with pytest.raises(CourtesyError):
            await here.run(path, ingest=failing)
        before = await here.stored_count()
        assert before > 0
        (file,) = (await here.run(path)).files
        assert (file.resumed_row_count, file.row_count) == (resumed_row_count, len(rows) - resumed_row_count)
        assert (file.stored_count, file.duplicate_count) == (len(rows) - before, before - file.resumed_row_count)
        assert await here.stored_count() == len(rows)


async def test_a_cancelled_import_leaves_nothing_running(tmp_path: Path) -> None:
    """And goes on later like one that crashed."""
    path = shop(tmp_path, shop_rows(11_000))
    async with world() as here:
        running = asyncio.create_task(here.run(path))
        while not here.told:
            await asyncio.sleep(0.001)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert {task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()}} == {"ingest"}
        await here.run(path)
        assert await here.stored_count() == 11_000


async def test_progress_never_runs_ahead_of_what_is_durable(tmp_path: Path) -> None:
    """At each saved number of rows, at least so many are in the store."""
    path = shop(tmp_path, shop_rows(27_000))
    async with world() as here:
        seen: list[tuple[int, int]] = []
        save = here.engine.save_import

        class Watched(MemoryEngine):
            async def save_import(self, progress: ImportProgress) -> None:
                seen.append((progress.row_count, await here.stored_count()))
                await save(progress)

        watched = Watched(here.clock, disk=here.engine._disk)
        await watched.open()
        await import_path(here.ingest, watched, POLICY, path, None, here.clock, here.told.append)
        await watched.close()
        assert [saved for saved, _ in seen] == sorted({saved for saved, _ in seen})
        assert len(seen) >= 2
        assert all(saved <= stored for saved, stored in seen)


async def test_the_progress_is_told(tmp_path: Path) -> None:
    """Rows and bytes rise to all of them; the files are counted; nobody divides by a time that stood still."""
    shop(tmp_path, shop_rows(12_000), "a.csv")
    shop(tmp_path, shop_rows(3, 12_000), "b.csv")
    (tmp_path / "README.md").write_text("words\n", encoding="utf-8")
    async with world() as here:
        await here.run(tmp_path)
        rows = [each.row_count for each in here.told]
        assert rows == sorted(rows)
        last = here.told[-1]
        assert (last.file, last.file_number, last.file_count, last.row_count) == ("b.csv", 2, 2, 12_003)
        assert (last.share, last.eta_ms) == (1.0, None)


async def test_an_import_starts_no_action(tmp_path: Path) -> None:
    """Its events are facts of the past, and their keys are kept for ever."""
    async with world() as here:
        await here.run(shop(tmp_path, shop_rows(1)))
        reading = await here.engine.read_person("user_id:u0")
        assert reading is not None
        (record,) = reading.tail
        assert json.loads(record.payload)["live"] is False
        assert await here.engine.forget_keys(NOW_MS * 2) == 0
        again = await here.run(shop(tmp_path, shop_rows(1)), again=True)
        assert again.duplicate_count == 1


async def test_rows_that_a_rule_leaves_out_are_counted(tmp_path: Path) -> None:
    """Even when a whole file has no other."""
    rule = {
        "identifiers": {"user_id": "user_id"},
        "when": [{"column": "event", "in": ["buy"]}],
        "outputs": [{"type": "track", "event": "event"}],
    }
    async with world() as here:
        path = shop(tmp_path, shop_rows(6_000))
        (file,) = (await here.run(path, mapping(rule))).files
        assert (file.row_count, file.left_out_row_count, file.received_count) == (6_000, 6_000, 0)
        assert (await here.run(path, mapping(rule))).files[0].outcome is Outcome.KNOWN


class TakenBackMeanwhile(Failing):
    """An ingest during whose first append somebody takes the file back."""

    def __init__(self, inner: Ingest, engine: MemoryEngine, finished: bool) -> None:
        super().__init__(inner, [])
        self._engine = engine
        self._finished = finished

    async def append(self, *args: Any, **kwargs: Any) -> Receipt:
        """Append, and take back."""
        receipt = await super().append(*args, **kwargs)
        for each in await self._engine.imports():
            await self._engine.save_import(each._replace(taken_back_ms=NOW_MS))
            if self._finished:
                async with self._engine.appending() as append:
                    gone = TakeBack(each.source, finished=FileKey(each.fingerprint, each.source))
                    await append.write(AppendBatch([], [], Changes(), [], [], NOW_MS, taken_back=gone))
        return receipt


@pytest.mark.parametrize("finished", [False, True])
async def test_a_file_that_is_taken_back_while_it_is_imported_does_not_count_as_imported(
    tmp_path: Path, *, finished: bool
) -> None:
    """The import ends with an error, and says nothing of a file of which a part is gone."""
    path = tmp_path / "sales.csv"
    path.write_text("\n".join([HEADER, *shop_rows(3)]))
    async with world() as shop:
        with pytest.raises(CourtesyError) as refused:
            await shop.run(path, ingest=TakenBackMeanwhile(shop.ingest, shop.engine, finished))
        assert refused.value.code is Code.CONFLICT
        assert [each.finished_ms for each in await shop.engine.imports()] == ([] if finished else [None])
