"""The JavaScript SDK in a real Chromium and a real Firefox, on a page of another origin, against a running server."""

from __future__ import annotations

import gzip
import http.client
import subprocess
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvips

from tests.e2e.asking import ask, events_of, tell, until
from tests.e2e.browsing import PROGRAMS, SDK, Browser, browsing
from tests.e2e.web_world import World, web_world
from tests.tidy.checkout import ROOT

GZIP_BYTES_MAX = 15 * 1024


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server with the channel, content and a source for the shop."""
    with web_world(tmp_path_factory.mktemp("sdk") / "data") as made:
        yield made


@pytest.fixture(scope="module", params=PROGRAMS)
def browser(tmp_path_factory: pytest.TempPathFactory, node_modules: Path, request: Any) -> Iterator[Browser]:
    """One browser of each kind for all; tests use visitors of their own."""
    assert node_modules.exists()
    with browsing(tmp_path_factory.mktemp("profile"), request.param) as browser:
        yield browser


@pytest.fixture
def user(world: World, browser: Browser) -> Iterator[str]:
    """Somebody who is logged in on the page of the tab `one`; nothing of the visitor before is left."""
    name = f"user-{uuid.uuid4()}"
    browser.do(goto=world.page())
    browser.run("localStorage.clear()")
    browser.do(goto=world.page())
    browser.run(f"site.identify('{name}', {{}}, {{userHash: '{world.proof(name)}'}})")
    browser.run("site.flush()")
    yield name
    assert browser.failures == []


def test_it_is_small_and_what_is_kept_is_what_its_source_makes() -> None:
    """Under 15 KB gzip, and neither of the two files is stale or broken."""
    for name in ("courtesy.js", "courtesy.mjs"):
        assert len(gzip.compress((SDK / name).read_bytes(), 9)) < GZIP_BYTES_MAX
        subprocess.run(["node", "--check", SDK / name], check=True)
    subprocess.run(["node", ROOT / "sdk" / "build.mjs", "--check"], check=True)


def test_an_inbox_is_shown_to_nobody_else(world: World) -> None:
    """A user id alone, a wrong signature, and an anonymous id that was tied to a user by whoever open nothing."""
    tell(world.server, [{"type": "identify", "userId": "victim", "traits": {"email": "victim@shop.example"}}])
    message = world.send("victim", "plain")
    until(lambda: world.waiting("victim") == [message], "the message")
    assert world.asking("/v1/inbox", userId="victim").status == 403
    assert world.asking("/v1/inbox", userId="victim", userHash="0" * 64).status == 403
    assert world.asking("/v1/inbox").status == 400
    assert world.asking("/v1/inbox", anonymousId="new").json() == {"messages": []}
    for claim in ({"userId": "victim"}, {"traits": {"email": "victim@shop.example"}}):
        mine = str(uuid.uuid4())
        tell(world.server, [{"type": "identify", "anonymousId": mine, **claim}])
        for path in ("/v1/inbox", "/v1/inbox/live", "/v1/placements"):
            assert world.asking(path, anonymousId=mine, names="hero").status == 403


def test_a_message_is_heard_while_it_comes_and_ends_by_its_receipt(world: World) -> None:
    """The stream tells what waits and what comes, not what the listener had last; a receipt ends it, told twice too."""
    tell(world.server, [{"type": "identify", "userId": "listener"}])
    query = {"writeKey": world.server.write_key, "userId": "listener", "userHash": world.proof("listener")}
    path = f"/v1/inbox/live?{urllib.parse.urlencode(query)}"
    first = world.send("listener", "plain")
    until(lambda: world.waiting("listener") == [first], "the first message")
    connection = http.client.HTTPConnection("127.0.0.1", world.server.port, timeout=30)
    connection.request("GET", path, headers={"Last-Event-ID": first})
    stream = connection.getresponse()
    assert stream.getheader("content-type") == "text/event-stream"
    second = world.send("listener", "plain")
    ids = [line for line in iter(lambda: stream.readline().decode().strip(), f"id: {second}") if line.startswith("id")]
    assert ids == []
    stream.close()
    connection.close()
    receipt = {
        "type": "track", "userId": "listener", "event": "Message Dismissed", "messageId": str(uuid.uuid4()),
        "properties": {"message": second},
    }  # fmt: skip
    tell(world.server, [receipt])
    assert world.waiting("listener") == [first]
    again = ask(world.server.port, "POST", "/v1/batch", body={"batch": [receipt], "writeKey": world.server.write_key})
    assert again.json()["results"][0]["fate"] == "duplicate"
    assert world.waiting("listener") == [first]


def test_a_message_comes_to_the_screen_and_is_dismissed(world: World, browser: Browser, user: str) -> None:
    """A dialog with the focus in it, text as text, Escape ends it; every step is told, and it waits no more."""
    world.publish("marked", title="<b>Hello</b>", link="https://shop.example/")
    browser.run("document.querySelector('#before').focus()")
    message = world.send(user, "marked")
    until(lambda: bool(browser.run("!!window.box()")), "the dialog")
    assert browser.run("box().querySelector('h2').textContent") == "<b>Hello</b>"
    assert browser.run("box().matches('dialog:modal') && box().getAttribute('aria-labelledby') === 'title'")
    focused = "document.activeElement.shadowRoot?.activeElement?.localName ?? document.activeElement.localName"
    reached = set()
    for _ in range(4):
        reached.add(browser.run(focused))
        browser.do(key="Tab")
    assert "a" in reached
    assert browser.run("document.activeElement.id") != "before"
    browser.do(key="Escape")
    until(lambda: not browser.run("!!window.box()"), "the dialog to be gone")
    assert browser.run("document.activeElement.id") == "before"
    browser.run("site.flush()")
    until(lambda: world.waiting(user) == [], "the inbox to be empty")
    told = {name for name in world.names(user) if name.startswith("Message ")}
    assert told >= {"Message Delivered", "Message Seen", "Message Dismissed"}
    left = world.server.get("/v1/people/user_id/" + user + "/messages")["left"]
    assert message in [each["message"] for each in left]


def test_a_message_shows_its_picture(world: World, browser: Browser, user: str) -> None:
    """Above the text, with what it shows in words for those who don't see it."""
    picture = bytes(pyvips.Image.black(300, 200, bands=3).copy(interpretation="srgb").jpegsave_buffer())
    asset = ask(world.server.port, "POST", "/v1/assets", key=world.server.admin_key, body=picture).json()
    fields = {"file": {"default": asset["sha256"]}, "alt": {"default": "A boot"}}
    world.server.send("PUT", "/v1/content/items/image/boot", {"fields": fields})
    world.server.send("POST", "/v1/content/items/image/boot/publish", {})
    told = {"fields": {"text": {"default": "Look"}, "image": "image/boot"}}
    world.server.send("PUT", "/v1/content/items/campaign/boot", told)
    world.server.send("POST", "/v1/content/items/campaign/boot/publish", {})
    world.send(user, "boot")
    until(lambda: bool(browser.run("!!window.box()?.querySelector('img')?.naturalWidth")), "the picture")
    assert browser.run("box().querySelector('img').alt") == "A boot"
    assert browser.run("box().querySelector('img').nextElementSibling.textContent") == "Look"
    browser.run("box().querySelector('button').click()")


