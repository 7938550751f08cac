"""Quarantine for those who mend: groups of rejected events, fixes tried out, replay, discarding. For admin keys."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.event.cause import Cause
from courtesy.event.mend import Fix
from courtesy.http.definitions import Name, Removed
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.http.people import PositionNumber
from courtesy.runtime.catalog import FIX, SavedFix, Scope
from courtesy.runtime.quarantine import APPEND_ROWS, Selection
from courtesy.runtime.quarantine_view import (
    FixView,
    GroupDetail,
    Groups,
    PreviewView,
    Replayed,
    group_detail,
    group_view,
    preview_view,
    replay_view,
    words_of,
)

REPLAY_MAX = 20_000
"""Held events that one call replays or discards; a few seconds of work. `next_before` goes on."""

EXAMPLES = 5
NUMBERS_MAX = 1_000

Numbers = Annotated[tuple[PositionNumber, ...], Meta(min_length=1, max_length=NUMBERS_MAX)]
ReplayLimit = Annotated[int, Meta(ge=1, le=REPLAY_MAX)]


class GroupsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one source, of one cause."""

    source: str | None = None
    cause: Cause | None = None


class Trial(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fix for the events of a group, or for some by number: given here, or the one saved as `fix_name`."""

    group: str | None = None
    numbers: Numbers | None = None
    fix: Fix = ()
    fix_name: Name | None = None
    limit: Annotated[int, Meta(ge=1, le=APPEND_ROWS)] = APPEND_ROWS


class Replaying(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As in a preview. `live`: they may start actions, as if they came now. `before` goes on from `next_before`."""

    group: str | None = None
    numbers: Numbers | None = None
    fix: Fix = ()
    fix_name: Name | None = None
    live: bool = False
    before: PositionNumber | None = None
    limit: ReplayLimit = REPLAY_MAX


class Discarding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which to drop for good, and why."""

    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    group: str | None = None
    numbers: Numbers | None = None
    before: PositionNumber | None = None
    limit: ReplayLimit = REPLAY_MAX


class Fixes(msgspec.Struct, frozen=True):
    """All saved fixes by name."""

    fixes: list[FixView]


async def list_held_groups(asked: Asked[GroupsQuery, None]) -> Groups:
    """What is held, by what is wrong."""
    groups = await asked.app.quarantine.groups(asked.query.source, asked.query.cause)
    return Groups([group_view(each) for each in groups])


async def read_held_group(asked: Asked[NoQuery, None]) -> GroupDetail:
    """One group, with examples and proposals."""
    quarantine = asked.app.quarantine
    group = await quarantine.group(asked.path["group"])
    examples, proposals = await quarantine.latest(group, EXAMPLES), await quarantine.proposals(group)
    return group_detail(group, examples, proposals)


async def _fix_of(asked: Asked[NoQuery, Any]) -> Fix:
    body = asked.body
    if body.fix_name is None:
        return tuple(body.fix)
    if body.fix:
        raise CourtesyError(Code.INVALID, "expected either a fix or the name of one", place="fix")
    return (await asked.app.quarantine.fix_named(body.fix_name)).fix


async def preview_fix(asked: Asked[NoQuery, Trial]) -> PreviewView:
    """Try a fix out."""
    body, fix = asked.body, await _fix_of(asked)
    found = await asked.app.quarantine.preview(Selection(body.group, body.numbers), fix, body.limit)
    return preview_view(fix, found)


async def replay_quarantine(asked: Asked[NoQuery, Replaying]) -> Replayed:
    """Mend and store."""
    body, fix = asked.body, await _fix_of(asked)
    selection = Selection(body.group, body.numbers)
    done = await asked.app.quarantine.replay(selection, fix, live=body.live, before=body.before, limit=body.limit)
    return replay_view(done)


async def discard_quarantine(asked: Asked[NoQuery, Discarding]) -> Replayed:
    """Drop for good."""
    body = asked.body
    selection = Selection(body.group, body.numbers)
    done = await asked.app.quarantine.discard(selection, body.reason, asked.by, before=body.before, limit=body.limit)
    return replay_view(done)


async def _fix_view(asked: Asked[Any, Any], name: str) -> FixView:
    saved = await asked.app.quarantine.fix_named(name)
    definition = asked.app.catalog.now.revisions[FIX, name]
    changed = to_iso(definition.changed_ms)
    return FixView(name, saved.said, saved.fix, words_of(saved.fix), changed, definition.changed_by)


async def list_fixes(asked: Asked[NoQuery, None]) -> Fixes:
    """All saved fixes."""
    return Fixes([await _fix_view(asked, name) for name in sorted(asked.app.catalog.now.fixes)])


async def save_fix(asked: Asked[NoQuery, SavedFix]) -> FixView:
    """Save or change a fix."""
    await asked.app.quarantine.save_fix(asked.path["name"], asked.body, asked.by)
    return await _fix_view(asked, asked.path["name"])


async def remove_fix(asked: Asked[NoQuery, None]) -> Removed:
    """Remove a saved fix."""
    await asked.app.catalog.remove_fix(asked.path["name"], asked.by)
    return Removed(asked.path["name"])


def _admin(method: str, path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    return Operation(method, path, "quarantine", summary, handle, scope=Scope.ADMIN, answer=answer, **more)


_GONE = (Code.NOT_FOUND,)
_MENDING = (Code.NOT_FOUND, Code.CONFLICT, Code.TOO_MANY)
_NAME = {"name": "Its name, percent-encoded."}

OPERATIONS = (
    _admin(
        "GET",
        "/v1/quarantine/groups",
        "Rejected events by source, cause and what is wrong.",
        list_held_groups,
        Groups,
        query=GroupsQuery,
        codes=_GONE,
    ),
    _admin(
        "GET",
        "/v1/quarantine/groups/{group}",
        "One group, with examples and fixes that may help.",
        read_held_group,
        GroupDetail,
        codes=_GONE,
        path_docs={"group": "As `/v1/quarantine/groups` names it."},
    ),
    _admin(
        "POST",
        "/v1/quarantine/preview",
        "Try a fix out on held events; changes nothing.",
        preview_fix,
        PreviewView,
        body=Trial,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
    ),
    _admin(
        "POST",
        "/v1/quarantine/replay",
        "Mend held events and let them in.",
        replay_quarantine,
        Replayed,
        body=Replaying,
        codes=_MENDING,
        doc="Each is stored once, however often this is done. They change people, and start no actions unless `live`.",
    ),
    _admin(
        "POST",
        "/v1/quarantine/discard",
        "Drop held events for good.",
        discard_quarantine,
        Replayed,
        body=Discarding,
        codes=_MENDING,
        doc="They count as suppressed, with the cause `discarded`.",
    ),
    _admin("GET", "/v1/fixes", "List all saved fixes.", list_fixes, Fixes),
    _admin(
        "PUT",
        "/v1/fixes/{name}",
        "Save a fix for events in quarantine, or change it.",
        save_fix,
        FixView,
        body=SavedFix,
        path_docs=_NAME,
    ),
    _admin("DELETE", "/v1/fixes/{name}", "Remove a saved fix.", remove_fix, Removed, codes=_GONE, path_docs=_NAME),
)
