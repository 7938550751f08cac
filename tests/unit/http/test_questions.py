"""One question at a time over HTTP: asked when it is worth it, answered once, and in the ledger."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import pytest

from courtesy.base.time import DAY_MS, MINUTE_MS, to_iso
from courtesy.consent.told import Told
from courtesy.runtime.app import make_app
from courtesy.runtime.links import Signer
from courtesy.runtime.questions import Visit
from courtesy.runtime.settings import Settings
from tests.unit.http.test_export import fold
from tests.unit.http.world import World, batch, serving, track

KEY = "a secret that signs questions in tests"
ANN = "/v1/people/user_id/ann"
BOOTS: dict[str, Any] = {
    "text": {"en": "Do you like boots?", "de": "Mögen Sie Stiefel?"},
    "cost": 0.05,
    "answer": {
        "kind": "one_of",
        "topic": "boots",
        "options": [{"name": "like", "labels": {"de": "Ja"}}, {"name": "dislike", "labels": {"de": "Nein"}}],
    },
}
NEWS: dict[str, Any] = {
    "text": {"en": "May we write to you about news?"},
    "answer": {"kind": "consent", "purpose": "marketing", "channel": "email"},
    "weight": 2.0,
}
HOW: dict[str, Any] = {
    "text": {"en": "How was it?"},
    "answer": {"kind": "rating", "topic": "service", "comment_chars": 20},
    "after": {"event": "Order Completed", "from_days": 2, "to_days": 14, "each": True},
}


async def define(world: World, name: str, question: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A question in force."""
    answer = await world.change("PUT", f"/v1/questions/{name}", {**question, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def known(world: World, **traits: Any) -> None:
    """Ann is known."""
    told = {"country": "DE", **traits}
    await world.post("/v1/batch", batch({"type": "identify", "userId": "ann", "messageId": "known", "traits": told}))


async def ask(world: World, session: str = "s1", **more: Any) -> dict[str, Any]:
    """What Ann is asked."""
    answer = await world.change("POST", f"{ANN}/question", {"channel": "web", "session": session, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def say(world: World, token: str, **said: Any) -> dict[str, Any]:
    """Ann's answer, which needs no key."""
    answer = await world.post("/v1/answers", {"token": token, **said}, headers={})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def why_not(found: dict[str, Any]) -> dict[str, str | None]:
    """Why each question is not asked."""
    return {each["question"]: each["why_not"] for each in found["candidates"]}


async def told(world: World) -> list[Told]:
    """Ann's choices in the ledger."""
    return (await world.app.consents.told("user_id", "ann"))[1]


def later(world: World, ms: int) -> None:
    """Time passes."""
    world.clock.set(world.clock.now_ms() + ms)


async def test_a_question_is_asked_and_its_answer_is_in_the_ledger_with_what_was_shown() -> None:
    """In the person's language; the wording and the form are found under their digests, byte for byte."""
    async with serving(link_key=KEY) as world:
        await define(world, "boots", BOOTS)
        await known(world, locale="de-AT")
        found = await ask(world)
        shown = found["question"]
        assert (shown["text"], shown["kind"], shown["locale"]) == ("Mögen Sie Stiefel?", "one_of", "de")
        assert [each["label"] for each in shown["options"]] == ["Ja", "Nein"]
        said = await say(world, found["token"], answer="like")
        assert said["counted"] is True
        (entry,) = await told(world)
        assert (entry.choice.action, entry.choice.topic, entry.choice.value) == ("set", "boots", "like")
        assert (entry.choice.method, entry.source) == ("question", "questions")
        assert entry.choice.evidence is not None
        assert entry.choice.evidence.notice == sha256("Mögen Sie Stiefel?".encode()).hexdigest()
        form = await world.get(f"/v1/shown/{entry.choice.evidence.form}")
        assert form.json() == shown


async def test_an_answer_counts_once() -> None:
    """The first one, however often and whatever is sent again."""
    async with serving(link_key=KEY) as world:
        await define(world, "boots", BOOTS)
        await known(world)
        token = (await ask(world))["token"]
        assert (await say(world, token, answer="like"))["counted"] is True
        later(world, DAY_MS)
        assert (await say(world, token, answer="dislike"))["counted"] is False
        assert [each.choice.value for each in await told(world)] == ["like"]
        counts = (await world.get("/v1/questions/boots")).json()
        assert (counts["asked_count"], counts["answered_count"], counts["answers"]) == (1, 1, {"like": 1})


async def test_the_same_session_sees_the_same_question_and_another_none() -> None:
    """A page that is loaded again shows it again and counts once; then the week's cap holds, until it is over."""
    async with serving(link_key=KEY) as world:
        await define(world, "boots", BOOTS)
        await define(world, "news", NEWS)
        await known(world)
        first = await ask(world)
        again = await ask(world, locale="en")
        assert (first["question"]["question"], again["question"]["question"]) == ("news", "news")
        assert (await world.get("/v1/questions/news")).json()["asked_count"] == 1
        other = await ask(world, "s2")
        assert (other["question"], other["token"]) == (None, None)
        assert why_not(other) == {"boots": "week_cap", "news": "week_cap"}
        await say(world, first["token"], not_now=True)
        assert why_not(await ask(world)) == {"boots": "session_cap", "news": "not_now"}
        later(world, 7 * DAY_MS)
        assert (await ask(world, "s3"))["question"]["question"] == "boots"


async def test_caps_are_the_company_s_to_set() -> None:
    """Two in a session and in a week, if it says so; none at all ends all asking."""
    async with serving(link_key=KEY) as world:
        await define(world, "boots", BOOTS)
        await define(world, "news", NEWS)
        await known(world)
        await world.change("PUT", "/v1/question-caps", {"per_session": 2, "per_week": 2})
        first = await ask(world)
        await say(world, first["token"], answer=True)
        assert (await ask(world))["question"]["question"] == "boots"
        await world.change("PUT", "/v1/question-caps", {"per_session": 0})
        assert why_not(await ask(world, "s2")) == {"boots": "session_cap", "news": "known"}


async def test_how_was_it_is_asked_of_each_order_once() -> None:
    """From two days later to fourteen; the rating names the order's instant, and a long comment is cut."""
    async with serving(link_key=KEY) as world:
        await define(world, "how", HOW)
        bought_ms = world.clock.now_ms()
        await world.post("/v1/batch", batch(track("o1", event="Order Completed")))
        assert why_not(await ask(world)) == {"how": "no_occasion"}
        later(world, 2 * DAY_MS)
        found = await ask(world)
        assert found["candidates"] == [{"question": "how", "why_not": None, "worth": 0.35, "about": to_iso(bought_ms)}]
        await say(world, found["token"], answer=4, comment="quick, friendly, and the boots fit")
        (entry,) = await told(world)
        assert entry.choice.value == {"rating": 4, "comment": "quick, friendly, and", "about": to_iso(bought_ms)}
        later(world, 8 * DAY_MS)
        assert why_not(await ask(world, "s2")) == {"how": "no_occasion"}
        await world.post("/v1/batch", batch(track("o2", event="Order Completed")))
        later(world, 3 * DAY_MS)
        assert (await ask(world, "s3"))["question"]["question"] == "how"


async def test_consent_that_was_refused_is_not_asked_for_again_for_a_year() -> None:
    """Whether it was refused here or elsewhere, and for more than that or for a part of it."""
    async with serving(link_key=KEY) as world:
        await define(world, "news", NEWS)
        await known(world)
        await say(world, (await ask(world))["token"], answer=False)
        assert [each.choice.action for each in await told(world)] == ["object"]
        later(world, 364 * DAY_MS)
        assert why_not(await ask(world, "s2")) == {"news": "refused"}
        later(world, 2 * DAY_MS)
        # A year is over, but it was answered.
        assert why_not(await ask(world, "s3")) == {"news": "answered"}
        await define(world, "news", NEWS, again_after_days=30)
        found = await ask(world, "s4")
        await say(world, found["token"], answer=True)
        allowed = await world.get(f"{ANN}/allowed?purpose=marketing&channel=email")
        assert allowed.json()["why"] == "granted"
        later(world, 40 * DAY_MS)
        assert why_not(await ask(world, "s5")) == {"news": "known"}


async def test_what_is_known_of_a_trait_is_not_asked() -> None:
    """An answer sets the trait and is in the ledger; a guess of others is not known."""
    async with serving(link_key=KEY) as world:
        size = {"text": {"en": "Which size?"}, "answer": {"kind": "trait", "path": "sizes.shoe"}}
        await define(world, "size", size)
        await world.change("PUT", "/v1/sources/guesses", {"party": "third"})
        key = await world.change("POST", "/v1/keys", {"name": "guesses", "scope": "write"})
        await known(world)
        guess = {"type": "identify", "userId": "ann", "messageId": "g", "traits": {"sizes": {"shoe": "44"}}}
        await world.post("/v1/batch", batch(guess), headers={"x-write-key": key.json()["secret"]})
        await say(world, (await ask(world))["token"], answer=" 41 ")
        assert (await world.get(ANN)).json()["traits"]["sizes"] == {"shoe": "41"}
        assert [(each.choice.topic, each.choice.value) for each in await told(world)] == [("trait:sizes.shoe", "41")]
        later(world, 30 * DAY_MS)
        assert why_not(await ask(world, "s2")) == {"size": "known"}


async def test_what_was_asked_survives_the_fold() -> None:
    """Caps and answers are the same from the stored state as from the log."""
    async with serving(link_key=KEY) as world:
        await define(world, "boots", BOOTS)
        await define(world, "news", NEWS)
        await known(world)
        await say(world, (await ask(world))["token"], answer=True)
        before = await ask(world, "s2")
        await fold(world)
        assert why_not(await ask(world, "s2")) == why_not(before) == {"boots": "week_cap", "news": "known"}
        person = (await world.get(ANN)).json()
        now = to_iso(world.clock.now_ms())
        news = {"question": "news", "asked_count": 1, "asked": now, "answered": now, "declined": None}
        assert person["questions"] == [news]


async def test_of_many_who_ask_at_once_one_is_told_to() -> None:
    """Two processes over one store, each with a dozen pages: one question was asked, and the caps hold."""
    async with serving(link_key=KEY) as world:
        await define(world, "boots", BOOTS)
        await define(world, "news", NEWS)
        await known(world)
        app = world.app
        twin = make_app(Settings(link_key=KEY), app.engine, world.clock)
        await twin.catalog.start()
        twin.ingest.start()
        try:
            visits = [Visit("web", f"s{number}") for number in range(12)]
            found = await asyncio.gather(
                *(each.questions.ask("user_id", "ann", visit) for visit in visits for each in (app, twin))
            )
        finally:
            await twin.ingest.stop()
            await twin.catalog.stop()
        asked = [visit for visit in visits for _ in (app, twin)]
        assert len({visit.session for visit, each in zip(asked, found, strict=True) if each.offer is not None}) == 1
        assert (await world.get(ANN)).json()["events"]["Question Asked"]["count"] == 1


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"answer": "socks"}, "expected one of like, dislike, got 'socks'"),
        ({"answer": 7}, "expected a text, got 7"),
        ({}, "expected `answer`, or `not_now` true, and not both"),
        ({"answer": "like", "not_now": True}, "expected `answer`, or `not_now` true, and not both"),
    ],
)
async def test_answers_that_do_not_fit_are_refused(said: dict[str, Any], expected: str) -> None:
    """With what was expected; the token is good for a better one."""
    async with serving(link_key=KEY) as world:
        await define(world, "boots", BOOTS)
        await known(world)
        token = (await ask(world))["token"]
        answer = await world.post("/v1/answers", {"token": token, **said}, headers={})
        assert (answer.status_code, answer.json()["message"]) == (400, expected)
        assert (await say(world, token, answer="like"))["counted"] is True


