"""`courtesy serve` and the other commands as an operator meets them: starting, stopping, telling, refusing."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from courtesy.engine_postgres.embedded import EmbeddedPostgres
from sim.server import Server, command, free_port, wait_ready
from tests.e2e.asking import Answer, ask, make_key, person_of, tell, until
from tests.e2e.processes import Running, cpu_s, created_key, run, running

SCOPES = ("write", "read", "decide", "admin")
IDLE_S = 5.0


def status_of(port: int, path: str) -> int | None:
    """The status of the answer; None when nobody listens."""
    try:
        return ask(port, "GET", path).status
    except OSError:
        return None


def events_by_command(data: Path, who: str) -> list[str]:
    """The message ids of one person's events, by the command line, oldest first."""
    done = run("person", "events", "user_id", who, "--limit", "500", "--data", str(data))
    assert (done.returncode, done.stderr) == (0, "")
    return [event["message_id"] for event in reversed(json.loads(done.stdout)["events"])]


# --- starting --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with logs for machines, launched and not waited for."""
    process = Running(tmp_path_factory.mktemp("watched") / "data", ("--log-format", "json"))
    try:
        process.launch()
        yield process
    finally:
        process.end()


def test_it_says_that_it_is_ready_once_it_is(watched: Running) -> None:
    """Before, it does not listen or says that it is not ready; from then on it answers everything."""
    seen: list[tuple[int | None, int | None]] = []

    def ready() -> bool:
        seen.append((status_of(watched.port, "/readyz"), status_of(watched.port, "/healthz")))
        return seen[-1][0] == 200

    until(ready, "a ready server")
    assert {ready for ready, _ in seen[:-1]} <= {None, 503}
    assert {alive for _, alive in seen} <= {None, 200}
    assert seen[0] == (None, None)
    assert seen[-1] == (200, 200)
    watched.with_keys("shop")


