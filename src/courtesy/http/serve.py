"""The process that answers HTTP: granian with the app, as many workers as set."""

from __future__ import annotations

import asyncio
import os
import signal
from functools import partial

from granian import Granian
from granian.constants import Interfaces, Loops
from granian.log import LogLevels
from litestar import Litestar

from courtesy.base.time import SystemClock
from courtesy.engine_postgres import PostgresEngine
from courtesy.http.app import create
from courtesy.runtime.app import App, make_app
from courtesy.runtime.archive import LakeArchive, lake_archive
from courtesy.runtime.process import PARENT_VARIABLE, die_with_parent, spare_the_collector, told
from courtesy.runtime.telemetry import configure_logs, configure_traces

BACKLOG = 2_048


def asgi() -> Litestar:
    """The app of one worker; its parts start and stop with it."""
    # A worker whose first process is gone has nobody to end it in time, and would share the port with its successors.
    die_with_parent(signal.SIGKILL)
    settings, url = told()
    configure_logs(as_json=settings.log_format == "json")
    configure_traces(settings.otlp_endpoint, "http")
    clock = SystemClock()
    archive = lake_archive(settings, url)
    app = make_app(settings, PostgresEngine(url, clock, settings.partitions), clock, archive, archive)
    served = create(app)
    # Not lambdas: Litestar awaits what it can tell from outside to be asynchronous.
    served.on_startup.append(partial(_start, app))
    served.on_shutdown.append(partial(_stop, app, archive))
    spare_the_collector()
    return served


async def _start(app: App) -> None:
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, _begin_to_stop, app)
    await app.engine.open()
    await app.catalog.start()
    app.ingest.start()


def _begin_to_stop(app: App) -> None:
    """Let go who listens, then stop as granian does, which waits for every answer that is under way.

    This took the place of granian's own hand on the signal; the one on SIGINT does the same.
    """
    app.post.inbox.stop()
    os.kill(os.getpid(), signal.SIGINT)


async def _stop(app: App, archive: LakeArchive | None) -> None:
    app.post.inbox.stop()
    await app.ingest.stop()
    await app.catalog.stop()
    if archive is not None:
        await archive.close()
    await app.engine.close()


def main() -> None:
    """`python -m courtesy.http.serve`: answers until SIGTERM."""
    die_with_parent()
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    settings, _ = told()
    configure_logs(as_json=settings.log_format == "json")
    Granian(
        "courtesy.http.serve:asgi",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=settings.http_workers,
        backlog=BACKLOG,
        websockets=False,
        log_level=LogLevels.warning,
        log_dictconfig={"formatters": {}, "handlers": {}, "loggers": {}},  # leave it to our own
        respawn_failed_workers=True,
        workers_kill_timeout=settings.stop_grace_s,
    ).serve()


if __name__ == "__main__":
    main()
