"""A real server, as an operator runs it: `courtesy serve` in a folder, with keys."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

READY_S = 180.0
STOP_S = 60.0
LEARN_S = 1.2
"""A running server learns of a key made on the command line within a second."""


class Keys(NamedTuple):
    """Keys of one store: to write to a source, to read, and to do anything."""

    write: str
    read: str
    admin: str


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int
    data: Path
    process: subprocess.Popen[bytes]
    write_key: str
    admin_key: str

    def get(self, path: str) -> Any:
        """The JSON answer to an admin's GET."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {self.admin_key}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- see above
            return json.load(answer)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer to an admin's request that changes something. Raises urllib.error.HTTPError for a refusal."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.admin_key}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- see above
            return json.load(answer)

    def unfolded(self) -> int:
        """How many records wait to be folded."""
        return int(self.get("/v1/status")["unfolded"])

    def wait_folded(self, limit_s: float = 600.0) -> None:
        """Return when everything is folded."""
        end = time.monotonic() + limit_s
        while self.unfolded():
            if time.monotonic() > end:
                raise TimeoutError("the server does not get its folding done")
            time.sleep(0.05)

    def memory_bytes(self) -> dict[str, int]:
        """Proportional memory of the server's processes, and of its PostgreSQL, by name."""
        totals: dict[str, int] = {}
        for pid, name in _family(self.process.pid, self.data):
            with suppress(OSError):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
                kib = int(next(line.split()[1] for line in text.splitlines() if line.startswith("Pss:")))
                totals[name] = totals.get(name, 0) + kib * 1024
        return totals


def _family(root: int, data: Path) -> Iterator[tuple[int, str]]:
    """All processes below the server's, and those of the PostgreSQL in its folder."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                parents[int(entry.name)] = (int(fields[1]), command)
    wanted = {root} | {pid for pid, (_, command) in parents.items() if str(data) in command and "postgres" in command}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in parents.items() if parent in wanted} - wanted
        wanted |= more
        grown = bool(more)
    for pid in wanted:
        command = parents.get(pid, (0, ""))[1]
        name = "postgres" if "postgres" in command and "courtesy" not in command.split(" ")[0] else "courtesy"
        yield pid, name


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def command(*arguments: str) -> list[str]:
    """A `courtesy` command line that runs with this interpreter."""
    return [sys.executable, "-c", "from courtesy.cli import main; main()", *arguments]


def create_key(data: Path, scope: str, name: str) -> str:
    """A key from the command line, as an operator makes one."""
    made = subprocess.run(
        command("keys", "create", "--data", str(data), "--scope", scope, "--name", name),
        check=True,
        capture_output=True,
        text=True,
    )
    return made.stdout.strip()


@contextmanager
def serving(
    *arguments: str,
    data: Path | None = None,
    port: int | None = None,
    source: str = "shop",
    environment: Mapping[str, str] | None = None,
    keys: Keys | None = None,
) -> Iterator[Server]:
    """A server that is ready, with a write key for `source`; stopped, and its folder removed unless it was given.

    `arguments` go to `courtesy serve`. `keys`: those of the store in `data`, which then gets no others. What the server
    says is in the file `<folder>.log` beside its folder.
    """
    folder = data or Path(tempfile.mkdtemp(prefix="courtesy-"))
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    with (folder.parent / f"{folder.name}.log").open("ab") as log:
        process = subprocess.Popen(
            command("serve", "--data", str(folder), "--port", str(port), *arguments),
            stderr=log,
            stdout=log,
            env={**os.environ, **(environment or {})},
        )
    try:
        wait_ready(port, process)
        if keys is None:
            keys = Keys(create_key(folder, "write", source), "", create_key(folder, "admin", "sim"))
            time.sleep(LEARN_S)
        yield Server(port, folder, process, keys.write, keys.admin)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_S)
        if data is None:
            shutil.rmtree(folder, ignore_errors=True)


def wait_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    """Return when `/readyz` answers 200. Raises RuntimeError when the server ends or takes too long."""
    end = time.monotonic() + READY_S
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            if answer.status == 200:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError("the server did not become ready")
