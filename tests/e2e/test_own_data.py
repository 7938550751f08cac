"""Downloading and deleting in a real Chromium, with a code from a real mail server: by keyboard alone, on a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from courtesy.http.centre.texts import LOCALES
from sim.server import Server, serving
from tests.e2e.asking import ask, person_path
from tests.e2e.walking import PHONE, address_for, customer, open_shop, walk
from tests.unit.channel.mailbox import Mailbox, mailbox


@pytest.fixture(scope="module")
def box() -> Iterator[Mailbox]:
    """Where codes arrive."""
    with mailbox() as opened:
        yield opened


@pytest.fixture(scope="module")
def shop(box: Mailbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a shop's preference centre and a mail server."""
    mail = {
        "COURTESY_MAIL_URL": f"smtp://127.0.0.1:{box.port}?tls=none",
        "COURTESY_MAIL_FROM": "Shoes & More <hello@shop.example>",
    }
    with serving("--http-workers", "2", data=tmp_path_factory.mktemp("own") / "data", environment=mail) as started:
        open_shop(started)
        yield started


def test_a_customer_downloads_what_is_held_of_them(shop: Server, box: Mailbox, node_modules: Path) -> None:
    """With a code from their mail and a mouse alone: a file for programs and a page to read, without scripts."""
    customer(shop, "reader")
    address = address_for(shop, "reader")
    asked = walk(
        node_modules, ("open", f"{address}/download"), ("text",), ("press", "send"), ("text",), javascript=False
    )
    assert "r***@example.com" in asked.answers[1]
    assert "A code is on its way" in asked.answers[3]
    assert box.messages()[-1]["to"] == "reader@example.com"
    got = walk(
        node_modules,
        ("open", f"{address}/download?done=sent"),
        ("tab", "code"),
        ("type", box.code()),
        ("press", "enter"),
        ("fetch", "get", "json"),
        ("fetch", "get", "html"),
        javascript=False,
    )
    assert got.answers[1] == "solid"
    (json_name, content), (html_name, readable) = got.answers[4:]
    assert json_name.endswith("-access.json")
    assert html_name.endswith("-access.html")
    assert json.loads(content)["held"]["person"]["traits"]["size"] == 41
    assert "reader@example.com" in readable
    assert got.refused == []
    assert got.hosts == [f"127.0.0.1:{shop.port}"]


def test_a_customer_is_deleted_by_the_keyboard_alone(shop: Server, box: Mailbox, node_modules: Path) -> None:
    """On a phone's screen, after a wrong code; then their link opens nothing, and they are not known any more."""
    customer(shop, "leaver")
    shop.wait_folded()
    address = address_for(shop, "leaver")
    asked = walk(
        node_modules,
        ("open", f"{address}/delete"),
        ("tab", "send"),
        ("key", "Enter", True),
        ("tab", "code"),
        ("type", "000000x"),
        ("key", "Enter", True),
        ("text",),
        viewport=PHONE,
    )
    assert "That is not the code" in asked.answers[6]
    done = walk(
        node_modules,
        ("open", f"{address}/delete?done=sent"),
        ("tab", "code"),
        ("type", box.code()),
        ("key", "Enter", True),
        ("tab", "get"),
        ("key", "Enter", True),
        ("text",),
        ("open", address),
        ("text",),
        viewport=PHONE,
    )
    assert "Your data is deleted" in done.answers[6]
    assert (done.answers[7], "This link does not work" in done.answers[8]) == (404, True)
    assert ask(shop.port, "GET", person_path("user_id", "leaver"), key=shop.admin_key).status == 404


def test_axe_finds_nothing_and_it_fits_a_phone(shop: Server, box: Mailbox, node_modules: Path) -> None:
    """In each language, before a code, with one, after a wrong one, and once it was right; also right to left."""
    customer(shop, "axe-own")
    address = address_for(shop, "axe-own")
    pages = [
        f"{address}/{what}?lang={each}{done}"
        for each in LOCALES
        for what, done in (("download", ""), ("delete", "&done=sent"), ("download", "&done=wrong"))
    ]
    steps = [step for each in pages for step in (("open", each), ("axe",), ("layout",), ("turn",), ("layout",))]
    answers = walk(node_modules, *steps, viewport=PHONE).answers
    assert dict(zip(pages, answers[1::5], strict=True)) == {each: [] for each in pages}
    for layout in (*answers[2::5], *answers[4::5]):
        assert layout["wide"] <= PHONE["width"]
        assert layout["lowest"] >= 24
    walk(node_modules, ("open", f"{address}/delete?lang=de"), ("press", "send"))
    passed = walk(
        node_modules,
        ("open", f"{address}/delete?lang=de&done=sent"),
        ("tab", "code"),
        ("type", box.code()),
        ("press", "enter"),
        ("axe",),
        ("text",),
    )
    assert passed.answers[4] == []
    assert "Alles endgültig löschen" in passed.answers[5]
