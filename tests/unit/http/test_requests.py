"""Requests of people over HTTP: taken in, listed, answered; and the packages that they are answered with."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from courtesy.base.time import DAY_MS
from courtesy.consent.controller import Controller, PostalAddress
from courtesy.consent.request import RequestKind
from courtesy.engine.contract import FoldCommit
from courtesy.engine.outbox import EffectState, NewEffect, Settlement
from courtesy.event.event import Party
from courtesy.http.export import PersonExport
from courtesy.http.requests import RequestPage, RequestsView, RequestWithLog
from courtesy.runtime.catalog import Scope, Source
from tests.unit.http.test_consent import MAIL, ask, tell
from tests.unit.http.test_export import HOSTILE, fold
from tests.unit.http.test_people import store
from tests.unit.http.world import World, batch, serving, track

ANN = {"kind": "user_id", "value": "ann"}
TRAITS = {"email": "ann@example.com", "name": "Ann", "city": "Kutaisi"}


async def open_(world: World, kind: str, **more: Any) -> RequestWithLog:
    """Ann asks for something."""
    answer = await world.change("POST", "/v1/requests", {"kind": kind, "person": ANN, **more})
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=RequestWithLog)


async def step(world: World, number: int, name: str, body: Any = None) -> RequestWithLog:
    """The next step of a request, which goes well."""
    answer = await world.change("POST", f"/v1/requests/{number}/{name}", body)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=RequestWithLog)


async def listed(world: World, query: str = "") -> list[int]:
    """The numbers of the requests that are listed."""
    answer = await world.get(f"/v1/requests{query}")
    assert answer.status_code == 200, answer.text
    return [each.number for each in msgspec.json.decode(answer.content, type=RequestPage).requests]


async def package(world: World, number: int) -> dict[str, Any]:
    """What a request is answered with."""
    answer = await world.get(f"/v1/requests/{number}/package")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def ann_comes(world: World) -> None:
    """Ann is known, by herself and by a broker."""
    await store(world, {"type": "identify", "userId": "ann", "messageId": "a", "traits": TRAITS}, track("b"))
    await world.app.catalog.define_source("broker", Source(Party.THIRD), "test")
    key = await world.app.catalog.create_key("broker", Scope.WRITE, "test", source="broker")
    guess = {"type": "identify", "userId": "ann", "anonymousId": "b-7", "messageId": "c", "traits": {"income": "high"}}
    answer = await world.post("/v1/batch", batch(guess), headers={"x-write-key": key})
    assert answer.json()["results"] == []


async def test_a_request_is_taken_in_listed_and_answered() -> None:
    """With its deadline and its log; who asks twice has one."""
    async with serving() as world:
        await ann_comes(world)
        first = await open_(world, "access", confirmed=False)
        assert (first.request, first.state, first.due) == (
            f"R-{first.number}",
            "confirming",
            "2025-12-22T00:00:00.000Z",
        )
        assert first.extendable_to == "2026-02-22T00:00:00.000Z"
        assert await open_(world, "access") == first
        second = await open_(world, "rectification", details={"traits": {"city": "Batumi"}})
        await step(world, first.number, "confirm", {"note": "by telephone"})
        later = await step(world, first.number, "extend", {"reason": "it is a lot"})
        assert (later.due, later.extended, later.extendable_to) == ("2026-02-22T00:00:00.000Z", True, None)
        assert await listed(world) == [second.number, first.number]
        assert await listed(world, "?due_before=2026-01-01") == [second.number]
        assert await listed(world, "?state=pending&kind=access") == [first.number]
        assert await listed(world, "?state=refused") == []
        done = await step(world, second.number, "fulfil")
        assert [line.what for line in done.log] == ["received", "fulfilled"]
        assert (await world.get("/v1/people/user_id/ann")).json()["traits"]["city"] == "Batumi"
        refused = await step(world, first.number, "refuse", {"reason": "not them after all"})
        assert [(line.by, line.what, line.note) for line in refused.log][1:] == [
            ("admin", "confirmed", "by telephone"),
            ("admin", "extended", "it is a lot"),
            ("admin", "refused", "not them after all"),
        ]
        assert (await world.get(f"/v1/requests/R-{first.number}")).json()["state"] == "refused"
        page = (await world.get("/v1/requests?limit=1")).json()
        assert await listed(world, f"?limit=1&after={page['next']}") == [first.number]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/v1/requests", {"kind": "access", "person": {"kind": "user_id", "value": "nobody"}}, 404),
        ("POST", "/v1/requests", {"kind": "access", "person": {"kind": "group", "value": "acme"}}, 400),
        ("POST", "/v1/requests", {"kind": "access", "person": ANN, "details": {"traits": {"a": 1}}}, 400),
        ("POST", "/v1/requests", {"kind": "rectification", "person": ANN}, 400),
        ("POST", "/v1/requests", {"kind": "wish", "person": ANN}, 400),
        ("POST", "/v1/requests/7/refuse", {"reason": " "}, 400),
        ("POST", "/v1/requests/7/refuse", {"reason": "no"}, 404),
        ("POST", "/v1/requests/seven/fulfil", None, 400),
        ("GET", f"/v1/requests/{'9' * 40}", None, 400),
        ("GET", "/v1/requests/7/package", None, 404),
        ("GET", "/v1/requests?state=wished", None, 400),
        ("GET", "/v1/requests?due_before=soon", None, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(method: str, path: str, body: Any, status: int) -> None:
    """With the reason why."""
    async with serving() as world:
        await ann_comes(world)
        answer = await world.change(method, path, body)
        assert (answer.status_code, bool(answer.json()["message"])) == (status, True)


async def test_only_an_admin_sees_requests() -> None:
    """A key that reads people does not."""
    async with serving() as world:
        for path in ("/v1/requests", "/v1/requests/1", "/v1/requests/1/package", "/v1/people/user_id/ann/requests"):
            assert (await world.get(path, key=world.read)).status_code == 403
            assert (await world.get(path, key="")).status_code == 401


async def test_access_is_all_that_is_held_and_who_got_it() -> None:
    """The export, the words behind each choice, the receivers that were called, and the parties that are named."""
    async with serving() as world:
        await ann_comes(world)
        await world.app.catalog.define_controller(CONTROLLER, "test")
        words = b"May we write to you?"
        await world.app.engine.keep_shown([words], 0)
        await tell(world, "c1", {"action": "grant", **MAIL, "evidence": {"notice": sha256(words).hexdigest()}})
        await called(world, "crm")
        request = await open_(world, "access", details={"note": "all of it, please"})
        told = await package(world, request.number)
        msgspec.convert(told["held"], PersonExport)
        assert told["format"] == "courtesy.access/1"
        assert told["wordings"] == {sha256(words).hexdigest(): "May we write to you?"}
        assert [(each["name"], each["times"]) for each in told["recipients"]] == [("crm", 1), ("Post Ltd", 0)]
        assert told["controller"]["name"] == "Shop Ltd"
        assert told["held"]["person"]["traits"]["income"] == "high"
        assert [each["request"] for each in told["held"]["requests"]] == [request.request]
        page = await world.get(f"/v1/requests/{request.number}/page")
        assert page.headers["content-type"].startswith("text/html")
        for text in ("Shop Ltd", "Post Ltd", "crm", "May we write to you?", "Kutaisi", "we got it from others"):
            assert text in page.text
        log = (await world.get(f"/v1/requests/{request.number}")).json()["log"]
        assert [(line["what"], line["note"].partition(",")[0]) for line in log] == [
            ("received", ""), ("handed out", "json"), ("handed out", "html"),
        ]  # fmt: skip
        assert sha256(page.content).hexdigest() in log[-1]["note"]


CONTROLLER = Controller(
    "Shop Ltd", "Nino, privacy", "privacy@shop.example", PostalAddress("GE", "Main street 1", "Tbilisi"),
    "https://shop.example/privacy", recipients=("Post Ltd",),
)  # fmt: skip


async def called(world: World, target: str) -> None:
    """A receiver was called because of Ann."""
    engine = world.app.engine
    reading = await engine.read_person("user_id:ann")
    assert reading is not None
    effects = [NewEffect(bytes(16), "webhook", reading.person, target, b"{}", 1)]
    leases = await engine.claim("test", 16, 60_000)
    await engine.commit_fold(FoldCommit(leases, {each.partition: each.folded for each in leases}, effects=effects))
    (claimed,) = await engine.claim_effects("webhook", world.clock.now_ms(), 1_000, 1)
    settled = Settlement(claimed.key, claimed.attempt, EffectState.DELIVERED, "", "", world.clock.now_ms())
    assert await engine.settle(settled)
    await engine.release("test", [each.partition for each in leases])


async def test_portability_is_what_they_provided() -> None:
    """Not what a broker told of them; as JSON, and as tables in which nothing runs."""
    async with serving() as world:
        await ann_comes(world)
        await store(world, track("d", properties={"note": "=1+1"}))
        await tell(world, "c1", {"action": "grant", **MAIL})
        request = await open_(world, "portability")
        told = await package(world, request.number)
        assert told["format"] == "courtesy.portability/1"
        assert {each["name"]: each["value"] for each in told["traits"]} == TRAITS
        assert {each["kind"] for each in told["identifiers"]} == {"user_id", "email"}
        assert [each["type"] for each in told["events"]] == ["identify", "track", "track", "consent"]
        assert [each["purpose"] for each in told["choices"]] == ["marketing"]
        assert "high" not in json.dumps(told)
        answer = await world.get(f"/v1/requests/{request.number}/package?format=zip")
        assert answer.headers["content-type"] == "application/zip"
        assert f"R-{request.number}-portability.zip" in answer.headers["content-disposition"]
        files = unpacked(answer.content)
        assert set(files) == {"data.json", "identifiers.csv", "traits.csv", "choices.csv", "events.csv"}
        assert json.loads(files["data.json"])["traits"] == told["traits"]
        rows = list(csv.DictReader(io.StringIO(files["traits.csv"])))
        assert {row["name"]: row["value"] for row in rows} == TRAITS
        assert (await world.get(f"/v1/requests/{request.number}/page")).status_code == 409


def unpacked(content: bytes) -> dict[str, str]:
    """The files of a package."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


