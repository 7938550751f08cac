"""Resolve: from the identifiers of an event to its person, merging and setting apart as the rules say.

Works on a `View`: what the store knows of the identifiers in question, changed in place as events are resolved, and
collecting the changes for the store to make in the same transaction as the append.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from courtesy.base.ids import PersonId, SourceId
from courtesy.identity.rules import IdentityRules, split_identifier


class Owner(NamedTuple):
    """Whom an identifier points to. A shared one points to a person of its own and links nobody."""

    person: PersonId
    shared: bool = False


class Evidence(NamedTuple):
    """The message that made a change: where it came from, what it is called, and when it happened (ms UTC)."""

    source: SourceId
    message_id: str
    at: int


class Link(NamedTuple):
    """Two identifiers that were seen as one person, with the first evidence for it."""

    a: str
    b: str
    evidence: Evidence
    reason: str


class Merge(NamedTuple):
    """`loser` became part of `survivor`."""

    loser: PersonId
    survivor: PersonId
    a: str
    b: str
    evidence: Evidence
    reason: str


class RefusalReason(StrEnum):
    """Why an identifier was not linked to the person of an event."""

    OVER_CAP = "over_cap"
    OTHER_PERSON = "other_person"
    BANNED = "banned"


class LinkRefusal(NamedTuple):
    """An identifier that an event carried and that was not linked to its person."""

    identifier: str
    person: PersonId
    reason: RefusalReason
    evidence: Evidence


@dataclass(slots=True)
class Changes:
    """What a batch of resolutions changes in the store. `owners` holds the last word on each identifier touched."""

    people: dict[PersonId, Evidence] = field(default_factory=dict)
    owners: dict[str, tuple[Owner, Evidence]] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    refusals: list[LinkRefusal] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.people or self.owners or self.links or self.merges or self.refusals)


@dataclass(slots=True)
class View:
    """The identity graph as far as a batch needs it.

    `owners` has every identifier of the batch that the store knows; `held` has, for each person among those owners,
    all identifiers that the person holds; `bans` has, for each of all these, those that must not be the same person's.
    `parts` has, of those who tell choices, everybody who became part of them.
    """

    owners: dict[str, Owner]
    held: dict[PersonId, set[str]]
    changes: Changes = field(default_factory=Changes)
    bans: Mapping[str, Collection[str]] = field(default_factory=dict)
    parts: Mapping[PersonId, Collection[PersonId]] = field(default_factory=dict)


class Resolver:
    """Resolves events one after the other against a view. `new_person` gives ids never used before."""

    def __init__(self, rules: IdentityRules, view: View, new_person: Callable[[], PersonId]) -> None:
        self._rules = rules
        self._view = view
        self._new_person = new_person

    def resolve(self, ids: Sequence[str], evidence: Evidence) -> PersonId:
        """The person of an event that carries `ids` (normalised, most telling first, not empty).

        Holds afterwards: every id is owned by somebody, except new ones over a cap; those that the rules allow are
        owned by the person returned; no person holds more of a kind than its cap, nor two unique values without an
        alias.
        """
        owners = self._view.owners
        free = [key for key in ids if not (key in owners and owners[key].shared)]
        if not free:
            return owners[ids[0]].person
        person = self._person_of(free, evidence)
        free = self._anchored(free, person)
        before = [owners.get(key) for key in free]
        for key in free:
            self._attach(key, person, free[0], evidence)
        person = owners[free[0]].person
        if any(owners.get(key) == Owner(person) != known for key, known in zip(free, before, strict=True)):
            self._link(free, person, evidence, "same event")
        return person

    def alias(self, new: Sequence[str], previous: Sequence[str], evidence: Evidence) -> PersonId:
        """Join the person of `previous` to that of `new` because the sender said that they are one.

        An alias from one unique value to another may join two that are known as different, up to the cap; any other is
        worth as much as an event that carries both, so that a login on a shared device joins nobody. Equal ids are a
        no-op. A previous id that nobody holds yet is taken in every kind it may be, so that events which arrive later
        find their person; one that is known in several kinds does not count as unique, for nobody knows which was
        meant. When all of `new` are shared they speak for nobody, and nothing is joined.
        """
        person = self.resolve(new, evidence)
        owners = self._view.owners
        mine = [key for key in new if owners.get(key) == Owner(person)]
        known = [key for key in previous if key in owners]
        overrules = all(map(self._is_unique, known)) and any(map(self._is_unique, mine))
        for key in known or previous:
            owner = owners.get(key)
            if key in new or (owner is not None and owner.person == person):
                continue
            if not mine or (owner is not None and owner.shared):
                self._refuse(key, person, RefusalReason.OTHER_PERSON, evidence)
            elif owner is None:
                self._take_over(key, person, mine[0], evidence, overrules=overrules)
            else:
                person = self._meet(key, person, mine[0], evidence, "alias", overrules=overrules)
                self._link((mine[0], key), person, evidence, "alias")
        return person

    def join(self, a: str, b: str, evidence: Evidence, reason: str) -> PersonId:
        """Join the people of two known identifiers because somebody says so, whatever the rules; who they are now."""
        owners = self._view.owners
        person = self._join(owners[a].person, owners[b].person, Link(a, b, evidence, reason))
        self._link((a, b), person, evidence, reason)
        return person

    def _is_unique(self, key: str) -> bool:
        return self._rules.kind_of(split_identifier(key)[0]).unique

    def _take_over(self, key: str, person: PersonId, anchor: str, evidence: Evidence, *, overrules: bool) -> None:
        """Give a person a previous id that nobody holds."""
        name = split_identifier(key)[0]
        kind = self._rules.kind_of(name)
        values = self._values(person, name)
        if kind.unique and values and not overrules:
            self._refuse(key, person, RefusalReason.OTHER_PERSON, evidence)
        elif len(values) >= kind.cap or len(self._view.held[person]) >= self._rules.held_max:
            self._refuse(key, person, RefusalReason.OVER_CAP, evidence)
        else:
            self._take(key, person, evidence)
            self._link((anchor, key), person, evidence, "alias")

    def _person_of(self, free: Sequence[str], evidence: Evidence) -> PersonId:
        """The person of the most telling known identifier, unless a unique value speaks against it."""
        owners = self._view.owners
        for key in free:
            if key in owners and not self._contradicts(owners[key].person, key, free):
                return owners[key].person
        return self._create(evidence)

    def _anchored(self, free: list[str], person: PersonId) -> list[str]:
        """The same with the most telling identifier that is the person's, or can become theirs, in front.

        A new one over the cap can't stand for them.
        """
        owners = self._view.owners
        for place, key in enumerate(free):
            if owners[key].person == person if key in owners else self._has_room(person, key):
                return [key, *free[:place], *free[place + 1 :]]
        raise AssertionError("a person is found by one of the identifiers, or is new and has room for all")

    def _contradicts(self, person: PersonId, key: str, ids: Sequence[str]) -> bool:
        """True when `ids` name someone else more tellingly: a unique value other than the person's own."""
        for other in ids:
            if other == key:
                return False
            kind = split_identifier(other)[0]
            if self._rules.kind_of(kind).unique and self._values(person, kind) - {other}:
                return True
        return False

    def _values(self, person: PersonId, kind: str) -> set[str]:
        prefix = kind + ":"
        return {key for key in self._view.held.get(person, ()) if key.startswith(prefix)}

    def _create(self, evidence: Evidence) -> PersonId:
        person = self._new_person()
        self._view.held[person] = set()
        self._view.changes.people[person] = evidence
        return person

    def _attach(self, key: str, person: PersonId, anchor: str, evidence: Evidence) -> None:
        owners = self._view.owners
        person = owners[anchor].person if anchor in owners and key != anchor else person
        owner = owners.get(key)
        if owner is None:
            if self._has_room(person, key):
                self._take(key, person, evidence)
            else:
                self._refuse(key, person, RefusalReason.OVER_CAP, evidence)
        elif owner.person != person:
            self._meet(key, person, anchor, evidence, "same event", overrules=False)

    def _has_room(self, person: PersonId, key: str) -> bool:
        name = split_identifier(key)[0]
        kind = self._rules.kind_of(name)
        if len(self._view.held[person]) >= self._rules.held_max:
            return False
        return len(self._values(person, name)) < (1 if kind.unique else kind.cap)

    def _take(self, key: str, person: PersonId, evidence: Evidence) -> None:
        view = self._view
        view.owners[key] = Owner(person)
        view.held.setdefault(person, set()).add(key)
        view.changes.owners[key] = (Owner(person), evidence)

    def _link(self, keys: Sequence[str], person: PersonId, evidence: Evidence, reason: str) -> None:
        """Keep the evidence that the first of `keys` and those of the others that are the person's belong together."""
        for key in keys[1:]:
            if self._view.owners.get(key) == Owner(person):
                self._view.changes.links.append(Link(keys[0], key, evidence, reason))

    def _meet(
        self, key: str, person: PersonId, anchor: str, evidence: Evidence, reason: str, *, overrules: bool
    ) -> PersonId:
        """An identifier of the event belongs to somebody else: merge the two, or keep them apart.

        `anchor` is the person's, `overrules` lets two of a unique kind come together. Returns whom `person` is now.
        """
        other = self._view.owners[key].person
        obstacle = self._obstacle(person, other, overrules=overrules)
        if obstacle is None:
            return self._join(person, other, Link(anchor, key, evidence, reason))
        self._refuse(key, person, obstacle, evidence)
        # Whom a ban keeps apart is settled: nobody guesses.
        if obstacle is not RefusalReason.BANNED and self._rules.kind_of(split_identifier(key)[0]).shareable:
            self._set_apart(key, other, evidence)
        return person

    def _refuse(self, key: str, person: PersonId, reason: RefusalReason, evidence: Evidence) -> None:
        self._view.changes.refusals.append(LinkRefusal(key, person, reason, evidence))

    def _set_apart(self, key: str, holder: PersonId, evidence: Evidence) -> None:
        """A device used by two known people gets an anonymous person of its own, rather than a guess.

        Who was nothing but this device stays with it.
        """
        view = self._view
        rest = view.held[holder] - {key}
        own = self._create(evidence) if rest else holder
        view.held[holder] = rest
        view.held[own] = {key}
        view.owners[key] = Owner(own, shared=True)
        view.changes.owners[key] = (Owner(own, shared=True), evidence)
        # The links by way of this device end; whom they held together is still one person.
        first, *others = self._by_priority(rest) or (key,)
        reason = f"one person until {key} was set apart"
        view.changes.links.extend(Link(first, other, evidence, reason) for other in others)

    def _by_priority(self, keys: Iterable[str]) -> list[str]:
        return sorted(keys, key=lambda key: (self._rules.kind_of(split_identifier(key)[0]).priority, key))

    def _obstacle(self, a: PersonId, b: PersonId, *, overrules: bool) -> RefusalReason | None:
        """Why two people can't merge; None when they can."""
        held = self._view.held
        if self._view.bans and any(not held[b].isdisjoint(self._view.bans.get(key, ())) for key in held[a]):
            return RefusalReason.BANNED
        names = {split_identifier(key)[0] for key in held[a] | held[b]}
        values = [(self._rules.kind_of(name), self._values(a, name), self._values(b, name)) for name in names]
        if not overrules and any(kind.unique and of_a and of_b for kind, of_a, of_b in values):
            return RefusalReason.OTHER_PERSON
        over = any(len(of_a) + len(of_b) > kind.cap for kind, of_a, of_b in values)
        return RefusalReason.OVER_CAP if over or len(held[a]) + len(held[b]) > self._rules.held_max else None

    def _join(self, person: PersonId, other: PersonId, link: Link) -> PersonId:
        """Merge two people, because `link` says that they are one; the survivor."""
        survivor, loser = self._by_seniority(person, other)
        view = self._view
        for key in view.held.pop(loser):
            view.owners[key] = Owner(survivor)
            view.held[survivor].add(key)
            view.changes.owners[key] = (Owner(survivor), link.evidence)
        view.changes.merges.append(Merge(loser, survivor, link.a, link.b, link.evidence, link.reason))
        return survivor

    def _by_seniority(self, a: PersonId, b: PersonId) -> tuple[PersonId, PersonId]:
        """Survivor and loser: who has a unique value stays, else who came first."""

        def rank(person: PersonId) -> tuple[bool, int]:
            known = any(self._rules.kind_of(split_identifier(key)[0]).unique for key in self._view.held.get(person, ()))
            return (not known, person)

        return (a, b) if rank(a) <= rank(b) else (b, a)
