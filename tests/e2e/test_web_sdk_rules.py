"""When messages within pages are shown and when not, in a real Chromium, against a whole running server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.asking import tell, until
from tests.e2e.browsing import Browser, browsing
from tests.e2e.web_world import World, web_world

TITLE = "window.box()?.querySelector('h2')?.textContent"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server and a shop."""
    with web_world(tmp_path_factory.mktemp("rules") / "data") as made:
        yield made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, node_modules: Path) -> Iterator[Browser]:
    """A browser for all."""
    assert node_modules.exists()
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def user(world: World, browser: Browser) -> Iterator[str]:
    """Somebody who is logged in on the page of the tab `one`."""
    name = log_in(world, browser)
    yield name
    assert browser.failures == []


def log_in(world: World, browser: Browser) -> str:
    """Somebody new, of whom alone the page knows."""
    name = f"user-{uuid.uuid4()}"
    browser.do(goto=world.page())
    browser.run("localStorage.clear()")
    browser.do(goto=world.page())
    browser.run(f"site.identify('{name}', {{}}, {{userHash: '{world.proof(name)}'}})")
    browser.run("site.flush()")
    return name


def shown(browser: Browser, title: str) -> None:
    """Wait until a message is on the screen."""
    until(lambda: browser.run(TITLE) == title, f"{title!r} to be shown")


def test_it_waits_while_somebody_fills_in_a_form(world: World, browser: Browser, user: str) -> None:
    """Not over a field in which they write, nor over a dialog of the page; when they are done it comes."""
    browser.run("document.querySelector('#field').focus()")
    browser.do(key="a")
    message = world.send(user, "plain")
    until(lambda: bool(browser.run("site.inbox.ready.size")), "the message to be ready")
    assert browser.run("site.inbox.isBusy()") is True
    assert browser.run("!!window.box()") is False
    browser.run("document.body.insertAdjacentHTML('beforeend', '<dialog id=own>Size?</dialog>'), own.showModal()")
    assert browser.run("document.querySelector('#field').value") == "a"
    assert browser.run("site.inbox.isBusy()") is True
    browser.run("own.close(), document.activeElement.blur()")
    shown(browser, "Hello")
    browser.do(key="Escape")
    assert browser.run(f"localStorage.getItem('courtesy.shown.{message}')") == "-1"


def test_caps_hold_by_visit_and_by_day(world: World, browser: Browser, user: str) -> None:
    """Once a visit, twice a day, three times in all; none of it was answered."""
    world.publish("often", {"cap": 3, "cap_per_visit": 1, "cap_per_day": 2}, title="Often")
    message = world.send(user, "often")
    shown(browser, "Often")

    def reload(change: str = "0") -> bool:
        browser.run(change)
        browser.do(goto=world.page())
        until(lambda: browser.run(f"site.inbox.messages.has('{message}')"), "the message to be heard of")
        # Whatever is shown is shown under the lock, so who has it after knows.
        browser.run("navigator.locks.request('courtesy.show', () => 1)")
        return bool(browser.run("!!window.box()"))

    half_an_hour = "localStorage.setItem('courtesy.visit', '0,0')"
    kept = f"localStorage['courtesy.shown.{message}']"
    yesterday = f"{kept} = {kept}.split(',').map((each) => each - 864e5).join(',')"
    assert reload() is False
    assert reload(half_an_hour) is True
    assert reload(half_an_hour) is False
    assert reload(f"{half_an_hour}, {yesterday}") is True
    assert reload(f"{half_an_hour}, {yesterday}") is False
    assert world.waiting(user) == [message]


def test_what_was_dismissed_or_is_over_is_not_shown_again(world: World, browser: Browser, user: str) -> None:
    """After a reload and in another tab; nor what is not worth showing any more, or was withdrawn."""
    message = world.send(user, "plain")
    shown(browser, "Hello")
    browser.run("box().querySelector('.x').click()")
    browser.run("site.flush()")
    assert world.waiting(user) == []
    # As if the server had not heard of it.
    browser.run(f"site.inbox.take({{ message: '{message}', expires: '2999-01-01', title: 'Hello' }})")
    assert browser.run("site.inbox.messages.size") == 0
    browser.do("two", goto=world.page())
    browser.run(f"site.inbox.take({{ message: '{message}', expires: '2999-01-01', title: 'Hello' }})", "two")
    assert browser.run("site.inbox.messages.size", "two") == 0
    browser.do("two", goto="about:blank")
    browser.do(front=True)
    world.publish("later", {"event": "Cart Viewed"}, title="Later")
    world.send(user, "later")
    until(lambda: browser.run("site.inbox.messages.size") == 1, "the message")
    browser.run("window.now = Date.now, Date.now = () => now() + 3 * 864e5")
    browser.run("site.track('Cart Viewed')")
    browser.run("new Promise((then) => setTimeout(then))")
    assert browser.run("[site.inbox.ready.size, !!window.box()]") == [1, False]