def test_rules_decide_when_it_is_shown(world: World, browser: Browser, user: str) -> None:
    """One waits for its event, one for its page; of two at once the one that matters more comes first."""
    world.publish("late", {"event": "Cart Viewed", "style": "toast"}, title="Late")
    world.publish("elsewhere", {"page": "/checkout*", "style": "banner"}, title="Elsewhere")
    world.publish("less", {"event": "Cart Viewed", "style": "toast", "priority": -1}, title="Less")
    for name in ("less", "late", "elsewhere"):
        world.send(user, name)
    until(lambda: browser.run("site.inbox.messages.size") == 3, "all to be there")
    assert browser.run("!!window.box()") is False
    browser.run("site.track('Cart Viewed')")
    until(lambda: browser.run("window.box()?.querySelector('h2')?.textContent") == "Late", "what matters more")
    browser.run("box().querySelector('button').click()")
    until(lambda: browser.run("window.box()?.querySelector('h2')?.textContent") == "Less", "the other")
    browser.run("box().querySelector('button').click()")
    assert browser.run("!!window.box()") is False
    browser.do(goto=world.page("/checkout/1"))
    until(lambda: browser.run("window.box()?.querySelector('h2')?.textContent") == "Elsewhere", "its page")
    browser.run("box().querySelector('button').click()")


def test_without_a_stream_it_is_asked_for(world: World, browser: Browser, user: str) -> None:
    """The same messages, by plain requests; nothing listens."""
    browser.do(goto=f"{world.shop}/?html=nothing")
    message = world.send(user, "plain")
    until(lambda: world.waiting(user) == [message], "the message to wait")
    browser.do(goto=world.page(live=False))
    until(lambda: bool(browser.run("!!window.box()")), "the message to be shown")
    assert browser.run("site.inbox.stream") is None
    browser.do(key="Escape")


