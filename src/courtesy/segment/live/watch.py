"""The watch that the fold keeps: after each input it counts what counts, looks at the segments that the input or time
may have changed, and says who entered, who left, and when to look again.

Time is that of the inputs: when they were received, or when a timer was due. Before an input is looked at, all that was
due before it is, each at its own instant. So what is found does not depend on when a worker came to it, and every
instant is exact.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Any as Anything
from typing import NamedTuple

import msgspec

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.base.time import LATEST_MS
from courtesy.consent.law import Laws
from courtesy.event.event import Fact, Party, done_name
from courtesy.identity.rules import SOURCE_KIND
from courtesy.person.catalog import Touched
from courtesy.person.fold import kept_value
from courtesy.person.marks import Crossing, Item, Mark, Marks, add_different, add_item, add_number, count_item
from courtesy.person.state import PersonState
from courtesy.person.view import split_path
from courtesy.segment import tree
from courtesy.segment.definition import Patterns, SegmentDefinition, in_order
from courtesy.segment.each import elements_of, one_form
from courtesy.segment.judge import micros_of
from courtesy.segment.live.look import Look, look_of
from courtesy.segment.live.pattern import Keep, each_pattern, is_in_time, kept_from_ms, patterns_of, places
from courtesy.segment.live.settled import is_settled, settled_key
from courtesy.segment.live.view import Found, View
from courtesy.segment.moment import ZONE_TRAIT, Moment, zone_of
from courtesy.segment.tree import ANYTHING, Expression, Segment, Whose
from courtesy.segment.values import Roots, found_at, holds, plain

TIME = "time"

VALUES_MAX = 200
"""For how many values of one segment somebody is looked at."""

AT_NO_TIME = Moment(0, UTC)
"""For filters that time can't change."""

_CONTEXT = msgspec.json.Decoder(dict[str, Anything])


@dataclass(slots=True)
class _Pattern:
    """A pattern that events are held against. `is_sure`: whatever has its value fits."""

    number: str
    since: Position
    keep: Keep
    is_sure: bool = False


class _Gate(NamedTuple):
    """Nobody is in a segment whose trait under `path` has none of some values: it is then looked at by its value."""

    path: str
    root: str
    values: tuple[tree.Value, ...]


@dataclass(slots=True)
class _Segment:
    """A segment, compiled. `grows`: whoever is in stays in, whatever they do."""

    number: int
    key: str
    name: str
    ready: int
    look: Look
    each: tree.Each | None
    each_pattern: str
    gate: _Gate | None
    grows: bool


