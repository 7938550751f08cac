"""Worlds and segments that fit each other, as Hypothesis makes them: few names and few values, so that conditions do
hold about half of the time, and instants that lie where something begins or ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any as Anything
from typing import ParamSpec, TypeVar, cast
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from courtesy.event.choice import Action, Choice
from courtesy.event.event import EventType, Party
from courtesy.segment import tree
from courtesy.segment.tree import Duration, Period, Quantity, Segment, Sign, Unit, Whose
from tests.unit.segment import reference_clock as clock
from tests.unit.segment.facts import (
    Arrival,
    Defined,
    Killed,
    Looked,
    Merged,
    Parted,
    Script,
    Step,
    Told,
    World,
    instant_of,
)

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
ANCHORS = tuple(
    int(datetime.fromisoformat(text).timestamp() * 1_000)
    for text in (
        "2026-06-15T12:00Z",
        "2026-03-31T12:00Z",  # a month after is no 31st
        "2024-02-29T10:00Z",
        "2026-03-01T00:00Z",
        "2026-03-29T01:00Z",  # Berlin sets its clocks forward,
        "2026-10-25T01:00Z",  # and back
        "2026-10-24T21:00Z",  # Beirut sets them back at midnight
        "2026-04-04T15:00Z",  # Lord Howe Island by half an hour
        "2026-12-31T23:00Z",
    )
)
"""Around which worlds happen."""

END_OF_MONTH = ANCHORS[1]
"""A month after it there is no such day."""

ZONES = ("Europe/Berlin", "Asia/Beirut", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns")

EXACT = tuple(
    Duration(count, unit)
    for count, unit in ((30, Unit.MINUTE), (2, Unit.HOUR), (1, Unit.DAY), (2, Unit.DAY), (1, Unit.WEEK))
)
SPANS = (*EXACT, Duration(1, Unit.MONTH), Duration(2, Unit.MONTH), Duration(1, Unit.YEAR))
NEAR = (-1, 0, 0, 0, 1)
near = st.sampled_from(NEAR)
"""So many ms beside where something begins or ends."""

NAMES = ("Order", "View")
PATHS = ("a", "b", "o.x")
"""Of texts mostly, of numbers mostly, and of anything; `d` is of days."""

BODIES = (1, 1, 1, 2, 2, 3)
TEXTS = ("x", "X", "xy", "ΣΑς", "İz")
NUMBERS = (0, 1, 1.0, 2, 2.5, 0.1, 10)
TOLD_NUMBERS = (*NUMBERS, 1e300)
"""One is beyond what anybody may ask for."""
PLACES = ({"lat": 52.5, "lon": 13.4}, {"latitude": 48.1, "lng": 11.6}, {"lat": "52.5", "lon": 13.4}, {"lon": 13.4})


P = ParamSpec("P")
T = TypeVar("T")


def made_once(make: Callable[P, SearchStrategy[T]]) -> Callable[P, SearchStrategy[T]]:
    """A strategy is made once for the same arguments, and does not tell in full of what it is made: Hypothesis would
    spend its time on that."""

    def unnamed(*given: P.args, **named: P.kwargs) -> SearchStrategy[T]:
        inner = make(*given, **named)

        @st.composite
        def drawn(draw: DrawFn) -> T:
            return draw(inner)

        return drawn()

    return cast(Callable[P, SearchStrategy[T]], cache(unnamed))


# -- what happens


@made_once
@st.composite
def instants(draw: DrawFn, anchor: int) -> int:
    """An instant in the past of an anchor or a little ahead of it: a span away, or a ms beside that."""
    span = draw(st.sampled_from((*EXACT, *SPANS)))
    away = span.count * clock.EXACT_MS.get(span.unit, draw(st.sampled_from((28, 30, 31))) * DAY_MS)
    ahead = draw(st.sampled_from((-2, -1, -1, -1, 0, 1)))
    return anchor + ahead * away + draw(st.sampled_from((0, 0, -HOUR_MS, -DAY_MS, 12 * HOUR_MS))) + draw(near)


@made_once
def days_and_instants(anchor: int) -> SearchStrategy[str]:
    """Text that tells a day or an instant, and sometimes nothing of the kind."""
    instant = instants(anchor).map(lambda at_ms: datetime.fromtimestamp(at_ms / 1_000, UTC))
    days = instant.map(lambda told: told.date().isoformat())
    return days | instant.map(datetime.isoformat) | st.sampled_from(("2024-02-29", "1999-12-31", "2026-02-30", "soon"))


@made_once
def values(anchor: int) -> SearchStrategy[Anything]:
    """A value of any type."""
    plain = st.sampled_from((*TEXTS, *TOLD_NUMBERS, True, False))
    element = st.fixed_dictionaries({"k": st.sampled_from(TEXTS), "n": st.sampled_from(NUMBERS)}) | plain
    return st.one_of(
        plain,
        plain,
        plain,
        days_and_instants(anchor),
        st.lists(plain, max_size=2),
        st.lists(element, max_size=3),
        st.sampled_from(PLACES),
    )


@made_once
def objects(anchor: int) -> SearchStrategy[dict[str, Anything]]:
    """Traits or properties, with what was unset, and with values where others have objects."""
    value = values(anchor)
    line = st.fixed_dictionaries({"k": st.sampled_from(("x", "y")), "n": st.sampled_from((1, 2, 5))})
    inner = st.dictionaries(st.sampled_from(("x", "x", "y")), value | st.none(), min_size=1, max_size=2)
    return _some(
        a=st.sampled_from(("x", "X", "xy", ["x", "ΣΑς"], 1, None)),
        b=st.sampled_from((0, 1, 2, 2.5, 5, 0.1, True, "1")),
        d=days_and_instants(anchor),
        o=st.one_of(inner, inner, value),
        lines=st.lists(line, max_size=2),
    )


def _some(**named: SearchStrategy[Anything]) -> SearchStrategy[dict[str, Anything]]:
    """An object with most of these names."""

    @st.composite
    def some(draw: DrawFn) -> dict[str, Anything]:
        there = draw(st.lists(st.sampled_from(sorted(named)), min_size=min(3, len(named)), max_size=4, unique=True))
        return {name: draw(named[name]) for name in there}

    return some()


@made_once
def traits(anchor: int) -> SearchStrategy[dict[str, Anything]]:
    """Traits of a person."""
    known = _some(
        timezone=st.sampled_from((*ZONES, None, "Nowhere/Land", 5)),
        scores=st.fixed_dictionaries({"churn": st.sampled_from(NUMBERS)}),
        lists=st.fixed_dictionaries({"vip": st.sampled_from((True, True, None))}),
        address=st.fixed_dictionaries({"country": st.sampled_from(("DE", "AT", "FR", None))}),
    )
    return st.builds(lambda one, other: {**one, **other}, objects(anchor), known)


@made_once
def contexts() -> SearchStrategy[dict[str, Anything]]:
    """What came with an event beside itself."""
    return st.sampled_from(({}, {"os": {"name": "iOS"}}, {"os": {"name": "ios"}, "screen": {"width": 10}}))


@made_once
def choices(anchor: int) -> SearchStrategy[tuple[Choice, ...]]:
    """What somebody allows, refuses or wishes, sometimes from later on, or for a while."""
    begins = instants(anchor)
    # Whoever allows or refuses says it of e-mail or of all; wishes are for how often.
    said = st.builds(
        lambda action, channel, at_ms, for_ms: Choice(
            action, "marketing", channel, held_from=at_ms, held_to=None if for_ms is None else at_ms + for_ms
        ),
        st.sampled_from((Action.GRANT, Action.GRANT, Action.WITHDRAW, Action.OBJECT)),
        st.sampled_from(("email", "*")),
        begins,
        st.sampled_from((None, None, 2 * HOUR_MS, DAY_MS)),
    )
    wished = st.builds(
        lambda value, at_ms: Choice(Action.SET, "marketing", "email", value=value, held_from=at_ms),
        st.sampled_from(("weekly", "Daily", 3, True)),
        begins,
    )
    return st.lists(said | wished, min_size=1, max_size=2).map(tuple)


KINDS = (
    *[EventType.TRACK] * 10,
    *[EventType.IDENTIFY] * 6,
    *[EventType.GROUP] * 2,
    *[EventType.CONSENT] * 2,
    EventType.PAGE,
    EventType.SCREEN,
    EventType.SYSTEM,
)
SOURCES = (("shop", Party.FIRST, 30), ("crm", Party.SECOND, 20), ("shop", Party.FIRST, 30))


@st.composite
def told(draw: DrawFn, anchor: int, number: int) -> Told:
    """One fact. It may come in late, but never before it happened."""
    kind = draw(st.sampled_from(KINDS))
    at_ms = draw(instants(anchor))
    source, party, rank = draw(st.sampled_from(SOURCES))
    is_behaviour = kind in (EventType.TRACK, EventType.PAGE, EventType.SCREEN, EventType.SYSTEM)
    return Told(
        number=number,
        body=draw(st.sampled_from(BODIES)),
        kind=kind,
        at_ms=at_ms,
        received_ms=at_ms + draw(st.sampled_from((0, 0, 0, 1, 5 * MINUTE_MS, 3 * DAY_MS))),
        # Ties go up and down, below nothing too, but no two are the same.
        tie=draw(st.sampled_from((-1, 1))) * (number + 1) << 40,
        rank=rank,
        source=source,
        party=party,
        name=draw(st.sampled_from(NAMES)) if kind in (EventType.TRACK, EventType.SYSTEM) else None,
        group=draw(st.sampled_from(("group:g", "group:h"))) if kind is EventType.GROUP else None,
        traits=draw(traits(anchor)) if kind is EventType.IDENTIFY else {},
        group_traits=draw(objects(anchor)) if kind is EventType.GROUP else {},
        properties=draw(objects(anchor)) if is_behaviour else {},
        context=draw(contexts()) if is_behaviour else {},
        choices=draw(choices(anchor)) if kind is EventType.CONSENT else (),
    )


@st.composite
def worlds(draw: DrawFn, anchor: int, most: int = 16, moves: int = 3) -> World:
    """Some facts in the order in which they came in, with people who become one and two again in between."""
    arrivals: list[Arrival] = [
        draw(told(anchor, number)) for number in range(draw(st.sampled_from((1, most // 2, most, most, most))))
    ]
    times = [each.received_ms for each in arrivals]
    for one, other, _ in draw(st.lists(st.permutations((1, 2, 3)), max_size=moves)):
        at_ms = draw(st.sampled_from(times)) + draw(near)
        arrivals.append(Merged(one, other, at_ms) if draw(st.integers(0, 2)) else Parted(one, at_ms))
    return World(tuple(_possible(sorted(arrivals, key=lambda each: each.received_ms))))


def _possible(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Without who becomes one with whom they are one with already, or two who were no one."""
    roots = {body: body for body in BODIES}
    found: list[Arrival] = []
    for each in arrivals:
        if isinstance(each, Merged):
            loser, survivor = roots[each.loser], roots[each.survivor]
            if loser == survivor:
                continue
            each = Merged(loser, survivor, each.received_ms)
            roots = {body: survivor if root == loser else root for body, root in roots.items()}
        elif isinstance(each, Parted):
            if roots[each.body] == each.body:
                continue
            roots[each.body] = each.body
        found.append(each)
    return found


