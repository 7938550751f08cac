"""Days to be judged: events as a source sends them, and what is known of earlier days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from courtesy.event.cause import Cause
from courtesy.quality.score import Judgement, Observed, Part, Reason, judge
from courtesy.quality.usage import Sample, Usage, usage_of
from courtesy.schema.event_schema import EventCheck, EventSchema, compile_schema, subject

ORDER = {"order_id": "o-1", "total": 10, "email": "ann@example.com"}


def sample(number: int, value: Mapping[str, Any] = ORDER, name: str = "Bought", delay_ms: int | None = 0) -> Sample:
    """One event, of one of ten people."""
    return Sample(number % 10, f"m{number}", name, value, delay_ms)


def samples(count: int, value: Mapping[str, Any] = ORDER, **more: Any) -> list[Sample]:
    """Events all alike."""
    return [sample(number, value, **more) for number in range(count)]


def usual(count: int = 500, value: Mapping[str, Any] = ORDER, **more: Any) -> Usage:
    """What earlier days have shown."""
    return usage_of(samples(count, value, **more))


def day(some: Sequence[Sample], others: Mapping[Cause, int] | None = None, **more: Any) -> Observed:
    """A day on which these events were stored."""
    return Observed(more.pop("stored", len(some)), others or {}, some, **more)


def judged(some: Sequence[Sample], others: Mapping[Cause, int] | None = None, **more: Any) -> Judgement:
    """What is made of such a day."""
    return judge(day(some, others, **more))


def reasons(judgement: Judgement, part: Part) -> list[Reason]:
    """Why a part is below 1."""
    return [each for each in judgement.reasons if each.part is part]


def check(schema: dict[str, Any], name: str = "shop/Bought") -> dict[str, EventCheck]:
    """The checks of a source with one schema."""
    about = subject(name)
    return {about.event: EventCheck(about, 1, EventSchema(schema), compile_schema(schema))}
