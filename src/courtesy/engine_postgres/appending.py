"""Appending: the transaction in which duplicates are recognised, identities settled and records written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

import psycopg

from courtesy.base.ids import Partition, PersonId, Position
from courtesy.base.time import DAY_MS
from courtesy.engine.contract import AppendBatch, Count, Quarantined
from courtesy.engine.ledger import Entry, Keyring, LedgerHead, PersonKey
from courtesy.engine.offer import Facts, OfferQuestion
from courtesy.engine_postgres.connection import FLUSH, Connected, Connection, _configure, is_lost, translated
from courtesy.engine_postgres.copying import seen_rows
from courtesy.engine_postgres.erasing import FORGET_ALL, erase, suppressed_of
from courtesy.engine_postgres.importing import put_imported, take_back
from courtesy.engine_postgres.ledger import entered_since, ledger_head, ledger_of, person_keys, put_ledger
from courtesy.engine_postgres.offers import offer_facts, put_offers
from courtesy.engine_postgres.records import put_records
from courtesy.engine_postgres.repairing import KEEP_OWNERS, PUT_MERGE, bans_of, merge_values, moves_of, put_repair
from courtesy.event.cause import Cause
from courtesy.identity.repair import Move
from courtesy.identity.resolve import Changes, Link, LinkRefusal, Merge, Owner

EPOCHS_KEPT = 10_000

_LOCK_HEAD = """
SELECT position, identity_epoch, suppressed, set_config('synchronous_commit', 'off', true) FROM log_head FOR UPDATE
"""
_PUT_OWNERS = """
INSERT INTO identifier (identifier, person_id, shared, source_id, message_id, since, recorded)
SELECT given.*, %s FROM unnest(%b::text[], %b::bigint[], %b::bool[], %b::int[], %b::text[], %b::bigint[]) AS given
ON CONFLICT (identifier) DO UPDATE SET person_id = excluded.person_id, shared = excluded.shared
"""
_PUT_LINKS = """
INSERT INTO link (a, b, source_id, message_id, at, reason)
SELECT * FROM unnest(%b::text[], %b::text[], %b::int[], %b::text[], %b::bigint[], %b::text[])
ON CONFLICT (a, b) DO NOTHING
"""
_PUT_ROOT = "INSERT INTO merged_person (person_id, root) VALUES (%s, %s)"
_MOVE_ROOTS = "UPDATE merged_person SET root = %s WHERE root = %s"
_PUT_REFUSALS = """
INSERT INTO link_refusal AS known
    (identifier, person_id, reason, refusal_count, first_at, last_at, source_id, message_id)
VALUES (%s, %s, %s, 1, %s, %s, %s, %s)
ON CONFLICT (identifier, person_id, reason) DO UPDATE SET
    refusal_count = known.refusal_count + 1, first_at = least(known.first_at, excluded.first_at),
    last_at = greatest(known.last_at, excluded.last_at), message_id = excluded.message_id
