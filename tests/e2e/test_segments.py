"""Segments on a real server: written, filled by what is known, kept to the moment, explained, and taken out."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from courtesy.base.time import DAY_MS, to_iso
from sim.server import Server
from tests.e2e.asking import Answer, ask, tell, until
from tests.e2e.processes import Running, run, running

BUYERS = 'did "Order Completed" at least 2 times in the last 30 days where total > 50'

SETTLED_S = 300.0
"""A machine that is busy asks of everybody seldom: twenty times as long has to pass as asking took."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of its own, for segments are about everybody."""
    with running(tmp_path_factory.mktemp("segments") / "data") as server:
        yield server


def told(*arguments: str, data: Path) -> str:
    """What a command prints; it must succeed."""
    done = run(*arguments, "--data", str(data))
    assert done.returncode == 0, done.stderr
    return done.stdout


def order(user: str, number: int, total: float, days_ago: float = 1) -> dict[str, Any]:
    """Somebody's order, some days ago."""
    at = to_iso(int(time.time() * 1_000 - days_ago * DAY_MS))
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": user,
        "messageId": f"{user}-{number}",
        "timestamp": at,
        "properties": {"total": total, "category": "tea" if number % 2 else "cups"},
    }


def get(server: Server, path: str) -> Answer:
    """An answer that must be good."""
    answer = ask(server.port, "GET", path, key=server.admin_key)
    assert answer.status == 200, answer.body
    return answer


def put(server: Server, name: str, text: str) -> None:
    """Define a segment, which must pass, and wait until it is live."""
    answer = ask(server.port, "PUT", f"/v1/segments/{name}", key=server.admin_key, body={"text": text})
    assert answer.status == 200, answer.body
    until(lambda: get(server, f"/v1/segments/{name}").json()["stage"]["stage"] == "live", f"{name} to be live")


def users_in(server: Server, name: str, query: str = "") -> list[str]:
    """The user ids of those who are in a segment."""
    members = get(server, f"/v1/segments/{name}/members{query}").json()["members"]
    return sorted(each["value"] for member in members for each in member["identifiers"] if each["kind"] == "user_id")


def test_people_who_are_known_and_who_come_are_in_it(shop: Running) -> None:
    """The first members are found in what was before; who does the last thing that is missing enters at once, is told
    with the cause, and shows in sizes, files, overlaps and their own list."""
    server = shop.with_keys("shop")
    tell(
        server,
        [order("ann", n, 60) for n in range(2)] + [order("bob", 1, 70)] + [order("cleo", n, 9) for n in range(5)],
    )
    put(server, "Buyers", BUYERS)
    until(lambda: users_in(server, "Buyers") == ["ann"], "ann to be in")
    tell(server, [order("bob", 2, 51)])
    until(lambda: users_in(server, "Buyers") == ["ann", "bob"], "bob to enter")
    assert users_in(server, "Buyers", "?sample=5") == ["ann", "bob"]
    since = to_iso(int(time.time() * 1_000) - 60_000)
    assert users_in(server, "Buyers", f"?entered_since={since}") == ["ann", "bob"]

    events = get(server, "/v1/people/user_id/bob/events").json()["events"]
    (entered,) = [each for each in events if each["name"] == "Segment Entered"]
    assert (entered["properties"]["segment"], entered["properties"]["cause"]) == ("Buyers", "bob-2")

    sizes = get(server, "/v1/segments/Buyers/sizes?hours=2").json()
    assert (sizes["people"], sizes["entered_last_hour"]) == (2, 2)
    assert sum(each["entered"] for each in sizes["hours"]) == 2
    assert [each["segment"] for each in get(server, "/v1/people/user_id/bob/segments").json()["segments"]] == ["Buyers"]

    put(server, "Tea", 'did "Order Completed" where category is tea')
    overlap = ask(
        server.port,
        "POST",
        "/v1/segments/overlap",
        key=server.admin_key,
        body={"segments": ["Buyers", "Tea"]},
    ).json()
    assert (overlap["segments"][0]["people"], overlap["pairs"][0]["people"], overlap["any"]) == (2, 2, 3)


