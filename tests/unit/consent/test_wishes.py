"""A form over somebody's choices: what comes back is what it shows next, and nothing is allowed that was not ticked."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS
from courtesy.consent.law import Laws, allowed
from courtesy.consent.laws import LAWS
from courtesy.consent.preference_centre import Item, PreferenceCentre, Topic
from courtesy.consent.standing import Kept, Standing, add
from courtesy.consent.wishes import (
    Pause,
    Person,
    Taste,
    Told,
    Wishes,
    changes,
    everything_refused,
    wishes_of,
)
from courtesy.event.choice import ANY, Action, Scope, read_choices

NOW_MS = 1_763_780_645_000
LAW = Laws(LAWS)
CENTRE = PreferenceCentre(
    purposes=(Item("marketing"), Item("research")),
    channels=(Item("email"), Item("sms")),
    uses=(Item("personalisation"), Item("sale")),
    topics=(Topic("hats"), Topic("shoes"), Topic("polls", purpose="research")),
    likes=(Item("leather"),),
)
ANN = (PersonId(1),)


@dataclasses.dataclass
class Ann:
    """Somebody who fills in forms, each a second after the one before."""

    place: str = ANY
    now_ms: int = NOW_MS
    standing: Standing = dataclasses.field(default_factory=Standing)
    count: int = 0

    @property
    def shown(self) -> Wishes:
        """What the form shows."""
        return wishes_of(CENTRE, Person(self.standing, self.place), self.now_ms, LAW)

    def tell(self, *told: Told) -> None:
        """Choose, as the tracking API takes it."""
        for choice in read_choices(msgspec.json.encode(told), self.now_ms):
            self.count += 1
            kept = Kept(
                choice.held_from, f"{self.count:032x}", choice.action, choice.held_to, self.now_ms, choice.basis,
                choice.value, ANN,
            )  # fmt: skip
            add(self.standing, choice.scope, kept)

    def send(self, wanted: Wishes, pause: Pause = Pause.KEEP, shown: Wishes | None = None) -> list[Told]:
        """Send the form; the choices that it made."""
        told = changes(CENTRE, Person(self.standing, self.place), shown or self.shown, wanted, pause, self.now_ms, LAW)
        if told:
            self.tell(*told)
        self.now_ms += 1_000
        return told

    def may(self, channel: str, topic: str = ANY, purpose: str = "marketing") -> bool:
        """Whether the ledger allows it."""
        return allowed(self.standing, Scope(purpose, channel, topic, ANY, self.place), self.now_ms, LAW, 600).allowed


def ticked(wishes: Wishes, *boxes: str, on: bool = True) -> Wishes:
    """The form with some boxes of marketing ticked, or not: channels or topics."""
    row = tuple(on if name in boxes else was for name, was in zip(("email", "sms"), wishes.channels[0], strict=True))
    names = [each.name for each in CENTRE.topics]
    topics = tuple(on if name in boxes else was for name, was in zip(names, wishes.topics, strict=True))
    return replace(wishes, channels=(row, *wishes.channels[1:]), topics=topics)


def in_short(told: list[Told]) -> list[tuple[Any, ...]]:
    """Action, purpose, channel and topic of each choice."""
    return [(each["action"], each["purpose"], each["channel"], each["topic"]) for each in told]


def test_a_form_that_comes_back_as_it_was_makes_no_choice() -> None:
    """Looking is not choosing, in any place."""
    for place in (ANY, "DE", "US-CA"):
        ann = Ann(place)
        assert ann.send(ann.shown) == []


def test_what_is_ticked_is_what_the_law_allows() -> None:
    """Nothing in Europe while nobody said anything; e-mail in the United States."""
    assert Ann("DE").shown.channels == ((False, False), (False, False))
    assert Ann("US").shown.channels[0] == (True, False)
    assert Ann("DE").shown.topics == (True, True, True)


def test_one_box_is_one_choice() -> None:
    """Allowed, withdrawn; and refused where it needed no allowance."""
    ann = Ann("DE")
    assert in_short(ann.send(ticked(ann.shown, "email"))) == [("grant", "marketing", "email", "*")]
    assert ann.may("email")
    assert in_short(ann.send(ticked(ann.shown, "email", on=False))) == [("withdraw", "marketing", "email", "*")]
    assert not ann.may("email")
    joe = Ann("US")
    assert in_short(joe.send(ticked(joe.shown, "email", on=False))) == [("object", "marketing", "email", "*")]


def test_a_topic_left_out_stays_out_of_channels_allowed_later() -> None:
    """And comes back to the channels that are allowed, without allowing another."""
    ann = Ann("DE")
    ann.send(ticked(ticked(ann.shown, "email"), "hats", on=False))
    assert (ann.may("email", "shoes"), ann.may("email", "hats")) == (True, False)
    told = ann.send(ticked(ann.shown, "hats"))
    assert in_short(told) == [("set", "marketing", "*", "hats"), ("grant", "marketing", "email", "hats")]
    assert (ann.may("email", "hats"), ann.may("sms", "hats")) == (True, False)
    told = ann.send(ticked(ann.shown, "sms"))
    assert in_short(told) == [("grant", "marketing", "sms", "*"), ("grant", "marketing", "sms", "hats")]
    assert ann.may("sms", "hats")


def test_a_pause_ends_by_itself_and_the_boxes_stay() -> None:
    """A week later all is as before."""
    ann = Ann("DE")
    ann.send(ticked(ann.shown, "email"))
    told = ann.send(ann.shown, Pause.WEEK)
    assert [(each["action"], each["heldTo"]) for each in told] == [("object", NOW_MS + 1_000 + 7 * DAY_MS)] * 2
    assert not ann.may("email")
    assert (ann.shown.channels[0], ann.shown.paused_until) == ((True, False), NOW_MS + 1_000 + 7 * DAY_MS)
    ann.now_ms += 7 * DAY_MS
    assert ann.may("email")
    assert ann.shown.paused_until is None


def test_a_pause_is_ended_kept_or_made_shorter() -> None:
    """A box ticked meanwhile does not end it."""
    ann = Ann("DE")
    ann.send(ticked(ann.shown, "email"), Pause.QUARTER)
    ann.send(ticked(ann.shown, "sms"))
    assert not ann.may("email")
    assert not ann.may("sms")
    assert ann.shown.channels[0] == (True, True)
    ann.send(ann.shown, Pause.WEEK)
    assert (ann.shown.paused_until or 0) < NOW_MS + 8 * DAY_MS
    ann.send(ann.shown, Pause.END)
    assert ann.shown.paused_until is None
    assert ann.may("email")
    assert ann.may("sms")


def test_ending_a_pause_allows_nothing_that_is_not_ticked() -> None:
    """Only what was allowed before it."""
    ann = Ann("DE")
    ann.send(ticked(ann.shown, "email"), Pause.MONTH)
    assert in_short(ann.send(ann.shown, Pause.END)) == [("grant", "marketing", "email", "*")]
    assert not ann.may("sms")


def test_a_stale_form_brings_nothing_back() -> None:
    """Who unsubscribed elsewhere while the form was open stays unsubscribed, whatever else is changed in it."""
    ann = Ann("DE")
    ann.send(ticked(ann.shown, "email"))
    stale = ann.shown
    ann.tell({"action": "withdraw", "purpose": "marketing", "channel": "email"})
    ann.now_ms += 1_000
    assert in_short(ann.send(replace(stale, frequency="weekly"), shown=stale)) == [("set", "marketing", "*", "*")]
    assert not ann.may("email")


def test_a_refusal_for_one_place_is_taken_back_there() -> None:
    """As from a consent string of the United States: one box undoes it."""
    ann = Ann("US-CA")
    ann.tell({"action": "withdraw", "purpose": "sale", "jurisdiction": "US"})
    ann.now_ms += 1_000
    assert ann.shown.uses[1] is False
    told = ann.send(replace(ann.shown, uses=(ann.shown.uses[0], True)))
    assert [each["jurisdiction"] for each in told] == ["*", "US-CA"]
    assert ann.shown.uses[1] is True


def test_nothing_any_more_refuses_every_channel() -> None:
    """By one button."""
    ann = Ann("US")
    ann.send(ticked(ann.shown, "email", "sms"))
    ann.send(everything_refused(ann.shown))
    assert ann.shown.channels == ((False, False), (False, False))


def test_what_is_no_taste_or_frequency_of_ours_is_left_aside() -> None:
    """Other programs set values of their own."""
    ann = Ann()
    ann.tell(
        {"action": "set", "purpose": "*", "topic": "leather", "value": {"much": 3}},
        {"action": "set", "purpose": "marketing", "value": {"frequency": ["weekly"]}},
    )
    assert (ann.shown.tastes, ann.shown.frequency) == ((Taste.NEUTRAL,), "")


FORMS = st.builds(
    Wishes,
    st.tuples(*[st.tuples(st.booleans(), st.booleans())] * 2),
    st.tuples(st.booleans(), st.booleans()),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
    st.tuples(st.sampled_from(Taste)),
    st.sampled_from(["", "weekly", "monthly"]),
)


@given(
    st.sampled_from([ANY, "DE", "US", "US-CA", "CA", "JP"]),
    st.lists(st.tuples(FORMS, st.sampled_from(Pause)), min_size=1, max_size=6),
)
def test_whatever_is_sent_is_what_is_shown_next(place: str, forms: list[tuple[Wishes, Pause]]) -> None:
    """And asked of the ledger: a channel that is not ticked is not allowed, nor a topic that is left out, nor anything
    during a pause."""
    ann = Ann(place)
    for wanted, pause in forms:
        ann.send(wanted, pause)
        shown = ann.shown
        assert replace(shown, paused_until=None) == wanted
        if pause is Pause.END:
            assert shown.paused_until is None
        for row, purpose in enumerate(CENTRE.purposes):
            for channel, is_on in zip(("email", "sms"), wanted.channels[row], strict=True):
                paused = shown.paused_until is not None
                if paused or not is_on:
                    assert not ann.may(channel, purpose=purpose.name)
                for topic, is_in in zip(CENTRE.topics, wanted.topics, strict=True):
                    if topic.purpose == purpose.name:
                        assert ann.may(channel, topic.name, purpose.name) == (is_on and is_in and not paused)


@pytest.mark.parametrize("action", [Action.GRANT, Action.OBJECT])
def test_an_allowance_of_everything_shows_in_every_box(action: Action) -> None:
    """Choices that were told in other ways count for the form."""
    ann = Ann("DE")
    ann.tell({"action": str(action), "purpose": "marketing"})
    assert ann.shown.channels[0] == ((action is Action.GRANT,) * 2)


def test_under_a_restriction_the_form_shows_what_was_chosen() -> None:
    """Nothing is done on it; and when the restriction is lifted it is as they left it."""
    ann = Ann("DE")
    ann.send(ticked(ann.shown, "email"))
    before = ann.shown
    ann.tell({"action": "set", "purpose": "restriction", "value": True})
    assert ann.shown == before
    assert ann.send(ann.shown) == []
    assert not ann.may("email")
    ann.tell({"action": "set", "purpose": "restriction", "value": False})
    assert ann.may("email")
