"""The standard forms of what is known of a person, beside what was sent."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from courtesy.person.standards import TRAITS, standard_traits
from courtesy.person.view import person_view
from tests.unit.person.facts import SHOP, fact, folded

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def test_well_known_traits_are_shown_in_their_standard_form() -> None:
    """With the value as it was sent, parts and marks; other traits are not touched."""
    traits = {
        "email": "Info@Shop.com",
        "phone": "0171 1234567",
        "name": "LEE, ANN",
        "firstName": "ann",
        "lastName": "lee",
        "address": {"street": "Hauptstr. 5", "city": "Bonn", "postalCode": "53111", "country": "Germany"},
        "birthday": "05.03.1984",
        "country": "Deutschland",
        "currency": "€",
        "plan": "pro",
    }
    shown = standard_traits(traits)
    assert {name: made["raw"] for name, made in shown.items()} == {name: traits[name] for name in TRAITS}
    assert {name: made["form"] for name, made in shown.items()} == {
        "email": "info@shop.com",
        "phone": "+491711234567",
        "name": "Ann Lee",
        "firstName": "Ann",
        "lastName": "Lee",
        "address": "Hauptstr. 5, 53111 Bonn, Germany",
        "birthday": "1984-03-05",
        "country": "DE",
        "currency": "EUR",
    }
    assert shown["email"]["marks"] == ["role"]
    assert shown["phone"]["parts"]["hint"] == "country"
    assert list(standard_traits({"plan": "pro"})) == []


def test_a_person_is_shown_with_standard_forms() -> None:
    """Made when read: the stored trait stays as it was told."""
    view = person_view(folded([fact(traits={"phone": "0171 1234567", "address": {"country": "DE"}})]), {SHOP: "shop"})
    assert view["traits"]["phone"] == view["standard"]["phone"]["raw"] == "0171 1234567"
    assert view["standard"]["phone"]["form"] == "+491711234567"
    assert msgspec.json.decode(msgspec.json.encode(view)) == view


@given(st.dictionaries(st.sampled_from([*TRAITS, "locale", "plan"]), JSON, max_size=6))
def test_whatever_was_sent_a_person_can_be_shown(traits: dict[str, Any]) -> None:
    """A trait of an odd type has no form, and breaks nothing."""
    shown = standard_traits(traits)
    assert shown.keys() == traits.keys() & set(TRAITS)
    assert all((made["form"] is None) != (made["reason"] is None) for made in shown.values())
    assert msgspec.json.encode(shown)
