"""Engines: what of the store is of an imported file, and taking it back."""

from __future__ import annotations

from courtesy.base.ids import PersonId, Position
from courtesy.engine.contract import Count, Engine, Imported, ImportProgress, Quarantined
from courtesy.engine.imported import FileKey, Span, TakeBack
from courtesy.event.cause import Cause, Fate
from courtesy.identity.repair import Move, Note, Repair
from courtesy.identity.resolve import Changes, Evidence, Link, LinkRefusal, Owner, RefusalReason
from courtesy.person.record import RecordKind
from tests.contract.builders import ANN, BOB, HOUR, NOW_MS, SHOP, batch, record

FILE = FileKey("f" * 64, SHOP)
OTHER = FileKey("e" * 64, SHOP)
WHY, LATER = Evidence(SHOP, "m1", NOW_MS), Evidence(SHOP, "m9", NOW_MS)


def counts(*found: tuple[Fate, Cause | None, int]) -> list[Count]:
    """Counts of one hour."""
    return [Count(SHOP, HOUR, fate, cause, count) for fate, cause, count in found]


STORED = counts((Fate.RECEIVED, None, 2), (Fate.STORED, None, 2))


async def test_what_is_of_a_file_is_remembered(engine: Engine) -> None:
    """Its places in the log and its counts, over several appends, apart from those of others."""
    written = [record(ANN, "m1"), record(BOB, "m2"), record(ANN, "m3")]
    async with engine.appending() as append:
        imported = [Imported(FILE, [(0, 0), (2, 2)], STORED), Imported(OTHER, [(1, 1)], [])]
        await append.write(batch(written)._replace(imported=imported))
    more = [Count(SHOP, HOUR, Fate.STORED, None, -1), Count(SHOP, HOUR, Fate.DUPLICATE, Cause.DUPLICATE, 1)]
    async with engine.appending() as append:
        await append.write(batch([record(BOB, "m4")])._replace(imported=[Imported(FILE, [(0, 0)], more)]))
    assert await engine.import_spans(FILE) == [Span(Position(p), Position(p)) for p in (1, 3, 4)]
    assert await engine.import_spans(OTHER) == [(2, 2)]
    assert await engine.import_counts(FILE) == counts(
        (Fate.DUPLICATE, Cause.DUPLICATE, 1), (Fate.RECEIVED, None, 2), (Fate.STORED, None, 1)
    )
    assert await engine.import_counts(OTHER) == []


async def test_people_are_found_by_the_spans_of_their_events(engine: Engine) -> None:
    """Of events and group events alone, both ends included, as long as the log has them."""
    written = [
        record(ANN, "m1"),
        record(BOB, "m2"),
        record(PersonId(7), "m2", kind=RecordKind.GROUP),
        record(PersonId(8), "m3", kind=RecordKind.HAND_OVER),
        record(PersonId(9), "m4"),
    ]
    async with engine.appending() as append:
        await append.write(batch(written))
    assert await engine.people_in([Span(Position(2), Position(4))]) == {BOB, PersonId(7)}
    assert await engine.people_in([Span(Position(1), Position(1)), Span(Position(5), Position(9))]) == {
        ANN,
        PersonId(9),
    }
    assert await engine.people_in([]) == set()


async def test_what_is_taken_back_counts_as_gone(engine: Engine) -> None:
    """From when it is said to be; the progress says so."""
    progress = ImportProgress(*FILE, "a.csv", 2, NOW_MS)
    async with engine.appending() as append:
        await append.write(batch([record()])._replace(imported=[Imported(FILE, [(0, 0)], STORED)]))
    await engine.save_import(progress)
    await engine.save_import(ImportProgress(*OTHER, "b.csv", 1, None))
    assert await engine.spans_taken_back() == []
    begun = progress._replace(taken_back_ms=NOW_MS)
    await engine.save_import(begun)
    assert await engine.spans_taken_back() == [(1, 1)]
    assert await engine.import_progress(*FILE) == begun
    await engine.save_import(progress._replace(row_count=3))
    assert await engine.import_progress(*FILE) == begun._replace(row_count=3)
    assert [each.name for each in await engine.imports()] == ["a.csv", "b.csv"]


async def test_taking_back_drops_records_with_their_copies_and_keys(engine: Engine) -> None:
    """Of these people and these keys, and nothing else; the keys are new again."""
    forwarded = record(BOB, "m1", kind=RecordKind.FORWARDED_EVENT)
    restore = record(ANN, "m1", kind=RecordKind.RESTORE)
    written = [record(ANN, "m1"), record(ANN, "m2"), forwarded, record(BOB, "m3"), restore]
    async with engine.appending() as append:
        await append.write(batch(written))
    key = written[0].key
    async with engine.appending() as append:
        gone = TakeBack(SHOP, people=[ANN, BOB], positions=[Position(1)], keys=[key])
        await append.write(batch()._replace(taken_back=gone))
    assert [each.position for each in await engine.log_after(Position(0), 10)] == [2, 4, 5]
    async with engine.appending() as append:
        assert await append.seen([key, written[1].key]) == {written[1].key}


