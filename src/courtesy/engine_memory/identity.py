"""The identity graph: who owns which identifier, who became part of whom, and the evidence for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from courtesy.base.ids import PersonId
from courtesy.engine.contract import Alarm, HeldIdentifier, IdentityReading
from courtesy.identity.resolve import Changes, Evidence, Link, LinkRefusal, Merge, Owner, RefusalReason
from courtesy.identity.rules import SOURCE_KIND

EPOCHS_KEPT = 1_000
"""Changes of known owners that are told to caches; who asks for earlier ones forgets every owner."""


@dataclass(slots=True)
class _Refused:
    """All refusals of one identifier to one person for one reason; `latest` has the latest evidence written."""

    latest: LinkRefusal
    refusal_count: int
    first_ms: int
    last_ms: int


def copied(changes: Changes) -> Changes:
    """The same changes, out of reach of whoever made them."""
    return Changes(
        dict(changes.people), dict(changes.owners), list(changes.links), list(changes.merges), list(changes.refusals)
    )


class IdentityGraph:
    """Identifiers, people and evidence. Caches are told of the changes of the latest `epochs_kept` epochs."""

    def __init__(self, epochs_kept: int = EPOCHS_KEPT) -> None:
        self.epoch = 0
        self._changed: deque[tuple[int, tuple[str, ...]]] = deque(maxlen=epochs_kept)
        self._owners: dict[str, Owner] = {}
        self._first_told: dict[str, Evidence] = {}
        self._held: dict[PersonId, set[str]] = {}
        self._root: dict[PersonId, PersonId] = {}
        self._merged: dict[PersonId, set[PersonId]] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._merges: list[Merge] = []
        self._refused: dict[tuple[str, PersonId, RefusalReason], _Refused] = {}

    def apply(self, changes: Changes) -> None:
        """Make the changes; the identity epoch rises when known identifiers may have got another owner."""
        if changes.merges or any(owner.shared for owner, _ in changes.owners.values()):
            moved = (key for key, (owner, _) in changes.owners.items() if self._owners.get(key, owner) != owner)
            self.epoch += 1
            self._changed.append((self.epoch, tuple(moved)))
        for key, (owner, evidence) in changes.owners.items():
            self._give(key, owner, evidence)
        for link in changes.links:
            self._links.setdefault((link.a, link.b), link)
        for merge in changes.merges:
            self._merge(merge)
        for refusal in changes.refusals:
            self._refuse(refusal)

    def _give(self, key: str, owner: Owner, evidence: Evidence) -> None:
        known = self._owners.get(key)
        if known is not None:
            self._held[known.person].discard(key)
        self._owners[key] = owner
        self._held.setdefault(owner.person, set()).add(key)
        self._first_told.setdefault(key, evidence)

    def _merge(self, merge: Merge) -> None:
        moving = {merge.loser} | self._merged.pop(merge.loser, set())
        for person in moving:
            self._root[person] = merge.survivor
        self._merged.setdefault(merge.survivor, set()).update(moving)
        self._merges.append(merge)

    def _refuse(self, refusal: LinkRefusal) -> None:
        at = refusal.evidence.at
        key = (refusal.identifier, refusal.person, refusal.reason)
        known = self._refused.get(key)
        if known is None:
            self._refused[key] = _Refused(refusal, 1, at, at)
            return
        known.latest = refusal
        known.refusal_count += 1
        known.first_ms = min(known.first_ms, at)
        known.last_ms = max(known.last_ms, at)

    def changed_since(self, epoch: int) -> Collection[str] | None:
        """Identifiers whose known owner changed after an epoch; None when that is too long ago to tell."""
        if not self.epoch - len(self._changed) <= epoch <= self.epoch:
            return None
        return sorted({key for at, keys in self._changed if at > epoch for key in keys})

    def owners(self, identifiers: Iterable[str]) -> dict[str, Owner]:
        """The owner of each identifier that has one."""
        return {key: self._owners[key] for key in identifiers if key in self._owners}

    def held(self, people: Iterable[PersonId]) -> dict[PersonId, set[str]]:
        """All identifiers of each person."""
        return {person: set(self._held.get(person, ())) for person in people}

    def held_by(self, person: PersonId) -> list[HeldIdentifier]:
        """A person's identifiers with their first evidence, earliest first."""
        held = [self._reading(key) for key in self._held.get(person, ())]
        return sorted(held, key=lambda each: (each.since_ms, each.identifier))

    def _reading(self, key: str) -> HeldIdentifier:
        first = self._first_told[key]
        return HeldIdentifier(key, self._owners[key].shared, first.source, first.message_id, first.at)

    def person_named(self, identifier: str) -> PersonId | None:
        """The owner of an identifier; for `person:<id>` that person, or whom they became part of."""
        number = identifier.removeprefix("person:")
        if number != identifier and number.isascii() and number.isdigit():
            return self._root.get(PersonId(int(number)), PersonId(int(number)))
        owner = self._owners.get(identifier)
        return owner.person if owner else None

    def merged_into(self, person: PersonId) -> list[PersonId]:
        """Everybody who became part of a person, directly or through others, by id."""
        return sorted(self._merged.get(person, ()))

    def evidence_of(self, person: PersonId) -> IdentityReading:
        """Links among a person's identifiers, merges into them, and what was refused to them, in order of time."""
        people = {person, *self._merged.get(person, ())}
        held = self._held.get(person, set())
        links = [link for link in self._links.values() if link.a in held or link.b in held]
        refusals = [each.latest for each in self._refused.values() if each.latest.person in people]
        return IdentityReading(
            sorted(links, key=lambda link: (link.evidence.at, link.a, link.b)),
            [merge for merge in self._merges if merge.survivor in people],
            sorted(refusals, key=lambda refusal: (refusal.evidence.at, refusal.identifier)),
        )

    def alarms(self, degree: int, limit: int) -> list[Alarm]:
        """Identifiers of others that were refused to at least `degree` people, most refusals first."""
        by_identifier: dict[str, list[_Refused]] = {}
        for (identifier, _, reason), each in self._refused.items():
            if reason is RefusalReason.OTHER_PERSON:
                by_identifier.setdefault(identifier, []).append(each)
        alarms = [_alarm(key, refused) for key, refused in by_identifier.items() if len(refused) >= degree]
        return sorted(alarms, key=lambda alarm: (-alarm.refusal_count, alarm.identifier))[:limit]

    def person_count(self) -> int:
        """How many people own an identifier other than a group's or a source's."""
        others = ("group:", f"{SOURCE_KIND}:")
        return sum(1 for held in self._held.values() if any(not key.startswith(others) for key in held))


def _alarm(identifier: str, refused: Sequence[_Refused]) -> Alarm:
    latest = max(refused, key=lambda each: (each.last_ms, each.latest.person))
    return Alarm(
        identifier,
        people_count=len(refused),
        refusal_count=sum(each.refusal_count for each in refused),
        first_ms=min(each.first_ms for each in refused),
        last_ms=latest.last_ms,
        last_message_id=latest.latest.evidence.message_id,
    )
