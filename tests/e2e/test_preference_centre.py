"""The preference centre in a real Chromium: with and without scripts, by keyboard alone, on a phone, in a frame."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from courtesy.http.centre.texts import LOCALES
from sim.server import LEARN_S, Server
from tests.e2e.asking import ask, person_of, person_path
from tests.e2e.walking import LOGO, PHONE, address_for, customer, may, open_shop, walk


@pytest.fixture(scope="module")
def shop(server: Server) -> Server:
    """The server, with a shop's preference centre."""
    open_shop(server)
    return server


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_customer_chooses_and_what_they_chose_is_obeyed(shop: Server, node_modules: Path, javascript: bool) -> None:
    """Ticked, saved, seen again and obeyed; then a guess is removed, and everything is refused with one button."""
    user = f"walker-{javascript}"
    customer(shop, user)
    address = address_for(shop, user)
    seen = walk(
        node_modules,
        ("open", address),
        ("tick", "c0.0"),
        ("untick", "t1"),
        ("choose", "l0", "like"),
        ("choose", "frequency", "weekly"),
        ("press", "save"),
        ("text",),
        ("state",),
        javascript=javascript,
    )
    assert "Your choices are saved" in seen.answers[6]
    state = seen.answers[7]
    assert (state["c0.0"], state["l0"], state["frequency"], state.get("t1")) == ("on", "like", "weekly", None)
    assert (may(shop, user), may(shop, user, "sms")) == (True, False)
    seen_later = walk(
        node_modules,
        ("open", address),
        ("tick", "forget", "household_income"),
        ("press", "remove"),
        ("text",),
        ("press", "refuse_all"),
        ("state",),
        javascript=javascript,
    )
    assert "It is removed" in seen_later.answers[3]
    assert "c0.0" not in seen_later.answers[5]
    assert not may(shop, user)
    assert set(person_of(shop, "user_id", user)["traits"]) == {"email", "country", "size", "favourite_colour", "pets"}
    for each in (seen, seen_later):
        assert each.hosts == [f"127.0.0.1:{shop.port}"]
        assert each.refused == []


def test_the_keyboard_alone_does_it(shop: Server, node_modules: Path) -> None:
    """Every field is reached in order, with an outline to see where one is."""
    customer(shop, "typist")
    seen = walk(
        node_modules,
        ("open", address_for(shop, "typist")),
        ("tab", "c0.0"),
        ("key", "Space"),
        ("tab", "l1"),
        ("key", "ArrowRight"),
        ("tab", "pause"),
        ("tab", "save"),
        ("key", "Enter", True),
        ("state",),
    )
    assert {seen.answers[step] for step in (1, 3, 5, 6)} == {"solid"}
    assert (seen.answers[8]["c0.0"], seen.answers[8]["l1"]) == ("on", "dislike")
    assert may(shop, "typist")


def test_it_fits_a_phone_also_from_right_to_left(shop: Server, node_modules: Path) -> None:
    """Nothing runs off the side, everything to touch is large enough, and boxes stand where the line begins."""
    customer(shop, "caller")
    address = address_for(shop, "caller")
    steps = [(("open", f"{address}?lang={each}"), ("layout",), ("turn",), ("layout",)) for each in LOCALES]
    answers = walk(node_modules, *(step for each in steps for step in each), viewport=PHONE).answers
    for number, locale in enumerate(LOCALES):
        left, right = answers[4 * number + 1], answers[4 * number + 3]
        assert left["wide"] <= PHONE["width"], locale
        assert right["wide"] <= PHONE["width"], locale
        assert left["lowest"] >= 24  # WCAG 2.2, 2.5.8
        assert left["boxLeft"] < left["labelLeft"]
        assert right["boxLeft"] > right["labelLeft"]


