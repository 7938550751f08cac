"""Auditing: who was written to and on what basis, whether what left had a permit, and whether each permit was right.

A permit is checked by asking again: the ledger's entries as far as the log reached when it was issued, of those who
were one then, under the laws of that instant. Nothing that came since counts, and nothing that lay there is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from courtesy.base.ids import PersonId, Position
from courtesy.consent.law import Answer, Laws, Policy, allowed
from courtesy.consent.laws import LAWS
from courtesy.consent.standing import now_of
from courtesy.engine.contract import Engine
from courtesy.engine.ledger import Entry
from courtesy.engine.permit import (
    JudgedSend,
    Permit,
    PermitFilter,
    Place,
    Received,
    Send,
    SendAudit,
    SendFilter,
    SendPlace,
)
from courtesy.event.choice import INSTANT_MAX
from courtesy.identity.repair import Move
from courtesy.runtime.ledger import Read, content_of, standing_of
from courtesy.runtime.people import People
from courtesy.runtime.permits import basis_of

MessageId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
"""A sender's id of a message."""


@dataclass(frozen=True, slots=True)
class Told:
    """A message that somebody says has left, to whoever has an identifier."""

    kind: str
    value: str
    message: str
    channel: str
    at_ms: int
    message_hash: bytes | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A permit, and what the ledger says when it is asked again."""

    permit: Permit
    answer: Answer


@dataclass(slots=True)
class Recheck:
    """What asking again came to for some permits: how many were asked about, of how many that can't be done any more
    because somebody is forgotten, and where the answer differs. `end`: where the last one stands; None for none."""

    checked_count: int = 0
    forgotten_count: int = 0
    differences: list[Difference] = field(default_factory=list)
    end: Place | None = None


class Finding(StrEnum):
    """What asking again says of a message that left on a permit of its own.

    LAWFUL: the permit was right, and by all that is known today as well. LAWFUL_THEN: it was right by what was known,
    and would not have been by what came in since: a withdrawal that arrived late, say. DIFFERS: the ledger does not
    bear it out. FORGOTTEN: it can't be asked any more, because somebody is forgotten.
    """

    LAWFUL = "lawful"
    LAWFUL_THEN = "lawful_then"
    DIFFERS = "differs"
    FORGOTTEN = "forgotten"


@dataclass(frozen=True, slots=True)
class Shown:
    """A choice that decided: its entry in the ledger and for whom that was appended, and the SHA-256 of the wording and
    the form that were shown, as far as that is still known."""

    id: str
    entry: int | None = None
    person: PersonId | None = None
    notice: str | None = None
    form: str | None = None


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who received a message, with what its permit rested on. `finding` is None where the message has no
    permit of its own, which its fault says; `since`: what would be answered for that instant by all that is known
    today, None where that can't be asked, and `later` the choices that decide it."""

    received: Received
    finding: Finding | None
    choices: tuple[Shown, ...]
    since: Answer | None = None
    later: tuple[Shown, ...] = ()


class Audit:
    """The auditing side of one process."""

    def __init__(self, engine: Engine, people: People, policies: Iterable[Policy] = LAWS) -> None:
        self._engine = engine
        self._people = people
        self._laws = Laws(policies)

    async def permits(self, which: PermitFilter, after: Place | None, limit: int) -> list[Permit]:
        """Permits in order of when they were issued."""
        return await self._engine.permits(which, after, limit)

    async def recheck(self, which: PermitFilter, after: Place | None, limit: int) -> Recheck:
        """Ask again for some permits, in order, after a place if given; at most `limit`."""
        permits = await self._engine.permits(which, after, limit)
        found = Recheck()
        if not permits:
            return found
        found.end = Place(permits[-1].terms.issued_ms, permits[-1].number)
        known = {each.number: _people_of(each) for each in permits}
        evidence = await self._evidence(set[PersonId]().union(*known.values()))
        for permit in permits:
            people = known[permit.number]
            if not people or evidence.is_lost(permit, people):
                found.forgotten_count += 1
                continue
            found.checked_count += 1
            answer = evidence.difference(permit, people, self._laws)
            if answer is not None:
                found.differences.append(Difference(permit, answer))
        return found

    async def _evidence(self, people: Collection[PersonId]) -> _Evidence:
        moves = await self._engine.moves(people)
        entries, keyring = await self._engine.ledger_of({*people, *(move.appended_for for move in moves)})
        return _Evidence([Read(entry, content_of(entry, keyring)) for entry in entries], moves)

    async def tell(self, sends: Sequence[Told]) -> list[JudgedSend]:
        """Keep what left, once each though it be told again; and judge it, in the same order.

        Raises CourtesyError(INVALID) for an identifier that can't identify anybody; then none is kept.
        """
        keys = [self._people.key_of(each.kind, each.value) for each in sends]
        whom: dict[str, tuple[PersonId, ...]] = {}
        for key in dict.fromkeys(keys):
            reading = await self._engine.read_person(key)
            whom[key] = () if reading is None else (reading.person, *reading.merged)
        return await self._engine.put_sends(
            [
                Send(
                    each.message,
                    await self._whom(key, each.at_ms, whom[key]),
                    each.channel,
                    each.at_ms,
                    each.message_hash,
                )
                for key, each in zip(keys, sends, strict=True)
            ]
        )

    async def _whom(self, key: str, at_ms: int, now: tuple[PersonId, ...]) -> tuple[PersonId, ...]:
        """Everybody for whom an identifier stands now, and for whom it stood when something left: it may have been
        given to somebody else since."""
        then = await self._engine.person_at(key, at_ms)
        return now if then is None else tuple(dict.fromkeys((*now, then[0], *then[1])))

    async def sends(self, from_ms: int, to_ms: int, limit: int) -> SendAudit:
        """Join all that left in a span to its permits."""
        return await self._engine.audit_sends(from_ms, to_ms, limit)

    async def recipients(self, which: SendFilter, after: SendPlace | None, limit: int) -> list[Recipient]:
        """Who received what, in order, after a place if given, with the basis at that instant; at most `limit`, but all
        who are forgotten of one message and instant come together."""
        found = await self._engine.received(which, after, limit)
        known = {each.place: _people_of(each.permit) for each in found}
        people = set[PersonId]().union(*known.values())
        today = {person: await self._one_with(person) for person in sorted(people)}
        evidence = await self._evidence(people.union(*today.values()))
        return [self._recipient(each, known[each.place], today, evidence) for each in found]

    async def _one_with(self, person: PersonId) -> set[PersonId]:
        """All who are one with somebody today."""
        found = await self._engine.person_at(f"person:{person}", INSTANT_MAX)
        return {person} if found is None else {person, found[0], *found[1]}

    def _recipient(
        self,
        received: Received,
        people: Collection[PersonId],
        today: Mapping[PersonId, set[PersonId]],
        evidence: _Evidence,
    ) -> Recipient:
        permit, fault = received.permit, received.send.fault
        if permit is None:
            return Recipient(received, None, ())
        choices = tuple(map(evidence.shown, permit.terms.choices))
        if not people or evidence.is_lost(permit, people):
            return Recipient(received, None if fault else Finding.FORGOTTEN, choices)
        if fault is not None:
            return Recipient(received, None, choices)
        if evidence.difference(permit, people, self._laws) is not None:
            return Recipient(received, Finding.DIFFERS, choices)
        everybody = set(people).union(*(today[person] for person in people))
        since = evidence.since(permit, everybody, received.send.at_ms, self._laws)
        finding = Finding.LAWFUL if since.allowed else Finding.LAWFUL_THEN
        return Recipient(received, finding, choices, since, tuple(map(evidence.shown, since.choices)))


