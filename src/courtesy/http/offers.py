"""Offers over HTTP: defining them, granting them, and what a person holds."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.engine.offer import CodePool, OfferTally
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.http.people import PERSON_PATH
from courtesy.http.wire import BadBody, read
from courtesy.offer.deciding import Circumstances, Granted, Offer
from courtesy.offer.low_water import is_pool_low
from courtesy.offer.redeeming import HINT, SAID, OfferCause, Refused, has_room
from courtesy.offer.terms import MICROS, OfferTerms, currency_of
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Scope
from courtesy.runtime.offer_desk import Named
from courtesy.runtime.offer_view import GrantView, RedemptionView, grant_view, redemption_view

CODES_BYTES_MAX = 50 * 1024 * 1024
WAIT_S = 120.0
"""A pool is low when it has less than so many per cent of its codes left."""

Identifying = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
Word = Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")]
RequestId = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")]


class OfferView(msgspec.Struct, frozen=True):
    """An offer as it is defined, and how many there are of it. `held`: granted and not redeemed yet; `redeemed`:
    without what was given back; the other counts are of all that ever happened. `left`: null for no end of them.
    `spent` and `reserved` are in `currency`: what redemptions have cost, and what is kept for who holds one."""

    name: str
    version: int
    definition: OfferTerms
    granted: int
    held: int
    redeemed: int
    declined: int
    expired: int
    given_back: int
    left: int | None
    has_room: bool
    spent: float
    reserved: float
    currency: str | None
    changed: str
    changed_by: str


class OffersView(msgspec.Struct, frozen=True):
    """All offers by name."""

    offers: list[OfferView]


class OfferRemoved(msgspec.Struct, frozen=True):
    """It is no more."""

    removed: str


class GrantBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who gets it, by any identifier. `request`: your id for this; the same one is granted once. `again`: also if they
    declined it. The rest is kept with the event."""

    kind: Identifying
    value: Identifying
    request: RequestId = ""
    again: bool = False
    channel: Word = ""
    placement: Word = ""
    message: Word = ""
    by: Word = ""
    where: Word = ""


class GrantedView(msgspec.Struct, frozen=True):
    """The grant that they hold; `is_new`: whether they did not before. When it is refused, `cause` says why, `said` in
    words for the customer."""

    granted: bool
    is_new: bool
    grant: GrantView | None
    cause: OfferCause | None
    said: str
    hint: str


class OfferHoldings(msgspec.Struct, frozen=True):
    """All that a person was granted and has redeemed."""

    grants: list[GrantView]
    redemptions: list[RedemptionView]


class PoolView(msgspec.Struct, frozen=True):
    """A pool of codes: all that were imported, and those that nobody has. `is_low`: as few are left as its item of
    content says, or a twentieth."""

    name: str
    code_count: int
    free_count: int
    is_low: bool


class PoolsView(msgspec.Struct, frozen=True):
    """All pools by name."""

    pools: list[PoolView]


class AddedView(msgspec.Struct, frozen=True):
    """How many codes are new; the others were in a pool already."""

    added: int
    pool: PoolView


def granted_view(found: Granted | Refused, app: App) -> GrantedView:
    """What became of asking for a grant."""
    if isinstance(found, Refused):
        said = f"{SAID[found.cause]} {found.detail}".strip()
        return GrantedView(False, False, None, found.cause, said, HINT[found.cause])
    return GrantedView(True, found.is_new, grant_view(found.grant, app.shelf.offers.now()), None, "", "")


def offer_view(app: App, offer: Offer, tally: OfferTally) -> OfferView:
    """An offer as it is defined, and how many there are of it."""
    (changed_ms, changed_by), terms = app.shelf.offers.changed(offer.name), offer.terms
    return OfferView(
        offer.name,
        offer.version,
        terms,
        tally.granted,
        tally.held,
        tally.redeemed,
        tally.declined,
        tally.expired,
        tally.given_back,
        None if terms.stock is None else max(0, terms.stock - tally.held - tally.redeemed),
        has_room(terms, tally, 1),
        tally.spent_micros / MICROS,
        tally.held_micros / MICROS,
        currency_of(terms.value),
        to_iso(changed_ms),
        changed_by,
    )


async def _view_of(app: App, name: str) -> OfferView:
    await app.shelf.offers.latest()
    offer = app.shelf.offers.get(name)
    return offer_view(app, offer, (await app.shelf.offer_desk.tallies()).get(name) or OfferTally(name))


async def list_offers(asked: Asked[NoQuery, None]) -> OffersView:
    """All offers."""
    app = asked.app
    offers, tallies = await app.shelf.offers.latest(), await app.shelf.offer_desk.tallies()
    views = [offer_view(app, each, tallies.get(name) or OfferTally(name)) for name, each in sorted(offers.items())]
    return OffersView(views)


async def read_offer(asked: Asked[NoQuery, None]) -> OfferView:
    """One offer."""
    return await _view_of(asked.app, asked.path["name"])


async def define_offer(asked: Asked[NoQuery, OfferTerms]) -> OfferView:
    """Create or change an offer."""
    await asked.app.shelf.offers.define(asked.path["name"], asked.body, asked.by)
    return await _view_of(asked.app, asked.path["name"])


