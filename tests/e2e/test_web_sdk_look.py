"""What messages and places look like and whether everybody can use them, in a real Chromium, with the SDK as the server
hands it out to a page without a line of script of its own."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.e2e.asking import ask, tell, until
from tests.e2e.browsing import Browser, browsing
from tests.e2e.web_world import NO_GAP, World, web_world

STYLES = ("dialog", "banner", "toast")
PHONE, LAPTOP = {"width": 360, "height": 640}, {"width": 1_000, "height": 700}
BOX = "document.querySelector('[data-courtesy-message]')?.shadowRoot.querySelector('.box')"
STILL = f"Promise.all({BOX}.getAnimations().map((each) => each.finished)).then(() => 0)"
SHIFTS = "new PerformanceObserver((list) => shifts.push(...list.getEntries().map((e) => e.value)))"
"""How much of the page moved, as browsers measure it (cumulative layout shift)."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A server and a shop."""
    with web_world(tmp_path_factory.mktemp("look") / "data") as made:
        for style in STYLES:
            texts = {"title": "Spring is here", "text": "Ten per cent on all boots until Sunday."}
            made.publish(style, {"style": style}, **texts, link="https://shop.example/spring")
        made.publish("hebrew", {"style": "toast"}, title="האביב כאן", text="עשרה אחוזים", link="https://shop.example/")
        yield made


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, node_modules: Path) -> Iterator[Browser]:
    """A browser for all."""
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def axe(node_modules: Path) -> str:
    """The checker of accessibility, as a script."""
    return (node_modules / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def page(world: World, head: str = "", body: str = "", policy: str = "", **options: Any) -> str:
    """The address of a page that has the SDK from the server, in one line."""
    told = html.escape(json.dumps({**NO_GAP, **options}))
    origin = f"http://127.0.0.1:{world.server.port}"
    sdk = next(each for each in ask(world.server.port, "GET", "/sdk").json()["files"] if each["name"] == "courtesy.js")
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>A shop</title>'
        f'<meta name="viewport" content="width=device-width"><script crossorigin integrity="{sdk["integrity"]}"'
        f' src="{origin}{sdk["path"]}" data-write-key="{world.server.write_key}" data-options="{told}"></script>{head}'
        f'<main><h1>A shop</h1><button id="before">Before</button>{body}</main></html>'
    )
    return f"{world.shop}/?{urlencode({'html': text, 'policy': policy})}"


def show(world: World, browser: Browser, content: str, tab: str = "one", **more: Any) -> None:
    """Have somebody new be shown a message."""
    user = f"user-{uuid.uuid4()}"
    tell(world.server, [{"type": "identify", "userId": user}])
    world.send(user, content)
    until(lambda: len(world.waiting(user)) == 1, "the message to wait")
    forget(world, browser, tab)
    browser.do(tab, goto=page(world, **more))
    browser.run("document.querySelector('#before').focus()", tab)
    browser.run(f"courtesy.site.identify('{user}', {{}}, {{ userHash: '{world.proof(user)}' }})", tab)
    until(lambda: bool(browser.run(f"{BOX}?.querySelector('.x')", tab)), "the message to be shown")


def forget(world: World, browser: Browser, tab: str) -> None:
    """Nothing is left of the visitor before. From a page without the SDK, which would begin anew at once."""
    browser.do(tab, goto=f"{world.shop}/?html=nothing")
    browser.run("localStorage.clear()", tab)


def violations(browser: Browser, axe: str) -> list[str]:
    """What axe finds, once nothing moves any more."""
    browser.run(STILL)
    browser.run(f"(() => {{ {axe} }})(), 0")
    run = (
        "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ' ' + nodes[0].html.slice(0, 200)))"
    )
    return list(browser.run(run))


def strict(world: World) -> str:
    """A policy that allows the server of the SDK and nothing in the page itself."""
    origin = f"http://127.0.0.1:{world.server.port}"
    return (
        f"default-src 'none'; script-src {origin}; connect-src {origin}; img-src {origin};"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )


