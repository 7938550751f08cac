"""A world as it comes into a store: each fact, and who becomes one with whom, appended as the product appends it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from courtesy.base.ids import PersonId
from courtesy.base.time import ManualClock
from courtesy.engine.contract import Append, AppendBatch, Engine
from courtesy.event.event import encode
from courtesy.identity.repair import Move, Note, Repair
from courtesy.identity.resolve import Changes, Evidence, Merge, Owner
from courtesy.person.catalog import Watch
from courtesy.person.history import catalog_history, refold
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, Record, RecordKind, hand_over_payload
from courtesy.person.state import PersonState
from courtesy.runtime.history import History
from courtesy.runtime.repair import restore
from tests.unit.segment.facts import Arrival, Merged, Told, World
from tests.unit.segment.histories import BODIES
from tests.unit.segment.records import GROUPS, SOURCE_IDS, event_of

PEOPLE = tuple(PersonId(body) for body in sorted(set(BODIES)))


class Arriving:
    """Takes what comes in, one arrival after the other."""

    def __init__(self, engine: Engine, clock: ManualClock, watch: Callable[[], Watch | None]) -> None:
        """`watch`: over the segments that count when somebody is found anew."""
        self._engine = engine
        self._history = History(engine)
        self._clock = clock
        self._watch = watch
        self._known: list[Arrival] = []
        self._bodies: dict[bytes, int] = {}
        self._owned: set[str] = set()
        self._roots = {body: body for body in BODIES}
        self._merges: list[Merge] = []

    @property
    def known(self) -> World:
        """What has come in so far."""
        return World(tuple(self._known))

    async def take(self, arrival: Arrival) -> None:
        """Append what comes in. Before somebody is parted all that they did must be folded."""
        self._known.append(arrival)
        async with self._engine.appending() as append:
            if isinstance(arrival, Told):
                await self._tell(append, arrival)
            elif isinstance(arrival, Merged):
                await self._merge(append, arrival)
            else:
                await self._part(append, PersonId(arrival.body))

    async def _write(
        self, append: Append, records: Sequence[NewRecord], changes: Changes, repair: Repair | None = None
    ) -> None:
        await append.write(AppendBatch(records, [], changes, [], [], self._clock.now_ms(), repair=repair))

    async def _tell(self, append: Append, told: Told) -> None:
        self._bodies[told.key] = told.body
        payload = encode(event_of(self.known, told))
        to = [(f"user_id:{told.body}", PersonId(self._roots[told.body]), RecordKind.EVENT)]
        if told.group is not None:
            to.append((told.group, GROUPS[told.group], RecordKind.GROUP))
        source, evidence = SOURCE_IDS[told.source], Evidence(SOURCE_IDS[told.source], f"m{told.number}", told.at_ms)
        records = [
            NewRecord(person, kind, told.at_ms, told.received_ms, source, told.key, payload) for _, person, kind in to
        ]
        fresh = [(key, person) for key, person, _ in to if key not in self._owned]
        self._owned.update(key for key, _ in fresh)
        owners = {key: (Owner(person), evidence) for key, person in fresh}
        await self._write(append, records, Changes({person: evidence for _, person in fresh}, owners))

    async def _merge(self, append: Append, merged: Merged) -> None:
        at_ms = merged.received_ms
        loser, survivor = PersonId(merged.loser), PersonId(merged.survivor)
        evidence = Evidence(SYSTEM_SOURCE, "", at_ms)
        merge = Merge(loser, survivor, "", "", evidence, "told")
        self._merges.append(merge)
        moving = [body for body, root in self._roots.items() if root == loser]
        self._roots |= dict.fromkeys(moving, survivor)
        keys = [key for body in moving if (key := f"user_id:{body}") in self._owned]
        hand_over = NewRecord(
            loser, RecordKind.HAND_OVER, at_ms, at_ms, SYSTEM_SOURCE, bytes(16), hand_over_payload(survivor)
        )
        owners = {key: (Owner(survivor), evidence) for key in keys}
        await self._write(append, [hand_over], Changes(owners=owners, merges=[merge]))

    async def _part(self, append: Append, own: PersonId) -> None:
        """Have two people found anew from what belongs to each of them now, and who was part of the one by the other
        be part of them."""
        whole, now_ms = PersonId(self._roots[own]), self._clock.now_ms()
        people = [PersonId(body) for body, root in self._roots.items() if root == whole]
        self._roots[own] = own
        sides: dict[PersonId, list[Record]] = {own: [], whole: []}
        moves: list[Move] = []
        for record, owner in (await self._history.of(people)).items():
            home = own if owner == own else whole
            body = self._bodies.get(record.key)
            side = home if body is None else own if body == own else whole
            sides[side].append(record)
            if side != home:
                moves.append(Move(record.position, record.person, side, now_ms))
        undone = [each for each in self._merges if own in (each.loser, each.survivor)]
        rejoined = [each._replace(survivor=whole) for each in undone if each.survivor == own]
        self._merges = [each for each in self._merges if each not in undone] + rejoined
        key = f"user_id:{own}"
        repair = Repair(
            Note("unmerge", whole, "tests", "", now_ms),
            owners={key: own} if key in self._owned else {},
            roots={own: None},
            undone=undone,
            rejoined=rejoined,
            moves=moves,
        )
        catalogs = catalog_history((), self._watch())
        states = [refold(person, records, catalogs, now_ms) for person, records in sides.items()]
        states += [PersonState(each.loser, whole) for each in rejoined]
        await self._write(append, [restore(state, now_ms) for state in states], Changes(), repair)
