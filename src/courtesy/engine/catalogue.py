"""What a store keeps of catalogues: entries with their versions, changes that are to be told, and who is interested.

The promises that hold for every engine:

- **One edit of a catalogue at a time.** What `editing_catalogue` reads is true until it has written, all or nothing.
- **A change knows what came before it.** Its position is the head of the log at its edit: all that was acknowledged
  before the edit began lies at or before it, all that is appended after the edit was acknowledged lies behind it.
- **The index of interest never runs ahead of a change.** `save_interest` moves a cursor past a position only while no
  change waits there or before. So whoever tells a change when the cursor is at its position has before them exactly
  those who showed interest up to then.
- What the index has of an event is gone with the event: with its person, and with the file that it came from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from courtesy.base.ids import PersonId, Position
from courtesy.catalogue.entry import Entry, EntryKey, EntryVersion
from courtesy.catalogue.interest import Seen


class EntryFilter(NamedTuple):
    """Which entries. `terms`: those that have any of them; `since_ms`: those that changed at or after an instant."""

    terms: Collection[str] | None = None
    since_ms: int | None = None
    retired: bool = False


class EntryCount(NamedTuple):
    """How many entries a catalogue has, and how many beside them are retired."""

    live_count: int
    retired_count: int


class NewChange(NamedTuple):
    """Something to be told of an entry: the name and the properties (JSON) of the event."""

    item: str
    name: str
    properties: bytes


class Change(NamedTuple):
    """A change that waits to be told. `told`: the last of the people in the index whose turn it was."""

    number: int
    catalogue: str
    item: str
    name: str
    properties: bytes
    at_ms: int
    position: Position
    told: PersonId


class InterestState(NamedTuple):
    """How far the log is read for a catalogue, and by which interest (`CatalogueDefinition.watched`)."""

    watched: str
    position: Position


class Interested(NamedTuple):
    """For whom the event was appended that shows an interest, and where it lies."""

    person: PersonId
    position: Position


class CatalogueEdit(Protocol):
    """An edit of one catalogue under way; made by `CatalogueStore.editing_catalogue`."""

    async def entries(self, ids: Collection[str]) -> dict[str, Entry]:
        """Those of the entries that there are."""
        ...

    async def put(self, entries: Sequence[Entry], changes: Sequence[NewChange], now_ms: int) -> None:
        """Have entries as they are given, each with one version more, of which the newest `VERSIONS_KEPT` stay; and
        have changes told."""
        ...


class CatalogueStore(Protocol):
    """The side of an engine that keeps catalogues."""

    def editing_catalogue(self, catalogue: str) -> AbstractAsyncContextManager[CatalogueEdit]:
        """Change entries of a catalogue; durable when left, nothing when left by an error."""
        ...

    async def catalogue_entries(self, keys: Collection[EntryKey]) -> dict[EntryKey, Entry]:
        """Those of the entries that there are, retired ones too."""
        ...

    async def catalogue_page(self, catalogue: str, which: EntryFilter, after: str, limit: int) -> list[Entry]:
        """Entries of a catalogue behind an id, by id."""
        ...

    async def live_entries(self, catalogue: str, after: str, limit: int) -> list[str]:
        """The ids behind an id of entries that are not retired, in order."""
        ...

    async def entry_versions(self, key: EntryKey) -> list[EntryVersion]:
        """The versions that are kept of an entry, newest first."""
        ...

    async def entry_count(self, catalogue: str) -> EntryCount:
        """How many entries there are."""
        ...

    async def drop_catalogue(self, catalogue: str) -> None:
        """Forget all of a catalogue."""
        ...

    # -- interest

    async def interest_state(self, catalogue: str) -> InterestState:
        """How far interest in a catalogue is known; by none, from the beginning, for one that nobody watched."""
        ...

    async def watch_catalogue(self, catalogue: str, watched: str) -> None:
        """Forget who is interested, and begin anew at the beginning of the log; with nothing to watch by also what was
        to be told."""
        ...

    async def interest_position(self, catalogues: Collection[str]) -> Position | None:
        """Up to where the log was read for all of these that are watched; None when none is."""
        ...

    async def next_change(self, catalogue: str) -> Change | None:
        """The first change that is to be told."""
        ...

    async def save_interest(self, catalogue: str, before: InterestState, to: Position, seen: Sequence[Seen]) -> bool:
        """Keep who is interested and move the cursor in one step, unless the state is not `before` any more or a change
        waits before `to`; whether it was done. What is not in the log any more is left out; of one person and entry
        the interest that lasts longest stays, for each that it was `shown_as`."""
        ...

    async def interested(self, change: Change, limit: int) -> list[Interested]:
        """People behind `change.told` in the index who were interested in its entry when it changed, in order: at least
        so many if there are, and of each all that shows it."""
        ...

    async def move_change(self, change: Change, told: PersonId) -> None:
        """Note that it was everybody's turn up to a person."""
        ...

    async def end_change(self, change: Change) -> None:
        """There is nothing more to tell of it."""
        ...

    async def forget_interest(self, before_ms: int) -> int:
        """Forget interest that was over before an instant, but what waits to be told may still ask for; how much."""
        ...
