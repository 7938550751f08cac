"""Entries for templates: few queries, not for long, and in the language of the reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import Any

from courtesy.base.errors import CourtesyError
from courtesy.base.time import ManualClock
from courtesy.catalogue.definition import CatalogueDefinition
from courtesy.catalogue.entry import Entry, EntryKey
from courtesy.content.scope import Scope
from courtesy.content.templates import compile_template
from courtesy.engine_memory import MemoryEngine
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.catalogue_lookup import FRESH_MS, CatalogueLookup
from courtesy.runtime.catalogues import Catalogues, Given

NOW_MS = 1_763_769_600_000


class _Counted(MemoryEngine):
    """An engine that remembers what was asked of it."""

    asked: list[set[EntryKey]]

    async def catalogue_entries(self, keys: Collection[EntryKey]) -> dict[EntryKey, Entry]:
        self.asked.append(set(keys))
        await asyncio.sleep(0)
        return await super().catalogue_entries(keys)


@asynccontextmanager
async def looking() -> AsyncIterator[tuple[_Counted, CatalogueLookup, Catalogues, ManualClock]]:
    """Ten products, each with another one that goes with it."""
    clock = ManualClock(NOW_MS)
    engine = _Counted(clock)
    engine.asked = []
    await engine.open()
    catalog = CatalogCache(engine, clock)
    await catalog.start()
    catalogues = Catalogues(engine, catalog, clock)
    await catalogues.define("products", CatalogueDefinition(), "test")
    given = [
        Given(f"p{number}", {"title": {"de": f"Ding {number}", "en": f"Thing {number}"}, "goes_with": f"p{number + 1}"})
        for number in range(10)
    ]
    await catalogues.write("products", given, "test")
    yield engine, CatalogueLookup(engine, lambda: catalog.now.catalogues, clock), catalogues, clock
    await catalog.stop()
    await engine.close()


def titled(*ids: Any) -> Callable[[Callable[[Any, Any], Any]], list[Any]]:
    """Something that wants the titles of products."""

    def render(catalogue: Callable[[Any, Any], Any]) -> list[Any]:
        entries = [catalogue("products", each) for each in ids]
        return [None if each is None else each["title"] for each in entries]

    return render


async def test_a_batch_asks_once() -> None:
    """What messages need that are written at once is one query, and none for those who come next."""
    async with looking() as (engine, lookup, _, _):
        found = await asyncio.gather(*(lookup.rendered("de-CH", titled(f"p{n}", "p0", None, "no")) for n in range(10)))
        assert found == [[f"Ding {number}", "Ding 0", None, None] for number in range(10)]
        assert [len(each) for each in engine.asked] == [11]
        assert await lookup.rendered("fr", titled("p3")) == ["Thing 3"]
        assert len(engine.asked) == 1


async def test_what_is_known_is_not_known_for_long() -> None:
    """A price that changed is shown some seconds later."""
    async with looking() as (engine, lookup, catalogues, clock):
        await lookup.rendered("en", titled("p1"))
        await catalogues.write("products", [Given("p1", {"title": "New"})], "test")
        assert await lookup.rendered("en", titled("p1")) == ["Thing 1"]
        clock.advance(FRESH_MS)
        assert await lookup.rendered("en", titled("p1")) == ["New"]
        assert len(engine.asked) == 2


async def test_a_template_looks_up_what_it_found() -> None:
    """One entry by another; and says which catalogue there is not."""
    source = "{{ catalogue('products', catalogue('products', event.sku).goes_with).title }}"
    template = compile_template(source, html=False)
    async with looking() as (engine, lookup, _, _):

        def render(catalogue: Callable[[Any, Any], Any]) -> str:
            return template.render(Scope(event={"sku": "p4"}, functions={"catalogue": catalogue})).text

        assert await lookup.rendered("en", render) == "Thing 5"
        assert [len(each) for each in engine.asked] == [1, 1]
        wrong = compile_template("{{ catalogue('produkts', event.sku).title }}", html=False)

        def render_wrong(catalogue: Callable[[Any, Any], Any]) -> str:
            try:
                return str(wrong.render(Scope(event={"sku": "p4"}, functions={"catalogue": catalogue})))
            except CourtesyError as error:
                return error.message

        assert "produkts" in await lookup.rendered("en", render_wrong)
