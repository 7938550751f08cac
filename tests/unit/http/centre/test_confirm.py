"""Double opt-in over HTTP: asked for, nothing allowed; confirmed by a press, in the ledger once with its evidence."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from courtesy.base.time import DAY_MS, to_iso
from courtesy.event.choice import Action, Basis, Choice
from courtesy.http.centre.texts import LOCALES
from tests.unit.http.centre.test_centre import ANN, KEY, choices, define, known, look, may, told
from tests.unit.http.world import NOW_MS, World, serving

HASH = "ab" * 32
MAIL = {"purpose": "marketing", "channel": "email", "policy": "privacy-7", "evidence": {"notice": HASH, "form": HASH}}


async def asked(world: World, *wanted: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A link to confirm that Ann wants this, as it is answered."""
    await known(world)
    answer = await world.change("POST", f"{ANN}/links", {"kind": "confirm", "choices": list(wanted) or [MAIL], **more})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def press(world: World, path: str) -> httpx.Response:
    """Press the button of the page, as a browser without scripts does."""
    (form,) = (await look(world, path)).forms
    return await world.client.post(form.action, data=form.sent(press="confirm"))


async def test_what_was_asked_for_is_allowed_once_it_is_confirmed() -> None:
    """Opening the page changes nothing; the choice has the evidence of both steps and names the first."""
    async with serving(link_key=KEY) as world:
        made = await asked(world, request="newsletter form 12")
        assert (made["kind"], made["request"]) == ("confirm", "newsletter form 12")
        assert made["expires"] == to_iso((NOW_MS + 7 * DAY_MS) // 1_000 * 1_000)
        page = await look(world, f"{made['path']}?lang=en")
        assert "E-mail" in page.text
        assert (await choices(world), await may(world)) == ([], False)
        world.clock.set(NOW_MS + 5)
        answer = await press(world, f"{made['path']}?lang=de")
        assert (answer.status_code, answer.headers["content-language"]) == (200, "de")
        assert "es ist bestätigt" in answer.text
        assert await may(world)
        (fact,) = await told(world)
        (choice,) = fact.choices
        assert isinstance(choice, Choice)
        assert (choice.action, choice.basis, choice.held_from) == (Action.GRANT, Basis.CONSENT, NOW_MS + 5)
        assert (choice.method, choice.request, choice.policy) == ("double opt-in", "newsletter form 12", "privacy-7")
        assert choice.evidence is not None
        assert (choice.evidence.double_opt_in, choice.evidence.affirmative) == (True, True)
        assert (choice.evidence.notice, choice.evidence.form, choice.evidence.locale) == (HASH, HASH, "de")


async def test_a_link_confirms_once_also_when_it_was_taken_back_since() -> None:
    """However often it is pressed: an old mail must not undo a later refusal."""
    async with serving(link_key=KEY) as world:
        made = await asked(world, MAIL, {"purpose": "marketing", "channel": "sms"})
        assert made["request"].startswith("confirm-")
        for number in range(3):
            world.clock.set(NOW_MS + number)
            assert (await press(world, made["path"])).status_code == 200
        assert {(each["action"], each["channel"]) for each in await choices(world)} == {
            ("grant", "email"),
            ("grant", "sms"),
        }
        world.clock.set(NOW_MS + 10)
        withdraw = {"action": "withdraw", "purpose": "marketing"}
        await world.post("/v1/consent", {"userId": "ann", "messageId": "w", "choices": [withdraw]})
        world.clock.set(NOW_MS + 6 * DAY_MS)
        await press(world, made["path"])
        assert not await may(world)


async def test_a_link_that_ran_out_or_is_another_confirms_nothing() -> None:
    """Nor does a call that is no press of its button."""
    async with serving(link_key=KEY) as world:
        made = await asked(world, days=2)
        path = made["path"]
        assert (await world.client.post(path)).status_code == 400
        assert (await world.client.post(path, data={"confirm": "no"})).status_code == 400
        assert (await world.client.post(path.replace("/c/", "/u/"), data={"confirm": "yes"})).status_code == 404
        assert (await world.client.post(f"{path}x", data={"confirm": "yes"})).status_code == 404
        world.clock.set(NOW_MS + 2 * DAY_MS)
        assert (await world.client.post(path, data={"confirm": "yes"})).status_code == 410
        assert await choices(world) == []


async def test_the_pages_are_in_the_languages_and_the_brand_of_the_centre() -> None:
    """What was asked for in the words of the shop."""
    async with serving(link_key=KEY) as world:
        made = await asked(world, {"purpose": "marketing", "channel": "email", "topic": "hats"})
        await define(world)
        titles = set()
        for locale in LOCALES:
            page = await look(world, f"{made['path']}?lang={locale}")
            assert page.attributes["lang"] == locale
            assert "Shoes & More" in page.text
            titles.add(page.text)
        assert len(titles) == len(LOCALES)
        assert "Hüte" in (await look(world, f"{made['path']}?lang=de")).text


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"kind": "confirm"}, "choices"),
        ({"kind": "confirm", "choices": [MAIL], "purpose": "marketing"}, "choices"),
        ({"kind": "confirm", "choices": [{"purpose": "*"}]}, "choices[0]"),
        ({"kind": "confirm", "choices": [{"purpose": "news", "topic": "Health"}]}, "choices[0]"),
        ({"kind": "confirm", "choices": [{**MAIL, "topic": f"{'x' * 90}{at}"} for at in range(10)]}, "choices"),
        ({"kind": "preferences", "choices": [MAIL]}, "choices"),
        ({"kind": "unsubscribe", "purpose": "marketing", "request": "r"}, "choices"),
    ],
)
async def test_what_makes_no_link_says_why(body: dict[str, Any], place: str) -> None:
    """With the place that is wrong."""
    async with serving(link_key=KEY) as world:
        await known(world)
        answer = await world.change("POST", f"{ANN}/links", body)
        assert (answer.status_code, answer.json()["place"]) == (400, place)
