"""Discovery: which micro-segments differ in an outcome, and who is most like the people of a segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.http.operation import Asked, NoQuery
from courtesy.http.people import past_instant
from courtesy.http.segments import operation
from courtesy.runtime.app import App
from courtesy.runtime.discoveries import Wish
from courtesy.segment.discovery.saying import sentence
from courtesy.segment.discovery.wanted import DEPTH_MAX, Direction, Wanted
from courtesy.segment.parsing import parse
from courtesy.segment.printing import write
from courtesy.segment.tokens import TEXT_CHARS_MAX
from courtesy.segment.tree import Segment

if TYPE_CHECKING:
    from courtesy.runtime.segment_discovery import Discovered
    from courtesy.segment.discovery.discover import Discovery, Proposal, Rate

LEFT_OUT_MAX = 100
NEAREST_MAX = 10_000

Text = Annotated[str, Meta(max_length=TEXT_CHARS_MAX)]
Names = Annotated[tuple[str, ...], Meta(max_length=LEFT_OUT_MAX)]


class _Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    among: Text | None = None
    cutoff: str | None = None
    leave_out: Names = ()
    direction: Direction = Direction.BOTH
    depth: Annotated[int, Meta(ge=1, le=DEPTH_MAX)] = DEPTH_MAX
    least_people: Annotated[int, Meta(ge=10, le=1_000_000)] = 50
    limit: Annotated[int, Meta(ge=1, le=40)] = 20
    false_share: Annotated[float, Meta(gt=0, le=0.5)] = 0.05
    seed: Annotated[int, Meta(ge=0, lt=1 << 31)] = 0

    def wanted(self) -> Wanted:
        """What is looked for."""
        return Wanted(self.depth, self.least_people, self.direction, self.limit, self.false_share, self.seed)


class OutcomeQuestion(_Search, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In which micro-segments was an outcome more or less frequent, in `window_days` after the cut-off?

    `outcome`: a segment as text, such as `did "Order Completed" where total > 50`; what people did is asked of these
    days where it names no other time. `cutoff`: an instant in ISO 8601; without it, the latest for which the days are
    over. Proposals are made of what had happened by then. `among`: a segment as text; only those are looked at who
    were in it at the cut-off. `leave_out`: names of events and paths of traits that no proposal may be about.
    `direction`: whether the outcome is to be `more` or `less` frequent, or `both`. `depth`: of how many conditions a
    proposal may be. `false_share`: how many of the proposals may be false, on average. The same `seed` holds the same
    people out.
    """

    outcome: Text
    window_days: Annotated[int, Meta(ge=1, le=3_650)] = 30


