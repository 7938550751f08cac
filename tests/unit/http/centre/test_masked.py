"""What is shown of a person on a page that may be forwarded."""

from __future__ import annotations

from typing import Any

import pytest

from courtesy.base.ids import SourceId
from courtesy.engine.contract import HeldIdentifier
from courtesy.http.centre.masked import masked_identifiers, shown_value


def test_only_addresses_are_named_and_masked() -> None:
    """E-mail by its first letter and domain, phone by its last digits; no other identifier."""
    held = [
        HeldIdentifier(each, False, SourceId(1), "m", 0)
        for each in ("user_id:ann-77", "email:ann.nowak@example.com", "phone:+491711234567", "device_id:d-1")
    ]
    assert masked_identifiers(held) == ["a***@example.com", "***67"]


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("plan", "gold", "gold"),
        ("newsletter", True, True),
        ("email", "ann@example.com", "a***@example.com"),
        ("contact", "Ann Nowak <ann@example.com>", None),
        ("mobile", "0171 1234567", "***67"),
        ("mobile", 491711234567, "***67"),
        ("address.city", "Köln", None),
        ("home.Address.line", "x", None),
        ("birthday", "1984-03-05", None),
        ("sizes", [38, 39], "38, 39"),
        ("mails", ["ann@example.com", "x"], "a***@example.com, x"),
        ("mails", ["a@b c@d"], None),
        ("empty", {}, None),
    ],
)
def test_values_that_say_too_much_are_masked_or_kept_back(path: str, value: Any, shown: Any) -> None:
    """By their name or by what they look like."""
    assert shown_value(path, value) == shown
