"""The suppression list over HTTP. Addresses come in bodies, never in URLs, which end up in the logs of others."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code
from courtesy.base.time import to_iso
from courtesy.delivery.cause import DeliveryCause
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.runtime.catalog import Scope
from courtesy.runtime.suppressions import ADDRESSES_MAX, Suppressed

Word = Annotated[str, Meta(min_length=1, max_length=60)]
Address = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
Addresses = Annotated[tuple[Address, ...], Meta(min_length=1, max_length=ADDRESSES_MAX)]


class AddressesBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses of a channel, such as `email`."""

    channel: Word
    addresses: Addresses


class SuppressBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses of a channel to which nothing is to be sent, and why: `suppressed` when an earlier system had them on
    its list, `complaint` and `unsubscribed` for marketing alone."""

    channel: Word
    addresses: Addresses
    cause: DeliveryCause = DeliveryCause.SUPPRESSED


class SuppressionView(msgspec.Struct, frozen=True):
    """An address as it was given. Of one that is suppressed: why, since and until when (null: for good), and whether
    service messages still go there."""

    address: str
    suppressed: bool
    cause: str | None
    since: str | None
    until: str | None
    spares_service: bool


class SuppressionsView(msgspec.Struct, frozen=True):
    """Each address, in the order given."""

    addresses: list[SuppressionView]


class ChangedSuppressions(msgspec.Struct, frozen=True):
    """How many addresses are on the list now, or were until now."""

    addresses: int


class SuppressionCount(msgspec.Struct, frozen=True):
    """How many addresses are suppressed, over a channel and for a cause."""

    channel: str
    cause: str
    addresses: int


class SuppressionCounts(msgspec.Struct, frozen=True):
    """The suppression list in numbers; the addresses themselves are kept as hashes, and can't be listed."""

    suppressed: list[SuppressionCount]


async def suppress_addresses(asked: Asked[NoQuery, SuppressBody]) -> ChangedSuppressions:
    """Put addresses on the list."""
    body = asked.body
    return ChangedSuppressions(await asked.app.post.suppressions.add(body.channel, body.addresses, body.cause))


async def look_up_suppressions(asked: Asked[NoQuery, AddressesBody]) -> SuppressionsView:
    """How addresses are suppressed."""
    found = await asked.app.post.suppressions.look_up(asked.body.channel, asked.body.addresses)
    return SuppressionsView([suppression_view(each) for each in found])


async def lift_suppressions(asked: Asked[NoQuery, AddressesBody]) -> ChangedSuppressions:
    """Take addresses off the list."""
    lifted = await asked.app.post.suppressions.lift(asked.body.channel, asked.body.addresses, asked.by)
    return ChangedSuppressions(lifted)


async def count_suppressions(asked: Asked[NoQuery, None]) -> SuppressionCounts:
    """The list in numbers."""
    counts = await asked.app.post.suppressions.counts()
    return SuppressionCounts([SuppressionCount(*each) for each in counts])


def suppression_view(each: Suppressed) -> SuppressionView:
    """An address and how it is suppressed, for people and programs to read."""
    if each.found is None:
        return SuppressionView(each.address, False, None, None, None, False)
    _, _, cause, since_ms, until_ms, spares, _ = each.found
    until = None if until_ms is None else to_iso(until_ms)
    return SuppressionView(each.address, True, cause, to_iso(since_ms), until, spares)


OPERATIONS = (
    Operation(
        "GET",
        "/v1/suppressions",
        "sending",
        "How many addresses nothing is sent to, and why.",
        count_suppressions,
        scope=Scope.ADMIN,
        answer=SuppressionCounts,
    ),
    Operation(
        "POST",
        "/v1/suppressions",
        "sending",
        "Send nothing more to some addresses, whoever's they are.",
        suppress_addresses,
        doc="As when an earlier system's list is brought along. Addresses are kept as hashes, so that they stay on the"
        " list when their owners are forgotten.",
        scope=Scope.ADMIN,
        body=SuppressBody,
        answer=ChangedSuppressions,
        codes=(Code.INVALID,),
    ),
    Operation(
        "POST",
        "/v1/suppressions/look-up",
        "sending",
        "Whether addresses are suppressed, and why.",
        look_up_suppressions,
        scope=Scope.ADMIN,
        body=AddressesBody,
        answer=SuppressionsView,
        codes=(Code.INVALID,),
    ),
    Operation(
        "POST",
        "/v1/suppressions/lift",
        "sending",
        "Send to some addresses again, as when somebody says that theirs is alive.",
        lift_suppressions,
        doc="What their owners chose stays: who complained has withdrawn consent, and only they can take that back.",
        scope=Scope.ADMIN,
        body=AddressesBody,
        answer=ChangedSuppressions,
        codes=(Code.INVALID,),
    ),
)
