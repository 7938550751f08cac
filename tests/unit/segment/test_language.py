"""The two forms of a segment: what is stored, and what people read and write."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.segment.checking import read_tree
from courtesy.segment.parsing import Mention, NameKind, parse
from courtesy.segment.printing import write
from courtesy.segment.tree import (
    All,
    Any,
    Compare,
    Did,
    Duration,
    Event,
    Field,
    InSegment,
    Is,
    Not,
    Segment,
    Sign,
    Sliding,
    Unit,
)
from tests.unit.segment.segments import segments


@settings(max_examples=400)
@given(segments)
def test_what_is_written_reads_as_the_same(segment: Segment) -> None:
    """For every kind of node, in any nesting, with names and values of any script."""
    text = write(segment)
    assert parse(text).segment == segment
    assert write(parse(text).segment) == text


@settings(max_examples=200)
@given(segments)
def test_what_is_sent_reads_as_the_same(segment: Segment) -> None:
    """And passes the checks that the types can't make."""
    assert read_tree(msgspec.json.encode(segment)) == segment


@settings(max_examples=200)
@given(segments, st.data())
def test_names_are_found_where_they_stand(segment: Segment, data: st.DataObject) -> None:
    """Each mention is the name as it stands in the text."""
    text = write(segment)
    for mention in parse(text).mentions:
        written = text[mention.start : mention.end]
        assert mention.name in (written, written[1:-1].replace('\\"', '"').replace("\\\\", "\\"))


def test_the_example_of_a_marketer() -> None:
    """What somebody would write without being taught."""
    text = (
        'did "Order Completed" at least 2 times in the last 30 days where total > 50'
        ' and country is one of Germany, Austria and not in segment "Staff"'
    )
    assert parse(text).segment == Segment(
        1,
        All(
            (
                Did(
                    Event("Order Completed", Field("total", Compare(Sign.MORE, 50))),
                    2,
                    None,
                    Sliding(Duration(30, Unit.DAY)),
                ),
                Field("country", Is(("Germany", "Austria"))),
                Not(InSegment("Staff")),
            )
        ),
    )
    moved = text.replace(" where total > 50", "").replace('Completed"', 'Completed" where (total > 50)')
    assert write(parse(moved).segment) == text


@pytest.mark.parametrize(
    "text",
    [
        'did not "Order Completed" in the last 90 days',
        'did "Order Completed" exactly 1 times this month',
        'did "Order Completed" between 2 and 5 times between 2026-01-01 and 2026-03-31',
        'did "Product Viewed" where (category is shoes and price > 100) then "Order Completed" within 3 days'
        ' without "Product Returned"',
        'did "Cart Updated" in the last 7 days then not "Order Completed" within 2 hours',
        'did "Page Viewed" at least 50 % less often in the last 30 days than before',
        'sum of total of "Order Completed" in the last 365 days > 500',
        'number of different sku of "Product Viewed" in the last 7 days where (price > 20) is between 3 and 10',
        'first "Order Completed" was in the previous month',
        'last "Order Completed" was more than 60 days ago has (coupon is present)',
        "birthday comes round in the next 7 days",
        "subscription.renews_at is in the next 2 weeks",
        "signed_up_at is more than 1 year ago",
        "location is within 10 km of 52.52, 13.405",
        "any of cars has (make is BMW and year > 2020)",
        "at least 2 of children have (age < 12)",
        "email is absent or phone is not present",
        "name does not start with Dr",
        "allows marketing over email about shoes",
        "refused marketing over sms",
        "wishes frequency is weekly",
        "group plan is pro",
        "score churn > 0.8",
        'in the top 10 % by sum of total of "Order Completed" in the last 365 days',
        "in the bottom 5 by score churn.risk",
        "in the bottom 100 by lifetime_value",
        'for each category of "Product Viewed": did "Product Viewed" at least 2 times in the last 7 days where category'
        ' is that and did not "Order Completed" where category is that',
        "(a is 1 or b is 2) and not (c is 3 and d is 4)",
    ],
)
def test_phrases_are_written_as_they_were_read(text: str) -> None:
    """But for other ways to say the same, the canonical text is the one that people write."""
    assert write(parse(text).segment) == text.replace("phone is not present", "phone is absent")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("TOTAL > 5 and not a is b", "TOTAL > 5 and a is not b"),
        ("country is one of AT, IN, OR", "country is one of AT, IN, OR"),
        ("age is more than 18", "age > 18"),
        ("born is before 2000-01-01", "born is until 1999-12-31"),
        ("born is on or after 2000-01-01", "born is since 2000-01-01"),
        ("plan = pro", "plan is pro"),
        (
            'did "X" where a is 1 in the last 2 days at least 3 times',
            'did "X" at least 3 times in the last 2 days where a is 1',
        ),
        ("did Login today", 'did "Login" today'),
    ],
)
def test_other_ways_to_say_it(text: str, same: str) -> None:
    """Are understood, and written in one way."""
    assert write(parse(text).segment) == same