def test_metrics_tell_of_all_processes_and_of_each_partition(watched: Running) -> None:
    """What HTTP workers, fold workers and the dispatcher count is on one page, with the lag of each partition."""
    server = watched.with_keys("shop")
    tell(server, [{"type": "track", "event": "Seen", "userId": f"metric-{n}"} for n in range(7)])

    def value(name: str) -> float:
        page = ask(server.port, "GET", "/metrics").body.decode()
        lines = [line for line in page.splitlines() if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    assert value('courtesy_events_total{cause="",fate="stored"}') >= 7
    until(lambda: value("courtesy_records_folded_total") >= 7, "the fold worker's count")
    page = ask(server.port, "GET", "/metrics").body.decode()
    for name in ("courtesy_partition_unfolded", "courtesy_partition_oldest_unfolded_seconds"):
        assert [f'{name}{{partition="{n}"}} 0.0' in page for n in range(16)] == [True] * 16
    assert "courtesy_store_answers 1.0" in page


def test_an_idle_server_hardly_uses_the_processor(
    watched: Running, record_property: Callable[[str, object], None]
) -> None:
    """Nothing polls in a hurry: all processes together, PostgreSQL's too, need a fraction of one core."""
    until(lambda: status_of(watched.port, "/readyz") == 200, "a ready server")
    time.sleep(1)  # what starting set going has ended
    pids = watched.own_pids() | watched.postgres_pids()
    before, began = cpu_s(pids), time.monotonic()
    time.sleep(IDLE_S)
    share = (cpu_s(pids) - before) / (time.monotonic() - began)
    record_property("advice", f"an idle server's {len(pids)} processes use {share:.1%} of one core")
    assert 0 < share < 0.3


# --- logs ------------------------------------------------------------------------------------------------------------

SECRETS = {
    "name": "Zoë Geheimrat-Smith",
    "email": "zoe.geheimrat@private.example",
    "phone": "+493012345678",
    "street": "Verschwiegene Gasse 7",
    "value": "unusual\u0001value of a customer",
    "key": "write_ThisIsNoKeyButLooksLikeOne123",
}


def bodies_with_secrets() -> Iterator[tuple[str, bytes]]:
    """Good, bad and broken requests, each full of personal data."""
    traits = {"name": SECRETS["name"], "email": SECRETS["email"], "address": {"street": SECRETS["street"]}}
    who = {"userId": SECRETS["email"], "anonymousId": SECRETS["phone"], "traits": traits}
    good = {"type": "identify", **who, "messageId": "secret-1"}
    yield "/v1/batch", json.dumps({"batch": [good, good], "writeKey": "KEY"}).encode()
    bad = [{"type": "track", **who}, {"type": SECRETS["name"], **who}, SECRETS["email"], {"userId": [SECRETS["phone"]]}]
    yield "/v1/batch", json.dumps({"batch": bad, "writeKey": "KEY"}).encode()
    yield "/v1/batch", json.dumps({"batch": [good], "writeKey": SECRETS["key"]}).encode()
    yield "/v1/track", json.dumps({**who, "event": SECRETS["value"], "timestamp": SECRETS["name"]}).encode()
    yield "/v1/identify", json.dumps({**good, "writeKey": "KEY"}).encode()[:-9]
    yield f"/v1/{SECRETS['key']}", b"{}"
    yield (
        "/v1/import",
        json.dumps({"batch": [{**good, "userId": "x\0" + SECRETS["value"]}], "writeKey": "KEY"}).encode(),
    )


def test_logs_for_machines_are_all_json_and_hold_no_personal_data(watched: Running) -> None:
    """Whatever is sent, asked for or breaks: no name, address or key is in the server's log or in PostgreSQL's."""
    assert watched.process is not None
    wait_ready(watched.port, watched.process)
    server = watched.with_keys("shop")
    for path, body in bodies_with_secrets():
        answer = ask(server.port, "POST", path, body=body.replace(b"KEY", server.write_key.encode()))
        assert answer.status in (200, 400, 401, 404)
    for value in SECRETS.values():
        for path in (f"/v1/people/email/{quote(value, safe='')}", f"/v1/people/{quote(value, safe='')}/x"):
            assert ask(server.port, "GET", path, key=server.admin_key).status in (200, 400, 404)
    assert person_of(server, "email", SECRETS["email"])["traits"]["name"] == SECRETS["name"]
    first = watched.postmaster()
    watched.kill({first, min(watched.pids_of("-m", "courtesy.runtime.process", "fold"))})
    body = next(iter(bodies_with_secrets()))[1].replace(b"KEY", server.write_key.encode())

    def back() -> bool:
        """Ask all the while, in its absence too (which may be shorter than one request), until it died and is back."""
        status = ask(server.port, "POST", "/v1/batch", body=body).status
        assert status in (200, 503)
        return status == 200 and "database_died" in watched.said()

    until(back, "PostgreSQL's death and return")
    with psycopg.connect(EmbeddedPostgres(watched.data).url) as connection, pytest.raises(psycopg.Error):
        connection.execute(f"SELECT '{SECRETS['email']}'::int")
    until(lambda: "process_died" in watched.said() and "database_died" in watched.said(), "both deaths in the log")
    lines = [json.loads(line) for line in watched.said().splitlines()]
    assert {"event", "level", "timestamp"} <= set.intersection(*(set(line) for line in lines))
    assert {"serving", "database_died", "process_died"} <= {line["event"] for line in lines}
    for text in (watched.said(), (watched.data / "postgres.log").read_text()):
        for secret in (*SECRETS.values(), server.write_key, server.admin_key):
            assert secret not in text
            assert json.dumps(secret)[1:-1] not in text


# --- stopping --------------------------------------------------------------------------------------------------------


def begin_upload(port: int, content: bytes) -> Callable[[], bytes]:
    """Send half of a request; the function sends the rest and returns the answer."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    head = f"POST /v1/batch HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    connection.sendall(head + content[: len(content) // 2])

    def finish() -> bytes:
        with connection:
            connection.sendall(content[len(content) // 2 :])
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
            return answer

    return finish


def batch_of(key: str, who: str, name: str) -> bytes:
    """A batch of a hundred messages of one person."""
    items = [{"type": "track", "event": "Seen", "userId": who, "messageId": f"{name}-{n}"} for n in range(100)]
    return json.dumps({"batch": items, "writeKey": key}).encode()


@contextmanager
def senders(port: int, key: str, who: str) -> Iterator[list[str]]:
    """Somebody sends batches all the while; the messages that were acknowledged."""
    stored: list[str] = []
    stop = threading.Event()

    def keep_sending() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            with suppress(OSError):
                answer = ask(port, "POST", "/v1/batch", body=batch_of(key, who, f"busy-{number}"))
                if answer.status == 200:
                    stored.extend(f"busy-{number}-{n}" for n in range(100))

    sender = threading.Thread(target=keep_sending, daemon=True)
    sender.start()
    try:
        yield stored
    finally:
        stop.set()
        sender.join()


def stop_amid_upload(process: Running, key: str, who: str, how: signal.Signals) -> None:
    """Tell the server to stop while half of a request has arrived: it is answered, and the server ends in order."""
    finish = begin_upload(process.port, batch_of(key, who, "half"))
    time.sleep(0.2)  # the server has begun to read
    assert process.process is not None
    process.process.send_signal(how)
    until(lambda: status_of(process.port, "/healthz") is None, "that it stops listening")
    assert finish().startswith(b"HTTP/1.1 200 ")
    assert process.process.wait(60) == 0
    assert process.own_pids() | process.postgres_pids() == set()
    assert "process_killed" not in process.said()


def test_a_stop_finishes_what_is_under_way(tmp_path: Path) -> None:
    """A request that was half sent is answered and stored, new ones are refused, and the exit status is 0.

    The key was made before any server ran, and the events are read after it has stopped, by the same commands as ever.
    """
    data, who = tmp_path / "data", "stopped"
    key = created_key("--data", str(data), "--scope", "write", "--name", "shop")
    with running(data) as process, senders(process.port, key, who) as stored:
        until(lambda: bool(stored), "requests under way")
        stop_amid_upload(process, key, who, signal.SIGTERM)
    told = {*stored, *(f"half-{n}" for n in range(100))}
    found = run("person", "show", "user_id", who, "--data", str(data))
    assert json.loads(found.stdout)["event_count"] == len(told)
    newest = events_by_command(data, who)
    assert len(newest) == len(set(newest)) == min(len(told), 500)
    assert set(newest) <= told
    assert {f"half-{n}" for n in range(100)} <= set(newest)


def test_a_second_start_on_the_same_data_finds_everything(tmp_path: Path) -> None:
    """After Ctrl-C too: keys, sources and people are there. A database of a later Courtesy is left alone."""
    data = tmp_path / "data"
    with running(data) as process:
        server = process.with_keys("shop")
        tell(server, [{"type": "identify", "userId": "kept", "traits": {"name": "Ada"}}])
        stop_amid_upload(process, server.write_key, "kept", signal.SIGINT)
        process.start()
        person = person_of(server, "user_id", "kept")
        assert (person["traits"], person["events"]["Seen"]["count"]) == ({"name": "Ada"}, 100)
        tell(server, [{"type": "track", "userId": "kept", "event": "Came back"}])
        assert process.stop() == 0
    with EmbeddedPostgres(data) as postgres, psycopg.connect(postgres.url) as connection:
        connection.execute("INSERT INTO migration (number, name) VALUES (9999, 'of a later version')")
    port = str(free_port())
    for refused in run_all(("serve", "--port", port, "--data", str(data)), ("keys", "list", "--data", str(data))):
        assert refused.returncode == 78
        assert "9999" in refused.stderr
        assert "run the newer Courtesy" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_it_runs_as_the_first_process_of_a_container(tmp_path: Path) -> None:
    """There its number is 1, which elsewhere means that a process has lost its parent."""
    apart = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child"]
    if os.geteuid() != 0:
        apart += ["--user", "--map-current-user"]
    port = free_port()
    line = [*apart, *command("serve", "--data", str(tmp_path / "data"), "--port", str(port))]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log)
    try:
        wait_ready(port, process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert "process_died" not in (tmp_path / "log").read_text()


# --- refusing --------------------------------------------------------------------------------------------------------


def test_a_port_in_use_is_refused_at_once(server: Server, tmp_path: Path) -> None:
    """Nothing is made or started; the server that has the port goes on undisturbed."""
    refused = run("serve", "--data", str(tmp_path / "data"), "--port", str(server.port))
    assert refused.returncode == 78
    assert f"expected to listen on 127.0.0.1:{server.port}: another program does already" in refused.stderr
    assert "--port" in refused.stderr
    assert not (tmp_path / "data").exists()
    assert status_of(server.port, "/readyz") == 200


def run_all(*lines: tuple[str, ...], **more: Any) -> list[subprocess.CompletedProcess[str]]:
    """Run commands, two at a time."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(lambda line: run(*line, **more), lines))


def test_a_setting_that_cannot_be_is_named(tmp_path: Path) -> None:
    """The message says which setting, what was expected and what came; nothing is made."""
    port = ("--port", str(free_port()))
    wrong: list[tuple[tuple[str, ...], dict[str, str], str]] = [
        (("--port", "70000"), {}, "port: expected `int` <= 65535, got 70000"),
        ((*port, "--http-workers", "0"), {}, "http_workers: expected `int` >= 1, got 0"),
        ((*port, "--log-format", "xml"), {}, "log_format: expected `str` matching regex '^(text|json)$', got 'xml'"),
        ((*port, "--database", "my database"), {}, "database: expected a URL that PostgreSQL's clients understand"),
        ((), {"COURTESY_PORT": "http"}, "port: expected `int`, got 'http'"),
        (port, {"COURTESY_DUPLICATE_DAYS": "1"}, "duplicate_days: expected `int` >= 7, got '1'"),
    ]
    with ThreadPoolExecutor(2) as threads:
        refusals = list(threads.map(lambda each: run("serve", *each[0], environment=each[1], cwd=tmp_path), wrong))
    for refused, (_, _, said) in zip(refusals, wrong, strict=True):
        assert (refused.returncode, refused.stdout) == (64, "")
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_typing_mistake_is_answered_with_what_was_meant() -> None:
    """A command, option or choice that does not exist ends with status 2 and the nearest that does."""
    wrong = {
        ("srve",): "Did you mean 'serve'?",
        ("keys", "creat"): "Did you mean 'create'?",
        ("serve", "--prot", "1"): "--port",
        ("keys", "create", "--name", "x"): "--scope",
        ("keys", "create", "--name", "x", "--scope", "wirte"): "'write'",
    }
    for refused, said in zip(run_all(*wrong), wrong.values(), strict=True):
        assert (refused.returncode, refused.stdout) == (2, "")
        assert said in refused.stderr


def test_a_data_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    """A file in its place, and a place where nobody may write, end with a word about the folder."""
    file, nowhere = tmp_path / "file", Path("/sys/courtesy")
    file.write_text("mine")
    wrong = {
        ("serve", "--data", str(file)): f"{file}: expected a folder, found a file",
        ("serve", "--data", str(nowhere)): f"{nowhere}: expected a data folder to write in",
        ("keys", "create", "--scope", "admin", "--name", "x", "--data", str(file)): f"{file}: expected a folder",
    }
    refusals = run_all(*wrong, environment={"COURTESY_PORT": str(free_port())})
    for refused, said in zip(refusals, wrong.values(), strict=True):
        assert (refused.returncode, refused.stdout) == (78, "")
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr
    assert file.read_text() == "mine"


def test_a_database_that_does_not_answer_is_told(tmp_path: Path) -> None:
    """With where it was looked for, and without the password."""
    url = f"postgresql://shop:hush-hush@127.0.0.1:{free_port()}/shop"
    refused = run("serve", "--database", url, "--port", str(free_port()), "--data", str(tmp_path / "data"))
    assert refused.returncode == 78
    assert "the database of --database can't be used" in refused.stderr
    assert "hush-hush" not in refused.stderr + refused.stdout
    assert "Traceback" not in refused.stderr


# --- keys ------------------------------------------------------------------------------------------------------------


def send_with(server: Server, key: str) -> Answer:
    """One event with a key."""
    return ask(server.port, "POST", "/v1/track", body={"event": "Seen", "userId": "u", "writeKey": key})


def test_keys_create_prints_the_key_alone(server: Server) -> None:
    """Beside a running server, for each scope; it is valid at once, and shown no second time."""
    name = f"made-{uuid.uuid4()}"
    where = ("--data", str(server.data))
    made = {each: ("keys", "create", *where, "--scope", each, "--name", f"{name}-{each}") for each in SCOPES}
    keys: dict[str, str] = {}
    for scope, done in zip(made, run_all(*made.values()), strict=True):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(f"{scope}_")
        assert done.stdout.count("\n") == 1
        keys[scope] = done.stdout.strip()
    assert send_with(server, keys["write"]).status == 200
    for scope in ("read", "admin"):
        assert ask(server.port, "GET", "/v1/people/user_id/nobody-at-all", key=keys[scope]).status == 404
    listed = run("keys", "list", *where).stdout
    assert [f"{name}-{scope}\t{scope}\t" in listed for scope in SCOPES] == [True] * 4
    assert [key in listed for key in keys.values()] == [False] * 4


def test_a_rotated_key_stays_valid_and_a_revoked_one_does_not(server: Server) -> None:
    """Old and new work side by side after a key was made anew; a revoked one is refused from then on."""
    name = f"rotated-{uuid.uuid4()}"
    old = make_key(server, "write", name)
    new = created_key("--data", str(server.data), "--scope", "write", "--name", name)
    assert [send_with(server, key).status for key in (old, new)] == [200, 200]
    listed = [each for each in server.get("/v1/keys")["keys"] if each["name"].startswith(name)]
    assert [each["expires"] is None for each in listed] == [True, False]
    revoked = run("keys", "revoke", name, "--data", str(server.data))
    assert (revoked.returncode, revoked.stdout) == (0, "")
    until(lambda: send_with(server, new).status == 401, "the end of the revoked key")
    assert send_with(server, old).status == 200
    again = run("keys", "revoke", name, "--data", str(server.data))
    assert again.returncode == 66
    assert "no key named" in again.stderr


def test_a_key_allows_what_its_scope_says_and_nothing_else(server: Server) -> None:
    """A write key reads nobody, a read key writes nothing, and neither changes definitions."""
    write, read = (make_key(server, scope, f"only-{scope}") for scope in ("write", "read"))
    person = "/v1/people/user_id/nobody-at-all"
    assert [ask(server.port, "GET", person, key=key).status for key in (write, read)] == [403, 404]
    assert [send_with(server, key).status for key in (write, read)] == [200, 403]
    assert [ask(server.port, "GET", "/v1/keys", key=key).status for key in (write, read)] == [403, 403]
    assert ask(server.port, "GET", "/v1/keys").status == 401
