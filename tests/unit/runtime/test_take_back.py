"""Taking a file back: afterwards the store is as if it had never been imported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.base.time import HOUR_MS, ManualClock
from courtesy.consent.standing import Standing
from courtesy.engine.contract import ImportProgress
from courtesy.engine.imported import FileKey, Span, Spans, joined, runs_of
from courtesy.event.accept import Accepted, Rejected, SourcePolicy
from courtesy.event.event import EventType
from courtesy.person.assemble import assemble
from courtesy.person.record import RecordKind
from courtesy.person.state import PersonState, encode_state
from courtesy.runtime.app import App, make_app
from courtesy.runtime.catalog import Source
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.ledger import Ledger, standing_of
from courtesy.runtime.settings import Settings
from courtesy.runtime.take_back import TakenBack
from courtesy.runtime.trimming import trim
from tests.sim.store import Archive
from tests.unit.runtime.world import NOW_MS, Engine, Trouble, call, opened

FILE, OTHER = "f" * 64, "e" * 64
ANN, DEVICE, MAIL = "user_id:ann", "anonymous_id:device-1", "email:ann@example.com"


@dataclass(slots=True)
class World:
    """A shop with a store that is folded when asked."""

    engine: Engine
    app: App
    worker: FoldWorker
    shop: SourcePolicy

    async def store(self, *calls: Accepted | Rejected, file: str | None = None) -> None:
        """Store calls, of a file or not, and fold them."""
        for each in calls:
            await self.app.ingest.append([each], self.shop, keep_keys=file is not None, file=file)
        if file is not None:
            progress = ImportProgress(file, self.shop.source, "sales.csv", len(calls), NOW_MS)
            await self.engine.save_import(progress)
        await self.fold()

    async def fold(self) -> None:
        """Fold until nothing is left."""
        await self.worker.claim()
        while await self.worker.fold_once():
            pass

    async def state(self, identifier: str) -> PersonState:
        """The person as they are read."""
        reading = await self.engine.read_person(identifier)
        assert reading is not None
        return assemble(reading.person, reading.merged, reading.states, reading.tail)

    async def undo(self, file: str = FILE, people_max: int | None = None) -> TakenBack:
        """Take the file back, and fold what that put into the log."""
        told = await self.app.take_backs.take_back(file, "shop", "eve", people_max=people_max)
        await self.fold()
        return told

    async def counted(self) -> dict[str, int]:
        """How many events met each fate, proven to add up."""
        fates = {str(fate): count for fate, count in (await self.engine.fates()).items() if count}
        assert fates.get("received", 0) == sum(fates.values()) - fates.get("received", 0)
        return fates


@asynccontextmanager
async def world(archive: Archive | None = None) -> AsyncIterator[World]:
    """A world with the source `shop`."""
    clock = ManualClock(NOW_MS - HOUR_MS)
    async with opened(clock) as engine:
        app = make_app(Settings(), engine, clock, archive)
        await app.catalog.start()
        app.ingest.start()
        await app.catalog.ensure_source("shop", Source(), "tests")
        clock.set(NOW_MS)
        yield World(engine, app, FoldWorker(engine, app.catalog.catalog, clock, "folder"), app.catalog.policy("shop"))
        await app.ingest.stop()
        await app.catalog.stop()


def bought(message_id: str, policy: SourcePolicy, **fields: Any) -> Accepted | Rejected:
    """Ann buys."""
    return call(message_id, policy=policy, live=False, event="Bought", properties={"price": 5}, **fields)


def told(message_id: str, policy: SourcePolicy, **fields: Any) -> Accepted | Rejected:
    """Somebody tells something of themselves."""
    return call(message_id, policy=policy, live=False, type="identify", event=None, **fields)


async def test_people_are_as_if_the_file_had_never_come() -> None:
    """Byte for byte, by what lies before it and after it; its traits, sums and events are gone."""
    async with world() as shop, world() as apart:
        for each, with_file in ((shop, True), (apart, False)):
            await each.store(call("a", policy=each.shop), told("t", each.shop, traits={"plan": "free"}))
            if with_file:
                rows = [bought(f"f{n}", each.shop) for n in range(5)]
                await each.store(*rows, told("f9", each.shop, traits={"plan": "pro", "vip": True}), file=FILE)
            await each.store(call("b", policy=each.shop))
        undone = await shop.undo()
        assert (undone.events, undone.people, undone.finished) == (6, 1, True)
        assert encode_state(await shop.state(ANN)) == encode_state(await apart.state(ANN))
        stored = await shop.engine.states([shop.engine.owner(ANN)])
        assert stored == await apart.engine.states([apart.engine.owner(ANN)])
        assert await shop.counted() == await apart.counted()
        assert await shop.engine.imports() == []


async def test_whoever_only_the_file_told_of_is_gone() -> None:
    """Nobody has their identifiers, and nobody is counted; who was there before stays."""
    async with world() as shop:
        await shop.store(call("a", policy=shop.shop))
        await shop.store(bought("f1", shop.shop, userId="bob", anonymousId="d-9"), bought("f2", shop.shop), file=FILE)
        assert await shop.engine.person_count() == 2
        await shop.undo()
        assert shop.engine.owners("user_id:bob", "anonymous_id:d-9") == []
        assert await shop.engine.person_count() == 1
        assert await shop.engine.read_person("user_id:bob") is None


async def test_a_link_that_only_the_file_told_is_gone_and_two_are_two_again() -> None:
    """Both as if they had never been one, with what each did before and after."""
    async with world() as shop, world() as apart:
        for each, with_file in ((shop, True), (apart, False)):
            await each.store(
                call("d1", policy=each.shop, userId=None, anonymousId="device-1"), call("a1", policy=each.shop)
            )
            if with_file:
                await each.store(told("f1", each.shop, anonymousId="device-1", traits={"plan": "pro"}), file=FILE)
                assert each.engine.owner(ANN) == each.engine.owner(DEVICE)
            await each.store(
                call("d2", policy=each.shop, userId=None, anonymousId="device-1"), call("a2", policy=each.shop)
            )
        await shop.undo()
        assert shop.engine.owner(ANN) != shop.engine.owner(DEVICE)
        for key in (ANN, DEVICE):
            assert encode_state(await shop.state(key)) == encode_state(await apart.state(key))
        ann = await shop.engine.identity_of(shop.engine.owner(ANN))
        assert (ann.links, ann.merges) == ([], [])


async def test_what_others_told_as_well_stays_with_their_evidence() -> None:
    """A link and an identifier that the file told first and a login later are the login's now."""
    async with world() as shop:
        await shop.store(call("a1", policy=shop.shop))
        await shop.store(told("f1", shop.shop, anonymousId="device-1", traits={"email": "ann@example.com"}), file=FILE)
        await shop.store(call("a2", policy=shop.shop, anonymousId="device-1"))
        await shop.undo()
        assert shop.engine.owner(ANN) == shop.engine.owner(DEVICE)
        assert shop.engine.owners(MAIL) == []
        evidence = await shop.engine.identity_of(shop.engine.owner(ANN))
        assert [link.evidence.message_id for link in evidence.links] == ["a2"]
        reading = await shop.engine.read_person(ANN)
        assert reading is not None
        assert {each.identifier: each.message_id for each in reading.identifiers} == {ANN: "a1", DEVICE: "a2"}


