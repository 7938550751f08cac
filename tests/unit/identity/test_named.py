"""Whom a call names that nobody accepted."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.identity.named import named_in
from courtesy.identity.rules import IdentityRules

RULES = IdentityRules()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"userId": " ann "}, {"user_id:ann"}),
        ({"userId": 7, "type": "nonsense"}, {"user_id:7"}),
        ({"anonymousId": "a-1", "previousId": "p-1"}, {"anonymous_id:a-1", "user_id:p-1", "anonymous_id:p-1"}),
        (
            {"traits": {"email": "Ann@Example.COM", "phone": "+44 20 7946 0018"}},
            {"email:ann@example.com", "phone:+442079460018"},
        ),
        ({"context": {"traits": {"email": "b@x.org"}, "device": {"id": "d-7"}}}, {"email:b@x.org", "device_id:d-7"}),
        ({"context": {"externalIds": [{"type": "crm", "id": 5}, "x", {"id": 1}]}}, {"crm:5"}),
        ({"groupId": "acme", "context": {"groupId": "b"}}, {"group:acme", "group:b"}),
        ({"userId": {"id": "ann"}, "traits": "ann", "context": [], "properties": {"userId": "ann"}}, set()),
    ],
)
def test_identifiers_are_found_where_accept_looks(call: object, expected: set[str]) -> None:
    """In every place of the protocol, in the form in which they are compared, and nowhere else."""
    assert named_in(RULES, msgspec.json.encode(call)) == expected


def test_a_national_number_takes_its_country_from_the_hints() -> None:
    """Without one it is nobody's."""
    content = msgspec.json.encode({"traits": {"phone": "020 7946 0018"}})
    assert named_in(RULES, content) == set()
    assert named_in(RULES, content, (("source_country", "GB"),)) == {"phone:+442079460018"}


@given(st.binary())
def test_no_content_fails(content: bytes) -> None:
    """What is no JSON names nobody."""
    named_in(RULES, content)


def test_what_is_nested_too_deep_names_nobody() -> None:
    """And does not fail."""
    assert named_in(RULES, b"[" * 100_000) == set()
