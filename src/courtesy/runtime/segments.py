"""Segments as they are defined: reading what somebody wrote, keeping it, and what stands on what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.engine.contract import Engine, Revision
from courtesy.runtime.catalog import NAME_CHARS_MAX, OFFER, SEGMENT, CatalogCache, Definitions, check_name
from courtesy.runtime.names_seen import NamesSeen
from courtesy.segment.checking import wrong_with
from courtesy.segment.definition import SegmentBody, circle, stands_on
from courtesy.segment.parsing import Parsed, parse
from courtesy.segment.printing import write
from courtesy.segment.remarks import Remark, remarks
from courtesy.segment.tree import Segment

WORDS_OF_THE_API = frozenset({"validate", "preview", "overlap", "discover", "lookalikes"})
"""What stands where a segment's name does in other paths."""


class Use(NamedTuple):
    """A definition that stands on another, by kind and name."""

    kind: str
    name: str


class Read(NamedTuple):
    """What somebody wrote, as text (theirs, or that of their tree), with what it means and what is odd about it."""

    text: str
    parsed: Parsed
    remarks: list[Remark]


class SegmentRevision(NamedTuple):
    """One revision of a segment. `body` is None where it was removed."""

    number: int
    body: SegmentBody | None
    at_ms: int
    by: str


def read_segment(text: str | None, segment: Segment | None) -> tuple[str, Parsed]:
    """The segment that is given as text or as its tree, with its text. Raises CourtesyError(INVALID)."""
    if text is not None and segment is None:
        return text, parse(text)
    if segment is None or text is not None:
        got = "neither" if segment is None else "both"
        raise CourtesyError(Code.INVALID, f"expected `text` or `segment`, got {got}", place="body")
    for wrong in wrong_with(segment):
        raise CourtesyError(Code.INVALID, wrong, place="segment")
    text = write(segment)
    return text, parse(text)


def uses_of_segment(defined: Definitions, name: str) -> list[Use]:
    """Every definition that stands on a segment, archived ones too, by kind and name."""
    return sorted(use for users in _USERS for use in users(defined, name))


def _segments_using(defined: Definitions, name: str) -> Iterator[Use]:
    return (Use(SEGMENT, each) for each, body in defined.segments.items() if name in stands_on(body.segment))


def _offers_using(defined: Definitions, name: str) -> Iterator[Use]:
    told = {each: terms.eligibility for each, terms in defined.offers.items() if terms.eligibility}
    return (Use(OFFER, each) for each, text in told.items() if name in stands_on(parse(text).segment))


_USERS: tuple[Callable[[Definitions, str], Iterable[Use]], ...] = (_segments_using, _offers_using)
"""For each kind of definition that can stand on a segment, those that do."""


