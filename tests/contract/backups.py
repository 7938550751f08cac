"""A shop to back up: a store with its data folder and its lake, as one server has it, with a few people's stories."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from courtesy.base.errors import CourtesyError
from courtesy.base.time import DAY_MS, HOUR_MS, ManualClock
from courtesy.engine_postgres import PostgresEngine
from courtesy.event.accept import Draft, SourcePolicy, accept
from courtesy.lake import Lake, make_lake
from courtesy.person.catalog import Subscription
from courtesy.runtime.app import App, make_app
from courtesy.runtime.archive import lake_archive
from courtesy.runtime.audit import Told
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.lake import Exporter
from courtesy.runtime.links import key_of
from courtesy.runtime.permits import Ask
from courtesy.runtime.sealer import signing_key
from courtesy.runtime.settings import Settings
from courtesy.runtime.trimming import trim
from tests.contract.builders import NOW_MS, SHOP
from tests.contract.lakes import folder_site

HASH = bytes(range(32))
MAIL = {"purpose": "marketing", "channel": "email"}
PEOPLE = ("ann", "bob", "cid", "dora", "eva", "fay")
"""Each is in the same group; `zz<name>-` is in all that is theirs and in nothing else's."""


@dataclass(slots=True)
class Shop:
    """The parts of a server over one database and one data folder."""

    app: App
    worker: FoldWorker
    lake: Lake
    clock: ManualClock

    async def store(self, *calls: dict[str, Any]) -> None:
        """Store calls one by one, a second apart, and fold them."""
        for each in calls:
            self.clock.advance(1_000)
            given = {"type": "track", "event": "Seen", "messageId": f"m{self.clock.now_ms()}"} | each
            draft = Draft(
                msgspec.json.encode(given), SourcePolicy(SHOP), self.clock.now_ms(), None, bytes.decode, None, True
            )
            await self.app.ingest.append([accept(draft)], SourcePolicy(SHOP))
        await self.fold()

    async def hold(self, raw: str) -> None:
        """Have something rejected."""
        draft = Draft(raw.encode(), SourcePolicy(SHOP), self.clock.now_ms(), None, bytes.decode, None, True)
        await self.app.ingest.append([accept(draft)], SourcePolicy(SHOP))

    async def fold(self) -> None:
        """Fold until nothing is left."""
        await self.worker.claim()
        while await self.worker.fold_once():
            pass

    async def export(self) -> None:
        """Bring everything to the lake."""
        exporter = Exporter(self.app.engine, self.lake, self.clock, every_s=1)
        while await exporter.export_once():
            pass

    async def erase(self, name: str) -> None:
        """Erase somebody for good."""
        await self.app.eraser.erase(f"user_id:zz{name}-user", "clerk", "asked to", suppress=True)
        await self.fold()


@asynccontextmanager
async def shop(url: str, folder: Path, clock: ManualClock, partitions: int = 16) -> AsyncIterator[Shop]:
    """A shop over a database and a data folder, whether or not there was one before."""
    settings = Settings(data=str(folder), partitions=partitions)
    engine = PostgresEngine(url, clock, partitions)
    await engine.open()
    archive, lake = lake_archive(settings, url), make_lake(settings, url)
    assert archive is not None
    assert lake is not None
    app = make_app(settings, engine, clock, archive)
    worker = FoldWorker(engine, app.catalog.catalog, clock, "tests")
    await app.catalog.start()
    app.ingest.start()
    try:
        yield Shop(app, worker, lake, clock)
    finally:
        await app.ingest.stop()
        await worker.release()
        await app.catalog.stop()
        await archive.close()
        await lake.close()
        await engine.close()


def user(name: str, **fields: Any) -> dict[str, Any]:
    """What somebody does."""
    return {"userId": f"zz{name}-user", "properties": {"product": f"zz{name}-tea"}, **fields}


