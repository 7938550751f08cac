"""The desk: whether a message that was asked for is let through, over which channel, and from when on.

It stands in the fold, where everything about one person comes in turn: so of messages that are asked for at the same
time by whomever, no two take the same room in the contact budget. What it decides is asked again when the message
leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import effect_key
from courtesy.consent.law import Laws, Why, allowed_at
from courtesy.consent.standing import Standing, now_of
from courtesy.delivery.contact import ContactPolicy, Window, overdrawn
from courtesy.delivery.hours import Open, closed_by, open_in_all, without
from courtesy.delivery.message import Admitted, Message, Priority, Skip, message_of
from courtesy.delivery.preference import FREQUENCY, is_disliked, preferred_channel, quiet_wish, wish
from courtesy.event.choice import Scope
from courtesy.event.event import Fact
from courtesy.person.catalog import Decided
from courtesy.person.messages import HELD_MAX, SKIPPED, Held, Messages
from courtesy.person.state import PersonState
from courtesy.person.whereabouts import KnownZone, ZoneBy, minutes_of, place_of, zones_of

ANYWHERE = "*"
"""The host of an address that has none."""

WORDS = {
    ZoneBy.DECLARED: "as they say",
    ZoneBy.PHONE: "by their telephone number",
    ZoneBy.PLACE: "by where they live",
}

NOT_NOW = frozenset({Why.QUIET_HOURS, Why.HOUR_UNKNOWN})


@dataclass(frozen=True, slots=True)
class Connection:
    """Something that sends: the channel that it is of, the kind of its component, and the kinds of identifiers that are
    addresses for it, the best first; none when it needs no address."""

    name: str
    channel: str
    component: str
    address_kinds: tuple[str, ...]
    brand: str = ANYWHERE


class No(NamedTuple):
    """Why a message is not sent over a channel; `why` in more words, where there are more."""

    skip: Skip
    why: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """How a message may go: over a connection, to an address, at a price, not before an instant."""

    connection: Connection
    address: str
    price: int
    not_before_ms: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What is decided by: laws, the contact policy, and what is connected."""

    laws: Laws
    policy: ContactPolicy = field(default_factory=ContactPolicy)
    connections: tuple[Connection, ...] = ()

    def take(self, state: PersonState, fact: Fact, key: bytes, now_ms: int) -> Decided | None:
        """Let the message through that a fact asks for, or say why not; None when that was decided before.

        Room for what is let through is held in `state` from now on.
        """
        message = message_of(fact.properties)
        known = state.messages or Messages()
        if message.message in known.held or any(each.message == message.message for each in known.sent):
            return None
        found = self.way(state, message, now_ms)
        if isinstance(found, Way):
            state.messages = known
            known.held[message.message] = Held(now_ms, found.connection.channel, found.price, state.person)
            return _let_through(message, found, key, fact.at)
        return Decided(news=(SKIPPED, skipped(message, found)))

    def way(self, state: PersonState, message: Message, now_ms: int) -> Way | dict[str, No]:
        """How a message may go, over the first channel that may carry it; or why it may not over each."""
        if message.expires <= now_ms:
            return {"": No(Skip.EXPIRED)}
        if len((state.messages or Messages()).held) >= HELD_MAX:
            return {"": No(Skip.BUDGET, "too much on its way")}
        obstacles: dict[str, No] = {}
        for channel in self._in_order(state, message, now_ms):
            found = self.way_over(state, message, channel, now_ms)
            if isinstance(found, Way):
                return found
            obstacles[channel] = found
        return obstacles

    def way_over(
        self, state: PersonState, message: Message, channel: str, now_ms: int, held: Held | None = None
    ) -> Way | No:
        """How a message may go over one channel, or why it may not. `held`: the room that it has already, which counts
        unless others of this person were let through before it, by whom they are known to be now."""
        connection = self.connection(message, channel)
        if connection is None:
            return No(Skip.NO_CONNECTION)
        address = address_of(state, connection)
        if address is None:
            return No(Skip.NO_ADDRESS)
        standing = state.standing or Standing()
        asked = Scope(message.purpose, channel, message.topic, message.brand, place_of(state))
        zones = zones_of(state, now_ms)
        unwelcome = self._unwelcome(standing, asked, zones, now_ms)
        if unwelcome is not None and unwelcome.skip is not Skip.QUIET_HOURS:
            return unwelcome
        price = self.price(message, channel)
        window = self._no_room(state, message, price, now_ms, zones, held)
        if window is not None:
            return No(Skip.BUDGET, f"{window.room:g} in {window.days} days")
        opens = list(self.hours(standing, asked, message, now_ms))
        return self._when(message, Way(connection, address, price, now_ms), opens, zones)

    def unwelcome(self, state: PersonState, told: Scope, now_ms: int) -> No | None:
        """Why a person may not be told something now that was let through before; None when they may, wherever they
        are. With QUIET_HOURS a law allows it at another hour. Nothing is taken of the contact budget again."""
        asked = told._replace(jurisdiction=place_of(state))
        return self._unwelcome(state.standing or Standing(), asked, zones_of(state, now_ms), now_ms)

    def _unwelcome(self, standing: Standing, asked: Scope, zones: tuple[KnownZone, ...], now_ms: int) -> No | None:
        answer = allowed_at(standing, asked, now_of(standing, now_ms), self.laws, minutes_of(zones, now_ms))
        if not answer.allowed and answer.why not in NOT_NOW:
            return No(Skip.NOT_ALLOWED, answer.why)
        if answer.why is Why.HOUR_UNKNOWN:
            return No(Skip.HOUR_UNKNOWN, answer.source)
        if is_disliked(standing, asked.topic, asked.brand, now_ms):
            return No(Skip.NOT_WANTED, asked.topic)
        return None if answer.allowed else No(Skip.QUIET_HOURS, answer.source)

    def _when(self, message: Message, way: Way, opens: list[Open], zones: Sequence[KnownZone]) -> Way | No:
        """The way from when on its hours are open, in each zone in which they may be."""
        there = {each.zone: f"{each.name}, {WORDS[each.by]}" for each in zones} or {
            self.policy.default_zone: f"{self.policy.zone}, which is assumed"
        }
        closed = ((closed_by(opens, zone, way.not_before_ms), told) for zone, told in there.items())
        first = next(((found.by, told) for found, told in closed if found is not None), None)
        if first is None:
            return way
        open_ms = open_in_all(opens, list(there), way.not_before_ms)
        if open_ms is None or open_ms >= message.expires:
            return No(Skip.QUIET_HOURS, f"by {first[0]}, in {first[1]}")
        return Way(way.connection, way.address, way.price, open_ms)

    def hours(self, standing: Standing, asked: Scope, message: Message, now_ms: int) -> Iterator[Open]:
        """The hours that hold for a message."""
        for _, rule in self.laws.about(asked, now_ms):
            if rule.hours is not None:
                yield Open(rule.hours, rule.source)
        if message.priority is Priority.SERVICE:
            return
        wished = quiet_wish(standing, message.purpose, message.brand, now_ms)
        if wished is not None:
            yield without(wished, "wish")
        if self.policy.quiet_hours is not None and asked.channel not in self.policy.quiet_exempt:
            yield without(self.policy.quiet_hours, "policy")

    def connection(self, message: Message, channel: str) -> Connection | None:
        """What sends a message over a channel: what it names, else the brand's own, else what is for all brands."""
        some = [each for each in self.connections if each.channel == channel]
        if message.connection:
            return next((each for each in some if each.name == message.connection), None)
        of_brand = [each for each in some if each.brand == message.brand]
        return next(iter(of_brand or [each for each in some if each.brand == ANYWHERE]), None)

    def price(self, message: Message, channel: str) -> int:
        """What a message costs of the contact budget, in thousandths."""
        return 0 if message.priority is Priority.SERVICE else self.policy.price(channel)

    def _no_room(
        self,
        state: PersonState,
        message: Message,
        price: int,
        now_ms: int,
        zones: Sequence[KnownZone],
        own: Held | None,
    ) -> Window | None:
        if price == 0:
            return None
        known = state.messages or Messages()
        if own is not None:
            # Two who became one may hold more together than there is room for: who was let through first goes.
            before = {name: each for name, each in known.held.items() if (each.at, name) < (own.at, message.message)}
            known = Messages(known.sent, before)
        windows = [*self.policy.windows]
        wished = wish(state.standing or Standing(), message.purpose, message.brand, FREQUENCY, now_ms)
        if isinstance(wished, str) and wished in self.policy.frequencies:
            windows.append(self.policy.frequencies[wished])
        there = zones[0].zone if zones else self.policy.default_zone
        return overdrawn(known, windows, price, now_ms, there)

    def _in_order(self, state: PersonState, message: Message, now_ms: int) -> list[str]:
        """The channels of a message, the one that the person likes best before the others."""
        liked = preferred_channel(state.standing or Standing(), message.purpose, message.brand, now_ms)
        return sorted(dict.fromkeys(message.channels), key=lambda channel: channel != liked)


