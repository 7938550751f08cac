"""Folding: leases on partitions, reading what is not folded, and the transaction that commits a fold."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from courtesy.base.ids import Partition, PersonId, Position, partition_of
from courtesy.base.time import Clock
from courtesy.engine.contract import FoldCommit, Lease, LeaseLost, Poisoned, TimerChange
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.engine_postgres.delivery import count_messages
from courtesy.engine_postgres.outbox import put_effects
from courtesy.engine_postgres.records import RECORD_COLUMNS, put_records, record_of
from courtesy.engine_postgres.segments import put_memberships
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, Record, RecordKind, timer_payload

# Only a clock that was set back can have given a longer lease than the one that is asked for now.
_SHORTEN = """
WITH asked AS (UPDATE fold_worker SET expires = %(until)s WHERE expires > %(until)s)
UPDATE partition_state SET expires = %(until)s WHERE expires > %(until)s
"""
_RENEW = "UPDATE partition_state SET expires = %s WHERE owner = %s AND expires > %s"
_LAPSE = "UPDATE partition_state SET owner = NULL WHERE owner = %s AND expires <= %s"
_TAKE = """
UPDATE partition_state SET owner = %s, epoch = epoch + 1, expires = %s
WHERE partition IN (
    SELECT partition FROM partition_state WHERE owner IS NULL OR expires <= %s
    ORDER BY partition LIMIT %s FOR UPDATE SKIP LOCKED
)
"""
_HELD = "SELECT partition, epoch, folded FROM partition_state WHERE owner = %s ORDER BY partition"
_SIGN_ON = """
INSERT INTO fold_worker (worker, expires) VALUES (%s, %s) ON CONFLICT (worker) DO UPDATE SET expires = excluded.expires
"""
_UNFOLDED = f"""
SELECT tail.* FROM unnest(%b::smallint[], %b::bigint[]) AS lease (partition, folded)
CROSS JOIN LATERAL (
    SELECT {RECORD_COLUMNS} FROM log
    WHERE log.partition = lease.partition AND log.position > lease.folded ORDER BY log.position LIMIT %s
) AS tail
"""
_ADVANCE = """
UPDATE partition_state SET folded = lease.after
FROM unnest(%b::smallint[], %b::bigint[], %b::bigint[], %b::bigint[]) AS lease (partition, epoch, before, after)
WHERE partition_state.partition = lease.partition AND partition_state.epoch = lease.epoch
  AND partition_state.folded = lease.before
