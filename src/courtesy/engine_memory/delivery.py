"""Campaigns, counts of what became of messages, dead addresses and inboxes, in memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping

from courtesy.base.ids import PersonId
from courtesy.delivery.message import Skip
from courtesy.delivery.warm_up import Counted, Limits, changes, granted, is_braked
from courtesy.engine.delivery import (
    FINAL_RUNS,
    STRIKE_MS,
    WITHDRAWN,
    CampaignRun,
    DeadAddress,
    DeadCount,
    InboxItem,
    MessageFate,
    Room,
    RunState,
)


class Delivery:
    """What a store keeps of delivery."""

    def __init__(self) -> None:
        self._runs: dict[int, CampaignRun] = {}
        self.counts: Counter[MessageFate] = Counter()
        self._dead: dict[tuple[str, bytes], tuple[DeadAddress, int]] = {}
        self._inbox: dict[tuple[PersonId, str], InboxItem] = {}
        self._seen: set[tuple[PersonId, str]] = set()
        self._days: dict[str, dict[int, Counted]] = defaultdict(dict)

    def start_run(self, campaign: str, content: str, start_ms: int) -> CampaignRun:
        """As `DeliveryStore.start_run`."""
        is_open = next(iter(self.runs(campaign, open_only=True)), None)
        if is_open is not None:
            return is_open
        run = CampaignRun(len(self._runs) + 1, campaign, content, start_ms, RunState.RUNNING, PersonId(0), 0, None)
        self._runs[run.number] = run
        return run

    def runs(self, campaign: str | None, *, open_only: bool) -> list[CampaignRun]:
        """As `DeliveryStore.runs`."""
        some = [each for each in self._runs.values() if campaign is None or each.campaign == campaign]
        return [each for each in reversed(some) if not open_only or each.ended_ms is None]

    def set_run(self, number: int, state: RunState, now_ms: int) -> CampaignRun | None:
        """As `DeliveryStore.set_run`."""
        run = self._runs.get(number)
        if run is None or (run.ended_ms is not None and (run.state, state) != (RunState.DONE, RunState.STOPPED)):
            return None
        self._runs[number] = run._replace(state=state, ended_ms=now_ms if state in FINAL_RUNS else None)
        return self._runs[number]

    def stands(self, run: CampaignRun) -> bool:
        """Whether a run goes on from where it says."""
        now = self._runs.get(run.number)
        return now is not None and now.state is RunState.RUNNING and now.cursor == run.cursor

    def move(self, run: CampaignRun, asked_count: int, cursor: PersonId, ended_ms: int | None) -> CampaignRun:
        """Move a run on that `stands`."""
        now = self._runs[run.number]
        state = RunState.RUNNING if ended_ms is None else RunState.DONE
        moved = now._replace(cursor=cursor, asked_count=now.asked_count + asked_count, state=state, ended_ms=ended_ms)
        self._runs[run.number] = moved
        return moved

    def set_dead(self, addresses: Iterable[DeadAddress]) -> None:
        """As `DeliveryStore.set_dead`."""
        for each in addresses:
            known, count = self._dead.get((each.channel, each.address), (None, 0))
            spares = each.spares_service and (known is None or known.spares_service)
            if known is None or known.until_ms is not None or (known.spares_service and not spares):
                count = count + 1 if known is not None and each.since_ms - known.since_ms < STRIKE_MS else 1
                self._dead[each.channel, each.address] = each._replace(spares_service=spares), count

    def dead(self, channel: str, addresses: Collection[bytes], now_ms: int) -> dict[bytes, DeadAddress]:
        """As `DeliveryStore.dead`."""
        found = {address: self._dead.get((channel, address)) for address in addresses}
        return {address: told[0] for address, told in found.items() if told is not None and _is_dead(told, now_ms)}

    def count_dead(self, now_ms: int) -> list[DeadCount]:
        """As `DeliveryStore.count_dead`."""
        dead = [(told[0].channel, told[0].cause) for told in self._dead.values() if _is_dead(told, now_ms)]
        return [DeadCount(*each, count) for each, count in sorted(Counter(dead).items())]

    def revive(self, channel: str, address: bytes) -> bool:
        """As `DeliveryStore.revive`."""
        return self._dead.pop((channel, address), None) is not None

    def take_room(self, connection: str, limits: Limits, wanted: Mapping[str, int]) -> Room:
        """As `DeliveryStore.take_room`."""
        counted = self._day(connection, limits.day)
        found = granted(limits, counted, wanted)
        self._count(connection, limits.day, changes(limits, found))
        return Room(found, is_braked(limits, counted))

    def give_room_back(self, connection: str, limits: Limits, counts: Mapping[str, int]) -> None:
        """As `DeliveryStore.give_room_back`."""
        self._count(connection, limits.day, {host: -n for host, n in changes(limits, counts).items()})

    def count_reports(self, connection: str, day: int, bounced_count: int, complained_count: int) -> None:
        """As `DeliveryStore.count_reports`."""
        taken, bounced, complained = self._day(connection, day)
        self._days[connection][day] = Counted(taken, bounced + bounced_count, complained + complained_count)

    def warm_up_days(self, connection: str) -> dict[int, Counted]:
        """As `DeliveryStore.warm_up_days`."""
        return dict(self._days[connection])

    def _day(self, connection: str, day: int) -> Counted:
        return self._days[connection].get(day, Counted({}))

    def _count(self, connection: str, day: int, more: Mapping[str, int]) -> None:
        known = self._day(connection, day)
        taken = {host: known.taken.get(host, 0) + more.get(host, 0) for host in {*known.taken, *more}}
        self._days[connection][day] = known._replace(taken=taken)

    def put_inbox(self, items: Iterable[InboxItem]) -> None:
        """As `DeliveryStore.put_inbox`."""
        for each in items:
            self._inbox.setdefault((each.person, each.message), each)

    def inbox(self, people: Collection[PersonId], channel: str, now_ms: int) -> list[InboxItem]:
        """As `DeliveryStore.inbox`."""
        found = [
            each
            for each in self._inbox.values()
            if each.person in people and each.channel == channel and each.expires_ms > now_ms
        ]
        return sorted(found, key=lambda each: (each.created_ms, each.message))

    def take(self, people: Collection[PersonId], messages: Collection[str], outcome: str, reason: str) -> int:
        """As `DeliveryStore.take_from_inbox`."""
        gone = self._remove(
            [each for each in self._inbox.values() if each.person in people and each.message in messages]
        )
        self.counts.update(MessageFate(each.campaign, each.channel, outcome, reason) for each in gone)
        return len(gone)

    def withdraw_stopped(self, stopped: Mapping[str, int], after: PersonId, limit: int) -> PersonId | None:
        """As `DeliveryStore.withdraw_stopped`."""
        some = sorted(
            (each.person, each.message)
            for each in self._inbox.values()
            if each.person > after and each.created_ms <= stopped.get(each.campaign, -1)
        )[:limit]
        for person, message in some:
            self.take([person], [message], WITHDRAWN, Skip.STOPPED)
        # The last one may have more.
        return PersonId(some[-1][0] - 1) if len(some) == limit else None

    def let_go_of_inbox(self, expired_before_ms: int) -> int:
        """As `DeliveryStore.let_go_of_inbox`."""
        return len(self._remove([each for each in self._inbox.values() if each.expires_ms <= expired_before_ms]))

    def _remove(self, items: list[InboxItem]) -> list[InboxItem]:
        for each in items:
            del self._inbox[each.person, each.message]
            self._seen.discard((each.person, each.message))
        return items

    def mark_seen(self, people: Collection[PersonId], messages: Collection[str]) -> int:
        """As `DeliveryStore.mark_seen`."""
        news = {key for key in self._inbox if key[0] in people and key[1] in messages} - self._seen
        self._seen |= news
        return len(news)

    def forget(self, people: Collection[PersonId]) -> None:
        """Have nothing wait for these people any more."""
        for key in [key for key in self._inbox if key[0] in people]:
            del self._inbox[key]


def _is_dead(told: tuple[DeadAddress, int], now_ms: int) -> bool:
    address, strike_count = told
    return strike_count >= address.strikes and (address.until_ms is None or address.until_ms > now_ms)
