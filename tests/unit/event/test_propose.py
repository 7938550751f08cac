"""Proposals: what is likely meant by an event that was rejected."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.ids import SourceId
from courtesy.event.accept import Accepted, Draft, Rejected, SourcePolicy, accept, judge_again
from courtesy.event.cause import FATE, Cause, Fate
from courtesy.event.held import PLAIN
from courtesy.event.mend import described, mend, problem_of
from courtesy.event.propose import REMEDIES, propose, remedy_of

NOW_MS = 1_763_780_645_000
POLICY = SourcePolicy(SourceId(1))


def proposed(*items: dict[str, Any]) -> list[list[str]]:
    """Fixes proposed for some items that are rejected alike, those only that would have the first accepted."""
    raws = [msgspec.json.encode(item) for item in items]
    judged = accept(Draft(raws[0], POLICY, NOW_MS, None, lambda _: "id", None, True))
    assert isinstance(judged, Rejected)
    helpful = []
    for each in propose(judged.cause, judged.detail, raws):
        after = mend(raws[0], each.fix)
        if isinstance(after, bytes) and isinstance(
            judge_again(after, PLAIN, POLICY, NOW_MS, "id", live=False), Accepted
        ):
            helpful.append([described(operation) for operation in each.fix])
    return helpful


def track(**more: Any) -> dict[str, Any]:
    """A track call without a name."""
    return {"type": "track", "userId": "u1", **more}


@pytest.mark.parametrize(
    ("item", "first"),
    [
        (track(name="Sold"), ["rename name to event"]),
        (track(Event="Sold"), ["rename Event to event"]),
        (track(event_name="Sold"), ["rename event_name to event"]),
        (track(properties={"event": "Sold"}), ["rename properties.event to event"]),
        ({"type": "Track", "event": "Sold"}, ["in type, change Track → track"]),
        ({"type": "trak", "event": "Sold"}, ["in type, change trak → track"]),
        ({"type": "page_view"}, ["in type, change page_view → page"]),
        ({"event": "Sold", "userId": "u1"}, ['where type is missing, set it to "track"']),
        ({"type": "Sold", "userId": "u1"}, ["rename type to event", 'where type is missing, set it to "track"']),
        (track(event="a", properties='{"price": 1}'), ["read properties as JSON"]),
        (track(event="a", properties=[{"price": 1}]), ["rename properties.0 to properties"]),
        (track(event="a", userId=["u1"]), ["rename userId.0 to userId"]),
        (track(event="a", userId={"id": "u1"}), ["rename userId.id to userId"]),
        (track(event="a", messageId="m" * 101), ["drop messageId"]),
        (track(event="a" * 201), ["rename event to properties.text", 'where event is missing, set it to "Text Sent"']),
        (track(event="a", timestamp="2025.11.22"), ["drop timestamp"]),
        (track(event="a", timestamp="22/11/2025 10:00"), ["read timestamp as a date in the form %d/%m/%Y %H:%M"]),
        (track(event="a", timestamp=1_763_780_645_000_000), ["read timestamp as a date in the form unix_us"]),
        (track(event="a", timestamp="1763780645000"), ["read timestamp as a date in the form unix_ms"]),
        ({"type": "group", "userId": "u", "company_id": 7}, ["rename company_id to groupId"]),
        ({"type": "alias", "userId": "u", "old_id": 7}, ["rename old_id to previousId"]),
    ],
)
def test_what_was_likely_meant_comes_first(item: dict[str, Any], first: list[str]) -> None:
    """Of the proposals that help."""
    assert proposed(item)[0] == first


def test_a_date_is_read_in_the_form_that_fits_all_of_them() -> None:
    """One with a day after the twelfth tells day from month; where none does, both are proposed."""
    clear = proposed(track(event="a", timestamp="01/02/2025"), track(event="a", timestamp="22/02/2025"))
    assert clear == [["read timestamp as a date in the form %d/%m/%Y"], ["drop timestamp"]]
    unclear = proposed(track(event="a", timestamp="01/02/2025"))
    assert [words[0].rpartition(" ")[2] for words in unclear] == ["%d/%m/%Y", "%m/%d/%Y", "timestamp"]


def test_who_it_was_is_looked_for_everywhere() -> None:
    """Other names and other places of ids, and e-mail addresses where nobody looks."""
    item = {"type": "track", "event": "a", "uid": 7, "properties": {"customer_id": "c", "email": "e@shop.example"}}
    proposals = propose(Cause.NO_IDENTIFIER, "expected a usable identifier, got none", [msgspec.json.encode(item)])
    assert {described(operation) for each in proposals for operation in each.fix} == {
        "rename uid to userId",
        "rename properties.customer_id to userId",
        "rename properties.email to context.traits.email",
    }


def test_every_cause_for_which_events_are_held_has_a_remedy() -> None:
    """In plain words; a cause that is new says at least where to begin."""
    assert [cause for cause in REMEDIES if FATE[cause] is not Fate.QUARANTINED] == []
    assert all(remedy_of(cause) for cause in Cause)


@given(
    st.sampled_from(Cause),
    st.text(),
    st.lists(
        st.dictionaries(st.sampled_from(["type", "event", "userId", "timestamp", "properties", "a.b", "\\", ""]),
                        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text(), max_size=2)
                        | st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)),
        max_size=3,
    ),
)  # fmt: skip
def test_every_proposal_is_sound(cause: Cause, detail: str, items: list[dict[str, Any]]) -> None:
    """Whatever came, none is proposed that could not be carried out."""
    raws = [msgspec.json.encode(item) for item in items]
    for each in propose(cause, detail, [*raws, b"no JSON", b"[]"]):
        assert each.said
        assert [problem_of(operation) for operation in each.fix] == [None] * len(each.fix)
