"""Offers in PostgreSQL: asked and written within an append, and read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

from courtesy.base.ids import PersonId, Position
from courtesy.engine.offer import (
    CODES_AT_ONCE_MAX,
    CodePool,
    Facts,
    Grant,
    OfferQuestion,
    OfferTally,
    OfferWrite,
    Placed,
    Redemption,
    position_of,
)
from courtesy.engine_postgres.backup_tables import owner_in_log
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.offer.codes import OwnCode
from courtesy.offer.rows import End
from courtesy.offer.terms import Value

Row = tuple[Any, ...]

_GRANT = f""" own.number, offer, version, {owner_in_log("own")} AS owner, own.position, identifier, code, code_shown,
request, value, granted, expires, held_micros, redeemed_count, ended, ended_at
"""
_REDEMPTION = f"""
own.number, offer, grant_number, {owner_in_log("own")} AS owner, own.position, identifier, code, request, at, micros,
currency, order_id, made_by, made_where, given_back
"""
# By what was appended for somebody, or was given to them since; whose it is now is asked of each that is found.
_THEIRS = """
SELECT found.* FROM (
    SELECT {columns} FROM {table} AS own WHERE person_id = ANY(%(people)s::bigint[]) {which}
    UNION
    SELECT {columns} FROM {table} AS own WHERE position IN (
        SELECT moved.position FROM moved WHERE moved.person_id = ANY(%(people)s::bigint[])
    ) {which}
) AS found WHERE owner = ANY(%(people)s::bigint[]) ORDER BY number
"""
_OF_OFFERS = "AND offer = ANY(%(offers)s::text[])"
_GRANTS_OF = _THEIRS.format(columns=_GRANT, table="offer_grant", which="")
_GRANTS_OF_OFFERS = _THEIRS.format(columns=_GRANT, table="offer_grant", which=_OF_OFFERS)
_REDEMPTIONS_OF = _THEIRS.format(columns=_REDEMPTION, table="offer_redemption", which="")
_REDEMPTIONS_OF_OFFERS = _THEIRS.format(
    columns=_REDEMPTION, table="offer_redemption", which=f"AND given_back IS NULL {_OF_OFFERS}"
)
_NAMED_GRANTS = f"""
SELECT {_GRANT} FROM offer_grant AS own WHERE own.number IN (
    SELECT number FROM offer_grant WHERE code = ANY(%(codes)s::text[])
    UNION SELECT number FROM offer_grant WHERE request = ANY(%(requests)s::text[])
    UNION SELECT unnest(%(grants)s::bigint[])
)
"""
_NAMED_REDEMPTIONS = f"""
SELECT {_REDEMPTION} FROM offer_redemption AS own WHERE own.number IN (
    SELECT number FROM offer_redemption WHERE request = ANY(%(requests)s::text[])
    UNION SELECT unnest(%(redemptions)s::bigint[])
)
"""
_ONE_WITH = """
SELECT asked.person_id, root.person_id, array_agg(part.person_id ORDER BY part.person_id)
FROM unnest(%b::bigint[]) AS asked (person_id)
LEFT JOIN merged_person AS up ON up.person_id = asked.person_id
CROSS JOIN LATERAL (SELECT coalesce(up.root, asked.person_id) AS person_id) AS root
LEFT JOIN merged_person AS part ON part.root = root.person_id
GROUP BY asked.person_id, root.person_id
"""
_TALLY = "offer, granted, held, redeemed, declined, expired, given_back, held_micros, spent_micros"
_TALLIES = f"SELECT {_TALLY} FROM offer_tally WHERE offer = ANY(%b::text[])"
_FREE = """
SELECT wanted.pool, free.code, free.shown FROM unnest(%b::text[], %b::bigint[]) AS wanted (pool, count)
CROSS JOIN LATERAL (
    SELECT code, shown, number FROM offer_code WHERE pool = wanted.pool AND NOT is_taken ORDER BY number LIMIT
    wanted.count
) AS free ORDER BY wanted.pool, free.number
"""
# Locked, as codes are added by others than appends: how few are left is told once.
_POOLS = """
SELECT pool, code_count, free_count FROM offer_pool WHERE pool = ANY(%b::text[]) ORDER BY pool FOR UPDATE
"""
_IN_POOLS = "SELECT code FROM offer_code WHERE code = ANY(%b::text[])"
_LAST = "SELECT (SELECT max(number) FROM offer_grant), (SELECT max(number) FROM offer_redemption)"
_GRANT_COLUMNS = """number, offer, version, person_id, position, identifier, code, code_shown, request, value, granted,
expires, held_micros, redeemed_count, ended, ended_at"""
_GRANT_TYPES = "int8 text int4 int8 int8 text text text text text int8 int8 int8 int4 text int8".split()
_REDEMPTION_COLUMNS = """number, offer, grant_number, person_id, position, identifier, code, request, at, micros,
currency, order_id, made_by, made_where, given_back"""
_REDEMPTION_TYPES = "int8 text int8 int8 int8 text text text int8 int8 text text text text int8".split()
_CHANGE_GRANTS = """
UPDATE offer_grant AS own SET
    held_micros = new.held_micros, redeemed_count = new.redeemed_count, ended = new.ended, ended_at = new.ended_at