@st.composite
def asked_at(draw: DrawFn, world: World, anchor: int) -> int:
    """An instant at which, or a ms beside which, something may change: a span after a fact, or a midnight."""
    times = sorted(each.at_ms for each in world.told)
    at_ms = draw(st.sampled_from([*times, *times[-3:], *times[-3:]]))
    zone = ZoneInfo(draw(st.sampled_from(("UTC", *ZONES))))
    match draw(st.sampled_from(("now", "now", "event", "span", "span", "twice", "midnight"))):
        case "now":
            found = anchor
        case "event":
            found = at_ms
        case "span":
            found = clock.later(at_ms, draw(st.sampled_from(SPANS)), zone)
        case "twice":
            found = clock.later(clock.later(at_ms, span := draw(st.sampled_from(SPANS)), zone), span, zone)
        case _:
            found = clock.begin_of(clock.today(at_ms, zone) + timedelta(days=1), zone)
    return found + draw(near)


# -- what is asked


@made_once
def windows(anchor: int) -> SearchStrategy[tree.Window]:
    """A window that begins or ends near what happens."""
    day = instants(anchor).map(lambda at_ms: clock.today(at_ms, UTC))
    return st.one_of(
        st.sampled_from(SPANS).map(tree.Sliding),
        st.sampled_from(SPANS).map(tree.Sliding),
        st.sampled_from(Period).map(tree.Current),
        st.sampled_from(Period).map(tree.Previous),
        st.tuples(day, day, st.sampled_from(("both", "first", "last"))).map(_days),
    )