def address_of(state: PersonState, connection: Connection) -> str | None:
    """Where a connection reaches somebody: of the first kind of which they have any, the address that was used last;
    empty for a connection that needs none. None when there is none."""
    if not connection.address_kinds:
        return ""
    for kind in connection.address_kinds:
        some = [(seen.last, key) for key, seen in state.identifiers.items() if key.startswith(kind + ":")]
        if some:
            return max(some)[1].partition(":")[2]
    return None


def host_of(address: str) -> str:
    """The host that an address is at, by which messages are paced."""
    return address.rpartition("@")[2].lower() if "@" in address else ANYWHERE


def skipped(message: Message, obstacles: Mapping[str, No]) -> dict[str, Any]:
    """What is told of a message that is not sent: the reason that stood in the way of the last channel, and each."""
    last = list(obstacles.values())[-1]
    told: dict[str, Any] = {
        "message": message.message,
        "campaign": message.campaign,
        "content": message.content,
        "reason": str(last.skip),
        "why": last.why,
    }
    if any(obstacles):
        told["channels"] = {channel: str(each.skip) for channel, each in obstacles.items()}
    return told


def _let_through(message: Message, way: Way, key: bytes, asked_ms: int) -> Decided:
    connection = way.connection
    body = msgspec.json.encode(Admitted(message, connection.channel, connection.name, way.price, asked_ms))
    target = f"{connection.name}/{host_of(way.address)}"
    return Decided(effect=(effect_key(key, "message"), connection.component, target, body, way.not_before_ms))
