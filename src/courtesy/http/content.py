"""Content over HTTP: items as people work on them, approved, published and withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import wraps
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.content.findings import Finding
from courtesy.content.items import Body, ItemKey, key_of, resolved
from courtesy.content.kinds import KINDS, kind_of
from courtesy.content.locales import locale_name
from courtesy.content.measures import Measure
from courtesy.content.release import Pin, Trouble
from courtesy.content.workflow import Approval
from courtesy.engine.content import Item, ItemFilter, ItemState, Note, NoteKind, Version
from courtesy.http.errors import Problem, answer_to
from courtesy.http.operation import Answer, Asked, NoQuery, Operation
from courtesy.http.people import past_instant
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Scope
from courtesy.runtime.content import Stale, body_of
from courtesy.runtime.content_publishing import Blocked, WhereUsed
from courtesy.runtime.expecting import Trial
from courtesy.runtime.sample_people import NAMED_MAX, NamedPerson

PAGE_MAX = 500
_OF_SOME_KIND = [{"$ref": f"#/components/schemas/content_{name}"} for name in KINDS]
SAID_CHARS_MAX = 5_000

Said = Annotated[str, Meta(min_length=1, max_length=SAID_CHARS_MAX, pattern=r"^[^\x00]*\S[^\x00]*$")]
Short = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")]
Number = Annotated[int, Meta(ge=1, le=2**31 - 1)]


class ItemFinding(msgspec.Struct, frozen=True):
    """Something found about an item. An error keeps it, and all that is to be published with it, from it."""

    item: str
    finding: Finding


class SideView(msgspec.Struct, frozen=True):
    """One side of two changes that meet: the revision it is or builds on, the places that it changed, by whom and
    when."""

    revision: int
    places: list[str]
    changed: str = ""
    changed_by: str = ""


class ContentProblem(Problem, frozen=True, omit_defaults=True):
    """What went wrong. `findings`: all that keeps items from being published. `yours` and `theirs`: two changes of the
    same revision, of which the latter was first."""

    findings: tuple[ItemFinding, ...] = ()
    yours: SideView | None = None
    theirs: SideView | None = None


class ItemSummary(msgspec.Struct, frozen=True):
    """An item. `version` is the one that is live, made of `live_revision`; both are null when none is."""

    kind: str
    name: str
    title: str
    state: ItemState
    revision: int
    version: int | None
    live_revision: int | None
    tags: list[str]
    owner: str
    changed: str
    changed_by: str


class ItemView(ItemSummary, frozen=True):
    """An item, and what its present revision says."""

    body: Body


class ItemPage(msgspec.Struct, frozen=True):
    """Items by kind and name. `next` leads to more; null at the end."""

    items: list[ItemSummary]
    next: str | None


class ItemsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Only items of a `kind`, in a `state`, or with a `tag`. `after`: the `next` of the page before."""

    kind: str | None = None
    state: ItemState | None = None
    tag: Short | None = None
    after: str | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 100


