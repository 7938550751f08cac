"""What folding keeps: leases on partitions, states, timers, and records set aside."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from courtesy.base.ids import Partition, PersonId, Position, partition_of
from courtesy.engine.contract import FoldCommit, Lease, LeaseLost, Poisoned, TimerChange
from courtesy.person.record import Record

_NOWHERE = Position(0)
_Due = tuple[int, PersonId, str]


@dataclass(slots=True)
class _Holding:
    """Who folds a partition until when, under which epoch, and how far."""

    owner: str | None = None
    expires_ms: int = 0
    epoch: int = 0
    folded: Position = _NOWHERE


class Folding:
    """The fold's own storage. Its methods that change something either raise first or do not raise."""

    def __init__(self, partition_count: int) -> None:
        self.states: dict[PersonId, bytes] = {}
        self._holdings = [_Holding() for _ in range(partition_count)]
        self._asked: dict[str, int] = {}
        self._timers: dict[tuple[PersonId, str], int] = {}
        self._due: list[list[_Due]] = [[] for _ in range(partition_count)]
        self._poisoned: list[Poisoned] = []

    # -- leases

    def claim(self, worker: str, want: int, now_ms: int, ttl_ms: int) -> list[Lease]:
        """Renew what the worker holds, let lapse what ran out, take free partitions up to `want` in all."""
        until_ms = now_ms + ttl_ms
        self._asked = {each: min(asked_ms, until_ms) for each, asked_ms in self._asked.items()} | {worker: until_ms}
        for each in self._holdings:
            # Only a clock that was set back can have given a longer one.
            each.expires_ms = min(each.expires_ms, until_ms)
            if each.expires_ms <= now_ms:
                each.owner = None
            elif each.owner == worker:
                each.expires_ms = until_ms
        held = sum(each.owner == worker for each in self._holdings)
        for each in [each for each in self._holdings if each.owner is None][: max(want - held, 0)]:
            each.owner, each.expires_ms, each.epoch = worker, until_ms, each.epoch + 1
        return [
            Lease(Partition(number), each.epoch, each.folded)
            for number, each in enumerate(self._holdings)
            if each.owner == worker
        ]

    def release(self, worker: str, partitions: Collection[Partition]) -> None:
        """Free those of the partitions that are the worker's."""
        for number in partitions:
            if self._holdings[number].owner == worker:
                self._holdings[number].owner = None

    def worker_count(self, now_ms: int) -> int:
        """How many workers asked for leases that would not have run out yet, at least 1."""
        return max(1, sum(expires_ms > now_ms for expires_ms in self._asked.values()))

    def owner_of(self, partition: Partition, now_ms: int) -> str | None:
        """Who holds a partition now."""
        holding = self._holdings[partition]
        return holding.owner if holding.expires_ms > now_ms else None

    def folded(self, partition: Partition) -> Position:
        """The position up to which a partition is folded."""
        return self._holdings[partition].folded

    def check_epochs(self, leases: Sequence[Lease]) -> None:
        """Raise LeaseLost for a partition that has another owner since."""
        for lease in leases:
            if lease.epoch != self._holdings[lease.partition].epoch:
                raise LeaseLost(lease.partition)

    def check_leases(self, leases: Sequence[Lease]) -> None:
        """Raise LeaseLost for a partition that has another owner since, or that was folded further."""
        self.check_epochs(leases)
        for lease in leases:
            if lease.folded != self._holdings[lease.partition].folded:
                raise LeaseLost(lease.partition)

    # -- commits

    def apply(self, commit: FoldCommit) -> None:
        """Write states, timers, what was set aside and how far it is folded; of a checked, `copied` commit."""
        for partition, position in commit.folded.items():
            self._holdings[partition].folded = position
        self.states.update(commit.states)
        for change in commit.timers:
            self._change_timer(change)
        self._poisoned.extend(commit.poisoned)

    def forget(self, people: Collection[PersonId], others: Collection[Position]) -> None:
        """Drop states, timers and what was set aside of these people, and what was set aside at `others`."""
        for person in people:
            self.states.pop(person, None)
        for person, timer in [key for key in self._timers if key[0] in people]:
            self._change_timer(TimerChange(person, timer, None))
        self._poisoned = [
            each for each in self._poisoned if each.record.person not in people and each.record.position not in others
        ]

    def forget_poisoned(self, is_gone: Callable[[Record], bool]) -> None:
        """Drop what was set aside of the records of which that is true."""
        self._poisoned = [each for each in self._poisoned if not is_gone(each.record)]

    def poisoned(self, limit: int) -> list[Poisoned]:
        """What was set aside, newest first."""
        return sorted(self._poisoned, key=lambda each: -each.record.position)[:limit]

    # -- timers

    def _change_timer(self, change: TimerChange) -> None:
        due_in_order = self._due[partition_of(change.person, len(self._due))]
        known = self._timers.pop((change.person, change.timer), None)
        if known is not None:
            del due_in_order[bisect_left(due_in_order, (known, change.person, change.timer))]
        if change.due_ms is not None:
            self._timers[change.person, change.timer] = change.due_ms
            insort(due_in_order, (change.due_ms, change.person, change.timer))

    def wake(self, people: Iterable[PersonId], timer: str, due_ms: int) -> None:
        """Set a timer for each of these people who has none of that name."""
        for person in people:
            if (person, timer) not in self._timers:
                self._change_timer(TimerChange(person, timer, due_ms))

    def waiting_count(self, timer: str) -> int:
        """How many timers of that name are set."""
        return sum(name == timer for _, name in self._timers)

    def due(self, partitions: Iterable[Partition], now_ms: int, limit: int) -> list[_Due]:
        """Timers that are due, oldest first."""
        due = [each for number in partitions for each in self._due[number] if each[0] <= now_ms]
        return sorted(due)[:limit]

    def drop_timers(self, timers: Iterable[_Due]) -> None:
        """Forget timers that were set."""
        for _, person, timer in timers:
            self._change_timer(TimerChange(person, timer, None))

    def next_due_ms(self, partitions: Iterable[Partition]) -> int | None:
        """When the first timer of some partitions is due."""
        return min((self._due[number][0][0] for number in partitions if self._due[number]), default=None)


def copied(commit: FoldCommit, partition_count: int) -> FoldCommit:
    """The same commit, out of reach of whoever made it, and proven to speak of the leased partitions only."""
    mine = {lease.partition for lease in commit.leases}
    people = [person for person, _ in commit.states] + [change.person for change in commit.timers]
    assert set(commit.folded) == mine, "expected a position for each leased partition"
    assert {partition_of(person, partition_count) for person in people} <= mine, "expected people of those partitions"
    assert all(commit.folded[lease.partition] >= lease.folded for lease in commit.leases), "folding never goes back"
    return FoldCommit(
        tuple(commit.leases),
        dict(commit.folded),
        [(person, bytes(state)) for person, state in commit.states],
        tuple(commit.timers),
        [effect._replace(key=bytes(effect.key), body=bytes(effect.body)) for effect in commit.effects],
        tuple(commit.forwards),
        tuple(commit.poisoned),
        tuple(commit.memberships),
        tuple(commit.fates),
        commit.now_ms,
    )
