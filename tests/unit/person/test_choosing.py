"""Which question is worth asking: a pure choice, with a reason for every other."""

from __future__ import annotations

from dataclasses import replace
from math import isclose
from random import Random
from typing import Any

import msgspec
import pytest

from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import DAY_MS
from courtesy.consent.questions import Caps, Question
from courtesy.consent.standing import Kept, Standing, add
from courtesy.event.choice import Action, Scope
from courtesy.event.event import Party
from courtesy.person.asking import ANSWERED, ASKED, DECLINED, Ask, Asking, Past, ask_properties, note
from courtesy.person.choosing import NO_COUNTS, Counts, Moment, WhyNot, choose, open_ask, unknown_of, worth_of
from courtesy.person.state import Behaviour, PersonState, Stamp, Trait

NOW_MS = 1_700_000_000_000
HERE = Moment(NOW_MS, "web", "s1", "DE")
FREE = Caps(per_session=10, per_week=20)


def question(answer: dict[str, Any] | None = None, **more: Any) -> Question:
    """A question of yes or no about boots, unless said otherwise."""
    options = [{"name": "like"}, {"name": "dislike"}]
    told: dict[str, Any] = {
        "text": {"en": "?"},
        "answer": answer or {"kind": "one_of", "topic": "boots", "options": options},
    }
    told |= {"cost": 0.01, **more}
    return msgspec.convert(told, Question).checked()


NEWS = question({"kind": "consent", "purpose": "marketing", "channel": "email"})
HOW = question({"kind": "rating", "topic": "service"}, after={"event": "Bought", "from_days": 2, "each": True})


def person(*events: tuple[str, str, int], standing: Standing | None = None, **more: Any) -> PersonState:
    """Somebody of whom these things were asked: event, question and how long ago in days."""
    asking = Asking()
    for event, name, days in events:
        at = NOW_MS - days * DAY_MS
        note(asking, event, at, ask_properties(Ask(at, f"{name}-{days}", name, "s0", 0)))
    return PersonState(PersonId(1), asking=asking, standing=standing, **more)


def said(action: Action, scope: Scope, days: float, **more: Any) -> Standing:
    """One choice, so many days ago."""
    at = NOW_MS - int(days * DAY_MS)
    standing = Standing()
    kept = Kept(at, "c1", action, more.get("held_to"), at, None, more.get("value"), (PersonId(1),))
    add(standing, scope, kept)
    return standing


def why(state: PersonState, asked: Question, moment: Moment = HERE, caps: Caps = FREE) -> WhyNot | None:
    """Why this one, alone, is not asked."""
    return choose(state, {"q": asked}, {}, caps, moment).candidates[0].why_not


@pytest.mark.parametrize(
    ("asked", "moment", "expected"),
    [
        (question(channels=["chat"]), HERE, WhyNot.CHANNEL),
        (question(channels=["chat", "web"]), HERE, None),
        (question(places=["EU"]), HERE, None),
        (question(places=["US", "FR"]), HERE, WhyNot.PLACE),
        (question(places=["EU"]), replace(HERE, place="*"), WhyNot.PLACE),
        (question(places=["*"]), replace(HERE, place="*"), None),
        (question(after={"event": "Bought"}), HERE, WhyNot.NO_OCCASION),
        (question(cost=0.5), HERE, WhyNot.NOT_WORTH_IT),
        (question(weight=0), HERE, WhyNot.NOT_WORTH_IT),
    ],
)
def test_where_and_for_how_much_it_is_asked(asked: Question, moment: Moment, expected: WhyNot | None) -> None:
    """A place is also within a larger one; where nobody knows the place, only what may be asked anywhere."""
    assert why(person(), asked, moment) is expected


@pytest.mark.parametrize(
    ("scope", "days", "expected"),
    [
        (Scope("marketing", "email"), 364, WhyNot.REFUSED),
        (Scope("marketing", "email"), 366, None),
        (Scope("*"), 10, WhyNot.REFUSED),
        (Scope("marketing", "email", "shoes"), 10, WhyNot.REFUSED),
        (Scope("marketing", "email", jurisdiction="US"), 10, WhyNot.REFUSED),
        (Scope("marketing", "sms"), 10, None),
        (Scope("sale"), 10, None),
    ],
)
@pytest.mark.parametrize("action", [Action.WITHDRAW, Action.OBJECT, Action.SIGNAL])
def test_after_an_opt_out_consent_is_left_alone_for_a_year(
    action: Action, scope: Scope, days: int, expected: WhyNot | None
) -> None:
    """Whatever overlaps it, by whichever way, anywhere."""
    value = False if action is Action.SIGNAL else None
    assert why(person(standing=said(action, scope, days, value=value)), NEWS) is expected


