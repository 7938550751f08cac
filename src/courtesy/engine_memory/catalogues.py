"""Catalogues in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from courtesy.base.ids import PersonId, Position
from courtesy.catalogue.entry import VERSIONS_KEPT, Entry, EntryKey, EntryVersion, terms_of
from courtesy.catalogue.interest import Seen
from courtesy.engine.catalogue import (
    CatalogueEdit,
    Change,
    EntryCount,
    EntryFilter,
    Interested,
    InterestState,
    NewChange,
)
from courtesy.engine_memory.log import Log
from courtesy.identity.repair import Erasure

if TYPE_CHECKING:
    from courtesy.engine_memory.disk import Disk

NOBODY = InterestState("", Position(0))


class CatalogueShelf:
    """Entries and their versions by key, changes by number, and of each catalogue who is interested in what."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.entries: dict[EntryKey, Entry] = {}
        self._versions: defaultdict[EntryKey, list[EntryVersion]] = defaultdict(list)
        self._changes: dict[int, Change] = {}
        self._change_count = 0
        self._states: dict[str, InterestState] = {}
        self._seen: dict[tuple[str, str, PersonId, bytes], Seen] = {}

    def put(self, catalogue: str, entries: Sequence[Entry], changes: Sequence[NewChange], now_ms: int) -> None:
        """Keep what an edit changes."""
        self._states.setdefault(catalogue, NOBODY)
        for each in entries:
            key = EntryKey(catalogue, each.id)
            self.entries[key] = each
            version = EntryVersion(
                each.version, each.body, each.changed_ms, each.changed_by, each.retired_ms is not None
            )
            self._versions[key] = [version, *self._versions[key]][:VERSIONS_KEPT]
        for told in changes:
            self._change_count += 1
            self._changes[self._change_count] = Change(
                self._change_count, catalogue, *told, now_ms, self._log.head, PersonId(0)
            )

    def page(self, catalogue: str, which: EntryFilter, after: str, limit: int) -> list[Entry]:
        """Entries behind an id."""
        found = (each for key, each in sorted(self.entries.items()) if key.catalogue == catalogue and key.id > after)
        return [each for each in found if _is_in(each, which)][:limit]

    def versions(self, key: EntryKey) -> list[EntryVersion]:
        """The versions of an entry, newest first."""
        return list(self._versions.get(key, ()))

    def count(self, catalogue: str) -> EntryCount:
        """How many entries there are."""
        found = [each.retired_ms is None for key, each in self.entries.items() if key.catalogue == catalogue]
        return EntryCount(sum(found), len(found) - sum(found))

    def drop(self, catalogue: str) -> None:
        """Forget all of a catalogue."""
        for key in [key for key in self.entries if key.catalogue == catalogue]:
            del self.entries[key]
            self._versions.pop(key, None)
        self.watch(catalogue, "")
        del self._states[catalogue]

    # -- interest

    def state(self, catalogue: str) -> InterestState:
        """How far interest is known."""
        return self._states.get(catalogue, NOBODY)

    def watch(self, catalogue: str, watched: str) -> None:
        """Begin anew."""
        self._states[catalogue] = InterestState(watched, Position(0))
        self._forget(lambda name, _: name == catalogue)
        if not watched:
            self._changes = {n: each for n, each in self._changes.items() if each.catalogue != catalogue}

    def position(self, catalogues: Collection[str]) -> Position | None:
        """Up to where the log was read for all of them."""
        states = (self.state(name) for name in catalogues)
        return min((each.position for each in states if each.watched), default=None)

    def next_change(self, catalogue: str) -> Change | None:
        """The first change to be told."""
        return next((each for _, each in sorted(self._changes.items()) if each.catalogue == catalogue), None)

    def save(self, catalogue: str, before: InterestState, to: Position, seen: Iterable[Seen]) -> bool:
        """Keep who is interested, and move the cursor."""
        change = self.next_change(catalogue)
        if self.state(catalogue) != before or (change is not None and change.position < to):
            return False
        self._states[catalogue] = before._replace(position=to)
        given = list(seen)
        first = min((each.position for each in given), default=Position(0))
        there = {each.position for each in self._log.all_after(Position(first - 1), 2**62)} if given else set()
        for each in given:
            key = (catalogue, each.item, each.person, each.shown_as)
            if each.position in there and (key not in self._seen or each.until_ms >= self._seen[key].until_ms):
                self._seen[key] = each
        return True

    def interested(self, change: Change, limit: int) -> list[Interested]:
        """People who were interested when it changed."""
        found = [
            Interested(person, each.position)
            for (catalogue, item, person, _), each in sorted(self._seen.items())
            if (catalogue, item) == (change.catalogue, change.item) and person > change.told
            if each.until_ms > change.at_ms and each.position <= change.position
        ]
        last = found[:limit][-1:]
        return [each for each in found if last and each.person <= last[0].person]

    def move(self, change: Change, told: PersonId) -> None:
        """It was everybody's turn up to a person."""
        known = self._changes.get(change.number)
        if known is not None:
            self._changes[change.number] = known._replace(told=max(known.told, told))

    def end(self, change: Change) -> None:
        """Nothing more is to be told of it."""
        self._changes.pop(change.number, None)

    def forget_before(self, before_ms: int) -> int:
        """Forget interest that is over."""
        first = min((each.at_ms for each in self._changes.values()), default=before_ms)
        return self._forget(lambda _, each: each.until_ms < min(before_ms, first))

    def forget(self, erasure: Erasure) -> None:
        """Forget what those who are erased were interested in."""
        people, kept, others = set(erasure.people), set(erasure.kept), set(erasure.others)
        self._forget(
            lambda _, each: (
                (each.person in people and each.position not in kept) or (each.position, each.person) in others
            )
        )

    def forget_at(self, positions: Collection[Position]) -> None:
        """Forget what these events show."""
        self._forget(lambda _, each: each.position in positions)

    def _forget(self, is_gone: Callable[[str, Seen], bool]) -> int:
        gone = [key for key, each in self._seen.items() if is_gone(key[0], each)]
        for key in gone:
            del self._seen[key]
        return len(gone)


