"""Ingest: counts that balance, duplicates, group commit, failing stores, other processes, and stopping."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.engine.contract import StorageFull, Unavailable
from courtesy.engine_memory import Disk
from courtesy.event.accept import Accepted, Rejected, SourcePolicy
from courtesy.event.cause import Cause, Fate
from courtesy.identity.rules import IdentityRules
from courtesy.person.record import RecordKind
from courtesy.runtime.identities import PEOPLE_RESERVED
from courtesy.runtime.ingest import APPEND_ITEMS_MAX, QUEUED_ITEMS_MAX, Ingest, Receipt
from tests.unit.identity.graph import TIGHT
from tests.unit.runtime.world import (
    NOW_MS,
    POISON,
    SHOP,
    TILL,
    Engine,
    Trouble,
    append_all,
    call,
    ingesting,
    message_ids,
    opened,
    visit,
)


async def _settled(*appends: Any) -> list[Any]:
    """Receipts and errors of appends that are under way together."""
    return await asyncio.gather(*appends, return_exceptions=True)


# -- what becomes of a call


async def test_every_call_has_one_fate_and_the_counts_balance() -> None:
    """Received is stored plus quarantined plus duplicate plus suppressed, for each source and hour."""
    async with opened() as engine, ingesting(engine) as ingest:
        paused = SourcePolicy(TILL.source, paused=True)
        receipt = await append_all(
            ingest,
            [
                call("m1"),
                call("m1"),
                call("m2", userId="null"),
                call("m3", event=None),
                call("m4", at=NOW_MS + HOUR_MS),
            ],
        )
        await ingest.append([call("m1", policy=paused)], paused)
        await append_all(ingest, [call("m2"), call("m4")])
        assert [(each.place, each.fate, each.cause) for each in receipt.results] == [
            (1, Fate.DUPLICATE, Cause.DUPLICATE),
            (2, Fate.QUARANTINED, Cause.NO_IDENTIFIER),
            (3, Fate.QUARANTINED, Cause.NAME_MISSING),
        ]
        assert receipt.stored_count == 2
        fates: dict[tuple[int, int], Counter[Fate]] = {}
        for each in await engine.all_counts():
            fates.setdefault((each.source, each.hour_ms), Counter())[each.fate] += each.event_count
        for counted in fates.values():
            assert counted[Fate.RECEIVED] * 2 == counted.total()
        assert fates[TILL.source, NOW_MS] == {Fate.RECEIVED: 1, Fate.SUPPRESSED: 1}
        assert fates[SHOP.source, NOW_MS + HOUR_MS] == {Fate.RECEIVED: 1, Fate.STORED: 1}


async def test_a_rejected_call_is_kept_as_it_came() -> None:
    """With its cause and its id, so that it can be mended and replayed."""
    async with opened() as engine, ingesting(engine) as ingest:
        rejected = call("m1", userId="[object Object]")
        await append_all(ingest, [rejected])
        (kept,) = await engine.quarantined(None, None, None, 10)
        assert (kept.raw, kept.cause, kept.message_id) == (rejected.raw, Cause.NO_IDENTIFIER, "m1")
        assert "[object Object]" in kept.detail


async def test_a_receipt_covers_everything_stored() -> None:
    """Its position is that of the last record, and calls that store nothing answer with the head."""
    async with opened() as engine, ingesting(engine) as ingest:
        assert (await append_all(ingest, [])).position == 0
        first = await append_all(ingest, [call("m1"), call("m2")])
        again = await append_all(ingest, [call("m1")])
        assert first.position == again.position == await engine.head() == 2
        assert again.stored_count == 0


async def test_a_merge_hands_the_loser_over() -> None:
    """The record that tells the fold is in the same append, and the event is the survivor's."""
    async with opened() as engine, ingesting(engine) as ingest:
        await append_all(ingest, [call("m1"), visit("m2", "a")])
        visitor = engine.owner("anonymous_id:a")
        await append_all(ingest, [call("m3", anonymousId="a")])
        ann = engine.owner("user_id:ann")
        told = {(record.person, record.kind) for record in engine.log()[2:]}
        assert told == {(visitor, RecordKind.HAND_OVER), (ann, RecordKind.EVENT)}


