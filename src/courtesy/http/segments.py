"""Segments: write, check, read, archive and remove them, and see what stands on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import wraps
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.engine.segment import SegmentStage, SegmentState
from courtesy.http.definitions import Removed
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.runtime.app import App
from courtesy.runtime.catalog import SEGMENT, Scope
from courtesy.runtime.segments import Read, SegmentRevision
from courtesy.segment.definition import SAID_CHARS_MAX, SegmentBody
from courtesy.segment.printing import write
from courtesy.segment.tokens import TEXT_CHARS_MAX, place_of
from courtesy.segment.tree import Segment

Text = Annotated[str, Meta(max_length=TEXT_CHARS_MAX)]


class Draft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A segment as `text`, such as `did "Order Completed" in the last 30 days`, or as its tree, `segment`: one of
    both."""

    text: Text | None = None
    segment: Segment | None = None


class NewSegment(Draft, frozen=True, forbid_unknown_fields=True):
    """A segment to be created or changed. `said`: what it is for, for people to read."""

    said: Annotated[str, Meta(max_length=SAID_CHARS_MAX)] = ""
    archived: bool = False


class StageView(msgspec.Struct, frozen=True):
    """How far the present revision is. `building`: its first members are being found. `live`: it has been exact since
    `since`, from the position on, and had that many members then."""

    stage: SegmentStage
    since: str | None
    position: str | None
    members: int | None


class SegmentView(msgspec.Struct, frozen=True):
    """A segment. `text` is as its author wrote it, `normal` as the tree reads; `each`: whether it is one for each value
    of something. `stage` is null for one that is archived."""

    name: str
    text: str
    normal: str
    segment: Segment
    said: str
    archived: bool
    each: bool
    number: int
    revision: int
    stage: StageView | None
    changed: str
    changed_by: str


