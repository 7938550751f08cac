"""What keeps items from being published, alone or together, and in which order they are.

Pure: it is told what the items are, what they stand on and what is live, and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple, Protocol

import msgspec

from courtesy.base.errors import CourtesyError
from courtesy.base.time import DAY_MS, from_iso
from courtesy.content.findings import Check, Finding, Severity, error, warning
from courtesy.content.items import DEFAULT, Body, FieldType, ItemKey, Kind, references, values
from courtesy.content.kinds import OFFER
from courtesy.content.offers import wrong_terms
from courtesy.content.sampling import NOTHING, Expectations
from courtesy.segment.checking import wrong_with
from courtesy.segment.parsing import parse

WARN_BEFORE_MS = 14 * DAY_MS
"""How long before rights run out what is published with them is warned of."""


class Change(StrEnum):
    """What a release does with an item."""

    PUBLISH = "publish"
    WITHDRAW = "withdraw"


class Pin(msgspec.Struct, frozen=True, order=True):
    """An item in one version of it, which never changes."""

    kind: str
    name: str
    version: int

    @property
    def key(self) -> ItemKey:
        """Which item."""
        return ItemKey(self.kind, self.name)


class Compiled(msgspec.Struct, frozen=True):
    """What is made of an item when it is published, each artefact under a name, and what was found meanwhile."""

    artefacts: dict[str, str] = {}
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that is to be published: its revision, and what it says in it. `wanting`: what others have to say yes to
    yet."""

    key: ItemKey
    kind: Kind
    revision: int
    body: Body
    wanting: Sequence[Finding] = ()


class Compiler(Protocol):
    """Makes what people are shown of an item, when it is published."""

    def __call__(self, candidate: Candidate, used: Mapping[ItemKey, Body], wanted: Expectations = NOTHING) -> Compiled:
        """`used`: everything that it stands on, directly or through others, in the versions that it will be pinned
        to. `wanted`: what it is checked against; nothing of what is made depends on it."""
        ...


