"""The PostgreSQL that comes with Courtesy, run in a data folder and shared by all processes that use the folder."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine_postgres.account import Account, able_to_reach
from courtesy.engine_postgres.cluster import (
    POSTGRES_VERSION,
    Layout,
    connection_url,
    failure,
    has_cluster,
    make_cluster,
    open_log,
    open_private,
    postgres_binaries,
    postgres_environment,
    prepare_data_dir,
    prepare_socket_dir,
    remove_socket_dir,
    system_failure,
    write_settings,
)
from courtesy.engine_postgres.postmaster import Postmaster, clear_traces, end_orphans, find_postmaster, server_name

__all__ = ["EmbeddedPostgres", "postgres_binaries"]

_PAUSE_S = 0.02
_NOTICE_S = 10.0
_SAID_BYTES = 4096
_CUT_OFF_S = 30.0


def _say_nothing(_: str) -> None:
    pass


class EmbeddedPostgres:
    """PostgreSQL 18 in `<data_dir>/postgres`, reached over a Unix socket that only this user (and root) may use.

    Any number of processes may use one data folder, each through its own object: the first starts the server, the
    others adopt it, the last one to stop ends it. A server that outlived its users, because they were killed, is
    adopted by the next. Its processes are a session of their own: Ctrl-C in a terminal does not reach them.

    `start_limit_s` bounds how long `start` waits, crash recovery included; `stop_limit_s` how long `stop` lets the
    server put its data in order before it is cut off, which costs a recovery at the next start. `notice` is told in a
    sentence what `start` is waiting for, about every 10 s. As a context manager: started inside, stopped after.
    Not for several threads at once, except `alive`, `pid` and `url`.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        binaries: Path | None = None,
        start_limit_s: float = 3600.0,
        stop_limit_s: float = 120.0,
        notice: Callable[[str], None] = _say_nothing,
    ) -> None:
        self._layout = Layout(Path(os.path.realpath(data_dir)))
        self._binaries = binaries
        self._start_limit_s = start_limit_s
        self._stop_limit_s = stop_limit_s
        self._notice = notice
        self._socket_dir = self._layout.socket_dir
        self._use: int | None = None

    @property
    def url(self) -> str:
        """Where clients connect: a URL for libpq, of the database `courtesy` as its owner. Valid once started."""
        return connection_url(self._socket_dir)

    @property
    def pid(self) -> int | None:
        """The server's first process, None when there is none."""
        postmaster = find_postmaster(self._layout.cluster)
        return postmaster.pid if postmaster else None

    def alive(self) -> bool:
        """Whether the server's first process lives. Cheap. When it does not, `start` brings it back."""
        return self.pid is not None

    def start(self) -> None:
        """The server accepts connections at `url`. A folder without a cluster gets one; a running server is adopted.

        May be called again at any time, and does nothing when all is well. Fails with `SETUP` (the folder, its owner,
        the machine), `STORAGE_FULL`, or `UNAVAILABLE` (the server does not come up, or not within `start_limit_s`).
        After a failure this process is no user of the server.
        """
        deadline = time.monotonic() + self._start_limit_s
        try:
            account = prepare_data_dir(self._layout)
            with self._starting(deadline):
                self._enter()
                self._bring_up(account, deadline)
        except CourtesyError:
            self._leave()
            raise
        except OSError as error:
            self._leave()
            raise system_failure(error, self._layout) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """This process no longer uses the server; when nobody else does, it has ended. Does nothing when not started.

        The last user's stop ends the connections of strangers, such as an open psql.
        """
        if self._use is None:
            return
        with self._starting(time.monotonic() + self._start_limit_s):
            self._leave()
            if self._is_free(self._layout.users_lock):
                self._shut_down()
                remove_socket_dir(self._socket_dir)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _bring_up(self, account: Account, deadline: float) -> None:
        """Wait until a server is ready; start it when there is none and no process of a former one is left."""
        child: subprocess.Popen[bytes] | None = None
        said_at = self._log_bytes()
        next_notice = time.monotonic() + _NOTICE_S
        while (postmaster := find_postmaster(self._layout.cluster)) is None or postmaster.status != "ready":
            if postmaster is None and child is None:
                child = self._launch_unless_alive(account)
            elif child is not None and child.poll() is not None:
                raise self._did_not_start(child.returncode, said_at)
            next_notice = self._wait(postmaster, next_notice, deadline)
        self._socket_dir = postmaster.socket_dir or self._socket_dir

    def _wait(self, postmaster: Postmaster | None, next_notice: float, deadline: float) -> float:
        """Pause for a moment; answers when to give the next notice. Fails with `UNAVAILABLE` after the deadline."""
        now = time.monotonic()
        if now >= deadline:
            raise CourtesyError(
                Code.UNAVAILABLE,
                f"PostgreSQL was not ready within {self._start_limit_s:g} s: {_reason(postmaster)}",
                hint=f"see {self._layout.log}; a recovery goes on by itself, so try again later",
                place=str(self._layout.cluster),
            )
        if now >= next_notice:
            self._notice(f"waiting for PostgreSQL: {_reason(postmaster)}")
            next_notice = now + _NOTICE_S
        time.sleep(_PAUSE_S)
        return next_notice

    def _launch_unless_alive(self, account: Account) -> subprocess.Popen[bytes] | None:
        """Start the server, unless a process of it lives: its processes inherit the lock and hold it while they live.

        A lock, unlike a pid, can't be mistaken, and also tells of a server in another container on the same folder.
        """
        life = self._open_lock(self._layout.life_lock)
        try:
            if not _try_lock(life, fcntl.LOCK_EX):
                end_orphans(self._layout.cluster)
                return None
            return self._launch(account, life)
        finally:
            os.close(life)

    def _launch(self, account: Account, life: int) -> subprocess.Popen[bytes]:
        binaries = self._binaries or postgres_binaries()
        account = able_to_reach(account, self._layout.data_dir, binaries)
        if not has_cluster(self._layout):
            make_cluster(self._layout, account, binaries)
        write_settings(self._layout, account)
        self._socket_dir = self._layout.socket_dir
        prepare_socket_dir(self._socket_dir, account)
        clear_traces(self._layout.cluster, self._socket_dir)
        return self._spawn(account.command(self._server_command(binaries)), life)

    def _server_command(self, binaries: Path) -> list[str | Path]:
        """What keeps strangers out is said here, where no configuration file can take it back."""
        return [
            binaries / "postgres",
            *("-D", self._layout.cluster),
            *("-c", "listen_addresses="),
            *("-c", f"unix_socket_directories={self._socket_dir}"),
            *("-c", "unix_socket_permissions=0700"),
            *("-c", f"cluster_name={server_name(self._layout.cluster)}"),
        ]

    def _spawn(self, command: list[str], life: int) -> subprocess.Popen[bytes]:
        log = open_log(self._layout)
        try:
            child = subprocess.Popen(
                command,
                cwd="/",
                env=postgres_environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(life,),
            )
        finally:
            os.close(log)
        # Reaps it the moment it ends, whoever ends it and whether or not anybody looks.
        threading.Thread(target=child.wait, name="postgres-reaper", daemon=True).start()
        return child

    def _shut_down(self) -> None:
        """The server has ended, in order if it did so within `stop_limit_s`. With the start lock held."""
        for how, limit_s in ((signal.SIGINT, self._stop_limit_s), (signal.SIGQUIT, _CUT_OFF_S)):
            if self._ends_on(how, time.monotonic() + limit_s):
                return
        raise CourtesyError(
            Code.UNAVAILABLE,
            "PostgreSQL did not end when told to",
            hint=f"see {self._layout.log}",
            place=str(self._layout.cluster),
        )

    def _ends_on(self, how: signal.Signals, deadline: float) -> bool:
        """Tell the server to end and wait until its last process is gone; False when the deadline comes first."""
        told: int | None = None
        while not self._is_free(self._layout.life_lock):
            if time.monotonic() >= deadline:
                return False
            pid = self.pid
            if pid is None:
                end_orphans(self._layout.cluster)
            elif pid != told:
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
                told = pid
            time.sleep(_PAUSE_S)
        return True

    @contextmanager
    def _starting(self, deadline: float) -> Iterator[None]:
        """Nobody else starts or stops the server meanwhile."""
        lock = self._open_lock(self._layout.start_lock)
        try:
            next_notice = time.monotonic() + _NOTICE_S
            while not _try_lock(lock, fcntl.LOCK_EX):
                next_notice = self._wait(find_postmaster(self._layout.cluster), next_notice, deadline)
            yield
        finally:
            os.close(lock)

    def _enter(self) -> None:
        """This process is a user of the server, to the others' knowledge. Killing it takes that back."""
        if self._use is None:
            self._use = self._open_lock(self._layout.users_lock)
            _try_lock(self._use, fcntl.LOCK_SH)  # taken exclusively only by who holds the start lock, as we do now

    def _leave(self) -> None:
        if self._use is not None:
            os.close(self._use)
            self._use = None

    def _is_free(self, path: Path) -> bool:
        lock = self._open_lock(path)
        try:
            return _try_lock(lock, fcntl.LOCK_EX)
        finally:
            os.close(lock)

    def _open_lock(self, path: Path) -> int:
        return open_private(path, os.O_RDWR)

    def _log_bytes(self) -> int:
        return self._layout.log.stat().st_size if self._layout.log.exists() else 0

    def _did_not_start(self, status: int, said_at: int) -> CourtesyError:
        """The error for a server that ended while starting, with what it said since the log had `said_at` bytes."""
        with self._layout.log.open("rb") as log:
            log.seek(max(said_at if said_at <= self._log_bytes() else 0, self._log_bytes() - _SAID_BYTES))
            said = log.read().decode(errors="replace")
        what = f"PostgreSQL {POSTGRES_VERSION} ended while starting, with status {status}"
        return failure(what, said, self._layout.cluster)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _reason(postmaster: Postmaster | None) -> str:
    if postmaster is None:
        return "another process is at it, or processes of a former server, maybe in another container, still live"
    if postmaster.status == "stopping":
        return "a former server is still stopping"
    return "it is starting, which after a crash means replaying its log"
