"""Permits over HTTP: asked for before a message leaves, listed, asked again, and joined to what left."""

from __future__ import annotations

import csv
from hashlib import sha256
from typing import Any

import httpx
import msgspec
import pytest

from courtesy.base.time import DAY_MS, HOUR_MS, MINUTE_MS, to_iso
from courtesy.http.permits import (
    PermitPage,
    PermitsView,
    ReceivedPage,
    ReceivedView,
    RecheckView,
    SendsView,
    ToldView,
)
from courtesy.runtime.catalog import Scope
from courtesy.runtime.days import span_of_day
from courtesy.runtime.permits import LIVES_MS
from tests.unit.http.test_consent import MAIL, live, tell
from tests.unit.http.world import NOW_MS, World, batch, serving

HASH = sha256(b"hello").hexdigest()
LETTER = {"kind": "user_id", "value": "ann", **MAIL, "message": "spring-1", "message_hash": HASH}


async def ask(world: World, *letters: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers to what is to leave."""
    answer = await world.change("POST", "/v1/permits", {"permits": list(letters)})
    assert answer.status_code == 200, answer.text
    msgspec.json.decode(answer.content, type=PermitsView)
    found: list[dict[str, Any]] = answer.json()["answers"]
    return found


async def permit(world: World, **fields: Any) -> dict[str, Any]:
    """The permit for a letter to Ann."""
    (answer,) = await ask(world, {**LETTER, **fields})
    assert answer["permit"] is not None, answer
    found: dict[str, Any] = answer["permit"]
    return found


async def told(world: World, *sends: dict[str, Any]) -> list[str | None]:
    """What is wrong with what left."""
    answer = await world.change("POST", "/v1/audit/sends", {"sends": list(sends)})
    assert answer.status_code == 200, answer.text
    return [each.fault for each in msgspec.json.decode(answer.content, type=ToldView).sends]


async def recheck(world: World, query: str = "") -> RecheckView:
    """What asking again comes to."""
    answer = await world.get(f"/v1/audit/differences{query}")
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=RecheckView)


def sent(**fields: Any) -> dict[str, Any]:
    """The letter to Ann left."""
    return {"message": "spring-1", "kind": "user_id", "value": "ann", "channel": "email", "at": NOW_MS, **fields}


async def test_a_permit_says_on_what_it_rests() -> None:
    """The choice, its basis, the rule with its policy and source; it holds for a minute, and is listed as it was."""
    async with serving() as world:
        await live(world, country="DE")
        await tell(world, "c1", {"action": "grant", **MAIL})
        found = await permit(world)
        (choice,) = (await world.get("/v1/people/user_id/ann/choices")).json()["choices"]
        assert (found["why"], found["basis"], found["choices"]) == ("granted", "consent", [choice["id"]])
        assert (found["rule"], found["policy"]) == ("email_soft_opt_in", "gdpr-eprivacy@17676")
        assert (found["message"], found["message_hash"], found["jurisdiction"]) == ("spring-1", HASH, "DE")
        assert (found["issued"], found["expires"]) == (to_iso(NOW_MS), to_iso(NOW_MS + MINUTE_MS))
        assert LIVES_MS <= MINUTE_MS
        assert (await world.get("/v1/audit/permits")).json() == {"permits": [found], "next": None}


async def test_a_refusal_says_why() -> None:
    """As whoever asks without sending is told; of somebody unknown, that nobody is there; and nothing is kept."""
    async with serving() as world:
        await live(world, country="DE")
        unasked, nobody = await ask(world, LETTER, {**LETTER, "value": "bob"})
        assert (unasked["permit"], unasked["refusal"]["why"]) == (None, "nothing_said")
        assert nobody["refusal"]["why"] == "nobody"
        await tell(world, "c1", {"action": "withdraw", **MAIL})
        (refused,) = await ask(world, LETTER)
        assert (refused["refusal"]["why"], len(refused["refusal"]["choices"])) == ("refused", 1)
        assert (await world.get("/v1/audit/permits")).json()["permits"] == []


async def test_many_are_asked_for_at_once() -> None:
    """Each is answered in its place, and numbers rise."""
    async with serving() as world:
        people = [{"type": "identify", "userId": f"u{n}", "messageId": f"m{n}"} for n in range(40)]
        await world.post("/v1/batch", batch(*people))
        for number in range(0, 40, 2):
            await tell(world, f"c{number}", {"action": "grant", **MAIL}, userId=f"u{number}")
        answers = await ask(world, *({**LETTER, "value": f"u{n}", "message": f"to-{n}"} for n in range(40)))
        assert [each["message"] for each in answers] == [f"to-{n}" for n in range(40)]
        assert [each["permit"] is not None for each in answers] == [n % 2 == 0 for n in range(40)]
        numbers = [int(each["permit"]["permit"]) for each in answers if each["permit"]]
        assert numbers == sorted(set(numbers))
        pages: list[str] = []
        query = "?limit=7"
        while True:
            page = msgspec.json.decode((await world.get(f"/v1/audit/permits{query}")).content, type=PermitPage)
            pages += [each.message for each in page.permits]
            if page.next is None:
                break
            query = f"?limit=7&after={page.next}"
        assert pages == [f"to-{n}" for n in range(0, 40, 2)]
        found = await recheck(world, "?limit=7")
        assert (found.checked, found.next is not None) == (7, True)


async def test_permits_are_found_by_what_they_are_for() -> None:
    """By channel, purpose, message and span."""
    async with serving() as world:
        await live(world, country="US", timezone="America/New_York")
        await tell(world, "c1", {"action": "grant", "purpose": "marketing"})
        await tell(world, "c2", {"action": "grant", "purpose": "news"})
        world.clock.set(NOW_MS + DAY_MS // 2)
        await permit(world)
        await permit(world, channel="sms", message="spring-2")
        world.clock.advance(DAY_MS)
        await permit(world, purpose="news", message="spring-3")
        noon = to_iso(NOW_MS + DAY_MS)

        async def messages(query: str) -> list[str]:
            return [each["message"] for each in (await world.get(f"/v1/audit/permits?{query}")).json()["permits"]]

        assert await messages("channel=sms") == ["spring-2"]
        assert await messages("purpose=news") == ["spring-3"]
        assert await messages("message=spring-1") == ["spring-1"]
        assert await messages(f"to={noon}") == ["spring-1", "spring-2"]
        assert await messages(f"from={noon}") == ["spring-3"]
        assert (await recheck(world)).checked == 3


async def test_what_left_is_joined_to_its_permit() -> None:
    """Without one, after it had ended, or with that of another message, it is found; told again, it counts once."""
    async with serving() as world:
        await tell(world, "c1", {"action": "grant", **MAIL})
        await permit(world)
        sends = [
            sent(at=to_iso(NOW_MS + 1), message_hash=HASH),
            sent(at=NOW_MS + MINUTE_MS),
            sent(at=NOW_MS - 1),
            sent(message="spring-2"),
            sent(message_hash=sha256(b"other").hexdigest(), at=NOW_MS + 2),
            sent(channel="sms"),
            sent(value="bob"),
        ]
        faults = [None, "expired", "no_permit", "other_message", "other_message", "no_permit", "no_permit"]
        assert await told(world, *sends) == faults
        assert await told(world, sends[1]) == ["expired"]
        found = msgspec.json.decode((await world.get("/v1/audit/sends")).content, type=SendsView)
        assert (found.sends, found.no_permit, found.other_message, found.expired) == (7, 3, 2, 1)
        assert len(found.faulty) == 6
        assert found.faulty[0].at == to_iso(NOW_MS - 1)
        later = (await world.get(f"/v1/audit/sends?from={to_iso(NOW_MS + 1)}&to={to_iso(NOW_MS + 2)}")).json()
        assert later == {"sends": 1, "no_permit": 0, "other_message": 0, "expired": 0, "faulty": []}


async def test_asked_again_each_permit_is_as_it_was() -> None:
    """Whatever was chosen since, in the same millisecond too, and whoever became one."""
    async with serving() as world:
        await live(world, country="DE")
        await tell(world, "c1", {"action": "grant", **MAIL})
        await permit(world)
        await tell(world, "c2", {"action": "withdraw", **MAIL})
        assert (await ask(world, LETTER))[0]["permit"] is None
        world.clock.advance(10)
        await tell(world, "c3", {"action": "grant", **MAIL}, at=NOW_MS + 1)
        await permit(world)
        await tell(world, "c4", {"action": "object", **MAIL}, anonymousId="d1", userId=None)
        await tell(world, "c5", {"action": "set", **MAIL, "value": 1}, anonymousId="d1")
        assert (await ask(world, LETTER))[0]["permit"] is None
        world.clock.advance(10)
        await tell(world, "c6", {"action": "grant", **MAIL}, at=NOW_MS + 11)
        await permit(world)
        found = await recheck(world)
        assert (found.checked, found.forgotten, found.differences) == (3, 0, [])


@pytest.mark.parametrize(
    "wrong",
    [
        {"purpose": "*"},
        {"channel": "*"},
        {"kind": "person", "value": "ann"},
        {"message_hash": "abc"},
        {"message": ""},
        {"colour": "red"},
    ],
)
async def test_what_makes_no_sense_gets_no_permit(wrong: dict[str, str]) -> None:
    """Nor does anything that was asked for along with it, and the answer says what is wrong and where."""
    async with serving() as world:
        await tell(world, "c1", {"action": "grant", **MAIL})
        answer = await world.change("POST", "/v1/permits", {"permits": [LETTER, {**LETTER, **wrong}]})
        assert answer.status_code == 400
        assert "permits[1]" in answer.json()["place"]
        assert (await world.get("/v1/audit/permits")).json()["permits"] == []


@pytest.mark.parametrize("at", ["yesterday", -1, 2**60])
async def test_a_send_needs_an_instant(at: str | int) -> None:
    """In ISO 8601 or ms since 1970; otherwise nothing is kept."""
    async with serving() as world:
        await tell(world, "c1", {"action": "grant", **MAIL})
        answer = await world.change("POST", "/v1/audit/sends", {"sends": [sent(), sent(at=at)]})
        assert (answer.status_code, answer.json()["place"]) == (400, "sends[1].at")
        assert (await world.get("/v1/audit/sends")).json()["sends"] == 0


async def test_who_decides_may_ask_and_tell_but_not_audit() -> None:
    """A key to decide is enough for a sender; lists of people take an admin key."""
    async with serving() as world:
        key = await world.app.catalog.create_key("sender", Scope.DECIDE, "test")

        async def status(method: str, path: str, body: Any = None, own: str = key) -> int:
            answer: httpx.Response = await world.change(method, path, body, own)
            return answer.status_code

        assert await status("POST", "/v1/permits", {"permits": [LETTER]}) == 200
        assert await status("POST", "/v1/audit/sends", {"sends": [sent()]}) == 200
        for path in ("permits", "differences", "sends"):
            assert await status("GET", f"/v1/audit/{path}") == 403
        assert await status("POST", "/v1/permits", {"permits": [LETTER]}, world.read) == 403


NOTICE = sha256(b"We write about hats.").hexdigest()


async def received(world: World, query: str = "") -> ReceivedPage:
    """Who received what."""
    answer = await world.get(f"/v1/audit/recipients{query}")
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=ReceivedPage)


async def campaign(world: World) -> None:
    """Ann in Germany gets two letters of the spring campaign, Bob one without a permit; then Ann had said no before."""
    await live(world, country="DE")
    await world.post("/v1/batch", batch({"type": "identify", "userId": "bob", "messageId": "bob"}))
    await tell(world, "c1", {"action": "grant", **MAIL, "evidence": {"notice": NOTICE}}, at=NOW_MS - 2)
    for message in ("spring/1", "spring/2", "summer"):
        await permit(world, message=message)
    assert await told(
        world,
        sent(message="spring/1"),
        sent(message="spring/2", at=NOW_MS + 1),
        sent(message="spring/3", value="bob"),
        sent(message="summer", at=NOW_MS + DAY_MS),
    ) == [None, None, "no_permit", "expired"]
    world.clock.advance(DAY_MS)
    await tell(world, "c2", {"action": "withdraw", **MAIL, "heldFrom": NOW_MS + 1}, at=NOW_MS + DAY_MS)


async def test_who_received_a_campaign_is_listed_with_the_basis() -> None:
    """The permit, the wording, and what would be said today; over a channel, on a day, in a country, page by page."""
    async with serving() as world:
        await campaign(world)
        day = to_iso(NOW_MS)[:10]
        found = await received(world, f"?campaign=spring&channel=email&country=DE&day={day}")
        assert [(each.message, each.finding, each.fault) for each in found.recipients] == [
            ("spring/1", "lawful", None),
            ("spring/3", None, "no_permit"),
            ("spring/2", "lawful_then", None),
        ]
        first, nobody, last = found.recipients
        assert first.basis is not None
        assert (first.basis.why, first.basis.rule, first.basis.jurisdiction) == ("granted", "email_soft_opt_in", "DE")
        assert [(each.entry, each.notice) for each in first.choices] == [(0, NOTICE)]
        assert (nobody.basis, nobody.choices, nobody.since) == (None, [], None)
        assert last.since is not None
        assert (last.since.allowed, last.since.why, [each.entry for each in last.since.choices]) == (
            False,
            "refused",
            [1],
        )
        assert (found.forgotten, found.next) == (0, None)
        assert [each.message for each in (await received(world, "?country=FR")).recipients] == ["spring/3"]
        page = await received(world, "?limit=1")
        pages = [each.message for each in page.recipients]
        while page.next is not None:
            page = await received(world, f"?limit=1&after={page.next}")
            pages += [each.message for each in page.recipients]
        assert pages == ["spring/1", "spring/3", "spring/2", "summer"]


async def test_recipients_come_as_lines_and_as_a_table() -> None:
    """The same rows; where the next page begins is said in a header."""
    async with serving() as world:
        await campaign(world)
        lines = await world.get("/v1/audit/recipients?format=jsonl&limit=2")
        rows = [msgspec.json.decode(line, type=ReceivedView) for line in lines.text.splitlines()]
        assert rows == (await received(world)).recipients[:2]
        table = await world.get(f"/v1/audit/recipients?format=csv&after={lines.headers['courtesy-next']}")
        assert "courtesy-next" not in table.headers
        told = list(csv.DictReader(table.text.splitlines()))
        assert [(each["message"], each["finding"], each["since"], each["notices"]) for each in told] == [
            ("spring/2", "lawful_then", "refused", NOTICE),
            ("summer", "", "", NOTICE),
        ]
        assert told[0]["person"] == rows[0].person


@pytest.mark.parametrize(
    "query",
    ["day=2026-13-01", "day=1969-12-31", "day=9999-12-31", "day=2026-05-03&zone=Nowhere", "day=2026-05-03&zone=..",
     "day=2026-05-03&from=2026-05-03", "after=%00", "after=e30", "after=WzEsImEiLCJiIl0", "country=Germany",
     "from=yesterday", "limit=0", "format=xml"],
)  # fmt: skip
async def test_what_no_recipients_can_be_asked_by_is_refused(query: str) -> None:
    """With what was expected, and never an error of ours."""
    async with serving() as world:
        answer = await world.get(f"/v1/audit/recipients?{query}")
        assert answer.status_code == 400, answer.text


async def test_a_day_is_that_of_its_zone() -> None:
    """Also one of 23 hours."""
    from_ms, to_ms = span_of_day("2026-03-29", "Europe/Berlin", "")
    assert (to_iso(from_ms), to_ms - from_ms) == ("2026-03-28T23:00:00.000Z", 23 * HOUR_MS)
