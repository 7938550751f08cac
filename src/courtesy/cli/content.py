"""`courtesy content`: items written, approved, published, found and kept as files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.content_originals import TRANSLATED_SUFFIX, read_names, read_original
from courtesy.cli.content_preview import permit_proofs, preview_item, send_proof
from courtesy.cli.content_release import release
from courtesy.cli.content_words import (
    ByOption,
    EventOption,
    PersonOption,
    item_key,
    measure_lines,
    publishing,
    read_trial,
    said,
    tell_published,
)
from courtesy.cli.person import COMMAND_LINE
from courtesy.content.findings import Severity, publishable
from courtesy.content.items import Body
from courtesy.content.liquid import Dialect
from courtesy.content.translating import Original, translated
from courtesy.engine.content import Item, ItemFilter, ItemState, Note, NoteKind, Version
from courtesy.http.people import past_instant
from courtesy.runtime.app import App
from courtesy.runtime.content import body_of
from courtesy.runtime.content_files import ImportStep, Step, read_files, write_files
from courtesy.runtime.content_publishing import Draft, Published, WhereUsed

content = typer.Typer(name="content", help="What people are shown, from draft to release.", no_args_is_help=True)
content.add_typer(release)
content.command("preview")(preview_item)
content.command("proof")(send_proof)
content.command("proof-addresses")(permit_proofs)

ItemArgument = Annotated[str, typer.Argument(help="The item, as kind/name")]
PlaceArgument = Annotated[str, typer.Argument(help="A folder, or an archive that ends in .zip")]


@content.command("list")
def list_content(
    kind: Annotated[str | None, typer.Option(help="Only of this kind")] = None,
    state: Annotated[ItemState | None, typer.Option(help="Only in this state")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with this tag")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Item, state, revision, version that is live and title of each."""
    which = ItemFilter(kind, None if state is None else frozenset({state}), tag)

    async def work(app: App) -> list[Item]:
        return await app.shelf.contents.all(which)

    for each in with_app(settings_of(data=data, database=database), work):
        live = "-" if each.live is None else str(each.live)
        print("\t".join([str(each.key), each.state, str(each.revision), live, body_of(each.body).title]))


