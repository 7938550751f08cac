"""What a store keeps of delivery: how campaigns run, what became of their messages, dead addresses, and what waits to
be shown within an application or a page.

- What became of a message is counted by the transaction that makes it so. Of a campaign, what was asked for is what was
  counted and what is still open.
- An address lies here as a hash, so that it stays dead when whose it was is forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS
from courtesy.delivery.message import CAMPAIGN_END
from courtesy.delivery.warm_up import Counted, Limits
from courtesy.person.record import NewRecord


class MessageFate(NamedTuple):
    """Something that became of one message: of which campaign, over which channel (empty: none was chosen), what, and
    why or of what kind."""

    campaign: str
    channel: str
    outcome: str
    reason: str


class RunState(StrEnum):
    """How a run of a campaign stands. DONE: everybody was asked for. STOPPED: nobody more is."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    DONE = "done"


FINAL_RUNS = (RunState.STOPPED, RunState.DONE)


class CampaignRun(NamedTuple):
    """A campaign that was started, once: in which version its content is sent, from when on, how it stands, up to which
    person everybody was asked for, how many messages that were, and when it ended (ms UTC; None while it has not)."""

    number: int
    campaign: str
    content: str
    start_ms: int
    state: RunState
    cursor: PersonId
    asked_count: int
    ended_ms: int | None


class DeadAddress(NamedTuple):
    """An address to which nothing is sent: by its hash (32 bytes), over which channel, why, since when (ms UTC), and
    until when, None for good. `spares_service`: whether service messages still go there. `strikes`: how many times in
    STRIKE_MS in a row such a cause has to be told until it counts."""

    address: bytes
    channel: str
    cause: str
    since_ms: int
    until_ms: int | None
    spares_service: bool = False
    strikes: int = 1


class DeadCount(NamedTuple):
    """How many addresses nothing is sent to, over a channel and for a cause."""

    channel: str
    cause: str
    address_count: int


class Room(NamedTuple):
    """How many messages may leave of those that were wanted, by host; `is_braked`: none, since too much came back."""

    granted: Mapping[str, int]
    is_braked: bool = False


STRIKE_MS = 30 * DAY_MS
"""Strikes that lie further apart than this are not counted together."""


IN_APP = "in_app"
"""The channel whose messages wait in inboxes."""

WITHDRAWN = "withdrawn"
"""What became of a message that was taken out of an inbox before its person answered it."""


class InboxItem(NamedTuple):
    """A message that waits to be shown: to whom, its id, its content (JSON), and from when until when it is worth
    showing (ms UTC)."""

    person: PersonId
    message: str
    channel: str
    body: bytes
    created_ms: int
    expires_ms: int

    @property
    def campaign(self) -> str:
        """The campaign that it is of."""
        return self.message.partition(CAMPAIGN_END)[0]


class DeliveryStore(Protocol):
    """The side of an engine that keeps all this."""

    async def start_run(self, campaign: str, content: str, start_ms: int) -> CampaignRun:
        """Start a campaign. One that has a run that has not ended is not started once more: that run is answered."""
        ...

    async def runs(self, campaign: str | None, *, open_only: bool = False) -> list[CampaignRun]:
        """Runs of a campaign or of all, the latest first."""
        ...

    async def set_run(self, number: int, state: RunState, now_ms: int) -> CampaignRun | None:
        """Let a run that has not ended stand otherwise, or stop one that is done; None for any other."""
        ...

    async def ask_for(
        self, run: CampaignRun, records: Sequence[NewRecord], cursor: PersonId, *, is_last: bool
    ) -> CampaignRun | None:
        """Append what a run asks for and move it on, in one step; the run as it stands then. None, with nothing done,
        when it is not running, or stands elsewhere than `run` says."""
        ...

    async def message_fates(self, campaign: str) -> dict[MessageFate, int]:
        """What became of the messages of a campaign, over all of its runs."""
        ...

    async def count_fates(self, fates: Collection[MessageFate]) -> None:
        """Count something that became of messages later: that they were opened, or came back."""
        ...

    async def set_dead(self, addresses: Collection[DeadAddress]) -> None:
        """Send nothing to these any more, or count what speaks for that. One that is dead for good stays so."""
        ...

    async def dead(self, channel: str, addresses: Collection[bytes], now_ms: int) -> dict[bytes, DeadAddress]:
        """Those of the addresses that are dead now, by their hashes."""
        ...

    async def count_dead(self, now_ms: int) -> list[DeadCount]:
        """How many addresses are dead now, by channel and cause."""
        ...

    async def revive(self, channel: str, address: bytes) -> bool:
        """Send to an address again; False when it was not dead."""
        ...

    async def take_room(self, connection: str, limits: Limits, wanted: Mapping[str, int]) -> Room:
        """Take room of a connection's day for messages by host, as many as there is room for; of all who ask at once,
        one after the other. It stays taken, whatever becomes of who took it, until it is given back."""
        ...

    async def give_room_back(self, connection: str, limits: Limits, counts: Mapping[str, int]) -> None:
        """Give room back for messages that did not leave, by host."""
        ...

    async def count_reports(self, connection: str, day: int, bounced_count: int, complained_count: int) -> None:
        """Count on a day, since 1970, what came back of a connection's messages, and what was complained of."""
        ...

    async def warm_up_days(self, connection: str) -> dict[int, Counted]:
        """What each day of a connection has seen, by its number since 1970."""
        ...

    async def put_inbox(self, items: Sequence[InboxItem]) -> None:
        """Have messages wait, each once."""
        ...

    async def inbox(self, people: Collection[PersonId], channel: str, now_ms: int) -> list[InboxItem]:
        """What waits for some people and is worth showing now, the oldest first."""
        ...

    async def take_from_inbox(
        self, people: Collection[PersonId], messages: Collection[str], outcome: str, reason: str = ""
    ) -> int:
        """Have these wait no more, and count of each that did what became of it, and why; how many did."""
        ...

    async def withdraw_stopped(self, stopped: Mapping[str, int], after: PersonId, limit: int) -> PersonId | None:
        """Have what campaigns asked for until they were stopped (ms UTC) wait no more, and count it as withdrawn: up to
        about `limit` messages, of people beyond one. Up to which person it was done; None when it is done for all."""
        ...

    async def let_go_of_inbox(self, expired_before_ms: int) -> int:
        """Forget messages that were not worth showing any more then; how many."""
        ...

    async def mark_seen(self, people: Collection[PersonId], messages: Collection[str]) -> int:
        """Keep of these, which wait, that they were seen; of how many that is news."""
        ...

    async def wait_for_inbox(self, timeout_ms: int) -> None:
        """Return when an inbox may have changed since the last wait returned, or after the time."""
        ...
