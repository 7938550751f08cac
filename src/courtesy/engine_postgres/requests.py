"""Requests of people in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.consent.request import PENDING, RequestKind, RequestState
from courtesy.engine.request import NewRequest, Request, RequestCount, RequestFilter, RequestLine, RequestPlace
from courtesy.engine_postgres.connection import Connected, Connection

_COLUMNS = """number, kind, state, person_id, identifier, hashes, details, law, source, received, due, extended_due,
    extended, settled, overdue_told"""
_PENDING_SAME = f"""
SELECT {_COLUMNS} FROM request
WHERE person_id = ANY(%s::bigint[]) AND sameness = %s AND state = ANY(%s) ORDER BY number LIMIT 1
"""
_PUT = f"""
INSERT INTO request (kind, state, person_id, identifier, hashes, sameness, details, law, source, received, due,
    extended_due)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
RETURNING {_COLUMNS}
"""
_REQUEST = f"SELECT {_COLUMNS} FROM request WHERE number = %s"
_REQUESTS = f"""
SELECT {_COLUMNS} FROM request WHERE (due, number) > (%(after_ms)s, %(after)s)
"""
# Only those that are asked for, so that each finds its index.
_CONDITIONS = {
    "states": " AND state = ANY(%(states)s)",
    "kind": " AND kind = %(kind)s",
    "due_before": " AND due < %(due_before)s",
}
_THEIRS = " AND (person_id = ANY(%(people)s::bigint[]) OR hashes @> ARRAY[%(hash)s::bytea])"
_IN_ORDER = " ORDER BY due, number LIMIT %(limit)s"
_CHANGE = """
UPDATE request SET state = %(state)s, due = %(due)s, extended = %(extended)s, settled = %(settled)s,
    overdue_told = %(told)s
WHERE number = %(number)s AND state = %(known_state)s AND due = %(known_due)s
  AND identifier IS NOT DISTINCT FROM %(identifier)s::text
RETURNING number
"""
_ADD_LINE = "INSERT INTO request_log (request, at, made_by, what, note) VALUES (%s, %s, %s, %s, %s)"
_LOG = "SELECT at, made_by, what, note FROM request_log WHERE request = %s ORDER BY place"
_COUNTS = """
SELECT kind, count(*), count(*) FILTER (WHERE due <= %s) FROM request WHERE state = ANY(%s) GROUP BY kind ORDER BY kind
"""
# What somebody else asked for by an identifier that is theirs by now stays theirs.
_FORGOTTEN = """
    SELECT number FROM request WHERE identifier = ANY(%(identifiers)s::text[]) OR person_id = ANY(%(people)s::bigint[])
      AND NOT EXISTS (SELECT FROM identifier WHERE identifier.identifier = request.identifier
        AND identifier.person_id <> ALL(%(people)s::bigint[]))
"""
FORGET_IN_REQUESTS = (
    f"UPDATE request_log SET note = '' WHERE request IN ({_FORGOTTEN})",
    "UPDATE request SET person_id = NULL, identifier = NULL, sameness = '', details = '{}'"
    f" WHERE number IN ({_FORGOTTEN})",
)
"""What erasing people takes here: who they are and what they wrote. That they asked, and what was done, stays."""

_PENDING = sorted(PENDING)
Row = tuple[Any, ...]


class Requests(Connected):
    """The engine's side of requests."""

    async def open_request(self, new: NewRequest, line: RequestLine) -> tuple[Request, bool]:
        async with self._transaction() as connection:
            # They come rarely; one at a time, two that ask the same can't miss each other.
            await connection.execute("LOCK TABLE request IN SHARE ROW EXCLUSIVE MODE")
            asked = (list(new.people), new.sameness, _PENDING)
            row = await (await connection.execute(_PENDING_SAME, asked, binary=True)).fetchone()
            if row is not None:
                return _request(row), False
            row = await (await connection.execute(_PUT, _row(new), binary=True)).fetchone()
            assert row is not None, "what is put comes back"
            await _add_line(connection, row[0], line)
            return _request(row), True

    async def request(self, number: int) -> Request | None:
        rows = await self._rows(_REQUEST, number)
        return _request(rows[0]) if rows else None

    async def requests(self, which: RequestFilter, after: RequestPlace | None, limit: int) -> list[Request]:
        given: dict[str, Any] = {
            "after_ms": -1 if after is None else after.due_ms,
            "after": -1 if after is None else after.number,
            "states": None if which.states is None else sorted(which.states),
            "kind": which.kind,
            "due_before": which.due_before_ms,
            "people": sorted(which.people or ()),
            "hash": which.hash,
            "limit": limit,
        }
        text = _REQUESTS + "".join(_CONDITIONS[name] for name in _CONDITIONS if given[name] is not None)
        if which.people is not None or which.hash is not None:
            text += _THEIRS
        async with self._connection() as connection:
            rows = await (await connection.execute(text + _IN_ORDER, given, binary=True)).fetchall()
        return [_request(row) for row in rows]

    async def change_request(self, known: Request, changed: Request, line: RequestLine) -> bool:
        given = {
            "number": known.number,
            "known_state": known.state,
            "known_due": known.due_ms,
            "identifier": known.identifier,
            "state": changed.state,
            "due": changed.due_ms,
            "extended": changed.is_extended,
            "settled": changed.settled_ms,
            "told": changed.is_overdue_told,
        }
        async with self._transaction() as connection:
            if await (await connection.execute(_CHANGE, given)).fetchone() is None:
                return False
            await _add_line(connection, known.number, line)
        return True

    async def add_request_line(self, number: int, line: RequestLine) -> None:
        async with self._transaction() as connection:
            await _add_line(connection, number, line)

    async def request_log(self, number: int) -> Sequence[RequestLine]:
        rows = await self._rows(_LOG, number)
        return [RequestLine(*row) for row in rows]

    async def request_counts(self, now_ms: int) -> list[RequestCount]:
        rows = await self._rows(_COUNTS, now_ms, _PENDING)
        return [RequestCount(RequestKind(kind), pending, overdue) for kind, pending, overdue in rows]


async def _add_line(connection: Connection, number: int, line: RequestLine) -> None:
    await connection.execute(_ADD_LINE, (number, line.at_ms, line.by, line.what, line.note))


def _row(new: NewRequest) -> Row:
    return (
        new.kind, new.state, new.people[0], new.identifier, list(new.hashes), new.sameness, new.details, new.law,
        new.source, new.received_ms, new.due_ms, new.extended_due_ms,
    )  # fmt: skip


def _request(row: Row) -> Request:
    number, kind, state, person, identifier, hashes, details, *rest = row
    return Request(
        number,
        RequestKind(kind),
        RequestState(state),
        None if person is None else PersonId(person),
        identifier,
        tuple(map(bytes, hashes)),
        bytes(details),
        *rest,
    )
