"""Schemas and quality on a real server: a proposal from real files, put in force, held on every way in, and judged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.server import Server
from tests.e2e.asking import ask, events_of, fates_of, tell, until
from tests.e2e.processes import Running, run, running
from tests.tidy.checkout import ROOT

PAYLOADS = ROOT.parent / "shared" / "data" / "segment_spec_payloads"


@pytest.fixture(scope="module")
def judging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that judges quality every second."""
    environment = {"COURTESY_QUALITY_EVERY_S": "1"}
    with running(tmp_path_factory.mktemp("schemas") / "data", environment=environment) as server:
        yield server


def told(*arguments: str, data: Path) -> str:
    """What a command prints; it must succeed."""
    done = run(*arguments, "--data", str(data))
    assert done.returncode == 0, done.stderr
    return done.stdout


def bought(number: int, total: Any) -> dict[str, Any]:
    """A purchase."""
    properties = {"order_id": f"o-{number}", "total": total}
    return {"type": "track", "event": "Bought", "userId": f"u{number}", "messageId": f"b{number}"} | {
        "properties": properties
    }


def results(server: Server, *items: dict[str, Any]) -> list[tuple[int, str, str]]:
    """Index, fate and cause of what a batch is answered with."""
    answer = ask(server.port, "POST", "/v1/batch", body={"batch": items, "writeKey": server.write_key})
    assert answer.status == 200, answer.body
    return [(each["index"], each["fate"], each["cause"]) for each in answer.json()["results"]]


def test_a_proposal_from_what_came_in_is_put_in_force_everywhere(judging: Running, tmp_path: Path) -> None:
    """Proposed and put by the command line; held by the running server's processes, on batches and on files."""
    server = judging.with_keys("shop")
    tell(server, [bought(n, n / 2) for n in range(40)])
    named = ("--source", "shop", "--event", "Bought")
    file = tmp_path / "bought.json"
    file.write_text(told("schema", "infer", *named, data=judging.data))
    assert json.loads(file.read_text())["required"] == ["order_id", "total"]
    assert told("schema", "check", *named, str(file), data=judging.data).startswith("0 of 40 events break it")
    put = told("schema", "put", *named, str(file), "--on-break", "quarantine", data=judging.data)
    assert put == "shop/Bought: revision 1\n"
    assert told("schema", "list", data=judging.data) == "shop\tBought\t1\tquarantine\n"
    shown = json.loads(told("schema", "show", *named, data=judging.data))
    assert shown == json.loads(file.read_text())

    answers: list[list[tuple[int, str, str]]] = []

    def held_by_every_process() -> bool:
        answers.append(results(server, bought(1_000 + len(answers), "12,50")))
        return all(each == [(0, "quarantined", "schema_broken")] for each in answers[-8:]) and len(answers) >= 8

    until(held_by_every_process, "every process to hold the schema")
    lines = tmp_path / "calls.jsonl"
    stamped = [{**bought(n, total), "timestamp": "2025-11-20T00:00:00Z"} for n, total in ((2_000, 1), (2_001, "x"))]
    lines.write_text("".join(json.dumps(each) + "\n" for each in stamped))
    imported = told("import", str(lines), "--source", "shop", data=judging.data)
    assert "quarantined, schema_broken: 1" in imported
    assert fates_of(server, "shop")["quarantined"] == len([each for each in answers if each]) + 1


def test_the_server_judges_and_tells_of_a_drift(judging: Running) -> None:
    """By itself, every second here; the drift is an event of the source, told once."""
    server = judging.with_keys("till")
    known: dict[str, Any] = {"schema": {"properties": {"order_id": {}, "total": {}}}, "on_break": "allow"}
    assert ask(server.port, "PUT", "/v1/schemas/till/Bought", key=server.admin_key, body=known).status == 200
    drifting = [bought(n, 1) for n in range(30)]
    for each in drifting:
        each["properties"]["coupon"] = "c"
    tell(server, drifting)

    def days() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = server.get("/v1/sources/till/quality")["days"]
        return found

    until(lambda: any(each["received"] == 30 for each in days()), "the day's judgement")
    assert days()[-1]["score"] == 1
    first = days()[-1]["judged"]
    until(lambda: bool(days()[-1]["judged"] > first), "another judgement")
    (drift,) = events_of(server, "event_source", "till")
    assert (drift["name"], drift["properties"]["field"], drift["properties"]["change"]) == (
        "Schema Drifted",
        "coupon",
        "new_field",
    )
    assert "1.00" in told("quality", "till", data=judging.data)


def test_a_wrong_schema_is_refused_by_the_command_line(judging: Running, tmp_path: Path) -> None:
    """With its place and the exit status of wrong input."""
    file = tmp_path / "wrong.json"
    file.write_text('{"properties": {"total": {"type": "money"}}}')
    done = run("schema", "put", "--source", "*", "--event", "Bought", str(file), "--data", str(judging.data))
    assert done.returncode == 64
    assert "schema.properties.total.type: expected a JSON type" in done.stderr


def test_what_is_inferred_from_real_payloads_fits_them(judging: Running) -> None:
    """The example payloads of the protocol's own documentation, each name's under its own proposal."""
    done = told("import", str(PAYLOADS), "--source", "spec", "--mapping", "segment_spec_payloads", data=judging.data)
    assert "rows/s" in done
    server = judging.with_keys("spec")
    names = ("Order Completed", "Products Searched", "Product Added", "Checkout Started")
    for name in names:
        path = f"/v1/schemas/spec/{name.replace(' ', '%20')}"
        proposal = server.get(f"{path}/proposal")
        assert proposal["schema"]["properties"], name
        body = {"schema": proposal["schema"]}
        trial = ask(server.port, "POST", f"{path}/trial", key=server.admin_key, body=body).json()
        assert (trial["event_count"], trial["broken_count"]) == (proposal["event_count"], 0)