def _days(told: tuple[date, date, str]) -> tree.Days:
    first, last, which = min(told[:2]), max(told[:2]), told[2]
    return tree.Days(None if which == "last" else first, None if which == "first" else last)


numbers = st.sampled_from((0, 1, 2, 2.5, 5))
compares = st.builds(tree.Compare, st.sampled_from(Sign), numbers)
ranges = st.tuples(numbers, numbers).map(lambda pair: tree.Range(min(pair), max(pair)))


@made_once
def of_text(*, each: bool) -> SearchStrategy[tree.Test]:
    """What is asked of what is text, mostly."""
    param: tuple[tree.Param, ...] = (tree.Param(), tree.Param()) if each else ()
    ones: SearchStrategy[tree.Value] = st.sampled_from((*param, *param, *TEXTS, *NUMBERS, True, "x", "x"))
    read: SearchStrategy[str | tree.Param] = st.sampled_from((*param, "x", "", "*x?", "*", "σ*", "i", "y"))
    return st.one_of(
        st.just(tree.Present()),
        st.lists(ones, min_size=1, max_size=2).map(lambda found: tree.Is(tuple(found))),
        st.lists(ones, min_size=1, max_size=2).map(lambda found: tree.Is(tuple(found))),
        st.builds(tree.Reads, st.sampled_from(tree.Match), read),
    )


