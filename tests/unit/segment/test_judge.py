"""What a segment means: phrase by phrase, on small histories whose answer anybody can see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any as Anything
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.time import from_iso
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.consent.standing import Kept, Standing, add
from courtesy.event.choice import Action, Scope
from courtesy.segment import tree
from courtesy.segment.judge import Happened, Judge, Past
from courtesy.segment.moment import Moment
from courtesy.segment.parsing import parse

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    """An instant by the wall clock of a zone."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1_000)


NOW = "2026-06-15T12:00"


def happened(*told: tuple[str, str] | tuple[str, str, dict[str, Anything]]) -> list[Happened]:
    """Events by name and local time, with properties if there are any."""
    events = [
        Happened(at(each[1]), number, each[0], f"m{number}", each[2] if len(each) == 3 else {})
        for number, each in enumerate(told)
    ]
    return sorted(events)


class Nobody:
    """Of others, nothing is so but what is told."""

    def __init__(self, segments: Iterable[str] = ()) -> None:
        self._segments = set(segments)

    def is_in(self, segment: str) -> bool:
        """As told."""
        return segment in self._segments

    def ranks(self, rank: tree.Rank) -> bool:
        """Never."""
        return False


def is_in(
    text: str,
    past: Past,
    now: str = NOW,
    zone: ZoneInfo = BERLIN,
    that: tree.Value | None = None,
    of: Iterable[str] = (),
) -> bool:
    """Whether somebody with that past is in the segment, by the wall clock of a zone."""
    judge = Judge(past, Moment(at(now, zone), zone), Laws(LAWS), Nobody(of), that)
    return judge.judge(parse(text).segment.expression).holds


def traits(**values: Anything) -> Past:
    """Somebody of whom only traits are known."""
    return Past(traits=values)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("x is pro", "PRO", True),
        ("x is pro", "prof", False),
        ("x is not pro", None, True),
        ("x is present", None, False),
        ("x is absent", None, True),
        ("x is present", False, True),
        ("x is one of a, b", ["z", "B"], True),
        ("x is 1", 1.0, True),
        ("x is 1", True, False),
        ("x is true", True, True),
        ("x is true", 1, False),
        ('x is "1"', 1, False),
        ("x > 5", 5, False),
        ("x >= 5", 5, True),
        ("x < 5", "4", False),
        ("x is between 1 and 2", 2, True),
        ("x contains lum", "Columbus", True),
        ("x does not contain lum", "Berlin", True),
        ("x starts with ÄÖ", "äöß-1", True),
        ("x is Σας", "σΑς", True),
        ('x looks like "a*c?"', "AbbCd", True),
        ('x looks like "a*c?"', "abbc", False),
        ('x looks like "*.example.com"', "shop.example.com", True),
        ('x looks like "(*"', "(a", True),
        ("x is within 10 km of 52.52, 13.405", {"lat": 52.5, "lon": 13.4}, True),
        ("x is within 10 km of 52.52, 13.405", {"latitude": 48.1, "longitude": 11.6}, False),
        ("x is within 600 km of 52.52, 13.405", {"lat": 48.137, "lng": 11.575}, True),
        ("x is within 500 km of 52.52, 13.405", {"lat": 48.137, "lng": 11.575}, False),
        ("x is within 10 km of 52.52, 13.405", {"lat": "52.5", "lon": 13.4}, False),
        ("x is on 2026-06-15", "2026-06-15", True),
        ("x is on 2026-06-15", "2026-06-14T22:30:00Z", True),
        ("x is on 2026-06-15", "2026-06-15T22:30:00Z", False),
        ("x is before 2026-06-15", "2026-06-14T21:59:00Z", True),
        ("x is before 2026-06-15", "2026-06-15", False),
        ("x is in the last 2 days", "2026-06-13T10:01:00Z", True),
        ("x is in the last 2 days", "2026-06-13T10:00:00Z", False),
        ("x is in the last 2 days", "2026-06-15T10:01:00Z", False),
        ("x is in the next 2 days", "2026-06-17T10:00:00Z", True),
        ("x is more than 1 month ago", "2026-05-15T10:00:00.001Z", False),
        ("x is more than 1 month ago", "2026-05-15T10:00:00Z", True),
        ("x is more than 1 hour from now", "2026-06-15T11:00:01Z", True),
        ("x is today", "2026-06-15", True),
        ("x is yesterday", "2026-06-14", True),
        ("x is this week", "2026-06-21", True),
        ("x is this week", "2026-06-14", False),
        ("x is in the previous quarter", "2026-03-31", True),
        ("x is in the previous quarter", "2026-04-01", False),
        ("x comes round today", "1980-06-15", True),
        ("x comes round in the next 7 days", "1980-06-22", True),
        ("x comes round in the next 7 days", "1980-06-23", False),
        ("x comes round in 3 to 5 days", "1980-06-17", False),
        ("x comes round today", "no day", False),
        ("any of x has (a is 1 and b is 2)", [{"a": 1, "b": 2}], True),
        ("any of x has (a is 1 and b is 2)", [{"a": 1, "b": 1}, {"a": 2, "b": 2}], False),
        ("all of x have (a is 1)", [{"a": 1}, {"a": 1}], True),
        ("all of x have (a is 1)", [], False),
        ("none of x has (a is 1)", None, True),
        ("none of x has (a is 1)", [{"a": 2}], True),
        ("at least 2 of x have (a > 1)", [{"a": 2}, {"a": 1}, {"a": 3}], True),
    ],
)
def test_a_trait_passes_or_not(text: str, value: Anything, expected: bool) -> None:
    """Types are kept apart, text is read without regard to case, days are days where the person is."""
    assert is_in(text, traits(x=value)) is expected


