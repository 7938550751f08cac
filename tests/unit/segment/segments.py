"""Segments as Hypothesis makes them: every kind of node, names and values of any script."""

from __future__ import annotations

from datetime import date
from typing import Any as Anything

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from courtesy.segment import tree
from courtesy.segment.checking import OF_EVENTS, OF_PEOPLE
from courtesy.segment.moment import EXACT_MS
from courtesy.segment.parsing import NUMBER_MAX
from courtesy.segment.tree import Period, Sign, Unit

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    ["Germany", "United States", "that", "today", "true", "and", "AND", 'a "b" \\ c', "2026-05-31", "12", "über", "a.b"]
)
numbers = st.integers(-NUMBER_MAX, NUMBER_MAX) | st.floats(-1e9, 1e9)
durations = st.builds(tree.Duration, st.integers(1, 1_000), st.sampled_from(Unit))
exact_durations = st.builds(tree.Duration, st.integers(1, 1_000), st.sampled_from(list(EXACT_MS)))
days = st.dates(date(1900, 1, 1), date(2100, 12, 31))
percents = st.floats(0.001, 100) | st.integers(1, 100).map(float)


def _days(first: date | None, last: date | None) -> tree.Days:
    return tree.Days(min(first, last), max(first, last)) if first and last else tree.Days(first, last)


windows: SearchStrategy[tree.Window] = (
    st.builds(tree.Sliding, durations)
    | st.builds(tree.Current, st.sampled_from(Period))
    | st.builds(tree.Previous, st.sampled_from(Period))
    | st.builds(_days, days, days | st.none())
    | st.builds(_days, st.none(), days)
)
ranges = st.tuples(numbers, numbers).map(lambda pair: tree.Range(min(pair), max(pair)))
compares = st.builds(tree.Compare, st.sampled_from(Sign), numbers)
anniversaries = st.tuples(st.integers(0, 365), st.integers(0, 365)).map(
    lambda pair: tree.Anniversary(min(pair), max(pair))
)


def _values(has_param: bool) -> SearchStrategy[tree.Value]:
    found: SearchStrategy[tree.Value] = texts | st.booleans() | numbers
    return found | st.just(tree.Param()) if has_param else found


def _tests(has_param: bool) -> SearchStrategy[tree.Test]:
    read = texts | st.just(tree.Param()) if has_param else texts
    return (
        st.just(tree.Present())
        | st.builds(tree.Is, st.lists(_values(has_param), min_size=1, max_size=3).map(tuple))
        | st.builds(tree.Reads, st.sampled_from(tree.Match), read)
        | compares
        | ranges
        | st.builds(tree.Within, windows)
        | st.builds(tree.Coming, durations)
        | st.builds(tree.Ago, durations)
        | st.builds(tree.Ahead, durations)
        | anniversaries
        | st.builds(tree.Near, st.floats(-90, 90), st.floats(-180, 180), st.floats(0.1, 20_000))
    )


def _joined(one: SearchStrategy[Anything]) -> SearchStrategy[Anything]:
    def more(inner: SearchStrategy[Anything]) -> SearchStrategy[Anything]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(tree.All, several) | st.builds(tree.Any, several) | st.builds(tree.Not, inner)

    return st.recursive(one, more, max_leaves=4)


def _filters(has_param: bool) -> SearchStrategy[tree.Filter]:
    field = st.builds(tree.Field, texts, _tests(has_param))
    of_event = st.builds(tree.Field, texts, _tests(has_param), st.sampled_from(sorted(OF_EVENTS)))
    elements = st.builds(
        lambda quantity, filter_, count: tree.Elements(
            quantity, filter_, count if quantity is tree.Quantity.AT_LEAST else 1
        ),
        st.sampled_from(tree.Quantity),
        _joined(field),
        st.integers(1, 5),
    )
    found: SearchStrategy[tree.Filter] = _joined(of_event | st.builds(tree.Field, texts, elements))
    return found


def _steps(events: SearchStrategy[tree.Event]) -> SearchStrategy[tree.Step]:
    def step(*given: Anything) -> tree.Step:
        found = tree.Step(*given)
        return found if found.within is not None else tree.Step(*given[:-1])

    maybe = st.none() | exact_durations
    return st.builds(step, events, maybe, maybe, st.lists(events, max_size=2).map(tuple), st.booleans())


def _times(pair: tuple[int, int | None]) -> tuple[int, int | None]:
    least, most = pair
    return (least, most) if most is None else (min(least, most), max(least, most))


def _conditions(has_param: bool) -> SearchStrategy[Anything]:
    filters = _filters(has_param)
    events = st.builds(tree.Event, texts | st.just(tree.ANYTHING), st.none() | filters)
    fields = st.builds(
        tree.Field,
        texts,
        _tests(has_param)
        | st.builds(
            tree.Elements,
            st.sampled_from(list(tree.Quantity)[:3]),
            _joined(st.builds(tree.Field, texts, _tests(has_param))),
        ),
        st.sampled_from(sorted(OF_PEOPLE)),
    )
    maybe_window = st.none() | windows
    measures = st.builds(tree.Measure, st.sampled_from(tree.Function), texts, events, maybe_window)
    times = st.tuples(st.integers(0, 5), st.none() | st.integers(0, 5)).map(_times)
    when = st.builds(tree.Within, windows) | st.builds(tree.Ago, durations)
    scope = (texts, st.just("*") | texts, st.just("*") | texts)
    steps = st.lists(_steps(events), min_size=1, max_size=3).map(tuple)
    return (
        fields
        | st.builds(lambda event, pair, window: tree.Did(event, pair[0], pair[1], window), events, times, maybe_window)
        | st.builds(tree.Amount, measures, compares | ranges)
        | st.builds(tree.Occurrence, st.sampled_from(tree.Which), events, when, st.none() | filters)
        | st.builds(tree.Occurrence, st.sampled_from(tree.Which), events, st.none(), filters)
        | st.builds(tree.Sequence, events, steps, maybe_window)
        | st.builds(tree.Change, events, st.sampled_from(tree.Trend), percents, exact_durations)
        | st.builds(tree.Consent, st.sampled_from(tree.Stance), *scope)
        | st.builds(
            lambda purpose, channel, topic, test: tree.Preference(purpose, test, channel, topic),
            *scope,
            st.just(tree.Present()) | st.builds(tree.Is, st.lists(texts, min_size=1, max_size=2).map(tuple)) | compares,
        )
        | st.builds(tree.InSegment, texts)
        | st.builds(tree.Rank, measures | texts, percents, st.none(), st.booleans())
        | st.builds(tree.Rank, measures | texts, st.none(), st.integers(1, 100), st.booleans())
    )


expressions = _joined(_conditions(has_param=False))

segments: SearchStrategy[tree.Segment] = st.builds(tree.Segment, st.just(1), expressions) | st.builds(
    tree.Segment,
    st.just(1),
    _joined(_conditions(has_param=True)),
    st.builds(tree.Each, texts, st.none() | texts),
)
