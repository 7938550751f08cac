"""Permits in PostgreSQL: issued under the lock that appends take, and joined to what left."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from courtesy.base.ids import PersonId, Position
from courtesy.base.time import Clock
from courtesy.engine.permit import (
    CAMPAIGN_END,
    JudgedSend,
    NewPermit,
    Permit,
    PermitFilter,
    Place,
    Received,
    Send,
    SendAudit,
    SendFault,
    SendFilter,
    SendPlace,
    Terms,
)
from courtesy.engine_postgres.connection import FLUSH, Connected, Connection
from courtesy.engine_postgres.reading import person_id
from courtesy.event.choice import Basis, Scope
from courtesy.person.whereabouts import KnownZone, ZoneBy

# In the mode in which those who wait come in turn: sharers would let each other in, and appends wait for ever.
_LOCK_HEAD = "SELECT set_config('synchronous_commit', 'off', true) FROM log_head FOR NO KEY UPDATE"
# Person by person, so that each part goes through an index whatever the planner knows. What was trimmed from the log is
# still in the ledger; who became part of somebody, or is forgotten, has no identifier.
_UNCHANGED = """
SELECT given.place FROM unnest(
    %(places)b::int[], %(identifiers)b::text[], %(by_number)b::bool[], %(people)b::bigint[], %(others)b::text[],
    %(read)b::bigint[], %(expires)b::bigint[]
) AS given (place, identifier, by_number, person_id, others, read, expires)
CROSS JOIN LATERAL (SELECT coalesce(string_to_array(nullif(given.others, ''), ',')::bigint[], '{}') AS others) AS part
WHERE given.expires > %(now)s
  AND given.person_id = CASE WHEN given.by_number
       THEN (SELECT identifier.person_id FROM identifier WHERE identifier.person_id = given.person_id LIMIT 1)
       ELSE (SELECT identifier.person_id FROM identifier WHERE identifier.identifier = given.identifier) END
  AND part.others = (SELECT coalesce(array_agg(merged_person.person_id ORDER BY merged_person.person_id), '{}')
       FROM merged_person WHERE root = given.person_id)
  AND given.read >= (SELECT coalesce(max(latest.position), 0)
       FROM unnest(given.person_id || part.others) AS one (person_id) CROSS JOIN LATERAL (
           (SELECT position FROM log WHERE log.person_id = one.person_id ORDER BY position DESC LIMIT 1)
           UNION ALL
           (SELECT position FROM ledger WHERE ledger.person_id = one.person_id ORDER BY index DESC LIMIT 1)
       ) AS latest)
ORDER BY given.place
"""
_COLUMNS = """person_id, others, purpose, channel, topic, brand, jurisdiction, message, message_hash, why, basis, rule,
    policy, source, choices, local_minute, issued, expires, zones"""
# Numbers are drawn in the order in which the rows come.
_PUT = f"""
INSERT INTO permit (position, {_COLUMNS})
SELECT log_head.position, given.person_id, coalesce(string_to_array(nullif(given.others, ''), ',')::bigint[], '{{}}'),
    purpose, channel, topic, brand, jurisdiction, message, message_hash, why, basis, rule, policy, source,
    coalesce(string_to_array(nullif(choices, ''), ','), '{{}}'), local_minute, issued, expires, zones
FROM log_head, unnest(
    %b::bigint[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::bytea[],
    %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::smallint[], %b::bigint[], %b::bigint[],
    %b::text[]
) WITH ORDINALITY AS given ({_COLUMNS}, place)
ORDER BY given.place
RETURNING number, position
"""
_PERMITS = f"""
SELECT number, position, {_COLUMNS} FROM permit
WHERE issued >= %(from)s AND issued < %(to)s AND (issued, number) > (%(after_ms)s, %(after)s)
"""
# Only those that are asked for, so that each finds its index.
_CONDITIONS = {
    "channel": " AND channel = %(channel)s",
    "purpose": " AND purpose = %(purpose)s",
    "message": " AND message = %(message)s",
    "people": " AND person_id = ANY(%(people)b::bigint[])",
}
_IN_ORDER = " ORDER BY issued, number LIMIT %(limit)s"
# OFFSET keeps it a search for each send, by the index over people.
_FIND = """
SELECT DISTINCT ON (given.place) given.place, permit.number, permit.person_id
FROM unnest(%b::int[], %b::bigint[], %b::text[], %b::text[], %b::bigint[])
    AS given (place, person_id, channel, message, at)
CROSS JOIN LATERAL (
    SELECT number, permit.person_id, issued, expires, permit.message = given.message AS is_its FROM permit
    WHERE permit.person_id = given.person_id AND permit.channel = given.channel AND permit.issued <= given.at
      AND (permit.message = given.message OR permit.expires > given.at)
    OFFSET 0
) AS permit
ORDER BY given.place, permit.is_its DESC, permit.expires > given.at DESC, permit.issued DESC, permit.number DESC
"""
# Told again, it is under the number under which it was told first.
_TOLD = """
SELECT DISTINCT ON (given.place) given.place, sent.person_id, sent.message_hash, sent.permit
FROM unnest(%b::int[], %b::bigint[], %b::text[], %b::text[], %b::bigint[])
    AS given (place, person_id, channel, message, at)
JOIN sent ON sent.at = given.at AND sent.message = given.message AND sent.channel = given.channel
    AND sent.person_id = given.person_id
ORDER BY given.place
"""
_PUT_SENDS = """
INSERT INTO sent (message, person_id, channel, at, message_hash, permit)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::bigint[], %b::bytea[], %b::bigint[])
ON CONFLICT DO NOTHING
"""
_FAULT = """CASE
    WHEN permit.number IS NULL OR permit.person_id IS DISTINCT FROM sent.person_id THEN 'no_permit'
    WHEN permit.message <> sent.message OR permit.channel <> sent.channel
      OR permit.message_hash <> sent.message_hash THEN 'other_message'
    WHEN sent.at < permit.issued OR sent.at >= permit.expires THEN 'expired'
