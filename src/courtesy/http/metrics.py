"""What this process counts while it answers, and the page that a Prometheus server reads."""

from __future__ import annotations

import os
from collections import Counter as Tally
from collections.abc import Sequence

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from courtesy.consent.request import RequestKind
from courtesy.engine.contract import PartitionStatus
from courtesy.engine.request import RequestCount
from courtesy.event.cause import Fate
from courtesy.runtime.ingest import Receipt
from courtesy.runtime.offer_desk import Low
from courtesy.runtime.telemetry import ACCEPTED

RETRIED = Counter("courtesy_requests_retried", "Requests that a client said it sends again (X-Retry-Count)")
PAGE_TYPE = prometheus_client.CONTENT_TYPE_LATEST


def count_fates(receipt: Receipt) -> None:
    """Add what became of one call's events."""
    told = Tally((each.fate, each.cause) for each in receipt.results)
    if plain := receipt.stored_count - sum(count for (fate, _), count in told.items() if fate is Fate.STORED):
        ACCEPTED.labels(Fate.STORED, "").inc(plain)
    for (fate, cause), count in told.items():
        ACCEPTED.labels(fate, cause).inc(count)


def page(
    partitions: list[PartitionStatus] | None,
    now_ms: int,
    switched_off_count: int = 0,
    requests: Sequence[RequestCount] = (),
    low: Sequence[Low] = (),
) -> bytes:
    """All metrics of all processes, and how the store stands: how far each partition lags (`partitions` is None when it
    is silent), how many subscriptions are switched off, how many requests of people wait for an answer, and which
    offers and pools of codes run low."""
    standing = _standing(partitions, now_ms, switched_off_count)
    _add_requests(standing, requests)
    left = Gauge(
        "courtesy_running_low", "How many are left of each offer and code pool that runs low", ["what", "name"],
        registry=standing,
    )  # fmt: skip
    for each in low:
        left.labels(each.what, each.name).set(each.left)
    return generate_latest(_processes()) + generate_latest(standing)


def _add_requests(registry: CollectorRegistry, requests: Sequence[RequestCount]) -> None:
    waiting = Gauge(
        "courtesy_requests_pending", "Requests of people that are not answered yet", ["kind"], registry=registry
    )
    late = Gauge("courtesy_requests_overdue", "Those of them whose last day has begun", ["kind"], registry=registry)
    counts = {each.kind: each for each in requests}
    for kind in RequestKind:
        count = counts.get(kind, RequestCount(kind, 0, 0))
        waiting.labels(kind).set(count.pending_count)
        late.labels(kind).set(count.overdue_count)


def _processes() -> CollectorRegistry:
    """What the processes count: in files that they share when a folder is set, else in this one's memory."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return prometheus_client.REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def _standing(partitions: list[PartitionStatus] | None, now_ms: int, switched_off_count: int) -> CollectorRegistry:
    registry = CollectorRegistry()
    off = Gauge(
        "courtesy_subscriptions_switched_off",
        "Subscriptions that are not called, because their receiver answered that it is gone",
        registry=registry,
    )
    off.set(switched_off_count)
    answers = Gauge("courtesy_store_answers", "1 when the store answered this very question", registry=registry)
    answers.set(partitions is not None)
    unfolded = Gauge("courtesy_partition_unfolded", "Records that are not folded yet", ["partition"], registry=registry)
    oldest = Gauge(
        "courtesy_partition_oldest_unfolded_seconds",
        "How long the first record that is not folded has been waiting",
        ["partition"],
        registry=registry,
    )
    for each in partitions or ():
        unfolded.labels(each.partition).set(each.unfolded_count)
        since = each.oldest_unfolded_ms
        oldest.labels(each.partition).set(0 if since is None else max(0, now_ms - since) / 1_000)
    return registry
