"""The ledger's figures, at the size that it has after years: appending, asking about the past, proving, and its bytes.

First it is filled (see `filling.py`), up to a day ago, and sealed; then the last entries come in over HTTP, as all do;
then it is asked, exported and verified.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
import psycopg
import uvloop

from bench.asking import Request, ask_all
from bench.choices import EACH_ON_AVERAGE, ONE_OFTEN_IN, SPAN_MS, Lives, as_sent, choice
from bench.filling import fill, standing_of
from bench.load import Sent, percentile, send_all
from bench.results import Figure
from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import DAY_MS, SystemClock, to_iso
from courtesy.consent import verifier
from courtesy.consent.export import ENTRIES
from courtesy.consent.law import Laws, allowed
from courtesy.consent.laws import LAWS
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.event.choice import ANY, Scope
from courtesy.runtime.app import App, running_app
from courtesy.runtime.catalog import Scope as KeyScope
from courtesy.runtime.consent import Question
from courtesy.runtime.sealer import Sealer, signing_key
from courtesy.runtime.settings import Settings
from sim.server import serving

APPENDED_MAX = 500_000
APPENDED_SHARE = 4
"""At most a fourth of all entries comes in over HTTP."""
BATCH = 100
CONNECTIONS = 64
ASKED = 3_000
ASKED_OVER_HTTP = 3_000
DOSSIERS = 300
PROOFS = 300
CHECKED = 300
"""So many answers are compared with what the lives say, found without the ledger."""
COPIED_MAX = 200_000
NOON = 12 * 60
NO_LAKE = {"COURTESY_LAKE": "off"}
FOLDED_S = 3_600

T = TypeVar("T")


def ledger(entries: int) -> list[Figure]:
    """So many entries, about ten of each person; 100,000 at least, so that somebody makes many choices."""
    appended = min(APPENDED_MAX, entries // APPENDED_SHARE)
    clock = SystemClock()
    lives = Lives(int((entries - appended) / EACH_ON_AVERAGE), clock.now_ms() - DAY_MS - SPAN_MS)
    if lives.people < ONE_OFTEN_IN:
        raise ValueError(f"expected 100,000 entries or more, got {entries}")
    with tempfile.TemporaryDirectory(prefix="courtesy-") as folder:
        data = Path(folder) / "data"
        figures = _fill(data, lives)
        filled, size = figures[0].n, figures[0].n + appended
        figures += _on_store(data, lambda app: _seal(app, data, filled))
        figures += _append(data, lives, appended, size)
        _on_store(data, lambda app: _seal(app, data, size))
        figures += _weigh(data, size)
        figures += _on_store(data, lambda app: _ask(app, lives, size))
        figures += _ask_over_http(data, lives, size)
        figures += _on_store(data, lambda app: _prove(app, data, Path(folder) / "export", size))
        figures += _verify(data, Path(folder) / "export", size)
    return figures


def _settings(data: Path) -> Settings:
    return Settings(data=str(data), lake="off")


def _on_store(data: Path, work: Callable[[App], Awaitable[T]]) -> T:
    """Run on the store that no server runs on; its PostgreSQL is started for it, so nothing of it is in its memory."""

    async def run(url: str) -> T:
        async with running_app(_settings(data), url) as app:
            return await work(app)

    with EmbeddedPostgres(data) as postgres, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(postgres.url))


def _fill(data: Path, lives: Lives) -> list[Figure]:
    async def source(app: App) -> SourceId:
        await app.catalog.create_key("shop", KeyScope.WRITE, "bench", source="shop")
        return app.catalog.now.sources["shop"][0]

    number = _on_store(data, source)
    began = time.perf_counter()
    with EmbeddedPostgres(data) as postgres:
        written = asyncio.run(fill(postgres.url, SystemClock(), lives, number))
    per_s = written / (time.perf_counter() - began)
    note = (
        f"{lives.people:,} people with identifier and state, their entries by LedgerWriter and put_ledger alone, "
        "without events; how the store of the other figures was made"
    )
    return [Figure("ledger_fill_per_s", per_s, "entries/s", written, note)]


def _append(data: Path, lives: Lives, count: int, size: int) -> list[Figure]:
    """What comes in over HTTP, of people who are there already; then what follows from it is folded."""
    bodies, now_ms = [], SystemClock().now_ms()
    people = random.Random(1)
    for first in range(0, count, BATCH):
        items = [
            {
                "type": "consent",
                "userId": f"person-{person}",
                "messageId": f"appended-{first + place}",
                "choices": [as_sent(choice(person, 1_000 + place, now_ms - DAY_MS + first + place))],
            }
            for place in range(min(BATCH, count - first))
            for person in [people.randint(1, lives.people)]
        ]
        bodies.append(msgspec.json.encode({"batch": items}))
    with serving("--http-workers", "2", "--fold-workers", "0", data=data, environment=NO_LAKE) as server:
        sent = _apart(_send, server.port, server.write_key, bodies)
        if sent.bad:
            raise RuntimeError(f"{len(sent.bad)} bad answers, the first: {sent.bad[0]}")
        copied_per_s = _copy_rate(data, count)
        _write_out(data)
    with serving("--http-workers", "1", "--fold-workers", "2", data=data, environment=NO_LAKE) as server:
        server.wait_folded(FOLDED_S)
        _write_out(data)
    per_s = count / sent.seconds
    note = f"the last of {size:,}, one choice a message, over HTTP in batches of {BATCH}, 2 HTTP workers, no folding"
    return [
        Figure("ledger_append_per_s", per_s, "entries/s", count, note),
        Figure("ledger_append_ratio_to_copy", per_s / copied_per_s, "ratio", count, "to COPY of the same rows"),
    ]


def _write_out(data: Path) -> None:
    """Have PostgreSQL write what it holds, so that the server ends within its time."""
    with EmbeddedPostgres(data) as postgres, psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")


def _send(port: int, key: str, bodies: Sequence[bytes]) -> Sent:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(send_all(port, key, bodies, CONNECTIONS))


def _apart(work: Callable[..., T], *arguments: Any) -> T:
    """Run in a process of its own, as a client would."""
    with multiprocessing.get_context("spawn").Pool(1, gc.disable) as pool:
        return pool.apply(work, arguments)


def _copy_rate(data: Path, count: int) -> float:
    """Rows per second of COPY of the ledger's last rows into a bare table with the same indexes."""
    count = min(count, COPIED_MAX)
    with EmbeddedPostgres(data) as postgres, psycopg.connect(postgres.url, autocommit=True) as connection:
        newest = f"SELECT * FROM ledger ORDER BY index DESC LIMIT {count}"
        with connection.cursor().copy(f"COPY ({newest}) TO STDOUT (FORMAT BINARY)") as out:
            rows = b"".join(bytes(part) for part in out)
        connection.execute("CREATE TABLE copied (LIKE ledger INCLUDING ALL)")
        began = time.perf_counter()
        with connection.cursor().copy("COPY copied FROM STDIN (FORMAT BINARY)") as into:
            into.write(rows)
        took_s = time.perf_counter() - began
        connection.execute("DROP TABLE copied")
    return count / took_s