END"""
_ROOM = "SET LOCAL work_mem = '64MB'"
# All but a few are as they should be: those few alone are looked at twice. The planner takes them for many, and would
# read all permits again; OFFSET keeps it a search for each.
_AUDIT = f"""
WITH suspect AS MATERIALIZED (
    SELECT sent.* FROM sent WHERE sent.at >= %(from)s AND sent.at < %(to)s AND NOT EXISTS (
        SELECT FROM permit WHERE permit.number = sent.permit AND permit.message = sent.message
          AND permit.channel = sent.channel AND permit.person_id = sent.person_id
          AND coalesce(permit.message_hash = sent.message_hash, true)
          AND permit.issued <= sent.at AND permit.expires > sent.at
    )
), faulty AS MATERIALIZED (
    SELECT * FROM (
        SELECT sent.*, {_FAULT} AS fault FROM suspect AS sent
        LEFT JOIN LATERAL (SELECT * FROM permit WHERE permit.number = sent.permit OFFSET 0) AS permit ON true
    ) AS judged WHERE fault IS NOT NULL
)
SELECT count(*), NULL::text, NULL::bigint, NULL::text, NULL::bigint, NULL::bigint, NULL::text
FROM sent WHERE at >= %(from)s AND at < %(to)s
UNION ALL SELECT count(*), NULL, NULL, NULL, NULL, NULL, fault FROM faulty GROUP BY fault
UNION ALL (
    SELECT NULL, message, person_id, channel, at, permit, fault FROM faulty
    ORDER BY at, message, channel, person_id LIMIT %(limit)s
)
"""
_SENDS_OF = f"""
SELECT sent.message, sent.person_id, sent.channel, sent.at, sent.permit, {_FAULT}
FROM sent LEFT JOIN permit ON permit.number = sent.permit WHERE sent.person_id = ANY(%b::bigint[])
ORDER BY sent.at, sent.message, sent.channel, sent.person_id
"""
# By the index over sends, from where the page before ended. Who is forgotten comes last and in one piece.
_RECEIVED = f"""
SELECT sent.message, sent.person_id, sent.channel, sent.at, sent.permit, {_FAULT}, sent.message_hash,
    permit.number, permit.position, {", ".join(f"permit.{name.strip()}" for name in _COLUMNS.split(","))}
FROM sent LEFT JOIN permit ON permit.number = sent.permit
WHERE sent.at >= %(from)s AND sent.at < %(to)s
"""
_RECEIVED_CONDITIONS = {
    "channel": " AND sent.channel = %(channel)s",
    "campaign": " AND (sent.message = %(campaign)s OR starts_with(sent.message, %(campaign)s || %(campaign_end)s))",
    "place": " AND (permit.number IS NULL OR permit.jurisdiction = %(place)s"
    " OR starts_with(permit.jurisdiction, %(place)s || '-'))",
    "after_ms": " AND (sent.at, sent.message, sent.channel) >= (%(after_ms)s, %(after_message)s, %(after_channel)s)"
    " AND ((sent.at, sent.message, sent.channel) > (%(after_ms)s, %(after_message)s, %(after_channel)s)"
    " OR sent.person_id > %(after_person)s"
    " OR (sent.person_id IS NULL AND %(after_person)s::bigint IS NOT NULL))",
}
_IN_ORDER_OF_SENDS = """
ORDER BY sent.at, sent.message, sent.channel, sent.person_id FETCH FIRST %(limit)s ROWS WITH TIES
"""
_JUDGED = f"""
SELECT {_FAULT} FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::bigint[], %b::bytea[], %b::bigint[])
    WITH ORDINALITY AS sent (message, person_id, channel, at, message_hash, permit, place)
