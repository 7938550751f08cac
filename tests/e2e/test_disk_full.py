"""A disk that fills up while clients send: they are told to come back, nothing told stored is lost, and it recovers."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.asking import ask, until
from tests.e2e.processes import Running, lives, running
from tests.e2e.traffic import go_on, traffic

DISK_MB = 96
"""A new store takes half of this."""

ROOM_MB = 4
AWHILE = 200
PAD = random.Random(7).randbytes(8_000).hex()
"""Noise, or PostgreSQL would compress it."""


@dataclass(frozen=True, slots=True)
class Disk:
    """Where a server keeps its data, with little room. `tighten` once it runs; `widen` makes room while it runs."""

    data: Path
    environment: dict[str, str]
    tighten: Callable[[Running], None]
    widen: Callable[[Running], None]


def small_disk(folder: Path) -> Iterator[Disk]:
    """A disk of its own, in memory, with nothing else on it; made larger to make room. Only root may mount one.

    Temporary files go to the same disk, as on a machine that has only one.
    """
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "tmpfs", disk], check=True)

    def widen(_: Running) -> None:
        subprocess.run(["mount", "-o", f"remount,size={10 * DISK_MB}m", disk], check=True)

    try:
        (disk / "tmp").mkdir()
        yield Disk(disk / "data", {"TMPDIR": str(disk / "tmp")}, lambda _: None, widen)
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def small_files(folder: Path) -> Iterator[Disk]:
    """Files may not grow beyond a size a little above that of the largest; lifted to make room. Anybody may do so."""

    def limit(process: Running, most_bytes: int | None) -> None:
        for pid in process.own_pids() | process.postgres_pids():
            limit_files(pid, most_bytes)

    def tighten(process: Running) -> None:
        largest = max(file.stat().st_size for file in (process.data / "postgres").rglob("*") if file.is_file())
        limit(process, largest + ROOM_MB * 1024 * 1024)

    yield Disk(folder / "data", {}, tighten, lambda process: limit(process, None))


def limit_files(pid: int, most_bytes: int | None) -> None:
    """Let no file of the process, and of those that it starts from now on, grow beyond a size. None: any size."""
    owner = Path(f"/proc/{pid}").stat()
    most = "unlimited" if most_bytes is None else str(most_bytes)
    command = ["prlimit", f"--pid={pid}", f"--fsize={most}:"]
    if owner.st_uid != os.geteuid():
        # Root may not do this to another's processes without a capability of its own; that other may.
        command = ["setpriv", f"--reuid={owner.st_uid}", f"--regid={owner.st_gid}", "--clear-groups", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not lives(pid), done.stderr


def may_mount() -> bool:
    """Whether this process may mount a disk in memory: root may, but not in every container."""
    folder = tempfile.mkdtemp()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=False, capture_output=True)
        if done.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return done.returncode == 0
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("small", [small_files, small_disk] if may_mount() else [small_files])
def test_nothing_is_lost_when_the_disk_fills_up(small: Callable[[Path], Iterator[Disk]], tmp_path: Path) -> None:
    """Once full, each event is answered 503 with a time to come back; with room again all of them get through.

    Nobody has to start anything again, neither the server nor its clients.
    """
    with contextmanager(small)(tmp_path) as disk, running(disk.data, environment=disk.environment) as process:
        server = process.with_keys("before")
        disk.tighten(process)
        with traffic(server, "filling", pad=PAD) as told:
            until(lambda: told.refusals["503"] >= 10, "a full disk")
            assert set(told.refusals) == {"503"}
            assert ask(server.port, "GET", "/healthz").status == 200
            stored_before = len(told.taken)
            disk.widen(process)
            go_on(told, AWHILE)
        assert len(told.taken) > stored_before > AWHILE
        told.check()
        until(lambda: bool(server.get("/v1/status")["unfolded"] == 0), "all is folded")
        assert server.get("/v1/poisoned")["poisoned"] == []
        assert process.stop() == 0
