"""A browser whose tabs a test drives step by step, and a shop whose pages use the SDK."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENTS = Path(__file__).parent / "clients"
PROGRAMS = {"chromium": "chromium", "firefox": "firefox-esr"}
SDK = Path(__file__).parents[2] / "src/courtesy/http/sdk"
PAGES = {
    "courtesy.js": SDK / "courtesy.js",
    "courtesy.mjs": SDK / "courtesy.mjs",
    "voucher.html": CLIENTS / "voucher.html",
}


class Browser:
    """A running browser. `name`: that of its kind."""

    def __init__(self, process: subprocess.Popen[str], name: str) -> None:
        self._process = process
        self.name = name
        self.failures: list[str] = []

    def _send(self, told: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()

    def do(self, tab: str = "one", **told: Any) -> Any:
        """One command; its value."""
        self._send({"tab": tab, **told})
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        self.failures = answer["failures"]
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def run(self, expression: str, tab: str = "one") -> Any:
        """The value of an expression on the page."""
        return self.do(tab, run=expression)

    def close(self) -> None:
        """End it."""
        self._send({"close": True})
        self._process.wait(30)


@contextmanager
def browsing(profile: Path, name: str = "chromium") -> Iterator[Browser]:
    """A browser with a profile of its own; it has ended on leaving."""
    process = subprocess.Popen(
        ["node", "--experimental-websocket", CLIENTS / "tabs.mjs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    browser = Browser(process, name)
    browser._send({"name": name, "executable": shutil.which(PROGRAMS[name]), "profile": str(profile)})
    try:
        yield browser
    finally:
        try:
            browser.close()
        finally:
            process.kill()
            process.communicate()


@contextmanager
def sdk_shop() -> Iterator[str]:
    """A web server with the shop's page and the SDK; its address. With the query `policy` a page has that content
    security policy, with `html` it is that page."""

    class Files(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            name = path.partition("?")[0].rpartition("/")[2]
            return str(PAGES.get(name, CLIENTS / "sdk.html"))

        def end_headers(self) -> None:
            if policy := self.asked("policy"):
                self.send_header("content-security-policy", policy)
            super().end_headers()

        def do_GET(self) -> None:
            content = self.asked("html").encode()
            if not content:
                super().do_GET()
                return
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def asked(self, name: str) -> str:
            return parse_qs(urlsplit(self.path).query).get(name, [""])[0]

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever, name="shop", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def page_at(shop: str, path: str = "/", **options: Any) -> str:
    """The address of the shop's page with these options of the SDK."""
    return f"{shop}{path}?{urlencode({'options': json.dumps(options)})}"
