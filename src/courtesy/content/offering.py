"""What an item of the kind `offer` promises, as whoever grants and redeems it reads it."""

from __future__ import annotations

from typing import Any

import msgspec

from courtesy.content.items import Body, key_of, resolved
from courtesy.content.kinds import OFFER
from courtesy.offer.terms import OfferTerms


def terms_of(body: Body, locale: str = "", channel: str = "") -> OfferTerms:
    """The terms of an offer as somebody of a locale reads them on a channel. Numbers and instants are the same for
    everybody. Raises CourtesyError(INVALID) for terms that can't hold."""
    fields = resolved(OFFER, body, locale, channel)
    fields.pop("link", None)
    given: dict[str, Any] = {
        **fields,
        "valid_from": body.valid_from,
        "valid_to": body.valid_to,
        # No item can say null, so it says 0 for what has no limit.
        "redemptions_per_person": fields.get("redemptions_per_person", 1) or None,
        "fallback": key_of(fields["fallback"]).name if "fallback" in fields else "",
    }
    return msgspec.convert(given, OfferTerms).checked()
