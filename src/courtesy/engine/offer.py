"""What a store keeps of offers: who holds which, what was redeemed, how much is left, and pools of codes.

The promises that hold for every engine:

- **What an append reads of offers is true until it has written.** `offer_facts` is answered under the append lock, and
  `AppendBatch.offers` is written with the events that tell of it, all or nothing. So no more is granted or redeemed
  than there is, and nothing twice, however many ask at once.
- A code belongs to one grant or one pool, and each code of a pool is taken by one grant at most.
- Whose a grant or a redemption is, its event decides: it is whose the record is at its position. Repairs move both.
- Of somebody who is erased stay the rows, so that all counts stay; but not whose they were.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from courtesy.base.ids import PersonId, Position
from courtesy.offer.codes import OwnCode
from courtesy.offer.deciding import Facts
from courtesy.offer.rows import CodePool, Grant, OfferTally, Redemption

__all__ = [
    "CodePool",
    "Facts",
    "Grant",
    "OfferAppending",
    "OfferQuestion",
    "OfferStore",
    "OfferTally",
    "OfferWrite",
    "Placed",
    "Redemption",
]

CODES_AT_ONCE_MAX = 10_000


@dataclass(frozen=True, slots=True)
class OfferQuestion:
    """What acts depend on: all grants and redemptions of `people` (and of all who are one with them) of `offers`; those
    by which `codes` or `requests` they are known, or by `grants` and `redemptions`, their numbers; and so many free
    codes of each pool in `wanted`, with how many there are in all. Redemptions that were given back are told only when
    they are asked for by request or number. Redemptions that are told come with their grants, and grants that are known
    by a code with all that is told of their people and their offer."""

    people: Collection[PersonId] = ()
    offers: Collection[str] = ()
    codes: Collection[str] = ()
    requests: Collection[str] = ()
    grants: Collection[int] = ()
    redemptions: Collection[int] = ()
    wanted: Mapping[str, int] = field(default_factory=dict)


class Placed(NamedTuple):
    """A grant or a redemption as it is to be kept. `place`: of the record that tells of it in the batch, when it is
    new; -1 for one that is kept already, whose position stays."""

    row: Grant | Redemption
    place: int


@dataclass(frozen=True, slots=True)
class OfferWrite:
    """What an append changes: grants and redemptions, new or known by their numbers; tallies as they are afterwards;
    and which codes are taken out of which pool."""

    grants: Sequence[Placed] = ()
    redemptions: Sequence[Placed] = ()
    tallies: Sequence[OfferTally] = ()
    taken: Mapping[str, str] = field(default_factory=dict)


class OfferAppending(Protocol):
    """The part of an append that is about offers."""

    async def offer_facts(self, asked: OfferQuestion) -> Facts:
        """What is known of all that is asked. Of an offer of which there is nothing there is no tally."""
        ...


class OfferStore(Protocol):
    """The side of an engine that keeps offers."""

    async def offer_tallies(self) -> list[OfferTally]:
        """How many there are of each offer of which there is anything, by name."""
        ...

    async def grants_of(self, people: Collection[PersonId]) -> list[Grant]:
        """All grants of these people, by number."""
        ...

    async def redemptions_of(self, people: Collection[PersonId]) -> list[Redemption]:
        """All redemptions of these people, those that were given back too, by number."""
        ...

    async def redemption(self, number: int) -> Redemption | None:
        """A redemption by its number."""
        ...

    async def grants_due(self, now_ms: int, limit: int) -> list[int]:
        """The numbers of grants that are held though they ended at or before an instant, the first to end first."""
        ...

    async def add_codes(self, pool: str, codes: Sequence[OwnCode]) -> int:
        """Add codes to a pool, at most `CODES_AT_ONCE_MAX`, which are given out in this order; how many are new. One
        that any pool or grant has already is left out."""
        ...

    async def code_pools(self) -> list[CodePool]:
        """All pools, by name."""
        ...


def position_of(placed: Placed, first: Position) -> Position:
    """Where the event of a row lies, of a batch whose records begin at a position."""
    return placed.row.position if placed.place < 0 else Position(first + placed.place)
