"""From something that happened on a server to a message on a screen: sent, asked for, seen in a browser."""

from __future__ import annotations

import hashlib
import hmac
import math
import tempfile
import time
import uuid
from pathlib import Path

from bench.results import Figure
from sim.server import Server, serving
from tests.e2e.asking import tell
from tests.e2e.browsing import Browser, browsing, page_at, sdk_shop

USER = "somebody"


def screen(count: int) -> list[Figure]:
    """So many messages to a visitor who has the page open, one after the other, each from the event on."""
    with tempfile.TemporaryDirectory() as folder, sdk_shop() as shop, serving(source="s") as server:
        _define(server)
        with browsing(Path(folder)) as browser:
            secret = server.get("/v1/sources/s/identity-secret")["secret"]
            proof = hmac.new(secret.encode(), USER.encode(), hashlib.sha256).hexdigest()
            url = f"http://127.0.0.1:{server.port}"
            browser.do(goto=page_at(shop, writeKey=server.write_key, url=url, minGapMs=0))
            browser.run(f"site.identify('{USER}', {{}}, {{userHash: '{proof}'}})")
            browser.run("site.flush()")
            times = sorted(_shown_after_ms(server, browser) for _ in range(count))
    p95 = times[math.ceil(0.95 * len(times)) - 1]
    note = f"real Chromium, server-sent events; median {times[len(times) // 2]:.0f} ms"
    return [Figure("event_to_screen_ms_p95", p95, "ms", count, note)]


def _define(server: Server) -> None:
    server.send("PUT", "/v1/connections/app", {"component": "in_app"})
    body = {"fields": {"title": {"default": "Thank you"}, "text": {"default": "Ten per cent"}}}
    server.send("PUT", "/v1/content/items/campaign/thanks", body)
    server.send("POST", "/v1/content/items/campaign/thanks/publish", {})


def _shown_after_ms(server: Server, browser: Browser) -> float:
    """One message. Both clocks are this machine's; the page notes when the message is in it."""
    browser.run("window.shownAt = 0")
    began_ms = time.time() * 1_000
    tell(server, [{"type": "track", "userId": USER, "event": "Order Completed"}])
    body = {
        "kind": "user_id", "value": USER, "message": str(uuid.uuid4()), "content": "campaign/thanks",
        "purpose": "service", "channels": ["in_app"], "service": True,
    }  # fmt: skip
    server.send("POST", "/v1/messages", body)
    while not (shown_ms := browser.run("window.shownAt")):
        time.sleep(0.05)
    browser.run("box().querySelector('button').click()")
    browser.run("site.flush()")
    return float(shown_ms) - began_ms
