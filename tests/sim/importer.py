"""Imports: files are imported row by row, in several goes, and taken back at random, whatever else happens."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine.imported import FileKey
from courtesy.runtime.take_back import TakenBack
from tests.sim.calls import Habits, Writer
from tests.sim.faults import CHAOS_S
from tests.sim.files import FileSeen
from tests.sim.history import Message
from tests.sim.process import IMPORTED, Front

if TYPE_CHECKING:
    from tests.sim.system import System

BY = "sim"
ROWS_MAX, WIDE = 50, 40
PART_ROWS = 6


@dataclass(frozen=True, slots=True)
class File:
    """A file to be imported. `seen` is replaced in the history whenever it is taken back."""

    key: FileKey
    rows: tuple[Message, ...]


class Importer:
    """Somebody who imports files, takes some of them back, and imports some of those again."""

    def __init__(self, system: System, habits: Habits, chance: Random) -> None:
        self._system = system
        self._habits = habits
        self._chance = chance
        self._rows: list[Message] = []

    async def run(self) -> None:
        """Import as many files as the weather says; done when each is imported to its end, or taken back."""
        files = [self._write(number) for number in range(self._system.faults.weather.files)]
        await asyncio.gather(*(self._live(file) for file in files))

    def _write(self, number: int) -> File:
        """A file with rows of its own; some are twice in it, some are in an earlier file as well. Some files tell of
        so many people that they are not taken back in one append."""
        chance, history = self._chance, self._system.history
        habits = replace(self._habits, user_count=WIDE) if chance.random() < 0.3 else self._habits
        writer = Writer(IMPORTED, habits, chance, self._system.true_ms)
        rows = [writer.write(f"file{number}-{place}") for place in range(chance.randrange(1, ROWS_MAX))]
        for each in rows:
            history.send(each)
        rows += [chance.choice(self._rows or rows) for _ in rows if chance.random() < 0.1]
        chance.shuffle(rows)
        self._rows += rows
        fingerprint = sha256(b"\n".join(each.raw for each in rows)).hexdigest()
        key = FileKey(fingerprint, history.sources[IMPORTED])
        history.files.write(key, map(history.key_of, rows))
        return File(key, tuple(rows))

    async def _live(self, file: File) -> None:
        """Import it, and perhaps take it back: when all of it is there, or before; and perhaps all that again."""
        chance = self._chance
        await asyncio.sleep(chance.uniform(0, CHAOS_S / 2))
        while True:
            importing = asyncio.ensure_future(self._until(self._import_some, file))
            if chance.random() < 0.3:
                await importing
                return
            await asyncio.wait([importing], timeout=chance.uniform(0, CHAOS_S / 3))
            importing.cancel()
            await asyncio.wait([importing])
            await self._until(self._take_back_some, file)
            if chance.random() < 0.6:
                return

    async def _until(self, work: Any, file: File) -> None:
        while not await work(file):
            await asyncio.sleep(self._chance.uniform(0.05, 1.5))

    async def _on(self, front: Front | None, work: Coroutine[Any, Any, Any]) -> Any:
        """What the work comes to in a process; None when it dies over it, or the work can't be done."""
        if front is None:
            work.close()
            return None
        task = front.spawn(work)
        task.add_done_callback(_heard)
        await asyncio.wait([task])
        if task.cancelled():
            return None
        error = task.exception()
        if error is None:
            return task.result()
        if isinstance(error, CourtesyError) and error.code is Code.CONFLICT and "history" in error.message:
            self._system.history.fail("taken_back", f"refused: {error.message}")
        if not isinstance(error, CourtesyError | RuntimeError):
            self._system.history.fail("processes", f"{front.name} failed over a file: {error!r}")
        elif isinstance(error, CourtesyError) and error.code not in (Code.UNAVAILABLE, Code.STORAGE_FULL):
            self._system.history.trace.note(front.name, error.code, error.message)
            return error.code
        return None

    # -- importing

    async def _import_some(self, file: File) -> bool:
        front = self._system.any_front(self._chance)
        done = None if front is None else await self._on(front, self._session(front, file))
        return done is True or done is Code.CONFLICT

    async def _session(self, front: Front, file: File) -> bool:
        """One go, as the importer goes about it: from where the last one stood, to the end."""
        start = await front.begin_import(file.key, "file.csv")
        for place in range(start, len(file.rows), PART_ROWS):
            await self._part(front, file, file.rows[place : place + PART_ROWS])
            done = min(place + PART_ROWS, len(file.rows))
            if done == len(file.rows) or self._chance.random() < 0.5:
                await front.save_import(file.key, "file.csv", done, finished=done == len(file.rows))
        self._system.faults.seen["imported"] += 1
        return True

    async def _part(self, front: Front, file: File, rows: tuple[Message, ...]) -> None:
        history = self._system.history
        before, change_count = self._seen(file), history.files.change_count
        before.unsure_count += len(rows)
        receipt = await front.import_rows(file.key, rows)
        if self._seen(file) is before:
            before.unsure_count -= len(rows)
            before.answered_count += len(rows)
        if history.files.change_count != change_count:
            # What was stored when this was answered may be taken back by now.
            return
        results = {each.place: each for each in receipt.results}
        for place, message in enumerate(rows):
            history.answer(message, receipt.position, results.get(place))

    def _seen(self, file: File) -> FileSeen:
        return self._system.history.files.seen[file.key]

    # -- taking back

    async def _take_back_some(self, file: File) -> bool:
        """Have one process take it back, or two at once; whether it is gone."""
        chance = self._chance
        fronts = [self._system.any_front(chance) for _ in range(2 if chance.random() < 0.3 else 1)]
        told = await asyncio.gather(*(self._on(front, self._take_back(front, file)) for front in fronts if front))
        self._system.faults.seen["taken back"] += any(isinstance(each, TakenBack) and each.finished for each in told)
        return any(each is Code.NOT_FOUND or (isinstance(each, TakenBack) and each.finished) for each in told)

    async def _take_back(self, front: Front, file: File) -> TakenBack:
        chance = self._chance
        dry, people_max = chance.random() < 0.1, chance.choice((None, 1, 30))
        return await front.take_backs.take_back(file.key.fingerprint, IMPORTED, BY, dry=dry, people_max=people_max)


def _heard(task: asyncio.Task[Any]) -> None:
    """Whoever was told to stop asks no more what came of it."""
    if not task.cancelled():
        task.exception()
