"""Definitions with their revisions and numbers under a version that rises, and the progress of imports."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from courtesy.engine.contract import Definition, Engine, ImportProgress, Revision
from tests.contract.builders import NOW_MS, ODD_TEXTS, SHOP, TILL, Store


async def define(engine: Engine, name: str, body: bytes = b"{}", kind: str = "source") -> Definition:
    """Define or redefine something."""
    definition = await engine.define(kind, name, body, "ann", NOW_MS)
    assert definition is not None
    return definition


async def in_force(engine: Engine) -> list[Definition]:
    """All definitions in force, by name."""
    return sorted((await engine.definitions())[1], key=lambda each: (each.kind, each.name))


async def test_an_empty_catalogue_has_a_version(engine: Engine) -> None:
    """Before anything is defined there is a version to compare with."""
    version, definitions = await engine.definitions()
    assert definitions == []
    assert version == await engine.catalog_version()


async def test_a_definition_is_in_force_as_it_was_made(engine: Engine) -> None:
    """What, by whom and when is kept, and the first revision is number 1."""
    body = b'{"url": "https://example.com/", "x": "\\u0000"}'
    made = await engine.define("subscription", "orders", body, "ann@example.com", NOW_MS)
    assert made is not None
    assert made == Definition("subscription", "orders", made.number, 1, body, NOW_MS, "ann@example.com")
    assert await in_force(engine) == [made]


async def test_redefining_replaces_and_counts_the_revisions(engine: Engine) -> None:
    """It stays the same thing, under its number, in a new revision."""
    first = await define(engine, "shop", b"1")
    second = await engine.define("source", "shop", b"2", "bob", NOW_MS + 1)
    assert second == Definition("source", "shop", first.number, 2, b"2", NOW_MS + 1, "bob")
    assert await in_force(engine) == [second]


async def test_definitions_of_one_name_and_two_kinds_are_two(engine: Engine) -> None:
    """A source and a subscription may be called the same, each with its own number."""
    source, subscription = await define(engine, "shop", b"1"), await define(engine, "shop", b"2", "subscription")
    assert source.number != subscription.number
    assert await in_force(engine) == [source, subscription]


async def test_numbers_are_unique_over_all_definitions(engine: Engine, store: Store) -> None:
    """However many are defined at once, each gets a number of its own."""
    async with store.another() as other:
        made = await asyncio.gather(*(define(each, f"d{n}") for n, each in enumerate((engine, other) * 10)))
    assert len({each.number for each in made}) == 20
    assert len(await in_force(engine)) == 20


async def test_a_removed_definition_is_not_in_force(engine: Engine) -> None:
    """Removing answers with nothing and leaves the others."""
    kept = await define(engine, "kept")
    await define(engine, "gone")
    assert await engine.define("source", "gone", None, "ann", NOW_MS) is None
    assert await in_force(engine) == [kept]


async def test_what_is_defined_again_after_its_removal_is_another_thing(engine: Engine) -> None:
    """Its number was never used, so that the old one's events are not taken for its own; its revisions go on."""
    gone = await define(engine, "shop")
    await engine.define("source", "shop", None, "ann", NOW_MS)
    between = await define(engine, "till")
    again = await define(engine, "shop")
    assert len({gone.number, between.number, again.number}) == 3
    assert again.revision == 3


async def test_the_number_of_the_last_one_removed_is_not_used_again(engine: Engine) -> None:
    """Never is never, also when nothing was defined since."""
    gone = await define(engine, "shop")
    await engine.define("source", "shop", None, "ann", NOW_MS)
    assert (await define(engine, "till")).number != gone.number


async def test_the_version_rises_with_every_change(engine: Engine) -> None:
    """Whoever knows the version knows whether their catalogue is still the whole truth."""
    versions = [await engine.catalog_version()]
    for body in (b"1", b"2", None, b"3"):
        await engine.define("source", "shop", body, "ann", NOW_MS)
        versions.append(await engine.catalog_version())
        assert (await engine.definitions())[0] == versions[-1]
    assert all(one < next_one for one, next_one in pairwise(versions))


