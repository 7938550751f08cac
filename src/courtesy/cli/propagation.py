"""`courtesy propagation`: what other systems were told of people, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.engine.propagation import ReceiptFilter, ReceiptState
from courtesy.runtime.app import App

propagation = typer.Typer(
    name="propagation", help="What recipients were told of people, and what became of it.", no_args_is_help=True
)


@propagation.command("list")
def list_receipts(
    recipient: Annotated[str | None, typer.Option(help="Only of this recipient")] = None,
    state: Annotated[ReceiptState | None, typer.Option(help="Only in this state")] = None,
    request: Annotated[str | None, typer.Option(help="Only of this request")] = None,
    limit: Annotated[int, typer.Option(help="How many at most", min=1)] = 50,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Receipts, the newest first: when each was queued, how far it has come, and why not further."""

    async def work(app: App) -> dict[str, Any]:
        return await app.propagation.receipts(ReceiptFilter(recipient, state, request), None, limit)

    for each in with_app(settings_of(data=data, database=database), work)["receipts"]:
        print(receipt_line(each))


@propagation.command("retry")
def retry_receipts(
    recipient: Annotated[str, typer.Argument(help="The recipient's name")],
    numbers: Annotated[list[int] | None, typer.Argument(help="Receipts by number. Default: all given up")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Try again what was given up."""

    async def work(app: App) -> int:
        return await app.propagation.retry(recipient, numbers or None)

    print(f"{with_app(settings_of(data=data, database=database), work)} to be tried again")


def receipt_line(receipt: dict[str, Any]) -> str:
    """A receipt in a line: its number, when, what, to whom, about whom, and how far."""
    about = f"person {receipt['person']}" if receipt["person"] is not None else "somebody forgotten"
    words = [str(receipt["number"]), receipt["queued"], receipt["kind"], receipt["recipient"], about, receipt["state"]]
    request = f"  request {receipt['request']}" if receipt["request"] else ""
    return "  ".join(words) + request + (f"  ({receipt['error']})" if receipt["error"] else "")