@made_once
def of_time(anchor: int) -> SearchStrategy[tree.Test]:
    """What is asked of days and instants."""
    days = st.tuples(st.sampled_from((0, 0, 1, 30)), st.sampled_from((0, 1, 30, 365)))
    return st.one_of(
        windows(anchor).map(tree.Within),
        windows(anchor).map(tree.Within),
        st.sampled_from(SPANS).map(tree.Coming),
        st.sampled_from(SPANS).map(tree.Ago),
        st.sampled_from(SPANS).map(tree.Ahead),
        days.map(lambda pair: tree.Anniversary(min(pair), max(pair))),
    )


@made_once
def tests(anchor: int, *, each: bool) -> SearchStrategy[tree.Test]:
    """What is asked of any plain value."""
    near_berlin = st.builds(tree.Near, st.just(52.52), st.just(13.4), st.sampled_from((10.0, 300.0, 600.0)))
    return st.one_of(of_text(each=each), compares | ranges, of_time(anchor), near_berlin)


@made_once
def fields(anchor: int, *, each: bool) -> SearchStrategy[tree.Field]:
    """What is asked of a property or a trait: mostly what fits it."""
    field = tree.Field
    return st.one_of(
        st.builds(field, st.just("a"), of_text(each=each)),
        st.builds(field, st.just("b"), compares | ranges),
        st.builds(field, st.just("d"), of_time(anchor)),
        st.builds(field, st.just("lines"), elements(anchor, each=each)),
        st.builds(field, st.sampled_from((*PATHS, "o", "d", "lines")), tests(anchor, each=each)),
        st.builds(field, st.sampled_from(PATHS), elements(anchor, each=each)),
    )


