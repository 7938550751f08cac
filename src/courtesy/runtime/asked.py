"""Asking for messages: one by one, and for everybody in a segment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import blake2b

import msgspec
import structlog

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, message_key
from courtesy.base.time import Clock
from courtesy.channel.carriers import DECLARED
from courtesy.content.items import key_of
from courtesy.content.release import Pin
from courtesy.delivery.message import CAMPAIGN_END, Message
from courtesy.engine.content import User
from courtesy.engine.contract import AppendBatch, Engine, StorageFull, Unavailable
from courtesy.engine.delivery import CampaignRun, RunState
from courtesy.identity.resolve import Changes
from courtesy.person.crossing import Told, system_record
from courtesy.person.messages import ASKED
from courtesy.person.record import SYSTEM_SOURCE, NewRecord
from courtesy.runtime.catalog import CAMPAIGN, SEGMENT, CatalogCache
from courtesy.runtime.connection import Campaign
from courtesy.runtime.content_publishing import Publications
from courtesy.runtime.waiting import stopped_at, withdraw_stopped

PAGE = 2_000
IDLE_S = 1.0
AHEAD_MAX = 20_000
"""So many messages are asked for ahead of those who fold and send, some ten seconds of their work. What lies in the
store beyond that would only make the outbox large, and take longer to skip when the campaign is stopped."""

log = structlog.get_logger("campaign")


def asked_record(person: PersonId, message: Message, now_ms: int) -> NewRecord:
    """The record that asks for a message. However often it is made, it is the same but for its time."""
    key = message_key(SYSTEM_SOURCE, f"asked-{message.message}-{person}")
    told = Told(ASKED, msgspec.to_builtins(message), now_ms, f"asked-{key.hex()}")
    return system_record(person, key, told, now_ms)


class Asking:
    """Asks for single messages."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    async def ask(self, identifier: str, message: Message) -> bool:
        """Ask for a message to whoever owns an identifier; it is durable when this returns. False when it was asked for
        before: by its id, whomever it was to.

        Raises CourtesyError(NOT_FOUND) when nobody owns it.
        """
        now_ms = self._clock.now_ms()
        key = message_key(SYSTEM_SOURCE, f"asked-{message.message}")
        async with self._engine.appending() as append:
            if await append.seen([key]):
                return False
            owner = (await append.owners([identifier])).get(identifier)
            if owner is None:
                raise CourtesyError(Code.NOT_FOUND, "nobody is known by that identifier", place="value")
            record = asked_record(owner.person, message, now_ms)
            await append.write(AppendBatch([record], [key], Changes(), (), (), now_ms))
        return True


