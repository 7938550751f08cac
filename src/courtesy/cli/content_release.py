"""`courtesy content release`: items that are published together, or not at all."""

from __future__ import annotations

from typing import Annotated

import typer

from courtesy.base.time import to_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.content_words import ByOption, item_key, publishing, said, tell_published
from courtesy.cli.person import COMMAND_LINE
from courtesy.content.findings import Finding, Severity
from courtesy.content.release import Change
from courtesy.engine.content import Member, Release
from courtesy.http.people import past_instant
from courtesy.runtime.app import App
from courtesy.runtime.content_publishing import Published
from courtesy.runtime.content_releases import kept_by

release = typer.Typer(name="release", help="Items that are published together, or not at all.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The release's name")]


@release.command("list")
def list_releases(data: DataOption = None, database: DatabaseOption = None) -> None:
    """Name, state, instant, number of items and title of each."""

    async def work(app: App) -> list[Release]:
        return await app.shelf.releases.all()

    for each in with_app(settings_of(data=data, database=database), work):
        at = "-" if each.due_ms is None else to_iso(each.due_ms)
        print("\t".join([each.name, each.state, at, str(len(each.members)), each.title]))


@release.command("show")
def show_release(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """What is in a release, and what keeps it from being published now. Ends with status 65 for an error."""

    async def work(app: App) -> tuple[Release, list[tuple[str, Finding]]]:
        found = await app.shelf.releases.get(name)
        if found.settled_ms is not None:
            return found, [(each.item, each.finding) for each in kept_by(found)]
        return found, [(str(each.key), each.finding) for each in await app.shelf.releases.preview(name)]

    found, findings = with_app(settings_of(data=data, database=database), work)
    print(found.state + ("" if found.due_ms is None else f" for {to_iso(found.due_ms)}"))
    for each in found.members:
        print("\t".join([each.change, str(each.key), "-" if each.revision is None else str(each.revision)]))
    for item, finding in findings:
        print(said(item, finding))
    if any(finding.severity is Severity.ERROR for _, finding in findings):
        raise typer.Exit(65)


@release.command("put")
def put_release(
    name: NameArgument,
    items: Annotated[list[str], typer.Argument(help="The items to publish, as kind/name")],
    withdraw: Annotated[list[str] | None, typer.Option(help="An item to withdraw; may be given again")] = None,
    title: Annotated[str, typer.Option(help="What it is for")] = "",
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make a release, or change what is in it."""
    members = [Member(*item_key(each)) for each in items]
    members += [Member(*item_key(each), Change.WITHDRAW) for each in withdraw or ()]

    async def work(app: App) -> Release:
        return await app.shelf.releases.put(name, title, members, by)

    print(f"{name}: {len(with_app(settings_of(data=data, database=database), work).members)} items")


@release.command("publish")
def publish_release(
    name: NameArgument,
    at: Annotated[str | None, typer.Option(help="Not now, but at an instant (ISO 8601), by itself")] = None,
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Publish all of a release, or nothing of it."""
    due_ms = None if at is None else past_instant(at, "--at")

    async def work(app: App) -> Published | None:
        if due_ms is not None:
            await app.shelf.releases.schedule(name, due_ms, by)
            return None
        return await app.shelf.releases.publish(name, by)

    done = publishing(lambda: with_app(settings_of(data=data, database=database), work))
    if done is not None:
        tell_published(done)


@release.command("call-off")
def call_off_release(
    name: NameArgument, by: ByOption = COMMAND_LINE, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Don't publish a scheduled release by itself."""

    async def work(app: App) -> None:
        await app.shelf.releases.call_off(name, by)

    with_app(settings_of(data=data, database=database), work)


@release.command("remove")
def remove_release(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Forget a release; its items stay."""

    async def work(app: App) -> None:
        await app.shelf.releases.remove(name)

    with_app(settings_of(data=data, database=database), work)
