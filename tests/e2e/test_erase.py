"""Erasing a person of a real server: afterwards every store is searched for everything that was known of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from courtesy.base.time import DAY_MS, SystemClock
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.runtime.trimming import trim
from sim.recipient import Recipient
from sim.server import Server
from tests.contract.lakes import folder_site
from tests.e2e.asking import ask, tell, until
from tests.e2e.hooks import receiver, subscribe
from tests.e2e.processes import Running, run, running
from tests.e2e.test_recipients import define, recipient

WHO = {"userId": "zzuser-771", "anonymousId": "zzdevice-772"}
SECRETS = (
    "zzuser-771", "zzdevice-772", "zzmail-773@example.com", "zzmail-773@EXAMPLE.com", "Zzname-774", "Zzcity-775",
    "zzproduct-776", "zzuser-777", "zztopic-778", "zzpolicy-779", "zzcomment-780", "zzsession-781",
    "zzletter-782", "zzreason-783",
)  # fmt: skip
"""Every identifier and value of the person who is erased; each occurs nowhere else."""

CHOICE = {"action": "grant", "purpose": "marketing", "topic": "zztopic-778", "policy": "zzpolicy-779"}
TRAITS = {"email": "zzmail-773@example.com", "name": "Zzname-774", "address": {"city": "Zzcity-775"}}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Running]:
    """A server that writes its lake every second."""
    with running(tmp_path / "data", "--allow-private-webhooks", environment={"COURTESY_LAKE_EVERY_S": "1"}) as started:
        yield started


def _calls() -> list[dict[str, Any]]:
    seen = {"type": "track", "event": "Seen", "properties": {"product": "zzproduct-776"}}
    return [
        {**seen, "anonymousId": WHO["anonymousId"], "messageId": "z1"},
        {"type": "identify", **WHO, "traits": TRAITS, "messageId": "z2"},
        {**seen, **WHO, "messageId": "z3"},
        {"type": "group", **WHO, "groupId": "acme", "messageId": "z4"},
        {"type": "alias", "userId": WHO["userId"], "previousId": "zzuser-777", "messageId": "z5"},
        {"type": "consent", **WHO, "messageId": "z7", "choices": [CHOICE]},
        {**seen, "userId": "bob", "messageId": "b1", "properties": {"product": "tea"}},
        {"type": "group", "userId": "bob", "groupId": "acme", "messageId": "b2"},
        # Held: no event name, the address written otherwise.
        {"type": "track", "userId": "zzuser-771", "properties": {"mail": "zzmail-773@EXAMPLE.com"}, "messageId": "z6"},
    ]


def tables(data: Path) -> dict[str, bytes]:
    """Everything in the database, by table, as it is stored."""
    found: dict[str, bytes] = {}
    with EmbeddedPostgres(data) as postgres, psycopg.connect(postgres.url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT (FORMAT BINARY)') as copy:
                found[name] = b"".join(bytes(block) for block in copy)
    return found


def whereabouts(data: Path) -> set[tuple[str, str]]:
    """Which secret lies where: in a table, in a file of the lake or in a log of the server."""
    stores = tables(data) | {str(path): content for path, content in _files(data).items()}
    stores |= {path.name: path.read_bytes() for path in data.rglob("*.log")}
    return {(secret, name) for name, content in stores.items() for secret in SECRETS if secret.encode() in content}


def _files(data: Path) -> dict[str, bytes]:
    """What the files of the lake hold, packed and unpacked."""
    return folder_site("unused", data).contents()


def _in_lake(data: Path, secret: str) -> bool:
    return any(secret.encode() in content for content in _files(data).values())


def _answered(server: Server) -> None:
    """Asked how it was, and answered."""
    question = {"text": {"en": "How was it?"}, "answer": {"kind": "rating", "topic": "service"}}
    ask(server.port, "PUT", "/v1/questions/how", key=server.admin_key, body=question)
    path = f"/v1/people/user_id/{WHO['userId']}/question"
    body = {"channel": "web", "session": "zzsession-781"}
    asked = ask(server.port, "POST", path, key=server.admin_key, body=body).json()
    said = {"token": asked["token"], "answer": 5, "comment": "zzcomment-780"}
    assert ask(server.port, "POST", "/v1/answers", body=said).json()["counted"]


def told_to(other: Recipient) -> bytes:
    """All that a recipient has."""
    return json.dumps(other.held).encode()


def _told(server: Server) -> None:
    """Told, asked, folded, taken apart and put back, so that every table has something."""
    *good, held = _calls()
    tell(server, good)
    ask(server.port, "POST", "/v1/batch", key=server.write_key, body={"batch": [held]})
    _answered(server)
    server.wait_folded()
    text = 'for each product of "Seen": did "Seen" where product is that'
    server.send("PUT", "/v1/segments/Lookers", {"text": text})
    until(lambda: len(server.get("/v1/segments/Lookers/values")["values"]) == 2, "the segment to have them")
    for verb in ("unmerge", "merge"):
        body = {"other": {"kind": "anonymous_id", "value": WHO["anonymousId"]}, "reason": "a look"}
        path = f"/v1/people/user_id/{WHO['userId']}/{verb}"
        assert ask(server.port, "POST", path, key=server.admin_key, body=body).status == 200
        server.wait_folded()
    asked = {
        "kind": "access",
        "person": {"kind": "user_id", "value": WHO["userId"]},
        "details": {"note": "zzletter-782"},
    }
    number = server.send("POST", "/v1/requests", asked)["number"]
    server.send("POST", f"/v1/requests/{number}/refuse", {"reason": "zzreason-783"})


def _trim(data: Path) -> None:
    """Drop everything from the log that is in the lake, long before its time."""

    async def run(url: str) -> None:
        engine = PostgresEngine(url, SystemClock())
        await engine.open()
        try:
            assert await trim(engine, SystemClock().now_ms() + DAY_MS, await engine.lake_position())
        finally:
            await engine.close()

    with EmbeddedPostgres(data) as postgres:
        asyncio.run(run(postgres.url))


@pytest.mark.parametrize("is_trimmed", [False, True])
def test_after_an_erasure_no_store_has_anything_of_the_person(shop: Running, is_trimmed: bool) -> None:
    """Tables and files of the lake held all of it before, and hold none of it afterwards, nor when they come again;
    somebody else's events are there as before."""
    data = shop.data
    with receiver() as got, recipient() as (other, url):
        server = shop.with_keys("shop")
        subscribe(server, "seen", url=got.url, events=["Seen"])
        define(server, "crm", url, needs_identifiers=True)
        until(lambda: ask(server.port, "GET", "/readyz").status == 200, "readiness")
        _told(server)
        until(lambda: (data / "lake").exists() and _in_lake(data, "zzproduct-776"), "the lake to have the events")
        if is_trimmed:
            _trim(data)
        until(lambda: b"zztopic-778" in told_to(other), "the recipient to have the choice")
        before = whereabouts(data)
        assert {secret for secret, _ in before} == set(SECRETS)
        places = {name for _, name in before}
        assert places >= {"person_state", "identifier", "link", "quarantine", "chapter" if is_trimmed else "log"}
        assert places >= {"request", "request_log", "segment_member"}
        done = run("person", "erase", "email", "zzmail-773@example.com", "--yes", "--data", str(data))
        assert done.returncode == 0, done.stderr
        server.wait_folded()
        # What it takes to find them stays until the recipient has erased them, also when it is looked at again.
        until(lambda: other.held == {} and {name for _, name in whereabouts(data)} == set(), "nothing to be left")
        assert [each.startswith(("email:", "user_id:")) for each in next(iter(other.erased.values()))] == [True] * 3
        again = [{**each, "messageId": f"again-{each['messageId']}"} for each in _calls()[:3]]
        fates = ask(server.port, "POST", "/v1/batch", key=server.write_key, body={"batch": again}).json()["results"]
        assert [each["cause"] for each in fates] == ["forgotten"] * 3
        assert whereabouts(data) == set()
        # Beside what became of his webhook, should that have been told already.
        types = server.get("/v1/people/user_id/bob")["event_types"]
        assert {name: count for name, count in types.items() if name != "system"} == {"group": 1, "track": 1}
        assert server.get("/v1/groups/acme")["members"] == ["user_id:bob"]