async def test_groups_that_only_the_file_told_of_are_gone() -> None:
    """And those of others have the members and traits that are left."""
    async with world() as shop:
        acme: dict[str, Any] = {"type": EventType.GROUP, "event": None, "groupId": "acme"}
        await shop.store(call("g", policy=shop.shop, traits={"seats": 3}, **acme))
        more: dict[str, Any] = {"type": EventType.GROUP, "event": None, "userId": "bob"}
        await shop.store(
            call("f1", policy=shop.shop, live=False, groupId="acme", traits={"seats": 9}, **more),
            call("f2", policy=shop.shop, live=False, groupId="umbrella", **more),
            file=FILE,
        )
        await shop.undo()
        assert shop.engine.owners("group:umbrella") == []
        group = await shop.state("group:acme")
        assert (list(group.members), group.traits["seats"].value) == ([ANN], 3)


async def test_it_can_be_imported_again() -> None:
    """Its messages are no duplicates, and what they make is what they made."""
    async with world() as shop:
        await shop.store(call("a", policy=shop.shop))
        rows = [bought(f"f{n}", shop.shop, userId=f"u{n % 3}") for n in range(9)]
        await shop.store(*rows, file=FILE)
        before = encode_state(await shop.state("user_id:u1"))
        counted = await shop.counted()
        await shop.undo()
        await shop.store(*rows, file=FILE)
        again = await shop.state("user_id:u1")
        again.person = PersonId(shop.engine.owner("user_id:u1"))
        assert await shop.counted() == counted
        assert len(before) == len(encode_state(again))
        assert again.event_count == 3


