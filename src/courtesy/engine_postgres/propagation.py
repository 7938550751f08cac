"""Propagation in PostgreSQL: subjects that are claimed and settled, with the receipts of what they were told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.engine.propagation import (
    GONE,
    AttemptEnd,
    Change,
    ChangeKind,
    ClaimedSubject,
    Cursor,
    Ended,
    IdentityChange,
    Receipt,
    ReceiptFilter,
    ReceiptState,
    Tally,
)
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.identity.repair import Erasure

_START = """
INSERT INTO propagation_cursor (recipient, entry, merge, repair, began)
SELECT %s, CASE WHEN %s THEN 0 ELSE ledger_size END,
    (SELECT coalesce(max(number), 0) FROM merge), (SELECT coalesce(max(number), 0) FROM repair), ledger_size
FROM log_head ON CONFLICT DO NOTHING RETURNING 1
"""
_MERGES = "SELECT number, loser, survivor FROM merge WHERE number > %s ORDER BY number LIMIT %s"
# Who was cut off is found by what the correction moved and undid; another one of the same instant does no harm.
_REPAIRS = """
SELECT number, ARRAY[person_id]
    || ARRAY(SELECT unnest(ARRAY[loser, survivor]) FROM merge WHERE undone = repair.at OR recorded = repair.at)
    || ARRAY(SELECT unnest(ARRAY[appended_for, person_id]) FROM moved WHERE at = repair.at)
FROM repair WHERE number > %s ORDER BY number LIMIT %s
"""
_MOVE = """
UPDATE propagation_cursor SET entry = %s, merge = %s, repair = %s, began = %s
WHERE recipient = %s AND entry = %s AND merge = %s AND repair = %s AND began = %s
"""
_HOLD = "SELECT FROM propagation_cursor WHERE recipient = %s FOR KEY SHARE"
# Somebody who is erased has no identifier and is part of nobody.
_PUT_SUBJECTS = """
INSERT INTO propagation_subject AS known (recipient, subject, person_id, urgent, next_at)
SELECT %(recipient)s, min(given.subject), given.person_id, bool_or(given.urgent), %(now)s::bigint
FROM unnest(%(people)s::bigint[], %(subjects)s::bytea[], %(urgent)s::bool[]) AS given (person_id, subject, urgent)
WHERE EXISTS (SELECT FROM identifier WHERE identifier.person_id = given.person_id)
   OR EXISTS (SELECT FROM merged_person WHERE merged_person.person_id = given.person_id)
GROUP BY given.person_id ORDER BY min(given.subject)
ON CONFLICT (recipient, person_id) DO UPDATE SET urgent = known.urgent OR excluded.urgent,
    next_at = CASE WHEN known.claimed THEN known.next_at ELSE least(known.next_at, excluded.next_at) END
"""
_PUT_RECEIPTS = """
INSERT INTO propagation (recipient, subject, kind, urgent, version, entry, request, queued, since)
SELECT %(recipient)s, known.subject, given.kind, given.urgent, given.version, given.entry, given.request,
    %(now)s::bigint, %(now)s::bigint
FROM unnest(%(people)s::bigint[], %(kinds)s::text[], %(urgent)s::bool[], %(versions)s::bigint[], %(entries)s::bigint[],
    %(requests)s::text[]) WITH ORDINALITY AS given (person_id, kind, urgent, version, entry, request, place)
