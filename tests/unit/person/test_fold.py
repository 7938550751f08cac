"""Folding: the same facts give the same bytes in any order and in any parts; bounds hold; sums are exact."""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import DAY_MS
from courtesy.event.choice import Action, Choice
from courtesy.event.event import OVERWRITE_RANK, TRUST_RANK, EventType, Fact, Party, behaviour_name
from courtesy.person.fold import PATH_CHARS_MAX, SUMMED_MAX, fold_group_fact, leaves, merge
from courtesy.person.state import (
    DAYS_MAX,
    GROUPS_MAX,
    IDENTIFIERS_MAX,
    MEMBERS_MAX,
    NAMES_MAX,
    OCCURRENCES_MAX,
    RECENT_MAX,
    SUMS_MAX,
    TRAIT_BYTES_MAX,
    TRAITS_MAX,
    PersonState,
    decode_state,
    encode_state,
)
from courtesy.person.view import split_path
from tests.unit.person.facts import ANN, NOON_MS, busy_facts, copied, fact, folded, merged, split, tie_of

NAMES = st.sampled_from(["a", "b", "a.b", "a\\", "a\\.b", "", ".", "é", "e\u0301", "🔥", "zip.code"])
NUMBERS = (
    st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.1, 19.99])
)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=5)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=5
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)
CHOICES = st.builds(
    Choice,
    st.sampled_from(Action),
    st.sampled_from(["marketing", "*", "a b"]),
    topic=st.sampled_from(["hats", "*"]),
    held_from=st.integers(0, 3),
    held_to=st.none() | st.integers(4, 5),
    value=VALUES,
    corrects=st.none() | st.sampled_from(["0" * 32, "1" * 32]),
)
RANKS = st.sampled_from([*TRUST_RANK.values(), OVERWRITE_RANK])


@st.composite
def facts(draw: st.DrawFn, most: int = 8) -> list[Fact]:
    """Facts of all types with few names, colliding times, and values that contradict each other in kind."""
    count = draw(st.integers(0, most))
    return [
        fact(
            f"m{number}",
            draw(NAMES),
            at=NOON_MS + draw(st.integers(-1, 1)) * draw(st.sampled_from([0, 1, DAY_MS, 40 * DAY_MS])),
            type=draw(st.sampled_from(EventType)),
            source=SourceId(draw(st.integers(1, 2))),
            rank=draw(RANKS),
            party=draw(st.sampled_from(Party)),
            ids=tuple(f"user_id:{name}" for name in draw(st.lists(NAMES, max_size=2, unique=True))),
            group=draw(st.none() | NAMES),
            traits=draw(st.none() | OBJECTS),
            group_traits=draw(st.none() | OBJECTS),
            properties=draw(st.none() | OBJECTS),
            choices=tuple(draw(st.lists(CHOICES, max_size=2))),
            known_as=tuple(draw(st.lists(st.integers(1, 3).map(PersonId), unique=True))),
        )
        for number in range(count)
    ]


# -- order


@settings(max_examples=80)
@given(facts(), st.randoms(use_true_random=False))
def test_order_and_parts_make_no_difference(given: list[Fact], chance: random.Random) -> None:
    """Shuffled, split among several states and merged in any grouping, by way of the store: the same bytes."""
    expected = encode_state(folded(given))
    assert encode_state(folded(chance.sample(given, len(given)))) == expected
    assert encode_state(merged([folded(hand) for hand in split(given, chance)], chance)) == expected


@pytest.mark.parametrize("seed", range(4))
def test_order_makes_no_difference_when_bounds_are_exceeded(seed: int) -> None:
    """What is left out to stay bounded does not depend on who came first."""
    chance = random.Random(seed)
    given = busy_facts(chance, 300, variety=(3, 30, 150, 300)[seed % 4])
    expected = encode_state(folded(given))
    assert encode_state(folded(chance.sample(given, len(given)))) == expected
    assert encode_state(merged([folded(hand) for hand in split(given, chance)], chance)) == expected


@pytest.mark.parametrize("seed", range(4))
def test_merging_is_associative_and_commutative(seed: int) -> None:
    """(a + b) + c is a + (b + c), and a + b is b + a but for whose state it is."""
    chance = random.Random(seed)
    a, b, c = (folded(busy_facts(chance, 60, variety=120, first=100 * n)) for n in range(3))
    left, right, swapped = copied(a), copied(b), copied(b)
    merge(left, copied(b))
    merge(swapped, copied(a))
    assert encode_state(left) == encode_state(swapped)
    merge(left, copied(c))
    merge(right, copied(c))
    whole = copied(a)
    merge(whole, right)
    assert encode_state(left) == encode_state(whole)


