"""Inboxes over HTTP: who may see what waits, what ends it, and who listens."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.engine.delivery import IN_APP, InboxItem, MessageFate
from courtesy.runtime import inbox as inboxes
from tests.unit.http.test_offers import TEN_OFF, define, known
from tests.unit.http.world import NOW_MS, World, batch, serving

DAY_MS = 86_400_000


async def secret_of(world: World) -> str:
    """What the shop signs with."""
    return str((await world.get("/v1/sources/shop/identity-secret")).json()["secret"])


def proof(secret: str, user: str) -> str:
    """A signature, as the shop's server makes it."""
    return hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()


async def put(world: World, user: str, message: str) -> None:
    """Have a message wait for somebody."""
    people = await world.app.people.everyone("user_id", user)
    body = b'{"message":"%s","title":"Hello","token":"ours"}' % message.encode()
    await world.app.engine.put_inbox([InboxItem(people[0], message, IN_APP, body, NOW_MS, NOW_MS + DAY_MS)])


async def waiting(world: World, **query: str) -> Any:
    """What a page is told, or the status of a refusal."""
    answer = await world.get("/v1/inbox", key="", params={"writeKey": world.write, **query})
    return answer.status_code if answer.status_code != 200 else [each["message"] for each in answer.json()["messages"]]


async def test_only_a_signature_opens_the_inbox_of_a_user() -> None:
    """Neither the id, nor another's signature, nor an anonymous id that somebody tied to the user; nor another key."""
    async with serving() as world:
        await known(world, "ann", "bob")
        await put(world, "ann", "c/1")
        secret = await secret_of(world)
        assert await waiting(world, userId="ann", userHash=proof(secret, "ann")) == ["c/1"]
        assert await waiting(world, userId="ann", userHash=proof(secret, "bob")) == 403
        assert await waiting(world, userId="ann") == 403
        await world.post("/v1/batch", batch({"type": "identify", "userId": "ann", "anonymousId": "mine"}))
        assert await waiting(world, anonymousId="mine") == 403
        assert await waiting(world) == 400
        assert await waiting(world, anonymousId="never seen") == []
        for key, status in ((world.read, 403), ("wrong", 401)):
            answer = await world.get("/v1/inbox", key="", params={"writeKey": key, "anonymousId": "never seen"})
            assert answer.status_code == status


async def test_an_open_source_asks_for_no_signature() -> None:
    """For pages that only those can reach who may see everything."""
    async with serving() as world:
        await known(world, "ann")
        await put(world, "ann", "c/1")
        await world.change("PUT", "/v1/sources/shop", {"inbox_identity": "open"})
        assert await waiting(world, userId="ann") == ["c/1"]


async def test_sources_have_secrets_of_their_own_that_can_be_replaced() -> None:
    """No secret is another's, nor what it was once it was raised."""
    async with serving() as world:
        await world.change("PUT", "/v1/sources/other", {})
        first = await secret_of(world)
        other = (await world.get("/v1/sources/other/identity-secret")).json()["secret"]
        await world.change("PUT", "/v1/sources/shop", {"identity_secret": 1})
        assert len({first, other, await secret_of(world)}) == 3
        await known(world, "ann")
        assert await waiting(world, userId="ann", userHash=proof(first, "ann")) == 403
        assert (await world.get("/v1/sources/none/identity-secret")).status_code == 404
        assert (await world.get("/v1/sources/shop/identity-secret", key=world.read)).status_code == 403


async def test_a_visitor_known_by_anonymous_ids_alone_is_asked_for_nothing_more() -> None:
    """The id of the browser is a secret of its own; and what reports need is not told."""
    async with serving() as world:
        await world.post("/v1/batch", batch({"type": "page", "anonymousId": "mine", "messageId": "p"}))
        people = await world.app.people.everyone("anonymous_id", "mine")
        body = b'{"message":"c/1","token":"ours"}'
        await world.app.engine.put_inbox([InboxItem(people[0], "c/1", IN_APP, body, NOW_MS, NOW_MS + DAY_MS)])
        answer = await world.get("/v1/inbox", key="", params={"writeKey": world.write, "anonymousId": "mine"})
        (message,) = answer.json()["messages"]
        assert (message["message"], "token" in message) == ("c/1", False)


async def test_what_was_clicked_or_dismissed_is_over_and_counted_once() -> None:
    """By its event, told again too; seen alone ends nothing, and counts once; another's event ends nothing of ours."""
    async with serving() as world:
        await known(world, "ann", "bob")
        await put(world, "ann", "spring/1")
        signed = {"userId": "ann", "userHash": proof(await secret_of(world), "ann")}

        async def told(user: str, event: str) -> None:
            call = {"type": "track", "userId": user, "event": event, "properties": {"message": "spring/1"}}
            await world.post("/v1/batch", batch({**call, "messageId": f"{user}-{event}"}))

        await told("ann", "Message Seen")
        await told("ann", "Message Seen")
        await told("bob", "Message Dismissed")
        assert await waiting(world, **signed) == ["spring/1"]
        await told("ann", "Message Clicked")
        await told("ann", "Message Clicked")
        await told("ann", "Message Dismissed")
        assert await waiting(world, **signed) == []
        fates = await world.app.engine.message_fates("spring")
        assert fates == {MessageFate("spring", IN_APP, each, ""): 1 for each in ("seen", "clicked")}


