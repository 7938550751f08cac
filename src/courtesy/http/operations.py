"""For those who run it: is it alive, is it ready, what came in and what became of it, what is stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy import __version__
from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import DAY_MS, HOUR_MS, from_iso, to_iso
from courtesy.engine.contract import Count, PartitionStatus, Quarantined
from courtesy.engine.request import RequestCount
from courtesy.event.cause import MEANING, Cause, Fate
from courtesy.http.metrics import PAGE_TYPE, page
from courtesy.http.operation import JSON, Answer, Asked, NoQuery, Operation
from courtesy.http.people import PositionNumber
from courtesy.http.schemas import PAGE_OF_TEXT
from courtesy.person.record import RecordKind
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Scope
from courtesy.runtime.offer_desk import Low
from courtesy.runtime.quarantine_view import as_text

READY_WAIT_S = 2.0
SPAN_MS_MAX = 400 * DAY_MS
DEGREE_MAX = 2**31 - 1
LIST_MAX = 500

Limit = Annotated[int, Meta(ge=1, le=LIST_MAX)]


class Health(msgspec.Struct, frozen=True):
    """How it is; `reason` when it is not as it should be."""

    status: str
    reason: str = ""


class Welcome(msgspec.Struct, frozen=True):
    """What this is, and where to look."""

    name: str
    version: str
    what: str
    see: dict[str, str]


async def welcome(asked: Asked[NoQuery, None]) -> Welcome:
    """Say what this is."""
    return Welcome(
        "Courtesy",
        __version__,
        "A customer engagement platform: events in, one live person out.",
        {
            "the API": "/openapi.json",
            "is it ready": "/readyz",
            "metrics": "/metrics",
            "send events": "POST /v1/batch",
            "read a person": "GET /v1/people/{kind}/{value}",
        },
    )


async def health(asked: Asked[NoQuery, None]) -> Health:
    """The process is alive."""
    return Health("ok")


async def readiness(asked: Asked[NoQuery, None]) -> Answer:
    """Whether requests can be answered: the definitions are loaded and the store answers."""
    reason = await _why_not_ready(asked.app)
    if not reason:
        return Answer(msgspec.json.encode(Health("ready")))
    return Answer(msgspec.json.encode(Health("not ready", reason)), 503, headers=(("retry-after", "1"),))


async def _why_not_ready(app: App) -> str:
    if app.catalog.now.version < 0:
        return "the definitions are not loaded yet"
    try:
        async with asyncio.timeout(READY_WAIT_S):
            await app.engine.head()
    except TimeoutError:
        return f"the store did not answer within {READY_WAIT_S:.0f} s"
    except CourtesyError as error:
        return error.message
    return ""


async def metrics(asked: Asked[NoQuery, None]) -> Answer:
    """The metrics of all processes."""
    partitions: list[PartitionStatus] | None = None
    requests: list[RequestCount] = []
    low: list[Low] = []
    now_ms = asked.app.clock.now_ms()
    try:
        async with asyncio.timeout(READY_WAIT_S):
            requests = await asked.app.engine.request_counts(now_ms)
            low = await asked.app.shelf.offer_desk.low()
            partitions = await asked.app.engine.status()
    except (TimeoutError, CourtesyError):
        partitions = None
    switched_off_count = len(asked.app.catalog.now.switched_off)
    return Answer(page(partitions, now_ms, switched_off_count, requests, low), media_type=PAGE_TYPE)


class SpanQuery(msgspec.Struct, frozen=True, rename={"from_": "from"}, forbid_unknown_fields=True):
    """Hours that begin from `from` up to, not including, `to`: ISO 8601 or ms. Without them, the last 24 hours."""

    from_: str | None = None
    to: str | None = None


class HourCounts(msgspec.Struct, frozen=True):
    """What came from a source in an hour. `balanced`: received is the sum of the other four. `causes` by name."""

    source: str
    hour: str
    received: int
    stored: int
    quarantined: int
    duplicate: int
    suppressed: int
    balanced: bool
    causes: dict[str, int]


class Counts(msgspec.Struct, frozen=True):
    """By source and hour; `meanings` explains the causes that occur."""

    counts: list[HourCounts]
    balanced: bool
    meanings: dict[str, str]


def _instant(name: str, text: str | None, default_ms: int) -> int:
    if text is None:
        return default_ms
    number = text.removeprefix("-")
    at = int(text) if number.isascii() and number.isdigit() and len(number) < 15 else from_iso(text)
    if at is None:
        raise CourtesyError(Code.INVALID, f"expected ISO 8601 or ms, got {text!r:.60}", place=f"query.{name}")
    return at


async def count(asked: Asked[SpanQuery, None]) -> Counts:
    """What became of what came in."""
    now = asked.app.clock.now_ms()
    to_ms = _instant("to", asked.query.to, now - now % HOUR_MS + HOUR_MS)
    from_ms = _instant("from", asked.query.from_, to_ms - DAY_MS)
    if to_ms - from_ms > SPAN_MS_MAX:
        raise CourtesyError(Code.INVALID, f"expected up to {SPAN_MS_MAX // DAY_MS} days at once", place="query.from")
    found = await asked.app.engine.counts(from_ms, to_ms)
    buckets: dict[tuple[int, str], list[Count]] = {}
    names = await asked.app.catalog.source_names(each.source for each in found)
    for each in found:
        buckets.setdefault((each.hour_ms, names.get(each.source, str(each.source))), []).append(each)
    counts = [_hour_counts(source, hour, counted) for (hour, source), counted in sorted(buckets.items())]
    meanings = {cause: MEANING[Cause(cause)] for cause in sorted({name for each in counts for name in each.causes})}
    return Counts(counts, all(each.balanced for each in counts), meanings)


def _hour_counts(source: str, hour_ms: int, counted: list[Count]) -> HourCounts:
    fates = dict.fromkeys(Fate, 0)
    causes: dict[str, int] = {}
    for each in counted:
        fates[each.fate] += each.event_count
        if each.cause is not None:
            causes[each.cause] = causes.get(each.cause, 0) + each.event_count
    received = fates.pop(Fate.RECEIVED)
    return HourCounts(
        source,
        to_iso(hour_ms),
        received,
        fates[Fate.STORED],
        fates[Fate.QUARANTINED],
        fates[Fate.DUPLICATE],
        fates[Fate.SUPPRESSED],
        received == sum(fates.values()),
        causes,
    )


class QuarantineQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one source, of one cause, older than number `before`."""

    source: str | None = None
    cause: Cause | None = None
    before: PositionNumber | None = None
    limit: Limit = 50


