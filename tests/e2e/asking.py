"""What the tests ask of a server over HTTP, and how they wait for what is bound to come."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sim.server import Server

FATES = ("received", "stored", "quarantined", "duplicate", "suppressed")
PAGE_EVENTS = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of any status; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


def ask(
    port: int,
    method: str,
    path: str,
    *,
    key: str | None = None,
    body: Any = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 60.0,
) -> Answer:
    """One request on a connection of its own. `body`: bytes as they are, anything else as JSON.

    Raises OSError when there is no answer.
    """
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"content-type": "application/json", **(headers or {})}
    if key is not None:
        sent["authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", content, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 -- our own server
            return Answer(answer.status, _lower(answer.headers.items()), answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, _lower(error.headers.items()), error.read())


def _lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def tell(server: Server, items: list[dict[str, Any]], key: str | None = None) -> Any:
    """Send a batch that must be taken whole; the answer."""
    body = {"batch": items, "writeKey": key or server.write_key}
    answer = ask(server.port, "POST", "/v1/batch", body=body)
    assert answer.status == 200, answer.body
    assert answer.json()["results"] == []
    return answer.json()


def make_key(server: Server, scope: str, name: str) -> str:
    """A key made over HTTP; the source of a write key has its name."""
    answer = ask(server.port, "POST", "/v1/keys", key=server.admin_key, body={"name": name, "scope": scope})
    assert answer.status == 201, answer.body
    return str(answer.json()["secret"])


def person_path(kind: str, value: str) -> str:
    """Where one person is read."""
    return f"/v1/people/{kind}/{urllib.parse.quote(value, safe='')}"


def person_of(server: Server, kind: str, value: str) -> Any:
    """One person."""
    return server.get(person_path(kind, value))


def events_of(server: Server, kind: str, value: str) -> list[dict[str, Any]]:
    """All events of one person that the log has, oldest first."""
    events: list[dict[str, Any]] = []
    path = f"{person_path(kind, value)}/events?limit={PAGE_EVENTS}"
    before: str | None = ""
    while before is not None:
        page = server.get(path + (f"&before={before}" if before else ""))
        events += page["events"]
        before = page["next_before"]
    return events[::-1]


def fates_of(server: Server, source: str) -> dict[str, int]:
    """What became of a source's events, all hours added up. Fails when an hour does not balance."""
    counts = server.get("/v1/counts")
    assert counts["balanced"]
    totals = dict.fromkeys(FATES, 0)
    for row in counts["counts"]:
        if row["source"] == source:
            assert row["received"] == sum(row[fate] for fate in FATES[1:])
            for fate in FATES:
                totals[fate] += row[fate]
    return totals


def until(holds: Callable[[], bool], what: str, limit_s: float = 60.0) -> float:
    """Wait until it holds; the seconds that it took. The limit is generous, and no measure of anything."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < limit_s, f"waited {limit_s:g} s in vain: {what}"
        time.sleep(0.05)
    return time.monotonic() - began
