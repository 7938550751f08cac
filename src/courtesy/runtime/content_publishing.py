"""Publishing items: what keeps one from it, its versions, who stands on them, and taking it back."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import Clock
from courtesy.content.findings import Check, Finding, Severity, error, gravest_first
from courtesy.content.items import Body, FieldType, ItemKey, checked, key_of, locales, references, values
from courtesy.content.kinds import kind_of
from courtesy.content.measures import Measure, measured_item, measured_print
from courtesy.content.printing import PrintFile, check_printed, printed_files
from courtesy.content.release import (
    Candidate,
    Change,
    Compiled,
    Compiler,
    Pin,
    Plan,
    Trouble,
    digest_of,
    in_order,
    is_blocking,
    over,
    troubles,
)
from courtesy.content.workflow import ContentWorkflow, wanting
from courtesy.engine.content import (
    OWN_USERS,
    RELEASE,
    VERSION,
    ContentEdit,
    ContentReading,
    Item,
    ItemFilter,
    ItemState,
    Member,
    ReleaseState,
    Use,
    User,
    Version,
)
from courtesy.engine.contract import Engine
from courtesy.runtime.catalogue_lookup import CatalogueLookup
from courtesy.runtime.content import authors_of, body_of, encode_body, item_in
from courtesy.runtime.expecting import NO_TRIAL, Expecting, Samples, Trial
from courtesy.runtime.spam_scores import SpamScores

_encode = msgspec.json.Encoder(order="sorted").encode
PUBLISHED = ItemFilter(states=frozenset({ItemState.PUBLISHED}))
PAGE = 500


class Blocked(CourtesyError):
    """Something keeps items from being published: `troubles`, errors and warnings alike."""

    def __init__(self, found: Sequence[Trouble]) -> None:
        errors = [each for each in found if each.finding.severity is Severity.ERROR]
        first = errors[0]
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        super().__init__(
            Code.CONFLICT,
            f"{first.key}: {first.finding.message}{more}",
            hint=first.finding.hint,
            place=first.finding.place,
        )
        self.troubles = list(found)


class Published(NamedTuple):
    """What a plan came to: the version that each item of it is live in, and what was found, warnings only."""

    versions: list[Version]
    troubles: list[Trouble]


class Draft(NamedTuple):
    """What was found about something that is being written, and its measures."""

    findings: list[Finding]
    measures: list[Measure]


class WhereUsed(NamedTuple):
    """A use, and whether it is live: by what people are shown now, or by somebody who is no item, like a campaign."""

    use: Use
    is_live: bool


class _Attempt(NamedTuple):
    """A plan that was tried out: what it found, and the versions that it would make."""

    troubles: list[Trouble]
    made: list[Version]


class Publications:
    """Publishes the items of a store."""

    def __init__(
        self,
        engine: Engine,
        workflow: Callable[[], ContentWorkflow],
        compiler: Compiler,
        clock: Clock,
        has_asset: Callable[[str], Awaitable[bool]],
        expecting: Expecting,
        lookup: CatalogueLookup,
        spam: SpamScores,
        print_file: Callable[[str], Awaitable[PrintFile | None]],
    ) -> None:
        """`has_asset`: whether there is an asset of a SHA-256. `print_file`: what a printer has to know of one."""
        self._engine = engine
        self._workflow = workflow
        self._compile = compiler
        self._clock = clock
        self._has_asset = has_asset
        self._expecting = expecting
        self._lookup = lookup
        self._spam = spam
        self._print_file = print_file

    # -- one item

    async def look(self, trial: Trial = NO_TRIAL) -> Samples:
        """What to try content with: to be asked for before edits, which wait for each other. Raises CourtesyError for
        somebody in `trial` whom nobody knows."""
        return await self._expecting.look(trial)

    async def check(self, key: ItemKey, trial: Trial = NO_TRIAL) -> list[Finding]:
        """What would be found if the present revision were published now; nothing is changed."""
        samples = await self.look(trial)
        item = await item_in(self._engine, key)
        attempt = await self._attempt(self._engine, [Member(*key, revision=item.revision)], samples)
        found = attempt.troubles + await self._spam.of(attempt.made, samples.people)
        return [each.finding for each in found]

    async def publish(self, key: ItemKey, revision: int | None, by: str, trial: Trial = NO_TRIAL) -> Published:
        """Publish the present revision, which must be `revision` if given. What is live already stays as it is.

        Raises CourtesyError: Blocked, NOT_FOUND, CONFLICT for another revision.
        """
        samples = await self.look(trial)
        async with self._engine.editing_content() as edit:
            item = await item_in(edit, key)
            if revision not in (None, item.revision):
                raise CourtesyError(
                    Code.CONFLICT,
                    f"{key} is at revision {item.revision}, which {item.changed_by} made, not {revision}",
                    hint="read it again",
                    place="revision",
                )
            done = await self.carry_out(edit, [Member(*key)], by, samples)
        return await self.scored(done, samples)

    async def scored(self, done: Published, samples: Samples) -> Published:
        """What was published, with what a spam filter makes of it. To be asked for after the edit, as it takes a
        while."""
        return done._replace(troubles=done.troubles + await self._spam.of(done.versions, samples.people))

    async def withdraw(self, key: ItemKey, by: str) -> Published:
        """Show an item no more. Versions stay, and what is pinned to one keeps it: who that is, is warned of. Raises
        CourtesyError: NOT_FOUND, CONFLICT when it is not published."""
        async with self._engine.editing_content() as edit:
            return await self.carry_out(edit, [Member(*key, Change.WITHDRAW)], by, Samples())

    async def archive(self, key: ItemKey) -> Item:
        """Put an item away, withdrawn. Raises CourtesyError(CONFLICT) while something live, or a release that is to
        come, stands on it."""
        async with self._engine.editing_content() as edit:
            item = await item_in(edit, key)
            holding = [each.use.user for each in await self._where_used(edit, key) if each.is_live]
            if holding:
                raise _in_use(str(key), holding, "publish those without it first")
            archived = replace(item, state=ItemState.ARCHIVED, live=None, live_revision=None)
            await edit.put_item(archived)
            return archived

    async def restore(self, key: ItemKey) -> Item:
        """Take an archived item up again, unpublished. Raises CourtesyError: NOT_FOUND, CONFLICT when it is not."""
        async with self._engine.editing_content() as edit:
            item = await item_in(edit, key)
            if item.state is not ItemState.ARCHIVED:
                raise CourtesyError(Code.CONFLICT, f"{key} is not archived")
            state = ItemState.WITHDRAWN if item.version_count else ItemState.DRAFT
            await edit.put_item(restored := replace(item, state=state))
            return restored

    async def check_draft(self, key: ItemKey, body: Body, trial: Trial = NO_TRIAL) -> Draft:
        """What would be found, but for approvals, if an item said this and were published now, and how long its texts
        are. It need not be there. Raises CourtesyError: INVALID for what the kind does not declare."""
        samples = await self.look(trial)
        candidate = Candidate(key, kind_of(key.kind, "kind"), 0, body)
        checked(candidate.kind, body)
        live = await _live_versions(self._engine, [candidate])
        found = troubles(Plan([candidate], live=live.keys()), self._clock.now_ms())
        found += await self._lacking_assets(candidate)
        files = await self._print_files(candidate)
        found += _unprintable(candidate, files)
        measures = measured_print(candidate.kind, body, files)
        if _compilable([candidate], found):
            used = {each: body_of(met.body) for each, met in (await _used(self._engine, candidate, live)).items()}
            compiled = await self._made(candidate, used, samples)
            found += [Trouble(key, each) for each in compiled.findings]
            measures += measured_item(candidate, used, self._expecting.of(candidate, used, samples))
        return Draft(gravest_first(each.finding for each in found), measures)

    # -- versions

    async def version(self, key: ItemKey, number: int | None) -> Version:
        """A version of an item, or the one that is live. Raises CourtesyError(NOT_FOUND)."""
        item = await item_in(self._engine, key)
        if number is None and item.live is None:
            raise CourtesyError(Code.NOT_FOUND, f"{key} is not published: it is {item.state}")
        found = await self._engine.content_version(key, number or item.live or 0)
        if found is None:
            raise CourtesyError(Code.NOT_FOUND, f"{key} has no version {number}", place="version")
        return found

    async def versions(self, key: ItemKey) -> list[Version]:
        """Every version, oldest first. Raises CourtesyError(NOT_FOUND)."""
        await item_in(self._engine, key)
        return await self._engine.content_versions(key)

    async def drop_version(self, key: ItemKey, number: int) -> None:
        """Forget a version that nobody needs. Raises CourtesyError: NOT_FOUND, CONFLICT for one that is live or that
        something stands on."""
        async with self._engine.editing_content() as edit:
            item = await item_in(edit, key)
            if await edit.content_version(key, number) is None:
                raise CourtesyError(Code.NOT_FOUND, f"{key} has no version {number}", place="version")
            if item.live == number:
                raise CourtesyError(Code.CONFLICT, f"version {number} of {key} is live", hint="withdraw it first")
            uses = await edit.content_uses([key])
            if users := [each.user for each in uses if each.version == number]:
                raise _in_use(f"version {number} of {key}", users, "it can go when they are gone")
            await edit.drop_version(key, number)
            await edit.set_uses(_version_user(key, number), [])

    # -- where used

    async def where_used(self, key: ItemKey) -> list[WhereUsed]:
        """Who stands on an item, by user. Raises CourtesyError(NOT_FOUND)."""
        await item_in(self._engine, key)
        return await self._where_used(self._engine, key)

    async def pin(self, edit: ContentEdit, user: User, pins: Iterable[Pin]) -> None:
        """Have a user, who is no item and no release, stand on these versions, and on no others any more.

        Raises CourtesyError(NOT_FOUND) for a version that is not there.
        """
        assert user.kind not in OWN_USERS, "items and releases say themselves what they stand on"
        pinned = sorted(set(pins))
        for each in pinned:
            if await edit.content_version(each.key, each.version) is None:
                raise CourtesyError(Code.NOT_FOUND, f"{each.key} has no version {each.version}")
        await edit.set_uses(user, [(each.key, each.version) for each in pinned])

    async def _where_used(self, reading: ContentReading, key: ItemKey) -> list[WhereUsed]:
        return [WhereUsed(each, await _is_live(reading, each)) for each in await reading.content_uses([key])]

    # -- several at once

    async def preview(self, members: Sequence[Member]) -> list[Trouble]:
        """What would be found if these were changed together now; nothing is changed."""
        return (await self._attempt(self._engine, members, await self.look())).troubles

    async def carry_out(
        self, edit: ContentEdit, members: Sequence[Member], by: str, samples: Samples, release: str = ""
    ) -> Published:
        """Publish and withdraw items together, after trying them with `samples`. Raises CourtesyError: Blocked, with
        nothing written; NOT_FOUND."""
        attempt = await self._attempt(edit, members, samples)
        if is_blocking(attempt.troubles):
            raise Blocked(attempt.troubles)
        now_ms = self._clock.now_ms()
        versions = []
        for made in attempt.made:
            version = replace(made, published_ms=now_ms, published_by=by, release=release)
            versions.append(await _put(edit, version))
        for member in members:
            if member.change is Change.WITHDRAW:
                item = await item_in(edit, member.key)
                await edit.put_item(replace(item, state=ItemState.WITHDRAWN, live=None, live_revision=None))
        return Published(versions, attempt.troubles)

    async def _attempt(self, reading: ContentReading, members: Sequence[Member], samples: Samples) -> _Attempt:
        """Hold what is to be done against what is there, and make what would be shown."""
        items = {each.key: await item_in(reading, each.key) for each in members}
        found = [Trouble(each.key, one) for each in members for one in _unfit(items[each.key], each)]
        candidates = [
            await self._candidate(reading, items[each.key], each.revision or items[each.key].revision)
            for each in members
            if each.change is Change.PUBLISH
        ]
        withdrawn = [each.key for each in members if each.change is Change.WITHDRAW]
        live = await _live_versions(reading, candidates)
        users = {key: await _shown_in(reading, key, withdrawn) for key in withdrawn}
        found += troubles(Plan(candidates, withdrawn, live.keys(), users), self._clock.now_ms())
        found += [each for candidate in candidates for each in await self._lacking_assets(candidate)]
        for candidate in candidates:
            found += _unprintable(candidate, await self._print_files(candidate))
        made, later = await self._compiled(reading, _compilable(candidates, found), items, live, samples)
        return _Attempt(found + later, made)

    async def _lacking_assets(self, candidate: Candidate) -> list[Trouble]:
        """The places of an item that name an asset which is not there."""
        named = [each for each in values(candidate.kind, candidate.body) if each.field.type is FieldType.ASSET]
        return [
            Trouble(candidate.key, error(Check.ASSET, f"there is no asset {digest}", each.place, "put the file first"))
            for each in named
            for digest in (each.content if each.field.many else [each.content])
            if not await self._has_asset(digest)
        ]

    async def _print_files(self, candidate: Candidate) -> dict[str, PrintFile]:
        """The files of an item that are printed, by their SHA-256, without those that are not there."""
        named = {each.digest for each in printed_files(candidate.kind, candidate.body)}
        return {digest: file for digest in sorted(named) if (file := await self._print_file(digest)) is not None}

    async def _candidate(self, reading: ContentReading, item: Item, revision: int) -> Candidate:
        """An item in a revision, and who still has to say yes to it."""
        (written,) = [each for each in await reading.content_revisions(item.key) if each.number == revision]
        body, kind = body_of(written.body), kind_of(item.key.kind)
        authors = await authors_of(reading, item, revision)
        approvals = await reading.content_approvals(item.key)
        wanted = wanting(self._workflow(), kind.name, locales(kind, body), revision, authors, approvals)
        return Candidate(item.key, kind, revision, body, wanted)

    async def _compiled(
        self,
        reading: ContentReading,
        candidates: Sequence[Candidate],
        items: Mapping[ItemKey, Item],
        live: Mapping[ItemKey, Version],
        samples: Samples,
    ) -> tuple[list[Version], list[Trouble]]:
        """The versions that candidates come to, each after those that it stands on, and what was found meanwhile."""
        made: list[Version] = []
        found: list[Trouble] = []
        shown = dict(live)
        for candidate in in_order(candidates):
            used = await _used(reading, candidate, shown)
            bodies = {key: body_of(each.body) for key, each in used.items()}
            compiled = await self._made(candidate, bodies, samples)
            found += [Trouble(candidate.key, each) for each in compiled.findings]
            pins = [Pin(*key, shown[key].number) for key in sorted(references(candidate.kind, candidate.body))]
            version = shown[candidate.key] = _version(candidate, items[candidate.key], compiled, pins)
            if version.digest == await _live_digest(reading, items[candidate.key]):
                version = shown[candidate.key] = replace(version, number=items[candidate.key].live or 0)
            made.append(version)
        return made, found

    async def _made(self, candidate: Candidate, used: Mapping[ItemKey, Body], samples: Samples) -> Compiled:
        """An item compiled, and tried with samples that find the entries of catalogues for which it asks them."""
        wanted = self._expecting.of(candidate, used, samples)

        def compiled(catalogue: Callable[[Any, Any], Any]) -> Compiled:
            knowing = [
                dataclasses.replace(each, functions={**each.functions, "catalogue": catalogue})
                for each in wanted.samples
            ]
            return self._compile(candidate, used, dataclasses.replace(wanted, samples=knowing))

        return await self._lookup.rendered(candidate.body.language, compiled)

    # -- what time does

    async def warnings(self) -> list[Trouble]:
        """What time has to say of what is published: rights that run out within 14 days or ran out, validity that is
        over; by item."""
        found: list[Trouble] = []
        after: ItemKey | None = None
        while page := await self._engine.content_items(PUBLISHED, after, PAGE):
            for item in page:
                live = await self._engine.content_version(item.key, item.live or 0)
                body = body_of(item.body if live is None else live.body)
                found += [Trouble(item.key, each) for each in over(body, self._clock.now_ms())]
            after = page[-1].key
        return found


async def _put(edit: ContentEdit, version: Version) -> Version:
    """Have a version live, which may be there already; the version as it is there."""
    item = await item_in(edit, version.key)
    known = await edit.content_version(version.key, version.number)
    if known is None:
        pins = [(each.key, each.version) for each in version.pins]
        await edit.put_version(version)
        await edit.set_uses(_version_user(version.key, version.number), pins)
    live = replace(
        item,
        state=ItemState.PUBLISHED,
        version_count=max(item.version_count, version.number),
        live=version.number,
        live_revision=version.revision,
    )
    await edit.put_item(live)
    return known or version


def _version(candidate: Candidate, item: Item, compiled: Compiled, pins: Sequence[Pin]) -> Version:
    body, artefacts = encode_body(candidate.body), _encode(compiled.artefacts)
    digest = digest_of(body, pins, artefacts)
    return Version(
        item.key, item.version_count + 1, candidate.revision, digest, body, artefacts, tuple(pins), 0, ""
    )  # fmt: skip


async def _live_digest(reading: ContentReading, item: Item) -> bytes | None:
    live = None if item.live is None else await reading.content_version(item.key, item.live)
    return None if live is None else live.digest


def _unfit(item: Item, member: Member) -> Iterator[Finding]:
    """Why an item can't be published or withdrawn, whatever it says."""
    if item.state is ItemState.ARCHIVED:
        yield error(Check.STATE, "it is archived", hint="restore it first")
    elif member.change is Change.WITHDRAW and item.live is None:
        yield error(Check.STATE, f"it is not published: it is {item.state}")
    elif member.revision is not None and (item.live_revision or 0) > member.revision:
        meanwhile = f"revision {item.live_revision} was published meanwhile"
        yield error(Check.SUPERSEDED, f"expected to publish revision {member.revision}, {meanwhile}")