async def test_what_of_it_is_held_goes_and_what_was_mended_too() -> None:
    """Quarantined rows, those that a replay let in, and repeats; each with its count."""
    async with world() as shop:
        await shop.store(call("a", policy=shop.shop))
        bad = [call(f"f{n}", policy=shop.shop, live=False, event=None, timestamp=None) for n in range(2)]
        await shop.store(*bad, bought("f7", shop.shop), bought("f7", shop.shop), file=FILE)
        held = await shop.engine.quarantined(None, None, None, 10)
        assert [each.file for each in held] == [FILE, FILE]
        await shop.app.ingest.append([bought("f8", shop.shop)], shop.shop, held=held[:1])
        await shop.fold()
        assert await shop.counted() == {"received": 5, "stored": 3, "quarantined": 1, "duplicate": 1}
        assert (await shop.undo()).events == 2
        assert await shop.counted() == {"received": 1, "stored": 1}
        assert await shop.engine.quarantined(None, None, None, 10) == []
        assert (await shop.state(ANN)).event_count == 1


async def test_another_file_and_its_rows_stay() -> None:
    """Also where both were appended in turns, and a row of one repeats one of the other."""
    async with world() as shop:
        for number in range(4):
            await shop.store(bought(f"f{number}", shop.shop), file=FILE)
            await shop.store(bought(f"e{number}", shop.shop), bought(f"f{number}", shop.shop), file=OTHER)
        await shop.undo()
        assert (await shop.state(ANN)).event_count == 4
        assert await shop.counted() == {"received": 8, "stored": 4, "duplicate": 4}
        await shop.undo(OTHER)
        assert await shop.counted() == {}
        assert shop.engine.owners(ANN) == []


@pytest.mark.parametrize("committed", [True, False])
async def test_whoever_dies_half_way_goes_on(*, committed: bool) -> None:
    """At each write in turn: repeated, it ends where one that nothing stopped does."""
    ends = set[bytes]()
    for fatal in range(6):
        async with world() as shop:
            await shop.store(*(call(f"a{n}", policy=shop.shop, userId=f"u{n}") for n in range(50)))
            await shop.store(*(bought(f"f{n}", shop.shop, userId=f"u{n % 60}") for n in range(90)), file=FILE)
            shop.engine.crash = dying(fatal, committed=committed)
            try:
                await shop.app.take_backs.take_back(FILE, "shop", "eve")
            except (Trouble, CourtesyError):
                shop.engine.crash = lambda is_after: False
                await shop.fold()
                if await shop.engine.imports():
                    await shop.undo()
            shop.engine.crash = lambda is_after: False
            await shop.fold()
            assert await shop.counted() == {"received": 50, "stored": 50}
            assert shop.engine.owners("user_id:u55") == []
            ends.add(b"".join([encode_state(await shop.state(f"user_id:u{n}")) for n in range(50)]))
    assert len(ends) == 1


def dying(fatal: int, *, committed: bool) -> Callable[[bool], bool]:
    """Whether to die at a write: at the fatal one, before or after it is committed."""
    points = iter(range(100))
    return lambda is_after: is_after is committed and next(points) == fatal


async def test_a_part_at_a_time_comes_to_the_same() -> None:
    """Each call says how far it is, and history knows nothing of the file from the first on."""
    async with world() as shop:
        await shop.store(*(call(f"a{n}", policy=shop.shop, userId=f"u{n}") for n in range(50)))
        await shop.store(*(bought(f"f{n}", shop.shop, userId=f"u{n}") for n in range(50)), file=FILE)
        first = await shop.undo(people_max=20)
        assert (first.people, first.done, first.finished) == (50, 20, False)
        person = shop.engine.owner("user_id:u49")
        assert len(await shop.app.exports._history.of([person])) == 1
        while not (await shop.undo(people_max=20)).finished:
            pass
        assert await shop.counted() == {"received": 50, "stored": 50}