LEFT JOIN permit ON permit.number = sent.permit ORDER BY sent.place
"""

FORGET_IN_PERMITS = (
    "UPDATE permit SET person_id = CASE WHEN person_id = ANY(%(people)s::bigint[]) THEN NULL ELSE person_id END,"
    " others = NULL, choices = '{}' WHERE person_id = ANY(%(people)s::bigint[])"
    " OR (others <> '{}' AND others && %(people)s::bigint[])",
    # What they chose was appended for others, whose permits may rest on it.
    "UPDATE permit SET others = NULL, choices = '{}' WHERE choices && %(choices)s::text[]"
    " AND (person_id = ANY(%(appended_for)s::bigint[])"
    " OR (others <> '{}' AND others && %(appended_for)s::bigint[]))",
    "UPDATE sent SET person_id = NULL WHERE person_id = ANY(%(people)s::bigint[])",
)
"""What erasing people takes here: their numbers and their choices go, the rest stays."""

Row = tuple[Any, ...]


class Permits(Connected):
    """The engine's side of permits and sends."""

    _clock: Clock

    def __init__(self, url: str, connection_count: int) -> None:
        super().__init__(url, connection_count)
        # One at a time anyway; the others need no connection to wait.
        self._permit_lock = asyncio.Lock()

    async def issue_permits(self, asked: Sequence[NewPermit]) -> list[Permit | None]:
        if not asked:
            return []
        async with self._permit_lock, self._connection() as connection:
            async with connection.transaction():
                await connection.execute(_LOCK_HEAD)
                issued = await _issue_unchanged(connection, asked, self._clock.now_ms())
            if issued:
                await connection.execute(FLUSH)
        return [issued.get(place) for place in range(len(asked))]

    async def permits(self, which: PermitFilter, after: Place | None, limit: int) -> list[Permit]:
        given = {
            "from": which.from_ms,
            "to": which.to_ms,
            "after_ms": -1 if after is None else after.issued_ms,
            "after": -1 if after is None else after.number,
            "channel": which.channel,
            "purpose": which.purpose,
            "message": which.message,
            "people": None if which.people is None else sorted(which.people),
            "limit": limit,
        }
        text = _PERMITS + "".join(_CONDITIONS[name] for name in _CONDITIONS if given[name] is not None) + _IN_ORDER
        async with self._connection() as connection:
            rows = await (await connection.execute(text, given, binary=True)).fetchall()
        return [_permit(row) for row in rows]

    async def put_sends(self, sends: Sequence[Send]) -> list[JudgedSend]:
        async with self._transaction() as connection:
            return await put_sends(connection, sends)

    async def sends_of(self, people: Collection[PersonId]) -> list[JudgedSend]:
        return [_judged(*row) for row in await self._rows(_SENDS_OF, list(people))]

    async def received(self, which: SendFilter, after: SendPlace | None, limit: int) -> list[Received]:
        given = {
            "from": which.from_ms,
            "to": which.to_ms,
            "channel": which.channel,
            "campaign": which.campaign,
            "campaign_end": CAMPAIGN_END,
            "place": which.place,
            "after_ms": None if after is None else after.at_ms,
            "after_message": None if after is None else after.message,
            "after_channel": None if after is None else after.channel,
            "after_person": None if after is None else after.person,
            "limit": limit,
        }
        conditions = (text for name, text in _RECEIVED_CONDITIONS.items() if given[name] is not None)
        async with self._connection() as connection:
            cursor = await connection.execute(_RECEIVED + "".join(conditions) + _IN_ORDER_OF_SENDS, given, binary=True)
            rows = await cursor.fetchall()
        found = [Received(_judged(*row[:6]), row[6], None if row[7] is None else _permit(row[7:])) for row in rows]
        return found

    async def audit_sends(self, from_ms: int, to_ms: int, limit: int) -> SendAudit:
        async with self._transaction() as connection:
            await connection.execute(_ROOM)
            given = {"from": from_ms, "to": to_ms, "limit": limit}
            rows = await (await connection.execute(_AUDIT, given, binary=True)).fetchall()
        counts = {row[-1]: row[0] for row in rows if row[0] is not None}
        faulty = [_judged(*row[1:]) for row in rows if row[0] is None]
        return SendAudit(counts.pop(None), {SendFault(fault): count for fault, count in counts.items()}, faulty)


