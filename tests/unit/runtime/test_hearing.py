"""Hearing within an append: news once, however many processes hear it, and whoever turns out to be one."""

from __future__ import annotations

import pytest

from courtesy.engine.contract import Unavailable
from courtesy.event.accept import Accepted, Rejected
from courtesy.event.choice import Action
from courtesy.runtime.ledger import Ledger
from tests.unit.runtime.world import NOW_MS, Engine, append_all, call, ingesting, opened, visit


def allows(message_id: str, ads: bool, *, at: int = NOW_MS, **fields: object) -> Accepted | Rejected:
    """A call of a page that says what its visitor allows."""
    consent = {"categoryPreferences": {"Ads": ads}}
    return call(message_id, at=at, context={"consent": consent}, **fields)  # type: ignore[arg-type]


async def heard(engine: Engine, identifier: str = "user_id:ann") -> list[Action]:
    """What the ledger has of somebody, in order."""
    reading = await engine.read_person(identifier)
    assert reading is not None
    read = await Ledger(engine).of([reading.person, *reading.merged])
    return [each.content.choice.action for each in read if each.content is not None]


async def test_two_processes_hear_a_changed_mind_each_time() -> None:
    """What one remembers as said is forgotten when the other heard something else."""
    async with (
        opened() as engine,
        opened(engine.clock, engine.disk) as beside,
        ingesting(engine) as one,
        ingesting(beside) as other,
    ):
        said = [(one, True), (one, True), (one, True), (other, False), (one, True), (other, True), (other, False)]
        for number, (process, ads) in enumerate(said):
            await append_all(process, [allows(f"m{number}", ads, at=NOW_MS + number)])
        assert await heard(engine) == [Action.GRANT, Action.WITHDRAW, Action.GRANT, Action.WITHDRAW]


async def test_what_is_no_news_needs_no_look_into_the_ledger() -> None:
    """The first call of somebody new, and every call from the third on."""
    async with opened() as engine, ingesting(engine) as ingest:
        looks: list[int] = []
        for number in range(5):
            before = engine.ledger_looks
            await append_all(ingest, [allows(f"m{number}", True, at=NOW_MS + number)])
            looks.append(engine.ledger_looks - before)
        assert looks == [0, 1, 0, 0, 0]
        assert await heard(engine) == [Action.GRANT]


async def test_a_visitor_who_logs_in_has_said_it_already() -> None:
    """What the visitor said counts as said by the person that they are found to be."""
    async with opened() as engine, ingesting(engine) as ingest:
        consent = {"consent": {"categoryPreferences": {"Ads": False}}}
        await append_all(ingest, [visit("v1", "device", context=consent)])
        await append_all(ingest, [call("a1")])
        await append_all(ingest, [allows("l1", False, at=NOW_MS + 1, anonymousId="device", type="identify")])
        await append_all(ingest, [allows("a2", False, at=NOW_MS + 2)])
        assert await heard(engine) == [Action.WITHDRAW]


async def test_an_append_that_failed_has_heard_nothing() -> None:
    """What was not stored is news when it comes again."""
    async with opened() as engine, ingesting(engine) as ingest:
        await append_all(ingest, [call("m0")])
        engine.before.append(Unavailable("no disk"))
        with pytest.raises(Unavailable):
            await append_all(ingest, [allows("m1", False)])
        await append_all(ingest, [allows("m1", False)])
        assert await heard(engine) == [Action.WITHDRAW]


async def test_what_comes_late_does_not_settle_what_is_news_after_it() -> None:
    """A refusal that was held up says nothing of a refusal that is made later: that one counts."""
    async with opened() as engine, ingesting(engine) as ingest:
        for number, (ads, at) in enumerate(((False, 5), (True, 10), (False, 7), (False, 12), (True, 11), (True, 14))):
            await append_all(ingest, [allows(f"m{number}", ads, at=NOW_MS + at)])
        assert await heard(engine) == [Action.WITHDRAW, Action.GRANT, Action.WITHDRAW, Action.GRANT]


async def test_within_one_append_each_call_hears_what_came_before_it() -> None:
    """Who changes their mind twice in a batch is heard twice, though the last is what was settled before."""
    async with opened() as engine, ingesting(engine) as ingest:
        for number in range(3):
            await append_all(ingest, [allows(f"m{number}", False, at=NOW_MS + number)])
        await append_all(ingest, [allows("m3", True, at=NOW_MS + 3), allows("m4", False, at=NOW_MS + 4)])
        assert await heard(engine) == [Action.WITHDRAW, Action.GRANT, Action.WITHDRAW]


async def test_a_choice_in_the_same_append_counts_for_who_has_just_chosen_anew() -> None:
    """Allowed in so many words, and in the same batch refused by the banner, as before: that is a choice again."""
    async with opened() as engine, ingesting(engine) as ingest:
        await append_all(ingest, [allows("m1", False)])
        granted = [{"action": "grant", "purpose": "ads"}]
        chosen = call("m2", type="consent", choices=granted, at=NOW_MS + 1)
        again = allows("m3", False, at=NOW_MS + 2, event="Segment Consent Preference Updated")
        await append_all(ingest, [chosen, again])
        assert await heard(engine) == [Action.WITHDRAW, Action.GRANT, Action.WITHDRAW]