@cache
def joined(one: SearchStrategy[Anything], depth: int = 2) -> SearchStrategy[Anything]:
    """One condition, or several within each other."""

    @st.composite
    def some(draw: DrawFn) -> Anything:
        how = draw(st.sampled_from(("one", "one", "all", "any", "not")))
        if how == "one" or depth == 0:
            return draw(one)
        if how == "not":
            return tree.Not(draw(joined(one, depth - 1)))
        parts = draw(joined(one, depth - 1)), draw(joined(one, depth - 1))
        return tree.All(parts) if how == "all" else tree.Any(parts)

    return some()


@made_once
def elements(anchor: int, *, each: bool) -> SearchStrategy[tree.Elements]:
    """What is asked of the elements of an array."""
    field = st.one_of(
        st.builds(tree.Field, st.just("k"), of_text(each=each)),
        st.builds(tree.Field, st.just("n"), compares),
        st.builds(tree.Field, st.sampled_from(("k", "n")), tests(anchor, each=each)),
    )
    quantity = st.sampled_from(Quantity)
    return st.builds(
        lambda quantity, filter_, count: tree.Elements(
            quantity, filter_, count if quantity is Quantity.AT_LEAST else 1
        ),
        quantity,
        joined(field, 1),
        st.integers(1, 2),
    )


@made_once
def filters(anchor: int, *, each: bool) -> SearchStrategy[tree.Filter]:
    """What is asked of one event."""
    test = tests(anchor, each=each)
    found: SearchStrategy[tree.Filter] = joined(
        st.one_of(
            fields(anchor, each=each),
            fields(anchor, each=each),
            st.builds(tree.Field, st.sampled_from(("os.name", "screen.width")), test, st.just(Whose.CONTEXT)),
            st.sampled_from(
                (
                    tree.Field("name", tree.Is(("Shop",)), Whose.SOURCE),
                    tree.Field("party", tree.Is(("second",)), Whose.SOURCE),
                    tree.Field("os.name", tree.Is(("IOS",)), Whose.CONTEXT),
                )
            ),
        ),
        1,
    )
    return found


@made_once
def events(anchor: int, *, each: bool) -> SearchStrategy[tree.Event]:
    """Which events are meant: mostly all of a name."""
    names = st.sampled_from((*NAMES, *NAMES, tree.ANYTHING, "Page Viewed", "Screen Viewed"))
    where = (
        filters(anchor, each=each) if each else st.one_of(st.none(), st.none(), st.none(), filters(anchor, each=each))
    )
    return st.builds(tree.Event, names, where)


def _steps(event: SearchStrategy[tree.Event]) -> SearchStrategy[tree.Step]:
    def step(*given: Anything) -> tree.Step:
        found = tree.Step(*given)
        return found if found.within is not None else tree.Step(*given[:-1])

    maybe = st.none() | st.sampled_from(EXACT)
    without = st.just(()) | st.lists(event, min_size=1, max_size=1).map(tuple)
    return st.builds(step, event, maybe, st.none() | maybe, without, st.booleans())


