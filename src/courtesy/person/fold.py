"""Folding one event's facts into a state, and merging two states: the same arithmetic, order-independent.

`fold_fact` is what runs 15,000 times a second, so it is written out; `merge` is its general form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import lru_cache
from hashlib import blake2b
from heapq import nlargest
from typing import Any, TypeVar

import msgspec

from courtesy.base.time import DAY_MS
from courtesy.consent.standing import Kept, Standing, add, join
from courtesy.event.choice import choice_id
from courtesy.event.event import EventType, Fact, behaviour_name
from courtesy.offer import standing as offered
from courtesy.person import asking, conversion, messages
from courtesy.person.marks import Marks, join_marks
from courtesy.person.state import (
    DAYS_MAX,
    GROUPS_MAX,
    IDENTIFIERS_MAX,
    MEMBERS_MAX,
    NAMES_MAX,
    OCCURRENCES_MAX,
    RECENT_MAX,
    SUMS_MAX,
    TRAIT_BYTES_MAX,
    TRAITS_MAX,
    Behaviour,
    Membership,
    PersonState,
    Recent,
    Seen,
    Stamp,
    Trait,
)

PATH_CHARS_MAX = 200
MICROS = 1_000_000
SUMMED_MAX = 1e12
"""Numbers beyond this are counted but not summed: 9 million of them still fit 64 bits, and nobody pays so much."""

EXACT_MAX = 1e9
"""Up to here a float times a million is less than 1/4 off a whole number of millionths: two roundings of 2^-53 each of
at most 1e15 < 2^50. Beyond, the written form is multiplied, which takes 20 times as long."""

AMOUNTS = frozenset(
    "revenue total value price quantity amount subtotal discount tax shipping coupon_discount sales_value".split()
)
"""Numeric properties that are kept before others when an event has more of them than fit."""

V = TypeVar("V")


def fold_fact(state: PersonState, fact: Fact, tie: int, key: bytes) -> None:
    """Add one event's facts. Holds afterwards: `state` is what folding the same set of events in any order gives."""
    stamp = Stamp(fact.at, tie)
    state.event_count += 1
    state.type_counts[fact.type] = state.type_counts.get(fact.type, 0) + 1
    if state.first is None or stamp < state.first:
        state.first = stamp
    if state.last is None or stamp > state.last:
        state.last = stamp
    _fold_identifiers(state, fact, stamp)
    if fact.traits:
        _fold_traits(state, fact.traits, fact, tie)
    if fact.choices:
        _fold_choices(state, fact, key)
    name = behaviour_name(fact)
    if name is not None:
        _fold_behaviour(state, name, fact.properties, stamp)
        if name in asking.EVENTS:
            _fold_asking(state, name, fact)
        elif name in messages.ENDS and fact.type is EventType.SYSTEM:
            _fold_message(state, name, fact)
        elif name in conversion.EVENTS and fact.type is EventType.SYSTEM:
            state.conversions = state.conversions or conversion.Conversions()
            conversion.note_told(state.conversions, name, fact.properties or {})
        elif name in offered.EVENTS:
            by_ledger = fact.type is EventType.SYSTEM
            offered.note(state.offers, name, fact.at, tie, fact.properties or {}, by_ledger=by_ledger)
        if name in offered.OF_MESSAGES and fact.type is EventType.SYSTEM:
            offered.note_message(state.offers, name, fact.at, tie, fact.properties or {})
    if fact.group is not None:
        _fold_membership(state, fact.group, stamp)
    entry = Recent(fact.at, tie, fact.type, fact.name, fact.source, fact.id)
    _insert_recent(state.recent, entry)


def fold_group_fact(state: PersonState, fact: Fact, tie: int) -> None:
    """Add a group call to the state of the group itself: its traits, and who said to belong to it."""
    stamp = Stamp(fact.at, tie)
    state.event_count += 1
    state.type_counts[fact.type] = state.type_counts.get(fact.type, 0) + 1
    if state.first is None or stamp < state.first:
        state.first = stamp
    if state.last is None or stamp > state.last:
        state.last = stamp
    if fact.group_traits:
        _fold_traits(state, fact.group_traits, fact, tie)
    if fact.ids:
        known = state.members.get(fact.ids[0])
        if known is None or stamp > known:
            state.members[fact.ids[0]] = stamp
            _keep_lowest(state.members, MEMBERS_MAX)


def _fold_identifiers(state: PersonState, fact: Fact, stamp: Stamp) -> None:
    identifiers = state.identifiers
    for key in fact.ids:
        seen = identifiers.get(key)
        if seen is None:
            identifiers[key] = Seen(stamp, fact.source, stamp)
            _keep_lowest(identifiers, IDENTIFIERS_MAX)
            continue
        if stamp < seen.first:
            seen.first, seen.source = stamp, fact.source
        if stamp > seen.last:
            seen.last = stamp


