"""Rendering: what calls the rows of a table become."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.ids import SourceId
from courtesy.event.accept import Accepted, Claim, Draft, SourcePolicy, accept
from courtesy.event.cause import Cause
from courtesy.source.mapping import Rule, parse_mapping
from courtesy.source.rendering import Rendering, TableRenderer
from courtesy.source.rows import Rows

UNDATED = "2026-01-02T03:04:05.000Z"
TRACK: dict[str, Any] = {"type": "track", "event": {"constant": "Bought"}}


def rule(**parts: Any) -> Rule:
    """A rule of those parts."""
    return parse_mapping(json.dumps({"rules": [parts]}).encode()).rules[0]


def table(**columns: list[Any]) -> Rows:
    """Rows with those columns."""
    count = len(next(iter(columns.values())))
    return Rows(columns, range(1, count + 1), [b""] * count)


def render(rows: Rows, **parts: Any) -> Rendering:
    """What the rows become under a rule of those parts."""
    return TableRenderer(rule(**parts), UNDATED).render(rows, [f"r{number}" for number in rows.numbers])


def calls(rows: Rows, **parts: Any) -> list[dict[str, Any]]:
    """Their calls as objects."""
    return [json.loads(call.raw) for call in render(rows, **parts).calls]


def only(rows: Rows, **output: Any) -> dict[str, Any]:
    """The only call of a table of one row."""
    (call,) = calls(rows, outputs=[{**TRACK, **output}])
    assert isinstance(call, dict)
    return call


def test_a_row_becomes_a_call_with_its_id_and_time() -> None:
    """The whole of it, as the protocol has it."""
    (call,) = calls(
        table(customer=[7], at=["2019-10-01 00:00:00 UTC"], action=["view"], price=["33.20"]),
        identifiers={"user_id": "customer"},
        time="at",
        outputs=[
            {
                "type": "track",
                "event": {"column": "action", "values": {"view": "Product Viewed"}},
                "properties": {"price": {"column": "price", "as": "number"}, "shop": {"constant": "north"}},
            }
        ],
    )
    assert call == {
        "type": "track",
        "messageId": "r1.t",
        "timestamp": "2019-10-01T00:00:00.000Z",
        "event": "Product Viewed",
        "userId": 7,
        "properties": {"price": 33.2, "shop": "north"},
    }


def test_empty_values_are_left_out() -> None:
    """An absent value must not overwrite one that is known."""
    call = only(table(a=[None], b=[None]), properties={"a": "a"}, traits={"deep.b": "b"})
    assert call.keys() == {"type", "messageId", "timestamp", "event"}


def test_a_dot_in_a_name_makes_nested_objects() -> None:
    """Of traits, properties and context alike."""
    call = only(table(city=["Bonn"], zip=["53111"]), traits={"address.city": "city", "address.zip": "zip"})
    assert call["traits"] == {"address": {"city": "Bonn", "zip": "53111"}}


def test_identifiers_go_where_the_protocol_has_them() -> None:
    """Its own fields, the device, and for all other kinds the list of external ids."""
    (call,) = calls(
        table(u=["1"], a=["2"], d=["3"], e=["e@x.example"], c=[None]),
        identifiers={"user_id": "u", "anonymous_id": "a", "device_id": "d", "email": "e", "card": "c"},
        outputs=[{**TRACK, "context": {"device.type": {"constant": "till"}}}],
    )
    assert (call["userId"], call["anonymousId"]) == ("1", "2")
    assert call["context"] == {
        "device": {"type": "till", "id": "3"},
        "externalIds": [{"id": "e@x.example", "type": "email", "collection": "users", "encoding": "none"}],
    }


def test_identifiers_are_claimed_by_accept() -> None:
    """What the mapping calls an e-mail address or a card is one to the rest of the system."""
    rendering = render(table(e=["e@x.example"], c=["77"]), identifiers={"email": "e", "card": "c"}, outputs=[TRACK])
    policy = SourcePolicy(SourceId(1), traits_identify=False)
    accepted = accept(Draft(rendering.calls[0].raw, policy, 1_900_000_000_000, None, bytes.decode, None, False))
    assert isinstance(accepted, Accepted)
    assert accepted.claims == (Claim("email", "e@x.example"), Claim("card", "77"))
    assert not accepted.event.live


def test_a_fallback_identifier_stands_in_for_guests_only() -> None:
    """A condition on the value: rows with a customer have no guest id that would join them to others."""
    found = calls(
        table(customer=["7", None], invoice=["a", "b"]),
        identifiers={
            "user_id": "customer",
            "anonymous_id": {"template": "guest-{invoice}", "when": {"column": "customer", "empty": True}},
        },
        outputs=[TRACK],
    )
    assert [(call.get("userId"), call.get("anonymousId")) for call in found] == [("7", None), (None, "guest-b")]


def test_one_row_becomes_several_calls_with_ids_of_their_own() -> None:
    """Each output where its condition holds; two of a type differ by their number."""
    rendering = render(
        table(mail=["a@x.example", None]),
        outputs=[
            {"type": "identify", "traits": {"email": "mail"}, "when": {"column": "mail", "empty": False}},
            TRACK,
            {"type": "track", "event": {"constant": "Again"}},
        ],
    )
    assert [call.message_id for call in rendering.calls] == ["r1.i", "r1.t", "r2.t", "r1.t2", "r2.t2"]
    assert [call.place for call in rendering.calls] == [0, 0, 1, 0, 1]


def test_rows_that_a_rule_leaves_out_are_counted() -> None:
    """All of its conditions must hold."""
    rendering = render(
        table(status=["paid", "test", "paid", "open"], customer=["1", "2", None, "4"]),
        when=[{"column": "status", "in": ["paid", "test"]}, {"column": "customer", "empty": False}],
        outputs=[TRACK],
    )
    assert [call.place for call in rendering.calls] == [0, 1]
    assert rendering.left_out_count == 2


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"empty": True}, [False, False, True, True]),
        ({"empty": False}, [True, True, False, False]),
        ({"in": ["C1", "7"]}, [True, True, False, False]),
        ({"matches": "C.*"}, [True, False, False, False]),
    ],
)
def test_conditions_compare_values_as_text(condition: dict[str, Any], expected: list[bool]) -> None:
    """A number is its digits, blank text is empty, and a pattern must match the whole."""
    kept = render(table(x=["C1", 7, " ", None]), when=[{"column": "x", **condition}], outputs=[TRACK]).calls
    assert [place in {call.place for call in kept} for place in range(4)] == expected


def test_a_product_is_rounded_where_floats_begin_to_err() -> None:
    """Six times 2.55 is 15.3, which floats alone do not say; without a factor there is none."""
    rows = table(quantity=["6", "3", None], price=[2.55, 0.1, 1.0])
    product = {"revenue": {"product": ["quantity", "price"]}}
    found = calls(rows, outputs=[{**TRACK, "properties": product}])
    assert [call.get("properties", {}).get("revenue") for call in found] == [15.3, 0.3, None]


@given(st.integers(-10_000, 10_000), st.integers(-1_000_000, 1_000_000))
def test_a_product_of_prices_is_exact_to_the_cent(quantity: int, cents: int) -> None:
    """The float is the one nearest to the exact amount."""
    rows = table(quantity=[quantity], price=[cents / 100])
    call = only(rows, properties={"revenue": {"product": ["quantity", "price"]}})
    assert call["properties"]["revenue"] == quantity * cents / 100


def test_otherwise_stands_in_for_empty_values_where_the_condition_holds() -> None:
    """A value that a condition takes away stays away."""
    value = {"column": "x", "otherwise": "none", "when": {"column": "kind", "in": ["a"]}}
    found = calls(table(x=["1", None, None], kind=["a", "a", "b"]), outputs=[{**TRACK, "properties": {"x": value}}])
    assert [call.get("properties") for call in found] == [{"x": "1"}, {"x": "none"}, None]


def test_what_cannot_be_cast_is_a_problem_of_its_row_and_stays_in_the_call() -> None:
    """So that it can be mended and replayed: the message says what was expected, and where."""
    rendering = render(
        table(price=["1.5", "cheap"], at=["2019-10-01", "2019-10-01"]),
        time="at",
        outputs=[{**TRACK, "properties": {"price": {"column": "price", "as": "number"}}}],
    )
    good, bad = rendering.calls
    assert good.problem is None
    assert bad.problem == (Cause.WRONG_TYPE, "properties.price: expected a number, got 'cheap'")
    assert json.loads(bad.raw)["properties"] == {"price": "cheap"}


@pytest.mark.parametrize(("value", "detail"), [("31.02.2019", "got '31.02.2019'"), (None, "got nothing")])
def test_a_row_without_a_readable_time_is_a_problem(value: str | None, detail: str) -> None:
    """It must not become an event of the day of the import."""
    (call,) = render(table(at=[value]), time="at", outputs=[TRACK]).calls
    assert call.problem is not None
    assert call.problem.cause is Cause.TIME_UNREADABLE
    assert detail in call.problem.detail


def test_a_file_without_times_is_dated_as_a_whole() -> None:
    """By the time that the caller gives."""
    assert only(table(x=[1]))["timestamp"] == UNDATED


def test_the_message_id_can_come_from_columns() -> None:
    """As it is for the first call of a row, marked for the others; the row's own id stands in for an empty one."""
    rendering = render(
        table(order=["7", None], line=["1", "2"]),
        message_id={"template": "{order}/{line}"},
        outputs=[TRACK, {"type": "identify", "traits": {"x": "line"}}],
    )
    assert [call.message_id for call in rendering.calls] == ["7/1", "r2.t", "7/1.i", "r2.i"]


