"""What the sender asks of definitions and of the installation: connections, campaigns that were stopped, links."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, SECOND_MS, Clock
from courtesy.content.links import LinkKeys
from courtesy.delivery.desk import Desk
from courtesy.delivery.message import Admitted
from courtesy.delivery.return_path import signed_token
from courtesy.delivery.warm_up import WarmUp
from courtesy.engine.contract import Engine
from courtesy.engine.delivery import RunState
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.links import Link, LinkKind, Signer
from courtesy.runtime.settings import Settings

RUNS_EVERY_MS = SECOND_MS
LINK_DAYS = 400
"""For how long the links in a message work: whoever looks for an old one should still get off."""


class DefinedConnections:
    """Connections as they are defined, and how campaigns stand, no older than a second."""

    def __init__(self, engine: Engine, catalog: CatalogCache, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._clock = clock
        self._latest: Mapping[str, RunState] = {}
        self._read_ms = 0

    async def refresh(self) -> None:
        """Know how campaigns stand now."""
        now = self._clock.now_ms()
        if not self._read_ms <= now < self._read_ms + RUNS_EVERY_MS:
            runs = await self._engine.runs(None)
            self._latest = {each.campaign: each.state for each in reversed(runs)}
            self._read_ms = now

    @property
    def desk(self) -> Desk:
        desk = self._catalog.catalog().desk
        assert isinstance(desk, Desk)
        return desk

    def config(self, connection: str) -> dict[str, Any] | None:
        body = self._catalog.now.connections.get(connection)
        return None if body is None else body.config

    def per_second(self, connection: str) -> float | None:
        body = self._catalog.now.connections.get(connection)
        return None if body is None else body.per_second

    def component(self, connection: str) -> str | None:
        body = self._catalog.now.connections.get(connection)
        return None if body is None else body.component

    def warm_up(self, connection: str) -> WarmUp | None:
        body = self._catalog.now.connections.get(connection)
        return None if body is None else body.warm_up

    def stands_in(self, connection: str, for_: str) -> bool:
        body, other = (self._catalog.now.connections.get(name) for name in (connection, for_))
        if body is None or other is None or body.paused:
            return False
        return body.declared.channel == other.declared.channel

    def is_stopped(self, campaign: str) -> bool:
        return self._latest.get(campaign) is RunState.STOPPED

    def waits(self, each: Admitted) -> bool:
        body = self._catalog.now.connections.get(each.connection)
        is_paused = body is not None and body.paused
        return is_paused or self._latest.get(each.message.campaign) is RunState.PAUSED


class SignedTokens:
    """Links and addresses that are signed with the key of the installation."""

    def __init__(self, settings: Settings, signer: Signer) -> None:
        self._signer = signer
        self.url = settings.links_url or f"http://{settings.host}:{settings.port}"
        self._key: bytes | None = None
        self._links: LinkKeys | None = None

    @property
    def token_key(self) -> bytes:
        """The key of what reports bring back."""
        if self._key is None:
            self._key = self._signer.hashed("message token", b"")
        return self._key

    def token(self, key: bytes) -> str:
        return signed_token(key, self.token_key)

    def unsubscribe_url(self, each: Admitted, person: PersonId, now_ms: int) -> str:
        message = each.message
        link = Link(
            LinkKind.UNSUBSCRIBE, person, (now_ms + LINK_DAYS * DAY_MS) // SECOND_MS, message.purpose, each.channel,
            message.topic, message.brand,
        )  # fmt: skip
        return f"{self.url}/u/{self._signer.token(link)}"

    def preferences_url(self, each: Admitted, person: PersonId, now_ms: int) -> str:
        """Where the person sees and changes all that they chose."""
        link = Link(
            LinkKind.PREFERENCES, person, (now_ms + LINK_DAYS * DAY_MS) // SECOND_MS, brand=each.message.brand
        )  # fmt: skip
        return f"{self.url}/p/{self._signer.token(link)}"

    @property
    def link_keys(self) -> LinkKeys:
        """The keys that sign tracked links."""
        if self._links is None:
            self._links = LinkKeys({0: self._signer.hashed("links in messages", b"")}, 0)
        return self._links

    def address_hash(self, address: str) -> bytes:
        return self._signer.hashed("address", address.lower().encode("utf-8", "surrogatepass"))