def test_merging_with_nobody_changes_nothing() -> None:
    """The state without facts is the neutral one."""
    state = folded(busy_facts(random.Random(1), 50, variety=20))
    expected = encode_state(state)
    merge(state, PersonState(ANN))
    assert encode_state(state) == expected
    nobody = PersonState(ANN)
    merge(nobody, state)
    assert encode_state(nobody) == expected


@settings(max_examples=50)
@given(facts(most=5))
def test_a_state_survives_the_store(given: list[Fact]) -> None:
    """Stored, read and stored again it is the same bytes."""
    content = encode_state(folded(given))
    assert encode_state(decode_state(content)) == content
    assert decode_state(content) == decode_state(encode_state(decode_state(content)))


@pytest.mark.parametrize("seed", range(3))
def test_folding_may_stop_at_the_store_at_any_time(seed: int) -> None:
    """A worker that keeps states in memory and one that reads them anew each time write the same."""
    chance = random.Random(seed)
    given = busy_facts(chance, 120, variety=60)
    state = PersonState(ANN)
    for each in given:
        merge(state, folded([each]))
        if chance.random() < 0.2:
            state = decode_state(encode_state(state))
    assert encode_state(state) == encode_state(folded(given))


# -- bounds


def test_every_part_of_a_state_is_bounded() -> None:
    """Whatever is sent, as often as it may be."""
    state = folded(busy_facts(random.Random(3), 900, variety=700))
    assert len(state.traits) == TRAITS_MAX
    assert len(state.behaviours) == NAMES_MAX
    assert len(state.identifiers) == IDENTIFIERS_MAX
    assert len(state.groups) == GROUPS_MAX
    assert len(state.recent) == RECENT_MAX
    assert state.event_count == sum(state.type_counts.values()) == 900
    one = folded(fact(f"m{n}", at=NOON_MS - n * DAY_MS, properties={f"p{n % 50}": 1}) for n in range(200))
    (behaviour,) = one.behaviours.values()
    assert (len(behaviour.days), len(behaviour.recent), len(behaviour.sums)) == (DAYS_MAX, OCCURRENCES_MAX, SUMS_MAX)
    assert behaviour.count == 200