async def test_taking_back_leaves_what_another_file_told_again(engine: Engine) -> None:
    """An event with the same key at another position; earlier RESTORE records go of those who are named."""
    again, restores = record(ANN, "m1"), [record(person, "r", kind=RecordKind.RESTORE) for person in (ANN, BOB)]
    async with engine.appending() as append:
        await append.write(batch([again, *restores]))
    async with engine.appending() as append:
        gone = TakeBack(SHOP, people=[ANN, BOB], positions=[Position(9)], keys=[again.key], restored=[BOB])
        await append.write(batch()._replace(taken_back=gone))
    assert [each.position for each in await engine.log_after(Position(0), 10)] == [1, 2]


async def test_taking_back_drops_what_only_the_file_told_of_who_is_who(engine: Engine) -> None:
    """Identifiers, links, refusals and moves; what others told as well has their evidence, and caches learn of it."""
    a, b, c = "user_id:ann", "anonymous_id:d", "email:a@x.org"
    changes = Changes(
        owners={key: (Owner(ANN), WHY) for key in (a, b, c)},
        links=[Link(a, b, WHY, "same event"), Link(a, c, WHY, "same event")],
        refusals=[
            LinkRefusal("phone:+1", ANN, RefusalReason.OVER_CAP, WHY),
            LinkRefusal("phone:+2", ANN, RefusalReason.OVER_CAP, LATER),
        ],
    )
    async with engine.appending() as append:
        await append.write(batch([record(ANN, "m1")], changes=changes))
        epoch, _ = await append.owners_changed_since(0)
    move = Move(Position(1), ANN, BOB, NOW_MS)
    async with engine.appending() as append:
        await append.write(batch()._replace(repair=Repair(Note("n", ANN, "eve", "", NOW_MS), moves=[move])))
    gone = TakeBack(
        SHOP,
        people=[ANN],
        positions=[Position(1)],
        identifiers=[c],
        evidence={b: LATER},
        cut=changes.links,
        links=[Link(a, b, LATER, "same event")],
        messages=["m1"],
    )
    async with engine.appending() as append:
        await append.write(batch()._replace(taken_back=gone))
    async with engine.appending() as append:
        assert set(await append.owners([a, b, c])) == {a, b}
        _, changed = await append.owners_changed_since(epoch)
        assert changed is not None
        assert c in changed
    reading = await engine.read_person(a)
    assert reading is not None
    assert {each.identifier: each.message_id for each in reading.identifiers} == {a: "m1", b: "m9"}
    evidence = await engine.identity_of(ANN)
    assert evidence.links == [Link(a, b, LATER, "same event")]
    assert [each.identifier for each in evidence.refusals] == ["phone:+2"]
    assert await engine.moves([ANN]) == []


async def test_with_the_last_of_it_the_file_is_forgotten(engine: Engine) -> None:
    """Its counts are taken from those of the store, what of it is held goes, and nobody knows that it was there."""
    held = Quarantined(SHOP, Cause.UNKNOWN_TYPE, "d", NOW_MS, None, b"{}", file=FILE.fingerprint)
    others = held._replace(file=OTHER.fingerprint)
    theirs = counts((Fate.RECEIVED, None, 3), (Fate.STORED, None, 2), (Fate.QUARANTINED, Cause.UNKNOWN_TYPE, 1))
    async with engine.appending() as append:
        whole = batch([record()], counts=[*theirs, *STORED], quarantined=[held, others, held._replace(file=None)])
        await append.write(whole._replace(imported=[Imported(FILE, [(0, 0)], theirs), Imported(OTHER, [], STORED)]))
    await engine.save_import(ImportProgress(*FILE, "a.csv", 3, NOW_MS))
    assert {each.file for each in await engine.quarantined(None, None, None, 9)} == {None, FILE[0], OTHER[0]}
    async with engine.appending() as append:
        await append.write(batch()._replace(taken_back=TakeBack(SHOP, finished=FILE)))
    assert await engine.counts(0, NOW_MS * 2) == STORED
    assert [each.file for each in await engine.quarantined(None, None, None, 9)] == [None, OTHER.fingerprint]
    assert (await engine.import_progress(*FILE), await engine.import_spans(FILE)) == (None, [])
    assert await engine.import_counts(FILE) == []
    assert await engine.import_counts(OTHER) == STORED


async def test_an_append_that_fails_remembers_nothing_of_its_file(engine: Engine) -> None:
    """Neither places nor counts."""
    try:
        async with engine.appending() as append:
            await append.write(batch([record()])._replace(imported=[Imported(FILE, [(0, 0)], STORED)]))
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert (await engine.import_spans(FILE), await engine.import_counts(FILE)) == ([], [])
