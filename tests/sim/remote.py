"""The other side of a webhook: takes messages, knows repeated ones by their key, and fails as others do."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from courtesy.channel.contract import Attempt, Delivered, FailCause, Failed, Outside, Parcel, Retry, RetryCause
from courtesy.channel.webhook import COMPONENT
from courtesy.component.declaration import Component
from tests.sim.faults import Faults
from tests.sim.history import History


class Remote:
    """A receiver after Standard Webhooks, shared by all dispatchers: it handles each key once, however often it comes.

    What it refused for good it never took.
    """

    def __init__(self, faults: Faults, history: History) -> None:
        self.arrivals: Counter[bytes] = Counter()
        self.handled: dict[bytes, bytes] = {}
        self.refused: set[bytes] = set()
        self._faults = faults
        self._history = history

    async def receive(self, parcel: Parcel, die: Callable[[], None]) -> Attempt:
        """What a dispatcher sees of one attempt; `die` ends the dispatcher that asks."""
        faults, weather = self._faults, self._faults.weather
        await asyncio.sleep(faults.network_s())
        if faults.happens("remote refuses", weather.refuse):
            self.refused.add(parcel.key)
            return Failed(FailCause.REJECTED, "400")
        if faults.happens("remote hangs", weather.hang):
            await asyncio.sleep(15.0)
            return Retry(RetryCause.TIMEOUT, "no answer in 15 s")
        self._take(parcel)
        if faults.happens("dispatcher dies delivering", weather.die_delivering):
            die()
            await asyncio.Event().wait()
        if faults.happens("remote forgets", weather.forget):
            return Retry(RetryCause.SERVER_ERROR, "500 after it took the message")
        await asyncio.sleep(faults.network_s())
        return Delivered("200")

    def _take(self, parcel: Parcel) -> None:
        self.arrivals[parcel.key] += 1
        known = self.handled.setdefault(parcel.key, parcel.body)
        # Whoever is cut apart between two attempts is told of by another number.
        if _but_person(known) != _but_person(parcel.body):
            self._history.fail("effects", f"{parcel.key.hex()} came with another body: {parcel.body!r}, {known!r}")
        self._history.trace.note("arrived", parcel.key.hex(), self.arrivals[parcel.key])


def _but_person(body: bytes) -> Any:
    told = msgspec.json.decode(body)
    told["data"]["person"] = None
    return told


class RemoteChannel:
    """One dispatcher's channel to the remote."""

    component: ClassVar[Component] = COMPONENT

    def __init__(self, outside: Outside | None, remote: Remote, die: Callable[[], None]) -> None:
        self._remote = remote
        self._die = die

    async def deliver(self, parcel: Parcel) -> Attempt:
        return await self._remote.receive(parcel, self._die)

    async def aclose(self) -> None:
        """Nothing is kept open."""