@made_once
def of_behaviour(anchor: int, *, each: bool) -> SearchStrategy[tree.Expression]:
    """Conditions on what somebody did."""
    event, window = events(anchor, each=each), st.one_of(st.none(), st.none(), windows(anchor))
    times = st.sampled_from(((1, None), (1, None), (2, None), (0, 0), (0, 1), (1, 2), (3, None)))
    when = st.builds(tree.Within, windows(anchor)) | st.builds(tree.Ago, st.sampled_from(SPANS))
    which, has = st.sampled_from(tree.Which), filters(anchor, each=each)
    steps = st.lists(_steps(event), min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(lambda event, pair, window: tree.Did(event, pair[0], pair[1], window), event, times, window),
        st.builds(lambda event, pair, window: tree.Did(event, pair[0], pair[1], window), event, times, window),
        st.builds(tree.Amount, measures(anchor, each=each), compares | ranges),
        st.builds(tree.Occurrence, which, event, when, st.none() | has),
        st.builds(tree.Occurrence, which, event, st.none(), has),
        st.builds(tree.Sequence, event, steps, window),
        st.builds(tree.Sequence, event, steps, window),
        st.builds(
            tree.Change,
            event,
            st.sampled_from(tree.Trend),
            st.sampled_from((50.0, 100.0, 33.3)),
            st.sampled_from(EXACT),
        ),
    )


@made_once
def measures(anchor: int, *, each: bool) -> SearchStrategy[tree.Measure]:
    """One number of a person."""
    paths = st.sampled_from(("b", "b", *PATHS))
    return st.builds(
        tree.Measure,
        st.sampled_from(tree.Function),
        paths,
        events(anchor, each=each),
        st.none() | windows(anchor),
    )


@made_once
def of_person(anchor: int, *, each: bool) -> SearchStrategy[tree.Expression]:
    """Conditions on who somebody is, and on what they allow."""
    test = tests(anchor, each=each)
    paths = st.sampled_from((*PATHS, "address.country", "lists.vip", "timezone"))
    channels = st.sampled_from(("email", "email", "*"))
    return st.one_of(
        fields(anchor, each=each),
        fields(anchor, each=each),
        st.builds(tree.Field, paths, test),
        st.builds(tree.Field, st.just("churn"), st.just(tree.Present()) | compares | ranges, st.just(Whose.SCORE)),
        st.builds(tree.Consent, st.sampled_from(tree.Stance), st.just("marketing"), channels),
        st.builds(
            tree.Preference,
            st.just("marketing"),
            st.sampled_from((tree.Present(), tree.Is(("WEEKLY", True)), tree.Compare(Sign.AT_LEAST, 3))),
            channels,
        ),
    )


@made_once
def of_groups(anchor: int, *, each: bool) -> SearchStrategy[tree.Expression]:
    """Conditions on the groups that somebody belongs to."""
    return fields(anchor, each=each).map(lambda field: msgspec.structs.replace(field, whose=Whose.GROUP))


@made_once
def of_others(anchor: int, *, each: bool) -> SearchStrategy[tree.Rank]:
    """Conditions on all people."""
    by = st.sampled_from(("b", "b", "a")) | measures(anchor, each=each)
    return st.builds(tree.Rank, by, st.sampled_from((10.0, 34.0, 50.0)), st.none(), st.booleans()) | st.builds(
        tree.Rank, by, st.none(), st.integers(1, 2), st.booleans()
    )


Kinds = tuple[Callable[..., SearchStrategy[Anything]], ...]

KINDS_OF_CONDITIONS: Kinds = (
    of_behaviour,
    of_behaviour,
    of_behaviour,
    of_person,
    of_person,
    of_groups,
    of_others,
)


LIVE_KINDS: Kinds = (of_behaviour, of_behaviour, of_behaviour, of_person, of_person)
SETTLED_KINDS: Kinds = (of_groups, of_groups, of_others, of_others, of_behaviour)


@made_once
def of_segments(anchor: int, *, each: bool) -> SearchStrategy[tree.InSegment]:
    """Conditions on other segments."""
    return st.just(tree.InSegment("one"))