def _people_of(permit: Permit | None) -> frozenset[PersonId]:
    """Who was one when a permit was issued; nobody when any of them is forgotten."""
    if permit is None or permit.person is None or permit.others is None:
        return frozenset()
    return frozenset((permit.person, *permit.others))


class _Evidence:
    """Entries of the ledger by whom they were appended for, and how repairs gave them to others."""

    def __init__(self, told: Iterable[Read], moves: Sequence[Move]) -> None:
        self._by_choice: dict[str, Read] = {}
        self._told: defaultdict[PersonId | None, list[Read]] = defaultdict(list)
        for each in told:
            self._told[each.entry.person].append(each)
            if each.content is not None and each.content.retracts is None:
                self._by_choice.setdefault(each.content.id, each)
        self._moves: defaultdict[Position, list[Move]] = defaultdict(list)
        self._came: defaultdict[PersonId, set[PersonId]] = defaultdict(set)
        for move in moves:
            self._moves[move.position].append(move)
            self._came[move.person].add(move.appended_for)

    def is_lost(self, permit: Permit, people: Collection[PersonId]) -> bool:
        """Whether something that counted can't be read any more."""
        return any(each.content is None for each in self._of(people, permit.position, permit.terms.issued_ms))

    def difference(self, permit: Permit, people: Collection[PersonId], laws: Laws) -> Answer | None:
        """What the ledger says otherwise than the permit; None when they agree."""
        told = permit.terms
        # What a repair gave to others in the very millisecond may have been given before or after.
        for moved_ms in (told.issued_ms, told.issued_ms - 1):
            standing = standing_of(self._of(people, permit.position, moved_ms))
            answer = allowed(standing, told.scope, now_of(standing, told.issued_ms), laws, told.local_minute)
            found = (answer.allowed, answer.why, answer.rule, answer.policy, answer.choices)
            if (
                found == (True, told.why, told.rule, told.policy, told.choices)
                and basis_of(standing, answer) == told.basis
            ):
                return None
        return answer

    def since(self, permit: Permit, people: Collection[PersonId], at_ms: int, laws: Laws) -> Answer:
        """What is answered for an instant by all that is known today of those people."""
        told = permit.terms
        read = self._of(people, Position(2**62), INSTANT_MAX)
        then = now_of(standing_of([each for each in read if each.entry.position <= permit.position]), at_ms)
        return allowed(standing_of(read, then), told.scope, then, laws, told.local_minute)

    def shown(self, choice: str) -> Shown:
        """A choice by its id, with what is known of it."""
        read = self._by_choice.get(choice)
        if read is None or read.content is None:
            return Shown(choice)
        evidence = read.content.choice.evidence
        shown = (None, None) if evidence is None else (evidence.notice, evidence.form)
        return Shown(choice, read.entry.index, read.entry.person, *shown)

    def _of(self, people: Collection[PersonId], up_to: Position, moved_ms: int) -> list[Read]:
        """The entries that were there, of those people, by what had been moved."""
        appended_for = set(people).union(*(self._came.get(person, ()) for person in people))
        return [
            each
            for person in appended_for
            for each in self._told.get(person, ())
            if each.entry.position <= up_to and self._owner(each.entry, moved_ms) in people
        ]

    def _owner(self, entry: Entry, moved_ms: int) -> PersonId | None:
        owner = entry.person
        for move in self._moves.get(entry.position, ()):
            if move.at_ms <= moved_ms:
                owner = move.person
        return owner
