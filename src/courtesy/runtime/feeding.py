"""Finding what recipients are to be told: the ledger and the history of who is who, read in order behind a cursor.

Nothing of this is in the way of an append. What was found is written with the cursor behind it in one step, so a crash
loses and doubles nothing, and several may do it at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from courtesy.base.ids import PersonId
from courtesy.base.time import Clock
from courtesy.engine.contract import Engine
from courtesy.engine.ledger import Entry
from courtesy.engine.propagation import Change, ChangeKind, Cursor
from courtesy.event.choice import RESTRICTION, Action, Choice
from courtesy.runtime.ledger import Content, opened
from courtesy.runtime.recipient import Recipient, SubjectIds, Told

PAGE = 500
REVOCATIONS = frozenset({Action.WITHDRAW, Action.OBJECT, Action.EXPIRE, Action.CORRECT})
"""A correction may take back what allowed something."""

_CONTENT = msgspec.json.Decoder(Content)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An entry that can be read, with whose it is now, as whom it was appended, and of whom they are a part."""

    entry: Entry
    content: Content
    people: frozenset[PersonId]
    root: PersonId


@dataclass(slots=True)
class _Pages:
    """What one look at the ledger found, for all recipients that are as far."""

    found: dict[int, tuple[int, list[_Opened]]] = field(default_factory=dict)


class Feeder:
    """Looks for changes, for every recipient."""

    def __init__(self, engine: Engine, ids: SubjectIds, clock: Clock) -> None:
        self._engine = engine
        self._ids = ids
        self._clock = clock
        self._cursors: dict[str, Cursor] = {}

    async def feed(self, recipients: Mapping[str, Recipient]) -> set[str]:
        """Queue what has come since the last look, some of it at least; the recipients for whom there may be more."""
        pages = _Pages()
        return {name for name, recipient in recipients.items() if await self._feed(name, recipient, pages)}

    async def _feed(self, name: str, recipient: Recipient, pages: _Pages) -> bool:
        cursor = self._cursors.get(name) or await self._engine.propagation_cursor(name)
        if cursor is None:
            return False
        if cursor.entry not in pages.found:
            pages.found[cursor.entry] = await self._page(cursor.entry)
        end, entries = pages.found[cursor.entry]
        moved = cursor._replace(entry=end)
        changes = self._of_entries(name, recipient, cursor, entries, await self._told(name, entries))
        if end == cursor.entry:
            # Only behind the last entry: who has chosen something has a subject by then.
            changes, moved = await self._of_identities(name, cursor)
        if moved == cursor:
            self._cursors[name] = cursor
            return False
        if await self._engine.queue_changes(name, changes, self._clock.now_ms(), (cursor, moved)):
            self._cursors[name] = moved
        else:
            self._cursors.pop(name, None)
        return True

    async def _page(self, index: int) -> tuple[int, list[_Opened]]:
        """Where a look from an index on ended, and the entries that it could open."""
        entries = await self._engine.ledger_from(index, PAGE)
        people = {each.person for each in entries if each.person is not None}
        if not people:
            return index + len(entries), []
        keyring = await self._engine.ledger_keys(people)
        owners = {move.position: move.person for move in await self._engine.moves(people)}
        roots = await self._engine.roots(people | set(owners.values()))
        found = []
        for entry in entries:
            content = opened(entry, keyring)
            if content is not None and entry.person is not None:
                owner = owners.get(entry.position, entry.person)
                found.append(_Opened(entry, _CONTENT.decode(content), frozenset((entry.person, owner)), roots[owner]))
        return index + len(entries), found

    async def _told(self, name: str, entries: Collection[_Opened]) -> Collection[PersonId]:
        people = {person for each in entries for person in each.people}
        return await self._engine.subjects(name, people) if people else ()

    def _of_entries(
        self, name: str, recipient: Recipient, cursor: Cursor, entries: Sequence[_Opened], told: Collection[PersonId]
    ) -> list[Change]:
        """A change of everybody whom a recipient is to be told of; of what was before it, the last of each."""
        wanted = [each for each in entries if Told.CONSENT in recipient.tells and _is_for(recipient, each.content)]
        before = {(each.root): each for each in wanted if each.entry.index < cursor.began}
        changes = [self._change(name, each.root, each, ChangeKind.BACKFILL) for each in before.values()]
        for each in wanted:
            if each.entry.index >= cursor.began:
                people = {each.root, *(person for person in each.people if person in told)}
                changes += [self._change(name, person, each, ChangeKind.CONSENT) for person in sorted(people)]
        return changes

    def _change(self, name: str, person: PersonId, found: _Opened, kind: ChangeKind) -> Change:
        entry, content = found.entry, found.content
        return Change(
            person,
            self._ids.of(name, person),
            kind,
            kind is ChangeKind.CONSENT and is_revocation(content),
            entry.position,
            entry.index,
            content.choice.request or "",
        )

    async def _of_identities(self, name: str, cursor: Cursor) -> tuple[list[Change], Cursor]:
        """Changes of all who became one or were taken apart, if the recipient knows any of them; and the cursor."""
        found = await self._engine.identity_changes(cursor, PAGE)
        people = {person for each in found for person in each.people}
        if not people:
            return [], cursor
        head = await self._engine.head()
        roots = await self._engine.roots(people)
        told = await self._engine.subjects(name, people | set(roots.values()))
        concerned: set[PersonId] = set()
        for each in found:
            all_ = each.people | {roots[person] for person in each.people}
            if not all_.isdisjoint(told):
                concerned |= {roots[person] for person in each.people} | (all_ & told.keys())
        changes = [
            Change(person, self._ids.of(name, person), ChangeKind.IDENTITY, True, head) for person in sorted(concerned)
        ]
        return changes, cursor._replace(merge=found[-1].merge, repair=found[-1].repair)


def is_revocation(content: Content) -> bool:
    """Whether an entry may take something back: then it is told before all else."""
    choice: Choice = content.choice
    return (
        content.retracts is not None
        or choice.action in REVOCATIONS
        or (choice.action is Action.SIGNAL and choice.value is False)
        or (choice.purpose == RESTRICTION and choice.value is True)
    )


def _is_for(recipient: Recipient, content: Content) -> bool:
    return content.choice.action is Action.CORRECT or recipient.cares_about(content.choice.scope)
