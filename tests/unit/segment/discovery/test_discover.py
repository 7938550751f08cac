"""What differs is found and checked; what does not is not proposed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from courtesy.segment import tree
from courtesy.segment.discovery.collecting import Collector
from courtesy.segment.discovery.conditions import counted, numbered, valued
from courtesy.segment.discovery.discover import Discovery, Found, discover
from courtesy.segment.discovery.people import is_found
from courtesy.segment.discovery.saying import people_who, sentence
from courtesy.segment.discovery.wanted import Direction, Wanted
from courtesy.segment.printing import write
from courtesy.segment.tree import Segment, Whose

VIEW = tree.Event("View")


class Crowd:
    """Some people of whom is known in which country they are, how often they viewed, and what else is noise."""

    def __init__(self, seed: int, people: int = 8_000) -> None:
        self.chance = np.random.default_rng(seed)
        self.people = np.arange(people) * 16 + 3
        self.country = self.chance.integers(0, 8, people)
        self.views = self.chance.poisson(1.0, people)
        self.noise = self.chance.normal(size=(20, people))

    def outcome(self, rates: NDArray[np.float64] | float) -> NDArray[np.bool_]:
        """Who had it, each with their rate."""
        return self.chance.random(self.people.size) < rates

    def conditions(self, outcome: NDArray[np.bool_], wanted: Wanted) -> Found:
        """All that can be said of them."""
        collector = Collector(self.people, outcome, wanted.least_people, wanted.seed)
        for number in range(8):
            collector.add(valued("country", Whose.PERSON, f"C{number}", self.country == number))
        collector.add(counted(VIEW, None, self.views))
        for number, values in enumerate(self.noise):
            collector.add(numbered(f"noise{number}", Whose.PERSON, values))
        return collector.done()

    def discover(self, outcome: NDArray[np.bool_], wanted: Wanted) -> Discovery:
        """What is proposed."""
        return discover(self.conditions(outcome, wanted), wanted)


def _texts(found: Discovery) -> list[str]:
    return [write(Segment(1, each.expression)) for each in found.proposals]


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_conjunction_is_the_first_proposal(seed: int) -> None:
    """Two conditions that matter only together are found together, with the rate that was planted."""
    crowd = Crowd(seed)
    planted = (crowd.country == 3) & (crowd.views >= 2)
    found = crowd.discover(crowd.outcome(np.where(planted, 0.4, 0.1)), Wanted(seed=seed))
    first = found.proposals[0]
    assert _texts(found)[0] == 'country is C3 and did "View" at least 2 times'
    assert first.all.people == planted.sum()
    assert first.held.low < 0.4 < first.held.high
    assert first.more
    assert first.lift > 2
    assert first.adjusted < 0.001


def test_what_makes_it_rarer_is_found_when_asked_for() -> None:
    """The direction holds for all proposals: of those asked to be rarer, each is."""
    crowd = Crowd(1)
    rates = np.where(crowd.country == 5, 0.05, 0.3)
    fewer = crowd.discover(crowd.outcome(rates), Wanted(direction=Direction.LESS))
    assert _texts(fewer)[0] == "country is C5"
    assert all(not each.more and each.lift < 1 for each in fewer.proposals)
    more = crowd.discover(crowd.outcome(rates), Wanted(direction=Direction.MORE))
    assert all(each.more for each in more.proposals)


def test_noise_gives_no_more_false_proposals_than_promised() -> None:
    """Where nothing differs each proposal is false: of 100 worlds 5 may have one. (12 have by chance in 1 of 200.)"""
    deceived = 0
    for seed in range(100):
        crowd = Crowd(seed, people=2_000)
        deceived += bool(crowd.discover(crowd.outcome(0.2), Wanted(seed=seed)).proposals)
    assert deceived <= 11


def test_noise_is_not_joined_to_what_holds() -> None:
    """With one true effect, next to no proposal names a number that has nothing to do with it."""
    named = total = 0
    for seed in range(40):
        crowd = Crowd(seed, people=4_000)
        found = crowd.discover(crowd.outcome(np.where(crowd.country == 2, 0.5, 0.2)), Wanted(seed=seed))
        named += sum("noise" in text or "View" in text for text in _texts(found))
        total += len(found.proposals)
    assert total >= 40
    assert named <= 0.1 * total


def test_it_is_the_same_for_the_same_seed_in_whatever_order_conditions_come() -> None:
    """Nothing depends on chance that was not asked for."""
    crowd = Crowd(7)
    outcome = crowd.outcome(np.where(crowd.views >= 3, 0.5, 0.2))
    wanted = Wanted(seed=11)
    backwards = Collector(crowd.people, outcome, wanted.least_people, wanted.seed)
    for number in reversed(range(20)):
        backwards.add(numbered(f"noise{number}", Whose.PERSON, crowd.noise[number]))
    backwards.add(counted(VIEW, None, crowd.views))
    for number in reversed(range(8)):
        backwards.add(valued("country", Whose.PERSON, f"C{number}", crowd.country == number))
    assert crowd.discover(outcome, wanted) == discover(backwards.done(), wanted)


def test_the_parts_of_the_people_are_those_of_the_hash() -> None:
    """Who is held out depends on their number and the seed alone, and is two in five."""
    people = np.arange(100_000)
    found = is_found(people, 3)
    assert abs(found.mean() - 0.6) < 0.01
    assert (is_found(people[::7], 3) == found[::7]).all()
    assert abs((is_found(people, 4) == found).mean() - 0.52) < 0.01


def test_of_conditions_that_select_the_same_people_the_simplest_stays() -> None:
    """Two ways of saying the same are one condition."""
    people = np.arange(1_000)
    inside = people % 3 == 0
    collector = Collector(people, inside, 10, 0)
    collector.add(valued("a.longer.path", Whose.PERSON, "x", inside))
    collector.add(valued("plan", Whose.PERSON, "x", inside))
    assert [write(Segment(1, each)) for each in collector.done().nodes] == ["plan is x"]
    assert collector.seen_count == 2


def test_nearly_the_same_people_are_proposed_once() -> None:
    """Of ten conditions that differ by few people one is proposed, and so is not what they leave out."""
    crowd = Crowd(2)
    plan = crowd.chance.random(crowd.people.size) < 0.2
    outcome = crowd.outcome(np.where(plan, 0.5, 0.2))
    collector = Collector(crowd.people, outcome, 50, 0)
    for number in range(10):
        collector.add(valued(f"copy{number}", Whose.PERSON, True, plan ^ (crowd.noise[number] > 2.3)))
        collector.add(valued(f"rest{number}", Whose.PERSON, True, ~plan ^ (crowd.noise[number + 10] > 2.3)))
    assert len(discover(collector.done(), Wanted()).proposals) == 1


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_an_outcome_that_nobody_or_everybody_had_gives_nothing(rate: float) -> None:
    """There is nothing that could differ."""
    found = Crowd(0, people=500).discover(Crowd(0, people=500).outcome(rate), Wanted())
    assert found.proposals == ()
    assert found.all.share == rate


def test_nobody_at_all_gives_nothing() -> None:
    """Without people there are no conditions, and no proposals."""
    nobody = np.empty(0, np.int64)
    collector = Collector(nobody, np.empty(0, np.bool_), 10, 0)
    collector.add(valued("plan", Whose.PERSON, "x", np.empty(0, np.bool_)))
    found = discover(collector.done(), Wanted())
    assert (found.proposals, found.all.people, found.condition_count) == ((), 0, 0)


def test_a_proposal_is_said_in_a_sentence() -> None:
    """Whom it selects, how many they are, and the rates with what they are compared to."""
    crowd = Crowd(4)
    planted = (crowd.country == 3) & (crowd.views >= 2)
    found = crowd.discover(crowd.outcome(np.where(planted, 0.4, 0.1)), Wanted())
    said = sentence(found.proposals[0], found, "bought again")
    assert said.startswith('people whose country is C3 and who did "View" at least 2 times: 237 people, of whom 40 %')
    assert " bought again, against 1" in said
    assert "; of those not looked at before " in said


def test_all_kinds_of_conditions_can_be_said() -> None:
    """Numbers are said in words, and what they are of is said before."""
    measure = tree.Measure(tree.Function.SUM, "total", VIEW)
    both = tree.All((tree.Amount(measure, tree.Compare(tree.Sign.AT_LEAST, 50)), tree.Did(VIEW, 0, 0)))
    assert people_who(both) == 'people whose sum of total of "View" is at least 50 and who did not "View"'
    assert people_who(tree.Field("age", tree.Compare(tree.Sign.LESS, 1.5))) == "people whose age is under 1.5"
