"""Quarantine: what is held, by what is wrong with it; fixes tried out; replay and discarding, safe to repeat.

A replay goes the way of any other event, through accept and ingest, as of the instant at which the event came. It
leaves the quarantine in the transaction that stores it, so that two replays at once, or one that dies half way, store
nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice

import structlog

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.ids import Position, SourceId
from courtesy.engine.contract import Engine, Quarantined, QuarantineGroup
from courtesy.event.accept import Accepted, Rejected, SourcePolicy, judge_again
from courtesy.event.cause import FATE, MEANING, Cause, Fate
from courtesy.event.held import decode_circumstances, same_id
from courtesy.event.mend import Operation, Unmended, mend, problem_of
from courtesy.event.propose import Proposal, propose, remedy_of
from courtesy.runtime.catalog import CatalogCache, SavedFix
from courtesy.runtime.ingest import Ingest, Receipt
from courtesy.runtime.item import prepared

APPEND_ROWS = 2_000
"""Held events taken in one append: enough to spread its cost, few enough that nobody else waits long."""

EXAMPLES_MAX = 10
SAMPLE_ROWS = 100
"""Held events on which proposals are tried out."""

PROPOSALS_MAX = 8

log = structlog.get_logger("quarantine")


@dataclass(frozen=True, slots=True)
class Group:
    """Held events that are wrong in the same way. `id` names the group as long as there are any."""

    id: str
    source: str
    found: QuarantineGroup
    meaning: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which held events: a group, or some by their numbers."""

    group: str | None = None
    numbers: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One held event before and after a fix, and what would become of it. `detail` says why it is not stored."""

    number: int
    before: bytes
    after: bytes | None
    fate: Fate
    cause: Cause | None
    detail: str


@dataclass(slots=True)
class Tally:
    """What became, or would become, of held events. `left` are those that stay, by their cause then; `unmended` of
    them those to which the fix could not be applied; `gone` were taken by somebody else."""

    looked_at: int = 0
    stored: int = 0
    duplicate: int = 0
    suppressed: int = 0
    unmended: int = 0
    gone: int = 0
    left: Counter[Cause] = field(default_factory=Counter)

    def add(self, fate: Fate, cause: Cause | None, count: int = 1) -> None:
        """Count some of a fate."""
        if fate is Fate.STORED:
            self.stored += count
        elif fate is Fate.DUPLICATE:
            self.duplicate += count
        elif fate is Fate.SUPPRESSED:
            self.suppressed += count
        else:
            assert cause is not None, "what stays in quarantine has a cause"
            self.left[cause] += count

    def add_all(self, other: Tally) -> None:
        """Add the counts of another part of the same work."""
        for name in ("looked_at", "stored", "duplicate", "suppressed", "unmended", "gone"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.left += other.left


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay would do to the latest of the selected events; examples of each thing that would become of them."""

    tally: Tally
    examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay did. `next_before` goes on with those not looked at yet; None at the end. A read after `position`
    sees all that was stored."""

    tally: Tally
    position: Position
    next_before: int | None


@dataclass(frozen=True, slots=True)
class TriedProposal:
    """A proposal, and how many of the `tried_count` latest events it would mend."""

    proposal: Proposal
    mended_count: int
    tried_count: int


Judged = Accepted | Rejected | Unmended


def sound(fix: Sequence[Operation]) -> Sequence[Operation]:
    """The same, or CourtesyError(INVALID) for an operation that can't be right whatever it is applied to."""
    for number, operation in enumerate(fix):
        problem = problem_of(operation)
        if problem is not None:
            raise CourtesyError(Code.INVALID, problem, place=f"fix[{number}]")
    return fix


