"""The export of a person over HTTP."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from courtesy.base.ids import PersonId
from courtesy.engine.contract import FoldCommit
from courtesy.engine.outbox import EffectState, NewEffect, Settlement
from courtesy.http.export import PersonExport
from courtesy.runtime.fold import FoldWorker
from tests.unit.http.test_consent import MAIL, tell
from tests.unit.http.test_people import store
from tests.unit.http.test_permits import permit, sent
from tests.unit.http.test_permits import told as tell_sends
from tests.unit.http.world import NOW_MS, World, batch, serving, track

HOSTILE = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a\u0000b\u001b[2J", "‮evil", "x" * 20_000]


async def export(world: World, who: str = "user_id/ann") -> PersonExport:
    """The JSON document, proven to be what its declaration says."""
    response = await world.get(f"/v1/people/{who}/export")
    assert response.status_code == 200, response.text
    return msgspec.json.decode(response.content, type=PersonExport)


async def test_all_that_is_held_of_a_person_is_in_their_export() -> None:
    """Traits with origins and standard forms, identifiers, links, events in order, groups, and nobody else's."""
    async with serving() as world:
        await store(
            world,
            track("a", anonymousId="d-1"),
            {"type": "identify", "userId": "ann", "messageId": "b", "traits": {"email": "Ann@X.org", "name": "Ann"}},
            {"type": "group", "userId": "ann", "groupId": "acme", "messageId": "c"},
            track("z", "bob"),
        )
        told = await export(world, "email/ann@x.org")
        assert [each.message_id for each in told.events] == ["a", "b", "c"]
        assert {each.kind for each in told.person.identifiers} == {"user_id", "anonymous_id", "email"}
        assert told.person.trait_origins["email"].source == "shop"
        assert told.person.standard["email"].raw == "Ann@X.org"
        assert [each.group for each in told.person.groups] == ["acme"]
        assert len(told.links) == 2
        assert "bob" not in msgspec.json.encode(told).decode()


async def test_what_a_merge_and_its_undoing_left_is_exported() -> None:
    """The correction, with who made it and why, and the merge that does not hold any more."""
    async with serving() as world:
        await store(world, track("a"), {"type": "track", "event": "Seen", "anonymousId": "d-1", "messageId": "d"})
        other = {"other": {"kind": "anonymous_id", "value": "d-1"}, "reason": "a call"}
        for verb in ("merge", "unmerge"):
            answer = await world.change("POST", f"/v1/people/user_id/ann/{verb}", other)
            assert answer.status_code == 200, answer.text
            if verb == "merge":
                assert (await export(world)).merges[0].reason == "a call"
                await fold(world)
        told = await export(world)
        assert [each.kind for each in told.corrections] == ["merge", "unmerge"]
        assert [each.reason for each in told.merges_undone] == ["a call"]
        assert told.merges == []


async def test_what_could_be_sent_and_what_was_is_exported() -> None:
    """To them alone, with the basis."""
    async with serving() as world:
        await store(world, track("a"), track("z", "bob"))
        for user in ("ann", "bob"):
            await tell(world, f"c-{user}", {"action": "grant", **MAIL}, userId=user)
            await permit(world, value=user, message=f"to-{user}")
            assert await tell_sends(world, sent(value=user, message=f"to-{user}")) == [None]
        told = await export(world)
        assert [(each.message, each.basis) for each in told.permits] == [("to-ann", "consent")]
        assert [each.message for each in told.sends] == ["to-ann"]
        page = (await world.get("/v1/people/user_id/ann/export?format=html")).text
        assert ("to-ann" in page, "to-bob" in page) == (True, False)


async def fold(world: World) -> None:
    """Fold everything."""
    worker = FoldWorker(world.app.engine, world.app.catalog.catalog, world.clock, "w")
    await worker.claim()
    while await worker.fold_once():
        pass


async def test_held_events_that_name_the_person_are_found_among_many() -> None:
    """However they are broken, by any identifier of the person, and no others."""
    async with serving() as world:
        await store(world, {"type": "identify", "userId": "ann", "traits": {"email": "ann@x.org"}, "messageId": "a"})
        broken: list[Any] = [{"type": "nonsense", "userId": f"u-{number}"} for number in range(700)]
        broken[3] = {"type": "nonsense", "userId": "ann"}
        broken[650] = {"type": "track", "traits": {"email": "ANN@x.org"}}
        broken[651] = {"type": "track", "properties": {"note": "ann"}}
        await world.post("/v1/batch", batch(*broken))
        told = await export(world)
        assert [msgspec.json.decode(each.raw) for each in told.held] == [broken[3], broken[650]]


async def test_effects_are_exported_with_their_outcomes() -> None:
    """What was called because of the person, and what became of it."""
    async with serving() as world:
        await store(world, track("a"))
        engine = world.app.engine
        person = PersonId(int((await export(world)).person.person))
        leases = await engine.claim("w", 16, 60_000)
        effects = [NewEffect(bytes(15) + b"1", "webhook", person, "crm", b"{}", NOW_MS)]
        await engine.commit_fold(FoldCommit(leases, {each.partition: each.folded for each in leases}, effects=effects))
        (claimed,) = await engine.claim_effects("webhook", NOW_MS, 1_000, 5)
        await engine.settle(Settlement(claimed.key, 1, EffectState.FAILED, "gone", "410", NOW_MS))
        (effect,) = (await export(world)).effects
        assert (effect.target, effect.state, effect.cause, effect.detail) == ("crm", "failed", "gone", "410")


@pytest.mark.parametrize("value", HOSTILE)
async def test_hostile_values_stay_text(value: str) -> None:
    """In traits, names and identifiers: JSON gives them back whole, the page has no element that it should not."""
    async with serving() as world:
        call = {"type": "track", "event": "Bought", "userId": "ann", "properties": {value[:100]: value}}
        await store(world, {**call, "messageId": "a", "context": {"traits": {"name": value[:3_000]}}})
        assert (await export(world)).events[0].properties == {value[:100]: value}
        response = await world.get("/v1/people/user_id/ann/export?format=html")
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")
        assert response.headers["content-disposition"].startswith("attachment")
        assert "<script" not in response.text
        assert "<img" not in response.text
        assert "\0" not in response.text


async def test_a_person_with_five_thousand_events_is_exported_whole() -> None:
    """In order, in both forms."""
    async with serving() as world:
        for start in range(0, 5_000, 1_000):
            await store(world, *(track(f"m{number}") for number in range(start, start + 1_000)))
        assert [each.message_id for each in (await export(world)).events] == [f"m{number}" for number in range(5_000)]
        response = await world.get("/v1/people/user_id/ann/export?format=html")
        assert response.text.count("<bdi>Bought</bdi>") == 5_001


async def test_only_an_admin_key_exports() -> None:
    """And nobody is told who is there."""
    async with serving() as world:
        await store(world, track("a"))
        for who in ("ann", "nobody"):
            response = await world.get(f"/v1/people/user_id/{who}/export", world.read)
            assert response.status_code == 403
        assert (await world.get("/v1/people/user_id/nobody/export")).status_code == 404
