"""Auditing: who was written to and on what basis, whether what left had a permit, and whether each permit was right.

A permit is checked by asking again: the ledger's entries as far as the log reached when it was issued, of those who
were one then, under the laws of that instant. Nothing that came since counts, and nothing that lay there is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.ids import PersonId, Position
from courtesy.consent.law import Answer, Laws, Policy, allowed
from courtesy.consent.laws import LAWS
from courtesy.consent.standing import now_of
from courtesy.engine.contract import Engine
from courtesy.engine.ledger import Entry
from courtesy.engine.permit import JudgedSend, Permit, PermitFilter, Place, Send, SendAudit
from courtesy.identity.repair import Move
from courtesy.runtime.ledger import Content, Read, opened, standing_of
from courtesy.runtime.people import People
from courtesy.runtime.permits import basis_of

MessageId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
"""A sender's id of a message."""

_CONTENT = msgspec.json.Decoder(Content)


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
        known = {
            each.number: {each.person, *each.others} for each in permits if each.person and each.others is not None
        }
        evidence = await self._evidence(set[PersonId]().union(*known.values()))
        for permit in permits:
            people = known.get(permit.number)
            if people is None or evidence.is_lost(permit, people):
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
        told = [
            Read(entry, None if (content := opened(entry, keyring)) is None else _CONTENT.decode(content))
            for entry in entries
        ]
        return _Evidence(told, moves)

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


class _Evidence:
    """Entries of the ledger by whom they were appended for, and how repairs gave them to others."""

    def __init__(self, told: Iterable[Read], moves: Sequence[Move]) -> None:
        self._told: defaultdict[PersonId | None, list[Read]] = defaultdict(list)
        for each in told:
            self._told[each.entry.person].append(each)
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