JOIN propagation_subject AS known ON known.recipient = %(recipient)s AND known.person_id = given.person_id
ORDER BY given.place
"""
# One statement, as there is one for each call that ends.
_CLAIM = """
WITH claimed AS (
    UPDATE propagation_subject SET claimed = true, attempt = attempt + 1, next_at = %s
    WHERE recipient = %s AND subject IN (
        SELECT subject FROM propagation_subject WHERE recipient = %s AND urgent = %s AND next_at <= %s
        ORDER BY next_at, subject LIMIT %s FOR UPDATE SKIP LOCKED
    )
    RETURNING recipient, subject, person_id, attempt, tries, find_by
), sent AS (
    UPDATE propagation SET sent = coalesce(sent, %s), attempts = attempts + 1,
        state = CASE state WHEN 'queued' THEN 'sent' ELSE state END
    FROM (SELECT recipient, subject FROM claimed) AS now_claimed
    WHERE propagation.recipient = now_claimed.recipient AND propagation.subject = now_claimed.subject AND is_open
    RETURNING propagation.subject
)
SELECT subject, person_id, attempt, tries, find_by, subject IN (SELECT subject FROM sent) FROM claimed
"""
_ENDS = """
unnest(%(recipients)s::text[], %(subjects)s::bytea[], %(attempts)s::bigint[], %(versions)s::bigint[], %(at)s::bigint[],
    %(states)s::text[], %(accepted)s::bool[], %(errors)s::text[], %(read_back)s::text[], %(next)s::bigint[])
    AS given (recipient, subject, attempt, version, at, state, accepted, error, read_back, next_at)
"""
_OWN_ATTEMPTS = f"""
SELECT known.recipient, known.subject, attempt
FROM propagation_subject AS known JOIN {_ENDS} USING (recipient, subject, attempt)
ORDER BY known.recipient, known.subject FOR UPDATE OF known
"""
# Without a state, what is under way goes on.
_END = f"""
UPDATE propagation AS receipt SET is_open = given.state IS NULL, error = given.error, read_back = given.read_back,
    state = coalesce(given.state, CASE WHEN given.accepted THEN 'accepted' ELSE receipt.state END),
    accepted = CASE WHEN given.accepted THEN coalesce(receipt.accepted, given.at) ELSE receipt.accepted END,
    verified = CASE given.state WHEN 'verified' THEN given.at ELSE receipt.verified END,
    escalated = CASE given.state WHEN 'escalated' THEN given.at ELSE receipt.escalated END
FROM {_ENDS}
WHERE receipt.recipient = given.recipient AND receipt.subject = given.subject AND receipt.version <= given.version
  AND (receipt.is_open OR receipt.state = 'escalated' AND given.state <> 'escalated')
RETURNING receipt.recipient, receipt.subject, kind, urgent, queued, given.state IS NOT NULL
"""
_REST = f"""
UPDATE propagation_subject AS known SET claimed = false,
    tries = CASE WHEN given.state IS NULL THEN tries + 1 ELSE 0 END,
    urgent = coalesce(rest.urgent, false),
    next_at = CASE WHEN rest.urgent IS NOT NULL AND given.state IS NOT NULL THEN given.at ELSE given.next_at END
FROM {_ENDS} CROSS JOIN LATERAL (
    SELECT bool_or(open.urgent) AS urgent FROM propagation AS open
    WHERE open.recipient = given.recipient AND open.subject = given.subject AND is_open
) AS rest
WHERE known.recipient = given.recipient AND known.subject = given.subject
"""
_FORGET = (
    "UPDATE propagation SET subject = NULL WHERE recipient = %s AND subject = %s",
    "DELETE FROM propagation_subject WHERE recipient = %s AND subject = %s",
)
# Subjects before receipts, and in order, wherever several are locked: so nobody waits for who waits for them.
_LOCK_OVERDUE = """
SELECT FROM propagation_subject WHERE recipient = %(recipient)s AND subject IN (
    SELECT subject FROM propagation WHERE recipient = %(recipient)s AND is_open AND since <= %(before)s
) ORDER BY subject FOR UPDATE
"""
_OVERDUE = """
UPDATE propagation SET is_open = false, state = 'escalated', escalated = %(now)s,
    error = CASE error WHEN '' THEN 'not confirmed in time' ELSE error END
WHERE recipient = %(recipient)s AND is_open AND since <= %(before)s
RETURNING kind, urgent, queued, subject
"""
_LET_REST = """
UPDATE propagation_subject AS known SET urgent = false, tries = 0,
    next_at = CASE WHEN person_id IS NULL THEN NULL ELSE %(next)s::bigint END
