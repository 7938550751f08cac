"""`courtesy schema`: what events should look like; put, compare, propose and try it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.runtime.app import App
from courtesy.runtime.schemas import FieldSeen, Proposal, SchemaRevision, Trial
from courtesy.schema.compare import Change, changes
from courtesy.schema.event_schema import EventCheck, EventSchema, OnBreak, Subject

COMMAND_LINE = "command line"
SAMPLE = 5_000

schema = typer.Typer(name="schema", help="What events should look like.", no_args_is_help=True)

SourceOption = Annotated[str, typer.Option(help="The source; * for every source")]
EventOption = Annotated[
    str, typer.Option(help="The event's name; for other calls than track their type, such as identify")
]
SampleOption = Annotated[int, typer.Option(help="How many of the latest events to look at", min=1)]
FileArgument = Annotated[str, typer.Argument(help="A file with a JSON Schema, or - for stdin")]


def _named(source: str, event: str) -> str:
    return str(Subject(source, event))


def _read_schema(path: str) -> dict[str, Any]:
    """The JSON object in a file. Raises CourtesyError."""
    if path != "-" and not Path(path).is_file():
        raise CourtesyError(Code.NOT_FOUND, f"no file {path}", place="file")
    content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CourtesyError(Code.UNREADABLE, f"expected a JSON Schema: {error}", place=path) from None


def _print_schema(given: dict[str, Any]) -> None:
    print(msgspec.json.format(msgspec.json.encode(given)).decode())


def _say(changed: list[Change]) -> None:
    for each in changed:
        place = f"{each.path}: " if each.path else ""
        print(f"  {place}{each.said}{' (narrower)' if each.narrows else ''}")


@schema.command("list")
def list_schemas(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Source, event, revision and what becomes of an event that breaks it, of each schema."""

    async def work(app: App) -> list[EventCheck]:
        return [check for _, check in sorted(app.catalog.now.schemas.items())]

    for each in with_app(settings_of(data=data, database=database), work):
        print("\t".join([*each.subject, str(each.revision), each.declared.on_break]))


@schema.command("show")
def show_schema(
    source: SourceOption,
    event: EventOption,
    revision: Annotated[int | None, typer.Option(help="An earlier revision", min=1)] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Print a schema as it is, or as it was."""
    name = _named(source, event)

    async def work(app: App) -> EventSchema | None:
        if revision is None:
            return app.schemas.check(name).declared
        return (await app.schemas.revision(name, revision)).declared

    declared = with_app(settings_of(data=data, database=database), work)
    assert declared is not None
    print(f"what breaks it: {declared.on_break}", file=sys.stderr)
    _print_schema(declared.schema)


@schema.command("history")
def show_history(
    source: SourceOption, event: EventOption, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Every revision, with what it changed in plain words."""

    async def work(app: App) -> list[SchemaRevision]:
        return await app.schemas.history(_named(source, event))

    for each in with_app(settings_of(data=data, database=database), work):
        removed = ", removed" if each.declared is None else ""
        print(f"revision {each.number}, {to_iso(each.at_ms)}, by {each.by}{removed}")
        _say(each.changed)


@schema.command("put")
def put_schema(
    file: FileArgument,
    source: SourceOption,
    event: EventOption,
    on_break: Annotated[OnBreak, typer.Option(help="What becomes of an event that breaks it")] = OnBreak.WARN,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Put a new revision in force, for events to come. Earlier revisions stay readable."""
    name, declared = _named(source, event), EventSchema(_read_schema(file), on_break)

    async def work(app: App) -> tuple[int, list[Change]]:
        before = app.catalog.now.schemas.get(name)
        check = await app.catalog.define_schema(name, declared, COMMAND_LINE)
        return check.revision, [] if before is None else changes(before.declared, declared)

    revision, changed = with_app(settings_of(data=data, database=database), work)
    print(f"{name}: revision {revision}")
    _say(changed)


@schema.command("infer")
def infer_schema(
    source: SourceOption,
    event: EventOption,
    sample: SampleOption = SAMPLE,
    required_share: Annotated[
        float, typer.Option(help="A field that at least this share of events have is required", min=0.5, max=1)
    ] = 1.0,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Propose a schema from what came in: the JSON Schema on standard output, a table of fields beside it."""

    async def work(app: App) -> Proposal:
        return await app.schemas.infer(_named(source, event), sample, required_share)

    found = with_app(settings_of(data=data, database=database), work)
    console = Console(stderr=True, highlight=False)
    console.print(_field_table(found.fields))
    console.print(f"from {found.event_count:,} events since {to_iso(found.since_ms)}", soft_wrap=True)
    _print_schema(found.schema)


def _field_table(fields: list[FieldSeen]) -> Table:
    table = Table("field", "types", "present", "null", "examples")
    for each in fields:
        examples = ", ".join(each.examples).replace("[", r"\[")
        path = each.path.replace("[", r"\[")
        table.add_row(path, ", ".join(each.types), f"{each.present_share:.1%}", f"{each.null_share:.1%}", examples)
    return table


@schema.command("check")
def check_schema(
    source: SourceOption,
    event: EventOption,
    file: Annotated[str | None, typer.Argument(help="A file with a JSON Schema; without it, the one in force")] = None,
    sample: SampleOption = SAMPLE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Hold the latest events against a schema, before it is put or after; nothing is changed."""
    name = _named(source, event)
    given = None if file is None else EventSchema(_read_schema(file))

    async def work(app: App) -> Trial:
        return await app.schemas.trial(name, given or app.schemas.check(name).declared, sample)

    trial = with_app(settings_of(data=data, database=database), work)
    print(f"{trial.broken_count:,} of {trial.event_count:,} events break it, of {trial.people_count:,} people")
    for each in trial.examples:
        print(f"  {each.message_id}: {each.detail}")
