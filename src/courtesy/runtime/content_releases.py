"""Releases: items that are published and withdrawn together, at once or at an instant, all of them or none."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import suppress
from hashlib import sha256

import msgspec
import structlog
from msgspec.structs import replace

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.time import HOUR_MS, Clock, to_iso
from courtesy.content.findings import Finding
from courtesy.content.release import Change, Trouble
from courtesy.engine.content import (
    RELEASE,
    ContentEdit,
    ContentReading,
    Member,
    Release,
    ReleaseState,
    User,
)
from courtesy.engine.contract import Engine
from courtesy.runtime.content import item_in
from courtesy.runtime.content_publishing import Blocked, Publications, Published
from courtesy.runtime.expecting import Samples
from courtesy.runtime.system_events import SourceReport, report

MEMBERS_MAX = 500
EVERY_S = 1.0
SOURCE_NAME = "content"
EXPIRING = "Content Rights Expiring"
RIGHTS = "rights.expires"

log = structlog.get_logger("content")


class StoredTrouble(msgspec.Struct, frozen=True):
    """What was found about an item when its release was tried."""

    item: str
    finding: Finding


_troubles = msgspec.json.Decoder(list[StoredTrouble])


def kept_by(release: Release) -> list[StoredTrouble]:
    """What kept a release from being published when it was last tried."""
    return _troubles.decode(release.findings)


class Releases:
    """The releases of a store."""

    def __init__(self, engine: Engine, publications: Publications, clock: Clock) -> None:
        self._engine = engine
        self._publications = publications
        self._clock = clock

    async def get(self, name: str) -> Release:
        """A release. Raises CourtesyError(NOT_FOUND)."""
        return await _release_in(self._engine, name)

    async def all(self, states: Collection[ReleaseState] = frozenset(ReleaseState)) -> list[Release]:
        """Releases in these states, by when they are due and name."""
        return await self._engine.content_releases(states, None)

    async def put(self, name: str, title: str, members: Sequence[Member], by: str) -> Release:
        """Say what is in a release. Raises CourtesyError: NOT_FOUND for an item that is not there, INVALID for one that
        is named twice, CONFLICT for a release that is scheduled or published."""
        _check_members(members)
        async with self._engine.editing_content() as edit:
            known = await edit.content_release(name)
            if known is not None:
                _refuse(known, {ReleaseState.SCHEDULED, ReleaseState.PUBLISHED}, "changed")
            for each in members:
                await item_in(edit, each.key)
            release = Release(name, title, tuple(members), ReleaseState.OPEN, self._clock.now_ms(), by)
            await edit.put_release(release)
            await edit.set_uses(User(RELEASE, name), [(each.key, None) for each in members])
            return release

    async def remove(self, name: str) -> None:
        """Forget a release; its items stay. Raises CourtesyError: NOT_FOUND, CONFLICT for one that was published."""
        async with self._engine.editing_content() as edit:
            _refuse(await _release_in(edit, name), {ReleaseState.PUBLISHED}, "removed")
            await edit.drop_release(name)
            await edit.set_uses(User(RELEASE, name), [])

    async def preview(self, name: str) -> list[Trouble]:
        """What would be found if it were published now; nothing is changed. Raises CourtesyError(NOT_FOUND)."""
        return await self._publications.preview((await self.get(name)).members)

    async def schedule(self, name: str, due_ms: int, by: str) -> Release:
        """Have it published at an instant, each item in the revision that it is at now.

        Raises CourtesyError: NOT_FOUND, INVALID for an instant that is over, CONFLICT when it was published.
        """
        now_ms = self._clock.now_ms()
        if due_ms <= now_ms:
            raise CourtesyError(
                Code.INVALID, f"expected an instant to come, got {to_iso(due_ms)}", hint="publish it now", place="at"
            )
        async with self._engine.editing_content() as edit:
            known = await _release_in(edit, name)
            _refuse(known, {ReleaseState.PUBLISHED}, "scheduled")
            fixed = tuple([await _fixed(edit, each) for each in known.members])
            scheduled = replace(
                known, members=fixed, state=ReleaseState.SCHEDULED, due_ms=due_ms, changed_ms=now_ms, changed_by=by,
                settled_ms=None, findings=b"[]",
            )  # fmt: skip
            await edit.put_release(scheduled)
            return scheduled

    async def call_off(self, name: str, by: str) -> Release:
        """Don't publish it by itself. Raises CourtesyError: NOT_FOUND, CONFLICT when it is not scheduled."""
        async with self._engine.editing_content() as edit:
            known = await _release_in(edit, name)
            _refuse(known, set(ReleaseState) - {ReleaseState.SCHEDULED}, "called off")
            loose = tuple(replace(each, revision=None) for each in known.members)
            opened = replace(
                known, members=loose, state=ReleaseState.OPEN, due_ms=None, changed_ms=self._clock.now_ms(),
                changed_by=by,
            )  # fmt: skip
            await edit.put_release(opened)
            return opened

    async def publish(self, name: str, by: str) -> Published:
        """Publish all of it now. Raises CourtesyError: NOT_FOUND, Blocked with nothing published, CONFLICT when it was
        published."""
        samples = await self._publications.look()
        async with self._engine.editing_content() as edit:
            known = await _release_in(edit, name)
            _refuse(known, {ReleaseState.PUBLISHED}, "published again")
            done = await self._publish(edit, known, by, samples)
        return await self._publications.scored(done, samples)

    async def _publish(self, edit: ContentEdit, release: Release, by: str, samples: Samples) -> Published:
        published = await self._publications.carry_out(edit, release.members, by, samples, release.name)
        now_ms = self._clock.now_ms()
        done = replace(release, state=ReleaseState.PUBLISHED, settled_ms=now_ms, changed_by=by, findings=b"[]")
        await edit.put_release(done)
        return published

    async def publish_due(self) -> list[Release]:
        """Publish what is scheduled for now or earlier, each release whole or, when something keeps it, not at all;
        those that were settled, as they stand. Of several who do so at once, one publishes each."""
        settled = []
        for due in await self._engine.content_releases({ReleaseState.SCHEDULED}, self._clock.now_ms() + 1):
            samples = await self._publications.look()
            async with self._engine.editing_content() as edit:
                known = await edit.content_release(due.name)
                # Called off, put off or published since it was looked for.
                if known is not None and (known.state, known.due_ms) == (ReleaseState.SCHEDULED, due.due_ms):
                    settled.append(await self._settle(edit, known, samples))
        return settled

    async def _settle(self, edit: ContentEdit, release: Release, samples: Samples) -> Release:
        try:
            await self._publish(edit, release, release.changed_by, samples)
        except Blocked as blocked:
            found = [StoredTrouble(str(each.key), each.finding) for each in blocked.troubles]
            findings, now_ms = msgspec.json.encode(found), self._clock.now_ms()
            await edit.put_release(replace(release, state=ReleaseState.BLOCKED, settled_ms=now_ms, findings=findings))
        return await _release_in(edit, release.name)