async def test_a_group_call_is_told_to_the_person_and_to_the_group() -> None:
    """Two records of one event, and a group that nobody can be merged with."""
    async with opened() as engine, ingesting(engine) as ingest:
        await append_all(ingest, [call("m1", type="group", groupId="acme")])
        external = [{"type": "group", "id": "acme"}]
        await append_all(ingest, [call("m2", userId="bob", context={"externalIds": external})])
        kinds = [(record.person, record.kind) for record in engine.log()]
        ann, acme, bob = (engine.owner(key) for key in ("user_id:ann", "group:acme", "user_id:bob"))
        assert kinds == [(ann, RecordKind.EVENT), (acme, RecordKind.GROUP), (bob, RecordKind.EVENT)]


async def test_rules_hold_for_what_comes_after_they_were_made() -> None:
    """The same value that identified somebody identifies nobody from then on."""
    rules = IdentityRules()
    async with opened() as engine, ingesting(engine, lambda: rules) as ingest:
        assert (await append_all(ingest, [call("m1")])).stored_count == 1
        rules = IdentityRules(blocked=("ann",))
        (refused,) = (await append_all(ingest, [call("m2")])).results
        assert refused.cause is Cause.NO_IDENTIFIER


# -- duplicates


async def test_a_message_is_stored_once() -> None:
    """Sent twice in one call, in another call, by calls at once, or by way of another process."""
    disk = Disk()
    async with opened(disk=disk) as engine, opened(disk=disk) as other:
        async with ingesting(engine) as ingest, ingesting(other) as elsewhere:
            await append_all(ingest, [call("m1"), call("m1")])
            await append_all(elsewhere, [call("m1")])
            await _settled(*(append_all(each, [call("m2"), call("m1")]) for each in [ingest, elsewhere] * 5))
        assert message_ids(engine.log()) == ["m1", "m2"]
        assert (await engine.fates())[Fate.DUPLICATE] == 1 + 1 + 20 - 1


async def test_two_sources_may_call_their_messages_alike() -> None:
    """A message is one of its source."""
    async with opened() as engine, ingesting(engine) as ingest:
        await append_all(ingest, [call("m1")])
        assert (await ingest.append([call("m1", policy=TILL)], TILL)).stored_count == 1


async def test_a_duplicate_is_told_apart_from_the_first_of_its_call() -> None:
    """Of two in one call the first is stored, and the answer names the place of the second."""
    async with opened() as engine, ingesting(engine) as ingest:
        receipts = await _settled(append_all(ingest, [call("m1")]), append_all(ingest, [call("m0"), call("m1")]))
        assert [receipt.stored_count for receipt in receipts] == [1, 1]
        assert [[each.place for each in receipt.results] for receipt in receipts] == [[], [1]]


async def test_keys_that_are_kept_are_recognised_for_ever() -> None:
    """A file imported again next year adds nothing; what clients send is forgotten after its days."""
    async with opened() as engine, ingesting(engine) as ingest:
        await ingest.append([call("from a file")], SHOP, keep_keys=True)
        await append_all(ingest, [call("from a client")])
        await engine.forget_keys(NOW_MS + 9 * DAY_MS)
        receipt = await append_all(ingest, [call("from a file"), call("from a client")])
        assert [each.place for each in receipt.results] == [0]


# -- many at once


async def test_many_callers_share_few_appends() -> None:
    """Each is answered for its own items, and everything is there once."""
    async with opened() as engine, ingesting(engine) as ingest:
        calls = [[call(f"m{n}-{each}", userId=f"u{n}") for each in range(3)] + [call("same")] for n in range(100)]
        receipts = await _settled(*(append_all(ingest, each) for each in calls))
        assert engine.append_count < 10
        assert sorted(receipt.stored_count for receipt in receipts) == [3] * 99 + [4]
        assert len(set(message_ids(engine.log()))) == len(engine.log()) == 301


async def test_a_lone_call_does_not_wait_for_ever() -> None:
    """One append, one record."""
    async with opened() as engine, ingesting(engine) as ingest:
        await append_all(ingest, [call("m1")])
        assert (engine.append_count, len(engine.log())) == (1, 1)