def test_members_are_taken_out_as_files(shop: Running, tmp_path: Path) -> None:
    """As CSV and Parquet, over HTTP and by the command; each has everybody once."""
    server = shop.with_keys("files")
    tell(server, [{"type": "identify", "userId": f"f{n}", "traits": {"in_files": True}} for n in range(30)])
    put(server, "Files", "in_files is true")
    expected = sorted(f"f{n}" for n in range(30))
    until(lambda: users_in(server, "Files") == expected, "all to be in")
    answer = get(server, "/v1/segments/Files/export?kinds=user_id,email")
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
    assert sorted(row["user_id"] for row in rows) == expected
    assert list(rows[0]) == ["person", "value", "entered", "user_id", "email"]
    answer = get(server, "/v1/segments/Files/export?format=parquet")
    table = pq.read_table(io.BytesIO(answer.body))
    assert sorted(each[0] for each in table.column("user_id").to_pylist()) == expected
    for name in ("members.csv", "members.parquet"):
        assert told("segment", "export", "Files", "--out", str(tmp_path / name), data=shop.data).endswith(f"{name}\n")
    assert (tmp_path / "members.csv").read_text().count("\n") == 31
    assert pq.read_table(tmp_path / "members.parquet").num_rows == 30


def test_a_segment_for_each_counts_by_value(shop: Running) -> None:
    """One expression, as many segments as there are values."""
    server = shop.with_keys("each")
    views = [
        {"type": "track", "event": "Category Viewed", "userId": user, "properties": {"category": category}}
        for user, category, times in (("v1", "Tea", 2), ("v1", "Cups", 1), ("v2", "tea", 3), ("v2", "Pots", 2))
        for _ in range(times)
    ]
    tell(server, [{**each, "messageId": f"each-{n}"} for n, each in enumerate(views)])
    text = 'for each category of "Category Viewed": did "Category Viewed" at least 2 times where category is that'
    put(server, "Fans", text)

    def values() -> list[tuple[str, int]]:
        found = get(server, "/v1/segments/Fans/values").json()["values"]
        return [(each["value"], each["people"]) for each in found]

    until(lambda: values() == [("tea", 2), ("pots", 1)], "all to be in")
    assert users_in(server, "Fans", "?value=tea") == ["v1", "v2"]
    assert users_in(server, "Fans", "?value=pots") == ["v2"]


def test_a_list_from_a_file_is_a_segment(shop: Running, tmp_path: Path) -> None:
    """Put on, taken off, and taken back, by the command; the running server has it."""
    server = shop.with_keys("lists")
    file = tmp_path / "vip.csv"
    file.write_text("user_id\nlist-1\nlist-2\n")
    assert told("segment", "fill", "VIP", str(file), data=shop.data) == "VIP: 2 of 2 rows put on\n"
    until(lambda: users_in(server, "VIP") == ["list-1", "list-2"], "both to be on the list")
    one = tmp_path / "one.csv"
    one.write_text("list-1\n")
    off = told("segment", "fill", "VIP", str(one), "--kind", "user_id", "--remove", data=shop.data)
    assert off == "VIP: 1 of 1 rows taken off\n"
    until(lambda: users_in(server, "VIP") == ["list-2"], "one to be off the list")
    back = told("segment", "fill", "VIP", str(one), "--undo", data=shop.data)
    assert back == "VIP: 1 rows of 1 people taken back\n"
    until(lambda: users_in(server, "VIP") == ["list-1", "list-2"], "both to be on the list again")