RETURNING partition_state.partition
"""
_PUT_STATES = """
INSERT INTO person_state (person_id, state) SELECT * FROM unnest(%b::bigint[], %b::bytea[])
ON CONFLICT (person_id) DO UPDATE SET state = excluded.state
"""
_PUT_TIMERS = """
INSERT INTO timer (person_id, timer, due, partition)
SELECT * FROM unnest(%b::bigint[], %b::text[], %b::bigint[], %b::smallint[])
ON CONFLICT (person_id, timer) DO UPDATE SET due = excluded.due
"""
_DROP_TIMERS = """
DELETE FROM timer USING unnest(%b::bigint[], %b::text[]) AS gone (person_id, timer)
WHERE timer.person_id = gone.person_id AND timer.timer = gone.timer
"""
_PUT_POISONED = f"""
INSERT INTO poisoned ({RECORD_COLUMNS}, error, set_aside) VALUES (%s, %s, %s, %s, %s, %s, %s, %b, %b, %s, %s)
ON CONFLICT (position) DO NOTHING
"""
_STILL_MINE = "SELECT partition FROM partition_state WHERE partition = %s AND epoch = %s FOR SHARE"
_TAKE_DUE = """
DELETE FROM timer USING (
    SELECT person_id, timer FROM timer WHERE partition = ANY(%b::smallint[]) AND due <= %s
    ORDER BY due, person_id, timer LIMIT %s FOR UPDATE
) AS due WHERE timer.person_id = due.person_id AND timer.timer = due.timer
RETURNING timer.due, timer.person_id, timer.timer
"""


class Folding(Connected):
    """The engine's folding side."""

    _clock: Clock
    partition_count: int

    async def claim(self, worker: str, want: int, ttl_ms: int) -> list[Lease]:
        now = self._clock.now_ms()
        async with self._transaction() as connection:
            await connection.execute(_SHORTEN, {"until": now + ttl_ms})
            await connection.execute(_SIGN_ON, (worker, now + ttl_ms))
            await connection.execute(_LAPSE, (worker, now))
            await connection.execute(_RENEW, (now + ttl_ms, worker, now))
            cursor = await connection.execute("SELECT count(*) FROM partition_state WHERE owner = %s", (worker,))
            row = await cursor.fetchone()
            held = row[0] if row else 0
            if held < want:
                await connection.execute(_TAKE, (worker, now + ttl_ms, now, want - held))
            cursor = await connection.execute(_HELD, (worker,))
            return [Lease(Partition(row[0]), row[1], Position(row[2])) for row in await cursor.fetchall()]

    async def release(self, worker: str, partitions: Collection[Partition]) -> None:
        await self._rows(
            "UPDATE partition_state SET owner = NULL, expires = 0 WHERE owner = %s AND partition = ANY(%b::smallint[])"
            " RETURNING 1",
            worker,
            list(partitions),
        )

    async def workers(self) -> int:
        rows = await self._rows("SELECT count(*) FROM fold_worker WHERE expires > %s", self._clock.now_ms())
        return max(1, int(rows[0][0]))

    async def unfolded(self, leases: Sequence[Lease], limit: int) -> list[Record]:
        if not leases:
            return []
        share = max(1, limit // len(leases))
        rows = await self._rows(
            _UNFOLDED, [lease.partition for lease in leases], [lease.folded for lease in leases], share
        )
        return [record_of(row) for row in rows]

    async def states(self, people: Collection[PersonId]) -> dict[PersonId, bytes]:
        rows = await self._rows(
            "SELECT person_id, state FROM person_state WHERE person_id = ANY(%b::bigint[])", list(people)
        )
        return {PersonId(person): state for person, state in rows}

    async def commit_fold(self, commit: FoldCommit) -> None:
        async with self._transaction() as connection:
            await _advance(connection, commit)
            if commit.states:
                people, states = zip(*sorted(commit.states), strict=True)
                await connection.execute(_PUT_STATES, (list(people), list(states)))
            if commit.timers:
                await self._put_timers(connection, commit.timers)
            if commit.memberships:
                await put_memberships(connection, commit.memberships, self.partition_count)
            if commit.effects:
                await put_effects(connection, commit.effects)
            await count_messages(connection, commit.fates)
            for poisoned in commit.poisoned:
                await _put_poisoned(connection, poisoned)
            if commit.forwards:
                await put_records(connection, commit.forwards, self.partition_count)
                await connection.execute("NOTIFY courtesy_log")

    async def _put_timers(self, connection: Connection, changes: Sequence[TimerChange]) -> None:
        last = {(change.person, change.timer): change.due_ms for change in changes}
        gone = [key for key, due in last.items() if due is None]
        fresh = [(person, timer, due) for (person, timer), due in last.items() if due is not None]
        if gone:
            await connection.execute(_DROP_TIMERS, ([key[0] for key in gone], [key[1] for key in gone]))
        if fresh:
            await connection.execute(
                _PUT_TIMERS,
                (
                    [person for person, _, _ in fresh],
                    [timer for _, timer, _ in fresh],
                    [due for _, _, due in fresh],
                    [partition_of(person, self.partition_count) for person, _, _ in fresh],
                ),
            )

    async def fire_timers(self, leases: Sequence[Lease], now_ms: int, limit: int) -> int:
        async with self._transaction() as connection:
            for lease in leases:
                cursor = await connection.execute(_STILL_MINE, (lease.partition, lease.epoch))
                if await cursor.fetchone() is None:
                    raise LeaseLost(lease.partition)
            partitions = [lease.partition for lease in leases]
            cursor = await connection.execute(_TAKE_DUE, (partitions, now_ms, limit))
            due = sorted(await cursor.fetchall())
            if due:
                await put_records(
                    connection, [_timer_record(row[0], row[1], row[2], now_ms) for row in due], self.partition_count
                )
                await connection.execute("NOTIFY courtesy_log")
            return len(due)

    async def next_due_ms(self, leases: Sequence[Lease]) -> int | None:
        rows = await self._rows(
            "SELECT min(first.due) FROM unnest(%b::smallint[]) AS mine (partition)"
            " CROSS JOIN LATERAL (SELECT due FROM timer WHERE timer.partition = mine.partition ORDER BY due LIMIT 1)"
            " AS first",
            [lease.partition for lease in leases],
        )
        return rows[0][0] if rows else None


def _timer_record(due: int, person: int, timer: str, now_ms: int) -> NewRecord:
    payload = timer_payload(timer, due)
    return NewRecord(PersonId(person), RecordKind.TIMER, due, now_ms, SYSTEM_SOURCE, bytes(16), payload)


async def _advance(connection: Connection, commit: FoldCommit) -> None:
    leases = commit.leases
    cursor = await connection.execute(
        _ADVANCE,
        (
            [lease.partition for lease in leases],
            [lease.epoch for lease in leases],
            [lease.folded for lease in leases],
            [commit.folded[lease.partition] for lease in leases],
        ),
    )
    advanced = {row[0] for row in await cursor.fetchall()}
    for lease in leases:
        if lease.partition not in advanced:
            raise LeaseLost(lease.partition)


async def _put_poisoned(connection: Connection, poisoned: Poisoned) -> None:
    await connection.execute(_PUT_POISONED, (*poisoned.record, poisoned.error, poisoned.at_ms))
