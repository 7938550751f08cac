"""Connections and campaigns as they are defined, and the desk that follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.time import DAY_MS, MINUTE_MS
from courtesy.channel.carriers import DECLARED, Declared
from courtesy.component.validation import validated
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.delivery.contact import ContactPolicy
from courtesy.delivery.desk import Connection, Desk
from courtesy.delivery.message import CAMPAIGN_END, CHANNELS_MAX, Name, Priority
from courtesy.delivery.warm_up import WarmUp
from courtesy.event.choice import ANY, Word
from courtesy.offer.terms import Money
from courtesy.person.conversion import Goal

REDACTED = "***"


class ConnectionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that sends: which component, and how it is configured.

    `brand`: for which brand it sends; `*` for all that have none of their own. `per_second`: how many messages go to
    one host in a second at most, from all processes together; None: as many as there are. `paused`: whether what is
    for it waits. `price`: what a message costs that goes over it, or a part of a text message; it is told while one
    is written. `warm_up`: how many it sends on each day while it is new; null: as many as there are.
    """

    component: str
    config: dict[str, Any] = {}
    brand: Word = ANY
    per_second: Annotated[float, Meta(gt=0, le=100_000)] | None = None
    paused: bool = False
    price: Money | None = None
    warm_up: WarmUp | None = None

    @property
    def declared(self) -> Declared:
        """What its component is. Raises CourtesyError(INVALID) for one that is none."""
        found = DECLARED.get(self.component)
        if found is None:
            hint = nearest(self.component, DECLARED) or f"one of {', '.join(sorted(DECLARED))}"
            raise CourtesyError(
                Code.INVALID, f"there is no component {self.component!r:.60}", hint=hint, place="component"
            )
        return found

    def checked(self) -> ConnectionBody:
        """The same, or CourtesyError(INVALID)."""
        try:
            validated(self.declared.component, self.config)
        except CourtesyError as error:
            error.place = error.place or "config"
            raise
        if self.warm_up is not None:
            self.warm_up.checked()
        return self

    @property
    def shown_config(self) -> dict[str, Any]:
        """The configuration without its secrets."""
        secret = {each.name for each in self.declared.component.fields if each.secret}
        return {name: REDACTED if name in secret and value else value for name, value in self.config.items()}

    def with_secrets_of(self, before: ConnectionBody | None) -> ConnectionBody:
        """The same, with the secrets of before where they are told as they are shown."""
        if before is None:
            return self
        kept = {name: before.config.get(name) for name, value in self.config.items() if value == REDACTED}
        return msgspec.structs.replace(self, config=self.config | kept)


class Campaign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message to everybody in a segment.

    `audience`: the segment. `channels`: those that may carry it, the best first; what a person prefers goes before
    that. `content`: the item that it says. `worth_ms`: for how long after it was asked for it is worth sending.
    `goal`: what it is to bring about, by which its messages count as converted.
    """

    audience: Name
    content: Name
    purpose: Word = "marketing"
    channels: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=CHANNELS_MAX)] = ("email",)
    topic: Word = ANY
    brand: Word = ANY
    priority: Priority = Priority.NORMAL
    offer: Annotated[str, Meta(max_length=200)] = ""
    connection: Annotated[str, Meta(max_length=200)] = ""
    worth_ms: Annotated[int, Meta(ge=MINUTE_MS, le=31 * DAY_MS)] = 2 * DAY_MS
    goal: Goal | None = None
    data: dict[str, Any] = {}


def check_campaign_name(name: str) -> None:
    """Raises CourtesyError(INVALID) for a name that could not be told from that of a message."""
    if CAMPAIGN_END in name:
        raise CourtesyError(Code.INVALID, f"expected a name without {CAMPAIGN_END}", place="name")


def connections_of(bodies: Mapping[str, ConnectionBody]) -> Iterable[Connection]:
    """What is connected, in order of the names. What has no component any more is left out."""
    for name, body in sorted(bodies.items()):
        found = DECLARED.get(body.component)
        if found is not None:
            yield Connection(name, found.channel, body.component, found.address_kinds, body.brand)


_LAWS = Laws(LAWS)


def desk_of(bodies: Mapping[str, ConnectionBody], policy: ContactPolicy) -> Desk:
    """The desk that decides by what is defined."""
    return Desk(_LAWS, policy, tuple(connections_of(bodies)))
