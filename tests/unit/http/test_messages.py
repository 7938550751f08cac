"""Messages that people send back over HTTP: obeyed at once, stored once, and kept nowhere."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from courtesy.consent.told import Told
from tests.unit.http.world import World, serving

PHONE = "/v1/people/phone/+4930123456"
TEXTS = "purpose=marketing&channel=sms&jurisdiction=DE"
MAILS = "purpose=marketing&channel=email&jurisdiction=DE"


async def write(world: World, text: str, message_id: str = "m1", **more: Any) -> dict[str, Any]:
    """What was understood of a text message."""
    answer = await world.post(f"{PHONE}/messages", {"id": message_id, "channel": "sms", "text": text, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def why(world: World, query: str = TEXTS) -> str:
    """Why they may be written to, or not."""
    answer = await world.get(f"{PHONE}/allowed?{query}")
    assert answer.status_code == 200, answer.text
    return str(answer.json()["why"])


async def told(world: World) -> list[Told]:
    """Their choices in the ledger."""
    return (await world.app.consents.told("phone", "+4930123456"))[1]


async def test_a_stop_is_obeyed_before_it_is_answered_and_a_start_takes_it_back() -> None:
    """Also of a number that nobody knew; by text only what comes by text."""
    async with serving() as world:
        found = await write(world, "Please STOP!")
        assert (found["meaning"], found["ask"], found["words"]) == ("stop", False, "stop")
        assert found["choices"] == [{"action": "withdraw", "purpose": "*", "channel": "sms"}]
        assert (await why(world), await why(world, MAILS)) == ("refused", "nothing_said")
        world.clock.set(world.clock.now_ms() + 1_000)
        assert (await write(world, "start", "m2"))["meaning"] == "start"
        assert await why(world) == "granted"


async def test_who_refuses_everything_is_obeyed_on_all_channels() -> None:
    """Marketing, whatever it comes by."""
    async with serving() as world:
        assert (await write(world, "Stop all"))["everything"] is True
        assert (await why(world), await why(world, MAILS)) == ("refused", "refused")


async def test_in_doubt_it_is_refused_and_to_be_asked() -> None:
    """So that nobody is written to meanwhile."""
    async with serving() as world:
        found = await write(world, "why do you keep texting me")
        assert (found["meaning"], found["ask"]) == ("unsure", True)
        assert await why(world) == "refused"


@pytest.mark.parametrize(("text", "meaning"), [("HELP", "help"), ("When do you open?", "nothing")])
async def test_what_chooses_nothing_stores_nothing(text: str, meaning: str) -> None:
    """Nobody comes to be known by it."""
    async with serving() as world:
        found = await write(world, text)
        assert (found["meaning"], found["choices"], found["position"]) == (meaning, [], None)
        assert (await world.get(PHONE)).status_code == 404


async def test_the_text_is_kept_as_its_digest_only_and_once() -> None:
    """However often the message is sent."""
    async with serving() as world:
        for _ in range(2):
            await write(world, "stop, it is about my illness", at="2025-11-01T10:00:00Z")
        (one,) = await told(world)
        assert one.choice.evidence is not None
        assert one.choice.evidence.message == sha256(b"stop, it is about my illness").hexdigest()
        assert (one.choice.method, one.message) == ("inbound message", "message:m1")
        assert "illness" not in (await world.get(f"{PHONE}/export")).text


async def test_what_cannot_be_stored_is_said() -> None:
    """A refusal must not be lost unheard: a paused source, a person's number, a key that only reads, no id."""
    async with serving() as world:
        body = {"id": "m1", "channel": "sms", "text": "stop"}
        assert (await world.post("/v1/people/person/7/messages", body)).status_code == 400
        assert (await world.post("/v1/people/phone/none/messages", body)).status_code == 400
        assert (await world.post(f"{PHONE}/messages", {**body, "id": ""})).status_code == 400
        reading = {"authorization": f"Bearer {world.read}"}
        assert (await world.post(f"{PHONE}/messages", body, headers=reading)).status_code == 403
        await world.change("PUT", "/v1/sources/shop", {"paused": True})
        assert (await world.post(f"{PHONE}/messages", body)).status_code == 409


async def test_what_only_sounds_like_a_refusal_is_one_until_they_say_otherwise() -> None:
    """Though no words decide; and what is not like one changes nothing."""
    async with serving() as world:
        found = await write(world, "You write a lot lately")
        assert (found["meaning"], found["ask"], found["words"]) == ("unsure", True, "")
        assert await why(world) == "refused"
        found = await write(world, "What time do you close today?", "m2")
        assert (found["meaning"], found["choices"]) == ("nothing", [])