class Releaser:
    """Publishes what is scheduled, for one installation, and tells of rights that run out. Two at once do no harm."""

    def __init__(self, engine: Engine, releases: Releases, publications: Publications, clock: Clock) -> None:
        self._engine = engine
        self._releases = releases
        self._publications = publications
        self._clock = clock
        self._told_ms: int | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Go on until `stop` is set."""
        while not stop.is_set():
            try:
                await self.turn()
            except CourtesyError as error:
                log.warning("releases_wait", cause=error.message)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), EVERY_S)

    async def turn(self) -> None:
        """Publish what is due, and tell of rights if they were not looked at for an hour."""
        for release in await self._releases.publish_due():
            if release.state is ReleaseState.BLOCKED:
                log.warning("release_blocked", name=release.name, findings=len(kept_by(release)))
            else:
                log.info("released", name=release.name, items=len(release.members))
        now_ms = self._clock.now_ms()
        if self._told_ms is None or not 0 <= now_ms - self._told_ms < HOUR_MS:
            await self.tell_of_rights()
            self._told_ms = now_ms

    async def tell_of_rights(self) -> int:
        """Report each published item whose rights run out within 14 days, or ran out, as an event of the source
        `content`, once for each instant at which they do; how many were new. Raises Unavailable or StorageFull."""
        found = [each for each in await self._publications.warnings() if each.finding.place == RIGHTS]
        return await report(self._engine, [_expiring(each) for each in found], self._clock.now_ms())


def _expiring(trouble: Trouble) -> SourceReport:
    properties = {"item": str(trouble.key), "code": trouble.finding.code, "message": trouble.finding.message}
    message = sha256(trouble.finding.message.encode()).hexdigest()[:16]
    return SourceReport(SOURCE_NAME, f"rights-{trouble.key}-{message}", EXPIRING, properties)


async def _release_in(reading: ContentReading, name: str) -> Release:
    found = await reading.content_release(name)
    if found is None:
        known = await reading.content_releases(set(ReleaseState), None)
        hint = nearest(name, [each.name for each in known])
        raise CourtesyError(Code.NOT_FOUND, f"there is no release named {name!r:.120}", hint=hint)
    return found


async def _fixed(reading: ContentReading, member: Member) -> Member:
    """A member in the revision that its item is at."""
    if member.change is Change.WITHDRAW:
        return member
    return replace(member, revision=(await item_in(reading, member.key)).revision)


def _refuse(release: Release, states: Collection[ReleaseState], what: str) -> None:
    if release.state in states:
        hint = "call it off first" if release.state is ReleaseState.SCHEDULED else ""
        raise CourtesyError(
            Code.CONFLICT, f"the release {release.name} is {release.state}, and can't be {what}", hint=hint
        )


def _check_members(members: Sequence[Member]) -> None:
    named = Counter(each.key for each in members)
    if twice := sorted(key for key, count in named.items() if count > 1):
        raise CourtesyError(Code.INVALID, f"{twice[0]} is in it twice", place="members")
