"""Shoppers as they truly are: name, addresses, devices, tastes and temper. What changes with time is in `life`."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sim.catalogue import Catalogue
from sim.chance import chance, draw
from sim.clock import DAY_MS, HOUR_MS
from sim.config import WorldConfig
from sim.device import Device, DeviceKind, make_device
from sim.names import COMPANIES, CULTURES, EMAIL_DOMAINS, Culture, Name
from sim.response import Temper, make_temper

HOUSEHOLD_SIZE = 3
SHOPPERS_PER_SHOP_TABLET = 60


@dataclass(frozen=True, slots=True)
class Shopper:
    """One real person.

    `user_id` is the login that they have or would get at sign-up. `emails`: the true address first, then the mistyped
    one that they give (or would give) at sign-up, if any. `company`: id and name of the firm that they buy for.
    """

    index: int
    given: Name
    family: Name
    culture: Culture
    city: str
    emails: tuple[str, ...]
    user_id: str
    was_member: bool
    devices: tuple[Device, ...]
    company: tuple[str, str] | None
    favourites: tuple[str, ...]
    temper: Temper

    @property
    def name(self) -> str:
        """The full name as its bearer writes it."""
        return self.culture.full_name(self.given, self.family)


def make_shopper(config: WorldConfig, catalogue: Catalogue, index: int) -> Shopper:
    """The shopper of that index; depends on nothing but the configuration."""
    rng = chance(config.seed, "shopper", index)
    home = chance(config.seed, "household", index // HOUSEHOLD_SIZE)
    culture = home.choice(CULTURES)
    city, shared_family = home.choice(culture.cities), home.choice(culture.family)
    given, own_family = rng.choice(culture.given), rng.choice(culture.family)
    family = shared_family if _has_family_tablet(config, index) else own_family
    email = f"{given.ascii}.{family.ascii}{index}@{rng.choice(EMAIL_DOMAINS)}"
    company_id = index % max(1, round(config.shopper_count * config.company_share / 4))
    return Shopper(
        index=index,
        given=given,
        family=family,
        culture=culture,
        city=city,
        emails=_emails(config, index, email),
        user_id=f"u-{index:07d}",
        was_member=rng.random() < config.member_share,
        company=(f"c-{company_id}", COMPANIES[company_id % len(COMPANIES)])
        if rng.random() < config.company_share
        else None,
        devices=_devices(config, rng, index),
        favourites=tuple(rng.sample(sorted(catalogue.by_category), 2)),
        temper=make_temper(rng, config.visits_per_day, config.orders_per_visit),
    )


def _emails(config: WorldConfig, index: int, email: str) -> tuple[str, ...]:
    rng = chance(config.seed, "typo", index)
    if rng.random() >= config.mischief.typo:
        return (email,)
    return (email, _mistyped(rng, email))


def _mistyped(rng: Random, email: str) -> str:
    """Another address: two neighbouring letters swapped, or one doubled, in the name.

    The digits stay, so that it is nobody else's: indexes are part of all addresses.
    """
    local, _, domain = email.partition("@")
    swappable = [i for i in range(len(local) - 1) if local[i : i + 2].isalpha() and local[i] != local[i + 1]]
    at = rng.choice(swappable)
    if rng.random() < 0.6:
        return f"{local[:at]}{local[at + 1]}{local[at]}{local[at + 2 :]}@{domain}"
    return f"{local[: at + 1]}{local[at:]}@{domain}"


def _has_family_tablet(config: WorldConfig, index: int) -> bool:
    return draw(config.seed, "family tablet", index // HOUSEHOLD_SIZE) < config.mischief.family_tablet


def _devices(config: WorldConfig, rng: Random, index: int) -> tuple[Device, ...]:
    """At least one; what is used most comes first."""
    devices = [make_device(config, DeviceKind.BROWSER, index)]
    if rng.random() < config.app_share:
        devices.insert(0, make_device(config, DeviceKind.APP, index))
    if rng.random() < 0.25:
        devices.append(make_device(config, DeviceKind.BROWSER, index, "at work"))
    if _has_family_tablet(config, index):
        devices.insert(1, make_device(config, DeviceKind.FAMILY_TABLET, index // HOUSEHOLD_SIZE))
    if draw(config.seed, "shop tablet", index) < config.mischief.shop_tablet:
        tablet_count = -(-config.shopper_count * config.mischief.shop_tablet // SHOPPERS_PER_SHOP_TABLET)
        devices.append(make_device(config, DeviceKind.SHOP_TABLET, index % int(tablet_count)))
    return tuple(devices)


def visit_times(config: WorldConfig, shopper: Shopper) -> list[int]:
    """When the shopper comes by themself, ascending, within the world's span.

    Gaps are exponential; who would come at night by their clock usually sleeps first.
    """
    rng = chance(config.seed, "visits", shopper.index)
    times: list[int] = []
    at_ms = float(config.start_ms)
    while True:
        at_ms += rng.expovariate(shopper.temper.visits_per_day) * DAY_MS
        hour = at_ms / HOUR_MS % 24 + shopper.culture.utc_offset_h
        if hour % 24 < 6.5 and rng.random() < 0.85:
            at_ms += (6.5 - hour % 24 + rng.random() * 3) * HOUR_MS
        if at_ms >= config.end_ms:
            return times
        times.append(int(at_ms))
