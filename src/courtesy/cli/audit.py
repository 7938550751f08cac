"""`courtesy audit`: who could be written to on what basis, and whether all that left had a permit."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SystemClock, from_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.engine.permit import Permit, PermitFilter, Place, SendFilter
from courtesy.event.choice import INSTANT_MAX, Digest, Word
from courtesy.runtime.app import App
from courtesy.runtime.audit import MessageId, Recheck, Told
from courtesy.runtime.bundle import Tally, pages, write_bundle
from courtesy.runtime.days import span_of_day
from courtesy.runtime.permit_view import (
    RECIPIENT_COLUMNS,
    csv_of,
    differences_view,
    judged_view,
    permit_view,
    recipient_row,
    recipient_view,
)
from courtesy.runtime.sealer import Sealer, signing_key

PAGE = 1_000


class RecipientForm(StrEnum):
    """How recipients are printed."""

    JSONL = "jsonl"
    CSV = "csv"


audit = typer.Typer(name="audit", help="What could be sent and what was, with the basis of each.", no_args_is_help=True)

FromOption = Annotated[str | None, typer.Option("--from", help="From this instant on, like 2026-05-03T00:00:00Z")]
ToOption = Annotated[str | None, typer.Option("--to", help="Before this instant")]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a file of sends."""

    message: MessageId
    kind: str
    value: Annotated[str, Meta(pattern=r"^[^\x00]*$")]
    channel: Word
    at: str | Annotated[int, Meta(ge=0, lt=INSTANT_MAX)]
    message_hash: Digest | None = None


_LINE = msgspec.json.Decoder(_Line)


@audit.command("permits")
def audit_permits(
    channel: Annotated[str | None, typer.Option(help="Only for this channel")] = None,
    purpose: Annotated[str | None, typer.Option(help="Only for this purpose")] = None,
    message: Annotated[str | None, typer.Option(help="Only for this message")] = None,
    begin: FromOption = None,
    end: ToOption = None,
    check: Annotated[
        bool, typer.Option("--check", help="Ask again for each, by the ledger as it was then; exit 1 if any differs")
    ] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """The permits of a span, one JSON object a line, with the basis at that instant."""
    which = PermitFilter(_instant(begin, "--from", 0), _instant(end, "--to", INSTANT_MAX), channel, purpose, message)

    async def show(app: App) -> None:
        async for permit in _all(app, which):
            print(json.dumps(permit_view(permit), ensure_ascii=False))

    async def ask_again(app: App) -> Recheck:
        found = Recheck()
        while (page := await app.audit.recheck(which, found.end, PAGE)).end is not None:
            found.checked_count += page.checked_count
            found.forgotten_count += page.forgotten_count
            found.differences += page.differences
            found.end = page.end
        return found

    settings = settings_of(data=data, database=database)
    if not check:
        with_app(settings, show)
        return
    found = with_app(settings, ask_again)
    print(json.dumps(differences_view(found), indent=2, ensure_ascii=False))
    if found.differences:
        raise typer.Exit(1)


async def _all(app: App, which: PermitFilter) -> AsyncIterator[Permit]:
    after: Place | None = None
    while page := await app.audit.permits(which, after, PAGE):
        for permit in page:
            yield permit
        after = Place(page[-1].terms.issued_ms, page[-1].number)


@audit.command("sends")
def audit_sends(
    file: Annotated[str, typer.Argument(help="What left: JSON lines with message, kind, value, channel, at")],
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Keep what a file says has left, and print each that had no permit of its own; exit 1 if there is any."""
    path = Path(file)
    if not path.is_file():
        raise CourtesyError(Code.NOT_FOUND, f"there is no file {file}", place="FILE")

    async def work(app: App) -> int:
        send_count, faulty_count = 0, 0
        for some in _in_portions(_read(path)):
            for judged in await app.audit.tell(some):
                send_count += 1
                if judged.fault is not None:
                    faulty_count += 1
                    print(json.dumps(judged_view(judged), ensure_ascii=False))
        print(f"{send_count} sends, {faulty_count} without a permit of their own")
        return faulty_count

    if with_app(settings_of(data=data, database=database), work):
        raise typer.Exit(1)


@audit.command("recipients")
def audit_recipients(
    campaign: Annotated[
        str | None, typer.Option(help="Only messages of that id, or whose id begins with it and a slash")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Only over this channel")] = None,
    day: Annotated[str | None, typer.Option(help="Only on this day, like 2026-05-03")] = None,
    zone: Annotated[str, typer.Option(help="The time zone of that day")] = "UTC",
    begin: FromOption = None,
    end: ToOption = None,
    country: Annotated[
        str | None, typer.Option(help="Only who was there, like DE or US-CA, and who had no permit")
    ] = None,
    form: Annotated[RecipientForm, typer.Option("--format", help="How to print them")] = RecipientForm.JSONL,
    bundle: Annotated[
        str | None, typer.Option(help="Write them into this empty folder, with proofs of what each rests on")
    ] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Who received what, with the basis at that instant, each asked about again; exit 1 if any had none."""
    if day is not None and (begin is not None or end is not None):
        raise CourtesyError(Code.INVALID, "expected a day, or from and to, got both", place="--day")
    span = (_instant(begin, "--from", 0), _instant(end, "--to", INSTANT_MAX))
    which = SendFilter(*(span if day is None else span_of_day(day, zone, "--")), channel, campaign, country)
    settings = settings_of(data=data, database=database)

    async def work(app: App) -> Tally:
        if bundle is None:
            return await _print(app, which, form)
        key = signing_key(Path(settings.data))
        await Sealer(app.engine, key, SystemClock()).seal()
        return await write_bundle(Path(bundle), app.audit, app.proofs, which, key.public)

    tally = with_app(settings, work)
    sys.stdout.flush()
    print(tally, file=sys.stderr)
    if tally.faulty_count:
        raise typer.Exit(1)


async def _print(app: App, which: SendFilter, form: RecipientForm) -> Tally:
    tally = Tally()
    if form is RecipientForm.CSV:
        print(csv_of([RECIPIENT_COLUMNS]), end="")
    async for page in pages(app.audit, which):
        for each in page:
            tally.add(each)
            is_csv = form is RecipientForm.CSV
            line = csv_of([recipient_row(each)]) if is_csv else json.dumps(recipient_view(each), ensure_ascii=False)
            print(line, end="" if is_csv else "\n")
    return tally


def _read(file: Path) -> Iterator[Told]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"{file}:{number}"
            try:
                told = _LINE.decode(line)
            except msgspec.MsgspecError as error:
                raise CourtesyError(Code.INVALID, f"expected a send as JSON: {error}", place=place) from None
            at_ms = told.at if isinstance(told.at, int) else _instant(told.at, f"{place}: at", 0)
            hashed = None if told.message_hash is None else bytes.fromhex(told.message_hash)
            yield Told(told.kind, told.value, told.message, told.channel, at_ms, hashed)


def _in_portions(told: Iterable[Told]) -> Iterator[list[Told]]:
    portion: list[Told] = []
    for each in told:
        portion.append(each)
        if len(portion) == PAGE:
            yield portion
            portion = []
    if portion:
        yield portion


def _instant(text: str | None, place: str, otherwise: int) -> int:
    at_ms = otherwise if text is None else from_iso(text)
    if at_ms is None or at_ms < 0:
        raise CourtesyError(Code.INVALID, f"expected an instant in ISO 8601, got {text!r:.60}", place=place)
    return at_ms
