"""`courtesy import` and `courtesy mapping`: files in, with a progress bar, and a mapping to start from."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from courtesy.base.errors import Code, CourtesyError
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.event.event import Party
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Source
from courtesy.runtime.importing import import_path
from courtesy.runtime.settings import Settings
from courtesy.runtime.take_back import TakenBack
from courtesy.source import summary
from courtesy.source.files import find_files, fingerprint
from courtesy.source.guess import guess_mapping
from courtesy.source.mapping import Format, Mapping, parse_mapping, write_mapping
from courtesy.source.ready import ready_mapping, ready_mappings

COMMAND_LINE = "command line"

PathArgument = Annotated[str, typer.Argument(help="A CSV, JSONL or Parquet file (also .gz), a folder, or - for stdin")]


class Content(StrEnum):
    """What the rows of a file tell, where that is not to be found out. CONSENT: what people allow and refuse."""

    CONSENT = "consent"


ContentOption = Annotated[Content | None, typer.Option("--as", help="What its rows tell, when they are no events")]


def _read_mapping(given: str | None) -> Mapping | None:
    """A mapping by the path of its file, or by the name of a ready one."""
    if given is None:
        return None
    if Path(given).is_file():
        return parse_mapping(Path(given).read_bytes(), given)
    if given in ready_mappings():
        return ready_mapping(given)
    known = ", ".join(sorted(ready_mappings()))
    raise CourtesyError(Code.NOT_FOUND, f"no mapping file {given!r}", hint=f"or name a ready one: {known}")


def import_files(
    path: PathArgument,
    source: Annotated[str, typer.Option(help="The source that the events come from; made when there is none")],
    mapping: Annotated[
        str | None, typer.Option(help="A mapping file, or a ready one by name. Guessed if missing")
    ] = None,
    party: Annotated[Party, typer.Option(help="How far a new source is from the customer")] = Party.FIRST,
    format_: Annotated[Format | None, typer.Option("--format", help="What stdin or an odd file is")] = None,
    as_: ContentOption = None,
    again: Annotated[bool, typer.Option("--again", help="Read a file once more that was imported before")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Take it back; a file may be named by its SHA-256, too")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --undo: only say what would be")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Import a file, a folder or stdin. Stop and repeat it as you like: nothing is lost or added twice.

    With --undo what was imported is taken back as a whole, and may be imported again.
    """
    if dry_run and not undo:
        raise CourtesyError(Code.INVALID, "expected --dry-run with --undo", place="--dry-run")
    if undo:
        _take_back(path, source, settings_of(data=data, database=database), dry=dry_run)
        return
    chosen = _read_mapping(mapping)
    console = Console(stderr=True)

    async def work(app: App) -> summary.ImportSummary:
        await app.catalog.ensure_source(source, Source(party=party), COMMAND_LINE)
        with _bar(console) as bar:
            task = bar.add_task("reading", total=1.0, rows="")

            def show(progress: summary.Progress) -> None:
                rows = f"{progress.row_count:,} rows, {progress.rows_per_s:,.0f}/s"
                bar.update(task, completed=progress.share, description=progress.file, rows=rows)

            return await import_path(
                app.ingest,
                app.engine,
                app.catalog.policy(source),
                None if path == "-" else Path(path),
                chosen,
                app.clock,
                show,
                format=format_,
                again=again,
                consent=as_ is Content.CONSENT,
            )

    _tell(with_app(settings_of(data=data, database=database), work, make=True))


def _take_back(path: str, source: str, settings: Settings, *, dry: bool) -> None:
    files = find_files(Path(path)) if Path(path).exists() else []
    marks = [fingerprint(file) for file in files] or [path]

    async def work(app: App) -> list[TakenBack]:
        return [await app.take_backs.take_back(mark, source, COMMAND_LINE, dry=dry) for mark in marks]

    for told in with_app(settings, work):
        verb = "would be taken back" if dry else "taken back" if told.finished else "not finished: run it again"
        print(f"{told.name}: {told.events:,} events of {told.people:,} people, {verb}")


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeRemainingColumn(),
        console=console,
        transient=not console.is_terminal,
    )


def _tell(done: summary.ImportSummary) -> None:
    console = Console(highlight=False)
    table = Table("file", "mapping", "rows", "stored", "duplicate", "quarantined", "suppressed")
    for file in done.files:
        if not file.reason:
            numbers = (
                file.row_count,
                file.stored_count,
                file.duplicate_count,
                file.quarantined_count,
                file.suppressed_count,
            )
            table.add_row(file.name, file.mapping, *(f"{number:,}" for number in numbers))
    if table.row_count:
        console.print(table)
    for file in done.files:
        if file.reason:
            console.print(f"{file.name}: {file.reason}", soft_wrap=True, markup=False)
    for each in done.causes:
        example = f"for example {each.place}: {each.detail}"
        console.print(f"{each.fate}, {each.cause}: {each.count:,}, {example}", soft_wrap=True, markup=False)
    console.print(f"{done.row_count:,} rows in {done.duration_ms / 1_000:.1f} s, {done.rows_per_s:,.0f} rows/s")


def propose_mapping(path: PathArgument, as_: ContentOption = None) -> None:
    """Print a mapping guessed from a file or folder, to be edited and given to `courtesy import --mapping`."""
    if not Path(path).exists():
        raise CourtesyError(Code.NOT_FOUND, f"nothing at {path}", place="path")
    sys.stdout.buffer.write(write_mapping(guess_mapping(Path(path), consent=as_ is Content.CONSENT)))