async def _live_versions(reading: ContentReading, candidates: Sequence[Candidate]) -> dict[ItemKey, Version]:
    """What candidates stand on, beside each other, in the versions that are live."""
    own = {each.key for each in candidates}
    found: dict[ItemKey, Version] = {}
    for key in sorted({key for each in candidates for key in references(each.kind, each.body)} - own):
        item = await reading.content_item(key)
        live = None if item is None or item.live is None else await reading.content_version(key, item.live)
        if live is not None:
            found[key] = live
    return found


async def _used(
    reading: ContentReading, candidate: Candidate, shown: Mapping[ItemKey, Version]
) -> dict[ItemKey, Version]:
    """All that a candidate stands on, also through others; of an item that is met in two versions, the nearer."""
    found = {key: shown[key] for key in references(candidate.kind, candidate.body)}
    ahead = list(found.values())
    for version in ahead:
        for pin in version.pins:
            if pin.key in found:
                continue
            met = shown.get(pin.key)
            if met is None or met.number != pin.version:
                met = await reading.content_version(pin.key, pin.version)
            assert met is not None, "a version that something is pinned to is kept"
            found[pin.key] = met
            ahead.append(met)
    return found


def _unprintable(candidate: Candidate, files: Mapping[str, PrintFile]) -> list[Trouble]:
    return [Trouble(candidate.key, each) for each in check_printed(candidate.kind, candidate.body, files)]


