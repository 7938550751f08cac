"""How a person is shown: nested traits with the later fact in front, where each came from, and what they did."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS
from courtesy.event.event import EventType, Party
from courtesy.person.catalog import Catalog, Subscription
from courtesy.person.state import PersonState
from courtesy.person.step import step
from courtesy.person.view import nested_traits, person_view, split_path, trait_origins
from tests.unit.person.facts import ANN, NOON_MS, SHOP, fact, folded, occurred


def _shown(*traits: dict[str, Any], ranks: tuple[int, ...] = ()) -> dict[str, Any]:
    """The traits after these were told one minute after the other, the same whatever the order of arrival."""
    given = [
        fact(f"m{n}", at=NOON_MS + n * 60_000, traits=each, rank=ranks[n] if ranks else 30)
        for n, each in enumerate(traits)
    ]
    shown, backwards = nested_traits(folded(given).traits), nested_traits(folded(given[::-1]).traits)
    assert shown == backwards
    return shown


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ([{"a": 1}, {"b": {"c": 2}}], {"a": 1, "b": {"c": 2}}),
        # Objects are merged name by name; arrays are values.
        ([{"a": {"b": 1}}, {"a": {"c": 2}}], {"a": {"b": 1, "c": 2}}),
        ([{"a": [1, 2]}, {"a": [3]}], {"a": [3]}),
        ([{"a": [{"b": 1}]}], {"a": [{"b": 1}]}),
        # A value and an object at one name: the later one.
        ([{"a": "x"}, {"a": {"b": 1}}], {"a": {"b": 1}}),
        ([{"a": {"b": 1}}, {"a": "x"}], {"a": "x"}),
        ([{"a": {"b": 1, "c": 2}}, {"a": "x"}, {"a": {"d": 3}}], {"a": {"d": 3}}),
        ([{"a": {"b": {"c": 1}}}, {"a": {"b": [2]}}], {"a": {"b": [2]}}),
        # An empty object claims its name, but empties nothing.
        ([{"a": {}}], {"a": {}}),
        ([{"a": {"b": 1}}, {"a": {}}], {"a": {"b": 1}}),
        ([{"a": "x"}, {"a": {}}], {"a": {}}),
        # Null unsets, with everything below it, and leaves no empty shells.
        ([{"a": 1}, {"a": None}], {}),
        ([{"a": {"b": 1}}, {"a": {"b": None}}], {}),
        ([{"a": {"b": {"c": 1}, "d": 2}}, {"a": {"b": None}}], {"a": {"d": 2}}),
        ([{"a": {"b": {"c": 1}}}, {"a": None}, {"a": {"b": {"d": 2}}}], {"a": {"b": {"d": 2}}}),
        ([{"a": None}, {"a": {"b": None}}], {}),
        ([{"a": {"b": {"c": 1}}}, {"a": {"b": None}}], {}),
        # What was a value before it was an object does not come back when the object is emptied.
        ([{"a": "x"}, {"a": {"b": 1}}, {"a": {"b": None}}], {}),
        ([{"a": "x"}, {"a": {"b": {"c": None}}}], {}),
        # Names with dots, backslashes, and none at all.
        ([{"zip.code": 7, "a": {"b.c": 1}}], {"zip.code": 7, "a": {"b.c": 1}}),
        ([{"a.b": 1, "a": {"b": 2}}], {"a.b": 1, "a": {"b": 2}}),
        ([{"a\\": {"b": 1}, "a\\.b": 2, "": {"": 3}}], {"a\\": {"b": 1}, "a\\.b": 2, "": {"": 3}}),
        # Numbers that no store has room for.
        ([{"a": 2**63, "b": [-(2**70)]}], {"a": "9223372036854775808", "b": ["-1180591620717411303424"]}),
    ],
)
def test_traits_are_shown_as_they_were_last_told(told: list[dict[str, Any]], shown: dict[str, Any]) -> None:
    """Nested as they came, with the later fact in front wherever two contradict each other."""
    assert _shown(*told) == shown


def test_a_less_trusted_shape_does_not_replace_a_more_trusted_one() -> None:
    """Rank goes before time between a value and an object, too."""
    assert _shown({"a": "x"}, {"a": {"b": 1}}, ranks=(30, 10)) == {"a": "x"}
    assert _shown({"a": {"b": 1}}, {"a": "x"}, ranks=(10, 30)) == {"a": "x"}
    assert _shown({"a": {"b": 1}}, {"a": {"b": None}}, ranks=(30, 10)) == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("path", "names"), [("a", ["a"]), ("a.b", ["a", "b"]), ("a\\.b.c", ["a.b", "c"]), ("", [""]), ("a.", ["a", ""])]
)
def test_a_path_is_cut_at_dots_that_are_not_escaped(path: str, names: list[str]) -> None:
    """The inverse of how it was made."""
    assert split_path(path) == names


def test_each_trait_tells_where_it_came_from() -> None:
    """Source by name, or by number when it is gone; party, rank and time; nothing for what was unset."""
    state = folded(
        [
            fact("m1", traits={"a": {"b": 1}}, source=SourceId(7), rank=40, party=Party.ZERO),
            fact("m2", traits={"c": 2, "d": None}),
        ]
    )
    assert trait_origins(state.traits, {SHOP: "shop"}) == {
        "a.b": {"source": "7", "party": "zero", "rank": 40, "at": "2025-11-22T12:00:00.000Z"},
        "c": {"source": "shop", "party": "first", "rank": 30, "at": "2025-11-22T12:00:00.000Z"},
    }


def test_a_person_is_shown_with_what_they_did() -> None:
    """Counts, sums, first and last, days, groups, the latest events, and what waits; ready for JSON."""
    waits = Catalog(1, (Subscription("cart", "https://x.example", ("Cart Updated",), delay_ms=1_000),))
    state = folded(
        [
            fact("m1", at=NOON_MS - DAY_MS, properties={"revenue": 0.1}),
            fact("m2", properties={"revenue": 19.99}),
            fact("m3", None, type=EventType.GROUP, group="acme", at=NOON_MS + 1),
        ]
    )
    step(state, occurred(fact("m4", "Cart Updated", at=NOON_MS + 2)), waits, NOON_MS)
    view = person_view(state, {SHOP: "shop"})
    assert msgspec.json.decode(msgspec.json.encode(view)) == view
    assert view["person"] == "1"
    assert (view["event_count"], view["event_types"]) == (4, {"group": 1, "track": 3})
    assert (view["first_seen"], view["last_seen"]) == ("2025-11-21T12:00:00.000Z", "2025-11-22T12:00:00.002Z")
    assert view["events"]["Product Viewed"] == {
        "count": 2,
        "first": "2025-11-21T12:00:00.000Z",
        "last": "2025-11-22T12:00:00.000Z",
        "sums": {"revenue": 20.09},
        "recent": ["2025-11-22T12:00:00.000Z", "2025-11-21T12:00:00.000Z"],
        "days": {"2025-11-22": 1, "2025-11-21": 1},
    }
    assert [each["message_id"] for each in view["recent"]] == ["m4", "m3", "m2", "m1"]
    assert view["groups"] == [
        {"group": "acme", "first": "2025-11-22T12:00:00.001Z", "last": "2025-11-22T12:00:00.001Z"}
    ]
    ((waiting,),) = ([view["waiting"]],)
    assert waiting[0]["subscription"] == "cart"
    assert waiting[0]["due"] == "2025-11-22T12:00:01.002Z"


def test_a_person_of_whom_nothing_is_known_can_be_shown() -> None:
    """Before the first fact, and after everything was handed over."""
    view = person_view(PersonState(ANN), {})
    assert (view["traits"], view["event_count"], view["first_seen"], view["events"]) == ({}, 0, None, {})
