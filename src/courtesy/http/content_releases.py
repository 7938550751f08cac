"""Releases of content over HTTP, who has to approve what, and all content as files."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.content.items import NAME_PATTERN, key_of
from courtesy.content.kinds import KINDS, schema_of
from courtesy.content.release import Change
from courtesy.content.workflow import ContentWorkflow
from courtesy.engine.content import Member, Release, ReleaseState
from courtesy.http.content import (
    CLASH,
    Findings,
    ItemFinding,
    Short,
    VersionSummary,
    findings_of,
    operation,
    version_summary,
)
from courtesy.http.definitions import Removed
from courtesy.http.operation import Answer, Asked, NoQuery
from courtesy.http.people import past_instant
from courtesy.http.wire import BadBody, read
from courtesy.runtime.catalog import Scope
from courtesy.runtime.content_files import ImportStep, Step, unzipped, zipped
from courtesy.runtime.content_releases import MEMBERS_MAX, kept_by

ARCHIVE_BYTES_MAX = 50 * 1024 * 1024
WAIT_S = 120.0
ZIP = "application/zip"

ReleaseName = Annotated[str, Meta(pattern=NAME_PATTERN)]


class ReleaseMemberBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item, as kind/name, and whether the release publishes or withdraws it."""

    item: Annotated[str, Meta(max_length=201)]
    change: Change = Change.PUBLISH


class ReleaseMember(msgspec.Struct, frozen=True):
    """An item of a release. `revision` is fixed when the release is scheduled, and null before."""

    item: str
    change: Change
    revision: int | None


class ReleaseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be in a release."""

    items: Annotated[tuple[ReleaseMemberBody, ...], Meta(max_length=MEMBERS_MAX)]
    title: Short = ""


class ReleaseView(msgspec.Struct, frozen=True):
    """A release. `at`: the instant that it is scheduled for. `settled`: when it was published, or kept from it by what
    `findings` says."""

    name: str
    title: str
    state: ReleaseState
    items: list[ReleaseMember]
    at: str | None
    settled: str | None
    findings: list[ItemFinding]
    changed: str
    changed_by: str


class ReleasesView(msgspec.Struct, frozen=True):
    """By when they are due, and name."""

    releases: list[ReleaseView]


class ReleasesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Only those in a state."""

    state: ReleaseState | None = None


class ScheduleBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When to publish it (ISO 8601)."""

    at: Annotated[str, Meta(max_length=40)]


class ReleasedView(msgspec.Struct, frozen=True):
    """The release as it stands now, the versions that are live, and what is odd about them."""

    release: ReleaseView
    versions: list[VersionSummary]
    findings: list[ItemFinding]


class KindView(msgspec.Struct, frozen=True):
    """A kind of item. `fields`: a JSON Schema of them."""

    name: str
    summary: str
    fields: dict[str, Any]


class KindsView(msgspec.Struct, frozen=True):
    """Every kind."""

    kinds: list[KindView]


class ImportQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`dry_run`: only say what would be done."""

    dry_run: bool = False


class ImportStepView(msgspec.Struct, frozen=True):
    """What was done with an item, and where it was changed."""

    item: str
    step: Step
    places: list[str]


class ContentImport(msgspec.Struct, frozen=True):
    """What was done, or would be, by item."""

    items: list[ImportStepView]


def _release(release: Release) -> ReleaseView:
    members = [ReleaseMember(str(each.key), each.change, each.revision) for each in release.members]
    findings = [ItemFinding(each.item, each.finding) for each in kept_by(release)]
    return ReleaseView(
        release.name,
        release.title,
        release.state,
        members,
        None if release.due_ms is None else to_iso(release.due_ms),
        None if release.settled_ms is None else to_iso(release.settled_ms),
        findings,
        to_iso(release.changed_ms),
        release.changed_by,
    )


async def list_releases(asked: Asked[ReleasesQuery, None]) -> ReleasesView:
    """Releases."""
    states = set(ReleaseState) if asked.query.state is None else {asked.query.state}
    return ReleasesView(list(map(_release, await asked.app.shelf.releases.all(states))))


async def read_release(asked: Asked[NoQuery, None]) -> ReleaseView:
    """One release."""
    return _release(await asked.app.shelf.releases.get(asked.path["name"]))


async def write_release(asked: Asked[NoQuery, ReleaseBody]) -> ReleaseView:
    """Make or change a release."""
    try:
        name = msgspec.convert(asked.path["name"], ReleaseName)
    except msgspec.ValidationError:
        hint = "lower case letters, digits, - and _"
        raise CourtesyError(Code.INVALID, "expected another name for the release", hint=hint, place="path") from None
    members = [
        Member(*key_of(each.item, f"items[{index}].item"), each.change) for index, each in enumerate(asked.body.items)
    ]
    return _release(await asked.app.shelf.releases.put(name, asked.body.title, members, asked.by))


async def remove_release(asked: Asked[NoQuery, None]) -> Removed:
    """Forget a release."""
    await asked.app.shelf.releases.remove(asked.path["name"])
    return Removed(asked.path["name"])


async def preview_release(asked: Asked[NoQuery, None]) -> Findings:
    """What would be found."""
    return Findings(findings_of(await asked.app.shelf.releases.preview(asked.path["name"])))


async def schedule_release(asked: Asked[NoQuery, ScheduleBody]) -> ReleaseView:
    """Publish it then."""
    due_ms = past_instant(asked.body.at, "at")
    return _release(await asked.app.shelf.releases.schedule(asked.path["name"], due_ms, asked.by))


