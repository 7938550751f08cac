"""What a store keeps of requests of people: who asked for what, by when it is due, and what became of it.

The promises that hold for every engine:

- **Asked twice is one request.** While a request is pending no other is opened that asks the same for the same person.
- **A change is made on what is known.** `change_request` changes a request only if it still is as the caller knows it,
  together with the line of the log that tells of it. Lines are only ever added.
- **An erasure empties requests too**, in its own transaction: of a forgotten person the number, the kind, the instants
  and who handled it stay, with the salted hashes by which the person can be told that it was done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import msgspec

from courtesy.base.ids import PersonId
from courtesy.consent.request import RequestKind, RequestState


class NewRequest(msgspec.Struct, frozen=True, gc=False):
    """A request as it comes in: of whom (`people`: all who are known to be one, themselves first), asked by an
    `identifier` of theirs. `hashes`: the suppression hashes of their identifiers. `sameness`: equal for requests of one
    person that ask for the same. `details`: as JSON. `law` and `source`: who says by when, and where. Instants are ms
    UTC; `extended_due_ms` is None when it can't be put off."""

    kind: RequestKind
    state: RequestState
    people: tuple[PersonId, ...]
    identifier: str
    hashes: tuple[bytes, ...]
    sameness: bytes
    details: bytes
    law: str
    source: str
    received_ms: int
    due_ms: int
    extended_due_ms: int | None


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request as it stands.

    `person` and `identifier` are None, and `details` empty, once they are forgotten. `due_ms` is that in force, after
    an extension the later one. `settled_ms`: when it was fulfilled or refused, None while it is pending.
    `is_overdue_told`: whether it was reported that it is late.
    """

    number: int
    kind: RequestKind
    state: RequestState
    person: PersonId | None
    identifier: str | None
    hashes: tuple[bytes, ...]
    details: bytes
    law: str
    source: str
    received_ms: int
    due_ms: int
    extended_due_ms: int | None
    is_extended: bool = False
    settled_ms: int | None = None
    is_overdue_told: bool = False


class RequestLine(msgspec.Struct, frozen=True, gc=False):
    """A line of a request's log: when (ms UTC), who did what, and why. Of a forgotten person the notes are empty."""

    at_ms: int
    by: str
    what: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests: in these states, of that kind, due before an instant (ms UTC), and of any of these people or with
    that hash, as far as they are given."""

    states: frozenset[RequestState] | None = None
    kind: RequestKind | None = None
    due_before_ms: int | None = None
    people: frozenset[PersonId] | None = None
    hash: bytes | None = None


class RequestPlace(NamedTuple):
    """Where a request stands among all, which are in order of when they are due, and of their numbers."""

    due_ms: int
    number: int


class RequestCount(NamedTuple):
    """How many requests of a kind are pending, and how many of those are late."""

    kind: RequestKind
    pending_count: int
    overdue_count: int


class RequestStore(Protocol):
    """The side of an engine that keeps requests."""

    async def open_request(self, new: NewRequest, line: RequestLine) -> tuple[Request, bool]:
        """Keep a request under a number of its own, and True; or the pending one that asks the same, and False."""
        ...

    async def request(self, number: int) -> Request | None:
        """One request; None when there is none of that number."""
        ...

    async def requests(self, which: RequestFilter, after: RequestPlace | None, limit: int) -> list[Request]:
        """Requests in order, after a place if given, at most `limit`."""
        ...

    async def change_request(self, known: Request, changed: Request, line: RequestLine) -> bool:
        """Change the state, the deadline and what else of a request does not come from the person, and add a line.
        False, and nothing done, when its state or its deadline is not as it is known, or it was forgotten since."""
        ...

    async def add_request_line(self, number: int, line: RequestLine) -> None:
        """Add a line to the log of a request that there is."""
        ...

    async def request_log(self, number: int) -> Sequence[RequestLine]:
        """The log of a request, oldest first; empty when there is none of that number."""
        ...

    async def request_counts(self, now_ms: int) -> list[RequestCount]:
        """How many are pending at an instant and late, by kind; only kinds of which some are."""
        ...
