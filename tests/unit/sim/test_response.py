"""What a message causes is what the world says it causes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest

from sim import MessageKind, World, WorldConfig
from sim.clock import DAY_MS
from sim.response import HALF_LIFE_MS
from sim.shopper import visit_times
from tests.unit.sim.told import told, turn

_CONFIG = WorldConfig(seed=3, shopper_count=400, day_count=12, orders_per_visit=0.15).tidy()
_TREATED_MS = _CONFIG.start_ms + 2 * DAY_MS


def _turn_with(
    config: WorldConfig, shoppers: Iterable[int], kind: MessageKind, value: float, count: int = 1
) -> tuple[World, float]:
    """The world at its end after each shopper got so many messages, and the extra orders it foretold."""
    world = World(config)
    foretold = sum(
        world.receive(shopper, kind, value, _TREATED_MS + number).extra_orders
        for shopper in shoppers
        for number in range(count)
    )
    for _ in world.deliveries():
        pass
    return world, foretold


@pytest.mark.parametrize("kind", list(MessageKind))
def test_the_foretold_orders_come_in_expectation(kind: MessageKind) -> None:
    """Over many seeds, orders with messages less orders without agree with the sum of the foretold effects.

    The difference is a sum of independent single orders, gained or lost, so that its variance is at most
    their number; the seeds are fixed, and three standard deviations are allowed.
    """
    gained = changed = 0
    foretold = 0.0
    for seed in range(10):
        config = replace(_CONFIG, seed=seed, shopper_count=150)
        treated, expected = _turn_with(config, range(150), kind, 0.6)
        gained += len(treated.orders) - len(turn(config).orders)
        changed += sum(order.caused for order in treated.orders) + treated.prevented_count
        foretold += expected
    assert abs(gained - foretold) < 3 * math.sqrt(changed)
    assert foretold > 10


def test_each_caused_and_each_prevented_order_is_known() -> None:
    """Orders with messages are those without, plus the caused, less the prevented: exactly, not on average."""
    without = {order.order_id for order in turn(_CONFIG).orders}
    treated, _ = _turn_with(_CONFIG, range(400), MessageKind.REMINDER, 0.5, count=5)
    caused = {order.order_id for order in treated.orders if order.caused}
    uncaused = {order.order_id for order in treated.orders if not order.caused}
    assert caused
    assert not caused & without
    assert uncaused < without
    assert treated.prevented_count == len(without - uncaused) > 0


def test_shoppers_without_a_message_do_the_same_as_ever() -> None:
    """A message to one shopper leaves every byte of what others send as it was."""

    def of_the_odd(world: World) -> set[bytes]:
        return {
            each.raw for each in told(world.deliveries()) if each.truth.shopper is not None and each.truth.shopper % 2
        }

    treated = World(_CONFIG)
    for shopper in range(0, 400, 2):
        treated.receive(shopper, MessageKind.DISCOUNT, 0.5, _TREATED_MS)
    assert of_the_odd(treated) == of_the_odd(World(_CONFIG))


def test_without_messages_nothing_is_caused() -> None:
    """The baseline has no caused and no prevented orders."""
    world = turn(_CONFIG)
    assert not any(order.caused for order in world.orders)
    assert world.prevented_count == 0


def test_the_baseline_rate_is_the_stated_chance() -> None:
    """Orders number what the chances at all visits add up to, within three standard deviations."""
    world = World(_CONFIG)
    chances = [
        world.purchase_chance(shopper.index, at_ms)
        for shopper in world.shoppers
        for at_ms in visit_times(_CONFIG, shopper)
    ]
    for _ in world.deliveries():
        pass
    deviation = math.sqrt(sum(chance * (1 - chance) for chance in chances))
    assert abs(len(world.orders) - sum(chances)) < 3 * deviation


def test_too_many_messages_cost_orders() -> None:
    """A flood of messages irritates: the effect of a dozen at once is a loss."""
    treated, foretold = _turn_with(_CONFIG, range(400), MessageKind.NEWS, 0.2, count=12)
    assert foretold < 0
    assert treated.prevented_count > sum(order.caused for order in treated.orders)


def test_some_are_better_left_alone() -> None:
    """A single message raises the rate of most shoppers and lowers that of a few."""
    world = World(_CONFIG)
    lifts = [world.effect_of(shopper, MessageKind.REMINDER, 1.0, _TREATED_MS).lift for shopper in range(400)]
    assert sum(lift > 0 for lift in lifts) > 200
    assert sum(lift < 0 for lift in lifts) > 10


def test_a_discount_moves_the_price_sensitive_and_more_of_it_moves_more() -> None:
    """The lift of a discount follows the shopper's price sensitivity and its size."""
    world = World(_CONFIG)
    by_sensitivity = sorted(world.shoppers, key=lambda shopper: shopper.temper.price_sensitivity)
    lifts = [world.effect_of(s.index, MessageKind.DISCOUNT, 0.2, _TREATED_MS).lift for s in by_sensitivity]
    assert lifts == sorted(lifts)
    more = [world.effect_of(s.index, MessageKind.DISCOUNT, 0.4, _TREATED_MS).lift for s in by_sensitivity]
    assert all(much > little for much, little in zip(more, lifts, strict=True))


