"""A ledger as it is after years, made within minutes: what an append does for it, without the events themselves.

Its entries are made by the code that makes them in an append (`LedgerWriter`), and written by the code that writes them
(`put_ledger`): every seal, chain and key is what it would be. What is left out is receiving, accepting and resolving of
events, and the log, as if it had been trimmed since. People are there with an identifier and the state that the fold
would have made of their choices.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import secrets
from collections.abc import Collection, Iterable
from itertools import islice
from typing import cast

import psycopg
from psycopg import AsyncConnection

from bench.choices import WORDINGS, Lives, Told
from courtesy.base.ids import PARTITION_COUNT, Partition, PersonId, Position, SourceId, message_key
from courtesy.base.time import Clock
from courtesy.consent.standing import Kept, Standing, add
from courtesy.engine.contract import Append
from courtesy.engine.ledger import Chain, LedgerHead, LedgerWrite, PersonKey
from courtesy.engine_postgres import PostgresEngine
from courtesy.engine_postgres.ledger import put_ledger
from courtesy.event.choice import choice_id
from courtesy.event.event import Event, EventType, Party, encode
from courtesy.person.record import NewRecord, RecordKind
from courtesy.person.state import PersonState, encode_state
from courtesy.runtime.ledger import LedgerWriter

AT_ONCE = 10_000

_PEOPLE = """
INSERT INTO identifier (identifier, person_id, shared, source_id, message_id, since, recorded)
SELECT 'user_id:person-' || n, n, false, %(source)s, 'told', %(at)s, %(at)s FROM generate_series(1, %(people)s) AS n
"""
_FAR = (
    "UPDATE person_counter SET next = %(people)s + 1",
    "UPDATE log_head SET position = %(entries)s",
    "UPDATE partition_state SET folded = %(entries)s",
)


class Filled:
    """What an append asks of the ledger, answered from memory: nobody else writes meanwhile."""

    def __init__(self) -> None:
        self.size = 0
        self._chains: dict[Partition, Chain] = {}
        self._keys: dict[PersonId, PersonKey] = {}

    async def ledger_head(self, partitions: Collection[Partition]) -> LedgerHead:
        """How far the ledger is."""
        return LedgerHead(self.size, {each: self._chains[each] for each in partitions if each in self._chains})

    async def person_keys(self, people: Collection[PersonId]) -> dict[PersonId, PersonKey]:
        """The keys of those who have one."""
        return {person: self._keys[person] for person in people if person in self._keys}

    def keep(self, written: LedgerWrite) -> None:
        """Go on after these entries."""
        self.size += len(written.entries)
        self._chains.update(written.chains)
        self._keys.update({key.person: key for key in written.keys})


async def fill(url: str, clock: Clock, lives: Lives, source: SourceId) -> int:
    """An empty store holds the entries, people and states of these lives; how many entries."""
    engine = PostgresEngine(url, clock)
    await engine.open()
    await engine.keep_shown(WORDINGS, lives.first_ms)
    await engine.close()
    with multiprocessing.get_context("spawn").Pool(1) as beside:
        people = beside.apply_async(_fill_people, (url, lives, source))
        written = await _fill_ledger(url, lives, source)
        await asyncio.to_thread(people.get)
    with psycopg.connect(url, autocommit=True) as connection:
        for text in _FAR:
            connection.execute(text, {"people": lives.people, "entries": written})
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    return written


def _fill_people(url: str, lives: Lives, source: SourceId) -> None:
    """Identifiers and states, in a process of its own: it takes half as long as the ledger."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_PEOPLE, {"people": lives.people, "source": source, "at": lives.first_ms})
        with connection.cursor().copy("COPY person_state (person_id, state) FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(("int8", "bytea"))
            for person in range(1, lives.people + 1):
                copy.write_row((person, encode_state(_state(lives, PersonId(person), source))))


async def _fill_ledger(url: str, lives: Lives, source: SourceId) -> int:
    writer, filled = LedgerWriter(PARTITION_COUNT, secrets.token_bytes), Filled()
    async with await AsyncConnection.connect(url) as connection:
        told = lives.told()
        while batch := list(islice(told, AT_ONCE)):
            records = [_record(each, source) for each in batch]
            # An append answers more than a ledger's writer asks of it.
            append = cast(Append, filled)
            written = await writer.written(append, {record.key for record in records}, records)
            assert written is not None, "each of the records is a choice"
            async with connection.transaction():
                await put_ledger(connection, written, Position(filled.size + 1))
            filled.keep(written)
    return filled.size


def _state(lives: Lives, person: PersonId, source: SourceId) -> PersonState:
    return PersonState(person, standing=standing_of(lives.life(person), source))


def _record(told: Told, source: SourceId) -> NewRecord:
    at_ms = told.received_ms
    event = Event(
        told.message, EventType.CONSENT, at_ms, at_ms, source, 40, Party.ZERO, (f"user_id:person-{told.person}",),
        choices=(told.choice,), known_as=(told.person,),
    )  # fmt: skip
    key = message_key(source, told.message)
    return NewRecord(told.person, RecordKind.EVENT, at_ms, at_ms, source, key, encode(event))


def standing_of(told: Iterable[Told], source: SourceId) -> Standing:
    """What choices come to, found without the ledger."""
    standing = Standing()
    for person, received_ms, message, choice in told:
        told_id = choice_id(message_key(source, message), 0)
        kept = Kept(choice.held_from, told_id, choice.action, None, received_ms, choice.basis, None, (person,))
        add(standing, choice.scope, kept)
    return standing