class Watch:
    """All segments of one version of the definitions. The same for every person; keeps nothing of any."""

    def __init__(
        self,
        definitions: Sequence[SegmentDefinition] = (),
        *,
        only: Collection[str] | None = None,
        archived: Collection[int] = (),
        laws: Laws,
        source_names: Mapping[SourceId, str] | None = None,
        zone: tzinfo = UTC,
    ) -> None:
        """`only`: the keys of the patterns that are counted, None for all. `archived`: the numbers of segments that
        are not watched over for now: who was in one is remembered until it is had again."""
        self._only = only
        self._laws = laws
        self._source_names = source_names or {}
        self._sources: dict[tuple[SourceId, Party], dict[str, str]] = {}
        self._zone = zone
        self._by_name: dict[str, list[_Pattern]] = {}
        self._sorted: dict[str, dict[str, dict[object, list[_Pattern]]]] = {}
        self._known: dict[str, _Pattern] = {}
        self._segments: list[_Segment] = []
        self._of_pattern: dict[str, list[int]] = {}
        self._of_trait: dict[str, list[int]] = {}
        self._of_value: dict[str, dict[str, dict[object, list[int]]]] = {}
        self._of_choices: list[int] = []
        self._of_settled: dict[str, list[int]] = {}
        self._of_segment: dict[int, list[int]] = {}
        for each in definitions:
            self._note_patterns(each)
        # One that isn't ready has the members that it had when it was. Who only counts looks at nobody.
        self._own_number = {each.name: each.number for each in definitions}
        for each in in_order(definitions) if only is None else ():
            if each.ready is not None:
                self._add(each, each.ready)
        self._numbers = {str(number) for number in (*archived, *(each.number for each in definitions))}
        self._index = {segment.key: place for place, segment in enumerate(self._segments)}
        self._last_ready = max((segment.ready for segment in self._segments), default=-1)
        self._needs_context = any(self._asks(Whose.CONTEXT, each) for each in self._known.values())
        self._blanks = self._look_at_nobody()

    # -- making

    def _note_patterns(self, watched: SegmentDefinition) -> None:
        for keep in keeps_of(watched.tree):
            number, since = watched.patterns[keep.digest]
            if number not in self._known and (self._only is None or number in self._only):
                self._note(_Pattern(number, since, keep))

    def _add(self, watched: SegmentDefinition, ready: int) -> None:
        place = len(self._segments)
        gate = _gate(watched.tree.expression)
        if gate is not None:
            by_value = self._of_value.setdefault(gate.root, {}).setdefault(gate.path, {})
            for value in gate.values:
                by_value.setdefault(plain(value), []).append(place)
        joined = self._compiled(watched.tree.expression, watched.patterns, place)
        if gate is not None:
            self._of_trait[gate.root].remove(place)
        of_each = None if watched.tree.each is None else each_pattern(watched.tree.each)
        each_number = ""
        if of_each is not None:
            each_number = watched.patterns[of_each.keep.digest][0]
            self._of_pattern.setdefault(each_number, []).append(place)
        elif watched.tree.each is not None:
            self._of_trait.setdefault(split_path(watched.tree.each.path)[0], []).append(place)
        self._segments.append(
            _Segment(
                watched.number,
                str(watched.number),
                watched.name,
                ready,
                joined,
                watched.tree.each,
                each_number,
                gate,
                _grows(watched.tree.expression) and watched.tree.each is None,
            )
        )

    def _note(self, pattern: _Pattern) -> None:
        """Have events of its name held against it: those alone with one of its values, if it asks for one."""
        self._known[pattern.number] = pattern
        only = _only(pattern.keep.fixed)
        pattern.is_sure = isinstance(pattern.keep.fixed, tree.Field) and only is not None
        if only is None:
            self._by_name.setdefault(pattern.keep.name, []).append(pattern)
            return
        path, values = only
        of_path = self._sorted.setdefault(pattern.keep.name, {}).setdefault(path, {})
        for value in values:
            of_path.setdefault(plain(value), []).append(pattern)

    def _compiled(self, node: Expression, patterns: Mapping[str, tuple[str, Position]], place: int) -> Look:
        match node:
            case tree.All(of):
                return _all([self._compiled(each, patterns, place) for each in of])
            case tree.Any(of):
                return _any([self._compiled(each, patterns, place) for each in of])
            case tree.Not(of):
                return _not(self._compiled(of, patterns, place))
            case _:
                own = [patterns[asked.keep.digest][0] for asked in patterns_of(node)]
                self._listen(node, own, place)
                return look_of(node, own, self._own_number)

    def _listen(self, node: Expression, own: Sequence[str], place: int) -> None:
        """Have the segment looked at when what a condition asks for changes."""
        for number in own:
            _once(self._of_pattern.setdefault(number, []), place)
        if is_settled(node):
            _once(self._of_settled.setdefault(settled_key(node), []), place)
            return
        match node:
            case tree.Field(path, _, whose):
                _once(
                    self._of_trait.setdefault(tree.SCORES if whose is Whose.SCORE else split_path(path)[0], []), place
                )
            case tree.Consent():
                _once(self._of_choices, place)
                for name in ("address", "country"):
                    _once(self._of_trait.setdefault(name, []), place)
            case tree.Preference():
                _once(self._of_choices, place)
            case tree.InSegment(name) if name in self._own_number:
                _once(self._of_segment.setdefault(self._own_number[name], []), place)
            case _:
                pass

    def _asks(self, whose: Whose, pattern: _Pattern) -> bool:
        return any(each is whose for each, _ in (*pattern.keep.values, *places(pattern.keep.fixed)))

    def _look_at_nobody(self) -> list[int]:
        """The segments that somebody has to be looked at for of whom nothing is known."""
        state = PersonState(PersonId(0))
        view = View(state, Moment(0, self._zone), Marks(), self._laws)
        return [
            place
            for place, segment in enumerate(self._segments)
            if segment.each is None and segment.look(view) != (False, None)
        ]

    # -- counting

    def count(self, state: PersonState, fact: Fact, tie: int, position: Position | None) -> Touched:
        """Add an event to the marks of a state. `position`: where it lies in the log, None to count it for all
        patterns, whenever they came to be."""
        touched = Touched(is_first=state.event_count == 1)
        marks = state.marks
        if marks is None:
            marks = state.marks = Marks()
        name = done_name(fact)
        if name is not None:
            found = self._matching(name, fact)
            if found:
                self._count_all(marks, found, fact, tie, position, touched)
        if fact.traits:
            touched.traits.update(fact.traits)
        touched.choices = bool(fact.choices)
        return touched

    def _matching(self, name: str, fact: Fact) -> list[_Pattern]:
        """The patterns that an event may fit."""
        found: list[_Pattern] = []
        properties = fact.properties or {}
        for each in (name, ANYTHING):
            found += self._by_name.get(each, ())
            for path, by_value in self._sorted.get(each, {}).items():
                value = found_at(properties, path)
                for one in value if isinstance(value, list) else (value,):
                    if isinstance(one, str | int | float):
                        found += by_value.get(plain(one), ())
        return found

    def _count_all(
        self, marks: Marks, found: list[_Pattern], fact: Fact, tie: int, position: Position | None, touched: Touched
    ) -> None:
        roots = self._roots(fact)
        done: set[str] = set()
        for pattern in found:
            if pattern.number in done or (position is not None and position <= pattern.since):
                continue
            done.add(pattern.number)
            fixed = pattern.keep.fixed
            if fixed is None or pattern.is_sure or holds(fixed, roots, AT_NO_TIME):
                self._count(marks, pattern, fact, tie, roots)
                touched.patterns.append(pattern.number)

    def _roots(self, fact: Fact) -> Roots:
        source = self._sources.get((fact.source, fact.party))
        if source is None:
            name = self._source_names.get(fact.source, str(fact.source))
            source = self._sources[fact.source, fact.party] = {"name": name, "party": str(fact.party)}
        context: dict[str, Anything] = {}
        if self._needs_context and fact.context:
            context = _CONTEXT.decode(fact.context)
        return {Whose.PERSON: fact.properties or {}, Whose.CONTEXT: context, Whose.SOURCE: source}

    def _count(self, marks: Marks, pattern: _Pattern, fact: Fact, tie: int, roots: Roots) -> None:
        mark = marks.marks.get(pattern.number)
        if mark is None:
            mark = marks.marks[pattern.number] = Mark()
        keep = pattern.keep
        item: Item = [fact.at, tie]
        for whose, path in keep.values:
            item.append(kept_value(found_at(roots[whose], path)))
        if keep.horizon_ms or keep.has_last:
            add_item(mark, item)
            _trim(mark, keep, max(marks.now, fact.received))
        else:
            count_item(mark, item)
        properties = roots[Whose.PERSON]
        for path in keep.totals:
            value = found_at(properties, path)
            if isinstance(value, int | float) and not isinstance(value, bool):
                add_number(mark, path, value, micros_of(value))
        told = [(path, found_at(properties, path)) for path in keep.different]
        told += [(path, one) for path in keep.each for one in elements_of(found_at(properties, path))]
        for path, one in told:
            form = one_form(one)
            if form is not None:
                add_different(mark, path, msgspec.json.encode(form).decode())

    # -- looking

    def turn(
        self, state: PersonState, touched: Touched | None, at_ms: int, cause: str, *, live: bool
    ) -> list[Crossing]:
        """Move a state on to an instant, at which an input changed something (None: maybe everything). Holds
        afterwards: whoever is inside is inside, and nothing is due at or before that instant."""
        marks = state.marks
        if marks is None:
            marks = state.marks = Marks()
        crossings: list[Crossing] = []
        if not _is_somebody(state):
            return crossings
        now_ms = max(at_ms, marks.now)
        while 0 < marks.first <= now_ms:
            first_ms = marks.now = marks.first
            keys = [key for key, due_ms in marks.due.items() if due_ms == first_ms]
            due = {self._index[key] for key in map(_number_of, keys) if key in self._index}
            self._look_at(self._view(state, marks), due, TIME, live=True, crossings=crossings)
            for key in keys:
                if marks.due.get(key) == first_ms:
                    del marks.due[key]
            marks.first = min(marks.due.values(), default=0)
        marks.now = now_ms
        if touched is not None and not touched and marks.seen == self._last_ready:
            return crossings
        is_new = marks.seen < 0 and touched is not None and touched.is_first
        view = self._view(state, marks)
        self._look_at(view, self._touched(view, touched, is_new), cause, live=live, crossings=crossings)
        marks.seen = self._last_ready
        return crossings

    def _view(self, state: PersonState, marks: Marks) -> View:
        zone = zone_of(_zone_trait(state), self._zone)
        return View(state, Moment(marks.now, zone), marks, self._laws)

    def _touched(self, view: View, touched: Touched | None, is_new: bool) -> set[int]:
        """The segments to be looked at."""
        marks = view.kept
        if touched is None or ZONE_TRAIT in touched.traits:
            return set(range(len(self._segments)))
        found: set[int] = set()
        for number in touched.patterns:
            for place in self._of_pattern.get(number, ()):
                segment = self._segments[place]
                if not (segment.grows and segment.key in marks.inside):
                    found.add(place)
        for name in touched.traits:
            found.update(self._of_trait.get(name, ()))
            if name in self._of_value:
                self._touched_by_value(view, name, found)
        if touched.choices:
            found.update(self._of_choices)
        found.update(self._of_settled.get(touched.settled, ()))
        if is_new:
            found.update(self._blanks)
        elif marks.seen < self._last_ready:
            found.update(place for place, each in enumerate(self._segments) if each.ready > marks.seen)
            self._forget_strangers(marks)
        return found

    def _touched_by_value(self, view: View, root: str, found: set[int]) -> None:
        """Those that ask for the value that a trait has now, and those which they are in by one that it had."""
        for path, by_value in self._of_value[root].items():
            value = view.trait(path)
            for one in value if isinstance(value, list) else (value,):
                if isinstance(one, str | int | float):
                    found.update(by_value.get(plain(one), ()))
        for key in (*view.kept.inside, *view.kept.due):
            place = self._index.get(_number_of(key))
            if place is not None and (gate := self._segments[place].gate) is not None and gate.root == root:
                found.add(place)

    def _forget_strangers(self, marks: Marks) -> None:
        """Let go of what no segment asks for any more."""
        for number in [number for number in marks.marks if number not in self._known]:
            del marks.marks[number]
        for kept in (marks.inside, marks.due):
            for key in [key for key in kept if _number_of(key) not in self._numbers]:
                del kept[key]

    def _look_at(self, view: View, some: Iterable[int], cause: str, *, live: bool, crossings: list[Crossing]) -> None:
        """Look at segments, and at those that stand on one of them that somebody entered or left."""
        waiting = sorted(some)
        done = -1
        while waiting:
            # A segment comes after all that it stands on.
            place = heappop(waiting)
            if place == done:
                continue
            done = place
            segment = self._segments[place]
            before = len(crossings)
            if segment.ready > view.kept.seen:
                self._leave_other_form(segment, view.kept, cause, live, crossings)
            if segment.each is None:
                self._settle(segment, segment.key, "", segment.look(view), view.kept, cause, live, crossings)
            else:
                self._look_at_each(segment, view, cause, live, crossings)
            if len(crossings) > before:
                for each in self._of_segment.get(segment.number, ()):
                    heappush(waiting, each)

    def _leave_other_form(
        self, segment: _Segment, marks: Marks, cause: str, live: bool, crossings: list[Crossing]
    ) -> None:
        """Let people leave what a segment was before it became one for each value, or for each no more."""
        for key in [key for key in (*marks.inside, *marks.due) if _number_of(key) == segment.key]:
            value = key.partition("\t")[2]
            if bool(value) != (segment.each is not None):
                self._settle(segment, key, value, Found(False), marks, cause, live, crossings)

    def _look_at_each(self, segment: _Segment, view: View, cause: str, live: bool, crossings: list[Crossing]) -> None:
        assert segment.each is not None
        marks = view.kept
        prefix = f"{segment.key}\t"
        inside = {key.partition("\t")[2] for key in (*marks.inside, *marks.due) if key.startswith(prefix)}
        values = self._values(segment, view)
        for value in sorted({*values, *inside}):
            view.that = msgspec.json.decode(value)
            found = segment.look(view) if value in values else Found(False)
            self._settle(segment, prefix + value, value, found, marks, cause, live, crossings)
        view.that = None

    def _values(self, segment: _Segment, view: View) -> set[str]:
        """For which values somebody may be in it, in JSON."""
        assert segment.each is not None
        path = segment.each.path
        if segment.each.event is not None:
            return set(view.mark(segment.each_pattern).different.get(path, ())[:VALUES_MAX])
        forms = map(one_form, elements_of(view.trait(path)))
        return {msgspec.json.encode(form).decode() for form in forms if form is not None}

    def _settle(
        self,
        segment: _Segment,
        key: str,
        value: str,
        found: Found,
        marks: Marks,
        cause: str,
        live: bool,
        crossings: list[Crossing],
    ) -> None:
        """Write down what was found."""
        next_ms = found.next_ms
        if next_ms is None or next_ms >= LATEST_MS:
            if marks.due.pop(key, None) == marks.first:
                marks.first = min(marks.due.values(), default=0)
        else:
            before_ms = marks.due.get(key)
            marks.due[key] = next_ms
            if before_ms is not None and before_ms == marks.first < next_ms:
                marks.first = min(marks.due.values())
            elif not marks.first or next_ms < marks.first:
                marks.first = next_ms
        was_inside = key in marks.inside
        if found.holds == was_inside:
            if was_inside and segment.ready > marks.seen:
                crossings.append(
                    Crossing(segment.number, segment.name, value, True, marks.inside[key], cause, live, is_news=False)
                )
            return
        if found.holds:
            marks.inside[key] = marks.now
        else:
            del marks.inside[key]
        crossings.append(Crossing(segment.number, segment.name, value, found.holds, marks.now, cause, live))