async def test_what_only_the_archive_has_goes_too() -> None:
    """The log was trimmed: people are found by the archive, folded from it, and it forgets the file."""
    archive = Archive()
    async with world(archive) as shop:
        await shop.store(call("a", policy=shop.shop))
        await shop.store(bought("f1", shop.shop), bought("f2", shop.shop, userId="bob"), file=FILE)
        archive.records = shop.engine.log()
        assert await trim(shop.engine, NOW_MS + 1) == 3
        await shop.undo()
        assert [each.position for each in archive.records] == [1]
        assert (await shop.state(ANN)).event_count == 1
        assert shop.engine.owners("user_id:bob") == []


async def test_without_all_of_somebodys_events_nothing_is_taken_back() -> None:
    """What was dropped can't be told apart, and nobody guesses."""
    async with world() as shop:
        await shop.store(call("a", policy=shop.shop))
        await trim(shop.engine, NOW_MS + 1)
        await shop.store(bought("f1", shop.shop), file=FILE)
        with pytest.raises(CourtesyError) as refused:
            await shop.undo()
        assert refused.value.code is Code.CONFLICT
        assert (await shop.state(ANN)).event_count == 2


async def test_a_row_that_another_file_told_again_meanwhile_stays() -> None:
    """The archive still has the first, which was taken back before the second came: that one is another's."""
    archive = Archive()
    async with world(archive) as shop:
        rows = [bought(f"f{n}", shop.shop, userId=f"u{n}", anonymousId=None) for n in range(25)]
        await shop.store(*rows, file=FILE)
        archive.records = shop.engine.log()
        assert await trim(shop.engine, NOW_MS + 1) == 25
        assert not (await shop.undo(people_max=20)).finished
        await shop.store(rows[0], file=OTHER)
        assert (await shop.undo()).finished
        assert (await shop.state("user_id:u0")).event_count == 1
        assert await shop.counted() == {"received": 1, "stored": 1}
        await shop.store(rows[0])
        assert (await shop.state("user_id:u0")).event_count == 1


async def test_one_file_is_taken_back_at_a_time() -> None:
    """Another waits until nothing of the first is left."""
    async with world() as shop:
        await shop.store(*(bought(f"f{n}", shop.shop, userId=f"u{n}") for n in range(25)), file=FILE)
        await shop.store(bought("e1", shop.shop), file=OTHER)
        await shop.undo(people_max=20)
        with pytest.raises(CourtesyError) as refused:
            await shop.undo(OTHER)
        assert refused.value.code is Code.CONFLICT
        assert FILE in refused.value.message
        await shop.undo()
        assert (await shop.undo(OTHER)).finished
        assert await shop.counted() == {}


async def test_whoever_never_handed_over_is_counted_once() -> None:
    """A merge whose hand-over was corrupted and set aside: all their events are in one state, and in no other."""
    async with world() as shop:
        await shop.store(call("d", policy=shop.shop, userId=None, anonymousId="device-1"), call("a", policy=shop.shop))
        await shop.app.ingest.append([call("m", policy=shop.shop, anonymousId="device-1")], shop.shop)
        (merge,) = (each for each in shop.engine.log() if each.kind is RecordKind.HAND_OVER)
        shop.engine.disk.log.replace({merge.position: b""})
        await shop.fold()
        await shop.store(bought("f1", shop.shop), file=FILE)
        assert (await shop.state(ANN)).event_count == 4
        await shop.undo()
        assert (await shop.state(ANN)).event_count == 3


async def test_what_a_corrupted_row_told_goes_too() -> None:
    """Its record says nothing any more, but its key does."""
    async with world() as shop:
        await shop.app.ingest.append([bought("f1", shop.shop)], shop.shop, keep_keys=True, file=FILE)
        shop.engine.disk.log.replace({Position(1): b"{"})
        await shop.store(file=FILE)
        assert shop.engine.owners(ANN) != []
        await shop.undo()
        assert shop.engine.owners(ANN) == []


async def test_no_earlier_record_of_a_group_keeps_its_members() -> None:
    """Nothing in the log names whom only a file made a member: an erasure would not look there."""
    async with world() as shop:
        acme: dict[str, Any] = {"type": EventType.GROUP, "event": None, "groupId": "acme"}
        await shop.store(call("g", policy=shop.shop, **acme))
        for message, user, file in (("f", "bob", FILE), ("e", "zoe", OTHER)):
            await shop.store(call(message, policy=shop.shop, live=False, userId=user, **acme), file=file)
        await shop.undo()
        await shop.undo(OTHER)
        assert list((await shop.state("group:acme")).members) == [ANN]
        assert not any(b"user_id:zoe" in each.payload for each in shop.engine.log())


