"""Where somebody stands: the choices that may still count, and what they come to for one question.

The projection is a join, like all of a person's state: the same whatever the order in which choices became known, and
of two people who turn out to be one it is the union. What they come to is found when it is asked:

- A refusal stands until somebody who knew of it allows the same or a part of it *later*. At the same instant it stands.
- An allowance stands until it is refused at the same instant or later, ends, or is expired.
- A restriction stands like a refusal, until the same person, once known, sets it to false later.
- A refusal that is standing decides. So of several sources, devices or people who became one the strictest holds, until
  the person says otherwise once they are known to be one: `told_as` are the people who were known to be one when the
  choice came in, and only a choice of one of the same people takes a refusal back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from itertools import product
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import PersonId
from courtesy.consent.places import larger_places
from courtesy.event.choice import ANY, RESTRICTION, Action, Basis, Scope

SCOPES_MAX = 200
EACH_MAX = 6
"""Choices of one kind kept for one scope: the latest, and before them those that still count for something that none
after them does. Who changes their mind oftener is known by these."""

VOIDS_MAX = 100

REFUSALS = (Action.WITHDRAW, Action.OBJECT)


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A choice as the projection keeps it; ordered by when it begins, then by its id."""

    held_from: int
    id: str
    action: Action
    held_to: int | None
    recorded: int
    basis: Basis | None
    value: Any
    told_as: tuple[PersonId, ...]

    @property
    def refuses(self) -> bool:
        """Whether it says no."""
        return self.action in REFUSALS or (self.action is Action.SIGNAL and self.value is False)

    @property
    def allows(self) -> bool:
        """Whether it says yes."""
        return self.action is Action.GRANT

    @property
    def kind(self) -> str:
        """Of which kind it is, of which the latest are kept."""
        if self.action is Action.SET and self.value is True:
            return "set true"
        return "no" if self.refuses else "yes" if self.allows else self.action.value


class Standing(msgspec.Struct, array_like=True, gc=False):
    """The choices of a person by scope, its parts joined by tabs. `voids`: ids of choices that were corrected.
    `is_cut`: whether there were more than fit, so that a refusal may be missing."""

    scopes: dict[str, list[Kept]] = {}
    voids: dict[str, int] = {}
    is_cut: bool = False

    def __bool__(self) -> bool:
        return bool(self.scopes or self.voids)


class State(StrEnum):
    """What choices come to."""

    GRANTED = "granted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Verdict(NamedTuple):
    """What the choices for one question come to, and those that decided. `is_cut`: see Standing."""

    state: State
    kept: tuple[Kept, ...]
    is_cut: bool = False


def scope_key(scope: Scope) -> str:
    """A scope as the projection names it."""
    return "\t".join(part.replace("\t", " ") for part in scope)


def scope_of(key: str) -> Scope:
    """The inverse of `scope_key`, but that a tab comes back as a space."""
    return Scope(*key.split("\t"))


_RESTRICTED = scope_key(Scope(RESTRICTION))


def add(standing: Standing, scope: Scope, kept: Kept, corrects: str | None = None) -> None:
    """Add one choice."""
    if kept.action is Action.CORRECT:
        if corrects is not None:
            _join_voids(standing, {corrects: kept.recorded})
    else:
        _join_scopes(standing, {scope_key(scope): [kept]})


def now_of(standing: Standing, clock_ms: int) -> int:
    """The instant of a question about now: what the clock says, but no earlier than when the latest choice came in. By
    a clock that was set back a refusal that was acknowledged would else begin only later."""
    came_in = (kept.recorded for each in standing.scopes.values() for kept in each)
    return max(clock_ms, *came_in, *standing.voids.values(), 0)


def join(into: Standing, other: Standing) -> None:
    """Add all choices of another. Commutative, associative, idempotent."""
    into.is_cut = into.is_cut or other.is_cut
    _join_scopes(into, other.scopes)
    _join_voids(into, other.voids)


def _join_scopes(standing: Standing, more: Mapping[str, Sequence[Kept]]) -> None:
    for key, kept in more.items():
        standing.scopes[key] = _latest(standing.scopes.get(key, []), kept)
    if len(standing.scopes) > SCOPES_MAX:
        standing.is_cut = True
        for key in sorted(standing.scopes, key=_scope_order)[SCOPES_MAX:]:
            del standing.scopes[key]


def _latest(known: Sequence[Kept], more: Sequence[Kept]) -> list[Kept]:
    """The latest of each kind and what still counts beside them, newest first."""
    by_id = {each.id: each for each in (*known, *more)}
    counts: dict[str, int] = {}
    latest: list[Kept] = []
    later: dict[str, list[Kept]] = {}
    for each in sorted(by_id.values(), key=lambda kept: (kept.held_from, kept.id), reverse=True):
        counts[each.kind] = counts.get(each.kind, 0) + 1
        before = later.setdefault(each.kind, [])
        if counts[each.kind] <= EACH_MAX or (_is_lasting(each) and not any(_replaces(other, each) for other in before)):
            latest.append(each)
        if _is_lasting(each):
            before.append(each)
    return latest


def _is_lasting(kept: Kept) -> bool:
    """Whether it has begun by when it is known, and has no end."""
    return kept.held_to is None and kept.held_from <= kept.recorded


