"""Telemetry: Prometheus metrics, OpenTelemetry traces and structured logs. No personal data in any of them."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import Counter, Histogram

TRACER = trace.get_tracer("courtesy")

ACCEPTED = Counter("courtesy_events", "Events by what became of them", ["fate", "cause"])
REFUSED_REQUESTS = Counter("courtesy_requests_refused", "Requests answered with an error, by its code", ["code"])
REQUEST_SECONDS = Histogram(
    "courtesy_request_seconds",
    "Time to answer, by route",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
APPEND_SECONDS = Histogram("courtesy_append_seconds", "Time of one group commit")
APPEND_EVENTS = Histogram(
    "courtesy_append_events", "Events of one group commit", buckets=(1, 10, 50, 100, 250, 500, 1000, 2500, 5000)
)
FOLDED = Counter("courtesy_records_folded", "Records folded into states")
FOLD_SECONDS = Histogram("courtesy_fold_seconds", "Time of one batch of folding, commit included")
POISONED = Counter("courtesy_records_poisoned", "Records set aside because no step could fold them")
EFFECTS = Counter("courtesy_effects", "Attempts to carry out an effect, by kind and answer", ["kind", "answer"])


def configure_logs(*, as_json: bool) -> None:
    """Send structured logs to standard error: JSON for machines, aligned text for people."""
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def configure_traces(endpoint: str | None, process: str) -> None:
    """Send spans to an OpenTelemetry collector (OTLP over HTTP); without an endpoint tracing costs next to nothing."""
    if endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    provider = TracerProvider(resource=Resource.create({"service.name": "courtesy", "process": process}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