def test_the_leap_day_comes_round_every_year() -> None:
    """On 28 February where there is no 29th."""
    born = traits(x="2000-02-29")
    assert is_in("x comes round today", born, "2026-02-28T08:00")
    assert not is_in("x comes round today", born, "2028-02-28T08:00")
    assert is_in("x comes round today", born, "2028-02-29T08:00")
    assert is_in("x comes round in the next 7 days", traits(x="1990-01-02"), "2026-12-30T08:00")


ORDERS = Past(
    happened(
        ("Order", "2026-03-01T10:00", {"total": 10, "country": "DE", "lines": [{"sku": "a", "n": 2}]}),
        ("Order", "2026-05-31T23:59", {"total": 30.5, "country": "AT"}),
        ("View", "2026-06-01T08:00", {"category": "shoes"}),
        ("Order", "2026-06-15T11:59", {"total": 0.1, "country": "DE"}),
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('did "Order"', True),
        ('did "Order" at least 3 times', True),
        ('did "Order" at least 4 times', False),
        ('did "Order" exactly 2 times since 2026-04-01', True),
        ('did "Order" at most 1 times this month', True),
        ('did "Order" in the last 1 minutes', False),
        ('did "Order" in the last 2 minutes', True),
        ('did "Order" exactly 1 times in the previous month', True),
        ('did "Order" exactly 1 times until 2026-03-01', True),
        ('did "Order" between 1 and 2 times where country is DE', True),
        ('did not "Return" in the last 90 days', True),
        ('did not "Order" where total > 100', True),
        ('did "Order" where (total > 20 and country is DE)', False),
        ('did "Order" where any of lines has (sku is a and n > 1)', True),
        ('sum of total of "Order" > 40.59', True),
        ('sum of total of "Order" >= 40.6', True),
        ('sum of total of "Order" > 40.6', False),
        ('average total of "Order" in the last 365 days where (country is DE) is between 5 and 5.1', True),
        ('smallest total of "Order" < 0.2', True),
        ('largest total of "Order" > 30', True),
        ('largest total of "Return" > 0', False),
        ('number of different country of "Order" >= 2', True),
        ('number of different country of "Return" < 1', True),
        ('first "Order" was in the last 4 months', True),
        ('first "Order" was more than 4 months ago', False),
        ('last "Order" has (country is DE)', True),
        ('last "Order" was today has (country is AT)', False),
        ('last "Order" where (total > 1) was in the previous month', True),
        ('did "View" then "Order"', True),
        ('did "View" where category is shoes then "Order" within 14 days', False),
        ('did "View" then "Order" within 15 days without "Return"', True),
        ('did "Order" then "Order" without "View"', True),
        ('did "Order" where total is 30.5 then "Order" without "View"', False),
        ('did "Order" where total is 30.5 then "View" at least 9 hours later', False),
        ('did "Order" where total is 30.5 then "View" at least 8 hours later then "Order"', True),
        ('did "View" then not "Return" within 2 days', True),
        ('did "View" then not "Order" within 2 days', True),
        ('did "View" then not "Order" within 15 days', False),
        ('did "View" then not "Return" within 2 days then "Order"', True),
        ('did "View" then not "Return" within 2 days then "Return"', False),
        ('did "Order" today then not "Return" within 2 hours', False),
        ('did "Order" at least 50 % less often in the last 30 days than before', False),
        ('did "Order" at least 100 % more often in the last 61 days than before', True),
        ('did "Order" at least 101 % more often in the last 61 days than before', False),
    ],
)
def test_behaviour_is_judged_on_the_whole_history(text: str, expected: bool) -> None:
    """Counts, functions, first and last, sequences, absence and change, in windows of the person's own calendar."""
    assert is_in(text, ORDERS) is expected