async def remove_offer(asked: Asked[NoQuery, None]) -> OfferRemoved:
    """Remove an offer of which there is nothing."""
    await asked.app.shelf.offers.remove(asked.path["name"], asked.by)
    return OfferRemoved(asked.path["name"])


async def grant_offer(asked: Asked[NoQuery, GrantBody]) -> GrantedView:
    """Let a person have an offer."""
    body = asked.body
    told = Circumstances(body.channel, body.placement, body.message, body.by or asked.by, body.where)
    who = Named(body.kind, body.value)
    found = await asked.app.shelf.offer_desk.grant(asked.path["name"], who, body.request, told, again=body.again)
    return granted_view(found, asked.app)


async def read_held(asked: Asked[NoQuery, None]) -> OfferHoldings:
    """What a person was granted and has redeemed."""
    grants, redemptions = await asked.app.shelf.offer_desk.held(Named(asked.path["kind"], asked.path["value"]))
    await asked.app.shelf.offers.latest()
    return OfferHoldings(
        [grant_view(each, asked.app.shelf.offers.now()) for each in grants], [*map(redemption_view, redemptions)]
    )


def pool_view(app: App, pool: CodePool) -> PoolView:
    """A pool, as whoever keeps it wants to be told of it."""
    is_low = is_pool_low(pool, app.shelf.offers.marks.get(pool.name))
    return PoolView(pool.name, pool.code_count, pool.free_count, is_low)


async def list_pools(asked: Asked[NoQuery, None]) -> PoolsView:
    """All pools."""
    await asked.app.shelf.offers.latest()
    return PoolsView([pool_view(asked.app, each) for each in await asked.app.shelf.offer_desk.pools()])


async def add_codes(asked: Asked[NoQuery, Any]) -> AddedView:
    """Add codes to a pool, one a line."""
    try:
        content = await read(asked.request, CODES_BYTES_MAX, WAIT_S)
        lines = content.decode("utf-8-sig").splitlines()
    except BadBody as bad:
        raise CourtesyError(Code(str(bad.cause)), bad.detail, place="body") from None
    except UnicodeDecodeError:
        raise CourtesyError(Code.UNREADABLE, "expected UTF-8 text, one code a line", place="body") from None
    if "\0" in asked.path["name"] or any("\0" in line for line in lines):
        raise CourtesyError(Code.INVALID, "expected codes without the character U+0000", place="body")
    name = asked.path["name"]
    added = await asked.app.shelf.offer_desk.add_codes(name, lines)
    pools = {each.name: each for each in await asked.app.shelf.offer_desk.pools()}
    await asked.app.shelf.offers.latest()
    return AddedView(added, pool_view(asked.app, pools.get(name) or CodePool(name, 0, 0)))


NAME = {"name": "Its name, percent-encoded."}
_GONE = (Code.NOT_FOUND,)
_FILE = {"schema": {"type": "string", "format": "binary"}}


def _admin(method: str, path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    docs = NAME if "{name}" in path else {}
    return Operation(method, path, "offers", summary, handle, scope=Scope.ADMIN, answer=answer, path_docs=docs, **more)


OPERATIONS = (
    _admin("GET", "/v1/offers", "List all offers and how many there are of each.", list_offers, OffersView),
    _admin(
        "GET", "/v1/offers/{name}", "Read an offer and how many there are of it.", read_offer, OfferView, codes=_GONE
    ),
    _admin(
        "PUT",
        "/v1/offers/{name}",
        "Create or change an offer.",
        define_offer,
        OfferView,
        body=OfferTerms,
        codes=(Code.CONFLICT,),
        doc="What is granted keeps the value with which it was granted. To end an offer at once set `withdrawn`.",
    ),
    _admin(
        "DELETE",
        "/v1/offers/{name}",
        "Remove an offer that was never granted nor redeemed.",
        remove_offer,
        OfferRemoved,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
    ),
    Operation(
        "POST",
        "/v1/offers/{name}/grants",
        "offers",
        "Let a person have an offer.",
        grant_offer,
        doc="A piece of the stock is kept for them until they redeem it, decline it, or its time is over. Who holds it"
        " already keeps what they hold.",
        scope=Scope.DECIDE,
        body=GrantBody,
        answer=GrantedView,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs=NAME,
    ),
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/offers",
        "offers",
        "List what a person was granted, and what they redeemed.",
        read_held,
        scope=Scope.READ,
        answer=OfferHoldings,
        codes=_GONE,
        path_docs=PERSON_PATH,
    ),
    _admin("GET", "/v1/offer-pools", "List all pools of codes.", list_pools, PoolsView),
    _admin(
        "POST",
        "/v1/offer-pools/{name}/codes",
        "Add codes to a pool, one a line.",
        add_codes,
        AddedView,
        codes=(Code.UNREADABLE, Code.TOO_LARGE),
        doc="A code that is in any pool already is left out. Codes are given out in this order, each once.",
        request={"required": True, "content": {"text/plain": _FILE, "application/octet-stream": _FILE}},
    ),
)
