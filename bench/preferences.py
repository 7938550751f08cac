"""The preference centre's figure: how long a customer waits who ticks or unticks a box and saves."""

from __future__ import annotations

import asyncio
import time
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlencode

import msgspec

from bench.asking import Request, ask_all
from bench.load import percentile, send_all
from bench.results import Figure
from sim.server import LEARN_S, Server, serving

BATCH = 100
FORM = {"content-type": "application/x-www-form-urlencoded"}
SHOP = {
    "brand": "Shoes & More",
    "topics": [{"name": name} for name in ("sales", "shoes", "hats")],
    "likes": [{"name": name} for name in ("boots", "sandals")],
}


def preferences(people: int) -> list[Figure]:
    """Each of so many people opens their page once, changes one thing and saves, one after the other."""
    with serving("--http-workers", "1", "--fold-workers", "1") as server:
        server.send("PUT", "/v1/preference-centre", SHOP)
        time.sleep(LEARN_S)
        _make(server, people)
        paths = [
            answer.body["path"]
            for answer in ask_all(
                server, [Request("POST", f"/v1/people/user_id/guest-{number}/links", {}) for number in range(people)]
            )
        ]
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        took = [_save(connection, path) for path in paths]
        connection.close()
    note = "a choice by form, stored, and the page that shows it; one at a time, over one connection, folding beside it"
    return [Figure("preference_save_ms_p95", percentile(took, 0.95), "ms", len(took), note)]


def _make(server: Server, people: int) -> None:
    told = [
        {
            "type": "identify",
            "userId": f"guest-{number}",
            "messageId": f"guest-{number}",
            "traits": {"email": f"guest{number}@example.com", "country": "DE"},
        }
        for number in range(people)
    ]
    bodies = [msgspec.json.encode({"batch": told[first : first + BATCH]}) for first in range(0, people, BATCH)]
    sent = asyncio.run(send_all(server.port, server.write_key, bodies, 4))
    if sent.bad:
        raise RuntimeError(f"{len(sent.bad)} bad answers, the first: {sent.bad[0]}")
    server.wait_folded()


class _Form(HTMLParser):
    """What a browser would send of a page's form, and the names of the boxes that are not ticked."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self.unticked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        name, kind = told.get("name"), told.get("type")
        if tag != "input" or not name:
            return
        if kind == "checkbox" and "checked" not in told:
            self.unticked.append(name)
        elif kind == "hidden" or "checked" in told:
            self.fields.append((name, told.get("value") or ""))


def _save(connection: HTTPConnection, path: str) -> float:
    """How long it took, in ms, from sending the form to having the page that says so."""
    connection.request("GET", path)
    form = _Form()
    form.feed(_content(connection.getresponse(), 200))
    body = urlencode([*form.fields, (form.unticked[0], "on")])
    began = time.perf_counter()
    connection.request("POST", path, body, FORM)
    answer = connection.getresponse()
    _content(answer, 303)
    connection.request("GET", answer.headers["location"])
    shown = _content(connection.getresponse(), 200)
    took_ms = (time.perf_counter() - began) * 1_000
    saved = _Form()
    saved.feed(shown)
    if "done=saved" not in answer.headers["location"] or (form.unticked[0], "on") not in saved.fields:
        raise RuntimeError(f"expected {form.unticked[0]} to be saved, got {answer.headers['location']}")
    return took_ms


def _content(answer: HTTPResponse, status: int) -> str:
    content = answer.read().decode()
    if answer.status != status:
        raise RuntimeError(f"expected status {status}, got {answer.status}: {content[:300]}")
    return content