def test_where_refusals_may_be_missing_consent_is_not_asked() -> None:
    """Of a person with more choices than are kept nobody can tell."""
    full = said(Action.SET, Scope("*", topic="boots"), 1, value="like")
    full.is_cut = True
    assert why(person(standing=full), NEWS) is WhyNot.REFUSED


def test_what_was_said_elsewhere_is_known() -> None:
    """A preference set in the preference centre, a trait told; unless it is out of date, or a guess."""
    boots = said(Action.SET, Scope("*", topic="boots"), 40, value="like")
    assert why(person(standing=boots), question()) is WhyNot.KNOWN
    assert why(person(standing=boots), question(again_after_days=30)) is None
    assert why(person(standing=boots), question(again_after_days=50)) is WhyNot.KNOWN
    size = question({"kind": "trait", "path": "size"})
    for value, party, expected in (
        ("41", Party.FIRST, WhyNot.KNOWN),
        ("41", Party.THIRD, None),
        (None, Party.ZERO, None),
    ):
        trait = Trait(value, 30, NOW_MS - 5, 0, SourceId(1), party)
        assert why(person(traits={"size": trait}), size) is expected


@pytest.mark.parametrize(
    ("events", "asked", "expected"),
    [
        ([(ASKED, "q", 40)], question(), None),
        ([(ASKED, "q", 4000), (ANSWERED, "q", 4000)], question(), WhyNot.ANSWERED),
        ([(ASKED, "q", 31), (ANSWERED, "q", 31)], question(again_after_days=30), None),
        ([(ASKED, "q", 89), (DECLINED, "q", 89)], question(), WhyNot.NOT_NOW),
        ([(ASKED, "q", 91), (DECLINED, "q", 91)], question(), None),
        ([(ASKED, "q", 5), (DECLINED, "q", 5)], question(not_now_days=4), None),
    ],
)
def test_what_was_answered_or_put_off_is_left_alone(
    events: list[tuple[str, str, int]], asked: Question, expected: WhyNot | None
) -> None:
    """For as long as the question says."""
    assert why(person(*events), asked) is expected


def test_caps_are_over_all_questions() -> None:
    """In a session and in any seven days; a visit without a session is under the week's alone."""
    asked_today = person((ASKED, "other", 0))
    assert why(asked_today, question(), replace(HERE, session="s0"), Caps()) is WhyNot.SESSION_CAP
    assert why(asked_today, question(), HERE, Caps()) is WhyNot.WEEK_CAP
    assert why(asked_today, question(), replace(HERE, session=""), Caps(1, 2)) is None
    assert why(person((ASKED, "other", 7)), question(), HERE, Caps()) is None
    assert why(person(), question(), replace(HERE, session=""), Caps(0, 2)) is WhyNot.SESSION_CAP


def bought(*days: float) -> dict[str, Behaviour]:
    """Somebody who bought so many days ago."""
    stamps = [Stamp(NOW_MS - int(each * DAY_MS), 0) for each in sorted(days)]
    return {"Bought": Behaviour(len(stamps), stamps[-1], stamps[0], {}, stamps, [])}


def test_each_occasion_is_asked_about_once_the_latest_first() -> None:
    """Within its window; without `each` one is enough for good."""
    state = person(behaviours=bought(1, 3, 5, 20))
    candidate = choose(state, {"q": HOW}, {}, FREE, HERE).question
    assert candidate is not None
    assert candidate.occasion == NOW_MS - 3 * DAY_MS
    assert state.asking is not None
    state.asking.questions["q"] = Past(1, 1, 1, 1, 0, [candidate.occasion])
    candidate = choose(state, {"q": HOW}, {}, FREE, HERE).question
    assert candidate is not None
    assert candidate.occasion == NOW_MS - 5 * DAY_MS
    state.asking.questions["q"].occasions.append(candidate.occasion)
    assert why(state, HOW) is WhyNot.NO_OCCASION
    assert why(state, question(after={"event": "Bought"})) is WhyNot.ANSWERED


def test_a_question_is_open_until_something_comes_back() -> None:
    """In its session only, and not any more when it must not be asked any more."""
    state = person((ASKED, "q", 0))
    here = replace(HERE, session="s0")
    found = open_ask(state, {"q": NEWS}, here)
    assert found is not None
    assert found.question == "q"
    assert open_ask(state, {"q": NEWS}, HERE) is None
    assert open_ask(state, {}, here) is None
    assert open_ask(person((ASKED, "q", 0), (DECLINED, "q", 0)), {"q": NEWS}, here) is None
    state.standing = said(Action.OBJECT, Scope("marketing"), 0)
    assert open_ask(state, {"q": NEWS}, here) is None


