"""The expression tree of a segment, version 1: what is stored, sent and judged. `printing.py` reads it aloud.

Days, weeks and months of the calendar are those of the person's time zone. A path is dotted, as traits are:
`address.country`; a dot or backslash within a name is escaped by a backslash.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

NAME_CHARS_MAX = 200

Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]
Count = Annotated[int, Meta(ge=0, le=1_000_000)]
Positive = Annotated[int, Meta(ge=1, le=1_000_000)]
Percent = Annotated[float, Meta(gt=0, le=100)]
Degrees = Annotated[float, Meta(ge=-180, le=180)]


class _Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    pass


class Param(_Node, frozen=True, tag="that"):
    """The value for which a segment is made, of those that its `each` goes through."""


Value = str | bool | int | float | Param
"""What something is compared with. Whole and broken numbers are compared as numbers, text without regard to case."""


class Unit(StrEnum):
    """Of durations. A day is 24 hours and a week seven of them. Months and years are those of the person's calendar."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class Period(StrEnum):
    """Of the calendar. Weeks begin on Monday."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Duration(_Node, frozen=True):
    """So many units."""

    count: Positive
    unit: Unit


class Sliding(_Node, frozen=True, tag="last"):
    """In the last `span`: `span` has not passed since then. So it holds from the instant itself until `span` later."""

    span: Duration


class Current(_Node, frozen=True, tag="current"):
    """In the period of the calendar in which it is now."""

    period: Period


class Previous(_Node, frozen=True, tag="previous"):
    """In the period of the calendar before that."""

    period: Period


class Days(_Node, frozen=True, tag="days"):
    """From one day to another, both included; None for without end."""

    first: date | None = None
    last: date | None = None


Window = Sliding | Current | Previous | Days


class Present(_Node, frozen=True, tag="present"):
    """There is a value."""


class Is(_Node, frozen=True, tag="is"):
    """It equals one of the values; of an array, one of its elements does."""

    values: Annotated[tuple[Value, ...], Meta(min_length=1, max_length=1_000)]


class Match(StrEnum):
    """How text is compared, without regard to case. LIKE: as a whole, `*` standing for any text and `?` for any
    character."""

    CONTAINS = "contains"
    STARTS = "starts"
    ENDS = "ends"
    LIKE = "like"


class Reads(_Node, frozen=True, tag="reads"):
    """It is text that matches."""

    match: Match
    text: str | Param


class Sign(StrEnum):
    """How numbers are compared."""

    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


class Compare(_Node, frozen=True, tag="compare"):
    """It is a number, so much or more or less."""

    sign: Sign
    number: float | int


class Range(_Node, frozen=True, tag="range"):
    """It is a number from `low` to `high`, both included."""

    low: float | int
    high: float | int


class Within(_Node, frozen=True, tag="within"):
    """It is a day or an instant in a window."""

    window: Window


class Coming(_Node, frozen=True, tag="coming"):
    """It is a day or an instant from now on, for `span`."""

    span: Duration


class Ago(_Node, frozen=True, tag="ago"):
    """It is a day or an instant, and `span` has passed since then."""

    span: Duration


class Ahead(_Node, frozen=True, tag="ahead"):
    """It is a day or an instant, and more than `span` from now."""

    span: Duration


class Anniversary(_Node, frozen=True, tag="anniversary"):
    """It is a day whose month and day of the month come round from `first` to `last` days from now; that of 29 February
    on 28 February where there is none."""

    first: Annotated[int, Meta(ge=0, le=365)] = 0
    last: Annotated[int, Meta(ge=0, le=365)] = 0


class Near(_Node, frozen=True, tag="near"):
    """It is a place, an object with `lat` and `lon` (or `latitude` and `longitude`, or `lng`), at most so many
    kilometres away along the surface of the earth."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Degrees
    km: Annotated[float, Meta(gt=0, le=20_100)]


class Quantity(StrEnum):
    """Of how many elements."""

    ANY = "any"
    ALL = "all"
    NONE = "none"
    AT_LEAST = "at_least"


class Elements(_Node, frozen=True, tag="elements"):
    """It is an array of objects, and the filter holds for one and the same element: for any, for all (of one at least),
    for none, or for `count` of them at least."""

    quantity: Quantity
    filter: Filter
    count: Positive = 1


Test = Present | Is | Reads | Compare | Range | Within | Coming | Ago | Ahead | Anniversary | Near | Elements
"""What is asked of a value. Of what is not there, or of another type, it does not hold; but of what is not there, none
of the elements fits."""


SCORES = "scores"
"""The trait under which scores are."""


class Whose(StrEnum):
    """Whose field it is: the person's (a trait), that of one of their groups, or a score. In the filter of an event:
    PERSON is a property, CONTEXT is of the context that came with it (`device.type`, `os.name`, `location.country`, …),
    SOURCE of where it came from (`name`, `party`)."""

    PERSON = "person"
    GROUP = "group"
    SCORE = "score"
    CONTEXT = "context"
    SOURCE = "source"


class Field(_Node, frozen=True, tag="field"):
    """A value under a path passes a test. In a filter it is a property of the event, or of the element of an array."""

    path: Name
    test: Test
    whose: Whose = Whose.PERSON


ANYTHING = "*"
"""The name that stands for all that a person does."""


class Event(_Node, frozen=True):
    """Events of a name (`*`: of any), those that pass a filter if there is one."""

    name: Name
    where: Filter | None = None


