"""A package as files: the document as JSON, its tables as CSV, and for access the page, in one ZIP.

The JSON has everything as it is held; in the CSV what spreadsheets would run as a formula has an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from courtesy.consent.sheet import defused
from courtesy.runtime.package import ACCESS_FORMAT
from courtesy.runtime.package_page import page

Document = Mapping[str, Any]

_EPOCH = (1980, 1, 1, 0, 0, 0)
_ONLY_ITS_OWNER = 0o600 << 16
TABLES = ("identifiers", "traits", "choices", "events")


def json_file(document: Document) -> bytes:
    """The document, for programs and for those who look into it."""
    return json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def zip_file(document: Document) -> bytes:
    """All files of a package; the same for the same document."""
    files = {"data.json": json_file(document)}
    if document["format"] == ACCESS_FORMAT:
        files["index.html"] = page(document).encode()
        files["choices.csv"] = _table(document["held"]["choices"])
        files["events.csv"] = _table(document["held"]["events"])
    else:
        files |= {f"{name}.csv": _table(document[name]) for name in TABLES}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = _ONLY_ITS_OWNER
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def _table(rows: Sequence[Document]) -> bytes:
    """Rows under a line with the names of their columns (RFC 4180); empty for none."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    if rows:
        writer.writerow(rows[0])
    for row in rows:
        writer.writerow([defused(_cell(each)) for each in row.values()])
    return out.getvalue().encode("utf-8", "backslashreplace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
