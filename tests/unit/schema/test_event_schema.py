"""Checks made from schemas: what breaks them in words, what is no schema, and which one holds for whom."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import SourceId
from courtesy.event.accept import Accepted, Draft, SourcePolicy, accept
from courtesy.event.event import Event
from courtesy.schema.event_schema import EventCheck, EventSchema, Subject, book_of, compile_schema, event_name, subject

ORDER = {
    "type": "object",
    "properties": {
        "total": {"type": "number", "minimum": 0},
        "currency": {"enum": ["EUR", "USD"]},
        "email": {"type": ["string", "null"], "format": "email"},
        "items": {"type": "array", "items": {"type": "object", "required": ["sku"]}},
    },
    "required": ["total"],
}


def check(schema: dict[str, Any], name: str = "shop/Bought") -> EventCheck:
    """A check made from a schema."""
    return EventCheck(subject(name), 3, EventSchema(schema), compile_schema(schema))


def event(**fields: Any) -> Event:
    """An accepted event."""
    raw = msgspec.json.encode({"type": "track", "event": "Bought", "userId": "ann", "messageId": "m1"} | fields)
    accepted = accept(Draft(raw, SourcePolicy(SourceId(1)), 1_000, None, bytes.decode, None, True))
    assert isinstance(accepted, Accepted)
    return accepted.event


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ({"total": "12,50"}, 'expected a number at $.properties.total, got "12,50"'),
        ({"total": -1}, "expected 0 or more at $.properties.total, got -1"),
        ({}, "expected a value at $.properties.total, got nothing"),
        ({"total": 1, "currency": "eur"}, 'expected one of "EUR", "USD" at $.properties.currency, got "eur"'),
        ({"total": 1, "email": "ann"}, 'expected text in the form email at $.properties.email, got "ann"'),
        ({"total": 1, "items": [{"sku": 1}, {}]}, "expected a value at $.properties.items[1].sku, got nothing"),
        ({"total": 1, "email": 5}, "expected text or null at $.properties.email, got 5"),
    ],
)
def test_a_breach_says_where_what_was_expected_and_what_came(properties: dict[str, Any], said: str) -> None:
    """In words that whoever sends the event understands, with the schema and its revision."""
    assert check(ORDER).breach_of(event(properties=properties)) == f"{said} (schema shop/Bought, revision 3)"


def test_an_event_that_fits_has_no_breach() -> None:
    """Fields that the schema does not know are fine unless it says otherwise."""
    fine = {"total": 10**30, "currency": "EUR", "email": None, "items": [], "more": {"a": 1}}
    assert check(ORDER).breach_of(event(properties=fine)) == ""


def test_unknown_fields_break_a_closed_schema() -> None:
    """They are named."""
    closed = check({"properties": {"a": {}}, "additionalProperties": False})
    assert closed.breach_of(event(properties={"a": 1, "b": 2})).startswith(
        'expected no other fields at $.properties, got "b"'
    )


def test_the_detail_of_many_breaches_stays_short() -> None:
    """However much is wrong, and however long what came is."""
    wanted = {"properties": {f"f{n}": {"type": "integer"} for n in range(100)}}
    said = check(wanted).breach_of(event(properties={f"f{n}": "x" * 300 for n in range(100)}))
    assert said.count("expected") == 3
    assert len(said) < 600


@pytest.mark.parametrize(
    ("fields", "name", "place"),
    [
        ({}, "Bought", "$.properties"),
        ({"type": "identify", "traits": {"total": "x"}}, "identify", "$.traits"),
        ({"type": "group", "groupId": "g", "traits": {"total": "x"}}, "group", "$.traits"),
        ({"type": "page", "name": "Home"}, "page", "$.properties"),
        ({"type": "screen"}, "screen", "$.properties"),
        ({"type": "alias", "previousId": "old"}, None, "$.properties"),
    ],
)
def test_each_call_has_its_name_and_its_object(fields: dict[str, Any], name: str | None, place: str) -> None:
    """Track calls are known by their own names, the others by their type; traits are those that the call sets."""
    given = event(**fields)
    assert event_name(given) == name
    assert f"at {place}.total" in check(ORDER).breach_of(given)


@pytest.mark.parametrize(
    ("schema", "place", "message"),
    [
        ({"type": "strin"}, "schema.type", 'expected a JSON type: null, boolean, integer, number, string, array or '
         'object, got "strin"'),
        ({"properties": {"a": {"minimum": "x"}}}, "schema.properties.a.minimum", 'expected a number, got "x"'),
        ({"required": "a"}, "schema.required", 'expected a list, got "a"'),
        ({"pattern": "("}, "schema.pattern", 'expected a regular expression, got "("'),
        ({"pattern": "(?=a)b"}, "schema.pattern", 'expected a regular expression, got "(?=a)b"'),
    ],
)  # fmt: skip
def test_what_is_no_schema_is_refused_with_its_place(schema: dict[str, Any], place: str, message: str) -> None:
    """Whoever writes a schema learns what is wrong, where."""
    with pytest.raises(CourtesyError) as raised:
        compile_schema(schema)
    assert (raised.value.code, raised.value.place, raised.value.message) == (Code.INVALID, place, message)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/x.json", "https://schemas.example/x", "file:///etc/hostname", "other.json"]
)
@pytest.mark.parametrize("around", [lambda ref: ref, lambda ref: {"properties": {"a": {"items": ref}}}])
def test_nothing_that_a_schema_refers_to_is_fetched(address: str, around: Any) -> None:
    """Neither from the network nor from the disk; references within the schema work."""
    with pytest.raises(CourtesyError, match="expected references within the schema"):
        compile_schema(around({"$ref": address}))
    inside = {"properties": {"a": {"$ref": "#/$defs/money"}}, "$defs": {"money": {"type": "number"}}}
    assert not compile_schema(inside).is_valid({"a": "x"})


def test_a_schema_that_is_nested_without_end_is_refused() -> None:
    """It must not exhaust the stack of the server."""
    schema: dict[str, Any] = {}
    for _ in range(600):
        schema = {"properties": {"a": schema}}
    with pytest.raises(CourtesyError, match="expected a JSON Schema"):
        compile_schema(schema)


def test_a_schema_that_refers_to_itself_ends() -> None:
    """Trees are a use of it; a circle alone says nothing."""
    tree = {"properties": {"kids": {"type": "array", "items": {"$ref": "#"}}}}
    assert not compile_schema(tree).is_valid({"kids": [{"kids": [{"kids": 1}]}]})
    assert compile_schema({"$ref": "#"}).is_valid({})


def test_a_sources_own_schema_goes_before_one_for_every_source() -> None:
    """And holds alone; what it does not have is found among those for every source."""
    own, every, other = check({}, "shop/Bought"), check(ORDER, "*/Bought"), check(ORDER, "*/page")
    lost = check(ORDER, "gone/Bought")
    book = book_of([own, every, other, lost], {"shop": SourceId(1), "till": SourceId(2)})
    assert book.of(SourceId(1)) == {"Bought": own, "page": other}
    assert book.of(SourceId(2)) == {"Bought": every, "page": other}
    assert book_of([], {"shop": SourceId(1)}).of(SourceId(1)) == {}


@pytest.mark.parametrize("name", ["", "shop", "shop/", "/Bought"])
def test_a_name_without_source_or_event_is_refused(name: str) -> None:
    """With what it should look like."""
    with pytest.raises(CourtesyError, match="expected <source>/<event name>"):
        subject(name)


def test_event_names_may_have_slashes() -> None:
    """The first one ends the source."""
    assert subject("shop/a/b") == Subject("shop", "a/b")
    assert str(subject("shop/a/b")) == "shop/a/b"
