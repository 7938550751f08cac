"""Server processes that a test starts, watches, kills and ends, each known by a mark in its environment."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sim.server import Server, command, create_key, free_port, wait_ready
from tests.e2e.asking import make_key, until

MARK = "COURTESY_TEST_MARK"


@dataclass(slots=True)
class Running:
    """A server on a data folder (or on `database`), with its processes: started, stopped, killed and started again."""

    data: Path
    arguments: tuple[str, ...] = ()
    database: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """What the server and its processes say on standard output and standard error."""
        return self.data.with_name(f"{self.data.name}.log")

    def said(self) -> str:
        """All that it said so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.launch()
        assert self.process is not None
        try:
            wait_ready(self.port, self.process)
        except RuntimeError as error:
            raise AssertionError(f"{error}:\n{self.said()[-4000:]}") from None

    def launch(self) -> None:
        """Start it, and do not wait."""
        where = ("--database", self.database) if self.database else ()
        line = command("serve", "--data", str(self.data), "--port", str(self.port), *where, *self.arguments)
        with self.log.open("ab") as log:
            environment = {**os.environ, MARK: self.mark, **self.environment}
            self.process = subprocess.Popen(line, stdout=log, stderr=log, env=environment)

    def with_keys(self, source: str) -> Server:
        """The running server as its users see it, with a key to write to `source` and one to do anything."""
        assert self.process is not None
        if self.database is None:
            admin = create_key(self.data, "admin", "tests")
        else:
            admin = created_key("--database", self.database, "--scope", "admin", "--name", "tests")
        server = Server(self.port, self.data, self.process, "", admin)
        return Server(self.port, self.data, self.process, make_key(server, "write", source), admin)

    def stop(self, how: signal.Signals = signal.SIGTERM, limit_s: float = 60.0) -> int:
        """Tell it to stop and wait for its end; its exit status."""
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(limit_s)

    def own_pids(self) -> set[int]:
        """The server's live processes, PostgreSQL's left out."""
        needle = f"{MARK}={self.mark}".encode()
        marked = {pid for pid in _pids() if needle in _read(pid, "environ").split(b"\0")}
        return {pid for pid in marked if _name(pid) != "postgres"}

    def postgres_pids(self) -> set[int]:
        """The live processes of the PostgreSQL in the data folder, its first process too."""
        cluster = self.data / "postgres"
        if not cluster.exists():
            return set()
        name = f"courtesy-{cluster.stat().st_ino}".encode()
        return {
            pid
            for pid in _pids()
            if (line := _read(pid, "cmdline")).startswith(b"postgres: " + name + b":")
            or b"cluster_name=" + name in line
        }

    def postmaster(self) -> int:
        """PostgreSQL's first process."""
        return int((self.data / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])

    def pids_of(self, *words: str) -> set[int]:
        """The server's processes whose command line ends with these words."""
        ending = b"\0".join(word.encode() for word in words) + b"\0"
        return {pid for pid in self.own_pids() if _read(pid, "cmdline").endswith(ending)}

    def kill(self, pids: set[int]) -> None:
        """End processes as a power cut would: at once, without a word. They are gone when this returns."""
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None and self.process.pid in pids:
            self.process.wait()
        until(lambda: not any(lives(pid) for pid in pids), "the end of processes that were killed")

    def end(self) -> None:
        """Nothing of it is left, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self.stop()
        self.kill(self.own_pids() | self.postgres_pids())


@contextmanager
def running(
    data: Path, *arguments: str, database: str | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A ready server on `data`; nothing of it is left afterwards."""
    server = Running(data, arguments, database, environment or {})
    try:
        server.start()
        yield server
    finally:
        server.end()


def created_key(*arguments: str) -> str:
    """A key from the command line."""
    made = run("keys", "create", *arguments)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def run(
    *arguments: str, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments),
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def lives(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    return _stat(pid)[:1] not in ([], ["Z"], ["X"])


def cpu_s(pids: set[int]) -> float:
    """The processor time that these processes have used so far, in seconds."""
    ticks = [int(fields[11]) + int(fields[12]) for pid in pids if (fields := _stat(pid))]
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of `stat` from the state on; empty when the process is gone."""
    return _read(pid, "stat").decode(errors="replace").rpartition(")")[2].split()


def _name(pid: int) -> str:
    return _read(pid, "comm").decode(errors="replace").strip()


def _read(pid: int, what: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
