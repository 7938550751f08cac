"""What a world is made of: its size, its span, and how often which mischief happens."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from sim.chance import token
from sim.clock import DAY_MS

_SHARES_WITHOUT_BOUND = ("floods_per_day",)


@dataclass(frozen=True, slots=True)
class Mischief:
    """How often things go wrong. All but the last are shares from 0 to 1 of what their line names."""

    family_tablet: float = 0.12
    """Households of three whose members share one tablet."""
    shop_tablet: float = 0.05
    """Shoppers who also use a tablet that stands in the shop."""
    kept_id: float = 0.5
    """Devices whose client keeps the anonymous id after logout instead of taking a new one."""
    typo: float = 0.08
    """Sign-ups with a mistyped e-mail address, corrected at a later visit."""
    offline: float = 0.2
    """App visits without a network, reported hours later in one batch."""
    placeholder: float = 0.04
    """App installations of a build that sends a literal such as `anonymousId` for an id."""
    wrong_clock: float = 0.06
    """Devices whose clock is minutes to years off."""
    missing_id: float = 0.0008
    """Browsing messages that identify nobody."""
    wrong_type: float = 0.0008
    """Browsing messages with a field that no server could read, such as a list for an event name."""
    oversize: float = 0.0001
    """Browsing messages of more than 32 KB."""
    retry: float = 0.012
    """Deliveries of which the client, for want of an answer, sends all or the end again."""
    unreadable: float = 0.003
    """Deliveries that are first cut off or garbled on the way, then sent again whole."""
    crawler: float = 0.0005
    """Crawlers per shopper, at least one if above 0."""
    floods_per_day: float = 0.2
    """Bursts of hundreds of messages from one client within a minute; may exceed 1."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            bounded = each.name not in _SHARES_WITHOUT_BOUND
            if not value >= 0 or (bounded and value > 1):
                raise ValueError(f"expected {each.name} {'from 0 to 1' if bounded else 'of 0 or more'}, got {value}")

    @classmethod
    def none(cls) -> Mischief:
        """Nothing goes wrong."""
        return cls(**{each.name: 0.0 for each in fields(cls)})


@dataclass(frozen=True, slots=True)
class WorldConfig:
    """A world. Equal configurations make equal worlds, byte for byte."""

    seed: int = 1
    shopper_count: int = 1_000
    start_ms: int = 1_788_220_800_000  # 2026-09-01T00:00:00Z
    day_count: int = 30
    visits_per_day: float = 0.27
    """Mean over shoppers; they differ widely."""
    orders_per_visit: float = 0.1
    """Mean over shoppers of the chance that a visit ends in a purchase, before mood and messages."""
    member_share: float = 0.55
    """Shoppers who had an account before the world began."""
    app_share: float = 0.35
    """Shoppers who have the app on a phone."""
    store_share: float = 0.15
    """Members' purchases that are made at a till."""
    return_share: float = 0.1
    """Orders of which something comes back."""
    company_share: float = 0.05
    """Shoppers who buy for a company."""
    states_sent_at: bool = True
    """False for a world told as history: bodies without `sentAt`, so that event times are taken as they are."""
    mischief: Mischief = field(default_factory=Mischief)

    def __post_init__(self) -> None:
        for name in ("shopper_count", "day_count"):
            if getattr(self, name) < 1:
                raise ValueError(f"expected {name} of 1 or more, got {getattr(self, name)}")
        if self.start_ms < 0:
            raise ValueError(f"expected start_ms of 0 or more, got {self.start_ms}")
        if self.visits_per_day <= 0:
            raise ValueError(f"expected visits_per_day above 0, got {self.visits_per_day}")
        for name in ("orders_per_visit", "member_share", "app_share", "store_share", "return_share", "company_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"expected {name} from 0 to 1, got {getattr(self, name)}")

    @property
    def end_ms(self) -> int:
        """The instant from which on nobody starts a visit. Late batches, retries and queues still arrive after it."""
        return self.start_ms + self.day_count * DAY_MS

    @property
    def tag(self) -> str:
        """Part of all message and order ids, so that worlds of other seeds or times never share one."""
        return token(self.seed, "world", self.start_ms)[:8]

    def tidy(self) -> WorldConfig:
        """The same world with no mischief."""
        return replace(self, mischief=Mischief.none())

    def as_history(self) -> WorldConfig:
        """The same world told as an import: to `/v1/import` and without `sentAt`.

        For a server with a real clock: with `sentAt` it would, by the spec, move all times to now.
        Wrong clocks can't be told from right ones then, so devices have right ones.
        """
        return replace(self, states_sent_at=False, mischief=replace(self.mischief, wrong_clock=0.0))
