"""Content on a real server: published by people and by itself, and the same after it was killed."""

from __future__ import annotations

import time
from typing import Any

import pytest

from courtesy.base.time import to_iso
from sim.server import Server
from tests.e2e.asking import ask, until
from tests.e2e.processes import running

FOOTER, MAIL = "items/fragment/footer", "items/campaign/spring"


def call(server: Server, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """An answer that must be good."""
    answer = ask(server.port, method, f"/v1/content/{path}", key=server.admin_key, body=body)
    assert answer.status in (200, 201), answer.body
    found: dict[str, Any] = answer.json()
    return found


def test_a_scheduled_release_is_published_by_the_server_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whole, in the revisions of when it was scheduled, and shown to every process afterwards."""
    with running(tmp_path_factory.mktemp("content") / "data") as made:
        server = made.with_keys("content")
        call(server, "PUT", FOOTER, {"fields": {"text": {"default": "Bye", "de": "Tschüs"}}})
        blocks = [{"type": "text", "text": "Hi"}, {"type": "fragment", "name": "footer"}, {"type": "footer"}]
        call(server, "PUT", MAIL, {"fields": {"subject": {"default": "Spring"}, "blocks": {"default": blocks}}})
        items = [{"item": "campaign/spring"}, {"item": "fragment/footer"}]
        call(server, "PUT", "releases/spring", {"items": items})
        call(server, "POST", "releases/spring/schedule", {"at": to_iso(int(time.time() * 1_000) + 1_500)})
        call(server, "PUT", FOOTER, {"revision": 1, "fields": {"text": {"default": "not yet"}}})
        until(lambda: call(server, "GET", "releases/spring")["state"] == "published", "the release to be published")
        versions = call(server, "GET", f"{FOOTER}/versions")["versions"]
        assert [(each["version"], each["revision"], each["release"]) for each in versions] == [(1, 1, "spring")]
        mail = call(server, "GET", f"{MAIL}/versions/1")
        assert mail["pins"] == [{"kind": "fragment", "name": "footer", "version": 1}]
        assert "Bye" in mail["artefacts"]["@email"]
        shown = call(server, "GET", f"{FOOTER}/shown?locale=de-AT")
        assert shown["fields"] == {"text": "Tschüs"}