def test_axe_finds_nothing_in_any_language(shop: Server, node_modules: Path) -> None:
    """The preference centre, before and after saving; unsubscribing; and a link that does not work."""
    customer(shop, "axe")
    address, one_click = address_for(shop, "axe"), address_for(shop, "axe", kind="unsubscribe", purpose="marketing")
    wanted = [{"purpose": "marketing", "channel": "email"}, {"purpose": "marketing", "topic": "sales"}]
    confirm = address_for(shop, "axe", kind="confirm", choices=wanted)
    pages = [*(f"{address}?lang={each}" for each in LOCALES), f"{address}?done=saved", one_click, f"{address}x"]
    pages += [f"{confirm}?lang={each}" for each in LOCALES]
    answers = walk(node_modules, *(step for each in pages for step in (("open", each), ("axe",)))).answers
    assert dict(zip(pages, answers[1::2], strict=True)) == {each: [] for each in pages}
    seen = walk(node_modules, ("open", f"{address}?lang=de"), ("axe",), viewport=PHONE, headers={"Sec-GPC": "1"})
    assert seen.answers[1] == []


def test_a_brand_has_a_page_of_its_own(shop: Server, node_modules: Path) -> None:
    """With its logo and nothing for axe to find, also on a phone; what is refused there is refused for it alone."""
    customer(shop, "loyal", country="US")
    try:
        open_shop(shop, brands=[{"name": "trail", "title": "Trail Boots", "logo": LOGO}])
        address = address_for(shop, "loyal", brand="trail")
        steps = (("axe",), ("layout",), ("press", "refuse_all"), ("text",))
        seen = walk(node_modules, ("open", address), *steps, viewport=PHONE)
    finally:
        open_shop(shop)
    assert seen.answers[1] == []
    assert seen.answers[2]["wide"] <= PHONE["width"]
    assert "counts for Trail Boots alone" in seen.answers[4]
    assert seen.refused == []
    assert [may(shop, "loyal", brand=brand) for brand in ("trail", "other")] == [False, True]


def test_unsubscribing_takes_one_press(shop: Server, node_modules: Path) -> None:
    """On the page, without scripts; opening it changes nothing, and a mail program posts the same."""
    customer(shop, "tired", country="US")
    one_click = address_for(shop, "tired", kind="unsubscribe", purpose="marketing", channel="email")
    walk(node_modules, ("open", one_click))
    assert may(shop, "tired")
    seen = walk(node_modules, ("open", one_click), ("press", ""), ("text",), javascript=False)
    assert "You are unsubscribed" in seen.answers[2]
    assert not may(shop, "tired")
    path = one_click.partition(str(shop.port))[2]
    form = {"content-type": "application/x-www-form-urlencoded"}
    answer = ask(shop.port, "POST", path, body=b"List-Unsubscribe=One-Click", headers=form)
    assert answer.status == 200


@contextmanager
def asking(shop: Server, **questions: dict[str, Any]) -> Iterator[None]:
    """A shop with questions, for as long as this lasts."""
    for name, question in questions.items():
        shop.send("PUT", f"/v1/questions/{name}", question)
    time.sleep(LEARN_S)
    try:
        yield
    finally:
        for name in questions:
            ask(shop.port, "DELETE", f"/v1/questions/{name}", key=shop.admin_key)
        time.sleep(LEARN_S)


STYLE: dict[str, Any] = {
    "text": {"en": "Which style is yours?", "de": "Welcher Stil ist Ihrer?"},
    "weight": 5,
    "answer": {
        "kind": "one_of",
        "topic": "style",
        "options": [
            {"name": "classic", "labels": {"de": "Klassisch"}},
            {"name": "sporty", "labels": {"de": "Sportlich"}},
        ],
    },
}


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_one_question_is_asked_answered_and_answered_anew(shop: Server, node_modules: Path, javascript: bool) -> None:
    """The one worth most, once; the answer is shown among theirs, and can be changed there, in their language."""
    user = f"asked-{javascript}"
    customer(shop, user)
    other = {"text": {"en": "How are we?"}, "answer": {"kind": "rating", "topic": "service"}}
    with asking(shop, style=STYLE, service=other):
        address = f"{address_for(shop, user)}?lang=de"
        first = walk(
            node_modules,
            ("open", address),
            ("text",),
            ("choose", "answer", "sporty"),
            ("press", "send"),
            ("text",),
            ("unfold",),
            ("choose", "answer", "classic"),
            ("press", "send"),
            ("text",),
            javascript=javascript,
        )
    assert "Welcher Stil ist Ihrer?" in first.answers[1]
    assert "How are we?" not in first.answers[1]
    assert "Ihre Antwort ist gespeichert" in first.answers[4]
    assert "Eine Frage an Sie" not in first.answers[4]
    choices = shop.get(f"{person_path('user_id', user)}/choices")["choices"]
    assert [each["value"] for each in choices] == ["classic", "sporty"]
    assert first.refused == []


