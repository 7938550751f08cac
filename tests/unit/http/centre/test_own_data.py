"""Downloading and deleting with a link and a code: what it takes, how often, and what is left."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import httpx
import pytest

from courtesy.base.time import HOUR_MS, MINUTE_MS
from courtesy.consent.request import RequestKind, RequestState, name_of
from courtesy.http.centre.texts import LOCALES, texts
from tests.unit.channel.mailbox import Mailbox, mailbox, text_of
from tests.unit.http.centre.reading import Page
from tests.unit.http.centre.test_centre import ANN, KEY, define, known, link, look
from tests.unit.http.test_export import fold
from tests.unit.http.world import World, batch, serving


@dataclass(frozen=True)
class Visitor:
    """Somebody with a link, in front of a page of it."""

    world: World
    box: Mailbox
    path: str

    async def look(self, what: str, **headers: str) -> Page:
        """The page that asks."""
        return await look(self.world, f"{self.path}/{what}", **headers)

    async def post(self, what: str, query: str = "", **fields: str) -> httpx.Response:
        """A form of that page, sent; a minute passes."""
        answer = await self.world.client.post(f"{self.path}/{what}{query}", data=fields)
        self.world.clock.set(self.world.clock.now_ms() + 1_000)
        return answer

    async def done(self, what: str, **fields: str) -> str:
        """What the page is led back with."""
        answer = await self.post(what, **fields)
        assert answer.status_code == 303, answer.text
        location = answer.headers["location"]
        assert location.startswith(f"{self.path}/{what}?lang=")
        await self.look(f"{what}?done={location.rpartition('=')[2]}")
        return str(location.rpartition("=")[2])

    async def passed(self, what: str) -> str:
        """The pass that the right code gives."""
        assert await self.done(what, send="yes") == "sent"
        page = Page((await self.post(what, code=self.box.code())).text)
        return dict(page.forms[0].fields)["pass"]


@asynccontextmanager
async def visiting(**traits: Any) -> AsyncIterator[Visitor]:
    """Ann's link, in a world with a mail server."""
    with mailbox() as box:
        url = f"smtp://127.0.0.1:{box.port}?tls=none"
        async with serving(link_key=KEY, mail_url=url, mail_from="Shop <hello@shop.example>") as world:
            yield Visitor(world, box, await known(world, **traits))


async def test_everything_held_is_downloaded_with_a_code() -> None:
    """As a page and as a file for programs, as often as the pass lasts; asking alone sends and opens nothing."""
    async with visiting() as ann:
        page = await ann.look("download")
        assert "a***@example.com" in page.text
        assert "nowak" not in page.text
        assert ann.box.messages() == []
        pass_ = await ann.passed("download")
        (message,) = ann.box.messages()
        assert message["to"] == "ann.nowak@example.com"
        answer = await ann.post("download", **{"pass": pass_, "get": "json"})
        assert answer.headers["content-disposition"] == 'attachment; filename="R-1-access.json"'
        held = answer.json()["held"]
        assert held["person"]["traits"]["email"] == "ann.nowak@example.com"
        assert [each["message_id"] for each in held["events"]] == ["known"]
        answer = await ann.post("download", **{"pass": pass_, "get": "html"})
        assert answer.headers["content-type"].startswith("text/html")
        assert "ann.nowak@example.com" in answer.text
        answer = await ann.post("download", **{"pass": pass_, "get": "zip"})
        assert ZipFile(BytesIO(answer.content)).namelist() == ["choices.csv", "data.json", "events.csv", "index.html"]
        (request,) = await ann.world.app.requests.of("user_id", "ann")
        assert (request.kind, request.state) == (RequestKind.ACCESS, RequestState.FULFILLED)
        lines = await ann.world.app.requests.log(request.number)
        assert {each.by for each in lines} == {"preference centre"}
        handed_out = ["handed out"] * 2
        assert [each.what for each in lines] == ["received", "handed out", "fulfilled", *handed_out]


