"""The ledger on a store: each choice is there once, chained and sealed, with its event or not at all."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from courtesy.base.ids import Partition, PersonId, Position, partition_of
from courtesy.base.time import HOUR_MS, MINUTE_MS, ManualClock
from courtesy.consent.leaf import CHAIN_START, chain, leaf_hash
from courtesy.consent.standing import Standing
from courtesy.engine.contract import AppendBatch, Engine, Unavailable
from courtesy.engine.ledger import ENTRIES_TOLD_MAX, Chain, Keyring, Known, LedgerWrite, NewEntry, PersonKey
from courtesy.event.choice import Action
from courtesy.identity.resolve import Changes
from courtesy.runtime.ledger import Entries, Ledger, leaf_of, opened, standing_of
from tests.contract.builders import ANN, NOW_MS, record
from tests.contract.test_engine_repair import ANN as ANNS
from tests.contract.test_engine_repair import DEVICE, World, by_ann, login, seen, world_of

PARTITION = partition_of(ANN)
EVERYBODY = [PersonId(each) for each in range(1, 9_000)]
MAIL = {"purpose": "marketing", "channel": "email"}


def chooses(message_id: str, action: str, **fields: Any) -> dict[str, Any]:
    """Ann chooses."""
    return {
        "messageId": message_id,
        "type": "consent",
        "userId": "ann",
        "choices": [{"action": action, **MAIL}],
        **fields,
    }


async def actions(world: World, identifier: str) -> list[Action]:
    """What the ledger says that somebody chose, in order."""
    reading = await world.engine.read_person(identifier)
    assert reading is not None
    read = await Ledger(world.engine).of([reading.person, *reading.merged])
    return [each.content.choice.action for each in read if each.content is not None]


async def test_what_is_chosen_is_in_the_ledger_as_in_the_state(engine: Engine, clock: ManualClock) -> None:
    """Once each, whatever was sent twice, and what the entries come to is what the fold has."""
    async with world_of(engine, clock) as world:
        await world.store(by_ann("a1"), chooses("c1", "grant"), chooses("c1", "grant"))
        await world.store(chooses("c2", "withdraw"), {**chooses("c3", "grant"), "anonymousId": "device-1"})
        await world.store(chooses("d1", "object", userId=None, anonymousId="device-2"))
        assert await actions(world, ANNS) == [Action.GRANT, Action.WITHDRAW, Action.GRANT]
        assert await actions(world, "anonymous_id:device-2") == [Action.OBJECT]
        state = await world.state(ANNS)
        read = await Ledger(engine).of([state.person])
        assert standing_of(read) == state.standing
        assert [entry.index for entry in await engine.ledger_from(0, 100)] == [0, 1, 2, 3]


async def test_every_entry_continues_the_chain_of_its_partition(engine: Engine, clock: ManualClock) -> None:
    """From the start, without a gap, whoever chose and in whichever batch."""
    async with world_of(engine, clock) as world:
        for number in range(40):
            who = {"userId": f"user-{number % 7}"}
            await world.store(chooses(f"c{number}", "grant" if number % 3 else "withdraw", **who))
    entries = await engine.ledger_from(0, 1_000)
    assert [entry.index for entry in entries] == list(range(40))
    assert await engine.ledger_from(37, 2) == entries[37:39]
    heads: dict[int, Chain] = {}
    for entry in entries:
        known = heads.get(entry.partition, Chain(0, CHAIN_START))
        assert (entry.number, entry.previous) == known
        heads[entry.partition] = Chain(known.number + 1, chain(known.digest, leaf_hash(leaf_of(entry).to_bytes())))
    assert len(heads) > 2
    async with engine.appending() as append:
        head = await append.ledger_head([Partition(each) for each in heads])
        assert (head.size, dict(head.chains)) == (40, heads)
        assert await append.person_keys([PersonId(8_999)]) == {}


async def test_nothing_that_a_person_told_lies_there_in_the_clear(engine: Engine, clock: ManualClock) -> None:
    """Neither words nor identifiers; and the key of one opens nothing of another."""
    async with world_of(engine, clock) as world:
        await world.store(chooses("c1", "grant"), chooses("c2", "grant", userId="bob"))
    entries, keyring = await engine.ledger_of(EVERYBODY)
    content = b"".join(entry.sealed + entry.subject for entry in entries)
    assert [word for word in (b"grant", b"ann", b"marketing", b"c1") if word in content] == []
    assert [b'"grant"' in (opened(entry, keyring) or b"") for entry in entries] == [True, True]
    ann, bob = entries
    assert ann.person is not None
    assert bob.person is not None
    keys = await engine.ledger_keys([ann.person])
    assert [opened(each, keys) is None for each in (ann, bob)] == [False, True]
    swapped = Keyring({ann.person: keyring.people[bob.person]}, {})
    assert opened(ann, swapped) is None
    assert opened(ann, Keyring({}, {})) is None
    assert len({entry.subject for entry in entries}) == 2


async def test_an_append_that_fails_leaves_nothing_in_the_ledger(engine: Engine) -> None:
    """No entry, no key, and the chain is where it was."""
    entry = NewEntry(0, PARTITION, 0, NOW_MS, bytes(16), CHAIN_START, b"sealed", ANN, 0)
    written = LedgerWrite([entry], [PersonKey(ANN, bytes(32), bytes(16))], {PARTITION: Chain(1, bytes(32))})
    with pytest.raises(Unavailable):
        await _write_in_vain(engine, written)
    assert await engine.ledger_from(0, 10) == []
    async with engine.appending() as append:
        assert (await append.ledger_head([PARTITION]), await append.person_keys([ANN])) == ((0, {}), {})
        await append.write(_batch(written))
    (stored,) = await engine.ledger_from(0, 10)
    assert stored == entry.stored(Position(1))


async def _write_in_vain(engine: Engine, written: LedgerWrite) -> None:
    async with engine.appending() as append:
        await append.write(_batch(written))
        raise Unavailable("the connection broke")


def _batch(written: LedgerWrite) -> AppendBatch:
    return AppendBatch([record(ANN, "m1")], [record(ANN, "m1").key], Changes(), [], [], NOW_MS, ledger=written)


async def test_as_known_then(engine: Engine, clock: ManualClock) -> None:
    """Only what had come in by an instant, of those who were one by then."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), chooses("c0", "object", userId=None, anonymousId="device-1"))
        await world.store(by_ann("a1"), chooses("c1", "grant"))
        before = clock.now_ms()
        clock.set(before + HOUR_MS)
        await world.store(login("l1"), chooses("c2", "grant"))
        ledger, people = Ledger(engine), world.people
        then = await people.then("user_id", "ann", before)
        now = await people.then("user_id", "ann", clock.now_ms())
        assert [len(then), len(now)] == [1, 2]
        assert len(await ledger.of(then, before)) == 1
        assert len(await ledger.of(now, clock.now_ms())) == 3
        assert await ledger.known_at(ANNS, before) == (then[0], await ledger.of(then, before))
        assert await ledger.known_at(ANNS, clock.now_ms()) == (now[0], await ledger.of(now))
        assert await ledger.known_at(f"person:{now[1]}", before) == (now[1], await ledger.of([now[1]], before))
        assert await ledger.known_at(ANNS, before - HOUR_MS) is None
        assert standing_of(await ledger.of(now)) == (await world.state(ANNS)).standing


