"""Catalogues: defined, filled, changed and read. What of a change is news waits in the store to be told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.time import Clock
from courtesy.catalogue.change import Edited, edited, properties_of
from courtesy.catalogue.definition import CatalogueDefinition, EntryField
from courtesy.catalogue.entry import Entry, EntryKey, EntryVersion, check_id, merged, terms_asked
from courtesy.catalogue.interest import named_in
from courtesy.catalogue.values import check_values, inferred
from courtesy.engine.catalogue import EntryCount, EntryFilter, NewChange
from courtesy.engine.contract import Engine
from courtesy.runtime.catalog import CATALOGUE, CatalogCache, check_name

ITEMS_MAX = 5_000
"""Entries that one call may bring: some tenths of a second."""

SAMPLE_ENTRIES = 200

_encode = msgspec.json.encode


class Outcome(StrEnum):
    """What becomes of an entry. RETURNED: it was retired, and is not any more."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    RETURNED = "returned"
    RETIRED = "retired"


class Made(NamedTuple):
    """What became of an entry, or would; `fields`: the names of those that changed."""

    outcome: Outcome
    entry: Entry
    fields: tuple[str, ...] = ()


class Given(NamedTuple):
    """What somebody wants an entry to say; None: that it is retired. `patch`: to be merged with what it says."""

    id: str
    values: Mapping[str, Any] | None
    patch: bool = False


class _Known(Protocol):
    """What entries are read from: the store, or an edit of it."""

    async def entries(self, ids: Collection[str]) -> dict[str, Entry]:
        """Those of the entries that there are."""
        ...


class _Stored(NamedTuple):
    """The entries of a catalogue as they are stored, read without keeping others from changing them."""

    engine: Engine
    catalogue: str

    async def entries(self, ids: Collection[str]) -> dict[str, Entry]:
        found = await self.engine.catalogue_entries([EntryKey(self.catalogue, id_) for id_ in ids])
        return {key.id: entry for key, entry in found.items()}


