"""`courtesy connection`, `campaign` and `message`: what sends, what is sent, and what became of it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.person import COMMAND_LINE, print_json
from courtesy.engine.delivery import CampaignRun, RunState
from courtesy.http.operation import read_json
from courtesy.http.people import past_instant
from courtesy.http.sending import campaign_view, connection_view, messages_view, run_view
from courtesy.runtime.app import App
from courtesy.runtime.connection import Campaign, ConnectionBody, check_campaign_name
from courtesy.runtime.mail_proof import SentProof
from courtesy.runtime.people import RECORDS_MAX

connection = typer.Typer(name="connection", help="What sends: mail servers, providers, pages.", no_args_is_help=True)
campaign = typer.Typer(name="campaign", help="Messages to everybody in a segment.", no_args_is_help=True)
message = typer.Typer(name="message", help="What was sent to a person, and why not.", no_args_is_help=True)

PAGES_MAX = 20
"""How far back it is looked for a message, in pages of events."""

ABOUT = "Message "
"""How the names of events begin that tell what became of a message."""

T = TypeVar("T")
NameArgument = Annotated[str, typer.Argument(help="Its name")]
FileArgument = Annotated[str, typer.Argument(help="A JSON file; - for stdin")]
KindArgument = Annotated[str, typer.Argument(help="user_id, email, phone, device_id, anonymous_id, person, …")]
PersonArgument = Annotated[str, typer.Argument(help="The identifier's value")]
MessageArgument = Annotated[str, typer.Argument(help="The message's id, such as spring/… or single/order-17")]


def _read(file: str, type_: type[T]) -> T:
    if file != "-" and not Path(file).is_file():
        raise CourtesyError(Code.NOT_FOUND, f"no file {file}", place="file")
    return read_json(sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes(), type_)


# -- connections


@connection.command("list")
def list_connections(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Name, channel, component, brand, and whether it is paused, of each."""

    async def work(app: App) -> list[list[str]]:
        return [
            [name, each.declared.channel, each.component, each.brand, "paused" if each.paused else "-"]
            for name, each in sorted(app.catalog.now.connections.items())
        ]

    for row in with_app(settings_of(data=data, database=database), work):
        print("\t".join(row))


