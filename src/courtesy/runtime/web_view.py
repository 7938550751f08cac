"""The web view: a mail as a page in a browser, for whoever has the link that it carries."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.base.time import Clock
from courtesy.content.links import Ticket
from courtesy.content.wording import EMAIL
from courtesy.delivery.desk import No
from courtesy.delivery.message import admitted
from courtesy.engine.contract import Engine
from courtesy.offer.redeeming import SAID, Case, OfferCause, Refused, verdict
from courtesy.offer.rows import Grant, OfferTally
from courtesy.offer.terms import OfferTerms
from courtesy.person.assemble import assemble
from courtesy.runtime.export_page import text_of
from courtesy.runtime.offers import Offers
from courtesy.runtime.wording import ContentWording
from courtesy.runtime.writing import offer_told

AT_A_TILL = (OfferCause.ORDER_NEEDED, OfferCause.OTHER_CURRENCY)
"""What only an order decides."""

_BODY = re.compile(r"<body\b[^>]*>")


@dataclass(frozen=True, slots=True)
class _Carried:
    """The offer of a message as templates read it, and why it is good for nothing now; empty when it is good."""

    told: Mapping[str, Any]
    why_not: str


@dataclass(frozen=True, slots=True)
class WebViews:
    """The web views of one process."""

    engine: Engine
    offers: Offers
    wording: ContentWording
    clock: Clock

    async def page(self, ticket: Ticket) -> str | None:
        """The mail that a link is of, written again: by the version that it was pinned to and by what it was told, as
        of when it left, for its person as they are known now, with its offer as that stands now. Nothing is changed.

        None when nothing is kept of it, nobody is left who got it, or what it says may not be shown any more. Raises
        Unavailable.
        """
        effect = (await self.engine.effects_by_key([ticket.message])).get(ticket.message)
        reading = None if effect is None else (await self.engine.read_people([effect.person])).get(effect.person)
        if effect is None or reading is None or not reading.identifiers:
            return None
        each, state = admitted(effect.body), assemble(reading.person, reading.merged, reading.states, reading.tail)
        if each.channel != EMAIL:
            return None
        carried = await self._carried(each.message.offer, (reading.person, *reading.merged))
        left_ms = self.clock.now_ms() if effect.settled_ms is None else effect.settled_ms
        words = await self.wording.write(each, effect.key, state, left_ms, carried.told)
        return None if isinstance(words, No) else page(words.parts, carried.why_not)

    async def _carried(self, name: str, people: Collection[PersonId]) -> _Carried:
        """The offer of a name as somebody holds it."""
        offer = (await self.offers.latest()).get(name) if name else None
        if offer is None:
            return _Carried({}, SAID[OfferCause.WITHDRAWN] if name else "")
        now, redemptions = self.clock.now_ms(), await self.engine.redemptions_of(people)
        grants = [each for each in await self.engine.grants_of(people) if each.offer == name]
        # The one that is good, or else the last: an older one may have ended when the message's was given.
        grant = max(grants, key=lambda each: (each.is_live(now), each.number), default=None)
        tallies = {each.offer: each for each in await self.engine.offer_tallies()}
        count = sum(each.offer == name and each.given_back_ms is None for each in redemptions)
        case = Case(
            offer.terms, tallies.get(name, OfferTally(name)), grant, count,
            is_known=True, is_eligible=True, order=None, now_ms=now,
        )  # fmt: skip
        outcome = verdict(case)
        why_not = SAID[outcome.cause] if isinstance(outcome, Refused) and outcome.cause not in AT_A_TILL else ""
        return _Carried(_told(name, offer.terms, grant), why_not)


def _told(name: str, terms: OfferTerms, grant: Grant | None) -> dict[str, Any]:
    if grant is None:
        return offer_told(name, terms, terms.value, "", None)
    return offer_told(name, terms, grant.value, "" if grant.code is None else grant.code.shown, grant.expires_ms)


def page(parts: Mapping[str, str], note: str) -> str:
    """A mail as a page, with a note above it unless that is empty; one that has no HTML as its text."""
    above = f'<p role="note" style="margin:0;padding:12px;background:#fff3cd;color:#3d2f00">{note}</p>' if note else ""
    html = parts.get("html")
    if html is not None:
        body = _BODY.search(html)
        at = 0 if body is None else body.end()
        return html[:at] + above + html[at:]
    title, text = text_of(parts.get("subject", "")), text_of(parts.get("text", ""))
    return (
        f'<!doctype html>\n<html><head><meta charset="utf-8"><title>{title}</title></head>'
        f'<body>{above}<pre style="white-space:pre-wrap">{text}</pre></body></html>\n'
    )
