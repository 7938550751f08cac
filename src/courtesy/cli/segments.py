"""`courtesy segment`: write segments, see who is in them and why, and put people on lists."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import HOUR_MS, to_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.person import COMMAND_LINE
from courtesy.http.people import past_instant
from courtesy.runtime.app import App
from courtesy.runtime.catalog import SEGMENT
from courtesy.runtime.lists import source_of
from courtesy.runtime.member_export import FileFormat, file_of
from courtesy.runtime.memberships import Named, Overlap, SizeAt, value_key
from courtesy.runtime.segment_preview import DRAFT, Counted
from courtesy.runtime.segment_reason import Found, MembershipReason
from courtesy.runtime.segments import Read, SegmentRevision
from courtesy.segment.checking import read_tree
from courtesy.segment.definition import SegmentBody
from courtesy.segment.printing import write
from courtesy.segment.tokens import place_of
from courtesy.segment.tree import Segment
from courtesy.source.files import find_files, fingerprint

segment = typer.Typer(name="segment", help="People for whom an expression holds now.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The segment's name")]
KindArgument = Annotated[str, typer.Argument(help="user_id, email, phone, device_id, anonymous_id, person, …")]
PersonArgument = Annotated[str, typer.Argument(help="The identifier's value")]
TextArgument = Annotated[
    str, typer.Argument(help="The segment as text; a file with its text (or, ending in .json, its tree); - for stdin")
]
ValueOption = Annotated[str | None, typer.Option(help="Of a segment for each: only for this value")]


def _given(given: str) -> tuple[str | None, Segment | None]:
    """Text or tree of what somebody named. Raises CourtesyError(INVALID) for a tree that is none."""
    if given == "-":
        return sys.stdin.read(), None
    # A text is no file: it would be a strange name, and is too long for most.
    if len(given) < 256 and "\n" not in given and Path(given).is_file():
        content = Path(given).read_bytes()
        return (None, read_tree(content)) if given.endswith(".json") else (content.decode(), None)
    return given, None


@segment.command("list")
def list_segments(
    archived: Annotated[bool, typer.Option("--archived", help="Also those that are archived")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Name, stage, members when it became so, and text of each segment."""

    async def work(app: App) -> list[list[str]]:
        states = await app.memberships.states()
        rows = []
        for name, body in sorted(app.catalog.now.segments.items()):
            if body.archived and not archived:
                continue
            state = states.get(app.segments.number(name))
            stage = "archived" if body.archived else "building" if state is None else str(state.stage)
            rows.append([name, stage, write(body.segment)])
        return rows

    for row in with_app(settings_of(data=data, database=database), work):
        print("\t".join(row))


