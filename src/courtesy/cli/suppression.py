"""`courtesy suppression`: addresses to which nothing is sent."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.person import COMMAND_LINE, print_json
from courtesy.delivery.cause import DeliveryCause
from courtesy.http.suppressions import suppression_view
from courtesy.runtime.app import App

suppression = typer.Typer(
    name="suppression", help="Addresses to which nothing is sent, whoever's they are.", no_args_is_help=True
)

ChannelArgument = Annotated[str, typer.Argument(help="The channel, such as email")]
AddressesArgument = Annotated[list[str], typer.Argument(help="Addresses")]


@suppression.command("list")
def list_suppressions(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Channel, cause and how many addresses. They are kept as hashes, so the addresses themselves can't be listed."""

    async def work(app: App) -> list[str]:
        counts = await app.post.suppressions.counts()
        return [f"{each.channel}\t{each.cause}\t{each.address_count:,}" for each in counts]

    for line in with_app(settings_of(data=data, database=database), work):
        print(line)


@suppression.command("add")
def add_suppressions(
    channel: ChannelArgument,
    file: Annotated[str, typer.Argument(help="A file with an address on each line; - for stdin")],
    cause: Annotated[DeliveryCause, typer.Option(help="Why")] = DeliveryCause.SUPPRESSED,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Send nothing more to some addresses: all of the file, or none when one of them is no address."""
    text = sys.stdin.read() if file == "-" else Path(file).read_text("utf-8-sig")
    addresses = [line.strip() for line in text.splitlines() if line.strip()]

    async def work(app: App) -> int:
        return await app.post.suppressions.add(channel, addresses, cause)

    count = with_app(settings_of(data=data, database=database), work, make=True)
    print(f"{count:,} {'address' if count == 1 else 'addresses'} of {channel} suppressed")


@suppression.command("check")
def check_suppressions(
    channel: ChannelArgument,
    addresses: AddressesArgument,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Whether addresses are suppressed, and why, as JSON."""

    async def work(app: App) -> list[object]:
        found = await app.post.suppressions.look_up(channel, addresses)
        return [msgspec.to_builtins(suppression_view(each)) for each in found]

    print_json(with_app(settings_of(data=data, database=database), work))


@suppression.command("lift")
def lift_suppressions(
    channel: ChannelArgument,
    addresses: AddressesArgument,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Send to some addresses again. What their owners chose stays as it is."""

    async def work(app: App) -> int:
        return await app.post.suppressions.lift(channel, addresses, COMMAND_LINE)

    print(f"{with_app(settings_of(data=data, database=database), work):,} of {len(addresses):,} were suppressed")
