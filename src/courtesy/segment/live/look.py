"""Conditions as they are looked at in the fold: each as a function of a view, from what its patterns kept."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any as Anything

from courtesy.base.time import DAY_MS, EARLIEST_MS
from courtesy.consent.law import allowed
from courtesy.consent.standing import Standing, State, verdict
from courtesy.event.choice import Basis, Scope
from courtesy.person.marks import Item, Mark
from courtesy.person.view import split_path
from courtesy.segment import tree
from courtesy.segment.judge import AT_ANY_HOUR, comparable, fits, function_of, wish
from courtesy.segment.live.flips import first_after, of_instant, of_test, of_window
from courtesy.segment.live.pattern import Asked, is_in_time, patterns_of
from courtesy.segment.live.settled import is_settled, settled_key
from courtesy.segment.live.view import Found, Shape, View
from courtesy.segment.moment import Span
from courtesy.segment.tree import Filter, Function, Whose, Window
from courtesy.segment.values import holds, passes, plain

Look = Callable[[View], Found]

NO, YES = Found(False), Found(True)


class Kept:
    """The events of one pattern in a view, those for which the rest of the filter holds."""

    def __init__(self, number: str, asked: Asked) -> None:
        self.number = number
        self.shape = Shape(asked.keep.values)
        self.rest = asked.rest

    def since(self, view: View, after_ms: int) -> list[Item]:
        """Those after an instant, oldest first."""
        items = view.mark(self.number).items
        found = items[bisect_left(items, [after_ms + 1]) :]
        if self.rest is None:
            return found
        return [each for each in found if view.fits(self.rest, each, self.shape)]

    def within(self, view: View, span: Span) -> list[Item]:
        """Those in a span, oldest first."""
        found = self.since(view, span.after_ms)
        return found if span.until_ms >= view.moment.now_ms else [each for each in found if each[0] <= span.until_ms]

    def rest_flips(self, view: View) -> Iterator[int]:
        """When the rest of the filter may change its mind about one of them."""
        if self.rest is not None:
            for each in view.mark(self.number).items:
                yield from _flips(self.rest, self.shape, each, view)


def _flips(filter_: Filter, shape: Shape, kept: Item, view: View) -> Iterator[int]:
    match filter_:
        case tree.All(parts) | tree.Any(parts):
            for each in parts:
                yield from _flips(tree.filter_of(each), shape, kept, view)
        case tree.Not(part):
            yield from _flips(tree.filter_of(part), shape, kept, view)
        case tree.Field(path, test, whose):
            yield from of_test(test, shape.value(kept, whose, path), view.moment)


def look_of(condition: tree.Expression, numbers: Sequence[str], segments: dict[str, int]) -> Look:
    """How a condition is looked at. `numbers`: of its patterns, as `patterns_of` tells them; `segments`: by name."""
    kept = [Kept(number, each) for number, each in zip(numbers, patterns_of(condition), strict=True)]
    if is_settled(condition):
        return partial(_settled, settled_key(condition))
    match condition:
        case tree.Field(path, test, Whose.PERSON) if not is_in_time(test):
            return _plain_field(split_path(path), test)
        case tree.Field():
            return partial(_field, condition)
        case tree.Did(_, least, most, None) if kept[0].rest is None:
            return partial(_did_ever, kept[0].number, least, most)
        case tree.Did():
            return partial(_did, condition, kept[0])
        case tree.Amount():
            return partial(_amount, condition, kept[0])
        case tree.Occurrence():
            return partial(_occurrence, condition, kept[0])
        case tree.Sequence():
            return Course(condition, kept)
        case tree.Change():
            return partial(_change, condition, kept[0])
        case tree.Consent():
            return partial(_consent, condition)
        case tree.Preference():
            return partial(_preference, condition)
        case tree.InSegment(name):
            return partial(_in_segment, segments.get(name))
        case _:
            raise AssertionError(f"{type(condition).__name__} joins conditions")


# -- of the person


def _plain_field(names: Sequence[str], test: tree.Test) -> Look:
    """A test that time can't change."""
    if isinstance(test, tree.Is):
        wanted = frozenset(plain(each) for each in test.values)

        def look(view: View) -> Found:
            value = view.at(names)
            if isinstance(value, str | int | float):
                return YES if plain(value) in wanted else NO
            held = isinstance(value, list) and any(
                isinstance(each, str | int | float) and plain(each) in wanted for each in value
            )
            return YES if held else NO

        return look
    return lambda view: YES if passes(test, view.at(names), view.moment) else NO


def _field(node: tree.Field, view: View) -> Found:
    value = view.trait(f"{tree.SCORES}.{node.path}" if node.whose is Whose.SCORE else node.path)
    found = passes(node.test, value, view.moment, view.that)
    return Found(found, first_after(view.moment.now_ms, of_test(node.test, value, view.moment)))


