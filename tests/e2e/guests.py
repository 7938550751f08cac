"""A thousand people of whom it is known what must become of a message to each, and how they look to a server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

HOME = "home.example"
ZONES = ("Asia/Tokyo", "America/New_York", "Europe/Berlin")


class Kind(StrEnum):
    """What somebody is like, and so what must become of a message to them.

    LETTER: they get a letter. IN_APP: they like messages in the app better. SILENT: they never said anything. REFUSED:
    they want none. HOMELESS: they allowed letters alone, and no address is known. DEAD: their mailbox is refused at
    once. GONE: it is refused by a server behind the first. QUIET: it is an hour at which they want to be left alone.
    HEAVY: they heard enough today. TWIN: two devices that turned out to be one person. LATE: two people, of whom it
    turns out meanwhile that they are one.
    """

    LETTER = "letter"
    IN_APP = "in_app"
    SILENT = "silent"
    REFUSED = "refused"
    HOMELESS = "homeless"
    DEAD = "dead"
    GONE = "gone"
    QUIET = "quiet"
    HEAVY = "heavy"
    TWIN = "twin"
    LATE = "late"


COUNTS = Counter(
    {
        Kind.LETTER: 480, Kind.IN_APP: 230, Kind.SILENT: 60, Kind.REFUSED: 40, Kind.HOMELESS: 30, Kind.DEAD: 40,
        Kind.GONE: 20, Kind.QUIET: 30, Kind.HEAVY: 30, Kind.TWIN: 20, Kind.LATE: 20,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Guest:
    """One of them. Of the late ones each even number is one with the next, who is known by a device alone."""

    kind: Kind
    number: int

    @property
    def who(self) -> dict[str, str]:
        """The identifier by which they are told of."""
        name = f"{self.kind}-{self.number}"
        is_device = self.kind is Kind.TWIN or (self.kind is Kind.LATE and self.number % 2)
        return {"anonymousId": name} if is_device else {"userId": name}

    @property
    def path(self) -> str:
        """The identifier, as it stands in addresses of the API."""
        ((kind, value),) = self.who.items()
        return f"{'user_id' if kind == 'userId' else 'anonymous_id'}/{value}"

    @property
    def address(self) -> str:
        """Their mailbox."""
        return f"{self.kind}{self.number}@{HOME}"

    def calls(self) -> Iterator[dict[str, Any]]:
        """What is told of them."""
        traits: dict[str, Any] = {"guest": True, "first_name": self.kind.title()}
        traits["timezone"] = ZONES[self.number % len(ZONES)]
        if self.kind is not Kind.HOMELESS:
            traits["email"] = self.address
        yield {"type": "identify", **self.who, "traits": traits}
        if self.kind is Kind.TWIN:
            yield {"type": "identify", "anonymousId": f"other-{self.number}", "traits": traits}
        if self.kind is not Kind.SILENT:
            yield {"type": "consent", **self.who, "choices": list(self._choices(traits["timezone"]))}

    def _choices(self, zone: str) -> Iterator[dict[str, Any]]:
        marketing = {"purpose": "marketing"}
        if self.kind is Kind.REFUSED:
            yield {"action": "withdraw", **marketing}
        elif self.kind is Kind.HOMELESS:
            yield {"action": "grant", "channel": "email", **marketing}
        else:
            yield {"action": "grant", **marketing}
        if self.kind in (Kind.IN_APP, Kind.HOMELESS):
            yield {"action": "set", "value": {"channel": "in_app"}, **marketing}
        if self.kind is Kind.QUIET:
            there = datetime.now(UTC).astimezone(ZoneInfo(zone))
            begin, end = (f"{there + timedelta(hours=hours):%H:%M}" for hours in (-2, 5))
            yield {"action": "set", "value": {"quiet_hours": {"begin": begin, "end": end}}, **marketing}


def guests() -> list[Guest]:
    """All of them."""
    return [Guest(kind, number) for kind, count in COUNTS.items() for number in range(count)]