async def test_what_was_known_of_somebody_is_found_in_one_look(engine: Engine, clock: ManualClock) -> None:
    """Who they were, every entry with what opens it, and whether repairs moved any; also of who chose nothing."""
    async with world_of(engine, clock) as world:
        await world.store(by_ann("a1"), chooses("c1", "grant"), seen("d1"))
        await world.store(login("l1"), chooses("c2", "withdraw"))
        await world.store(seen("d2"))
        now_ms = clock.now_ms()
        known = await engine.known_at(ANNS, now_ms)
        found = await engine.person_at(ANNS, now_ms)
        assert known is not None
        assert found is not None
        assert [*known.people] == [found[0], *found[1]]
        assert (known.entries, known.keyring) == await engine.ledger_of(known.people)
        assert not known.have_moved
        await world.repairs.unmerge(ANNS, DEVICE, "eve", "", dry=False)
        again = await engine.known_at(ANNS, now_ms)
        silent = await engine.known_at("person:7000", now_ms)
        assert again is not None
        assert again.have_moved
        assert silent == Known([PersonId(7_000)], [], Keyring({}, {}), False)


async def test_entries_go_with_their_events_when_people_are_cut_apart(engine: Engine, clock: ManualClock) -> None:
    """Both get back what they chose, exactly; the ledger itself does not change."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), chooses("c0", "object", userId=None, anonymousId="device-1"), by_ann("a1"))
        device = (await world.state(DEVICE)).standing
        await world.store(chooses("c1", "grant"), login("l1"))
        await world.store(chooses("c2", "withdraw", userId=None, anonymousId="device-1"))
        entries = await engine.ledger_from(0, 100)
        assert await actions(world, ANNS) == [Action.OBJECT, Action.GRANT, Action.WITHDRAW]
        await world.repairs.unmerge(ANNS, DEVICE, "eve", "", dry=False)
        await world.fold()
        assert await actions(world, ANNS) == [Action.GRANT]
        assert await actions(world, DEVICE) == [Action.OBJECT, Action.WITHDRAW]
        for name in (ANNS, DEVICE):
            state = await world.state(name)
            assert standing_of(await Ledger(engine).of([state.person])) == (state.standing or Standing())
        assert device is not None
        assert await engine.ledger_from(0, 100) == entries


async def test_erasing_destroys_the_key_and_leaves_the_chain(engine: Engine, clock: ManualClock) -> None:
    """What they chose can't be read again, nothing says whose it was, and the chain and the entries of others hold."""
    async with world_of(engine, clock) as world:
        await world.store(by_ann("a1"), chooses("c1", "grant"), chooses("b1", "grant", userId="bob"))
        before = await engine.ledger_from(0, 100)
        _, keyring = await engine.ledger_of(EVERYBODY)
        await world.eraser.erase(ANNS, "eve", "asked to", suppress=False)
        await world.fold()
        after = await engine.ledger_from(0, 100)
        assert [leaf_of(entry) for entry in after] == [leaf_of(entry) for entry in before]
        assert [entry.person is None for entry in after] == [True, False]
        _, left = await engine.ledger_of(EVERYBODY)
        assert set(keyring.people) - set(left.people) == {before[0].person}
        assert await actions(world, "user_id:bob") == [Action.GRANT]
        await world.store(chooses("c2", "withdraw"))
        assert await actions(world, ANNS) == [Action.WITHDRAW]
        entries = await engine.ledger_from(0, 100)
        assert entries[0].subject != entries[2].subject