def test_two_tabs_show_it_once(world: World, browser: Browser, user: str) -> None:
    """Whichever is first shows it; the other leaves it, also when it comes to the front."""
    browser.do("two", goto=world.page())
    world.send(user, "plain")
    until(lambda: any(browser.run("!!window.box()", tab) for tab in ("one", "two")), "the message")
    shown = [tab for tab in ("one", "two") if browser.run("!!window.box()", tab)]
    assert len(shown) == 1
    (other,) = {"one", "two"} - set(shown)
    browser.do(other, front=True)
    until(lambda: browser.run("site.inbox.isOn", other) is True, "the other to be awake")
    assert browser.run("!!window.box()", other) is False
    browser.do(shown[0], front=True)
    browser.run("box().querySelector('button').click()", shown[0])
    browser.do("two", goto="about:blank")
    browser.do("one", front=True)


def test_what_happens_offline_arrives_once(world: World, browser: Browser, user: str) -> None:
    """Events wait on the device, through a reload too, and each is stored once."""
    browser.do(offline=True)
    browser.run("[1, 2, 3].forEach((number) => site.track('Offline', { number }))")
    until(lambda: browser.run("site.queue.failures") > 0, "a try in vain")
    assert browser.run("Object.keys(localStorage).filter((each) => each.startsWith('courtesy.q.')).length") == 3
    browser.do(offline=False)
    browser.do(goto=world.page())
    browser.run("site.flush()")
    assert world.names(user).count("Offline") == 3


def test_nothing_is_stored_before_consent(world: World, browser: Browser) -> None:
    """Nothing on the device and nothing sent before a yes; what happened until then is told with it. After a no the
    choice alone is left."""
    page = world.page(consentRequired=True)
    browser.do(goto=world.page())
    browser.run("localStorage.clear()")
    browser.do(goto=page)
    browser.run("site.track('Before Consent')")
    assert browser.run("[localStorage.length, document.cookie.length]") == [0, 0]
    anonymous = browser.run("site.anonymousId()")
    assert world.asking("/v1/inbox/live", anonymousId=anonymous).status == 404
    browser.run("site.consent({ analytics: true, marketing: false })")
    browser.run("site.flush()")
    events = events_of(world.server, "anonymous_id", anonymous)
    assert "Before Consent" in [each.get("name") for each in events]
    assert browser.run("localStorage.getItem('courtesy.anonymous_id')") == anonymous
    browser.run("site.consent({ analytics: false })")
    until(lambda: browser.run("Object.keys(localStorage)") == ["courtesy.consent"], "all but the choice to be gone")
    allowed = world.server.get(f"/v1/people/anonymous_id/{anonymous}/allowed?purpose=analytics&channel=web")
    assert allowed["allowed"] is False
    browser.run("localStorage.clear()")


def test_a_place_shows_its_offer_without_flicker(world: World, browser: Browser, user: str) -> None:
    """The room is kept and filled once; without an offer the page keeps what it has; seen and taken are told."""
    offer = {
        "title": "Spring",
        "value": {"kind": "percent", "percent": 10},
        "placements": {
            "hero": {"title": "Ten per cent", "link": "https://shop.example/", "image": "javascript:alert(1)"}
        },
    }
    world.server.send("PUT", "/v1/offers/spring", offer)
    browser.do(goto=world.page(placementTimeoutMs=10_000))
    hero = "document.querySelector('#hero')"
    until(lambda: browser.run(f"{hero}.dataset.courtesyState") == "filled", "the offer")
    assert "Ten per cent" in browser.run(f"{hero}.textContent")
    assert browser.run(f"{hero}.querySelector('img')") is None
    assert browser.run(f"getComputedStyle({hero}).visibility") == "visible"
    until(lambda: browser.run("site.flush()") is None and "Offer Seen" in world.names(user), "that it was seen")
    told = browser.run("site.reply('spring', 'accepted', 'hero')")
    assert told["granted"]["granted"] is True
    held = world.server.get(f"/v1/people/user_id/{user}/offers")["grants"]
    assert [each["offer"] for each in held] == ["spring"]
    browser.run("site.reply('spring', 'declined', 'hero')")
    browser.do(goto=world.page(placementTimeoutMs=10_000))
    until(lambda: browser.run(f"{hero}.dataset.courtesyState") == "default", "what is there otherwise")
    assert browser.run(f"{hero}.textContent") == "The usual"
    world.server.send("PUT", "/v1/offers/spring", {**offer, "withdrawn": True})


def test_a_server_with_listeners_stops_at_once(world: World) -> None:
    """An open stream ends when the server stops, and does not keep it for as long as it may. The last test."""
    tell(world.server, [{"type": "page", "anonymousId": "until-the-end"}])
    connection = http.client.HTTPConnection("127.0.0.1", world.server.port, timeout=30)
    connection.request("GET", f"/v1/inbox/live?writeKey={world.server.write_key}&anonymousId=until-the-end")
    stream = connection.getresponse()
    assert stream.readline() == b"retry: 2000\n"
    world.server.process.terminate()
    while stream.readline():
        pass
    stream.close()
    connection.close()
    world.server.process.wait(60)