class Catalogues:
    """The catalogues of one process."""

    def __init__(self, engine: Engine, catalog: CatalogCache, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._clock = clock

    # -- definitions

    async def latest(self) -> Mapping[str, CatalogueDefinition]:
        """All catalogues by name, by all that was defined before the call."""
        await self._catalog.refresh()
        return self._catalog.now.catalogues

    async def get(self, name: str) -> CatalogueDefinition:
        """A catalogue. Raises CourtesyError(NOT_FOUND)."""
        known = await self.latest()
        if name not in known:
            raise CourtesyError(Code.NOT_FOUND, f"no catalogue named {name!r:.120}", hint=nearest(name, known))
        return known[name]

    async def define(self, name: str, definition: CatalogueDefinition, by: str) -> None:
        """Create or change a catalogue. Entries that are there already stay as they are until they are next changed.

        Raises CourtesyError(INVALID) for what can't hold.
        """
        check_name(name)
        await self._catalog.define_catalogue(name, definition.checked(), by)

    async def remove(self, name: str, by: str) -> None:
        """Remove a catalogue with all its entries. Raises CourtesyError(NOT_FOUND)."""
        await self.get(name)
        await self._catalog.remove_catalogue(name, by)
        # After its definition: who edits it meanwhile finds that it is gone, or is done before this.
        await self._engine.drop_catalogue(name)

    async def inferred(self, name: str) -> dict[str, EntryField]:
        """What fields that are not declared look like, by the first entries."""
        definition = await self.get(name)
        found: dict[str, EntryField] = {}
        for entry in await self._engine.catalogue_page(name, EntryFilter(), "", SAMPLE_ENTRIES):
            for field, value in entry.values.items():
                if field not in definition.fields:
                    found.setdefault(field, inferred(field, value))
        return dict(sorted(found.items()))

    def changed_by(self, name: str) -> tuple[int, str]:
        """When a catalogue was defined last (ms UTC), and by whom."""
        definition = self._catalog.now.revisions[CATALOGUE, name]
        return definition.changed_ms, definition.changed_by

    # -- entries

    async def write(self, name: str, given: Sequence[Given], by: str) -> list[Made]:
        """Have entries say what is given, all of them or none; durable when it returns. What is as it was stays.

        Raises CourtesyError: NOT_FOUND for a catalogue, or an entry to be retired or patched, that is not there;
        INVALID, with the entry and the field as its place.
        """
        checked = _checked(given)
        async with self._engine.editing_catalogue(name) as edit:
            definition = await self.get(name)
            found = await _carried_out(edit, definition, checked, by, self._clock.now_ms())
            changes = _changes(name, definition, found) if definition.interest else []
            entries = [each.entry for made, each in found if made.outcome is not Outcome.SAME]
            if entries:
                await edit.put(entries, changes, self._clock.now_ms())
        return [made for made, _ in found]

    async def plan(self, name: str, given: Sequence[Given]) -> list[Made]:
        """What `write` would come to now; nothing is changed. Raises as it."""
        definition, known = await self.get(name), _Stored(self._engine, name)
        found = await _carried_out(known, definition, _checked(given), "", self._clock.now_ms())
        return [made for made, _ in found]

    async def entry(self, name: str, id_: str) -> Entry:
        """An entry, retired or not. Raises CourtesyError(NOT_FOUND)."""
        await self.get(name)
        found = await self._engine.catalogue_entries([EntryKey(name, id_)])
        if not found:
            raise CourtesyError(Code.NOT_FOUND, f"no entry {id_!r:.120} in {name!r:.120}")
        return found[EntryKey(name, id_)]

    async def versions(self, name: str, id_: str) -> list[EntryVersion]:
        """The versions that are kept of an entry, newest first. Raises CourtesyError(NOT_FOUND)."""
        await self.entry(name, id_)
        return await self._engine.entry_versions(EntryKey(name, id_))

    async def page(
        self, name: str, field: str, value: str, since_ms: int | None, after: str, limit: int, *, retired: bool = False
    ) -> list[Entry]:
        """Entries by id, behind one; with a field, those of which it is, or among others has, that value. Raises
        CourtesyError(NOT_FOUND)."""
        await self.get(name)
        which = EntryFilter(terms_asked(field, value) if field else None, since_ms, retired)
        return await self._engine.catalogue_page(name, which, after, limit)

    async def count(self, name: str) -> EntryCount:
        """How many entries a catalogue has."""
        return await self._engine.entry_count(name)


def _checked(given: Sequence[Given]) -> list[Given]:
    """The same with ids as they are kept. Raises CourtesyError(INVALID), also for an entry that is there twice."""
    seen: set[str] = set()
    for number, each in enumerate(given):
        try:
            id_ = check_id(each.id)
        except CourtesyError as error:
            error.place = f"items.{number}.id"
            raise
        if id_ in seen:
            raise CourtesyError(Code.INVALID, f"expected each entry once, got {id_!r:.120} twice", place="items")
        seen.add(id_)
    return [each._replace(id=check_id(each.id)) for each in given]


async def _carried_out(
    known: _Known, definition: CatalogueDefinition, given: Sequence[Given], by: str, now_ms: int
) -> list[tuple[Made, Edited]]:
    entries = await known.entries([each.id for each in given])
    found = []
    for each in given:
        try:
            found.append(_made(definition, entries.get(each.id), each, by, now_ms))
        except CourtesyError as error:
            error.place = f"{each.id}.{error.place}".rstrip(".")
            raise
    return found


def _made(
    definition: CatalogueDefinition, before: Entry | None, given: Given, by: str, now_ms: int
) -> tuple[Made, Edited]:
    """What becomes of one entry."""
    if before is None and (given.values is None or given.patch):
        raise CourtesyError(Code.NOT_FOUND, f"no entry {given.id!r:.120}")
    values = given.values
    if values is not None:
        if given.patch and before is not None:
            values = merged(before.values, values)
        values = {name: value for name, value in values.items() if value is not None}
        check_values(definition, values)
    found = edited(definition, before, given.id, values, by, now_ms)
    if found.entry is before:
        return Made(Outcome.SAME, found.entry), found
    return Made(_outcome(before, values), found.entry, _changed_fields(before, values)), found


def _outcome(before: Entry | None, values: Mapping[str, Any] | None) -> Outcome:
    if before is None:
        return Outcome.NEW
    if values is None:
        return Outcome.RETIRED
    return Outcome.CHANGED if before.retired_ms is None else Outcome.RETURNED


def _changed_fields(before: Entry | None, values: Mapping[str, Any] | None) -> tuple[str, ...]:
    if before is None or values is None:
        return ()
    old = before.values
    return tuple(name for name in sorted(old.keys() | values.keys()) if old.get(name) != values.get(name))


def _changes(name: str, definition: CatalogueDefinition, found: Iterable[tuple[Made, Edited]]) -> list[NewChange]:
    """What is to be told of entries that changed."""
    named = named_in(definition.interest)
    return [
        NewChange(each.entry.id, news.name, _encode(properties_of(name, each.entry.id, news, named)))
        for _, each in found
        for news in each.news
    ]