async def test_everything_held_is_deleted_with_a_code() -> None:
    """And never stored again; then the link opens nothing."""
    async with visiting() as ann:
        pass_ = await ann.passed("delete")
        await fold(ann.world)
        answer = await ann.post("delete", **{"pass": pass_, "get": "delete"})
        assert answer.status_code == 200
        assert "Your data is deleted" in answer.text
        (request,) = await ann.world.app.requests.of("user_id", "ann")
        assert f"Your request has the number {name_of(request.number)}." in answer.text
        assert (request.kind, request.state, request.person) == (RequestKind.ERASURE, RequestState.FULFILLED, None)
        assert (await ann.world.get(ANN)).status_code == 404
        for path in (ann.path, f"{ann.path}/delete", f"{ann.path}/download"):
            assert (await ann.world.get(path, "")).status_code == 404
        assert (await ann.post("delete", **{"pass": pass_, "get": "delete"})).status_code == 404
        again = batch({"type": "identify", "userId": "ann", "messageId": "again", "traits": {}})
        answer = await ann.world.post("/v1/batch", again)
        assert [each["cause"] for each in answer.json()["results"]] == ["forgotten"]


async def test_a_deletion_that_fails_is_still_a_request() -> None:
    """It waits with its deadline, and the same pass does it later."""
    async with visiting() as ann:
        pass_ = await ann.passed("delete")
        # Events that are not folded yet keep an erasure from beginning.
        answer = await ann.post("delete", **{"pass": pass_, "get": "delete"})
        assert answer.status_code == 503
        (request,) = await ann.world.app.requests.of("user_id", "ann")
        assert request.state is RequestState.OPEN
        assert request.due_ms > ann.world.clock.now_ms()
        await fold(ann.world)
        answer = await ann.post("delete", **{"pass": pass_, "get": "delete"})
        assert answer.status_code == 200


async def test_a_code_confirms_what_was_asked_before() -> None:
    """A request that waited for somebody to be sure who asked is that same request, and is fulfilled."""
    async with visiting() as ann:
        waiting = await ann.world.app.requests.open(RequestKind.ACCESS, "user_id:ann", "Nino", is_confirmed=False)
        pass_ = await ann.passed("download")
        answer = await ann.post("download", **{"pass": pass_, "get": "html"})
        assert f"R-{waiting.number}-access" in answer.headers["content-disposition"]
        (request,) = await ann.world.app.requests.of("user_id", "ann")
        assert request.state is RequestState.FULFILLED


async def test_a_form_that_asks_for_nothing_sends_nothing() -> None:
    """A code goes out for its button alone; a form that is none is said to be none."""
    async with visiting() as ann:
        assert await ann.done("delete", other="x") == ""
        assert ann.box.messages() == []
        answer = await ann.world.client.post(f"{ann.path}/delete", content=b"\xff")
        assert answer.status_code == 400


async def test_a_code_is_for_one_purpose_and_one_link() -> None:
    """One for the download deletes nothing, and another link of the same person opens nothing with it."""
    async with visiting() as ann:
        await ann.done("download", send="yes")
        assert await ann.done("delete", code=ann.box.code()) == "over"
        ann.world.clock.set(ann.world.clock.now_ms() + MINUTE_MS)
        other = Visitor(ann.world, ann.box, await link(ann.world))
        assert other.path != ann.path
        assert await other.done("download", code=ann.box.code()) == "over"
        pass_ = dict(Page((await ann.post("download", code=ann.box.code())).text).forms[0].fields)["pass"]
        assert await ann.done("delete", **{"pass": pass_, "get": "delete"}) == "over"
        assert await other.done("download", **{"pass": pass_, "get": "json"}) == "over"
        assert (await ann.world.get(ANN)).status_code == 200


async def test_five_wrong_codes_end_it() -> None:
    """The right one comes too late then; a new one starts again."""
    async with visiting() as ann:
        await ann.done("download", send="yes")
        wrong = f"{(int(ann.box.code()) + 1) % 10**6:06}"
        assert [await ann.done("download", code=wrong) for _ in range(6)] == ["wrong"] * 5 + ["over"]
        assert await ann.done("download", code=ann.box.code()) == "over"
        assert await ann.passed("download")


async def test_a_code_and_its_pass_run_out() -> None:
    """After ten minutes, and after fifteen."""
    async with visiting() as ann:
        await ann.done("download", send="yes")
        ann.world.clock.set(ann.world.clock.now_ms() + 10 * MINUTE_MS)
        assert await ann.done("download", code=ann.box.code()) == "over"
        pass_ = await ann.passed("download")
        ann.world.clock.set(ann.world.clock.now_ms() + 15 * MINUTE_MS)
        assert await ann.done("download", **{"pass": pass_, "get": "json"}) == "over"
        assert await ann.done("download", **{"pass": "x", "get": "json"}) == "over"