def told(name: str) -> list[dict[str, Any]]:
    """Somebody's story: who they are, on which device, in which group, and what they allow."""
    traits = {"email": f"zz{name}-mail@example.com", "name": f"zz{name}-name", "address": {"city": f"zz{name}-city"}}
    return [
        {"anonymousId": f"zz{name}-device"},
        user(name, type="identify", anonymousId=f"zz{name}-device", traits=traits),
        user(name),
        user(name, type="group", groupId="acme"),
        user(
            name,
            type="consent",
            choices=[{"action": "grant", **MAIL}, {"action": "object", "topic": f"zz{name}-topic", **MAIL}],
        ),
    ]


async def fill(shop: Shop) -> None:
    """Six people in one group. Cid and Dora were one for a while. Somewhat later half of it is in the lake alone."""
    await shop.app.catalog.define_subscription(Subscription("seen", "http://127.0.0.1/", ("Seen",)), "tests")
    await shop.app.catalog.define_subscription(
        Subscription("later", "http://127.0.0.1/", ("Seen",), delay_ms=30 * DAY_MS), "tests"
    )
    for name in PEOPLE:
        await shop.store(*told(name))
    await shop.hold('{"type": "track", "userId": "zzann-user", "properties": {"note": "zzann-held"}, "event": 7}')
    await shop.hold('{"type": "track", "userId": "zzbob-user", "properties": {"note": "zzbob-held"}, "event": 7}')
    await shop.app.repairs.merge("user_id:zzcid-user", "user_id:zzdora-user", "clerk", "one household", dry=False)
    await shop.store(user("cid"), user("dora"), user("dora", type="group", groupId="acme"))
    dora = user("dora", type="consent", choices=[{"action": "object", "topic": "zzdora-other", **MAIL}])
    await shop.store(dora)
    await shop.export()
    shop.clock.advance(2 * DAY_MS)
    engine = shop.app.engine
    assert await trim(engine, NOW_MS + DAY_MS, await engine.lake_position())
    await shop.app.repairs.unmerge("user_id:zzcid-user", "user_id:zzdora-user", "clerk", "they are two", dry=False)
    await shop.fold()
    for name in PEOPLE:
        await shop.store(user(name), user(name, type="group", groupId="acme"))
    asks = [Ask("user_id", f"zz{name}-user", **MAIL, message=f"{name}", message_hash=HASH) for name in PEOPLE]
    await shop.app.permits.issue(asks)
    sent = [Told(each.kind, each.value, each.message, "email", shop.clock.now_ms(), HASH) for each in asks]
    await shop.app.audit.tell(sent)
    signing_key(Path(shop.app.settings.data))
    key_of(shop.app.settings)
    await shop.export()
    shop.clock.advance(HOUR_MS)


async def views(shop: Shop, name: str) -> dict[str, Any]:
    """Everything that is to be read of somebody, now and as of then, but for how far the log is."""
    kind, value = "user_id", f"zz{name}-user"
    document = await shop.app.exports.of(kind, value)
    document["person"].pop("position")
    document.pop("exported")
    past: dict[str, Any] = {}
    for days in range(5):
        for today in (False, True):
            with contextlib.suppress(CourtesyError):
                at_ms = NOW_MS + days * DAY_MS + HOUR_MS
                past[f"{days} {today}"] = await shop.app.people.view_at(kind, value, at_ms, knowing_today=today)
    return {"now": document, "then": past}


def tables(url: str) -> dict[str, bytes]:
    """Everything in a database, by table, as it is stored."""
    found: dict[str, bytes] = {}
    with psycopg.connect(url) as connection:
        for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall():
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT (FORMAT BINARY)'.encode()) as copy:
                found[name] = b"".join(bytes(block) for block in copy)
    return found


async def whereabouts(url: str, folder: Path, name: str) -> set[str]:
    """The tables and files of the lake in which there is anything of somebody."""
    stores = await asyncio.to_thread(tables, url)
    stores |= await asyncio.to_thread(folder_site(url, folder).contents)
    return {place for place, content in stores.items() if f"zz{name}-".encode() in content}
