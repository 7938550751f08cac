"""Files that hold tracking calls themselves."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.ids import SourceId
from courtesy.event.accept import Draft, SourcePolicy, accept
from courtesy.event.cause import Cause
from courtesy.source.calls import CallsRenderer
from courtesy.source.mapping import parse_mapping
from courtesy.source.rendering import Rendered
from courtesy.source.rows import Records, Rows

UNDATED = "2026-01-02T03:04:05.000Z"


def render(records: list[dict[str, Any]], **parts: Any) -> list[Rendered]:
    """The calls of some rows, under a rule of those parts."""
    rule = parse_mapping(json.dumps({"rules": [parts]}).encode()).rules[0]
    assert rule.calls is not None
    rows = Rows(Records(records), range(1, len(records) + 1), [b""] * len(records))
    return CallsRenderer(rule, rule.calls, UNDATED).render(rows, [f"r{number}" for number in rows.numbers]).calls


def calls(records: list[dict[str, Any]], **parts: Any) -> list[dict[str, Any]]:
    """The same as objects."""
    return [json.loads(call.raw) for call in render(records, **parts)]


def from_arguments(method: str | None, *arguments: Any) -> dict[str, Any]:
    """The call that a method makes of its arguments, without what every call gets."""
    rendered = calls([{"call": method, "args": list(arguments)}], calls={"arguments": "args", "types": ["call"]})
    assert len(rendered) == 1
    return {name: value for name, value in rendered[0].items() if name not in ("messageId", "timestamp")}


def test_a_recorded_call_is_imported_as_it_is() -> None:
    """With its own message id: what came live before is recognised."""
    call = {"type": "track", "event": "A", "userId": "u", "messageId": "m1", "timestamp": "2015-01-01T00:00:00Z"}
    assert calls([{**call, "writeKey": "secret"}], calls={"each": "$"}) == [call]


def test_the_time_of_a_recorded_call_is_its_timestamp() -> None:
    """The sender's clock was corrected then; correcting it again by the arrival of the file would be absurd."""
    call = {
        "type": "page",
        "timestamp": "2015-01-01T00:00:03Z",
        "originalTimestamp": "2015-01-01T01:00:00Z",
        "sentAt": "2015-01-01T01:00:01Z",
    }
    (found,) = calls([call], calls={"each": "$"})
    assert found["timestamp"] == "2015-01-01T00:00:03Z"
    assert found.keys().isdisjoint({"originalTimestamp", "sentAt"})


def test_a_call_without_time_is_dated_with_the_file() -> None:
    """And gets the id of its row."""
    (found,) = calls([{"type": "page"}], calls={"each": "$"})
    assert (found["timestamp"], found["messageId"]) == (UNDATED, "r1")


def test_calls_can_lie_in_a_list_inside_the_row() -> None:
    """Each has its own id."""
    found = calls([{"x": {"list": [{"event": "A"}, {"event": "B"}]}}], calls={"each": "x.list[*]"})
    assert [(call["event"], call["messageId"]) for call in found] == [("A", "r1"), ("B", "r1.2")]


def test_a_batch_is_its_calls_with_its_context_under_theirs() -> None:
    """As over HTTP."""
    batch = {
        "batch": [{"type": "track", "event": "A", "context": {"ip": "1"}}, {"type": "page"}, 7],
        "context": {"ip": "0", "os": "x"},
    }
    rendered = render([batch], calls={"each": "$"})
    first, second, third = rendered
    assert json.loads(first.raw)["context"] == {"ip": "1", "os": "x"}
    assert json.loads(second.raw)["context"] == {"ip": "0", "os": "x"}
    assert third.problem is not None


def test_the_spelling_of_warehouses_is_understood() -> None:
    """Columns there are written with underscores."""
    (found,) = calls([{"type": "track", "event": "A", "user_id": "u", "message_id": "m"}], calls={"each": "$"})
    assert (found["userId"], found["messageId"]) == ("u", "m")


