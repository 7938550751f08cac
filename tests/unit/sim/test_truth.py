"""The truth about each message agrees with the bytes that were delivered, and the summary with the truth."""

from __future__ import annotations

from collections import Counter, defaultdict

import msgspec
import pytest

from sim import Expected, Flaw, Summary
from tests.unit.sim.conftest import Story
from tests.unit.sim.told import ms_of, stated_ms, turn


def test_deliveries_come_in_the_order_of_their_arrival(messy: Story) -> None:
    """A consumer may take the arrival as its clock."""
    arrivals = [delivery.arrives_at_ms for delivery in messy.deliveries]
    assert arrivals == sorted(arrivals)


def test_every_message_has_its_truth_at_its_place(messy: Story) -> None:
    """`truth` runs along the body, message by message."""
    assert messy.told
    assert all(each.message["messageId"] == each.truth.message_id for each in messy.told)


def test_a_body_without_truth_is_unreadable_and_no_other(messy: Story) -> None:
    """What a server must answer with 400 is exactly what has no truth."""
    without = [delivery.body for delivery in messy.deliveries if not delivery.truth]
    assert len(without) == messy.world.summary.unreadable_count > 10
    for body in without:
        with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
            msgspec.json.decode(body)


def test_names_are_those_of_the_messages(messy: Story) -> None:
    """`name` is the event of a track call and the type of any other."""
    for each in messy.told:
        if each.truth.flaw is not Flaw.WRONG_TYPE:
            assert each.truth.name == each.message.get("event", each.message["type"])


def test_flaw_and_expectation_go_together(messy: Story) -> None:
    """Only what is stored has no flaw; only what was sent again is a duplicate."""
    for each in messy.told:
        assert (each.truth.flaw is None) == (each.truth.expected is Expected.STORED)
        assert (each.truth.flaw is Flaw.SENT_AGAIN) == (each.truth.expected is Expected.DUPLICATE)


def test_a_message_is_stored_once_and_its_copies_are_the_same_bytes(messy: Story) -> None:
    """A duplicate comes after the one that is stored, from the same source, byte for byte the same."""
    stored: dict[tuple[str, str], bytes] = {}
    copies = 0
    for each in messy.told:
        key = (each.delivery.source, each.truth.message_id)
        if each.truth.expected is Expected.STORED:
            assert key not in stored
            stored[key] = each.raw
        elif each.truth.expected is Expected.DUPLICATE:
            assert stored[key] == each.raw
            copies += 1
    assert copies == messy.world.summary.duplicate_count > 100


def test_the_messages_of_a_shopper_carry_nobody_elses_identity(messy: Story) -> None:
    """Logins and addresses in a message are those of who made it, whatever else is wrong with it."""
    for each in messy.told:
        user_id, traits = each.message.get("userId"), each.message.get("traits") or {}
        if isinstance(user_id, str):
            assert each.truth.shopper is not None
            assert user_id == messy.world.shoppers[each.truth.shopper].user_id
        if "email" in traits:
            assert each.truth.shopper is not None
            assert traits["email"] in messy.world.shoppers[each.truth.shopper].emails


def test_no_two_shoppers_share_an_address(messy: Story) -> None:
    """A mistyped address is nobody else's, so that addresses tell people apart."""
    addresses = [address for shopper in messy.world.shoppers for address in shopper.emails]
    assert len(set(addresses)) == len(addresses)


def test_revenue_is_the_sum_of_orders_told_once_each(messy: Story) -> None:
    """The summary's orders and revenue are those in the bodies, counting each message id once."""
    seen: set[str] = set()
    revenue: Counter[str] = Counter()
    for each in messy.told:
        if each.truth.name == "Order Completed" and each.truth.message_id not in seen:
            seen.add(each.truth.message_id)
            properties = each.message["properties"]
            per_major = 1 if properties["currency"] == "JPY" else 100
            revenue[properties["currency"]] += round(properties["revenue"] * per_major)
    assert revenue == messy.world.summary.revenue
    assert len(seen) == messy.world.summary.order_count == len(messy.world.orders) > 100


def test_orders_add_up(messy: Story) -> None:
    """Lines less discount make revenue; with shipping and tax they make the total."""
    for each in messy.told:
        if each.truth.name == "Order Completed":
            order = each.message["properties"]
            full = sum(line["price"] * line["quantity"] for line in order["products"])
            assert order["revenue"] == order["subtotal"] == pytest.approx(full - order["discount"])
            assert order["total"] == pytest.approx(order["revenue"] + order["shipping"] + order["tax"])


