"""Imported files: which there are, and taking one back as a whole."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code
from courtesy.base.time import to_iso
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.runtime.catalog import Scope
from courtesy.runtime.take_back import TakenBack

PEOPLE_MAX = 2_000
"""People whom one call works through: some seconds."""


class ImportView(msgspec.Struct, frozen=True):
    """A file that was imported. `finished` and `taken_back`, null if never: when it was read to its end, and since when
    it is being taken back."""

    fingerprint: str
    source: str
    name: str
    rows: int
    finished: str | None
    taken_back: str | None


class Imports(msgspec.Struct, frozen=True):
    """By source and name."""

    imports: list[ImportView]


class TakeBackQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`source`: into which it was imported. `dry_run`: only say what would be."""

    source: Annotated[str, Meta(min_length=1)]
    dry_run: bool = False


async def list_imports(asked: Asked[NoQuery, None]) -> Imports:
    """Every imported file."""
    found = await asked.app.take_backs.imports()
    names = await asked.app.catalog.source_names(each.source for each in found)
    return Imports(
        [
            ImportView(
                each.fingerprint,
                names.get(each.source, str(each.source)),
                each.name,
                each.row_count,
                None if each.finished_ms is None else to_iso(each.finished_ms),
                None if each.taken_back_ms is None else to_iso(each.taken_back_ms),
            )
            for each in found
        ]
    )


async def take_import_back(asked: Asked[TakeBackQuery, Any]) -> TakenBack:
    """One file as if it had never come."""
    query, fingerprint = asked.query, asked.path["fingerprint"]
    work = asked.app.take_backs
    return await work.take_back(fingerprint, query.source, asked.by, dry=query.dry_run, people_max=PEOPLE_MAX)


OPERATIONS = (
    Operation(
        "GET",
        "/v1/imports",
        "imports",
        "List the files that were imported.",
        list_imports,
        scope=Scope.ADMIN,
        answer=Imports,
    ),
    Operation(
        "DELETE",
        "/v1/imports/{fingerprint}",
        "imports",
        "Take an imported file back as a whole.",
        take_import_back,
        doc="Its events go from log and lake, and with them all that only they told. One call does a part of a large"
        " file: ask again until it says that it is finished.",
        scope=Scope.ADMIN,
        query=TakeBackQuery,
        answer=TakenBack,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
        path_docs={"fingerprint": "SHA-256 of the file's bytes, in hex."},
    ),
)
