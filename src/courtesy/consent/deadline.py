"""By when a request of a person has to be answered: laws as data, and the calendar.

Days are counted in UTC. A request is due when its last day *begins* in UTC, which is on that day or the evening before
wherever its answer is waited for, so that counting can't make an answer late. Holidays count as working days for the
same reason.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from courtesy.base.time import DAY_MS
from courtesy.consent.laws import STATES_SINCE
from courtesy.consent.places import EU, larger_places
from courtesy.consent.request import RequestKind
from courtesy.event.choice import ANY

EVERY_KIND = frozenset(RequestKind)
MONTHS = 12
WEEKDAYS = 5
_EPOCH = date(1970, 1, 1)


class Period(NamedTuple):
    """A span of the calendar: months, then days, then working days."""

    months: int = 0
    days: int = 0
    working_days: int = 0


@dataclass(frozen=True, slots=True)
class Deadline:
    """By when one law wants requests of some kinds answered, from an instant on (ms UTC).

    Both spans begin with the receipt: `period`, and `extended` where the answer may be put off, once, by saying so
    within the first. `source`: where that is written.
    """

    name: str
    place: str
    in_force_from: int
    kinds: frozenset[RequestKind]
    period: Period
    extended: Period | None
    source: str


def day_ms(day: str) -> int:
    """The instant at which a day (ISO 8601) begins, in UTC."""
    return (date.fromisoformat(day) - _EPOCH).days * DAY_MS


def end_of(period: Period, received_ms: int) -> int:
    """When a span ends that begins on the day of an instant: the instant at which its last day begins (ms UTC).

    A month ends on the day of the same number, or where there is none, on the last of the month (Regulation (EEC,
    Euratom) No 1182/71, article 3(2)(c)).
    """
    day = datetime.fromtimestamp(received_ms / 1_000, UTC).date()
    day = _months_later(day, period.months) + timedelta(days=period.days)
    for _ in range(period.working_days):
        day = _next_working_day(day)
    return (day - _EPOCH).days * DAY_MS


def _months_later(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, MONTHS)
    first = date(day.year + years, month + 1, 1)
    after = date(first.year + first.month // MONTHS, first.month % MONTHS + 1, 1)
    return min(first + timedelta(days=day.day - 1), after - timedelta(days=1))


def _next_working_day(day: date) -> date:
    day += timedelta(days=1)
    while day.weekday() >= WEEKDAYS:
        day += timedelta(days=1)
    return day


_MONTH, _QUARTER = Period(months=1), Period(months=3)
_KNOWING = frozenset(
    {RequestKind.ACCESS, RequestKind.PORTABILITY, RequestKind.RECTIFICATION, RequestKind.ERASURE}
)  # what the laws of the states call the rights to know, to correct and to delete
_STATE_SOURCES = {
    "US-CA": "CCPA/CPRA 1798.130(a)(2): 45 days, once 45 more",
    "US-VA": "VCDPA 59.1-577(B): 45 days, once 45 more",
    "US-CO": "CPA 6-1-1306(2): 45 days, once 45 more",
    "US-CT": "CTDPA 42-518(c): 45 days, once 45 more",
}

DEADLINES: tuple[Deadline, ...] = (
    Deadline(
        "courtesy", ANY, 0, EVERY_KIND, _MONTH, _QUARTER, "where no law is known to us, as in GDPR 12(3)"
    ),
    Deadline(
        "gdpr", EU, day_ms("2018-05-25"), EVERY_KIND, _MONTH, _QUARTER,
        "GDPR 12(3): one month of receipt, two more for many or complex ones, if that is said within the first",
    ),
    Deadline(
        "uk-gdpr", "GB", day_ms("2018-05-25"), EVERY_KIND, _MONTH, _QUARTER,
        "UK GDPR 12(3): one month of receipt, two more for many or complex ones, if that is said within the first",
    ),
    *(
        Deadline(
            "ccpa-cpra" if place == "US-CA" else f"privacy-{place.lower()}", place, day_ms(since), _KNOWING,
            Period(days=45), Period(days=90), _STATE_SOURCES[place],
        )
        for place, since in STATES_SINCE.items()
    ),
    Deadline(
        "ccpa-opt-out", "US-CA", day_ms(STATES_SINCE["US-CA"]), frozenset({RequestKind.OBJECTION}),
        Period(working_days=15), None, "CCPA regulations 7026(f): an opt-out within 15 business days",
    ),
    Deadline(
        "pipeda", "CA", day_ms("2004-01-01"), frozenset({RequestKind.ACCESS, RequestKind.RECTIFICATION}),
        Period(days=30), Period(days=60), "PIPEDA 8(3) and (4): 30 days of receipt, at most 30 more",
    ),
)  # fmt: skip
"""The deadlines that come with Courtesy. Not legal advice."""


def deadline_for(
    kind: RequestKind, place: str, received_ms: int, deadlines: Iterable[Deadline] = DEADLINES
) -> Deadline:
    """The law that says by when a request is answered that came in then, from somebody who is there (`*`: not known).

    Of several that are in force there, the one that ends first; the general one where none is.
    """
    known = [each for each in deadlines if kind in each.kinds and each.in_force_from <= received_ms]
    for places in ((place, *larger_places(place)), (ANY,)):
        found = [each for each in known if each.place in places]
        if found:
            return min(found, key=lambda each: (end_of(each.period, received_ms), each.name))
    raise AssertionError("the general deadline is for every place and every time")
