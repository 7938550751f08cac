"""The tracking library at work on one device during one visit."""

from __future__ import annotations

from random import Random
from typing import Any

from msgspec import UNSET, Raw

from sim.breakage import break_message, find_flaw
from sim.catalogue import SHOP_URL
from sim.clock import iso
from sim.config import Mischief
from sim.device import Device
from sim.truth import Expected, Flaw, Money, Truth
from sim.wire import Message, Written, encode, with_page


class Tracker:
    """Writes messages as the library would, and the truth about each beside it.

    `now_ms` is the true time, moved by whoever visits. `user_id` is set from the moment of signing in. Messages of
    browsing may break on the way out (`breakage`); what matters for accounts and money never does.
    """

    def __init__(
        self, device: Device, shopper: int | None, anonymous_id: str, key: str, now_ms: int, context: dict[str, Any]
    ) -> None:
        self.now_ms = now_ms
        self.user_id: str | None = None
        self.anonymous_id = anonymous_id
        self.written: list[Written] = []
        self._device = device
        self._is_app = device.is_app
        self._shopper = shopper
        self._prefix = f"{'app' if self._is_app else 'ajs-next'}-{key}-"
        self._base = encode(context)
        self._context = Raw(self._base)
        self._referrer = ""
        self._breaking: tuple[Mischief, Random] | None = None

    def may_break(self, mischief: Mischief, rng: Random) -> None:
        """From now on messages of browsing break as often as the mischief says.

        Devices that send single calls are spared: the path says the type there, so that a wrong one does no harm.
        """
        if not self._device.single_calls and mischief.missing_id + mischief.wrong_type + mischief.oversize > 0:
            self._breaking = (mischief, rng)

    def page(self, name: str, path: str) -> None:
        """A page of the site opens: a page call, and the page in the context of all that follows."""
        page = {"path": path, "referrer": self._referrer, "search": "", "title": name, "url": f"{SHOP_URL}{path}"}
        described = Raw(encode(page))
        self._context = with_page(self._base, bytes(described))
        self._referrer = page["url"]
        self._write("page", "page", breakable=True, name=name, properties=described)

    def screen(self, name: str) -> None:
        """A screen of the app opens."""
        self._write("screen", "screen", breakable=True, name=name)

    def browse(self, event: str, properties: Any) -> None:
        """A track call about looking around."""
        self._write("track", event, breakable=True, event=event, properties=properties)

    def track(self, event: str, properties: Any, money: Money | None = None) -> None:
        """A track call about an account, a cart or an order."""
        self._write("track", event, money=money, event=event, properties=properties)

    def identify(self, traits: dict[str, Any]) -> None:
        """Who the user is, as far as they said."""
        self._write("identify", "identify", traits=traits)

    def group(self, group_id: str, traits: dict[str, Any]) -> None:
        """Which company the user belongs to."""
        self._write("group", "group", group_id=group_id, traits=traits)

    def alias(self, previous_id: str) -> None:
        """Old libraries tie the anonymous id to the login by this; some send the login as both, which means nothing."""
        self._write("alias", "alias", previous_id=previous_id)

    def _write(
        self, kind: str, truth_name: str, *, money: Money | None = None, breakable: bool = False, **fields: Any
    ) -> None:
        device, is_app, stamp = self._device, self._is_app, iso(self.now_ms + self._device.skew_ms)
        message = Message(
            type=kind,
            message_id=f"{self._prefix}{len(self.written)}",
            anonymous_id=self.anonymous_id,
            user_id=self.user_id or UNSET,
            original_timestamp=stamp if is_app else UNSET,
            timestamp=UNSET if is_app else stamp,
            integrations={},
            context=self._context,
            **fields,
        )
        flaw, raw = self._encode(message, breakable)
        if flaw is None and device.placeholder is not None and self.user_id is None:
            flaw = Flaw.PLACEHOLDER_ID
        expected = Expected.STORED if flaw is None else Expected.QUARANTINED
        truth = Truth(message.message_id, self._shopper, expected, truth_name, self.now_ms, money, flaw)
        self.written.append(Written(raw, self.now_ms, kind, truth))

    def _encode(self, message: Message, breakable: bool) -> tuple[Flaw | None, bytes]:
        if breakable and self._breaking is not None:
            mischief, rng = self._breaking
            flaw = find_flaw(mischief, rng)
            if flaw is not None:
                return flaw, break_message(message, flaw, rng)
        return None, encode(message)
