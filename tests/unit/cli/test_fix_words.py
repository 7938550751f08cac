"""Fixes as people type them."""

from __future__ import annotations

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.cli.fix_words import operation_of
from courtesy.event.mend import Cast, Default, Drop, Kind, MapValues, Operation, Rename


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("rename name to event", Rename("name", "event")),
        ("rename name event", Rename("name", "event")),
        ("RENAME 'the name' to event", Rename("the name", "event")),
        ("rename to event", Rename("to", "event")),
        ("cast properties.price as number", Cast("properties.price", Kind.NUMBER)),
        ("cast t date '%d/%m/%Y %H:%M'", Cast("t", Kind.DATE, "%d/%m/%Y %H:%M")),
        ("cast t as date %d Europe/Madrid", Cast("t", Kind.DATE, "%d", "Europe/Madrid")),
        ("default event to Sold", Default("event", "Sold")),
        ("default properties.n 7", Default("properties.n", 7)),
        ("default properties '{\"a\": [1]}'", Default("properties", {"a": [1]})),
        ("default event '\"7\"'", Default("event", "7")),
        ("drop messageId", Drop("messageId")),
        ("map type Sale track Visit page", MapValues("type", {"Sale": "track", "Visit": "page"})),
        ("map to to as", MapValues("to", {"to": "as"})),
    ],
)
def test_a_line_is_one_operation(text: str, operation: Operation) -> None:
    """In the words in which it is told, with or without the small ones."""
    assert operation_of(text) == operation


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "rename FIELD to FIELD; cast"),
        ("renam a b", "did you mean 'rename'?"),
        ("rename a", "rename FIELD to FIELD"),
        ("rename a a", "rename FIELD to FIELD"),
        ("cast a as banana", "cast FIELD as"),
        ("cast a as date %d Mars/Olympus", "cast FIELD as"),
        ("cast a as date %d UTC more", "cast FIELD as"),
        ("default a", "default FIELD to VALUE"),
        ("drop", "drop FIELD"),
        ("drop a..b", "drop FIELD"),
        ("map type old", "map FIELD OLD NEW"),
        ("rename 'a b", ""),
    ],
)
def test_what_cannot_be_understood_is_told_with_how_to_write_it(text: str, hint: str) -> None:
    """Before anything is looked at."""
    with pytest.raises(CourtesyError) as told:
        operation_of(text)
    assert told.value.code is Code.INVALID
    assert told.value.hint.startswith(hint)