class Did(_Node, frozen=True, tag="did"):
    """They did it at least `least` and at most `most` times (None: any number) in the window, or ever."""

    event: Event
    least: Count = 1
    most: Count | None = None
    window: Window | None = None


class Function(StrEnum):
    """What is made of the values of a property. DIFFERENT: how many different ones there are."""

    SUM = "sum"
    AVERAGE = "average"
    SMALLEST = "smallest"
    LARGEST = "largest"
    DIFFERENT = "different"


class Measure(_Node, frozen=True, tag="measure"):
    """One number of a person: a function of a property of their events in the window, or ever.

    DIFFERENT counts texts, numbers, true and false; the others numbers alone. Of no values at all SUM and DIFFERENT
    are 0, the others nothing.
    """

    function: Function
    path: Name
    event: Event
    window: Window | None = None


class Amount(_Node, frozen=True, tag="amount"):
    """A measure passes a test."""

    measure: Measure
    test: Compare | Range


class Which(StrEnum):
    """Which one of somebody's events."""

    FIRST = "first"
    LAST = "last"


class Occurrence(_Node, frozen=True, tag="occurrence"):
    """The first or last event was in a window or more than so long ago (`when`), and passes a filter (`has`). Which is
    the first or last is decided before `has` is asked."""

    which: Which
    event: Event
    when: Within | Ago | None = None
    has: Filter | None = None


class Step(_Node, frozen=True):
    """A further step of a sequence: an event after the one before it, at least `after` and at most `within` later, and
    none of `without` between the two. `absent`: there is none, and the time for it is over. No months or years."""

    event: Event
    within: Duration | None = None
    after: Duration | None = None
    without: tuple[Event, ...] = ()
    absent: bool = False


class Sequence(_Node, frozen=True, tag="sequence"):
    """They did one thing, in the window or ever, and then others in this order."""

    first: Event
    steps: Annotated[tuple[Step, ...], Meta(min_length=1, max_length=10)]
    window: Window | None = None


class Trend(StrEnum):
    """In which direction something changed."""

    MORE = "more"
    LESS = "less"


class Change(_Node, frozen=True, tag="change"):
    """They did it so much more or less often in the last `span` than in the span before it, in which they did it at
    least once. 50 less: at most half as often. 100 more: at least twice as often. No months or years."""

    event: Event
    trend: Trend
    percent: Annotated[float, Meta(gt=0, le=10_000)]
    span: Duration


class Stance(StrEnum):
    """ALLOWS: the law and what they said allow it, whatever the time of day. GRANTED, REFUSED: they said so last."""

    ALLOWS = "allows"
    GRANTED = "granted"
    REFUSED = "refused"


class Consent(_Node, frozen=True, tag="consent"):
    """How somebody stands to being used for a purpose."""

    stance: Stance
    purpose: Name
    channel: Name = "*"
    topic: Name = "*"


class Preference(_Node, frozen=True, tag="preference"):
    """What they wished last for a purpose, passes a test."""

    purpose: Name
    test: Present | Is | Compare | Range
    channel: Name = "*"
    topic: Name = "*"


class InSegment(_Node, frozen=True, tag="segment"):
    """They are in another segment."""

    name: Name


class Rank(_Node, frozen=True, tag="rank"):
    """They are among the `share` per cent (or the `count` people, if that is said) of all people who have that number,
    of whom it is highest, or lowest with `bottom`. `by`: a measure, or the path of a trait."""

    by: Measure | Name
    share: Percent | None = None
    count: Positive | None = None
    bottom: bool = False


class All(_Node, frozen=True, tag="all"):
    """Each of them holds."""

    of: Annotated[tuple[Expression, ...], Meta(min_length=2, max_length=100)]


class Any(_Node, frozen=True, tag="any"):
    """At least one of them holds."""

    of: Annotated[tuple[Expression, ...], Meta(min_length=2, max_length=100)]


class Not(_Node, frozen=True, tag="not"):
    """It does not hold."""

    of: Expression


Filter = Field | All | Any | Not
"""An expression about one event, or one element of an array: fields alone, joined as expressions are."""

Expression = (
    Field | Did | Amount | Occurrence | Sequence | Change | Consent | Preference | InSegment | Rank | All | Any | Not
)


class Each(_Node, frozen=True):
    """A segment for each value that `path` has: of a trait, or of a property of the events of a name, whenever they
    happened; of an array, for each of its elements. Values are texts, numbers, true and false, each once: in lower
    case, and whole numbers as such."""

    path: Name
    event: Name | None = None


class Segment(_Node, frozen=True):
    """What is stored of a segment: for whom it holds. With `each` it is one for each value."""

    version: Literal[1]
    expression: Expression
    each: Each | None = None


def conditions(node: Expression) -> Iterator[Expression]:
    """What an expression joins, from left to right. The conditions of filters are not among them."""
    match node:
        case All() | Any():
            for each in node.of:
                yield from conditions(each)
        case Not():
            yield from conditions(node.of)
        case _:
            yield node


def filter_of(node: Expression) -> Filter:
    """The same as a filter. Raises ValueError when it has a condition that is no field."""
    for each in conditions(node):
        if not isinstance(each, Field):
            raise ValueError(
                f"expected only fields in a filter, got a condition of the type {each.__struct_config__.tag}"
            )
    assert isinstance(node, Field | All | Any | Not), "of conditions that are fields"
    return node
