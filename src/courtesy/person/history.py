"""A person's state folded anew from history: what the fold would have made of these records and no others."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from courtesy.base.ids import PersonId
from courtesy.person.catalog import EMPTY_CATALOG, Catalog, Subscription, Watch
from courtesy.person.conversion import Asked
from courtesy.person.record import FACTS, Record, input_of
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.person.step import Occurred, note_done, step


@dataclass(frozen=True, slots=True)
class CatalogHistory:
    """The catalogue as it was: each of today's subscriptions from the instant (ms UTC) since which it is as it is.

    What was defined later did not start anything then, so it must not when history is folded anew. But `watch` is over
    today's segments, which count all that ever happened, and `goals` are today's as well.
    """

    since: Sequence[int]
    catalogs: Sequence[Catalog]
    watch: Watch | None = None
    goals: Asked | None = None

    def at(self, instant_ms: int) -> Catalog:
        """The catalogue at an instant, as far as it is still in force."""
        count = bisect_right(self.since, instant_ms)
        return self.catalogs[count - 1] if count else EMPTY_CATALOG


def catalog_history(
    defined: Iterable[tuple[int, Subscription]], watch: Watch | None = None, goals: Asked | None = None
) -> CatalogHistory:
    """The history in which each subscription is there from its instant on."""
    ordered = sorted(defined, key=lambda each: (each[0], each[1].name))
    subscriptions = [subscription for _, subscription in ordered]
    catalogs = [Catalog(count, tuple(subscriptions[:count])) for count in range(1, len(ordered) + 1)]
    return CatalogHistory([since for since, _ in ordered], catalogs, watch, goals)


NO_CATALOGS = CatalogHistory((), ())


def refold(
    person: PersonId,
    records: Sequence[Record],
    catalogs: CatalogHistory,
    now_ms: int,
    keep: Collection[str] = (),
) -> PersonState:
    """The state of `person` after their EVENT and GROUP records, given in order; other kinds are passed over.

    Waits that were over by `now_ms` are gone, for they had their effect, or were called off, at their time: but not
    those in `keep`. A record that can't be folded is left out, as the fold sets it aside.
    """
    facts = [record for record in records if record.kind in FACTS]
    try:
        state = PersonState(person)
        for record in facts:
            _fold(state, record, catalogs, keep)
        encode_state(state)
    except Exception:  # noqa: BLE001 -- anything that a record makes a step raise, as the fold worker does
        state = PersonState(person)
        for record in facts:
            state = _fold_carefully(state, record, catalogs, keep)
    _end_waits(state, now_ms, keep)
    return state


def _fold(state: PersonState, record: Record, catalogs: CatalogHistory, keep: Collection[str]) -> None:
    if state.timers:
        _end_waits(state, record.received, keep)
    given = input_of(record)
    step(state, given, catalogs.at(record.received), record.received)
    if catalogs.watch is not None and isinstance(given, Occurred):
        catalogs.watch.count(state, given.fact, given.tie, None)
    if catalogs.goals is not None and isinstance(given, Occurred):
        note_done(state, given, catalogs.goals)


def _fold_carefully(state: PersonState, record: Record, catalogs: CatalogHistory, keep: Collection[str]) -> PersonState:
    """The state with one more record folded in; as it was when that fails half-way."""
    before = encode_state(state)
    try:
        _fold(state, record, catalogs, keep)
        encode_state(state)
    except Exception:  # noqa: BLE001 -- see refold
        return decode_state(before)
    return state


def _end_waits(state: PersonState, now_ms: int, keep: Collection[str]) -> None:
    for timer in [timer for timer, pending in state.timers.items() if pending.due <= now_ms and timer not in keep]:
        del state.timers[timer]
