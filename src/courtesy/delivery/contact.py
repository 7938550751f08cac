"""The contact policy: how often people are written to, at which hours, and what each channel costs of that."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.time import SECOND_MS
from courtesy.person.messages import PRICE_UNIT, SENT_MAX, WINDOW_DAYS_MAX, Messages

Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Price = Annotated[float, Meta(ge=0, le=SENT_MAX)]
Name = Annotated[str, Meta(min_length=1, max_length=60)]


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Within so many days, sliding, in the person's time zone, contacts may cost so much together."""

    days: Annotated[int, Meta(ge=1, le=WINDOW_DAYS_MAX)]
    room: Price


class QuietHours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From when until when, on the clock where the person is, nobody is written to; over midnight, as a rule."""

    begin: Clock
    end: Clock


class ContactPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a company keeps from writing too much.

    `windows`: all hold at once. `prices`: what a contact costs by channel, 1 unless said otherwise, 0 for one that is
    no bother. `frequencies`: the window that holds beside them for who wished for that frequency in the preference
    centre. `quiet_hours`: of all channels but those in `quiet_exempt`. `zone`: of people of whom it is not known, for
    the windows and for `quiet_hours`; never for the hours that a law sets.
    """

    windows: Annotated[tuple[Window, ...], Meta(max_length=5)] = (Window(1, 1), Window(7, 3))
    prices: Annotated[dict[Name, Price], Meta(max_length=20)] = msgspec.field(
        default_factory=lambda: {"in_app": 0.0, "web": 0.0}
    )
    frequencies: Annotated[dict[Name, Window], Meta(max_length=10)] = msgspec.field(
        default_factory=lambda: {"weekly": Window(7, 1), "monthly": Window(30, 1)}
    )
    quiet_hours: QuietHours | None = QuietHours("21:00", "08:00")
    quiet_exempt: tuple[Name, ...] = ("in_app", "web", "email", "webhook")
    zone: str = "UTC"

    def checked(self) -> ContactPolicy:
        """The same, or CourtesyError(INVALID)."""
        if self.zone not in available_timezones():
            hint = nearest(self.zone, available_timezones()) or "such as Europe/Berlin"
            raise CourtesyError(Code.INVALID, f"expected a time zone, got {self.zone!r:.60}", hint=hint, place="zone")
        return self

    @property
    def default_zone(self) -> tzinfo:
        """The zone of people of whom it is not known."""
        return UTC if self.zone == "UTC" else ZoneInfo(self.zone)

    def price(self, channel: str) -> int:
        """What a contact over a channel costs, in thousandths."""
        return round(self.prices.get(channel, 1.0) * PRICE_UNIT)


def overdrawn(messages: Messages, windows: Iterable[Window], price: int, now_ms: int, zone: tzinfo) -> Window | None:
    """The first window in which a contact of that price has no room now, None when it has room in all.

    What is held counts in each, whenever it will leave: so what was let through may leave at any time, and no window
    is ever overdrawn. So does what may lie in the window but is known no more.
    """
    held = sum(each.price for each in messages.held.values())
    for window in windows:
        after_ms = days_ago(window.days, now_ms, zone)
        spent = held + sum(each.price for each in messages.sent if each.at > after_ms)
        is_cut = len(messages.sent) == SENT_MAX and messages.sent[-1].at > after_ms
        if price and (spent + price > round(window.room * PRICE_UNIT) or is_cut):
            return window
    return None


def days_ago(days: int, now_ms: int, zone: tzinfo) -> int:
    """When the clock on the wall showed the same time so many days ago: with summer time's end between, 25 hours ago
    for one day. Rises with `now_ms`."""
    there = datetime.fromtimestamp(now_ms / SECOND_MS, UTC).astimezone(zone)
    return round((there - timedelta(days=days)).timestamp() * SECOND_MS)
