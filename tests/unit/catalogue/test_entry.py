"""Laws of entries: patches, what is found by which value, and what of a change is news."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.catalogue.change import EVENTS, PRICE_DROPPED, PRICE_ROSE, edited
from courtesy.catalogue.definition import CatalogueDefinition, EntryField, FieldType
from courtesy.catalogue.entry import check_id, encode_body, ids_in, merged, terms_asked, terms_of
from courtesy.catalogue.values import inferred, paths_of
from courtesy.person.step import STARTING

NAMES = st.sampled_from(["a", "b", "price", "stock"])
PLAIN = st.booleans() | st.integers(-1000, 1000) | st.floats(-1e6, 1e6) | st.text("aäb0", max_size=5)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
FIELDS = st.dictionaries(NAMES, VALUES, max_size=4)
PATCHES = st.dictionaries(NAMES, VALUES | st.none(), max_size=4)
MONEY = CatalogueDefinition(fields={"price": EntryField(FieldType.MONEY, currency="EUR")})


@given(FIELDS, PATCHES)
def test_a_patch_twice_is_a_patch_once(values: dict[str, Any], patch: dict[str, Any]) -> None:
    """And an empty one changes nothing; what is null is gone."""
    once = merged(values, patch)
    assert merged(once, patch) == once
    assert merged(values, {}) == values
    assert all(name not in once for name, value in patch.items() if value is None)


@given(FIELDS)
def test_an_entry_is_found_by_all_that_it_has(values: dict[str, Any]) -> None:
    """Asked for as people write it: text as it is, all else as JSON."""
    kept = msgspec.json.decode(encode_body(values))
    terms = set(terms_of(kept))
    for path, value in paths_of(kept):
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if not isinstance(value, bool):
            assert not terms.isdisjoint(terms_asked(path, text))


@given(st.decimals(0, 1000, places=2), st.decimals(0, 1000, places=2))
def test_a_price_drops_when_it_is_lower(before: Any, after: Any) -> None:
    """To the cent, and not when it is only written otherwise."""
    old = edited(MONEY, None, "p", {"price": float(before)}, "test", 1).entry
    found = edited(MONEY, old, "p", {"price": {"amount": float(after), "currency": "EUR"}}, "test", 2)
    expected = [] if before == after else [PRICE_DROPPED if after < before else PRICE_ROSE]
    assert [each.name for each in found.news] == expected


def test_news_starts_subscriptions() -> None:
    """Every name of it: or webhooks and journeys would never hear."""
    assert EVENTS <= STARTING


@pytest.mark.parametrize(
    ("properties", "path", "found"),
    [
        ({"product_id": "p1"}, "product_id", {"p1"}),
        ({"product_id": 7}, "product_id", {"7"}),
        ({"products": [{"product_id": "p1"}, {"product_id": ["p2"]}, 3, {}]}, "products.product_id", {"p1", "p2"}),
        ({"product_id": True}, "product_id", set()),
        ({"product_id": "x" * 201}, "product_id", set()),
        ({"product_id": {"id": "p1"}}, "product_id", set()),
        ({}, "a.b", set()),
    ],
)
def test_ids_are_found_where_events_have_them(properties: dict[str, Any], path: str, found: set[str]) -> None:
    """In a property, or in each of a list."""
    assert ids_in(properties, path.split(".")) == found


@pytest.mark.parametrize(
    ("name", "value", "type_"),
    [
        ("price", {"amount": 1, "currency": "EUR"}, "money"),
        ("stock", 3, "stock"),
        ("rating", 4.5, "number"),
        ("title", {"de": "Tasse", "en-GB": "Cup"}, "localised"),
        ("size", {"height": 1}, "object"),
        ("picture", "https://x.example/a.webp?x=1", "image"),
        ("since", "2026-01-01T00:00:00Z", "instant"),
    ],
)
def test_what_is_not_declared_is_what_it_looks_like(name: str, value: Any, type_: str) -> None:
    """By its shape, and stock by its name."""
    assert inferred(name, value).type == type_


@pytest.mark.parametrize("wrong", ["", "x" * 201, "a\0b", "a\nb", None, True, 1.5, "\ud800"])
def test_what_can_be_no_id_is_refused(wrong: object) -> None:
    """Before anything is stored."""
    with pytest.raises(CourtesyError, match="expected an id"):
        check_id(wrong)