@pytest.mark.parametrize("style", STYLES)
def test_each_form_can_be_used_by_everybody(world: World, browser: Browser, axe: str, style: str) -> None:
    """axe finds nothing, light and dark; it fits a phone; Escape ends it, and focus is where it was."""
    browser.do(size=LAPTOP)
    head = '<meta name="color-scheme" content="light dark">'
    show(world, browser, style, head=head)
    assert violations(browser, axe) == []
    light = browser.run(f"getComputedStyle({BOX}).backgroundColor")
    browser.do(media={"colorScheme": "dark", "reducedMotion": "reduce"})
    assert browser.run(f"getComputedStyle({BOX}).backgroundColor") != light
    assert browser.run(f"getComputedStyle({BOX}).animationName") == "none"
    assert violations(browser, axe) == []
    browser.do(media={"colorScheme": "light", "reducedMotion": "no-preference"})
    browser.do(size=PHONE)
    browser.run(STILL)
    edges = f"(({{ left, right, top, bottom }}) => [left, right, top, bottom])({BOX}.getBoundingClientRect())"
    left, right, top, bottom = map(round, browser.run(edges))
    assert (left >= 0, right <= PHONE["width"], top >= 0, bottom <= PHONE["height"]) == (True,) * 4
    assert browser.run("document.documentElement.scrollWidth") == PHONE["width"]
    small = "[...document.querySelector('[data-courtesy-message]').shadowRoot.querySelectorAll('a,button')]"
    assert min(browser.run(f"{small}.map((each) => each.getBoundingClientRect().height)")) >= 44
    if style != "dialog":
        browser.run(f"{BOX}.querySelector('a').focus()")
    browser.do(key="Escape")
    assert browser.run(BOX) is None
    assert browser.run("document.activeElement.id") == "before"


def test_what_is_written_from_right_to_left_runs_so(world: World, browser: Browser) -> None:
    """By what it says, whatever the page's own direction: what closes it is on its left."""
    browser.do(size=LAPTOP)
    show(world, browser, "hebrew")
    middles = "['.x', 'h2'].map((each) => box.querySelector(each).getBoundingClientRect()).map((each) => each.left)"
    closes, says = browser.run(f"((box) => {middles})({BOX})")
    assert closes < says
    assert browser.run(f"getComputedStyle({BOX}).direction") == "rtl"


def test_a_strict_policy_lets_it_pass(world: World, browser: Browser) -> None:
    """One line in the page, pinned by its hash, no script and no style within: nothing is refused, it has its look."""
    hear = "(event) => (window.refused ??= []).push(event.blockedURI)"
    hear = f"document.addEventListener('securitypolicyviolation', {hear})"
    browser.do("strict", early=hear)
    show(world, browser, "toast", "strict", policy=strict(world))
    assert browser.run(f"getComputedStyle({BOX}).position", "strict") == "fixed"
    browser.run("courtesy.site.flush()", "strict")
    assert browser.run("window.refused ?? []", "strict") == []
    # The listener is awake: a style in the page is refused.
    browser.run("document.querySelector('h1').setAttribute('style', 'color:red')", "strict")
    until(lambda: browser.run("window.refused ?? []", "strict") == ["inline"], "a refusal")
    browser.do("strict", goto="about:blank")
    browser.do(front=True)


def test_the_file_is_handed_out_as_pages_want_it(world: World) -> None:
    """Packed, known by its tag, from any origin; for good at its own address, whose hash is right."""
    files = {each["name"]: each for each in ask(world.server.port, "GET", "/sdk").json()["files"]}
    for name, told in files.items():
        for path, caching in ((told["path"], "immutable"), (f"/sdk/{name}?from=somewhere", "max-age=300")):
            plain = ask(world.server.port, "GET", path)
            assert (plain.status, plain.headers["content-type"]) == (200, "text/javascript")
            assert plain.headers["access-control-allow-origin"] == "*"
            assert caching in plain.headers["cache-control"]
            digest = base64.b64encode(hashlib.sha384(plain.body).digest()).decode()
            assert told["integrity"] == f"sha384-{digest}"
            packed = ask(world.server.port, "GET", path, headers={"accept-encoding": "gzip, br"})
            assert packed.headers["content-encoding"] == "gzip"
            assert gzip.decompress(packed.body) == plain.body
            assert packed.headers["etag"] != plain.headers["etag"]
            again = ask(world.server.port, "GET", path, headers={"if-none-match": plain.headers["etag"]})
            assert (again.status, again.body) == (304, b"")
    other = ask(world.server.port, "GET", "/sdk/0000000000000000/courtesy.js")
    # Sent on to what this server has, which is not for good.
    assert (other.status, other.headers["cache-control"][:19]) == (200, "public, max-age=300")
    assert ask(world.server.port, "GET", "/sdk/secret.py").status == 404


