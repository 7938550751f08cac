"""Readers: whoever looks at a person sees everything that was acknowledged before."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position
from courtesy.identity.rules import split_identifier
from courtesy.person.record import FACTS
from tests.sim.history import Filed, Remembered

if TYPE_CHECKING:
    from tests.sim.system import System


def type_counts_of(facts: list[Filed]) -> Counter[str]:
    """How many there are of each type of event."""
    return Counter(msgspec.json.decode(each.record.payload)["type"] for each in facts)


class Reader:
    """Reads people at random instants through whatever process answers."""

    def __init__(self, system: System, chance: Random) -> None:
        self.read_count = 0
        self._system = system
        self._history = system.history
        self._chance = chance

    async def run(self, until_s: float) -> None:
        """Look now and then until an instant."""
        loop = asyncio.get_running_loop()
        while loop.time() < until_s:
            await asyncio.sleep(self._chance.random() * 0.8)
            await self._look()

    async def _look(self) -> None:
        front = self._system.any_front(self._chance)
        known = [each for each in self._history.filed if not each.rotten and each.record.kind in FACTS]
        known = [each for each in known if not self._history.is_gone(each)]
        if front is None or not known:
            return
        record = self._chance.choice(known).record
        # An e-mail address over the cap is nobody's; every other identifier that was stored is somebody's.
        ids = [key for key in msgspec.json.decode(record.payload)["ids"] if not key.startswith("email:")]
        kind, value = split_identifier(self._chance.choice(ids)) if ids else ("person", str(record.person))
        acknowledged = max(self._history.acknowledged.values(), default=Position(0))
        after = acknowledged if self._chance.random() < 0.5 else None
        task = front.spawn(self._view(front.people.view(kind, value, after)))
        await asyncio.wait([task])
        if not task.cancelled() and task.result() is not None:
            self._judge(kind, value, task.result(), acknowledged)

    async def _view(self, reading: Any) -> dict[str, Any] | None:
        try:
            view: dict[str, Any] = await reading
        except CourtesyError as error:
            is_erased = error.code is Code.NOT_FOUND and (self._history.erasures or self._history.files.change_count)
            if error.code not in (Code.UNAVAILABLE, Code.STORAGE_FULL) and not is_erased:
                self._history.fail("read_your_writes", f"a known person was answered with {error!r}")
            return None
        return view

    def _judge(self, kind: str, value: str, view: dict[str, Any], acknowledged: Position) -> None:
        history = self._history
        head, person = Position(int(view["position"])), PersonId(int(view["person"]))
        if head < acknowledged:
            history.fail("read_your_writes", f"read at {head}, but {acknowledged} was acknowledged before")
        facts = history.facts(head).get(person, [])
        expected = type_counts_of(facts)
        if expected != view["event_types"] or view["event_count"] != expected.total():
            history.fail("read_your_writes", f"{person} at {head}: {dict(expected)}, but read {view['event_types']}")
        self.read_count += 1
        carried = kind == "person" or any(f"{kind}:{value}" in history.carried_by(each.record) for each in facts)
        now_ms = self._system.clock.now_ms()
        history.remembered.append(Remembered(kind, value, now_ms, head, view, carried))
