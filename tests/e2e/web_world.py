"""A running server with something to say within pages, and a shop whose pages use the SDK."""

from __future__ import annotations

import hashlib
import hmac
import urllib.parse
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.server import Server, serving
from tests.e2e.asking import Answer, ask, events_of, tell, until
from tests.e2e.browsing import page_at, sdk_shop

NO_GAP = {"minGapMs": 0}
PATIENT = {"COURTESY_STOP_GRACE_S": "300"}


@dataclass(frozen=True, slots=True)
class World:
    """A server that sends, and a shop."""

    server: Server
    shop: str
    secret: str

    def options(self, **more: Any) -> dict[str, Any]:
        """Those that every page needs."""
        return {"writeKey": self.server.write_key, "url": f"http://127.0.0.1:{self.server.port}", **NO_GAP, **more}

    def page(self, path: str = "/", **more: Any) -> str:
        """The address of a page."""
        return page_at(self.shop, path, **self.options(**more))

    def proof(self, user: str) -> str:
        """What the shop's own server gives to the page of somebody who has logged in."""
        return hmac.new(self.secret.encode(), user.encode(), hashlib.sha256).hexdigest()

    def publish(self, name: str, display: dict[str, Any] | None = None, **fields: str) -> None:
        """Have something to say."""
        told: dict[str, Any] = {key: {"default": value} for key, value in {"text": "Ten per cent", **fields}.items()}
        if display is not None:
            told["display"] = display
        self.server.send("PUT", f"/v1/content/items/campaign/{name}", {"fields": told})
        self.server.send("POST", f"/v1/content/items/campaign/{name}/publish", {})

    def send(self, user: str, content: str, **more: Any) -> str:
        """Ask for a message; its id."""
        body = {
            "kind": "user_id", "value": user, "message": str(uuid.uuid4()), "content": f"campaign/{content}",
            "purpose": "service", "channels": ["in_app"], "service": True, **more,
        }  # fmt: skip
        return str(self.server.send("POST", "/v1/messages", body)["message"])

    def asking(self, path: str, **query: str) -> Answer:
        """What a page asks for."""
        told = urllib.parse.urlencode({"writeKey": self.server.write_key, **query})
        return ask(self.server.port, "GET", f"{path}?{told}")

    def waiting(self, user: str) -> list[str]:
        """The messages that wait for somebody."""
        answer = self.asking("/v1/inbox", userId=user, userHash=self.proof(user))
        assert answer.status == 200, answer.body
        return [each["message"] for each in answer.json()["messages"]]

    def names(self, user: str) -> list[str]:
        """The names of all that is told of somebody, in order."""
        return [each["name"] for each in events_of(self.server, "user_id", user) if each.get("name")]


@contextmanager
def web_world(data: Path) -> Iterator[World]:
    """A server with the channel, content and a source for the shop."""
    with sdk_shop() as shop, serving(data=data, source="s", environment=PATIENT) as server:
        server.send("PUT", "/v1/connections/app", {"component": "in_app"})
        secret = server.get("/v1/sources/s/identity-secret")["secret"]
        made = World(server, shop, secret)
        made.publish("plain", title="Hello")
        # Whoever sends learns of a new connection within a second, and skips what no connection can carry until then.
        tell(server, [{"type": "identify", "userId": "first"}])
        until(lambda: bool(made.send("first", "plain") and made.waiting("first")), "the channel to be there")
        yield made