def test_what_is_kept_of_many_is_complete() -> None:
    """Names over the bound are left out whole; those kept have every event counted."""
    given = busy_facts(random.Random(4), 600, variety=300)
    for name, behaviour in folded(given).behaviours.items():
        times = [each.at for each in given if behaviour_name(each) == name]
        days = Counter(at // DAY_MS for at in times)
        assert behaviour.count == len(times)
        assert {day[0]: day[1] for day in behaviour.days} == {day: days[day] for day in sorted(days)[-DAYS_MAX:]}
        assert [stamp.at for stamp in behaviour.recent] == sorted(times)[: -OCCURRENCES_MAX - 1 : -1]


def test_the_latest_events_and_days_are_kept() -> None:
    """Of what has a time, the newest stays, newest first."""
    given = [fact(f"m{n}", at=NOON_MS - n * DAY_MS) for n in range(100)]
    state = folded(random.Random(5).sample(given, 100))
    assert [each.message_id for each in state.recent] == [f"m{n}" for n in range(RECENT_MAX)]
    behaviour = state.behaviours["Product Viewed"]
    assert [day for day, _ in behaviour.days] == [NOON_MS // DAY_MS - n for n in range(DAYS_MAX)]
    assert [stamp.at for stamp in behaviour.recent] == [NOON_MS - n * DAY_MS for n in range(OCCURRENCES_MAX)]


def test_a_busy_customers_state_stays_small() -> None:
    """Two thousand events of a year on 30 devices, with all that a shop tells, stay under the 64 KB that are meant."""
    chance = random.Random(6)
    given = [
        fact(
            f"shop-message-{n:08d}",
            f"Event Name {chance.randrange(25)}",
            at=NOON_MS - chance.randrange(365 * DAY_MS),
            ids=("user_id:customer-1234567", f"anonymous_id:4f1e8a6c-1111-2222-3333-{chance.randrange(30):012d}"),
            traits={f"trait_number_{chance.randrange(80)}": "x" * 30} if n % 5 == 0 else None,
            properties={f"property_{each}": chance.random() * 100 for each in range(12)},
            group=f"group-{n % 5}",
        )
        for n in range(2_000)
    ]
    assert len(encode_state(folded(given))) < 64 * 1024


def test_even_a_state_at_all_bounds_stays_small() -> None:
    """A bot that sends everything at once makes a state of some 150 KB, and no more."""
    chance = random.Random(7)
    given = busy_facts(chance, 1_500, variety=600)
    assert len(encode_state(folded(given))) < 160 * 1024


@pytest.mark.parametrize("value", ["é" * TRAIT_BYTES_MAX, ["x" * 100] * 50, 10**4299])
def test_a_huge_value_counts_as_unset(value: object) -> None:
    """The log has it whole; in the state it would be written again with each event of that person."""
    before = fact("m1", traits={"bio": "short"})
    after = fact("m2", at=NOON_MS + 1, traits={"bio": value})
    assert folded([before, after]).traits["bio"].value is None
    assert encode_state(folded([after, before])) == encode_state(folded([before, after]))


def test_a_long_value_that_fits_is_kept() -> None:
    """The bound is far above what people write."""
    assert folded([fact(traits={"bio": "x" * TRAIT_BYTES_MAX})]).traits["bio"].value == "x" * TRAIT_BYTES_MAX


def test_a_trait_whose_path_is_too_long_is_left_out() -> None:
    """The others of the same event are kept."""
    state = folded(
        [fact(traits={"x" * (PATH_CHARS_MAX + 1): 1, "y" * PATH_CHARS_MAX: 2, "a": {"z" * PATH_CHARS_MAX: 3}})]
    )
    assert list(state.traits) == ["y" * PATH_CHARS_MAX]


# -- sums

MONEY = st.integers(-(10**14), 10**14).map(lambda cents: Decimal(cents) / 100)
FINE = st.integers(-(10**14), 10**14).map(lambda micros: Decimal(micros) / 10**6)


@given(st.lists(MONEY | FINE | st.integers(-(10**12), 10**12).map(Decimal), max_size=20))
@example([Decimal("999999999999.99"), Decimal("-0.01"), Decimal("234567890123.45")])
def test_sums_are_exact(amounts: list[Decimal]) -> None:
    """As decimals would add them, though they come as binary fractions: 0.1 ten times is 1, in any order."""
    state = folded(fact(f"m{n}", properties={"revenue": _as_sent(amount)}) for n, amount in enumerate(amounts))
    if amounts:
        units, micros = state.behaviours["Product Viewed"].sums["revenue"]
        assert Decimal(units) + Decimal(micros) / 10**6 == sum(amounts)
        assert 0 <= micros < 10**6


def _as_sent(amount: Decimal) -> int | float:
    return int(amount) if amount == amount.to_integral_value() else float(amount)


@pytest.mark.parametrize("value", [True, "5", None, [1], SUMMED_MAX * 2, -(10**30), {"amount": 1}])
def test_what_is_no_amount_is_not_summed(value: object) -> None:
    """Truth values, texts, and numbers beyond what money comes to."""
    assert folded([fact(properties={"revenue": value})]).behaviours["Product Viewed"].sums == {}


def test_ids_are_not_summed_but_amounts_that_sound_like_them_are() -> None:
    """The sum of product ids means nothing; that of what was paid does."""
    ids = {"id": 1, "product_id": 2, "productId": 3, "orderID": 4, "cart-id": 5}
    sums = folded([fact(properties=ids | {"paid": 6, "amount_paid": 7, "bid": 8})]).behaviours["Product Viewed"].sums
    assert sums == {"paid": [6, 0], "amount_paid": [7, 0], "bid": [8, 0]}


def test_a_property_whose_name_is_too_long_is_not_summed() -> None:
    """Its name would be written again with each event of that person."""
    sums = folded([fact(properties={"x" * (PATH_CHARS_MAX + 1): 1, "y": 2})]).behaviours["Product Viewed"].sums
    assert sums == {"y": [2, 0]}


def test_amounts_of_money_are_kept_before_other_numbers() -> None:
    """An event with more numbers than fit keeps the sums that everybody asks for."""
    properties = {f"p{n}": n for n in range(40)} | {"revenue": 5, "quantity": 2, "discount": 1}
    sums = folded([fact(properties=properties)]).behaviours["Product Viewed"].sums
    assert len(sums) == SUMS_MAX
    assert {"revenue", "quantity", "discount"} <= set(sums)


# -- whose word counts


def _told(*said: tuple[str, int, int]) -> Any:
    """The value of a trait after (value, rank, minutes after noon) were said, the last first and the first first."""
    given = [
        fact(f"m{n}", at=NOON_MS + minute, rank=rank, traits={"city": v}) for n, (v, rank, minute) in enumerate(said)
    ]
    values = {folded(each).traits["city"].value for each in (given, given[::-1])}
    assert len(values) == 1, "the order of arrival must not matter"
    return values.pop()


ZERO, FIRST, THIRD = (TRUST_RANK[party] for party in (Party.ZERO, Party.FIRST, Party.THIRD))


def test_of_equals_the_later_word_counts() -> None:
    """By the time of the event, not of its arrival."""
    assert _told(("Bonn", FIRST, 1), ("Köln", FIRST, 2)) == "Köln"


def test_a_less_trusted_source_does_not_overwrite_a_more_trusted_one() -> None:
    """What was bought elsewhere does not replace what we saw, nor that what the customer told us."""
    assert _told(("Bonn", FIRST, 1), ("Köln", THIRD, 2)) == "Bonn"
    assert _told(("Bonn", ZERO, 1), ("Köln", FIRST, 2), ("Rom", THIRD, 3)) == "Bonn"
    assert _told(("Bonn", FIRST, 2), ("Köln", ZERO, 1)) == "Köln"


def test_a_sender_may_ask_to_overwrite() -> None:
    """A correction beats even what the customer told, until the next correction."""
    assert _told(("Bonn", ZERO, 1), ("Köln", OVERWRITE_RANK, 2)) == "Köln"
    assert _told(("Köln", OVERWRITE_RANK, 2), ("Bonn", ZERO, 3)) == "Köln"
    assert _told(("Köln", OVERWRITE_RANK, 2), ("Rom", OVERWRITE_RANK, 3)) == "Rom"


def test_an_unset_trait_stays_unset_for_older_facts() -> None:
    """Null is a value of its own time and rank."""
    given = [fact("m1", at=NOON_MS, traits={"city": "Bonn"}), fact("m2", at=NOON_MS + 1, traits={"city": None})]
    for each in (given, given[::-1]):
        assert folded(each).traits["city"].value is None


def test_of_one_millisecond_the_tie_decides() -> None:
    """Both orders of arrival agree on it."""
    given = [fact("m1", traits={"city": "Bonn"}), fact("m2", traits={"city": "Köln"})]
    winner = max(given, key=tie_of)
    assert winner.traits is not None
    for each in (given, given[::-1]):
        assert folded(each).traits["city"].value == winner.traits["city"]


# -- where things are kept


@given(OBJECTS)
def test_paths_lead_back_to_their_names(traits: dict[str, Any]) -> None:
    """Dots and backslashes in names do not run together with the dots between them."""
    found = [(tuple(split_path(path)), value) for path, value in leaves(traits)]
    assert len({path for path, _ in found}) == len(found)
    for path, value in found:
        node: Any = traits
        for name in path:
            node = node[name]
        assert node == value


def test_calls_that_are_not_behaviour_are_counted_by_type_only() -> None:
    """Page and screen views have one name for all pages; identify, group and alias have none."""
    kinds = (EventType.IDENTIFY, EventType.GROUP, EventType.ALIAS, EventType.PAGE, EventType.SCREEN, EventType.SYSTEM)
    state = folded(fact(str(kind), "Home", type=kind) for kind in kinds)
    assert set(state.behaviours) == {"Page Viewed", "Screen Viewed", "Home"}
    assert state.type_counts == {str(kind): 1 for kind in kinds}


def test_a_group_keeps_its_traits_and_who_said_to_belong_to_it() -> None:
    """By the most telling identifier of each, for a bounded number of them, whatever the order."""
    given = [
        fact(f"m{n}", at=NOON_MS + n % 3, type=EventType.GROUP, group="acme", ids=(f"user_id:{n}", "email:x"))
        for n in range(150)
    ]
    given.append(fact("m", type=EventType.GROUP, group="acme", traits={"mine": 1}, group_traits={"plan": "pro"}))
    states = []
    for each in (given, given[::-1]):
        state = PersonState(ANN)
        for one in each:
            fold_group_fact(state, one, tie_of(one))
        states.append(encode_state(state))
    assert states[0] == states[1]
    group = decode_state(states[0])
    assert len(group.members) == MEMBERS_MAX
    assert {path: trait.value for path, trait in group.traits.items()} == {"plan": "pro"}
    assert group.event_count == 151