async def test_tokens_are_none_but_ours_and_run_out() -> None:
    """One of a link, one that was changed, and one that is a month old are refused, and store nothing."""
    async with serving(link_key=KEY) as world:
        await define(world, "boots", BOOTS)
        await known(world)
        token = (await ask(world))["token"]
        for wrong in (token[:-2], "x", Signer(Settings(link_key=KEY)).signed("link", b"[]")):
            answer = await world.post("/v1/answers", {"token": wrong, "answer": "like"}, headers={})
            assert (answer.status_code, answer.json()["place"]) == (400, "token")
        later(world, 30 * DAY_MS)
        answer = await world.post("/v1/answers", {"token": token, "answer": "like"}, headers={})
        assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
        assert await told(world) == []


async def test_what_they_saw_counts_though_the_question_was_changed() -> None:
    """The answer is held against the question as it was asked, even after it was removed."""
    async with serving(link_key=KEY) as world:
        await define(world, "boots", BOOTS)
        await known(world)
        token = (await ask(world))["token"]
        options = [{"name": "yes"}, {"name": "no"}]
        changed = await define(world, "boots", {**BOOTS, "answer": {**BOOTS["answer"], "options": options}})
        assert changed["revision"] == 2
        await world.change("DELETE", "/v1/questions/boots")
        assert (await say(world, token, answer="dislike"))["counted"] is True


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"answer": {"kind": "consent", "purpose": "*"}}, "answer.purpose"),
        ({"answer": {"kind": "rating", "topic": "Health"}}, "answer"),
        ({"answer": {"kind": "trait", "path": "sizes.hiv"}}, "answer"),
        ({"answer": {**BOOTS["answer"], "options": [{"name": "a"}, {"name": "a"}]}}, "answer.options"),
        ({"after": {"event": "Bought", "from_days": 9, "to_days": 2}}, "after"),
        ({"text": {}}, "text"),
        ({"answer": {"kind": "guess"}}, "answer.kind"),
    ],
)
async def test_questions_that_make_no_sense_are_refused(change: dict[str, Any], place: str) -> None:
    """Or that must not be asked."""
    async with serving(link_key=KEY) as world:
        answer = await world.change("PUT", "/v1/questions/boots", {**BOOTS, **change})
        assert (answer.status_code, answer.json()["place"]) == (400, place), answer.text


async def test_looking_asks_nothing() -> None:
    """It tells what would be asked, for a key that reads."""
    async with serving(link_key=KEY) as world:
        await define(world, "boots", BOOTS)
        await known(world)
        for _ in range(2):
            found = (await world.get(f"{ANN}/question?channel=web", world.read)).json()
            assert (found["question"], why_not(found)) == ("boots", {"boots": None})
        assert (await world.get(ANN)).json()["questions"] == []
        later(world, MINUTE_MS)
        assert (await ask(world))["question"]["question"] == "boots"


async def test_nobody_is_not_asked() -> None:
    """Nor is a group."""
    async with serving(link_key=KEY) as world:
        for path, status in (("user_id/nobody", 404), ("group/g", 400)):
            answer = await world.change("POST", f"/v1/people/{path}/question", {"channel": "web"})
            assert answer.status_code == status
