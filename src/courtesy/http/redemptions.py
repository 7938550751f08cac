"""For tills and for people who serve people: redeeming offers, undoing that, and which to put to a customer next."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.http.offers import (
    GrantedView,
    Identifying,
    RequestId,
    Word,
    granted_view,
)
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.offer.deciding import Circumstances
from courtesy.offer.redeeming import HINT, SAID, OfferCause, Refused
from courtesy.offer.terms import Money, Name, Value
from courtesy.runtime.catalog import Scope
from courtesy.runtime.clienteling import Next, Reply
from courtesy.runtime.offer_desk import Named, Shown
from courtesy.runtime.offer_view import GrantView, RedemptionView, grant_view, redemption_view

NEXT_MAX = 50


class RedemptionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the customer shows: a `code`, or an `offer` and who they are, or all of it. `order`: the till's id of it;
    `order_value`: before the discount. `request`: your id for this, so that the same one is redeemed once; without one,
    an order redeems a code once."""

    code: Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")] = ""
    offer: Word = ""
    kind: Identifying | None = None
    value: Identifying | None = None
    order: RequestId = ""
    order_value: Money | None = None
    request: RequestId = ""
    channel: Word = "till"
    by: Word = ""
    where: Word = ""


class RedeemedView(msgspec.Struct, frozen=True):
    """Whether it is redeemed; `is_new`: by this request, and not by an earlier one that was the same. `value`: what the
    offer is; `redemption.amount`: what it takes off this order. When it is refused, `cause` says why, `said` in words
    for the customer, and `hint` what the till can do."""

    redeemed: bool
    is_new: bool
    redemption: RedemptionView | None
    value: Value | None
    title: str
    cause: OfferCause | None
    said: str
    hint: str


class NextQuery(msgspec.Struct, frozen=True):
    """Who stands before you, by any identifier, and where the offers will be shown."""

    kind: Identifying
    value: Identifying
    placement: Name
    limit: Annotated[int, Meta(ge=1, le=NEXT_MAX)] = 3


class NextOffer(msgspec.Struct, frozen=True):
    """An offer that they can have, as it looks at the placement. `grant`: the one that they hold. `stage`: how far they
    are with it on any channel, null when they never met it. `instead_of`: the offer whose fallback it is."""

    offer: str
    version: int
    title: str
    terms: str
    value: Value
    look: dict[str, Any]
    grant: GrantView | None
    stage: str | None
    instead_of: str | None


class NextView(msgspec.Struct, frozen=True):
    """What to offer, the best first."""

    offers: list[NextOffer]


class ReplyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of an offer that was put to a customer, by whom and where. `request`: your id for this, so that it
    counts once."""

    kind: Identifying
    value: Identifying
    offer: Name
    reply: Reply
    request: RequestId = ""
    placement: Word = ""
    channel: Word = "clienteling"
    by: Word = ""
    where: Word = ""


class ReplyView(msgspec.Struct, frozen=True):
    """It is noted. `granted`: of an offer that was accepted, what came of granting it."""

    reply: Reply
    granted: GrantedView | None


async def redeem_offer(asked: Asked[NoQuery, RedemptionBody]) -> RedeemedView:
    """Redeem an offer."""
    body, app = asked.body, asked.app
    if (body.kind is None) is not (body.value is None):
        raise CourtesyError(Code.INVALID, "expected `kind` and `value`, or neither", place="kind")
    who = None if body.kind is None or body.value is None else Named(body.kind, body.value)
    shown = Shown(body.offer, body.code, who, body.order, body.order_value)
    told = Circumstances(body.channel, "", "", body.by or asked.by, body.where)
    found = await app.shelf.offer_desk.redeem(shown, body.request, told)
    if isinstance(found, Refused):
        said = f"{SAID[found.cause]} {found.detail}".strip()
        return RedeemedView(False, False, None, None, "", found.cause, said, HINT[found.cause])
    offer = app.shelf.offers.now().get(found.redemption.offer)
    title = "" if offer is None else offer.terms.title
    return RedeemedView(True, found.is_new, redemption_view(found.redemption), found.value, title, None, "", "")


async def give_back_redemption(asked: Asked[NoQuery, None]) -> RedemptionView:
    """Undo a redemption."""
    number = asked.path["number"]
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise CourtesyError(Code.INVALID, f"expected the number of a redemption, got {number!r:.60}", place="number")
    return redemption_view(await asked.app.shelf.offer_desk.give_back(int(number), Circumstances(by=asked.by)))


def _next_view(each: Next, asked: Asked[Any, Any]) -> NextOffer:
    terms = each.offer.terms
    return NextOffer(
        each.offer.name,
        each.offer.version,
        terms.title,
        terms.terms,
        terms.value if each.grant is None else each.grant.value,
        dict(each.look),
        None if each.grant is None else grant_view(each.grant, asked.app.shelf.offers.now()),
        None if each.stage is None else each.stage.name.lower(),
        each.instead_of or None,
    )


async def next_offers(asked: Asked[NextQuery, None]) -> NextView:
    """What to offer to a customer next."""
    query = asked.query
    found = await asked.app.shelf.clienteling.next(Named(query.kind, query.value), query.placement, query.limit)
    return NextView([_next_view(each, asked) for each in found])


async def answer_offer(asked: Asked[NoQuery, ReplyBody]) -> ReplyView:
    """Note what came of an offer."""
    body, app = asked.body, asked.app
    told = Circumstances(body.channel, body.placement, "", body.by or asked.by, body.where)
    found = await app.shelf.clienteling.answer(body.reply, body.offer, Named(body.kind, body.value), body.request, told)
    return ReplyView(body.reply, None if found is None else granted_view(found, app))


OPERATIONS = (
    Operation(
        "POST",
        "/v1/redemptions",
        "offers",
        "Redeem an offer, or learn why that is not possible.",
        redeem_offer,
        doc="It is decided in one order with all other redemptions and grants: nothing is redeemed twice, and no more"
        " than there is. A refusal is an answer, not an error.",
        scope=Scope.DECIDE,
        body=RedemptionBody,
        answer=RedeemedView,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
    ),
    Operation(
        "DELETE",
        "/v1/redemptions/{number}",
        "offers",
        "Undo a redemption, as when its order is cancelled.",
        give_back_redemption,
        doc="What it took may be had again, and who redeemed it may do so anew while their time is not over.",
        scope=Scope.DECIDE,
        answer=RedemptionView,
        codes=(Code.NOT_FOUND,),
        path_docs={"number": "The redemption's number."},
    ),
    Operation(
        "GET",
        "/v1/clienteling/next",
        "offers",
        "Which offers to put to a customer next, at a placement.",
        next_offers,
        doc="Those that they hold come first, then those that end first. Nothing is changed by it.",
        scope=Scope.DECIDE,
        query=NextQuery,
        answer=NextView,
        codes=(Code.NOT_FOUND,),
    ),
    Operation(
        "POST",
        "/v1/clienteling/answers",
        "offers",
        "Note that an offer was presented, accepted or declined, by whom and where.",
        answer_offer,
        doc="Who accepts is granted it; who declines gives back what they hold.",
        scope=Scope.DECIDE,
        body=ReplyBody,
        answer=ReplyView,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
    ),
)
