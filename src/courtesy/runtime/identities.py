"""Identities: from items to the records of their people, with a cache of owners that knows when it is stale.

The cache holds what committed appends said. Whoever changes the owner of an identifier that was known before moves the
store's identity epoch; an append begins by forgetting what others changed since the epoch that this process knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from courtesy.base.ids import PersonId
from courtesy.engine.contract import Append, Engine
from courtesy.event.accept import Accepted
from courtesy.identity.resolve import Changes, Evidence, Owner, Resolver, View
from courtesy.identity.rules import IdentityRules
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, RecordKind, hand_over_payload
from courtesy.runtime.item import Item, told_as

OWNERS_CACHED_MAX = 500_000
PEOPLE_RESERVED = 1_000

Fresh = tuple[Item, Accepted]


class Identities:
    """The identity side of one process's appends."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._owners: dict[str, Owner] = {}
        self._epoch = 0
        self._people: Iterator[int] = iter(())
        self._people_left = 0

    async def reserve(self, items: Iterator[Item]) -> None:
        """Have ids for as many new people as these items could possibly make."""
        # An item may make a person, a group, and a person for each identifier that is set apart.
        count = sum(len(item.ids) + len(item.previous) + 2 for item in items)
        if self._people_left < count:
            more = await self._engine.reserve_people(max(count - self._people_left, PEOPLE_RESERVED))
            self._people = iter([*self._people, *more])
            self._people_left += len(more)

    def _new_person(self) -> PersonId:
        self._people_left -= 1
        return PersonId(next(self._people))

    async def refresh(self, append: Append) -> None:
        """Forget the owners that others changed."""
        self._epoch, changed = await append.owners_changed_since(self._epoch)
        if changed is None:
            self._owners.clear()
        else:
            for key in changed:
                self._owners.pop(key, None)

    async def forgotten(self, append: Append, items: Iterable[Item]) -> set[str]:
        """The identifiers among those of the items whose person was erased and is to stay so."""
        cached = self._owners
        unknown = {key for item in items for key in (*item.ids, *item.previous) if key not in cached}
        return await append.suppressed(unknown) if unknown else set()

    async def view(self, append: Append, fresh: Sequence[Fresh]) -> View:
        """All that resolving these items may need to know."""
        cached = self._owners
        owners: dict[str, Owner] = {}
        missing: dict[str, None] = {}
        for item, _ in fresh:
            for key in item.ids if item.group is None and not item.previous else _all_ids(item):
                if key in cached:
                    owners[key] = cached[key]
                else:
                    missing[key] = None
        if missing:
            owners.update(await append.owners(list(missing)))
        people = {
            owners[key].person
            for item, _ in fresh
            if item.previous or settled(item.ids, owners) is None
            for key in _all_ids(item)
            if key in owners
        }
        choosing = [item for item, _ in fresh if item.chooses]
        parts = await append.parts(_people_of(choosing, owners)) if choosing else {}
        if not people:
            return View(owners, {}, parts=parts)
        held = await append.held(people)
        everything = {key for keys in held.values() for key in keys}
        return View(owners, held, bans=await append.bans(everything), parts=parts)

    async def view_choosing(self, append: Append, view: View, fresh: Sequence[Fresh]) -> None:
        """Have in the view who became part of those who tell choices, where it is not there yet."""
        people = _people_of((item for item, _ in fresh if item.chooses), view.owners) - view.parts.keys()
        if people:
            view.parts = {**view.parts, **await append.parts(people)}

    def records(self, view: View, fresh: Sequence[Fresh], rules: IdentityRules) -> list[NewRecord]:
        """Resolve the items in their order, and give the records for the log; the changes are in the view."""
        resolver = Resolver(rules, view, self._new_person)
        records: list[NewRecord] = []
        merges = view.changes.merges
        for item, given in fresh:
            event = given.event
            person = None if item.previous else settled(item.ids, view.owners)
            if person is None:
                merged = len(merges)
                person = _resolve(resolver, item, given)
                for merge in merges[merged:]:
                    payload = hand_over_payload(merge.survivor)
                    records.append(
                        NewRecord(
                            merge.loser,
                            RecordKind.HAND_OVER,
                            event.at,
                            event.received,
                            SYSTEM_SOURCE,
                            given.key,
                            payload,
                        )
                    )
            payload = told_as(item, one_with(view, person)) if item.chooses else item.payload
            records.append(
                NewRecord(person, RecordKind.EVENT, event.at, event.received, event.source, given.key, payload)
            )
            if item.group is not None:
                group = resolver.resolve((item.group,), Evidence(event.source, event.id, event.at))
                records.append(
                    NewRecord(group, RecordKind.GROUP, event.at, event.received, event.source, given.key, item.payload)
                )
        return records

    def remember(self, view: View) -> None:
        """After the commit: keep the owners, and count our own changes as known."""
        self._owners.update(view.owners)
        if moves_epoch(view.changes):
            self._epoch += 1
        if len(self._owners) > OWNERS_CACHED_MAX:
            for key in list(self._owners)[: OWNERS_CACHED_MAX // 2]:
                del self._owners[key]


def moves_epoch(changes: Changes) -> bool:
    """True when the owner of an identifier that was known before changes, so that others' caches are stale."""
    return bool(changes.merges) or any(owner.shared for owner, _ in changes.owners.values())


def _resolve(resolver: Resolver, item: Item, given: Accepted) -> PersonId:
    evidence = Evidence(given.event.source, given.event.id, given.event.at)
    if item.previous:
        return resolver.alias(item.ids, item.previous, evidence)
    return resolver.resolve(item.ids, evidence)


def _people_of(items: Iterable[Item], owners: Mapping[str, Owner]) -> set[PersonId]:
    return {owners[key].person for item in items for key in item.ids if key in owners}


def one_with(view: View, person: PersonId) -> set[PersonId]:
    """Everybody who is known to be one with a person who is no part of another, themselves included, as far as the view
    tells."""
    known = {person, *view.parts.get(person, ())}
    grown = True
    while grown:
        more = {each.loser for each in view.changes.merges if each.survivor in known} - known
        more |= {part for each in more for part in view.parts.get(each, ())}
        grown = bool(more)
        known |= more
    return known


def _all_ids(item: Item) -> tuple[str, ...]:
    return (*item.ids, *item.previous, *((item.group,) if item.group is not None else ()))


def settled(ids: tuple[str, ...], owners: dict[str, Owner]) -> PersonId | None:
    """The person when all identifiers are known and agree, so that there is nothing to resolve."""
    person: PersonId | None = None
    for key in ids:
        owner = owners.get(key)
        if owner is None:
            return None
        if owner.shared:
            continue
        if person is None:
            person = owner.person
        elif person != owner.person:
            return None
    return owners[ids[0]].person if person is None else person
