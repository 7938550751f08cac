"""What Courtesy asks of a store: a log, states, timers, an outbox, an identity graph and definitions.

The promises that hold for every engine:

- **Appends are one at a time.** Between entering and leaving `appending()` nobody else appends, so what an append reads
  (duplicates, owners) is what its write builds on. Leaving without an error commits everything at once and durably;
  leaving with one leaves no trace. When a commit's own fate is unknown (the connection broke) `Unavailable` is raised;
  doing it again is safe, because duplicates are recognised.
- **Positions rise in commit order.** A reader that has seen position p will never see a new record at or before p.
- **One owner per partition.** A lease has an epoch; a fold commit under an older epoch changes nothing and raises
  `LeaseLost`. A dead owner's partitions are free after its lease's time.
- **A fold commit is one transaction**: states, timers, effects, memberships of segments, forwarded records, poisoned
  records and offsets.
- Reads of a person are answered from one snapshot.

Engines raise `Unavailable` (try again later), `StorageFull` (the same, and somebody must make room), `LeaseLost`, and
CourtesyError for what the caller did wrong. Anything else is a bug.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Partition, PersonId, Position, SourceId
from courtesy.engine.delivery import MessageFate
from courtesy.engine.imported import FileKey, Span, TakeBack
from courtesy.engine.ledger import LedgerAppending, LedgerWrite
from courtesy.engine.offer import OfferAppending, OfferWrite
from courtesy.engine.outbox import NewEffect
from courtesy.engine.segment import MembershipChange
from courtesy.engine.stores import Stores
from courtesy.event.cause import Cause, Fate
from courtesy.identity.repair import Erasure, Move, Note, OwnerChange, PendingErasure, Repair
from courtesy.identity.resolve import Changes, Link, LinkRefusal, Merge, Owner
from courtesy.person.chapter import Chapter
from courtesy.person.record import NewRecord, Record, RecordKind


class Unavailable(CourtesyError):
    """The store can't answer now. What was asked may or may not have happened; asking again is safe."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.UNAVAILABLE, message, hint="try again in a moment")


class StorageFull(CourtesyError):
    """The store has no room left; nothing was written."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.STORAGE_FULL, message, hint="free or add disk space")


class LeaseLost(CourtesyError):
    """A partition is no longer the caller's; nothing was written."""

    def __init__(self, partition: Partition) -> None:
        super().__init__(Code.CONFLICT, f"partition {partition} belongs to another worker now")


class Count(NamedTuple):
    """How many events of a source in an hour (its first ms, UTC) met a fate, and why; cause is None when stored without
    a remark."""

    source: SourceId
    hour_ms: int
    fate: Fate
    cause: Cause | None
    event_count: int


class Quarantined(NamedTuple):
    """A rejected event with all that is needed to mend and replay it.

    `raw` is the item as it came and never changes; `mended` is what became of it so far, None while nobody mended it.
    `circumstances` is what came beside it (`courtesy.event.held`), `signature` what is wrong without its values.
    `file`: the fingerprint of the imported file that it came in, None for any other.
    """

    source: SourceId
    cause: Cause
    detail: str
    received_ms: int
    message_id: str | None
    raw: bytes
    number: int = 0
    signature: str = ""
    circumstances: bytes = b""
    mended: bytes | None = None
    file: str | None = None


class QuarantineGroup(NamedTuple):
    """Held events of one source, one cause and one signature: how many, when the first and the last came (ms UTC),
    and the number of the latest."""

    source: SourceId
    cause: Cause
    signature: str
    event_count: int
    first_ms: int
    last_ms: int
    last_number: int


class Imported(NamedTuple):
    """What of an append is a file's: `runs` of its records, by the places of the first and the last in the batch, and
    `counts`, which are among those of the batch."""

    file: FileKey
    runs: Sequence[tuple[int, int]]
    counts: Sequence[Count]


class AppendBatch(NamedTuple):
    """What one append writes. `keys`, none of them seen before, are remembered to recognise duplicates: those in
    `keep_keys` for ever. The held events of the numbers in `released` leave the quarantine; those in `held_again` stay
    under their number with another cause, detail, signature and mended form. A count may be negative, for what was
    counted before and met another fate now.

    What goes to the `ledger` is made of what `ledger_head` and `person_keys` said in the same append, and `offers` of
    what `offer_facts` did.

    What is `imported` is remembered to be of its file. An `erasure` and what is `taken_back` are made before anything
    else, a `repair` after `changes`. All three move the identity epoch, and after an erasure `owners_changed_since`
    tells everybody to forget every owner."""

    records: Sequence[NewRecord]
    keys: Sequence[bytes]
    changes: Changes
    counts: Sequence[Count]
    quarantined: Sequence[Quarantined]
    now_ms: int
    keep_keys: frozenset[bytes] = frozenset()
    released: Sequence[int] = ()
    held_again: Sequence[Quarantined] = ()
    repair: Repair | None = None
    erasure: Erasure | None = None
    imported: Sequence[Imported] = ()
    taken_back: TakeBack | None = None
    ledger: LedgerWrite | None = None
    offers: OfferWrite | None = None