def leaves(traits: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted paths and values of a nested object. Arrays are values; a dot or backslash in a name is escaped."""
    for name, value in traits.items():
        path = prefix + name.replace("\\", "\\\\").replace(".", "\\.") if "." in name or "\\" in name else prefix + name
        if isinstance(value, dict) and value:
            yield from leaves(value, path + ".")
        elif len(path) <= PATH_CHARS_MAX:
            yield path, value


def _fold_traits(state: PersonState, traits: dict[str, Any], fact: Fact, tie: int) -> None:
    """Last writer wins per leaf: the higher rank first, then the later time, then the higher tie."""
    registers = state.traits
    rank, at = fact.rank, fact.at
    for path, value in leaves(traits):
        known = registers.get(path)
        if known is None or (rank, at, tie) > (known.rank, known.at, known.tie):
            registers[path] = Trait(kept_value(value), rank, at, tie, fact.source, fact.party)
    if len(registers) > TRAITS_MAX:
        _keep_lowest(registers, TRAITS_MAX)


def kept_value(value: Any) -> Any:
    """The value of a trait as the state holds it. One that is too large counts as unset: the log has it whole."""
    if isinstance(value, str):
        fits = len(value) * 4 <= TRAIT_BYTES_MAX or len(value.encode("utf-8", "surrogatepass")) <= TRAIT_BYTES_MAX
        return value if fits else None
    value = storable(value)
    if isinstance(value, str | list) and len(msgspec.msgpack.encode(value)) > TRAIT_BYTES_MAX:
        return None
    return value


_INT64 = 1 << 63


def storable(value: Any) -> Any:
    """Whole numbers beyond 64 bits become text, all the way down: the stored form has no place for them."""
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        return str(value)
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {name: storable(item) for name, item in value.items()}
    return value


def _fold_behaviour(state: PersonState, name: str, properties: dict[str, Any] | None, stamp: Stamp) -> None:
    known = state.behaviours.get(name)
    if known is None:
        known = state.behaviours[name] = Behaviour(0, stamp, stamp, {}, [], [])
        if len(state.behaviours) > NAMES_MAX:
            _keep_lowest(state.behaviours, NAMES_MAX)
    known.count += 1
    if stamp < known.first:
        known.first = stamp
    if stamp > known.last:
        known.last = stamp
    _insert_stamp(known.recent, stamp)
    _add_day(known.days, stamp.at // DAY_MS, 1)
    if properties:
        _fold_sums(known.sums, properties)


def _fold_sums(sums: dict[str, list[int]], properties: dict[str, Any]) -> None:
    for name, value in properties.items():
        kind = type(value)
        if (kind is float or kind is int) and -SUMMED_MAX <= value <= SUMMED_MAX and _is_summed(name):
            _add_sum(sums, name, value * MICROS if kind is int else _micros(value))


def _is_summed(name: str) -> bool:
    """Not what names something, for its sum would mean nothing (`paid` and `bid` are amounts); nor what is too long."""
    return name != "id" and not name.endswith(("_id", "-id", " id", ".id", "Id", "ID")) and len(name) <= PATH_CHARS_MAX


def _micros(value: float) -> int:
    """Millionths, exact for the number as it was written."""
    if -EXACT_MAX <= value <= EXACT_MAX:
        return round(value * MICROS)
    return int((Decimal(repr(value)) * MICROS).to_integral_value())


def _add_sum(sums: dict[str, list[int]], name: str, micros: int) -> None:
    known = sums.get(name)
    if known is None:
        sums[name] = list(divmod(micros, MICROS))
        if len(sums) > SUMS_MAX:
            del sums[max(sums, key=_sum_order)]
        return
    units, rest = divmod(known[1] + micros, MICROS)
    known[0] += units
    known[1] = rest


def _sum_order(name: str) -> tuple[bool, bytes, str]:
    return (name not in AMOUNTS, _rank_of(name), name)


def _fold_choices(state: PersonState, fact: Fact, key: bytes) -> None:
    standing = state.standing = state.standing or Standing()
    for ordinal, choice in enumerate(fact.choices):
        kept = Kept(
            choice.held_from,
            choice_id(key, ordinal),
            choice.action,
            choice.held_to,
            fact.received,
            choice.basis,
            storable(choice.value),
            fact.known_as,
        )
        add(standing, choice.scope, kept, choice.corrects)


def _fold_asking(state: PersonState, name: str, fact: Fact) -> None:
    state.asking = state.asking or asking.Asking()
    asking.note(state.asking, name, fact.at, fact.properties or {})
    _keep_lowest(state.asking.questions, asking.QUESTIONS_KEPT_MAX)


def _fold_message(state: PersonState, name: str, fact: Fact) -> None:
    state.messages = state.messages or messages.Messages()
    messages.note(state.messages, name, fact.at, fact.properties or {})


def _fold_membership(state: PersonState, group: str, stamp: Stamp) -> None:
    known = state.groups.get(group)
    if known is None:
        state.groups[group] = Membership(stamp, stamp)
        _keep_lowest(state.groups, GROUPS_MAX)
        return
    known.first = min(known.first, stamp)
    known.last = max(known.last, stamp)


def _insert_stamp(stamps: list[Stamp], stamp: Stamp) -> None:
    """Keep the newest, newest first. Events mostly come in order, so the place is nearly always the first."""
    place = 0
    while place < len(stamps) and stamps[place] > stamp:
        place += 1
    if place < OCCURRENCES_MAX:
        stamps.insert(place, stamp)
        del stamps[OCCURRENCES_MAX:]


def _add_day(days: list[list[int]], day: int, count: int) -> None:
    """Count on a day; the latest days stay, newest first."""
    place = 0
    while place < len(days) and days[place][0] > day:
        place += 1
    if place < len(days) and days[place][0] == day:
        days[place][1] += count
    elif place < DAYS_MAX:
        days.insert(place, [day, count])
        del days[DAYS_MAX:]


def _insert_recent(entries: list[Recent], entry: Recent) -> None:
    place = 0
    order = (entry.at, entry.tie)
    while place < len(entries) and (entries[place].at, entries[place].tie) > order:
        place += 1
    if place < RECENT_MAX:
        entries.insert(place, entry)
        del entries[RECENT_MAX:]


# The names of events and traits come again and again; of a state that is full each event may look at all of them.
@lru_cache(maxsize=4_096)
def _rank_of(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _keep_lowest(entries: dict[str, V], most: int) -> None:
    """Drop the names of highest hash over `most`. A name once dropped is never lowest again, so what is kept is
    complete: the same whatever came first (a bottom-k sample; Cohen & Kaplan, PODC 2007)."""
    if len(entries) > most:
        for name in nlargest(len(entries) - most, entries, key=lambda name: (_rank_of(name), name)):
            del entries[name]


def merge(into: PersonState, other: PersonState) -> None:
    """Add all of `other`'s facts. Commutative and associative but for `person` and `merged_into`, which stay."""
    into.event_count += other.event_count
    for kind, count in other.type_counts.items():
        into.type_counts[kind] = into.type_counts.get(kind, 0) + count
    into.first = _earliest(into.first, other.first)
    into.last = _latest(into.last, other.last)
    _merge_dicts(into.identifiers, other.identifiers, _merge_seen, IDENTIFIERS_MAX)
    _merge_dicts(into.traits, other.traits, _merge_trait, TRAITS_MAX)
    _merge_dicts(into.behaviours, other.behaviours, _merge_behaviour, NAMES_MAX)
    _merge_dicts(into.groups, other.groups, _merge_membership, GROUPS_MAX)
    _merge_dicts(into.members, other.members, max, MEMBERS_MAX)
    for entry in other.recent:
        _insert_recent(into.recent, entry)
    if other.standing is not None:
        into.standing = into.standing or Standing()
        join(into.standing, other.standing)
    if other.asking is not None:
        into.asking = into.asking or asking.Asking()
        asking.join(into.asking, other.asking)
        _keep_lowest(into.asking.questions, asking.QUESTIONS_KEPT_MAX)
    if other.marks is not None:
        into.marks = into.marks or Marks()
        join_marks(into.marks.marks, other.marks.marks)
        into.marks.settled |= other.marks.settled
        into.marks.now = max(into.marks.now, other.marks.now)
    if other.messages is not None:
        into.messages = into.messages or messages.Messages()
        messages.join(into.messages, other.messages)
    if other.conversions is not None:
        into.conversions = into.conversions or conversion.Conversions()
        conversion.join(into.conversions, other.conversions)
    offered.join(into.offers, other.offers)
    into.timers.update(other.timers)


def _earliest(a: Stamp | None, b: Stamp | None) -> Stamp | None:
    return min((stamp for stamp in (a, b) if stamp is not None), default=None)


def _latest(a: Stamp | None, b: Stamp | None) -> Stamp | None:
    return max((stamp for stamp in (a, b) if stamp is not None), default=None)


def _merge_dicts(into: dict[str, V], other: dict[str, V], join: Callable[[V, V], V], most: int) -> None:
    for name, value in other.items():
        into[name] = join(into[name], value) if name in into else value
    _keep_lowest(into, most)


def _merge_seen(a: Seen, b: Seen) -> Seen:
    earlier = a if a.first <= b.first else b
    return Seen(earlier.first, earlier.source, max(a.last, b.last))


def _merge_trait(a: Trait, b: Trait) -> Trait:
    return a if (a.rank, a.at, a.tie) >= (b.rank, b.at, b.tie) else b


def _merge_membership(a: Membership, b: Membership) -> Membership:
    return Membership(min(a.first, b.first), max(a.last, b.last))


def _merge_behaviour(a: Behaviour, b: Behaviour) -> Behaviour:
    for name, (units, micros) in b.sums.items():
        _add_sum(a.sums, name, units * MICROS + micros)
    for stamp in b.recent:
        _insert_stamp(a.recent, stamp)
    for day, count in b.days:
        _add_day(a.days, day, count)
    return Behaviour(a.count + b.count, min(a.first, b.first), max(a.last, b.last), a.sums, a.recent, a.days)
