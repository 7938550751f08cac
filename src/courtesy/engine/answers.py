"""How often questions were asked and answered, over all people: what an engine keeps of that. It names nobody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

ASKED_COUNT, ANSWERED_COUNT, DECLINED_COUNT = "asked", "answered", "declined"
LABEL = "="
"""Before what was answered."""


class AnswerCount(NamedTuple):
    """How often something came of a question. `what`: asked, answered, declined, or `=` and the answer."""

    question: str
    what: str
    times: int


class AnswerCounting(Protocol):
    """The part of an engine that counts answers."""

    async def count_answers(self, counts: Sequence[AnswerCount]) -> None:
        """Add to the counts, all or none. Calling again adds again."""
        ...

    async def answer_counts(self) -> list[AnswerCount]:
        """All counts, by question and what came of it."""
        ...
