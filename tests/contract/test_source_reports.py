"""What the system reports of a source lies in the log of the source, once, whichever engine keeps it."""

from __future__ import annotations

import asyncio

import msgspec

from courtesy.engine.contract import Engine
from courtesy.event.event import EventType, decode_fact
from courtesy.runtime.system_events import SourceReport, report
from tests.contract.builders import NOW_MS, Message, Store, fold_all, log_of, read, receive

DRIFT = SourceReport("shop", "drift-1", "Schema Drifted", {"field": "total"})


async def test_a_report_belongs_to_its_source_and_is_stored_once(engine: Engine, store: Store) -> None:
    """However often and by however many processes it is reported; each source has one entity, which is nobody."""
    async with store.another() as other:
        told = await asyncio.gather(*(report(each, [DRIFT], NOW_MS) for each in (engine, other) * 3))
    assert sorted(told) == [0, 0, 0, 0, 0, 1]
    more = [DRIFT._replace(message_id="drift-2"), DRIFT, DRIFT._replace(source="till", message_id="drift-3")]
    assert await report(engine, more, NOW_MS + 1) == 2
    assert await report(engine, [], NOW_MS) == 0
    shop, till = await read(engine, "event_source:shop"), await read(engine, "event_source:till")
    facts = [decode_fact(record.payload) for record in await log_of(engine, shop.person)]
    assert [(fact.id, fact.type, fact.name, fact.properties) for fact in facts] == [
        ("drift-1", EventType.SYSTEM, "Schema Drifted", {"field": "total"}),
        ("drift-2", EventType.SYSTEM, "Schema Drifted", {"field": "total"}),
    ]
    assert len(await log_of(engine, till.person)) == 1
    assert await engine.person_count() == 0


async def test_a_report_is_folded_like_any_event(engine: Engine) -> None:
    """The source is read with what was reported of it, beside the people who are there."""
    await receive(engine, Message("m1", ("user_id:ann",)))
    await report(engine, [DRIFT], NOW_MS)
    await fold_all(engine)
    reading = await read(engine, "event_source:shop")
    assert (len(reading.states), reading.tail) == (1, [])
    assert b"Schema Drifted" in msgspec.msgpack.encode(reading.states[0])
    assert await engine.person_count() == 1