def test_groups_pages_and_aliases_have_their_fields() -> None:
    """Each type of call says what the protocol wants of it."""
    group, page, alias = calls(
        table(company=["c1"], title=["Home"], old=["o1"]),
        outputs=[
            {"type": "group", "group_id": "company", "traits": {"size": {"constant": 3}}},
            {"type": "page", "name": "title"},
            {"type": "alias", "previous_id": "old"},
        ],
    )
    assert (group["groupId"], group["traits"]) == ("c1", {"size": 3})
    assert page["name"] == "Home"
    assert alias["previousId"] == "o1"


def test_braces_in_a_template_can_be_content() -> None:
    """Doubled, as in Python."""
    call = only(table(x=["1"]), properties={"x": {"template": "{{{x}}}"}, "y": {"template": "plain"}})
    assert call["properties"] == {"x": "{1}", "y": "plain"}


CELL = (
    st.none() | st.text(max_size=6) | st.integers() | st.floats() | st.booleans() | st.lists(st.integers(), max_size=2)
)


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6))
def test_any_cells_become_calls_that_accept_takes_or_refuses(rows: list[tuple[Any, Any, Any]]) -> None:
    """Whatever is in a file, each row is one call: rendering never raises, nor does accept."""
    a, b, c = zip(*rows, strict=True)
    rendering = render(
        table(a=list(a), b=list(b), c=list(c)),
        identifiers={"user_id": "a", "email": "b", "device_id": "c"},
        time={"column": "b", "format": "unix_s"},
        outputs=[
            {
                "type": "track",
                "event": {"column": "c", "values": {"1": "One"}},
                "properties": {
                    "n": {"column": "a", "as": "number"},
                    "t": {"column": "b", "as": "text"},
                    "j": {"column": "b", "as": "json"},
                    "m": {"product": ["a", "c"]},
                    "s": {"template": "{a}-{b}"},
                },
            }
        ],
    )
    assert len(rendering.calls) == len(rows)
    for call in rendering.calls:
        accept(Draft(call.raw, SourcePolicy(SourceId(1)), 1_900_000_000_000, None, bytes.decode, None, False))
