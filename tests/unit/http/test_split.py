"""Cutting broken JSON into its parts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.http.split import children, members

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.lists(JSON))
def test_the_items_of_an_array_are_found(values: list[Any]) -> None:
    """For sound JSON the parts are what a decoder finds."""
    parts = children(json.dumps(values).encode())
    assert parts is not None
    assert [json.loads(part) for part in parts] == values


PLAIN_NAMES = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'))


@given(st.dictionaries(PLAIN_NAMES, JSON))
def test_the_members_of_an_object_are_found(values: dict[str, Any]) -> None:
    """By name, for names without escapes."""
    parts = members(json.dumps(values).encode())
    assert parts is not None
    assert {name: json.loads(part) for name, part in parts.items()} == values


@pytest.mark.parametrize("item", [b"NaN", b'{"x":Infinity}', b"'a'", b"{a:1}", b'{"x":"\xff"}', b'"\\ud800"', b"tru"])
def test_a_broken_item_does_not_hide_the_others(item: bytes) -> None:
    """Whatever stands between two commas is one part."""
    assert children(b"[1, %s , 2]" % item) == [b"1", b" %s " % item, b" 2"]


@pytest.mark.parametrize(
    "content",
    [b"", b"7", b"[", b"[1", b"[1}", b'["a]', b"[1] 2", b"x[1]", b"]", b"[[1]", b'[""a"]', b'["a\\"]', b"{]"],
)
def test_what_does_not_pair_is_not_cut(content: bytes) -> None:
    """Rather nothing than something wrong."""
    assert children(content) is None
    assert members(content) is None


def test_an_empty_array_has_no_parts() -> None:
    """Not one blank one."""
    assert children(b" [ ] ") == []


@given(st.binary() | st.text(alphabet='[]{},:"\\a ').map(str.encode))
def test_any_bytes_are_cut_or_not(content: bytes) -> None:
    """It never raises, and never loses or repeats a part's bytes."""
    parts = children(content)
    if parts:
        assert b",".join(parts) in content
