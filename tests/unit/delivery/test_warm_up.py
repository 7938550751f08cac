"""Plans of warming up: what a day has room for is never exceeded, and is used when it is wanted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.base.time import DAY_MS
from courtesy.delivery.warm_up import ALL, Counted, Limits, WarmUp, changes, granted, is_braked

HOSTS = ("a.example", "b.example", "c.example")
PLAN = WarmUp(begins="1970-01-11", days=(2, 5, 9), hosts={"a.example": (1, 2)})

counts = st.dictionaries(st.sampled_from(HOSTS), st.integers(0, 30))


def test_each_day_has_its_room() -> None:
    """Nothing before the first, as much as there is after the last; a host's own limits end on their own."""
    rooms = {day: PLAN.limits(day * DAY_MS + 7) for day in range(9, 14)}
    assert {day: None if each is None else (each.total, dict(each.hosts)) for day, each in rooms.items()} == {
        9: (0, {}),
        10: (2, {"a.example": 1}),
        11: (5, {"a.example": 2}),
        12: (9, {}),
        13: None,
    }


def test_a_day_that_there_is_not_is_refused() -> None:
    """The thirtieth of February."""
    with pytest.raises(CourtesyError, match="a day of the calendar"):
        WarmUp(begins="2026-02-30", days=(1,)).checked()


@given(st.integers(0, 60), counts, counts, counts)
def test_what_is_granted_fits_and_no_more_would(
    total: int, hosts: dict[str, int], before: dict[str, int], wanted: dict[str, int]
) -> None:
    """Of what the day has left in all and for each host; whoever gets less than they want had no room."""
    limits = Limits(10, total, hosts, 1.0, 1.0, 1)
    taken = changes(limits, {host: min(count, hosts.get(host, count)) for host, count in before.items()})
    found = granted(limits, Counted(taken), wanted)
    after = {host: taken.get(host, 0) + n for host, n in changes(limits, found).items()}
    assert all(0 < n <= wanted[host] for host, n in found.items())
    assert after[ALL] <= max(total, taken[ALL])
    assert all(after.get(host, 0) <= limit for host, limit in hosts.items())
    for host, count in wanted.items():
        is_full = host in hosts and taken.get(host, 0) + found.get(host, 0) >= hosts[host]
        assert found.get(host, 0) == count or is_full or after[ALL] >= total


@given(st.integers(0, 500), st.integers(0, 50), st.integers(0, 50))
def test_a_day_ends_when_too_much_comes_back(taken: int, bounced: int, complained: int) -> None:
    """By either share, once enough left to judge by; then nothing more has room."""
    limits = Limits(10, 1_000, {}, 0.05, 0.003, 50)
    counted = Counted({ALL: taken}, bounced, complained)
    expected = taken >= 50 and (bounced / taken > 0.05 or complained / taken > 0.003)
    assert is_braked(limits, counted) == expected
    assert (granted(limits, counted, {"a.example": 1}) == {}) == expected
