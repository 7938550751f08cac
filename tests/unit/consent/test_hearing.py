"""Hearing: choices in what calls say along with everything else, and which of them are news."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS, HOUR_MS
from courtesy.consent.hearing import Candidate, Known, candidates_of, news, problem_of
from courtesy.consent.signals import TCF_PURPOSES
from courtesy.consent.tcf import PublisherTc, encode_tcf
from courtesy.event.choice import Action, Choice
from courtesy.event.hearsay import ConsentString, Hearsay, StringForm, categories_of, purpose_of
from tests.unit.consent.test_tcf import EMPTY
from tests.unit.consent.vectors import GPP, TCF

SITE, CENTRE = SourceId(1), SourceId(2)
DAY = 20_500 * DAY_MS
NOON = DAY + 12 * HOUR_MS
EVERYTHING: tuple[int, ...] = tuple(TCF_PURPOSES)
NOTHING: tuple[int, ...] = ()
VENDOR = 21


def heard(*candidates: Candidate, known: list[Known] | None = None, source: SourceId = SITE) -> list[Known]:
    """The ledger after a source said something: what there was, and what was news."""
    known = known or []
    return [*known, *(Known(source, each) for each in news(candidates, source, known))]


def category(allowed: bool, at_ms: int, *, again: bool = False) -> Candidate:
    """What a page says of advertising."""
    (found,) = candidates_of(Hearsay((("advertising", allowed),), on_purpose=again), at_ms)
    return found


def tcf(consents: tuple[int, ...], updated_ms: int, at_ms: int) -> list[Candidate]:
    """What a TC string says to its publisher that was changed and sent at these instants."""
    publisher = PublisherTc(consents, EVERYTHING)
    text = encode_tcf(replace(EMPTY, created_ms=updated_ms, updated_ms=updated_ms, publisher=publisher))
    return list(candidates_of(Hearsay(strings=(ConsentString(StringForm.TCF, text, None, "tcf"),)), at_ms))


def elsewhere(action: Action, at_ms: int, purpose: str = "advertising", place: str = "*") -> Known:
    """A choice that was made in the preference centre."""
    return Known(CENTRE, Choice(action, purpose, jurisdiction=place, held_from=at_ms, method="preference centre"))


def actions(known: list[Known], purpose: str = "advertising") -> list[tuple[Action, int]]:
    """What was chosen of a purpose, and when."""
    return [(each.choice.action, each.choice.held_from) for each in known if each.choice.purpose == purpose]


def test_what_is_said_with_every_call_is_news_once() -> None:
    """And again when it changes, however often."""
    known: list[Known] = []
    for number, allowed in enumerate([True] * 5 + [False] * 5 + [True] * 5):
        known = heard(category(allowed, NOON + number), known=known)
    assert actions(known) == [(Action.GRANT, NOON), (Action.WITHDRAW, NOON + 5), (Action.GRANT, NOON + 10)]


def test_a_page_that_goes_on_saying_what_it_said_does_not_undo_a_choice_made_elsewhere() -> None:
    """Only a choice that is made again does."""
    known = [*heard(category(True, NOON)), elsewhere(Action.WITHDRAW, NOON + 1)]
    assert heard(category(True, NOON + 2), known=known) == known
    chosen = heard(category(True, NOON + 3, again=True), known=known)
    assert actions(chosen)[2:] == [(Action.GRANT, NOON + 3)]
    assert heard(category(True, NOON + 4, again=True), known=chosen) == chosen


def test_what_one_source_said_is_news_from_another() -> None:
    """Each speaks for itself."""
    known = heard(category(True, NOON))
    assert len(heard(category(True, NOON), known=known, source=CENTRE)) == 2


def test_what_comes_late_is_news_when_it_differed_then() -> None:
    """It is judged by what was said before it, whatever came since."""
    known = heard(category(False, NOON + 10), known=heard(category(True, NOON)))
    assert heard(category(True, NOON + 5), known=known) == known
    assert actions(heard(category(False, NOON + 5), known=known))[2:] == [(Action.WITHDRAW, NOON + 5)]


def test_a_string_of_a_day_refuses_as_late_and_allows_as_early_as_it_may_have() -> None:
    """So nothing that was allowed elsewhere on that day outlives a refusal that came after it."""
    assert actions(heard(*tcf(NOTHING, DAY, NOON))) == [(Action.WITHDRAW, NOON)]
    assert actions(heard(*tcf(EVERYTHING, DAY, NOON))) == [(Action.GRANT, DAY)]
    later = NOON + 3 * DAY_MS
    assert actions(heard(*tcf(NOTHING, DAY, later))) == [(Action.WITHDRAW, DAY + DAY_MS - 1)]


def test_a_string_with_a_time_of_day_holds_from_then() -> None:
    """As those of TCF 2.0 have one; one from the future holds from when it came."""
    assert actions(heard(*tcf(NOTHING, NOON, NOON + HOUR_MS))) == [(Action.WITHDRAW, NOON)]
    assert actions(heard(*tcf(NOTHING, NOON + HOUR_MS, NOON))) == [(Action.WITHDRAW, NOON)]


def test_who_refuses_and_allows_on_one_day_has_allowed() -> None:
    """The order of two strings of one day is that in which they came."""
    known = heard(*tcf(NOTHING, DAY, NOON))
    known = heard(*tcf(EVERYTHING, DAY, NOON + 1), known=known)
    assert actions(known) == [(Action.WITHDRAW, NOON), (Action.GRANT, NOON + 1)]
    known = heard(*tcf(NOTHING, DAY, NOON + 2), known=known)
    assert actions(known)[2:] == []  # the very string of before, from a page that was still open


def test_the_same_string_is_news_once_and_another_that_says_the_same_is_none() -> None:
    """Unless somebody chose otherwise between the two."""
    known = heard(*tcf(EVERYTHING, DAY, NOON))
    assert heard(*tcf(EVERYTHING, DAY, NOON + 9 * DAY_MS), known=known) == known
    assert heard(*tcf(EVERYTHING, DAY + DAY_MS, NOON + 2 * DAY_MS), known=known) == known
    known.append(elsewhere(Action.OBJECT, NOON, place="EU"))
    assert heard(*tcf(EVERYTHING, DAY, NOON + 9 * DAY_MS), known=known) == known
    again = heard(*tcf(EVERYTHING, DAY + DAY_MS, NOON + 2 * DAY_MS), known=known)
    assert actions(again)[2:] == [(Action.GRANT, DAY + DAY_MS)]


def test_a_signal_of_the_browser_is_news_once_whoever_told_it() -> None:
    """Also after somebody allowed it, for their browser goes on sending it."""
    signal = list(candidates_of(Hearsay(gpc=True), NOON))
    known = heard(*signal)
    assert [(each.choice.purpose, each.choice.jurisdiction, each.choice.value) for each in known] == [
        ("sale", "US", False),
        ("sharing", "US", False),
    ]
    known.append(elsewhere(Action.GRANT, NOON + 1, "sale", "US"))
    assert heard(*candidates_of(Hearsay(gpc=True), NOON + 2), known=known, source=CENTRE) == known


def test_two_categories_that_mean_one_purpose_must_both_allow_it() -> None:
    """What is neither true nor false says nothing; what is declared counts before the name."""
    told = {
        "Marketing": True,
        "Targeting": False,
        "DataSharing": True,
        "Analytics": "yes",
        "C0002": True,
        "Health": True,
    }
    assert categories_of(told, {"C0002": "analytics", "DataSharing": ""}) == (
        ("advertising", False),
        ("analytics", True),
    )


@pytest.mark.parametrize(
    ("category", "purpose"),
    [("Advertising", "advertising"), ("DataSharing", "data_sharing"), ("strictly necessary", "strictly_necessary"),
     ("marketing", "advertising"), ("  ", ""), ("health", ""), ("x" * 101, ""), ("*", "")],
)  # fmt: skip
def test_a_category_means_the_purpose_of_its_name(category: str, purpose: str) -> None:
    """In lower case; what a banner calls marketing is no newsletter."""
    assert purpose_of(category, {}) == purpose


@pytest.mark.parametrize("vector", [*TCF, *GPP], ids=lambda each: each.get("tc", each.get("gpp"))[:20])
def test_every_reference_string_is_read_or_refused_with_a_reason(vector: dict[str, object]) -> None:
    """What can be read gives choices of known purposes; what is malformed names the place."""
    form = StringForm.TCF if "tc" in vector else StringForm.GPP
    string = ConsentString(form, str(vector["tc" if form is StringForm.TCF else "gpp"]), VENDOR, "here")
    problem = problem_of(string)
    if problem:
        assert problem.startswith("here: ")
        return
    for each in candidates_of(Hearsay(strings=(string,)), NOON):
        assert each.choice.scope.purpose in {*TCF_PURPOSES.values(), "sale", "sharing", "targeted_advertising"}
        assert each.choice.held_from <= each.latest <= NOON


steps = st.lists(st.tuples(st.booleans(), st.integers(0, 20), st.booleans()), max_size=20)


@given(steps)
def test_hearing_twice_adds_nothing(said: list[tuple[bool, int, bool]]) -> None:
    """Whatever was heard in whatever order, each of it heard again is no news, unless it is chosen again."""
    known: list[Known] = []
    for allowed, at, again in said:
        known = heard(category(allowed, NOON + at, again=again), known=known)
    for allowed, at, _ in said[-1:]:
        assert heard(category(allowed, NOON + at), known=known) == known