async def test_removing_what_is_not_there_changes_nothing(engine: Engine) -> None:
    """Whoever removes it twice does no harm, and nobody reads the catalogue again for it."""
    kept = await define(engine, "kept")
    before = await engine.definitions()
    assert await engine.define("source", "never", None, "ann", NOW_MS) is None
    assert await engine.definitions() == before
    assert (await define(engine, "next")).number != kept.number


async def test_other_processes_see_a_definition_at_once(engine: Engine, store: Store) -> None:
    """The catalogue is the store's."""
    async with store.another() as other:
        before = await other.catalog_version()
        made = await define(engine, "shop")
        assert await other.catalog_version() > before
        assert await in_force(other) == [made]


@pytest.mark.parametrize("text", ODD_TEXTS)
async def test_the_words_of_a_definition_may_be_odd(engine: Engine, text: str) -> None:
    """Kinds, names and whoever made it are kept to the letter."""
    made = await engine.define(text, text, text.encode(), text, NOW_MS)
    assert made is not None
    assert (await in_force(engine))[0] == made
    assert (made.kind, made.name, made.body, made.changed_by) == (text, text, text.encode(), text)


# -- imports


async def test_a_file_that_was_never_imported_has_no_progress(engine: Engine) -> None:
    """A new file starts at its beginning."""
    assert await engine.import_progress("f" * 64, SHOP) is None


async def test_the_progress_of_an_import_is_remembered(engine: Engine) -> None:
    """An interrupted import goes on where it was, and a finished one is known to be."""
    for rows, finished_ms in ((1_000, None), (2_000, None), (2**40, NOW_MS)):
        progress = ImportProgress("f" * 64, SHOP, "orders – März.csv", rows, finished_ms)
        await engine.save_import(progress)
        assert await engine.import_progress("f" * 64, SHOP) == progress


async def test_imports_are_told_apart_by_file_and_source(engine: Engine) -> None:
    """The same file into another source, and another file of the same name, are other imports."""
    imports = [
        ImportProgress("a" * 64, SHOP, "orders.csv", 1, None),
        ImportProgress("b" * 64, SHOP, "orders.csv", 2, None),
        ImportProgress("a" * 64, TILL, "orders.csv", 3, NOW_MS),
    ]
    for progress in imports:
        await engine.save_import(progress)
    assert [await engine.import_progress(each.fingerprint, each.source) for each in imports] == imports
    assert await engine.import_progress("b" * 64, TILL) is None


async def test_every_revision_of_a_definition_is_readable(engine: Engine) -> None:
    """Changes and removals, oldest first, byte for byte, of that definition alone; a new number after a removal."""
    assert await engine.definition_history("schema", "shop/Bought") == []
    first = await engine.define("schema", "shop/Bought", b'{"a": 1}', "ann", NOW_MS)
    await engine.define("schema", "shop/Sold", b"{}", "ann", NOW_MS)
    await engine.define("source", "shop/Bought", b"{}", "ann", NOW_MS)
    await engine.define("schema", "shop/Bought", b'{"a":  2}', "bob", NOW_MS + 1)
    await engine.define("schema", "shop/Bought", None, "bob", NOW_MS + 2)
    last = await engine.define("schema", "shop/Bought", b"{}", "ann", NOW_MS + 3)
    assert first is not None
    assert last is not None
    assert await engine.definition_history("schema", "shop/Bought") == [
        Revision(first.number, 1, b'{"a": 1}', NOW_MS, "ann"),
        Revision(first.number, 2, b'{"a":  2}', NOW_MS + 1, "bob"),
        Revision(first.number, 3, None, NOW_MS + 2, "bob"),
        Revision(last.number, 4, b"{}", NOW_MS + 3, "ann"),
    ]
