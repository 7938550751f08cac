"""One process of a running server: folds, dispatches, sends, or fills the lake. Started by the supervisor, ends with
it."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvloop

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import DAY_MS, HOUR_MS, MINUTE_MS, SystemClock
from courtesy.channel.carriers import make_channels
from courtesy.channel.subjects import SubjectCalls
from courtesy.channel.webhook import Webhook
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.delivery.pacing import Pacing
from courtesy.engine.contract import Engine, StorageFull, Unavailable
from courtesy.engine_postgres import PostgresEngine
from courtesy.person.step import WEBHOOK
from courtesy.runtime.app import make_publications, running_app
from courtesy.runtime.archive import LakeArchive
from courtesy.runtime.asked import Campaigner
from courtesy.runtime.assets import Assets
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.connections import DefinedConnections
from courtesy.runtime.content_releases import Releaser, Releases
from courtesy.runtime.dispatch import Dispatcher
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.history import History
from courtesy.runtime.interest import InterestFollower
from courtesy.runtime.links import Signer
from courtesy.runtime.message_offers import MessageOffers
from courtesy.runtime.names_seen import NamesSeen
from courtesy.runtime.offer_ledger import OfferLedger, keep_expiring
from courtesy.runtime.offers import Offers
from courtesy.runtime.outside import outside_of
from courtesy.runtime.priority import set_urgent
from courtesy.runtime.quality import KEPT_DAYS, Judge
from courtesy.runtime.recipient import SubjectIds
from courtesy.runtime.requests import tell_overdue
from courtesy.runtime.retention import LogRetention
from courtesy.runtime.sealer import Sealer, signing_key
from courtesy.runtime.segment_building import SegmentBuilder
from courtesy.runtime.segment_settling import Settler
from courtesy.runtime.segments import Segments
from courtesy.runtime.sending import PER_S, Sender
from courtesy.runtime.settings import Settings, decode_settings, encode_settings
from courtesy.runtime.targets import WebhookTargets
from courtesy.runtime.telemetry import configure_logs, configure_traces, error_and_place
from courtesy.runtime.telling import Teller
from courtesy.runtime.trimming import trim
from courtesy.runtime.witnesses import Witnesses, read_witnesses

UPKEEP_EVERY_MS = 10 * MINUTE_MS
SEAL_EVERY_S = 30.0
"""How long a choice waits at most until a checkpoint covers it: half of what is promised."""

log = structlog.get_logger("process")

Work = Callable[[Settings, str, asyncio.Event], Awaitable[None]]


async def fold(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Own partitions and fold them until told to stop."""
    clock = SystemClock()
    engine = PostgresEngine(url, clock, settings.partitions)
    await engine.open()
    catalog = CatalogCache(engine, clock)
    try:
        await catalog.start()
        name = f"{socket.gethostname()}-{os.getpid()}"
        await FoldWorker(engine, catalog.catalog, clock, name, catalog.refresh).run(stop)
    finally:
        await catalog.stop()
        await engine.close()