async def test_erasing_one_of_two_who_were_one_leaves_the_other_what_they_chose(
    engine: Engine, clock: ManualClock
) -> None:
    """Under whichever number it was sealed; and nothing of the erased one, under whichever that was."""
    async with world_of(engine, clock) as world:
        await world.store(seen("d1"), chooses("c0", "object", userId=None, anonymousId="device-1"), by_ann("a1"))
        await world.store(chooses("c1", "grant"), login("l1"), chooses("c2", "withdraw"))
        await world.store(chooses("c3", "object", userId=None, anonymousId="device-1"))
        await world.repairs.unmerge(ANNS, DEVICE, "eve", "", dry=False)
        await world.fold()
        await world.store(chooses("c4", "grant"), chooses("c5", "grant", userId=None, anonymousId="device-1"))
        known = {name: await actions(world, name) for name in (ANNS, DEVICE)}
        assert known == {
            ANNS: [Action.GRANT, Action.WITHDRAW, Action.GRANT],
            DEVICE: [Action.OBJECT, Action.OBJECT, Action.GRANT],
        }
        everything = {each.index for each in await engine.ledger_from(0, 100)}
        await world.eraser.erase(DEVICE, "eve", "", suppress=False)
        await world.fold()
        assert await actions(world, ANNS) == known[ANNS]
        entries, keyring = await engine.ledger_of(EVERYBODY)
        readable = {each.index for each in entries if opened(each, keyring) is not None}
        assert len(everything - readable) == len(known[DEVICE])
        state = await world.state(ANNS)
        assert standing_of(await Ledger(engine).of([state.person])) == state.standing
        await world.eraser.erase(ANNS, "eve", "", suppress=False)
        entries, keyring = await engine.ledger_of(EVERYBODY)
        assert [opened(each, keyring) for each in entries] == []