FROM unnest(%b::bigint[], %b::bigint[], %b::int[], %b::text[], %b::bigint[])
    AS new (number, held_micros, redeemed_count, ended, ended_at)
WHERE own.number = new.number
"""
_CHANGE_REDEMPTIONS = """
UPDATE offer_redemption AS own SET given_back = new.given_back
FROM unnest(%b::bigint[], %b::bigint[]) AS new (number, given_back) WHERE own.number = new.number
"""
_PUT_TALLY = f"""
INSERT INTO offer_tally ({_TALLY}) VALUES ({", ".join(["%s"] * 9)})
ON CONFLICT (offer) DO UPDATE SET
    granted = excluded.granted, held = excluded.held, redeemed = excluded.redeemed, declined = excluded.declined,
    expired = excluded.expired, given_back = excluded.given_back, held_micros = excluded.held_micros,
    spent_micros = excluded.spent_micros
"""
_TAKE = """
WITH gone AS (
    UPDATE offer_code SET is_taken = true WHERE code = ANY(%b::text[]) AND NOT is_taken RETURNING pool
), counted AS (SELECT pool, count(*) AS count FROM gone GROUP BY pool)
UPDATE offer_pool SET free_count = free_count - counted.count FROM counted WHERE counted.pool = offer_pool.pool
"""
# The pool's row comes last, so that an append that takes a code waits for a few statements at most.
_ADD = """
WITH fresh AS (
    INSERT INTO offer_code (code, shown, pool)
    SELECT given.code, given.shown, %(pool)s
    FROM unnest(%(codes)s::text[], %(shown)s::text[]) WITH ORDINALITY AS given (code, shown, number)
    WHERE NOT EXISTS (SELECT FROM offer_grant WHERE offer_grant.code = given.code) ORDER BY given.number
    ON CONFLICT DO NOTHING RETURNING 1
)
INSERT INTO offer_pool AS known (pool, code_count, free_count)
SELECT %(pool)s, count(*), count(*) FROM fresh
ON CONFLICT (pool) DO UPDATE SET
    code_count = known.code_count + excluded.code_count, free_count = known.free_count + excluded.free_count
