"""Requests of people, without a store: what makes two the same, and what they are called."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import MINUTE_MS
from courtesy.consent.request import Details, RequestKind, choices_of, name_of, number_of, sameness
from courtesy.event.choice import Action, read_choices


@given(st.integers(0, 10**18 - 1))
def test_a_request_is_found_by_what_it_is_called(number: int) -> None:
    """With or without the R before it."""
    assert number_of(name_of(number)) == number_of(str(number)) == number


@pytest.mark.parametrize("text", ["", "R-", "r-7", "-7", "7 ", "seven", "٧", "9" * 19, "R-R-7"])
def test_what_is_no_request_is_said_to_be_none(text: str) -> None:
    """And what was expected."""
    with pytest.raises(CourtesyError) as raised:
        number_of(text)
    assert raised.value.code is Code.INVALID
    assert "R-7" in raised.value.message


def test_two_requests_are_the_same_by_what_they_ask_for() -> None:
    """Whatever words came with them."""
    righting = RequestKind.RECTIFICATION
    city = sameness(righting, Details(traits={"city": "Batumi", "name": "Ann"}))
    assert city == sameness(righting, Details(traits={"name": "Ann", "city": "Batumi"}, note="please"))
    assert city != sameness(righting, Details(traits={"city": "Batumi"}))
    assert sameness(RequestKind.ACCESS, Details()) != sameness(RequestKind.PORTABILITY, Details())


@pytest.mark.parametrize(
    ("kind", "details", "chosen"),
    [
        (RequestKind.RESTRICTION, Details(), [(Action.SET, "restriction", True)]),
        (RequestKind.RESTRICTION, Details(restricted=False), [(Action.SET, "restriction", False)]),
        (RequestKind.OBJECTION, Details(), [(Action.OBJECT, "marketing", None)]),
        (
            RequestKind.OBJECTION,
            Details(purposes=("sale", "sharing", "sale")),
            [(Action.OBJECT, "sale", None), (Action.OBJECT, "sharing", None)],
        ),
        (RequestKind.ACCESS, Details(), []),
    ],
)
def test_what_a_request_chooses_is_a_choice_like_others(
    kind: RequestKind, details: Details, chosen: list[tuple[Action, str, bool | None]]
) -> None:
    """It is taken as a client's would be, and names the request and who handled it."""
    told = choices_of(kind, details, 7, "eve")
    if told:
        read = read_choices(msgspec.json.encode(told), MINUTE_MS)
        assert [(each.action, each.purpose, each.value) for each in read] == chosen
        assert {(each.request, each.actor, each.method) for each in read} == {("R-7", "eve", "request of the person")}
    assert len(told) == len(chosen)
