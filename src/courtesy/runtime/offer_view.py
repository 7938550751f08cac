"""Grants and redemptions as others see them: plain values, ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from courtesy.base.time import to_iso
from courtesy.offer.deciding import Offer
from courtesy.offer.rows import Grant, Redemption
from courtesy.offer.terms import MICROS, Money, SharedCode, Value


class GrantView(msgspec.Struct, frozen=True):
    """That somebody may redeem an offer. `code`: to be shown to them, null when it is redeemed by who they are.
    `ended`: how it ended before it was used up, null while it did not."""

    number: int
    offer: str
    version: int
    value: Value
    code: str | None
    granted: str
    expires: str | None
    redeemed_count: int
    ended: str | None


class RedemptionView(msgspec.Struct, frozen=True):
    """That an offer was redeemed. `amount`: what it took off or was worth, null when nobody said. `given_back`: when it
    was undone."""

    number: int
    offer: str
    grant: int | None
    code: str
    at: str
    amount: Money | None
    order: str
    by: str
    where: str
    given_back: str | None


def grant_view(grant: Grant, offers: Mapping[str, Offer]) -> GrantView:
    """A grant, with the code that goes with it by the offers that there are now."""
    offer = offers.get(grant.offer)
    code = None if grant.code is None else grant.code.shown
    if offer is not None and isinstance(offer.terms.codes, SharedCode):
        code = offer.terms.codes.code
    return GrantView(
        grant.number,
        grant.offer,
        grant.version,
        grant.value,
        code,
        to_iso(grant.granted_ms),
        None if grant.expires_ms is None else to_iso(grant.expires_ms),
        grant.redeemed_count,
        None if grant.ended is None else str(grant.ended),
    )


def redemption_view(each: Redemption) -> RedemptionView:
    """A redemption."""
    return RedemptionView(
        each.number,
        each.offer,
        each.grant,
        each.code,
        to_iso(each.at_ms),
        Money(each.micros / MICROS, each.currency) if each.currency else None,
        each.order,
        each.by,
        each.where,
        None if each.given_back_ms is None else to_iso(each.given_back_ms),
    )