async def test_there_is_no_package_for_who_is_not_sure_to_have_asked() -> None:
    """Nor for what was refused, nor for what is not answered with one."""
    async with serving() as world:
        await ann_comes(world)
        doubtful = await open_(world, "access", confirmed=False)
        refused = await open_(world, "portability")
        await step(world, refused.number, "refuse", {"reason": "asked yesterday"})
        restriction = await open_(world, "restriction")
        for number in (doubtful.number, refused.number, restriction.number):
            for what in ("package", "page"):
                answer = await world.get(f"/v1/requests/{number}/{what}")
                assert answer.status_code == 409, answer.text
        assert (await world.change("POST", f"/v1/requests/{doubtful.number}/fulfil")).status_code == 409


async def test_hostile_values_are_text_on_the_page() -> None:
    """Whoever told them, and wherever they lie."""
    async with serving() as world:
        traits = {f"t{number}": value for number, value in enumerate(HOSTILE) if len(value) < 1_000}
        await store(world, {"type": "identify", "userId": "ann", "messageId": "a", "traits": traits})
        request = await open_(world, "access", details={"note": HOSTILE[0]})
        page = (await world.get(f"/v1/requests/{request.number}/page")).text
        assert "<script" not in page
        assert "<img" not in page
        assert "&lt;script&gt;" in page
        zip_ = await world.get(f"/v1/requests/{request.number}/package?format=zip")
        assert set(unpacked(zip_.content)) == {"data.json", "index.html", "choices.csv", "events.csv"}


