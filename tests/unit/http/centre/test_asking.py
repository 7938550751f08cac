"""Questions in the preference centre: one is asked, answered or put off; what is known can be answered anew."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from courtesy.base.time import DAY_MS
from courtesy.http.centre.texts import LOCALES
from courtesy.person.asking import Outcome
from tests.unit.http.centre.reading import Form, Page
from tests.unit.http.centre.test_centre import KEY, choices, known, link, look, send
from tests.unit.http.test_questions import BOOTS, NEWS, define
from tests.unit.http.world import World, batch, serving

SIZE: dict[str, Any] = {
    "text": {"en": "What is your shoe size?"},
    "cost": 0.2,
    "answer": {"kind": "trait", "path": "size"},
}
PETS: dict[str, Any] = {
    "text": {"en": "Which animals live with you?"},
    "answer": {"kind": "some_of", "topic": "pets", "options": [{"name": "dog"}, {"name": "cat"}]},
}
SERVICE: dict[str, Any] = {"text": {"en": "How are we?"}, "answer": {"kind": "rating", "topic": "service"}}


def asked(page: Page) -> Form:
    """The form of the question that is asked."""
    return next(form for form in page.forms if any(name == "question" for name, _ in form.fields))


def given(page: Page) -> list[Form]:
    """The forms of the questions whose answers are known."""
    return [form for form in page.forms if any(name == "revise" for name, _ in form.fields)]


async def asks(world: World) -> list[tuple[str, Outcome]]:
    """What Ann was asked, the latest first, and what came back."""
    _, state = await world.app.people.whole("user_id", "ann")
    assert state.asking is not None
    assert state.asking.count == len(state.asking.recent)
    return [(each.question, each.outcome) for each in state.asking.recent]


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        (BOOTS, {"answer": "like"}, ("set", "boots", "like")),
        (NEWS, {"answer": "yes"}, ("grant", "*", None)),
        (NEWS, {"answer": "no"}, ("object", "*", None)),
        (SIZE, {"answer": " 41 "}, ("set", "trait:size", "41")),
        (PETS, {"answer": "cat"}, ("set", "pets", ["cat"])),
        (PETS, {}, ("set", "pets", [])),
        (SERVICE, {"answer": "4", "comment": "Slow."}, ("set", "service", {"rating": 4, "comment": "Slow."})),
    ],
)
async def test_an_answer_is_a_choice_with_what_was_shown(
    question: dict[str, Any], answer: dict[str, str], said: tuple[str, str, Any]
) -> None:
    """In the ledger, with the wording and the fields as they stand on the page; then nothing more is asked."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world, "only", question)
        shown = await world.get(f"{path}?lang=de", "")
        sent = await send(world, asked(Page(shown.text)), press="send", **answer)
        assert sent.headers["location"] == f"{path}?lang=de&done=answered"
        (choice,) = [each for each in await choices(world) if each["topic"] == said[1]]
        assert (choice["action"], choice["topic"], choice["value"]) == said
        (entry,) = [each for _, told in [await world.app.consents.told("user_id", "ann")] for each in told]
        evidence = entry.choice.evidence
        assert evidence is not None
        for digest in (evidence.notice, evidence.form):
            kept = await world.app.engine.shown(bytes.fromhex(str(digest)))
            assert kept is not None
            assert sha256(kept).hexdigest() == digest
            assert kept.decode() in shown.text
        later = await look(world, sent.headers["location"])
        assert "Danke." in later.text
        assert not [each for each in later.forms if any(name == "question" for name, _ in each.fields)]


