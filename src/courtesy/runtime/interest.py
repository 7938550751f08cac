"""Telling people that something changed in which they showed interest.

The log is read in order behind a cursor of each catalogue, and who is interested goes to an index. When the cursor is
at the position of a change, the index has exactly those who showed interest before it: then they are told, and the
cursor goes on. The index is written with the cursor in one step, and each event of a change has a key of its person, so
a crash loses and doubles nothing, and several processes may do it at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
import structlog

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PersonId, Position, message_key
from courtesy.base.time import HOUR_MS, Clock
from courtesy.catalogue.definition import CatalogueDefinition
from courtesy.catalogue.interest import Seen, marks_of, shown_as, shown_by
from courtesy.engine.catalogue import Change, Interested, InterestState
from courtesy.engine.contract import Append, AppendBatch, Engine
from courtesy.event.event import decode_fact
from courtesy.identity.resolve import Changes
from courtesy.person.crossing import Told, system_record
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, Record, RecordKind
from courtesy.runtime.telemetry import error_and_place

PAGE_RECORDS = 2_000
PAGE_PEOPLE = 500
"""People who are told in one append, which takes as long as some hundred events then."""

LOOK_EVERY_S = 0.5
FORGET_EVERY_MS = HOUR_MS

log = structlog.get_logger("interest")

Pages = dict[Position, tuple[Position, list[Record]]]
"""What one look at the log found, for all catalogues that are as far: its head, and a page behind a position."""


class InterestFollower:
    """Follows the log for all catalogues in which people can be interested."""

    def __init__(
        self, engine: Engine, catalogues: Callable[[], Mapping[str, CatalogueDefinition]], clock: Clock
    ) -> None:
        self._engine = engine
        self._catalogues = catalogues
        self._clock = clock
        self._forgot_ms = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until `stop` is set."""
        while not stop.is_set():
            try:
                while await self.follow() and not stop.is_set():
                    continue
                await self._forget()
            except CourtesyError as error:
                log.warning("interest_waits", cause=error.message)
            except Exception as error:  # noqa: BLE001 -- the outermost edge: the next look may go well
                log.error("interest_broke", **error_and_place(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)

    async def follow(self) -> bool:
        """Go on a part for each catalogue; whether there may be more to do."""
        pages: Pages = {}
        found = [await self._follow(name, each, pages) for name, each in sorted(self._catalogues().items())]
        return any(found)

    async def _forget(self) -> None:
        now_ms = self._clock.now_ms()
        if self._catalogues() and not self._forgot_ms <= now_ms < self._forgot_ms + FORGET_EVERY_MS:
            await self._engine.forget_interest(now_ms)
            self._forgot_ms = now_ms

    async def _follow(self, name: str, definition: CatalogueDefinition, pages: Pages) -> bool:
        state = await self._engine.interest_state(name)
        if state.watched != definition.watched:
            await self._engine.watch_catalogue(name, definition.watched)
            return bool(definition.watched)
        if not state.watched:
            return False
        change = await self._engine.next_change(name)
        if change is not None and change.position <= state.position:
            await self._tell(change)
            return True
        return await self._read(name, definition, state, change, pages)

    # -- who is interested

    async def _read(
        self, name: str, definition: CatalogueDefinition, state: InterestState, change: Change | None, pages: Pages
    ) -> bool:
        """Read on, at most up to a change; whether that came any further."""
        if state.position not in pages:
            # The head before the records: what lies up to it is among them, or gone.
            head = await self._engine.head()
            pages[state.position] = head, await self._engine.log_after(state.position, PAGE_RECORDS)
        head, page = pages[state.position]
        end = page[-1].position if page else head
        if change is not None:
            end = min(end, change.position)
        if end <= state.position:
            return False
        seen = _seen_in(definition, [each for each in page if each.position <= end])
        return await self._engine.save_interest(name, state, end, seen)

    # -- telling

    async def _tell(self, change: Change) -> None:
        """Tell everybody who was interested when it changed."""
        told_count = 0
        while True:
            async with self._engine.appending() as append:
                # Within the append: so nobody is erased, or becomes part of another, meanwhile.
                people = await self._engine.interested(change, PAGE_PEOPLE)
                told_count += await self._append(append, change, people) if people else 0
            if len(people) < PAGE_PEOPLE:
                break
            change = change._replace(told=people[-1].person)
            await self._engine.move_change(change, change.told)
        await self._engine.end_change(change)
        if told_count:
            log.info("change_told", catalogue=change.catalogue, change=change.name, people=told_count)

    async def _append(self, append: Append, change: Change, people: Sequence[Interested]) -> int:
        """Tell those who were not told yet, nor was anybody who is part of them by now; how many."""
        owners = {(move.position, move.appended_for): move.person for move in await append.moves(_people(people))}
        whose = {owners.get((each.position, each.person), each.person) for each in people} - {None}
        roots = sorted(set((await self._engine.roots(whose)).values()))
        parts = await append.parts(roots)
        keys = {root: {each: _key(change, each) for each in (root, *parts.get(root, ()))} for root in roots}
        seen = await append.seen([key for own in keys.values() for key in own.values()])
        fresh = [root for root in roots if seen.isdisjoint(keys[root].values())]
        now_ms = self._clock.now_ms()
        records = [_record(change, root, keys[root][root], now_ms) for root in fresh]
        if records:
            await append.write(AppendBatch(records, [each.key for each in records], Changes(), (), (), now_ms))
        return len(records)


def _people(found: Sequence[Interested]) -> set[PersonId]:
    return {each.person for each in found}


def _seen_in(definition: CatalogueDefinition, records: Sequence[Record]) -> list[Seen]:
    """Who shows interest by these records, copies of events left out."""
    marks = marks_of(definition)
    found: list[Seen] = []
    for record in records:
        if record.kind != RecordKind.EVENT or not any(mark in record.payload for mark in marks):
            continue
        try:
            fact = decode_fact(record.payload)
        except (msgspec.DecodeError, ValueError, RecursionError):
            # As the fold sets it aside.
            continue
        found += [
            Seen(each.item, record.person, each.until_ms, record.position, record.partition, shown_as(fact))
            for each in shown_by(definition, fact)
        ]
    return found


def _message_id(change: Change, person: PersonId) -> str:
    return f"catalogue-{change.number}-{person}"


def _key(change: Change, person: PersonId) -> bytes:
    return message_key(SYSTEM_SOURCE, _message_id(change, person))


def _record(change: Change, person: PersonId, key: bytes, now_ms: int) -> NewRecord:
    properties = msgspec.json.decode(change.properties)
    return system_record(person, key, Told(change.name, properties, now_ms, _message_id(change, person)), now_ms)