async def put_sends(connection: Connection, sends: Sequence[Send]) -> list[JudgedSend]:
    """Within a transaction: as `PermitStore.put_sends`."""
    if not sends:
        return []
    one_each = _one_each((place, person, each) for place, each in enumerate(sends) for person in each.people)
    cursor = await connection.execute(_FIND, one_each, binary=True, prepare=False)
    found = {place: (number, person) for place, number, person in await cursor.fetchall()}
    cursor = await connection.execute(_TOLD, one_each, binary=True, prepare=False)
    known = {place: kept for place, *kept in await cursor.fetchall()}
    rows = [
        _sent_row(each, *found.get(place, (None, None))) if place not in known else _kept_row(each, *known[place])
        for place, each in enumerate(sends)
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    await connection.execute(_PUT_SENDS, columns)
    faults = await (await connection.execute(_JUDGED, columns, binary=True, prepare=False)).fetchall()
    return [
        _judged(message, person, channel, at_ms, permit, fault)
        for (message, person, channel, at_ms, _, permit), (fault,) in zip(rows, faults, strict=True)
    ]


async def _issue_unchanged(connection: Connection, asked: Sequence[NewPermit], now_ms: int) -> dict[int, Permit]:
    """Under the lock: issue those that still hold; by their places."""
    given = {
        "places": list(range(len(asked))),
        "identifiers": [each.identifier for each in asked],
        "by_number": [person_id(each.identifier) is not None for each in asked],
        "people": [each.person for each in asked],
        "others": [_joined(each.others) for each in asked],
        "read": [each.read for each in asked],
        "expires": [each.terms.expires_ms for each in asked],
        "now": now_ms,
    }
    places = [place for (place,) in await (await connection.execute(_UNCHANGED, given, binary=True)).fetchall()]
    if not places:
        return {}
    rows = [_row(asked[place]) for place in places]
    cursor = await connection.execute(_PUT, [list(column) for column in zip(*rows, strict=True)], binary=True)
    issued = sorted(await cursor.fetchall())
    return {
        place: Permit(number, Position(position), asked[place].person, asked[place].others, asked[place].terms)
        for place, (number, position) in zip(places, issued, strict=True)
    }


def _joined(people: Sequence[PersonId]) -> str:
    return ",".join(map(str, people))


def _row(asked: NewPermit) -> Row:
    told = asked.terms
    return (
        asked.person, _joined(asked.others), *told.scope, told.message, told.message_hash, told.why, told.basis,
        told.rule, told.policy, told.source, ",".join(told.choices), told.local_minute, told.issued_ms,
        told.expires_ms, ",".join(f"{each.by}:{each.name}" for each in told.zones),
    )  # fmt: skip


def _zones(told: str) -> tuple[KnownZone, ...]:
    pairs = (each.partition(":") for each in told.split(",") if each)
    return tuple(KnownZone(name, ZoneBy(by)) for by, _, name in pairs)


def _permit(row: Row) -> Permit:
    number, position, person, others, *rest = row
    message, message_hash, why, basis, rule, policy, source, choices, minute, issued, expires, zones = rest[5:]
    terms = Terms(
        Scope(*rest[:5]), message, message_hash, why, None if basis is None else Basis(basis), rule, policy, source,
        tuple(choices), minute, issued, expires, _zones(zones),
    )  # fmt: skip
    known = None if others is None else tuple(map(PersonId, others))
    return Permit(number, Position(position), None if person is None else PersonId(person), known, terms)


def _one_each(told: Iterable[tuple[int, PersonId, Send]]) -> list[list[Any]]:
    """Places, people, channels, messages and instants, as the columns of a search."""
    rows = [(place, person, each.channel, each.message, each.at_ms) for place, person, each in told]
    return [list(column) for column in zip(*rows, strict=True)] or [[], [], [], [], []]


def _kept_row(send: Send, person: int, message_hash: bytes | None, permit: int | None) -> Row:
    """As it was told first."""
    return send.message, person, send.channel, send.at_ms, message_hash, permit


def _sent_row(send: Send, permit: int | None, person: int | None) -> Row:
    """As it is kept: under the number under which the permit was issued, or that of the person today."""
    known = person if person is not None else send.people[0] if send.people else 0
    return send.message, known, send.channel, send.at_ms, send.message_hash, permit


def _judged(
    message: str, person: int | None, channel: str, at_ms: int, permit: int | None, fault: str | None
) -> JudgedSend:
    known = None if person is None else PersonId(person)
    return JudgedSend(message, known, channel, at_ms, permit, None if fault is None else SendFault(fault))
