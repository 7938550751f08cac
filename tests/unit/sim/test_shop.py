"""Shoppers, catalogue, clock and configuration: what a world is made of."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import DeviceKind, Mischief, Truth, World, WorldConfig
from sim.backoffice import TILL_EVERY_MS
from sim.catalogue import make_catalogue
from sim.clock import DAY_MS, HOUR_MS, iso, next_boundary
from sim.device import Device
from sim.truth import Expected
from sim.wire import BATCH_BYTES_MAX, Written, split_by_size, split_by_time
from tests.unit.sim.conftest import Story


@given(st.integers(0, 4_000_000_000_000))
def test_instants_are_written_as_iso_8601(at_ms: int) -> None:
    """The fast way of writing an instant agrees with the library's."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)
    assert iso(at_ms) == moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@given(st.integers(0, 10**13), st.integers(1, 10**8), st.integers(0, 10**7))
def test_a_boundary_is_the_next_and_never_now(at_ms: int, every_ms: int, offset_ms: int) -> None:
    """It lies after the instant, at most one period away, on the grid."""
    boundary = next_boundary(at_ms, every_ms, offset_ms)
    assert at_ms < boundary <= at_ms + every_ms
    assert (boundary - offset_ms) % every_ms == 0


def test_names_come_in_several_scripts(messy: Story) -> None:
    """Names, as their bearers write them, are in ten scripts and more; addresses are plain ASCII."""
    letters = {letter for shopper in messy.world.shoppers for letter in shopper.name if letter.isalpha()}
    scripts = {unicodedata.name(letter).split()[0] for letter in letters}
    assert {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "DEVANAGARI", "CJK", "HANGUL", "HIRAGANA"} <= scripts
    assert all(email.isascii() for shopper in messy.world.shoppers for email in shopper.emails)


def test_shoppers_differ_in_where_they_live_and_what_they_hold(messy: Story) -> None:
    """Countries, currencies and all kinds of devices occur, and some shoppers buy for a company."""
    shoppers = messy.world.shoppers
    assert len({shopper.culture.country for shopper in shoppers}) > 10
    assert {shopper.culture.currency for shopper in shoppers} == {"EUR", "GBP", "USD", "JPY"}
    assert {device.kind for shopper in shoppers for device in shopper.devices} == set(DeviceKind)
    assert {shopper.company is None for shopper in shoppers} == {True, False}


