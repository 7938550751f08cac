"""Retention: how long events are kept, by source and name; and letting go of what is older, in log and lake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position, SourceId
from courtesy.base.time import DAY_MS
from courtesy.engine.contract import Engine
from courtesy.person.record import FACTS, Record

ANY = "*"
PAGE_RECORDS = 2_000


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long the events that a rule names are kept, from their arrival, in whole UTC days."""

    keep_days: Annotated[int, Meta(ge=1, le=36_500)]


class About(NamedTuple):
    """Which events a rule is about: those of a source, of a name; `*` for any."""

    source: str
    event: str

    def __str__(self) -> str:
        return f"{self.source}/{self.event}"


class Rule(NamedTuple):
    """A rule in force. `source` and `name` are None for any."""

    source: SourceId | None
    name: str | None
    keep_days: int

    def cutoff_ms(self, now_ms: int) -> int:
        """What arrived before that instant, the start of a UTC day, is let go of."""
        return (now_ms // DAY_MS - self.keep_days) * DAY_MS


def about(name: str) -> About:
    """What a rule called `<source>/<event name>` is about. Raises CourtesyError(INVALID)."""
    source, slash, event = name.partition("/")
    if not source or not slash or not event:
        raise CourtesyError(
            Code.INVALID,
            f"expected <source>/<event name>, got {name!r:.120}",
            hint="either may be *, for any",
            place="name",
        )
    return About(source, event)


def rules_of(declared: Mapping[str, Retention], sources: Mapping[str, SourceId]) -> list[Rule]:
    """The rules in force; one for a source that is gone has nothing left to say."""
    found = []
    for name, retention in sorted(declared.items()):
        source, event = about(name)
        if source == ANY or source in sources:
            number = None if source == ANY else sources[source]
            found.append(Rule(number, None if event == ANY else event, retention.keep_days))
    return found


class _Named(msgspec.Struct):
    name: str | None = None


_NAMED = msgspec.json.Decoder(_Named)


def is_due(rule: Rule, record: Record, cutoff_ms: int) -> bool:
    """Whether a record is an event that a rule lets go of."""
    if record.kind not in FACTS or record.received >= cutoff_ms or rule.source not in (None, record.source):
        return False
    if rule.name is None:
        return True
    try:
        return _NAMED.decode(record.payload).name == rule.name
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


class LogRetention:
    """Lets go of old events in the log, and of what they came to in chapters.

    It remembers how far each rule has looked, so that nothing is read again.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._looked: dict[Rule, Position] = {}
        self._torn: dict[Rule, int] = {}

    async def run(self, rules: list[Rule], now_ms: int) -> int:
        """Drop what the rules let go of and is folded, some thousand records at a time; how many."""
        self._looked = {rule: position for rule, position in self._looked.items() if rule in rules}
        self._torn = {rule: cutoff_ms for rule, cutoff_ms in self._torn.items() if rule in rules}
        return sum([await self._apply(rule, now_ms) for rule in rules])

    async def _apply(self, rule: Rule, now_ms: int) -> int:
        cutoff_ms = rule.cutoff_ms(now_ms)
        if self._torn.get(rule) != cutoff_ms:
            await self._engine.tear_chapters(rule.source, cutoff_ms)
            self._torn[rule] = cutoff_ms
        here, end = self._looked.get(rule, Position(0)), await self._engine.position_before(cutoff_ms)
        dropped, is_all = 0, True
        while here < end and (page := await self._engine.log_after(here, PAGE_RECORDS)):
            due = [each for each in page if each.position <= end and is_due(rule, each, cutoff_ms)]
            gone = await self._engine.drop(due) if due else 0
            dropped += gone
            # What is not folded yet is looked at again.
            is_all = is_all and gone == len(due)
            here = min(page[-1].position, end)
            if is_all:
                self._looked[rule] = here
        return dropped
