"""What choices come to: the same whatever the order, against a replay, and the stricter where it is not sure."""

from __future__ import annotations

from itertools import permutations
from random import Random
from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.ids import PersonId
from courtesy.consent.standing import (
    EACH_MAX,
    SCOPES_MAX,
    Kept,
    Standing,
    State,
    Verdict,
    add,
    join,
    restrictions,
    scope_key,
    scope_of,
    verdict,
    without_restriction,
)
from courtesy.event.choice import ANY, RESTRICTION, Action, Basis, Scope

ANN, DEVICE, BOTH = (PersonId(1),), (PersonId(2),), (PersonId(1), PersonId(2))
MAIL = Scope("marketing", "email")


class Told(NamedTuple):
    """A choice and its scope, with the id of the one that it corrects."""

    scope: Scope
    kept: Kept
    corrects: str | None = None


def told(
    number: int,
    action: Action,
    scope: Scope = MAIL,
    at: int | None = None,
    by: tuple[PersonId, ...] = ANN,
    to: int | None = None,
    **more: object,
) -> Told:
    """A choice whose id is its number, made at that instant unless said otherwise."""
    begins = number if at is None else at
    kept = Kept(begins, f"{number:032x}", action, to, begins, more.get("basis"), more.get("value"), by)  # type: ignore[arg-type]
    return Told(scope, kept, more.get("corrects"))  # type: ignore[arg-type]


def standing(choices: list[Told]) -> Standing:
    """What these choices make, one after the other."""
    made = Standing()
    for each in choices:
        add(made, each.scope, each.kept, each.corrects)
    return made


def asked(made: Standing, scope: Scope = MAIL, now_ms: int = 1_000) -> Verdict:
    """What they come to, where every basis counts."""
    return verdict(made, scope, now_ms, frozenset(Basis), {})


def state(choices: list[Told], scope: Scope = MAIL, now_ms: int = 1_000) -> State:
    """In one word."""
    return asked(standing(choices), scope, now_ms).state


GRANT, WITHDRAW, OBJECT, EXPIRE = Action.GRANT, Action.WITHDRAW, Action.OBJECT, Action.EXPIRE


def test_nothing_said_is_unknown() -> None:
    """Also when something else was said."""
    assert state([]) is State.UNKNOWN
    assert state([told(1, GRANT, Scope("analytics"))]) is State.UNKNOWN
    assert state([told(1, Action.SET, MAIL, value="weekly")]) is State.UNKNOWN


def test_the_later_counts() -> None:
    """And the one that decided is named."""
    assert asked(standing([told(1, GRANT), told(2, WITHDRAW)])) == (State.REFUSED, (told(2, WITHDRAW).kept,), False)
    assert asked(standing([told(1, WITHDRAW), told(2, GRANT)])) == (State.GRANTED, (told(2, GRANT).kept,), False)


def test_at_the_same_instant_the_refusal_counts() -> None:
    """Whichever came in first."""
    both = [told(1, GRANT, at=5), told(2, WITHDRAW, at=5)]
    assert state(both) is state(both[::-1]) is State.REFUSED


def test_what_begins_later_does_not_count_yet() -> None:
    """A choice holds from its own instant on, whenever we learnt of it."""
    assert state([told(1, GRANT), told(2, WITHDRAW, at=2_000)], now_ms=1_999) is State.GRANTED
    assert state([told(1, GRANT), told(2, WITHDRAW, at=2_000)], now_ms=2_000) is State.REFUSED


def test_a_pause_ends_by_itself() -> None:
    """Afterwards what was allowed before is allowed again."""
    paused = [told(1, GRANT), told(2, OBJECT, to=500)]
    assert [state(paused, now_ms=now) for now in (499, 500)] == [State.REFUSED, State.GRANTED]


def test_an_allowance_that_ends_leaves_the_refusal_before_it() -> None:
    """Allowed for a while, no more."""
    choices = [told(1, WITHDRAW), told(2, GRANT, to=500)]
    assert [state(choices, now_ms=now) for now in (499, 500)] == [State.GRANTED, State.REFUSED]