class Tally:
    """Counts some of what a segment asks for, and looks at nobody. `keeps`: those patterns, by their keys."""

    def __init__(
        self, segment: SegmentDefinition, keys: Collection[str], source_names: Mapping[SourceId, str] | None = None
    ) -> None:
        asked = {segment.patterns[keep.digest][0]: keep for keep in keeps_of(segment.tree)}
        self.keys = frozenset(keys)
        self.keeps = {key: asked[key] for key in sorted(self.keys)}
        unready = msgspec.structs.replace(segment, ready=None)
        self._watch = Watch([unready], laws=Laws(()), source_names=source_names, only=self.keys)

    def count(self, state: PersonState, fact: Fact, tie: int) -> None:
        """Add an event to the marks of a state."""
        self._watch.count(state, fact, tie, None)


def patterns_in_force(segments: Iterable[SegmentDefinition]) -> dict[str, Position]:
    """The keys of what segments ask for, each with the position from which on it is counted as it comes."""
    return {key: since for each in segments for key, since in each.patterns.values()}


def keeps_of(segment: Segment) -> Iterator[Keep]:
    """The patterns that a segment asks for, some maybe more than once."""
    for condition in tree.conditions(segment.expression):
        for asked in patterns_of(condition):
            yield asked.keep
    of_each = None if segment.each is None else each_pattern(segment.each)
    if of_each is not None:
        yield of_each.keep


