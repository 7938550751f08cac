"""`courtesy person`: read one person, and correct who is who."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.base.time import from_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.exporting import export_person
from courtesy.identity.rules import split_identifier
from courtesy.runtime.app import App
from courtesy.runtime.erase_again import Erased
from courtesy.runtime.fold import fold_rest
from courtesy.runtime.repair import cut_view

COMMAND_LINE = "command line"

person = typer.Typer(name="person", help="One person by any identifier.", no_args_is_help=True)
person.command("export")(export_person)

Kind = Annotated[str, typer.Argument(help="user_id, email, phone, device_id, anonymous_id, person, …")]
Value = Annotated[str, typer.Argument(help="The identifier's value")]
OtherKind = Annotated[str, typer.Argument(help="Kind of the other identifier")]
OtherValue = Annotated[str, typer.Argument(help="Value of the other identifier")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; kept with the correction")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say what would be")]


def print_json(value: Any) -> None:
    """For people to read, and for programs."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


@person.command("show")
def show_person(
    kind: Kind,
    value: Value,
    after: Annotated[int | None, typer.Option(help="A position that must be included")] = None,
    as_of: Annotated[str | None, typer.Option(help="As of a past instant, like 2026-05-03T14:05:00Z")] = None,
    knowing: Annotated[str, typer.Option(help="With --as-of: what was known `then`, or what we know `today`")] = "then",
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Traits with their origins, identifiers, what they did, groups; now, or as of any past instant."""
    at_ms = None if as_of is None else from_iso(as_of)
    if as_of is not None and at_ms is None:
        raise CourtesyError(Code.INVALID, f"expected an instant in ISO 8601, got {as_of!r:.60}", place="--as-of")
    if knowing not in ("then", "today"):
        raise CourtesyError(Code.INVALID, f"expected `then` or `today`, got {knowing!r:.60}", place="--knowing")

    async def work(app: App) -> dict[str, Any]:
        if at_ms is not None:
            return await app.people.view_at(kind, value, at_ms, knowing_today=knowing == "today")
        return await app.people.view(kind, value, None if after is None else Position(after))

    print_json(with_app(settings_of(data=data, database=database), work))


@person.command("events")
def person_events(
    kind: Kind,
    value: Value,
    limit: Annotated[int, typer.Option(help="How many", min=1, max=500)] = 20,
    before: Annotated[int | None, typer.Option(help="Only events before this position")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """The latest events, newest first, whole."""

    async def work(app: App) -> dict[str, Any]:
        return await app.people.events(kind, value, None if before is None else Position(before), limit)

    print_json(with_app(settings_of(data=data, database=database), work))


@person.command("why")
def person_why(
    kind: Kind,
    value: Value,
    other_kind: Annotated[str | None, typer.Argument(help="Kind of a second identifier")] = None,
    other_value: Annotated[str | None, typer.Argument(help="Value of a second identifier")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Why these identifiers are one person; with a second identifier, the chain of evidence between the two."""
    other = None if other_kind is None or other_value is None else (other_kind, other_value)

    async def work(app: App) -> dict[str, Any]:
        return await app.people.why(kind, value, other)

    print_json(with_app(settings_of(data=data, database=database), work))


@person.command("merge")
def merge_people(
    kind: Kind,
    value: Value,
    other_kind: OtherKind,
    other_value: OtherValue,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make one person of two, whatever the rules say."""

    async def work(app: App) -> dict[str, Any]:
        keys = app.people.key_of(kind, value), app.people.key_of(other_kind, other_value)
        return await app.repairs.merge(*keys, COMMAND_LINE, reason, dry=dry_run)

    print_json(with_app(settings_of(data=data, database=database), work))


@person.command("unmerge")
def unmerge_people(
    kind: Kind,
    value: Value,
    other_kind: OtherKind,
    other_value: OtherValue,
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make two people of one again, as if what linked the two identifiers had never been believed."""

    async def work(app: App) -> dict[str, Any]:
        keys = app.people.key_of(kind, value), app.people.key_of(other_kind, other_value)
        return cut_view(await app.repairs.unmerge(*keys, COMMAND_LINE, reason, dry=dry_run))

    print_json(with_app(settings_of(data=data, database=database), work))


@person.command("split")
def split_person(
    kind: Kind,
    value: Value,
    identifiers: Annotated[list[str], typer.Argument(help="Those that become a person of their own, as kind:value")],
    reason: ReasonOption = "",
    dry_run: DryRunOption = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make a person of their own of some of somebody's identifiers."""

    async def work(app: App) -> dict[str, Any]:
        own = [app.people.key_of(*split_identifier(each)) for each in identifiers]
        key = app.people.key_of(kind, value)
        return cut_view(await app.repairs.split(key, own, COMMAND_LINE, reason, dry=dry_run))

    print_json(with_app(settings_of(data=data, database=database), work))


@person.command("erase")
def erase_person(
    kind: Kind,
    value: Value,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    suppress: Annotated[
        bool, typer.Option(help="Never store again what carries one of their identifiers; keeps salted hashes of them")
    ] = True,
    reason: ReasonOption = "",
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Erase a person from everywhere. It can't be undone."""
    if not yes:
        typer.confirm(f"Erase everything about {kind} {value}? It can't be undone.", abort=True)

    async def work(app: App) -> dict[str, Any]:
        return _told(await app.eraser.erase(app.people.key_of(kind, value), COMMAND_LINE, reason, suppress=suppress))

    print_json(with_app(settings_of(data=data, database=database), work))


@person.command("erase-again")
def erase_again(data: DataOption = None, database: DatabaseOption = None) -> None:
    """After a backup was restored: erase whoever was erased since it was made, by the register in the data folder."""

    async def work(app: App) -> dict[str, Any]:
        fold = partial(fold_rest, app.engine, app.catalog.catalog, app.clock, COMMAND_LINE)
        return {"erased": [_told(each) for each in await app.eraser.erase_again(COMMAND_LINE, fold)]}

    print_json(with_app(settings_of(data=data, database=database), work))


def _told(done: Erased) -> dict[str, Any]:
    return {"person": str(done.person), "events": done.event_count, "quarantined": done.held_count,
            "archived": done.archived}  # fmt: skip