def test_what_is_withdrawn_goes_from_the_screen(world: World, browser: Browser, user: str) -> None:
    """Also while it is looked at; and it is counted with what was seen."""
    message = world.send(user, "plain")
    shown(browser, "Hello")
    world.server.send("DELETE", f"/v1/people/user_id/{user}/messages/{message}")
    until(lambda: not browser.run("!!window.box()"), "the message to go")
    assert world.waiting(user) == []


def test_what_they_withdraw_consent_for_goes_from_the_screen(world: World, browser: Browser, user: str) -> None:
    """While it is looked at, with no call about the message; what the service has to say stays."""

    def choose(action: str) -> None:
        tell(
            world.server, [{"type": "consent", "userId": user, "choices": [{"action": action, "purpose": "marketing"}]}]
        )

    choose("grant")
    message = world.send(user, "plain", purpose="marketing", service=False)
    shown(browser, "Hello")
    world.publish("receipt", {"event": "Never"}, title="Receipt")
    receipt = world.send(user, "receipt")
    until(lambda: world.waiting(user) == [message, receipt], "both to wait")
    choose("withdraw")
    until(lambda: not browser.run("!!window.box()"), "the message to go")
    assert world.waiting(user) == [receipt]
    assert browser.run(f"site.inbox.messages.has('{message}')") is False


def test_after_a_no_nothing_is_shown(world: World, browser: Browser) -> None:
    """What is open is closed, and what comes is not heard."""
    user = f"user-{uuid.uuid4()}"
    browser.do(goto=world.page())
    browser.run("localStorage.clear()")
    browser.do(goto=world.page(consentRequired=True))
    browser.run("site.consent({ analytics: true })")
    browser.run(f"site.identify('{user}', {{}}, {{userHash: '{world.proof(user)}'}})")
    browser.run("site.flush()")
    world.send(user, "plain")
    shown(browser, "Hello")
    browser.run("site.consent({ analytics: false })")
    assert browser.run("!!window.box()") is False
    assert browser.run("[site.inbox.isOn, site.inbox.stream]") == [False, None]
    browser.run("localStorage.clear()")
    assert browser.failures == []


def test_seen_is_what_was_in_view_and_clicked_is_told_once(world: World, browser: Browser, user: str) -> None:
    """A place below the fold is seen when it comes up; a click counts once however often it is made."""
    offer = {"title": "Spring", "value": {"kind": "percent", "percent": 10}, "placements": {"foot": {"title": "Foot"}}}
    world.server.send("PUT", "/v1/offers/foot", offer)
    browser.do(goto=world.page(placementTimeoutMs=10_000))
    until(lambda: browser.run("document.querySelector('#foot').dataset.courtesyState") == "filled", "the offer")
    browser.run("site.flush()")
    assert "Offer Seen" not in world.names(user)
    browser.run("document.querySelector('#foot').scrollIntoView()")
    until(lambda: browser.run("site.flush()") is None and "Offer Seen" in world.names(user), "that it was seen")
    world.server.send("PUT", "/v1/offers/foot", {**offer, "withdrawn": True})
    world.publish("linked", title="Linked", link="https://shop.example/")
    world.send(user, "linked")
    shown(browser, "Linked")
    browser.run("window.go = box().querySelector('.go'), go.onclick = (event) => event.preventDefault(), 0")
    browser.run("go.click(), go.click(), go.click()")
    browser.run("site.flush()")
    names = world.names(user)
    assert [names.count(f"Message {each}") for each in ("Delivered", "Seen", "Clicked", "Dismissed")] == [1, 1, 1, 0]
