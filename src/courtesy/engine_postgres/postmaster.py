"""The running server as seen from outside: its pid file, its process, and what a killed one leaves behind. Linux."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Status = Literal["starting", "ready", "stopping"]

# In postmaster.pid: 1 pid, 2 data folder, 3 start, 4 port, 5 socket folder, 6 address, 7 shared memory, 8 status.
_SOCKET_LINE = 4
_STATUS_LINE = 7


@dataclass(frozen=True, slots=True)
class Postmaster:
    """PostgreSQL's first process. `socket_dir` is None until it listens."""

    pid: int
    socket_dir: Path | None
    status: Status


def find_postmaster(cluster: Path) -> Postmaster | None:
    """The live first process of the cluster, None when there is none.

    A pid file alone proves nothing: it outlives a killed server, and its number may meanwhile be another process.
    """
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not lines or not lines[0].strip().isdigit() or not _is_first_process(int(lines[0]), cluster):
        return None
    socket_dir = lines[_SOCKET_LINE].strip() if len(lines) > _SOCKET_LINE else ""
    status = lines[_STATUS_LINE].strip() if len(lines) > _STATUS_LINE else ""
    return Postmaster(int(lines[0]), Path(socket_dir) if socket_dir else None, _status(status))


def clear_traces(cluster: Path, socket_dir: Path) -> None:
    """Remove the notes of a server that was killed. Only when no process of it lives: see `Layout.life_lock`.

    PostgreSQL would do it itself, but believes a pid file whose number now is any other process of the same user.
    """
    for trace in (cluster / "postmaster.pid", socket_dir / ".s.PGSQL.5432.lock", socket_dir / ".s.PGSQL.5432"):
        trace.unlink(missing_ok=True)


def end_orphans(cluster: Path) -> None:
    """Ask the processes that outlive their killed first process to end at once; they only keep a new one from starting.

    Most end by themselves; one in the middle of a long query would go on for minutes. Those of a live server stay,
    also when this process knows nothing of it, as it may be in another container.
    """
    mark = f"postgres: {server_name(cluster)}: ".encode()
    for pid in _pids():
        if _command_line(pid).startswith(mark) and _name(_parent(pid)) != "postgres":
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGQUIT)


def server_name(cluster: Path) -> str:
    """What the server of this folder is called: on its command line, and in the titles of its processes.

    It stands for the folder itself, whatever the path. A process's command line is there for all to read, its working
    folder is not: in a container, root may not see that of another user's process.
    """
    return f"courtesy-{cluster.stat().st_ino}"


def _status(word: str) -> Status:
    """PostgreSQL also knows `standby`, which a cluster of ours never is; an unfinished file means that it starts."""
    match word:
        case "ready" | "stopping":
            return word
        case _:
            return "starting"


def _is_first_process(pid: int, cluster: Path) -> bool:
    """Whether a live process is this very folder's. A zombie has no command line."""
    return f"cluster_name={server_name(cluster)}".encode() in _command_line(pid).split(b"\0")


def _command_line(pid: int) -> bytes:
    """A process's arguments, each ended by a zero byte, or what it calls itself. Empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _parent(pid: int) -> int:
    """The parent's pid, 0 when there is none. In `stat` it is the second field after the name in brackets."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
