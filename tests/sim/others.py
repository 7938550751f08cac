"""Recipients: each keeps the latest version of every subject, as those in earnest do, and fails as those do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import msgspec

from courtesy.channel.contract import Attempt, Delivered, Retry, RetryCause
from courtesy.channel.subjects import ReadBack, Where
from tests.sim.faults import Faults
from tests.sim.history import History

SAFE_AFTER_S = 30.0
"""After how long a write outlives a restart."""
DOUBLED_WITHIN_S = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a recipient fails: shares of its calls, while things go wrong. `down_until_s`: before that nobody answers."""

    drop: float = 0.0
    drop_after: float = 0.0
    double: float = 0.0
    slow: float = 0.0
    lie: float = 0.0
    stale: float = 0.0
    restart: float = 0.0
    down_until_s: float = 0.0


def draw_ways(chance: Random, down_until_s: float) -> Ways:
    """Each fault is there or not."""

    def rate(most: float) -> float:
        return most * chance.random() if chance.random() < 0.6 else 0.0

    return Ways(
        drop=rate(0.3), drop_after=rate(0.3), double=rate(0.3), slow=rate(0.2), lie=rate(0.2), stale=rate(0.2),
        restart=rate(0.05), down_until_s=down_until_s if chance.random() < 0.5 else 0.0,
    )  # fmt: skip


class _Write(NamedTuple):
    at_s: float
    subject: str
    before: dict[str, Any] | None
    was_gone: bool


class Other:
    """One recipient."""

    def __init__(self, name: str, ways: Ways, faults: Faults, history: History) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self._name = name
        self._ways = ways
        self._faults = faults
        self._history = history
        self._gone: set[str] = set()
        self._writes: list[_Write] = []
        self._late: set[asyncio.Task[None]] = set()

    async def put(self, subject: str, version: int, document: dict[str, Any]) -> Attempt:
        """It is told what is so."""
        failed = await self._fails()
        if failed is not None:
            return failed
        if self._happens("lies", self._ways.lie):
            return Delivered("200")
        if self._happens("is called twice", self._ways.double):
            self._again(subject, version, document)
        self._write(subject, version, document)
        return self._answer("200")

    async def erase(self, subject: str) -> Attempt:
        """It is to forget a subject."""
        failed = await self._fails()
        if failed is not None:
            return failed
        self._note(subject)
        self._gone.add(subject)
        self.documents.pop(subject, None)
        return self._answer("204")

    async def read(self, subject: str) -> ReadBack | Retry:
        """What it has."""
        failed = await self._fails()
        if failed is not None:
            return failed
        found = self.documents.get(subject)
        if self._happens("is behind", self._ways.stale):
            found = next((each.before for each in reversed(self._writes) if each.subject == subject), None)
        return ReadBack(found, "" if found is None else f'"{found["version"]}"')

    def _happens(self, what: str, rate: float) -> bool:
        return self._faults.happens(f"a recipient {what}", rate)

    async def _fails(self) -> Retry | None:
        await asyncio.sleep(self._faults.network_s())
        if asyncio.get_running_loop().time() < self._ways.down_until_s:
            return Retry(RetryCause.CONNECTION, "nobody answers")
        if self._happens("restarts", self._ways.restart):
            self._restart()
        if self._happens("is slow", self._ways.slow):
            await asyncio.sleep(self._faults.pause_s())
        return Retry(RetryCause.CONNECTION, "broke off") if self._happens("breaks off", self._ways.drop) else None

    def _answer(self, said: str) -> Attempt:
        lost = self._happens("is not heard", self._ways.drop_after)
        return Retry(RetryCause.CONNECTION, "broke off after it") if lost else Delivered(said)

    def _again(self, subject: str, version: int, document: dict[str, Any]) -> None:
        """The same call comes once more, later, by some way round."""

        async def late() -> None:
            await asyncio.sleep(DOUBLED_WITHIN_S * self._faults.network_s() / 0.2)
            self._write(subject, version, document)

        task = asyncio.ensure_future(late())
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _write(self, subject: str, version: int, document: dict[str, Any]) -> None:
        known = self.documents.get(subject)
        if subject in self._gone or (known is not None and known["version"] > version):
            return
        self._note(subject)
        self.documents[subject] = document
        self._history.trace.note(self._name, "has", subject, version)

    def _note(self, subject: str) -> None:
        now_s = asyncio.get_running_loop().time()
        self._writes.append(_Write(now_s, subject, self.documents.get(subject), subject in self._gone))

    def _restart(self) -> None:
        """What is not safe yet is lost."""
        now_s = asyncio.get_running_loop().time()
        while self._writes and self._writes[-1].at_s > now_s - SAFE_AFTER_S:
            write = self._writes.pop()
            if not write.was_gone:
                self._gone.discard(write.subject)
            if write.before is None:
                self.documents.pop(write.subject, None)
            else:
                self.documents[write.subject] = write.before


class Calls:
    """The calls to recipients, as one teller makes them."""

    def __init__(self, others: Mapping[str, Other]) -> None:
        self._others = others

    async def put(self, where: Where, subject: str, version: int, body: bytes) -> Attempt:
        return await self._others[where.url].put(subject, version, msgspec.json.decode(body))

    async def erase(self, where: Where, subject: str, body: bytes) -> Attempt:
        return await self._others[where.url].erase(subject)

    async def read(self, where: Where, subject: str) -> ReadBack | Retry:
        return await self._others[where.url].read(subject)

    async def aclose(self) -> None:
        """Nothing is kept open."""