def test_what_a_page_asked_before_the_script_was_there_is_done(world: World, browser: Browser) -> None:
    """In order, once; what one of them does wrong is not the others' fault; later ones are done at once."""
    early = "(window.courtesy ||= []).push((site) => site.boom(), (site) => { window.first = site.track('Early') })"
    text = page(world).replace("html=", f"html={urlencode({'': f'<script>{early}</script>'})[1:]}", 1)
    forget(world, browser, "one")
    browser.do(goto=text)
    assert browser.run("window.first.length") == 36
    browser.run("courtesy.push((site) => (window.second = site))")
    assert browser.run("window.second === courtesy.site") is True
    # The page view was told by itself.
    browser.run("courtesy.site.flush()")
    anonymous = browser.run("courtesy.site.anonymousId()")
    told = world.server.get(f"/v1/people/anonymous_id/{anonymous}/events")["events"]
    assert sorted(each["name"] or each["type"] for each in told) == ["Early", "page"]
    assert [each for each in browser.failures if "boom" not in each] == []


def watched() -> tuple[str, str]:
    """A head that keeps count of what is painted and of what moves, and a body with a place."""
    watch = (
        f"<script>window.shifts = []; {SHIFTS}.observe({{ type: 'layout-shift', buffered: true }});"
        "window.painted = []; (function paint() { const hero = document.querySelector('#hero');"
        "if (hero) painted.push(getComputedStyle(hero).visibility + ' ' + hero.textContent.trim());"
        "requestAnimationFrame(paint) })()</script>"
    )
    body = (
        '<div id="hero" data-courtesy-placement="hero" style="height: 200px">The usual</div>'
        '<p style="height: 300px">Below</p>'
    )
    return watch, body


@pytest.mark.parametrize("timeout_ms", [10_000, 1])
def test_nothing_flickers_and_nothing_moves(world: World, browser: Browser, timeout_ms: int) -> None:
    """A place with a height is filled without moving anything, and what stood there is never drawn before; too late,
    that is drawn for good. What is measured does move when something comes in above."""
    browser.do(size=LAPTOP)
    look = {"title": "Ten per cent", "text": "On all boots\n" * 3, "link": "https://shop.example/"}
    offer = {"title": "Spring", "value": {"kind": "percent", "percent": 10}, "placements": {"hero": look}}
    world.server.send("PUT", "/v1/offers/calm", offer)
    user = f"user-{uuid.uuid4()}"
    tell(world.server, [{"type": "identify", "userId": user}])
    head, body = watched()
    address = page(world, head, body, placementTimeoutMs=timeout_ms, placements=["hero"])
    browser.do(goto=address)
    browser.run(f"courtesy.site.identify('{user}', {{}}, {{ userHash: '{world.proof(user)}' }})")
    browser.run("courtesy.site.flush()")
    browser.do(goto=address)
    until(lambda: bool(browser.run("document.querySelector('#hero').dataset.courtesyState")), "the place to settle")
    browser.run("new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(then))))")
    painted, shifts = browser.run("[painted, shifts]")
    world.server.send("PUT", "/v1/offers/calm", {**offer, "withdrawn": True})
    shown = {each for each in painted if each.startswith("visible")}
    assert sum(shifts) == 0
    if timeout_ms == 1:
        assert shown == {"visible The usual"}
    else:
        assert ["Ten per cent" in each for each in shown] == [True]
    browser.run("document.querySelector('main').insertAdjacentHTML('afterbegin', '<p>New<br>New<br>New</p>')")
    until(lambda: sum(browser.run("shifts")) > 0, "what moved to be measured")
