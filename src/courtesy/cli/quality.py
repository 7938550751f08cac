"""`courtesy quality`: how good what each source sends is, and why it is no better."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from courtesy.base.time import to_iso
from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.quality.day import QualityDay, Standing
from courtesy.quality.score import Part, Reason
from courtesy.runtime.app import App
from courtesy.runtime.quality import SourceDay

CONSOLE_COLUMNS_MIN = 100


def show_quality(
    source: Annotated[str | None, typer.Argument(help="One source, day by day; without it, all as of today")] = None,
    days: Annotated[int, typer.Option(help="How many days", min=1, max=400)] = 14,
    now: Annotated[bool, typer.Option("--now", help="Judge at once instead of waiting for the server to")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """The quality of what came in, by source, and why it is no better: which events, and how many people."""

    async def work(app: App) -> list[SourceDay]:
        if now:
            await app.quality.run()
        return await app.quality.days(source, days)

    _tell(with_app(settings_of(data=data, database=database), work), source)


def _tell(found: list[SourceDay], source: str | None) -> None:
    console = Console(highlight=False)
    if console.width < CONSOLE_COLUMNS_MIN:
        console = Console(highlight=False, width=CONSOLE_COLUMNS_MIN)
    if not found:
        console.print("nothing was judged yet; a server judges every few minutes, `--now` does at once", soft_wrap=True)
        return
    rows = found if source is not None else list({each.source: each for each in found}.values())
    console.print(_table(rows))
    for each in rows if source is None else rows[-1:]:
        for reason in each.day.reasons:
            console.print(f"{each.source}, {_reason(reason)}", soft_wrap=True, markup=False)


def _table(rows: list[SourceDay]) -> Table:
    table = Table("source", "day", "events", "score", *Part, "standing")
    for name, day in rows:
        parts = [_share(day.parts.get(part)) for part in Part]
        events = f"{day.received_count:,}"
        table.add_row(name, to_iso(day.day_ms)[:10], events, _share(day.score), *parts, _standing(day))
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _standing(day: QualityDay) -> str:
    if day.standing is Standing.DEGRADED:
        return f"degraded, usually {_share(day.usual_score)}"
    return str(day.standing)


def _count(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"


def _reason(reason: Reason) -> str:
    people = "" if reason.people_count is None else f" of {_count(reason.people_count, 'person', 'people')}"
    touched = f": {_count(reason.event_count, 'event', 'events')}{people}" if reason.event_count else ""
    examples = f", such as {', '.join(reason.message_ids)}" if reason.message_ids else ""
    return f"{reason.part}: {reason.said}{touched}{examples}"
