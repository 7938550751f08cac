"""`courtesy ledger`: what shows to a stranger that no choice was altered, added or dropped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from courtesy.base.ids import PersonId
from courtesy.base.time import SystemClock, to_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.consent import verifier
from courtesy.consent.checkpoint import Note
from courtesy.identity.rules import split_identifier
from courtesy.runtime.app import App
from courtesy.runtime.sealer import Sealer, signing_key

ledger = typer.Typer(
    name="ledger", help="The ledger of what people allow and refuse, and its proofs.", no_args_is_help=True
)


@ledger.command("key")
def show_key(data: DataOption = None) -> None:
    """Print the public key of the ledger; whoever checks it needs that and nothing else from here."""
    print(signing_key(Path(settings_of(data=data).data)).public.text())


@ledger.command("export")
def export_ledger(
    folder: Annotated[str, typer.Argument(help="An empty folder; made when there is none")],
    person: Annotated[
        list[str] | None,
        typer.Option("--person", help="Show also what the entries of this person say: user_id:ann. May be repeated"),
    ] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write all entries, sealed, with everything that was signed of them, for a stranger to check."""
    settings = settings_of(data=data, database=database)
    key = signing_key(Path(settings.data))

    async def work(app: App) -> Note:
        await Sealer(app.engine, key, SystemClock()).seal()
        people: list[PersonId] = []
        for identifier in person or []:
            people += await app.people.then(*split_identifier(identifier), app.clock.now_ms())
        return await app.proofs.export(Path(folder), key.public, people)

    checkpoint = with_app(settings, work).checkpoint
    print(f"{checkpoint.size} entries, signed {to_iso(checkpoint.time_ms)}")
    print(f"check it with: python {verifier.__file__} {folder} '{key.public.text()}'", file=sys.stderr)


@ledger.command("verifier")
def print_verifier() -> None:
    """Print the verifier: a script for Python 3.11 or later that needs nothing else. Read it before you trust it."""
    print(Path(verifier.__file__).read_text("utf-8"), end="")
