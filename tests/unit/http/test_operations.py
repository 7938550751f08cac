"""For those who run it: health, metrics, counts that balance, quarantine, effects, status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from courtesy.base.ids import PersonId
from courtesy.base.time import HOUR_MS
from courtesy.engine.contract import FoldCommit, Poisoned
from courtesy.engine.outbox import EffectState, NewEffect, Settlement
from courtesy.event.cause import MEANING
from courtesy.runtime.app import make_app
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.settings import Settings
from tests.unit.http.world import NOW_MS, World, batch, serving, track


async def test_alive_and_ready_need_no_key() -> None:
    """Alive always, ready when the store answers."""
    async with serving() as world:
        for path in ("/healthz", "/readyz", "/healthz/"):
            assert (await world.get(path, "")).status_code == 200
        await world.app.engine.close()
        assert (await world.get("/healthz", "")).status_code == 200
        silent = await world.get("/readyz", "")
        assert silent.status_code == 503
        assert silent.json()["reason"]
        await world.app.engine.open()
        assert (await world.get("/readyz", "")).json() == {"status": "ready", "reason": ""}


async def test_it_is_not_ready_before_the_definitions_are_loaded() -> None:
    """Or the first events would be refused for their keys."""
    async with serving() as world:
        world.client._transport.app.state.app = make_app(  # type: ignore[attr-defined]
            Settings(), world.app.engine, world.clock
        )
        answer = await world.get("/readyz", "")
        assert (answer.status_code, answer.json()["reason"]) == (503, "the definitions are not loaded yet")


async def test_the_front_door_says_what_this_is() -> None:
    """And where to look."""
    async with serving() as world:
        answer = (await world.get("/", "")).json()
        assert answer["name"] == "Courtesy"
        assert "/openapi.json" in answer["see"].values()


async def test_metrics_tell_the_lag_of_each_partition_and_nothing_personal() -> None:
    """Computed when asked for; no key is needed."""
    async with serving() as world:
        await world.post("/v1/batch", batch(track("a", "ann-of-green-gables"), track("b", "ann-of-green-gables")))
        world.clock.advance(90_000)
        page = await world.get("/metrics", "")
        assert page.headers["content-type"].startswith("text/plain")
        lines = page.text.splitlines()
        unfolded = [line for line in lines if line.startswith("courtesy_partition_unfolded{")]
        assert len(unfolded) == world.app.engine.partition_count
        assert [line for line in unfolded if line.endswith(" 2.0")]
        assert [line for line in lines if line.startswith("courtesy_partition_oldest") and line.endswith(" 90.0")]
        assert 'courtesy_events_total{cause="",fate="stored"}' in page.text
        assert 'courtesy_request_seconds_count{route="/v1/batch"}' in page.text
        assert "courtesy_store_answers 1.0" in page.text
        assert "green-gables" not in page.text
        assert world.write not in page.text


async def test_metrics_of_this_process_are_told_when_the_store_is_silent() -> None:
    """That is when somebody looks."""
    async with serving() as world:
        await world.app.engine.close()
        page = await world.get("/metrics", "")
        assert page.status_code == 200
        assert "courtesy_store_answers 0.0" in page.text
        assert "courtesy_partition_unfolded{" not in page.text
        await world.app.engine.open()


async def test_routes_of_metrics_are_templates() -> None:
    """Neither identifiers nor paths that somebody guesses make a new line."""
    async with serving() as world:
        await world.get("/v1/people/email/green-gables@example.org/events")
        await world.get("/guessed/path")
        page = (await world.get("/metrics", "")).text
        assert 'route="/v1/people/{kind}/{value}/events"' in page
        assert 'route="unknown"' in page
        assert "guessed" not in page


async def test_counts_balance_by_source_and_hour() -> None:
    """received = stored + quarantined + duplicate + suppressed, with causes and what they mean."""
    async with serving() as world:
        kept_out = {**track("c"), "integrations": {"Courtesy": False}}
        await world.post("/v1/batch", batch(track("a"), track("a"), {"type": "x"}, kept_out))
        world.clock.advance(HOUR_MS)
        await world.post("/v1/batch", batch(track("d")))
        answer = (await world.get("/v1/counts")).json()
        assert answer["balanced"]
        first, second = answer["counts"]
        assert first == {
            "source": "shop",
            "hour": "2025-11-22T03:00:00.000Z",
            "received": 4,
            "stored": 1,
            "quarantined": 1,
            "duplicate": 1,
            "suppressed": 1,
            "balanced": True,
            "causes": {"duplicate": 1, "opted_out_of_courtesy": 1, "unknown_type": 1},
        }
        assert (second["hour"], second["received"], second["stored"]) == ("2025-11-22T04:00:00.000Z", 1, 1)
        assert answer["meanings"] == {cause: MEANING[cause] for cause in first["causes"]}


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("from=2025-11-22T03:00:00Z&to=2025-11-22T04:00:00Z", 1),
        ("from=2025-11-22&to=2025-11-23", 1),
        (f"from={NOW_MS - HOUR_MS}&to={NOW_MS + HOUR_MS}", 1),
        ("from=2025-11-22T04:00:00Z", 0),
        ("to=2025-11-22T03:00:00Z", 0),
        ("to=1970-01-01", 0),
    ],
)
async def test_counts_of_a_span(query: str, count: int) -> None:
    """ISO 8601 or milliseconds; hours that begin in it."""
    async with serving() as world:
        await world.post("/v1/batch", batch(track()))
        response = await world.get(f"/v1/counts?{query}")
        assert (response.status_code, len(response.json()["counts"])) == (200, count)


@pytest.mark.parametrize("query", ["from=x", "to=2025-99-01", "from=2020-01-01&to=2025-01-01", "form=2025-01-01"])
async def test_a_span_that_makes_no_sense_is_refused(query: str) -> None:
    """400 with its place."""
    async with serving() as world:
        response = await world.get(f"/v1/counts?{query}")
        assert (response.status_code, response.json()["place"][:5]) == (400, "query")


async def test_quarantine_is_read_by_source_and_cause() -> None:
    """Newest first, page by page, as it came; what is no text in base64."""
    async with serving() as world:
        for body in (b"a\xff", b"bb", b"cc"):
            await world.post("/v1/batch", body)
        await world.post("/v1/batch", batch({"type": "x", "messageId": "m"}))
        first = (await world.get("/v1/quarantine?limit=3")).json()
        assert [each["cause"] for each in first["quarantined"]] == ["unknown_type", "unreadable", "unreadable"]
        assert json.loads(first["quarantined"][0]["raw"]) == {"type": "x", "messageId": "m"}
        assert first["quarantined"][0]["message_id"] == "m"
        assert first["quarantined"][1]["raw"] == "cc"
        rest = (await world.get(f"/v1/quarantine?limit=3&before={first['next_before']}")).json()
        assert [(each["raw"], each["raw_encoding"]) for each in rest["quarantined"]] == [("Yf8=", "base64")]
        assert rest["next_before"] is None
        only = (await world.get("/v1/quarantine?source=shop&cause=unknown_type")).json()["quarantined"]
        assert [each["source"] for each in only] == ["shop"]
        assert (await world.get("/v1/quarantine?source=shap")).json()["hint"] == "did you mean 'shop'?"
        assert (await world.get("/v1/quarantine?cause=odd")).status_code == 400


async def fold(world: World) -> None:
    """Fold everything."""
    worker = FoldWorker(world.app.engine, world.app.catalog.catalog, world.clock, "worker")
    await worker.claim()
    while await worker.fold_once():
        pass


async def test_effects_are_told_with_what_became_of_them() -> None:
    """Of all, or of one person."""
    async with serving() as world:
        hook = {"url": "https://shop.example/hook", "events": ["Bought"]}
        await world.change("PUT", "/v1/subscriptions/cart", hook)
        await world.post("/v1/batch", batch(track("a", "ann"), track("b", "bob")))
        await fold(world)
        effects = (await world.get("/v1/effects")).json()["effects"]
        assert [(each["kind"], each["target"], each["state"]) for each in effects] == [
            ("webhook", "cart", "waiting"),
            ("webhook", "cart", "waiting"),
        ]
        ann = (await world.get("/v1/people/user_id/ann")).json()["person"]
        (hers,) = (await world.get(f"/v1/effects?person={ann}")).json()["effects"]
        (claimed, _) = await world.app.engine.claim_effects("webhook", NOW_MS, 1_000, 10)
        settled = Settlement(claimed.key, claimed.attempt, EffectState.FAILED, "gone", "410", NOW_MS)
        assert await world.app.engine.settle(settled)
        by_key = {each["key"]: each for each in (await world.get("/v1/effects")).json()["effects"]}
        assert by_key[claimed.key.hex()]["settled"] == "2025-11-22T03:04:05.000Z"
        assert (hers["person"], hers["settled"]) == (ann, None)


async def test_poisoned_records_are_told_with_their_error() -> None:
    """And with their payload, to find out."""
    async with serving() as world:
        await world.post("/v1/batch", batch(track()))
        engine = world.app.engine
        leases = await engine.claim("worker", 16, 10_000)
        (record,) = await engine.unfolded(leases, 10)
        lease = next(each for each in leases if each.partition == record.partition)
        commit = FoldCommit([lease], {record.partition: record.position}, now_ms=NOW_MS)
        commit.poisoned = [Poisoned(record, "ValueError: odd", NOW_MS)]
        commit.effects = [NewEffect(b"k" * 16, "webhook", PersonId(1), "x", b"{}", NOW_MS)]
        await engine.commit_fold(commit)
        (told,) = (await world.get("/v1/poisoned")).json()["poisoned"]
        assert (told["kind"], told["source"], told["error"]) == ("event", "shop", "ValueError: odd")
        assert json.loads(told["payload"])["id"] == "m1"


async def test_alarms_tell_of_identifiers_that_look_shared() -> None:
    """From the degree that the rules set."""
    async with serving() as world:
        calls = [
            {"type": "identify", "userId": f"user-{number}", "traits": {"email": "till@shop.example"}}
            for number in range(6)
        ]
        await world.post("/v1/batch", batch(*calls))
        (alarm,) = (await world.get("/v1/identity/alarms")).json()["alarms"]
        assert (alarm["identifier"], alarm["people"]) == ("email:till@shop.example", 5)
        rules = (await world.get("/v1/identity/rules")).json()
        await world.change("PUT", "/v1/identity/rules", {**rules, "alarm_degree": 10**30})
        assert (await world.get("/v1/identity/alarms")).json()["alarms"] == []


async def test_status_tells_how_far_it_has_come() -> None:
    """Before and after folding."""
    async with serving() as world:
        await world.post("/v1/batch", batch(track("a", "ann"), track("b", "bob")))
        world.clock.advance(5_000)
        before = (await world.get("/v1/status")).json()
        assert (before["head"], before["people"], before["unfolded"], before["lag_ms"]) == ("2", 2, 2, 5_000)
        await fold(world)
        after = (await world.get("/v1/status")).json()
        assert (after["unfolded"], after["lag_ms"], after["workers"]) == (0, 0, 1)
        assert {each["owner"] for each in after["partitions"]} == {"worker"}


PLAIN: list[Any] = ["/v1/poisoned", "/v1/effects", "/v1/identity/alarms", "/v1/quarantine"]


@pytest.mark.parametrize("path", PLAIN)
async def test_lists_are_bounded(path: str) -> None:
    """From 1 to 500."""
    async with serving() as world:
        assert (await world.get(f"{path}?limit=500")).status_code == 200
        for limit in ("0", "501", "-1", "x", "1e3"):
            assert (await world.get(f"{path}?limit={limit}")).status_code == 400


COUNT_AND_SHOW = "from courtesy.http.metrics import RETRIED, page; RETRIED.inc(); print(page(None, 0).decode())"


def test_metrics_of_all_processes_are_added_up(tmp_path: Path) -> None:
    """Whichever of them is asked, also for those that have ended."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    for count in (1, 2, 3):
        program = [sys.executable, "-c", COUNT_AND_SHOW]
        page = subprocess.run(program, env=environment, capture_output=True, text=True, check=True).stdout
        assert f"courtesy_requests_retried_total {count}.0" in page