class QuarantinedView(msgspec.Struct, frozen=True):
    """A rejected event, as it came. `raw` is text, or base64 when it is no UTF-8, as `raw_encoding` says."""

    number: int
    source: str
    cause: Cause
    meaning: str
    detail: str
    received: str
    message_id: str | None
    raw: str
    raw_encoding: str


class QuarantineView(msgspec.Struct, frozen=True):
    """Newest first. `next_before` leads to older ones; null at the end."""

    quarantined: list[QuarantinedView]
    next_before: int | None


async def read_quarantine(asked: Asked[QuarantineQuery, None]) -> QuarantineView:
    """Rejected events."""
    app, query = asked.app, asked.query
    source = None if query.source is None else app.catalog.policy(query.source).source
    found = await app.engine.quarantined(source, query.cause, query.before, query.limit)
    names = await app.catalog.source_names(each.source for each in found)
    next_before = found[-1].number if len(found) == query.limit else None
    return QuarantineView([_quarantined_view(each, names) for each in found], next_before)


def _quarantined_view(each: Quarantined, names: Mapping[SourceId, str]) -> QuarantinedView:
    raw, encoding = as_text(each.raw)
    return QuarantinedView(
        each.number,
        names.get(each.source, str(each.source)),
        Cause(each.cause),
        MEANING[Cause(each.cause)],
        each.detail,
        to_iso(each.received_ms),
        each.message_id,
        raw,
        encoding,
    )


class LimitQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many at most."""

    limit: Limit = 50


class PoisonedView(msgspec.Struct, frozen=True):
    """A record that could not be folded, and why. `payload` is text or base64, as `payload_encoding` says."""

    position: str
    partition: int
    person: str
    kind: str
    source: str
    at: str
    set_aside: str
    error: str
    payload: str
    payload_encoding: str


class PoisonedList(msgspec.Struct, frozen=True):
    """Newest first."""

    poisoned: list[PoisonedView]


async def read_poisoned(asked: Asked[LimitQuery, None]) -> PoisonedList:
    """Records that could not be folded."""
    found = await asked.app.engine.poisoned(asked.query.limit)
    names = await asked.app.catalog.source_names(each.record.source for each in found)
    views = []
    for each in found:
        record = each.record
        payload, encoding = as_text(record.payload)
        views.append(
            PoisonedView(
                str(record.position),
                record.partition,
                str(record.person),
                RecordKind(record.kind).name.lower(),
                names.get(record.source, str(record.source)),
                to_iso(record.at),
                to_iso(each.at_ms),
                each.error,
                payload,
                encoding,
            )
        )
    return PoisonedList(views)


class EffectsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one person, by number."""

    person: PositionNumber | None = None
    limit: Limit = 50