class _Edit:
    """An edit of one catalogue under way: what it puts comes true when it is left."""

    def __init__(self, catalogues: CatalogueShelf, catalogue: str) -> None:
        self._catalogues = catalogues
        self._catalogue = catalogue
        self._staged: list[tuple[Sequence[Entry], Sequence[NewChange], int]] = []

    async def entries(self, ids: Collection[str]) -> dict[str, Entry]:
        staged = {each.id: each for entries, _, _ in self._staged for each in entries}
        keys = {id_: EntryKey(self._catalogue, id_) for id_ in ids}
        known = {id_: found for id_, key in keys.items() if (found := self._catalogues.entries.get(key)) is not None}
        return known | {id_: staged[id_] for id_ in ids if id_ in staged}

    async def put(self, entries: Sequence[Entry], changes: Sequence[NewChange], now_ms: int) -> None:
        self._staged.append((list(entries), list(changes), now_ms))

    def commit(self, catalogues: CatalogueShelf) -> None:
        """Make what was put true."""
        for entries, changes, now_ms in self._staged:
            catalogues.put(self._catalogue, entries, changes, now_ms)


class Catalogues:
    """The engine's side of catalogues."""

    @property
    def _disk(self) -> Disk:
        """The disk, while the engine is open. Raises Unavailable."""
        raise NotImplementedError

    @asynccontextmanager
    async def editing_catalogue(self, catalogue: str) -> AsyncIterator[CatalogueEdit]:
        async with self._disk.catalogue_lock:
            edit = _Edit(self._disk.catalogues, catalogue)
            yield edit
            edit.commit(self._disk.catalogues)

    async def catalogue_entries(self, keys: Collection[EntryKey]) -> dict[EntryKey, Entry]:
        entries = self._disk.catalogues.entries
        return {key: entries[key] for key in keys if key in entries}

    async def catalogue_page(self, catalogue: str, which: EntryFilter, after: str, limit: int) -> list[Entry]:
        return self._disk.catalogues.page(catalogue, which, after, limit)

    async def live_entries(self, catalogue: str, after: str, limit: int) -> list[str]:
        return [each.id for each in self._disk.catalogues.page(catalogue, EntryFilter(), after, limit)]

    async def entry_versions(self, key: EntryKey) -> list[EntryVersion]:
        return self._disk.catalogues.versions(key)

    async def entry_count(self, catalogue: str) -> EntryCount:
        return self._disk.catalogues.count(catalogue)

    async def drop_catalogue(self, catalogue: str) -> None:
        async with self._disk.catalogue_lock:
            self._disk.catalogues.drop(catalogue)

    async def interest_state(self, catalogue: str) -> InterestState:
        return self._disk.catalogues.state(catalogue)

    async def watch_catalogue(self, catalogue: str, watched: str) -> None:
        self._disk.catalogues.watch(catalogue, watched)

    async def interest_position(self, catalogues: Collection[str]) -> Position | None:
        return self._disk.catalogues.position(catalogues)

    async def next_change(self, catalogue: str) -> Change | None:
        return self._disk.catalogues.next_change(catalogue)

    async def save_interest(self, catalogue: str, before: InterestState, to: Position, seen: Sequence[Seen]) -> bool:
        return self._disk.catalogues.save(catalogue, before, to, seen)

    async def interested(self, change: Change, limit: int) -> list[Interested]:
        return self._disk.catalogues.interested(change, limit)

    async def move_change(self, change: Change, told: PersonId) -> None:
        self._disk.catalogues.move(change, told)

    async def end_change(self, change: Change) -> None:
        self._disk.catalogues.end(change)

    async def forget_interest(self, before_ms: int) -> int:
        return self._disk.catalogues.forget_before(before_ms)


def _is_in(entry: Entry, which: EntryFilter) -> bool:
    return (
        (which.terms is None or not set(which.terms).isdisjoint(terms_of(entry.values)))
        and (which.since_ms is None or entry.changed_ms >= which.since_ms)
        and (which.retired or entry.retired_ms is None)
    )
