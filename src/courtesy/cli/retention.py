"""`courtesy retention`: how long events are kept, by source and name."""

from __future__ import annotations

from typing import Annotated

import typer

from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.runtime.app import App
from courtesy.runtime.retention import About, Retention

COMMAND_LINE = "command line"

retention = typer.Typer(name="retention", help="How long events are kept.", no_args_is_help=True)

SourceArgument = Annotated[str, typer.Argument(help="The source; * for any")]
EventArgument = Annotated[str, typer.Argument(help="The event's name; * for any")]


@retention.command("list")
def list_rules(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Source and event name of each rule, and the days that it keeps."""

    async def work(app: App) -> list[str]:
        return [f"{name}\t{rule.keep_days}" for name, rule in sorted(app.catalog.now.retention.items())]

    for line in with_app(settings_of(data=data, database=database), work):
        print(line)


@retention.command("set")
def set_rule(
    source: SourceArgument,
    event: EventArgument,
    keep_days: Annotated[int, typer.Option("--keep-days", min=1, max=36_500, help="Days from an event's arrival")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Keep these events so long. Of several rules that name an event the shortest holds."""

    async def work(app: App) -> None:
        await app.catalog.define_retention(str(About(source, event)), Retention(keep_days), COMMAND_LINE)

    with_app(settings_of(data=data, database=database), work)


@retention.command("remove")
def remove_rule(
    source: SourceArgument, event: EventArgument, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Remove a rule; what it let go of stays gone."""

    async def work(app: App) -> None:
        await app.catalog.remove_retention(str(About(source, event)), COMMAND_LINE)

    with_app(settings_of(data=data, database=database), work)
