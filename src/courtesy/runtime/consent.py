"""Asking whether somebody may be used for something: now, at an instant, and by what was known at another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.base.time import Clock, to_iso
from courtesy.consent.controller import Controller
from courtesy.consent.gpc import gpc_of
from courtesy.consent.law import Answer, Laws, Policy, allowed_at
from courtesy.consent.laws import LAWS
from courtesy.consent.standing import Standing, now_of
from courtesy.consent.told import Told
from courtesy.event.choice import ANY, Scope
from courtesy.person.state import PersonState
from courtesy.person.view import choices_view
from courtesy.person.whereabouts import minutes_of, place_of, zones_of
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.ledger import Ledger, Read, standing_of
from courtesy.runtime.people import People, unknown_then


@dataclass(frozen=True, slots=True)
class Question:
    """May a person be used for a purpose over a channel?

    `jurisdiction`: where the person is, None to go by what is known of them. `at_ms`: at which instant, None for now.
    `known_ms`: by what was known at an instant, None for all that is known. `local_minute`: of the day, where they are;
    None to go by the time zone that is known of them.
    """

    purpose: str
    channel: str
    topic: str = ANY
    brand: str = ANY
    jurisdiction: str | None = None
    at_ms: int | None = None
    known_ms: int | None = None
    local_minute: int | None = None

    @property
    def of_the_past_alone(self) -> bool:
        """Whether nothing of what is known today enters into the answer."""
        return None not in (self.known_ms, self.at_ms, self.jurisdiction, self.local_minute)


class Consents:
    """The answering side of one process."""

    def __init__(
        self, people: People, ledger: Ledger, catalog: CatalogCache, clock: Clock, policies: Iterable[Policy] = LAWS
    ) -> None:
        self._people = people
        self._ledger = ledger
        self._catalog = catalog
        self._clock = clock
        self._laws = Laws(policies)

    async def allowed(self, kind: str, value: str, question: Question, after: Position | None = None) -> dict[str, Any]:
        """Yes or no, with the choices and the rule that decided, for a person by any identifier.

        By all that was acknowledged before the call, unless `known_ms` says otherwise: then by the ledger, as far as it
        was written by then, and the person is who they were known to be then. Where they are and what time it is there
        is by what is known now, where the question does not say it. Raises CourtesyError(NOT_FOUND) for who is not
        known, or was not then, and what `People.view` raises.
        """
        if question.purpose == ANY:
            raise CourtesyError(Code.INVALID, "expected one purpose, got *", hint="ask for each", place="query.purpose")
        state, person, read = await self._read(kind, value, question, after)
        standing = state.standing or Standing()
        at_ms = now_of(standing, self._clock.now_ms()) if question.at_ms is None else question.at_ms
        if read is not None:
            standing = standing_of(read, at_ms)
        place = question.jurisdiction or place_of(state)
        known = minutes_of(zones_of(state, at_ms), at_ms)
        minutes = known if question.local_minute is None else (question.local_minute,)
        asked = Scope(question.purpose, question.channel, question.topic, question.brand, place)
        answer = allowed_at(standing, asked, at_ms, self._laws, minutes)
        return _answer_view(person, standing, asked, answer, at_ms, question.known_ms, minutes[0])

    async def _read(
        self, kind: str, value: str, question: Question, after: Position | None
    ) -> tuple[PersonState, PersonId, list[Read] | None]:
        """The state of today, who is meant, and the entries to go by; None of them where the state says it all. Of the
        state nothing but who is meant is told when today does not enter into the answer."""
        if question.known_ms is None:
            state = await self._people.state(kind, value, after)
            # The state keeps what still counts, and not all that ever did.
            read = None if question.at_ms is None else await self._ledger.of(await self._people.everyone(kind, value))
            return state, state.person, read
        key = self._people.key_of(kind, value)
        if question.of_the_past_alone:
            known = await self._ledger.known_at(key, question.known_ms)
            if known is not None and any(each.content is not None for each in known.read):
                return PersonState(known.person), known.person, known.read
        # Who said nothing that can be read may be nobody at all, or be erased: today's state knows.
        state, known = await asyncio.gather(
            self._people.state(kind, value, after), self._ledger.known_at(key, question.known_ms)
        )
        if known is None:
            raise unknown_then(kind, value, question.known_ms)
        return state, known.person, known.read

    async def told(self, kind: str, value: str) -> tuple[PersonId, list[Told]]:
        """A person's number, and every choice of theirs with its evidence, as the ledger has it last, the first told
        first. What was sealed by a key that is gone is not among them. Raises CourtesyError(NOT_FOUND) for who is not
        known."""
        people = await self._people.everyone(kind, value)
        read = await self._ledger.of(people)
        names = await self._catalog.source_names(each.content.source for each in read if each.content is not None)
        return people[0], _told_of(read, names)

    async def controller(self) -> Controller | None:
        """Who is named as controller, by all that was defined before the call; None when nobody is."""
        await self._catalog.refresh()
        return self._catalog.now.controller

    async def choices(self, kind: str, value: str) -> dict[str, Any]:
        """All that somebody allows, refuses and likes, the latest first, and what became of Global Privacy Control."""
        state = await self._people.state(kind, value)
        gpc = gpc_of(state.standing or Standing(), place_of(state), self._clock.now_ms())
        return {"person": str(state.person), "gpc": gpc._asdict(), "choices": choices_view(state.standing)}


def _told_of(read: Sequence[Read], names: Mapping[SourceId, str]) -> list[Told]:
    """Each choice once: what is told again after it was taken back counts again."""
    found: dict[str, Told] = {}
    retracted = {each.content.retracts: each.content.received for each in read if each.content is not None}
    for each in read:
        content = each.content
        if content is None or content.retracts is not None:
            continue
        source, index = names.get(content.source, str(content.source)), each.entry.index
        found.pop(content.id, None)
        told = Told(content.id, index, content.received, source, content.message, content.choice)
        found[content.id] = replace(told, retracted_ms=retracted[index]) if index in retracted else told
    return list(found.values())


def _answer_view(
    person: PersonId,
    standing: Standing,
    asked: Scope,
    answer: Answer,
    at_ms: int,
    known_ms: int | None,
    minute: int | None,
) -> dict[str, Any]:
    return {
        "person": str(person),
        "allowed": answer.allowed,
        "why": str(answer.why),
        **asked._asdict(),
        "at": to_iso(at_ms),
        "known_at": None if known_ms is None else to_iso(known_ms),
        "local_time": None if minute is None else f"{minute // 60:02}:{minute % 60:02}",
        "rule": answer.rule,
        "policy": answer.policy,
        "source": answer.source,
        "choices": choices_view(standing, answer.choices),
    }
