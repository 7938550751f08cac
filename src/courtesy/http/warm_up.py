"""How a connection warms up, over HTTP: what it may send today, what it sent, and whether it was stopped for it."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import DAY_MS, SECOND_MS
from courtesy.delivery.warm_up import ALL, Counted, Limits, WarmUp, is_braked
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.runtime.catalog import Scope


class WarmUpState(StrEnum):
    """How a plan stands. NONE: there is none. WAITING: it has not begun, and nothing leaves. RUNNING: a day has so much
    room. BRAKED: too much came back today, so nothing more leaves. OVER: as much leaves as there is."""

    NONE = "none"
    WAITING = "waiting"
    RUNNING = "running"
    BRAKED = "braked"
    OVER = "over"


class WarmDay(msgspec.Struct, frozen=True):
    """What one day (UTC) has seen: how many messages took room, and how many reports of dead addresses and complaints
    came in."""

    day: str
    taken: int
    bounced: int
    complained: int


class HostRoom(msgspec.Struct, frozen=True):
    """How many messages may leave to one host today, and how many took room."""

    room: int
    taken: int


class WarmUpView(msgspec.Struct, frozen=True):
    """A plan and how it stands. `day`: which of its days today is, from 1; null while there is none. `room`: how many
    messages may leave today, of which `taken` did or are about to; null when there is no limit. `hosts`: the same of
    hosts that have limits of their own. `days`: what each day has seen, the latest first."""

    plan: WarmUp | None
    state: WarmUpState
    day: int | None
    room: int | None
    taken: int
    bounced: int
    complained: int
    hosts: dict[str, HostRoom]
    days: list[WarmDay]


async def read_warm_up(asked: Asked[NoQuery, None]) -> WarmUpView:
    """How a connection warms up."""
    await asked.app.catalog.refresh()
    name = asked.path["name"]
    body = asked.app.catalog.now.connections.get(name)
    if body is None:
        raise CourtesyError(Code.NOT_FOUND, f"no connection named {name!r:.120}", place="name")
    seen = await asked.app.engine.warm_up_days(name)
    return _view(body.warm_up, seen, asked.app.clock.now_ms())


def _view(plan: WarmUp | None, seen: dict[int, Counted], now_ms: int) -> WarmUpView:
    today = now_ms // DAY_MS
    counted = seen.get(today, Counted({}))
    limits = None if plan is None else plan.limits(now_ms)
    number = None if plan is None or limits is None else today - plan.first_day + 1
    days = [_day(day, each) for day, each in sorted(seen.items(), reverse=True)]
    return WarmUpView(
        plan,
        _state(plan, limits, counted, number),
        number if number is not None and number > 0 else None,
        None if limits is None else limits.total,
        counted.taken.get(ALL, 0),
        counted.bounced,
        counted.complained,
        {} if limits is None else {h: HostRoom(n, counted.taken.get(h, 0)) for h, n in limits.hosts.items()},
        days,
    )


def _state(plan: WarmUp | None, limits: Limits | None, counted: Counted, number: int | None) -> WarmUpState:
    if plan is None:
        return WarmUpState.NONE
    if limits is None or number is None:
        return WarmUpState.OVER
    if number < 1:
        return WarmUpState.WAITING
    return WarmUpState.BRAKED if is_braked(limits, counted) else WarmUpState.RUNNING


def _day(day: int, seen: Counted) -> WarmDay:
    told = datetime.fromtimestamp(day * DAY_MS / SECOND_MS, UTC).date().isoformat()
    return WarmDay(told, seen.taken.get(ALL, 0), seen.bounced, seen.complained)


OPERATIONS = (
    Operation(
        "GET",
        "/v1/connections/{name}/warm-up",
        "sending",
        "How a connection warms up.",
        read_warm_up,
        doc="What its plan says of today, and what each day has seen.",
        scope=Scope.ADMIN,
        answer=WarmUpView,
        codes=(Code.NOT_FOUND,),
        path_docs={"name": "Its name, percent-encoded."},
    ),
)
