"""`segment-analytics-python` from the package index, unmodified, against a running server: everything arrives whole."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from segment.analytics.client import Client

from courtesy.base.time import from_iso
from sim.server import Server
from tests.e2e.asking import ask, events_of, fates_of, make_key, person_of
from tests.e2e.told import TRAITS, WHOLE

DELAY_MS_MAX = 300_000
"""An event's time is corrected by how long its batch was under way; nothing takes longer than this here."""


@contextmanager
def client(server: Server, key: str, **options: Any) -> Iterator[Client]:
    """A client that has sent everything afterwards, and was refused nothing."""
    refused: list[object] = []

    def on_error(error: object, items: object) -> None:
        refused.append((error, items))

    made = Client(key, host=f"http://127.0.0.1:{server.port}", on_error=on_error, **options)
    yield made
    if not made.sync_mode:
        made.shutdown()
    assert refused == []


@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_every_call_arrives_whole(server: Server, zipped: bool) -> None:
    """Properties, traits, context, time and ids of each kind of call are read back as they were told."""
    source = f"python-{zipped}"
    who, group = f"Zoë/{uuid.uuid4()}", f"group {uuid.uuid4()}"
    email = f"zoe-{uuid.uuid4()}@shop.example"
    at = datetime(2026, 2, 28, 23, 59, 59, 123_000, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    context = {"locale": "de-DE", "campaign": {"name": "Frühling"}, "ip": "203.0.113.7"}
    ids: dict[str, str] = {}
    with client(server, make_key(server, "write", source), gzip=zipped) as analytics:
        for name, (_, message) in {
            "identify": analytics.identify(who, {**TRAITS, "email": email, "gone": None}, context, at),
            "track": analytics.track(who, "Größe gewählt ✓", WHOLE, context, at),
            "page": analytics.page(who, "Docs", "Über uns", WHOLE, timestamp=at),
            "screen": analytics.screen(who, "Cart", "Warenkorb", {"items": 2}, timestamp=at),
            "group": analytics.group(who, group, {"plan": "größer", "seats": 12}, timestamp=at),
            "alias": analytics.alias(f"old-{who}", who, timestamp=at),
        }.items():
            ids[name] = message["messageId"]
    events = {event["message_id"]: event for event in events_of(server, "user_id", who)}
    assert set(events) == set(ids.values())
    told = {name: events[message_id] for name, message_id in ids.items()}
    for name, event in told.items():
        assert event["type"] == name
        assert event["source"] == source
        assert f"user_id:{who}" in event["identifiers"]
        late_ms = (from_iso(event["at"]) or 0) - int(at.timestamp() * 1_000)
        assert 0 <= late_ms < DELAY_MS_MAX
    assert told["track"]["properties"] == WHOLE
    assert told["track"]["name"] == "Größe gewählt ✓"
    assert told["track"]["context"].items() >= context.items()
    assert told["page"]["properties"] == WHOLE
    assert told["page"]["name"] == "Über uns"
    assert (told["screen"]["name"], told["screen"]["properties"]) == ("Warenkorb", {"items": 2})
    assert told["identify"]["traits"] == {**TRAITS, "email": email, "gone": None}
    assert told["group"]["group_traits"] == {"plan": "größer", "seats": 12}
    assert told["group"]["group"] == group
    person = person_of(server, "user_id", f"old-{who}")
    assert person == {**person_of(server, "email", email.upper()), "position": person["position"]}
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


def test_a_group_has_its_traits_and_members(server: Server) -> None:
    """What group calls say of a company is read at the company, with whom they put into it."""
    group, one, two = (str(uuid.uuid4()) for _ in range(3))
    # Of two calls in one millisecond either may win, so they are told apart.
    earlier = datetime.now(UTC) - timedelta(seconds=5)
    with client(server, make_key(server, "write", "python-groups")) as analytics:
        analytics.group(one, group, {"plan": "free", "seats": 3}, timestamp=earlier)
        analytics.group(two, group, {"plan": "team"})
    view = server.get(f"/v1/groups/{group}")
    assert view["traits"] == {"plan": "team", "seats": 3}
    assert view["members"] == sorted(f"user_id:{who}" for who in (one, two))


def test_values_that_json_lacks_arrive_as_the_client_writes_them(server: Server) -> None:
    """Dates become ISO 8601, decimals become numbers, and whole-number ids become text."""
    who = str(uuid.uuid4().int)
    values = {
        "at": datetime(2026, 3, 1, 12, 30, 0, 5_000, tzinfo=UTC),
        "day": date(2026, 3, 1),
        "price": Decimal("12.34"),
        "amounts": [Decimal("0.1")],
    }
    with client(server, make_key(server, "write", "python-values")) as analytics:
        analytics.track(int(who), "Paid", values)
    (event,) = events_of(server, "user_id", who)
    assert event["properties"] == {
        "at": "2026-03-01T12:30:00.005000+00:00",
        "day": "2026-03-01",
        "price": 12.34,
        "amounts": [0.1],
    }


def test_nothing_is_lost_or_doubled_in_many_batches(server: Server) -> None:
    """A thousand events from several clients at once: each is stored once, in counts, in events and in the state."""
    source, who = "python-many", str(uuid.uuid4())
    key = make_key(server, "write", source)
    told: set[str] = set()
    with client(server, key, gzip=True) as one, client(server, key, upload_size=7) as two:
        for number in range(500):
            for analytics in (one, two):
                _, message = analytics.track(who, f"Step {number % 5}", {"number": number})
                told.add(message["messageId"])
    events = events_of(server, "user_id", who)
    assert len(events) == len(told) == 1_000
    assert {event["message_id"] for event in events} == told
    assert sorted(event["properties"]["number"] for event in events) == sorted([*range(500), *range(500)])
    person = person_of(server, "user_id", who)
    assert person["event_count"] == 1_000
    assert {name: each["count"] for name, each in person["events"].items()} == {f"Step {n}": 200 for n in range(5)}
    assert fates_of(server, source)["stored"] == 1_000


def test_a_message_sent_again_is_stored_once(server: Server) -> None:
    """The same message id from a second client, as after a retry, is a duplicate: counted as such, and answered 200."""
    source, who = "python-again", str(uuid.uuid4())
    key = make_key(server, "write", source)
    for number in range(3):
        with client(server, key, sync_mode=True) as analytics:
            analytics.track(who, "Bought", {"try": number}, message_id=f"bought-{who}")
    assert [event["properties"] for event in events_of(server, "user_id", who)] == [{"try": 0}]
    fates = fates_of(server, source)
    assert (fates["received"], fates["stored"], fates["duplicate"]) == (3, 1, 2)


def test_what_a_visitor_did_before_the_login_is_theirs(server: Server) -> None:
    """Events under an anonymous id and those after the identify that names both are one person's."""
    source, who, visitor = "python-login", str(uuid.uuid4()), str(uuid.uuid4())
    with client(server, make_key(server, "write", source)) as analytics:
        analytics.track(anonymous_id=visitor, event="Product Viewed", properties={"sku": "A-1"})
        analytics.identify(who, {"name": "Ada"}, anonymous_id=visitor)
        analytics.track(who, "Order Completed", {"total": 12})
    named, visited = person_of(server, "user_id", who), person_of(server, "anonymous_id", visitor)
    assert named["person"] == visited["person"]
    assert set(named["events"]) == {"Product Viewed", "Order Completed"}


def test_a_wrong_key_is_refused_in_the_client(server: Server) -> None:
    """The client hears of a key that does not exist, at once and without trying again, and nothing is stored."""
    heard: list[Any] = []
    analytics = Client(
        "no-such-key",
        host=f"http://127.0.0.1:{server.port}",
        on_error=lambda error, items: heard.append((error, items)),
    )
    who = str(uuid.uuid4())
    analytics.track(who, "Lost")
    analytics.shutdown()
    ((error, items),) = heard
    assert error.status == 401
    assert [each["userId"] for each in items] == [who]
    answer = ask(server.port, "GET", f"/v1/people/user_id/{who}", key=server.admin_key)
    assert (answer.status, json.loads(answer.body)["code"]) == (404, "not_found")
