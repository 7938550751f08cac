"""The targets of webhooks: subscriptions as they are defined, until their receiver wants no more."""

from __future__ import annotations

import structlog

from courtesy.base.time import to_iso
from courtesy.channel.contract import FailCause, Failed
from courtesy.runtime.catalog import SUBSCRIPTION, CatalogCache
from courtesy.runtime.dispatch import Target

log = structlog.get_logger("targets")


class WebhookTargets:
    """Subscriptions by name."""

    def __init__(self, catalog: CatalogCache) -> None:
        self._catalog = catalog

    async def find(self, name: str) -> Target | Failed:
        """How to call a subscription's webhook, or that it is gone or switched off."""
        subscription = await self._catalog.subscription(name)
        if subscription is None:
            return Failed(FailCause.BAD_CONFIG, f"nothing named {name!r} is defined any more")
        now = self._catalog.now
        if off := now.switched_off.get(name):
            return Failed(FailCause.GONE, f"switched off since {to_iso(off.since_ms)}: {off.why}")
        config = {"url": subscription.url, "secrets": list(subscription.secrets)}
        return Target(config, now.revisions[SUBSCRIPTION, name].revision)

    async def refuse(self, name: str, revision: int, detail: str) -> None:
        """Switch a subscription off whose receiver answered that it is gone, and say so once."""
        if await self._catalog.switch_off(name, revision, detail):
            # Without the receiver's words, which may quote anything.
            log.warning("subscription_switched_off", subscription=name, cause=str(FailCause.GONE))