def test_commands_say_what_the_api_says(shop: Running, tmp_path: Path) -> None:
    """Put, validated, shown, explained, archived, restored and removed by the command line, beside the server."""
    server = shop.with_keys("commands")
    tell(server, [{"type": "identify", "userId": "dora", "traits": {"plan": "pro"}}])
    assert told("segment", "put", "Pro", "plan is pro", "--said", "who pays", data=shop.data) == "Pro: revision 1\n"
    tree = tmp_path / "pro.json"
    tree.write_text(json.dumps(get(server, "/v1/segments/Pro").json()["segment"]))
    assert told("segment", "validate", str(tree), data=shop.data) == "plan is pro\n"
    until(lambda: users_in(server, "Pro") == ["dora"], "dora to be in")
    shown = told("segment", "show", "Pro", data=shop.data).splitlines()
    assert (shown[:2], shown[3]) == (["plan is pro", "who pays"], "1 people")
    assert "user_id:dora" in told("segment", "members", "Pro", "--last-hour", data=shop.data)
    assert told("segment", "of", "user_id", "dora", data=shop.data).startswith("Pro\t")
    why = told("segment", "why", "Pro", "user_id", "dora", data=shop.data).splitlines()
    assert why[0].startswith("in Pro at ")
    assert why[1] == "  yes: plan is pro"
    assert 'plan becomes "something else"' in why[-1]
    odd = run("segment", "validate", "plam is pro", "--data", str(shop.data))
    assert "did you mean 'plan'?" in odd.stderr
    bad = run("segment", "put", "Bad", "plan is pro and", "--data", str(shop.data))
    assert (bad.returncode, "line 1, column 16" in bad.stderr) == (64, True)
    told("segment", "archive", "Pro", data=shop.data)
    assert "Pro" not in told("segment", "list", data=shop.data)
    told("segment", "restore", "Pro", data=shop.data)
    assert told("segment", "history", "Pro", data=shop.data).count("\n") == 3
    assert told("segment", "overlap", "Pro", "Pro", data=shop.data).splitlines()[-1].startswith("any: ")
    assert told("segment", "sizes", "Pro", "--hours", "3", data=shop.data).count("\n") == 3
    told("segment", "remove", "Pro", data=shop.data)
    assert ask(server.port, "GET", "/v1/segments/Pro", key=server.admin_key).status == 404


def test_ranks_and_groups_follow_what_happens_to_others(tmp_path: Path) -> None:
    """Who spends most is in, and out once somebody spends more; whose company becomes a retailer enters with nothing
    done by themself; and both go on after the server was started anew."""
    with running(tmp_path / "data") as shop:
        server = shop.with_keys("ranked")
        tell(server, [order(f"r{n}", 1, 10.0 * n) for n in range(1, 11)])
        tell(server, [{"type": "group", "userId": f"r{n}", "groupId": f"g{n % 2}"} for n in range(1, 5)])
        tell(server, [company("r2", "g0", "retail"), company("r1", "g1", "banking")])
        put(server, "Best", 'in the top 10 % by sum of total of "Order Completed"')
        put(server, "Retail", "group industry is retail")
        until(lambda: users_in(server, "Best") == ["r10"], "the one who spent most to be in", SETTLED_S)
        until(lambda: users_in(server, "Retail") == ["r2", "r4"], "those of one company to be in", SETTLED_S)
        tell(server, [order("r3", 2, 500)])
        until(lambda: users_in(server, "Best") == ["r3"], "another to spend more", SETTLED_S)
        shop.stop()
        shop.start()
        server = shop.with_keys("ranked again")
        assert users_in(server, "Best") == ["r3"]
        tell(server, [company("r1", "g1", "retail"), order("r5", 2, 900)])
        until(
            lambda: users_in(server, "Retail") == ["r1", "r2", "r3", "r4"],
            "another company to be a retailer",
            SETTLED_S,
        )
        until(lambda: users_in(server, "Best") == ["r5"], "another to spend more", SETTLED_S)


def company(user: str, name: str, industry: str) -> dict[str, Any]:
    """What somebody says of the company that they belong to."""
    return {"type": "group", "userId": user, "groupId": name, "traits": {"industry": industry}}
