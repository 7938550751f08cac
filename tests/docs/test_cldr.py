"""The tables that ship with `courtesy.standard` say what CLDR says."""

from __future__ import annotations

from tests.docs.cldr import stale


def test_tables_of_names_are_those_of_cldr() -> None:
    """After Babel was updated: `python -m tests.docs.cldr --write`."""
    assert stale() == []
