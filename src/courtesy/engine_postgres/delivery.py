"""Campaigns, counts of what became of messages, dead addresses and inboxes, in PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.delivery.message import CAMPAIGN_END, Skip
from courtesy.delivery.warm_up import ALL, Counted, Limits, changes, granted, is_braked
from courtesy.engine.delivery import (
    FINAL_RUNS,
    STRIKE_MS,
    WITHDRAWN,
    CampaignRun,
    DeadAddress,
    DeadCount,
    InboxItem,
    MessageFate,
    Room,
    RunState,
)
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.engine_postgres.records import put_records
from courtesy.person.record import NewRecord

_RUN = "number, campaign, content, start_at, state, cursor, asked_count, ended"
_START = f"""
INSERT INTO campaign_run (campaign, content, start_at, state) VALUES (%s, %s, %s, 'running')
ON CONFLICT (campaign) WHERE ended IS NULL DO NOTHING RETURNING {_RUN}
"""
_RUNS = f"""
SELECT {_RUN} FROM campaign_run
WHERE (%(campaign)s::text IS NULL OR campaign = %(campaign)s::text) AND (NOT %(open)s OR ended IS NULL)
ORDER BY number DESC
"""
_SET = f"""
UPDATE campaign_run SET state = %(state)s, ended = %(ended)s
WHERE number = %(number)s AND (ended IS NULL OR (state = 'done' AND %(state)s::text = 'stopped')) RETURNING {_RUN}
"""
_MOVE = f"""
UPDATE campaign_run SET cursor = %s, asked_count = asked_count + %s, state = %s, ended = %s
WHERE number = %s AND state = 'running' AND cursor = %s AND ended IS NULL RETURNING {_RUN}
"""
_COUNT = """
INSERT INTO message_count (campaign, channel, outcome, reason, message_count)
SELECT * FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::bigint[])
ON CONFLICT (campaign, channel, outcome, reason)
DO UPDATE SET message_count = message_count.message_count + excluded.message_count
"""
_SET_DEAD = """
INSERT INTO dead_address (address, channel, cause, since, until, spares_service, strikes, strike_count)
SELECT *, 1 FROM unnest(%b::bytea[], %b::text[], %b::text[], %b::bigint[], %b::bigint[], %b::boolean[], %b::int[])
ON CONFLICT (channel, address) DO UPDATE SET cause = excluded.cause, since = excluded.since, until = excluded.until,
    spares_service = excluded.spares_service AND dead_address.spares_service, strikes = excluded.strikes,
    strike_count = CASE WHEN excluded.since - dead_address.since < %b THEN dead_address.strike_count + 1 ELSE 1 END
WHERE dead_address.until IS NOT NULL OR (dead_address.spares_service AND NOT excluded.spares_service)
"""
_DEAD = """
SELECT address, channel, cause, since, until, spares_service, strikes FROM dead_address
WHERE channel = %s AND address = ANY(%b::bytea[]) AND (until IS NULL OR until > %s) AND strike_count >= strikes
"""
_COUNT_DEAD = """
SELECT channel, cause, count(*) FROM dead_address
WHERE (until IS NULL OR until > %s) AND strike_count >= strikes GROUP BY channel, cause ORDER BY channel, cause
"""
_PUT_INBOX = """
INSERT INTO inbox (person_id, message, channel, body, created, expires)
SELECT * FROM unnest(%b::bigint[], %b::text[], %b::text[], %b::bytea[], %b::bigint[], %b::bigint[])
ON CONFLICT DO NOTHING
"""
_INBOX = """
SELECT person_id, message, channel, body, created, expires FROM inbox
WHERE person_id = ANY(%b::bigint[]) AND channel = %s AND expires > %s ORDER BY created, message
"""
_TAKE_OUT = """
DELETE FROM inbox WHERE person_id = ANY(%b::bigint[]) AND message = ANY(%b::text[])
RETURNING person_id, message, channel
"""
# In the order of the primary key, so that all batches together read the table once.
_WITHDRAW_STOPPED = """
DELETE FROM inbox USING (
    SELECT person_id, message
    FROM inbox JOIN unnest(%b::text[], %b::bigint[]) AS stopped (campaign, at)
        ON split_part(message, '/', 1) = stopped.campaign AND created <= stopped.at
    WHERE person_id > %s ORDER BY person_id LIMIT %s
) AS found
WHERE inbox.person_id = found.person_id AND inbox.message = found.message
RETURNING inbox.person_id, inbox.message, inbox.channel
"""

# The row of all hosts is locked first: whoever takes room of the same day waits here.
_LOCK_DAY = """
INSERT INTO warm_up_day (connection, day, host) VALUES (%s, %s, '')
ON CONFLICT (connection, day, host) DO UPDATE SET taken_count = warm_up_day.taken_count
"""
_DAYS = """
SELECT day, host, taken_count, bounced_count, complained_count FROM warm_up_day
WHERE connection = %(connection)s AND (%(day)s::int IS NULL OR day = %(day)s::int)
"""
_TAKE = """
INSERT INTO warm_up_day (connection, day, host, taken_count)
SELECT %s, %s, host, taken FROM unnest(%b::text[], %b::bigint[]) AS given (host, taken) ORDER BY host
ON CONFLICT (connection, day, host) DO UPDATE SET taken_count = warm_up_day.taken_count + excluded.taken_count
"""
_COUNT_REPORTS = """
INSERT INTO warm_up_day (connection, day, host, bounced_count, complained_count) VALUES (%s, %s, '', %s, %s)
ON CONFLICT (connection, day, host) DO UPDATE SET bounced_count = warm_up_day.bounced_count + excluded.bounced_count,
    complained_count = warm_up_day.complained_count + excluded.complained_count