_NOT_TO_COMPILE = frozenset({Check.CIRCLE, Check.REFERENCE, Check.STATE})


def _compilable(candidates: Sequence[Candidate], found: Sequence[Trouble]) -> list[Candidate]:
    """Those of which everything that they stand on is there, so that as much as can be is found at once."""
    broken = {each.key for each in found if each.finding.code in _NOT_TO_COMPILE}
    while more := {
        each.key for each in candidates if each.key not in broken and references(each.kind, each.body) & broken
    }:
        broken |= more
    return [each for each in candidates if each.key not in broken]


def _version_user(key: ItemKey, number: int) -> User:
    return User(VERSION, f"{key}@{number}")


async def _is_live(reading: ContentReading, use: Use) -> bool:
    if use.user.kind == VERSION:
        name, _, number = use.user.name.rpartition("@")
        item = await reading.content_item(key_of(name))
        return item is not None and item.live == int(number)
    if use.user.kind == RELEASE:
        release = await reading.content_release(use.user.name)
        return release is not None and release.state is ReleaseState.SCHEDULED
    return use.user.kind not in OWN_USERS


async def _shown_in(reading: ContentReading, key: ItemKey, withdrawn: Collection[ItemKey]) -> list[str]:
    """Who shows an item now, but those that are withdrawn with it."""
    gone = tuple(f"{each}@" for each in withdrawn)
    return [
        f"{use.user.kind} {use.user.name}"
        for use in await reading.content_uses([key])
        if use.user.kind != RELEASE and await _is_live(reading, use)
        if not (use.user.kind == VERSION and use.user.name.startswith(gone))
    ]


def _in_use(what: str, users: Sequence[User], hint: str) -> CourtesyError:
    named = ", ".join(f"{each.kind} {each.name}" for each in users[:5])
    more = f" and {len(users) - 5} more" if len(users) > 5 else ""
    return CourtesyError(Code.CONFLICT, f"{what} is used by {named}{more}", hint=hint)