@connection.command("show")
def show_connection(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """A connection without its secrets, as JSON."""

    async def work(app: App) -> object:
        return connection_view(app, name)

    print_json(msgspec.to_builtins(with_app(settings_of(data=data, database=database), work)))


@connection.command("put")
def put_connection(
    name: NameArgument, file: FileArgument, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Connect something that sends, or change how. A secret that is told as `***` stays what it was."""
    body = _read(file, ConnectionBody)

    async def work(app: App) -> str:
        whole = body.with_secrets_of(app.catalog.now.connections.get(name))
        await app.catalog.define_connection(name, whole, COMMAND_LINE)
        return whole.declared.channel

    print(f"{name}: {with_app(settings_of(data=data, database=database), work, make=True)}")


@connection.command("test")
def try_connection(
    name: NameArgument,
    to: Annotated[str, typer.Option(help="A permitted address; `content proof-addresses` lists them")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Send a few words over a connection, and print what became of them. Ends with status 69 unless they were taken."""

    async def work(app: App) -> SentProof:
        return await app.post.proofs.try_out(name, to)

    sent = with_app(settings_of(data=data, database=database), work)
    print(f"{sent.outcome}\t{sent.words}")
    if sent.outcome != "accepted":
        raise typer.Exit(69)


@connection.command("remove")
def remove_connection(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Send by a connection no more."""

    async def work(app: App) -> None:
        await app.catalog.remove_connection(name, COMMAND_LINE)

    with_app(settings_of(data=data, database=database), work)


# -- campaigns


@campaign.command("list")
def list_campaigns(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Name, state of the latest start (- without any), audience and content of each."""

    async def work(app: App) -> list[list[str]]:
        rows = []
        for name, each in sorted(app.catalog.now.campaigns.items()):
            runs = await app.engine.runs(name)
            rows.append([name, runs[0].state if runs else "-", each.audience, each.content])
        return rows

    for row in with_app(settings_of(data=data, database=database), work):
        print("\t".join(row))


@campaign.command("put")
def put_campaign(
    name: NameArgument, file: FileArgument, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Define or change a campaign; nothing is sent until it is started."""
    check_campaign_name(name)
    body = _read(file, Campaign)

    async def work(app: App) -> None:
        await app.catalog.define_campaign(name, body, COMMAND_LINE)

    with_app(settings_of(data=data, database=database), work, make=True)
    print(f"{name}: {body.content} to {body.audience}")


@campaign.command("show")
def show_campaign(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """A campaign, its starts, and what became of its messages, as JSON."""

    async def work(app: App) -> object:
        return await campaign_view(app, name)

    print_json(msgspec.to_builtins(with_app(settings_of(data=data, database=database), work)))


@campaign.command("messages")
def count_messages(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Channel (- for none), outcome, reason (- for none) and number of a campaign's messages; `open`: on their way."""

    async def work(app: App) -> list[list[str]]:
        view = await campaign_view(app, name)
        rows = [[each.channel or "-", each.outcome, each.reason or "-", str(each.messages)] for each in view.fates]
        return [*rows, ["-", "open", "-", str(view.open)]]

    for row in with_app(settings_of(data=data, database=database), work):
        print("\t".join(row))


@campaign.command("remove")
def remove_campaign(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Remove a campaign. What is under way of it is stopped."""

    async def work(app: App) -> None:
        await app.catalog.remove_campaign(name, COMMAND_LINE)
        if await app.engine.runs(name, open_only=True):
            await app.post.campaigns.stand(name, RunState.STOPPED)

    with_app(settings_of(data=data, database=database), work)


@campaign.command("start")
def start_campaign(
    name: NameArgument,
    at: Annotated[str | None, typer.Option(help="When to begin (ISO 8601); at once without it")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Start a campaign: everybody in its audience is asked for. A server that runs sends them."""
    start_ms = None if at is None else past_instant(at, "--at")

    async def work(app: App) -> CampaignRun:
        return await app.post.campaigns.start(name, start_ms)

    _tell_run(name, with_app(settings_of(data=data, database=database), work))


@campaign.command("pause")
def pause_campaign(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Let what is left of a campaign wait."""
    _stand(name, RunState.PAUSED, data, database)


@campaign.command("resume")
def resume_campaign(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Go on with a campaign that waits."""
    _stand(name, RunState.RUNNING, data, database)


@campaign.command("stop")
def stop_campaign(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Send nothing more of a campaign: what has not left is skipped, and what waits to be shown is taken away."""
    _stand(name, RunState.STOPPED, data, database)


def _stand(name: str, state: RunState, data: str | None, database: str | None) -> None:
    async def work(app: App) -> CampaignRun:
        return await app.post.campaigns.stand(name, state)

    _tell_run(name, with_app(settings_of(data=data, database=database), work))


def _tell_run(name: str, run: CampaignRun) -> None:
    view = run_view(run)
    print("\t".join([name, view.state, view.content, f"{view.asked:,} asked for"]))


# -- messages


@message.command("list")
def list_messages(
    kind: KindArgument, value: PersonArgument, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """When it left (- for what is on its way), channel, price of the contact budget and id of a person's messages."""

    async def work(app: App) -> list[list[str]]:
        view = await messages_view(app, kind, value)
        waiting = [["-", "-", "-", each] for each in view.on_their_way]
        return waiting + [[each.at, each.channel, f"{each.price:g}", each.message] for each in view.left]

    for row in with_app(settings_of(data=data, database=database), work):
        print("\t".join(row))


@message.command("show")
def show_message(
    kind: KindArgument,
    value: PersonArgument,
    id_: MessageArgument,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """All that is known of a message to a person, as events, oldest first, as JSON."""
    print_json(_story(kind, value, id_, data, database))


@message.command("why")
def explain_message(
    kind: KindArgument,
    value: PersonArgument,
    id_: Annotated[str, typer.Argument(metavar="[MESSAGE]", help="The message's id; without, all of them")] = "",
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """When, message, what became of it, over which channel (- for none), and why, oldest first."""
    for each in _story(kind, value, id_, data, database):
        told = each["properties"]
        reason = " ".join(str(told[name]) for name in ("reason", "cause", "why", "verdict") if told.get(name))
        skips = ", ".join(f"{channel}: {why}" for channel, why in _by_channel(told.get("channels")))
        channel = str(told.get("channel") or "-")
        print("\t".join([each["at"], told["message"], each["name"], channel, reason or "-", skips or "-"]))


def _by_channel(channels: object) -> list[tuple[str, str]]:
    """What stood in the way of each channel. Who asks for a message names its channels by the same word, in a list."""
    return sorted(channels.items()) if isinstance(channels, dict) else []


def _story(kind: str, value: str, id_: str, data: str | None, database: str | None) -> list[dict[str, Any]]:
    """The events about a message, oldest first. Raises CourtesyError(NOT_FOUND)."""

    async def work(app: App) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        before = None
        for _ in range(PAGES_MAX):
            page = await app.people.events(kind, value, before, RECORDS_MAX)
            found += [each for each in page["events"] if _is_about(each, id_)]
            if page["next_before"] is None:
                break
            before = Position(int(page["next_before"]))
        return found[::-1]

    found = with_app(settings_of(data=data, database=database), work)
    if not found:
        what = f"a message {id_!r:.120}" if id_ else "any message"
        raise CourtesyError(Code.NOT_FOUND, f"nothing is known of {what} to them", place="message")
    return found


def _is_about(event: dict[str, Any], id_: str) -> bool:
    told = event.get("properties")
    named = told.get("message") if isinstance(told, dict) else None
    return isinstance(named, str) and named == (id_ or named) and str(event["name"]).startswith(ABOUT)