"""

FORGET_IN_DELIVERY = "DELETE FROM inbox WHERE person_id = ANY(%(people)s::bigint[])"


async def count_messages(connection: Connection, fates: Collection[MessageFate]) -> None:
    """Within a transaction: count, in one order for all, so that nobody waits for who waits for them."""
    if fates:
        counted = sorted(Counter(fates).items())
        columns = [list(column) for column in zip(*((*fate, count) for fate, count in counted), strict=True)]
        await connection.execute(_COUNT, columns)


def _run(row: tuple[Any, ...]) -> CampaignRun:
    number, campaign, content, start_ms, state, cursor, asked_count, ended_ms = row
    return CampaignRun(number, campaign, content, start_ms, RunState(state), PersonId(cursor), asked_count, ended_ms)


async def _days(connection: Connection, name: str, day: int | None) -> dict[int, Counted]:
    """What days of a connection have seen."""
    found: dict[int, Counted] = {}
    rows = await (await connection.execute(_DAYS, {"connection": name, "day": day}, binary=True)).fetchall()
    for number, host, taken, bounced, complained in rows:
        known = found.get(number, Counted({}))
        seen = Counted({**known.taken, host: taken}, known.bounced, known.complained)
        found[number] = seen._replace(bounced=bounced, complained=complained) if host == ALL else seen
    return found


class Delivery(Connected):
    """The engine's side of delivery."""

    partition_count: int

    async def start_run(self, campaign: str, content: str, start_ms: int) -> CampaignRun:
        async with self._transaction() as connection:
            cursor = await connection.execute(_START, (campaign, content, start_ms), binary=True)
            row = await cursor.fetchone()
            if row is None:
                cursor = await connection.execute(_RUNS, {"campaign": campaign, "open": True}, binary=True)
                row = await cursor.fetchone()
            assert row is not None
            return _run(row)

    async def runs(self, campaign: str | None, *, open_only: bool = False) -> list[CampaignRun]:
        async with self._connection() as connection:
            cursor = await connection.execute(_RUNS, {"campaign": campaign, "open": open_only}, binary=True)
            return [_run(row) for row in await cursor.fetchall()]

    async def set_run(self, number: int, state: RunState, now_ms: int) -> CampaignRun | None:
        ended = now_ms if state in FINAL_RUNS else None
        given = {"state": str(state), "ended": ended, "number": number}
        async with self._connection() as connection:
            row = await (await connection.execute(_SET, given, binary=True)).fetchone()
            return None if row is None else _run(row)

    async def ask_for(
        self, run: CampaignRun, records: Sequence[NewRecord], cursor: PersonId, *, is_last: bool
    ) -> CampaignRun | None:
        state = RunState.DONE if is_last else RunState.RUNNING
        ended = (records[-1].received if records else run.start_ms) if is_last else None
        async with self._transaction() as connection:
            given = (cursor, len(records), str(state), ended, run.number, run.cursor)
            row = await (await connection.execute(_MOVE, given, binary=True)).fetchone()
            if row is not None and records:
                await put_records(connection, records, self.partition_count)
                await connection.execute("NOTIFY courtesy_log")
            return None if row is None else _run(row)

    async def message_fates(self, campaign: str) -> dict[MessageFate, int]:
        rows = await self._rows(
            "SELECT campaign, channel, outcome, reason, message_count FROM message_count WHERE campaign = %s", campaign
        )
        return {MessageFate(*row[:4]): row[4] for row in rows}

    async def count_fates(self, fates: Collection[MessageFate]) -> None:
        async with self._transaction() as connection:
            await count_messages(connection, fates)

    async def set_dead(self, addresses: Collection[DeadAddress]) -> None:
        one_each = {(each.channel, each.address): each for each in addresses}
        if one_each:
            columns = [list(column) for column in zip(*(one_each[key] for key in sorted(one_each)), strict=True)]
            async with self._transaction() as connection:
                await connection.execute(_SET_DEAD, [*columns, STRIKE_MS])

    async def dead(self, channel: str, addresses: Collection[bytes], now_ms: int) -> dict[bytes, DeadAddress]:
        rows = await self._rows(_DEAD, channel, list(addresses), now_ms)
        return {row[0]: DeadAddress(*row) for row in rows}

    async def count_dead(self, now_ms: int) -> list[DeadCount]:
        return [DeadCount(*row) for row in await self._rows(_COUNT_DEAD, now_ms)]

    async def revive(self, channel: str, address: bytes) -> bool:
        text = "DELETE FROM dead_address WHERE channel = %s AND address = %b RETURNING 1"
        return bool(await self._rows(text, channel, address))

    async def take_room(self, connection: str, limits: Limits, wanted: Mapping[str, int]) -> Room:
        async with self._transaction() as open_one:
            await open_one.execute(_LOCK_DAY, (connection, limits.day))
            counted = (await _days(open_one, connection, limits.day))[limits.day]
            found = granted(limits, counted, wanted)
            if found:
                await self._count_room(open_one, connection, limits, found, 1)
            return Room(found, is_braked(limits, counted))

    async def give_room_back(self, connection: str, limits: Limits, counts: Mapping[str, int]) -> None:
        async with self._transaction() as open_one:
            await open_one.execute(_LOCK_DAY, (connection, limits.day))
            await self._count_room(open_one, connection, limits, counts, -1)

    async def _count_room(
        self, open_one: Connection, connection: str, limits: Limits, counts: Mapping[str, int], sign: int
    ) -> None:
        more = changes(limits, counts)
        taken = [sign * count for count in more.values()]
        await open_one.execute(_TAKE, (connection, limits.day, list(more), taken))

    async def count_reports(self, connection: str, day: int, bounced_count: int, complained_count: int) -> None:
        async with self._transaction() as open_one:
            await open_one.execute(_COUNT_REPORTS, (connection, day, bounced_count, complained_count))

    async def warm_up_days(self, connection: str) -> dict[int, Counted]:
        async with self._connection() as open_one:
            return await _days(open_one, connection, None)

    async def put_inbox(self, items: Sequence[InboxItem]) -> None:
        if items:
            async with self._transaction() as connection:
                await connection.execute(_PUT_INBOX, [list(column) for column in zip(*items, strict=True)])
                await connection.execute("NOTIFY courtesy_inbox")

    async def inbox(self, people: Collection[PersonId], channel: str, now_ms: int) -> list[InboxItem]:
        rows = await self._rows(_INBOX, list(people), channel, now_ms)
        return [InboxItem(PersonId(person), *rest) for person, *rest in rows]

    async def take_from_inbox(
        self, people: Collection[PersonId], messages: Collection[str], outcome: str, reason: str = ""
    ) -> int:
        return len(await self._taken(_TAKE_OUT, (list(people), list(messages)), outcome, reason))

    async def withdraw_stopped(self, stopped: Mapping[str, int], after: PersonId, limit: int) -> PersonId | None:
        given = (list(stopped), list(stopped.values()), after, limit)
        gone = await self._taken(_WITHDRAW_STOPPED, given, WITHDRAWN, Skip.STOPPED)
        # The last one may have more.
        return PersonId(max(gone) - 1) if len(gone) == limit else None

    async def _taken(self, text: str, given: tuple[Any, ...], outcome: str, reason: str) -> list[int]:
        """Take messages out and count them; whose they were."""
        async with self._transaction() as connection:
            rows = await (await connection.execute(text, given, binary=True)).fetchall()
            if rows:
                fates = [
                    MessageFate(name.partition(CAMPAIGN_END)[0], channel, outcome, reason) for _, name, channel in rows
                ]
                await count_messages(connection, fates)
                await connection.execute("NOTIFY courtesy_inbox")
            return [person for person, _, _ in rows]

    async def let_go_of_inbox(self, expired_before_ms: int) -> int:
        return len(await self._rows("DELETE FROM inbox WHERE expires <= %s RETURNING 1", expired_before_ms))

    async def mark_seen(self, people: Collection[PersonId], messages: Collection[str]) -> int:
        text = """
        UPDATE inbox SET seen = true WHERE person_id = ANY(%b::bigint[]) AND message = ANY(%b::text[]) AND NOT seen
        RETURNING 1"""
        return len(await self._rows(text, list(people), list(messages)))
