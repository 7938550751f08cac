"""How many effects a second the outbox takes through: claimed in batches by some processes at once, and settled with
their events, beside claims of bare rows of the same shape by plain `FOR UPDATE SKIP LOCKED` in the same PostgreSQL."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from multiprocessing.pool import Pool
from pathlib import Path

import psycopg
import uvloop

from bench.results import Figure
from courtesy.base.ids import PersonId, effect_key
from courtesy.base.time import SystemClock
from courtesy.engine.contract import FoldCommit
from courtesy.engine.outbox import ClaimedEffect, EffectState, NewEffect, Settlement
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.person.crossing import Told, system_record
from courtesy.person.messages import SENT
from courtesy.runtime.sending import BATCH, CLAIM_MS

PROCESSES = 2
KIND = "smtp"
PUT_AT_ONCE = 5_000
BODY_BYTES = 350
"""As many as a message of a campaign has in the outbox."""

_BARE = """
CREATE TABLE bare_job AS SELECT key, kind, person_id, target, body, created, next_at, false AS is_done FROM effect;
ALTER TABLE bare_job ADD PRIMARY KEY (key);
CREATE INDEX bare_job_open ON bare_job (kind, next_at) WHERE NOT is_done;
ANALYZE bare_job;
"""
_CLAIM_BARE = """
UPDATE bare_job SET is_done = true WHERE key = ANY(ARRAY(
    SELECT key FROM bare_job WHERE kind = %s AND NOT is_done ORDER BY next_at LIMIT %s FOR UPDATE SKIP LOCKED
)) RETURNING key, person_id, target, body
"""


def outbox(count: int) -> list[Figure]:
    """`count` effects, all waiting when the claiming begins."""
    with tempfile.TemporaryDirectory(prefix="courtesy-") as folder, EmbeddedPostgres(Path(folder) / "data") as postgres:
        uvloop.run(_put_all(postgres.url, count))
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(_BARE)
        with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
            ours = _rate(pool, _claim_and_settle, postgres.url, count)
            bare = _rate(pool, _claim_bare, postgres.url, count)
    note = f"{PROCESSES} processes, claims of {BATCH}, each settled with its event; {bare:,.0f}/s bare claims"
    return [
        Figure("outbox_claims_per_s", ours, "effects/s", count, note),
        Figure("outbox_claims_ratio", ours / bare, "ratio", count, "to claims of bare rows, with nothing settled"),
    ]


def _rate(pool: Pool, work: Callable[[str], tuple[int, float, float]], url: str, count: int) -> float:
    """How many are taken in a second by all processes together, from when the first of them begins."""
    found = pool.map(work, [url] * PROCESSES, chunksize=1)
    taken = sum(each[0] for each in found)
    if taken != count:
        raise RuntimeError(f"expected {count} to be taken once each, got {taken}")
    return count / (max(each[2] for each in found) - min(each[1] for each in found))


async def _put_all(url: str, count: int) -> None:
    clock = SystemClock()
    engine = PostgresEngine(url, clock)
    await engine.open()
    try:
        for first in range(0, count, PUT_AT_ONCE):
            now = clock.now_ms()
            fresh = [_effect(number, now) for number in range(first, min(first + PUT_AT_ONCE, count))]
            await engine.commit_fold(FoldCommit(leases=[], folded={}, states=[], timers=[], effects=fresh, now_ms=now))
    finally:
        await engine.close()


def _effect(number: int, now_ms: int) -> NewEffect:
    key = effect_key(number.to_bytes(16, "big"), "bench")
    return NewEffect(key, KIND, PersonId(number + 1), f"letters/home{number % 50}.example", b"x" * BODY_BYTES, now_ms)


def _claim_and_settle(url: str) -> tuple[int, float, float]:
    return uvloop.run(_settled_all(url))


async def _settled_all(url: str) -> tuple[int, float, float]:
    """Claim and settle until nothing is left: how many, from when, until when."""
    clock, taken = SystemClock(), 0
    engine = PostgresEngine(url, clock)
    await engine.open()
    began = time.time()
    try:
        while claimed := await engine.claim_effects(KIND, clock.now_ms(), CLAIM_MS, BATCH):
            await engine.settle_all([_settlement(each, clock.now_ms()) for each in claimed])
            taken += len(claimed)
        return taken, began, time.time()
    finally:
        await engine.close()


def _settlement(effect: ClaimedEffect, now_ms: int) -> Settlement:
    told = {"message": f"spring/{effect.key.hex()[:20]}", "campaign": "spring", "channel": "email", "price": 1_000}
    report = system_record(effect.person, effect.key, Told(SENT, told, now_ms, f"message-{effect.key.hex()}"), now_ms)
    return Settlement(
        effect.key, effect.attempt, EffectState.DELIVERED, "", "250 2.0.0 Ok: queued", now_ms, report=report
    )


def _claim_bare(url: str) -> tuple[int, float, float]:
    taken, began = 0, time.time()
    with psycopg.connect(url, autocommit=True) as connection:
        while rows := connection.execute(_CLAIM_BARE, (KIND, BATCH), binary=True).fetchall():
            taken += len(rows)
    return taken, began, time.time()
