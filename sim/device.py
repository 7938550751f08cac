"""Devices: what shoppers hold in their hands, and the tracking library in it with its habits and faults."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from sim.chance import chance, token
from sim.clock import DAY_MS, HOUR_MS, MINUTE_MS
from sim.config import WorldConfig


class DeviceKind(StrEnum):
    """BROWSER and APP belong to one shopper; a FAMILY_TABLET to a household; a SHOP_TABLET to whoever comes by."""

    BROWSER = "browser"
    APP = "app"
    FAMILY_TABLET = "family_tablet"
    SHOP_TABLET = "shop_tablet"


@dataclass(frozen=True, slots=True)
class Model:
    """A make of device: what its library says about it in `context`."""

    user_agent: str
    os: tuple[str, str]
    screen: tuple[int, int]
    library: tuple[str, str]
    maker: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """One device. Its clock shows `skew_ms` more than the true time.

    `placeholder`: the literal that its faulty build sends as anonymous id. `keeps_id`: logout does not change the
    anonymous id. `single_calls`: one request per message instead of batches. `legacy`: a library that still aliases.
    """

    device_id: str
    kind: DeviceKind
    model: Model
    ip: str
    skew_ms: int = 0
    placeholder: str | None = None
    keeps_id: bool = False
    single_calls: bool = False
    legacy: bool = False

    @property
    def is_app(self) -> bool:
        """True for the app, False for a browser."""
        return self.kind is DeviceKind.APP

    @property
    def is_shared(self) -> bool:
        """True for a device that several shoppers use."""
        return self.kind in (DeviceKind.FAMILY_TABLET, DeviceKind.SHOP_TABLET)

    @property
    def source(self) -> str:
        """The source that its messages come from."""
        return "app" if self.is_app else "web"

    def anonymous_id(self, seed: int, generation: int) -> str:
        """The id of its unknown user, after `generation` changes of it; the placeholder of a faulty build."""
        return self.placeholder or token(seed, "anonymous", self.device_id, generation)

    def context(self, locale: str, timezone: str) -> dict[str, Any]:
        """What its library sends as `context` with every message, but for the page."""
        model = self.model
        context: dict[str, Any] = {
            "library": {"name": model.library[0], "version": model.library[1]},
            "userAgent": model.user_agent,
            "locale": locale,
            "timezone": timezone,
            "ip": self.ip,
            "screen": {"width": model.screen[0], "height": model.screen[1], "density": 2},
        }
        return context | self._app_context() if self.is_app else context

    def _app_context(self) -> dict[str, Any]:
        model = self.model
        device = {"manufacturer": model.maker, "model": model.name, "type": model.os[0].lower()}
        if self.placeholder is None:
            device["id"] = self.device_id
        return {
            "os": {"name": model.os[0], "version": model.os[1]},
            "app": {"name": "Hearth", "version": "5.12.1", "build": "5121", "namespace": "example.shop.hearth"},
            "network": {"wifi": True, "cellular": False, "bluetooth": False, "carrier": "Farspeak"},
            "device": device,
        }


_WEB_LIBRARY = ("analytics.js", "npm:next-1.84.0")
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_BROWSERS = (
    Model(
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/139.0.0.0 Safari/537.36",
        ("Windows", "10"),
        (1920, 1080),
        _WEB_LIBRARY,
    ),
    Model(
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.5 Safari/605.1.15",
        ("macOS", "10.15.7"),
        (1512, 982),
        _WEB_LIBRARY,
    ),
    Model(
        "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0",
        ("Linux", ""),
        (2560, 1440),
        ("analytics.js", "4.4.7"),
    ),
    Model(
        f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} Chrome/139.0.0.0 Mobile Safari/537.36",
        ("Android", "10"),
        (412, 915),
        _WEB_LIBRARY,
    ),
)
_APPS = (
    Model("Hearth/5.12.1 (iOS)", ("iOS", "18.6"), (393, 852), ("analytics-swift", "1.8.0"), "Apple", "iPhone15,4"),
    Model("Hearth/5.12.1 (Android)", ("Android", "15"), (412, 924), ("analytics-kotlin", "1.19.2"), "Fairphone", "FP5"),
)
_TABLET = Model(
    f"Mozilla/5.0 (Linux; Android 14; SM-X210) {_WEBKIT} Chrome/139.0.0.0 Safari/537.36",
    ("Android", "14"),
    (1340, 800),
    _WEB_LIBRARY,
)

PLACEHOLDERS = ("anonymousId", "null", "undefined", "0000", "unknown", "00000000-0000-0000-0000-000000000000")
"""What faulty builds send for an id. All devices with the same build send the same."""

_SKEWS_MS = (
    90_000,
    -7 * MINUTE_MS,
    HOUR_MS,
    -3 * HOUR_MS,
    26 * HOUR_MS,
    -40 * DAY_MS,
    -10 * 365 * DAY_MS,
    4 * 365 * DAY_MS,
)


def make_device(config: WorldConfig, kind: DeviceKind, *owner: str | int) -> Device:
    """The device of that kind of one owner: a shopper, a household, or a place in the shop."""
    rng = chance(config.seed, "device", kind.value, *owner)
    model, single, legacy = _model(rng, kind), rng.random() < 0.25, rng.random() < 0.1
    ip = _ip(rng)
    skew_ms = _skew_ms(config, rng)
    keeps_id = rng.random() < config.mischief.kept_id
    faulty = rng.random() < config.mischief.placeholder
    placeholder = rng.choice(PLACEHOLDERS)
    is_app = kind is DeviceKind.APP
    return Device(
        device_id=token(config.seed, "device", kind.value, *owner),
        kind=kind,
        model=model,
        ip=ip,
        skew_ms=skew_ms,
        placeholder=placeholder if faulty and is_app else None,
        keeps_id=keeps_id,
        single_calls=single and not is_app,
        legacy=legacy and not is_app,
    )


def _model(rng: Random, kind: DeviceKind) -> Model:
    if kind is DeviceKind.APP:
        return rng.choice(_APPS)
    return rng.choice(_BROWSERS) if kind is DeviceKind.BROWSER else _TABLET


def _ip(rng: Random) -> str:
    """An address of the ranges kept for documentation (RFC 5737, RFC 3849)."""
    if rng.random() < 0.3:
        return f"2001:db8:{rng.getrandbits(16):x}::{rng.getrandbits(16):x}"
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randrange(1, 255)}"


def _skew_ms(config: WorldConfig, rng: Random) -> int:
    """0 for a good clock. None is set so far back that its dates would lie before 1970, which no server reads."""
    wrong, skew_ms = rng.random() < config.mischief.wrong_clock, rng.choice(_SKEWS_MS)
    return skew_ms if wrong and config.start_ms + skew_ms > 0 else 0
