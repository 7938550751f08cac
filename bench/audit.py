"""Consent's figures: all sends joined to their permits, and one question about somebody in process."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import psycopg

from bench.load import percentile
from bench.results import Figure
from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, SystemClock
from courtesy.consent.law import Laws, allowed
from courtesy.consent.laws import LAWS
from courtesy.consent.standing import Kept, Standing, add
from courtesy.engine.permit import SendFault
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.event.choice import ANY, Action, Basis, Scope
from courtesy.runtime.audit import Audit
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.history import History
from courtesy.runtime.people import People

EVERY_NTH_LATE = 1_000
EVERY_NTH_WITHOUT = 10_000
QUESTIONS_PER_SEND = 100
"""A hundredth as many questions are asked in process as sends are joined."""

_PERMITS = """
INSERT INTO permit (position, person_id, others, purpose, channel, topic, brand, jurisdiction, message, message_hash,
    why, basis, rule, policy, source, choices, local_minute, issued, expires)
SELECT n, n / 3 + 1, '{}', 'marketing', 'email', '*', '*', 'DE', 'campaign-' || n, sha256(int8send(n)), 'granted',
    'consent', 'email_soft_opt_in', 'gdpr-eprivacy@17676', 'Directive 2002/58/EC, Article 13(1) and (2)',
    ARRAY[md5(n::text)], NULL, n, n + 60000
FROM generate_series(1, %(size)s::bigint) AS n
"""
_SENT = """
INSERT INTO sent (message, person_id, channel, at, message_hash, permit)
SELECT 'campaign-' || n, n / 3 + 1, 'email', n + CASE n %% %(late)s WHEN 0 THEN 60000 ELSE 900 END, sha256(int8send(n)),
    CASE WHEN n %% %(without)s <> 1 THEN n END
FROM generate_series(1, %(size)s::bigint) AS n
"""


def audit(size: int) -> list[Figure]:
    """So many sends, each with a permit but for a few; and questions about a person who made some choices."""
    with tempfile.TemporaryDirectory(prefix="courtesy-") as folder, EmbeddedPostgres(Path(folder) / "data") as postgres:
        took_s = asyncio.run(_audit(postgres.url, size))
    asked = size // QUESTIONS_PER_SEND
    return [
        Figure("audit_10m_s", took_s, "s", size, "each send joined to its permit, every fault found; nothing else"),
        Figure("allowed_us_p50", percentile(_ask(asked), 0.5), "us", asked, "in process, of somebody with 8 choices"),
    ]


async def _audit(url: str, size: int) -> float:
    clock = SystemClock()
    engine = PostgresEngine(url, clock)
    await engine.open()
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            for text in (_PERMITS, _SENT):
                connection.execute(text, {"size": size, "late": EVERY_NTH_LATE, "without": EVERY_NTH_WITHOUT})
            connection.execute("VACUUM ANALYZE permit, sent")
        auditing = Audit(engine, People(engine, CatalogCache(engine, clock), History(engine)))
        began = time.perf_counter()
        found = await auditing.sends(0, DAY_MS, 1_000)
        took_s = time.perf_counter() - began
    finally:
        await engine.close()
    late, without = size // EVERY_NTH_LATE, size // EVERY_NTH_WITHOUT
    expected = {SendFault.EXPIRED: late, SendFault.NO_PERMIT: without}
    if (
        found.send_count != size
        or dict(found.fault_counts) != expected
        or len(found.faulty) != min(1_000, late + without)
    ):
        raise RuntimeError(f"expected {expected}, got {found.fault_counts}")
    return took_s


def _ask(times: int) -> list[float]:
    """How long each question took, in us: whether Ann in Germany may be written to about hats."""
    now_ms = SystemClock().now_ms()
    standing, laws = _somebody(now_ms), Laws(LAWS)
    asked = Scope("marketing", "email", "hats", ANY, "DE")
    took: list[float] = []
    for _ in range(times):
        began = time.perf_counter_ns()
        answer = allowed(standing, asked, now_ms, laws, 600)
        took.append((time.perf_counter_ns() - began) / 1_000)
        if not answer.allowed:
            raise RuntimeError(f"expected yes, got {answer}")
    return took


def _somebody(now_ms: int) -> Standing:
    """A person as they are: allowed mail, took it back, allowed it again; refuses calls; and likes some things."""
    told = [
        (Scope("marketing", "email"), Action.GRANT, None),
        (Scope("marketing", "email"), Action.WITHDRAW, None),
        (Scope("marketing", "email"), Action.GRANT, None),
        (Scope("marketing", "sms"), Action.GRANT, None),
        (Scope("marketing", "phone"), Action.OBJECT, None),
        (Scope("marketing", "email", "shoes"), Action.WITHDRAW, None),
        (Scope("marketing", ANY, "hats"), Action.SET, "likes"),
        (Scope("marketing", "email"), Action.SET, "weekly"),
    ]
    standing = Standing()
    for number, (scope, action, value) in enumerate(told):
        at_ms = now_ms - (len(told) - number) * DAY_MS
        basis = Basis.CONSENT if action is Action.GRANT else None
        add(standing, scope, Kept(at_ms, f"{number:032x}", action, None, at_ms, basis, value, (PersonId(1),)))
    return standing
