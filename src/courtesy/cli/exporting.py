"""`courtesy person export`: everything that is held of a person, as two files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.runtime.app import App
from courtesy.runtime.export_page import page


def export_person(
    kind: Annotated[str, typer.Argument(help="user_id, email, phone, device_id, anonymous_id, person, …")],
    value: Annotated[str, typer.Argument(help="The identifier's value")],
    out: Annotated[str, typer.Option("--out", help="Folder for the two files; made when there is none")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Everything that is held of a person, as a JSON file for programs and a page for them to read."""

    async def work(app: App) -> dict[str, Any]:
        return await app.exports.of(kind, value)

    document = with_app(settings_of(data=data, database=database), work)
    folder, name = Path(out), f"person-{document['person']['person']}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{name}.json", json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        _write(folder / f"{name}.html", page(document))
    except OSError as error:
        raise CourtesyError(Code.INVALID, f"can't write there: {error.strerror}", place=out) from error


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, and say where it is."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    print(path)
