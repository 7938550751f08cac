"""`courtesy quarantine`: rejected events, what is wrong with them, and mending them without being an engineer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Column, Table

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import Position
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.cli.fix_words import FORMS, operation_of
from courtesy.event.cause import Cause
from courtesy.event.mend import Operation
from courtesy.runtime.app import App
from courtesy.runtime.catalog import SavedFix
from courtesy.runtime.quarantine import APPEND_ROWS, Group, Preview, Replay, Selection, Tally, TriedProposal, sound
from courtesy.runtime.quarantine_view import (
    GroupDetail,
    Groups,
    PreviewView,
    group_detail,
    group_view,
    preview_view,
    replay_view,
)

COMMAND_LINE = "command line"

quarantine = typer.Typer(
    name="quarantine", help="Rejected events: look, mend, let them in, discard.", no_args_is_help=True
)

GroupArgument = Annotated[str, typer.Argument(help="The group, as `courtesy quarantine list` names it")]
SourceOption = Annotated[str | None, typer.Option(help="Only of this source")]
CauseOption = Annotated[Cause | None, typer.Option(help="Only of this cause")]
JsonOption = Annotated[bool, typer.Option("--json", help="For machines, in the form of the API")]
DoOption = Annotated[
    list[str] | None, typer.Option("--do", help="One change, such as 'rename name to event'. Repeat it for more")
]
FixOption = Annotated[str | None, typer.Option("--fix", help="A saved fix by its name, or a file with one")]
LiveOption = Annotated[bool, typer.Option("--live", help="Let them start actions too, as if they came now")]


@quarantine.command("list")
def list_groups(
    source: SourceOption = None,
    cause: CauseOption = None,
    json_: JsonOption = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """What is held, by what is wrong with it; most events first."""

    async def work(app: App) -> list[Group]:
        return await app.quarantine.groups(source, cause)

    groups = with_app(settings_of(data=data, database=database), work)
    told = Groups([group_view(each) for each in groups])
    if json_:
        _print_json(told)
        return
    console = Console(highlight=False)
    if not groups:
        console.print("Nothing is held.")
        return
    table = Table(Column("group", no_wrap=True), "source", "events", "first", "last", "what is wrong")
    for each in told.groups:
        wrong = f"{each.meaning}\n[dim]{escape(each.signature)}[/dim]"
        table.add_row(each.group, escape(each.source), f"{each.events:,}", _day(each.first), _day(each.last), wrong)
    console.print(table)
    _say(console, "courtesy quarantine fix <group> helps to mend a group")


@quarantine.command("show")
def show_group(
    group: GroupArgument,
    limit: Annotated[int, typer.Option(help="How many examples", min=1, max=500)] = 3,
    json_: JsonOption = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """One group: what it means, what to do, examples, and fixes that may help."""

    async def work(app: App) -> GroupDetail:
        found = await app.quarantine.group(group)
        examples, proposals = await app.quarantine.latest(found, limit), await app.quarantine.proposals(found)
        return group_detail(found, examples, proposals)

    detail = with_app(settings_of(data=data, database=database), work)
    if json_:
        _print_json(detail)
        return
    console = Console(highlight=False)
    _tell_group(console, detail)
    _tell_proposals(console, detail)


@quarantine.command("fix")
def fix_group(
    group: GroupArgument,
    do: DoOption = None,
    fix: FixOption = None,
    save: Annotated[str | None, typer.Option(help="Keep the fix under this name, to use it again")] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing; take the best proposal unless a fix is given")
    ] = False,
    live: LiveOption = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Mend a group step by step: see what is wrong, choose a fix, look at what it would do, let the events in."""
    console = Console(highlight=False)
    asking = _Asking(console, yes)
    given = _given(do, fix)

    async def work(app: App) -> None:
        found = await app.quarantine.group(group)
        proposals = await app.quarantine.proposals(found)
        _tell_group(console, group_detail(found, await app.quarantine.latest(found, 1), proposals))
        chosen = await given.fix(app) if do or fix else asking.choose(proposals)
        selection = Selection(group)
        preview = await app.quarantine.preview(selection, chosen)
        _tell_preview(console, found, preview_view(chosen, preview))
        if not asking.confirm(preview):
            console.print("Nothing was changed.")
            return
        if save is not None:
            await app.quarantine.save_fix(save, SavedFix(tuple(chosen)), COMMAND_LINE)
            _say(console, f"The fix is saved as {save}.")
        _tell_replay(console, await _replay(app, console, selection, found.found.event_count, chosen, live=live))

    with_app(settings_of(data=data, database=database), work)


