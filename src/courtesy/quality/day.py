"""A judged day as it is kept, and whether with it a source is as good as it was: degraded, or recovered."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from courtesy.quality.score import Reason
from courtesy.quality.usage import Usage

USUAL_DAYS = 7
USUAL_DAYS_MIN = 3
FALL = 0.10
BACK = 0.05
"""A source has degraded when its score falls by FALL under the middle one of its last good days, and recovered when it
is within BACK of it: between the two nothing changes, so that a score at the edge does not ring twice."""


class Standing(StrEnum):
    """Whether a source is as good as it was."""

    USUAL = "usual"
    DEGRADED = "degraded"


class QualityDay(msgspec.Struct, frozen=True):
    """What is known of a source's UTC day, which begins at `day_ms`; judged at `computed_ms`.

    `usual_score` is what the score is compared with, None without enough days. `told` are the drifts that were
    reported, each once a day.
    """

    day_ms: int
    computed_ms: int
    received_count: int
    sampled_count: int
    score: float | None
    parts: dict[str, float | None]
    reasons: tuple[Reason, ...]
    standing: Standing = Standing.USUAL
    usual_score: float | None = None
    told: tuple[str, ...] = ()
    usage: Usage = msgspec.field(default_factory=Usage)


def usual_score(past: Sequence[QualityDay]) -> float | None:
    """The middle score of the last good days, oldest first; None with too few. What was bad does not become usual."""
    scores = [each.score for each in past if each.score is not None and each.standing is Standing.USUAL]
    latest = sorted(scores[-USUAL_DAYS:])
    return latest[len(latest) // 2] if len(latest) >= USUAL_DAYS_MIN else None


def standing(score: float | None, usual: float | None, before: Standing) -> Standing:
    """How a source stands with a score, after it stood as `before`."""
    if score is None or usual is None:
        return before
    if score < usual - FALL:
        return Standing.DEGRADED
    return Standing.USUAL if score >= usual - BACK else before


def encode_day(day: QualityDay) -> bytes:
    """The form in which a day is kept."""
    return msgspec.json.encode(day)


def decode_day(body: bytes) -> QualityDay:
    """The inverse of `encode_day`. Raises msgspec.DecodeError on anything else."""
    return msgspec.json.decode(body, type=QualityDay)
