"""What a store keeps of content: items with every revision and every published version, and what is said of them.

The promises that hold for every engine:

- **Edits are one at a time.** Between entering and leaving `editing_content()` nobody else edits, so what an edit reads
  is what its writes build on. It reads what it wrote. Leaving without an error commits everything at once; leaving with
  one leaves no trace.
- **A version never changes**, and a revision neither. The store does as it is told about everything else: what may be
  published, withdrawn or dropped is decided by whoever edits.
- **The epoch rises with every edit** that wrote anything, so that who holds content in memory knows when it is stale.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

import msgspec

from courtesy.content.items import ItemKey
from courtesy.content.release import Change, Pin
from courtesy.content.workflow import Approval


class ItemState(StrEnum):
    """Where an item stands: never published yet, published, published once and withdrawn since, or put away."""

    DRAFT = "draft"
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    ARCHIVED = "archived"


class Item(msgspec.Struct, frozen=True):
    """An item as it stands. `body`: of its present `revision`, as JSON. `version_count`: how many versions were ever
    published; `live` is the one that is shown now and `live_revision` what it was made of, None when none is."""

    key: ItemKey
    state: ItemState
    revision: int
    body: bytes
    changed_ms: int
    changed_by: str
    version_count: int = 0
    live: int | None = None
    live_revision: int | None = None


class ItemRevision(msgspec.Struct, frozen=True):
    """What an item said in a revision, and who wrote it when (ms UTC)."""

    number: int
    body: bytes
    changed_ms: int
    changed_by: str


class Version(msgspec.Struct, frozen=True):
    """A published version: the `revision` that it was made of, what was made of it (`artefacts`, a JSON object), and
    in which versions it stands on others. `digest`: the SHA-256 of these three. `release`: with which it was published,
    empty when alone."""

    key: ItemKey
    number: int
    revision: int
    digest: bytes
    body: bytes
    artefacts: bytes
    pins: tuple[Pin, ...]
    published_ms: int
    published_by: str
    release: str = ""


class NoteKind(StrEnum):
    """Something said of an item, asked for, or done with it: a proof was sent."""

    COMMENT = "comment"
    REQUEST = "request"
    PROOF = "proof"


class Note(msgspec.Struct, frozen=True):
    """A comment, or a request for something: who wrote it, `place` where in the body it is about, and for a request by
    when it is wanted. `settled_ms`: when it was dealt with, None while it is open."""

    number: int
    key: ItemKey
    kind: NoteKind
    text: str
    place: str
    made_by: str
    made_ms: int
    due_ms: int | None = None
    settled_ms: int | None = None
    settled_by: str = ""


class Member(msgspec.Struct, frozen=True):
    """An item of a release. `revision`: the one that is published, fixed when the release is scheduled; None for what
    it says by then."""

    kind: str
    name: str
    change: Change = Change.PUBLISH
    revision: int | None = None

    @property
    def key(self) -> ItemKey:
        """Which item."""
        return ItemKey(self.kind, self.name)


class ReleaseState(StrEnum):
    """Being put together; to be published at an instant; kept from it by something; done."""

    OPEN = "open"
    SCHEDULED = "scheduled"
    BLOCKED = "blocked"
    PUBLISHED = "published"


class Release(msgspec.Struct, frozen=True):
    """Items that are published together, or not at all. `due_ms`: when, for one that is scheduled. `settled_ms`: when
    it was published or kept from it. `findings`: what kept it, as JSON."""

    name: str
    title: str
    members: tuple[Member, ...]
    state: ReleaseState
    changed_ms: int
    changed_by: str
    due_ms: int | None = None
    settled_ms: int | None = None
    findings: bytes = b"[]"


class User(NamedTuple):
    """Who stands on items: `draft` and `version` are items, named `kind/name` and `kind/name@version`; `release` is
    one, by its name; others, such as campaigns, are named by whoever pins for them."""

    kind: str
    name: str


DRAFT, VERSION, RELEASE = "draft", "version", "release"
OWN_USERS = frozenset({DRAFT, VERSION, RELEASE})


class Use(NamedTuple):
    """That somebody stands on an item; in a version that never changes, or in what is live by then (None)."""

    user: User
    key: ItemKey
    version: int | None


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items: of a kind, in these states, with a tag, as far as they are given."""

    kind: str | None = None
    states: frozenset[ItemState] | None = None
    tag: str | None = None


class ContentReading(Protocol):
    """What is asked of content."""

    async def content_item(self, key: ItemKey) -> Item | None:
        """An item; None when there is none."""
        ...

    async def content_items(self, which: ItemFilter, after: ItemKey | None, limit: int) -> list[Item]:
        """Items by kind and name, after one if given, at most `limit`."""
        ...

    async def content_revisions(self, key: ItemKey) -> list[ItemRevision]:
        """Every revision of an item, oldest first; empty when there is none."""
        ...

    async def content_version(self, key: ItemKey, number: int) -> Version | None:
        """A version; None when there is none of that number, or it was dropped."""
        ...

    async def content_versions(self, key: ItemKey) -> list[Version]:
        """Every version of an item that was not dropped, oldest first."""
        ...

    async def content_approvals(self, key: ItemKey) -> list[Approval]:
        """Every approval of an item that was ever given, oldest first."""
        ...

    async def content_notes(self, key: ItemKey | None, kind: NoteKind | None, *, settled: bool) -> list[Note]:
        """Notes of an item, or of all, of one kind or of both, oldest first; with those that are `settled`."""
        ...

    async def content_uses(self, keys: Collection[ItemKey]) -> list[Use]:
        """Everybody who stands on one of these items, by item and user."""
        ...

    async def content_release(self, name: str) -> Release | None:
        """A release; None when there is none."""
        ...

    async def content_releases(self, states: Collection[ReleaseState], due_before_ms: int | None) -> list[Release]:
        """Releases in one of these states, due before an instant if given, by when they are due (those without that
        last) and name."""
        ...


class ContentEdit(ContentReading, Protocol):
    """An edit under way; made by `ContentStore.editing_content`."""

    async def put_item(self, item: Item) -> None:
        """Keep an item as it stands now, and its revision if there is none of that number yet."""
        ...

    async def put_version(self, version: Version) -> None:
        """Keep a version of a number that there is none of."""
        ...

    async def drop_version(self, key: ItemKey, number: int) -> None:
        """Forget a version. Its number is not given again, for the item counts them."""
        ...

    async def add_approval(self, key: ItemKey, approval: Approval) -> None:
        """Keep an approval; one by the same person, of the same revision and locale, is replaced."""
        ...

    async def put_note(self, note: Note) -> Note:
        """Keep a note: a new one, of number 0, under the next number; another as it stands now."""
        ...

    async def put_release(self, release: Release) -> None:
        """Keep a release as it stands now."""
        ...

    async def drop_release(self, name: str) -> None:
        """Forget a release."""
        ...

    async def set_uses(self, user: User, uses: Sequence[tuple[ItemKey, int | None]]) -> None:
        """Say what a user stands on, in place of all that was said of it before. Each item at most once a version."""
        ...


class ContentStore(ContentReading, Protocol):
    """The side of an engine that keeps content."""

    def editing_content(self) -> AbstractAsyncContextManager[ContentEdit]:
        """Enter an edit; see the promises above."""
        ...

    async def content_epoch(self) -> int:
        """A number that rises with every edit; cheap."""
        ...