async def _seal(app: App, data: Path, size: int) -> list[Figure]:
    key = signing_key(data)
    began = time.perf_counter()
    note = await Sealer(app.engine, key, app.clock).seal()
    per_s = size / (time.perf_counter() - began)
    if note.checkpoint.size != size:
        raise RuntimeError(f"expected a checkpoint of {size} entries, got {note.checkpoint.size}")
    return [Figure("ledger_seal_per_s", per_s, "entries/s", size, "read, hashed into the tree, signed; one process")]


def _weigh(data: Path, size: int) -> list[Figure]:
    """What an entry costs on disk."""
    with EmbeddedPostgres(data) as postgres, psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        sizes = {
            str(name): (int(table), int(whole))
            for name, table, whole in connection.execute(
                "SELECT relname, pg_table_size(oid), pg_total_relation_size(oid) FROM pg_class"
                " WHERE relname IN ('ledger', 'ledger_node', 'person_key')"
            ).fetchall()
        }
    table, whole = sizes["ledger"]
    tree, keys = sizes["ledger_node"][1] / size, sizes["person_key"][1] / size
    note = f"without indexes; the tree over them takes {tree:.0f} more for each, the keys of people {keys:.0f}"
    return [
        Figure("ledger_bytes_per_entry", table / size, "bytes", size, note),
        Figure("ledger_index_bytes_per_entry", (whole - table) / size, "bytes", size, "by index, by person"),
    ]


