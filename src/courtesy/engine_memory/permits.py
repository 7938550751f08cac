"""Permits and sends in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from courtesy.base.ids import PersonId, Position
from courtesy.engine.permit import JudgedSend, NewPermit, Permit, PermitFilter, Place, Send, SendAudit, SendFault

Sent = tuple[int, str, str, PersonId | None]


class Permits:
    """Permits by number, and what left with the hash and the permit of each."""

    def __init__(self) -> None:
        self.issued: list[Permit] = []
        self._sent: dict[Sent, tuple[bytes | None, int | None]] = {}
        self._forgotten: list[tuple[Sent, tuple[bytes | None, int | None]]] = []

    def issue(self, asked: NewPermit, position: Position) -> Permit:
        """Issue a permit."""
        permit = Permit(len(self.issued) + 1, position, asked.person, asked.others, asked.terms)
        self.issued.append(permit)
        return permit

    def found(self, which: PermitFilter, after: Place | None, limit: int) -> list[Permit]:
        """Permits in order."""
        ordered = sorted(self.issued, key=_place)
        return [each for each in ordered if (after is None or _place(each) > after) and _is_in(each, which)][:limit]

    def forget(self, people: Collection[PersonId]) -> None:
        """Drop who these people are, and which choices were theirs."""
        self.issued = [_forgotten(each, people) for each in self.issued]
        for key in [key for key in self._sent if key[3] in people]:
            self._forgotten.append(((*key[:3], None), self._sent.pop(key)))

    def put(self, send: Send) -> JudgedSend:
        """Keep a send, and judge it."""
        permit = self._permit_of(send)
        number, person = (None, send.people[0] if send.people else PersonId(0))
        if permit is not None and permit.person is not None:
            number, person = permit.number, permit.person
        told: Sent = (send.at_ms, send.message, send.channel, person)
        again = ((*told[:3], each) for each in (person, *send.people))
        key = next((each for each in again if each in self._sent), told)
        return self._judged(key, *self._sent.setdefault(key, (send.message_hash, number)))

    def _permit_of(self, send: Send) -> Permit | None:
        near = [
            each
            for each in self.issued
            if each.person in send.people
            and each.terms.scope.channel == send.channel
            and each.terms.issued_ms <= send.at_ms
            and (each.terms.message == send.message or each.terms.expires_ms > send.at_ms)
        ]

        def nearness(permit: Permit) -> tuple[bool, bool, Place]:
            return permit.terms.message == send.message, permit.terms.expires_ms > send.at_ms, _place(permit)

        return max(near, key=nearness, default=None)

    def sends_of(self, people: Collection[PersonId]) -> list[JudgedSend]:
        """What left to these people, oldest first."""
        return sorted((self._judged(key, *told) for key, told in self._sent.items() if key[3] in people), key=_order)

    def audit(self, from_ms: int, to_ms: int, limit: int) -> SendAudit:
        """What left in a span."""
        judged = self._between(from_ms, to_ms)
        faulty = sorted((each for each in judged if each.fault is not None), key=_order)
        counts = Counter(each.fault for each in faulty if each.fault is not None)
        return SendAudit(len(judged), counts, faulty[:limit])

    def _between(self, from_ms: int, to_ms: int) -> Sequence[JudgedSend]:
        kept = [*self._sent.items(), *self._forgotten]
        return [self._judged(key, *told) for key, told in kept if from_ms <= key[0] < to_ms]

    def _judged(self, key: Sent, message_hash: bytes | None, number: int | None) -> JudgedSend:
        at_ms, message, channel, person = key
        permit = None if number is None else self.issued[number - 1]
        fault = _fault(key, message_hash, permit)
        return JudgedSend(message, person, channel, at_ms, number, fault)


def _order(send: JudgedSend) -> tuple[int, str, str, int]:
    return send.at_ms, send.message, send.channel, 2**63 if send.person is None else send.person


def _fault(key: Sent, message_hash: bytes | None, permit: Permit | None) -> SendFault | None:
    at_ms, message, channel, person = key
    if permit is None or permit.person != person:
        return SendFault.NO_PERMIT
    told = permit.terms
    if told.message != message or told.scope.channel != channel or message_hash not in (None, told.message_hash):
        return SendFault.OTHER_MESSAGE
    return None if told.issued_ms <= at_ms < told.expires_ms else SendFault.EXPIRED


def _place(permit: Permit) -> Place:
    return Place(permit.terms.issued_ms, permit.number)


def _is_in(permit: Permit, which: PermitFilter) -> bool:
    told = permit.terms
    return (
        which.from_ms <= told.issued_ms < which.to_ms
        and which.channel in (None, told.scope.channel)
        and which.purpose in (None, told.scope.purpose)
        and which.message in (None, told.message)
        and (which.people is None or permit.person in which.people)
    )


def _forgotten(permit: Permit, people: Collection[PersonId]) -> Permit:
    if permit.person not in people and not set(permit.others or ()).intersection(people):
        return permit
    person = None if permit.person in people else permit.person
    return Permit(permit.number, permit.position, person, None, msgspec.structs.replace(permit.terms, choices=()))
