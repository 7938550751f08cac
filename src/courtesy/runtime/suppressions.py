"""The suppression list: addresses to which nothing is sent, whoever's they are. It is filled by what comes back, and by
hand: with what an earlier system knew, and with what somebody says of an address."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple, Protocol

import structlog

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.time import Clock
from courtesy.channel.carriers import DECLARED
from courtesy.delivery.cause import REACTION, DeliveryCause, Reaction
from courtesy.engine.delivery import DeadAddress, DeadCount, DeliveryStore
from courtesy.identity.rules import IdentityRules, normalise

ADDRESSES_MAX = 1_000
"""How many are told or asked about at once."""

CERTAIN = tuple(each for each in DeliveryCause if REACTION[each] in (Reaction.SUPPRESS, Reaction.SUPPRESS_MARKETING))
"""Causes that suppress an address at once."""

log = structlog.get_logger("suppressions")


class Suppressed(NamedTuple):
    """Of an address as it was given, how it is suppressed; None when it is not."""

    address: str
    found: DeadAddress | None


class AddressHash(Protocol):
    """Makes of an address what it is kept as."""

    def address_hash(self, address: str) -> bytes:
        """32 bytes, the same for the same address, of which nobody finds the address without the key."""
        ...


class Suppressions:
    """The suppression list as people and programs see and change it."""

    def __init__(
        self, engine: DeliveryStore, hashes: AddressHash, rules: Callable[[], IdentityRules], clock: Clock
    ) -> None:
        self._engine = engine
        self._hashes = hashes
        self._rules = rules
        self._clock = clock

    async def add(self, channel: str, addresses: Collection[str], cause: DeliveryCause) -> int:
        """Send nothing more to some addresses, and how many they are; for the causes that are about marketing, service
        messages still go there. Those that are on the list stay as they are, unless they were spared more.

        Raises CourtesyError(INVALID) for a channel without addresses, a cause that suppresses none by itself, and
        something that is no address: then nothing is added.
        """
        if cause not in CERTAIN:
            hint = f"one of {', '.join(CERTAIN)}"
            raise CourtesyError(Code.INVALID, f"{cause} suppresses no address by itself", hint=hint, place="cause")
        spares, now_ms = REACTION[cause] is Reaction.SUPPRESS_MARKETING, self._clock.now_ms()
        hashes = set(self._hashed(channel, addresses).values())
        await self._engine.set_dead([DeadAddress(each, channel, cause, now_ms, None, spares) for each in hashes])
        return len(hashes)

    async def look_up(self, channel: str, addresses: Collection[str]) -> list[Suppressed]:
        """How each address is suppressed now, in the order given. Raises CourtesyError(INVALID) as `add` does."""
        hashes = self._hashed(channel, addresses)
        dead = await self._engine.dead(channel, set(hashes.values()), self._clock.now_ms())
        return [Suppressed(each, dead.get(hashes[each])) for each in addresses]

    async def lift(self, channel: str, addresses: Collection[str], by: str) -> int:
        """Send to some addresses again; how many were on the list. What their owners chose is as it was: a complaint
        was a withdrawal of consent, and only they take that back. Raises CourtesyError(INVALID) as `add` does."""
        hashes = sorted(set(self._hashed(channel, addresses).values()))
        lifted = sum([await self._engine.revive(channel, each) for each in hashes])
        log.info("suppressions_lifted", channel=channel, addresses=lifted, by=by)
        return lifted

    async def counts(self) -> list[DeadCount]:
        """How many addresses are suppressed now, by channel and cause."""
        return await self._engine.count_dead(self._clock.now_ms())

    def _hashed(self, channel: str, addresses: Iterable[str]) -> dict[str, bytes]:
        """The hashes of addresses as they are given, each in the form in which profiles have it."""
        kinds, rules = _address_kinds(channel), self._rules()
        found: dict[str, bytes] = {}
        for place, address in enumerate(addresses):
            known = next((key for kind in kinds if (key := normalise(rules, kind, address)) is not None), None)
            if known is None:
                raise CourtesyError(
                    Code.INVALID,
                    f"expected an address of the channel {channel}, got {address!r:.100}",
                    hint=f"a value of {' or '.join(kinds)}",
                    place=f"addresses[{place}]",
                )
            found[address] = self._hashes.address_hash(known.partition(":")[2])
        return found


def _address_kinds(channel: str) -> tuple[str, ...]:
    known = {each.channel: each.address_kinds for each in DECLARED.values() if each.address_kinds}
    if channel not in known:
        hint = nearest(channel, known) or f"one of {', '.join(sorted(known))}"
        raise CourtesyError(Code.INVALID, f"{channel!r:.60} is no channel with addresses", hint=hint, place="channel")
    return known[channel]
