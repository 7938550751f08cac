"""The simulated shop against the real parts: the people that the system finds are the shoppers who there are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import replace

import pytest

from courtesy.base.ids import PersonId
from sim import Mischief, WorldConfig
from sim.truth import ORDERED, REFUNDED
from tests.sim.shop import Shop, fed

SEEDS = (1, 2, 3)
SMALL = WorldConfig(shopper_count=40, day_count=12, visits_per_day=0.5, orders_per_visit=0.3)
MISCHIEF = replace(Mischief(), floods_per_day=0.0, family_tablet=0.6, shop_tablet=0.4, kept_id=0.8, retry=0.05)
"""Shared tablets, ids kept after logout, typos, wrong clocks and late batches, far more often than in a real shop."""


@pytest.fixture(scope="module", params=SEEDS)
def tidy(request: pytest.FixtureRequest) -> Shop:
    """A shop in which nothing goes wrong."""
    return fed(replace(SMALL, seed=request.param).tidy())


@pytest.fixture(scope="module", params=SEEDS)
def rough(request: pytest.FixtureRequest) -> Shop:
    """A shop in which much goes wrong."""
    return fed(replace(SMALL, seed=request.param, mischief=MISCHIEF))


def groups(pairs: Iterable[tuple[Hashable, str]]) -> set[frozenset[str]]:
    """The members of each group, whatever the groups are called."""
    found: dict[Hashable, set[str]] = defaultdict(set)
    for group, member in pairs:
        found[group].add(member)
    return {frozenset(members) for members in found.values()}


def components(links: Iterable[list[str]]) -> dict[str, str]:
    """For each identifier one that stands for all that are linked with it: union-find, without any rule."""
    parent: dict[str, str] = {}

    def top(key: str) -> str:
        while parent.setdefault(key, key) != key:
            key = parent[key]
        return key

    for ids in links:
        for key in ids[1:]:
            parent[top(ids[0])] = top(key)
        top(ids[0])
    return {key: top(key) for key in parent}


def test_people_are_the_shoppers_as_far_as_their_identifiers_go(tidy: Shop) -> None:
    """Without mischief no message is with another's, and all that identifiers connect is one person."""
    stored = list(tidy.stored())
    tops = components(ids for _, _, ids in stored)
    expected = groups((tops[ids[0]], truth.message_id) for truth, _, ids in stored)
    assert groups((person, truth.message_id) for truth, person, _ in stored) == expected
    shoppers: dict[PersonId, set[int | None]] = defaultdict(set)
    for truth, person, _ in stored:
        shoppers[person].add(truth.shopper)
    assert len(stored) == tidy.world.summary.stored_count
    assert {len(each) for each in shoppers.values()} == {1}


def test_no_two_shoppers_with_logins_become_one(rough: Shop) -> None:
    """Whatever tablets they share and ids their devices keep: who ever signed in is nobody else."""
    shoppers: dict[PersonId, set[int | None]] = defaultdict(set)
    people: dict[int | None, set[PersonId]] = defaultdict(set)
    for truth, person, ids in rough.stored():
        if any(key.startswith("user_id:") for key in ids):
            shoppers[person].add(truth.shopper)
            people[truth.shopper].add(person)
    owners = rough.disk.identity.owners({key for _, _, ids in rough.stored() for key in ids})
    assert any(owner.shared for owner in owners.values())
    assert len(shoppers) > 10
    assert {len(each) for each in shoppers.values()} == {1}
    assert {len(each) for each in people.values()} == {1}


def test_messages_meet_the_fate_that_they_deserve(rough: Shop) -> None:
    """What is whole is stored once, what comes again is a duplicate, what is broken waits in quarantine."""
    assert {expected for expected, fate in rough.judged if expected != fate} == set()
    assert rough.judged.total() == rough.world.summary.message_count
    assert rough.unreadable_count == rough.world.summary.unreadable_count


def test_everything_is_counted_once(rough: Shop) -> None:
    """Orders, refunds and page views of all people together are what the shop really had."""
    counts: Counter[str] = Counter()
    for state in rough.states():
        counts.update({name: each.count for name, each in state.behaviours.items()})
    expected = rough.world.summary.event_counts
    assert counts["Page Viewed"] == expected["page"]
    assert {name: counts[name] for name in (ORDERED, REFUNDED, "Product Viewed")} == {
        name: expected[name] for name in (ORDERED, REFUNDED, "Product Viewed")
    }