class Past(NamedTuple):
    """What was appended for some people: the EVENT and GROUP `records` that the log has, in order, and the `chapters`
    of those which it has no more, by position. What was dropped at or before `without_chapters` is in neither."""

    records: list[Record]
    chapters: list[Chapter]
    without_chapters: Position


class Append(LedgerAppending, OfferAppending, Protocol):
    """One append under way; made by `Engine.appending`."""

    @property
    def has_suppressed(self) -> bool:
        """Whether there is anybody who asked to be forgotten."""
        ...

    async def owners_changed_since(self, epoch: int) -> tuple[int, Collection[str] | None]:
        """The present identity epoch, and the identifiers whose known owner changed after `epoch`, maybe a few more.

        None instead of identifiers when that is too long ago to tell: forget every cached owner. The epoch rises by
        one with each write that has merges or gives an identifier a shared owner, and with nothing else.
        """
        ...

    async def seen(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of the message keys that were appended before."""
        ...

    async def owners(self, identifiers: Sequence[str]) -> dict[str, Owner]:
        """The owner of each identifier that has one."""
        ...

    async def held(self, people: Collection[PersonId]) -> dict[PersonId, set[str]]:
        """All identifiers that each of the people holds; an empty set for one who holds none."""
        ...

    async def parts(self, people: Collection[PersonId]) -> dict[PersonId, set[PersonId]]:
        """Everybody who became part of each of the people, directly or through others; none for one who has nobody."""
        ...

    async def suppressed(self, identifiers: Collection[str]) -> set[str]:
        """Those of the identifiers whose person asked to be forgotten."""
        ...

    async def bans(self, identifiers: Collection[str]) -> dict[str, set[str]]:
        """For each of the identifiers that is banned with others, the others; both ways round."""
        ...

    async def still_quarantined(self, numbers: Sequence[int]) -> dict[int, Cause]:
        """The present cause of each of the held events that is still there. Nobody else takes one meanwhile."""
        ...

    async def write(self, batch: AppendBatch) -> Position:
        """Write everything; the position of the last record, or the head when there are no records.

        For each merge a HAND_OVER record is among `batch.records`. Called at most once per append.
        """
        ...


class Lease(NamedTuple):
    """Ownership of a partition under an epoch, and the position up to which it is folded."""

    partition: Partition
    epoch: int
    folded: Position


class TimerChange(NamedTuple):
    """Set a person's timer (replacing one of that name), or cancel it when `due_ms` is None."""

    person: PersonId
    timer: str
    due_ms: int | None


class Poisoned(NamedTuple):
    """A record that no step could fold, set aside with its cause."""

    record: Record
    error: str
    at_ms: int


@dataclass(slots=True)
class FoldCommit:
    """Everything that folding a batch of records changes.

    `leases` are those under which it was folded, with the position folded up to before; `folded` the position after,
    for the same partitions.
    """

    leases: Sequence[Lease]
    folded: Mapping[Partition, Position]
    states: Sequence[tuple[PersonId, bytes]] = ()
    timers: Sequence[TimerChange] = ()
    effects: Sequence[NewEffect] = ()
    forwards: Sequence[NewRecord] = ()
    poisoned: Sequence[Poisoned] = ()
    memberships: Sequence[MembershipChange] = ()
    fates: Sequence[MessageFate] = ()
    now_ms: int = 0


class HeldIdentifier(NamedTuple):
    """An identifier of a person: since when it is known (ms UTC), and which message of which source told it first."""

    identifier: str
    shared: bool
    source: SourceId
    message_id: str
    since_ms: int


@dataclass(slots=True)
class PersonReading:
    """All that one snapshot says of a person and of those who became part of them.

    `states` are encoded states, of the person and of each of the `merged`; `tail` the records of all of them that are
    not folded into those states, in order. `head` is the position up to which the snapshot is complete.
    """

    person: PersonId
    head: Position
    identifiers: list[HeldIdentifier] = field(default_factory=list)
    merged: list[PersonId] = field(default_factory=list)
    states: list[bytes] = field(default_factory=list)
    tail: list[Record] = field(default_factory=list)


class IdentityReading(NamedTuple):
    """Why a person's identifiers are one person: links, merges into them (and into those who became part of them),
    and what was refused to them: each identifier once per reason, with its latest evidence."""

    links: list[Link]
    merges: list[Merge]
    refusals: list[LinkRefusal]


class IdentityHistory(NamedTuple):
    """What a person was before: earlier owners of the identifiers that they hold, and of each merge into them (or into
    those who became part of them) when the store learnt of it, and when it was undone (None: it holds), in ms UTC."""

    owners: list[OwnerChange]
    merges: list[tuple[Merge, int, int | None]]


class Alarm(NamedTuple):
    """An identifier that was refused to several people as being another's: likely a shared or hard-coded value."""

    identifier: str
    people_count: int
    refusal_count: int
    first_ms: int
    last_ms: int
    last_message_id: str


class Definition(NamedTuple):
    """Something that the company defined: a source, a key, identity rules, a subscription. `body` is JSON.

    `number` is unique over all definitions and never used again; `revision` counts the changes of this one from 1.
    """

    kind: str
    name: str
    number: int
    revision: int
    body: bytes
    changed_ms: int
    changed_by: str


class Revision(NamedTuple):
    """One change of a definition. `body` is None when that change removed it."""

    number: int
    revision: int
    body: bytes | None
    changed_ms: int
    changed_by: str


class PartitionStatus(NamedTuple):
    """How far a partition is folded, and by whom: None when nobody holds a lease that has not run out.

    `unfolded_count` is exact; `oldest_unfolded_ms` is the arrival of the first of them.
    """

    partition: Partition
    folded: Position
    unfolded_count: int
    oldest_unfolded_ms: int | None
    owner: str | None


class ImportProgress(NamedTuple):
    """How far a file was imported. `fingerprint` is the SHA-256 of its bytes; `finished_ms` None while under way.

    `taken_back_ms`: since when it is being taken back, None while it is not.
    """

    fingerprint: str
    source: SourceId
    name: str
    row_count: int
    finished_ms: int | None
    taken_back_ms: int | None = None


class Engine(Stores, Protocol):
    """A store. Every method is safe to call from several tasks; processes share one where the engine allows it."""

    partition_count: int

    async def open(self) -> None:
        """Connect and bring the schema up to date; safe when several processes do so at once.

        Raises CourtesyError(SETUP) when the store was made with another number of partitions.
        """
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...

    # -- accepting

    def appending(self) -> AbstractAsyncContextManager[Append]:
        """Enter an append; see the promises above."""
        ...

    async def reserve_people(self, count: int) -> range:
        """`count` person ids that nobody else will get. Ids not used are lost."""
        ...

    # -- folding

    async def claim(self, worker: str, want: int, ttl_ms: int) -> list[Lease]:
        """Renew the worker's leases for `ttl_ms` and take free ones up to `want` in all; all that it holds now.

        Taking raises the epoch. A lease that ran out is not renewed: its partition is free for all. None lasts longer
        than `ttl_ms` from now, whoever's it is: after a clock was set back, no dead owner keeps anybody waiting.
        """
        ...

    async def release(self, worker: str, partitions: Collection[Partition]) -> None:
        """Give partitions back at once."""
        ...

    async def workers(self) -> int:
        """How many fold workers hold or asked for leases lately, at least 1."""
        ...

    async def unfolded(self, leases: Sequence[Lease], limit: int) -> list[Record]:
        """Records after each lease's `folded`, at most about `limit` in all, in order within a partition.

        Every partition of the leases gets a share, so that a long one does not starve the others.
        """
        ...

    async def states(self, people: Collection[PersonId]) -> dict[PersonId, bytes]:
        """The stored states of those people who have one."""
        ...

    async def commit_fold(self, commit: FoldCommit) -> None:
        """Write all of it or nothing. Raises LeaseLost when a lease's epoch or folded position has moved on."""
        ...

    async def fire_timers(self, leases: Sequence[Lease], now_ms: int, limit: int) -> int:
        """Move due timers of those partitions into the log as TIMER records, oldest first; how many.

        A record's `at` is when the timer was due. Raises LeaseLost, with nothing moved, when an epoch has moved on.
        """
        ...

    async def next_due_ms(self, leases: Sequence[Lease]) -> int | None:
        """When the earliest timer of those partitions is due."""
        ...

    async def wait_for_records(self, timeout_ms: int) -> None:
        """Return when something may have been appended since the last wait returned, or after the time."""
        ...

    # -- reading

    async def head(self) -> Position:
        """The position of the last record appended, 0 for an empty log."""
        ...

    async def read_person(self, identifier: str) -> PersonReading | None:
        """The person who owns an identifier, from one snapshot. None: nobody.

        `person:<id>` reads by person id: that person, or whom they became part of.
        """
        ...

    async def read_people(self, people: Collection[PersonId]) -> dict[PersonId, PersonReading]:
        """As `read_person` reads each by their id, all from one snapshot; without those who are nobody."""
        ...

    async def records_of(self, people: Collection[PersonId], before: Position | None, limit: int) -> list[Record]:
        """The latest records of some people that the log still has, newest first, before a position if given."""
        ...

    async def events_between(
        self, after: Position, upto: Position, source: SourceId | None, limit: int
    ) -> list[Record]:
        """The latest events at `after < position <= upto` that the log still has, of a source if given, newest first.

        It may read everything in between to find them, so keep the span of a source that is rare short.
        """
        ...

    async def position_before(self, received_ms: int) -> Position:
        """The position of the last record of those still in the log that arrived before an instant, 0 when none did.

        By halving the log, so that after a clock was set back it may be off by what arrived meanwhile.
        """
        ...

    async def identity_of(self, person: PersonId) -> IdentityReading:
        """The evidence for a person."""
        ...

    async def identity_history(self, person: PersonId) -> IdentityHistory:
        """What a person was before, of someone who is no part of another."""
        ...

    async def person_at(self, identifier: str, at_ms: int) -> tuple[PersonId, list[PersonId]] | None:
        """Who owned an identifier at an instant, and who had become part of them by then, by what the store knew then.

        `person:<id>` asks by number, which is answered whether or not it was given out. None when the store had not
        learnt of the identifier by then, or nobody owns it now. Whether their records carry it says nothing of that:
        a repair gives records to others.
        """
        ...

    async def history(self, people: Collection[PersonId]) -> list[Record]:
        """All EVENT and GROUP records that the log has and that were appended for these people, in order."""
        ...

    async def was_trimmed(self) -> bool:
        """Whether anything was ever dropped from the log because it was old."""
        ...

    async def past(self, people: Collection[PersonId]) -> Past:
        """All that is kept of what was appended for these people, from one snapshot."""
        ...

    async def moves(self, people: Collection[PersonId]) -> list[Move]:
        """All moves of the records that were ever moved away from, or to, any of the people, oldest first."""
        ...

    async def unfolded_kinds(self, people: Collection[PersonId]) -> set[RecordKind]:
        """Of which kinds there are records of these people that are not folded."""
        ...

    async def waiting_effects(self, people: Collection[PersonId]) -> list[NewEffect]:
        """Effects of these people that have no final outcome yet."""
        ...

    async def notes(self, person: PersonId | None, limit: int) -> list[Note]:
        """Corrections that were made to a person or to anybody, newest first."""
        ...

    async def suppression_hashes(self, identifiers: Collection[str]) -> list[bytes]:
        """What is kept of identifiers whose person is forgotten, in the same order: 32 bytes each, salted. They stay
        the same for as long as the store is there, in its backups too."""
        ...

    async def known_as(self, hashes: Collection[bytes]) -> list[str]:
        """The identifiers whose suppression hash is one of these, of those that somebody owns or by which people became
        one, in order. Looks at every identifier."""
        ...

    async def pending_erasures(self) -> list[PendingErasure]:
        """Erasures that the archive beyond the log has not made yet, oldest first."""
        ...

    async def erasure_marks(self) -> set[bytes]:
        """The marks of all erasures that were ever made here, whatever the archive has made of them since."""
        ...

    async def archive_erased(self, number: int, at_ms: int) -> None:
        """The archive has forgotten whom this erasure is about."""
        ...

    async def alarms(self, degree: int, limit: int) -> list[Alarm]:
        """Identifiers refused to at least `degree` people, most refusals first."""
        ...

    async def counts(self, from_ms: int, to_ms: int) -> list[Count]:
        """Counts of the hours that begin in `from_ms <= hour < to_ms`, summed over processes; none that is 0."""
        ...

    async def quarantined(
        self,
        source: SourceId | None,
        cause: Cause | None,
        before: int | None,
        limit: int,
        *,
        signature: str | None = None,
        numbers: Collection[int] | None = None,
    ) -> list[Quarantined]:
        """Rejected events, newest first, before a number if given; only those with the signature, of the numbers."""
        ...

    async def quarantine_groups(self, source: SourceId | None, cause: Cause | None) -> list[QuarantineGroup]:
        """What is in quarantine by source, cause and signature, most events first, then the latest first."""
        ...

    async def poisoned(self, limit: int) -> list[Poisoned]:
        """Records that could not be folded, newest first."""
        ...

    async def status(self) -> list[PartitionStatus]:
        """All partitions."""
        ...

    async def person_count(self) -> int:
        """How many people there are now: those who own an identifier. Groups and sources own theirs alike, and do not
        count."""
        ...

    async def some_people(self, count: int) -> list[PersonId]:
        """Up to `count` of those whom `person_count` counts, by id: spread over all of them, and the same each time as
        long as nobody comes or goes. All of them when they are no more. Takes a few look-ups for each, whatever their
        number."""
        ...

    # -- definitions

    async def definitions(self) -> tuple[int, list[Definition]]:
        """The version of the catalogue, which rises with every change, and all definitions in force."""
        ...

    async def catalog_version(self) -> int:
        """The version alone; cheap."""
        ...

    async def define(self, kind: str, name: str, body: bytes | None, by: str, now_ms: int) -> Definition | None:
        """Define, redefine, or with a body of None remove; every revision is kept in the history. None when removed.

        Removing what is not there changes nothing. What is defined again after its removal gets a new number, and its
        revisions go on.
        """
        ...

    async def definition_history(self, kind: str, name: str) -> list[Revision]:
        """Every change of a definition that there ever was, oldest first; empty for one that never was."""
        ...

    # -- evidence

    async def keep_shown(self, contents: Collection[bytes], now_ms: int) -> None:
        """Keep what was shown to people, for ever, under its SHA-256; what is kept already stays as it is."""
        ...

    async def shown(self, digest: bytes) -> bytes | None:
        """What was shown and has this SHA-256 (32 bytes); None when nothing kept has."""
        ...

    # -- upkeep

    async def trimmable(self, up_to: Position, limit: int) -> list[Record]:
        """The oldest records of partitions that are folded, up to a position included, each partition's in order.

        Not many more than `limit`, and some as long as there are any. None lies behind one that is left out.
        """
        ...

    async def trim(
        self, records: Sequence[Record], latest: Mapping[PersonId, Chapter], chapters: Sequence[Chapter]
    ) -> bool:
        """Drop what `trimmable` gave from the log, and keep what its events come to: in place of the chapters of these
        people that begin at the same positions, or beside those that there are.

        `latest` is what `latest_chapters` said of them, and what `chapters` go on from. False when somebody else has
        dropped some of the records or torn, forgotten or written one of these meanwhile, and nothing was changed: what
        was erased would come back with them.
        """
        ...

    async def latest_chapters(self, people: Collection[PersonId]) -> dict[PersonId, Chapter]:
        """The last chapter of each who has any."""
        ...

    async def tear_chapters(self, source: SourceId | None, received_before_ms: int) -> int:
        """Tear the chapters with events of a source, or of any, that arrived before an instant; how many were whole."""
        ...

    async def drop(self, records: Sequence[Record]) -> int:
        """Drop these records from the log, but none that is not folded; how many."""
        ...

    async def log_after(self, position: Position, limit: int) -> list[Record]:
        """Records of all kinds after a position, in order, at most `limit`; maybe fewer though more follow.

        Empty only when there are none. What is dropped is left out.
        """
        ...

    async def lake_position(self) -> Position | None:
        """Up to where the lake has all events of the log, as saved last; None when that never was."""
        ...

    async def save_lake_position(self, position: Position) -> None:
        """Remember up to where the lake has all events, whether that is further than before or not."""
        ...

    async def forget_keys(self, before_ms: int) -> int:
        """Forget message keys older than an instant, except those to be kept; how many.

        A key may stay up to a day longer.
        """
        ...

    async def import_progress(self, fingerprint: str, source: SourceId) -> ImportProgress | None:
        """How far a file was imported into a source before."""
        ...

    async def save_import(self, progress: ImportProgress) -> None:
        """Remember how far a file was imported. One that is being taken back stays so, whatever `progress` says."""
        ...

    async def imports(self) -> list[ImportProgress]:
        """Every file that was ever imported and not taken back, by source and name."""
        ...

    async def import_spans(self, file: FileKey) -> list[Span]:
        """Where in the log the events of a file lie, or lay before they were dropped; in order."""
        ...

    async def import_counts(self, file: FileKey) -> list[Count]:
        """What is counted for a file; none that is 0. Empty for one that the store can't take back, or never saw."""
        ...

    async def spans_taken_back(self) -> list[Span]:
        """The spans of all files that are being taken back: what is left there counts as gone."""
        ...

    async def people_in(self, spans: Sequence[Span]) -> set[PersonId]:
        """For whom the EVENT and GROUP records in some spans were appended, as far as the log still has them."""
        ...
