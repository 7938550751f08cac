"""Proofs: mails to one's own people as customers would get them, over a real mail server."""

from __future__ import annotations

from typing import Any

from courtesy.base.time import ManualClock
from courtesy.engine_memory import MemoryEngine
from tests.e2e.test_sending import post_office
from tests.unit.http.test_content import good, refused, write
from tests.unit.http.test_previews import ANN, SPRING
from tests.unit.http.world import NOW_MS, World, batch, serving

PROOFS = "/v1/proofs"
BOB = {"kind": "user_id", "value": "bob"}


async def set_up(world: World, port: int) -> None:
    """Two people of whom neither allows anything, a mail server, and an item."""
    told = [("ann", {"first_name": "Ann", "locale": "de"}), ("bob", {"first_name": "Bob"})]
    calls = [{"type": "identify", "userId": who, "messageId": who, "traits": traits} for who, traits in told]
    await world.post("/v1/batch", batch(*calls))
    config = {"sender": "Shop <hello@shop.example>", "host": "127.0.0.1", "port": port, "security": "none"}
    await good(world, "PUT", "/v1/connections/letters", {"component": "smtp", "config": config})
    await write(world, "campaign/spring", fields=SPRING)
    addresses = {"addresses": ["Ada@shop.example", "eve@shop.example"]}
    assert (await good(world, "PUT", "/v1/proof-addresses", addresses))["addresses"] == [
        "ada@shop.example", "eve@shop.example",
    ]  # fmt: skip


def ask(**more: Any) -> dict[str, Any]:
    """A proof of the campaign to ada."""
    return {"content": "campaign/spring", "to": ["ada@shop.example"], **more}


async def test_a_proof_is_the_mail_of_a_person_in_somebody_elses_mailbox() -> None:
    """Marked, without a way to unsubscribe by one click, with links that are nobody's; and of the person nothing is
    kept: no permit, no event, no count."""
    with post_office() as (office, port):
        async with serving(MemoryEngine(ManualClock(NOW_MS), 4), allow_private_webhooks=True) as world:
            await set_up(world, port)
            before = (await world.get("/v1/people/user_id/ann/events")).json()
            done = await good(world, "POST", PROOFS, ask(people=[ANN], to=["ada@shop.example", "EVE@shop.example"]))
            assert [(each["to"], each["locale"], each["outcome"]) for each in done["sent"]] == [
                ("ada@shop.example", "de", "accepted"), ("eve@shop.example", "de", "accepted"),
            ]  # fmt: skip
            letter = office.letters["ada@shop.example"]
            assert letter["subject"] == "[Proof] Frühling, Ann"
            assert letter["list-unsubscribe"] is None
            text = letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]
            assert "Dear Ann" in text
            assert "/u/sample" in text
            assert "/l/" not in text
            assert (await world.get("/v1/people/user_id/ann/events")).json() == before
            assert await world.app.engine.sends_of([world_person(before)]) == []


def world_person(events: dict[str, Any]) -> Any:
    """Whose events they are."""
    return int(events["person"])


async def test_it_is_noted_who_asked_and_where_it_went_before_it_leaves() -> None:
    """Also of a proof that no mail server takes."""
    async with serving(MemoryEngine(ManualClock(NOW_MS), 4), allow_private_webhooks=True) as world:
        await set_up(world, 1)
        done = await good(world, "POST", PROOFS, ask(people=[ANN, BOB]))
        assert [each["outcome"] for each in done["sent"]] == ["later", "later"]
        (note,) = (await world.get("/v1/content/items/campaign/spring/notes?settled=true")).json()["notes"]
        assert (note["kind"], note["by"], note["number"]) == ("proof", "admin", done["note"])
        assert note["text"] == "Proof of revision 1, as 2 people get it, to ada@shop.example"
        body = {"text": "no", "kind": "proof"}
        await refused(world, 400, "POST", "/v1/content/items/campaign/spring/notes", body)


async def test_a_proof_goes_only_where_it_is_permitted() -> None:
    """One address that is not permitted keeps all of it; so does a customer's, whatever they allow."""
    with post_office() as (office, port):
        async with serving(MemoryEngine(ManualClock(NOW_MS), 4), allow_private_webhooks=True) as world:
            await set_up(world, port)
            answer = await refused(world, 403, "POST", PROOFS, ask(to=["ada@shop.example", "ann@customer.example"]))
            assert answer["message"] == "ann@customer.example is no address for proofs"
            assert office.letters == {}
            notes = await world.get("/v1/content/items/campaign/spring/notes?settled=true")
            assert notes.json()["notes"] == []
            await refused(world, 400, "PUT", "/v1/proof-addresses", {"addresses": ["a@b.example\r\nBcc: c@d.example"]})
            await refused(world, 403, "POST", PROOFS, ask(), key=world.read)


async def test_a_connection_is_tried_out() -> None:
    """By a few words to a permitted address, and the mail server's answer."""
    with post_office() as (office, port):
        async with serving(MemoryEngine(ManualClock(NOW_MS), 4), allow_private_webhooks=True) as world:
            await set_up(world, port)
            path = "/v1/connections/letters/test"
            assert (await good(world, "POST", path, {"to": "eve@shop.example"}))["outcome"] == "accepted"
            assert office.letters["eve@shop.example"]["subject"] == "[Proof] letters"
            await refused(world, 403, "POST", path, {"to": "ann@customer.example"})
            await refused(world, 404, "POST", "/v1/connections/post/test", {"to": "eve@shop.example"})


async def test_what_can_not_be_proofed_says_why() -> None:
    """Nothing said by mail, and nothing connected that sends it."""
    async with serving(MemoryEngine(ManualClock(NOW_MS), 4)) as world:
        await set_up(world, 1)
        await write(world, "campaign/card", fields={"text": {"default": "Hello"}})
        await refused(world, 409, "POST", PROOFS, ask(content="campaign/card"))
        await refused(world, 404, "POST", PROOFS, ask(content="campaign/not-there"))
        await world.change("DELETE", "/v1/connections/letters")
        await refused(world, 409, "POST", PROOFS, ask())