def test_identifiers_of_the_rule_are_for_calls_that_name_nobody() -> None:
    """A call with a user keeps to that user."""
    records = [{"type": "page", "visit": "v1"}, {"type": "page", "visit": "v1", "userId": "u"}]
    first, second = calls(records, identifiers={"anonymous_id": "visit"}, calls={"each": "$"})
    assert first["anonymousId"] == "v1"
    assert "anonymousId" not in second


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"event": "A"}, "track"),
        ({"action": "screen"}, "screen"),
        ({"previousId": "a", "userId": "b"}, "alias"),
        ({"groupId": "g", "traits": {}}, "group"),
        ({"traits": {}}, "identify"),
        ({"userId": "b"}, None),
    ],
)
def test_the_type_of_a_call_is_inferred_where_only_one_can_be(call: dict[str, Any], expected: str | None) -> None:
    """Otherwise accept refuses it: a guess could count something that never happened."""
    assert calls([call], calls={"each": "$"})[0]["type"] == expected


@pytest.mark.parametrize(
    ("method", "arguments", "expected"),
    [
        ("track", ["A", {"x": 1}], {"event": "A", "properties": {"x": 1}}),
        ("track", ["A", {}, {"context": {"ip": "1"}}], {"event": "A", "properties": {}, "context": {"ip": "1"}}),
        ("track", ["A", {}, {"ip": "1"}], {"event": "A", "properties": {}, "context": {"ip": "1"}}),
        ("identify", ["u", {"plan": "pro"}], {"userId": "u", "traits": {"plan": "pro"}}),
        ("identify", [{"plan": "pro"}], {"traits": {"plan": "pro"}}),
        ("page", ["Home"], {"name": "Home"}),
        ("page", ["Docs", "Home", {"x": 1}], {"category": "Docs", "name": "Home", "properties": {"x": 1}}),
        ("page", [{"path": "/"}], {"properties": {"path": "/"}}),
        ("group", ["g", {"size": 3}], {"groupId": "g", "traits": {"size": 3}}),
        ("alias", ["new", "old"], {"userId": "new", "previousId": "old"}),
        ("track", [{"type": "track", "event": "A"}], {"event": "A"}),
        ("identify", [{"userId": "u", "traits": {"a": 1}}], {"userId": "u", "traits": {"a": 1}}),
    ],
)
def test_arguments_of_the_browser_library_become_its_call(
    method: str, arguments: list[Any], expected: dict[str, Any]
) -> None:
    """Texts and objects in the order in which the method takes them; a whole call is one."""
    assert from_arguments(method, *arguments) == {"type": method, **expected}


def test_arguments_of_an_unknown_method_are_a_problem_of_their_row() -> None:
    """The row is kept as it came."""
    (rendered,) = render([{"call": "reset", "args": ["x"]}], calls={"arguments": "args", "types": ["call"]})
    assert rendered.problem is not None
    assert rendered.problem.cause is Cause.UNREADABLE
    assert json.loads(rendered.raw) == {"call": "reset", "args": ["x"]}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["track", "u", "page", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "userId", "user_id", "event", "batch", "context", "action", "messageId", "timestamp"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)


@given(st.fixed_dictionaries({"call": VALUES, "args": VALUES}), st.sampled_from(["each", "many", "arguments"]))
def test_any_object_becomes_calls_that_accept_takes_or_refuses(record: dict[str, Any], way: str) -> None:
    """Rendering never raises, and makes at least one call of a row unless a list in it is empty."""
    how = {"each": {"each": "args"}, "many": {"each": "args[*]"}, "arguments": {"arguments": "args"}}[way]
    rendered = render([record], calls={**how, "types": ["call"]}, identifiers={"anonymous_id": {"constant": "x"}})
    for call in rendered:
        msgspec.json.decode(call.raw)
        accept(Draft(call.raw, SourcePolicy(SourceId(1)), 1_900_000_000_000, None, str, None, False))
