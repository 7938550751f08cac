"""Telemetry: Prometheus metrics, OpenTelemetry traces and structured logs. No personal data in any of them."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

import structlog
from opentelemetry import trace
from prometheus_client import Counter, Gauge, Histogram

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

SETTLED = Counter("courtesy_effects_settled", "Effects by their final outcome", ["kind", "outcome"])
WARM_UP = Counter(
    "courtesy_warm_up_messages",
    "Messages of connections that warm up: that took room, were passed on, or were put off until the next day",
    ["connection", "what"],
)
PROPAGATION_CALLS = Counter(
    "courtesy_propagation_calls",
    "Calls to recipients, by what was asked for and the kind of answer",
    ["recipient", "call", "answer"],
)
PROPAGATED = Counter(
    "courtesy_propagations", "Changes that came to their end at a recipient, by it", ["recipient", "end"]
)
PROPAGATION_SECONDS = Histogram(
    "courtesy_propagation_seconds",
    "From when a change was found until a recipient had it, urgent ones apart",
    ["urgent"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86400),
)
LAKE_ROWS = Counter("courtesy_lake_rows", "Events written to the lake")
LAKE_TIME = Gauge(
    "courtesy_lake_time_seconds",
    "Until when, in seconds since 1970, everything that arrived is in the lake; time() less this is its lag",
    multiprocess_mode="mostrecent",
)
LAKE_FAILURES = Counter("courtesy_lake_failures", "Times that the lake could not be written or kept in order")


def configure_logs(*, as_json: bool) -> None:
    """Send structured logs to standard error: JSON for machines, aligned text for people, one line each.

    What libraries say, what nobody caught, and warnings come in the same form.
    """
    # The driver's pool tells of every broken connection by itself; what follows from one, we tell.
    logging.getLogger("psycopg").addHandler(logging.NullHandler())
    logging.getLogger("psycopg").propagate = False
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    stamp: list[Any] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *stamp, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    others = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*stamp, _without_data],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(others)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    # It tells of each vain attempt to connect, several a second; who waits for the database says so, and why.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    sys.excepthook = _tell_crash


def _without_data(_: Any, __: str, told: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A library's record without what may quote data: the lines after its first, and the message of an exception."""
    record: logging.LogRecord = told["_record"]
    told["event"] = str(told["event"]).partition("\n")[0]
    told["logger"] = record.name
    raised = told.pop("exc_info", None)
    if isinstance(raised, tuple) and raised[1] is not None:
        told.update(error_and_place(raised[1]))
    return told


def _tell_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The last words of a process that ends with an exception which nobody caught."""
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger("crash").error("process_failed", **error_and_place(error))


def error_and_place(error: BaseException) -> dict[str, Any]:
    """What an exception is and where it came from, but not its message, which often quotes the data."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    at = [f"{frame.filename.rpartition('/src/')[2]}:{frame.lineno} {frame.name}" for frame in frames]
    return {"error": type(error).__name__, "at": at}


def configure_traces(endpoint: str | None, process: str) -> None:
    """Send spans to an OpenTelemetry collector (OTLP over HTTP); without an endpoint tracing costs next to nothing."""
    if endpoint is None:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "courtesy", "process": process}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
