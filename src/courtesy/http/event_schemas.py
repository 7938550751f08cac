"""Schemas of events: put, read, compare, propose and try them. For admin keys."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.runtime.app import App
from courtesy.runtime.catalog import SCHEMA, Scope
from courtesy.runtime.schemas import SchemaRevision
from courtesy.schema.compare import Change, changes
from courtesy.schema.event_schema import EventSchema, OnBreak, Subject

SAMPLE_MAX = 50_000
SAMPLE = 5_000

Sample = Annotated[int, Meta(ge=1, le=SAMPLE_MAX)]
RevisionNumber = Annotated[int, Meta(ge=1)]


class SchemaSummary(msgspec.Struct, frozen=True):
    """A schema in force. `source` is `*` for every source; `event` is a track call's name, or the type of another."""

    source: str
    event: str
    on_break: OnBreak
    revision: int
    changed: str
    changed_by: str


class SchemaList(msgspec.Struct, frozen=True):
    """By source and event."""

    schemas: list[SchemaSummary]


class ChangeView(msgspec.Struct, frozen=True):
    """A difference in words. `narrows`: events that were fine may break the schema now."""

    field: str
    change: str
    narrows: bool


class SchemaView(msgspec.Struct, frozen=True):
    """A revision of a schema. `changes`: what it changed; `schema` is null where the schema was removed."""

    source: str
    event: str
    revision: int
    on_break: OnBreak | None
    schema: dict[str, Any] | None
    changes: list[ChangeView]
    changed: str
    changed_by: str


class SchemaHistory(msgspec.Struct, frozen=True):
    """Every revision, oldest first. None is ever edited."""

    revisions: list[SchemaView]


class Differences(msgspec.Struct, frozen=True):
    """How one revision differs from another, in words."""

    changes: list[ChangeView]


class RemovedSchema(msgspec.Struct, frozen=True):
    """Nothing is held against it any more; its revisions stay readable."""

    removed: str


class RevisionQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`revision`: without it, the one in force."""

    revision: RevisionNumber | None = None


class DiffQuery(msgspec.Struct, frozen=True, rename={"from_": "from"}, forbid_unknown_fields=True):
    """From one revision to another; without `to`, to the latest that has a schema."""

    from_: RevisionNumber
    to: RevisionNumber | None = None


class SampleQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`sample`: how many of the latest events to look at. `required_share`: a field that at least this share of them
    have is required."""

    sample: Sample = SAMPLE
    required_share: Annotated[float, Meta(ge=0.5, le=1)] = 1.0


class TrialQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`sample`: how many of the latest events to hold against the schema."""

    sample: Sample = SAMPLE


class FieldView(msgspec.Struct, frozen=True):
    """A field as it came: the share of events (or of objects around it) that have it, and the share of nulls."""

    field: str
    types: Sequence[str]
    present_share: float
    null_share: float
    examples: Sequence[str]


class SchemaProposalView(msgspec.Struct, frozen=True):
    """A schema that fits what came in, to be read by somebody who knows before it is put."""

    source: str
    event: str
    event_count: int
    since: str
    schema: dict[str, Any]
    fields: list[FieldView]


class BrokenView(msgspec.Struct, frozen=True):
    """An event that breaks the schema."""

    message_id: str
    person: str
    detail: str


class TrialView(msgspec.Struct, frozen=True):
    """What would become of the latest events; nothing is changed. `examples` are the newest that break the schema."""

    event_count: int
    broken_count: int
    people_count: int
    examples: list[BrokenView]


def _name(asked: Asked[Any, Any]) -> str:
    source, event = asked.path["source"], asked.path["event"]
    if "/" in source:
        raise CourtesyError(Code.INVALID, "expected a source without a slash in its name", place="path.source")
    return str(Subject(source, event))


def _change_views(found: Sequence[Change]) -> list[ChangeView]:
    return [ChangeView(each.path, each.said, each.narrows) for each in found]


def _revision_view(name: str, each: SchemaRevision) -> SchemaView:
    source, _, event = name.partition("/")
    declared = each.declared
    return SchemaView(
        source,
        event,
        each.number,
        None if declared is None else declared.on_break,
        None if declared is None else declared.schema,
        _change_views(each.changed),
        to_iso(each.at_ms),
        each.by,
    )


def _in_force(app: App, name: str, changed: Sequence[Change] = ()) -> SchemaView:
    check = app.schemas.check(name)
    definition = app.catalog.now.revisions[SCHEMA, name]
    return _revision_view(
        name,
        SchemaRevision(check.revision, check.declared, list(changed), definition.changed_ms, definition.changed_by),
    )


async def list_schemas(asked: Asked[NoQuery, None]) -> SchemaList:
    """All schemas in force."""
    now = asked.app.catalog.now
    summaries = []
    for name, check in sorted(now.schemas.items()):
        definition = now.revisions[SCHEMA, name]
        source, event = check.subject
        changed = to_iso(definition.changed_ms)
        summaries.append(
            SchemaSummary(source, event, check.declared.on_break, check.revision, changed, definition.changed_by)
        )
    return SchemaList(summaries)


async def read_schema(asked: Asked[RevisionQuery, None]) -> SchemaView:
    """A schema, as it is or as it was."""
    name = _name(asked)
    if asked.query.revision is None:
        return _in_force(asked.app, name)
    return _revision_view(name, await asked.app.schemas.revision(name, asked.query.revision))


async def put_schema(asked: Asked[NoQuery, EventSchema]) -> SchemaView:
    """Put a new revision in force."""
    app, name = asked.app, _name(asked)
    before = app.catalog.now.schemas.get(name)
    await app.catalog.define_schema(name, asked.body, asked.by)
    return _in_force(app, name, [] if before is None else changes(before.declared, asked.body))


async def remove_schema(asked: Asked[NoQuery, None]) -> RemovedSchema:
    """Hold nothing against it any more."""
    await asked.app.catalog.remove_schema(_name(asked), asked.by)
    return RemovedSchema(_name(asked))


async def read_history(asked: Asked[NoQuery, None]) -> SchemaHistory:
    """Every revision."""
    name = _name(asked)
    return SchemaHistory([_revision_view(name, each) for each in await asked.app.schemas.history(name)])


async def compare(asked: Asked[DiffQuery, None]) -> Differences:
    """How two revisions differ."""
    name, to = _name(asked), asked.query.to
    if to is None:
        to = max(each.number for each in await asked.app.schemas.history(name) if each.declared is not None)
    return Differences(_change_views(await asked.app.schemas.difference(name, asked.query.from_, to)))


async def propose(asked: Asked[SampleQuery, None]) -> SchemaProposalView:
    """Propose a schema from what came in."""
    query = asked.query
    found = await asked.app.schemas.infer(_name(asked), query.sample, query.required_share)
    fields = [
        FieldView(each.path, each.types, round(each.present_share, 4), round(each.null_share, 4), each.examples)
        for each in found.fields
    ]
    return SchemaProposalView(*found.subject, found.event_count, to_iso(found.since_ms), found.schema, fields)


async def try_schema(asked: Asked[TrialQuery, EventSchema]) -> TrialView:
    """Hold the latest events against a schema, before it is put."""
    trial = await asked.app.schemas.trial(_name(asked), asked.body, asked.query.sample)
    examples = [BrokenView(each.message_id, str(each.person), each.detail) for each in trial.examples]
    return TrialView(trial.event_count, trial.broken_count, trial.people_count, examples)


_PATH = "/v1/schemas/{source}/{event}"
_DOCS = {
    "source": "The source's name, percent-encoded; `*` for every source.",
    "event": "The event's name, percent-encoded; for other calls than track their type, such as `identify`.",
}


def _admin(method: str, suffix: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    return Operation(
        method,
        f"{_PATH}{suffix}",
        "schemas",
        summary,
        handle,
        scope=Scope.ADMIN,
        answer=answer,
        path_docs=_DOCS,
        codes=(Code.NOT_FOUND,),
        **more,
    )


OPERATIONS = (
    Operation(
        "GET",
        "/v1/schemas",
        "schemas",
        "List the schemas in force.",
        list_schemas,
        scope=Scope.ADMIN,
        answer=SchemaList,
    ),
    _admin("GET", "", "Read a schema, as it is or as it was.", read_schema, SchemaView, query=RevisionQuery),
    _admin(
        "PUT",
        "",
        "Put a new revision of a schema in force.",
        put_schema,
        SchemaView,
        body=EventSchema,
        doc="For events to come. Earlier revisions are never edited. Nothing that a schema refers to is fetched.",
    ),
    _admin("DELETE", "", "Hold nothing against a schema any more.", remove_schema, RemovedSchema),
    _admin("GET", "/history", "Every revision of a schema, with what it changed.", read_history, SchemaHistory),
    _admin("GET", "/diff", "How two revisions differ, in words.", compare, Differences, query=DiffQuery),
    _admin("GET", "/proposal", "Propose a schema from what came in.", propose, SchemaProposalView, query=SampleQuery),
    _admin(
        "POST",
        "/trial",
        "Hold the latest events against a schema that is not in force yet.",
        try_schema,
        TrialView,
        query=TrialQuery,
        body=EventSchema,
    ),
)