async def test_a_page_that_is_opened_again_asks_the_same_once() -> None:
    """Also when a mail program's scanner opened it first; another link asks nothing within the cap's week."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world, "boots", BOOTS)
        await define(world, "size", SIZE)
        first, again = await look(world, path), await look(world, path)
        assert "Do you like boots?" in first.text
        assert "Do you like boots?" in again.text
        assert await asks(world) == [("boots", Outcome.NOTHING)]
        world.clock.set(world.clock.now_ms() + DAY_MS)
        other = await look(world, await link(world))
        assert len(other.forms) == 1
        world.clock.set(world.clock.now_ms() + 8 * DAY_MS)
        assert "Do you like boots?" in (await look(world, await link(world))).text


async def test_not_now_is_heeded() -> None:
    """It is put off, with no choice made, and not asked again."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world, "boots", BOOTS)
        sent = await send(world, asked(await look(world, path)), press="not_now")
        assert sent.headers["location"].endswith("done=put_off")
        assert await asks(world) == [("boots", Outcome.DECLINED)]
        assert await choices(world) == []
        assert len((await look(world, path)).forms) == 1


async def test_no_answer_and_an_answer_that_is_none() -> None:
    """Who chose nothing is asked to; what no browser of this page sends is refused, and nothing is stored."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world, "boots", BOOTS)
        form = asked(await look(world, path))
        assert (await send(world, form, press="send")).headers["location"].endswith("done=unanswered")
        for changed in ({"answer": "sandals"}, {"question": "made up", "answer": "like"}):
            sent = await send(world, form, press="send", **changed)
            assert (sent.status_code, "Nothing was saved" in sent.text) == (409, True)
        assert await choices(world) == []


async def test_answers_are_seen_and_given_anew() -> None:
    """With what was said standing in the form; the same again says nothing, another one is a choice of its own."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world, "pets", PETS)
        page = await look(world, path)
        await send(world, asked(page), press="send", answer="cat")
        (form,) = given(await look(world, path))
        assert (await send(world, form, press="send")).headers["location"].endswith("done=unchanged")
        sent = await send(world, form, press="send", answer="dog")
        assert sent.headers["location"].endswith("done=answered")
        twice = await send(world, form, press="send", answer="dog")
        assert twice.headers["location"].endswith("done=unchanged")
        assert [each["value"] for each in await choices(world)] == [["dog"], ["cat"]]
        assert await asks(world) == [("pets", Outcome.ANSWERED)]
        counts = (await world.app.questions.counts())["pets"]
        assert (counts.asked, counts.answered) == (1, 1)


async def test_what_others_guessed_is_marked_and_put_right() -> None:
    """A broker's guess stands among the answers as guessed; the person's own answer takes its place for good."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world, "size", SIZE)
        await world.change("PUT", "/v1/sources/broker", {"party": "third"})
        made = await world.change("POST", "/v1/keys", {"name": "broker", "scope": "write"})
        guess = batch({"type": "identify", "userId": "ann", "messageId": "guess", "traits": {"size": "44"}})
        await world.post("/v1/batch", guess, headers={"x-write-key": made.json()["secret"]})
        page = await look(world, path)
        (form,) = given(page)
        assert "guessed" in page.text
        await send(world, form, press="send", answer="41")
        page = await look(world, path)
        assert ("guessed" in page.text, "41" in page.text) == (False, True)


async def test_a_private_text_is_not_shown_on_a_link_that_may_be_forwarded() -> None:
    """That it is known is said, and it can be said anew."""
    async with serving(link_key=KEY) as world:
        path = await known(world, birthday="1990-04-01")
        await define(world, "birthday", {**SIZE, "answer": {"kind": "trait", "path": "birthday"}})
        answer = await world.get(path, "")
        assert "1990" not in answer.text
        assert given(Page(answer.text))


@pytest.mark.parametrize("locale", LOCALES)
async def test_all_languages_ask(locale: str) -> None:
    """The words around a question are the page's, the question keeps its own language and says which."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        await define(world, "service", SERVICE)
        page = await look(world, f"{path}?lang={locale}")
        assert asked(page).radios["answer"] == ["1", "2", "3", "4", "5"]
        assert ("span", {"lang": "en"}) in page.elements
