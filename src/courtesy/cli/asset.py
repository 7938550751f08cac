"""`courtesy asset`: pictures and documents, taken in and addressed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from courtesy.asset.rendition import Fit, Focus, ImageFormat
from courtesy.base.errors import Code, CourtesyError
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.content_words import ByOption
from courtesy.cli.person import COMMAND_LINE
from courtesy.runtime.app import App

asset = typer.Typer(name="asset", help="Pictures and documents that content shows.", no_args_is_help=True)


@asset.command("put")
def put_asset(
    files: Annotated[list[str], typer.Argument(help="JPEG, PNG, WebP, AVIF, GIF or PDF files")],
    focus_x: Annotated[int, typer.Option(help="The point that stays in it, in per cent from the left")] = 50,
    focus_y: Annotated[int, typer.Option(help="The same, from the top")] = 50,
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Take in files; SHA-256, type, width, height and name of each, as it is kept."""
    paths = [Path(file) for file in files]
    for path in paths:
        if not path.is_file():
            raise CourtesyError(Code.NOT_FOUND, f"no file {path}", place="files")

    async def work(app: App) -> None:
        for path in paths:
            try:
                found = await app.shelf.assets.put(path.read_bytes(), path.name, by, Focus(focus_x, focus_y))
            except CourtesyError as error:
                error.place = str(path)
                raise
            print("\t".join([found.sha256, found.media_type, str(found.width), str(found.height), path.name]))

    with_app(settings_of(data=data, database=database), work, make=True)


@asset.command("url")
def show_url(
    sha256: Annotated[str, typer.Argument(help="The SHA-256 of the asset")],
    width: Annotated[int, typer.Option(help="In pixels; 0 follows from the height", min=0)] = 640,
    height: Annotated[int, typer.Option(help="In pixels; 0 follows from the width", min=0)] = 0,
    fit: Annotated[Fit, typer.Option(help="Whole, or cut around the focus")] = Fit.INSIDE,
    format_: Annotated[ImageFormat, typer.Option("--format", help="In which it is sent")] = ImageFormat.WEBP,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """The address of a picture in a size, signed where it has to be."""

    async def work(app: App) -> str:
        return app.shelf.assets.url(await app.shelf.assets.get(sha256), width, height, fit, format_, None)

    print(with_app(settings_of(data=data, database=database), work))
