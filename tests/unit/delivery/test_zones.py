"""By what the time is known where somebody is, and what follows for when they are written to."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import DAY_MS, HOUR_MS, SECOND_MS
from courtesy.consent.law import Hours
from courtesy.delivery.hours import Open, closed_by, open_in_all
from courtesy.event.event import Party
from courtesy.person.state import PersonState, Seen, Stamp, Trait
from courtesy.person.whereabouts import minutes_of, zones_of
from courtesy.standard.zone import zones_of_phone, zones_of_place

NOON_MS = int(datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()) * SECOND_MS
NEW_YORK, BERLIN, TOKYO = "America/New_York", "Europe/Berlin", "Asia/Tokyo"
DAYTIME = Open(Hours(8 * 60, 21 * 60), "law")


def somebody(phone: str = "", **traits: str) -> PersonState:
    """A person with these traits and a number."""
    state = PersonState(PersonId(1))
    for name, value in traits.items():
        state.traits[name] = Trait(value, 0, 0, 0, SourceId(1), Party.FIRST)
    if phone:
        state.identifiers[f"phone:{phone}"] = Seen(Stamp(0, 0), SourceId(1), Stamp(0, 0))
    return state


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (somebody(), []),
        (somebody(timezone=TOKYO), [(TOKYO, "declared")]),
        (somebody(timezone="Mars/Olympus"), []),
        (somebody("+4930123456"), [(BERLIN, "phone")]),
        (somebody(country="DE"), [(BERLIN, "place")]),
        (somebody("+12125550123", timezone=TOKYO), [(TOKYO, "declared"), (NEW_YORK, "phone")]),
        (somebody("+4930123456", timezone=BERLIN, country="DE"), [(BERLIN, "declared")]),
        # Six hours of clocks, and numbers of the whole country: nobody knows what time it is there.
        (somebody(country="US"), []),
        (somebody("+18005550123"), []),
    ],
)
def test_a_zone_is_known_by_what_tells_it(state: PersonState, expected: list[tuple[str, str]]) -> None:
    """What they say, their number, where they live; each zone once, by what tells it best."""
    assert [(each.name, str(each.by)) for each in zones_of(state, NOON_MS)] == expected


def test_a_place_with_several_clocks_near_each_other_has_them_all() -> None:
    """Once each: who is in Florida or in Spain may be in one of two zones."""
    assert zones_of_place("US-FL") == (NEW_YORK, "America/Chicago")
    assert {each.name for each in zones_of(somebody(country="ES"), NOON_MS)} == {"Europe/Madrid", "Atlantic/Canary"}
    assert zones_of_place("nowhere") == zones_of_phone("no number") == ()


def test_what_holds_where_somebody_is_holds_in_each_zone_in_which_they_may_be() -> None:
    """Noon in London is morning in New York and night in Tokyo: with all three known, nobody calls."""
    three = zones_of(somebody("+12125550123", timezone=TOKYO), NOON_MS)
    assert minutes_of(three, NOON_MS) == (21 * 60, 8 * 60)
    assert closed_by([DAYTIME], three[0].zone, NOON_MS) == DAYTIME
    assert closed_by([DAYTIME], three[1].zone, NOON_MS) is None
    found = open_in_all([DAYTIME], [each.zone for each in three], NOON_MS)
    # 23:00 UTC is 19:00 there and 8:00 here.
    assert found == NOON_MS + 11 * HOUR_MS
    assert minutes_of((), NOON_MS) == (None,)


hours = st.builds(Hours, st.integers(0, 1_439), st.integers(0, 1_440))
zones = st.lists(
    st.sampled_from((NEW_YORK, BERLIN, TOKYO, "Pacific/Auckland", "Asia/Kathmandu")), min_size=1, max_size=3
)


@given(st.lists(hours, max_size=2), zones, st.integers(NOON_MS, NOON_MS + 300 * DAY_MS))
def test_the_instant_that_is_found_is_open_in_all_zones_and_none_before_it_is(
    some: list[Hours], names: list[str], at_ms: int
) -> None:
    """By looking at each quarter of an hour; where none is found none is open for days."""
    opens = [Open(each, "law") for each in some]
    there = [ZoneInfo(name) for name in names]
    found = open_in_all(opens, there, at_ms)
    until_ms = at_ms + 2 * DAY_MS if found is None else found
    looked_at = range(at_ms, until_ms, 15 * 60 * SECOND_MS)
    if found is not None:
        assert all(closed_by(opens, zone, found) is None for zone in there)
    assert not any(all(closed_by(opens, zone, each) is None for zone in there) for each in looked_at)