def test_what_expires_is_unknown_and_not_refused() -> None:
    """And can be granted again."""
    assert state([told(1, GRANT), told(2, EXPIRE)]) is State.UNKNOWN
    assert state([told(1, GRANT), told(2, EXPIRE), told(3, GRANT)]) is State.GRANTED
    assert state([told(1, GRANT, MAIL._replace(topic="hats")), told(2, EXPIRE)], MAIL._replace(topic="hats")) is (
        State.UNKNOWN
    )


def test_a_wide_refusal_covers_what_is_narrow_and_a_narrow_one_nothing_else() -> None:
    """No mail at all means no mail about hats; no mail about hats says nothing of shoes."""
    hats, shoes = MAIL._replace(topic="hats"), MAIL._replace(topic="shoes")
    assert state([told(1, GRANT, hats), told(2, WITHDRAW)], hats) is State.REFUSED
    choices = [told(1, GRANT), told(2, WITHDRAW, hats)]
    assert [state(choices, each) for each in (hats, shoes, MAIL)] == [State.REFUSED, State.GRANTED, State.GRANTED]


def test_a_narrow_refusal_outlives_a_wide_allowance() -> None:
    """Who said no to hats and later yes to mail has not said yes to hats."""
    hats = MAIL._replace(topic="hats")
    assert state([told(1, WITHDRAW, hats), told(2, GRANT)], hats) is State.REFUSED
    assert state([told(1, WITHDRAW, hats), told(2, GRANT), told(3, GRANT, hats)], hats) is State.GRANTED
    assert state([told(1, WITHDRAW), told(2, GRANT, hats)], hats) is State.GRANTED
    assert state([told(1, WITHDRAW), told(2, GRANT, hats)]) is State.REFUSED


def test_places_do_not_overwrite_each_other() -> None:
    """An opt-out in California says nothing in Germany, and a consent in Germany nothing in California."""
    sale = Scope("sale")
    ca, de, us = (sale._replace(jurisdiction=place) for place in ("US-CA", "DE", "US"))
    choices = [told(1, GRANT, de), told(2, WITHDRAW, ca)]
    assert [state(choices, each) for each in (ca, de, us)] == [State.REFUSED, State.GRANTED, State.UNKNOWN]
    assert state([told(1, WITHDRAW, us), told(2, GRANT, ca)], ca) is State.GRANTED
    assert state([told(1, WITHDRAW, ca), told(2, GRANT, us)], ca) is State.REFUSED
    assert state([told(1, WITHDRAW, sale._replace(jurisdiction="EU"))], de) is State.REFUSED


def test_of_two_who_became_one_the_stricter_counts_until_they_say_so_as_one() -> None:
    """A later yes of one does not undo the no of the other; a yes of both does."""
    choices = [told(1, WITHDRAW, by=DEVICE), told(2, GRANT, by=ANN)]
    assert state(choices) is State.REFUSED
    assert state([*choices, told(3, GRANT, by=BOTH)]) is State.GRANTED
    assert state([told(1, GRANT, by=ANN), told(2, WITHDRAW, by=DEVICE)]) is State.REFUSED


def test_a_corrected_choice_was_never_made() -> None:
    """In whichever order the two came in."""
    wrong, right = told(2, WITHDRAW), told(3, Action.CORRECT, corrects=told(2, WITHDRAW).kept.id)
    for order in permutations([told(1, GRANT), wrong, right]):
        assert state(list(order)) is State.GRANTED


def test_a_signal_refuses_and_a_later_consent_overrides_it() -> None:
    """Global Privacy Control counts over what was allowed before it; an explicit yes after it counts."""
    gpc = told(2, Action.SIGNAL, value=False)
    assert state([told(1, GRANT), gpc]) is State.REFUSED
    assert state([gpc, told(3, GRANT)]) is State.GRANTED
    assert state([told(4, Action.SIGNAL, value=True)]) is State.UNKNOWN


