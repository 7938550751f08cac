"""The schema of an event: which object of an event it is about, and the check that is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

import jsonschema_rs
import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import SourceId
from courtesy.event.call import EMPTY
from courtesy.event.event import Event, EventType
from courtesy.schema.breach import Breach, breaches_of, detail_of, dotted, shown

EVERY_SOURCE = "*"
COMPILED_MAX = 4_096
_OBJECT = msgspec.json.Decoder(dict[str, Any])


class OnBreak(StrEnum):
    """What becomes of an event that breaks its schema. `allow`: stored and counted; `warn`: stored, counted, and the
    sender is told; `quarantine`: kept out until it is mended."""

    ALLOW = "allow"
    WARN = "warn"
    QUARANTINE = "quarantine"


class EventSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A JSON Schema (draft 4 to 2020-12) of an event's properties, or of the traits of identify and group."""

    schema: dict[str, Any]
    on_break: OnBreak = OnBreak.WARN


class Subject(NamedTuple):
    """What a schema is about: a source, or `*` for all, and a name as `subject_of` gives it."""

    source: str
    event: str

    def __str__(self) -> str:
        return f"{self.source}/{self.event}"


def subject(name: str) -> Subject:
    """The inverse of `str(subject)`. Raises CourtesyError(INVALID)."""
    source, slash, event = name.partition("/")
    if not (source and slash and event):
        raise CourtesyError(
            Code.INVALID, f"expected <source>/<event name>, got {name!r:.120}", hint="`*` is every source", place="name"
        )
    return Subject(source, event)


def event_name(event: Event) -> str | None:
    """The name under which an event's schema is found: a track call's own, the type of the others; None: has none."""
    if event.type is EventType.TRACK:
        return event.name
    if event.type in (EventType.ALIAS, EventType.SYSTEM):
        return None
    return str(event.type)


def checked_object(event: Event) -> tuple[str, msgspec.Raw]:
    """What a schema is held against, with the name of its place; empty when the event has none."""
    if event.type is EventType.IDENTIFY:
        return "$.traits", event.traits
    if event.type is EventType.GROUP:
        return "$.traits", event.group_traits
    return "$.properties", event.properties


def compile_schema(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """The check for a schema. Nothing is ever fetched: a `$ref` that leads out of the schema is refused.

    Raises CourtesyError(INVALID) with the place in the schema, what was expected there and what came.
    """
    try:
        return jsonschema_rs.validator_for(
            dict(schema),
            offline=True,
            validate_formats=True,
            # Patterns that take linear time: a schema must not let an event stall the server.
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except jsonschema_rs.ValidationError as error:
        raise _refusal(error) from None
    except ValueError as error:
        raise CourtesyError(Code.INVALID, f"expected a JSON Schema: {error}", place="schema") from None


def _refusal(error: jsonschema_rs.ValidationError) -> CourtesyError:
    place = f"schema{dotted(error.instance_path)}"
    if error.kind.name == "$ref":
        return CourtesyError(
            Code.INVALID,
            f"expected references within the schema: {error.message}",
            hint="nothing is fetched",
            place=place,
        )
    keyword = str(error.instance_path[-1]) if error.instance_path else ""
    if keyword == "type":
        expected = "a JSON type: null, boolean, integer, number, string, array or object"
    elif error.kind.name == "format":
        return CourtesyError(
            Code.INVALID,
            f"expected a regular expression, got {shown(error.instance)}",
            hint="without looking ahead or back, so that no text takes long to check",
            place=place,
        )
    else:
        (breach,) = breaches_of([error])
        expected = breach.expected
    return CourtesyError(Code.INVALID, f"expected {expected}, got {shown(error.instance)}", place=place)


@lru_cache(maxsize=COMPILED_MAX)
def _compiled(body: bytes) -> tuple[EventSchema, jsonschema_rs.Validator]:
    """A stored schema with its check. Few of them change when the catalogue does."""
    declared = msgspec.json.decode(body, type=EventSchema)
    return declared, compile_schema(declared.schema)


@dataclass(frozen=True, slots=True)
class EventCheck:
    """A schema in force."""

    subject: Subject
    revision: int
    declared: EventSchema
    validator: jsonschema_rs.Validator

    def breaches(self, value: Mapping[str, Any]) -> list[Breach]:
        """What about a value breaks the schema, the first few; empty when it fits."""
        return [] if self.validator.is_valid(value) else breaches_of(self.validator.iter_errors(value))

    def breach_of(self, event: Event) -> str:
        """What is wrong with an event, in words; empty when it fits."""
        root, raw = checked_object(event)
        value = {} if raw is EMPTY or bytes(raw) == b"null" else _OBJECT.decode(raw)
        found = self.breaches(value)
        return f"{detail_of(found, root)} (schema {self.subject}, revision {self.revision})" if found else ""


def check_of(name: str, revision: int, body: bytes) -> EventCheck:
    """The check of a stored definition. Raises CourtesyError(INVALID) or msgspec.DecodeError for one that can't be."""
    declared, validator = _compiled(body)
    return EventCheck(subject(name), revision, declared, validator)


Checks = Mapping[str, EventCheck]
"""Checks by the name of the event."""


@dataclass(frozen=True, slots=True)
class SchemaBook:
    """All schemas in force. A source's own goes before one for every source; only one of the two is held against it."""

    by_source: Mapping[SourceId, Checks] = field(default_factory=dict)
    everywhere: Checks = field(default_factory=dict)

    def of(self, source: SourceId) -> Checks:
        """The checks for a source; empty when it has none."""
        return self.by_source.get(source, self.everywhere)


def book_of(checks: list[EventCheck], sources: Mapping[str, SourceId]) -> SchemaBook:
    """The book of some checks; those of a source that is gone are left out."""
    everywhere = {each.subject.event: each for each in checks if each.subject.source == EVERY_SOURCE}
    by_source: dict[SourceId, dict[str, EventCheck]] = {}
    for each in checks:
        number = sources.get(each.subject.source)
        if number is not None:
            by_source.setdefault(number, dict(everywhere))[each.subject.event] = each
    return SchemaBook(by_source, everywhere)