class Quarantine:
    """The held events of a store, for those who mend them. Holds no state of its own."""

    def __init__(self, engine: Engine, catalog: CatalogCache, ingest: Ingest) -> None:
        self._engine = engine
        self._catalog = catalog
        self._ingest = ingest

    # -- looking

    async def groups(self, source: str | None = None, cause: Cause | None = None) -> list[Group]:
        """What is held, by source, cause and what is wrong; most events first. Raises NOT_FOUND for the source."""
        number = None if source is None else self._catalog.policy(source).source
        found = await self._engine.quarantine_groups(number, cause)
        names = await self._catalog.source_names(each.source for each in found)
        return [_group(each, names) for each in found]

    async def group(self, group_id: str) -> Group:
        """One group. Raises CourtesyError(NOT_FOUND)."""
        groups = {each.id: each for each in await self.groups()}
        if group_id not in groups:
            hint = nearest(group_id, groups) or "it may be empty by now: `courtesy quarantine list` shows what is held"
            raise CourtesyError(Code.NOT_FOUND, f"no group {group_id!r:.40} in quarantine", hint=hint)
        return groups[group_id]

    async def latest(self, group: Group, limit: int) -> list[Quarantined]:
        """The latest events of a group, newest first."""
        found = group.found
        return await self._engine.quarantined(found.source, found.cause, None, limit, signature=found.signature)

    async def proposals(self, group: Group) -> list[TriedProposal]:
        """Fixes that would mend at least one of the latest events of a group, those that mend most first.

        None for a source that is paused or gone: nothing of it can be let in.
        """
        try:
            policy = await self._policy(group.found.source)
        except CourtesyError:
            return []
        sample = await self.latest(group, SAMPLE_ROWS)
        contents = [each.mended or each.raw for each in sample]
        tried = []
        for proposal in propose(group.found.cause, sample[0].detail if sample else "", contents):
            judged = [self._foreseen(each, proposal.fix, policy) for each in sample]
            mended_count = sum(isinstance(each, Accepted) for each in judged)
            if mended_count:
                tried.append(TriedProposal(proposal, mended_count, len(sample)))
        return sorted(tried, key=lambda each: -each.mended_count)[:PROPOSALS_MAX]

    # -- trying out

    async def preview(self, selection: Selection, fix: Sequence[Operation], limit: int = APPEND_ROWS) -> Preview:
        """What a replay with this fix would do to the latest `limit` events. Changes nothing."""
        sound(fix)
        tally = Tally()
        by_outcome: dict[tuple[Fate, Cause | None], list[Example]] = {}
        async for page in self._pages(selection, None, limit):
            policy = await self._policy(page[0].source)
            judged = [self._foreseen(each, fix, policy) for each in page]
            seen = await self._seen([each.key for each in judged if isinstance(each, Accepted)])
            for held, each in zip(page, judged, strict=True):
                example = _example(held, each, seen)
                tally.looked_at += 1
                tally.unmended += isinstance(each, Unmended)
                tally.add(example.fate, example.cause)
                by_outcome.setdefault((example.fate, example.cause), []).append(example)
        return Preview(tally, tuple(islice(_in_turn(list(by_outcome.values())), EXAMPLES_MAX)))

    async def _seen(self, keys: list[bytes]) -> set[bytes]:
        """Those of the keys that were appended before."""
        if not keys:
            return set()
        async with self._engine.appending() as append:
            return await append.seen(keys)

    def _judged(self, held: Quarantined, fix: Sequence[Operation], policy: SourcePolicy, *, live: bool) -> Judged:
        """What accept says of a held event once it is mended; whom it names is for ingest to judge."""
        mended = mend(held.mended or held.raw, fix)
        if isinstance(mended, Unmended):
            return mended
        beside = decode_circumstances(held.circumstances)
        fallback_id = held.message_id or same_id(held.raw) or f"held-{held.number}"
        return judge_again(mended, beside, policy, held.received_ms, fallback_id, live=live)

    def _foreseen(self, held: Quarantined, fix: Sequence[Operation], policy: SourcePolicy) -> Judged:
        """What accept and ingest would say of a held event once it is mended."""
        judged = self._judged(held, fix, policy, live=False)
        return judged if isinstance(judged, Unmended) else prepared(judged, self._catalog.rules()).given

    async def _policy(self, source: SourceId) -> SourcePolicy:
        """How a source's events are judged now. Raises CourtesyError(CONFLICT) when they would be lost."""
        name = (await self._catalog.source_names([source])).get(source)
        if name is None:
            hint = "discard what is held of it"
            raise CourtesyError(Code.CONFLICT, f"source {source} does not exist any more", hint=hint)
        policy = self._catalog.policy(name)
        if policy.paused:
            hint = "let the source go on first: what a paused source sends is dropped"
            raise CourtesyError(Code.CONFLICT, f"the source {name!r} is paused", hint=hint)
        return policy

    async def _pages(
        self, selection: Selection, before: int | None, limit: int | None
    ) -> AsyncIterator[list[Quarantined]]:
        """The selected events, newest first, of one source at a time.

        Raises CourtesyError(NOT_FOUND) for a group in which nothing is held, unless that is since the page before.
        """
        found = await self._filter(selection)
        if found is None and before is None:
            await self.group(selection.group or "")
        if found is None:
            return
        rest = limit
        while rest is None or rest > 0:
            count = APPEND_ROWS if rest is None else min(APPEND_ROWS, rest)
            page = await self._engine.quarantined(
                *found[:2], before, count, signature=found[2], numbers=selection.numbers
            )
            for source in dict.fromkeys(each.source for each in page):
                yield [each for each in page if each.source == source]
            if len(page) < count:
                return
            before = page[-1].number
            rest = None if rest is None else rest - len(page)

    async def _filter(self, selection: Selection) -> tuple[SourceId | None, Cause | None, str | None] | None:
        """Source, cause and signature of the selected; None for a group in which nothing is held."""
        if (selection.group is None) == (selection.numbers is None):
            raise CourtesyError(Code.INVALID, "expected either a group or numbers", place="group")
        if selection.group is None:
            return None, None, None
        for each in await self._engine.quarantine_groups(None, None):
            if _group_id(each) == selection.group:
                return each.source, each.cause, each.signature
        return None

    # -- doing

    async def replay(
        self,
        selection: Selection,
        fix: Sequence[Operation],
        *,
        live: bool = False,
        before: int | None = None,
        limit: int | None = None,
    ) -> Replay:
        """Mend the selected events and let them in: those before a number, and up to `limit` of them, the latest first
        but each part of them in the order in which they came.

        Each is stored once, however often and by however many this is done. `live`: they may start actions, as if
        they came now; else people and segments change, and nothing else. An event that can't be mended stays as it
        was; one that is wrong in another way then stays mended so far, under its new cause.
        Raises Unavailable or StorageFull when the store does not answer; doing it again goes on where it stopped.
        """
        sound(fix)
        tally, position, last = Tally(), Position(0), before
        async for page in self._pages(selection, before, limit):
            policy = await self._policy(page[0].source)
            judged = [(held, self._judged(held, fix, policy, live=live)) for held in reversed(page)]
            for held, each in judged:
                if isinstance(each, Unmended):
                    tally.unmended += 1
                    tally.left[held.cause] += 1
            given = [(held, each) for held, each in judged if not isinstance(each, Unmended)]
            if given:
                held_now = [held for held, _ in given]
                items = [each for _, each in given]
                receipt = await self._ingest.append(items, policy, keep_keys=True, held=held_now)
                _count(tally, receipt, len(given))
                position = max(position, receipt.position)
            tally.looked_at += len(page)
            last = _lowest(page, last)
        done = limit is None or tally.looked_at < limit
        return Replay(tally, position, None if done else last)

    async def discard(
        self,
        selection: Selection,
        reason: str,
        by: str,
        *,
        before: int | None = None,
        limit: int | None = None,
    ) -> Replay:
        """Drop the selected events for good, counted as suppressed, for a reason that goes to the log."""
        tally, last = Tally(), before
        async for page in self._pages(selection, before, limit):
            rejected = [Rejected(Cause.DISCARDED, reason, each.raw, each.message_id) for each in page]
            receipt = await self._ingest.append(rejected, SourcePolicy(page[0].source), held=page)
            _count(tally, receipt, len(page))
            tally.looked_at += len(page)
            last = _lowest(page, last)
            log.info("quarantine_discarded", by=by, source=page[0].source, count=len(page), reason=reason)
        done = limit is None or tally.looked_at < limit
        return Replay(tally, Position(0), None if done else last)

    # -- fixes to be used again

    async def fix_named(self, name: str) -> SavedFix:
        """A saved fix, though another process saved it a moment ago. Raises CourtesyError(NOT_FOUND)."""
        if name not in self._catalog.now.fixes:
            await self._catalog.refresh()
        fixes = self._catalog.now.fixes
        if name not in fixes:
            raise CourtesyError(Code.NOT_FOUND, f"no fix named {name!r:.120}", hint=nearest(name, fixes))
        return fixes[name]

    async def save_fix(self, name: str, saved: SavedFix, by: str) -> None:
        """Save or change a fix under a name."""
        sound(saved.fix)
        await self._catalog.define_fix(name, saved, by)


