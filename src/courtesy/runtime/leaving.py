"""Whether a message would leave now: asked of all that decides when it does, without any of it being done."""

from __future__ import annotations

import msgspec

from courtesy.base.time import Clock, to_iso
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.delivery.desk import Desk, No
from courtesy.delivery.message import Message, Skip
from courtesy.engine.contract import Engine, PersonReading
from courtesy.person.state import PersonState
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.connections import SignedTokens
from courtesy.runtime.permits import Ask, Refusal, decide

PAUSED = "paused"


class Leaving(msgspec.Struct, frozen=True):
    """Whether it would leave now over a channel, from whom to which address and at which price of the contact budget.

    `reason`: why not, one of the reasons for which messages are skipped, or `paused`; empty when it would. `why`: in
    more words. `not_before`: when it would leave if only the hour is against it, null otherwise.
    """

    channel: str
    leaves: bool
    reason: str = ""
    why: str = ""
    not_before: str | None = None
    connection: str = ""
    sender: str = ""
    address: str = ""
    price: float = 0

    def stays(self, reason: str, why: str) -> Leaving:
        """The same, but for a reason it would not leave."""
        return msgspec.structs.replace(self, leaves=False, reason=reason, why=why)


class Departures:
    """Foresees what the sender would decide."""

    def __init__(self, engine: Engine, catalog: CatalogCache, tokens: SignedTokens, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._tokens = tokens
        self._clock = clock
        self._laws = Laws(LAWS)

    async def foreseen(self, message: Message, reading: PersonReading, state: PersonState) -> Leaving:
        """What would become of a message over its only channel, were it asked for now. Nothing is reserved."""
        (channel,) = message.channels
        if not reading.identifiers:
            return Leaving(channel, leaves=False, reason=Skip.NOBODY)
        desk, now_ms = self._catalog.catalog().desk, self._clock.now_ms()
        assert isinstance(desk, Desk)
        way = desk.way(state, message, now_ms)
        if isinstance(way, dict):
            no: No = next(iter(way.values()))
            return Leaving(channel, leaves=False, reason=no.skip, why=str(no.why))
        body = self._catalog.now.connections[way.connection.name]
        goes = Leaving(
            channel, leaves=True, connection=way.connection.name, sender=str(body.config.get("sender", "")),
            address=way.address, price=way.price / 1_000,
        )  # fmt: skip
        obstacle = await self._dead(message, channel, way.address, now_ms) or self._refused(message, reading, now_ms)
        if obstacle is not None:
            return goes.stays(obstacle.skip, obstacle.why)
        if way.not_before_ms > now_ms:
            waits = goes.stays(Skip.QUIET_HOURS, "it would wait until they are over")
            return msgspec.structs.replace(waits, not_before=to_iso(way.not_before_ms))
        return goes.stays(PAUSED, f"the connection {way.connection.name} is paused") if body.paused else goes

    async def _dead(self, message: Message, channel: str, address: str, now_ms: int) -> No | None:
        hashed = self._tokens.address_hash(address)
        found = (await self._engine.dead(channel, {hashed}, now_ms)).get(hashed)
        if found is None or (found.spares_service and message.priority == "service"):
            return None
        return No(Skip.SUPPRESSED, found.cause)

    def _refused(self, message: Message, reading: PersonReading, now_ms: int) -> No | None:
        ask = Ask(
            "person", str(reading.person), message.purpose, message.channels[0], message.message, b"", message.topic,
            message.brand,
        )  # fmt: skip
        found = decide(ask, f"person:{reading.person}", reading, now_ms, self._laws)
        return No(Skip.NOT_ALLOWED, found.why) if isinstance(found, Refusal) else None