def _consent(node: tree.Consent, view: View) -> Found:
    standing, now_ms = view.state.standing or Standing(), view.moment.now_ms
    asked = Scope(node.purpose, node.channel, node.topic, jurisdiction=view.place)
    if node.stance is tree.Stance.ALLOWS:
        found = allowed(standing, asked, now_ms, view.laws).why in AT_ANY_HOUR
    else:
        state = verdict(standing, asked, now_ms, frozenset(Basis), {}).state
        found = state is (State.GRANTED if node.stance is tree.Stance.GRANTED else State.REFUSED)
    return Found(found, first_after(now_ms, _turns(standing, view)))


def _turns(standing: Standing, view: View) -> Iterator[int]:
    """The instants at which choices begin and end, and laws change."""
    lives_ms = {days * DAY_MS for policy in view.laws.policies for rule in policy.rules for days in
                rule.lives_days.values()}  # fmt: skip
    for choices in standing.scopes.values():
        for each in choices:
            yield each.held_from
            if each.held_to is not None:
                yield each.held_to
            for life_ms in lives_ms:
                yield from (each.held_from + life_ms, each.held_from + life_ms + 1)
    for policy in view.laws.policies:
        yield policy.in_force_from
        # What is in force is remembered by the day.
        yield -(-policy.in_force_from // DAY_MS) * DAY_MS


def _preference(node: tree.Preference, view: View) -> Found:
    standing, now_ms = view.state.standing or Standing(), view.moment.now_ms
    value = wish(standing, Scope(node.purpose, node.channel, node.topic), now_ms)
    turns = (
        turn for choices in standing.scopes.values() for each in choices for turn in (each.held_from, each.held_to)
    )
    return Found(
        passes(node.test, value, view.moment), first_after(now_ms, (turn for turn in turns if turn is not None))
    )


def _in_segment(number: int | None, view: View) -> Found:
    return YES if str(number) in view.kept.inside else NO


def _settled(key: str, view: View) -> Found:
    return YES if key in view.kept.settled else NO


# -- of what they did


def _did_ever(number: str, least: int, most: int | None, view: View) -> Found:
    count = view.mark(number).count
    return YES if least <= count and (most is None or count <= most) else NO


def _did(node: tree.Did, kept: Kept, view: View) -> Found:
    found = kept.within(view, view.moment.span_of(node.window))
    count, most = len(found), node.most
    holds_ = node.least <= count and (most is None or count <= most)
    if kept.rest is not None:
        return Found(holds_, _next_of(node.window, kept, view))
    if isinstance(node.window, tree.Sliding):
        # Time only takes events away, so it is known which one's leaving makes a difference.
        left = count - node.least if holds_ else count - most - 1 if most is not None and count > most else -1
        at_least_one = 0 <= left < count
        return Found(holds_, view.moment.moved(found[left][0], node.window.span) if at_least_one else None)
    return Found(holds_, _next_of(node.window, kept, view))


def _next_of(window: Window | None, kept: Kept, view: View) -> int | None:
    """When an event next comes into the window, leaves it, or the rest of the filter changes its mind."""
    items = view.mark(kept.number).items
    return first_after(view.moment.now_ms, (*_window_turns(window, items, view), *kept.rest_flips(view)))


def _window_turns(window: Window | None, items: Sequence[Item], view: View) -> Iterator[int]:
    match window:
        case tree.Sliding(span):
            # The oldest that is still in leaves first.
            began_ms = view.moment.began(span)
            place = bisect_left(items, [began_ms + 1])
            if place < len(items):
                yield view.moment.moved(items[place][0], span)
        case tree.Current() | tree.Previous():
            for each in items:
                yield from of_window(window, each[0], view.moment)
        case _:
            return


def measured(node: tree.Measure, kept: Kept, view: View) -> tuple[float | None, int | None]:
    """The number of a measure, and when it may change by itself."""
    if node.window is None and kept.rest is None:
        return _measured_ever(node, view.mark(kept.number)), None
    found = kept.within(view, view.moment.span_of(node.window))
    values = [kept.shape.value(each, Whose.PERSON, node.path) for each in found]
    next_ms = _next_of(node.window, kept, view)
    if node.function is Function.DIFFERENT:
        return len({comparable(each) for each in values if isinstance(each, str | int | float)}), next_ms
    return function_of(node.function, [each for each in values if _is_number(each)]), next_ms


def _measured_ever(node: tree.Measure, mark: Mark) -> float | None:
    if node.function is Function.DIFFERENT:
        return len(mark.different.get(node.path, ()))
    total = mark.totals.get(node.path)
    if total is None:
        return 0.0 if node.function is Function.SUM else None
    match node.function:
        case Function.SUM:
            return int(total.micros) / 1_000_000
        case Function.AVERAGE:
            return int(total.micros) / 1_000_000 / total.count
        case Function.SMALLEST:
            return total.low
        case _:
            return total.high


def _is_number(value: Anything) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _amount(node: tree.Amount, kept: Kept, view: View) -> Found:
    amount, next_ms = measured(node.measure, kept, view)
    return Found(amount is not None and fits(node.test, amount), next_ms)


def _occurrence(node: tree.Occurrence, kept: Kept, view: View) -> Found:
    mark = view.mark(kept.number)
    if kept.rest is not None:
        found = kept.since(view, EARLIEST_MS - 1)
        one = (found[0] if node.which is tree.Which.FIRST else found[-1]) if found else None
    else:
        one = mark.first if node.which is tree.Which.FIRST else mark.items[-1] if mark.items else None
    turns = list(kept.rest_flips(view))
    if one is None:
        return Found(False, first_after(view.moment.now_ms, turns))
    in_time = node.when is None or _is_in(node.when, one[0], view)
    has = node.has is None or holds(node.has, kept.shape.roots(one), view.moment, view.that)
    if node.when is not None:
        turns += of_instant(node.when, one[0], view.moment)
    if node.has is not None:
        turns += _flips(node.has, kept.shape, one, view)
    return Found(in_time and has, first_after(view.moment.now_ms, turns))


def _is_in(when: tree.Within | tree.Ago, at_ms: int, view: View) -> bool:
    if isinstance(when, tree.Ago):
        return at_ms <= view.moment.began(when.span)
    return view.moment.span_of(when.window).has(at_ms)


def _change(node: tree.Change, kept: Kept, view: View) -> Found:
    twice = tree.Duration(2 * node.span.count, node.span.unit)
    ago_ms, long_ago_ms = view.moment.began(node.span), view.moment.began(twice)
    found = kept.since(view, long_ago_ms)
    before = sum(each[0] <= ago_ms for each in found)
    turns = [view.moment.moved(each[0], span) for each in found for span in (node.span, twice)]
    turns += kept.rest_flips(view)
    next_ms = first_after(view.moment.now_ms, turns)
    if not before:
        return Found(False, next_ms)
    share = 100 * (len(found) - before)
    if node.trend is tree.Trend.LESS:
        return Found(share <= before * (100 - node.percent), next_ms)
    return Found(share >= before * (100 + node.percent), next_ms)


class Course:
    """A sequence: whether its steps can be found, one after the other."""

    def __init__(self, node: tree.Sequence, kept: Sequence[Kept]) -> None:
        self._node = node
        given = iter(kept)
        self._first = next(given)
        self._steps = [(step, next(given), [next(given) for _ in step.without]) for step in node.steps]
        self._waits = [step.within for step in node.steps if step.absent and step.within is not None]

    def __call__(self, view: View) -> Found:
        """Look at it."""
        span = view.moment.span_of(self._node.window)
        firsts = self._first.within(view, span)
        # Of all ways only what is reached counts: from which event a step was reached makes no difference after it.
        reached: list[Item] = firsts
        for step, kept, without in self._steps:
            reached = self._after(reached, step, kept, without, view)
            if not reached:
                break
        return Found(bool(reached), first_after(view.moment.now_ms, self._turns(view)))

    def _after(
        self, reached: Sequence[Item], step: tree.Step, kept: Kept, without: Sequence[Kept], view: View
    ) -> list[Item]:
        """The events that a step may have been, of all that the step before it may have been. After an absent step it
        is those of the step before for which it is over."""
        found: dict[tuple[int, int], Item] = {}
        if not reached:
            return []
        start_ms = reached[0][0]
        candidates = kept.since(view, start_ms - 1)
        barriers = sorted(stamp(each) for barrier in without for each in barrier.since(view, start_ms - 1))
        for before in reached:
            least_ms = before[0] if step.after is None else view.moment.moved(before[0], step.after)
            most_ms = view.moment.now_ms if step.within is None else view.moment.moved(before[0], step.within)
            place = bisect_left(barriers, (before[0], before[1] + 1))
            end = barriers[place] if place < len(barriers) else None
            fit = (
                each
                for each in candidates[bisect_left(candidates, [least_ms]) :]
                if each[0] <= most_ms and stamp(each) > stamp(before) and (end is None or stamp(each) <= end)
            )
            if step.absent:
                if most_ms < view.moment.now_ms and next(fit, None) is None:
                    found[stamp(before)] = before
            else:
                found.update((stamp(each), each) for each in fit)
        return [found[each] for each in sorted(found)]

    def _turns(self, view: View) -> Iterator[int]:
        all_kept = [self._first, *(kept for _, kept, _ in self._steps)]
        yield from _window_turns(self._node.window, view.mark(self._first.number).items, view)
        for kept in (*all_kept, *(each for _, _, without in self._steps for each in without)):
            yield from kept.rest_flips(view)
        for wait in self._waits:
            for kept in all_kept:
                for each in view.mark(kept.number).items:
                    yield view.moment.moved(each[0], wait) + 1


def stamp(item: Item) -> tuple[int, int]:
    """What events are ordered by."""
    return item[0], item[1]