def test_a_window_ends_to_the_millisecond() -> None:
    """What happened exactly that long ago is out; a moment later it was in."""
    past = Past(happened(("A", "2026-06-08T12:00")))
    assert not is_in('did "A" in the last 7 days', past)
    assert is_in('did "A" in the last 7 days', past, "2026-06-15T11:59:59.999")


def test_months_keep_the_wall_clock_over_daylight_saving() -> None:
    """Days are of 24 hours, whatever the clocks do; a month ends at the same time on the wall."""
    past = Past(happened(("A", "2026-03-15T12:00")))
    assert is_in('did "A" in the last 1 month', past, "2026-04-15T11:59:59")
    assert not is_in('did "A" in the last 1 month', past, "2026-04-15T12:00")
    assert is_in('did "A" in the last 31 days', past, "2026-04-15T12:59:59")
    assert not is_in('did "A" in the last 31 days', past, "2026-04-15T13:00")


instants = st.integers(at("2025-01-01"), at("2027-12-31"))
turns = st.sampled_from(["2026-03-29T01:00Z", "2026-10-25T01:00Z", "2026-10-25T00:00Z", "2025-09-25T00:30Z"])
near_turns = st.builds(lambda text, ms: (from_iso(text) or 0) + ms, turns, st.integers(-4_000_000, 4_000_000))
zones = st.sampled_from([ZoneInfo(name) for name in ("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe")])


@given(zones, instants | near_turns, st.integers(0, 90_000_000) | st.integers(0, 4_000_000), st.integers(1, 14))
def test_a_later_instant_is_never_moved_before_an_earlier_one(zone: ZoneInfo, first: int, gap: int, count: int) -> None:
    """So windows have one beginning, and an instant leaves one for good."""
    span, moment = tree.Duration(count, tree.Unit.MONTH), Moment(first, zone)
    assert moment.moved(first, span) <= moment.moved(first + gap, span)
    began = moment.began(span)
    assert moment.moved(began, span) <= first < moment.moved(began + 1, span)
    reached = moment.reaches(first, span)
    assert moment.moved(reached - 1, span) < first <= moment.moved(reached, span)


def test_calendars_are_the_persons_own() -> None:
    """The same instant is another day elsewhere."""
    past = Past([Happened(at("2026-06-14T23:30"), 0, "A", "m", {})])
    assert is_in('did "A" yesterday', past)
    assert is_in('did "A" today', past, "2026-06-15T07:00", ZoneInfo("Asia/Tokyo"))


