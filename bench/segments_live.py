"""What live segments cost the fold: added time per event, and how it grows with their number."""

from __future__ import annotations

import gc
import time

from bench.results import Figure
from bench.retail import Retail, defined, retail, texts
from courtesy.base.ids import PersonId
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.person.catalog import Catalog
from courtesy.person.record import input_of
from courtesy.person.state import PersonState, encode_state
from courtesy.person.step import LOOK, TimerCancelled, TimerFired, TimerSet, step
from courtesy.segment.live.watch import Watch

COUNTS = (0, 10, 100, 1_000, 5_000)


def segments_live(event_count: int) -> list[Figure]:
    """Fold the same stream with ever more segments, timers firing when they are due; one core, in one process.

    The time is that of the steps alone: no log, no store; encoding the states is told apart.
    """
    shop = retail(event_count)
    told: dict[int, tuple[float, str]] = {}
    for count in COUNTS:
        told[count] = _run(shop, count)
        print(f"  {count:6} segments: {told[count][0]:8.2f} us an event; {told[count][1]}", flush=True)
    plain = told[0][0]
    thousand, hundred, five = (told[count][0] - plain for count in (1_000, 100, 5_000))
    note = f"added to {plain:.1f} us; 10: {told[10][0] - plain:.1f}, 100: {hundred:.1f}; {told[1_000][1]}"
    return [
        Figure("segments_1000_us_per_event", thousand, "us", len(shop.records), note),
        Figure(
            "segments_5000_vs_100_cost_ratio",
            five / hundred,
            "times",
            len(shop.records),
            f"5,000: {five:.1f} us, 100: {hundred:.1f} us",
        ),
    ]


def _run(shop: Retail, count: int) -> tuple[float, str]:
    """Microseconds an event, and what came of it."""
    definitions = defined(texts(shop, count))
    watch = Watch(definitions, laws=Laws(LAWS)) if definitions else None
    catalog = Catalog(1, (), watch)
    given = [(record.person, record.received, input_of(record)) for record in shop.records]
    states: dict[PersonId, PersonState] = {}
    due: dict[PersonId, int] = {}
    crossings = fired = 0
    gc.collect()
    gc.freeze()
    began = time.perf_counter()
    for person, received, each in given:
        state = states.get(person)
        if state is None:
            state = states[person] = PersonState(person)
        # Due timers of whoever does something are looked at on the way: here they are counted as firings of their own.
        while (due_ms := due.get(person)) is not None and due_ms <= received:
            del due[person]
            fired += 1
            outcome = step(state, TimerFired(LOOK, due_ms), catalog, due_ms)
            crossings += len(outcome.crossings)
            _note(due, person, outcome.timers)
        outcome = step(state, each, catalog, received)
        if outcome.crossings or outcome.timers:
            crossings += len(outcome.crossings)
            _note(due, person, outcome.timers)
    took = time.perf_counter() - began
    gc.unfreeze()
    size = sum(len(encode_state(state)) for state in states.values()) / len(states)
    return took / len(given) * 1e6, f"{crossings:,} crossings, {fired:,} timers fired, {size:,.0f} bytes a person"


def _note(due: dict[PersonId, int], person: PersonId, timers: list[TimerSet | TimerCancelled]) -> None:
    for timer in timers:
        if isinstance(timer, TimerSet):
            due[person] = timer.due_ms
        else:
            due.pop(person, None)