def test_only_bases_that_count_count_and_only_as_long_as_they_live() -> None:
    """Two years from a purchase, say; and a refusal counts whatever the bases."""
    bought = standing([told(10, GRANT, basis=Basis.PURCHASE)])
    lives = {Basis.PURCHASE: 730}
    assert verdict(bought, MAIL, 739, frozenset({Basis.PURCHASE}), lives).state is State.GRANTED
    assert verdict(bought, MAIL, 740, frozenset({Basis.PURCHASE}), lives).state is State.UNKNOWN
    assert verdict(bought, MAIL, 20, frozenset({Basis.CONSENT}), lives).state is State.UNKNOWN
    assert verdict(standing([told(1, OBJECT)]), MAIL, 20, frozenset(), {}).state is State.REFUSED


def test_scopes_come_back_from_their_keys() -> None:
    """Whatever words they are made of."""
    for scope in (MAIL, Scope("a", "b", "ü", "*", "US-CA")):
        assert scope_of(scope_key(scope)) == scope


# -- whatever the order

SCOPES = [
    Scope(purpose, channel, topic, ANY, place)
    for purpose in ("marketing", ANY)
    for channel in ("email", ANY)
    for topic in ("hats", ANY)
    for place in ("DE", "EU", "US", ANY)
]
QUESTIONS = [
    Scope(purpose, channel, topic, "acme", place)
    for purpose in ("marketing", "sale")
    for channel in ("email", "sms")
    for topic in ("hats", "shoes")
    for place in ("DE", "US-CA", "FR")
]

choices_of_people = st.lists(
    st.builds(
        lambda scope, action, at, by, ends: (scope, action, at, by, ends),
        st.sampled_from(SCOPES),
        st.sampled_from([GRANT, GRANT, WITHDRAW, OBJECT, EXPIRE]),
        st.integers(0, 12),
        st.sampled_from([ANN, DEVICE, BOTH]),
        st.one_of(st.none(), st.none(), st.integers(5, 20)),
    ),
    max_size=14,
).map(
    lambda rows: [
        told(number, action, scope, at, by, None if ends is None else at + ends)
        for number, (scope, action, at, by, ends) in enumerate(rows)
    ]
)


@given(choices_of_people, st.randoms(use_true_random=False))
def test_any_order_and_any_division_give_one_state(choices: list[Told], chance: Random) -> None:
    """Shuffled, doubled, or split between two people who became one."""
    whole = standing(choices)
    shuffled = choices * 2
    chance.shuffle(shuffled)
    assert standing(shuffled) == whole
    parts = [standing([each for each in choices if chance.random() < 0.6]) for _ in range(3)]
    parts.append(whole)
    left, right = Standing(), Standing()
    for part in parts:
        join(left, part)
    for part in reversed(parts):
        join(right, part)
    assert left == right == whole


def replayed(choices: list[Told], question: Scope) -> State:
    """The state by replaying what has no end in the order of time: what is open after all of it."""
    refusals: list[Told] = []
    allowances: list[Told] = []
    for each in sorted(choices, key=lambda one: (one.kept.held_from, not one.kept.allows)):
        if not _covers(each.scope, question):
            continue
        if each.kept.allows:
            refusals = [
                refusal
                for refusal in refusals
                if refusal.kept.held_from == each.kept.held_from
                or not (_covers(refusal.scope, each.scope) and set(refusal.kept.told_as) & set(each.kept.told_as))
            ]
            allowances.append(each)
        else:
            refusals.append(each)
            allowances = []
    if refusals:
        return State.REFUSED
    return State.GRANTED if allowances else State.UNKNOWN


def _covers(wide: Scope, narrow: Scope) -> bool:
    places = {"US-CA": {"US-CA", "US"}, "DE": {"DE", "EU"}, "FR": {"FR", "EU"}}
    own = places.get(narrow.jurisdiction, {narrow.jurisdiction}) | {ANY}
    return wide.jurisdiction in own and all(a in (ANY, b) for a, b in zip(wide[:4], narrow[:4], strict=True))


@given(choices_of_people)
def test_the_verdict_is_that_of_a_replay(choices: list[Told]) -> None:
    """Of what has no end, question by question."""
    endless = [
        each._replace(kept=msgspec.structs.replace(each.kept, held_to=None))
        for each in choices
        if each.kept.action is not EXPIRE
    ]
    made = standing(endless)
    for question in QUESTIONS:
        assert asked(made, question).state is replayed(endless, question)