RETURNING (SELECT count(*) FROM fresh)
"""
_DUE = """
SELECT number FROM offer_grant WHERE ended IS NULL AND redeemed_count = 0 AND expires <= %s
ORDER BY expires, number LIMIT %s
"""
FORGET_IN_OFFERS = tuple(
    f"UPDATE {table} SET person_id = NULL, identifier = '', request = NULL{more} {whose}"
    for table, more in (("offer_grant", ""), ("offer_redemption", ", order_id = '', made_by = '', made_where = ''"))
    for whose in (
        f"FROM unnest(%(others)s::bigint[], %(appended_for)s::bigint[]) AS other (position, owner)"
        f" WHERE {table}.position = other.position AND {table}.person_id = other.owner",
        "WHERE person_id = ANY(%(people)s::bigint[]) AND position <> ALL(%(kept)s::bigint[])",
    )
)
"""Whose they were goes; that they were stays."""

_VALUE = msgspec.json.Decoder(Value)


async def offer_facts(connection: Connection, asked: OfferQuestion) -> Facts:
    """Within an append: what is known of all that is asked."""
    facts = Facts()
    await _add_named(connection, asked, facts)
    people = {*asked.people, *(each.person for each in facts.grants if each.person is not None)}
    if people:
        await _add_one_with(connection, people, facts)
    everyone = sorted({person for all_ in facts.one_with.values() for person in all_})
    offers = sorted({*asked.offers, *(each.offer for each in facts.grants + facts.redemptions)})
    given = {"people": everyone, "offers": offers}
    if everyone and offers:
        grants = await (await connection.execute(_GRANTS_OF_OFFERS, given, binary=True)).fetchall()
        facts.grants = _each_once([*facts.grants, *map(_grant, grants)])
        redeemed = await (await connection.execute(_REDEMPTIONS_OF_OFFERS, given, binary=True)).fetchall()
        facts.redemptions = _each_once([*facts.redemptions, *map(_redemption, redeemed)])
    tallies = await (await connection.execute(_TALLIES, (offers,), binary=True)).fetchall()
    facts.tallies = {row[0]: OfferTally(*row) for row in tallies}
    await _add_codes(connection, asked, facts)
    ((grant, redemption),) = await (await connection.execute(_LAST, binary=True)).fetchall()
    facts.next_grant, facts.next_redemption = (grant or 0) + 1, (redemption or 0) + 1
    return facts


async def _add_named(connection: Connection, asked: OfferQuestion, facts: Facts) -> None:
    """What is known by codes, requests and numbers."""
    given = {"codes": list(asked.codes), "requests": list(asked.requests), "redemptions": list(asked.redemptions)}
    if asked.requests or asked.redemptions:
        rows = await (await connection.execute(_NAMED_REDEMPTIONS, given, binary=True)).fetchall()
        facts.redemptions = [_redemption(row) for row in rows]
    grants = {*asked.grants, *(each.grant for each in facts.redemptions if each.grant is not None)}
    if asked.codes or asked.requests or grants:
        rows = await (
            await connection.execute(_NAMED_GRANTS, {**given, "grants": list(grants)}, binary=True)
        ).fetchall()
        facts.grants = [_grant(row) for row in rows]


async def _add_one_with(connection: Connection, people: Collection[PersonId], facts: Facts) -> None:
    for person, root, parts in await (await connection.execute(_ONE_WITH, (list(people),), binary=True)).fetchall():
        others = [PersonId(each) for each in parts if each is not None]
        facts.one_with[PersonId(person)] = (PersonId(root), *others)


async def _add_codes(connection: Connection, asked: OfferQuestion, facts: Facts) -> None:
    if asked.wanted:
        pools = await (await connection.execute(_POOLS, (list(asked.wanted),), binary=True)).fetchall()
        facts.pools = {row[0]: CodePool(*row) for row in pools}
        wanted = (list(asked.wanted), list(asked.wanted.values()))
        for pool, *code in await (await connection.execute(_FREE, wanted, binary=True)).fetchall():
            facts.free.setdefault(pool, []).append(OwnCode(*code))
    if asked.codes:
        rows = await (await connection.execute(_IN_POOLS, (list(asked.codes),), binary=True)).fetchall()
        facts.in_pools = {code for (code,) in rows}


async def put_offers(connection: Connection, written: OfferWrite, first: Position) -> None:
    """Within an append whose records begin at `first`."""
    await _put_grants(connection, written.grants, first)
    await _put_redemptions(connection, written.redemptions, first)
    if written.tallies:
        async with connection.cursor() as cursor:
            await cursor.executemany(_PUT_TALLY, [msgspec.structs.astuple(each) for each in written.tallies])
    if written.taken:
        await connection.execute(_TAKE, (list(written.taken),))


async def _put_grants(connection: Connection, placed: Sequence[Placed], first: Position) -> None:
    new = [_grant_row(each, first) for each in placed if each.place >= 0]
    if new:
        await _copy(connection, f"offer_grant ({_GRANT_COLUMNS})", _GRANT_TYPES, new)
    known = [_grant_row(each, first) for each in placed if each.place < 0]
    if known:
        numbers, *_ = columns = list(map(list, zip(*known, strict=True)))
        await connection.execute(_CHANGE_GRANTS, (numbers, *columns[12:]))


async def _put_redemptions(connection: Connection, placed: Sequence[Placed], first: Position) -> None:
    new = [_redemption_row(each, first) for each in placed if each.place >= 0]
    if new:
        await _copy(connection, f"offer_redemption ({_REDEMPTION_COLUMNS})", _REDEMPTION_TYPES, new)
    known = [_redemption_row(each, first) for each in placed if each.place < 0]
    if known:
        numbers, *_, given_back = map(list, zip(*known, strict=True))
        await connection.execute(_CHANGE_REDEMPTIONS, (numbers, given_back))


async def _copy(connection: Connection, into: str, types: Sequence[str], rows: Iterable[Row]) -> None:
    async with connection.cursor().copy(f"COPY {into} FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(types)
        for row in rows:
            await copy.write_row(row)


class Offers(Connected):
    """The engine's reading side of offers, and its pools."""

    async def offer_tallies(self) -> list[OfferTally]:
        return [OfferTally(*row) for row in await self._rows(f"SELECT {_TALLY} FROM offer_tally ORDER BY offer")]

    async def grants_of(self, people: Collection[PersonId]) -> list[Grant]:
        async with self._connection() as connection:
            cursor = await connection.execute(_GRANTS_OF, {"people": list(people)}, binary=True)
            return [_grant(row) for row in await cursor.fetchall()]

    async def redemptions_of(self, people: Collection[PersonId]) -> list[Redemption]:
        async with self._connection() as connection:
            cursor = await connection.execute(_REDEMPTIONS_OF, {"people": list(people)}, binary=True)
            return [_redemption(row) for row in await cursor.fetchall()]

    async def redemption(self, number: int) -> Redemption | None:
        async with self._connection() as connection:
            cursor = await connection.execute(
                _NAMED_REDEMPTIONS, {"requests": [], "redemptions": [number]}, binary=True
            )
            row = await cursor.fetchone()
        return None if row is None else _redemption(row)

    async def grants_due(self, now_ms: int, limit: int) -> list[int]:
        return [number for (number,) in await self._rows(_DUE, now_ms, limit)]

    async def add_codes(self, pool: str, codes: Sequence[OwnCode]) -> int:
        assert len(codes) <= CODES_AT_ONCE_MAX, "so many codes are added in parts"
        async with self._connection() as connection:
            cursor = await connection.execute(
                _ADD, {"pool": pool, "codes": [each.key for each in codes], "shown": [each.shown for each in codes]}
            )
            row = await cursor.fetchone()
        assert row is not None
        count: int = row[0]
        return count

    async def code_pools(self) -> list[CodePool]:
        return [
            CodePool(*row)
            for row in await self._rows("SELECT pool, code_count, free_count FROM offer_pool ORDER BY pool")
        ]


