"""Entries of catalogues for templates: read in few queries, and remembered for a moment.

A template asks while it is rendered, when nothing can be awaited. So it is rendered with what is known; what it asked
for and is not is fetched, and it is rendered again. What several ask for at once is fetched by one query.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from courtesy.base.time import SECOND_MS, Clock
from courtesy.catalogue.definition import CatalogueDefinition, FieldType
from courtesy.catalogue.entry import Entry, EntryKey, check_id
from courtesy.catalogue.values import field_of
from courtesy.content.locales import Localized, chain
from courtesy.engine.contract import Engine

FRESH_MS = 5 * SECOND_MS
KEPT_MAX = 20_000
ROUNDS_MAX = 5
"""How often a template may ask for something by what it was told: an article, its products, their stores."""

T = TypeVar("T")


class CatalogueLookup:
    """The entries that a process knows, each as of some seconds ago at most."""

    def __init__(
        self, engine: Engine, definitions: Callable[[], Mapping[str, CatalogueDefinition]], clock: Clock
    ) -> None:
        self._engine = engine
        self._definitions = definitions
        self._clock = clock
        self._known: OrderedDict[EntryKey, tuple[int, Entry | None]] = OrderedDict()
        self._wanted: set[EntryKey] = set()
        self._fetching: asyncio.Task[None] | None = None

    async def rendered(self, locale: str, render: Callable[[Callable[[Any, Any], Any]], T]) -> T:
        """What `render` gives when it has the entries that it asks for by the function that it is handed: by catalogue
        and id, with localised fields in a locale; None for one that there is not. Raises Unavailable."""
        for _ in range(ROUNDS_MAX):
            missing: set[EntryKey] = set()
            found = render(self._asking(locale, missing))
            if not missing:
                return found
            await self._fetch(missing)
        # What it was told last may lack what it asked for last.
        return render(self._asking(locale, set()))

    def _asking(self, locale: str, missing: set[EntryKey]) -> Callable[[Any, Any], Any]:
        def catalogue(name: Any, id_: Any) -> Any:
            if not isinstance(name, str) or name not in self._definitions():
                raise LookupError(f"there is no catalogue {name!r:.60}")
            if id_ is None or id_ == "":
                return None
            key = EntryKey(name, check_id(id_))
            now_ms = self._clock.now_ms()
            known = self._known.get(key)
            if known is None or not known[0] <= now_ms < known[0] + FRESH_MS:
                missing.add(key)
                return None
            return None if known[1] is None else entry_value(self._definitions()[name], known[1], locale)

        return catalogue

    async def _fetch(self, keys: set[EntryKey]) -> None:
        """Know these entries, by the query that all ask who ask before it leaves."""
        self._wanted |= keys
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch_wanted(), name="catalogue lookup")
        await asyncio.shield(self._fetching)

    async def _fetch_wanted(self) -> None:
        await asyncio.sleep(0)
        while self._wanted:
            keys, self._wanted = self._wanted, set()
            now_ms = self._clock.now_ms()
            found = await self._engine.catalogue_entries(keys)
            for key in keys:
                self._known[key] = now_ms, found.get(key)
                self._known.move_to_end(key)
            while len(self._known) > max(KEPT_MAX, len(keys)):
                self._known.popitem(last=False)


def entry_value(definition: CatalogueDefinition, entry: Entry, locale: str) -> dict[str, Any]:
    """An entry as templates see it: its fields in a locale, `id`, whether it is `retired`, and in `was` the value
    before of what has changed, such as its price."""
    locales = chain(locale)
    values = {name: _in_locale(definition, name, value, locales) for name, value in entry.values.items()}
    was = {name: _in_locale(definition, name, each.value, locales) for name, each in entry.was.items()}
    return {**values, "id": entry.id, "retired": entry.retired_ms is not None, "was": was}


def _in_locale(definition: CatalogueDefinition, name: str, value: Any, locales: tuple[str, ...]) -> Any:
    if not isinstance(value, dict) or field_of(definition, name, value).type is not FieldType.LOCALISED:
        return value
    picked = Localized(value).pick(locales)
    return None if picked is None else picked.value
