"""The identity graph: who owns what, what changed since, who became part of whom and why, and what was refused."""

from __future__ import annotations

import asyncio

from courtesy.base.ids import PersonId
from courtesy.engine.contract import Alarm, Engine
from courtesy.identity.resolve import Changes, Link, LinkRefusal, Merge, Owner, RefusalReason
from tests.contract.builders import (
    ANN,
    BOB,
    NOW_MS,
    TILL,
    Message,
    Store,
    evidence,
    read,
    receive,
    write,
)

CAT = PersonId(103)
EMAIL, LOGIN, DEVICE = "email:ann@example.com", "user_id:ann", "device_id:tablet"


def owned(person: PersonId, *keys: str, shared: bool = False, message_id: str = "m1") -> Changes:
    """That these identifiers are a person's."""
    return Changes(owners={key: (Owner(person, shared), evidence(message_id)) for key in keys})


async def owners_of(engine: Engine, *keys: str) -> dict[str, Owner]:
    """What an append is told of owners."""
    async with engine.appending() as append:
        return await append.owners(keys)


async def held_by(engine: Engine, *people: PersonId) -> dict[PersonId, set[str]]:
    """What an append is told of what people hold."""
    async with engine.appending() as append:
        return await append.held(people)


async def epoch_of(engine: Engine) -> int:
    """The present identity epoch."""
    async with engine.appending() as append:
        return (await append.owners_changed_since(0))[0]


async def changed_since(engine: Engine, epoch: int) -> set[str] | None:
    """What an append is told of changes."""
    async with engine.appending() as append:
        changed = (await append.owners_changed_since(epoch))[1]
        return None if changed is None else set(changed)


# -- people


async def test_person_ids_are_given_once(engine: Engine, store: Store) -> None:
    """However many ask at once, in one process or in several, nobody gets another's ids."""
    async with store.another() as other:
        ranges = await asyncio.gather(*(through.reserve_people(7) for through in (engine, other) * 10))
    ids = [number for each in ranges for number in each]
    assert len(ids) == len(set(ids)) == 140
    assert min(ids) > 0


async def test_no_person_ids_can_be_asked_for(engine: Engine) -> None:
    """Asking for none gives none."""
    assert list(await engine.reserve_people(0)) == []


async def test_person_ids_are_not_given_again_to_the_next_process(engine: Engine, store: Store) -> None:
    """Ids that a process took and did not use are lost, not shared."""
    async with store.another() as gone:
        taken = await gone.reserve_people(100)
    assert not set(taken) & set(await engine.reserve_people(100))


# -- owners


async def test_an_identifier_has_the_owner_it_was_given(engine: Engine) -> None:
    """Owners come back with whether they share, and identifiers without owner are left out."""
    await write(engine, changes=owned(ANN, EMAIL))
    await write(engine, changes=owned(BOB, DEVICE, shared=True))
    assert await owners_of(engine, EMAIL, DEVICE, "email:nobody@example.com") == {
        EMAIL: Owner(ANN),
        DEVICE: Owner(BOB, shared=True),
    }


async def test_held_are_all_identifiers_of_each_person(engine: Engine) -> None:
    """Caps can be kept only by who knows all that a person holds; holding nothing is an answer too."""
    await write(engine, changes=owned(ANN, EMAIL, LOGIN))
    await write(engine, changes=owned(BOB, DEVICE, shared=True))
    assert await held_by(engine, ANN, BOB, CAT) == {ANN: {EMAIL, LOGIN}, BOB: {DEVICE}, CAT: set()}


async def test_2500_identifiers_are_settled_at_once(engine: Engine) -> None:
    """A batch of newcomers is one write, and the next one finds them all."""
    keys = [f"anonymous_id:{number}" for number in range(2_500)]
    owners = {key: (Owner(PersonId(1_000 + number)), evidence()) for number, key in enumerate(keys)}
    await write(engine, changes=Changes(owners=owners))
    assert await owners_of(engine, *keys) == {key: owner for key, (owner, _) in owners.items()}
    assert await engine.person_count() == 2_500