async def dispatch(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Carry out effects, and keep the store trim, until told to stop."""
    clock = SystemClock()
    engine = PostgresEngine(url, clock, settings.partitions)
    await engine.open()
    catalog = CatalogCache(engine, clock)
    try:
        await catalog.start()
        channels = {WEBHOOK: make_webhook(settings)}
        targets = {WEBHOOK: WebhookTargets(catalog)}
        beside = [
            asyncio.create_task(_upkeep(engine, settings, catalog, stop), name="upkeep"),
            asyncio.create_task(_seal(engine, settings, stop), name="seal"),
            asyncio.create_task(_keep_segments(engine, catalog, settings, url, stop), name="segments"),
            asyncio.create_task(make_releaser(engine, catalog, settings).run(stop), name="releases"),
            asyncio.create_task(Campaigner(engine, catalog, clock).run(stop), name="campaigns"),
            asyncio.create_task(_end_offers(engine, catalog, stop), name="offers"),
            asyncio.create_task(make_follower(engine, catalog).run(stop), name="interest"),
            asyncio.create_task(make_teller(engine, catalog, settings).run(stop), name="tell"),
            asyncio.create_task(
                _judge_quality(Judge(engine, catalog, clock, settings), settings, stop), name="quality"
            ),
        ]
        for each in beside:
            each.add_done_callback(partial(_end_with, stop=stop))
        await Dispatcher(engine, channels, targets, clock).run(stop)
        await asyncio.gather(*beside)
    finally:
        await catalog.stop()
        await engine.close()


def _end_with(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    """What runs beside must not end unseen: the process ends with it, and the supervisor starts another."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("work_broke_off", work=task.get_name(), **error_and_place(error))
        stop.set()


async def send(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Send messages until told to stop."""
    async with running_app(settings, url) as app:
        channels = make_channels(outside_of(settings, app.clock), app.engine)
        connections = DefinedConnections(app.engine, app.catalog, app.clock)
        giving = MessageOffers(app.shelf.offers, app.shelf.offer_desk, app.catalog)
        pacing = Pacing(PER_S, share=1 / settings.senders)
        post = app.post
        sender = Sender(app.engine, channels, connections, post.wording, giving, post.tokens, app.clock, pacing=pacing)
        await sender.run(stop)


async def _upkeep(engine: Engine, settings: Settings, catalog: CatalogCache, stop: asyncio.Event) -> None:
    clock, retention = SystemClock(), LogRetention(engine)
    while not stop.is_set():
        try:
            now = clock.now_ms()
            trimmed = await _trim(engine, settings, catalog, now)
            forgotten = await engine.forget_keys(now - settings.duplicate_days * DAY_MS - HOUR_MS)
            days_forgotten = await engine.forget_quality(now - KEPT_DAYS * DAY_MS)
            let_go = await retention.run(catalog.retention(), now)
            effects_let_go = await engine.let_go_of_effects(now - settings.outbox_days * DAY_MS)
            inbox_let_go = await engine.let_go_of_inbox(now)
            overdue = await tell_overdue(engine, now)
            if overdue:
                log.warning("requests_overdue", newly=overdue)
            if trimmed or forgotten or days_forgotten or let_go or effects_let_go or inbox_let_go:
                log.info(
                    "upkeep",
                    records_trimmed=trimmed,
                    keys_forgotten=forgotten,
                    quality_days_forgotten=days_forgotten,
                    records_let_go=let_go,
                    effects_let_go=effects_let_go,
                    messages_let_go=inbox_let_go,
                )
        except (Unavailable, StorageFull) as error:
            log.warning("upkeep_waits", cause=error.message)
        try:
            await asyncio.wait_for(stop.wait(), UPKEEP_EVERY_MS / 1_000)
        except TimeoutError:
            continue


async def _judge_quality(judge: Judge, settings: Settings, stop: asyncio.Event) -> None:
    while settings.quality_every_s and not stop.is_set():
        try:
            await judge.run()
        except (Unavailable, StorageFull) as error:
            log.warning("quality_waits", cause=error.message)
        except Exception as error:  # noqa: BLE001 -- the outermost edge: what one day can't be judged by, another may
            log.error("quality_broke", **error_and_place(error))
        try:
            await asyncio.wait_for(stop.wait(), settings.quality_every_s)
        except TimeoutError:
            continue


async def _trim(engine: Engine, settings: Settings, catalog: CatalogCache, now_ms: int) -> int:
    """Trim the log, but for what the lake lacks, and what was not read for catalogues yet."""
    before = now_ms - settings.log_retention_days * DAY_MS
    needed = [await engine.interest_position(catalog.now.catalogues)]
    if settings.has_lake:
        needed.append(await engine.lake_position() or Position(0))
    return await trim(engine, before, min((each for each in needed if each is not None), default=None))


async def lake(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Write what is accepted to the lake, and keep it in order, until told to stop."""
    # Only this process pays for what the lake stands on: a second of imports, and memory.
    from courtesy.lake import make_lake
    from courtesy.runtime.lake import Exporter, LakeRetention

    clock = SystemClock()
    store = make_lake(settings, url)
    assert store is not None, "the supervisor starts this process when there is a lake"
    engine = PostgresEngine(url, clock, settings.partitions, connection_count=2)
    await engine.open()
    catalog = CatalogCache(engine, clock)
    try:
        await catalog.start()
        letting_go = asyncio.create_task(LakeRetention(store, catalog.retention, clock).run(stop), name="retention")
        set_urgent(False)
        await Exporter(engine, store, clock, settings.lake_every_s, set_urgent).run(stop)
        await letting_go
    finally:
        await catalog.stop()
        await store.close()
        await engine.close()


def make_webhook(settings: Settings) -> Webhook:
    """The webhook channel as the settings permit it."""
    return Webhook(outside_of(settings, SystemClock()))


async def _keep_segments(
    engine: Engine, catalog: CatalogCache, settings: Settings, url: str, stop: asyncio.Event
) -> None:
    """Make new segments ready, and settle what they ask of others."""
    archive = LakeArchive(settings, url) if settings.has_lake else None
    clock = SystemClock()

    @cache
    def queries() -> Any:
        # DuckDB takes a while to load, and memory: only where something is asked of it.
        from courtesy.runtime.segment_query import SegmentQueries

        return SegmentQueries(engine, archive, lambda: catalog.now.source_names, Laws(LAWS))

    settler = Settler(engine, queries, catalog, clock)
    try:
        counting = None if archive is None else queries
        builder = SegmentBuilder(engine, History(engine, archive), catalog, clock, settler, counting)
        await asyncio.gather(builder.run(stop), settler.run(stop))
    finally:
        if archive is not None:
            await archive.close()


async def _end_offers(engine: Engine, catalog: CatalogCache, stop: asyncio.Event) -> None:
    """End what was granted of offers when its time is over."""
    clock = SystemClock()
    offers = Offers(engine, catalog, Segments(engine, catalog, NamesSeen(engine, catalog, clock)))
    await keep_expiring(OfferLedger(engine, offers, clock), stop)


def make_teller(engine: Engine, catalog: CatalogCache, settings: Settings) -> Teller:
    """What tells the recipients that are defined, at addresses that the settings permit."""
    clock = SystemClock()
    calls = SubjectCalls(outside_of(settings, clock))
    return Teller(engine, lambda: catalog.now.recipients, calls, SubjectIds(settings), clock)


def make_follower(engine: Engine, catalog: CatalogCache) -> InterestFollower:
    """What tells people of changes in catalogues."""
    return InterestFollower(engine, lambda: catalog.now.catalogues, SystemClock())


def make_releaser(engine: Engine, catalog: CatalogCache, settings: Settings) -> Releaser:
    """What publishes the releases that are scheduled."""
    clock = SystemClock()
    assets = Assets(settings, Signer(settings), clock)
    publications = make_publications(settings, engine, catalog, clock, assets)
    return Releaser(engine, Releases(engine, publications, clock), publications, clock)


async def _seal(engine: Engine, settings: Settings, stop: asyncio.Event) -> None:
    """Sign what came to the ledger, once in a while, and have it signed by witnesses."""
    witnesses = Witnesses(engine, read_witnesses(settings.ledger_witnesses))
    try:
        while not stop.is_set():
            try:
                key = await asyncio.to_thread(signing_key, Path(settings.data))
                await witnesses.sign(await Sealer(engine, key, SystemClock()).seal())
            except CourtesyError as error:
                log.warning("sealing_waits", cause=error.message, hint=error.hint)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SEAL_EVERY_S)
    finally:
        await witnesses.aclose()


WORK: dict[str, Work] = {"fold": fold, "dispatch": dispatch, "lake": lake, "send": send}

RUN_VARIABLE = "COURTESY_RUN"
"""Where the supervisor puts the settings and the database's URL for its processes."""


PARENT_VARIABLE = "COURTESY_PARENT"
"""The number of the process that starts others, told to them by it. In a container it may well be 1."""


def die_with_parent(how: signal.Signals = signal.SIGTERM) -> None:
    """Have the kernel end this process when the one that started it is gone. Linux only; a no-op elsewhere."""
    if sys.platform == "linux":
        set_parent_death_signal = 1  # PR_SET_PDEATHSIG, prctl(2)
        ctypes.CDLL(None, use_errno=True).prctl(set_parent_death_signal, how)
        if os.getppid() != int(os.environ[PARENT_VARIABLE]):
            # It was gone before we asked.
            os.kill(os.getpid(), how)


def spare_the_collector() -> None:
    """Let Python's cycle collector look rarely, and never at what was loaded at start: events and states make no
    cycles, and there are many of them to visit."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def run_environment(settings: Settings, url: str) -> dict[str, str]:
    """What a process that this one starts needs to be told."""
    run = msgspec.json.encode({"settings": encode_settings(settings), "url": url}).decode()
    return {RUN_VARIABLE: run, PARENT_VARIABLE: str(os.getpid())}


def told() -> tuple[Settings, str]:
    """What the supervisor told this process."""
    given = msgspec.json.decode(os.environ[RUN_VARIABLE])
    return decode_settings(given["settings"]), given["url"]


async def _work(name: str) -> None:
    settings, url = told()
    configure_logs(as_json=settings.log_format == "json")
    configure_traces(settings.otlp_endpoint, name)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, _begin_stop, stop, name, settings.stop_grace_s / 2)
    await WORK[name](settings, url, stop)


def _begin_stop(stop: asyncio.Event, name: str, limit_s: float) -> None:
    """Stop in order, or after the limit out of order: whatever was not committed is done again by the next. The
    supervisor would see to that, but it may be gone."""

    def leave() -> None:
        log.warning("stop_cut_short", name=name, limit_s=limit_s)
        os._exit(0)

    stop.set()
    watch = threading.Timer(limit_s, leave)
    watch.daemon = True
    watch.start()


def main() -> None:
    """`python -m courtesy.runtime.process fold|dispatch|lake|send`."""
    die_with_parent()
    spare_the_collector()
    uvloop.run(_work(sys.argv[1]))


if __name__ == "__main__":
    main()