def patterns_for(segment: Segment, since: Position, known: Iterable[SegmentDefinition]) -> Patterns:
    """How the patterns of a segment are kept that is defined at a position: as others keep them already, or anew from
    there on."""
    shared = {digest: kept for each in known for digest, kept in each.patterns.items()}
    found: Patterns = {}
    for keep in keeps_of(segment):
        found[keep.digest] = shared.get(keep.digest) or (_key(keep.digest, since), since)
    return found


def _key(digest: str, since: Position) -> str:
    """A short name for what is counted from a position on."""
    hashed = blake2b(f"{digest}/{since}".encode(), digest_size=8).digest()
    return b64encode(hashed, altchars=b"-_").decode().rstrip("=")


def _gate(expression: Expression) -> _Gate | None:
    """What has to hold of one trait for an expression to hold; None when that is not so simple."""
    match expression:
        case tree.Field(path, tree.Is(values), Whose.PERSON) if not any(
            isinstance(each, tree.Param) for each in values
        ):
            return _Gate(path, split_path(path)[0], values)
        case tree.All(of):
            return next((gate for each in of if (gate := _gate(each)) is not None), None)
        case _:
            return None


def _grows(expression: Expression) -> bool:
    """Whether more events can let nobody out: at least so many, ever, joined without a denial."""
    match expression:
        case tree.All(of) | tree.Any(of):
            return all(map(_grows, of))
        case tree.Did(event, _, None, None):
            return event.where is None or not is_in_time(event.where)
        case _:
            return False