async def test_an_identifier_of_a_new_owner_is_held_by_them_alone(engine: Engine) -> None:
    """What is set apart from one person is no longer theirs."""
    await write(engine, changes=owned(ANN, LOGIN, DEVICE))
    await write(engine, changes=owned(BOB, DEVICE, shared=True))
    assert await owners_of(engine, DEVICE) == {DEVICE: Owner(BOB, shared=True)}
    assert await held_by(engine, ANN, BOB) == {ANN: {LOGIN}, BOB: {DEVICE}}


async def test_a_merge_makes_the_survivor_the_owner_of_all(engine: Engine) -> None:
    """Whoever is asked for by any identifier of the two is found under the survivor's id."""
    await receive(engine, Message("m1", (EMAIL,)), Message("m2", (LOGIN,)))
    await receive(engine, Message("m3", (LOGIN, EMAIL)))
    owners = await owners_of(engine, EMAIL, LOGIN)
    assert owners[EMAIL] == owners[LOGIN]
    assert await held_by(engine, owners[LOGIN].person) == {owners[LOGIN].person: {EMAIL, LOGIN}}


# -- what changed


async def test_identifiers_that_were_unknown_do_not_move_the_epoch(engine: Engine) -> None:
    """A cache of owners can't be wrong about what it does not know."""
    await write(engine, changes=owned(ANN, EMAIL))
    before = await epoch_of(engine)
    await write(engine, changes=owned(BOB, LOGIN))
    assert await epoch_of(engine) == before
    assert await changed_since(engine, before) == set()


async def test_a_merge_moves_the_epoch_by_one_and_tells_what_moved(engine: Engine) -> None:
    """Whoever knew the loser as an owner learns which identifiers to forget; others are not named."""
    await receive(engine, Message("m1", (EMAIL,)), Message("m2", (LOGIN,)), Message("m3", ("user_id:bob",)))
    before = await epoch_of(engine)
    await receive(engine, Message("m4", (LOGIN, EMAIL)))
    assert await epoch_of(engine) == before + 1
    changed = await changed_since(engine, before)
    assert changed is not None
    assert EMAIL in changed
    assert "user_id:bob" not in changed


async def test_setting_an_identifier_apart_moves_the_epoch(engine: Engine) -> None:
    """Whoever knew the one user of a device learns that it has another owner now."""
    await receive(engine, Message("m1", (LOGIN, DEVICE)))
    before = await epoch_of(engine)
    await receive(engine, Message("m2", ("user_id:bob", DEVICE)))
    assert await epoch_of(engine) == before + 1
    assert DEVICE in (await changed_since(engine, before) or ())


async def test_changes_add_up_over_epochs(engine: Engine) -> None:
    """However long somebody did not ask, they learn of all that changed since, and of nothing before."""
    pairs = [(f"user_id:{number}", f"email:{number}@example.com") for number in range(5)]
    await receive(engine, *(Message(key, (key,)) for pair in pairs for key in pair))
    epochs = []
    for login, email in pairs:
        epochs.append(await epoch_of(engine))
        await receive(engine, Message(f"both {login}", (login, email)))
    emails = {email for _, email in pairs}
    for number, epoch in enumerate(epochs):
        changed = await changed_since(engine, epoch)
        assert changed is not None
        assert changed & emails == {email for _, email in pairs[number:]}
    assert await changed_since(engine, await epoch_of(engine)) == set()


async def test_other_processes_learn_what_changed(engine: Engine, store: Store) -> None:
    """The epoch belongs to the store, not to who made the change."""
    await receive(engine, Message("m1", (EMAIL,)), Message("m2", (LOGIN,)))
    async with store.another() as other:
        before = await epoch_of(other)
        await receive(engine, Message("m3", (LOGIN, EMAIL)))
        assert EMAIL in (await changed_since(other, before) or ())


async def test_an_epoch_from_long_ago_gets_all_changes_or_none(engine: Engine) -> None:
    """Who was away for very long is told everything, or that it is too long ago; never a part."""
    await write(engine, changes=owned(ANN, EMAIL))
    start = await epoch_of(engine)
    keys = [f"device_id:{number}" for number in range(1_100)]
    await write(engine, changes=owned(ANN, *keys))
    for number, key in enumerate(keys):
        await write(engine, changes=owned(PersonId(1_000 + number), key, shared=True))
    changed = await changed_since(engine, start)
    assert changed is None or changed >= set(keys)