WHERE recipient = %(recipient)s AND subject = ANY(%(subjects)s::bytea[]) AND NOT claimed
  AND NOT EXISTS (SELECT FROM propagation AS open
      WHERE open.recipient = known.recipient AND open.subject = known.subject AND open.is_open)
"""
_RETRY = """
WITH again AS (
    UPDATE propagation SET is_open = true, state = 'queued', escalated = NULL, since = %(now)s
    WHERE recipient = %(recipient)s AND state = 'escalated' AND subject IS NOT NULL
      AND (%(numbers)s::bigint[] IS NULL OR number = ANY(%(numbers)s::bigint[]))
    RETURNING subject, urgent
), due AS (
    UPDATE propagation_subject AS known SET tries = 0, urgent = known.urgent OR given.urgent,
        next_at = CASE WHEN claimed THEN next_at ELSE %(now)s END
    FROM (SELECT subject, bool_or(urgent) AS urgent FROM again GROUP BY subject) AS given
    WHERE known.recipient = %(recipient)s AND known.subject = given.subject
)
SELECT count(*) FROM again
"""
_RECEIPTS = """
SELECT number, recipient, known.person_id, kind, receipt.urgent, state, entry, request, queued, sent, accepted,
    verified, escalated, attempts, error, read_back
FROM propagation AS receipt LEFT JOIN propagation_subject AS known USING (recipient, subject)
WHERE (%(before)s::bigint IS NULL OR number < %(before)s)
"""
# Only those that are asked for, so that each finds its index.
_CONDITIONS = {
    "recipient": " AND receipt.recipient = %(recipient)s",
    "state": " AND state = %(state)s",
    "request": " AND request = %(request)s",
    "people": " AND known.person_id = ANY(%(people)s::bigint[])",
}


class Propagation(Connected):
    """The engine's side of propagation."""

    async def start_propagation(self, recipient: str, *, from_start: bool) -> None:
        await self._rows(_START, recipient, from_start)

    async def stop_propagation(self, recipient: str, now_ms: int) -> list[Ended]:
        given: dict[str, Any] = {"recipient": recipient, "before": now_ms, "now": now_ms, "next": None}
        async with self._transaction() as connection:
            await connection.execute("DELETE FROM propagation_cursor WHERE recipient = %s", (recipient,))
            return await _given_up(connection, given)

    async def propagation_cursor(self, recipient: str) -> Cursor | None:
        rows = await self._rows(
            "SELECT entry, merge, repair, began FROM propagation_cursor WHERE recipient = %s", recipient
        )
        return Cursor(*rows[0]) if rows else None

    async def identity_changes(self, after: Cursor, limit: int) -> list[IdentityChange]:
        merges = await self._rows(_MERGES, after.merge, limit)
        repairs = await self._rows(_REPAIRS, after.repair, limit)
        last = merges[-1][0] if merges else after.merge
        return [
            *(IdentityChange(frozenset(map(PersonId, two)), number, after.repair) for number, *two in merges),
            *(IdentityChange(frozenset(map(PersonId, people)), last, number) for number, people in repairs),
        ]

    async def roots(self, people: Collection[PersonId]) -> dict[PersonId, PersonId]:
        rows = await self._rows(
            "SELECT person_id, root FROM merged_person WHERE person_id = ANY(%b::bigint[])", list(people)
        )
        return {person: person for person in people} | {PersonId(person): PersonId(root) for person, root in rows}

    async def subjects(self, recipient: str, people: Collection[PersonId]) -> dict[PersonId, bytes]:
        rows = await self._rows(
            "SELECT person_id, subject FROM propagation_subject WHERE recipient = %s AND person_id = ANY(%b::bigint[])",
            recipient,
            list(people),
        )
        return {PersonId(person): subject for person, subject in rows}

    async def queue_changes(
        self, recipient: str, changes: Sequence[Change], now_ms: int, moved: tuple[Cursor, Cursor] | None = None
    ) -> bool:
        async with self._transaction() as connection:
            if moved is None:
                held = await connection.execute(_HOLD, (recipient,))
            else:
                held = await connection.execute(_MOVE, (*moved[1], recipient, *moved[0]))
            if held.rowcount != 1:
                return False
            if changes:
                given = _columns(recipient, changes, now_ms)
                await connection.execute(_PUT_SUBJECTS, given)
                await connection.execute(_PUT_RECEIPTS, given)
        return True

    async def claim_subjects(
        self, recipient: str, now_ms: int, ttl_ms: int, limit: int, *, urgent: bool
    ) -> list[ClaimedSubject]:
        rows = await self._rows(_CLAIM, now_ms + ttl_ms, recipient, recipient, urgent, now_ms, limit, now_ms)
        return [
            ClaimedSubject(subject, None if person is None else PersonId(person), attempt, tries, tuple(find_by), has)
            for subject, person, attempt, tries, find_by, has in rows
        ]

    async def end_attempts(self, ended: Sequence[AttemptEnd]) -> list[list[Ended] | None]:
        async with self._transaction() as connection:
            rows = await (await connection.execute(_OWN_ATTEMPTS, _end_columns(ended), binary=True)).fetchall()
            last = {(recipient, subject): attempt for recipient, subject, attempt in rows}
            own = [each for each in ended if last.get((each.recipient, each.subject)) == each.attempt]
            found: dict[tuple[str, bytes], list[Ended]] = {(each.recipient, each.subject): [] for each in own}
            if own:
                given = _end_columns(own)
                rows = await (await connection.execute(_END, given, binary=True)).fetchall()
                await connection.execute(_REST, given)
                for recipient, subject, kind, urgent, queued, has_ended in rows:
                    if has_ended:
                        found[recipient, subject].append(Ended(ChangeKind(kind), urgent, queued))
            for each in own:
                for text in _FORGET if each.forgets else ():
                    await connection.execute(text, (each.recipient, each.subject))
        return [found[each.recipient, each.subject] if each in own else None for each in ended]

    async def escalate_overdue(
        self, recipient: str, queued_before_ms: int, now_ms: int, next_ms: int | None
    ) -> list[Ended]:
        given: dict[str, Any] = {"recipient": recipient, "before": queued_before_ms, "now": now_ms, "next": next_ms}
        async with self._transaction() as connection:
            return await _given_up(connection, given)

    async def retry_receipts(self, recipient: str, numbers: Collection[int] | None, now_ms: int) -> int:
        given = {"recipient": recipient, "numbers": None if numbers is None else list(numbers), "now": now_ms}
        async with self._connection() as connection:
            ((count,),) = await (await connection.execute(_RETRY, given, binary=True)).fetchall()
        return int(count)

    async def receipts(self, which: ReceiptFilter, before: int | None, limit: int) -> list[Receipt]:
        given: dict[str, Any] = {
            "before": before,
            "limit": limit,
            "recipient": which.recipient,
            "state": None if which.state is None else str(which.state),
            "request": which.request,
            "people": None if which.people is None else list(which.people),
        }
        text = _RECEIPTS + "".join(part for name, part in _CONDITIONS.items() if given[name] is not None)
        async with self._connection() as connection:
            cursor = await connection.execute(f"{text} ORDER BY number DESC LIMIT %(limit)s", given, binary=True)
            return [_receipt(row) for row in await cursor.fetchall()]

    async def tallies(self) -> list[Tally]:
        rows = await self._rows(
            "SELECT recipient, state, count(*), min(queued) FROM propagation GROUP BY recipient, state"
            " ORDER BY recipient, state"
        )
        return [Tally(recipient, ReceiptState(state), count, oldest) for recipient, state, count, oldest in rows]


