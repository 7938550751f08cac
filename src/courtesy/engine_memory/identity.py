"""The identity graph: who owns which identifier, who became part of whom, and the evidence for it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from courtesy.base.ids import PersonId, Position
from courtesy.engine.contract import Alarm, HeldIdentifier, IdentityHistory, IdentityReading
from courtesy.engine.imported import TakeBack
from courtesy.engine.ownership import Ownership
from courtesy.identity.repair import Move, Note, OwnerChange, Repair
from courtesy.identity.resolve import Changes, Evidence, Link, LinkRefusal, Merge, Owner, RefusalReason
from courtesy.identity.rules import SOURCE_KIND

EPOCHS_KEPT = 1_000
"""Changes of known owners that are told to caches; who asks for earlier ones forgets every owner."""


@dataclass(slots=True)
class _Recorded:
    """A merge, when it was written, and when it was undone."""

    merge: Merge
    recorded_ms: int
    undone_ms: int | None = None

    def held_at(self, at_ms: int) -> bool:
        """Whether it was known, and not undone, at an instant."""
        return self.recorded_ms <= at_ms and (self.undone_ms is None or self.undone_ms > at_ms)


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


def _without(merge: Merge, identifiers: Collection[str]) -> Merge:
    """That two became one, without naming what of the erased it was by."""
    return merge._replace(a="" if merge.a in identifiers else merge.a, b="" if merge.b in identifiers else merge.b)


def _people_of(repair: Repair) -> frozenset[PersonId]:
    merges = [person for each in (*repair.undone, *repair.rejoined) for person in (each.loser, each.survivor)]
    moved = [person for move in repair.moves for person in (move.appended_for, move.person)]
    return frozenset((repair.note.person, *merges, *moved))


class IdentityGraph:
    """Identifiers, people and evidence. Caches are told of the changes of the latest `epochs_kept` epochs."""

    def __init__(self, epochs_kept: int = EPOCHS_KEPT) -> None:
        self.epoch = 0
        self._changed: deque[tuple[int, tuple[str, ...]]] = deque(maxlen=epochs_kept)
        self._owners: dict[str, Owner] = {}
        self._first_told: dict[str, Evidence] = {}
        self._recorded_ms: dict[str, int] = {}
        self._held: dict[PersonId, set[str]] = {}
        self._root: dict[PersonId, PersonId] = {}
        self._merged: dict[PersonId, set[PersonId]] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._merges: list[_Recorded] = []
        self._former: dict[str, list[OwnerChange]] = {}
        self._bans: dict[str, set[str]] = {}
        self._moves: list[Move] = []
        self._notes: list[Note] = []
        self._changed_people: list[frozenset[PersonId]] = []
        self._refused: dict[tuple[str, PersonId, RefusalReason], _Refused] = {}

    def apply(self, changes: Changes, repair: Repair | None, now_ms: int) -> None:
        """Make the changes; the identity epoch rises when known identifiers may have got another owner."""
        if repair is not None or changes.merges or any(owner.shared for owner, _ in changes.owners.values()):
            given = {key: owner for key, (owner, _) in changes.owners.items()}
            given |= {key: Owner(person) for key, person in (repair.owners if repair else {}).items()}
            self.epoch += 1
            self._changed.append((self.epoch, tuple(k for k, owner in given.items() if self._owners.get(k) != owner)))
        for key, (owner, evidence) in changes.owners.items():
            self._give(key, owner, evidence, now_ms)
        for link in changes.links:
            self._links.setdefault((link.a, link.b), link)
        for merge in changes.merges:
            self._merge(merge, now_ms)
            self._changed_people.append(frozenset((merge.loser, merge.survivor)))
        for refusal in changes.refusals:
            self._refuse(refusal)
        if repair is not None:
            self._repair(repair)
            self._changed_people.append(_people_of(repair))

    def people_changed(self, after: int, limit: int) -> list[frozenset[PersonId]]:
        """The people of each merge and each correction after so many of them, at most `limit`."""
        return self._changed_people[after : after + limit]

    @property
    def change_count(self) -> int:
        """How many merges and corrections there were."""
        return len(self._changed_people)

    def root_of(self, person: PersonId) -> PersonId:
        """Of whom somebody is a part; themselves for who is nobody's."""
        return self._root.get(person, person)

    def lives(self, person: PersonId) -> bool:
        """Whether somebody has an identifier, or is part of somebody."""
        return bool(self._held.get(person)) or person in self._root

    def forget(self, people: Collection[PersonId], identifiers: Collection[str], note: Note) -> None:
        """Drop everything about these people and their identifiers; caches are told to forget every owner."""
        gone = [key for key, owner in self._owners.items() if owner.person in people or key in identifiers]
        for key in gone:
            self._held[self._owners[key].person].discard(key)
            del self._owners[key], self._first_told[key], self._recorded_ms[key]
        for person in people:
            self._held.pop(person, None)
            for part in self._merged.pop(person, ()):
                self._root.pop(part, None)
            root = self._root.pop(person, None)
            if root is not None:
                self._merged.get(root, set()).discard(person)
        for key in identifiers:
            self._former.pop(key, None)
            for other in self._bans.pop(key, ()):
                self._bans[other].discard(key)
        self._former = {
            key: [each for each in changes if each.person not in people] for key, changes in self._former.items()
        }
        self._links = {key: link for key, link in self._links.items() if not {link.a, link.b} & set(identifiers)}
        self._merges = [
            replace(each, merge=_without(each.merge, set(identifiers)))
            for each in self._merges
            if not {each.merge.loser, each.merge.survivor} & set(people)
        ]
        self._refused = {
            key: each for key, each in self._refused.items() if key[0] not in identifiers and key[1] not in people
        }
        self._moves = [move for move in self._moves if move.person not in people]
        self._notes = [each for each in self._notes if each.person not in people] + [note]
        self.epoch += 1
        self._changed.clear()

    def take_back(self, gone: TakeBack, positions: Collection[Position]) -> None:
        """Drop what only a file told of some people, and say what else told of the rest."""
        self._merges = [replace(each, merge=_without(each.merge, set(gone.identifiers))) for each in self._merges]
        for key in gone.identifiers:
            owner = self._owners.pop(key, None)
            if owner is not None:
                self._held[owner.person].discard(key)
            self._first_told.pop(key, None)
            self._recorded_ms.pop(key, None)
            self._former.pop(key, None)
        if gone.identifiers:
            self.epoch += 1
            self._changed.append((self.epoch, tuple(gone.identifiers)))
        self._first_told.update(gone.evidence)
        for link in gone.cut:
            self._links.pop((link.a, link.b), None)
        for link in gone.links:
            self._links.setdefault((link.a, link.b), link)
        self._moves = [move for move in self._moves if move.position not in positions]
        for place, refused in list(self._refused.items()):
            said = refused.latest.evidence
            if place[1] in gone.people and said.source == gone.source and said.message_id in gone.messages:
                del self._refused[place]

    def _repair(self, repair: Repair) -> None:
        at_ms = repair.note.at_ms
        for key, person in repair.owners.items():
            self._give(key, Owner(person), self._first_told[key], at_ms)
        for person, root in repair.roots.items():
            self._merged[self._root.pop(person)].discard(person)
            if root is not None:
                self._root[person] = root
                self._merged.setdefault(root, set()).add(person)
        undone = {(merge.loser, merge.survivor) for merge in repair.undone}
        for each in self._merges:
            if each.undone_ms is None and (each.merge.loser, each.merge.survivor) in undone:
                each.undone_ms = at_ms
        self._merges += [_Recorded(merge, at_ms) for merge in repair.rejoined]
        for link in repair.cut:
            del self._links[link.a, link.b]
        for ban in repair.lifted:
            self._bans.get(ban.a, set()).discard(ban.b)
            self._bans.get(ban.b, set()).discard(ban.a)
        for ban in repair.bans:
            self._bans.setdefault(ban.a, set()).add(ban.b)
            self._bans.setdefault(ban.b, set()).add(ban.a)
        self._moves += repair.moves
        self._notes.append(repair.note)

    def _give(self, key: str, owner: Owner, evidence: Evidence, now_ms: int) -> None:
        known = self._owners.get(key)
        if known is not None:
            self._held[known.person].discard(key)
            if known != owner:
                self._former.setdefault(key, []).append(OwnerChange(key, known.person, known.shared, now_ms))
        self._owners[key] = owner
        self._held.setdefault(owner.person, set()).add(key)
        self._first_told.setdefault(key, evidence)
        self._recorded_ms.setdefault(key, now_ms)

    def _merge(self, merge: Merge, now_ms: int) -> None:
        moving = {merge.loser} | self._merged.pop(merge.loser, set())
        for person in moving:
            self._root[person] = merge.survivor
        self._merged.setdefault(merge.survivor, set()).update(moving)
        self._merges.append(_Recorded(merge, now_ms))

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

    def known(self) -> Collection[str]:
        """All identifiers that somebody owns, or by which people became one."""
        by = {key for each in self._merges for key in (each.merge.a, each.merge.b) if key}
        return self._owners.keys() | by

    def evidence_of(self, person: PersonId) -> IdentityReading:
        """Links among a person's identifiers, merges into them, and what was refused to them, in order of time."""
        people = {person, *self._merged.get(person, ())}
        held = self._held.get(person, set())
        links = [link for link in self._links.values() if link.a in held or link.b in held]
        refusals = [each.latest for each in self._refused.values() if each.latest.person in people]
        return IdentityReading(
            sorted(links, key=lambda link: (link.evidence.at, link.a, link.b)),
            [each.merge for each in self._merges if each.undone_ms is None and each.merge.survivor in people],
            sorted(refusals, key=lambda refusal: (refusal.evidence.at, refusal.identifier)),
        )

    def history_of(self, person: PersonId) -> IdentityHistory:
        """Earlier owners of what a person holds, and the merges into them, undone ones too."""
        people = {person, *self._merged.get(person, ())}
        former = [change for key in sorted(self._held.get(person, ())) for change in self._former.get(key, ())]
        return IdentityHistory(
            former,
            [(each.merge, each.recorded_ms, each.undone_ms) for each in self._merges if each.merge.survivor in people],
        )

    def person_at(self, identifier: str, at_ms: int) -> tuple[PersonId, list[PersonId]] | None:
        """Who owned an identifier at an instant, and who was part of them then."""
        person = self._owner_at(identifier, at_ms)
        if person is None:
            return None
        parts: set[PersonId] = set()
        waiting = [person]
        while waiting:
            survivor = waiting.pop()
            more = [
                each.merge.loser for each in self._merges if each.merge.survivor == survivor and each.held_at(at_ms)
            ]
            waiting += [loser for loser in more if loser not in parts]
            parts.update(more)
        return person, sorted(parts)

    def _owner_at(self, identifier: str, at_ms: int) -> PersonId | None:
        if identifier.startswith("person:"):
            return self._root_at(PersonId(int(identifier.partition(":")[2])), at_ms)
        if identifier not in self._owners or self._recorded_ms[identifier] > at_ms:
            return None
        change = next((each for each in self._former.get(identifier, ()) if each.until_ms > at_ms), None)
        return self._owners[identifier].person if change is None else change.person

    def _root_at(self, person: PersonId, at_ms: int) -> PersonId:
        passed = {person}
        while (up := next((e for e in self._merges if e.merge.loser == person and e.held_at(at_ms)), None)) is not None:
            person = up.merge.survivor
            if person in passed:
                # A clock that was set back has two merges hold that undid one another.
                break
            passed.add(person)
        return person

    def bans_of(self, identifiers: Collection[str]) -> dict[str, set[str]]:
        """With whom each identifier is banned, of those that are with any."""
        return {key: set(self._bans[key]) for key in identifiers if self._bans.get(key)}

    def moves_of(self, people: Collection[PersonId]) -> list[Move]:
        """All moves of records that were ever moved away from or to any of the people."""
        places = {move.position for move in self._moves if move.appended_for in people or move.person in people}
        return [move for move in self._moves if move.position in places]

    def ownership(self, head: Position) -> Ownership:
        """To whom all events belong, now that the log has come so far."""
        last = {move.position: move.person for move in self._moves}
        sources = {owner.person for key, owner in self._owners.items() if key.startswith(f"{SOURCE_KIND}:")}
        return Ownership(
            head,
            sorted(self._root.items()),
            [(position, self.root_of(person)) for position, person in sorted(last.items())],
            sorted(sources),
        )

    def notes(self, person: PersonId | None, limit: int) -> list[Note]:
        """Corrections, newest first."""
        return [note for note in reversed(self._notes) if person is None or note.person == person][:limit]

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
        return len(self._people())

    def some_people(self, count: int) -> list[PersonId]:
        """Some of them by id, spread evenly."""
        people = sorted(self._people())
        if len(people) <= count:
            return people
        return [people[number * len(people) // count] for number in range(count)]

    def _people(self) -> list[PersonId]:
        others = ("group:", f"{SOURCE_KIND}:")
        return [person for person, held in self._held.items() if any(not key.startswith(others) for key in held)]


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