async def test_restriction_and_objection_are_obeyed_at_once() -> None:
    """The answer to whether somebody may be used names the rule and its source."""
    async with serving() as world:
        await ann_comes(world)
        await tell(world, "c1", {"action": "grant", **MAIL})
        restriction = await open_(world, "restriction")
        await step(world, restriction.number, "fulfil")
        for purpose in ("marketing", "service"):
            told = await ask(world, f"purpose={purpose}&channel=email")
            assert (told["allowed"], told["why"], told["rule"]) == (False, "restricted", "restriction")
            assert told["source"].startswith("GDPR 18")
            assert [each["purpose"] for each in told["choices"]] == ["restriction"]
        letter = {**ANN, **MAIL, "message": "m", "message_hash": "0" * 64}
        refused = (await world.change("POST", "/v1/permits", {"permits": [letter]})).json()["answers"][0]["refusal"]
        assert (refused["why"], refused["policy"]) == ("restricted", "gdpr-restriction")
        world.clock.advance(DAY_MS)
        lifted = await open_(world, "restriction", details={"restricted": False})
        await step(world, lifted.number, "fulfil")
        assert (await ask(world, "purpose=marketing&channel=email"))["why"] == "granted"
        world.clock.advance(DAY_MS)
        objection = await open_(world, "objection")
        await step(world, objection.number, "fulfil")
        assert (await ask(world, "purpose=marketing&channel=email"))["why"] == "refused"


async def test_who_was_forgotten_is_told_so() -> None:
    """By any identifier that was theirs; without one word of what was held."""
    async with serving() as world:
        await ann_comes(world)
        await fold(world)
        access = await open_(world, "access", details={"note": "zzsecret"})
        erasure = await open_(world, "erasure")
        done = await step(world, erasure.number, "fulfil")
        assert (done.state, done.person, done.identifier, done.details) == ("fulfilled", None, None, {})
        for path in ("user_id/ann", "email/ann@example.com"):
            answer = await world.get(f"/v1/people/{path}/requests")
            found = msgspec.json.decode(answer.content, type=RequestsView).requests
            assert [(each.number, each.kind) for each in found] == [
                (access.number, RequestKind.ACCESS), (erasure.number, RequestKind.ERASURE),
            ]  # fmt: skip
        assert (await world.get("/v1/people/user_id/bob/requests")).json() == {"requests": []}
        assert b"zzsecret" not in (await world.get("/v1/requests")).content
        assert (await world.get(f"/v1/requests/{access.number}/package")).status_code == 409


async def test_metrics_tell_what_waits_and_what_is_late() -> None:
    """By kind; what was answered counts no more."""
    async with serving() as world:
        await ann_comes(world)
        request = await open_(world, "access")
        gauge = 'courtesy_requests_{}{{kind="access"}}'
        world.clock.advance(31 * DAY_MS)
        page = (await world.get("/metrics")).text
        assert f"{gauge.format('pending')} 1.0" in page
        assert f"{gauge.format('overdue')} 1.0" in page
        await step(world, request.number, "fulfil")
        page = (await world.get("/metrics")).text
        assert f"{gauge.format('pending')} 0.0" in page
        assert f"{gauge.format('overdue')} 0.0" in page
