"""Where somebody is, by what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from courtesy.event.choice import ANY
from courtesy.standard.country import standard_country

STATE_CHARS = 2
"""Of a state of the United States, as it stands in addresses."""


def place_told_by(traits: Mapping[str, Any]) -> str:
    """Where somebody is, by their nested traits: a country, of the United States with the state; `*` when that is not
    known."""
    address = traits.get("address")
    address = address if isinstance(address, dict) else {}
    for told in (address.get("country"), traits.get("country")):
        country = standard_country(told).form if isinstance(told, str) else None
        if country is not None:
            part = address.get("state")
            if country == "US" and isinstance(part, str) and len(part) == STATE_CHARS and part.isalpha():
                return f"{country}-{part.upper()}"
            return country
    return ANY