def test_the_digest_is_the_one_of_the_specification() -> None:
    """SHA-256 of the digest before and the leaf hash: so anybody can check it."""
    leaf = leaf_hash(b"leaf")
    assert leaf == sha256(b"\x00leaf").digest()
    assert chain(CHAIN_START, leaf) == sha256(bytes(32) + leaf).digest()


async def test_an_append_reads_the_ledger_as_it_is_now(engine: Engine, clock: ManualClock) -> None:
    """By person, with what opens it; and whose entries came in from an index on, unless they are very many."""
    async with world_of(engine, clock) as world:
        await world.store(chooses("c1", "grant"), chooses("c2", "object", userId="bob"))
        await world.store(chooses("c3", "withdraw"))
        ann, bob = [(await world.state(f"user_id:{name}")).person for name in ("ann", "bob")]
    async with engine.appending() as append:
        assert await append.entered_since(0) == (3, {ann, bob})
        assert await append.entered_since(2) == (3, {ann})
        assert await append.entered_since(3) == (3, set())
        assert await append.entered_since(2 - ENTRIES_TOLD_MAX) == (3, None)
        read = await Entries(append).of([ann])
        assert await append.moves([ann, bob]) == []
    assert [each.content.choice.action for each in read if each.content] == [Action.GRANT, Action.WITHDRAW]
    assert read == await Ledger(engine).of([ann])


def page(message_id: str, ads: bool, **fields: Any) -> dict[str, Any]:
    """A page says what its visitor allows."""
    return {"messageId": message_id, "context": {"consent": {"categoryPreferences": {"Ads": ads}}}, **fields}


async def test_what_a_page_says_is_in_the_ledger_once_until_it_changes(engine: Engine, clock: ManualClock) -> None:
    """Of a visitor, of the person that they become by a login, and of each alone once they are cut apart again."""
    async with world_of(engine, clock) as world:
        await world.store(*(page(f"d{number}", False, anonymousId="device-1") for number in range(3)))
        await world.store(by_ann("a1"), login("l1"), page("l2", False, userId="ann"))
        clock.set(clock.now_ms() + 1)
        await world.store(page("l3", True, userId="ann"), page("l4", True, userId="ann", anonymousId="device-1"))
        assert await actions(world, ANNS) == [Action.WITHDRAW, Action.GRANT]
        await world.repairs.unmerge(ANNS, DEVICE, "eve", "a look", dry=False)
        clock.set(clock.now_ms() + 10 * MINUTE_MS)
        await world.store(page("d8", True, anonymousId="device-1"), page("d9", True, anonymousId="device-1"))
        await world.store(page("a8", True, userId="ann"))
        assert await actions(world, DEVICE) == [Action.WITHDRAW, Action.GRANT]
        assert await actions(world, ANNS) == [Action.GRANT]
        for who in (ANNS, DEVICE):
            person = (await world.state(who)).person
            assert standing_of(await Ledger(engine).of([person])) == (await world.state(who)).standing
