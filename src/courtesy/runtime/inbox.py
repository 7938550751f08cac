"""Inboxes: what waits to be shown, who listens for it, and what ends it.

Of those who listen in one process one task waits for all: when something came into any inbox, it asks once for
everybody who listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import structlog

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import SECOND_MS, Clock
from courtesy.delivery.desk import Desk
from courtesy.delivery.message import CAMPAIGN_END
from courtesy.engine.contract import Engine, StorageFull, Unavailable
from courtesy.engine.delivery import IN_APP, WITHDRAWN, InboxItem, MessageFate
from courtesy.event.accept import Accepted, Claim, Rejected
from courtesy.identity.rules import normalise
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.waiting import Welcome

LISTENERS_MAX = 2_000
WAIT_MS = 5_000
KNOWN_FOR_MS = 30 * SECOND_MS
"""How long what was told to somebody who listens is held to be welcome while they choose nothing: a choice may begin
later, a consent may run out."""
CHOOSING_MAX = 200
"""More people than this who chose at once, as a file brings them, are left to the next look."""
PAUSE_S = 0.05
"""Between two rounds, so that a campaign that fills inboxes all the time is read twenty times a second at most."""

FATES = {"Message Clicked": "clicked", "Message Dismissed": "dismissed"}
"""What a page tells that ends a message, and as what it is counted."""
SEEN = "Message Seen"

log = structlog.get_logger("inbox")


class Heard(NamedTuple):
    """Messages that came, and the ids of those that wait no more."""

    fresh: list[InboxItem]
    gone: list[str]


class Listener:
    """Somebody who listens on one connection. `people`: all who are one with them."""

    def __init__(self, people: Iterable[PersonId]) -> None:
        self.people = tuple(people)
        self.is_over = False
        self._told: set[str] = set()
        self._fresh: list[InboxItem] = []
        self._gone: list[str] = []
        self._woken = asyncio.Event()

    def skip(self, message: str) -> None:
        """Never tell of a message: they have it."""
        self._told.add(message)

    def compare(self, waiting: Collection[InboxItem]) -> None:
        """Have them told of what waits and they were not told of yet, and of what waits no more."""
        gone = sorted(self._told.difference(each.message for each in waiting))
        fresh = [each for each in waiting if each.message not in self._told]
        self._told.difference_update(gone)
        self._told.update(each.message for each in fresh)
        self._gone += gone
        self._fresh += fresh
        if gone or fresh:
            self._woken.set()

    def end(self) -> None:
        """Let them hear that it is over."""
        self.is_over = True
        self._woken.set()

    async def hear(self, timeout_s: float) -> Heard:
        """What is new, as soon as there is something; nothing when it is over or the time has gone."""
        try:
            await asyncio.wait_for(self._woken.wait(), timeout_s)
        except TimeoutError:
            return Heard([], [])
        self._woken.clear()
        heard = Heard(self._fresh, self._gone)
        self._fresh, self._gone = [], []
        return heard


class Inbox:
    """The inboxes as one process sees them."""

    def __init__(self, engine: Engine, catalog: CatalogCache, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._waiter: asyncio.Task[None] | None = None
        self._welcome = Welcome(engine, lambda: desk_of(catalog), clock)
        self._chose: set[PersonId] = set()
        self._reconsidering: asyncio.Task[None] | None = None
        # Two comparisons at once could take what one has just heard of for gone.
        self._comparing = asyncio.Lock()
        self._is_stopping = False

    async def waiting(self, people: Collection[PersonId]) -> list[InboxItem]:
        """What waits for somebody and is welcome now, the oldest first. Raises Unavailable, StorageFull."""
        return await self._welcome.only(await self._all_waiting(people))

    async def _all_waiting(self, people: Collection[PersonId]) -> list[InboxItem]:
        return await self._engine.inbox(people, IN_APP, self._clock.now_ms())

    def reconsider(self, people: Collection[PersonId]) -> None:
        """People chose something: take away in a moment what they do not want any more, wherever it is shown."""
        if self._is_stopping or len(people) > CHOOSING_MAX:
            return
        self._chose.update(people)
        if self._reconsidering is None or self._reconsidering.done():
            self._reconsidering = asyncio.create_task(self._reconsider(), name="reconsider")

    async def _reconsider(self) -> None:
        try:
            while self._chose:
                chose, self._chose = self._chose, set()
                readings = await self._engine.read_people(chose)
                everyone = {each for reading in readings.values() for each in (reading.person, *reading.merged)}
                await self.waiting(everyone)
        except (Unavailable, StorageFull) as error:
            # Whoever listens is told by the next look, and whoever asks by what is so then.
            log.warning("inbox_waits", cause=error.message)

    def listen(self, people: Iterable[PersonId]) -> Listener:
        """Listen from now on; what waits already is not told. Raises CourtesyError(TOO_MANY), and Unavailable when the
        process is about to stop."""
        if self._is_stopping:
            raise Unavailable("the server is stopping")
        if len(self._listeners) >= LISTENERS_MAX:
            raise CourtesyError(Code.TOO_MANY, f"{LISTENERS_MAX} listen already", hint="ask /v1/inbox now and then")
        listener = Listener(people)
        self._listeners.add(listener)
        if self._waiter is None or self._waiter.done():
            self._waiter = asyncio.create_task(self._wait(), name="inbox")
        return listener

    def leave(self, listener: Listener) -> None:
        """Listen no more."""
        self._listeners.discard(listener)

    def stop(self) -> None:
        """Let all who listen go, and nobody listen any more. Connections that stayed open would keep the process."""
        self._is_stopping = True
        for each in self._listeners:
            each.end()
        for task in (self._waiter, self._reconsidering):
            if task is not None:
                task.cancel()

    async def _wait(self) -> None:
        while self._listeners:
            try:
                await self._engine.wait_for_inbox(WAIT_MS)
                await self._compare(list(self._listeners))
            except (Unavailable, StorageFull) as error:
                log.warning("inbox_waits", cause=error.message)
                await asyncio.sleep(1.0)
            await asyncio.sleep(PAUSE_S)

    async def look(self, listener: Listener) -> None:
        """Compare what a listener was told with what waits for them. Raises Unavailable."""
        await self._compare([listener])

    async def _compare(self, listeners: Iterable[Listener]) -> None:
        async with self._comparing:
            people_of = [(each, each.people) for each in listeners]
            found: dict[PersonId, list[InboxItem]] = {}
            waiting = await self._all_waiting({person for _, people in people_of for person in people})
            for item in await self._welcome.only(waiting, known_for_ms=KNOWN_FOR_MS):
                found.setdefault(item.person, []).append(item)
            for each, people in people_of:
                each.compare([item for person in people for item in found.get(person, ())])

    async def settle(self, items: Sequence[Accepted | Rejected]) -> None:
        """Take messages that were clicked or dismissed out of the inbox of whom an event says so, keep of others that
        they were seen, and count each once.

        Whoever sends such an event again, because it got no answer, ends them as well. Raises Unavailable.
        """
        for each in items:
            if isinstance(each, Accepted) and (each.event.name == SEEN or each.event.name in FATES):
                message = _properties(each).get("message")
                people = await self._people_of(each.claims) if isinstance(message, str) else None
                if people and isinstance(message, str):
                    await self._become(people, message, FATES.get(each.event.name))

    async def withdraw(self, people: Collection[PersonId], message: str) -> bool:
        """Have a message wait no more, and go where it is shown; False when it did not wait."""
        return await self._become(people, message, WITHDRAWN)

    async def _become(self, people: Collection[PersonId], message: str, end: str | None) -> bool:
        """Count that a message that waits came to an end; None: that it was seen."""
        if end is not None:
            return bool(await self._engine.take_from_inbox(people, [message], end))
        if not await self._engine.mark_seen(people, [message]):
            return False
        campaign = message.partition(CAMPAIGN_END)[0]
        await self._engine.count_fates([MessageFate(campaign, IN_APP, "seen", "")])
        return True

    async def _people_of(self, claims: Iterable[Claim]) -> set[PersonId]:
        found: set[PersonId] = set()
        for claim in claims:
            key = normalise(self._catalog.now.rules, claim.kind, claim.value)
            reading = None if key is None else await self._engine.read_person(key)
            if reading is not None:
                found.update((reading.person, *reading.merged))
        return found


def desk_of(catalog: CatalogCache) -> Desk:
    """What decides about messages now."""
    desk = catalog.catalog().desk
    assert isinstance(desk, Desk)
    return desk


def _properties(each: Accepted) -> Mapping[str, Any]:
    found = msgspec.json.decode(each.event.properties or b"null")
    return found if isinstance(found, dict) else {}
