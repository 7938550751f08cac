"""What the ledger of offers keeps: grants, redemptions, how many there are of each offer, and pools of codes."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from courtesy.base.ids import PersonId, Position
from courtesy.offer.codes import OwnCode
from courtesy.offer.terms import Value


class End(StrEnum):
    """How a grant ended before it was used up. SPARE: its person has redeemed the offer as often as they may by another
    grant, as people do who became one."""

    EXPIRED = "expired"
    DECLINED = "declined"
    SPARE = "spare"


class Grant(msgspec.Struct, frozen=True, gc=False):
    """That somebody may redeem an offer, by the value that it had then.

    `person`: whose it is now, None once they are forgotten. `identifier`: by which it was granted, empty once they are
    forgotten; so that what happens to it goes with it when they are cut apart. `code`: None when it has none of its
    own. `request`: the id of the request that asked for it. `expires_ms`: None for never. While it `is_held`, one piece
    of the stock and `held_micros` of the budget are kept for it.
    """

    number: int
    offer: str
    version: int
    person: PersonId | None
    position: Position
    identifier: str
    code: OwnCode | None
    request: str | None
    value: Value
    granted_ms: int
    expires_ms: int | None
    held_micros: int
    redeemed_count: int = 0
    ended: End | None = None
    ended_ms: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether something is kept for it."""
        return self.ended is None and self.redeemed_count == 0

    def is_live(self, now_ms: int) -> bool:
        """Whether it has not ended at an instant, be it said already or not."""
        return self.ended is None and (self.expires_ms is None or now_ms < self.expires_ms)


class Redemption(msgspec.Struct, frozen=True, gc=False):
    """That an offer was redeemed, for `micros` of a currency (empty when it is not known what it is worth).

    `person`: None for somebody who is not known, or is forgotten. `order`: the till's id of the order. `given_back_ms`:
    when it was undone, None while it holds.
    """

    number: int
    offer: str
    grant: int | None
    person: PersonId | None
    position: Position
    identifier: str
    code: str
    request: str | None
    at_ms: int
    micros: int
    currency: str
    order: str
    by: str
    where: str
    given_back_ms: int | None = None


class OfferTally(msgspec.Struct, frozen=True, gc=False):
    """How many of an offer. `granted`, `declined`, `expired` and `given_back` count what happened; `held` and
    `redeemed` what is now, and the micros what that keeps of the budget, and what it has cost."""

    offer: str
    granted: int = 0
    held: int = 0
    redeemed: int = 0
    declined: int = 0
    expired: int = 0
    given_back: int = 0
    held_micros: int = 0
    spent_micros: int = 0


class CodePool(NamedTuple):
    """A pool of codes: how many were ever imported into it, and how many nobody has."""

    name: str
    code_count: int
    free_count: int