@content.command("show")
def show_item(
    item: ItemArgument,
    version: Annotated[int | None, typer.Option(help="A published version of it, instead of its draft", min=1)] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """What an item says, as JSON; where it stands beside it."""
    key = item_key(item)

    async def work(app: App) -> tuple[Item, Version | None, list[Note]]:
        found = await app.shelf.contents.get(key)
        shown = None if version is None else await app.shelf.publications.version(key, version)
        return found, shown, await app.shelf.contents.notes(key, settled=False)

    found, shown, notes = with_app(settings_of(data=data, database=database), work)
    live = "" if found.live is None else f", version {found.live} of revision {found.live_revision} is live"
    changed = f"revision {found.revision} by {found.changed_by}, {to_iso(found.changed_ms)}"
    print(f"{found.state}: {changed}{live}", file=sys.stderr)
    for each in notes:
        due = "" if each.due_ms is None else f" by {to_iso(each.due_ms)}"
        print(f"{each.kind} {each.number}{due}, {each.made_by}: {each.text}", file=sys.stderr)
    print(msgspec.json.format(found.body if shown is None else shown.body, indent=2).decode())


@content.command("put")
def put_item(
    item: ItemArgument,
    file: Annotated[str, typer.Argument(help="A JSON file with what it is to say, or - for stdin")],
    revision: Annotated[
        int | None, typer.Option(help="The revision that it builds on; without, whatever there is", min=0)
    ] = None,
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Make or change an item. Nobody is shown a change before it is published."""
    key, body = item_key(item), _read_body(file)

    async def work(app: App) -> Item:
        return await app.shelf.contents.put(key, body, revision, by)

    print(f"{key}: revision {with_app(settings_of(data=data, database=database), work, make=True).revision}")


def _read_body(file: str) -> Body:
    if file != "-" and not Path(file).is_file():
        raise CourtesyError(Code.NOT_FOUND, f"no file {file}", place="file")
    given = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        return msgspec.json.decode(given, type=Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CourtesyError(Code.UNREADABLE, f"expected an item as JSON: {error}", place=file) from None


@content.command("check")
def check_item(
    item: ItemArgument,
    file: Annotated[
        str | None, typer.Argument(help="A JSON file with what it might say, or - for stdin; without, its draft")
    ] = None,
    person: PersonOption = None,
    event: EventOption = None,
    connection: Annotated[str, typer.Option(help="Over which it would go, for what a text message costs")] = "",
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Say what keeps an item from being published, and what is odd about it, tried with real people; of a file also
    how long its texts are. Ends with status 65 for an error."""
    key, body = item_key(item), None if file is None else _read_body(file)
    trial = read_trial(person, event, connection)

    async def work(app: App) -> Draft:
        await app.catalog.refresh()
        if body is not None:
            return await app.shelf.publications.check_draft(key, body, trial)
        return Draft(await app.shelf.publications.check(key, trial), [])

    draft = with_app(settings_of(data=data, database=database), work, make=body is not None)
    for each in draft.findings:
        print(said(str(key), each))
    for measure in draft.measures:
        for line in measure_lines(measure):
            print(line)
    if any(each.severity is Severity.ERROR for each in draft.findings):
        raise typer.Exit(65)


@content.command("translate")
def translate_templates(
    files: Annotated[list[Path], typer.Argument(help="Templates of another system", exists=True, dir_okay=False)],
    original: Annotated[Original, typer.Option("--from", help="Their language")],
    dialect: Annotated[Dialect, typer.Option(help="Whose Liquid it is")] = Dialect.BRAZE,
    name: Annotated[
        list[str] | None, typer.Option(help="What a name means here: product=event.properties.product; may be repeated")
    ] = None,
) -> None:
    """Write templates as ours beside those of other systems, under the same name with the ending .jinja, and say what
    could not be translated. Ends with status 65 when something was left out."""
    names, failed = read_names(name or ()), False
    for file in files:
        done = translated(read_original(file), original, dialect, names)
        written = file.with_suffix(TRANSLATED_SUFFIX)
        written.write_text(done.source, "utf-8")
        print(written)
        for each in done.findings:
            print(said(str(file), each))
        failed = failed or not publishable(done.findings)
    if failed:
        raise typer.Exit(65)


@content.command("publish")
def publish_item(
    item: ItemArgument,
    revision: Annotated[int | None, typer.Option(help="Only if that is the present one", min=1)] = None,
    person: PersonOption = None,
    event: EventOption = None,
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Publish the present revision of an item, tried with real people, as a version, which never changes."""
    key, trial = item_key(item), read_trial(person, event)

    async def work(app: App) -> Published:
        return await app.shelf.publications.publish(key, revision, by, trial)

    tell_published(publishing(lambda: with_app(settings_of(data=data, database=database), work)))


@content.command("withdraw")
def withdraw_item(
    item: ItemArgument, by: ByOption = COMMAND_LINE, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Show an item no more. What is pinned to a version goes on with it."""
    key = item_key(item)

    async def work(app: App) -> Published:
        return await app.shelf.publications.withdraw(key, by)

    tell_published(publishing(lambda: with_app(settings_of(data=data, database=database), work)))


@content.command("approve")
def approve_item(
    item: ItemArgument,
    revision: Annotated[int, typer.Option(help="The revision, which must be the present one", min=1)],
    locale: Annotated[str, typer.Option(help="Only in this locale")] = "",
    note: Annotated[str, typer.Option(help="Why")] = "",
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Say yes to the present revision of an item. Nobody approves what they wrote."""
    key = item_key(item)

    async def work(app: App) -> None:
        await app.shelf.contents.approve(key, revision, locale, by, note)

    with_app(settings_of(data=data, database=database), work)


@content.command("comment")
def comment_on_item(
    item: ItemArgument,
    text: Annotated[str, typer.Argument(help="What to say")],
    place: Annotated[str, typer.Option(help="Where in it, such as fields.text.de")] = "",
    request: Annotated[bool, typer.Option("--request", help="Ask for something")] = False,
    due: Annotated[str | None, typer.Option(help="By when it is wanted (ISO 8601)")] = None,
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Say something of an item, or ask for something; its number."""
    key, kind = item_key(item), NoteKind.REQUEST if request else NoteKind.COMMENT
    due_ms = None if due is None else past_instant(due, "--due")

    async def work(app: App) -> Note:
        return await app.shelf.contents.note(kind, key, text, by, place, due_ms)

    print(with_app(settings_of(data=data, database=database), work).number)


@content.command("where-used")
def show_uses(item: ItemArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """User, version that it stands on and whether people are shown it, of each who stands on an item."""
    key = item_key(item)

    async def work(app: App) -> list[WhereUsed]:
        return await app.shelf.publications.where_used(key)

    for each in with_app(settings_of(data=data, database=database), work):
        version = "-" if each.use.version is None else str(each.use.version)
        print("\t".join([f"{each.use.user.kind} {each.use.user.name}", version, "live" if each.is_live else "-"]))


@content.command("export")
def export_content(place: PlaceArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Write the drafts of all items as files: JSON, and long texts beside it."""

    async def work(app: App) -> dict[str, bytes]:
        return await app.shelf.content_files.exported()

    files = with_app(settings_of(data=data, database=database), work)
    write_files(files, Path(place))
    print(f"{sum(path.endswith('.json') for path in files):,} items in {len(files):,} files")


@content.command("import")
def import_content(
    place: PlaceArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done")] = False,
    by: ByOption = COMMAND_LINE,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Have items say what files say, all of them or none; nothing is published. Twice is once."""
    files = read_files(Path(place))

    async def work(app: App) -> list[ImportStep]:
        return await app.shelf.content_files.take_in(files, by, dry_run=dry_run)

    steps = with_app(settings_of(data=data, database=database), work, make=not dry_run)
    for each in steps:
        if each.step is not Step.SAME:
            print("\t".join([each.step, str(each.key), ", ".join(each.places)]))
    counts = [f"{sum(each.step is step for each in steps):,} {step}" for step in Step]
    print(", ".join(counts) + (" (nothing is done)" if dry_run else ""))