# -- links and merges


async def test_links_are_told_with_their_first_evidence(engine: Engine) -> None:
    """Why two identifiers are one person is answered by the message that said so first."""
    first = Link(EMAIL, LOGIN, evidence("m1", NOW_MS), "same event")
    again = Link(EMAIL, LOGIN, evidence("m2", NOW_MS + 1, TILL), "alias")
    await write(engine, changes=Changes(owners=owned(ANN, EMAIL, LOGIN).owners, links=[first]))
    await write(engine, changes=Changes(links=[again]))
    assert (await engine.identity_of(ANN)).links == [first]


async def test_links_of_others_are_not_told(engine: Engine) -> None:
    """The evidence for a person is about them."""
    await receive(engine, Message("m1", (LOGIN, EMAIL)), Message("m2", ("user_id:bob", "email:bob@example.com")))
    ann = await read(engine, EMAIL)
    links = (await engine.identity_of(ann.person)).links
    assert [{link.a, link.b} for link in links] == [{LOGIN, EMAIL}]


async def test_a_merge_is_told_of_the_survivor_with_its_reason(engine: Engine) -> None:
    """Why a person has what another had is answered by the merge: which identifiers, which message, which rule."""
    merge = Merge(BOB, ANN, LOGIN, EMAIL, evidence("m3"), "same event")
    await write(engine, changes=Changes(owners=owned(ANN, LOGIN, EMAIL).owners, merges=[merge]))
    assert (await engine.identity_of(ANN)).merges == [merge]
    assert (await engine.identity_of(CAT)).merges == []


async def test_merges_of_merges_are_told_of_the_last_survivor(engine: Engine) -> None:
    """When those who were merged are merged again, the whole way is told, in order."""
    first = Merge(CAT, BOB, LOGIN, EMAIL, evidence("m1"), "same event")
    then = Merge(BOB, ANN, LOGIN, DEVICE, evidence("m2"), "alias")
    await write(engine, changes=Changes(owners=owned(ANN, LOGIN, EMAIL).owners, merges=[first]))
    await write(engine, changes=Changes(merges=[then]))
    assert (await engine.identity_of(ANN)).merges == [first, then]
    assert (await read(engine, EMAIL)).merged == [BOB, CAT]


async def test_people_merged_within_one_batch_are_all_merged(engine: Engine) -> None:
    """One append may join several people one after the other."""
    merges = [
        Merge(CAT, BOB, LOGIN, EMAIL, evidence("m1"), "same event"),
        Merge(BOB, ANN, LOGIN, DEVICE, evidence("m2"), "same event"),
    ]
    await write(engine, changes=Changes(owners=owned(ANN, LOGIN).owners, merges=merges))
    assert (await read(engine, LOGIN)).merged == [BOB, CAT]
    assert (await engine.identity_of(ANN)).merges == merges


async def test_there_is_no_evidence_for_nobody(engine: Engine) -> None:
    """Asking for a person that never was is answered with nothing."""
    assert await engine.identity_of(ANN) == ([], [], [])


# -- refusals and alarms


def refusal(person: PersonId, message_id: str = "m1", at: int = NOW_MS, key: str = DEVICE) -> LinkRefusal:
    """That a person did not get a device, because it is another's."""
    return LinkRefusal(key, person, RefusalReason.OTHER_PERSON, evidence(message_id, at))


async def test_a_refusal_is_told_of_the_person_it_was_refused_to(engine: Engine) -> None:
    """Why an identifier is not a person's is answered with the reason and the message."""
    over_cap = LinkRefusal(EMAIL, ANN, RefusalReason.OVER_CAP, evidence("m2", NOW_MS + 1))
    await write(engine, changes=Changes(refusals=[refusal(ANN), over_cap, refusal(BOB)]))
    assert (await engine.identity_of(ANN)).refusals == [refusal(ANN), over_cap]


