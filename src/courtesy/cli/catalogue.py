"""`courtesy catalogue`: products, stores and articles, defined, filled from files, and read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.catalogue.definition import CatalogueDefinition
from courtesy.catalogue.entry import Entry
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.content_words import ByOption
from courtesy.cli.person import COMMAND_LINE
from courtesy.http.catalogues import entry_view
from courtesy.runtime.app import App
from courtesy.runtime.catalogue_import import RETIRE_AT_MOST, HowToRead, ImportReport
from courtesy.runtime.catalogues import Given, Outcome
from courtesy.source.files import find_files
from courtesy.source.mapping import Format

catalogue = typer.Typer(
    name="catalogue", help="Products, stores, articles: what messages speak of.", no_args_is_help=True
)

NameArgument = Annotated[str, typer.Argument(help="The catalogue")]
IdArgument = Annotated[str, typer.Argument(help="The id of the entry")]


@catalogue.command("list")
def list_catalogues(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Name, entries, retired entries and title of each."""

    async def work(app: App) -> list[str]:
        known = sorted((await app.shelf.catalogues.latest()).items())
        return [
            "\t".join([name, *map(str, await app.shelf.catalogues.count(name)), each.title]) for name, each in known
        ]

    for line in with_app(settings_of(data=data, database=database), work):
        print(line)


@catalogue.command("define")
def define_catalogue(
    name: NameArgument,
    file: Annotated[str, typer.Argument(help="A JSON file with the definition, or - for stdin")],
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Create or change a catalogue."""
    if file != "-" and not Path(file).is_file():
        raise CourtesyError(Code.NOT_FOUND, f"no file {file}", place="file")
    given = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        definition = msgspec.json.decode(given, type=CatalogueDefinition)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CourtesyError(Code.UNREADABLE, f"expected a catalogue as JSON: {error}", place=file) from None

    async def work(app: App) -> None:
        await app.shelf.catalogues.define(name, definition, by)

    with_app(settings_of(data=data, database=database), work, make=True)


@catalogue.command("remove")
def remove_catalogue(
    name: NameArgument, by: ByOption = COMMAND_LINE, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Remove a catalogue with all its entries."""

    async def work(app: App) -> None:
        await app.shelf.catalogues.remove(name, by)

    with_app(settings_of(data=data, database=database), work)


@catalogue.command("show")
def show_entry(name: NameArgument, id_: IdArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """What an entry says, as JSON, with what it said before."""

    async def work(app: App) -> Entry:
        return await app.shelf.catalogues.entry(name, id_)

    shown = entry_view(with_app(settings_of(data=data, database=database), work))
    print(msgspec.json.format(msgspec.json.encode(shown), indent=2).decode())


@catalogue.command("find")
def find_entries(
    name: NameArgument,
    field: Annotated[str, typer.Argument(help="A field, or a path into one such as price.currency")],
    value: Annotated[str, typer.Argument(help="The value that it is to have")],
    limit: Annotated[int, typer.Option(help="So many at most", min=1, max=10_000)] = 100,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Id and fields of the entries that have a value."""

    async def work(app: App) -> list[Entry]:
        return await app.shelf.catalogues.page(name, field, value, None, "", limit)

    for each in with_app(settings_of(data=data, database=database), work):
        print(f"{each.id}\t{each.body.decode()}")


@catalogue.command("history")
def show_versions(
    name: NameArgument, id_: IdArgument, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Version, instant, who, and fields of what an entry said, newest first."""

    async def work(app: App) -> list[str]:
        found = await app.shelf.catalogues.versions(name, id_)
        return [
            "\t".join([str(each.number), to_iso(each.changed_ms), each.changed_by,
                       "retired" if each.is_retired else each.body.decode()])
            for each in found
        ]  # fmt: skip

    for line in with_app(settings_of(data=data, database=database), work):
        print(line)


@catalogue.command("retire")
def retire_entry(
    name: NameArgument,
    id_: IdArgument,
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Offer an entry no more."""

    async def work(app: App) -> None:
        await app.shelf.catalogues.write(name, [Given(id_, None)], by)

    with_app(settings_of(data=data, database=database), work)


@catalogue.command("import")
def import_entries(
    name: NameArgument,
    file: Annotated[str, typer.Argument(help="A CSV, JSONL or Parquet file, also .gz")],
    id_: Annotated[str, typer.Option("--id", help="The column with the id of an entry")] = "id",
    format_: Annotated[Format | None, typer.Option("--format", help="What an odd file is")] = None,
    full: Annotated[bool, typer.Option("--full", help="It has all entries: retire what it lacks")] = False,
    retire_at_most: Annotated[
        int, typer.Option(help="With --full: of all entries, in per cent; a file that lacks more is held cut off")
    ] = RETIRE_AT_MOST,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be")] = False,
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Have entries say what a file says. Twice is once. Ends with status 65 when something was refused or held back."""
    found = find_files(Path(file))[0] if Path(file).is_file() else None
    if found is None:
        raise CourtesyError(Code.NOT_FOUND, f"no file {file}", place="file")
    how = HowToRead(id_, format_, full, dry_run, retire_at_most)

    async def work(app: App) -> ImportReport:
        return await app.shelf.catalogue_imports.read(name, found, how, by)

    report = with_app(settings_of(data=data, database=database), work)
    for each in report.differences:
        print("\t".join(filter(None, [each.outcome, each.id, ", ".join(each.fields)])))
    for row in report.refused:
        print(f"row {row.number}\t{row.id}\t{row.why}", file=sys.stderr)
    counts = ", ".join(f"{report.counts[outcome]:,} {outcome}" for outcome in Outcome)
    print(f"{counts}, {report.refused_count:,} refused" + (" (nothing is done)" if dry_run else ""))
    if report.held_back:
        print(f"nothing is retired: {report.held_back}", file=sys.stderr)
    if report.refused_count or report.held_back:
        raise typer.Exit(65)