def test_and_binds_closer_than_or() -> None:
    """As people read it."""
    a, b, c = (Field(name, Is((1,))) for name in "abc")
    assert parse("a is 1 or b is 1 and c is 1").segment.expression == Any((a, All((b, c))))


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ('did "A" in the last 3 dayz', "line 1, column 23", "weeks, months or years, got dayz", "did you mean"),
        ('did "A" wher total > 5', "line 1, column 9", '"or" or the end, got wher', "did you mean 'where'?"),
        ('did "A" then not "B"', "line 1, column 21", '"within" and how long it is waited for', ""),
        ("a is 1 AND b is 2", "line 1, column 8", '"or" or the end, got AND', "did you mean 'and'?"),
        ('did "A', "line 1, column 5", 'expected a closing "', "every quoted text needs one"),
        ("a is\n  1 and\n  b is", "line 3, column 7", "expected a value, got the end", ""),
        ("born is on 2026-02-30", "line 1, column 12", "there is no day 2026-02-30", ""),
        ("a is between 5 and 1", "line 1, column 20", "expected a number from 5 on, got 1", ""),
        ("a is that", "line 1, column 6", '"that" is only for segments that begin with "for each"', 'put it between'),
        ("a > {}", "line 1, column 5", "'{' has no meaning here", "between \"quotes\""),
        ("", "line 1, column 1", "expected a condition, got the end", ""),
        ("(" * 60 + "a is 1", "line 1, column 51", "expected at most 50 levels of parentheses", ""),
        ("a is less than 3 days ago", "line 1, column 6", "expected more than so long ago", "in the last 30 days"),
        ("in the top 101 % by total", "line 1, column 12", "expected a share from 0 to 100, got 101", ""),
        ("a > 1e400", "line 1, column 5", "expected a number up to", ""),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_said_with_its_place(text: str, place: str, message: str, hint: str) -> None:
    """What was expected, what came, where, and the nearest right word."""
    with pytest.raises(CourtesyError) as caught:
        parse(text)
    assert caught.value.place == place
    assert message in caught.value.message
    assert hint in caught.value.hint


WORDS = 'did not "A" where a is > 5 ( ) and or in the last 3 days top % by for each : that , then within'.split()


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=3), max_size=12))
def test_any_text_is_read_or_refused(words: list[str]) -> None:
    """By a CourtesyError, never by anything else."""
    try:
        parsed = parse(" ".join(words))
    except CourtesyError:
        return
    assert parse(write(parsed.segment)).segment == parsed.segment


def test_names_are_told_with_what_they_name() -> None:
    """So that each can be compared with the names that were seen."""
    found = parse('did "Order" where total > 5 and country is Germany and in segment "Staff"').mentions
    assert found == (
        Mention(NameKind.EVENT, "Order", 4, 11),
        Mention(NameKind.PROPERTY, "total", 18, 23, "Order"),
        Mention(NameKind.TRAIT, "country", 32, 39),
        Mention(NameKind.SEGMENT, "Staff", 66, 73),
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "expected a segment"),
        (b'{"version": 2, "expression": {"type": "segment", "name": "A"}}', "expected a segment"),
        (
            b'{"version": 1, "expression": {"type": "did", "event": {"name": "A",'
            b' "where": {"type": "not", "of": {"type": "segment", "name": "B"}}}}}',
            "only fields in a filter",
        ),
        (
            b'{"version": 1, "expression": {"type": "field", "path": "a", "test": {"type": "is", "values": [{"type":'
            b' "that"}]}}}',
            "only for segments with `each`",
        ),
        (b'{"version": 1, "expression": {"type": "rank", "by": "a"}}', "either `share` or `count`"),
    ],
)
def test_a_tree_that_makes_no_sense_is_refused(content: bytes, message: str) -> None:
    """With what was expected."""
    with pytest.raises(CourtesyError, match=message):
        read_tree(content)