async def test_refusals_to_those_who_became_part_of_a_person_are_told(engine: Engine) -> None:
    """A merge does not hide what was refused before it."""
    merge = Merge(BOB, ANN, LOGIN, EMAIL, evidence(), "same event")
    await write(engine, changes=Changes(owners=owned(ANN, LOGIN).owners, refusals=[refusal(BOB)]))
    await write(engine, changes=Changes(merges=[merge]))
    assert (await engine.identity_of(ANN)).refusals == [refusal(BOB)]


async def test_a_refusal_that_repeats_is_told_once_with_its_latest_evidence(engine: Engine) -> None:
    """A shared tablet is refused with each event; what is kept of that does not grow."""
    for number in range(3):
        await write(engine, changes=Changes(refusals=[refusal(ANN, f"m{number}", NOW_MS + number)]))
    assert (await engine.identity_of(ANN)).refusals == [refusal(ANN, "m2", NOW_MS + 2)]


async def test_an_identifier_refused_to_many_raises_an_alarm(engine: Engine) -> None:
    """People and refusals are counted, with the first and the last of them."""
    people = [PersonId(number) for number in range(1, 4)]
    for number, person in enumerate([*people, people[0]]):
        await write(engine, changes=Changes(refusals=[refusal(person, f"m{number}", NOW_MS + number)]))
    assert await engine.alarms(3, 10) == [Alarm(DEVICE, 3, 4, NOW_MS, NOW_MS + 3, "m3")]


async def test_an_alarm_takes_as_many_people_as_asked_for(engine: Engine) -> None:
    """Many refusals to one person are no alarm, nor is one person fewer than the degree."""
    refusals = [refusal(ANN), refusal(ANN, "m2"), refusal(ANN, "m3"), refusal(BOB)]
    await write(engine, changes=Changes(refusals=refusals))
    assert [alarm.people_count for alarm in await engine.alarms(2, 10)] == [2]
    assert await engine.alarms(3, 10) == []


async def test_alarms_come_with_most_refusals_first(engine: Engine) -> None:
    """The worst is at the top, and the limit cuts off the mildest."""
    refusals = [refusal(PersonId(n), f"m{n}", key=f"device_id:{k}") for k in (2, 5, 3) for n in range(k)]
    await write(engine, changes=Changes(refusals=refusals))
    assert [alarm.refusal_count for alarm in await engine.alarms(1, 10)] == [5, 3, 2]
    assert [alarm.identifier for alarm in await engine.alarms(1, 2)] == ["device_id:5", "device_id:3"]


# -- counting people


async def test_people_who_became_part_of_another_are_not_counted(engine: Engine) -> None:
    """Two people are two until they turn out to be one."""
    await receive(engine, Message("m1", (EMAIL,)), Message("m2", (LOGIN,)))
    assert await engine.person_count() == 2
    await receive(engine, Message("m3", (LOGIN, EMAIL)))
    assert await engine.person_count() == 1


async def test_people_without_identifiers_are_not_counted(engine: Engine) -> None:
    """Who lost their only identifier can't be met again."""
    await write(engine, changes=owned(ANN, DEVICE))
    await write(engine, changes=owned(BOB, DEVICE, shared=True))
    assert await engine.person_count() == 1


async def test_groups_are_not_counted_as_people(engine: Engine) -> None:
    """A company has a state of its own, as people have, but nobody would count it among them."""
    await write(engine, changes=owned(ANN, DEVICE))
    await write(engine, changes=owned(BOB, "group:initech"))
    assert await engine.person_count() == 1
    assert await engine.some_people(20) == [ANN]


async def test_some_people_are_spread_over_all_of_them_and_the_same_each_time(engine: Engine) -> None:
    """The oldest is among them; where ids lie far apart there are as many all the same."""
    assert await engine.some_people(20) == []
    ids = [PersonId(each) for each in (*range(1_000, 1_400), 900_000)]
    owners = {f"anonymous_id:{each}": (Owner(each), evidence()) for each in ids}
    await write(engine, changes=Changes(owners=owners | {"group:x": (Owner(PersonId(5)), evidence())}))
    some = await engine.some_people(20)
    assert len(set(some)) == 20
    assert some == sorted(some)
    assert some[0] == 1_000
    assert set(some) <= set(ids)
    assert await engine.some_people(20) == some
    assert await engine.some_people(1_000) == ids
    assert len(await engine.some_people(1)) == 1