async def test_a_huge_call_is_stored_whole_and_in_order() -> None:
    """More than an append takes at most goes in alone, and what a caller hands in stays together; what is short need
    not wait until it is prepared."""
    async with opened() as engine, ingesting(engine) as ingest:
        calls = [call(f"m{n}") for n in range(APPEND_ITEMS_MAX + 1)]
        receipts = await _settled(append_all(ingest, calls), append_all(ingest, [call("after")]))
        assert [receipt.stored_count for receipt in receipts] == [APPEND_ITEMS_MAX + 1, 1]
        assert engine.append_count == 2
        assert message_ids(engine.log()) == ["after", *(f"m{n}" for n in range(APPEND_ITEMS_MAX + 1))]


async def test_too_much_at_once_is_turned_away() -> None:
    """While the store is slow the queue has an end; what is in it is stored, and there is room again."""
    async with opened() as engine, ingesting(engine) as ingest:
        rejected = Rejected(Cause.UNREADABLE, "", b"")
        async with engine.busy():
            under_way = asyncio.ensure_future(append_all(ingest, [call("m1")]))
            await asyncio.sleep(0.01)
            waiting = asyncio.ensure_future(append_all(ingest, [rejected] * QUEUED_ITEMS_MAX))
            await asyncio.sleep(0)
            with pytest.raises(CourtesyError) as caught:
                await append_all(ingest, [call("m2")])
            assert caught.value.code is Code.TOO_MANY
            assert caught.value.hint
        assert ((await under_way).stored_count, len((await waiting).results)) == (1, QUEUED_ITEMS_MAX)
        assert (await append_all(ingest, [call("m2")])).stored_count == 1


@pytest.mark.parametrize("seed", range(5))
async def test_batches_make_no_difference_to_who_is_who(seed: int) -> None:
    """One call with everything, one call each, or two processes in turn: the same people, links and records."""
    chance = random.Random(seed)
    calls = [_chance_call(chance, n) for n in range(40)]
    outcomes = []
    for cut in (len(calls), 1, 7):
        disk = Disk()
        async with opened(disk=disk) as engine, opened(disk=disk) as other:
            async with ingesting(engine, lambda: TIGHT) as ingest, ingesting(other, lambda: TIGHT) as elsewhere:
                for start in range(0, len(calls), cut):
                    by = ingest if start // cut % 2 == 0 else elsewhere
                    await append_all(by, calls[start : start + cut])
            outcomes.append(_grouping(engine))
    assert outcomes[0] == outcomes[1] == outcomes[2]


def _chance_call(chance: random.Random, n: int) -> Accepted | Rejected:
    ids = {"userId": f"u{chance.randrange(4)}", "anonymousId": f"a{chance.randrange(5)}"}
    some = {name: value for name, value in ids.items() if chance.random() < 0.6} or ids
    context = {"device": {"id": f"d{chance.randrange(3)}"}, "traits": {"email": f"e{chance.randrange(4)}@shop.com"}}
    given = {name: value for name, value in context.items() if chance.random() < 0.4}
    fields: dict[str, Any] = {"userId": None} | some
    if chance.random() < 0.2:
        return call(f"m{n}", type="alias", previousId=chance.choice(["u1", "a1", "new"]), **fields)
    return call(f"m{n}", context=given, **fields)


def _grouping(engine: Engine) -> tuple[object, ...]:
    """Which messages and identifiers are together, and why, without the numbers of people."""
    identity = engine.disk.identity
    held = {frozenset(keys) for keys in identity._held.values() if keys}
    root = {record.person: identity._root.get(record.person, record.person) for record in engine.log()}
    people: dict[int, set[str]] = {}
    for record in engine.log():
        if record.kind is RecordKind.EVENT:
            people.setdefault(root[record.person], set()).update(message_ids([record]))
    links = {pair: link.evidence for pair, link in identity._links.items()}
    return held, {frozenset(messages) for messages in people.values()}, links, len(identity._merges)


# -- a store that fails


@pytest.mark.parametrize("error", [Unavailable("gone"), StorageFull("full")])
async def test_every_caller_hears_that_the_store_failed(error: Exception) -> None:
    """All who shared the append; nothing is stored, and the next try is as the first."""
    async with opened() as engine, ingesting(engine) as ingest:
        engine.before = [error]
        answers = await _settled(*(append_all(ingest, [call(f"m{n}", anonymousId=f"a{n}")]) for n in range(5)))
        assert answers == [error] * 5
        assert engine.log() == []
        receipts = await _settled(*(append_all(ingest, [call(f"m{n}", anonymousId=f"a{n}")]) for n in range(5)))
        assert [receipt.stored_count for receipt in receipts] == [1] * 5
        assert len({record.person for record in engine.log()}) == 1