def _number_of(key: str) -> str:
    """The number of the segment of a key that may have a value."""
    return key.partition("\t")[0]


def _only(fixed: tree.Filter | None) -> tuple[str, tuple[tree.Value, ...]] | None:
    """A path and the values, one of which a property has to have for a filter to hold; None when there is no such."""
    match fixed:
        case tree.Field(path, tree.Is(values), Whose.PERSON):
            return path, values
        case tree.All(of):
            return next((found for each in of if (found := _only(tree.filter_of(each))) is not None), None)
        case _:
            return None


def _trim(mark: Mark, keep: Keep, now_ms: int) -> None:
    """Drop the events that no window reaches any more."""
    items = mark.items
    first_ms = kept_from_ms(keep, now_ms)
    if first_ms is None:
        return
    gone = 0
    while gone < len(items) and items[gone][0] < first_ms:
        gone += 1
    if keep.has_last and gone == len(items):
        gone -= 1
    if gone > 0:
        del items[:gone]


def _is_somebody(state: PersonState) -> bool:
    """Whether it is a person: groups carry no identifiers, and sources their own."""
    return any(not key.startswith(f"{SOURCE_KIND}:") for key in state.identifiers)


def _once(places: list[int], place: int) -> None:
    if place not in places:
        places.append(place)


def _zone_trait(state: PersonState) -> dict[str, Anything]:
    trait = state.traits.get(ZONE_TRAIT)
    return {} if trait is None else {ZONE_TRAIT: trait.value}


def _all(parts: Sequence[Look]) -> Look:
    def look(view: View) -> Found:
        next_ms: int | None = None
        for part in parts:
            found = part(view)
            if not found.holds:
                return found
            next_ms = _sooner(next_ms, found.next_ms)
        return Found(True, next_ms)

    return look


def _any(parts: Sequence[Look]) -> Look:
    def look(view: View) -> Found:
        next_ms: int | None = None
        for part in parts:
            found = part(view)
            if found.holds:
                return found
            next_ms = _sooner(next_ms, found.next_ms)
        return Found(False, next_ms)

    return look


def _not(part: Look) -> Look:
    def look(view: View) -> Found:
        found = part(view)
        return Found(not found.holds, found.next_ms)

    return look


def _sooner(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)