async def _given_up(connection: Connection, given: Mapping[str, Any]) -> list[Ended]:
    await connection.execute(_LOCK_OVERDUE, given)
    rows = await (await connection.execute(_OVERDUE, given, binary=True)).fetchall()
    if rows:
        await connection.execute(_LET_REST, {**given, "subjects": list({row[3] for row in rows})})
    return [Ended(ChangeKind(kind), urgent, queued) for kind, urgent, queued, _ in rows]


def _end_columns(ended: Sequence[AttemptEnd]) -> dict[str, Any]:
    return {
        "recipients": [each.recipient for each in ended],
        "subjects": [each.subject for each in ended],
        "attempts": [each.attempt for each in ended],
        "versions": [each.version for each in ended],
        "at": [each.at_ms for each in ended],
        "states": [None if each.end is None else str(each.end) for each in ended],
        "accepted": [each.accepted for each in ended],
        "errors": [each.error for each in ended],
        "read_back": [each.read_back for each in ended],
        "next": [each.next_ms for each in ended],
    }


def _columns(recipient: str, changes: Sequence[Change], now_ms: int) -> dict[str, Any]:
    people, subjects, kinds, urgent, versions, entries, requests = (
        list(column) for column in zip(*changes, strict=True)
    )
    return {
        "recipient": recipient,
        "now": now_ms,
        "people": people,
        "subjects": subjects,
        "kinds": [str(kind) for kind in kinds],
        "urgent": urgent,
        "versions": versions,
        "entries": entries,
        "requests": requests,
    }


