"""An identity graph kept in plain dicts, to resolve against: what a store does, and what must hold of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count
from typing import NamedTuple

from courtesy.base.ids import PersonId, SourceId
from courtesy.identity.resolve import Evidence, Link, LinkRefusal, Merge, Owner, RefusalReason, Resolver, View
from courtesy.identity.rules import IdentifierKind, IdentityRules, split_identifier

TIGHT = IdentityRules(
    kinds=(
        IdentifierKind("user_id", priority=10, cap=3, unique=True),
        IdentifierKind("external", priority=20, cap=2),
        IdentifierKind("email", priority=30, cap=2),
        IdentifierKind("device_id", priority=50, cap=2, shareable=True),
        IdentifierKind("anonymous_id", priority=60, cap=3, shareable=True),
    )
)
"""Rules like the default ones, with caps so low that chance finds them."""


class Told(NamedTuple):
    """An event by its identifiers, most telling first; with `previous` it is an alias."""

    ids: tuple[str, ...]
    previous: tuple[str, ...] = ()


def event(*ids: str) -> Told:
    """An event that carries these identifiers."""
    return Told(ids)


def alias(new: str | Sequence[str], previous: str) -> Told:
    """An alias from a previous id, of which nobody says whether it was a login."""
    ids = (new,) if isinstance(new, str) else tuple(new)
    return Told(ids, (f"user_id:{previous}", f"anonymous_id:{previous}"))


class Graph:
    """What a store knows of identities."""

    def __init__(self, rules: IdentityRules | None = None) -> None:
        self.rules = rules or IdentityRules()
        self.owners: dict[str, Owner] = {}
        self.links: dict[tuple[str, str], Link] = {}
        self.merges: list[Merge] = []
        self.refusals: list[LinkRefusal] = []
        self.told: list[Told] = []
        self._people = count(1)
        self._messages = count(1)

    @property
    def held(self) -> dict[PersonId, set[str]]:
        """Identifiers by who holds them."""
        held: dict[PersonId, set[str]] = {}
        for key, owner in self.owners.items():
            held.setdefault(owner.person, set()).add(key)
        return held

    def tell(self, *events: Told) -> list[PersonId]:
        """Resolve events in one batch, as one append does, and keep what changes; the person of each."""
        view = self._view({key for each in events for key in (*each.ids, *each.previous)})
        resolver = Resolver(self.rules, view, lambda: PersonId(next(self._people)))
        people = [self._resolve(resolver, each) for each in events]
        check_view(view)
        self._apply(view)
        self.told.extend(events)
        return people

    def _resolve(self, resolver: Resolver, each: Told) -> PersonId:
        number = next(self._messages)
        evidence = Evidence(SourceId(1), f"m{number}", number)
        if each.previous:
            return resolver.alias(each.ids, each.previous, evidence)
        return resolver.resolve(each.ids, evidence)

    def _view(self, keys: Iterable[str]) -> View:
        owners = {key: self.owners[key] for key in keys if key in self.owners}
        held = self.held
        return View(owners, {owner.person: held[owner.person] for owner in owners.values()})

    def _apply(self, view: View) -> None:
        changes = view.changes
        self.owners.update({key: owner for key, (owner, _) in changes.owners.items()})
        for link in changes.links:
            self.links.setdefault((link.a, link.b), link)
        self.merges.extend(changes.merges)
        self.refusals.extend(changes.refusals)

    def same(self, *keys: str) -> bool:
        """Whether all of the identifiers are known and one person's."""
        return len({self.owners.get(key) for key in keys}) == 1 and keys[0] in self.owners

    def grouping(self) -> set[frozenset[str]]:
        """Who is together with whom, without the numbers of people."""
        return {frozenset(keys) for keys in self.held.values()}

    def reasons(self, key: str) -> list[RefusalReason]:
        """Why an identifier was refused, in order."""
        return [each.reason for each in self.refusals if each.identifier == key]

    def everything(self) -> tuple[object, ...]:
        """All that a store would keep."""
        return self.owners, self.links, self.merges, self.refusals


def check_view(view: View) -> None:
    """`held` is the inverse of `owners`, as far as the view goes."""
    for key, owner in view.owners.items():
        assert key in view.held[owner.person], f"{key} is not held by its owner {owner.person}"
    for person, keys in view.held.items():
        for key in keys:
            assert key not in view.owners or view.owners[key].person == person, f"{person} holds another's {key}"


def check(graph: Graph) -> None:
    """What holds of every graph, whatever it was told."""
    for person, keys in graph.held.items():
        _check_caps(graph, person, keys)
        if any(graph.owners[key].shared for key in keys):
            assert len(keys) == 1, f"{person} is a shared device, and yet holds {keys}"
            assert _kind(graph, min(keys)).shareable
        else:
            assert _are_connected(keys, graph.links), f"no links hold {keys} together"
    _check_forest(graph)


def _kind(graph: Graph, key: str) -> IdentifierKind:
    return graph.rules.kind_of(split_identifier(key)[0])


def _check_caps(graph: Graph, person: PersonId, keys: set[str]) -> None:
    for name, number in Counter(split_identifier(key)[0] for key in keys).items():
        assert number <= graph.rules.kind_of(name).cap, f"{person} holds {number} of {name}"
    said = {
        (a, b)
        for told in graph.told
        for a in told.ids
        for b in told.previous
        if _kind(graph, a).unique and _kind(graph, b).unique
    }
    logins = {key for key in keys if _kind(graph, key).unique}
    assert _are_connected(logins, said), f"no alias says that {logins} are one"


def _are_connected(keys: set[str], pairs: Iterable[tuple[str, str]]) -> bool:
    """Whether pairs within `keys` lead from each of them to every other."""
    inner = [pair for pair in pairs if keys.issuperset(pair)]
    reached = set(sorted(keys)[:1])
    while more := {key for pair in inner if reached & set(pair) for key in pair} - reached:
        reached |= more
    return reached == keys


def _check_forest(graph: Graph) -> None:
    """Who became part of another does so once, and is nobody's survivor nor anybody's owner from then on."""
    gone: set[PersonId] = set()
    for merge in graph.merges:
        assert merge.loser != merge.survivor
        assert not gone & {merge.loser, merge.survivor}, f"{merge} speaks of somebody who is gone"
        gone.add(merge.loser)
    assert not gone & set(graph.held), "somebody who is gone still holds an identifier"
