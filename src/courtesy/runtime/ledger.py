"""The ledger: each choice sealed and chained as it is stored, and opened for whoever asks what was known when.

An entry is written in the append that stores its event, so both are there or neither. It says what the choice was, who
told it, and who was known to be one then, sealed by a key of the person; destroyed with that key it can't be read
again, and the chain and the tree over the sealed bytes still hold.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from courtesy.base.ids import PersonId, SourceId, partition_of
from courtesy.consent import sealing
from courtesy.consent.leaf import CHAIN_START, SUBJECT_BYTES, Leaf, chain, leaf_hash
from courtesy.consent.packing import packed, unpacked
from courtesy.consent.standing import Kept, Standing, add
from courtesy.engine.contract import Append
from courtesy.engine.ledger import (
    Chain,
    Entry,
    EntryKeys,
    EntrySource,
    Keyring,
    LedgerReading,
    LedgerWrite,
    NewEntry,
    PersonKey,
)
from courtesy.event.choice import Action, Choice, choice_id
from courtesy.event.event import decode_fact
from courtesy.person.fold import storable
from courtesy.person.record import NewRecord, RecordKind

Draw = Callable[[int], bytes]
"""So many random bytes that nobody can guess."""


class Content(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is sealed in an entry: a choice, the event that told it, and who was known to be one when it came in.

    `retracts`: the index of an entry that counts no more, because what told it was taken back.
    """

    id: str
    source: SourceId
    message: str
    at: int
    received: int
    choice: Choice
    known_as: tuple[PersonId, ...] = ()
    retracts: int | None = None


class _Told(NamedTuple):
    """A content to be written about a person, and which of the append's records it comes with."""

    person: PersonId
    place: int
    content: Content


class Read(msgspec.Struct, frozen=True):
    """An entry as it was opened; `content` is None when its key is gone."""

    entry: Entry
    content: Content | None


class ReadThen(NamedTuple):
    """Whose identifier it was at an instant, and the entries by what was known then."""

    person: PersonId
    read: list[Read]


_CONTENT = msgspec.json.Decoder(Content)


class LedgerWriter:
    """Makes the entries of one append after the other."""

    def __init__(self, partition_count: int, draw: Draw) -> None:
        self._partition_count = partition_count
        self._draw = draw

    async def written(
        self, append: Append, choosing: Collection[bytes], records: Sequence[NewRecord]
    ) -> LedgerWrite | None:
        """What the events with these keys add to the ledger, which are among the records; None when there are none."""
        if not choosing:
            return None
        told = [
            _Told(record.person, place, content)
            for place, record in enumerate(records)
            if record.kind is RecordKind.EVENT and record.key in choosing
            for content in _contents(record)
        ]
        return await self._sealed(append, told)

    async def retracted(
        self, append: Append, gone: Iterable[Read], records: Sequence[NewRecord], now_ms: int, method: str
    ) -> LedgerWrite | None:
        """What says that some entries count no more, with the records of the append; None when there are none."""
        told = [
            _Told(
                each.entry.person,
                _place_of(each.entry.person, records),
                _retraction(each.content, each.entry.index, now_ms, method),
            )
            for each in gone
            if each.entry.person is not None and each.content is not None
        ]
        return await self._sealed(append, told) if told else None

    async def _sealed(self, append: Append, told: Sequence[_Told]) -> LedgerWrite:
        people = {each.person for each in told}
        partitions = {person: partition_of(person, self._partition_count) for person in people}
        head = await append.ledger_head(set(partitions.values()))
        keys = await append.person_keys(people)
        fresh = [self._key_for(person) for person in sorted(people - keys.keys())]
        keys.update({each.person: each for each in fresh})
        chains = dict(head.chains)
        entries: list[NewEntry] = []
        for person, place, content in told:
            partition, key = partitions[person], keys[person]
            known = chains.get(partition, Chain(0, CHAIN_START))
            entry = NewEntry(
                head.size + len(entries),
                partition,
                known.number,
                content.received,
                key.subject,
                known.digest,
                seal(key.key, self._draw(sealing.SALT_BYTES), msgspec.json.encode(content)),
                person,
                place,
            )
            chains[partition] = Chain(known.number + 1, chain(known.digest, leaf_hash(leaf_of(entry).to_bytes())))
            entries.append(entry)
        return LedgerWrite(entries, fresh, chains)

    def _key_for(self, person: PersonId) -> PersonKey:
        return PersonKey(person, self._draw(sealing.KEY_BYTES), self._draw(SUBJECT_BYTES))


def _contents(record: NewRecord) -> Iterable[Content]:
    # As it lies in the log, where it says who is known to be one.
    fact = decode_fact(record.payload)
    for ordinal, choice in enumerate(fact.choices):
        told = choice_id(record.key, ordinal)
        yield Content(told, fact.source, fact.id, fact.at, fact.received, choice, fact.known_as)


def _retraction(gone: Content, index: int, now_ms: int, method: str) -> Content:
    choice = Choice(Action.CORRECT, held_from=now_ms, method=method)
    told = choice_id(bytes.fromhex(gone.id), 0)
    return Content(told, gone.source, gone.message, now_ms, now_ms, choice, gone.known_as, index)


