"""Trying out what would be made of a value: its standard form, parts and marks, or why there is none."""

from __future__ import annotations

from typing import Any

import msgspec

from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.runtime.catalog import Scope
from courtesy.standard.hints import Hints
from courtesy.standard.kinds import standard
from courtesy.standard.value import Confidence, Kind, Mark, Reason, as_plain


class StandardView(msgspec.Struct, frozen=True):
    """What was made of `raw`. Of `form` and `reason` one is null. `parts` depend on the kind."""

    kind: Kind
    raw: Any
    form: str | None
    parts: dict[str, Any] | None
    marks: list[Mark]
    confidence: Confidence | None
    reason: Reason | None


class StandardBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value, what it is said to be, and what is known of where it comes from."""

    kind: Kind
    value: Any
    hints: Hints = Hints()


async def try_standard(asked: Asked[NoQuery, StandardBody]) -> dict[str, Any]:
    """What would be made of a value."""
    body = asked.body
    return as_plain(standard(body.kind, body.value, body.hints))


OPERATIONS = (
    Operation(
        "POST",
        "/v1/standard",
        "people",
        "Try what would be made of a value: its standard form, parts and marks.",
        try_standard,
        doc="Stores nothing. `hints` say where a value comes from when it does not say so itself.",
        scope=Scope.READ,
        body=StandardBody,
        answer=StandardView,
    ),
)