class SegmentsView(msgspec.Struct, frozen=True):
    """By name."""

    segments: list[SegmentView]


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`archived`: also those that are archived."""

    archived: bool = False


class SegmentRevisionView(msgspec.Struct, frozen=True):
    """A revision of a segment; text and tree are null where it was removed."""

    revision: int
    text: str | None
    segment: Segment | None
    said: str
    archived: bool
    changed: str
    changed_by: str


class SegmentHistory(msgspec.Struct, frozen=True):
    """Every revision, oldest first. None is ever edited."""

    revisions: list[SegmentRevisionView]


class UseView(msgspec.Struct, frozen=True):
    """A definition that stands on it."""

    kind: str
    name: str


class UsesView(msgspec.Struct, frozen=True):
    """Everything that stands on a segment, by kind and name."""

    uses: list[UseView]


class MentionView(msgspec.Struct, frozen=True):
    """A name in the text, from character `start` up to `end`. `of`: the event or array whose property it is."""

    kind: str
    name: str
    of: str
    start: int
    end: int
    place: str


class RemarkView(msgspec.Struct, frozen=True):
    """Something odd that keeps nothing from working, such as a name that was never seen."""

    message: str
    hint: str
    start: int
    end: int
    place: str


class MistakeView(msgspec.Struct, frozen=True):
    """Why it is no segment: what was expected, what came, what may have been meant, and where."""

    message: str
    hint: str
    place: str


class Validation(msgspec.Struct, frozen=True):
    """`mistake` is null for a segment, and the rest is for no other; places are those in `text`, which is as it came,
    or of the tree that came. `normal` is the same as the tree reads."""

    valid: bool
    mistake: MistakeView | None
    text: str | None
    normal: str | None
    segment: Segment | None
    mentions: list[MentionView]
    remarks: list[RemarkView]


def _stage(app: App, name: str, states: Mapping[int, SegmentState]) -> StageView:
    definition = app.catalog.now.revisions[SEGMENT, name]
    state = states.get(definition.number)
    if state is not None and state.revision == definition.revision:
        return StageView(state.stage, to_iso(state.at_ms), str(state.position), state.member_count)
    return StageView(SegmentStage.BUILDING, None, None, None)


def _view(app: App, name: str, states: Mapping[int, SegmentState]) -> SegmentView:
    body = app.segments.body(name)
    definition = app.catalog.now.revisions[SEGMENT, name]
    normal = write(body.segment)
    return SegmentView(
        name,
        body.text or normal,
        normal,
        body.segment,
        body.said,
        body.archived,
        body.segment.each is not None,
        definition.number,
        definition.revision,
        None if body.archived else _stage(app, name, states),
        to_iso(definition.changed_ms),
        definition.changed_by,
    )


async def _shown(app: App, name: str) -> SegmentView:
    return _view(app, name, await app.memberships.states())


async def list_segments(asked: Asked[ListQuery, None]) -> SegmentsView:
    """All segments."""
    app = asked.app
    states = await app.memberships.states()
    names = [name for name, body in app.catalog.now.segments.items() if asked.query.archived or not body.archived]
    return SegmentsView([_view(app, name, states) for name in sorted(names)])


async def read_segment(asked: Asked[NoQuery, None]) -> SegmentView:
    """One segment."""
    return await _shown(asked.app, asked.path["name"])


async def define_segment(asked: Asked[NoQuery, NewSegment]) -> SegmentView:
    """Create or change a segment."""
    app, name, given = asked.app, asked.path["name"], asked.body
    read = await app.segments.read(given.text, given.segment)
    body = SegmentBody(read.parsed.segment, given.text or "", given.said, given.archived)
    await app.segments.define(name, body, asked.by)
    return await _shown(app, name)


async def archive_segment(asked: Asked[NoQuery, Any]) -> SegmentView:
    """Let nobody be in it."""
    await asked.app.segments.archive(asked.path["name"], asked.by)
    return await _shown(asked.app, asked.path["name"])


async def restore_segment(asked: Asked[NoQuery, Any]) -> SegmentView:
    """Have it again."""
    await asked.app.segments.archive(asked.path["name"], asked.by, archived=False)
    return await _shown(asked.app, asked.path["name"])


async def remove_segment(asked: Asked[NoQuery, None]) -> Removed:
    """Remove a segment that nothing stands on."""
    await asked.app.segments.remove(asked.path["name"], asked.by)
    return Removed(asked.path["name"])


async def read_segment_history(asked: Asked[NoQuery, None]) -> SegmentHistory:
    """Every revision."""
    return SegmentHistory([_revision(each) for each in await asked.app.segments.history(asked.path["name"])])


def _revision(each: SegmentRevision) -> SegmentRevisionView:
    body = each.body
    return SegmentRevisionView(
        each.number,
        None if body is None else body.text or write(body.segment),
        None if body is None else body.segment,
        "" if body is None else body.said,
        body is not None and body.archived,
        to_iso(each.at_ms),
        each.by,
    )


async def read_uses(asked: Asked[NoQuery, None]) -> UsesView:
    """What stands on it."""
    return UsesView([UseView(*each) for each in asked.app.segments.uses(asked.path["name"])])


async def validate_segment(asked: Asked[NoQuery, Draft]) -> Validation:
    """What a text or a tree means, or why it means nothing."""
    try:
        read = await asked.app.segments.read(asked.body.text, asked.body.segment)
    except CourtesyError as error:
        if error.code not in (Code.INVALID, Code.TOO_LARGE) or error.place == "body":
            raise
        mistake = MistakeView(error.message, error.hint, error.place)
        return Validation(False, mistake, asked.body.text, None, None, [], [])
    return _valid(read)


def _valid(read: Read) -> Validation:
    text, segment = read.text, read.parsed.segment
    mentions = [
        MentionView(str(each.kind), each.name, each.of, each.start, each.end, place_of(text, each.start))
        for each in read.parsed.mentions
    ]
    odd = [RemarkView(*each, place_of(text, each.start)) for each in read.remarks]
    return Validation(True, None, text, write(segment), segment, mentions, odd)


NAME = {"name": "The segment's name, percent-encoded."}
_GONE = (Code.NOT_FOUND,)
_CLASH = (Code.NOT_FOUND, Code.CONFLICT)


def operation(
    method: str,
    path: str,
    summary: str,
    handle: Any,
    answer: Any,
    scope: Scope = Scope.READ,
    path_docs: Mapping[str, str] = NAME,
    codes: Sequence[Code] = _GONE,
    **more: Any,
) -> Operation:
    """An operation on segments, by all that was defined before it was asked for."""

    @wraps(handle)
    async def fresh(asked: Asked[Any, Any]) -> Any:
        await asked.app.catalog.refresh()
        return await handle(asked)

    docs = {name: said for name, said in path_docs.items() if f"{{{name}}}" in path}
    return Operation(
        method, path, "segments", summary, fresh, scope=scope, answer=answer, path_docs=docs, codes=codes, **more
    )


OPERATIONS = (
    operation("GET", "/v1/segments", "List segments.", list_segments, SegmentsView, query=ListQuery, codes=()),
    operation("GET", "/v1/segments/{name}", "Read a segment.", read_segment, SegmentView),
    operation(
        "PUT",
        "/v1/segments/{name}",
        "Create or change a segment.",
        define_segment,
        SegmentView,
        Scope.ADMIN,
        body=NewSegment,
        codes=(Code.CONFLICT, Code.TOO_LARGE),
        doc="Its first members are found in all that is known, and from then on it is exact to the moment. Earlier"
        " revisions stay readable.",
    ),
    operation(
        "DELETE",
        "/v1/segments/{name}",
        "Remove a segment that nothing stands on.",
        remove_segment,
        Removed,
        Scope.ADMIN,
        codes=_CLASH,
    ),
    operation(
        "POST",
        "/v1/segments/{name}/archive",
        "Let nobody be in a segment, until it is restored.",
        archive_segment,
        SegmentView,
        Scope.ADMIN,
        codes=_CLASH,
    ),
    operation(
        "POST",
        "/v1/segments/{name}/restore",
        "Have an archived segment again.",
        restore_segment,
        SegmentView,
        Scope.ADMIN,
        codes=_CLASH,
    ),
    operation(
        "GET", "/v1/segments/{name}/history", "Every revision of a segment.", read_segment_history, SegmentHistory
    ),
    operation("GET", "/v1/segments/{name}/uses", "What stands on a segment.", read_uses, UsesView),
    operation(
        "POST",
        "/v1/segments/validate",
        "What a text or a tree means, and what is odd about it.",
        validate_segment,
        Validation,
        body=Draft,
        codes=(),
        doc="Names and values that were not seen lately are remarked on, with the nearest that were. Nothing is kept.",
    ),
)