class Campaigner:
    """Asks for the messages of the campaigns that were started. Several may work at once; each page is asked for
    once."""

    def __init__(self, engine: Engine, catalog: CatalogCache, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._clock = clock
        self._withdrawn: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Go on with whatever was started until `stop` is set."""
        while not stop.is_set():
            try:
                busy = await self.turn()
            except (Unavailable, StorageFull) as error:
                log.warning("campaigns_wait", cause=error.message)
                busy = False
            if not busy:
                try:
                    await asyncio.wait_for(stop.wait(), IDLE_S)
                except TimeoutError:
                    continue

    async def turn(self) -> bool:
        """Ask for one page of each campaign under way, unless enough was asked for; whether any was."""
        now, all_runs = self._clock.now_ms(), await self._engine.runs(None)
        await self._withdraw_stopped(all_runs)
        runs = [each for each in all_runs if each.ended_ms is None and each.start_ms <= now]
        running = [run for run in runs if run.state is RunState.RUNNING]
        if not running or await self._is_far_ahead(now):
            return False
        return any([await self._page(run) for run in running])

    async def _withdraw_stopped(self, runs: Sequence[CampaignRun]) -> None:
        """Take what waits to be shown of campaigns that were stopped out of the inboxes, once each."""
        stopped = stopped_at(runs)
        fresh = {campaign: at for campaign, at in stopped.items() if self._withdrawn.get(campaign) != at}
        await withdraw_stopped(self._engine, fresh)
        self._withdrawn = stopped

    async def _is_far_ahead(self, now_ms: int) -> bool:
        """Whether those who fold and send have enough to do. What waits for its hour, or is paced, does not count."""
        due = await self._engine.due_effects(DECLARED, now_ms, AHEAD_MAX)
        return due >= AHEAD_MAX or due + sum(each.unfolded_count for each in await self._engine.status()) >= AHEAD_MAX

    async def _page(self, run: CampaignRun) -> bool:
        await self._catalog.refresh()
        now = self._catalog.now
        campaign = now.campaigns.get(run.campaign)
        segment = None if campaign is None else now.revisions.get((SEGMENT, campaign.audience))
        if campaign is None or segment is None:
            log.warning("campaign_stopped", campaign=run.campaign, cause="it or its audience is gone")
            await self._engine.set_run(run.number, RunState.STOPPED, self._clock.now_ms())
            return False
        members = await self._engine.members(segment.number, "", ("", run.cursor), PAGE)
        people = [each.person for each in members]
        records = self._records(run, campaign, people)
        is_last = len(people) < PAGE
        moved = await self._engine.ask_for(run, records, people[-1] if people else run.cursor, is_last=is_last)
        return moved is not None

    def _records(self, run: CampaignRun, campaign: Campaign, people: Sequence[PersonId]) -> list[NewRecord]:
        now_ms = self._clock.now_ms()
        return [asked_record(person, message_to(run, campaign, person, now_ms), now_ms) for person in people]


def message_to(run: CampaignRun, campaign: Campaign, person: PersonId, now_ms: int) -> Message:
    """The message of a run to one person."""
    return Message(
        # Of its own run, so that who is written to again by another start gets another message.
        message=f"{run.campaign}{CAMPAIGN_END}{_name(run, person)}",
        purpose=campaign.purpose,
        channels=campaign.channels,
        content=run.content,
        expires=now_ms + campaign.worth_ms,
        topic=campaign.topic,
        brand=campaign.brand,
        priority=campaign.priority,
        offer=campaign.offer,
        connection=campaign.connection,
        data=campaign.data,
    )


def _name(run: CampaignRun, person: PersonId) -> str:
    """What a message is called within its campaign: the same each time, and telling nobody who it is to."""
    return blake2b(f"{run.number}/{person}".encode(), digest_size=10).hexdigest()


class Campaigns:
    """Starting and stopping campaigns, and what became of them."""

    def __init__(self, engine: Engine, catalog: CatalogCache, publications: Publications, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._publications = publications
        self._clock = clock

    async def start(self, name: str, start_ms: int | None) -> CampaignRun:
        """Start a campaign, now or at an instant. One that is under way goes on: its run is answered.

        Its content is sent in the version that is live now. Raises CourtesyError: NOT_FOUND, also when its content is
        not published, and CONFLICT when its audience is not there.
        """
        await self._catalog.refresh()
        campaign = self._catalog.now.campaigns.get(name)
        if campaign is None:
            raise CourtesyError(Code.NOT_FOUND, f"no campaign named {name!r:.120}")
        body = self._catalog.now.segments.get(campaign.audience)
        if body is None or body.archived or body.segment.each is not None:
            raise CourtesyError(
                Code.CONFLICT,
                f"expected a segment as the audience, got {campaign.audience!r:.120}",
                hint="it is not there, archived, or one for each value",
            )
        pin = await self.pinned(campaign.content)
        run = await self._engine.start_run(name, f"{pin.key}@{pin.version}", start_ms or self._clock.now_ms())
        async with self._engine.editing_content() as edit:
            await self._publications.pin(edit, User(CAMPAIGN, name), [pin])
        return run

    async def pinned(self, content: str) -> Pin:
        """The version of an item that is live now. Raises CourtesyError: INVALID for what names no item, NOT_FOUND for
        one that is not published."""
        key = key_of(content, "content")
        version = await self._publications.version(key, None)
        return Pin(key.kind, key.name, version.number)

    async def stand(self, name: str, state: RunState) -> CampaignRun:
        """Pause, go on with, or stop what is under way; also stopped is what is done, of which messages may still be on
        their way or wait to be shown. Raises CourtesyError(CONFLICT) when there is nothing of the kind."""
        runs = await self._engine.runs(name)
        run = await self._engine.set_run(runs[0].number, state, self._clock.now_ms()) if runs else None
        if run is None:
            raise CourtesyError(Code.CONFLICT, f"nothing of {name!r:.120} is under way", hint="start it first")
        return run