async def test_what_was_withdrawn_waits_no_more() -> None:
    """Of whom it was, once; of anybody else there is nothing to withdraw."""
    async with serving() as world:
        await known(world, "ann", "bob")
        await put(world, "ann", "spring/1")
        path = "/v1/people/user_id/{}/messages/spring/1"
        statuses = [(await world.change("DELETE", path.format(each))).status_code for each in ("bob", "ann", "ann")]
        assert statuses == [404, 200, 404]
        assert await waiting(world, userId="ann", userHash=proof(await secret_of(world), "ann")) == []
        fates = await world.app.engine.message_fates("spring")
        assert fates == {MessageFate("spring", IN_APP, "withdrawn", ""): 1}


async def test_of_many_who_listen_each_hears_their_own_once() -> None:
    """One task waits for all; what they have already is not told; what ended is told to be gone."""
    async with serving() as world:
        await known(world, "ann", "bob")
        inbox = world.app.post.inbox
        people = {name: await world.app.people.everyone("user_id", name) for name in ("ann", "bob")}
        listeners = {name: inbox.listen(people[name]) for name in people}
        again = inbox.listen(people["ann"])
        again.skip("c/1")
        await put(world, "ann", "c/1")
        assert [each.message for each in (await listeners["ann"].hear(10)).fresh] == ["c/1"]
        assert await listeners["bob"].hear(0.2) == ([], [])
        assert await again.hear(0.2) == ([], [])
        await put(world, "ann", "c/2")
        assert [each.message for each in (await again.hear(10)).fresh] == ["c/2"]
        assert await inbox.withdraw(people["ann"], "c/1")
        heard = await listeners["ann"].hear(10)
        heard = heard if heard.gone else await listeners["ann"].hear(10)
        assert heard.gone == ["c/1"]
        inbox.stop()
        assert await listeners["bob"].hear(10) == ([], [])
        assert listeners["bob"].is_over


async def test_no_more_listen_than_there_is_room_for(monkeypatch: Any) -> None:
    """The next one is told to ask now and then; whoever leaves makes room."""
    monkeypatch.setattr(inboxes, "LISTENERS_MAX", 1)
    async with serving() as world:
        await world.post("/v1/batch", batch({"type": "page", "anonymousId": "mine", "messageId": "p"}))
        first = world.app.post.inbox.listen([PersonId(1)])
        query = {"writeKey": world.write, "anonymousId": "mine"}
        answer = await world.get("/v1/inbox/live", key="", params=query)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many")
        assert (await world.get("/v1/inbox/live", key="", params={**query, "anonymousId": "new"})).status_code == 404
        world.app.post.inbox.leave(first)
        world.app.post.inbox.leave(world.app.post.inbox.listen([PersonId(1)]))
        world.app.post.inbox.stop()
        await asyncio.sleep(0)


async def test_places_show_each_offer_once_and_replies_reach_the_ledger() -> None:
    """By who may have them, as they look there; declined, one is shown no more on any channel."""
    async with serving() as world:
        await known(world, "ann")
        look = {"placements": {"hero": {"text": "Hero"}, "footer": {"text": "Footer"}, "till": {}}}
        await define(world, "ten", TEN_OFF, **look)
        signed = {"writeKey": world.write, "userId": "ann", "userHash": proof(await secret_of(world), "ann")}

        async def shown() -> Any:
            answer = await world.get("/v1/placements", key="", params={**signed, "names": "hero,footer,none"})
            return {name: each and each["look"]["text"] for name, each in answer.json()["placements"].items()}

        assert await shown() == {"hero": "Hero", "footer": None, "none": None}
        reply = {**signed, "offer": "ten", "placement": "hero", "request": "r1"}
        granted = await world.post("/v1/placements/replies", {**reply, "reply": "accepted"}, headers={})
        assert granted.json()["granted"]["granted"] is True
        assert (
            await world.post("/v1/placements/replies", {**reply, "userHash": "", "reply": "declined"}, headers={})
        ).status_code == 403
        await world.post("/v1/placements/replies", {**reply, "reply": "declined", "request": "r2"}, headers={})
        assert await shown() == {"hero": None, "footer": None, "none": None}
        for names in ("", ",".join(f"n{number}" for number in range(11))):
            assert (await world.get("/v1/placements", key="", params={**signed, "names": names})).status_code == 400