async def test_what_may_or_may_not_be_stored_can_be_sent_again() -> None:
    """The store broke off after its commit: the caller is told to try again, and the second try finds duplicates."""
    async with opened() as engine, ingesting(engine) as ingest:
        engine.after = [Unavailable("gone")]
        calls = [call("m1", anonymousId="a"), visit("m2", "a")]
        with pytest.raises(Unavailable):
            await append_all(ingest, calls)
        receipt = await append_all(ingest, [*calls, call("m3")])
        assert [each.cause for each in receipt.results] == [Cause.DUPLICATE] * 2
        assert len({record.person for record in engine.log()}) == 1


async def test_a_merge_of_unknown_fate_is_respected() -> None:
    """The process does not know that its own merge was committed, and yet does not write by what it knew before."""
    async with opened() as engine, ingesting(engine) as ingest:
        await append_all(ingest, [call("m1"), visit("m2", "a")])
        engine.after = [Unavailable("gone")]
        await _settled(append_all(ingest, [call("m3", anonymousId="a")]))
        await append_all(ingest, [visit("m4", "a")])
        assert engine.log()[-1].person == engine.owner("user_id:ann") == engine.owner("anonymous_id:a")


async def test_a_merge_that_failed_leaves_no_trace() -> None:
    """Neither in the store nor in what the process remembers."""
    async with opened() as engine, ingesting(engine) as ingest:
        await append_all(ingest, [call("m1"), visit("m2", "a")])
        visitor = engine.owner("anonymous_id:a")
        engine.before = [Unavailable("gone")]
        await _settled(append_all(ingest, [call("m3", anonymousId="a")]))
        await append_all(ingest, [visit("m4", "a")])
        assert engine.log()[-1].person == visitor != engine.owner("user_id:ann")


async def test_person_numbers_are_never_given_twice() -> None:
    """Numbers that a failed append had taken are lost; nobody else gets them, in this process or another."""
    disk = Disk()
    async with opened(disk=disk) as engine, opened(disk=disk) as other:
        async with ingesting(engine) as ingest, ingesting(other) as elsewhere:
            for n in range(20):
                each = (engine, ingest) if n % 2 else (other, elsewhere)
                each[0].before = [Unavailable("gone")] if n % 3 == 0 else []
                await _settled(append_all(each[1], [call(f"m{n}-{i}", userId=f"u{n}-{i}") for i in range(3)]))
        people = [record.person for record in engine.log()]
        assert len(set(people)) == len(people) == 3 * 13
        given = [*engine.given_people, *other.given_people]
        assert len(set(given)) == len(given)


async def test_an_event_with_many_shared_devices_finds_enough_person_numbers() -> None:
    """Each device that is set apart needs one, though the process has hardly any left of those it reserved."""
    async with opened() as engine, ingesting(engine) as ingest:
        devices: dict[str, Any] = {"context": {"device": {"id": "d"}}, "anonymousId": "a"}
        await append_all(ingest, [call("m1", **devices)])
        left = PEOPLE_RESERVED - 1
        while count := left // 3:
            await append_all(ingest, [call(f"{left}-{n}", userId=f"u{left}-{n}") for n in range(count)])
            left -= count
        assert len(engine.given_people) == PEOPLE_RESERVED
        tried = engine.append_count
        assert (await append_all(ingest, [call("m2", userId="bob", **devices)])).stored_count == 1
        assert engine.append_count == tried + 1
        assert all(owner.shared for owner in engine.owners("device_id:d", "anonymous_id:a"))


# -- an item that the store will not have


