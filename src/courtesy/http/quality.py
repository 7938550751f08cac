"""The quality of what a source sends, day by day, with its causes and the events and people touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code
from courtesy.base.time import to_iso
from courtesy.http.operation import Asked, Operation
from courtesy.runtime.catalog import Scope
from courtesy.runtime.quality import KEPT_DAYS, SourceDay


class DaysQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`days`: how many, today's included."""

    days: Annotated[int, Meta(ge=1, le=KEPT_DAYS)] = 30


class ReasonView(msgspec.Struct, frozen=True):
    """Why a part is below 1. Counts are those of the sample where the events had to be looked at.

    `people` is null where they are not known; `event` and `field` are empty where it is about all of them.
    """

    part: str
    said: str
    events: int
    people: int | None
    event: str
    field: str
    message_ids: Sequence[str]


class QualityDayView(msgspec.Struct, frozen=True):
    """A UTC day; today's is judged as far as it has come.

    `score` and each of `parts` (valid, complete, fresh, unique, uniform) go from 0 to 1; null where there is nothing to
    tell it by. `standing` is `degraded` when the score fell clearly under `usual_score`, that of the last good days.
    """

    day: str
    judged: str
    received: int
    sampled: int
    score: float | None
    usual_score: float | None
    standing: str
    parts: Mapping[str, float | None]
    reasons: Sequence[ReasonView]


class QualityView(msgspec.Struct, frozen=True):
    """A source's days, oldest first; a day without anything to judge is left out."""

    source: str
    days: list[QualityDayView]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _view(told: SourceDay) -> QualityDayView:
    day = told.day
    reasons = [
        ReasonView(each.part, each.said, each.event_count, each.people_count, each.event, each.field, each.message_ids)
        for each in day.reasons
    ]
    return QualityDayView(
        to_iso(day.day_ms)[:10],
        to_iso(day.computed_ms),
        day.received_count,
        day.sampled_count,
        _rounded(day.score),
        _rounded(day.usual_score),
        day.standing,
        {part: _rounded(value) for part, value in day.parts.items()},
        reasons,
    )


async def read_quality(asked: Asked[DaysQuery, None]) -> QualityView:
    """A source's quality over time."""
    name = asked.path["name"]
    return QualityView(name, [_view(each) for each in await asked.app.quality.days(name, asked.query.days)])


OPERATIONS = (
    Operation(
        "GET",
        "/v1/sources/{name}/quality",
        "sources",
        "The quality of what a source sends, over time, and why it is no better.",
        read_quality,
        doc="Judged every few minutes by the server: exact counts, and a sample of the day's events.",
        scope=Scope.ADMIN,
        query=DaysQuery,
        answer=QualityView,
        codes=(Code.NOT_FOUND,),
        path_docs={"name": "The source's name, percent-encoded."},
    ),
)