def worth(
    asked: Question, counts: Counts = NO_COUNTS, past: Past | None = None, state: PersonState | None = None
) -> float:
    """What it is worth to ask now."""
    asking = state.asking if state is not None else None
    return worth_of(asked, counts, past or Past(), asking or Asking(), NOW_MS)


def test_worth_is_weight_by_chance_by_what_is_unknown_less_cost() -> None:
    """The chance is learnt, and halves for who did not react; to what all answer alike little is unknown."""
    asked = question(weight=4, cost=0.25)
    assert worth(asked) == 4 * 0.5 - 0.25
    assert isclose(worth(asked, Counts(10, 1, {"like": 1, "dislike": 1})), 4 * 0.3 - 0.25)
    assert worth(asked, past=Past(asked_count=2)) == 4 * 0.5 / 4 - 0.25
    assert unknown_of(asked.answer, Counts(99, 98, {"like": 98})) < 0.1
    assert unknown_of(NEWS.answer, Counts(99, 98, {"yes": 98})) == 1.0
    some = question({"kind": "some_of", "topic": "t", "options": [{"name": "a"}, {"name": "b"}]})
    assert isclose(unknown_of(some.answer, Counts(10, 10, {"a": 5, "b": 5})), 1.0)


def test_who_answers_is_asked_rather_than_who_does_not() -> None:
    """By whatever they were asked in half a year; and asking costs most just after they were asked."""
    asked = question(weight=4, cost=0.25)
    willing = person((ASKED, "x", 14), (ANSWERED, "x", 14), (ASKED, "y", 28), (ANSWERED, "y", 28))
    unwilling = person((ASKED, "x", 14), (ASKED, "y", 28), (DECLINED, "y", 28))
    assert isclose(worth(asked, state=willing), 4 * 3 / 4 - 0.25 * 1.5)
    assert isclose(worth(asked, state=unwilling), 4 * 1 / 4 - 0.25 * 1.5)
    assert worth(asked, state=person((ASKED, "x", 400))) == worth(asked)
    assert isclose(worth(asked, state=person((ASKED, "x", 0), (ANSWERED, "x", 0))), 4 * 2 / 3 - 0.25 * 2)


def test_what_they_did_most_is_asked_about() -> None:
    """Of questions of one form; what is about something else, or each time, is worth the same whatever they did."""

    def about(topic: str, **more: Any) -> Question:
        options = [{"name": "like"}, {"name": "dislike"}]
        after = {"event": f"Viewed {topic}", **more}
        return question({"kind": "one_of", "topic": topic, "options": options}, after=after)

    def did(*counts: int) -> dict[str, Behaviour]:
        stamps = [Stamp(NOW_MS - DAY_MS, 0)]
        return {
            f"Viewed {topic}": Behaviour(count, stamps[0], stamps[0], {}, stamps, [])
            for topic, count in zip("ab", counts, strict=True)
        }

    def worths(questions: dict[str, Question], *counts: int) -> list[float]:
        chosen = choose(person(behaviours=did(*counts)), questions, {}, FREE, HERE)
        return [each.worth + 0.01 for each in chosen.candidates]

    both = {"a": about("a"), "b": about("b")}
    assert worths(both, 1, 1) == [0.5, 0.5]
    assert [round(each, 6) for each in worths(both, 1, 4)] == [0.25, 0.5]
    assert worths({"a": both["a"]}, 1, 4) == [0.5]
    assert worths({"a": about("a", each=True), "b": both["b"]}, 1, 4) == [0.5, 0.5]


@pytest.mark.parametrize("seed", range(10))
def test_the_same_is_chosen_whatever_the_order_of_definitions(seed: int) -> None:
    """One at most; what is chosen is worth most, and all others have a reason."""
    chance = Random(seed)
    names = [f"q{number}" for number in range(8)]
    options = [{"name": "a"}, {"name": "b"}]
    questions = {
        name: question({"kind": "one_of", "topic": name, "options": options}, weight=chance.choice([0.1, 1, 2]))
        for name in names
    }
    counts = {name: Counts(chance.randrange(50, 90), chance.randrange(50)) for name in names}
    found = choose(person(), questions, counts, FREE, HERE)
    shuffled = {name: questions[name] for name in chance.sample(names, len(names))}
    assert choose(person(), shuffled, counts, FREE, HERE) == found
    assert found.question is not None
    assert found.question.worth == max(each.worth for each in found.candidates)
    assert [each for each in found.candidates if each.why_not is None] == [found.question]
