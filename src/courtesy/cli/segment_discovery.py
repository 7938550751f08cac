"""`courtesy segment discover` and `lookalikes`: which micro-segments differ, and who is most like the people of one."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from courtesy.cli.connect import DatabaseOption, DataOption, settings_of, with_app
from courtesy.http.operation import read_json
from courtesy.http.segment_discovery import (
    LikenessQuestion,
    LookalikesView,
    OutcomeQuestion,
    ProposalsView,
    answer_to_likeness,
    answer_to_outcome,
)
from courtesy.runtime.app import App
from courtesy.segment.discovery.wanted import Direction

OutcomeArgument = Annotated[str, typer.Argument(help="""A segment as text, such as 'did "Order Completed"'""")]
LikeArgument = Annotated[str, typer.Argument(help="""A segment as text, such as 'in segment "VIP"'""")]
DaysOption = Annotated[int, typer.Option(help="How many days after the cut-off the outcome may come in", min=1)]
CutoffOption = Annotated[str | None, typer.Option(help="An instant like 2026-05-03T00:00:00Z; the latest without it")]
AmongOption = Annotated[str | None, typer.Option(help="Look only at those who were in this segment, a text, by then")]
LeaveOutOption = Annotated[
    list[str] | None, typer.Option(help="An event or a trait that no proposal may be about; can be repeated")
]
DirectionOption = Annotated[Direction, typer.Option(help="Where it is more frequent, less, or both")]
LeastOption = Annotated[int, typer.Option(help="How many people a proposal selects at least", min=10)]
SeedOption = Annotated[int, typer.Option(help="Which people are held out", min=0)]
JsonOption = Annotated[bool, typer.Option("--json", help="All that is known, as JSON")]


def discover_segments(
    outcome: OutcomeArgument,
    days: DaysOption = 30,
    cutoff: CutoffOption = None,
    among: AmongOption = None,
    leave_out: LeaveOutOption = None,
    direction: DirectionOption = Direction.BOTH,
    least_people: LeastOption = 50,
    seed: SeedOption = 0,
    json: JsonOption = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Micro-segments in which an outcome was more or less frequent than among all, checked on people held out."""
    given = {"outcome": outcome, "window_days": days, "cutoff": cutoff, "among": among, "leave_out": leave_out or []}
    how = {"direction": direction, "least_people": least_people, "seed": seed}
    question = read_json(msgspec.json.encode({**given, **how}), OutcomeQuestion)

    async def work(app: App) -> ProposalsView:
        return await answer_to_outcome(app, question)

    found = with_app(settings_of(data=data, database=database), work)
    _tell(found, json=json)


def find_lookalikes(
    like: LikeArgument,
    nearest: Annotated[int, typer.Option(help="How many people are named", min=0)] = 100,
    cutoff: CutoffOption = None,
    among: AmongOption = None,
    leave_out: LeaveOutOption = None,
    least_people: LeastOption = 50,
    seed: SeedOption = 0,
    json: JsonOption = False,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Who is most like the people of a segment or list, and is not in it; and what tells its people from others."""
    given = {"like": like, "nearest": nearest, "cutoff": cutoff, "among": among, "leave_out": leave_out or []}
    question = read_json(msgspec.json.encode({**given, "least_people": least_people, "seed": seed}), LikenessQuestion)

    async def work(app: App) -> LookalikesView:
        return await answer_to_likeness(app, question)

    found = with_app(settings_of(data=data, database=database), work)
    _tell(found, json=json)
    if not json:
        for each in found.nearest:
            print(f"{each.person}\t{each.score:.3f}")


def _tell(found: ProposalsView, *, json: bool) -> None:
    if json:
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    looked = f"{found.all.people:,} people" + (f" of {found.of_people:,}" if found.of_people > found.all.people else "")
    print(f"{looked}, as of {found.cutoff}, {found.conditions_seen:,} conditions, {found.tested} findings checked")
    for each in found.proposals:
        print(f"\n{each.text}\n  {each.sentence}")
    if not found.proposals:
        print("nothing that differs holds on people not looked at before")