def test_a_family_shares_tablet_and_name(messy: Story) -> None:
    """Who shares a family tablet lives in one household and bears one family name."""
    users: dict[Device, list[int]] = {}
    for shopper in messy.world.shoppers:
        for device in shopper.devices:
            if device.kind is DeviceKind.FAMILY_TABLET:
                users.setdefault(device, []).append(shopper.index)
    assert len(users) > 5
    for members in users.values():
        assert len({index // 3 for index in members}) == 1
        assert len({messy.world.shoppers[index].family for index in members}) == 1


def test_products_have_a_price_in_each_currency_and_stand_in_a_category() -> None:
    """The catalogue is whole: ids unique, prices positive, its JSON in line with its fields."""
    catalogue = make_catalogue(4)
    assert len({product.product_id for product in catalogue.products}) == len(catalogue.products) > 300
    assert sum(len(shelf) for shelf in catalogue.by_category.values()) == len(catalogue.products)
    for product in catalogue.products:
        for currency, price in product.prices.items():
            described = msgspec.json.decode(product.described[currency])
            assert described["price"] == pytest.approx(price if currency == "JPY" else price / 100)
            assert described["category"] == product.category
            assert price > 0


def test_prices_are_in_yen_without_decimals(messy: Story) -> None:
    """A currency without a minor unit is told in whole numbers."""
    yen = [
        each.message["properties"]["revenue"]
        for each in messy.told
        if each.truth.name == "Order Completed" and each.message["properties"]["currency"] == "JPY"
    ]
    assert yen
    assert all(isinstance(revenue, int) for revenue in yen)


def test_all_kinds_of_calls_and_sources_occur(messy: Story) -> None:
    """Every call of the spec comes in, through every source and both in batches and alone."""
    assert {each.message["type"] for each in messy.told if each.truth.flaw is None} == {
        "identify",
        "track",
        "page",
        "screen",
        "group",
        "alias",
    }
    assert {delivery.source for delivery in messy.deliveries} == {"web", "app", "till", "crm"}
    paths = {delivery.path for delivery in messy.deliveries}
    assert {"/v1/b", "/v1/batch", "/v1/t", "/v1/p", "/v1/i"} <= paths


def test_tills_send_together_what_different_members_bought() -> None:
    """One batch holds messages of several shoppers, so that a server can't take a batch for a person."""
    world = World(WorldConfig(seed=8, shopper_count=400, day_count=4, store_share=1.0, orders_per_visit=0.6).tidy())
    batches = [delivery for delivery in world.deliveries() if delivery.source in ("till", "crm")]
    assert max(len({truth.shopper for truth in delivery.truth}) for delivery in batches) > 3
    for delivery in batches:
        if delivery.source == "till":
            assert delivery.arrives_at_ms - delivery.truth[0].occurred_ms <= TILL_EVERY_MS + 1_000


def test_the_crm_tells_once_a_night_of_accounts_as_they_are(tidy: Story) -> None:
    """All it says of accounts is said after three at night, with the count of orders so far."""
    identifies = [e for e in tidy.told if e.delivery.source == "crm" and e.truth.name == "identify"]
    assert identifies
    assert {each.truth.occurred_ms % DAY_MS for each in identifies} == {3 * HOUR_MS}
    assert max(each.message["traits"]["orderCount"] for each in identifies) > 1


def _written(made_ms: int, size: int = 10) -> Written:
    truth = Truth(f"m{made_ms}", 0, Expected.STORED, "page", made_ms)
    return Written(b"x" * size, made_ms, "page", truth)


@given(st.lists(st.integers(0, 5_000), max_size=60), st.integers(0, 20_000), st.integers(1, 12))
def test_batches_close_by_time_and_by_number(gaps: list[int], window_ms: int, count_max: int) -> None:
    """Batches keep all messages in order; none is over its number or its window."""
    messages, at_ms = [], 0
    for gap in gaps:
        at_ms += gap
        messages.append(_written(at_ms))
    batches = split_by_time(messages, window_ms, count_max)
    assert [message for batch in batches for message in batch] == messages
    for batch in batches:
        assert len(batch) <= count_max
        assert batch[-1].made_ms - batch[0].made_ms <= window_ms


@given(st.lists(st.integers(1, 60_000), max_size=60))
def test_batches_stay_under_the_size_limit(sizes: list[int]) -> None:
    """What waited long is sent in as few bodies as the limit allows, in order."""
    messages = [_written(i, size) for i, size in enumerate(sizes)]
    batches = split_by_size(messages)
    assert [message for batch in batches for message in batch] == messages
    assert all(sum(len(message.raw) for message in batch) <= BATCH_BYTES_MAX for batch in batches)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shopper_count", 0),
        ("day_count", 0),
        ("start_ms", -1),
        ("visits_per_day", 0.0),
        ("orders_per_visit", 1.1),
        ("member_share", -0.1),
    ],
)
def test_a_world_that_cannot_be_is_refused(field: str, value: float) -> None:
    """A configuration says which of its values is out of range."""
    with pytest.raises(ValueError, match=field):
        WorldConfig(**{field: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(("field", "value"), [("retry", 1.5), ("typo", -0.1), ("floods_per_day", -1.0)])
def test_mischief_out_of_range_is_refused(field: str, value: float) -> None:
    """Shares are shares; only floods may come more than once a day."""
    with pytest.raises(ValueError, match=field):
        Mischief(**{field: value})
    assert Mischief(floods_per_day=3.0).floods_per_day == 3.0


@pytest.mark.parametrize("orders_per_visit", [0.0, 1.0])
def test_the_extremes_of_buying_work(orders_per_visit: float) -> None:
    """A shop where nobody buys, and one where nearly every visit ends in a purchase."""
    world = World(WorldConfig(seed=1, shopper_count=30, day_count=5, orders_per_visit=orders_per_visit).tidy())
    for _ in world.deliveries():
        pass
    assert (world.summary.order_count == 0) == (orders_per_visit == 0.0)
