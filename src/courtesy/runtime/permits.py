"""Permits: the last question before a message leaves, answered so that nothing can come in between.

A permit is decided by what is known, then issued under the lock that every append takes, and only if nothing of the
person's has come since. So it stands in one order with all that people choose: once a withdrawal is acknowledged, no
permit is issued on what was before it. Who holds a permit has a minute to send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import MINUTE_MS, Clock
from courtesy.consent.law import Answer, Laws, Policy, allowed_at
from courtesy.consent.laws import LAWS
from courtesy.consent.standing import Standing, now_of
from courtesy.engine.contract import Engine, PersonReading
from courtesy.engine.permit import NewPermit, Permit, Terms
from courtesy.event.choice import ANY, Basis, Scope
from courtesy.person.assemble import assemble
from courtesy.person.whereabouts import minutes_of, place_of, zones_of
from courtesy.runtime.people import People

LIVES_MS = MINUTE_MS
"""For how long a permit is in force: what somebody refuses meanwhile can't stop a message that is on its way."""

TRIES_MAX = 10
READS_AT_ONCE = 4

NOBODY = "nobody"
UNSETTLED = "unsettled"


@dataclass(frozen=True, slots=True)
class Ask:
    """A message that is to leave: to whom, by any identifier, for what, and what it is: its sender's id, and the
    SHA-256 of its bytes."""

    kind: str
    value: str
    purpose: str
    channel: str
    message: str
    message_hash: bytes
    topic: str = ANY
    brand: str = ANY


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no permit is issued: as the law answers, or NOBODY when nobody is known by that identifier, or UNSETTLED when
    so much came in about them that nothing could be decided; then, asking again helps."""

    why: str
    person: PersonId | None = None
    rule: str = ""
    policy: str = ""
    source: str = ""
    choices: tuple[str, ...] = ()


class Permits:
    """The issuing side of one process."""

    def __init__(self, engine: Engine, people: People, clock: Clock, policies: Iterable[Policy] = LAWS) -> None:
        self._engine = engine
        self._people = people
        self._clock = clock
        self._laws = Laws(policies)
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    async def issue(self, asks: Sequence[Ask]) -> list[Permit | Refusal]:
        """A permit or a refusal for each, in the same order; the permits are durable.

        Raises CourtesyError(INVALID) for an identifier that can't identify anybody, or a purpose or channel of `*`;
        then none is issued.
        """
        keys = [self._key_of(ask, place) for place, ask in enumerate(asks)]
        answers: dict[int, Permit | Refusal] = {}
        waiting = list(range(len(asks)))
        for _ in range(TRIES_MAX):
            decided = await asyncio.gather(*(self._decide(asks[place], keys[place]) for place in waiting))
            granted: dict[int, NewPermit] = {}
            for place, each in zip(waiting, decided, strict=True):
                if isinstance(each, Refusal):
                    answers[place] = each
                else:
                    granted[place] = each
            issued = await self._engine.issue_permits(list(granted.values()))
            answers.update((place, permit) for place, permit in zip(granted, issued, strict=True) if permit is not None)
            waiting = [place for place, permit in zip(granted, issued, strict=True) if permit is None]
            if not waiting:
                break
        answers.update((place, Refusal(UNSETTLED)) for place in waiting)
        return [answers[place] for place in range(len(asks))]

    def _key_of(self, ask: Ask, place: int) -> str:
        if ANY in (ask.purpose, ask.channel):
            raise CourtesyError(
                Code.INVALID,
                "expected one purpose and one channel, got *",
                hint="a message leaves for one",
                place=f"permits[{place}]",
            )
        try:
            return self._people.key_of(ask.kind, ask.value)
        except CourtesyError as error:
            error.place = f"permits[{place}].{error.place}"
            raise

    async def _decide(self, ask: Ask, key: str) -> NewPermit | Refusal:
        """What is known says."""
        async with self._reads:
            reading = await self._engine.read_person(key)
        if reading is None or not reading.identifiers:
            return Refusal(NOBODY)
        return decide(ask, key, reading, self._clock.now_ms(), self._laws)


def decide(ask: Ask, key: str, reading: PersonReading, now_ms: int, laws: Laws) -> NewPermit | Refusal:
    """What a person, as they were read by an identifier, comes to for a message."""
    state = assemble(reading.person, reading.merged, reading.states, reading.tail)
    standing = state.standing or Standing()
    scope = Scope(ask.purpose, ask.channel, ask.topic, ask.brand, place_of(state))
    zones = zones_of(state, now_ms)
    minutes = minutes_of(zones, now_ms)
    answer = allowed_at(standing, scope, now_of(standing, now_ms), laws, minutes)
    if not answer.allowed:
        why, choices = str(answer.why), answer.choices
        return Refusal(why, reading.person, answer.rule, answer.policy, answer.source, choices)
    terms = Terms(
        scope, ask.message, ask.message_hash, str(answer.why), basis_of(standing, answer), answer.rule, answer.policy,
        answer.source, answer.choices, minutes[0], now_ms, now_ms + LIVES_MS, zones,
    )  # fmt: skip
    return NewPermit(key, reading.person, tuple(reading.merged), reading.head, terms)


def basis_of(standing: Standing, answer: Answer) -> Basis | None:
    """On what the choices rest that decided; None when none did."""
    decided = set(answer.choices)
    told = [kept for each in standing.scopes.values() for kept in each if kept.id in decided]
    return next((kept.basis or Basis.CONSENT for kept in told if kept.allows), None)