class ItemWriting(Body, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an item is to say. `revision`: the one that it builds on, 0 for an item that is new. How the values of
    `fields` look depends on the kind: the schema `content_offer` is that of an offer, and `GET /v1/content/kinds` lists
    them all."""

    fields: Annotated[dict[str, Any], Meta(extra_json_schema={"anyOf": _OF_SOME_KIND})] = msgspec.field(
        default_factory=dict
    )
    revision: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0


class ItemSaved(ItemView, frozen=True):
    """An item as it was saved, what would be found if it were published, and how long its texts are."""

    findings: list[Finding]
    measures: list[Measure]


class ItemRevisionView(msgspec.Struct, frozen=True):
    """What an item said in a revision."""

    revision: int
    body: Body
    changed: str
    changed_by: str


class ItemHistory(msgspec.Struct, frozen=True):
    """Every revision, oldest first. None is ever edited."""

    revisions: list[ItemRevisionView]


class VersionSummary(msgspec.Struct, frozen=True):
    """A published version: the revision that it was made of, the SHA-256 of all that it is, and the versions of others
    that it stands on."""

    version: int
    revision: int
    digest: str
    pins: list[Pin]
    published: str
    published_by: str
    release: str


class VersionView(VersionSummary, frozen=True):
    """A published version, what it says and what was made of it."""

    body: Body
    artefacts: dict[str, str]


class VersionsView(msgspec.Struct, frozen=True):
    """Every version that was not dropped, oldest first."""

    versions: list[VersionSummary]


class ShownQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For somebody of a `locale` on a `channel`; of a `version`, or the one that is live."""

    locale: Short = ""
    channel: Short = ""
    version: Number | None = None


class ShownItem(msgspec.Struct, frozen=True):
    """What somebody is shown: each field in the variant that fits best."""

    kind: str
    name: str
    version: int
    fields: dict[str, Any]


class TrialPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody by an identifier: `email` and `ann@shop.example`."""

    kind: Annotated[str, Meta(min_length=1, max_length=100)]
    value: Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]


class TrialBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to try with, beside people who are picked: `people`, and the `data` of a message to them, which templates
    know as `event`. `connection`: over which it would go, for what it costs."""

    people: Annotated[tuple[TrialPerson, ...], Meta(max_length=NAMED_MAX)] = ()
    data: dict[str, Any] | None = None
    connection: Short = ""

    @property
    def trial(self) -> Trial:
        """As the core has it."""
        return Trial(tuple(NamedPerson(each.kind, each.value) for each in self.people), self.data, self.connection)


class Findings(msgspec.Struct, frozen=True):
    """What was found. It can be published when none is an error."""

    findings: list[ItemFinding]


class PublishBody(TrialBody, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`revision`: publish only if that is the present one. It is tried before with `people` and `data`, too."""

    revision: Number | None = None


class PublishedView(msgspec.Struct, frozen=True):
    """The version that is live, and what is odd about it."""

    item: ItemSummary
    version: VersionSummary
    findings: list[ItemFinding]


class WithdrawnView(msgspec.Struct, frozen=True):
    """The item, and who goes on with a version of it."""

    item: ItemSummary
    findings: list[ItemFinding]


class ContentUse(msgspec.Struct, frozen=True):
    """Who stands on an item: a draft or a version of another, a release, or another `kind` of user; on a version, or
    (null) on what is live. `live`: people are shown it, or will be by a release that is scheduled."""

    kind: str
    name: str
    version: int | None
    live: bool


class ContentUses(msgspec.Struct, frozen=True):
    """Everybody who stands on an item."""

    uses: list[ContentUse]


class ApprovalBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A yes to a revision, which must be the present one; in a locale, or (empty) in all."""

    revision: Number
    locale: Short = ""
    note: Annotated[str, Meta(max_length=SAID_CHARS_MAX, pattern=r"^[^\x00]*$")] = ""


class ApprovalView(msgspec.Struct, frozen=True):
    """Somebody's yes. It counts while the item is at this revision."""

    revision: int
    locale: str
    by: str
    at: str
    note: str


class ApprovalsView(msgspec.Struct, frozen=True):
    """Every approval, oldest first."""

    approvals: list[ApprovalView]


class ContentNoteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something to be said of an item, or asked for: `place` is where in the body, and `due` (ISO 8601) by when it is
    wanted."""

    text: Said
    kind: Literal["comment", "request"] = "comment"
    place: Short = ""
    due: str | None = None


class NoteView(msgspec.Struct, frozen=True):
    """A comment, a request, or a proof that was sent. `settled` is null while it is open."""

    number: int
    item: str
    kind: NoteKind
    text: str
    place: str
    by: str
    at: str
    due: str | None
    settled: str | None
    settled_by: str


class ContentNotes(msgspec.Struct, frozen=True):
    """Comments and requests, oldest first."""

    notes: list[NoteView]


class NotesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Only of a `kind`; with those that are `settled`."""

    kind: NoteKind | None = None
    settled: bool = False


def _key(asked: Asked[Any, Any]) -> ItemKey:
    kind_of(asked.path["kind"], "path")
    return key_of(f"{asked.path['kind']}/{asked.path['name']}", "path")


def _number(asked: Asked[Any, Any]) -> int:
    text = asked.path["number"]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise CourtesyError(Code.INVALID, f"expected a number, got {text!r:.60}", place="path")
    return int(text)


def _iso(at_ms: int | None) -> str | None:
    return None if at_ms is None else to_iso(at_ms)


def summary_of(item: Item) -> ItemSummary:
    """An item without what it says."""
    return ItemSummary(*_summary(item, body_of(item.body)))


def _summary(item: Item, body: Body) -> tuple[Any, ...]:
    return (
        *item.key, body.title, item.state, item.revision, item.live, item.live_revision, list(body.tags), body.owner,
        to_iso(item.changed_ms), item.changed_by,
    )  # fmt: skip


def _view(item: Item) -> ItemView:
    body = body_of(item.body)
    return ItemView(*(*_summary(item, body), body))


def _version(version: Version) -> tuple[Any, ...]:
    return (
        version.number, version.revision, version.digest.hex(), list(version.pins), to_iso(version.published_ms),
        version.published_by, version.release,
    )  # fmt: skip


def version_summary(version: Version) -> VersionSummary:
    """A version without what it says."""
    return VersionSummary(*_version(version))


def findings_of(found: Iterable[Trouble]) -> list[ItemFinding]:
    """What was found, as it is told."""
    return [ItemFinding(str(each.key), each.finding) for each in found]


async def list_items(asked: Asked[ItemsQuery, None]) -> ItemPage:
    """A page of items."""
    query = asked.query
    states = None if query.state is None else frozenset({query.state})
    after = None if query.after is None else key_of(query.after, "query.after")
    if query.kind is not None:
        kind_of(query.kind, "query.kind")
    found = await asked.app.shelf.contents.found(ItemFilter(query.kind, states, query.tag), after, query.limit)
    return ItemPage(list(map(summary_of, found)), str(found[-1].key) if len(found) == query.limit else None)


async def read_item(asked: Asked[NoQuery, None]) -> ItemView:
    """One item."""
    return _view(await asked.app.shelf.contents.get(_key(asked)))


async def write_item(asked: Asked[NoQuery, ItemWriting]) -> ItemSaved:
    """Make or change an item."""
    body = Body(**{name: getattr(asked.body, name) for name in Body.__struct_fields__})
    item = await asked.app.shelf.contents.put(_key(asked), body, asked.body.revision, asked.by)
    draft = await asked.app.shelf.publications.check_draft(item.key, body)
    return ItemSaved(*(*_summary(item, body), body, draft.findings, draft.measures))


async def read_item_history(asked: Asked[NoQuery, None]) -> ItemHistory:
    """Every revision."""
    return ItemHistory(
        [
            ItemRevisionView(each.number, body_of(each.body), to_iso(each.changed_ms), each.changed_by)
            for each in await asked.app.shelf.contents.revisions(_key(asked))
        ]
    )


async def check_item(asked: Asked[NoQuery, None]) -> Findings:
    """What would be found."""
    key = _key(asked)
    return Findings([ItemFinding(str(key), each) for each in await asked.app.shelf.publications.check(key)])


async def try_item(asked: Asked[NoQuery, TrialBody]) -> Findings:
    """What would be found with people whom somebody names."""
    key = _key(asked)
    found = await asked.app.shelf.publications.check(key, asked.body.trial)
    return Findings([ItemFinding(str(key), each) for each in found])


async def publish_item(asked: Asked[NoQuery, PublishBody]) -> PublishedView:
    """Have it live."""
    key = _key(asked)
    done = await asked.app.shelf.publications.publish(key, asked.body.revision, asked.by, asked.body.trial)
    item = await asked.app.shelf.contents.get(key)
    return PublishedView(summary_of(item), version_summary(done.versions[0]), findings_of(done.troubles))


async def withdraw_item(asked: Asked[NoQuery, Any]) -> WithdrawnView:
    """Show it no more."""
    key = _key(asked)
    done = await asked.app.shelf.publications.withdraw(key, asked.by)
    return WithdrawnView(summary_of(await asked.app.shelf.contents.get(key)), findings_of(done.troubles))


async def archive_item(asked: Asked[NoQuery, Any]) -> ItemSummary:
    """Put it away."""
    return summary_of(await asked.app.shelf.publications.archive(_key(asked)))


async def restore_item(asked: Asked[NoQuery, Any]) -> ItemSummary:
    """Take it up again."""
    return summary_of(await asked.app.shelf.publications.restore(_key(asked)))


async def list_versions(asked: Asked[NoQuery, None]) -> VersionsView:
    """Every version."""
    found = await asked.app.shelf.publications.versions(_key(asked))
    return VersionsView(list(map(version_summary, found)))


async def read_version(asked: Asked[NoQuery, None]) -> VersionView:
    """One version."""
    found = await asked.app.shelf.publications.version(_key(asked), _number(asked))
    artefacts = msgspec.json.decode(found.artefacts, type=dict[str, str])
    return VersionView(*(*_version(found), body_of(found.body), artefacts))


async def drop_version(asked: Asked[NoQuery, None]) -> VersionsView:
    """Forget a version."""
    await asked.app.shelf.publications.drop_version(_key(asked), _number(asked))
    return await list_versions(asked)


async def read_shown_item(asked: Asked[ShownQuery, None]) -> ShownItem:
    """What somebody is shown."""
    key, query = _key(asked), asked.query
    version = await asked.app.shelf.publications.version(key, query.version)
    locale = locale_name(query.locale) if query.locale else ""
    fields = resolved(kind_of(key.kind), body_of(version.body), locale, query.channel)
    return ShownItem(*key, version.number, fields)


async def read_item_uses(asked: Asked[NoQuery, None]) -> ContentUses:
    """Who stands on it."""
    return ContentUses([_use(each) for each in await asked.app.shelf.publications.where_used(_key(asked))])


def _use(each: WhereUsed) -> ContentUse:
    return ContentUse(*each.use.user, each.use.version, each.is_live)


async def approve_item(asked: Asked[NoQuery, ApprovalBody]) -> ApprovalView:
    """Say yes."""
    body = asked.body
    return _approval(
        await asked.app.shelf.contents.approve(_key(asked), body.revision, body.locale, asked.by, body.note)
    )


def _approval(each: Approval) -> ApprovalView:
    return ApprovalView(each.revision, each.locale, each.by, to_iso(each.at_ms), each.note)


async def list_approvals(asked: Asked[NoQuery, None]) -> ApprovalsView:
    """Who said yes."""
    key = (await asked.app.shelf.contents.get(_key(asked))).key
    return ApprovalsView(list(map(_approval, await asked.app.shelf.contents.approvals(key))))


async def add_note(asked: Asked[NoQuery, ContentNoteBody]) -> NoteView:
    """Say something of an item, or ask for something."""
    body = asked.body
    due_ms = None if body.due is None else past_instant(body.due, "due")
    made = await asked.app.shelf.contents.note(
        NoteKind(body.kind), _key(asked), body.text, asked.by, body.place, due_ms
    )
    return _note(made)


def _note(each: Note) -> NoteView:
    return NoteView(
        each.number, str(each.key), each.kind, each.text, each.place, each.made_by, to_iso(each.made_ms),
        _iso(each.due_ms), _iso(each.settled_ms), each.settled_by,
    )  # fmt: skip


async def list_item_notes(asked: Asked[NotesQuery, None]) -> ContentNotes:
    """What was said of an item."""
    key = (await asked.app.shelf.contents.get(_key(asked))).key
    return await _notes(asked.app, key, asked.query)


async def list_notes(asked: Asked[NotesQuery, None]) -> ContentNotes:
    """What was said of all items."""
    return await _notes(asked.app, None, asked.query)


async def _notes(app: App, key: ItemKey | None, query: NotesQuery) -> ContentNotes:
    found = await app.shelf.contents.notes(key, query.kind, settled=query.settled)
    return ContentNotes(list(map(_note, found)))


async def settle_note(asked: Asked[NoQuery, Any]) -> NoteView:
    """It is dealt with."""
    return _note(await asked.app.shelf.contents.settle_note(_key(asked), _number(asked), asked.by))


CONTENT_DOCS = {
    "kind": f"The item's kind: {', '.join(KINDS)}.",
    "name": "The name of the item or the release.",
    "number": "The number of the version or the note.",
}
_GONE = (Code.NOT_FOUND,)
CLASH = (Code.NOT_FOUND, Code.CONFLICT)
ITEM = "/v1/content/items/{kind}/{name}"


def operation(
    method: str,
    path: str,
    summary: str,
    handle: Any,
    answer: Any,
    scope: Scope = Scope.READ,
    codes: Sequence[Code] = _GONE,
    **more: Any,
) -> Operation:
    """An operation on content, which tells all that keeps it from being done."""

    @wraps(handle)
    async def telling(asked: Asked[Any, Any]) -> Any:
        await asked.app.catalog.refresh()
        try:
            return await handle(asked)
        except (Stale, Blocked) as error:
            return _refusal(error, asked.operation)

    docs = {name: said for name, said in CONTENT_DOCS.items() if f"{{{name}}}" in path}
    return Operation(
        method, path, "content", summary, telling, scope=scope, answer=answer, codes=codes, path_docs=docs,
        problem=ContentProblem, **more,
    )  # fmt: skip


def _refusal(error: Stale | Blocked, asked: Operation) -> Answer:
    told = (error.code, error.message, error.hint, error.place)
    if isinstance(error, Blocked):
        return answer_to(error, asked, ContentProblem(*told, findings=tuple(findings_of(error.troubles))))
    known = error.known
    theirs = SideView(known.revision, error.theirs, to_iso(known.changed_ms), known.changed_by)
    return answer_to(error, asked, ContentProblem(*told, yours=SideView(error.base, error.yours), theirs=theirs))


OPERATIONS = (
    operation("GET", "/v1/content/items", "List items of content.", list_items, ItemPage, query=ItemsQuery),
    operation("GET", ITEM, "Read an item: what its present revision says.", read_item, ItemView),
    operation(
        "PUT",
        ITEM,
        "Make or change an item.",
        write_item,
        ItemSaved,
        Scope.ADMIN,
        (*CLASH, Code.TOO_LARGE),
        body=ItemWriting,
        doc="Nobody is shown a change before it is published. When somebody else changed the item since `revision`, the"
        " answer is 409 and names what either changed.",
    ),
    operation("GET", f"{ITEM}/history", "Every revision of an item.", read_item_history, ItemHistory),
    operation("GET", f"{ITEM}/check", "What keeps an item from being published.", check_item, Findings),
    operation(
        "POST",
        f"{ITEM}/check",
        "Try an item with people whom you name.",
        try_item,
        Findings,
        body=TrialBody,
        doc="Templates are tried with up to 20 people anyway, picked from all. Findings count people and never tell"
        " what somebody said of themselves.",
    ),
    operation(
        "POST",
        f"{ITEM}/publish",
        "Publish the present revision of an item.",
        publish_item,
        PublishedView,
        Scope.ADMIN,
        CLASH,
        body=PublishBody,
        doc="It becomes a version, which never changes, and which whatever is published with it is pinned to. When"
        " anything keeps it from it, the answer is 409 with all findings.",
    ),
    operation(
        "POST",
        f"{ITEM}/withdraw",
        "Show an item no more.",
        withdraw_item,
        WithdrawnView,
        Scope.ADMIN,
        CLASH,
        doc="Its versions stay, and what is pinned to one goes on with it.",
    ),
    operation(
        "POST",
        f"{ITEM}/archive",
        "Put an item away that nothing live needs.",
        archive_item,
        ItemSummary,
        Scope.ADMIN,
        CLASH,
    ),
    operation("POST", f"{ITEM}/restore", "Take up an archived item.", restore_item, ItemSummary, Scope.ADMIN, CLASH),
    operation("GET", f"{ITEM}/versions", "Every published version of an item.", list_versions, VersionsView),
    operation("GET", f"{ITEM}/versions/{{number}}", "A published version of an item.", read_version, VersionView),
    operation(
        "DELETE",
        f"{ITEM}/versions/{{number}}",
        "Forget a version that nothing needs.",
        drop_version,
        VersionsView,
        Scope.ADMIN,
        CLASH,
    ),
    operation(
        "GET",
        f"{ITEM}/shown",
        "What somebody of a locale is shown on a channel.",
        read_shown_item,
        ShownItem,
        query=ShownQuery,
    ),
    operation("GET", f"{ITEM}/uses", "Who stands on an item.", read_item_uses, ContentUses),
    operation(
        "POST",
        f"{ITEM}/approvals",
        "Approve the present revision of an item.",
        approve_item,
        ApprovalView,
        Scope.ADMIN,
        CLASH,
        body=ApprovalBody,
        doc="Nobody approves what they changed since it was last published. An edit voids what was approved before.",
    ),
    operation("GET", f"{ITEM}/approvals", "Who approved an item.", list_approvals, ApprovalsView),
    operation(
        "POST",
        f"{ITEM}/notes",
        "Comment on an item, or ask for something.",
        add_note,
        NoteView,
        Scope.ADMIN,
        body=ContentNoteBody,
        status=201,
    ),
    operation(
        "GET", f"{ITEM}/notes", "Comments on an item, and requests.", list_item_notes, ContentNotes, query=NotesQuery
    ),
    operation(
        "POST",
        f"{ITEM}/notes/{{number}}/settle",
        "Say that a comment or a request is dealt with.",
        settle_note,
        NoteView,
        Scope.ADMIN,
    ),
    operation(
        "GET", "/v1/content/notes", "What was said of items.", list_notes, ContentNotes, query=NotesQuery, codes=()
    ),
)