def _receipt(row: tuple[Any, ...]) -> Receipt:
    number, recipient, person, kind, urgent, state, *rest = row
    known = None if person is None else PersonId(person)
    return Receipt(number, recipient, known, ChangeKind(kind), urgent, ReceiptState(state), *rest)


_LOCKS = (
    "SELECT FROM propagation_cursor ORDER BY recipient FOR UPDATE",
    "SELECT FROM propagation_subject WHERE person_id = ANY(%(people)s::bigint[]) ORDER BY subject FOR UPDATE",
)
_OF_THEM = "SELECT recipient, subject FROM propagation_subject WHERE person_id = ANY(%(people)s::bigint[])"
# Nothing ever left for those of whom no attempt was made, or whose recipient is not told of erasures.
_NOT_TOLD = f"({_OF_THEM} AND (attempt = 0 OR recipient <> ALL(%(recipients)s::text[])))"
_FORGET_PEOPLE = (
    f"DELETE FROM propagation WHERE is_open AND (recipient, subject) IN {_NOT_TOLD}",
    f"UPDATE propagation SET subject = NULL WHERE (recipient, subject) IN {_NOT_TOLD}",
    f"DELETE FROM propagation_subject WHERE (recipient, subject) IN {_NOT_TOLD}",
    f"UPDATE propagation SET error = '', read_back = '', request = '' WHERE (recipient, subject) IN ({_OF_THEM})",
    f"""INSERT INTO propagation (recipient, subject, kind, urgent, version, request, queued, since)
        SELECT recipient, subject, 'erasure', true, {GONE}, %(request)s, %(at)s, %(at)s
        FROM ({_OF_THEM}) AS theirs ORDER BY recipient, subject""",
    """UPDATE propagation_subject SET person_id = NULL, urgent = true, tries = 0,
        next_at = CASE WHEN claimed THEN next_at ELSE %(at)s END
        WHERE person_id = ANY(%(people)s::bigint[])""",
)
_FIND_BY = """
UPDATE propagation_subject SET find_by = %(find_by)s::text[]
WHERE recipient = %(recipient)s AND person_id = ANY(%(people)s::bigint[])
"""


async def erase_at_recipients(connection: Connection, erasure: Erasure) -> None:
    """Within an erasure: let those who were told of them erase them, and forget whom they were told of."""
    given: dict[str, Any] = {
        "people": list(erasure.people),
        "recipients": list(erasure.recipients),
        "request": erasure.request,
        "at": erasure.note.at_ms,
    }
    for text in _LOCKS:
        await connection.execute(text, given)
    for recipient, identifiers in erasure.recipients.items():
        if identifiers:
            await connection.execute(_FIND_BY, {**given, "recipient": recipient, "find_by": list(identifiers)})
    for text in _FORGET_PEOPLE:
        await connection.execute(text, given)