def test_an_effect_fades_by_half_each_half_life() -> None:
    """The rate relative to the baseline returns to it exponentially."""
    world, still = World(_CONFIG), World(_CONFIG)
    lift = world.receive(7, MessageKind.REMINDER, 1.0, _TREATED_MS).lift
    for half_lives in range(4):
        at_ms = _TREATED_MS + half_lives * HALF_LIFE_MS[MessageKind.REMINDER]
        ratio = world.purchase_chance(7, at_ms) / still.purchase_chance(7, at_ms)
        assert ratio == pytest.approx(1 + lift / 2**half_lives)
    assert world.purchase_chance(7, _TREATED_MS - 1) == still.purchase_chance(7, _TREATED_MS - 1)


def test_a_message_brings_some_back_through_its_campaign() -> None:
    """A visit that a message caused starts when foretold and says in its context which campaign it follows."""
    world = World(_CONFIG)
    effects = [world.receive(shopper, MessageKind.DISCOUNT, 0.9, _TREATED_MS) for shopper in range(400)]
    expected = {effect.brings_back_at_ms for effect in effects} - {None}
    assert len(expected) > 5
    started = {
        each.truth.occurred_ms
        for each in told(world.deliveries())
        if each.message["context"].get("campaign", {}).get("source") == "courtesy"
    }
    assert expected <= started


def test_a_discount_is_taken_off_one_order_within_a_week() -> None:
    """The first order after it is cheaper by the part promised; the next is not."""
    world = World(_CONFIG)
    for shopper in range(400):
        world.receive(shopper, MessageKind.DISCOUNT, 0.25, _TREATED_MS)
    first: dict[int, int] = {}
    for each in told(world.deliveries()):
        if each.truth.name == "Order Completed" and each.truth.shopper is not None:
            order = each.message["properties"]
            full = order["revenue"] + order["discount"]
            if each.truth.occurred_ms < _TREATED_MS:
                assert order["discount"] == 0
            elif each.truth.shopper not in first and each.truth.occurred_ms < _TREATED_MS + 7 * DAY_MS:
                first[each.truth.shopper] = each.truth.occurred_ms
                assert order["discount"] == pytest.approx(0.25 * full, abs=1)
            else:
                assert order["discount"] == 0
    assert len(first) > 20


def test_asking_for_an_effect_changes_nothing() -> None:
    """`effect_of` foretells what `receive` then returns, any number of times, and leaves the chances alone."""
    world, still = World(_CONFIG), World(_CONFIG)
    asked = [world.effect_of(5, MessageKind.DISCOUNT, 0.4, _TREATED_MS) for _ in range(3)]
    assert world.purchase_chance(5, _TREATED_MS) == still.purchase_chance(5, _TREATED_MS)
    assert asked == [world.receive(5, MessageKind.DISCOUNT, 0.4, _TREATED_MS)] * 3
    assert world.purchase_chance(5, _TREATED_MS) > still.purchase_chance(5, _TREATED_MS)


@pytest.mark.parametrize(
    ("kind", "value", "at_ms", "reason"),
    [
        ("discount", 0.1, _CONFIG.start_ms - 1, "where the world stands"),
        ("discount", 1.1, _TREATED_MS, "value from 0 to 1"),
        ("carrier pigeon", 0.1, _TREATED_MS, "carrier pigeon"),
    ],
)
def test_a_message_that_cannot_be_is_refused(kind: str, value: float, at_ms: int, reason: str) -> None:
    """The past can't be changed, and kinds and values are closed."""
    with pytest.raises(ValueError, match=reason):
        World(_CONFIG).receive(5, kind, value, at_ms)
