"""Permits and sends in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import msgspec

from courtesy.base.ids import PersonId, Position
from courtesy.engine.permit import (
    CAMPAIGN_END,
    JudgedSend,
    NewPermit,
    Permit,
    PermitFilter,
    Place,
    Received,
    Send,
    SendAudit,
    SendFault,
    SendFilter,
    SendPlace,
)

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

    def forget(self, people: Collection[PersonId], choices: Collection[str] = ()) -> None:
        """Drop who these people are, and which choices were theirs, some of them of permits of others."""
        self.issued = [_forgotten(each, people, choices) for each in self.issued]
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

    def received(self, which: SendFilter, after: SendPlace | None, limit: int) -> list[Received]:
        """What left, in order."""
        kept = [*self._sent.items(), *self._forgotten]
        found = [self._received(*each) for each in kept if which.from_ms <= each[0][0] < which.to_ms]
        found = [each for each in found if _is_among(each, which)]
        found = [each for each in sorted(found, key=_received_order) if after is None or _after(each.place, after)]
        end = found[limit - 1].place if len(found) >= limit else None
        return [each for number, each in enumerate(found) if number < limit or each.place == end]

    def _received(self, key: Sent, told: tuple[bytes | None, int | None]) -> Received:
        message_hash, number = told
        return Received(self._judged(key, *told), message_hash, None if number is None else self.issued[number - 1])

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


def _forgotten(permit: Permit, people: Collection[PersonId], choices: Collection[str]) -> Permit:
    theirs = set(permit.others or ()).intersection(people) or set(permit.terms.choices).intersection(choices)
    if permit.person not in people and not theirs:
        return permit
    person = None if permit.person in people else permit.person
    return Permit(permit.number, permit.position, person, None, msgspec.structs.replace(permit.terms, choices=()))


def _is_among(each: Received, which: SendFilter) -> bool:
    send, place = each.send, None if each.permit is None else each.permit.terms.scope.jurisdiction
    return (
        which.channel in (None, send.channel)
        and (which.campaign in (None, send.message) or send.message.startswith(f"{which.campaign}{CAMPAIGN_END}"))
        and (which.place in (None, place) or place is None or place.startswith(f"{which.place}-"))
    )


def _received_order(each: Received) -> tuple[int, str, str, int, int]:
    return (*_order(each.send), each.send.permit or 0)


def _after(place: SendPlace, other: SendPlace) -> bool:
    def order(each: SendPlace) -> tuple[int, str, str, int]:
        return each.at_ms, each.message, each.channel, 2**63 if each.person is None else each.person

    return order(place) > order(other)
