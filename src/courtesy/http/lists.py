"""Static lists: who is on one is told by files."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.http.operation import Asked, Operation
from courtesy.http.segments import NAME
from courtesy.http.wire import BadBody, read
from courtesy.runtime.catalog import Scope
from courtesy.runtime.lists import source_of
from courtesy.source.mapping import Format
from courtesy.source.summary import CauseSummary

FILE_BYTES_MAX = 50 * 1024 * 1024
WAIT_S = 120.0


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`kind`: the file is one column of such identifiers without a header, such as `email`; without, its columns are
    told by their names. `format`: of the file, where that is not to be found out. `removes`: take them off the list."""

    kind: str | None = None
    format: Format | None = None
    removes: bool = False


class ListView(msgspec.Struct, frozen=True):
    """What became of the file's rows. With `source` and `fingerprint` it can be taken back, as `DELETE
    /v1/imports/{fingerprint}` does."""

    segment: str
    rows: int
    stored: int
    quarantined: int
    causes: list[CauseSummary]
    source: str
    fingerprint: str


async def change_list(asked: Asked[ListQuery, Any]) -> ListView:
    """Put people on a list, or take them off."""
    query, name = asked.query, asked.path["name"]
    try:
        content = await read(asked.request, FILE_BYTES_MAX, WAIT_S)
    except BadBody as bad:
        raise CourtesyError(Code(str(bad.cause)), bad.detail, place="body") from None
    done, digest = await asked.app.lists.change(
        name, lambda: BytesIO(content), asked.by, kind=query.kind, format_=query.format, removes=query.removes
    )
    (file,) = done.files
    return ListView(
        name, file.row_count, file.stored_count, file.quarantined_count, list(done.causes), source_of(name), digest
    )


_FILE = {"schema": {"type": "string", "format": "binary"}}

OPERATIONS = (
    Operation(
        "POST",
        "/v1/segments/{name}/list",
        "segments",
        "Put everybody whom a file names on a list, or take them off.",
        change_list,
        doc="A CSV, JSONL or Parquet file, also gzipped, at most 50 MB. The list is a segment of that name, which is"
        " defined when it is not there.",
        scope=Scope.ADMIN,
        query=ListQuery,
        answer=ListView,
        codes=(Code.CONFLICT, Code.UNREADABLE, Code.TOO_LARGE),
        path_docs=NAME,
        request={"required": True, "content": {"text/csv": _FILE, "application/octet-stream": _FILE}},
    ),
)