def _group(found: QuarantineGroup, names: Mapping[SourceId, str]) -> Group:
    name = names.get(found.source, str(found.source))
    return Group(_group_id(found), name, found, MEANING[found.cause], remedy_of(found.cause))


def _group_id(found: QuarantineGroup) -> str:
    content = f"{found.source}\0{found.cause}\0{found.signature}".encode("utf-8", "surrogatepass")
    return blake2b(content, digest_size=4).hexdigest()


def _example(held: Quarantined, judged: Judged, seen: set[bytes]) -> Example:
    """What would become of one; keys that are to be stored are put into `seen`."""
    before = held.mended or held.raw
    if isinstance(judged, Unmended):
        detail = f"step {judged.number}: {judged.detail}" if judged.number else judged.detail
        return Example(held.number, before, None, Fate.QUARANTINED, held.cause, detail)
    if isinstance(judged, Rejected):
        return Example(held.number, before, judged.raw, FATE[judged.cause], judged.cause, judged.detail)
    if judged.key in seen:
        detail = "the source sent this messageId before"
        return Example(held.number, before, judged.raw, Fate.DUPLICATE, Cause.DUPLICATE, detail)
    seen.add(judged.key)
    return Example(held.number, before, judged.raw, Fate.STORED, None, "")


def _in_turn(some: list[list[Example]]) -> Iterator[Example]:
    """One of each list, then the next of each, and so on."""
    for place in range(max(map(len, some), default=0)):
        yield from (each[place] for each in some if place < len(each))


def _lowest(page: Sequence[Quarantined], last: int | None) -> int:
    lowest = min(each.number for each in page)
    return lowest if last is None else min(lowest, last)


def _count(tally: Tally, receipt: Receipt, given_count: int) -> None:
    tally.stored += receipt.stored_count
    tally.gone += given_count - receipt.stored_count - len(receipt.results)
    for result in receipt.results:
        tally.add(result.fate, result.cause)