async def test_an_item_that_can_not_be_stored_is_set_aside_alone() -> None:
    """Everybody else's items are stored, those of the same call too, and each place is answered as its own."""
    async with opened() as engine, ingesting(engine) as ingest:
        engine.refuses_poison = True
        calls = [[call(f"m{n}-{each}") for each in range(5)] for n in range(4)]
        calls[2][3] = call("bad", event=POISON)
        receipts = await _settled(*(append_all(ingest, each) for each in calls))
        assert [receipt.stored_count for receipt in receipts] == [5, 5, 4, 5]
        (refused,) = receipts[2].results
        assert (refused.place, refused.fate, refused.cause) == (3, Fate.QUARANTINED, Cause.UNSTORABLE)
        (kept,) = await engine.quarantined(None, None, None, 10)
        assert kept.raw == calls[2][3].raw
        assert kept.detail == "Trouble: no room for \\0 this one \\ud800"
        assert await engine.fates() == {Fate.RECEIVED: 20, Fate.STORED: 19, Fate.QUARANTINED: 1}


async def test_bad_items_are_found_by_halving() -> None:
    """Two in a thousand cost some dozens of appends, not a thousand, and places and duplicates stay right."""
    async with opened() as engine, ingesting(engine) as ingest:
        engine.refuses_poison = True
        calls = [call(f"m{n}", event=POISON if n in (123, 877) else "Viewed") for n in range(1_000)]
        calls[500] = calls[499]
        receipt = await append_all(ingest, calls)
        assert [(each.place, each.cause) for each in receipt.results] == [
            (123, Cause.UNSTORABLE),
            (500, Cause.DUPLICATE),
            (877, Cause.UNSTORABLE),
        ]
        assert receipt.stored_count == 997
        assert engine.append_count < 60
        assert await engine.fates() == {
            Fate.RECEIVED: 1_000,
            Fate.STORED: 997,
            Fate.DUPLICATE: 1,
            Fate.QUARANTINED: 2,
        }


async def test_a_store_that_fails_while_a_bad_item_is_sought_can_be_asked_again() -> None:
    """What was stored meanwhile is a duplicate then, and the bad item is still set aside once."""
    async with opened() as engine, ingesting(engine) as ingest:
        engine.refuses_poison = True
        calls = [call(f"m{n}", event=POISON if n == 6 else "Viewed") for n in range(8)]
        engine.before = [Unavailable("gone")]
        with pytest.raises(Unavailable):
            await append_all(ingest, calls)
        receipt = await append_all(ingest, calls)
        assert receipt.stored_count + sum(each.fate is Fate.DUPLICATE for each in receipt.results) == 7
        assert len(await engine.quarantined(None, None, None, 10)) == 1
        assert len(engine.log()) == 7


@pytest.mark.parametrize("size", [0, 1, 9])
async def test_a_store_that_refuses_everything_is_unavailable(size: int) -> None:
    """A bug of the store is answered like an outage, so that senders keep what they have; the next call is tried."""
    async with opened() as engine, ingesting(engine) as ingest:
        engine.before = [Trouble("whatever is written")] * 50
        calls = [append_all(ingest, [call(f"{n}-{each}") for each in range(size)]) for n in range(3)]
        answers = await _settled(*calls)
        assert [type(answer) for answer in answers] == [Unavailable] * 3
        assert "Trouble" in str(answers[0])
        engine.before = []
        assert (await append_all(ingest, [call("later")])).stored_count == 1


# -- other processes


async def test_a_merge_by_another_process_is_respected() -> None:
    """What this process remembers of an identifier's owner is forgotten when the owner changed."""
    disk = Disk()
    async with opened(disk=disk) as engine, opened(disk=disk) as other:
        async with ingesting(engine) as ingest, ingesting(other) as elsewhere:
            await append_all(ingest, [call("m1"), visit("m2", "a")])
            await append_all(elsewhere, [call("m3", anonymousId="a")])
            await append_all(ingest, [visit("m4", "a")])
        assert engine.log()[-1].person == engine.owner("user_id:ann")


async def test_a_device_set_apart_by_another_process_is_respected() -> None:
    """Its events are nobody's from then on, though this process knew it as somebody's."""
    disk = Disk()
    async with opened(disk=disk) as engine, opened(disk=disk) as other:
        async with ingesting(engine) as ingest, ingesting(other) as elsewhere:
            await append_all(ingest, [call("m1", anonymousId="tablet")])
            await append_all(elsewhere, [call("m2", userId="bob", anonymousId="tablet")])
            await append_all(ingest, [visit("m3", "tablet")])
        assert engine.log()[-1].person not in {engine.owner("user_id:ann"), engine.owner("user_id:bob")}


