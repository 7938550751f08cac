"""One person out of what a snapshot holds: stored states, those who became part of them, and the unfolded tail."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from courtesy.base.ids import PersonId
from courtesy.person.catalog import EMPTY_CATALOG
from courtesy.person.fold import merge
from courtesy.person.record import Record, input_of
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.person.step import Absorb, step

_Known = dict[PersonId, PersonState]


def assemble(
    person: PersonId, merged: Collection[PersonId], states: Iterable[bytes], tail: Sequence[Record]
) -> PersonState:
    """The state of `person` with every record of `tail` folded in and everyone `merged` into them absorbed.

    A record that can't be folded is left out, as the fold worker will set it aside. Effects and timers are nobody's
    here: reading changes nothing.
    """
    stored = list(states)
    known = _decoded(stored)
    if tail:
        try:
            _apply_all(known, tail)
        except Exception:  # noqa: BLE001 -- anything that a record makes a step raise, as the fold worker does
            known = _decoded(stored)
            for record in tail:
                known = _apply_carefully(known, record)
    whole = known.pop(person, None) or PersonState(person)
    for who in sorted(set(merged) & known.keys()):
        # Whoever was merged and has not handed over yet.
        merge(whole, known[who])
    return whole


def _decoded(states: Iterable[bytes]) -> _Known:
    return {state.person: state for state in map(decode_state, states)}


def _apply_all(known: _Known, records: Sequence[Record]) -> None:
    """Fold the records; raises for what can't be folded, or what it leaves can't be stored."""
    for record in records:
        _apply(known, record)
    for state in known.values():
        encode_state(state)


def _apply_carefully(known: _Known, record: Record) -> _Known:
    """The states with one more record folded in; as they were when that fails half-way."""
    before = [encode_state(state) for state in known.values()]
    try:
        _apply_all(known, [record])
    except Exception:  # noqa: BLE001 -- see assemble
        return _decoded(before)
    return known


def _apply(known: _Known, record: Record) -> None:
    given = input_of(record)
    who = record.person
    outcome = step(known.setdefault(who, PersonState(who)), given, EMPTY_CATALOG, record.received)
    passed = {who}
    # Only a store that lost something has people who became part of each other in a circle.
    while outcome.forward is not None and outcome.forward.person not in passed:
        who, absorb = outcome.forward
        passed.add(who)
        if absorb is not None:
            given = Absorb(decode_state(absorb))
        outcome = step(known.setdefault(who, PersonState(who)), given, EMPTY_CATALOG, record.received)
