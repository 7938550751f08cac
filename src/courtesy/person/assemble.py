"""One person out of what a snapshot holds: stored states, those who became part of them, and the unfolded tail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from courtesy.base.ids import PersonId
from courtesy.person.catalog import EMPTY_CATALOG
from courtesy.person.fold import merge
from courtesy.person.record import Record, input_of
from courtesy.person.state import PersonState, decode_state
from courtesy.person.step import Absorb, step


def assemble(person: PersonId, states: Iterable[bytes], tail: Sequence[Record]) -> PersonState:
    """The state of `person` with every record of `tail` folded in and everyone merged into them absorbed.

    A record that can't be folded is left out, as the fold worker will set it aside. Effects and timers are nobody's
    here: reading changes nothing.
    """
    known = {state.person: state for state in map(decode_state, states)}
    for record in tail:
        _apply(known, record)
    whole = known.pop(person, None) or PersonState(person)
    for who in sorted(known):
        # Whoever was merged and has not handed over yet.
        merge(whole, known[who])
    return whole


def _apply(known: dict[PersonId, PersonState], record: Record) -> None:
    try:
        given = input_of(record)
        who = record.person
        outcome = step(known.setdefault(who, PersonState(who)), given, EMPTY_CATALOG, record.received)
        while outcome.forward is not None:
            who, absorb = outcome.forward
            if absorb is not None:
                given = Absorb(decode_state(absorb))
            outcome = step(known.setdefault(who, PersonState(who)), given, EMPTY_CATALOG, record.received)
    except (msgspec.DecodeError, msgspec.ValidationError, ValueError, RecursionError):
        return