class EffectView(msgspec.Struct, frozen=True):
    """Something done in the world, or to be done. `settled` is set once it is final."""

    key: str
    kind: str
    person: str
    target: str
    state: str
    attempts: int
    cause: str
    detail: str
    created: str
    settled: str | None


class Effects(msgspec.Struct, frozen=True):
    """Newest first."""

    effects: list[EffectView]


async def read_effects(asked: Asked[EffectsQuery, None]) -> Effects:
    """Effects and what became of them."""
    query = asked.query
    person = None if query.person is None else PersonId(query.person)
    return Effects(
        [
            EffectView(
                each.key.hex(),
                each.kind,
                str(each.person),
                each.target,
                str(each.state),
                each.attempt,
                each.cause,
                each.detail,
                to_iso(each.created_ms),
                None if each.settled_ms is None else to_iso(each.settled_ms),
            )
            for each in await asked.app.engine.effects(person, query.limit)
        ]
    )


class AlarmView(msgspec.Struct, frozen=True):
    """An identifier refused to several people as being another's: likely shared, or written into some code."""

    identifier: str
    people: int
    refusals: int
    first: str
    last: str
    last_message_id: str


class Alarms(msgspec.Struct, frozen=True):
    """Most refusals first."""

    alarms: list[AlarmView]


async def read_alarms(asked: Asked[LimitQuery, None]) -> Alarms:
    """Identifiers of high degree."""
    degree = min(max(asked.app.catalog.rules().alarm_degree, 1), DEGREE_MAX)
    return Alarms(
        [
            AlarmView(
                each.identifier,
                each.people_count,
                each.refusal_count,
                to_iso(each.first_ms),
                to_iso(each.last_ms),
                each.last_message_id,
            )
            for each in await asked.app.engine.alarms(degree, asked.query.limit)
        ]
    )


class PartitionView(msgspec.Struct, frozen=True):
    """How far a partition is folded, and by whom. `lag_ms`: how long the oldest unfolded record has been waiting."""

    partition: int
    folded: str
    unfolded: int
    lag_ms: int
    owner: str | None


class Status(msgspec.Struct, frozen=True):
    """The state of the whole. `head` is the position of the last record."""

    version: str
    head: str
    people: int
    workers: int
    unfolded: int
    lag_ms: int
    catalog_version: int
    partitions: list[PartitionView]


async def read_status(asked: Asked[NoQuery, None]) -> Status:
    """How far it has come."""
    engine = asked.app.engine
    now = asked.app.clock.now_ms()
    partitions = [_partition_view(each, now) for each in await engine.status()]
    return Status(
        __version__,
        str(await engine.head()),
        await engine.person_count(),
        await engine.workers(),
        sum(each.unfolded for each in partitions),
        max((each.lag_ms for each in partitions), default=0),
        asked.app.catalog.now.version,
        partitions,
    )


def _partition_view(each: PartitionStatus, now_ms: int) -> PartitionView:
    since = each.oldest_unfolded_ms
    lag_ms = 0 if since is None else max(0, now_ms - since)
    return PartitionView(each.partition, str(each.folded), each.unfolded_count, lag_ms, each.owner)


_HEALTH = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Health"}}}}


def _open(path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    return Operation("GET", path, "operations", summary, handle, answer=answer, **more)


def _admin(path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    return Operation("GET", path, "operations", summary, handle, scope=Scope.ADMIN, answer=answer, **more)


OPERATIONS = (
    _open("/", "Say what this is and where to look.", welcome, Welcome),
    _open("/healthz", "Whether the process is alive.", health, Health),
    _open(
        "/readyz",
        "Whether requests can be answered.",
        readiness,
        Health,
        response={"200": _HEALTH, "503": _HEALTH},
    ),
    _open("/metrics", "Metrics for Prometheus.", metrics, None, response={"200": PAGE_OF_TEXT}),
    _admin(
        "/v1/counts",
        "What became of what came in, by source and hour.",
        count,
        Counts,
        query=SpanQuery,
        doc="For each: received = stored + quarantined + duplicate + suppressed.",
    ),
    _admin(
        "/v1/quarantine",
        "Rejected events, as they came, with their causes.",
        read_quarantine,
        QuarantineView,
        query=QuarantineQuery,
        codes=(Code.NOT_FOUND,),
    ),
    _admin("/v1/poisoned", "Records that could not be folded.", read_poisoned, PoisonedList, query=LimitQuery),
    _admin("/v1/effects", "Effects and what became of them.", read_effects, Effects, query=EffectsQuery),
    _admin("/v1/identity/alarms", "Identifiers that look shared.", read_alarms, Alarms, query=LimitQuery),
    _admin("/v1/status", "How far it has come.", read_status, Status),
)
