"""`courtesy ledger`: what shows to a stranger that no choice was altered, added or dropped."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import SystemClock, to_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.consent import verifier
from courtesy.consent.checkpoint import Note, read_key
from courtesy.consent.witnessing import has_signed
from courtesy.http.witness import WitnessServer
from courtesy.identity.rules import split_identifier
from courtesy.runtime.app import App
from courtesy.runtime.sealer import Sealer, signing_key
from courtesy.runtime.telemetry import configure_logs
from courtesy.runtime.witness import Witness, alone_in, witness_key
from courtesy.runtime.witnesses import Witnesses, read_witnesses

PORT_MAX = 65_535

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
        await _witnessed(app, await Sealer(app.engine, key, SystemClock()).seal())
        people: list[PersonId] = []
        for identifier in person or []:
            people += await app.people.then(*split_identifier(identifier), app.clock.now_ms())
        return await app.proofs.export(Path(folder), key.public, people)

    checkpoint = with_app(settings, work).checkpoint
    print(f"{checkpoint.size} entries, signed {to_iso(checkpoint.time_ms)}")
    print(f"check it with: python {verifier.__file__} {folder} '{key.public.text()}'", file=sys.stderr)


async def _witnessed(app: App, note: Note) -> None:
    """Have a checkpoint signed by all witnesses, or say who did not."""
    asked = read_witnesses(app.settings.ledger_witnesses)
    witnesses = Witnesses(app.engine, asked)
    try:
        signed = await witnesses.sign(note)
    finally:
        await witnesses.aclose()
    for witness in asked:
        if not has_signed(signed, witness.key):
            print(f"not signed by the witness {witness.key.name}", file=sys.stderr)


@ledger.command("witness")
def run_witness(
    log: Annotated[list[str], typer.Option("--log", help="Key of a ledger that it is to be a witness of. Repeatable")],
    name: Annotated[str, typer.Option(help="What it is called, the first time; usually its address without https://")],
    listen: Annotated[str, typer.Option(help="Address and port")] = "127.0.0.1:8090",
    data: Annotated[str, typer.Option(help="Folder for its key, and for what it signed last")] = "witness",
) -> None:
    """Be a witness of other people's ledgers until Ctrl-C or SIGTERM. Prints its key, by which it is known, first."""
    logs = [read_key(text) for text in log]
    host, port = _address(listen)
    with alone_in(Path(data)):
        key = witness_key(Path(data), name)
        try:
            server = WitnessServer(Witness(Path(data), key, logs, SystemClock()), host, port)
        except OSError as error:
            raise CourtesyError(
                Code.SETUP, f"can't listen on {listen}: {error.strerror or error}", place="listen"
            ) from error
        print(key.public.text(), flush=True)
        configure_logs(as_json=False)
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with server, suppress(KeyboardInterrupt):
            server.serve_forever()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > PORT_MAX:
        raise CourtesyError(
            Code.INVALID, f"expected an address and a port, got {text!r}", hint="like 127.0.0.1:8090", place="listen"
        )
    return host.strip("[]"), int(port)


@ledger.command("verifier")
def print_verifier() -> None:
    """Print the verifier: a script for Python 3.11 or later that needs nothing else. Read it before you trust it."""
    print(Path(verifier.__file__).read_text("utf-8"), end="")
