"""Items of the kind `offer` as the ledger of offers reads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.content.findings import Check, Finding, error
from courtesy.content.items import Body, resolved
from courtesy.content.kinds import OFFER
from courtesy.offer.terms import OfferTerms


def terms_of(body: Body) -> OfferTerms:
    """The terms that an item tells, in the words that everybody else sees. Raises CourtesyError(INVALID) for terms that
    can't hold, such as a budget without a bound of the value."""
    told = resolved(OFFER, body)
    given = {name: told[name] for name in OfferTerms.__struct_fields__ if name in told}
    given |= {name: getattr(body, name) for name in ("valid_from", "valid_to")}
    if "redemptions_per_person" in given:
        given["redemptions_per_person"] = given["redemptions_per_person"] or None
    given["fallback"] = given.get("fallback", "").partition("/")[2]
    given["placements"] = {name: _look(each) for name, each in given.get("placements", {}).items()}
    return msgspec.convert(given, OfferTerms).checked()


def _look(representation: Mapping[str, Any]) -> dict[str, Any]:
    """How it looks at a placement: fields of its own, and the item that it shows there."""
    item = representation.get("item")
    return {**representation.get("fields", {}), **({} if item is None else {"item": item})}


def wrong_terms(body: Body) -> Iterator[Finding]:
    """What keeps the terms of a body, of which nothing is missing, from being kept."""
    try:
        terms_of(body)
    except CourtesyError as trouble:
        yield error(Check.TERMS, trouble.message, f"fields.{trouble.place}", trouble.hint)
