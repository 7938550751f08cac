"""Offers at the places of a page: which one a visitor is shown where, and what came of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.http.inbox import Identifying, VisitorQuery, visitor_of
from courtesy.http.offers import GrantedView, RequestId, granted_view
from courtesy.http.operation import Asked, Operation
from courtesy.offer.deciding import Circumstances
from courtesy.offer.terms import NAME_CHARS_MAX, Name, Value
from courtesy.runtime.catalog import Scope
from courtesy.runtime.clienteling import Next, Reply
from courtesy.runtime.offer_view import GrantView, grant_view

NAMES_MAX = 10
CHANNEL = "web"


class PlacementsQuery(VisitorQuery, frozen=True, rename="camel"):
    """`names`: the placements, with commas between them."""

    names: Annotated[str, Meta(max_length=NAMES_MAX * (NAME_CHARS_MAX + 1), pattern=r"^[^\x00]*$")] = ""


class Placed(msgspec.Struct, frozen=True):
    """An offer as it looks at a placement. `grant`: the one that the visitor holds."""

    offer: str
    version: int
    title: str
    terms: str
    value: Value
    look: dict[str, Any]
    grant: GrantView | None


class PlacementsView(msgspec.Struct, frozen=True):
    """What to show at each placement; null where the page keeps what it has. No offer stands at two."""

    placements: dict[str, Placed | None]


class PlacementReply(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What came of an offer that a visitor was shown. `request`: your id for this, so that it counts once."""

    offer: Name
    reply: Reply
    request: RequestId = ""
    placement: Annotated[str, Meta(max_length=100, pattern=r"^[^\x00]*$")] = ""
    anonymous_id: Identifying = ""
    user_id: Identifying = ""
    user_hash: Annotated[str, Meta(max_length=200)] = ""
    write_key: str = ""


class PlacementReplyView(msgspec.Struct, frozen=True):
    """It is noted. `granted`: of an offer that was accepted, what came of granting it."""

    reply: Reply
    granted: GrantedView | None


async def read_placements(asked: Asked[PlacementsQuery, None]) -> PlacementsView:
    """What to show where."""
    names = list(dict.fromkeys(name for each in asked.query.names.split(",") if (name := each.strip())))
    if not 0 < len(names) <= NAMES_MAX:
        raise CourtesyError(Code.INVALID, f"expected 1 to {NAMES_MAX} names of placements", place="names")
    visitor = await visitor_of(asked, asked.query)
    if visitor is None:
        return PlacementsView(dict.fromkeys(names))
    shown: dict[str, Placed | None] = {}
    taken: set[str] = set()
    for name in names:
        offers = await asked.app.shelf.clienteling.next(visitor.named, name, NAMES_MAX)
        found = next((each for each in offers if each.offer.name not in taken), None)
        shown[name] = None if found is None else _placed(found, asked)
        if found is not None:
            taken.add(found.offer.name)
    return PlacementsView(shown)


def _placed(each: Next, asked: Asked[Any, Any]) -> Placed:
    terms, grant = each.offer.terms, each.grant
    return Placed(
        each.offer.name,
        each.offer.version,
        terms.title,
        terms.terms,
        terms.value if grant is None else grant.value,
        dict(each.look),
        None if grant is None else grant_view(grant, asked.app.shelf.offers.now()),
    )


async def reply_to_placement(asked: Asked[Any, PlacementReply]) -> PlacementReplyView:
    """Note what came of an offer."""
    body = asked.body
    told = VisitorQuery(body.anonymous_id, body.user_id, body.user_hash, body.write_key)
    visitor = await visitor_of(asked, told)
    if visitor is None:
        raise CourtesyError(Code.NOT_FOUND, "nothing is known of this visitor yet", hint="send an event first")
    circumstances = Circumstances(CHANNEL, body.placement)
    found = await asked.app.shelf.clienteling.answer(body.reply, body.offer, visitor.named, body.request, circumstances)
    return PlacementReplyView(body.reply, None if found is None else granted_view(found, asked.app))


OPERATIONS = (
    Operation(
        "GET",
        "/v1/placements",
        "in_app",
        "Which offers a visitor is shown at the places of a page.",
        read_placements,
        doc="Events `Offer Seen` and `Offer Clicked` with the properties `offer`, `placement` and `channel` tell every"
        " other channel that it was.",
        scope=Scope.WRITE,
        query=PlacementsQuery,
        answer=PlacementsView,
        tracking=True,
    ),
    Operation(
        "POST",
        "/v1/placements/replies",
        "in_app",
        "Note what came of an offer that a visitor was shown.",
        reply_to_placement,
        doc="Who accepts is granted it, and gets its code; who declines gives back what they hold.",
        scope=Scope.WRITE,
        body=PlacementReply,
        answer=PlacementReplyView,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        tracking=True,
    ),
)