async def test_a_preview_changes_nothing() -> None:
    """It says what would be."""
    async with world() as shop:
        await shop.store(bought("f1", shop.shop), bought("f2", shop.shop, userId="bob"), file=FILE)
        before = shop.engine.log()
        told = await shop.app.take_backs.take_back(FILE, "shop", "eve", dry=True)
        assert (told.events, told.people, told.finished) == (2, 2, False)
        assert shop.engine.log() == before


@pytest.mark.parametrize(("file", "source", "code"), [(OTHER, "shop", Code.NOT_FOUND), (FILE, "shp", Code.NOT_FOUND)])
async def test_what_was_never_imported_is_not_found(file: str, source: str, code: Code) -> None:
    """By its fingerprint or its source."""
    async with world() as shop:
        await shop.store(bought("f1", shop.shop), file=FILE)
        with pytest.raises(CourtesyError) as refused:
            await shop.app.take_backs.take_back(file, source, "eve")
        assert refused.value.code is code


async def test_a_file_of_before_is_refused() -> None:
    """Nobody knows what is of it."""
    async with world() as shop:
        await shop.engine.save_import(ImportProgress(FILE, shop.shop.source, "old.csv", 7, NOW_MS))
        with pytest.raises(CourtesyError) as refused:
            await shop.undo()
        assert refused.value.code is Code.CONFLICT


def test_runs_of_a_file_are_found_among_others() -> None:
    """What lies side by side is one run."""
    one, two = FileKey(FILE, SourceId(1)), FileKey(OTHER, SourceId(1))
    files = {b"a": one, b"b": one, b"c": two}
    keys = [b"x", b"a", b"a", b"b", b"c", b"b", b"x", b"b"]
    assert runs_of(keys, files) == {one: [(1, 3), (5, 5), (7, 7)], two: [(4, 4)]}


def test_spans_know_what_lies_in_them() -> None:
    """Both ends included; those that touch are joined."""
    spans = [Span(Position(a), Position(b)) for a, b in ((5, 7), (8, 8), (1, 2))]
    assert joined(spans) == [(1, 2), (5, 8)]
    assert [position for position in range(10) if position in Spans(spans)] == [1, 2, 5, 6, 7, 8]


async def test_what_a_file_told_of_choices_counts_no_more_until_it_is_told_again() -> None:
    """In the ledger, of which nothing is taken out: what was known then is still known to have been known then."""
    choices = [{"action": "withdraw", "purpose": "marketing"}, {"action": "set", "purpose": "marketing", "value": 1}]
    async with world() as shop:
        await shop.store(call("c0", policy=shop.shop, type="consent", choices=[{"action": "grant", "purpose": "x"}]))
        before = (await shop.state(ANN)).standing
        rows = [
            call(f"f{n}", policy=shop.shop, live=False, type="consent", userId=user, choices=choices)
            for n, user in enumerate(("ann", "bob"))
        ]
        ledger = Ledger(shop.engine)
        for _ in range(2):
            await shop.store(*rows, file=FILE)
            ann, bob = [(await shop.state(f"user_id:{name}")).person for name in ("ann", "bob")]
            with_file, then = (await shop.state(ANN)).standing, shop.app.clock.now_ms()
            assert standing_of(await ledger.of([ann])) == with_file != before
            handed_out = (await shop.app.consents.told("user_id", "ann"))[1]
            assert [each.retracted_ms for each in handed_out] == [None] * 3
            shop.app.clock.set(then + HOUR_MS)  # type: ignore[attr-defined]
            await shop.undo()
            assert standing_of(await ledger.of([ann])) == (await shop.state(ANN)).standing == before
            assert standing_of(await ledger.of([bob])) == Standing()
            assert standing_of(await ledger.of([ann], then)) == with_file
            handed_out = (await shop.app.consents.told("user_id", "ann"))[1]
            assert [each.retracted_ms for each in handed_out] == [None, then + HOUR_MS, then + HOUR_MS]
        assert len(await shop.engine.ledger_from(0, 100)) == 1 + 2 * (4 + 4)
