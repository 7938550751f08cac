"""Taking an imported file back: its events, and all that only they told, go as if they had never come.

It goes person by person, some of them in each append, so that nobody else waits long. From the beginning on what is
left of the file counts as gone for whoever asks for history. Whoever dies half way, or stops, does it again: what is
done is passed over, and the file is forgotten last.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_bytes

import msgspec

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.ids import PersonId, message_key
from courtesy.base.time import Clock
from courtesy.engine.contract import (
    Append,
    AppendBatch,
    Engine,
    HeldIdentifier,
    ImportProgress,
    PersonReading,
    Unavailable,
)
from courtesy.engine.imported import FileKey, Span, Spans, TakeBack, joined
from courtesy.event.cause import Fate
from courtesy.identity.repair import Note, Repair, parted
from courtesy.identity.resolve import Changes, Evidence
from courtesy.identity.rules import IdentityRules, normalise
from courtesy.identity.told import Telling, Told, told_by
from courtesy.person.record import Record, RecordKind
from courtesy.person.state import PersonState
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.history import History
from courtesy.runtime.ledger import Draw, Ledger, LedgerWriter, counting
from courtesy.runtime.repair import SETTLE_EVERY_S, SETTLE_TRIES, Piece, Repairs, restore, stuck, whole_of

PEOPLE_AT_ONCE = 20
"""People in one append, each of whom takes some questions to the store: a few hundredths of a second."""

SET_ASIDE_MAX = 1_000_000
KIND = "take back"

_Assigned = Mapping[Record, PersonId]


class _Said(msgspec.Struct):
    """As much of an event as says who is who."""

    id: str = ""
    type: str = ""
    at: int = 0
    ids: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    group: str | None = None


_SAID = msgspec.json.Decoder(_Said)


class TakenBack(msgspec.Struct, frozen=True):
    """What taking a file back comes to, or would. `events`, `quarantined`, `duplicates` and `suppressed` are what is
    counted for the file, `people` those of whom it told something: `done` so far. Ask again until it is `finished`."""

    fingerprint: str
    source: str
    name: str
    events: int
    quarantined: int
    duplicates: int
    suppressed: int
    people: int
    done: int
    finished: bool


@dataclass(slots=True)
class _Plan:
    """What becomes of one person. `repair` when they become several."""

    gone: TakeBack
    states: list[PersonState]
    repair: Repair | None = None


@dataclass(frozen=True, slots=True)
class _File:
    """A file that is being taken back, and by whom."""

    key: FileKey
    name: str
    spans: list[Span]
    inside: Spans
    by: str


@dataclass(slots=True)
class _Seen:
    """The events of a person: those of the file, and the rest with whose each is."""

    theirs: list[Record] = field(default_factory=list)
    rest: dict[Record, PersonId] = field(default_factory=dict)


class TakeBacks:
    """Takes files back, in one process."""

    def __init__(
        self,
        engine: Engine,
        catalog: CatalogCache,
        history: History,
        repairs: Repairs,
        clock: Clock,
        draw: Draw = token_bytes,
    ) -> None:
        """`draw` gives the keys of the ledger, and must not be foreseen by anybody."""
        self._engine = engine
        self._catalog = catalog
        self._history = history
        self._repairs = repairs
        self._clock = clock
        self._ledger = Ledger(engine)
        self._writer = LedgerWriter(engine.partition_count, draw)

    async def take_back(
        self, fingerprint: str, source: str, by: str, *, dry: bool = False, people_max: int | None = None
    ) -> TakenBack:
        """Take a file back as a whole. `dry` changes nothing and says what would be.

        `people_max`: no more people than about so many in this call; the next goes on. Afterwards, when it says that it
        is finished, the store is as if the file had never been imported, and it can be imported again. What it kept
        apart stays so: an identifier that is shared because of the file stays shared as long as others carry it.

        Raises CourtesyError: NOT_FOUND, or CONFLICT for a file that was imported before files could be taken back,
        while another is being taken back, or for somebody whose events are not all there any more.
        """
        progress, file = await self._find(fingerprint, source, by)
        if dry:
            return await self._told(file, source, len(await self._history.people_in(file.spans)), 0, finished=False)
        if progress.taken_back_ms is None:
            await self._begin(file)
        # From here on a repair that gives events to others leaves out those of the file.
        people = sorted(await self._history.people_in(file.spans))
        told = await self._told(file, source, len(people), len(people), finished=True)
        for done in range(0, len(people), PEOPLE_AT_ONCE):
            if people_max is not None and done >= people_max:
                return msgspec.structs.replace(told, done=done, finished=False)
            await self._people(file, people[done : done + PEOPLE_AT_ONCE])
        await self._history.forget(file.spans)
        finished = await self._finish(file)
        return msgspec.structs.replace(told, finished=finished)

    async def imports(self) -> list[ImportProgress]:
        """Every file that was imported and not taken back."""
        return await self._engine.imports()

    async def _find(self, fingerprint: str, source: str, by: str) -> tuple[ImportProgress, _File]:
        if source not in self._catalog.now.sources:
            # Another process may have made it a moment ago.
            await self._catalog.refresh()
        known = self._catalog.now.sources
        if source not in known:
            raise CourtesyError(Code.NOT_FOUND, f"no source {source!r:.100}", hint=nearest(source, known))
        key = FileKey(fingerprint, known[source][0])
        progress = await self._engine.import_progress(*key)
        if progress is None:
            message = f"no file {fingerprint:.64} was imported into {source}"
            raise CourtesyError(Code.NOT_FOUND, message, hint="the fingerprint is the SHA-256 of the file's bytes")
        if progress.row_count and not await self._engine.import_counts(key):
            message = "this file was imported before files could be taken back: what is of it is not known"
            raise CourtesyError(Code.CONFLICT, message, place=progress.name)
        spans = joined(await self._engine.import_spans(key))
        return progress, _File(key, progress.name, spans, Spans(spans), by)

    async def _begin(self, file: _File) -> None:
        """Say that it is being taken back. One file at a time: of another, what its archive still has could not be told
        from what nobody has taken back yet."""
        async with self._engine.appending():
            known = {FileKey(each.fingerprint, each.source): each for each in await self._engine.imports()}
            own = known.pop(file.key, None)
            if own is None:
                raise CourtesyError(Code.NOT_FOUND, f"{file.name} was taken back by somebody else", place=file.name)
            for each in known.values():
                if each.taken_back_ms is not None:
                    message = f"another file is being taken back: {each.name}, {each.fingerprint}"
                    raise CourtesyError(Code.CONFLICT, message, hint="finish that first", place=file.name)
            if own.taken_back_ms is None:
                await self._engine.save_import(own._replace(taken_back_ms=self._clock.now_ms()))

    async def _told(self, file: _File, source: str, people: int, done: int, *, finished: bool) -> TakenBack:
        fates = Counter[Fate]()
        for count in await self._engine.import_counts(file.key):
            fates[count.fate] += count.event_count
        return TakenBack(
            file.key.fingerprint,
            source,
            file.name,
            fates[Fate.STORED],
            fates[Fate.QUARANTINED],
            fates[Fate.DUPLICATE],
            fates[Fate.SUPPRESSED],
            people,
            done,
            finished,
        )

    # -- people

    async def _people(self, file: _File, people: Sequence[PersonId]) -> None:
        """Take back what is theirs: all at once, but those who become several one by one."""
        waiting = list(people)
        for _ in range(SETTLE_TRIES):
            waiting, alone = await self._together(file, waiting)
            for person in alone:
                waiting += await self._alone(file, person)
            if not waiting:
                return
            await asyncio.sleep(SETTLE_EVERY_S)
        raise Unavailable("an earlier merge of these people is not folded yet")

    async def _together(self, file: _File, people: Sequence[PersonId]) -> tuple[list[PersonId], list[PersonId]]:
        """Those who have to wait for a merge to be folded, and those who become several."""
        waiting, alone, plans = [], [], list[_Plan]()
        async with self._engine.appending() as append:
            if not await self._is_under_way(file):
                return [], []
            now_ms, seen = self._clock.now_ms(), set[PersonId]()
            for person in people:
                reading = await self._engine.read_person(f"person:{person}")
                if reading is None or reading.person in seen:
                    continue
                seen.add(reading.person)
                plan = await self._settled_plan(file, reading, now_ms)
                if plan is None:
                    waiting.append(person)
                elif plan.repair is not None:
                    alone.append(person)
                else:
                    plans.append(plan)
            if plans:
                await self._write(append, file, _batch(file, plans, now_ms))
        return waiting, alone

    async def _alone(self, file: _File, person: PersonId) -> list[PersonId]:
        """Take back what is of one person; themselves when they have to wait."""
        async with self._engine.appending() as append:
            reading = await self._engine.read_person(f"person:{person}")
            if reading is None or not await self._is_under_way(file):
                return []
            now_ms = self._clock.now_ms()
            plan = await self._settled_plan(file, reading, now_ms)
            if plan is None:
                return [person]
            await self._write(append, file, _batch(file, [plan], now_ms, plan.repair))
            return []

    async def _write(self, append: Append, file: _File, batch: AppendBatch) -> None:
        """Write, and have the ledger, of which nothing is ever taken out, say that what the file told counts no
        more."""
        gone = batch.taken_back
        assert gone is not None, "a batch of this kind takes something back"
        read = await self._ledger.appended_for(gone.people)
        told = [each for each in counting(read) if each.entry.position in file.inside]
        method = f"{KIND}: {file.key.fingerprint}"
        ledger = await self._writer.retracted(append, told, batch.records, batch.now_ms, method)
        await append.write(batch._replace(ledger=ledger))

    async def _is_under_way(self, file: _File) -> bool:
        """Whether it is still being taken back. If not, somebody else was quicker; perhaps it is being imported again,
        or another file is being taken back."""
        progress = await self._engine.import_progress(*file.key)
        return progress is not None and progress.taken_back_ms is not None

    async def _settled_plan(self, file: _File, reading: PersonReading, now_ms: int) -> _Plan | None:
        kinds = await self._engine.unfolded_kinds([reading.person, *reading.merged])
        return None if kinds else await self._plan(file, reading, now_ms)

    async def _plan(self, file: _File, reading: PersonReading, now_ms: int) -> _Plan:
        seen = await self._seen(file, {reading.person, *reading.merged})
        whole = whole_of(reading)
        known = await self._repairs.known(reading)
        told = told_by(_tellings(seen.rest, self._catalog.now.rules), known.identifiers)
        gone = await self._gone(file, reading, seen, told)
        links = [link for link in (await self._engine.identity_of(reading.person)).links if link not in gone.cut]
        parts = [
            part
            for part in parted(known, [*links, *gone.cut, *gone.links], gone.cut)
            if part.person is not None or any(key not in gone.identifiers for key in part.identifiers)
        ]
        for part in parts:
            part.identifiers = [key for key in part.identifiers if key not in gone.identifiers]
        pieces, moves = await self._repairs.pieces(parts, seen.rest, whole, now_ms)
        if _check_whole(whole, pieces, seen.theirs):
            gone = replace(gone, keys=await self._keys_left(gone))
        if len(pieces) == 1:
            home = dict.fromkeys((reading.person, *reading.merged), pieces[0])
            tombstones = [PersonState(loser, survivor) for loser, survivor in stuck(reading, home).items()]
            return _Plan(gone, [pieces[0].state, *tombstones])
        note = Note(KIND, reading.person, file.by, file.name, now_ms)
        cut = await self._repairs.corrected(reading, pieces, [], note, moves)
        return _Plan(gone, [*(piece.state for piece in pieces), *cut.tombstones], cut.repair)

    async def _seen(self, file: _File, people: set[PersonId]) -> _Seen:
        seen = _Seen()
        for record, person in (await self._history.with_what_is_taken_back(people)).items():
            if record.position in file.inside:
                seen.theirs.append(record)
            else:
                seen.rest[record] = person
        return seen

    async def _gone(self, file: _File, reading: PersonReading, seen: _Seen, told: Told) -> TakeBack:
        source = file.key.source
        messages = {_said(record).id for record in seen.theirs}
        keys = {record.key for record in seen.theirs}
        # By the key, which is right even where a record was corrupted and says nothing.
        first = [each for each in reading.identifiers if message_key(each.source, each.message_id) in keys]
        lost = {each.identifier for each in first if each.identifier not in told.identifiers}
        links = (await self._engine.identity_of(reading.person)).links
        cut = [
            link
            for link in links
            if not lost.isdisjoint((link.a, link.b))
            or message_key(link.evidence.source, link.evidence.message_id) in keys
        ]
        return TakeBack(
            source,
            people={reading.person, *reading.merged, *(record.person for record in seen.theirs)},
            positions=[record.position for record in seen.theirs],
            # What another file told again since is that one's.
            keys=keys - {record.key for record in seen.rest},
            # An earlier one may tell what the file told, and with the one that is to come nobody needs it.
            restored=[reading.person, *reading.merged],
            identifiers=lost,
            evidence=_evidence(first, told),
            cut=cut,
            links=list(told.links.values()) if cut else [],
            messages=messages,
        )

    async def _keys_left(self, gone: TakeBack) -> set[bytes]:
        """The keys of what the log still has or was set aside: what only the archive has was taken back before, and
        another file may have told it again to somebody else since."""
        there = {record.key for record in await self._engine.history(gone.people)}
        there |= {each.record.key for each in await self._engine.poisoned(SET_ASIDE_MAX)}
        return there & set(gone.keys)

    # -- the end

    async def _finish(self, file: _File) -> bool:
        """Forget the file, unless more of it came in meanwhile."""
        async with self._engine.appending() as append:
            if not await self._is_under_way(file):
                return True
            spans = joined(await self._engine.import_spans(file.key))
            # What came in meanwhile may be in the archive alone by now.
            if spans != file.spans or await self._engine.people_in(spans):
                return False
            now_ms = self._clock.now_ms()
            note = Note(KIND, PersonId(0), file.by, file.name, now_ms)
            gone = TakeBack(file.key.source, finished=file.key)
            batch = AppendBatch([], [], Changes(), [], [], now_ms, repair=Repair(note), taken_back=gone)
            await append.write(batch)
        return True


def _said(record: Record) -> _Said:
    try:
        return _SAID.decode(record.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Said()


def _tellings(records: Iterable[Record], rules: IdentityRules) -> Iterable[Telling]:
    for record in records:
        said = _said(record)
        evidence = Evidence(record.source, said.id, record.at)
        if record.kind is RecordKind.GROUP:
            group = normalise(rules, "group", said.group)
            yield Telling(evidence, () if group is None else (group,))
        else:
            yield Telling(evidence, said.ids, said.previous)


def _evidence(first: Iterable[HeldIdentifier], told: Told) -> dict[str, Evidence]:
    """What tells of identifiers now that the file, which told them first, does not."""
    return {each.identifier: told.identifiers[each.identifier] for each in first if each.identifier in told.identifiers}


def _check_whole(whole: PersonState, pieces: Iterable[Piece], theirs: Iterable[Record]) -> bool:
    """Check that the events that are left, and those of the file or some of them, are all that make the person; whether
    they are so without any of the file."""
    rest = Counter[str]()
    for piece in pieces:
        rest.update(piece.state.type_counts)
    most = rest + Counter(_said(record).type for record in theirs)
    there = Counter(whole.type_counts)
    if any(there[name] < rest[name] or there[name] > most[name] for name in {*there, *most}):
        raise CourtesyError(
            Code.CONFLICT,
            f"expected {whole.event_count} events of person {whole.person} in history, found {most.total()}",
            hint="what was dropped from the log without a lake, or by a retention rule, can't be told apart any more",
        )
    return rest == there


def _batch(file: _File, plans: Sequence[_Plan], now_ms: int, repair: Repair | None = None) -> AppendBatch:
    """One append of what becomes of some people."""
    parts = [plan.gone for plan in plans]
    gone = TakeBack(
        file.key.source,
        people={person for part in parts for person in part.people},
        positions=[position for part in parts for position in part.positions],
        keys={key for part in parts for key in part.keys},
        restored=[person for part in parts for person in part.restored],
        identifiers={key for part in parts for key in part.identifiers},
        evidence={key: evidence for part in parts for key, evidence in part.evidence.items()},
        cut=[link for part in parts for link in part.cut],
        links=[link for part in parts for link in part.links],
        messages={message for part in parts for message in part.messages},
    )
    records = [restore(state, now_ms) for plan in plans for state in plan.states]
    return AppendBatch(records, [], Changes(), [], [], now_ms, repair=repair, taken_back=gone)
