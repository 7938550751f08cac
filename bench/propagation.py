"""How many changes a second a recipient is told of that fails in every way, and how many are lost.

Choices come in over the ingest of a process of its own, while the teller tells a recipient that runs in another. It
drops connections and answers, lies, shows what it had before and forgets its latest writes. In the end every change has
to be verified or escalated, and what the recipient has of each person to be what is so.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import msgspec
import psycopg
import uvloop

from bench.results import Figure
from courtesy.base.ids import PersonId
from courtesy.base.time import MINUTE_MS, SystemClock
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.engine.propagation import ReceiptState
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.http.body import Envelope, accept_all
from courtesy.runtime.app import App, running_app
from courtesy.runtime.catalog import Source
from courtesy.runtime.process import make_teller
from courtesy.runtime.propagation import OPEN
from courtesy.runtime.recipient import Recipient as Definition
from courtesy.runtime.recipient import SubjectIds
from courtesy.runtime.settings import Settings
from courtesy.runtime.subject_state import subject_state
from sim.recipient import Fault, Recipient

NAME, SOURCE = "crm", "shop"
# Of an emulator on this machine.
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"
EACH = 10
"""Changes of one person, on average."""
BATCH = 100
CHECK_EVERY_MS = MINUTE_MS
EQUAL_WITHIN_S = 600.0
"""After the last change has ended and all faults have: what was forgotten after it was verified shows within this."""
NEARLY = 0.99
"""Of the changes: the last few, whose calls failed several times, wait for minutes by intent."""
PAGE = 500
_ENTRIES_ENDED = """
SELECT count(DISTINCT entry) FROM propagation WHERE recipient = %s AND state IN ('verified', 'escalated')
"""
FAULTS = {
    Fault.DROP: 0.01, Fault.DROP_AFTER: 0.01, Fault.ERROR: 0.01, Fault.BUSY: 0.0001, Fault.SLOW: 0.01,
    Fault.LIE: 0.01, Fault.STALE: 0.01,
}  # fmt: skip
RESTARTS = 2
"""About so many times in a run the recipient forgets its latest writes."""


def propagation(changes: int) -> list[Figure]:
    """So many changes, ten of each person."""
    with tempfile.TemporaryDirectory(prefix="courtesy-") as folder, EmbeddedPostgres(Path(folder) / "data") as postgres:
        settings = Settings(data=str(Path(folder) / "data"), lake="off", allow_private_webhooks=True)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_propagation(settings, postgres.url, changes))


async def _propagation(settings: Settings, url: str, changes: int) -> list[Figure]:
    with _recipient(changes) as (port, other):
        async with _app(settings, url) as app:
            definition = Definition(f"http://127.0.0.1:{port}", (SECRET,), check_every_ms=CHECK_EVERY_MS)
            await app.propagation.define(NAME, definition, "bench")
            began = time.perf_counter()
            with _appending(settings, url, changes) as appending:
                stop = asyncio.Event()
                telling = asyncio.create_task(make_teller(app.engine, app.catalog, settings).run(stop))
                await _ended(app, changes, NEARLY, appending)
                nearly_s = time.perf_counter() - began
                await _ended(app, changes, 1.0, appending)
                all_s = time.perf_counter() - began
                other.send(("heal", None))
                lost = _unended(url, changes) + EACH * await _unlike_at_last(
                    app, definition, other, settings, changes // EACH
                )
                stop.set()
                await telling
            return await _figures(app, other, changes, (nearly_s, all_s), lost)


async def _figures(app: App, other: Connection, changes: int, took_s: tuple[float, float], lost: int) -> list[Figure]:
    states = Counter({each.state: each.receipt_count for each in await app.engine.tallies()})
    other.send(("counts", None))
    counts: Counter[str] = other.recv()
    wrong = {name: count for name, count in counts.items() if not name.endswith("well")}
    note = (
        f"until {NEARLY:.0%} of them have ended, all after {took_s[1]:,.0f} s; {changes // EACH:,} people, whose "
        f"choices come in meanwhile; {counts.total():,} requests, faults: {wrong}"
    )
    return [
        Figure("propagation_changes_per_s", NEARLY * changes / took_s[0], "changes/s", changes, note),
        Figure("propagation_lost", lost, "changes", changes, "neither verified nor escalated, or not so in the end"),
        Figure("propagation_escalated", states[ReceiptState.ESCALATED], "changes", changes, "not confirmed in a day"),
    ]


async def _ended(app: App, changes: int, share: float, appending: BaseProcess) -> None:
    """Wait until there is a receipt of every change, and a share of them have ended."""
    while not appending.exitcode:
        states = Counter({each.state: each.receipt_count for each in await app.engine.tallies()})
        under_way = sum(states[each] for each in OPEN)
        if states.total() >= changes and under_way <= (1 - share) * states.total():
            return
        await asyncio.sleep(min(5.0, changes / 20_000))
    raise RuntimeError("the process that makes choices broke off")


def _unended(url: str, changes: int) -> int:
    """How many entries of the ledger have no receipt that came to an end."""
    with psycopg.connect(url, autocommit=True) as connection:
        ended = connection.execute(_ENTRIES_ENDED, (NAME,)).fetchone()
    assert ended is not None
    return changes - int(ended[0])


async def _unlike_at_last(app: App, definition: Definition, other: Connection, settings: Settings, people: int) -> int:
    """Of how many people the recipient has something else than what is so, however long it is waited for."""
    until_s = time.monotonic() + EQUAL_WITHIN_S
    while (unlike := await _unlike(app, definition, other, settings, people)) and time.monotonic() < until_s:
        await asyncio.sleep(5.0)
    return unlike


async def _unlike(app: App, definition: Definition, other: Connection, settings: Settings, people: int) -> int:
    """Of how many people the recipient has something else than what is so."""
    ids, laws, count = SubjectIds(settings), Laws(LAWS), 0
    for first in range(0, people, PAGE):
        keys = [f"user_id:person-{number}" for number in range(first, min(first + PAGE, people))]
        readings = [each for key in keys if (each := await app.engine.read_person(key)) is not None]
        subjects = {each.person: ids.of(NAME, each.person) for each in readings}
        other.send(("get", [each.hex() for each in subjects.values()]))
        found: dict[str, bytes | None] = other.recv()
        for each in readings:
            subject = subjects[PersonId(each.person)]
            state = subject_state(definition, subject, None, each, app.clock.now_ms(), laws)
            held = found[subject.hex()]
            count += not state.is_what(None if held is None else msgspec.json.decode(held))
    return count


@asynccontextmanager
async def _app(settings: Settings, url: str) -> AsyncIterator[App]:
    async with running_app(settings, url) as app:
        await app.catalog.define_source(SOURCE, Source(), "bench")
        yield app


# -- who makes choices, in a process of its own


@contextmanager
def _appending(settings: Settings, url: str, changes: int) -> Iterator[BaseProcess]:
    process = multiprocessing.get_context("spawn").Process(target=_append, args=(settings, url, changes), daemon=True)
    process.start()
    try:
        yield process
    finally:
        process.join()


def _append(settings: Settings, url: str, changes: int) -> None:
    uvloop.run(_append_all(settings, url, changes))


async def _append_all(settings: Settings, url: str, changes: int) -> None:
    chance, people = random.Random(1), changes // EACH
    async with running_app(settings, url) as app:
        policy = app.catalog.policy(SOURCE)
        for first in range(0, changes, BATCH):
            items = [_choice(chance, number, people) for number in range(first, min(first + BATCH, changes))]
            accepted = accept_all(Envelope(items), policy, app.clock.now_ms())
            receipt = await app.ingest.append(accepted, policy)
            if receipt.results:
                raise RuntimeError(f"a choice was not stored: {receipt.results[0]}")


def _choice(chance: random.Random, number: int, people: int) -> bytes:
    action, channel = chance.choice(("grant", "grant", "withdraw")), chance.choice(("email", "sms"))
    choice = {"action": action, "purpose": "marketing", "channel": channel}
    # Everybody in turn, in an order of each round's own.
    person = (number * 2_654_435_761 + number // people * 7_919) % people
    call = {"type": "consent", "userId": f"person-{person}", "messageId": f"choice-{number}", "choices": [choice]}
    return msgspec.json.encode(call)


# -- who is told, in another


@contextmanager
def _recipient(changes: int) -> Iterator[tuple[int, Connection]]:
    """A recipient that fails: its port, and a way to heal it and to see what it has."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_be_told, args=(there, RESTARTS / changes), daemon=True)
    process.start()
    try:
        yield here.recv(), here
    finally:
        process.terminate()
        process.join()


def _be_told(here: Connection, restart: float) -> None:
    uvloop.run(_serve(here, restart))


async def _serve(here: Connection, restart: float) -> None:
    faults = {Fault.RESTART: restart, **FAULTS}
    other = Recipient(SECRET, SystemClock(), random.Random(2), faults)
    here.send(await other.start())
    while True:
        what, given = await asyncio.to_thread(here.recv)
        if what == "heal":
            other.faults = {}
        elif what == "get":
            here.send({subject: other.documents.get(subject) for subject in given})
        else:
            here.send(other.counts)