"""
_PUT_COUNTS = """
INSERT INTO accept_count AS known (source_id, hour, fate, cause, event_count) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (source_id, hour, fate, cause) DO UPDATE SET event_count = known.event_count + excluded.event_count
"""
_PUT_QUARANTINED = """
INSERT INTO quarantine (source_id, cause, detail, received, message_id, raw, signature, circumstances, mended, file)
VALUES (%s, %s, %s, %s, %s, %b, %s, %b, %b, %s)
"""
_HOLD_AGAIN = "UPDATE quarantine SET cause = %s, detail = %s, signature = %s, mended = %b WHERE number = %s"


class PostgresAppend:
    """One append under way, under the lock on the log's head."""

    def __init__(self, connection: Connection, epoch: int, suppressed_count: int, partition_count: int) -> None:
        self._connection = connection
        self._epoch = epoch
        self._partition_count = partition_count
        self.has_suppressed = suppressed_count > 0
        self.has_written = False

    async def owners_changed_since(self, epoch: int) -> tuple[int, Collection[str] | None]:
        if epoch == self._epoch:
            return epoch, ()
        if self._epoch - epoch > EPOCHS_KEPT:
            return self._epoch, None
        cursor = await self._connection.execute("SELECT identifier FROM identity_change WHERE epoch > %s", (epoch,))
        changed = [row[0] for row in await cursor.fetchall()]
        return self._epoch, None if FORGET_ALL in changed else changed

    async def seen(self, keys: Sequence[bytes]) -> set[bytes]:
        cursor = await self._connection.execute(
            "SELECT key FROM seen WHERE key = ANY(%b::bytea[])", (list(keys),), binary=True
        )
        return {row[0] for row in await cursor.fetchall()}

    async def owners(self, identifiers: Sequence[str]) -> dict[str, Owner]:
        cursor = await self._connection.execute(
            "SELECT identifier, person_id, shared FROM identifier WHERE identifier = ANY(%b::text[])",
            (list(identifiers),),
            binary=True,
        )
        return {row[0]: Owner(PersonId(row[1]), row[2]) for row in await cursor.fetchall()}

    async def held(self, people: Collection[PersonId]) -> dict[PersonId, set[str]]:
        cursor = await self._connection.execute(
            "SELECT person_id, identifier FROM identifier WHERE person_id = ANY(%b::bigint[])",
            (list(people),),
            binary=True,
        )
        held: dict[PersonId, set[str]] = {person: set() for person in people}
        for person, key in await cursor.fetchall():
            held[person].add(key)
        return held

    async def parts(self, people: Collection[PersonId]) -> dict[PersonId, set[PersonId]]:
        cursor = await self._connection.execute(
            "SELECT root, person_id FROM merged_person WHERE root = ANY(%b::bigint[])", (list(people),), binary=True
        )
        parts: dict[PersonId, set[PersonId]] = {}
        for root, person in await cursor.fetchall():
            parts.setdefault(PersonId(root), set()).add(PersonId(person))
        return parts

    async def ledger_head(self, partitions: Collection[Partition]) -> LedgerHead:
        return await ledger_head(self._connection, partitions)

    async def person_keys(self, people: Collection[PersonId]) -> dict[PersonId, PersonKey]:
        return await person_keys(self._connection, people)

    async def entered_since(self, index: int) -> tuple[int, Collection[PersonId] | None]:
        return await entered_since(self._connection, index)

    async def ledger_of(
        self, people: Collection[PersonId], recorded_until_ms: int | None = None
    ) -> tuple[list[Entry], Keyring]:
        return await ledger_of(self._connection, people, recorded_until_ms)

    async def moves(self, people: Collection[PersonId]) -> list[Move]:
        return await moves_of(self._connection, people)

    async def offer_facts(self, asked: OfferQuestion) -> Facts:
        return await offer_facts(self._connection, asked)

    async def suppressed(self, identifiers: Collection[str]) -> set[str]:
        return await suppressed_of(self._connection, identifiers) if self.has_suppressed else set()

    async def bans(self, identifiers: Collection[str]) -> dict[str, set[str]]:
        return await bans_of(self._connection, identifiers)

    async def still_quarantined(self, numbers: Sequence[int]) -> dict[int, Cause]:
        cursor = await self._connection.execute(
            "SELECT number, cause FROM quarantine WHERE number = ANY(%b::bigint[])", (list(numbers),), binary=True
        )
        return {number: Cause(cause) for number, cause in await cursor.fetchall()}

    async def write(self, batch: AppendBatch) -> Position:
        connection = self._connection
        self.has_written = True
        if batch.erasure is not None:
            await erase(connection, batch.erasure)
        if batch.taken_back is not None:
            await take_back(connection, batch.taken_back)
        if batch.keys:
            day = batch.now_ms // DAY_MS
            async with connection.cursor().copy("COPY seen (key, day) FROM STDIN (FORMAT BINARY)") as copy:
                await copy.write(seen_rows(batch.keys, day, batch.keep_keys))
        await self._put_identity(batch)
        if batch.counts:
            await self._put_counts(batch.counts)
        if batch.quarantined:
            await self._put_quarantined(batch.quarantined)
        if batch.released:
            numbers = list(batch.released)
            await connection.execute("DELETE FROM quarantine WHERE number = ANY(%b::bigint[])", (numbers,))
        if batch.held_again:
            await self._hold_again(batch.held_again)
        position = await put_records(connection, batch.records, self._partition_count)
        if batch.ledger is not None:
            await put_ledger(connection, batch.ledger, Position(position - len(batch.records) + 1))
        if batch.offers is not None:
            await put_offers(connection, batch.offers, Position(position - len(batch.records) + 1))
        if batch.imported:
            await put_imported(connection, batch.imported, Position(position - len(batch.records) + 1))
        if batch.records:
            await connection.execute("NOTIFY courtesy_log")
        return position

    async def _put_identity(self, batch: AppendBatch) -> None:
        changes, repair = batch.changes, batch.repair
        moves = bool(changes.merges) or any(owner.shared for owner, _ in changes.owners.values())
        if moves:
            await self._keep_owners(changes, batch.now_ms)
        if changes:
            await self._put_changes(changes, batch.now_ms)
        if repair is not None:
            await put_repair(self._connection, repair)
        if batch.erasure is not None:
            await self._move_epoch([FORGET_ALL])
            return
        gone = batch.taken_back.identifiers if batch.taken_back is not None else ()
        if moves or repair is not None or gone:
            await self._move_epoch([*(changes.owners if moves else ()), *(repair.owners if repair else ()), *gone])

    async def _keep_owners(self, changes: Changes, now_ms: int) -> None:
        """Remember who owned what is about to get another owner."""
        owners = [owner for owner, _ in changes.owners.values()]
        people, shared = [owner.person for owner in owners], [owner.shared for owner in owners]
        await self._connection.execute(KEEP_OWNERS, (now_ms, list(changes.owners), people, shared))

    async def _put_changes(self, changes: Changes, now_ms: int) -> None:
        if changes.owners:
            await self._put_owners(changes, now_ms)
        if changes.links:
            await self._put_links(changes.links)
        for merge in changes.merges:
            await self._put_merge(merge, now_ms)
        for refusal in changes.refusals:
            await self._put_refusal(refusal)

    async def _put_owners(self, changes: Changes, now_ms: int) -> None:
        keys = list(changes.owners)
        owners = [owner for owner, _ in changes.owners.values()]
        why = [evidence for _, evidence in changes.owners.values()]
        await self._connection.execute(
            _PUT_OWNERS,
            (
                now_ms,
                keys,
                [owner.person for owner in owners],
                [owner.shared for owner in owners],
                [each.source for each in why],
                [each.message_id for each in why],
                [each.at for each in why],
            ),
        )

    async def _move_epoch(self, keys: list[str]) -> None:
        self._epoch += 1
        await self._connection.execute("UPDATE log_head SET identity_epoch = identity_epoch + 1")
        await self._connection.execute(
            "INSERT INTO identity_change (epoch, identifier) SELECT %s, unnest(%b::text[])", (self._epoch, keys)
        )
        if self._epoch % 1_000 == 0:
            await self._connection.execute("DELETE FROM identity_change WHERE epoch < %s", (self._epoch - EPOCHS_KEPT,))

    async def _put_links(self, links: Sequence[Link]) -> None:
        await self._connection.execute(
            _PUT_LINKS,
            (
                [link.a for link in links],
                [link.b for link in links],
                [link.evidence.source for link in links],
                [link.evidence.message_id for link in links],
                [link.evidence.at for link in links],
                [link.reason for link in links],
            ),
        )

    async def _put_merge(self, merge: Merge, now_ms: int) -> None:
        await self._connection.execute(PUT_MERGE, merge_values(merge, now_ms))
        await self._connection.execute(_MOVE_ROOTS, (merge.survivor, merge.loser))
        await self._connection.execute(_PUT_ROOT, (merge.loser, merge.survivor))

    async def _put_refusal(self, refusal: LinkRefusal) -> None:
        key, person, reason, why = refusal
        values = (key, person, str(reason), why.at, why.at, why.source, why.message_id)
        await self._connection.execute(_PUT_REFUSALS, values)

    async def _put_counts(self, counts: Sequence[Count]) -> None:
        rows = [(each.source, each.hour_ms, each.fate, each.cause or "", each.event_count) for each in counts]
        async with self._connection.cursor() as cursor:
            await cursor.executemany(_PUT_COUNTS, rows)

    async def _put_quarantined(self, quarantined: Sequence[Quarantined]) -> None:
        rows = [(*each[:6], each.signature, each.circumstances, each.mended, each.file) for each in quarantined]
        async with self._connection.cursor() as cursor:
            await cursor.executemany(_PUT_QUARANTINED, rows)

    async def _hold_again(self, held: Sequence[Quarantined]) -> None:
        rows = [(each.cause, each.detail, each.signature, each.mended, each.number) for each in held]
        async with self._connection.cursor() as cursor:
            await cursor.executemany(_HOLD_AGAIN, rows)