class Trouble(NamedTuple):
    """Something found about an item that is to be published or withdrawn."""

    key: ItemKey
    finding: Finding


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done at once: items to publish and items to withdraw. `live`: everything else that is live now, of
    what the former stand on. `users`: for each of the latter, who shows it now."""

    publish: Sequence[Candidate]
    withdraw: Collection[ItemKey] = ()
    live: Collection[ItemKey] = ()
    users: Mapping[ItemKey, Sequence[str]] = field(default_factory=dict)


def troubles(plan: Plan, now_ms: int) -> list[Trouble]:
    """All that is found about a plan, in the order of its items; an error keeps all of it from being done."""
    there = {each.key for each in plan.publish} | set(plan.live)
    found = [Trouble(each.key, one) for each in plan.publish for one in _found(each, there - {*plan.withdraw}, now_ms)]
    found += [
        Trouble(key, warning(Check.IN_USE, f"{user} goes on with the version that it stands on"))
        for key in plan.withdraw
        for user in plan.users.get(key, ())
    ]
    found += [
        Trouble(key, error(Check.CIRCLE, f"it stands on itself, by way of {', '.join(map(str, circle))}"))
        for key, circle in _circles(plan.publish)
    ]
    return found


def is_blocking(found: Sequence[Trouble]) -> bool:
    """Whether there is an error among them."""
    return any(each.finding.severity is Severity.ERROR for each in found)


def _found(candidate: Candidate, there: Collection[ItemKey], now_ms: int) -> Iterator[Finding]:
    lacking = list(incomplete(candidate.kind, candidate.body))
    yield from lacking
    if candidate.kind is OFFER and not lacking:
        yield from wrong_terms(candidate.body)
    yield from over(candidate.body, now_ms)
    for key in sorted(references(candidate.kind, candidate.body)):
        if key == candidate.key:
            yield error(Check.CIRCLE, "it stands on itself")
        elif key not in there:
            yield error(Check.REFERENCE, f"{key} is not published", hint="publish it first, or both in one release")
    yield from candidate.wanting


def incomplete(kind: Kind, body: Body) -> Iterator[Finding]:
    """What a body lacks, and which of its expressions mean nothing."""
    for each in kind.fields:
        given = body.fields.get(each.name)
        if each.required and not given and not (given == 0 and each.type is FieldType.NUMBER):
            yield error(Check.MISSING, f"expected a value for {each.name}", f"fields.{each.name}")
        elif each.has_variants and given and DEFAULT not in given:
            yield error(Check.DEFAULT, "expected a value for everybody else", f"fields.{each.name}", f"add {DEFAULT}")
    for value in values(kind, body):
        if value.field.type is FieldType.EXPRESSION:
            yield from _wrong_expression(value.content, value.place)


def _wrong_expression(text: str, place: str) -> Iterator[Finding]:
    try:
        parsed = parse(text)
    except CourtesyError as trouble:
        yield error(
            Check.EXPRESSION, trouble.message, f"{place}: {trouble.place}" if trouble.place else place, trouble.hint
        )
        return
    for wrong in wrong_with(parsed.segment):
        yield error(Check.EXPRESSION, wrong, place)


def over(body: Body, now_ms: int) -> Iterator[Finding]:
    """What time has to say of a body: rights that ran out or are about to, and a validity that is over."""
    expires_ms = None if body.rights is None else _instant(body.rights.expires)
    if expires_ms is not None and body.rights is not None:
        ends = f"the rights of {body.rights.holder} {{}} {body.rights.expires}"
        if expires_ms <= now_ms:
            yield error(Check.RIGHTS, ends.format("ran out on"), "rights.expires", "renew them, or use another")
        elif expires_ms <= now_ms + WARN_BEFORE_MS:
            yield warning(Check.RIGHTS, ends.format("run out on"), "rights.expires", "renew them, or use another")
    ends_ms = _instant(body.valid_to)
    if ends_ms is not None and ends_ms <= now_ms:
        yield error(Check.VALIDITY, f"it was valid until {body.valid_to}", "valid_to")
    starts_ms = _instant(body.valid_from)
    if None not in (starts_ms, ends_ms) and starts_ms >= ends_ms:  # type: ignore[operator]
        yield error(Check.VALIDITY, "it ends before it begins", "valid_to")


def _instant(text: str | None) -> int | None:
    return None if text is None else from_iso(text)


def _circles(candidates: Sequence[Candidate]) -> Iterator[tuple[ItemKey, list[ItemKey]]]:
    """Items of several that stand on themselves, each with the way around."""
    stands_on = {each.key: references(each.kind, each.body) for each in candidates}
    for key in stands_on:
        way = _way_back(key, stands_on)
        if len(way) > 1:
            yield key, way


def _way_back(start: ItemKey, stands_on: Mapping[ItemKey, Collection[ItemKey]]) -> list[ItemKey]:
    """The shortest way from an item back to it; empty when there is none."""
    came_from: dict[ItemKey, ItemKey] = {}
    ahead = [start]
    for at in ahead:
        for then in sorted(stands_on.get(at, ())):
            if then == start:
                way = [at]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if then not in came_from:
                came_from[then] = at
                ahead.append(then)
    return []


def in_order(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same, each after those that it stands on; they must not stand in a circle."""
    by_key = {each.key: each for each in candidates}
    done: dict[ItemKey, Candidate] = {}

    def add(candidate: Candidate) -> None:
        for key in sorted(references(candidate.kind, candidate.body)):
            if key in by_key and key not in done:
                add(by_key[key])
        done[candidate.key] = candidate

    for key in sorted(by_key):
        if key not in done:
            add(by_key[key])
    return list(done.values())


def digest_of(body: bytes, pins: Collection[Pin], artefacts: bytes) -> bytes:
    """The SHA-256 by which a version is known: of what it says, what it stands on, and what was made of it."""
    parts = (body, msgspec.json.encode(sorted(pins)), artefacts)
    return sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()