async def test_three_codes_an_hour_are_enough() -> None:
    """Whatever they are for, and through whichever link; the latest still counts."""
    async with visiting() as ann:
        other = Visitor(ann.world, ann.box, await link(ann.world))
        sent = [await each.done(what, send="yes") for each, what in ((ann, "download"), (other, "download"))]
        sent += [await ann.done("delete", send="yes") for _ in range(2)]
        assert sent == ["sent", "sent", "sent", "limit"]
        assert len(ann.box.messages()) == 3
        assert (await ann.post("delete", code=ann.box.code())).status_code == 200
        ann.world.clock.set(ann.world.clock.now_ms() + HOUR_MS)
        assert await ann.done("delete", send="yes") == "sent"


@pytest.mark.parametrize(("locale", "zero"), [("th", 0xE50), ("mr", 0x966), ("de", 0x30)])
async def test_codes_are_read_in_any_digits(locale: str, zero: int) -> None:
    """With spaces, as people write them; and the mail speaks the language of the page."""
    async with visiting() as ann:
        await ann.post("download", f"?lang={locale}", send="yes")
        (message,) = ann.box.messages()
        assert message["subject"] == texts(locale)["mail_subject"]
        assert message["content-language"] == locale
        assert f'lang="{locale}"' in text_of(message, "html")
        own = "".join(chr(zero + int(digit)) for digit in ann.box.code())
        answer = await ann.post("download", f"?lang={locale}", code=f" {own[:3]} {own[3:]}")
        assert texts(locale)["code_right"] in answer.text


@pytest.mark.parametrize("locale", LOCALES)
async def test_the_mail_says_the_same_as_text_and_as_html(locale: str) -> None:
    """Under the brand, in each language; nothing of the company's words becomes markup or a header."""
    async with visiting() as ann:
        await define(ann.world, brand="Shoes <b>&\nMore")
        await ann.post("delete", f"?lang={locale}", send="yes")
        (message,) = ann.box.messages()
        plain, page = text_of(message), Page(text_of(message, "html"))
        assert message["subject"] == f"Shoes <b>& More: {texts(locale)['mail_subject']}"
        for text in (texts(locale)["mail_delete"], ann.box.code(), texts(locale).say("mail_note", minutes="10")):
            assert text in plain
            assert text in page.text


async def test_the_code_goes_to_the_address_that_is_known_longest() -> None:
    """Of those that are theirs alone: whoever adds an address of their own gets nothing."""
    async with visiting() as ann:
        eve = {"type": "identify", "userId": "ann", "messageId": "e", "traits": {"email": "eve@example.com"}}
        ann.world.clock.set(ann.world.clock.now_ms() + HOUR_MS)
        await ann.world.post("/v1/batch", batch(eve))
        await ann.done("delete", send="yes")
        assert [each["to"] for each in ann.box.messages()] == ["ann.nowak@example.com"]


async def test_who_has_no_address_is_told_so() -> None:
    """And nothing is sent or opened."""
    with mailbox() as box:
        url = f"smtp://127.0.0.1:{box.port}?tls=none"
        async with serving(link_key=KEY, mail_url=url, mail_from="hello@shop.example") as world:
            await world.post("/v1/identify", {"userId": "ann", "messageId": "known", "traits": {"plan": "gold"}})
            ann = Visitor(world, box, await link(world))
            assert "no e-mail address of yours" in (await ann.look("delete")).text
            assert await ann.done("delete", send="yes") == ""
        assert box.messages() == []


async def test_a_mail_server_that_says_no_is_told_on_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """And in the log, without the address; later it works."""
    async with visiting() as ann:
        ann.box.refusal = "451 try later, {address}"
        answer = await ann.post("download", send="yes")
        assert answer.status_code == 503
        assert "This did not work" in answer.text
        assert "451" not in answer.text
        said = capsys.readouterr().out
        assert "a code was not sent" in said
        assert "451" in said
        assert "nowak" not in said
        ann.box.refusal = ""
        assert await ann.passed("download")


async def test_without_a_mail_server_neither_is_offered() -> None:
    """There is no such page, nor a way to it; with one there is."""
    async with serving(link_key=KEY) as world:
        path = await known(world)
        assert not [each for each in (await look(world, path)).links if "download" in each]
        for what in ("download", "delete"):
            assert (await world.get(f"{path}/{what}", "")).status_code == 404
            assert (await world.client.post(f"{path}/{what}", data={"send": "yes"})).status_code == 404
    async with visiting() as ann:
        links = (await look(ann.world, ann.path)).links
        assert [f"{ann.path}/{each}?lang=en" in links for each in ("download", "delete")] == [True, True]