class Appending(Connected):
    """The engine's accepting side. One connection of its own: appends come one at a time anyway."""

    partition_count: int

    def __init__(self, url: str, connection_count: int) -> None:
        super().__init__(url, connection_count)
        self._append_lock = asyncio.Lock()
        self._append_connection: Connection | None = None

    @asynccontextmanager
    async def appending(self) -> AsyncIterator[PostgresAppend]:
        """One append, durable when the context is left; the lock on the head is given back as soon as its order among
        the others is settled."""
        async with self._append_lock:
            with translated():
                connection = await self._connection_for_append()
                try:
                    async with connection.transaction():
                        cursor = await connection.execute(_LOCK_HEAD)
                        row = await cursor.fetchone()
                        assert row is not None
                        append = PostgresAppend(connection, row[1], row[2], self.partition_count)
                        yield append
                    # The next one may go on while this one's part of the disk is written.
                    if append.has_written:
                        await connection.execute(FLUSH)
                except (psycopg.Error, asyncio.CancelledError):
                    await self._drop_append_connection()
                    raise

    async def _connection_for_append(self) -> Connection:
        connection = self._append_connection
        if connection is None or await is_lost(connection):
            await self._drop_append_connection()
            connection = await psycopg.AsyncConnection.connect(self._url, connect_timeout=10)
            await _configure(connection)
            self._append_connection = connection
        return connection

    async def _drop_append_connection(self) -> None:
        connection, self._append_connection = self._append_connection, None
        if connection is not None:
            await connection.close()

    async def reserve_people(self, count: int) -> range:
        rows = await self._rows("UPDATE person_counter SET next = next + %s RETURNING next", count)
        return range(rows[0][0] - count, rows[0][0])
