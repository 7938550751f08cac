"""What waits in inboxes: whether it is welcome still, and taking away what is not.

A message was permitted when it was put there, and may wait for days. So whoever looks is answered by what is allowed at
that instant; no permit is issued anew, since nothing leaves.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec

from courtesy.base.ids import PersonId
from courtesy.base.time import SECOND_MS, Clock
from courtesy.channel.in_app import Permitted
from courtesy.delivery.desk import Desk, No
from courtesy.delivery.message import Skip
from courtesy.engine.contract import Engine
from courtesy.engine.delivery import WITHDRAWN, CampaignRun, InboxItem, RunState
from courtesy.event.choice import Scope
from courtesy.person.assemble import assemble
from courtesy.person.state import PersonState

RUNS_EVERY_MS = SECOND_MS
STOPPED_BATCH = 1_000
REMEMBERED_MAX = 20_000


class _Body(msgspec.Struct):
    permitted: Permitted = msgspec.field(default_factory=Permitted)


_BODY = msgspec.json.Decoder(_Body)


class _Known(NamedTuple):
    """The campaigns that were stopped, as of an instant (ms UTC)."""

    stopped: dict[str, int]
    read_ms: int


def stopped_at(runs: Iterable[CampaignRun]) -> dict[str, int]:
    """When campaigns were stopped last (ms UTC): what they had asked for by then is not to be shown any more."""
    found: dict[str, int] = {}
    for run in runs:
        if run.state is RunState.STOPPED and run.ended_ms is not None:
            found[run.campaign] = max(found.get(run.campaign, 0), run.ended_ms)
    return found


async def withdraw_stopped(engine: Engine, stopped: dict[str, int]) -> None:
    """Take away what campaigns asked for until they were stopped, in batches. Doing it again does nothing more. Raises
    Unavailable, StorageFull."""
    after: PersonId | None = PersonId(0)
    while stopped and after is not None:
        after = await engine.withdraw_stopped(stopped, after, STOPPED_BATCH)


class Welcome:
    """Says what of that which waits may be shown now, and takes the rest away."""

    def __init__(self, engine: Engine, desk: Callable[[], Desk], clock: Clock) -> None:
        self._engine = engine
        self._desk = desk
        self._clock = clock
        self._campaigns = _Known({}, 0)
        self._welcome_ms: dict[tuple[PersonId, str], int] = {}

    async def only(self, items: Sequence[InboxItem], *, known_for_ms: int = 0) -> list[InboxItem]:
        """Those that may be shown now. What a law allows at another hour waits on; the rest is taken away, and counted.
        `known_for_ms`: for how long what was welcome is held to be. Raises Unavailable, StorageFull."""
        now = self._clock.now_ms()
        stopped = await self._stopped(now)
        ended = {each for each in items if each.created_ms <= stopped.get(each.campaign, -1)}
        asked = [each for each in items if each not in ended and not self._is_known(each, now - known_for_ms)]
        found = await self._judged(asked, now) | dict.fromkeys(ended, No(Skip.STOPPED))
        await self._take_away({each: no for each, no in found.items() if no.skip is not Skip.QUIET_HOURS})
        self._remember([each for each in asked if each not in found], now)
        return [each for each in items if each not in found]

    async def _stopped(self, now: int) -> dict[str, int]:
        if not self._campaigns.read_ms <= now < self._campaigns.read_ms + RUNS_EVERY_MS:
            self._campaigns = _Known(stopped_at(await self._engine.runs(None)), now)
        return self._campaigns.stopped

    def _is_known(self, item: InboxItem, since_ms: int) -> bool:
        return self._welcome_ms.get((item.person, item.message), -1) > since_ms

    def _remember(self, welcome: Collection[InboxItem], now: int) -> None:
        if len(self._welcome_ms) + len(welcome) > REMEMBERED_MAX:
            self._welcome_ms.clear()
        self._welcome_ms.update(dict.fromkeys(((each.person, each.message) for each in welcome), now))

    async def _judged(self, items: Sequence[InboxItem], now: int) -> dict[InboxItem, No]:
        """Why messages may not be shown, of those that may not; each person is read once."""
        readings = await self._engine.read_people({each.person for each in items}) if items else {}
        states = {
            person: assemble(reading.person, reading.merged, reading.states, reading.tail)
            for person, reading in readings.items()
        }
        desk = self._desk()
        found = ((each, _unwelcome(desk, each, states.get(each.person), now)) for each in items)
        return {each: no for each, no in found if no is not None}

    async def _take_away(self, unwelcome: dict[InboxItem, No]) -> None:
        by_reason = defaultdict[Skip, list[InboxItem]](list)
        for each, no in unwelcome.items():
            by_reason[no.skip].append(each)
        for skip, items in by_reason.items():
            for each in items:
                self._welcome_ms.pop((each.person, each.message), None)
            people, messages = {each.person for each in items}, {each.message for each in items}
            await self._engine.take_from_inbox(people, messages, WITHDRAWN, skip)


def _unwelcome(desk: Desk, item: InboxItem, state: PersonState | None, now: int) -> No | None:
    if state is None:
        return No(Skip.NOBODY)
    told = _BODY.decode(item.body).permitted
    if not told.purpose:
        return None  # nobody asked when it was put there
    return desk.unwelcome(state, Scope(told.purpose, item.channel, told.topic, told.brand), now)
