"""The supervisor: brings up the database and the processes, restarts what dies, and stops everything in order."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import structlog
from psycopg.conninfo import conninfo_to_dict

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SystemClock
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.runtime.process import run_environment
from courtesy.runtime.settings import Settings

CHECK_EVERY_S = 0.25
RESTART_MIN_S = 0.5
RESTART_MAX_S = 30.0
STEADY_S = 60.0
"""A process that ran this long counts as well; its next restart is quick again."""

METRICS_PREFIX = "courtesy-metrics-"

log = structlog.get_logger("supervisor")


@contextmanager
def database(settings: Settings) -> Iterator[tuple[str, EmbeddedPostgres | None]]:
    """The URL of the database: the one set, or the embedded one, which is started if need be and left as it was found.

    Raises CourtesyError when it can't be had.
    """
    if settings.database is not None:
        _check_url(settings.database)
        yield settings.database, None
        return
    embedded = EmbeddedPostgres(Path(settings.data), notice=lambda text: log.info("database", notice=text))
    embedded.start()
    try:
        yield embedded.url, embedded
    finally:
        embedded.stop()


def _check_url(url: str) -> None:
    try:
        conninfo_to_dict(url)
    except psycopg.Error as error:
        # What was given may hold a password, and the error may quote it.
        raise CourtesyError(
            Code.INVALID,
            "expected a URL that PostgreSQL's clients understand, got something else",
            hint="like postgresql://user:password@host:5432/name, signs in the password as %XX",
            place="database",
        ) from error


def _check_port(host: str, port: int) -> None:
    """Fail with `SETUP` when nobody can listen there. The processes that answer share the port, and would also share
    it with those of another server."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        raise CourtesyError(
            Code.SETUP,
            f"expected to listen on {host}:{port}: "
            + ("another program does already" if taken else error.strerror or str(error)),
            hint="end it, or choose another port with --port" if taken else "choose another address with --host",
            place="port" if taken else "host",
        ) from error


@dataclass(slots=True)
class Child:
    """A process that should be running."""

    name: str
    command: Sequence[str]
    process: asyncio.subprocess.Process | None = None
    started_at_s: float = 0.0
    restart_s: float = RESTART_MIN_S
    not_before_s: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Runs one server in the foreground until SIGTERM or SIGINT. `http_command` answers requests."""

    settings: Settings
    http_command: Sequence[str]
    children: list[Child] = field(default_factory=list)

    async def run(self) -> None:
        """Everything runs when `/readyz` answers 200; everything has stopped, in order, when this returns."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, stop.set)
        _check_port(self.settings.host, self.settings.port)
        with database(self.settings) as (url, embedded), _metrics_folder() as metrics:
            await _prepare(url, self.settings)
            environment = {**os.environ, **run_environment(self.settings, url), **metrics}
            self._plan()
            log.info("serving", url=f"http://{self.settings.host}:{self.settings.port}", processes=len(self.children))
            try:
                while not stop.is_set():
                    await self._tend(environment, embedded)
                    await _sleep(stop, CHECK_EVERY_S)
            finally:
                await self._stop_all()
        log.info("stopped")

    def _plan(self) -> None:
        worker = (sys.executable, "-m", "courtesy.runtime.process")
        self.children.append(Child("http", self.http_command))
        for number in range(self.settings.fold_workers):
            self.children.append(Child(f"fold-{number + 1}", (*worker, "fold")))
        self.children.append(Child("dispatch", (*worker, "dispatch")))
        for number in range(self.settings.senders):
            self.children.append(Child(f"send-{number + 1}", (*worker, "send")))
        if self.settings.has_lake:
            self.children.append(Child("lake", (*worker, "lake")))

    async def _tend(self, environment: Mapping[str, str], embedded: EmbeddedPostgres | None) -> None:
        """Start what should run and does not."""
        if embedded is not None and not embedded.alive():
            log.warning("database_died", action="restarting")
            try:
                await asyncio.to_thread(embedded.start)
            except CourtesyError as error:
                log.error("database_does_not_start", cause=error.message, hint=error.hint)
                await asyncio.sleep(RESTART_MIN_S)
                return
        for child in self.children:
            await self._tend_child(child, environment)

    async def _tend_child(self, child: Child, environment: Mapping[str, str]) -> None:
        now = asyncio.get_running_loop().time()
        if child.process is not None:
            if child.process.returncode is None:
                return
            steady = now - child.started_at_s > STEADY_S
            child.restart_s = RESTART_MIN_S if steady else min(child.restart_s * 2, RESTART_MAX_S)
            child.not_before_s = now + child.restart_s
            log.error("process_died", name=child.name, status=child.process.returncode, restart_s=child.restart_s)
            child.process = None
        if now >= child.not_before_s:
            # In a session of its own, so that Ctrl-C reaches the supervisor alone, which then stops all in order.
            child.process = await asyncio.create_subprocess_exec(
                *child.command, env=dict(environment), stdin=asyncio.subprocess.DEVNULL, start_new_session=True
            )
            child.started_at_s = now

    async def _stop_all(self) -> None:
        """First those who accept, so that the others can finish what was accepted; then those."""
        first = [child for child in self.children if child.name == "http"]
        rest = [child for child in self.children if child.name != "http"]
        for group in (first, rest):
            await asyncio.gather(*(self._stop_child(child) for child in group))

    async def _stop_child(self, child: Child) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.settings.stop_grace_s)
        except TimeoutError:
            log.warning("process_killed", name=child.name, grace_s=self.settings.stop_grace_s)
            _kill_session(process.pid)
            await process.wait()


def _kill_session(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        return


async def _sleep(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def _prepare(url: str, settings: Settings) -> None:
    """Bring the schema up to date before anybody else looks at it."""
    engine = PostgresEngine(url, SystemClock(), settings.partitions)
    try:
        await engine.open()
    except CourtesyError as error:
        if settings.database is None:
            raise
        raise CourtesyError(
            Code.SETUP if error.code is Code.UNAVAILABLE else error.code,
            f"the database of --database can't be used: {error.message}",
            hint=error.hint or "is PostgreSQL running there, and may this user connect?",
        ) from error
    finally:
        await engine.close()


@contextmanager
def _metrics_folder() -> Iterator[dict[str, str]]:
    """A folder in which all processes keep their metrics, for the one that is asked to add them up.

    In memory where the system has such a place: a process that writes to a mapped file on a full disk is killed.
    """
    place = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())  # noqa: S108 -- see mkdtemp
    _clear_metrics_of_the_killed(place)
    folder = tempfile.mkdtemp(prefix=METRICS_PREFIX, dir=place)
    life = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(life, fcntl.LOCK_EX)
        yield {"PROMETHEUS_MULTIPROC_DIR": folder}
    finally:
        os.close(life)
        shutil.rmtree(folder, ignore_errors=True)


def _clear_metrics_of_the_killed(place: Path) -> None:
    """Remove the folders of supervisors that had no time to do so: nobody holds their locks any more."""
    for folder in place.glob(f"{METRICS_PREFIX}*"):
        # Another user's can't be opened, and a very young one may just be about to be locked.
        with suppress(OSError):
            life = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(life, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(life).st_mtime < time.time() - STEADY_S:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(life)