def test_what_lies_ahead_has_not_happened() -> None:
    """A clock that went wrong puts nobody into a segment before the time."""
    past = Past(happened(("A", "2026-06-15T12:01")))
    assert not is_in('did "A"', past)
    assert not is_in('did "A" today', past)
    assert is_in('did "A"', past, "2026-06-15T12:01")


def test_a_month_without_such_a_day_ends_with_its_last() -> None:
    """A month after 31 January is over when February is."""
    past = Past(happened(("A", "2026-01-31T12:00"), ("B", "2026-01-28T12:00")))
    assert is_in('did "A" in the last 1 months', past, "2026-02-28T23:59:59")
    assert not is_in('did "A" in the last 1 months', past, "2026-03-01T00:00")
    assert not is_in('did "B" in the last 1 months', past, "2026-02-28T12:00")


def test_where_an_event_came_from_and_on_what() -> None:
    """A filter asks for the context and the source of an event as for its properties."""
    event = Happened(at("2026-06-14T23:30"), 0, "A", "m", {}, {"os": {"name": "iOS"}}, {"name": "app"})
    assert is_in('did "A" where context os.name is ios', Past([event]))
    assert is_in("did anything where (source name is app and context os.name is one of iOS, Android)", Past([event]))
    assert not is_in("did anything where source name is shop", Past([event]))


def test_events_that_show_it_are_told() -> None:
    """Those that count, and of a sequence the ones that make it up."""
    judge = Judge(ORDERS, Moment(at(NOW), BERLIN), Laws(LAWS), Nobody())
    found = judge.judge(parse('did "Order" where country is DE and did "View" then "Order"').segment.expression)
    assert [[each.message_id for each in part.events] for part in found.parts] == [["m0", "m3"], ["m2", "m3"]]


def standing(*told: tuple[Action, str, str, str, Anything]) -> Standing:
    """Choices in the order in which they were made: what, purpose, channel, day, value."""
    found = Standing()
    for number, (action, purpose, channel, day, value) in enumerate(told):
        kept = Kept(at(f"{day}T00:00"), f"{number:032}", action, None, 0, None, value, (1,))  # type: ignore[arg-type]
        add(found, Scope(purpose, channel), kept)
    return found


def test_consent_and_wishes() -> None:
    """By the law of where they are, and by what they said last."""
    said = standing(
        (Action.GRANT, "marketing", "email", "2026-01-01", None),
        (Action.WITHDRAW, "marketing", "sms", "2026-02-01", None),
        (Action.SET, "frequency", "*", "2026-01-01", "daily"),
        (Action.SET, "frequency", "*", "2026-03-01", "weekly"),
    )
    past = Past(standing=said, place="DE")
    assert is_in("allows marketing over email", past)
    assert not is_in("allows marketing over sms", past)
    assert is_in("refused marketing over sms", past)
    assert not is_in("refused marketing over push", past)
    assert is_in("granted marketing over email", past)
    assert not is_in("granted marketing over email", past, "2025-12-31T12:00")
    assert is_in("wishes frequency is weekly", past)
    assert is_in("wishes frequency is daily", past, "2026-02-01T12:00")
    assert is_in("allows service over email", Past(place="DE"))


def test_groups_scores_other_segments_and_micro_segments() -> None:
    """Each is looked up where it belongs."""
    past = Past(ORDERS.events, {"scores": {"churn": 0.9}}, [{"plan": "free"}, {"plan": "pro"}])
    assert is_in("group plan is pro", past)
    assert is_in("score churn > 0.8", past)
    assert not is_in("score other > 0.8", past)
    assert is_in('in segment "Staff"', past, of=["Staff"])
    assert is_in('not in segment "Staff"', past)
    text = 'for each category of "View": did "View" where category is that and did not "Order" where category is that'
    assert is_in(text, past, that="Shoes")
    assert not is_in(text, past, that="hats")


def test_text_that_takes_long_to_match_elsewhere_takes_no_time() -> None:
    """Stars do not multiply: what fits is found from the first place on, and never twice."""
    hostile: Mapping[str, str] = {"x": "a" * 5_000}
    assert not is_in(f'x looks like "{"*a" * 60}*b"', Past(traits=hostile))
