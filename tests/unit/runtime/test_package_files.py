"""A package as files: in the tables nothing runs, in the JSON everything is as it is held."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from courtesy.runtime.package_files import json_file, zip_file

TEXTS = st.text() | st.sampled_from(["=1+1", "+49 30 123", "@sum", "a\r\nb", '"', "\ud800", "\x00"])


def portable(*traits: dict[str, Any]) -> dict[str, Any]:
    """A package with these traits and nothing else."""
    lists: dict[str, Any] = {name: [] for name in ("identifiers", "choices", "events")}
    return {"format": "courtesy.portability/1", "request": {}, "traits": list(traits), **lists}


def unpacked(content: bytes) -> dict[str, bytes]:
    """The files in a ZIP."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_formula_is_defused_in_the_table_alone() -> None:
    """In the JSON it is as it was told."""
    document = portable(
        {"name": "sum", "value": "=1+1", "at": "2026"}, {"name": "n", "value": {"a": [1]}, "at": "2026"}
    )
    files = unpacked(zip_file(document))
    rows = list(csv.DictReader(io.StringIO(files["traits.csv"].decode())))
    assert [row["value"] for row in rows] == ["'=1+1", '{"a":[1]}']
    assert json.loads(files["data.json"]) == document
    assert files["events.csv"] == b""


def test_the_same_document_makes_the_same_file() -> None:
    """So that its SHA-256 in the log says what was handed out."""
    document = portable({"name": "a", "value": 1, "at": "2026"})
    assert zip_file(document) == zip_file(document)


@given(TEXTS, TEXTS)
def test_whatever_was_told_is_written(name: str, value: str) -> None:
    """A file can be made of anything, and its JSON is read again."""
    document = portable({"name": name, "value": value, "at": "2026"})
    files = unpacked(zip_file(document))
    assert files["data.json"] == json_file(document)
    (trait,) = json.loads(files["data.json"])["traits"]
    if "\ud800" not in value:
        assert trait["value"] == value
