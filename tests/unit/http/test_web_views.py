"""Mails in a browser: what their person got, with the offer as it stands now, for as long as anything is kept of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, MINUTE_MS
from courtesy.content.links import LinkKeys, Ticket, Use
from tests.unit.http.letters import connect, letters
from tests.unit.http.test_content import ITEMS, good, publish, write
from tests.unit.http.world import World, batch, serving

LINKS = "https://mail.shop.example"
ANN = {"kind": "user_id", "value": "ann"}
SPRING: dict[str, Any] = {
    "subject": {"default": "Spring"},
    "blocks": {
        "default": [
            {"type": "text", "text": "Dear {{ person.traits.first_name }}, order {{ event.order }}: {{ offer.code }}"},
            {"type": "image", "src": "https://shop.example/boot.png", "alt": "A boot"},
            {"type": "button", "text": "Shop", "link": "https://shop.example/spring"},
            {"type": "footer", "text": "Shop, 1 Road, Town", "web_version": True},
        ]
    },
}
TEN = {"title": "Ten", "value": {"kind": "percent", "percent": 10}, "codes": {"kind": "minted", "prefix": "S"}}


@asynccontextmanager
async def sent() -> AsyncIterator[tuple[World, str, str]]:
    """A shop that has sent ann a mail with an offer, the address under which that is shown, and its HTML."""
    async with serving(links_url=LINKS, link_hosts="shop.example") as world:
        traits = {"first_name": "Ann <b>", "email": "ann@shop.example"}
        choices = [{"action": "grant", "purpose": "marketing"}]
        await world.post(
            "/v1/batch",
            batch(
                {"type": "identify", "userId": "ann", "messageId": "1", "traits": traits},
                {"type": "consent", "userId": "ann", "messageId": "2", "choices": choices},
            ),
        )
        await connect(world)
        await good(world, "PUT", "/v1/offers/ten", TEN)
        await write(world, "campaign/spring", fields=SPRING)
        await publish(world, "campaign/spring")
        ask = {**ANN, "message": "m1", "content": "campaign/spring", "purpose": "marketing", "offer": "ten"}
        await good(world, "POST", "/v1/messages", {**ask, "data": {"order": 17}})
        (letter,) = await letters(world)
        found = re.search(rf"{LINKS}(/v/[\w-]+)", unescape(letter.parts["html"]))
        assert found is not None
        yield world, found[1], letter.parts["html"]


async def shown(world: World, path: str) -> str:
    """The page at an address, which must be there."""
    answer = await world.get(path, key="")
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_the_mail_is_shown_as_its_person_got_it() -> None:
    """To the letter, also when the item says something else by now; to anybody who has the address, without a key."""
    async with sent() as (world, path, html):
        await write(world, "campaign/spring", 1, fields={**SPRING, "subject": {"default": "Summer"}})
        await publish(world, "campaign/spring")
        world.clock.set(world.clock.now_ms() + DAY_MS)
        assert await shown(world, path) == html


async def test_only_pictures_of_ours_get_in_and_nothing_is_kept_or_found() -> None:
    """No script, no form, no frame; not in a cache, not by a search engine; HEAD says the same."""
    async with sent() as (world, path, _):
        answer = await world.get(path, key="")
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"] == (
            "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https://mail.shop.example"
            " https://shop.example https://*.shop.example; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["cache-control"] == "no-store, private"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert "Dear Ann &lt;b&gt;, order 17: S" in answer.text
        head = await world.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-security-policy"] == answer.headers["content-security-policy"]


async def test_the_offer_is_shown_as_it_stands_now() -> None:
    """With the code that they were given; once it is redeemed or withdrawn, the page says so above the mail."""
    async with sent() as (world, path, _):
        page = await shown(world, path)
        assert 'role="note"' not in page
        (code,) = re.findall(r"order 17: (S[\w-]+)", page)
        await good(world, "POST", "/v1/redemptions", {"code": code, "order": "o1"})
        page = await shown(world, path)
        assert code in page
        assert "This offer was redeemed already." in page
        await good(world, "PUT", "/v1/offers/ten", {**TEN, "withdrawn": True})
        assert "This offer was withdrawn." in await shown(world, path)


async def test_to_look_at_it_counts_for_nothing_but_by_its_picture() -> None:
    """So that whatever checks links opens no mail; whoever reads the page fetches the picture in it."""
    async with sent() as (world, path, _):
        before = await world.app.engine.head()
        page = await shown(world, path)
        assert await world.app.engine.head() == before
        found = re.search(rf"{LINKS}(/o/[\w-]+)", unescape(page))
        assert found is not None
        await world.get(found[1], key="")
        assert await world.app.engine.head() != before


async def test_what_is_not_kept_or_may_not_be_shown_has_a_page_that_says_so() -> None:
    """Erased people, messages let go of, content that was withdrawn: one page for all, so that nobody learns which."""
    async with sent() as (world, path, _):
        await good(world, "POST", f"{ITEMS}/campaign/spring/withdraw", {})
        world.clock.set(world.clock.now_ms() + MINUTE_MS)
        withdrawn = await world.get(path, key="")
    async with sent() as (world, path, _):
        await world.app.engine.let_go_of_effects(world.clock.now_ms() + 1)
        let_go = await world.get(path, key="")
    async with sent() as (world, path, _):
        erased = await world.change("DELETE", "/v1/people/user_id/ann?reason=asked")
        assert erased.status_code == 200, erased.text
        gone = await world.get(path, key="")
    for answer in (withdrawn, let_go, gone):
        assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-store, private")
        assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert "can't be shown any more" in answer.text
        assert "Ann" not in answer.text


async def test_only_tokens_made_for_it_lead_to_a_mail() -> None:
    """Not one cut off, changed, of another key or for another use."""
    async with sent() as (world, path, _):
        keys = world.app.post.tokens.link_keys
        ticket = keys.ticket(Use.VIEW, path.removeprefix("/v/"))
        assert isinstance(ticket, Ticket)
        assert ticket.person == PersonId(1)
        others = LinkKeys({0: b"another key"}, 0)
        wrong = [path[:-1], path[:-4] + "abcd", "/v/sample", "/v/" + others.token(Use.VIEW, ticket)]
        wrong += ["/v/" + keys.token(use, ticket) for use in Use if use is not Use.VIEW]
        for each in wrong:
            answer = await world.get(each, key="")
            assert (answer.status_code, answer.headers["x-robots-tag"]) == (404, "noindex, nofollow"), each
            assert "leads nowhere" in answer.text
