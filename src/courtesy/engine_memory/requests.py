"""Requests of people in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from msgspec.structs import replace

from courtesy.base.ids import PersonId
from courtesy.consent.request import PENDING
from courtesy.engine.request import NewRequest, Request, RequestCount, RequestFilter, RequestLine, RequestPlace

EMPTY_DETAILS = b"{}"


class Requests:
    """Requests by number, from 1, each with its log."""

    def __init__(self) -> None:
        self._known: dict[int, Request] = {}
        self._sameness: dict[int, bytes] = {}
        self._logs: dict[int, list[RequestLine]] = {}

    def open(self, new: NewRequest, line: RequestLine) -> tuple[Request, bool]:
        """Keep a request, unless one is pending that asks the same."""
        for each in self._known.values():
            if each.state in PENDING and each.person in new.people and self._sameness[each.number] == new.sameness:
                return each, False
        number = len(self._known) + 1
        request = Request(
            number, new.kind, new.state, new.people[0], new.identifier, new.hashes, bytes(new.details), new.law,
            new.source, new.received_ms, new.due_ms, new.extended_due_ms,
        )  # fmt: skip
        self._known[number] = request
        self._sameness[number] = new.sameness
        self._logs[number] = [line]
        return request, True

    def get(self, number: int) -> Request | None:
        """One request."""
        return self._known.get(number)

    def found(self, which: RequestFilter, after: RequestPlace | None, limit: int) -> list[Request]:
        """Requests in order."""
        ordered = sorted(self._known.values(), key=_place)
        return [each for each in ordered if (after is None or _place(each) > after) and _is_in(each, which)][:limit]

    def change(self, known: Request, changed: Request, line: RequestLine) -> bool:
        """Change a request that is as it is known."""
        now = self._known.get(known.number)
        if now is None or (now.state, now.due_ms, now.identifier) != (known.state, known.due_ms, known.identifier):
            return False
        self._known[known.number] = replace(
            now,
            state=changed.state,
            due_ms=changed.due_ms,
            is_extended=changed.is_extended,
            settled_ms=changed.settled_ms,
            is_overdue_told=changed.is_overdue_told,
        )
        self.add_line(known.number, line)
        return True

    def add_line(self, number: int, line: RequestLine) -> None:
        """Add to a log."""
        self._logs[number].append(line)

    def log(self, number: int) -> list[RequestLine]:
        """The log of a request."""
        return list(self._logs.get(number, ()))

    def counts(self, now_ms: int) -> list[RequestCount]:
        """How many are pending, and late."""
        pending = [each for each in self._known.values() if each.state in PENDING]
        all_ = Counter(each.kind for each in pending)
        late = Counter(each.kind for each in pending if each.due_ms <= now_ms)
        return [RequestCount(kind, all_[kind], late[kind]) for kind in sorted(all_)]

    def forget(
        self,
        people: Collection[PersonId],
        identifiers: Collection[str],
        owner_of: Callable[[str], PersonId | None],
    ) -> None:
        """Empty what these people asked, but what somebody else asked by an identifier that is theirs by now."""
        for number, each in self._known.items():
            if each.identifier is None:
                continue
            owner = owner_of(each.identifier)
            is_theirs = each.person in people and (owner is None or owner in people)
            if is_theirs or each.identifier in identifiers:
                self._known[number] = replace(each, person=None, identifier=None, details=EMPTY_DETAILS)
                self._sameness[number] = b""
                self._logs[number] = [replace(line, note="") for line in self._logs[number]]


def _place(request: Request) -> RequestPlace:
    return RequestPlace(request.due_ms, request.number)


def _is_in(request: Request, which: RequestFilter) -> bool:
    is_anybodys = which.people is None and which.hash is None
    return (
        (which.states is None or request.state in which.states)
        and which.kind in (None, request.kind)
        and (which.due_before_ms is None or request.due_ms < which.due_before_ms)
        and (is_anybodys or request.person in (which.people or ()) or which.hash in request.hashes)
    )