async def call_off_release(asked: Asked[NoQuery, Any]) -> ReleaseView:
    """Don't publish it then."""
    return _release(await asked.app.shelf.releases.call_off(asked.path["name"], asked.by))


async def publish_release(asked: Asked[NoQuery, Any]) -> ReleasedView:
    """Publish it now."""
    name = asked.path["name"]
    done = await asked.app.shelf.releases.publish(name, asked.by)
    versions = [version_summary(each) for each in done.versions]
    return ReleasedView(_release(await asked.app.shelf.releases.get(name)), versions, findings_of(done.troubles))


async def read_workflow(asked: Asked[NoQuery, None]) -> ContentWorkflow:
    """Who has to approve what."""
    return asked.app.catalog.now.workflow


async def define_workflow(asked: Asked[NoQuery, ContentWorkflow]) -> ContentWorkflow:
    """Say who has to approve what."""
    await asked.app.catalog.define_workflow(asked.body, asked.by)
    return asked.app.catalog.now.workflow


async def list_kinds(asked: Asked[NoQuery, None]) -> KindsView:
    """Every kind."""
    return KindsView([KindView(each.name, each.summary, schema_of(each)) for each in KINDS.values()])


async def list_content_warnings(asked: Asked[NoQuery, None]) -> Findings:
    """What time has to say of what is published."""
    return Findings(findings_of(await asked.app.shelf.publications.warnings()))


async def export_content(asked: Asked[NoQuery, None]) -> Answer:
    """All content as files."""
    headers = (("content-disposition", 'attachment; filename="content.zip"'),)
    return Answer(zipped(await asked.app.shelf.content_files.exported()), media_type=ZIP, headers=headers)


async def import_content(asked: Asked[ImportQuery, Any]) -> ContentImport:
    """Content from files."""
    try:
        content = await read(asked.request, ARCHIVE_BYTES_MAX, WAIT_S)
    except BadBody as bad:
        raise CourtesyError(Code(str(bad.cause)), bad.detail, place="body") from None
    steps = await asked.app.shelf.content_files.take_in(unzipped(content), asked.by, dry_run=asked.query.dry_run)
    return ContentImport([_step(each) for each in steps])


def _step(each: ImportStep) -> ImportStepView:
    return ImportStepView(str(each.key), each.step, each.places)


_FILE = {"schema": {"type": "string", "format": "binary"}}
RELEASE = "/v1/content/releases/{name}"

OPERATIONS = (
    operation("GET", "/v1/content/kinds", "The kinds of items, and their fields.", list_kinds, KindsView, codes=()),
    operation(
        "GET", "/v1/content/releases", "List releases.", list_releases, ReleasesView, codes=(), query=ReleasesQuery
    ),
    operation("GET", RELEASE, "Read a release.", read_release, ReleaseView),
    operation(
        "PUT",
        RELEASE,
        "Make a release, or change what is in it.",
        write_release,
        ReleaseView,
        Scope.ADMIN,
        CLASH,
        body=ReleaseBody,
    ),
    operation("DELETE", RELEASE, "Forget a release; its items stay.", remove_release, Removed, Scope.ADMIN, CLASH),
    operation("GET", f"{RELEASE}/preview", "What keeps a release from being published.", preview_release, Findings),
    operation(
        "POST",
        f"{RELEASE}/schedule",
        "Publish a release at an instant, by itself.",
        schedule_release,
        ReleaseView,
        Scope.ADMIN,
        CLASH,
        body=ScheduleBody,
        doc="Each item in the revision that it is at now. When anything keeps it from it then, nothing of it is"
        " published, and its state is `blocked`.",
    ),
    operation(
        "POST",
        f"{RELEASE}/call-off",
        "Don't publish a release by itself.",
        call_off_release,
        ReleaseView,
        Scope.ADMIN,
        CLASH,
    ),
    operation(
        "POST",
        f"{RELEASE}/publish",
        "Publish all of a release now, or nothing of it.",
        publish_release,
        ReleasedView,
        Scope.ADMIN,
        CLASH,
        doc="When anything keeps an item of it from it, the answer is 409 with all findings.",
    ),
    operation("GET", "/v1/content/workflow", "Who has to approve content.", read_workflow, ContentWorkflow, codes=()),
    operation(
        "PUT",
        "/v1/content/workflow",
        "Say who has to approve content.",
        define_workflow,
        ContentWorkflow,
        Scope.ADMIN,
        (),
        body=ContentWorkflow,
    ),
    operation(
        "GET",
        "/v1/content/warnings",
        "What is published and can't stay so for long.",
        list_content_warnings,
        Findings,
        codes=(),
        doc="Rights that run out within 14 days or ran out, and validity that is over.",
    ),
    operation(
        "GET",
        "/v1/content/export",
        "All content as files, in a ZIP archive.",
        export_content,
        None,
        codes=(),
        answered={ZIP: _FILE},
        doc="The drafts of all items that are not archived: a JSON file each, and long texts beside it.",
    ),
    operation(
        "POST",
        "/v1/content/import",
        "Have items say what files say.",
        import_content,
        ContentImport,
        Scope.ADMIN,
        (Code.CONFLICT, Code.UNREADABLE, Code.TOO_LARGE),
        query=ImportQuery,
        request={"required": True, "content": {"application/octet-stream": _FILE}},
        doc="An archive as the export makes it. All of it or nothing, and nothing is published. Twice is once.",
    ),
)