@given(choices_of_people)
def test_a_further_refusal_never_allows(choices: list[Told]) -> None:
    """Whatever was said, one more no makes nothing allowed that was not."""
    for extra in (told(99, OBJECT, scope, 6) for scope in SCOPES):
        for question in QUESTIONS[:6]:
            before, after = state(choices, question), state([*choices, extra], question)
            assert after is before or after is State.REFUSED


# -- bounds


def test_a_flood_of_scopes_keeps_the_wide_ones_and_says_that_it_is_cut() -> None:
    """A refusal of everything is never lost, and from then on not knowing counts as a refusal might."""
    made = standing([told(n, GRANT, Scope("marketing", "email", f"topic-{n}")) for n in range(SCOPES_MAX + 50)])
    assert len(made.scopes) == SCOPES_MAX
    add(made, *told(9_999, WITHDRAW, Scope(ANY))[:2])
    assert len(made.scopes) == SCOPES_MAX
    assert asked(made, Scope("marketing", "email", "topic-1"), 10_000).state is State.REFUSED
    assert asked(made).is_cut


def test_who_changes_their_mind_often_is_known_by_the_latest() -> None:
    """The list of each scope stays short."""
    made = standing([told(n, GRANT if n % 2 else WITHDRAW) for n in range(100)])
    assert len(made.scopes[scope_key(MAIL)]) == 2 * EACH_MAX
    assert asked(made).state is State.GRANTED


RESTRICTED = Scope(RESTRICTION)
RESTRICTING = st.lists(
    st.tuples(st.booleans(), st.integers(0, 12), st.sampled_from([ANN, DEVICE, BOTH]), st.none() | st.integers(0, 12)),
    max_size=6,
)


@given(RESTRICTING, st.integers(0, 14), st.randoms(use_true_random=False))
def test_a_restriction_stands_until_one_of_the_same_people_lifts_it_later(
    given_: list[tuple[bool, int, tuple[PersonId, ...], int | None]], now_ms: int, random: Random
) -> None:
    """Whatever the order in which it became known, by a replay of what was said."""
    made = [
        told(number, Action.SET, RESTRICTED, at, by, None if lasts is None else at + lasts + 1, value=value)
        for number, (value, at, by, lasts) in enumerate(given_)
    ]
    known = [each.kept for each in made if each.kept.held_from <= now_ms]
    known = [each for each in known if each.held_to is None or now_ms < each.held_to]
    lifted = [each for each in known if each.value is False]
    expected = {
        each.id
        for each in known
        if each.value is True
        and not any(no.held_from > each.held_from and set(no.told_as) & set(each.told_as) for no in lifted)
    }
    random.shuffle(made)
    assert {each.id for each in restrictions(standing(made), now_ms)} == expected
    half = standing(made[: len(made) // 2])
    join(half, standing(made[len(made) // 2 :]))
    assert {each.id for each in restrictions(half, now_ms)} == expected


def test_a_restriction_is_kept_whatever_else_is_said() -> None:
    """However many scopes there are, and however often somebody else lifts what is not theirs."""
    noise = [told(10 + number, Action.GRANT, Scope(f"purpose-{number}")) for number in range(2 * SCOPES_MAX)]
    lifted = [told(900 + number, Action.SET, RESTRICTED, by=DEVICE, value=False) for number in range(2 * EACH_MAX)]
    made = standing([told(1, Action.SET, RESTRICTED, value=True), *noise, *lifted])
    assert made.is_cut
    assert [each.held_from for each in restrictions(made, 1_000)] == [1]
    assert restrictions(made, 0) == ()
    assert restrictions(without_restriction(made), 1_000) == ()


def test_a_restriction_that_was_corrected_was_never_made() -> None:
    """As with all choices."""
    first = told(1, Action.SET, RESTRICTED, value=True)
    assert restrictions(standing([first]), 9) == (first.kept,)
    assert restrictions(standing([first, told(2, Action.CORRECT, corrects=first.kept.id)]), 9) == ()
