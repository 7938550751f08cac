"""A PostgreSQL that is not ours: as Debian installs it, reached over TCP with a password."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from courtesy.engine_postgres.embedded import EmbeddedPostgres
from sim.server import free_port
from tests.e2e.asking import until

PASSWORD = "a secret / with signs?"
URL_PASSWORD = "a%20secret%20%2F%20with%20signs%3F"


def installed() -> Path | None:
    """The programs of the oldest PostgreSQL from 15 on that the machine has."""
    found = sorted(
        int(each.parent.name) for each in Path("/usr/lib/postgresql").glob("*/bin") if each.parent.name.isdigit()
    )
    return next((Path(f"/usr/lib/postgresql/{version}/bin") for version in found if version >= 15), None)


@dataclass(slots=True)
class Database:
    """A database of its own on a cluster of its own: there, and now and then away."""

    url: str
    start: Callable[[], None]
    stop: Callable[[], None]


@contextmanager
def external_database() -> Iterator[Database]:
    """A new database on a new cluster of the installed PostgreSQL; of the embedded one if there is none. It is up."""
    binaries = installed()
    folder = Path(tempfile.mkdtemp(prefix="courtesy-external-"))
    try:
        if binaries is None:
            with EmbeddedPostgres(folder / "data") as embedded:
                yield Database(embedded.url, embedded.start, embedded.stop)
        else:
            with _cluster(binaries, folder) as database:
                yield database
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _cluster(binaries: Path, folder: Path) -> Iterator[Database]:
    _give_to_postgres(folder)
    secret = folder / "secret"
    secret.write_text(PASSWORD)
    _give_to_postgres(secret)
    data, port = folder / "cluster", free_port()
    arguments = ("-U", "courtesy", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync", "-E", "UTF8")
    subprocess.run(_as_postgres(binaries / "initdb", "-D", data, *arguments), check=True, capture_output=True, cwd="/")
    settings = (f"-p{port}", "-clisten_addresses=127.0.0.1", f"-cunix_socket_directories={folder}", "-cfsync=off")
    server = f"postgresql://courtesy:{URL_PASSWORD}@127.0.0.1:{port}"
    running: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with (folder / "log").open("ab") as log:
            command = _as_postgres(binaries / "postgres", "-D", data, *settings)
            running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd="/"))
        until(lambda: _answers(f"{server}/postgres"), "PostgreSQL accepts connections")

    def stop() -> None:
        process = running.pop()
        process.send_signal(signal.SIGINT)
        process.wait(60)

    try:
        start()
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE shop")
        yield Database(f"{server}/shop", start, stop)
    finally:
        if running:
            stop()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _as_postgres(*command: str | Path) -> list[str]:
    """PostgreSQL refuses to run as root."""
    plain = [str(part) for part in command]
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *plain] if os.geteuid() == 0 else plain


def _give_to_postgres(path: Path) -> None:
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(path, account.pw_uid, account.pw_gid)
