"""Mending: each operation does what it says, and nothing beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.event.mend import (
    Cast,
    Default,
    Drop,
    Kind,
    MapValues,
    Operation,
    Rename,
    Unmended,
    described,
    mend,
    path_of,
    problem_of,
    steps_of,
)

names = st.text(max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
items = st.dictionaries(names, values, max_size=5)
paths = st.lists(names.filter(bool), min_size=1, max_size=3).map(path_of)
operations: st.SearchStrategy[Operation] = st.one_of(
    st.builds(Rename, paths, paths).filter(lambda each: each.from_ != each.to),
    st.builds(Cast, paths, st.sampled_from(Kind)),
    st.builds(Default, paths, values),
    st.builds(Drop, paths),
    st.builds(MapValues, paths, st.dictionaries(names, values, min_size=1, max_size=3)),
)


def mended(item: Any, *fix: Operation) -> Any:
    """The item after a fix that can be applied."""
    raw = mend(json.dumps(item).encode(), fix)
    assert isinstance(raw, bytes), raw
    return json.loads(raw)


def why_not(item: Any, *fix: Operation) -> Unmended:
    """Why a fix can't be applied."""
    problem = mend(json.dumps(item).encode(), fix)
    assert isinstance(problem, Unmended)
    return problem


@pytest.mark.parametrize(
    ("item", "operation", "expected"),
    [
        ({"name": 1, "a": 2}, Rename("name", "event"), {"a": 2, "event": 1}),
        ({"p": {"id": 7, "x": 1}}, Rename("p.id", "userId"), {"p": {"x": 1}, "userId": 7}),
        ({"email": "e"}, Rename("email", "context.traits.email"), {"context": {"traits": {"email": "e"}}}),
        ({"userId": ["u1", "u2"]}, Rename("userId.0", "userId"), {"userId": "u1"}),
        ({"userId": {"id": "u1"}}, Rename("userId.id", "userId"), {"userId": "u1"}),
        ({"a": 1, "b": None}, Rename("a", "b"), {"b": 1}),
        ({"a": 1}, Rename("x", "b"), {"a": 1}),
        ({"a": 1}, Rename("a.b", "c"), {"a": 1}),
        ({"a.b": 1}, Rename(r"a\.b", "c"), {"c": 1}),
        ({"n": "1,234.5"}, Cast("n", Kind.NUMBER), {"n": 1234.5}),
        ({"n": 7}, Cast("n", Kind.TEXT), {"n": "7"}),
        ({"n": {"a": 1}}, Cast("n", Kind.TEXT), {"n": '{"a":1}'}),
        ({"n": "Yes"}, Cast("n", Kind.BOOLEAN), {"n": True}),
        ({"p": '{"a": [1]}'}, Cast("p", Kind.OBJECT), {"p": {"a": [1]}}),
        ({"p": {"a": 1}}, Cast("p", Kind.OBJECT), {"p": {"a": 1}}),
        ({"t": "22/11/2025 03:00"}, Cast("t", Kind.DATE, "%d/%m/%Y %H:%M"), {"t": "2025-11-22T03:00:00.000Z"}),
        (
            {"t": "22/11/2025 03:00"},
            Cast("t", Kind.DATE, "%d/%m/%Y %H:%M", "Europe/Madrid"),
            {"t": "2025-11-22T02:00:00.000Z"},
        ),
        ({"t": 1_763_780_645_000_000}, Cast("t", Kind.DATE, "unix_us"), {"t": "2025-11-22T03:04:05.000Z"}),
        ({"t": None}, Cast("t", Kind.DATE), {"t": None}),
        ({}, Cast("t", Kind.DATE), {}),
        ({}, Default("event", "Sold"), {"event": "Sold"}),
        ({"event": None}, Default("event", "Sold"), {"event": "Sold"}),
        ({"event": ""}, Default("event", "Sold"), {"event": ""}),
        ({"p": None}, Default("p.currency", "EUR"), {"p": {"currency": "EUR"}}),
        ({"a": 1, "p": {"b": 2}}, Drop("p.b"), {"a": 1, "p": {}}),
        ({"l": [1, {"b": 2}]}, Drop("l.1.b"), {"l": [1, {}]}),
        ({"l": [1, 2]}, Drop("l.0"), {"l": [2]}),
        ({"a": 1}, Drop("a.b.c"), {"a": 1}),
        ({"type": "trak"}, MapValues("type", {"trak": "track"}), {"type": "track"}),
        ({"code": 7}, MapValues("code", {"7": "seven"}), {"code": "seven"}),
        ({"type": "other"}, MapValues("type", {"trak": "track"}), {"type": "other"}),
    ],
)
def test_each_operation_does_what_it_says(item: Any, operation: Operation, expected: Any) -> None:
    """And nothing where there is nothing to do."""
    assert mended(item, operation) == expected