class Segments:
    """The defining side of one process."""

    def __init__(self, engine: Engine, catalog: CatalogCache, names: NamesSeen) -> None:
        self._engine = engine
        self._catalog = catalog
        self._names = names
        self._defining = asyncio.Lock()

    def body(self, name: str) -> SegmentBody:
        """A segment as it is defined now. Raises CourtesyError(NOT_FOUND)."""
        found = self._catalog.now.segments.get(name)
        if found is None:
            hint = nearest(name, self._catalog.now.segments)
            raise CourtesyError(Code.NOT_FOUND, f"no segment named {name!r:.120}", hint=hint)
        return found

    def number(self, name: str) -> int:
        """A segment's own number. Raises CourtesyError(NOT_FOUND)."""
        self.body(name)
        return self._catalog.now.revisions[SEGMENT, name].number

    async def read(self, text: str | None, segment: Segment | None) -> Read:
        """What a text or a tree means; names and values that were not seen lately are remarked on. Raises
        CourtesyError(INVALID) with the place."""
        text, parsed = read_segment(text, segment)
        return Read(text, parsed, remarks(text, parsed, await self._names.look()))

    async def define(self, name: str, body: SegmentBody, by: str) -> None:
        """Create or change a segment. What is as it was makes no revision.

        Raises CourtesyError: INVALID for a name that the API needs, for one that stands on a segment that is not there,
        is archived or is one for each value, or on itself in the end; CONFLICT when it is to be archived, or to be one
        for each value, while others stand on it.
        """
        check_name(name, NAME_CHARS_MAX)
        if name in WORDS_OF_THE_API:
            raise CourtesyError(Code.INVALID, f"a segment can't be named {name!r}", place="name")
        async with self._defining:
            await self._catalog.refresh()
            if body.archived:
                self._refuse_if_used(name, "be archived", archived_too=False)
            else:
                self.check_mentions(name, body.segment)
            if body.segment.each is not None:
                self._refuse_if_used(name, "be one for each value", archived_too=False)
            await self._catalog.define_segment(name, body, by)

    def check_mentions(self, name: str, segment: Segment) -> None:
        """Raises CourtesyError(INVALID) when a segment of that name could not stand on what this one mentions."""
        known = self._catalog.now.segments
        for other in sorted(stands_on(segment) - {name}):
            if other not in known:
                raise CourtesyError(
                    Code.INVALID, f"there is no segment {other!r:.120}", hint=nearest(other, known), place="segment"
                )
            if known[other].archived:
                raise CourtesyError(
                    Code.INVALID,
                    f"the segment {other!r:.120} is archived",
                    hint="restore it first",
                    place="segment",
                )
            if known[other].segment.each is not None:
                raise CourtesyError(
                    Code.INVALID, f"expected one segment, got {other!r:.120}, which is one for each value"
                )
        mentions = {each: stands_on(body.segment) for each, body in known.items()} | {name: stands_on(segment)}
        if way := circle(name, mentions):
            told = " stands on ".join(repr(each) for each in way)
            raise CourtesyError(Code.INVALID, f"a segment can't stand on itself: {told}", place="segment")

    def _refuse_if_used(self, name: str, what: str, *, archived_too: bool) -> None:
        now = self._catalog.now
        uses = [
            each
            for each in uses_of_segment(now, name)
            if each.name != name and (archived_too or each.kind != SEGMENT or not now.segments[each.name].archived)
        ]
        if uses:
            told = ", ".join(f"{each.kind} {each.name!r}" for each in uses[:5])
            raise CourtesyError(
                Code.CONFLICT,
                f"{name!r:.120} can't {what} while others stand on it: {told}",
                hint="change those first",
            )

    async def archive(self, name: str, by: str, *, archived: bool = True) -> None:
        """Let nobody be in a segment from now on, or have it again. Raises what `define` does, and NOT_FOUND."""
        await self._catalog.refresh()
        await self.define(name, msgspec.structs.replace(self.body(name), archived=archived, patterns={}), by)

    async def remove(self, name: str, by: str) -> None:
        """Remove a segment and all that is kept of who is in it; its revisions stay readable. Raises CourtesyError:
        NOT_FOUND, and CONFLICT while others stand on it, archived ones too."""
        async with self._defining:
            await self._catalog.refresh()
            number = self.number(name)
            self._refuse_if_used(name, "be removed", archived_too=True)
            await self._catalog.remove_segment(name, by)
            await self._engine.forget_segment(number)

    async def history(self, name: str) -> list[SegmentRevision]:
        """Every revision, oldest first. Raises CourtesyError(NOT_FOUND) for a segment that never was."""
        found = await self._engine.definition_history(SEGMENT, name)
        if not found:
            self.body(name)
        return [_revision(each) for each in found]

    async def revision_at(self, name: str, at_ms: int) -> SegmentRevision:
        """The revision that was in force at an instant; the first when there was none yet, and the last one before
        when it was removed. Raises CourtesyError(NOT_FOUND) for a segment that never was."""
        told = [each for each in await self.history(name) if each.body is not None]
        return next((each for each in reversed(told) if each.at_ms <= at_ms), told[0])

    async def revision(self, name: str, number: int) -> SegmentRevision:
        """One revision of a segment. Raises CourtesyError(NOT_FOUND) where it has no such, or was removed by it."""
        told = [each for each in await self.history(name) if each.body is not None]
        found = next((each for each in told if each.number == number), None)
        if found is None:
            known = ", ".join(str(each.number) for each in told[-10:])
            raise CourtesyError(
                Code.NOT_FOUND, f"the segment {name!r:.120} has no revision {number}", hint=f"it has {known}"
            )
        return found

    async def standing_under(self, segment: Segment, at_ms: int) -> dict[str, Segment]:
        """All that a segment stands on, as it was in force at an instant, by name; without what was archived then."""
        found: dict[str, Segment] = {}
        waiting = set(stands_on(segment))
        passed: set[str] = set()
        while waiting:
            name = waiting.pop()
            passed.add(name)
            body = (await self.revision_at(name, at_ms)).body
            if body is not None and not body.archived:
                found[name] = body.segment
                waiting |= stands_on(body.segment) - passed
        return found

    def uses(self, name: str) -> list[Use]:
        """What stands on a segment. Raises CourtesyError(NOT_FOUND)."""
        self.body(name)
        return uses_of_segment(self._catalog.now, name)


def _revision(each: Revision) -> SegmentRevision:
    body = None if each.body is None else msgspec.json.decode(each.body, type=SegmentBody)
    return SegmentRevision(each.revision, body, each.changed_ms, each.changed_by)
