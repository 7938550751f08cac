"""`courtesy`: the commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
import uvloop

from courtesy import __version__
from courtesy.base.errors import CourtesyError
from courtesy.base.time import to_iso
from courtesy.cli.asset import asset
from courtesy.cli.audit import audit
from courtesy.cli.backup import back_up, restore
from courtesy.cli.catalogue import catalogue
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, tell, with_app
from courtesy.cli.consent import consent
from courtesy.cli.content import content
from courtesy.cli.importing import import_files, propose_mapping
from courtesy.cli.ledger import ledger
from courtesy.cli.offer import offer
from courtesy.cli.person import COMMAND_LINE, person
from courtesy.cli.propagation import propagation
from courtesy.cli.quality import show_quality
from courtesy.cli.quarantine import quarantine
from courtesy.cli.request import request
from courtesy.cli.retention import retention
from courtesy.cli.schemas import schema
from courtesy.cli.segment_discovery import discover_segments, find_lookalikes
from courtesy.cli.segments import segment
from courtesy.cli.sending import campaign, connection, message
from courtesy.cli.standards import show_standard
from courtesy.cli.suppression import suppression
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Scope
from courtesy.runtime.codes import mailer_of
from courtesy.runtime.supervisor import Supervisor
from courtesy.runtime.telemetry import configure_logs
from courtesy.runtime.witnesses import read_witnesses

cli = typer.Typer(
    name="courtesy",
    help="Know each customer, remember what they said, and count what it was worth.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(name="keys", help="API keys.", no_args_is_help=True)
cli.add_typer(keys)
cli.add_typer(campaign)
cli.add_typer(connection)
cli.add_typer(message)
cli.add_typer(consent)
cli.add_typer(content)
cli.add_typer(catalogue)
cli.add_typer(asset)
cli.add_typer(ledger)
cli.add_typer(audit)
cli.add_typer(offer)
cli.add_typer(person)
cli.add_typer(propagation)
cli.add_typer(quarantine)
cli.add_typer(request)
cli.add_typer(retention)
cli.add_typer(schema)
cli.add_typer(segment)
cli.add_typer(suppression)
segment.command("discover")(discover_segments)
segment.command("lookalikes")(find_lookalikes)
cli.command("backup")(back_up)
cli.command("restore")(restore)
cli.command("import")(import_files)
cli.command("mapping")(propose_mapping)
cli.command("quality")(show_quality)
cli.command("standard")(show_standard)


@cli.command()
def version() -> None:
    """Print the version."""
    print(__version__)


@cli.command()
def serve(
    data: DataOption = None,
    database: DatabaseOption = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on. Default: 8080")] = None,
    http_workers: Annotated[int | None, typer.Option(help="Processes that answer HTTP")] = None,
    fold_workers: Annotated[int | None, typer.Option(help="Processes that fold")] = None,
    partitions: Annotated[int | None, typer.Option(help="Partitions of a new store. Default: 16")] = None,
    allow_private_webhooks: Annotated[
        bool | None, typer.Option("--allow-private-webhooks", help="Let webhooks call private addresses")
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json")] = None,
) -> None:
    """Serve in the foreground until Ctrl-C or SIGTERM. Ready when /readyz answers 200."""
    settings = settings_of(
        data=data,
        database=database,
        host=host,
        port=port,
        http_workers=http_workers,
        fold_workers=fold_workers,
        partitions=partitions,
        allow_private_webhooks=allow_private_webhooks,
        log_format=log_format,
    )
    mailer_of(settings)  # so that what is wrong with it is told here, and not by a process that ends at once
    read_witnesses(settings.ledger_witnesses)
    configure_logs(as_json=settings.log_format == "json")
    uvloop.run(Supervisor(settings, (sys.executable, "-m", "courtesy.http.serve")).run())


@keys.command("create")
def create_key(
    scope: Annotated[Scope, typer.Option(help="What the key allows")],
    name: Annotated[str, typer.Option(help="Its name; for a write key also the source's, unless --source says so")],
    source: Annotated[str | None, typer.Option(help="The source that a write key writes to")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make a key and print it alone. It is shown this once; a key of the same name stays valid for 7 more days."""

    async def work(app: App) -> str:
        return await app.catalog.create_key(name, scope, COMMAND_LINE, source=source)

    print(with_app(settings_of(data=data, database=database), work, make=True))


@keys.command("list")
def list_keys(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Name, scope, source and end of each key."""

    async def work(app: App) -> list[list[str]]:
        return [
            [name, key.scope, key.source or "-", "-" if key.expires_ms is None else to_iso(key.expires_ms)]
            for name, key in sorted(app.catalog.now.keys.values(), key=lambda each: each[0])
        ]

    for row in with_app(settings_of(data=data, database=database), work):
        print("\t".join(row))


@keys.command("revoke")
def revoke_key(
    name: Annotated[str, typer.Argument(help="The key's name")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make a key invalid at once."""

    async def work(app: App) -> None:
        await app.catalog.revoke_key(name, COMMAND_LINE)

    with_app(settings_of(data=data, database=database), work)


def main() -> None:
    """Run the command line; application errors become one line and an exit status."""
    try:
        cli()
    except CourtesyError as error:
        sys.exit(tell(error))