def _place_of(person: PersonId | None, records: Sequence[NewRecord]) -> int:
    return next((place for place, record in enumerate(records) if record.person == person), 0)


def leaf_of(entry: Entry | NewEntry) -> Leaf:
    """The leaf that commits to an entry."""
    return Leaf(
        entry.index, entry.partition, entry.number, entry.recorded_ms, entry.subject, entry.previous, entry.sealed
    )


def seal(key: bytes, salt: bytes, content: bytes) -> bytes:
    """Content sealed by the key of its person; the salt is drawn anew for each entry."""
    cipher = AESGCM(sealing.encryption_key(key, salt))
    return sealing.sealed(key, salt, content, cipher.encrypt(sealing.NONCE, packed(content), None))


def entry_keys(entry: Entry, key: bytes) -> EntryKeys:
    """The keys of one entry, which open no other."""
    salt = sealing.salt_of(entry.sealed)
    return EntryKeys(sealing.commitment_key(key, salt), sealing.encryption_key(key, salt))


def opened(entry: Entry, keyring: Keyring) -> bytes | None:
    """What an entry says; None when its key is gone."""
    keys = keyring.entries.get(entry.index)
    if keys is not None:
        key = keys.encryption
    elif entry.person is not None and entry.person in keyring.people:
        key = sealing.encryption_key(keyring.people[entry.person], sealing.salt_of(entry.sealed))
    else:
        return None
    try:
        return unpacked(AESGCM(key).decrypt(sealing.NONCE, sealing.ciphertext_of(entry.sealed), None))
    except InvalidTag:
        return None


def content_of(entry: Entry, keyring: Keyring) -> Content | None:
    """What an entry says, decoded; None when its key is gone."""
    content = opened(entry, keyring)
    return None if content is None else _CONTENT.decode(content)


class Entries:
    """The entries of people, as a process reads them or an append."""

    def __init__(self, entries: EntrySource) -> None:
        self._entries = entries

    async def of(self, people: Collection[PersonId], known_ms: int | None = None) -> list[Read]:
        """The entries of some people who are one, by index, by what was known at an instant if given.

        An entry belongs to whoever its event belongs to: repairs give events to others.
        """
        moves = [move for move in await self._entries.moves(people) if known_ms is None or move.at_ms <= known_ms]
        last = {move.position: move.person for move in moves}
        came = {move.appended_for for move in moves if last[move.position] in people}
        read = await self.appended_for({*people, *came}, known_ms)
        return [each for each in read if last.get(each.entry.position, each.entry.person) in people]

    async def appended_for(self, people: Collection[PersonId], known_ms: int | None = None) -> list[Read]:
        """The entries that were appended for some people, by index, whoever they belong to by now."""
        entries, keyring = await self._entries.ledger_of(people, known_ms)
        return _read(entries, keyring)


class Ledger(Entries):
    """The reading side of one process."""

    def __init__(self, engine: LedgerReading) -> None:
        super().__init__(engine)
        self._engine = engine

    async def known_at(self, identifier: str, at_ms: int) -> ReadThen | None:
        """As `of`, of whoever owned an identifier at an instant and all who were known to be one with them, by what
        was known then; None when nobody did."""
        known = await self._engine.known_at(identifier, at_ms)
        if known is None:
            return None
        moved = known.have_moved
        read = await self.of(known.people, at_ms) if moved else _read(known.entries, known.keyring)
        return ReadThen(known.people[0], read)


def _read(entries: Iterable[Entry], keyring: Keyring) -> list[Read]:
    return [Read(entry, content_of(entry, keyring)) for entry in entries]


def counting(read: Sequence[Read]) -> list[Read]:
    """Those entries of a person that count: without what can't be read, what was retracted, and the retractions."""
    retracted = {each.content.retracts for each in read if each.content is not None}
    return [
        each
        for each in read
        if each.content is not None and each.content.retracts is None and each.entry.index not in retracted
    ]


def _counts_at(choice: Choice, at_ms: int) -> bool:
    """Whether it may count at an instant: it had begun, and had not ended. What expired stays so."""
    has_ended = choice.held_to is not None and choice.held_to <= at_ms and choice.action is not Action.EXPIRE
    return choice.action is Action.CORRECT or (choice.held_from <= at_ms and not has_ended)


def standing_of(read: Sequence[Read], at_ms: int | None = None) -> Standing:
    """What entries come to, as the fold has it; or at an instant, where what began later or ended before takes no room
    from what was in force."""
    standing = Standing()
    for told in (each.content for each in counting(read) if each.content is not None):
        choice = told.choice
        if at_ms is not None and not _counts_at(choice, at_ms):
            continue
        kept = Kept(
            choice.held_from, told.id, choice.action, choice.held_to, told.received, choice.basis,
            storable(choice.value), told.known_as,
        )  # fmt: skip
        add(standing, choice.scope, kept, choice.corrects)
    return standing