async def test_processes_that_meet_the_same_strangers_agree() -> None:
    """Many calls at once, by two processes, that introduce the same identifiers end in the same people."""
    disk = Disk()
    async with opened(disk=disk) as engine, opened(disk=disk) as other:
        async with ingesting(engine) as ingest, ingesting(other) as elsewhere:
            calls = [
                append_all(
                    each, [call(f"{n}-{i}", userId=f"u{i}", anonymousId=f"a{(i + n) % 3}-{i}") for i in range(5)]
                )
                for n, each in enumerate([ingest, elsewhere] * 6)
            ]
            await _settled(*calls)
        people = {engine.owner(f"user_id:u{i}") for i in range(5)}
        assert len(people) == 5
        for i in range(5):
            assert {engine.owner(f"anonymous_id:a{n}-{i}") for n in range(3)} == {engine.owner(f"user_id:u{i}")}


# -- callers that go, and stopping


async def test_a_caller_that_goes_takes_nobody_with_it() -> None:
    """Others of the same append are answered; what the caller had handed in may be stored, and is stored once."""
    async with opened() as engine, ingesting(engine) as ingest:
        async with engine.busy():
            first = asyncio.ensure_future(append_all(ingest, [call("m0")]))
            await asyncio.sleep(0.01)
            going, staying = (asyncio.ensure_future(append_all(ingest, [call(f"m{n}")])) for n in (1, 2))
            await asyncio.sleep(0)
            going.cancel()
        assert [receipt.stored_count for receipt in await asyncio.gather(first, staying)] == [1, 1]
        assert going.cancelled() or (await _settled(going))
        await append_all(ingest, [call("m1")])
        assert sorted(message_ids(engine.log())) == ["m0", "m1", "m2"]


async def test_stopping_stores_what_was_handed_in() -> None:
    """What waits and what is under way; who comes later is told to come again."""
    async with opened() as engine:
        ingest = Ingest(engine, IdentityRules, engine.clock)
        ingest.start()
        under_way = [asyncio.ensure_future(append_all(ingest, [call(f"m{n}")])) for n in range(10)]
        await asyncio.sleep(0)
        await ingest.stop()
        assert [(await each).stored_count for each in under_way] == [1] * 10
        with pytest.raises(Unavailable, match="stopping"):
            await append_all(ingest, [call("late")])
        await ingest.stop()


async def test_stopping_waits_for_the_append_under_way() -> None:
    """An append that has begun is not broken off by the stop."""
    async with opened() as engine:
        ingest = Ingest(engine, IdentityRules, engine.clock)
        ingest.start()
        async with engine.busy():
            under_way = asyncio.ensure_future(append_all(ingest, [call("m1")]))
            await asyncio.sleep(0.01)
            stopping = asyncio.ensure_future(ingest.stop())
            await asyncio.sleep(0.01)
            assert not stopping.done()
        await stopping
        assert (await under_way).stored_count == 1


async def test_what_was_never_started_can_be_stopped() -> None:
    """Nobody is left waiting: the caller hears that nothing was stored."""
    async with opened() as engine:
        ingest = Ingest(engine, IdentityRules, engine.clock)
        waiting = asyncio.ensure_future(append_all(ingest, [call("m1")]))
        await asyncio.sleep(0)
        await ingest.stop()
        with pytest.raises(Unavailable):
            await waiting
        assert engine.log() == []


async def test_callers_hear_when_the_runner_is_ended_from_outside() -> None:
    """Those of the append under way, those that wait, and those that come later: none of them hangs."""
    async with opened() as engine:
        ingest = Ingest(engine, IdentityRules, engine.clock)
        ingest.start()
        async with engine.busy():
            under_way = asyncio.ensure_future(append_all(ingest, [call("m1")]))
            await asyncio.sleep(0.01)
            waiting = asyncio.ensure_future(append_all(ingest, [call("m2")]))
            await asyncio.sleep(0)
            (runner,) = [task for task in asyncio.all_tasks() if task.get_name() == "ingest"]
            runner.cancel()
            answers: list[Receipt | BaseException] = await _settled(under_way, waiting)
        assert [type(answer) for answer in answers] == [Unavailable] * 2
        with pytest.raises(Unavailable):
            await append_all(ingest, [call("m3")])
        await ingest.stop()
