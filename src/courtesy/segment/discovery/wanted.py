"""What is looked for in a discovery."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

DEPTH_MAX = 3


class Direction(StrEnum):
    """Whether groups are looked for that have the outcome more often than everybody, less often, or either."""

    MORE = "more"
    LESS = "less"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Micro-segments of up to `depth` conditions and of `least_people` at least, up to `limit` of them. `false_share`:
    how many of them may be false, on average."""

    depth: int = DEPTH_MAX
    least_people: int = 50
    direction: Direction = Direction.BOTH
    limit: int = 20
    false_share: float = 0.05
    seed: int = 0
