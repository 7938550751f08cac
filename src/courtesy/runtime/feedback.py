"""What comes back about messages: from mail servers and providers, and from whoever opens and follows links.

Each is told as an event of the person whom the message was to, once, however often it is reported; what it says of the
address or of the person's wishes takes effect at once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import structlog

from courtesy.base.ids import PersonId, message_key
from courtesy.base.time import SECOND_MS, Clock
from courtesy.content.items import key_of
from courtesy.content.links import Slot, Ticket
from courtesy.content.wording import sheets_of
from courtesy.delivery.bot_verdict import Judged, Seen, Verdict, judged
from courtesy.delivery.cause import REACTION, DeliveryCause, Reaction
from courtesy.delivery.message import Admitted, admitted
from courtesy.delivery.outcome import Outcome, OutcomeKind
from courtesy.delivery.return_path import message_of
from courtesy.engine.contract import AppendBatch, Engine
from courtesy.engine.delivery import MessageFate
from courtesy.engine.outbox import StoredEffect
from courtesy.identity.resolve import Changes
from courtesy.person.crossing import Told, system_record
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, RecordKind
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.connections import DefinedConnections, SignedTokens
from courtesy.runtime.ingest import Ingest
from courtesy.runtime.saying import Sayings
from courtesy.runtime.sending import dead_address, told_of
from courtesy.runtime.warming import WarmUps

NAMES = {
    OutcomeKind.DELIVERED: "Message Delivered",
    OutcomeKind.DEFERRED: "Message Deferred",
    OutcomeKind.BOUNCED: "Message Bounced",
    OutcomeKind.REJECTED: "Message Bounced",
    OutcomeKind.COMPLAINED: "Message Complained",
    OutcomeKind.OPENED: "Message Opened",
    OutcomeKind.CLICKED: "Message Clicked",
    OutcomeKind.UNSUBSCRIBED: "Message Unsubscribed",
    OutcomeKind.AUTOREPLIED: "Message Answered",
}
CORRECTED = "Message Verdict Corrected"
"""A verdict on an opening or a click that was told is another by now: `corrects` is the id of that event."""

READ = (OutcomeKind.OPENED, OutcomeKind.CLICKED)
NEAR_MS = SECOND_MS
RECENT = 50
SOURCE = "mailbox-providers"
"""As whose word it counts that somebody unsubscribed or complained with their mailbox provider."""

VERSIONS_MAX = 500
"""Of so many published versions a process remembers where their links lead."""

TOGETHER_MAX = 500
"""Requests whose events go into one append."""

Noted = tuple[bytes, NewRecord, MessageFate | None]
"""An event by its key, and what is counted with it."""

log = structlog.get_logger("feedback")


@dataclass(frozen=True, slots=True)
class _Known:
    """Something that came back, about a message that is known."""

    key: bytes
    effect: StoredEffect
    each: Admitted
    outcome: Outcome
    judged: Judged | None = None


class Feedback:
    """Takes in what comes back, in one process."""

    def __init__(
        self, engine: Engine, catalog: CatalogCache, ingest: Ingest, tokens: SignedTokens, clock: Clock
    ) -> None:
        self._engine = engine
        self._tokens = tokens
        self._clock = clock
        self._sayings = Sayings(catalog, ingest, clock, SOURCE)
        self._slots: OrderedDict[tuple[str, int], tuple[Slot, ...]] = OrderedDict()
        self._waiting: list[tuple[Sequence[Noted], asyncio.Future[set[bytes]]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._warm_ups = WarmUps(engine, DefinedConnections(engine, catalog, clock))

    async def report(self, outcomes: Sequence[Outcome]) -> int:
        """Take in what a mail server or a provider reports; how many of it are news about messages of ours. The rest is
        left aside. Raises Unavailable or StorageFull, with some of it taken in: report it again."""
        keys = {each.token: message_of(each.token, self._tokens.token_key) for each in outcomes if each.token}
        told = [(keys[each.token], each) for each in outcomes if each.token and keys[each.token] is not None]
        return await self._take([(key, each, None) for key, each in told if key is not None])

    async def read(self, kind: OutcomeKind, ticket: Ticket, seen: Seen, url: str = "") -> Verdict | None:
        """Note that a message was opened or a link in it followed, by a person or a machine; None for a message that is
        not known any more."""
        effect = (await self._engine.effects_by_key([ticket.message])).get(ticket.message)
        if effect is None:
            return None
        near = await self._near(effect, ticket, seen) if kind is OutcomeKind.CLICKED else {}
        links = {ticket.slot, *(slot for slot, _ in near.values())}
        verdict = judged(replace(seen, sent_at_ms=effect.settled_ms, near_links=len(links)))
        event_id = f"{kind}-{seen.at_ms}-{ticket.slot}-{seen.ip}"
        outcome = Outcome(
            kind=kind, at_ms=seen.at_ms, reporter="links", event_id=event_id, url=url, user_agent=seen.user_agent[:300]
        )
        await self._take([(ticket.message, outcome, verdict)])
        if verdict.verdict is Verdict.MACHINE and near:
            await self._correct(effect, near, verdict)
        return verdict.verdict

    async def _near(self, effect: StoredEffect, ticket: Ticket, seen: Seen) -> dict[str, tuple[int, str]]:
        """Links of the same message that were followed within a second, by the ids of the events: which, and what was
        held of them."""
        found: dict[str, tuple[int, str]] = {}
        message = admitted(effect.body).message.message
        for record in await self._engine.records_of([effect.person], None, RECENT):
            if record.kind is not RecordKind.EVENT or abs(record.at - seen.at_ms) > NEAR_MS:
                continue
            event = msgspec.json.decode(record.payload)
            told = event.get("properties", {})
            if event.get("name") == NAMES[OutcomeKind.CLICKED] and told.get("message") == message:
                found[event["id"]] = told.get("slot", -1), told.get("verdict", "")
        return found

    async def _correct(self, effect: StoredEffect, near: dict[str, tuple[int, str]], verdict: Judged) -> None:
        """Say of clicks that were held to be a person's that they were not."""
        each = admitted(effect.body)
        now = self._clock.now_ms()
        records: list[Noted] = []
        for event_id, (_, before) in near.items():
            if before != Verdict.MACHINE:
                told = told_of(each) | {
                    "corrects": event_id,
                    "verdict": str(verdict.verdict),
                    "reasons": _words(verdict),
                }
                key = message_key(SYSTEM_SOURCE, f"corrected-{event_id}")
                record = system_record(effect.person, key, Told(CORRECTED, told, now, f"corrected-{event_id}"), now)
                fate = MessageFate(each.message.campaign, each.channel, "clicked", f"{before} corrected")
                records.append((key, record, fate))
        await self._append(records)

    async def _take(self, told: Sequence[tuple[bytes, Outcome, Judged | None]]) -> int:
        effects = await self._engine.effects_by_key({key for key, _, _ in told})
        known = [
            _Known(key, effects[key], admitted(effects[key].body), outcome, verdict)
            for key, outcome, verdict in told
            if key in effects and outcome.kind in NAMES
        ]
        now = self._clock.now_ms()
        records = [self._record(each, now) for each in known]
        fresh = await self._append(records)
        for each in known:
            await self._react(each, now)
        news = [each for each, (key, _, _) in zip(known, records, strict=True) if key in fresh]
        bounced = [each.each.connection for each in news if _is_bounce(each)]
        complained = [each.each.connection for each in news if each.outcome.kind is OutcomeKind.COMPLAINED]
        await self._warm_ups.came_back(bounced, complained, now)
        return len(fresh)

    def _record(self, known: _Known, now_ms: int) -> tuple[bytes, NewRecord, MessageFate]:
        outcome, name = known.outcome, NAMES[known.outcome.kind]
        told = told_of(known.each) | {"reporter": outcome.reporter}
        if outcome.cause is not None:
            told["cause"] = str(outcome.cause)
        if outcome.url:
            told["url"] = outcome.url
        reason = "" if outcome.cause is None else str(outcome.cause)
        verdict = known.judged or _by_reporter(outcome)
        if outcome.kind in READ:
            told |= {"verdict": str(verdict.verdict), "reasons": _words(verdict)}
            told |= {"slot": int(outcome.event_id.split("-")[2])} if outcome.reporter == "links" else {}
            reason = str(verdict.verdict)
        at_ms = min(outcome.at_ms, now_ms)
        # A report without an id of its own counts once for each thing that it tells, however often it comes.
        once = f"{known.key.hex()}-{outcome.kind}-{outcome.event_id or outcome.reporter}"
        key = message_key(SYSTEM_SOURCE, once)
        record = system_record(known.effect.person, key, Told(name, told, at_ms, f"feedback-{key.hex()}"), now_ms)
        fate = MessageFate(known.each.message.campaign, known.each.channel, str(outcome.kind), reason)
        return key, record, fate

    async def slots(self, content: str, version: int) -> tuple[Slot, ...]:
        """The links of a published version, which never changes; none when there is no such version. Raises
        CourtesyError."""
        known = self._slots.get((content, version))
        if known is not None:
            self._slots.move_to_end((content, version))
            return known
        found = await self._engine.content_version(key_of(content), version)
        if found is None:
            return ()
        sheets = sheets_of(msgspec.json.decode(found.artefacts, type=dict[str, str]))
        slots = self._slots[content, version] = tuple(slot for sheet in sheets.values() for slot in sheet.slots)
        while len(self._slots) > VERSIONS_MAX:
            self._slots.popitem(last=False)
        return slots

    async def _append(self, noted: Sequence[Noted]) -> set[bytes]:
        """Append what is new, of people who are still there; the keys of that. What comes while one append is under way
        goes with the next one, all of it."""
        if not noted:
            return set()
        done: asyncio.Future[set[bytes]] = asyncio.get_running_loop().create_future()
        self._waiting.append((noted, done))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="feedback")
        return await done

    async def _write(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting[:TOGETHER_MAX], self._waiting[TOGETHER_MAX:]
            try:
                fresh = await self._append_together([each for noted, _ in some for each in noted])
            except Exception as error:  # noqa: BLE001 -- whatever it is, those who wait are to be told
                for _, done in some:
                    if not done.done():
                        done.set_exception(error)
            else:
                for noted, done in some:
                    mine = {key for key, _, _ in noted} & fresh
                    fresh -= mine
                    if not done.done():
                        done.set_result(mine)

    async def _append_together(self, noted: Sequence[Noted]) -> set[bytes]:
        """The keys of what was new."""
        now_ms = self._clock.now_ms()
        one_each = {key: (record, fate) for key, record, fate in noted}
        async with self._engine.appending() as append:
            seen = await append.seen(list(one_each))
            held = await append.held({record.person for record, _ in one_each.values()})
            parts = await append.parts(set(held))
            there = {person for person, own in held.items() if own} | {p for some in parts.values() for p in some}
            merged = await self._roots({record.person for record, _ in one_each.values()} - there)
            fresh = {
                key: each for key, each in one_each.items() if key not in seen and each[0].person in there | merged
            }
            if fresh:
                batch = AppendBatch([record for record, _ in fresh.values()], list(fresh), Changes(), (), (), now_ms)
                await append.write(batch)
        await self._engine.count_fates([fate for _, fate in fresh.values() if fate is not None])
        return set(fresh)

    async def _roots(self, people: set[PersonId]) -> set[PersonId]:
        """Those of the people who are part of somebody who is there."""
        readings = await self._engine.read_people(people) if people else {}
        return {person for person, reading in readings.items() if reading.identifiers}

    async def _react(self, known: _Known, now_ms: int) -> None:
        """What follows for the address, and for what the person allows."""
        outcome, each = known.outcome, known.each
        cause = outcome.cause or (DeliveryCause.COMPLAINT if outcome.kind is OutcomeKind.COMPLAINED else None)
        address = outcome.recipient
        if outcome.kind in (OutcomeKind.BOUNCED, OutcomeKind.REJECTED, OutcomeKind.COMPLAINED) and cause and address:
            found = dead_address(self._tokens.address_hash(address), each.channel, cause, now_ms)
            await self._engine.set_dead([found] if found is not None else [])
        if outcome.kind in (OutcomeKind.UNSUBSCRIBED, OutcomeKind.COMPLAINED):
            await self._withdraw(known)

    async def _withdraw(self, known: _Known) -> None:
        """A complaint, or an unsubscription with the mailbox provider, is a withdrawal like any other."""
        reading = (await self._engine.read_people([known.effect.person])).get(known.effect.person)
        if reading is None or not reading.identifiers:
            return
        message = known.each.message
        choice: dict[str, Any] = {"action": "withdraw", "purpose": message.purpose, "channel": known.each.channel}
        call = {
            "type": "consent",
            "messageId": f"feedback-{known.key.hex()}-{known.outcome.kind}",
            "choices": [choice],
        }
        await self._sayings.say(reading, [call])


def _by_reporter(outcome: Outcome) -> Judged:
    """The verdict on an opening or a click that somebody else saw."""
    return judged(
        Seen(
            is_click=outcome.kind is OutcomeKind.CLICKED,
            at_ms=outcome.at_ms,
            user_agent=outcome.user_agent,
            ip=outcome.ip,
            reporter_says=outcome.is_machine,
        )
    )


def _is_bounce(known: _Known) -> bool:
    """Whether a report says that an address is dead."""
    cause = known.outcome.cause
    is_back = known.outcome.kind in (OutcomeKind.BOUNCED, OutcomeKind.REJECTED)
    return is_back and cause is not None and REACTION[cause] is Reaction.SUPPRESS


def _words(verdict: Judged) -> list[str]:
    return [str(each) for each in verdict.reasons]