def _questions(lives: Lives, count: int, seed: int) -> list[tuple[int, Question]]:
    """Whether somebody could be written to at an instant, by what was known at another."""
    chance = random.Random(seed)
    last_ms = lives.first_ms + SPAN_MS
    asked = []
    for _ in range(count):
        known_ms = chance.randint(lives.first_ms, last_ms)
        question = Question(
            "marketing", "email", "shoes", ANY, "DE", chance.randint(lives.first_ms, last_ms), known_ms, NOON
        )
        asked.append((chance.randint(1, lives.people), question))
    return asked


async def _ask(app: App, lives: Lives, size: int) -> list[Figure]:
    """In process, of people at random: the first time somebody is asked about, and again."""
    await _timed_questions(app, _questions(lives, ASKED // 10, 2))
    asked = _questions(lives, ASKED, 3)
    first, answers = await _timed_questions(app, asked)
    again, _ = await _timed_questions(app, asked)
    _check(lives, app.catalog.now.sources["shop"][0], asked, answers)
    selected = await _timed_selects(app, lives)
    note = f"one of {lives.people:,} people at random, by what was known at an instant; asked about the first time"
    dossiers = await _dossiers(app, lives)
    return [
        Figure("as_of_process_ms_p50", percentile(first, 0.5), "ms", len(first), note),
        Figure("as_of_process_ms_p99", percentile(first, 0.99), "ms", len(first), note),
        Figure("as_of_process_again_ms_p99", percentile(again, 0.99), "ms", len(again), "the same, asked again"),
        Figure("ledger_select_ms_p50", percentile(selected, 0.5), "ms", len(selected), "bare SELECT of their entries"),
        *dossiers,
    ]


async def _timed_questions(app: App, asked: Sequence[tuple[int, Question]]) -> tuple[list[float], list[dict[str, Any]]]:
    took, answers = [], []
    for person, question in asked:
        began = time.perf_counter()
        answers.append(await app.consents.allowed("user_id", f"person-{person}", question))
        took.append((time.perf_counter() - began) * 1_000)
    return took, answers


async def _timed_selects(app: App, lives: Lives) -> list[float]:
    """What PostgreSQL's part alone takes of a question, by the plainest statement."""
    took, chance = [], random.Random(4)
    for _ in range(ASKED):
        person = PersonId(chance.randint(1, lives.people))
        began = time.perf_counter()
        await app.engine.ledger_of([person])
        took.append((time.perf_counter() - began) * 1_000)
    return took


def _check(
    lives: Lives, source: SourceId, asked: Sequence[tuple[int, Question]], answers: Sequence[dict[str, Any]]
) -> None:
    """The answers are those that the lives give, found without the ledger. Raises RuntimeError."""
    laws = Laws(LAWS)
    for (person, question), answer in list(zip(asked, answers, strict=True))[:CHECKED]:
        assert question.known_ms is not None, "see _questions"
        assert question.at_ms is not None, "see _questions"
        known = [each for each in lives.life(PersonId(person)) if each.received_ms <= question.known_ms]
        scope = Scope("marketing", "email", "shoes", ANY, "DE")
        expected = allowed(standing_of(known, source), scope, question.at_ms, laws, NOON)
        if (answer["allowed"], answer["why"]) != (expected.allowed, str(expected.why)):
            raise RuntimeError(f"expected {expected} of person {person} and {question}, got {answer}")


async def _dossiers(app: App, lives: Lives) -> list[Figure]:
    """All choices of somebody, each with its source and the wording that was shown."""
    chance = random.Random(5)
    few = [chance.randint(1, lives.people) for _ in range(DOSSIERS)]
    often = range(ONE_OFTEN_IN, lives.people + 1, ONE_OFTEN_IN)
    few_ms = [await _dossier(app, person) for person in few]
    often_ms = [await _dossier(app, person) for person in often]
    note = "every choice with its source and the wording shown, opened; asked about the first time"
    return [
        Figure("ledger_dossier_ms_p99", percentile(few_ms, 0.99), "ms", len(few_ms), note),
        Figure(
            "ledger_dossier_often_ms_p99", percentile(often_ms, 0.99), "ms", len(often_ms), "of who made 500 choices"
        ),
    ]


async def _dossier(app: App, person: int) -> float:
    began = time.perf_counter()
    _, told = await app.consents.told("user_id", f"person-{person}")
    evidence = [each.choice.evidence for each in told]
    digests = {each.notice for each in evidence if each is not None and each.notice is not None}
    shown = [await app.engine.shown(bytes.fromhex(digest)) for digest in sorted(digests)]
    took_ms = (time.perf_counter() - began) * 1_000
    if not told or None in shown or not all(each.source == "shop" for each in told):
        raise RuntimeError(f"expected choices with source and wording of person {person}, got {told}")
    return took_ms


def _ask_over_http(data: Path, lives: Lives, size: int) -> list[Figure]:
    requests = []
    for person, question in _questions(lives, ASKED_OVER_HTTP, 6):
        assert question.at_ms is not None, "see _questions"
        assert question.known_ms is not None, "see _questions"
        query = {
            "purpose": question.purpose, "channel": question.channel, "topic": question.topic, "jurisdiction": "DE",
            "at": to_iso(question.at_ms), "known": to_iso(question.known_ms), "local_time": "12:00",
        }  # fmt: skip
        requests.append(Request("GET", f"/v1/people/user_id/person-{person}/allowed?{urlencode(query)}"))
    with serving("--http-workers", "1", "--fold-workers", "1", data=data, environment=NO_LAKE) as one:
        ask_all(one, requests[: ASKED_OVER_HTTP // 10])
        took = [ms for _, ms in ask_all(one, requests[ASKED_OVER_HTTP // 10 :])]
    note = f"one of {lives.people:,} people at random, by what was known at an instant, of {size:,} entries; one by one"
    return [
        Figure("as_of_http_ms_p50", percentile(took, 0.5), "ms", len(took), note),
        Figure("as_of_http_ms_p99", percentile(took, 0.99), "ms", len(took), note),
    ]


async def _prove(app: App, data: Path, folder: Path, size: int) -> list[Figure]:
    """Proofs of single entries, and the whole export, which is left in the folder."""
    chance = random.Random(7)
    took, lengths = [], []
    for _ in range(PROOFS):
        began = time.perf_counter()
        proof = msgspec.json.decode(await app.proofs.inclusion(chance.randrange(size)))
        took.append((time.perf_counter() - began) * 1_000)
        lengths.append(32 * len(proof["path"]))
    began = time.perf_counter()
    await app.proofs.export(folder, signing_key(data).public)
    per_s = size / (time.perf_counter() - began)
    return [
        Figure("ledger_proof_ms_p99", percentile(took, 0.99), "ms", len(took), "that an entry is in the ledger"),
        Figure("ledger_proof_bytes", max(lengths), "bytes", len(took), f"the longest path under {size:,} entries"),
        Figure("ledger_export_per_s", per_s, "entries/s", size, "all entries, sealed, to files; one process"),
    ]


def _verify(data: Path, folder: Path, size: int) -> list[Figure]:
    """As a stranger runs it: the script alone, on one core."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-I", "-S", verifier.__file__, str(folder), signing_key(data).public.text()], check=True
    )
    took_s = time.perf_counter() - began
    began = time.perf_counter()
    with (folder / ENTRIES).open("rb") as file:
        for leaf in verifier.read_leaves(file):
            sha256(leaf).digest()
    hashed_per_s = size / (time.perf_counter() - began)
    return [
        Figure("ledger_verify_per_s", size / took_s, "entries/s", size, "the whole export by verifier.py, one core"),
        Figure(
            "ledger_verify_ratio_to_sha256",
            size / took_s / hashed_per_s,
            "ratio",
            size,
            "to reading and SHA-256 of each entry",
        ),
    ]
