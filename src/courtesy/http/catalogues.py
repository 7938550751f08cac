"""Catalogues over HTTP: defining, filling, reading and finding."""

from __future__ import annotations

import io
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.catalogue.definition import CatalogueDefinition, EntryField
from courtesy.catalogue.entry import Entry
from courtesy.http.operation import JSON, Asked, NoQuery, Operation, read_json
from courtesy.http.people import past_instant
from courtesy.http.wire import BadBody, read
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Scope
from courtesy.runtime.catalogue_import import RETIRE_AT_MOST, HowToRead, ImportReport
from courtesy.runtime.catalogues import ITEMS_MAX, Given, Outcome
from courtesy.source.files import kept_stream
from courtesy.source.mapping import Format

BODY_BYTES_MAX = 32 * 1024 * 1024
FILE_BYTES_MAX = 256 * 1024 * 1024
WAIT_S = 120.0
PAGE_MAX = 500

Text = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")]


class CatalogueView(msgspec.Struct, frozen=True):
    """A catalogue as it is defined, and how many entries it has; `inferred`: what fields that are not declared look
    like. Null in a list."""

    name: str
    definition: CatalogueDefinition
    inferred: dict[str, EntryField] | None
    live_count: int
    retired_count: int
    changed: str
    changed_by: str


class CataloguesView(msgspec.Struct, frozen=True):
    """All catalogues by name."""

    catalogues: list[CatalogueView]


class CatalogueRemoved(msgspec.Struct, frozen=True):
    """It is no more, nor are its entries."""

    removed: str


class WasView(msgspec.Struct, frozen=True):
    """The value that a field had before, and until when."""

    value: Any
    until: str


class EntryView(msgspec.Struct, frozen=True):
    """An entry. `was`: of fields of which it is told when they change, the value before, such as the previous price.
    `retired`: since when it is not offered any more, null while it is."""

    id: str
    fields: dict[str, Any]
    was: dict[str, WasView]
    version: int
    retired: str | None
    changed: str
    changed_by: str


class EntryPage(msgspec.Struct, frozen=True):
    """Entries by id. `next` leads to more; null at the end."""

    items: list[EntryView]
    next: str | None


class EntryWriting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an entry is to say."""

    fields: dict[str, Any]


class NamedEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an entry is to say; with `fields` null: that it is retired. `patch`: to be merged with what it says."""

    id: Any
    fields: dict[str, Any] | None
    patch: bool = False


class EntriesWriting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries, each once."""

    items: Annotated[list[NamedEntry], Meta(min_length=1, max_length=ITEMS_MAX)]


class MadeView(msgspec.Struct, frozen=True):
    """What became of an entry, and its version by now; `fields`: those that changed."""

    id: str
    outcome: Outcome
    version: int
    fields: list[str]


class MadeList(msgspec.Struct, frozen=True):
    """What became of the entries, in the order in which they came."""

    items: list[MadeView]


class EntryVersionView(msgspec.Struct, frozen=True):
    """What an entry said from an instant on."""

    version: int
    fields: dict[str, Any]
    retired: bool
    changed: str
    changed_by: str


class EntryVersions(msgspec.Struct, frozen=True):
    """The versions that are kept, newest first."""

    versions: list[EntryVersionView]


class EntriesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`field` and `value`: only entries that have that value there; a path such as `price.currency` leads into a field,
    and a list has each of its values. `changed_since`: only what changed at or after an instant. `retired`: also what
    is not offered any more. `after`: the `next` of the page before."""

    field: Text = ""
    value: Text = ""
    changed_since: str | None = None
    retired: bool = False
    after: Text = ""
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 100


class FileQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`id`: the column with the ids. `full`: entries that the file lacks are retired, unless they are more than
    `retire_at_most` per cent. `dry_run`: only say what would be."""

    id: Annotated[str, Meta(min_length=1, max_length=200)] = "id"
    format: Format | None = None
    full: bool = False
    dry_run: bool = False
    retire_at_most: Annotated[int, Meta(ge=0, le=100)] = RETIRE_AT_MOST


class RefusedRowView(msgspec.Struct, frozen=True):
    """A row that is no entry, by its line or number, and why."""

    row: int
    id: str
    why: str


class EntryDifference(msgspec.Struct, frozen=True):
    """What becomes of an entry, and which fields change."""

    id: str
    outcome: Outcome
    fields: list[str]


class FileReport(msgspec.Struct, frozen=True):
    """What a file came to. `differences` and `refused` are the first 100. `held_back`: why entries that it lacks were
    not retired, though it was to be full; empty otherwise."""

    new: int
    changed: int
    same: int
    returned: int
    retired: int
    refused_count: int
    differences: list[EntryDifference]
    refused: list[RefusedRowView]
    held_back: str


def entry_view(entry: Entry) -> EntryView:
    """An entry as it is shown."""
    return EntryView(
        entry.id,
        entry.values,
        {name: WasView(each.value, to_iso(each.until_ms)) for name, each in sorted(entry.was.items())},
        entry.version,
        None if entry.retired_ms is None else to_iso(entry.retired_ms),
        to_iso(entry.changed_ms),
        entry.changed_by,
    )


def file_report(found: ImportReport) -> FileReport:
    """What a file came to as it is shown."""
    counts = found.counts
    return FileReport(
        counts[Outcome.NEW],
        counts[Outcome.CHANGED],
        counts[Outcome.SAME],
        counts[Outcome.RETURNED],
        counts[Outcome.RETIRED],
        found.refused_count,
        [EntryDifference(each.id, each.outcome, list(each.fields)) for each in found.differences],
        [RefusedRowView(*each) for each in found.refused],
        found.held_back,
    )


async def _view(app: App, name: str, *, whole: bool) -> CatalogueView:
    definition, count = await app.shelf.catalogues.get(name), await app.shelf.catalogues.count(name)
    changed_ms, by = app.shelf.catalogues.changed_by(name)
    inferred = await app.shelf.catalogues.inferred(name) if whole else None
    return CatalogueView(name, definition, inferred, *count, to_iso(changed_ms), by)


async def list_catalogues(asked: Asked[NoQuery, None]) -> CataloguesView:
    """All catalogues."""
    names = sorted(await asked.app.shelf.catalogues.latest())
    return CataloguesView([await _view(asked.app, name, whole=False) for name in names])


async def read_catalogue(asked: Asked[NoQuery, None]) -> CatalogueView:
    """One catalogue."""
    return await _view(asked.app, asked.path["name"], whole=True)


async def define_catalogue(asked: Asked[NoQuery, CatalogueDefinition]) -> CatalogueView:
    """Create or change a catalogue."""
    await asked.app.shelf.catalogues.define(asked.path["name"], asked.body, asked.by)
    return await _view(asked.app, asked.path["name"], whole=True)


async def remove_catalogue(asked: Asked[NoQuery, None]) -> CatalogueRemoved:
    """Remove a catalogue and its entries."""
    await asked.app.shelf.catalogues.remove(asked.path["name"], asked.by)
    return CatalogueRemoved(asked.path["name"])


async def list_entries(asked: Asked[EntriesQuery, None]) -> EntryPage:
    """Entries, all or those that have a value."""
    query = asked.query
    since = None if query.changed_since is None else past_instant(query.changed_since, "query.changed_since")
    found = await asked.app.shelf.catalogues.page(
        asked.path["name"], query.field, query.value, since, query.after, query.limit + 1, retired=query.retired
    )
    page = found[: query.limit]
    return EntryPage([entry_view(each) for each in page], page[-1].id if len(found) > query.limit else None)


async def read_entry(asked: Asked[NoQuery, None]) -> EntryView:
    """One entry."""
    return entry_view(await asked.app.shelf.catalogues.entry(asked.path["name"], asked.path["id"]))


async def _one(asked: Asked[Any, Any], fields: dict[str, Any] | None, *, patch: bool = False) -> EntryView:
    given = Given(asked.path["id"], fields, patch)
    (made,) = await asked.app.shelf.catalogues.write(asked.path["name"], [given], asked.by)
    return entry_view(made.entry)


async def put_entry(asked: Asked[NoQuery, EntryWriting]) -> EntryView:
    """Have an entry say something."""
    return await _one(asked, asked.body.fields)


async def patch_entry(asked: Asked[NoQuery, EntryWriting]) -> EntryView:
    """Change some fields of an entry."""
    return await _one(asked, asked.body.fields, patch=True)


async def retire_entry(asked: Asked[NoQuery, None]) -> EntryView:
    """Offer an entry no more."""
    return await _one(asked, None)


async def list_entry_versions(asked: Asked[NoQuery, None]) -> EntryVersions:
    """What an entry said before."""
    found = await asked.app.shelf.catalogues.versions(asked.path["name"], asked.path["id"])
    return EntryVersions(
        [
            EntryVersionView(
                each.number,
                msgspec.json.decode(each.body),
                each.is_retired,
                to_iso(each.changed_ms),
                each.changed_by,
            )
            for each in found
        ]
    )


async def _content(asked: Asked[Any, Any], limit: int) -> bytes:
    try:
        return await read(asked.request, limit, WAIT_S)
    except BadBody as bad:
        raise CourtesyError(Code(str(bad.cause)), bad.detail, place="body") from None


async def put_entries(asked: Asked[NoQuery, Any]) -> MadeList:
    """Many entries at once, all of them or none."""
    body = read_json(await _content(asked, BODY_BYTES_MAX), EntriesWriting)
    given = [Given(each.id, each.fields, each.patch) for each in body.items]
    made = await asked.app.shelf.catalogues.write(asked.path["name"], given, asked.by)
    return MadeList([MadeView(each.entry.id, each.outcome, each.entry.version, list(each.fields)) for each in made])


async def import_catalogue_file(asked: Asked[FileQuery, Any]) -> FileReport:
    """A file of entries."""
    query = asked.query
    how = HowToRead(query.id, query.format, query.full, query.dry_run, query.retire_at_most)
    content = await _content(asked, FILE_BYTES_MAX)
    with kept_stream(io.BytesIO(content), "body", asked.app.clock.now_ms()) as file:
        return file_report(await asked.app.shelf.catalogue_imports.read(asked.path["name"], file, how, asked.by))


NAME = {"name": "Its name, percent-encoded."}
ENTRY = {"name": "The catalogue.", "id": "The id of the entry, percent-encoded."}
_GONE = (Code.NOT_FOUND,)
_ITEMS = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {
            "type": "array",
            "minItems": 1,
            "maxItems": ITEMS_MAX,
            "items": {
                "type": "object",
                "required": ["id", "fields"],
                "properties": {
                    "id": {"type": ["string", "integer"]},
                    "fields": {"type": ["object", "null"]},
                    "patch": {"type": "boolean"},
                },
            },
        }
    },
}
_FILE = {"schema": {"type": "string", "format": "binary"}}


def _admin(method: str, path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    docs = ENTRY if "{id}" in path else NAME if "{name}" in path else {}
    return Operation(
        method, path, "catalogues", summary, handle, scope=Scope.ADMIN, answer=answer, path_docs=docs, **more
    )


OPERATIONS = (
    _admin("GET", "/v1/catalogues", "List all catalogues.", list_catalogues, CataloguesView),
    _admin("GET", "/v1/catalogues/{name}", "Read a catalogue.", read_catalogue, CatalogueView, codes=_GONE),
    _admin(
        "PUT",
        "/v1/catalogues/{name}",
        "Create or change a catalogue.",
        define_catalogue,
        CatalogueView,
        body=CatalogueDefinition,
        doc="Entries that are there already stay as they are until they are next changed.",
    ),
    _admin(
        "DELETE",
        "/v1/catalogues/{name}",
        "Remove a catalogue and its entries.",
        remove_catalogue,
        CatalogueRemoved,
        codes=_GONE,
    ),
    _admin(
        "GET",
        "/v1/catalogues/{name}/items",
        "List entries, or find them by a value.",
        list_entries,
        EntryPage,
        query=EntriesQuery,
        codes=_GONE,
    ),
    _admin(
        "POST",
        "/v1/catalogues/{name}/items",
        f"Have up to {ITEMS_MAX:,} entries say something, all of them or none.",
        put_entries,
        MadeList,
        codes=(Code.NOT_FOUND, Code.UNREADABLE, Code.TOO_LARGE),
        request={"required": True, "content": {JSON: {"schema": _ITEMS}}},
        doc="An entry with `fields` null is retired.",
    ),
    _admin(
        "POST",
        "/v1/catalogues/{name}/imports",
        "Have entries say what a CSV, JSONL or Parquet file says.",
        import_catalogue_file,
        FileReport,
        query=FileQuery,
        codes=(Code.NOT_FOUND, Code.UNREADABLE, Code.TOO_LARGE),
        request={"required": True, "content": {"application/octet-stream": _FILE}},
        doc="What can't be read is told row by row; all else is done. Twice is once.",
    ),
    _admin(
        "GET",
        "/v1/catalogues/{name}/items/{id}/versions",
        "List what an entry said before.",
        list_entry_versions,
        EntryVersions,
        codes=_GONE,
    ),
    _admin("GET", "/v1/catalogues/{name}/items/{id}", "Read an entry.", read_entry, EntryView, codes=_GONE),
    _admin(
        "PUT",
        "/v1/catalogues/{name}/items/{id}",
        "Have an entry say something.",
        put_entry,
        EntryView,
        body=EntryWriting,
        codes=_GONE,
    ),
    _admin(
        "PATCH",
        "/v1/catalogues/{name}/items/{id}",
        "Change some fields of an entry.",
        patch_entry,
        EntryView,
        body=EntryWriting,
        codes=_GONE,
        doc="A JSON merge patch (RFC 7396) of its fields: null takes one away.",
    ),
    _admin(
        "DELETE",
        "/v1/catalogues/{name}/items/{id}",
        "Offer an entry no more.",
        retire_entry,
        EntryView,
        codes=_GONE,
        doc="It is retired: it can still be read, and comes back when it is put again.",
    ),
)
