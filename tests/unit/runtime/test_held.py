"""Rejected events about somebody: those that name them, and those that have anything of theirs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from courtesy.engine.contract import AppendBatch, Quarantined
from courtesy.event.cause import Cause
from courtesy.identity.resolve import Changes
from courtesy.runtime.catalog import CatalogCache, Source
from courtesy.runtime.held import HeldEvents
from tests.unit.runtime.world import NOW_MS, Engine, opened

ANN = ("user_id:7", "email:ann@example.com", "phone:+493012345678")

NAMES = [
    {"userId": "7"},
    {"userId": 7},
    {"traits": {"email": "ANN@Example.com"}},
    {"context": {"traits": {"phone": "030 12345678"}}},
]
MENTIONS: list[Any] = [
    {"properties": {"note": "write to Ann@EXAMPLE.com, please"}},
    b'{"userId": "bob", "mail": "\\u0061nn@example.com"}',
    b'{"userId": "ann@example.com", cut sho',
    ["+493012345678"],
]
OTHERS: list[Any] = [
    {"userId": "77", "properties": {"price": 7}},
    {"traits": {"email": "bob@example.com", "phone": "030 12345679"}},
    b"\xff\xfe",
]


def _bytes(content: Any) -> bytes:
    return content if isinstance(content, bytes) else msgspec.json.encode(content)


async def _hold(engine: Engine, *contents: Any, **more: Any) -> HeldEvents:
    """A quarantine with these events, of a source in Germany, in that order."""
    catalog = CatalogCache(engine, engine.clock)
    shop = await catalog.define_source("shop", Source(country="DE"), "a test")
    held = [
        Quarantined(shop, Cause.NAME_MISSING, "", NOW_MS, None, _bytes(each), signature="s", **more)
        for each in contents
    ]
    async with engine.appending() as append:
        await append.write(AppendBatch([], [], Changes(), [], held, NOW_MS))
    return HeldEvents(engine, catalog)


async def test_who_is_named_is_found_by_any_of_their_identifiers() -> None:
    """However short, and as it was written by whoever sent it; nobody who is only mentioned."""
    async with opened() as engine:
        events = await _hold(engine, *OTHERS, *NAMES, *MENTIONS)
        assert [each.raw for each in await events.naming(ANN)] == list(map(_bytes, NAMES))


async def test_what_mentions_them_is_found_as_well() -> None:
    """Anywhere, whole or cut short, in any case, and however it is escaped."""
    async with opened() as engine:
        events = await _hold(engine, *OTHERS, *NAMES, *MENTIONS)
        assert [each.raw for each in await events.mentioning(ANN)] == list(map(_bytes, [*NAMES, *MENTIONS]))


@pytest.mark.parametrize("part", ["mended", "circumstances"])
async def test_what_lies_beside_an_event_counts_too(part: str) -> None:
    """Its mended form, and what came with it."""
    async with opened() as engine:
        events = await _hold(engine, {"userId": "bob"}, **{part: b'{"traits": {"email": "ann@example.com"}}'})
        assert len(await events.naming(ANN)) == len(await events.mentioning(ANN)) == 1


async def test_nobody_is_found_without_identifiers() -> None:
    """Who has none is named nowhere."""
    async with opened() as engine:
        events = await _hold(engine, *NAMES, *MENTIONS)
        assert await events.naming(()) == await events.mentioning(()) == []
