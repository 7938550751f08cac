"""Consent over HTTP: told like any call, asked with the choices and the rule that decided, now and of the past."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from courtesy.base.time import DAY_MS, MINUTE_MS, to_iso
from courtesy.http.consent import AllowedView, ChoicesView
from courtesy.runtime.sealer import Sealer, signing_key
from tests.unit.http.world import NOW_MS, World, batch, serving

ANN = "/v1/people/user_id/ann"


async def tell(world: World, message_id: str, *choices: dict[str, Any], at: int = NOW_MS, **more: Any) -> None:
    """Ann chooses."""
    call = {"messageId": message_id, "userId": "ann", "timestamp": to_iso(at), "choices": list(choices), **more}
    answer = await world.post("/v1/consent", call)
    assert answer.json()["results"] == [], answer.text


async def live(world: World, **traits: Any) -> None:
    """Ann says where she lives."""
    await world.post("/v1/batch", batch({"type": "identify", "userId": "ann", "messageId": "home", "traits": traits}))


async def ask(world: World, query: str, who: str = ANN) -> dict[str, Any]:
    """The answer to a question about Ann."""
    answer = await world.get(f"{who}/allowed?{query}")
    assert answer.status_code == 200, answer.text
    msgspec.json.decode(answer.content, type=AllowedView)
    found: dict[str, Any] = answer.json()
    return found


MAIL = {"purpose": "marketing", "channel": "email"}
QUERY = "purpose=marketing&channel=email"


async def test_a_choice_is_obeyed_as_soon_as_it_is_told() -> None:
    """The choice that decided is named, with the rule, its policy and its source."""
    async with serving() as world:
        await live(world, country="Germany")
        assert (await ask(world, QUERY))["why"] == "nothing_said"
        await tell(world, "c1", {"action": "grant", **MAIL, "policy": "privacy-7"})
        yes = await ask(world, QUERY)
        assert (yes["allowed"], yes["why"], yes["jurisdiction"]) == (True, "granted", "DE")
        assert (yes["rule"], yes["policy"]) == ("email_soft_opt_in", "gdpr-eprivacy@17676")
        assert [(each["action"], each["channel"]) for each in yes["choices"]] == [("grant", "email")]
        await tell(world, "c2", {"action": "withdraw", **MAIL}, at=NOW_MS + 1)
        no = await ask(world, QUERY)
        assert (no["allowed"], no["why"], no["choices"][0]["action"]) == (False, "refused", "withdraw")
        assert no["choices"][0]["id"] != yes["choices"][0]["id"]


async def test_where_somebody_lives_says_which_law_counts() -> None:
    """By their traits, unless the question says it; with no place known it is the strictest."""
    async with serving() as world:
        await live(world, address={"country": "USA", "state": "ca"})
        found = await ask(world, QUERY)
        assert (found["jurisdiction"], found["why"], found["rule"]) == ("US-CA", "not_refused", "email_opt_out")
        assert (await ask(world, f"{QUERY}&jurisdiction=FR"))["why"] == "nothing_said"
    async with serving() as world:
        await live(world, plan="gold")
        found = await ask(world, QUERY)
        assert (found["jurisdiction"], found["policy"]) == ("*", "courtesy@0")


async def test_texts_go_by_the_clock_where_somebody_is() -> None:
    """By their time zone, unless the question says what time it is there."""
    async with serving() as world:
        await live(world, country="US", timezone="America/Los_Angeles")
        await tell(world, "c1", {"action": "grant", "purpose": "marketing"})
        at = "2025-11-22T12:00:00Z"  # 04:00 in Los Angeles
        found = await ask(world, f"purpose=marketing&channel=sms&at={at}")
        assert (found["why"], found["local_time"]) == ("quiet_hours", "04:00")
        assert (await ask(world, f"purpose=marketing&channel=sms&at={at}&local_time=10:00"))["why"] == "granted"


async def test_the_past_is_asked_by_what_was_known_then() -> None:
    """A refusal that came late: lawful on what was known, and known better today."""
    async with serving() as world:
        await live(world, country="DE")
        await tell(world, "c1", {"action": "grant", **MAIL}, at=NOW_MS - 10 * DAY_MS)
        known = to_iso(world.clock.now_ms())
        world.clock.set(world.clock.now_ms() + DAY_MS)
        await tell(world, "c2", {"action": "withdraw", **MAIL}, at=NOW_MS - 5 * DAY_MS)
        then = to_iso(NOW_MS - MINUTE_MS)
        assert (await ask(world, f"{QUERY}&at={then}&known={known}"))["why"] == "granted"
        assert (await ask(world, f"{QUERY}&at={then}"))["why"] == "refused"
        assert (await ask(world, f"{QUERY}&at={to_iso(NOW_MS - 6 * DAY_MS)}"))["why"] == "granted"
        assert (await ask(world, f"{QUERY}&at={to_iso(NOW_MS - 11 * DAY_MS)}"))["why"] == "nothing_said"


async def test_a_question_of_the_past_alone_has_the_answer_that_today_gives_it() -> None:
    """Where the question says place and time of day, today's state is not read: neither the answer nor who is nobody
    changes by that, before anything was said and after."""
    async with serving() as world:
        at = to_iso(NOW_MS - MINUTE_MS)
        alone = f"{QUERY}&at={at}&jurisdiction=DE&local_time=12:00"
        await live(world, country="DE")
        for told in ("nothing_said", "granted", "refused"):
            known = to_iso(world.clock.now_ms())
            found = await ask(world, f"{alone}&known={known}")
            assert found["why"] == told
            assert found == await ask(world, f"{QUERY}&at={at}&known={known}&local_time=12:00")
            world.clock.set(world.clock.now_ms() + DAY_MS)
            action, days = ("grant", 10) if told == "nothing_said" else ("withdraw", 5)
            await tell(world, f"after-{told}", {"action": action, **MAIL}, at=NOW_MS - days * DAY_MS)
        nobody = await world.get(f"/v1/people/person/9999/allowed?{alone}&known={to_iso(world.clock.now_ms())}")
        assert nobody.status_code == 404


async def test_two_who_become_one_keep_the_stricter_until_they_say_so_as_one() -> None:
    """The device refused, the account allowed; a choice of the account afterwards speaks for both."""
    async with serving() as world:
        await live(world, country="DE")
        device = {"anonymousId": "d1", "userId": None}
        await tell(world, "c1", {"action": "object", **MAIL}, at=NOW_MS - DAY_MS, **device)
        await tell(world, "c2", {"action": "grant", **MAIL})
        assert (await ask(world, QUERY))["why"] == "granted"
        await tell(world, "link", {"action": "set", **MAIL, "value": "weekly"}, anonymousId="d1")
        assert (await ask(world, QUERY))["why"] == "refused"
        await tell(world, "c3", {"action": "grant", **MAIL}, at=NOW_MS + 1)
        assert (await ask(world, QUERY))["why"] == "granted"


async def test_choices_are_listed_and_corrected() -> None:
    """Also with the person; a correction takes a choice out of account, whatever came since."""
    async with serving() as world:
        await tell(world, "c1", {"action": "grant", **MAIL}, {"action": "set", **MAIL, "topic": "hats", "value": 3})
        listed = await world.get(f"{ANN}/choices")
        found = msgspec.json.decode(listed.content, type=ChoicesView).choices
        assert {(each.action, each.topic, each.value) for each in found} == {("grant", "*", None), ("set", "hats", 3)}
        assert (await world.get(ANN)).json()["choices"] == listed.json()["choices"]
        grant = next(each.id for each in found if each.action == "grant")
        await tell(world, "c2", {"action": "correct", "corrects": grant})
        assert [each["action"] for each in (await world.get(f"{ANN}/choices")).json()["choices"]] == ["set"]


async def test_a_wrong_choice_waits_in_quarantine() -> None:
    """With its reason and nothing lost."""
    async with serving() as world:
        call = {"messageId": "c1", "userId": "ann", "choices": [{"action": "allow", "purpose": "marketing"}]}
        (result,) = (await world.post("/v1/consent", call)).json()["results"]
        assert (result["fate"], result["cause"]) == ("quarantined", "choice_unreadable")
        assert "allow" in result["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "channel=email",
        "purpose=marketing",
        "purpose=*&channel=email",
        f"{QUERY}&jurisdiction=Germany",
        f"{QUERY}&at=yesterday",
        f"{QUERY}&known=then",
        f"{QUERY}&local_time=25:00",
        f"{QUERY}&known=2025-01-01T00:00:00Z&after=1",
        f"{QUERY}&chanel=sms",
    ],
)
async def test_a_question_that_makes_no_sense_is_an_error_that_says_why(query: str) -> None:
    """Never a yes."""
    async with serving() as world:
        await live(world, country="DE")
        answer = await world.get(f"{ANN}/allowed?{query}")
        assert answer.status_code == 400
        assert answer.json()["message"]


async def test_nobody_is_nobody() -> None:
    """Who is not known can't be asked about, nor who was not known then."""
    async with serving() as world:
        assert (await world.get(f"{ANN}/allowed?{QUERY}")).status_code == 404
        assert (await world.get(f"{ANN}/choices")).status_code == 404
        await live(world, country="DE")
        assert (await world.get(f"{ANN}/allowed?{QUERY}&known=2001-01-01T00:00:00Z")).status_code == 404