@pytest.mark.parametrize(
    ("item", "operation", "detail"),
    [
        ({"a": 1, "b": 2}, Rename("a", "b"), "there is something at b already"),
        ({"a": 1, "b": 2}, Rename("a", "b.c"), "expected an object at b, got 2"),
        ({"n": "many"}, Cast("n", Kind.NUMBER), "n: expected a number, got 'many'"),
        ({"n": [1]}, Cast("n", Kind.BOOLEAN), "n: expected a single value, got [1]"),
        ({"p": "[1]"}, Cast("p", Kind.OBJECT), 'p: expected JSON text of an object, got "[1]"'),
        ({"t": "soon"}, Cast("t", Kind.DATE), "t: expected a date, got 'soon'"),
        ({"p": 1}, Default("p.x", 1), "expected an object at p, got 1"),
        ({"l": [1]}, Default("l.5", 1), "expected an element of the list at l, got '5'"),
        ([1], Drop("a"), "the event is not a JSON object"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_step(item: Any, operation: Operation, detail: str) -> None:
    """As a value, for a fix is applied to many events of which some are odd."""
    assert why_not(item, Drop("nothing"), operation).detail == detail


def test_operations_are_applied_in_their_order() -> None:
    """What one makes the next one finds."""
    fix = (Rename("n", "event"), MapValues("event", {"a": "b"}), Default("type", "track"))
    assert mended({"n": "a"}, *fix) == {"event": "b", "type": "track"}
    assert why_not({"n": "a"}, Rename("n", "x"), Cast("x", Kind.NUMBER)).number == 2


@pytest.mark.parametrize("raw", [b"", b"{", b"nonsense", b'{"a": NaN}', b"\xff", b"{" * 5_000])
def test_what_is_no_json_cannot_be_mended(raw: bytes) -> None:
    """It is told, and never raises."""
    assert isinstance(mend(raw, (Rename("a", "b"),)), Unmended)


@given(items, st.lists(operations, max_size=4))
def test_a_fix_never_raises_and_leaves_valid_json(item: Any, fix: list[Operation]) -> None:
    """Whatever came, and whatever is to be done with it."""
    raw = json.dumps(item).encode()
    result = mend(raw, fix)
    assert isinstance(result, Unmended) or isinstance(json.loads(result), dict)


@given(items, operations)
def test_places_that_are_not_named_stay_as_they_are(item: dict[str, Any], operation: Operation) -> None:
    """Only what lies under the first names of an operation's paths may differ, byte for byte."""
    raw = json.dumps(item).encode()
    result = mend(raw, (operation,))
    if isinstance(result, Unmended):
        return
    named = {operation.from_, operation.to} if isinstance(operation, Rename) else {operation.path}
    touched = {steps_of(path)[0] for path in named}
    after = json.loads(result)
    assert {name: value for name, value in after.items() if name not in touched} == {
        name: value for name, value in item.items() if name not in touched
    }


@given(items, st.builds(Rename, paths, paths) | st.builds(Drop, paths) | st.builds(Default, paths, values))
def test_a_fix_applied_twice_is_applied_once(item: dict[str, Any], operation: Operation) -> None:
    """So a fix does no harm to what it mended before; a list is another matter, for its elements move up."""
    raw = json.dumps(item).encode()
    once = mend(raw, (operation,))
    places = (operation.from_, operation.to) if isinstance(operation, Rename) else (operation.path,)
    steps = [steps_of(place) for place in places]
    nested = len(steps) == 2 and steps[0][: len(steps[1])] == steps[1]
    if isinstance(once, Unmended) or nested or any(step.isdigit() for each in steps for step in each):
        return
    twice = mend(once, (operation,))
    assert isinstance(twice, bytes)
    assert json.loads(twice) == json.loads(once)


def test_bytes_that_nobody_touches_are_kept() -> None:
    """Numbers that a computer can't hold, odd spelling and escapes survive beside a change; no change, no new bytes."""
    raw = b'{ "n" : 1.10, "big": 123456789012345678901234567890, "s":"\\u00e9", "o": { "x" : 1 }, "name":"a"}'
    result = mend(raw, (Rename("name", "event"),))
    assert result == b'{"n":1.10,"big":123456789012345678901234567890,"s":"\\u00e9","o":{ "x" : 1 },"event":"a"}'
    assert mend(raw, (Rename("none", "event"), Drop("o.y"))) == raw


@given(st.lists(names.filter(bool), min_size=1, max_size=4))
def test_paths_are_written_and_read(steps: list[str]) -> None:
    """Whatever the names are, dots and backslashes too."""
    assert steps_of(path_of(steps)) == tuple(steps)


@pytest.mark.parametrize(
    ("operation", "problem"),
    [
        (Drop("a..b"), "expected a path such as properties.price, got 'a..b'"),
        (Drop("."), "expected a path such as properties.price, got '.'"),
        (Drop(".".join("a" * 17)), "expected a path such as"),
        (Rename("a", "a"), "expected two places, got the same twice"),
        (Cast("a", Kind.DATE, "iso", "Mars/Olympus"), "Mars/Olympus"),
    ],
)
def test_operations_that_cannot_be_right_are_found_out(operation: Operation, problem: str) -> None:
    """Before they are applied to anything."""
    assert problem in str(problem_of(operation))
    assert problem_of(Cast("a", Kind.DATE, "%d.%m.%Y", "Europe/Madrid")) is None


def test_operations_are_told_in_plain_words() -> None:
    """As somebody reads them who is about to let thousands of events in."""
    told = [
        described(each)
        for each in (
            Rename("a", "b"),
            Cast("t", Kind.DATE, "%d", "Europe/Madrid"),
            Cast("p", Kind.OBJECT),
            Cast("n", Kind.NUMBER),
            Default("e", "x"),
            Drop("d"),
            MapValues("m", {str(n): n for n in range(7)}),
        )
    ]
    assert told == [
        "rename a to b",
        "read t as a date in the form %d in Europe/Madrid",
        "read p as JSON",
        "read n as number",
        'where e is missing, set it to "x"',
        "drop d",
        "in m, change 0 → 0, 1 → 1, 2 → 2, 3 → 3, 4 → 4 and 2 more",
    ]