def test_what_comes_back_was_bought_before(messy: Story) -> None:
    """A refund names an order that was made before it, in its currency, and is at most its revenue."""
    orders = {order.order_id: order for order in messy.world.orders}
    refunds = [each for each in messy.told if each.truth.name == "Order Refunded"]
    assert len({each.truth.message_id for each in refunds}) == messy.world.summary.return_count > 5
    for each in refunds:
        order, money = orders[each.message["properties"]["order_id"]], each.truth.money
        assert money is not None
        assert order.shopper == each.truth.shopper
        assert order.ordered_at_ms < each.truth.occurred_ms
        assert order.revenue.currency == money.currency
        assert 0 < money.minor <= order.revenue.minor


def test_the_summary_counts_each_message_once(messy: Story) -> None:
    """Received is stored plus duplicate plus quarantined, per source and per event too."""
    summary = messy.world.summary
    stored = [each for each in messy.told if each.truth.expected is Expected.STORED]
    assert summary.message_count == len(messy.told)
    assert summary.stored_count == len(stored)
    assert summary.event_counts == Counter(each.truth.name for each in stored)
    assert summary.stored_by_source == Counter(each.delivery.source for each in stored)
    assert summary.people == {each.truth.shopper for each in stored} - {None}
    assert summary.delivery_count == len(messy.deliveries)


def test_a_summary_can_be_taken_at_any_moment(messy: Story) -> None:
    """It is no more than the sum of the deliveries added."""
    halfway = Summary()
    for delivery in messy.deliveries[:500]:
        halfway.add(delivery)
    assert halfway.message_count == sum(len(delivery.truth) for delivery in messy.deliveries[:500])
    assert 0 < halfway.as_dict()["people"] < len(messy.world.shoppers)


def test_times_come_out_true_after_correction(messy: Story) -> None:
    """Arrival less the span from the stated time to `sentAt` is the true time, but for a second on the way."""
    for each in messy.told:
        assert each.sent_at is not None
        corrected_ms = each.delivery.arrives_at_ms - (ms_of(each.sent_at) - stated_ms(each.message))
        assert 0 <= corrected_ms - each.truth.occurred_ms < 1_000


def test_nothing_arrives_before_it_happens_or_happens_outside_the_span(messy: Story) -> None:
    """Visits start within the world's days; only what follows from them comes later."""
    config = messy.world.config
    for each in messy.told:
        assert config.start_ms <= each.truth.occurred_ms < each.delivery.arrives_at_ms
    late = sum(each.truth.occurred_ms >= config.end_ms for each in messy.told)
    assert late < len(messy.told) / 100


def test_bodies_stay_within_the_limits_of_the_spec(messy: Story) -> None:
    """500 KB and 2,500 messages a body, 100 characters a message id; only oversize messages exceed 32 KB."""
    for delivery in messy.deliveries:
        assert len(delivery.body) <= 500_000
        assert len(delivery.truth) <= 2_500
    for each in messy.told:
        assert len(each.truth.message_id) <= 100
        assert (len(each.raw) > 32_768) == (each.truth.flaw is Flaw.OVERSIZE)


def test_a_tidy_world_is_stored_whole(tidy: Story) -> None:
    """Without mischief nothing is refused, nobody is a bot, and an id belongs to one shopper."""
    owners: dict[str, set[int | None]] = defaultdict(set)
    for each in tidy.told:
        assert each.truth.expected is Expected.STORED
        assert each.truth.shopper is not None
        for kind in ("anonymousId", "userId"):
            if kind in each.message:
                owners[each.message[kind]].add(each.truth.shopper)
    assert all(len(shoppers) == 1 for shoppers in owners.values())
    assert tidy.world.summary.unreadable_count == 0


def test_mischief_does_not_change_who_buys(messy: Story, tidy: Story) -> None:
    """What goes wrong on the way is drawn apart from what shoppers want, so that worlds can be compared."""
    wanted = [{(order.shopper, order.order_id) for order in story.world.orders} for story in (messy, tidy)]
    assert wanted[0] == wanted[1]


def test_a_world_told_as_history_has_no_sent_at(tidy: Story) -> None:
    """A server with a real clock then takes the times as they are stated."""
    history = tidy.world.config.as_history()
    world = turn(history)
    assert world.summary.as_dict() == tidy.world.summary.as_dict()
    assert not history.states_sent_at
