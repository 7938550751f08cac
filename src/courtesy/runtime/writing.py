"""Writing: what an item says, said to one person. Messages, previews and proofs get their words here, and nowhere
else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import msgspec

from courtesy.asset.rendition import Fit, ImageFormat, Rendition
from courtesy.base.time import to_iso
from courtesy.content.scope import Scope
from courtesy.content.templates import Missed
from courtesy.content.wording import EMAIL, Wording, nearest_locales
from courtesy.identity.rules import split_identifier
from courtesy.offer.terms import OfferTerms, SharedCode, Value
from courtesy.person.state import PersonState
from courtesy.person.view import nested_traits
from courtesy.runtime.catalogue_lookup import CatalogueLookup

PICTURE = Rendition(768, 0, Fit.INSIDE, ImageFormat.WEBP)
"""Wide enough for a card on a screen with fine points."""


class Addresses(NamedTuple):
    """Where the links of what is written lead. `link` is what templates call, with a slot and what fills its gaps;
    under `pictures` are those of the assets, by their files."""

    link: Callable[..., str]
    unsubscribe: str
    preferences: str
    web: str
    pixel: str
    pictures: str


@dataclass(frozen=True, slots=True)
class Occasion:
    """For whom something is written, and about what. `locale`: in which they read, empty when nobody knows."""

    state: PersonState
    locale: str
    campaign: str
    addresses: Addresses
    now_ms: int
    event: Mapping[str, Any]
    offer: Mapping[str, Any]


class Words(NamedTuple):
    """The parts of what was written, and what its templates lacked."""

    parts: dict[str, str]
    missed: list[Missed]


def nearest(wordings: Mapping[tuple[str, str], Wording], locale: str, channel: str) -> Wording | None:
    """Of wordings by locale and channel the best for somebody who reads in a locale; None when none is for them."""
    return next((one for name in nearest_locales(locale) if (one := wordings.get((name, channel)))), None)


async def words_for(wording: Wording, occasion: Occasion, lookup: CatalogueLookup) -> Words:
    """What a wording says on an occasion. Raises CourtesyError(TOO_LARGE), Unavailable."""
    scope = _scope(wording, occasion)
    parts, missed = await lookup.rendered(scope.locale, partial(_rendered, wording, scope))
    shown = _shown(wording, occasion.addresses) if wording.sheet.channel != EMAIL else {}
    told = {name: _told(value) for name, value in shown.items() if name not in parts}
    return Words({**told, **parts}, missed)


def _shown(wording: Wording, addresses: Addresses) -> dict[str, Any]:
    """What an item says of itself, with the address of its picture in a size that anybody may ask for."""
    shown = {name: value for name, value in wording.sheet.item.items() if name != "image"}
    image = wording.sheet.item.get("image")
    # Versions of before have the name of an item here, which no page can show.
    if isinstance(image, dict):
        url = f"{addresses.pictures}/{image['file']}/{PICTURE.name}"
        shown["image"] = {"url": url, "alt": image["alt"]}
    return shown


def _scope(wording: Wording, occasion: Occasion) -> Scope:
    addresses = occasion.addresses
    person = person_told(occasion.state)
    return Scope(
        person=person,
        event=occasion.event,
        offer=occasion.offer,
        message={
            "unsubscribe_url": addresses.unsubscribe,
            "preferences_url": addresses.preferences,
            "web_url": addresses.web,
            "pixel_url": addresses.pixel,
            "campaign": occasion.campaign,
        },
        content=wording.sheet.item,
        locale=wording.sheet.locale or occasion.locale or "en",
        zone=zone_told(person),
        now_ms=occasion.now_ms,
        functions={"link": addresses.link},
    )


def _rendered(
    wording: Wording, scope: Scope, catalogue: Callable[[Any, Any], Any]
) -> tuple[dict[str, str], list[Missed]]:
    return wording.render(replace(scope, functions={**scope.functions, "catalogue": catalogue}))


def _told(value: Any) -> str:
    """What an item says of itself, as the part of a message."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def person_told(state: PersonState) -> dict[str, Any]:
    """A person as templates read them."""
    traits, identifiers = nested_traits(state.traits), identifiers_view(state)
    return {"traits": traits, "identifiers": identifiers, "groups": sorted(state.groups)}


def zone_told(person: Mapping[str, Any]) -> str:
    """The time zone in which dates are written for a person as `person_told` has them."""
    zone = person["traits"].get("timezone")
    return zone if isinstance(zone, str) else "UTC"


def offer_told(name: str, terms: OfferTerms, value: Value, code: str, expires_ms: int | None) -> dict[str, Any]:
    """An offer as templates read it: its terms, and what somebody holds of it. `code`: one of their own."""
    told = {word: given for word, given in msgspec.to_builtins(terms).items() if isinstance(given, str | int | float)}
    return told | {
        "name": name,
        "code": terms.codes.code if isinstance(terms.codes, SharedCode) else code,
        "valid_until": None if expires_ms is None else to_iso(expires_ms),
        "value": msgspec.to_builtins(value),
    }


def locale_of(state: PersonState) -> str:
    """The locale in which somebody reads, by the traits `locale` or `language`; empty when that is not known."""
    for name in ("locale", "language"):
        trait = state.traits.get(name)
        if trait is not None and isinstance(trait.value, str) and trait.value:
            language, *rest = trait.value.replace("_", "-").split("-")
            return "-".join([language.lower(), *(part.upper() if len(part) == 2 else part.title() for part in rest)])
    return ""


def identifiers_view(state: PersonState) -> dict[str, str]:
    """The identifier of each kind that was used last."""
    found: dict[str, tuple[Any, str]] = {}
    for name, seen in state.identifiers.items():
        kind, value = split_identifier(name)
        if kind not in found or found[kind][0] < seen.last:
            found[kind] = seen.last, value
    return {kind: value for kind, (_, value) in found.items()}
