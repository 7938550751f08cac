"""To whom all events belong: what a question about everybody's history asks of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from courtesy.base.ids import PersonId, Position


class Ownership(NamedTuple):
    """To whom events belong other than by what their records say, from one snapshot, with the `head` of the log in it.

    `merged`: whoever became part of somebody, and of whom they are part now. `moved`: positions of single records, and
    to whom each belongs now. `nobodies`: who is no person nor group, but what the system tells of sources under.
    """

    head: Position
    merged: Sequence[tuple[PersonId, PersonId]]
    moved: Sequence[tuple[Position, PersonId]]
    nobodies: Sequence[PersonId]


class OwnershipReading(Protocol):
    """The part of an engine that tells to whom all events belong."""

    async def ownership(self) -> Ownership:
        """All of it, in order of persons and positions. It grows with how many people were ever merged or cut apart."""
        ...
