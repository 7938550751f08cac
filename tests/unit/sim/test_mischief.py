"""Each kind of mischief happens, and is what its name says."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

from sim import DeviceKind, Flaw, Mischief, World, WorldConfig
from sim.clock import HOUR_MS, MINUTE_MS
from sim.device import PLACEHOLDERS
from tests.unit.sim.conftest import Story
from tests.unit.sim.told import Told, ms_of, stated_ms, told


def _flawed(story: Story, flaw: Flaw) -> list[Told]:
    found = [each for each in story.told if each.truth.flaw is flaw]
    assert len(found) > 3
    return found


def test_a_shared_tablet_that_keeps_its_id_is_used_by_several(messy: Story) -> None:
    """One anonymous id is met with several shoppers, both in families and in the shop."""
    users: dict[str, set[int | None]] = defaultdict(set)
    for each in messy.told:
        if each.truth.flaw is None and "anonymousId" in each.message:
            users[each.message["anonymousId"]].add(each.truth.shopper)
    shared = {id_ for id_, shoppers in users.items() if len(shoppers) > 1 and id_ not in PLACEHOLDERS}
    seed = messy.world.config.seed
    for kind in (DeviceKind.FAMILY_TABLET, DeviceKind.SHOP_TABLET):
        devices = {d for shopper in messy.world.shoppers for d in shopper.devices if d.kind is kind}
        assert shared & {d.anonymous_id(seed, generation) for d in devices for generation in range(20)}


def test_a_shared_device_signs_out_who_signed_in(messy: Story) -> None:
    """On a shared tablet each login ends with the visit."""
    tablets = {
        device.anonymous_id(messy.world.config.seed, generation)
        for shopper in messy.world.shoppers
        for device in shopper.devices
        if device.is_shared
        for generation in range(50)
    }
    events = Counter(
        each.truth.name for each in messy.told if each.message.get("anonymousId") in tablets and each.truth.flaw is None
    )
    assert events["Signed Out"] == events["Signed In"] + events["Signed Up"] > 20


def test_logout_keeps_the_anonymous_id_on_devices_that_do(messy: Story) -> None:
    """After Signed Out some devices go on under the same anonymous id, others take a new one."""
    seed, outcomes = messy.world.config.seed, set()
    signed_out = {each.message["anonymousId"] for each in messy.told if each.truth.name == "Signed Out"}
    for device in {device for shopper in messy.world.shoppers for device in shopper.devices}:
        if device.anonymous_id(seed, 0) in signed_out and device.placeholder is None:
            outcomes.add((device.keeps_id, device.anonymous_id(seed, 1) in signed_out))
    assert (False, True) in outcomes
    assert (True, True) not in outcomes


def test_a_mistyped_address_is_given_at_sign_up_and_mended_later(messy: Story) -> None:
    """Who has a second address gives it first; in time the right one follows under the same login."""
    given: dict[int, list[str]] = defaultdict(list)
    for each in messy.told:
        by_shopper = each.truth.name == "identify" and each.delivery.source != "crm"
        if by_shopper and "userId" in each.message and each.truth.flaw is None and each.truth.shopper is not None:
            given[each.truth.shopper].append(each.message["traits"]["email"])
    shoppers = messy.world.shoppers
    typists = {i: emails for i, emails in given.items() if emails[0] != shoppers[i].emails[0]}
    assert len(typists) > 5
    assert all(emails[0] == shoppers[i].emails[1] for i, emails in typists.items())
    assert any(emails[-1] == shoppers[i].emails[0] for i, emails in typists.items())


def test_late_mobile_batches_have_old_times_and_were_just_sent(messy: Story) -> None:
    """An app without a network reports hours later, in one batch, with a `sentAt` of then."""
    late = [each for each in messy.told if each.delivery.arrives_at_ms - each.truth.occurred_ms > 2 * HOUR_MS]
    batches = {id(each.delivery): each.delivery for each in late if each.truth.flaw is not Flaw.SENT_AGAIN}
    assert len(batches) > 10
    assert {delivery.source for delivery in batches.values()} == {"app"}
    for each in late:
        assert each.sent_at is not None
        assert ms_of(each.sent_at) - stated_ms(each.message) > 2 * HOUR_MS - 1_000


def test_a_tidy_world_has_no_late_messages(tidy: Story) -> None:
    """Without mischief all is told within a minute or two, by tills within a quarter of an hour."""
    for each in tidy.told:
        patience_ms = 16 * MINUTE_MS if each.delivery.source == "till" else 2 * MINUTE_MS
        assert each.delivery.arrives_at_ms - each.truth.occurred_ms < patience_ms


def test_placeholders_are_the_only_identity_where_refused_and_do_no_harm_beside_a_login(messy: Story) -> None:
    """A literal id is refused when nothing else says who it is; with a login the message is good."""
    for each in _flawed(messy, Flaw.PLACEHOLDER_ID):
        assert each.message["anonymousId"] in PLACEHOLDERS
        assert "userId" not in each.message
        assert "id" not in each.message["context"]["device"]
    assert any(
        each.message.get("anonymousId") in PLACEHOLDERS and "userId" in each.message and each.truth.flaw is None
        for each in messy.told
    )


def test_the_same_placeholder_comes_from_several_devices(messy: Story) -> None:
    """That is the harm of it: taken for an id it would join strangers."""
    users: dict[str, set[int | None]] = defaultdict(set)
    for each in _flawed(messy, Flaw.PLACEHOLDER_ID):
        users[each.message["anonymousId"]].add(each.truth.shopper)
    assert max(len(shoppers) for shoppers in users.values()) > 1


def test_messages_without_ids_identify_nobody(messy: Story) -> None:
    """Ids are absent, null or empty, and no other part of the message tells who it was."""
    for each in _flawed(messy, Flaw.MISSING_ID):
        assert not each.message.get("anonymousId")
        assert not each.message.get("userId")
        assert "traits" not in each.message["context"]
        assert "id" not in each.message["context"].get("device", {})


def _is_unreadable(message: dict[str, object]) -> bool:
    return (
        message.get("type") not in ("page", "screen", "track")
        or not isinstance(message.get("properties", {}), dict)
        or not isinstance(message["context"], dict)
        or isinstance(message.get("userId"), dict)
        or (message["type"] == "track" and not isinstance(message.get("event"), str))
    )


def test_wrong_types_break_the_protocol_and_come_only_in_batches(messy: Story) -> None:
    """Each such message has one field that no server can read; a path of one type would mend a wrong `type`."""
    for each in _flawed(messy, Flaw.WRONG_TYPE):
        assert _is_unreadable(each.message)
        assert each.delivery.path == "/v1/b"


def test_messages_about_money_and_accounts_never_break(messy: Story) -> None:
    """Orders, refunds and identities always get through, so that what is bought is what is told."""
    broken = (Flaw.MISSING_ID, Flaw.WRONG_TYPE, Flaw.OVERSIZE)
    names = {each.truth.name for each in messy.told if each.truth.flaw in broken}
    assert names <= {"page", "screen", "Product Viewed", "Product List Viewed", "Products Searched"}


def test_wrong_clocks_are_off_by_minutes_to_years(messy: Story) -> None:
    """Stated and true times differ widely on some devices and by nothing on the others."""
    off = Counter(abs(stated_ms(each.message) - each.truth.occurred_ms) for each in messy.told)
    assert off[0] > 1_000
    assert max(off) > 365 * 24 * HOUR_MS
    assert min(gap for gap in off if gap) >= 60_000


def test_a_batch_with_a_bad_message_has_good_ones_too(messy: Story) -> None:
    """A server must not let one condemn the others."""
    fates = {frozenset(truth.expected.value for truth in delivery.truth) for delivery in messy.deliveries}
    assert frozenset({"stored", "quarantined"}) in fates


def test_retries_repeat_all_of_a_batch_or_its_end(messy: Story) -> None:
    """Some copies are whole deliveries, some only a part; they come up to hours after the first."""
    first: dict[str, int] = {}
    for each in messy.told:
        if each.truth.flaw is None:
            first[each.truth.message_id] = len(each.delivery.truth)
    copies = [delivery for delivery in messy.deliveries if any(t.flaw is Flaw.SENT_AGAIN for t in delivery.truth)]
    sizes = {len(delivery.truth) < first.get(delivery.truth[-1].message_id, 0) for delivery in copies}
    assert sizes == {True, False}


def test_crawlers_and_floods_are_nobody() -> None:
    """A crawler reads dozens of pages; a flood is hundreds of messages of one client within a minute."""
    config = WorldConfig(seed=2, shopper_count=10, day_count=6)
    bots = replace(Mischief.none(), crawler=0.1, floods_per_day=1.0)
    by_id: dict[str, list[Told]] = defaultdict(list)
    for each in told(World(replace(config, mischief=bots)).deliveries()):
        if each.truth.shopper is None:
            by_id[each.message["anonymousId"]].append(each)
    agents = {each[0].message["context"]["userAgent"] for each in by_id.values()}
    assert len(agents) == 2
    floods = [each for each in by_id.values() if len(each) >= 400]
    assert floods
    for flood in floods:
        assert flood[-1].truth.occurred_ms - flood[0].truth.occurred_ms < 70_000


def test_no_mischief_means_none() -> None:
    """Rates of 0 switch off each kind."""
    world = World(WorldConfig(seed=2, shopper_count=40, day_count=6).tidy())
    truths = [truth for delivery in world.deliveries() for truth in delivery.truth]
    assert all(truth.flaw is None and truth.shopper is not None for truth in truths)
    assert not any(device.is_shared or device.skew_ms for shopper in world.shoppers for device in shopper.devices)
