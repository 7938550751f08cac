"""JSON inside of SQL: values are kept as their JSON text in its one form, whose first character tells their type.

`"` begins a text, a digit or `-` a number, `[` an array, `{` an object. Both dialects write texts with as few escapes
as there can be, so that equal texts are written alike.
"""

from __future__ import annotations

import json

from courtesy.segment.sql.phrase import Phrase, sql
from courtesy.segment.values import lower

WHOLE_MAX = 2**53
"""Up to here every whole number is a float."""


def written(value: str | bool | int | float) -> str:
    """A value as its JSON text in lower case, to be compared with `lower` of another."""
    return lower(json.dumps(value, ensure_ascii=False)) if isinstance(value, str) else json.dumps(value)


def is_there(value: Phrase) -> Phrase:
    """Whether there is a value."""
    return sql("coalesce(:it, 'null') <> 'null'", it=value)


def is_text(value: Phrase) -> Phrase:
    """Whether it is a text."""
    return sql("starts_with(:it, '\"')", it=value)


def is_array(value: Phrase) -> Phrase:
    """Whether it is an array."""
    return sql("starts_with(:it, '[')", it=value)


def is_object(value: Phrase) -> Phrase:
    """Whether it is an object."""
    return sql("starts_with(:it, '{')", it=value)


def number(value: Phrase) -> Phrase:
    """The number that it is, NULL for all else."""
    return sql("TRY_CAST(:it AS DOUBLE)", it=value)


def one_form(value: Phrase) -> Phrase:
    """The form in which all values that are equal are written alike, as JSON; NULL for what is no text, number, true or
    false. As `courtesy.segment.each.one_form`."""
    return sql(
        "CASE WHEN starts_with(:it, '\"') THEN lower(:it) WHEN :it IN ('true', 'false') THEN :it"
        " WHEN :number = trunc(:number) AND abs(:number) <= :most AND NOT regexp_matches(:it, '^-?[0-9]+$')"
        " THEN CAST(CAST(:number AS BIGINT) AS TEXT) WHEN :number IS NOT NULL THEN :it END",
        it=value,
        number=number(value),
        most=WHOLE_MAX,
    )


def comparable(value: Phrase) -> Phrase:
    """Equal for values of which DIFFERENT counts one; NULL for what it does not count."""
    return sql(
        "CASE WHEN starts_with(:it, '\"') THEN lower(:it) WHEN :it IN ('true', 'false') THEN :it"
        " ELSE CAST(:number AS TEXT) END",
        it=value,
        number=number(value),
    )
