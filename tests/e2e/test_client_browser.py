"""`@segment/analytics-next` from npm in a real Chromium, on a page of another origin, against a running server."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from courtesy.base.time import from_iso
from sim.server import Server
from tests.e2e.asking import ask, events_of, fates_of, make_key, person_of, person_path
from tests.e2e.told import TRAITS, WHOLE

CLIENTS = Path(__file__).parent / "clients"
AT = "2026-02-28T18:29:59.123Z"
HASTY_COUNT = 5

Call = tuple[str, list[Any]]


@contextmanager
def shop(node_modules: Path) -> Iterator[str]:
    """A web server with the shop's page, and the library as npm delivers it; its address."""
    library = node_modules / "@segment" / "analytics-next" / "dist" / "umd"

    class Files(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            name = path.partition("?")[0].rpartition("/")[2]
            return str(library / name if path.startswith("/umd/") else CLIENTS / "page.html")

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever, name="shop", daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def drive(
    server: Server,
    source: str,
    address: str,
    profile: Path,
    visits: list[dict[str, Any]],
    headers: Mapping[str, str] | None = None,
) -> Any:
    """Have the browser make the visits, and stay until all calls are stored; what it answered."""
    api = f"http://127.0.0.1:{server.port}"
    key = make_key(server, "write", source)
    count = sum(len(visit["calls"]) + len(visit.get("hasty", ())) for visit in visits)
    given = {
        "executable": shutil.which("chromium"),
        "profile": str(profile),
        "url": f"http://{address}/?{urlencode({'key': key, 'host': api})}",
        "headers": headers or {},
        "visits": visits,
        "goal": {"url": f"{api}/v1/counts", "key": server.admin_key, "source": source, "stored": count},
    }
    done = subprocess.run(
        ["node", CLIENTS / "browser.mjs"],
        input=json.dumps(given).encode(),
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_visitor_who_logs_in_and_out_arrives_whole(server: Server, node_modules: Path, tmp_path: Path) -> None:
    """Every call of four page loads is stored once and as told, and belongs to who made it.

    The first visit begins anonymous and ends with a login, a group and calls under way when the page goes; the second
    finds the identity in the browser; the third begins with a logout; the fourth is the new visitor's.
    """
    source, who, group = "browser", f"Zoë/{uuid.uuid4()}", f"group {uuid.uuid4()}"
    email = f"zoe-{uuid.uuid4()}@shop.example"
    first: list[Call] = [
        ("page", ["Docs", "Über uns", WHOLE]),
        ("track", ["Größe gewählt ✓", {**WHOLE, "on": {"$date": AT}}, {"timestamp": {"$date": AT}}]),
        ("alias", [who]),
        ("identify", [who, {**TRAITS, "email": email, "gone": None}]),
        ("group", [group, {"plan": "größer", "seats": 12}]),
    ]
    hasty: list[Call] = [("track", ["Left in haste", {"number": number}]) for number in range(HASTY_COUNT)]
    # While somebody is logged in, the library says an alias of the login to itself, whatever it was told.
    second: list[Call] = [("track", ["Came back", {"visit": 2}]), ("alias", [str(uuid.uuid4()), who])]
    third: list[Call] = [("page", []), ("track", ["Looked around", {"visit": 3}])]
    fourth: list[Call] = [("track", ["Looked around", {"visit": 4}])]
    visits: list[dict[str, Any]] = [
        {"calls": first, "hasty": hasty},
        {"calls": second},
        {"calls": third, "reset": True},
        {"calls": fourth},
    ]
    with shop(node_modules) as address:
        said = drive(server, source, address, tmp_path / "profile", visits)
        assert said["failures"] == []
        assert set(said["hosts"]) - {""} == {address, f"127.0.0.1:{server.port}"}
    assert [each["failed"] for visit in said["visits"] for each in visit["delivered"]] == [None] * 10
    ids = [[each["id"] for each in visit["delivered"]] for visit in said["visits"]]
    events = {event["message_id"]: event for event in events_of(server, "user_id", who)}
    late = [event for event in events.values() if event["name"] == "Left in haste"]
    assert sorted(event["properties"]["number"] for event in late) == list(range(HASTY_COUNT))
    assert set(events) == {*ids[0], *ids[1], *(event["message_id"] for event in late)}
    check_first_visit(first, [events[each] for each in ids[0]], email, group)
    came_back = events[ids[1][0]]
    assert came_back["properties"] == {"visit": 2}
    assert set(came_back["identifiers"]) == {f"user_id:{who}", f"anonymous_id:{said['visits'][0]['anonymousId']}"}
    check_person(person_of(server, "user_id", who), email, group)
    check_visitor_after_logout(server, said["visits"], ids, who)
    fates = fates_of(server, source)
    assert (fates["stored"], fates["quarantined"], fates["suppressed"]) == (10 + HASTY_COUNT, 0, 0)


def check_first_visit(calls: list[Call], events: list[dict[str, Any]], email: str, group: str) -> None:
    """What was told at the first visit is what is read."""
    assert [event["type"] for event in events] == [name for name, _ in calls]
    page, track, alias, identify, grouped = events
    assert page["name"] == "Über uns"
    assert page["properties"].items() >= {**WHOLE, "title": "Ein Laden: Schuhe & mehr"}.items()
    assert track["name"] == "Größe gewählt ✓"
    assert track["properties"] == {**WHOLE, "on": AT}
    assert 0 <= (from_iso(track["at"]) or 0) - (from_iso(AT) or 0) < 300_000
    assert track["context"]["page"]["title"] == "Ein Laden: Schuhe & mehr"
    assert track["context"]["library"]["name"] == "analytics.js"
    assert {each.partition(":")[0] for each in page["identifiers"]} == {"anonymous_id"}
    assert {each.partition(":")[0] for each in alias["identifiers"]} == {"anonymous_id", "user_id"}
    assert identify["traits"] == {**TRAITS, "email": email, "gone": None}
    assert (grouped["group"], grouped["group_traits"]) == (group, {"plan": "größer", "seats": 12})


def check_person(person: dict[str, Any], email: str, group: str) -> None:
    """One person, with what they did before the login too."""
    assert sorted(each["kind"] for each in person["identifiers"]) == ["anonymous_id", "email", "user_id"]
    assert person["traits"] == {**TRAITS, "email": email}
    assert [each["group"] for each in person["groups"]] == [group]
    assert person["event_types"] == {"alias": 2, "group": 1, "identify": 1, "page": 1, "track": 2 + HASTY_COUNT}
    assert person["events"]["Left in haste"]["count"] == HASTY_COUNT


def check_visitor_after_logout(server: Server, visits: list[Any], ids: list[list[str]], who: str) -> None:
    """Who came after the logout is somebody else, the same at both visits."""
    assert visits[0]["userId"] == visits[1]["userId"] == who
    assert visits[0]["anonymousId"] == visits[1]["anonymousId"]
    assert [visits[2]["userId"], visits[3]["userId"]] == [None, None]
    assert visits[2]["anonymousId"] == visits[3]["anonymousId"] != visits[1]["anonymousId"]
    visitor = events_of(server, "anonymous_id", visits[2]["anonymousId"])
    assert [event["message_id"] for event in visitor] == [*ids[2], *ids[3]]
    assert [event["properties"].get("visit") for event in visitor] == [None, 3, 4]


def test_a_browser_that_asks_not_to_be_sold_is_heard(server: Server, node_modules: Path, tmp_path: Path) -> None:
    """Its visitor is nobody known; each call has the signal, past a preflight or without one, and it counts once."""
    calls: list[Call] = [("page", []), ("track", ["Looked around", {}])]
    visits: list[dict[str, Any]] = [{"calls": calls}, {"calls": calls}]
    with shop(node_modules) as address:
        said = drive(server, "private browser", address, tmp_path / "profile", visits, {"Sec-GPC": "1"})
    assert said["failures"] == []
    path = person_path("anonymous_id", said["visits"][0]["anonymousId"])
    found = server.get(f"{path}/choices")
    assert found["gpc"] == {"recorded": True, "honoured": True}
    assert sorted(each["purpose"] for each in found["choices"]) == ["sale", "sharing"]
    asked = server.get(f"{path}/allowed?purpose=sale&channel=web&jurisdiction=US-CA")
    assert (asked["why"], asked["rule"]) == ("refused", "sale_opt_out")


def test_settings_name_the_address_that_the_browser_used(server: Server) -> None:
    """The library is told to send where its settings came from, also behind a proxy that ends TLS."""
    path = f"/v1/projects/{server.write_key}/settings"
    headers = {"host": "events.shop.example", "x-forwarded-proto": "https"}
    answer = ask(server.port, "GET", path, headers=headers)
    assert answer.status == 200
    segment = answer.json()["integrations"]["Segment.io"]
    assert (segment["apiHost"], segment["protocol"]) == ("events.shop.example/v1", "https")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert ask(server.port, "GET", "/v1/projects/no-such-key/settings").status == 404