@made_once
def conditions(anchor: int, kinds: Kinds, *, each: bool) -> SearchStrategy[Anything]:
    """A condition of one of these kinds, or several."""
    return joined(st.one_of([kind(anchor, each=each) for kind in kinds]))


@st.composite
def segments(draw: DrawFn, anchor: int, kinds: Kinds = KINDS_OF_CONDITIONS) -> dict[str, Segment]:
    """A segment, one that may mention it, and one for each value that may as well."""
    first = draw(conditions(anchor, kinds, each=False))
    second = draw(conditions(anchor, (*kinds, of_segments), each=False))
    of_each = draw(conditions(anchor, (*kinds, of_segments), each=True))
    each = draw(
        st.builds(tree.Each, st.sampled_from(PATHS))
        | st.builds(tree.Each, st.sampled_from(PATHS), st.sampled_from(NAMES))
    )
    return {"one": Segment(1, first), "two": Segment(1, second), "each": Segment(1, of_each, each)}


# -- both

Question = tuple[World, dict[str, Segment], int]
"""A world, segments, and an instant at which it is asked who is in."""

Play = tuple[World, dict[str, Segment], list[int]]
"""A world, segments, and instants at which to look although nothing may happen then."""


@st.composite
def questions(draw: DrawFn, kinds: Kinds = KINDS_OF_CONDITIONS) -> Question:
    """What is asked."""
    anchor = draw(st.sampled_from(ANCHORS))
    world = draw(worlds(anchor))
    return world, draw(segments(anchor, kinds)), draw(asked_at(world, anchor))


@st.composite
def plays(draw: DrawFn, kinds: Kinds = LIVE_KINDS, anchors: Sequence[int] = ANCHORS) -> Play:
    """What is played."""
    anchor = draw(st.sampled_from(anchors))
    world = draw(worlds(anchor))
    looks = st.lists(asked_at(world, anchor), min_size=3, max_size=8)
    return world, draw(segments(anchor, kinds)), draw(looks)


@st.composite
def scripts(draw: DrawFn, kinds: Kinds = LIVE_KINDS, most: int = 10) -> Script:
    """A world, with segments that are defined before it or in its middle, edited, archived and had again."""
    anchor = draw(st.sampled_from(ANCHORS))
    world = draw(worlds(anchor, most))
    times = sorted(each.received_ms for each in world.arrivals)
    early = st.sampled_from((times[0], *times))
    looks = draw(st.lists(asked_at(world, anchor), max_size=3))
    steps: list[Step] = [*world.arrivals, *(Looked(at_ms) for at_ms in looks if at_ms >= times[0])]
    defined = draw(segments(anchor, kinds))
    begins = sorted(draw(early) for _ in defined)  # each after what it stands on
    steps += [Defined(name, defined[name], at_ms) for name, at_ms in zip(defined, begins, strict=True)]
    for _ in range(draw(st.sampled_from((0, 1, 2, 3)))):
        steps.append(draw(edits(anchor, kinds, draw(early))))
    steps += [Killed(draw(early)) for _ in range(draw(st.sampled_from((0, 0, 1, 2))))]
    paces = st.tuples(st.sampled_from((0, 1, 2, 5, 9, 30)), st.booleans())
    told = sorted(steps, key=instant_of)
    return Script(told, draw(st.lists(paces, min_size=len(told), max_size=len(told))))


@st.composite
def edits(draw: DrawFn, anchor: int, kinds: Kinds, at_ms: int) -> Defined:
    """A segment is defined anew, maybe as one for each value where it was none; or archived, or had again."""
    name = draw(st.sampled_from(("one", "two", "each")))
    if draw(st.integers(0, 2)) == 0:
        return Defined(name, None, at_ms)
    segment = draw(segments(anchor, kinds))[draw(st.sampled_from((name, name, "one", "each")))]
    return Defined(name, segment, at_ms)
