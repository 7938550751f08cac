"""Repair: cutting a person apart along their links, and what that and other corrections change in the store.

A person is a connected set of links. Cut some, and each set that is connected still is a person: the one that it was
before the merge, where there was one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from courtesy.base.ids import PersonId, Position
from courtesy.identity.resolve import Link, Merge


class OwnerChange(NamedTuple):
    """Who owned an identifier until an instant (ms UTC, when the store learnt of the change)."""

    identifier: str
    person: PersonId
    shared: bool
    until_ms: int


class Move(NamedTuple):
    """A record that belongs to another person, since `at_ms`, than the one for whom it was appended."""

    position: Position
    appended_for: PersonId
    person: PersonId
    at_ms: int


class Ban(NamedTuple):
    """Two identifiers that must never be one person again."""

    a: str
    b: str


class CorrectedEffect(NamedTuple):
    """An effect that is still waiting, as it should be."""

    key: bytes
    person: PersonId
    body: bytes


class Note(NamedTuple):
    """Who made a correction, what it was, and why."""

    kind: str
    person: PersonId
    by: str
    reason: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Repair:
    """What a correction changes beside the records that tell the fold of it.

    `owners`: identifiers that belong to another person from now on. `roots`: of people who became part of somebody, of
    whom they are part from now on; None for who is somebody of their own again. `undone`: merges that no longer hold;
    `rejoined`: those that hold instead. `lifted`: bans that no longer hold.
    """

    note: Note
    owners: Mapping[str, PersonId] = field(default_factory=dict)
    roots: Mapping[PersonId, PersonId | None] = field(default_factory=dict)
    undone: Sequence[Merge] = ()
    rejoined: Sequence[Merge] = ()
    cut: Sequence[Link] = ()
    bans: Sequence[Ban] = ()
    lifted: Sequence[Ban] = ()
    moves: Sequence[Move] = ()
    effects: Sequence[CorrectedEffect] = ()


@dataclass(frozen=True, slots=True)
class Erasure:
    """Whom the store forgets, beside the records that tell the fold of it.

    `people`: every number under which something of them lies. `others`: records about them that were appended for
    somebody else, a group say, with whom; `kept`: records that were appended for them and are somebody else's.
    `emptied`: RESTORE records of others in which something of theirs lies, with what is to stand there instead.
    `effects`: keys of effects of others that their events started; `kept_effects`: keys of effects of theirs that
    events of others started, with whose each is from now on: were they gone, a wait that is found anew after the clock
    was set back would have them go out again. `quarantined`: numbers of held events of theirs.
    `entry_keys`: keys of single entries of the ledger, by index, which stay readable though the key of the person for
    whom they were appended goes: that of the erased, and that of the `rekeyed`, who have entries about the erased;
    `choices`: the ids of what those tell.
    `suppress`: whether their identifiers are never to be stored again, nor what has one of the `hashes`, of identifiers
    that are not known here any more. `mark`: by which it is known again, also by a store that was restored; 16 bytes
    that nobody else draws, empty for one that need not be. `recipients`: who is to erase them as well, if ever told of
    them, each with the identifiers that it takes to find them; and on which `request`.
    """

    note: Note
    people: Collection[PersonId]
    identifiers: Collection[str]
    others: Collection[tuple[Position, PersonId]] = ()
    kept: Collection[Position] = ()
    emptied: Mapping[tuple[Position, PersonId], bytes] = field(default_factory=dict)
    effects: Collection[bytes] = ()
    kept_effects: Mapping[bytes, PersonId] = field(default_factory=dict)
    quarantined: Collection[int] = ()
    entry_keys: Mapping[int, tuple[bytes, bytes]] = field(default_factory=dict)
    rekeyed: Collection[PersonId] = ()
    choices: Collection[str] = ()
    suppress: bool = True
    hashes: Collection[bytes] = ()
    mark: bytes = b""
    recipients: Mapping[str, Sequence[str]] = field(default_factory=dict)
    request: str = ""


class PendingErasure(NamedTuple):
    """An erasure that the archive beyond the log has not made yet: all records appended for `people`, but not those at
    the positions in `kept`, and those at the positions in `others`."""

    number: int
    people: Sequence[PersonId]
    others: Sequence[Position]
    kept: Sequence[Position]


@dataclass(slots=True)
class Part:
    """One of the people into whom somebody is cut apart. `person` None: they never had a number of their own.

    `people`: numbers under which their events lie, their own included.
    """

    identifiers: list[str]
    person: PersonId | None = None
    people: set[PersonId] = field(default_factory=set)


class Known(NamedTuple):
    """A person before the cut: what they own alone, most telling first, and by whom it came: whoever owned it when they
    became part of somebody, or the person. `heads`: whom each of the merged became part of, as it is known now."""

    person: PersonId
    merged: Collection[PersonId]
    identifiers: Sequence[str]
    origins: Mapping[str, PersonId]
    heads: Mapping[PersonId, PersonId]


def origin_of(
    person: PersonId,
    changes: Sequence[OwnerChange],
    merged: Collection[PersonId],
    merges: Collection[tuple[PersonId, int]],
) -> PersonId:
    """The one of those merged into a person by whom an identifier came to them, or they themself.

    `changes`: its former owners, the latest last. `merges`: who ever became part of another and when (ms UTC), so that
    what a merge brought is told from what a correction gave.
    """
    origin = person
    for change in reversed(changes):
        if (change.person, change.until_ms) not in merges:
            break
        if change.person in merged:
            origin = change.person
    return origin


def connected(identifiers: Iterable[str], links: Iterable[tuple[str, str]]) -> list[list[str]]:
    """The identifiers in the sets that links connect, both in the given order. Links to others connect nothing."""
    neighbours: dict[str, list[str]] = {key: [] for key in identifiers}
    for a, b in links:
        if a in neighbours and b in neighbours:
            neighbours[a].append(b)
            neighbours[b].append(a)
    sets: list[list[str]] = []
    placed: dict[str, int] = {}
    for key in neighbours:
        if key not in placed:
            reached = _reached(key, neighbours)
            placed.update(dict.fromkeys(reached, len(sets)))
            sets.append([each for each in neighbours if each in reached])
    return sets


def _reached(start: str, neighbours: Mapping[str, Sequence[str]]) -> set[str]:
    reached, waiting = {start}, [start]
    while waiting:
        for key in neighbours[waiting.pop()]:
            if key not in reached:
                reached.add(key)
                waiting.append(key)
    return reached


def cut_between(a: str, b: str, links: Sequence[Link]) -> list[Link]:
    """Links without which `a` and `b` are not connected: of every chain between them the youngest, found one by one."""
    left = list(links)
    cut: list[Link] = []
    while (chain := chain_between(a, b, left)) is not None:
        youngest = max(chain, key=lambda link: (link.evidence.at, link.a, link.b))
        left.remove(youngest)
        cut.append(youngest)
    return cut


def cut_around(own: Collection[str], links: Sequence[Link]) -> list[Link]:
    """The links between these identifiers and all others."""
    return [link for link in links if (link.a in own) != (link.b in own)]


def chain_between(start: str, end: str, links: Sequence[Link]) -> list[Link] | None:
    """A shortest chain of links between two identifiers; None when there is none."""
    by_identifier: dict[str, list[Link]] = {}
    for link in links:
        by_identifier.setdefault(link.a, []).append(link)
        by_identifier.setdefault(link.b, []).append(link)
    came_by: dict[str, Link | None] = {start: None}
    here = [start]
    while here and end not in came_by:
        there = []
        for key in here:
            for link in by_identifier.get(key, ()):
                other = link.b if link.a == key else link.a
                if other not in came_by:
                    came_by[other] = link
                    there.append(other)
        here = there
    if end not in came_by:
        return None
    chain: list[Link] = []
    key = end
    while (step := came_by[key]) is not None:
        chain.append(step)
        key = step.a if step.b == key else step.b
    return chain[::-1]


def parted(known: Known, links: Sequence[Link], cut: Collection[Link]) -> list[Part]:
    """The people whom the links that are left make of one, the one who keeps the number first.

    Identifiers that no link ever connected, for they were given by hand or came by a rule that is gone, stay together.

    The number stays with the most telling identifier that did not come by a merge. Whoever had a number of their own
    before the merge gets it back.
    """
    pairs = [(link.a, link.b) for link in links]
    before = connected(known.identifiers, pairs)
    left = [(link.a, link.b) for link in links if link not in cut]
    left += [(before[0][0], keys[0]) for keys in before[1:]]
    parts = [Part(keys) for keys in connected(known.identifiers, left)]
    if not parts:
        return [Part([], known.person, {known.person, *known.merged})]
    part_of = {key: part for part in parts for key in part.identifiers}
    main = next((part_of[key] for key in known.identifiers if known.origins[key] == known.person), parts[0])
    main.person = known.person
    main.people.add(known.person)
    home = {known.person: main}
    for key in reversed(known.identifiers):
        if known.origins[key] != known.person:
            home[known.origins[key]] = part_of[key]
    for person in sorted(known.merged):
        _home_of(person, known, home).people.add(person)
    for part in parts:
        if part.person is None:
            own_heads = [person for person in sorted(part.people) if known.heads.get(person) not in part.people]
            part.person = next(iter(own_heads), None)
    return [main, *(part for part in parts if part is not main)]


def _home_of(person: PersonId, known: Known, home: Mapping[PersonId, Part]) -> Part:
    """The part of somebody's own identifiers; who brought none is where they are of whom they became part."""
    passed = {person}
    while person not in home:
        person = known.heads.get(person, known.person)
        if person in passed:
            return home[known.person]
        passed.add(person)
    return home[person]