@segment.command("show")
def show_segment(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Text, revision, stage and size of a segment, and what stands on it."""

    async def work(app: App) -> list[str]:
        body, definition = app.segments.body(name), app.catalog.now.revisions.get((SEGMENT, name))
        assert definition is not None
        lines = [body.text or write(body.segment), *([body.said] if body.said else [])]
        lines.append(f"revision {definition.revision}, {to_iso(definition.changed_ms)}, by {definition.changed_by}")
        if body.archived:
            lines.append("archived")
        else:
            size = await app.memberships.size(name)
            each = f", {size.member_count:,} members" if body.segment.each is not None else ""
            lines.append(f"{size.people_count:,} people{each}")
        uses = app.segments.uses(name)
        return [*lines, *(f"used by {each.kind} {each.name}" for each in uses)]

    for line in with_app(settings_of(data=data, database=database), work):
        print(line)


@segment.command("put")
def put_segment(
    name: NameArgument,
    text: TextArgument,
    said: Annotated[str, typer.Option(help="What it is for")] = "",
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Create or change a segment. Earlier revisions stay readable."""
    given = _given(text)

    async def work(app: App) -> tuple[Read, int]:
        read = await app.segments.read(*given)
        body = SegmentBody(read.parsed.segment, (given[0] or "").strip(), said)
        await app.segments.define(name, body, COMMAND_LINE)
        return read, app.catalog.now.revisions[SEGMENT, name].revision

    read, revision = with_app(settings_of(data=data, database=database), work, make=True)
    _say_odd(read)
    print(f"{name}: revision {revision}")


@segment.command("validate")
def validate_segment(text: TextArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Read a segment, and say how it is understood and what is odd about it; nothing is kept."""
    given = _given(text)

    async def work(app: App) -> Read:
        return await app.segments.read(*given)

    read = with_app(settings_of(data=data, database=database), work)
    _say_odd(read)
    print(write(read.parsed.segment))


def _say_odd(read: Read) -> None:
    for each in read.remarks:
        hint = f", {each.hint}" if each.hint else ""
        print(f"{place_of(read.text, each.start)}: {each.message}{hint}", file=sys.stderr)


@segment.command("preview")
def preview_segment(text: TextArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """How many a segment would have now, and some of them; nothing is kept."""
    given = _given(text)

    async def work(app: App) -> Counted:
        read = await app.segments.read(*given)
        app.segments.check_mentions(DRAFT, read.parsed.segment)
        return await app.previews.preview(read.parsed.segment)

    found = with_app(settings_of(data=data, database=database), work)
    about = "" if found.one_of == 1 else f" (about: {found.count_low:,} to {found.count_high:,})"
    print(f"{found.count:,} people{about}")
    for value, count in found.values:
        print(f"{value}: {count:,}")
    for each in found.sample:
        shown = "" if each.value is None else f"{each.value}\t"
        print(f"{each.person}\t{shown}{' '.join(':'.join(known) for known in each.identifiers)}")


@segment.command("history")
def show_history(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Every revision of a segment, oldest first."""

    async def work(app: App) -> list[SegmentRevision]:
        return await app.segments.history(name)

    for each in with_app(settings_of(data=data, database=database), work):
        told = "removed" if each.body is None else write(each.body.segment)
        archived = ", archived" if each.body is not None and each.body.archived else ""
        print(f"revision {each.number}, {to_iso(each.at_ms)}, by {each.by}{archived}: {told}")


@segment.command("archive")
def archive_segment(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Let nobody be in a segment, until it is restored."""

    async def work(app: App) -> None:
        await app.segments.archive(name, COMMAND_LINE)

    with_app(settings_of(data=data, database=database), work)


@segment.command("restore")
def restore_segment(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Have an archived segment again."""

    async def work(app: App) -> None:
        await app.segments.archive(name, COMMAND_LINE, archived=False)

    with_app(settings_of(data=data, database=database), work)


@segment.command("remove")
def remove_segment(name: NameArgument, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Remove a segment that nothing stands on; its revisions stay readable."""

    async def work(app: App) -> None:
        await app.segments.remove(name, COMMAND_LINE)

    with_app(settings_of(data=data, database=database), work)


@segment.command("members")
def list_members(
    name: NameArgument,
    value: ValueOption = None,
    sample: Annotated[bool, typer.Option("--sample", help="Some from all over instead of the first")] = False,
    last_hour: Annotated[bool, typer.Option("--last-hour", help="Who entered in the last hour, latest first")] = False,
    limit: Annotated[int, typer.Option(help="How many at most", min=1, max=1_000)] = 20,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Number, since when, value and identifiers of some of those who are in a segment."""
    if sample and last_hour:
        raise CourtesyError(Code.INVALID, "expected --sample or --last-hour, got both", place="--last-hour")
    key = None if value is None else value_key(value)

    async def work(app: App) -> list[Named]:
        if last_hour:
            return await app.memberships.latest(name, app.clock.now_ms() - HOUR_MS, limit)
        if sample:
            return await app.memberships.sample(name, key, limit)
        return await app.memberships.page(name, key, None, limit)

    for each in with_app(settings_of(data=data, database=database), work):
        known = " ".join(f"{kind}:{identifier}" for kind, identifier in each.identifiers)
        shown = "" if each.value is None else f"{each.value}\t"
        print(f"{each.person}\t{to_iso(each.entered_ms)}\t{shown}{known}")


@segment.command("sizes")
def show_sizes(
    name: NameArgument,
    hours: Annotated[int, typer.Option(help="How many to look back", min=1, max=9_600)] = 24,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Members at the beginning of each hour, and how many came and went in it."""

    async def work(app: App) -> list[SizeAt]:
        return await app.memberships.sizes(name, hours)

    for each in with_app(settings_of(data=data, database=database), work):
        print(f"{to_iso(each.hour_ms)}\t{each.member_count}\t+{each.entered_count}\t-{each.left_count}")


@segment.command("overlap")
def show_overlap(
    names: Annotated[list[str], typer.Argument(help="Two segments or more")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """How many people are in each, in both of each two, in all and in any."""

    async def work(app: App) -> Overlap:
        return await app.memberships.overlap(names)

    found = with_app(settings_of(data=data, database=database), work)
    for name, count in found.sizes.items():
        print(f"{name}: {count:,}")
    for (a, b), count in found.pairs.items():
        print(f"{a} and {b}: {count:,}")
    print(f"all: {found.all_count:,}\nany: {found.any_count:,}")


@segment.command("export")
def export_members(
    name: NameArgument,
    out: Annotated[str, typer.Option("--out", help="The file, ending in .csv or .parquet")],
    value: ValueOption = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Everybody in a segment, with a column for each kind of identifier."""
    formats = {f".{each}": each for each in FileFormat}
    format_ = formats.get(Path(out).suffix)
    if format_ is None:
        raise CourtesyError(Code.INVALID, f"expected a name that ends in {' or '.join(formats)}", place="--out")
    key = None if value is None else value_key(value)

    async def work(app: App) -> None:
        pages = app.memberships.everybody(name, key)
        await app.memberships.size(name)
        try:
            with await asyncio.to_thread(Path(out).open, "wb") as file:
                async for piece in file_of(pages, app.memberships.kinds(), format_):
                    file.write(piece)
        except OSError as error:
            raise CourtesyError(Code.INVALID, f"can't write there: {error.strerror}", place=out) from error

    with_app(settings_of(data=data, database=database), work)
    print(out)


@segment.command("of")
def list_segments_of(
    kind: KindArgument, value: PersonArgument, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """The segments that a person is in, since when, and for which value."""

    async def work(app: App) -> list[list[str]]:
        found = await app.memberships.of_person(kind, value)
        return [
            [each.name, to_iso(each.entered_ms), *([] if each.value is None else [str(each.value)])] for each in found
        ]

    for row in with_app(settings_of(data=data, database=database), work):
        print("\t".join(row))


@segment.command("why")
def explain(
    name: NameArgument,
    kind: KindArgument,
    value: PersonArgument,
    at: Annotated[str | None, typer.Option(help="At an instant (ISO 8601); now without")] = None,
    known: Annotated[str | None, typer.Option(help="By what was known at an instant; by all without")] = None,
    for_value: Annotated[str | None, typer.Option(help="Of a segment for each: which value is asked about")] = None,
    version: Annotated[int | None, typer.Option(help="By a revision; without, by that in force then")] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Why a person is in a segment or not, as of any instant, and what would change it."""
    at_ms = None if at is None else past_instant(at, "--at")
    known_ms = None if known is None else past_instant(known, "--known")

    async def work(app: App) -> MembershipReason:
        told = None if for_value is None else value_key(for_value)
        return await app.reasons.why(kind, value, name, at_ms, known_ms, told, version)

    found = with_app(settings_of(data=data, database=database), work)
    word = {True: "in", False: "not in", None: "perhaps in"}[found.is_in]
    told = "" if found.value is None else f" for {found.value}"
    print(f"{word} {name}{told} at {found.at}, by revision {found.revision} of {found.since}")
    _tell(found.reason, 1)
    for change in found.changes:
        print(f"it would change: {change.said}")
    if found.turns is not None:
        print(f"it changes by itself: {'in' if found.turns.is_in else 'not in'} from {found.turns.at} on")


def _tell(found: Found, depth: int) -> None:
    sign = {True: "yes", False: "no", None: "can't be told"}[found.holds]
    print(f"{'  ' * depth}{sign}: {found.text}")
    inner = "  " * (depth + 1)
    for event in found.events:
        had = "".join(f", {path} {value}" for path, value in event.had.items())
        print(f"{inner}{event.at} {event.name}{had} ({event.message_id})")
    for trait in found.traits:
        origin = f"{trait.source}, {trait.at}" if not trait.group else f"group {trait.group}"
        print(f"{inner}{trait.path} is {trait.value} ({origin})")
    for choice in found.choices:
        print(f"{inner}{choice['held_from']} {choice['action']} {choice['purpose']} over {choice['channel']}")
    for part in found.parts:
        _tell(part, depth + 1)


@segment.command("fill")
def fill_list(
    name: NameArgument,
    file: Annotated[str, typer.Argument(help="A CSV, JSONL or Parquet file of people (also .gz)")],
    kind: Annotated[
        str | None, typer.Option(help="It has one column of such identifiers and no header, such as email")
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take them off the list")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="As if the file had never been used")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Put everybody whom a file names on a static list, which is a segment, or take them off."""
    if remove and undo:
        raise CourtesyError(Code.INVALID, "expected --remove or --undo, got both", place="--undo")
    path = find_files(Path(file))[0].path

    async def work(app: App) -> str:
        if undo:
            mark = fingerprint(find_files(path)[0])
            done = await app.take_backs.take_back(mark, source_of(name), COMMAND_LINE)
            return f"{name}: {done.events:,} rows of {done.people:,} people taken back"
        summary, _ = await app.lists.change(name, lambda: path.open("rb"), COMMAND_LINE, kind=kind, removes=remove)
        (told,) = summary.files
        for each in summary.causes:
            print(f"{each.fate}, {each.cause}: {each.count:,}, for example {each.detail}", file=sys.stderr)
        return f"{name}: {told.stored_count:,} of {told.row_count:,} rows {'taken off' if remove else 'put on'}"

    print(with_app(settings_of(data=data, database=database), work, make=not undo))