def _replaces(later: Kept, kept: Kept) -> bool:
    """Of two lasting choices of one kind for one scope, whether with the later the other makes no difference any more.

    What takes a refusal back, takes back an earlier one of more people as well; and an allowance of more people takes
    back whatever an earlier one does.
    """
    if kept.refuses:
        return set(later.told_as) <= set(kept.told_as)
    return not kept.allows or (later.basis == kept.basis and set(later.told_as) >= set(kept.told_as))


def _scope_order(key: str) -> tuple[int, bytes, str]:
    """A restriction comes first, then what is about more, then by a hash: an order that nobody can choose."""
    named = -1 if key == _RESTRICTED else sum(part != ANY for part in scope_of(key))
    return named, blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), key


def _join_voids(standing: Standing, more: Mapping[str, int]) -> None:
    for corrected, recorded in more.items():
        standing.voids[corrected] = min(recorded, standing.voids.get(corrected, recorded))
    if len(standing.voids) > VOIDS_MAX:
        standing.is_cut = True
        for corrected in sorted(standing.voids)[VOIDS_MAX:]:
            del standing.voids[corrected]


@lru_cache(maxsize=4_096)
def _keys_about(asked: Scope) -> tuple[tuple[str, Scope], ...]:
    """The scopes that a question is within, as the projection names them."""
    parts = [(part,) if part == ANY else (part, ANY) for part in asked[:4]]
    places = (asked.jurisdiction, *larger_places(asked.jurisdiction), ANY)
    scopes = [Scope(*each) for each in product(*parts, dict.fromkeys(places))]
    return tuple((scope_key(scope), scope) for scope in scopes)


def verdict(
    standing: Standing,
    asked: Scope,
    now_ms: int,
    bases: Collection[Basis],
    lives_ms: Mapping[Basis, int],
) -> Verdict:
    """What a person's choices come to for one question, at an instant.

    `bases`: on what an allowance may rest here. `lives_ms`: after how long those on some bases end by themselves.
    """
    refusals: list[tuple[Scope, Kept]] = []
    allowances: list[tuple[Scope, Kept]] = []
    expired: list[tuple[Scope, Kept]] = []
    for scope, kept in _applying(standing, asked, now_ms):
        if kept.action is Action.EXPIRE:
            expired.append((scope, kept))
        elif kept.held_to is not None and kept.held_to <= now_ms:
            continue
        elif kept.refuses:
            refusals.append((scope, kept))
        elif kept.allows and _is_in_force(kept, now_ms, bases, lives_ms):
            allowances.append((scope, kept))
    if expired:
        allowances = [each for each in allowances if not _is_expired(*each, expired)]
    standing_refusals = tuple(kept for scope, kept in refusals if not _is_taken_back(scope, kept, allowances))
    if standing_refusals:
        return Verdict(State.REFUSED, standing_refusals, standing.is_cut)
    if allowances:
        latest = max((kept for _, kept in allowances), key=lambda kept: (kept.held_from, kept.id))
        return Verdict(State.GRANTED, (latest,), standing.is_cut)
    return Verdict(State.UNKNOWN, (), standing.is_cut)


def restrictions(standing: Standing, now_ms: int) -> tuple[Kept, ...]:
    """Why nothing may be done with somebody's data but keeping it, at an instant; empty when it may."""
    told = standing.scopes.get(_RESTRICTED)
    if told is None:
        return ()
    scope = Scope(RESTRICTION)
    known = [
        each
        for each in told
        if each.action is Action.SET
        and each.held_from <= now_ms
        and (each.held_to is None or now_ms < each.held_to)
        and each.id not in standing.voids
    ]
    ends = [(scope, each) for each in known if each.value is False]
    return tuple(each for each in known if each.value is True and not _is_taken_back(scope, each, ends))


def without_restriction(standing: Standing) -> Standing:
    """The same choices, but for whether they are to be heeded now."""
    scopes = {key: kept for key, kept in standing.scopes.items() if key != _RESTRICTED}
    return Standing(scopes, standing.voids, standing.is_cut)


def _applying(standing: Standing, asked: Scope, now_ms: int) -> Iterator[tuple[Scope, Kept]]:
    """The choices within whose scope the question is, that have begun and were not corrected."""
    scopes, voids = standing.scopes, standing.voids
    for key, scope in _keys_about(asked):
        for kept in scopes.get(key, ()):
            if kept.held_from <= now_ms and kept.id not in voids:
                yield scope, kept


def _is_in_force(allowance: Kept, now_ms: int, bases: Collection[Basis], lives_ms: Mapping[Basis, int]) -> bool:
    """Whether an allowance rests on a basis that counts here, and that has not ended by itself."""
    basis = allowance.basis or Basis.CONSENT
    return basis in bases and (basis not in lives_ms or now_ms < allowance.held_from + lives_ms[basis])


def _is_expired(scope: Scope, allowance: Kept, expired: Iterable[tuple[Scope, Kept]]) -> bool:
    return any(kept.held_from >= allowance.held_from and _is_within(scope, over) for over, kept in expired)


def _is_taken_back(scope: Scope, refusal: Kept, allowances: Iterable[tuple[Scope, Kept]]) -> bool:
    return any(
        kept.held_from > refusal.held_from
        and not set(kept.told_as).isdisjoint(refusal.told_as)
        and _is_within(narrow, scope)
        for narrow, kept in allowances
    )


def _is_within(narrow: Scope, wide: Scope) -> bool:
    """Whether one scope is about a part of another; California is a part of the United States."""
    if wide.jurisdiction in larger_places(narrow.jurisdiction):
        narrow = narrow._replace(jurisdiction=wide.jurisdiction)
    return narrow.is_within(wide)