async def test_the_ledger_proves_itself_to_everybody(tmp_path: Path) -> None:
    """The key, the last checkpoint, an entry, and that it only grew; before anything was signed it says so."""
    async with serving(data=str(tmp_path)) as world:
        for path in ("checkpoint", "key"):
            assert (await world.get(f"/v1/ledger/{path}", key="")).status_code == 404
        sealer = Sealer(world.app.engine, signing_key(tmp_path), world.clock)
        await tell(world, "c1", {"action": "grant", **MAIL})
        first = await sealer.seal()
        await tell(world, "c2", {"action": "withdraw", **MAIL}, {"action": "set", **MAIL, "value": 1})
        last = await sealer.seal()
        assert (await world.get("/v1/ledger/checkpoint", key="")).text == last.text()
        assert (await world.get("/v1/ledger/key", key="")).text == f"{signing_key(tmp_path).public.text()}\n"
        proof = (await world.get("/v1/ledger/entries/2/proof")).json()
        assert (proof["checkpoint"], len(proof["path"])) == (last.text(), 1)
        grown = (await world.get("/v1/ledger/consistency?older=1&newer=3", key="")).json()
        assert (grown["older"], grown["newer"]) == (first.text(), last.text())
        for path, status in (("entries/3/proof", 400), ("entries/x/proof", 400), ("consistency?older=2&newer=3", 404)):
            assert (await world.get(f"/v1/ledger/{path}")).status_code == status
        assert (await world.get("/v1/ledger/entries/0/proof", key="")).status_code == 401
