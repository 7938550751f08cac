"""Keeps connections to their plans of warming up: which messages may leave today, and over which connection."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import structlog

from courtesy.base.time import DAY_MS
from courtesy.delivery.warm_up import WarmUp
from courtesy.engine.contract import Engine
from courtesy.runtime.telemetry import WARM_UP

HOPS_MAX = 3
"""How many connections in a row a message is passed on to that has no room."""

log = structlog.get_logger("warm_up")


class Plans(Protocol):
    """What is declared of connections now."""

    def warm_up(self, connection: str) -> WarmUp | None:
        """Its plan; None without one."""
        ...

    def stands_in(self, connection: str, for_: str) -> bool:
        """Whether a connection can send what is meant for another: of the same channel, and not paused."""
        ...


class Wanted(NamedTuple):
    """A message that wants to leave: over which connection, to which host."""

    connection: str
    host: str


class WarmUps:
    """The plans as one process keeps them; what was counted lies in the store, for all processes."""

    def __init__(self, engine: Engine, plans: Plans) -> None:
        self._engine = engine
        self._plans = plans
        self._full: dict[Wanted, tuple[WarmUp, int]] = {}

    def is_full(self, wanted: Wanted, now_ms: int) -> bool:
        """Whether it is known already that nothing more leaves this way today."""
        found = self._full.get(wanted)
        return found is not None and found == (self._plans.warm_up(wanted.connection), now_ms // DAY_MS)

    async def take(self, asked: Sequence[Wanted], now_ms: int) -> list[str | None]:
        """For each message the connection over which it leaves today, where room is taken for it: its own, or one that
        sends what is over; None when it has to wait for tomorrow."""
        found: list[str | None] = [None] * len(asked)
        places = defaultdict[str, list[int]](list)
        for place, each in enumerate(asked):
            places[each.connection].append(place)
        for _ in range(HOPS_MAX):
            over = defaultdict[str, list[int]](list)
            for connection, some in sorted(places.items()):
                left = await self._take_of(connection, [(place, asked[place].host) for place in some], found, now_ms)
                plan = self._plans.warm_up(connection)
                if left and plan is not None and plan.then and self._plans.stands_in(plan.then, connection):
                    over[plan.then] += left
                    WARM_UP.labels(connection, "passed_on").inc(len(left))
            places = over
        for each, way in zip(asked, found, strict=True):
            if way is None:
                WARM_UP.labels(each.connection, "put_off").inc()
        return found

    async def _take_of(
        self, connection: str, some: Sequence[tuple[int, str]], found: list[str | None], now_ms: int
    ) -> list[int]:
        """Note in `found` those for which there is room; the others, unless none of them is to leave another way."""
        plan = self._plans.warm_up(connection)
        limits = None if plan is None else plan.limits(now_ms)
        if plan is None or limits is None:
            for place, _ in some:
                found[place] = connection
            return []
        room = await self._engine.take_room(connection, limits, Counter(host for _, host in some))
        granted, over = Counter(room.granted), []
        for place, host in some:
            if granted[host]:
                granted[host] -= 1
                found[place] = connection
            else:
                over.append(place)
        WARM_UP.labels(connection, "room").inc(len(some) - len(over))
        if over and (room.is_braked or not plan.then):
            if room.is_braked:
                log.warning("warm_up_braked", connection=connection, messages=len(over))
            hosts = dict(some)
            self._full.update({Wanted(connection, hosts[place]): (plan, limits.day) for place in over})
        # What came back was to be expected of another connection as well.
        return [] if room.is_braked else over

    async def give_back(self, unused: Sequence[Wanted], now_ms: int) -> None:
        """Give back the room of messages that did not leave."""
        by_connection = defaultdict[str, Counter[str]](Counter)
        for each in unused:
            by_connection[each.connection][each.host] += 1
        for connection, hosts in sorted(by_connection.items()):
            await self._give_back(connection, hosts, now_ms)

    async def _give_back(self, connection: str, hosts: Mapping[str, int], now_ms: int) -> None:
        plan = self._plans.warm_up(connection)
        limits = None if plan is None else plan.limits(now_ms)
        if limits is not None:
            await self._engine.give_room_back(connection, limits, hosts)
            self._full = {each: until for each, until in self._full.items() if each.connection != connection}

    async def came_back(self, bounced: Sequence[str], complained: Sequence[str], now_ms: int) -> None:
        """Count for today, by connection, what came back and what was complained of."""
        for connection in sorted({*bounced, *complained}):
            plan = self._plans.warm_up(connection)
            if plan is not None and plan.limits(now_ms) is not None:
                counts = bounced.count(connection), complained.count(connection)
                await self._engine.count_reports(connection, now_ms // DAY_MS, *counts)


def tomorrow_ms(now_ms: int) -> int:
    """When the next day begins, in UTC."""
    return (now_ms // DAY_MS + 1) * DAY_MS