def _each_once(rows: Iterable[Any]) -> list[Any]:
    """By number."""
    found = {each.number: each for each in rows}
    return [found[number] for number in sorted(found)]


def _grant(row: Row) -> Grant:
    number, offer, version, person, position, identifier, code, shown, request, value, *rest = row
    granted, expires, held, redeemed, ended, ended_at = rest
    return Grant(
        number, offer, version, None if person is None else PersonId(person), Position(position), identifier,
        None if code is None else OwnCode(code, shown), request, _VALUE.decode(value), granted, expires, held, redeemed,
        None if ended is None else End(ended), ended_at,
    )  # fmt: skip


def _grant_row(placed: Placed, first: Position) -> Row:
    row = placed.row
    assert isinstance(row, Grant)
    return (
        row.number, row.offer, row.version, row.person, position_of(placed, first), row.identifier,
        *((None, "") if row.code is None else row.code), row.request, msgspec.json.encode(row.value).decode(),
        row.granted_ms, row.expires_ms, row.held_micros,
        row.redeemed_count, row.ended, row.ended_ms,
    )  # fmt: skip


def _redemption(row: Row) -> Redemption:
    number, offer, grant, person, position, *rest = row
    return Redemption(number, offer, grant, None if person is None else PersonId(person), Position(position), *rest)


def _redemption_row(placed: Placed, first: Position) -> Row:
    row = placed.row
    assert isinstance(row, Redemption)
    return (
        row.number, row.offer, row.grant, row.person, position_of(placed, first), row.identifier, row.code,
        row.request, row.at_ms, row.micros, row.currency, row.order, row.by, row.where, row.given_back_ms,
    )  # fmt: skip
