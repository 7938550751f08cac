"""Warming up: a connection that nobody knows yet sends little on its first day, and more on each day after it.

Mailbox providers take much mail only from who sent them some before. A plan says how many messages may leave on each
day; days are those of UTC. Whoever shares out a day's room asks here, under a lock of the store, so that the plan holds
however many send.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import DAY_MS

DAYS_MAX = 120
HOSTS_MAX = 50
ALL = ""
"""Instead of a host: all of them together."""

Room = Annotated[int, Meta(ge=0, le=100_000_000)]
Days = Annotated[tuple[Room, ...], Meta(min_length=1, max_length=DAYS_MAX)]
Host = Annotated[str, Meta(min_length=1, max_length=255, pattern=r"^[^\s/@A-Z\x00]+$")]
Share = Annotated[float, Meta(gt=0, le=1)]

_EPOCH = date(1970, 1, 1)


class Limits(NamedTuple):
    """What holds on one day, counted from 1970: how many messages may leave, how many of them to some hosts, and from
    which shares on none more does."""

    day: int
    total: int
    hosts: Mapping[str, int]
    bounces_max: float
    complaints_max: float
    judged_from: int


class Counted(NamedTuple):
    """What a day has seen: how many messages took room, in all (`ALL`) and to hosts that have limits; how many came
    back, and how many were complained of."""

    taken: Mapping[str, int]
    bounced: int = 0
    complained: int = 0


class WarmUp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many messages a connection may send on each day while it is new.

    `begins`: the first day, as `2026-05-04`, in UTC. `days`: how many on the first, the second, and so on; after them
    as many as there are. `hosts`: how many of those to one host, such as `mail.example`, for as long as it says.
    `then`: the connection that sends what is over; without one it waits for the next day. When of a day's messages,
    `judged_from` at least, a larger share came back than `bounces_max`, or was complained of than `complaints_max`, no
    more leave on that day.
    """

    begins: Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    days: Days
    hosts: Annotated[dict[Host, Days], Meta(max_length=HOSTS_MAX)] = {}
    then: Annotated[str, Meta(max_length=200)] = ""
    bounces_max: Share = 0.05
    complaints_max: Share = 0.003
    judged_from: Annotated[int, Meta(ge=1, le=1_000_000)] = 50

    def checked(self) -> WarmUp:
        """The same, or CourtesyError(INVALID)."""
        try:
            date.fromisoformat(self.begins)
        except ValueError:
            message = f"expected a day of the calendar, got {self.begins!r}"
            raise CourtesyError(Code.INVALID, message, place="warm_up.begins") from None
        return self

    @property
    def first_day(self) -> int:
        """The day on which it begins, counted from 1970."""
        return (date.fromisoformat(self.begins) - _EPOCH).days

    def limits(self, now_ms: int) -> Limits | None:
        """What holds today; None when the plan is over. Before it begins nothing may leave."""
        today = now_ms // DAY_MS
        number = today - self.first_day
        if number >= len(self.days):
            return None
        hosts = {host: days[number] for host, days in self.hosts.items() if 0 <= number < len(days)}
        total = self.days[number] if number >= 0 else 0
        return Limits(today, total, hosts, self.bounces_max, self.complaints_max, self.judged_from)


def is_braked(limits: Limits, counted: Counted) -> bool:
    """Whether so much came back, or was complained of, that no more is to leave on that day."""
    taken = counted.taken.get(ALL, 0)
    return taken >= limits.judged_from and (
        counted.bounced > taken * limits.bounces_max or counted.complained > taken * limits.complaints_max
    )


def granted(limits: Limits, counted: Counted, wanted: Mapping[str, int]) -> dict[str, int]:
    """How many of the messages that are wanted by host may take room of what the day has left; hosts in their order."""
    if is_braked(limits, counted):
        return {}
    left = limits.total - counted.taken.get(ALL, 0)
    found: dict[str, int] = {}
    for host, count in wanted.items():
        own = limits.hosts[host] - counted.taken.get(host, 0) if host in limits.hosts else left
        found[host] = max(0, min(count, own, left))
        left -= found[host]
    return {host: count for host, count in found.items() if count}


def changes(limits: Limits, counts: Mapping[str, int]) -> dict[str, int]:
    """By how much what is counted of a day changes with messages by host: of all, and of hosts that have limits."""
    own = {host: count for host, count in counts.items() if host in limits.hosts}
    return {ALL: sum(counts.values())} | own