class LikenessQuestion(_Search, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is most like the people of a segment? `like`: a segment as text, such as `in segment "VIP"` or
    `lists.VIP is true`, as of the cut-off, or now. What it speaks of itself is left out. `nearest`: how many people are
    named. The rest is as in a question for an outcome."""

    like: Text
    nearest: Annotated[int, Meta(ge=0, le=NEAREST_MAX)] = 100


class RateView(msgspec.Struct, frozen=True):
    """How many people, how many of them had the outcome, their share, and its 95 % interval."""

    people: int
    positives: int
    share: float
    low: float
    high: float


class ProposalView(msgspec.Struct, frozen=True):
    """A micro-segment, as text, as a tree, and in a sentence.

    `all`, `searched`, `held_out`: the rate among all people, among those in whom it was found, and among those who were
    not looked at before. `lift`: the last by the rate of everybody held out, with its 95 % interval. `probability`: how
    likely chance alone makes it look so among those held out; `adjusted`: the same for as many tests as were made.
    """

    text: str
    segment: Segment
    sentence: str
    direction: Direction
    all: RateView
    searched: RateView
    held_out: RateView
    lift: float
    lift_low: float
    lift_high: float
    probability: float
    adjusted: float


class ProposalsView(msgspec.Struct, frozen=True):
    """What holds on people not looked at before, what says most first.

    `all`: the rate of everybody who was looked at; `of_people`: how many there are of whom they are a sample, if not
    all. `conditions_seen`: how many conditions were made of what is known of them; `tested`: how many findings were
    checked.
    """

    cutoff: str
    all: RateView
    of_people: int
    conditions_seen: int
    tested: int
    proposals: list[ProposalView]


class AlikeView(msgspec.Struct, frozen=True):
    """Somebody who is not in it, and how likely one who scores the same is."""

    person: str
    score: float


class LookalikesView(ProposalsView, frozen=True):
    """Why members differ, and who is most like them, the nearest first.

    `tells_members`: how likely a member who was not looked at before scores higher than somebody else, from
    `tells_members_low` to `tells_members_high` with 95 %; 0.5 is chance, and then nobody is named.
    """

    tells_members: float
    tells_members_low: float
    tells_members_high: float
    nearest: list[AlikeView]


def _read(text: str, place: str) -> Segment:
    try:
        return parse(text).segment
    except CourtesyError as error:
        raise CourtesyError(error.code, error.message, hint=error.hint, place=f"{place}, {error.place}") from None


def wish_of(text: str, place: str, search: _Search) -> Wish:
    """What is asked. Raises CourtesyError(INVALID)."""
    return Wish(
        _read(text, place),
        None if search.among is None else _read(search.among, "among"),
        None if search.cutoff is None else past_instant(search.cutoff, "cutoff"),
        frozenset(search.leave_out),
        search.wanted(),
    )


def _rate(rate: Rate) -> RateView:
    return RateView(rate.people, rate.positives, round(rate.share, 6), round(rate.low, 6), round(rate.high, 6))


def _proposal(each: Proposal, discovery: Discovery, outcome: str) -> ProposalView:
    segment = Segment(1, each.expression)
    return ProposalView(
        write(segment),
        segment,
        sentence(each, discovery, outcome),
        Direction.MORE if each.more else Direction.LESS,
        _rate(each.all),
        _rate(each.found),
        _rate(each.held),
        round(each.lift, 4),
        round(each.lift_low, 4),
        round(each.lift_high, 4),
        each.probability,
        each.adjusted,
    )


def _proposals(found: Discovered, cutoff_ms: int, outcome: str) -> dict[str, Any]:
    discovery = found.discovery
    return {
        "cutoff": to_iso(cutoff_ms),
        "all": _rate(discovery.all),
        "of_people": found.of_people,
        "conditions_seen": found.seen_count,
        "tested": len(discovery.rules),
        "proposals": [_proposal(each, discovery, outcome) for each in discovery.proposals],
    }


def said_of_outcome(outcome: Segment, window_days: int) -> str:
    """The outcome, as what people did."""
    text = write(outcome)
    days = "day" if window_days == 1 else f"{window_days} days"
    return f"{text if text.startswith('did ') else f'fitted `{text}`'} in the {days} after"


async def answer_to_outcome(app: App, question: OutcomeQuestion) -> ProposalsView:
    """What `Discoveries.discover` finds; raises as it does, and for a text that can't be read."""
    wish = wish_of(question.outcome, "outcome", question)
    found, cutoff_ms = await app.discoveries.discover(wish, question.window_days)
    return ProposalsView(**_proposals(found, cutoff_ms, said_of_outcome(wish.outcome, question.window_days)))


async def answer_to_likeness(app: App, question: LikenessQuestion) -> LookalikesView:
    """What `Discoveries.lookalikes` finds; raises as it does, and for a text that can't be read."""
    found, cutoff_ms = await app.discoveries.lookalikes(wish_of(question.like, "like", question), question.nearest)
    sharp = found.sharpness
    return LookalikesView(
        **_proposals(found.discovered, cutoff_ms, "are members"),
        tells_members=round(sharp.share, 4),
        tells_members_low=round(sharp.low, 4),
        tells_members_high=round(sharp.high, 4),
        nearest=[AlikeView(str(each.person), round(each.score, 6)) for each in found.nearest],
    )


async def discover(asked: Asked[NoQuery, OutcomeQuestion]) -> ProposalsView:
    """Micro-segments that differ in an outcome."""
    return await answer_to_outcome(asked.app, asked.body)


async def find_lookalikes(asked: Asked[NoQuery, LikenessQuestion]) -> LookalikesView:
    """Who is most like the people of a segment."""
    return await answer_to_likeness(asked.app, asked.body)


_DOC = (
    " They are searched among three of five people, by a seed, and checked on the others: what does not hold there is"
    " not proposed. This reads all events; one question at a time is answered, and others wait."
)

OPERATIONS = (
    operation(
        "POST",
        "/v1/segments/discover",
        "Find micro-segments in which an outcome was more or less frequent.",
        discover,
        ProposalsView,
        body=OutcomeQuestion,
        codes=(Code.UNAVAILABLE,),
        doc=f"Each is a segment of one to three conditions, with sizes and rates.{_DOC}",
    ),
    operation(
        "POST",
        "/v1/segments/lookalikes",
        "Find who is most like the people of a segment or list.",
        find_lookalikes,
        LookalikesView,
        body=LikenessQuestion,
        codes=(Code.UNAVAILABLE,),
        doc=f"By what tells its people from everybody else, as segments of one to three conditions.{_DOC}",
    ),
)
