"""`@segment/analytics-node` from npm, unmodified, against a running server: everything arrives whole."""

from __future__ import annotations

import json
import subprocess
import uuid
from pathlib import Path
from typing import Any

from courtesy.base.time import from_iso
from sim.server import Server
from tests.e2e.asking import events_of, fates_of, make_key, person_of
from tests.e2e.told import TRAITS, WHOLE

SCRIPT = Path(__file__).parent / "clients" / "node.mjs"
AT = "2026-02-28T18:29:59.123Z"
DELAY_MS_MAX = 300_000

Call = tuple[str, dict[str, Any]]


def send(server: Server, key: str, calls: list[Call], **settings: Any) -> tuple[list[str], list[str]]:
    """Have the client make calls and flush them; the message ids, in order, and what it reported as errors."""
    host = f"http://127.0.0.1:{server.port}"
    given = json.dumps({"host": host, "writeKey": key, "settings": settings, "calls": calls})
    done = subprocess.run(
        ["node", SCRIPT], input=given.encode(), capture_output=True, timeout=120, check=False, cwd=SCRIPT.parent
    )
    assert done.returncode == 0, done.stderr.decode()
    said = json.loads(done.stdout)
    return said["messageIds"], said["errors"]


def test_every_call_arrives_whole(server: Server, node_modules: Path) -> None:
    """Properties, traits, context, time and ids of each kind of call are read back as they were told."""
    source, who, group = "node", f"Zoë/{uuid.uuid4()}", f"group {uuid.uuid4()}"
    email = f"zoe-{uuid.uuid4()}@shop.example"
    context = {"locale": "de-DE", "campaign": {"name": "Frühling"}, "ip": "203.0.113.7"}
    at = {"timestamp": {"$date": AT}, "userId": who}
    calls: list[Call] = [
        ("identify", {**at, "traits": {**TRAITS, "email": email, "gone": None}, "context": context}),
        ("track", {**at, "event": "Größe gewählt ✓", "properties": {**WHOLE, "on": {"$date": AT}}, "context": context}),
        ("page", {**at, "category": "Docs", "name": "Über uns", "properties": WHOLE}),
        ("screen", {**at, "category": "Cart", "name": "Warenkorb", "properties": {"items": 2}}),
        ("group", {**at, "groupId": group, "traits": {"plan": "größer", "seats": 12}}),
        ("alias", {**at, "previousId": f"old-{who}"}),
    ]
    ids, errors = send(server, make_key(server, "write", source), calls)
    assert errors == []
    events = {event["message_id"]: event for event in events_of(server, "user_id", who)}
    assert set(events) == set(ids)
    told = {method: events[message_id] for (method, _), message_id in zip(calls, ids, strict=True)}
    for method, event in told.items():
        assert (event["type"], event["source"]) == (method, source)
        assert f"user_id:{who}" in event["identifiers"]
        assert 0 <= (from_iso(event["at"]) or 0) - (from_iso(AT) or 0) < DELAY_MS_MAX
    assert told["track"]["properties"] == {**WHOLE, "on": AT}
    assert told["track"]["name"] == "Größe gewählt ✓"
    assert told["track"]["context"].items() >= context.items()
    assert told["page"]["properties"].items() >= WHOLE.items()
    assert told["page"]["name"] == "Über uns"
    assert told["screen"]["properties"].items() >= {"items": 2}.items()
    assert told["screen"]["name"] == "Warenkorb"
    assert told["identify"]["traits"] == {**TRAITS, "email": email, "gone": None}
    assert (told["group"]["group"], told["group"]["group_traits"]) == (group, {"plan": "größer", "seats": 12})
    person = person_of(server, "user_id", f"old-{who}")
    assert person["traits"] == {**TRAITS, "email": email}
    assert [each["group"] for each in person["groups"]] == [group]
    assert person["event_types"] == dict.fromkeys(sorted(told), 1)
    assert fates_of(server, source) == {
        "received": 6,
        "stored": 6,
        "quarantined": 0,
        "duplicate": 0,
        "suppressed": 0,
    }


def test_nothing_is_lost_or_doubled_in_many_batches(server: Server, node_modules: Path) -> None:
    """A thousand events in small batches, many under way at once: each is stored once."""
    source, who = "node-many", str(uuid.uuid4())
    calls: list[Call] = [
        ("track", {"userId": who, "event": f"Step {n % 5}", "properties": {"number": n}}) for n in range(1_000)
    ]
    ids, errors = send(server, make_key(server, "write", source), calls, flushAt=7)
    assert errors == []
    events = events_of(server, "user_id", who)
    numbers = {event["message_id"]: event["properties"]["number"] for event in events}
    assert len(events) == 1_000
    assert numbers == {message_id: number for number, message_id in enumerate(ids)}
    assert person_of(server, "user_id", who)["event_count"] == 1_000
    fates = fates_of(server, source)
    assert (fates["received"], fates["stored"]) == (1_000, 1_000)


def test_a_wrong_key_is_refused_in_the_client(server: Server, node_modules: Path) -> None:
    """The client reports that its key does not exist, and does not try for ever."""
    _, errors = send(server, "no-such-key", [("track", {"userId": str(uuid.uuid4()), "event": "Lost"})])
    assert len(errors) == 1
    assert "401" in errors[0]
