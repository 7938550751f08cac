"""What segments ask for that are not ready yet, counted at once for somebody whose state is told anew.

Making a segment ready passes over whoever was found anew since it was defined, for they have all of theirs already
(`courtesy.runtime.segment_building`). So whoever writes a state has to count into it what is not counted yet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from courtesy.base.ids import PersonId
from courtesy.base.time import Clock
from courtesy.engine.contract import Engine
from courtesy.person.marks import Mark, Marks
from courtesy.person.state import PersonState
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.history import History
from courtesy.runtime.segment_building import counted
from courtesy.segment.live.watch import Tally, patterns_in_force


class Unready:
    """Counts for the segments that are not ready, in one process."""

    def __init__(self, engine: Engine, history: History, catalog: CatalogCache, clock: Clock) -> None:
        self._engine = engine
        self._history = history
        self._catalog = catalog
        self._clock = clock

    async def counted(self, states: Iterable[PersonState]) -> list[PersonState]:
        """The same states, all of whose events are folded, with everything counted that any segment asks for.

        Call it while nothing is appended: then no segment is defined meanwhile. Costs nothing while all are ready.
        """
        told = list(states)
        tallies = await self._tallies() if told else []
        for state in told if tallies else ():
            if state.merged_into is None:
                marks = state.marks = state.marks or Marks(now=self._clock.now_ms())
                marks.marks = {**marks.marks, **await self._marks_of(state.person, tallies)}
        return told

    async def _tallies(self) -> list[Tally]:
        # Another process may have defined one just now.
        await self._catalog.refresh()
        now = self._catalog.now
        done = patterns_in_force(each for each in now.segments_in_force if each.ready is not None)
        unready = [each for each in now.segments_in_force if each.ready is None]
        missing = [(each, patterns_in_force([each]).keys() - done.keys()) for each in unready]
        return [Tally(each, keys, now.source_names) for each, keys in missing if keys]

    async def _marks_of(self, person: PersonId, tallies: Sequence[Tally]) -> dict[str, Mark]:
        reading = await self._engine.read_person(f"person:{person}")
        people = [person] if reading is None else [reading.person, *reading.merged]
        owned = [(person, record) for record in await self._history.of(people)]
        found: dict[str, Mark] = {}
        for tally in tallies:
            found.update(counted(owned, tally, self._clock.now_ms()).get(person, {}))
        return found
