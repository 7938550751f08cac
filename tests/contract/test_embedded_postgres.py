"""The embedded PostgreSQL as its users meet it: real servers, real processes, real kills."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.engine_postgres.account import choose_account
from courtesy.engine_postgres.cluster import Layout, connection_url, failure, memory_bytes, open_log, settings
from courtesy.engine_postgres.embedded import EmbeddedPostgres, postgres_binaries

_IS_ROOT = os.geteuid() == 0
_MB = 1024 * 1024

# A user of the folder in a process of its own: starts, says the server's pid, stays until its input ends, stops.
_USER = """
import signal
import sys
from pathlib import Path
from courtesy.engine_postgres.embedded import EmbeddedPostgres

# Who starts the tests in the background may have had interrupts ignored, and that is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)
with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
    try:
        print(postgres.pid, flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A started server for the tests that only look."""
    with EmbeddedPostgres(tmp_path_factory.mktemp("looked-at")) as postgres:
        yield postgres


@contextmanager
def user_process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the folder; it has ended afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-c", _USER, str(data_dir)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield process
            if process.stdin and not process.stdin.closed:
                process.stdin.close()
            process.wait(60)
        finally:
            process.kill()


def line_from(process: subprocess.Popen[str]) -> str:
    """The next line that the process says."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def query(postgres: EmbeddedPostgres, statement: str) -> str:
    """The one value that a statement answers, as text."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return str(row[0])


def write_note(postgres: EmbeddedPostgres, text: str) -> None:
    """Commit one row."""
    with psycopg.connect(postgres.url) as connection:
        connection.execute("CREATE TABLE note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", (text,))


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that is bound to come; the test's own time limit ends a wait in vain."""
    while not holds():
        time.sleep(0.002)


def lives(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def user_of(pid: int) -> int:
    """The number of the user that a process runs as."""
    found = re.search(r"^Uid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def refusal(postgres: EmbeddedPostgres) -> CourtesyError:
    """The error with which it refuses to start."""
    with pytest.raises(CourtesyError) as raised:
        postgres.start()
    assert postgres.pid is None
    return raised.value


# --- what a started server is ----------------------------------------------------------------------------------------


def test_first_start_makes_a_database_in_utf8_that_sorts_by_code_point(server: EmbeddedPostgres) -> None:
    """The database is the same on each machine, whatever its locale."""
    assert query(server, "SELECT current_database()") == "courtesy"
    assert query(server, "SHOW server_encoding") == "UTF8"
    assert query(server, "SELECT string_agg(c, '' ORDER BY c) FROM (VALUES ('é'), ('B'), ('a'), ('Z')) t(c)") == "BZaé"
    assert query(server, "SELECT upper('é')") == "É"


def test_the_application_owns_its_database_and_is_no_superuser(server: EmbeddedPostgres) -> None:
    """The role of the URL may make tables, and may not read the server's files."""
    assert query(server, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == "False"
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE mine (n int)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT pg_read_file('/etc/hostname')")


def test_the_server_does_not_run_as_root(server: EmbeddedPostgres) -> None:
    """Also when root starts it, and then as the owner of the cluster."""
    assert server.pid is not None
    assert user_of(server.pid) == (Path(query(server, "SHOW data_directory")).stat().st_uid) != 0


def test_only_this_user_can_reach_the_server(server: EmbeddedPostgres) -> None:
    """There is no TCP, and the socket and its folder are closed to others."""
    folder = Path(query(server, "SHOW unix_socket_directories"))
    assert query(server, "SHOW listen_addresses") == ""
    assert folder.stat().st_mode & 0o077 == 0
    assert (folder / ".s.PGSQL.5432").stat().st_mode & 0o077 == 0


def test_the_server_lets_in_no_user_of_the_machine_but_the_folders_owner_and_root(server: EmbeddedPostgres) -> None:
    """Even its own account, which on some machines is shared with others, is not on the list."""
    url = server.url.replace("/courtesy?", "/postgres?").replace("//courtesy@", "//postgres@")
    with psycopg.connect(url) as connection:
        rules = connection.execute("SELECT type, auth_method FROM pg_hba_file_rules").fetchall()
        names = {str(row[0]) for row in connection.execute("SELECT sys_name FROM pg_ident_file_mappings")}
        owner = Path(query(server, "SHOW data_directory")).parent.owner()
    assert rules == [("local", "peer")]
    assert names == {"root", owner}


def test_nothing_is_lost_when_the_power_fails(server: EmbeddedPostgres) -> None:
    """The settings that make a commit durable are on, and pages carry checksums."""
    assert [query(server, f"SHOW {name}") for name in ("fsync", "full_page_writes", "synchronous_commit")] == ["on"] * 3
    assert query(server, "SHOW data_checksums") == "on"


def test_the_log_is_compressed_as_soon_as_the_server_can(server: EmbeddedPostgres) -> None:
    """Without lz4 in the wheel it is off; when a wheel brings it, this fails until the setting says lz4."""
    known = query(server, "SELECT enumvals FROM pg_settings WHERE name = 'wal_compression'")
    assert query(server, "SHOW wal_compression") == ("lz4" if "lz4" in known else "off")


def test_values_of_failed_statements_stay_out_of_the_log(tmp_path: Path) -> None:
    """A key that is there twice, a malformed value and a parameter name a person, and the log does not."""
    with EmbeddedPostgres(tmp_path / "data") as postgres, psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE person (email text PRIMARY KEY, age int)")
        connection.execute("INSERT INTO person VALUES ('mary@example.com', 1)")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO person VALUES (%s, 2)", ("mary@example.com",))
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("SELECT 'mary@example.com'::int")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            connection.execute("SELECT %s::int", ("mary@example.com",))
    log = Layout(tmp_path / "data").log.read_text()
    assert "ready to accept connections" in log
    assert "mary" not in log


def test_an_operators_own_settings_go_before_ours(tmp_path: Path) -> None:
    """What is written at the end of postgresql.conf outlives a restart and wins."""
    with EmbeddedPostgres(tmp_path / "data"):
        pass
    with (tmp_path / "data" / "postgres" / "postgresql.conf").open("a") as conf:
        conf.write("max_connections = 77\n")
    with EmbeddedPostgres(tmp_path / "data") as postgres:
        assert query(postgres, "SHOW max_connections") == "77"


def test_a_url_survives_odd_characters_in_the_path(tmp_path: Path) -> None:
    """Blanks, percent signs, quotes, a comma and letters of any script in the folder's name do no harm."""
    with EmbeddedPostgres(tmp_path / "d %41 'é', \"ü&=?#") as postgres:
        assert query(postgres, "SELECT 1") == "1"


# --- stopping and starting again -------------------------------------------------------------------------------------


def test_data_survive_an_orderly_stop(tmp_path: Path) -> None:
    """A stopped server is gone; the next start finds what was written."""
    postgres = EmbeddedPostgres(tmp_path / "data")
    with postgres:
        write_note(postgres, "kept")
    assert not postgres.alive()
    with postgres:
        assert query(postgres, "SELECT text FROM note") == "kept"


def test_data_survive_the_sudden_death_of_postgres(tmp_path: Path) -> None:
    """After kill -9, while one of its processes is busy for minutes, start brings the server back with all data."""
    with EmbeddedPostgres(tmp_path / "data") as postgres:
        write_note(postgres, "kept")
        busy = psycopg.connect(postgres.url)
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000)")
        first = postgres.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: not lives(first))
        assert not postgres.alive()
        postgres.start()
        assert postgres.alive()
        assert postgres.pid != first
        assert query(postgres, "SELECT text FROM note") == "kept"
        until(lambda: not lives(busy.info.backend_pid))
        busy.close()


def test_stop_leaves_no_process_of_a_killed_server(tmp_path: Path) -> None:
    """The last user's stop also ends what its dead first process left at work."""
    postgres = EmbeddedPostgres(tmp_path / "data")
    with postgres:
        busy = psycopg.connect(postgres.url)
        busy.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000)")
        assert postgres.pid is not None
        os.kill(postgres.pid, signal.SIGKILL)
    until(lambda: not lives(busy.info.backend_pid))
    busy.close()


def test_starting_twice_changes_nothing(tmp_path: Path) -> None:
    """A supervisor may call start whenever it likes; one stop is enough."""
    postgres = EmbeddedPostgres(tmp_path / "data")
    postgres.start()
    first = postgres.pid
    postgres.start()
    assert postgres.pid == first
    postgres.stop()
    assert not postgres.alive()
    postgres.stop()


def test_a_pid_that_now_is_another_process_fools_nobody(tmp_path: Path) -> None:
    """The notes of a dead server name a live process of the same user: start neither trusts nor touches it."""
    layout = Layout(tmp_path / "data")
    postgres = EmbeddedPostgres(layout.data_dir)
    with postgres:
        write_note(postgres, "kept")
        notes = {file: file.read_text() for file in (layout.cluster / "postmaster.pid", lock_file(postgres))}
        assert postgres.pid is not None
        os.kill(postgres.pid, signal.SIGKILL)
    stranger = subprocess.Popen(choose_account(layout.data_dir, layout.cluster).command(["sleep", "600"]))
    try:
        for file, text in notes.items():
            file.write_text(re.sub(r"^\d+", str(stranger.pid), text))
            shutil.chown(file, layout.cluster.owner())
        assert not postgres.alive()
        with postgres:
            assert query(postgres, "SELECT text FROM note") == "kept"
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def lock_file(postgres: EmbeddedPostgres) -> Path:
    """Where the server notes its pid beside its socket."""
    return Path(query(postgres, "SHOW unix_socket_directories")) / ".s.PGSQL.5432.lock"


def test_a_start_that_runs_out_of_time_leaves_the_recovery_to_go_on(tmp_path: Path) -> None:
    """The limit is told as such, and a later start takes over the server that meanwhile came up."""
    hasty = EmbeddedPostgres(tmp_path / "data", start_limit_s=0)
    with pytest.raises(CourtesyError, match=r"not ready within 0 s") as raised:
        hasty.start()
    assert raised.value.code is Code.UNAVAILABLE
    until(hasty.alive)
    first = hasty.pid
    with EmbeddedPostgres(tmp_path / "data") as patient:
        assert patient.pid == first
    assert not hasty.alive()


# --- several users of one folder -------------------------------------------------------------------------------------


def test_only_the_last_user_stops_the_server(tmp_path: Path) -> None:
    """Who leaves early takes nothing away from the others."""
    server, command = EmbeddedPostgres(tmp_path / "data"), EmbeddedPostgres(tmp_path / "data")
    server.start()
    command.start()
    assert command.pid == server.pid
    server.stop()
    assert query(command, "SELECT 1") == "1"
    command.stop()
    assert not command.alive()


def test_two_processes_may_start_at_once_on_a_new_folder(tmp_path: Path) -> None:
    """One makes the cluster and starts it, the other joins; when both have left, the server is gone."""
    data_dir = tmp_path / "data"
    with user_process(data_dir) as one, user_process(data_dir) as other:
        pids = {line_from(one), line_from(other)}
        assert len(pids) == 1
        assert EmbeddedPostgres(data_dir).pid == int(pids.pop())
    assert EmbeddedPostgres(data_dir).pid is None


def test_a_server_that_outlived_its_killed_user_is_adopted(tmp_path: Path) -> None:
    """After kill -9 of our own process the server goes on; the next user finds it, and stops it as the last."""
    data_dir = tmp_path / "data"
    with user_process(data_dir) as killed:
        pid = int(line_from(killed))
        killed.kill()
    assert lives(pid)
    with EmbeddedPostgres(data_dir) as postgres:
        assert postgres.pid == pid
        assert query(postgres, "SELECT 1") == "1"
    assert not lives(pid)


def test_an_interrupt_from_the_terminal_does_not_reach_the_server(tmp_path: Path) -> None:
    """Ctrl-C goes to a whole process group; the server is in another one and is stopped in order afterwards."""
    data_dir = tmp_path / "data"
    with user_process(data_dir) as process:
        pid = int(line_from(process))
        os.killpg(process.pid, signal.SIGINT)
        assert line_from(process) == "interrupted"
        assert lives(pid)
        with psycopg.connect(connection_url(Layout(data_dir).socket_dir)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    assert "database system is shut down" in Layout(data_dir).log.read_text()


def test_a_first_start_that_was_killed_leaves_no_half_cluster(tmp_path: Path) -> None:
    """kill -9 while the cluster is being made: the next start makes a whole one."""
    data_dir = tmp_path / "data"
    with user_process(data_dir) as killed:
        until(lambda: any(data_dir.glob("postgres.new.*/PG_VERSION")))
        killed.kill()
    assert not (data_dir / "postgres").exists()
    with EmbeddedPostgres(data_dir) as postgres:
        assert query(postgres, "SELECT current_database()") == "courtesy"


# --- folders and who they belong to ----------------------------------------------------------------------------------


def test_a_path_too_long_for_a_socket_works(tmp_path: Path) -> None:
    """The socket then is in a short private folder, which is gone after the stop."""
    data_dir = tmp_path / ("long-" * 20) / ("longer-" * 20)
    with EmbeddedPostgres(data_dir) as postgres:
        folder = Path(query(postgres, "SHOW unix_socket_directories"))
        assert len(os.fsencode(folder)) < 60
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_a_socket_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """What another user put in the place of the short folder is neither used nor changed."""
    data_dir = tmp_path / ("long-" * 40)
    folder = Layout(data_dir).socket_dir
    trap = tmp_path / "trap"
    trap.mkdir()
    folder.symlink_to(trap)
    try:
        error = refusal(EmbeddedPostgres(data_dir))
        assert (error.code, error.place) == (Code.SETUP, str(folder))
        assert list(trap.iterdir()) == []
    finally:
        folder.unlink()


def test_all_files_belong_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    """When root works in the folder of an ordinary user, that user can go on with it afterwards."""
    data_dir = tmp_path / "data"
    data_dir.mkdir()
    if _IS_ROOT:
        shutil.chown(data_dir, "nobody")
    with EmbeddedPostgres(data_dir) as postgres:
        assert postgres.pid is not None
        assert user_of(postgres.pid) == data_dir.stat().st_uid
        assert {entry.stat().st_uid for entry in data_dir.rglob("*")} == {data_dir.stat().st_uid}


def test_a_folder_and_programs_that_only_this_user_may_enter_work(tmp_path: Path) -> None:
    """As below /root: root's data and root's virtual environment are closed to the account that runs PostgreSQL."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with EmbeddedPostgres(closed / "data", binaries=copy_of_binaries(closed / "site-packages")) as postgres:
        assert query(postgres, "SELECT 1") == "1"
        assert str(closed) in query(postgres, "SHOW data_directory")


def copy_of_binaries(target: Path) -> Path:
    """The programs in a copy of the wheel, with the libraries that it brings beside the package."""
    binaries = postgres_binaries()
    package = binaries.parent.parent
    for part in (binaries.parent, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, target / part.relative_to(package.parent), symlinks=True)
    return target / binaries.relative_to(package.parent)


if _IS_ROOT:  # an ordinary user runs PostgreSQL as itself and needs no capability

    def test_a_closed_folder_is_named_when_root_may_lend_no_capability(tmp_path: Path) -> None:
        """A root without the capability, as in some containers, is told which folder is closed and what to do."""
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        lacking = "-dac_read_search,-dac_override"
        done = subprocess.run(
            ["setpriv", f"--bounding-set={lacking}", "--", sys.executable, "-c", _USER, str(closed / "data")],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode != 0
        assert "may not enter" in done.stderr
        assert "chmod o+x" in done.stderr


def test_what_is_no_cluster_is_left_alone(tmp_path: Path) -> None:
    """A folder with other things where the cluster would be is refused, and stays as it is."""
    layout = Layout(tmp_path)
    layout.cluster.mkdir()
    (layout.cluster / "thesis.txt").write_text("mine")
    if _IS_ROOT:
        shutil.chown(layout.cluster, "nobody")
    error = refusal(EmbeddedPostgres(tmp_path))
    assert (error.code, error.place) == (Code.SETUP, str(layout.cluster))
    assert [entry.name for entry in layout.cluster.iterdir()] == ["thesis.txt"]


def test_data_of_another_version_are_refused_with_both_versions(tmp_path: Path) -> None:
    """PostgreSQL 18 never touches the data of PostgreSQL 16."""
    layout = Layout(tmp_path)
    layout.cluster.mkdir()
    (layout.cluster / "PG_VERSION").write_text("16\n")
    if _IS_ROOT:
        shutil.chown(layout.cluster, "nobody")
    error = refusal(EmbeddedPostgres(tmp_path))
    assert error.code is Code.SETUP
    assert "PostgreSQL 18" in error.message
    assert "PostgreSQL 16" in error.message


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_where_the_folder_should_be_is_told(tmp_path: Path, below: str) -> None:
    """Neither a file nor a folder below a file can hold data."""
    (tmp_path / "file").write_text("")
    error = refusal(EmbeddedPostgres(tmp_path / "file" / below))
    assert (error.code, error.message) == (Code.SETUP, "expected a folder, found a file")


def test_a_folder_that_cannot_be_made_is_told() -> None:
    """Where nobody may write, not even root, the error says where."""
    error = refusal(EmbeddedPostgres(Path("/proc/courtesy/data")))
    assert error.code is Code.SETUP
    assert "/proc/courtesy" in error.place


def test_a_path_with_a_line_break_is_refused(tmp_path: Path) -> None:
    """PostgreSQL would misread its own notes."""
    assert refusal(EmbeddedPostgres(tmp_path / "two\nlines")).code is Code.INVALID


def test_a_cluster_that_cannot_be_made_leaves_nothing_behind(tmp_path: Path) -> None:
    """When a file can't grow, as on a full disk, the next start begins afresh and succeeds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MB, hard))
    try:
        error = refusal(EmbeddedPostgres(tmp_path / "data"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "initdb failed" in error.message
    assert not list((tmp_path / "data").glob("postgres*/*"))
    with EmbeddedPostgres(tmp_path / "data") as postgres:
        assert query(postgres, "SELECT 1") == "1"


def test_a_server_that_refuses_its_settings_is_quoted(tmp_path: Path) -> None:
    """What PostgreSQL says when it ends at once is in the error."""
    with EmbeddedPostgres(tmp_path / "data"):
        pass
    with (tmp_path / "data" / "postgres" / "postgresql.conf").open("a") as conf:
        conf.write("port_of_call = 'Lisbon'\n")
    error = refusal(EmbeddedPostgres(tmp_path / "data"))
    assert error.code is Code.UNAVAILABLE
    assert "port_of_call" in error.message


# --- the parts --------------------------------------------------------------------------------------------------------


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    """PostgreSQL's own words for it become the code that callers know."""
    said = 'FATAL:  could not write lock file "postmaster.pid": No space left on device\n'
    assert failure("PostgreSQL ended", said, tmp_path).code is Code.STORAGE_FULL


def test_a_large_log_is_put_aside(tmp_path: Path) -> None:
    """The log is bounded: over 10 MB it becomes the one former log, and a new one begins."""
    layout = Layout(tmp_path)
    layout.log.write_bytes(b"old\n" * (3 * _MB))
    os.close(open_log(layout))
    assert layout.log.stat().st_size == 0
    assert (tmp_path / "postgres.log.1").stat().st_size == 12 * _MB
    os.close(open_log(layout))
    assert (tmp_path / "postgres.log.1").stat().st_size == 12 * _MB


@pytest.mark.parametrize(("memory_mb", "cache"), [(256, "128MB"), (1024, "128MB"), (4096, "512MB"), (65536, "1024MB")])
def test_the_servers_cache_is_an_eighth_of_the_memory_within_bounds(memory_mb: int, cache: str) -> None:
    """Small machines keep memory for the rest, large ones leave it to the system's cache."""
    assert settings(memory_mb * _MB)["shared_buffers"] == cache


def test_the_memory_is_at_most_the_machines() -> None:
    """A control group can only lower it."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 16 * _MB < memory_bytes() <= machine