def test_a_question_is_put_off_with_one_press(shop: Server, node_modules: Path) -> None:
    """By the keyboard alone, with nothing chosen; axe finds nothing in it in any language, nor in the answers."""
    customer(shop, "busy")
    email = {"text": {"en": "May we?"}, "answer": {"kind": "consent", "purpose": "research"}, "weight": 1}
    guess = {"text": {"en": "Which animals?"}, "answer": {"kind": "trait", "path": "pets"}}
    with asking(shop, style=STYLE, research=email, animals=guess):
        address = address_for(shop, "busy")
        pages = (step for each in LOCALES for step in (("open", f"{address}?lang={each}"), ("unfold",), ("axe",)))
        checked = walk(node_modules, *pages)
        seen = walk(
            node_modules,
            ("open", address),
            ("layout",),
            ("tab", "not_now"),
            ("key", "Enter", True),
            ("text",),
            viewport=PHONE,
        )
    assert checked.answers[2::3] == [[] for _ in LOCALES]
    assert seen.answers[1]["wide"] <= PHONE["width"]
    assert seen.answers[2] == "solid"
    assert "All right, not now" in seen.answers[4]
    assert "A question for you" not in seen.answers[4]
    assert "Which animals?" in seen.answers[4]


@pytest.mark.parametrize("javascript", [True, False], ids=["with scripts", "without scripts"])
def test_a_double_opt_in_is_confirmed_with_one_press(shop: Server, node_modules: Path, javascript: bool) -> None:
    """Opening the page changes nothing; a press allows it, in the customer's language; axe finds nothing after it."""
    user = f"newcomer-{javascript}"
    customer(shop, user, country="DE")
    wanted = [{"purpose": "marketing", "channel": "sms"}]
    confirm = address_for(shop, user, kind="confirm", choices=wanted, request="form-7")
    seen = walk(node_modules, ("open", f"{confirm}?lang=de"), ("text",), javascript=javascript)
    assert "Bitte bestätigen" in seen.answers[1]
    assert not may(shop, user, "sms")
    checks = [("axe",)] if javascript else []
    seen = walk(node_modules, ("open", confirm), ("press", "confirm"), ("text",), *checks, javascript=javascript)
    assert "Thank you, it is confirmed" in seen.answers[2]
    assert seen.answers[3:] == [[] for _ in checks]
    assert (may(shop, user, "sms"), seen.refused) == (True, [])


def test_a_privacy_signal_of_the_browser_is_shown_as_honoured(shop: Server, node_modules: Path) -> None:
    """It comes with every request, and is in the ledger once."""
    customer(shop, "private", country="US")
    address = address_for(shop, "private")
    seen = walk(node_modules, ("open", address), ("open", address), ("text",), headers={"Sec-GPC": "1"})
    assert "We honour this" in seen.answers[2]
    choices = shop.get(f"{person_path('user_id', 'private')}/choices")["choices"]
    assert sorted(each["purpose"] for each in choices) == ["sale", "sharing"]


@contextmanager
def framing(address: str) -> Iterator[str]:
    """A page of another origin with a frame in which an address is shown."""

    class Framed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = f'<!doctype html><title>Shop</title><iframe src="{address}"></iframe>'.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Framed)
    thread = threading.Thread(target=http.serve_forever, name="framing", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}"
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def test_only_the_pages_that_may_show_it_in_a_frame(shop: Server, node_modules: Path) -> None:
    """None, unless the definition names their origin; then it works there as by itself."""
    customer(shop, "framed")
    with framing(address_for(shop, "framed")) as origin:
        assert walk(node_modules, ("open", origin), ("framed",)).answers[1] == ""
        open_shop(shop, embedded_by=[origin])
        try:
            steps = (("framed",), ("tick", "c0.0"), ("press", "save"), ("text",))
            seen = walk(node_modules, ("open", origin), *steps)
            assert "Your choices" in seen.answers[1]
            assert "Your choices are saved" in seen.answers[4]
            assert seen.refused == []
            assert may(shop, "framed")
        finally:
            open_shop(shop)
