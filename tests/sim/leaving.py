"""What was seen of permits and of what left: what was issued when, what was sent on it, what audits say."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from courtesy.base.ids import PersonId, Position
from courtesy.engine.permit import JudgedSend, NewPermit, Permit
from courtesy.runtime.permits import Ask


class Issued(NamedTuple):
    """A permit as the store issued it. `head`: how far the log reached then, by the simulator's own count; `now_ms`:
    the store's clock; `owner`: who had the identifier that it was asked for."""

    asked: NewPermit
    permit: Permit
    head: Position
    now_ms: int
    owner: PersonId | None


@dataclass(slots=True)
class Left:
    """A message that left: by which identifier, to whom; the ask on which it left, and the permit if there was one.

    `at_ms` is by the server's clock; `head`: how far the log reached then. `judged`: what the audit said of it, each
    time that it was told.
    """

    key: str
    person: PersonId | None
    head: Position
    message: str
    channel: str
    message_hash: bytes | None
    at_ms: int
    ask: Ask
    permit: Permit | None
    judged: list[JudgedSend] = field(default_factory=list)


class Probe(NamedTuple):
    """A question at rest, and whether a permit was issued; `why` says why not."""

    person: PersonId
    purpose: str
    channel: str
    now_ms: int
    granted: bool
    why: str


class Leaving:
    """All permits and sends of a run."""

    def __init__(self) -> None:
        self.issued: list[Issued] = []
        self.answered: list[Permit] = []
        self.left: list[Left] = []
        self.refused_count = 0