@quarantine.command("replay")
def replay_group(
    group: GroupArgument,
    do: DoOption = None,
    fix: FixOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen")] = False,
    live: LiveOption = False,
    json_: JsonOption = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Apply a fix to a group, or none, and let the events in. Safe to repeat: each event is stored once."""
    given = _given(do, fix)
    console = Console(stderr=json_, highlight=False)

    async def work(app: App) -> tuple[Sequence[Operation], Group, Preview | Replay]:
        found = await app.quarantine.group(group)
        chosen = await given.fix(app)
        selection = Selection(group)
        if dry_run:
            return chosen, found, await app.quarantine.preview(selection, chosen)
        return chosen, found, await _replay(app, console, selection, found.found.event_count, chosen, live=live)

    chosen, found, done = with_app(settings_of(data=data, database=database), work)
    if json_:
        _print_json(preview_view(chosen, done) if isinstance(done, Preview) else replay_view(done))
    elif isinstance(done, Preview):
        _tell_preview(console, found, preview_view(chosen, done))
    else:
        _tell_replay(console, done)


@quarantine.command("discard")
def discard_group(
    group: GroupArgument,
    reason: Annotated[str, typer.Option(help="Why they are not worth mending; goes to the log")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    json_: JsonOption = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Drop the events of a group for good. They count as suppressed, with the cause `discarded`."""
    console = Console(stderr=json_, highlight=False)

    async def work(app: App) -> Replay | None:
        found = await app.quarantine.group(group)
        if not yes and not typer.confirm(f"Drop {found.found.event_count:,} events for good?", err=True):
            return None
        return await app.quarantine.discard(Selection(group), reason, COMMAND_LINE)

    done = with_app(settings_of(data=data, database=database), work)
    if done is None:
        console.print("Nothing was changed.")
    elif json_:
        _print_json(replay_view(done))
    else:
        console.print(f"{done.tally.suppressed:,} events are discarded.")


class _Asking:
    """What is asked of whoever mends; nothing when they said yes to all before."""

    def __init__(self, console: Console, yes: bool) -> None:
        self._console = console
        self._yes = yes

    def choose(self, proposals: Sequence[TriedProposal]) -> Sequence[Operation]:
        """One of the proposals, or changes typed one by one."""
        if self._yes:
            if not proposals:
                raise CourtesyError(Code.INVALID, "there is no fix to propose", hint="give one with --do or --fix")
            return proposals[0].proposal.fix
        for number, each in enumerate(proposals, 1):
            share = f"helps {each.mended_count} of {each.tried_count}"
            _say(self._console, f"  {number}  {each.proposal.said} ({share})")
        _say(self._console, "  o  something else")
        answers = [*(str(number) for number in range(1, len(proposals) + 1)), "o"]
        answer = ""
        while answer not in answers:
            answer = typer.prompt("Which fix?", default=answers[0]).strip()
        return self._typed() if answer == "o" else proposals[int(answer) - 1].proposal.fix

    def _typed(self) -> list[Operation]:
        """Changes as they are typed, until an empty line."""
        self._console.print("One change a line; an empty line ends:")
        for form in FORMS.values():
            _say(self._console, f"  {form}")
        typed: list[Operation] = []
        while line := typer.prompt("change", default="", show_default=False).strip():
            try:
                typed.append(operation_of(line))
            except CourtesyError as error:
                _say(self._console, f"{error.message}: {error.hint}")
        return typed

    def confirm(self, preview: Preview) -> bool:
        """Whether to go on after the preview."""
        if not preview.tally.stored and not preview.tally.duplicate:
            self._console.print("This fix would let nothing in.")
        return self._yes or typer.confirm("Do it?")


class _Given(NamedTuple):
    """The fix that was given: the name of a saved one, if any, and operations beside it."""

    name: str | None
    operations: Sequence[Operation]

    async def fix(self, app: App) -> Sequence[Operation]:
        """The whole of it. Raises CourtesyError(NOT_FOUND) for a name that is not known."""
        saved = () if self.name is None else (await app.quarantine.fix_named(self.name)).fix
        return (*saved, *self.operations)


def _given(do: Sequence[str] | None, fix: str | None) -> _Given:
    """What the options say. Raises CourtesyError for what can't be understood."""
    typed = [operation_of(text) for text in do or ()]
    if fix is None or not Path(fix).is_file():
        return _Given(fix, typed)
    try:
        saved = msgspec.json.decode(Path(fix).read_bytes(), type=SavedFix)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise CourtesyError(Code.UNREADABLE, f"expected a fix in JSON: {error}", place=fix) from None
    return _Given(None, sound((*saved.fix, *typed)))


async def _replay(
    app: App, console: Console, selection: Selection, count: int, fix: Sequence[Operation], *, live: bool
) -> Replay:
    """Replay all of it, page by page, with a bar."""
    total, position, before = Tally(), Position(0), None
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("letting in", total=count)
        while True:
            done = await app.quarantine.replay(selection, fix, live=live, before=before, limit=APPEND_ROWS)
            total.add_all(done.tally)
            position = max(position, done.position)
            bar.update(task, completed=total.looked_at)
            if done.next_before is None:
                return Replay(total, position, None)
            before = done.next_before


def _say(console: Console, text: str) -> None:
    """A line of prose, as it is: values of events may look like markup, and a pipe has no width."""
    console.print(text, markup=False, soft_wrap=True)


def _tell_group(console: Console, detail: GroupDetail) -> None:
    group = detail.group
    console.print(f"[bold]{group.events:,} events of {escape(group.source)}[/bold], from {group.first} to {group.last}")
    _say(console, f"What is wrong: {group.meaning}")
    _say(console, f"What to do: {group.remedy}")
    for each in detail.examples:
        _say(console, f"\nFor example number {each.number}, of {each.received}: {each.detail}")
        _say(console, _pretty(each.mended or each.raw))
    console.print()


def _tell_proposals(console: Console, detail: GroupDetail) -> None:
    for each in detail.proposals:
        _say(console, f"May help {each.mends} of {each.tried}: {'; '.join(each.words)}")
    if not detail.proposals:
        console.print("No fix can be proposed.")


def _tell_preview(console: Console, group: Group, told: PreviewView) -> None:
    words, totals = told.words, told.totals
    _say(console, f"The fix: {'; '.join(words) or 'none, they come in as they are'}")
    table = Table("number", "what changes", "then")
    for each in told.examples:
        changes = "\n".join(_changes(each.before, each.after)) if each.after is not None else "can't be changed"
        then = "stored" if each.cause is None else f"{each.fate}: {each.detail}"
        table.add_row(str(each.number), escape(changes), escape(then))
    console.print(table)
    left = sum(totals.left.values())
    _say(
        console,
        f"Of {totals.looked_at:,} events: {totals.stored:,} would be stored, {totals.duplicate:,} are known already,"
        f" {totals.suppressed:,} would be suppressed, {left:,} would stay in quarantine.",
    )
    for cause, count in totals.left.items():
        _say(console, f"  {cause}: {count:,}")
    if group.found.event_count > totals.looked_at:
        _say(console, f"Looked at the latest of {group.found.event_count:,}; the others are mended in the same way.")


def _tell_replay(console: Console, done: Replay) -> None:
    tally = done.tally
    _say(
        console,
        f"{tally.stored:,} events are stored, {tally.duplicate:,} were known already, {tally.suppressed:,} suppressed,"
        f" {tally.left.total():,} stay in quarantine.",
    )
    for cause, count in tally.left.most_common():
        _say(console, f"  {cause}: {count:,}")


def _changes(before: str, after: str) -> list[str]:
    """What a fix changes in an event, one line for each place."""
    old, new = _leaves(before), _leaves(after)
    gone = [f"- {path}: {value}" for path, value in old.items() if new.get(path) != value]
    come = [f"+ {path}: {value}" for path, value in new.items() if old.get(path) != value]
    return [*gone, *come] or ["nothing"]


def _leaves(text: str) -> dict[str, str]:
    """Each value of an event under its path, as JSON."""
    try:
        return dict(_walk(json.loads(text), ""))
    except (ValueError, RecursionError):
        return {"": text}


def _walk(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [leaf for name, inner in value.items() for leaf in _walk(inner, f"{path}.{name}" if path else name)]
    return [(path, json.dumps(value, ensure_ascii=False)[:200])]


def _pretty(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text[:2_000]


def _day(iso: str) -> str:
    return iso[:16].replace("T", " ")


_encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode


def _print_json(value: Any) -> None:
    print(json.dumps(json.loads(_encode(value)), indent=2, ensure_ascii=False))
