"""The offers of messages: given to those who are about to be written to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from courtesy.base.errors import CourtesyError
from courtesy.delivery.desk import No
from courtesy.delivery.message import Admitted, Skip
from courtesy.engine.contract import PersonReading
from courtesy.offer.deciding import Circumstances
from courtesy.offer.redeeming import Refused
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.offer_desk import OfferDesk, Wanted
from courtesy.runtime.offers import Offers
from courtesy.runtime.saying import telling
from courtesy.runtime.writing import offer_told


class MessageOffers:
    """The giving side of one process that sends."""

    def __init__(self, offers: Offers, desk: OfferDesk, catalog: CatalogCache) -> None:
        self._offers = offers
        self._desk = desk
        self._catalog = catalog

    async def give(self, due: Sequence[tuple[Admitted, bytes, PersonReading]]) -> list[Mapping[str, Any] | No]:
        """As `Giving.give`."""
        found: list[Mapping[str, Any] | No] = [No(Skip.OFFER, "nobody else can be told from them")] * len(due)
        wanted: dict[int, Wanted] = {}
        for place, (each, key, reading) in enumerate(due):
            try:
                identifier = telling(reading, self._catalog.rules())
            except CourtesyError as error:
                found[place] = No(Skip.OFFER, error.message)
            else:
                told = Circumstances(each.channel, message=each.message.message)
                wanted[place] = Wanted(each.message.offer, identifier, f"message {key.hex()}", told)
        granted = await self._desk.grant_all(list(wanted.values()))
        for (place, asked), outcome in zip(wanted.items(), granted, strict=True):
            match outcome:
                case CourtesyError():
                    found[place] = No(Skip.OFFER, outcome.message)
                case Refused():
                    found[place] = No(Skip.OFFER, str(outcome.cause))
                case _:
                    terms, grant = self._offers.get(asked.offer).terms, outcome.grant
                    code = "" if grant.code is None else grant.code.shown
                    found[place] = offer_told(asked.offer, terms, grant.value, code, grant.expires_ms)
        return found
