"""The world turns: one agenda of visits, queues and deliveries, worked off in order of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from heapq import heappop, heappush
from random import Random

from sim import bots
from sim.backoffice import BackOffice, choose_returned, refund_for, sell_at_till
from sim.catalogue import make_catalogue
from sim.chance import chance
from sim.clock import DAY_MS, HOUR_MS, SECOND_MS
from sim.config import WorldConfig
from sim.courier import Courier
from sim.device import Device
from sim.life import DeviceState, Life
from sim.response import HALF_LIFE_MS, WEEK_MS, Boost, MessageKind, TrueEffect, comes_back
from sim.shopper import Shopper, make_shopper, visit_times
from sim.tracker import Tracker
from sim.truth import Delivery, Order, Summary
from sim.visit import Purchase, Visit
from sim.wire import Written, split_by_size, split_by_time

_Task = Callable[[int], None]

WEB_BATCH = (15 * SECOND_MS, 10)
APP_BATCH = (60 * SECOND_MS, 20)
"""How long a client waits for company for a message, and how many messages it sends at once at most."""


class World:
    """A shop and its shoppers over a span of time.

    A world is turned once, by iterating over `deliveries`; another world of the same configuration turns alike. At
    each delivery the world stands at its arrival: no visit that starts later has been decided yet, so that
    `receive` can still change it.
    """

    def __init__(self, config: WorldConfig) -> None:
        self.config = config
        self.catalogue = make_catalogue(config.seed)
        self.shoppers: tuple[Shopper, ...] = tuple(
            make_shopper(config, self.catalogue, index) for index in range(config.shopper_count)
        )
        self.now_ms = config.start_ms
        self.summary = Summary()
        self.orders: list[Order] = []
        self.prevented_count = 0
        """Purchases that would have happened but for the messages received: somebody was annoyed."""
        self._lives = [Life.begin(shopper, visit_times(config, shopper)) for shopper in self.shoppers]
        self._tag = config.tag
        self._states: dict[str, DeviceState] = {}
        self._office = BackOffice(config, self.catalogue)
        self._agenda: list[tuple[int, int, Delivery | _Task]] = []
        self._entry_count = 0
        for life in self._lives:
            self._await_visit(life)
        self._await_bots()

    def deliveries(self) -> Iterator[Delivery]:
        """What arrives, in order of arrival; `summary` counts each just before it is yielded.

        Goes on where an earlier iterator stopped. Memory grows with shoppers and orders, not with time.
        """
        agenda = self._agenda
        while agenda:
            at_ms, _, entry = heappop(agenda)
            if isinstance(entry, Delivery):
                self.now_ms = at_ms
                self.summary.add(entry)
                yield entry
            else:
                entry(at_ms)

    def purchase_chance(self, shopper: int, at_ms: int) -> float:
        """The chance that a visit of the shopper at that time would end in a purchase, given what they received."""
        life = self._lives[shopper]
        return life.shopper.temper.purchase_chance(at_ms, life.boosts)

    def effect_of(self, shopper: int, message_kind: str, value: float, at_ms: int) -> TrueEffect:
        """What `receive` with the same arguments would change. Changes nothing itself."""
        kind, life = self._checked(message_kind, value, at_ms), self._lives[shopper]
        temper = life.shopper.temper
        recent_count = sum(at_ms - WEEK_MS < boost.received_ms <= at_ms for boost in life.boosts)
        lift = temper.lift(kind, value, recent_count)
        rng = chance(self.config.seed, "message", shopper, len(life.boosts))
        back_ms = comes_back(rng, temper, kind, value, at_ms)
        if back_ms is not None and back_ms >= self.config.end_ms:
            back_ms = None
        boosts = [*life.boosts, Boost(at_ms, lift, HALF_LIFE_MS[kind])]
        extra = sum(
            temper.purchase_chance(visit_ms, boosts) - temper.purchase_chance(visit_ms, life.boosts)
            for visit_ms in (*life.visits, *life.called_back)
        )
        if back_ms is not None:
            extra += temper.purchase_chance(back_ms, boosts)
        return TrueEffect(extra, lift, back_ms)

    def receive(self, shopper: int, message_kind: str, value: float, at_ms: int) -> TrueEffect:
        """The shopper gets a message at that time, now or later; it acts on all their visits from then on.

        `message_kind` is one of `MessageKind`, `value` from 0 to 1 (see there). A discount is also taken off the next
        order within a week. What `response` says then holds: returned is what it changes. Orders that messages caused
        carry `caused`, prevented ones are counted in `prevented_count`. ValueError for a message in the past, an
        unknown kind, or a value out of range.
        """
        effect = self.effect_of(shopper, message_kind, value, at_ms)
        kind, life = MessageKind(message_kind), self._lives[shopper]
        number = len(life.boosts)
        life.boosts.append(Boost(at_ms, effect.lift, HALF_LIFE_MS[kind]))
        if kind is MessageKind.DISCOUNT:
            self._put(at_ms, lambda now_ms: life.give_coupon(value, now_ms))
        if effect.brings_back_at_ms is not None:
            life.called_back.append(effect.brings_back_at_ms)
            self._put(effect.brings_back_at_ms, partial(self._call_back, life, number, kind))
        return effect

    def _checked(self, message_kind: str, value: float, at_ms: int) -> MessageKind:
        if at_ms < self.now_ms:
            raise ValueError(f"expected at_ms from {self.now_ms}, where the world stands, got {at_ms}")
        if not 0 <= value <= 1:
            raise ValueError(f"expected a value from 0 to 1, got {value}")
        return MessageKind(message_kind)

    def _put(self, at_ms: int, entry: Delivery | _Task) -> None:
        self._entry_count += 1
        heappush(self._agenda, (at_ms, self._entry_count, entry))

    def _put_all(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            self._put(delivery.arrives_at_ms, delivery)

    # Visits

    def _await_visit(self, life: Life) -> None:
        if life.visits:
            self._put(life.visits[-1], partial(self._visit, life))

    def _visit(self, life: Life, at_ms: int) -> None:
        life.visits.pop()
        self._receive_visitor(life, f"{self._tag}-{life.shopper.index:x}-{life.visit_count:x}", at_ms, None)
        life.visit_count += 1
        self._await_visit(life)

    def _call_back(self, life: Life, number: int, kind: MessageKind, at_ms: int) -> None:
        life.called_back.remove(at_ms)
        self._receive_visitor(life, f"{self._tag}-{life.shopper.index:x}-m{number:x}", at_ms, kind)

    def _receive_visitor(self, life: Life, key: str, at_ms: int, called_by: MessageKind | None) -> None:
        """One visit, whether to the site, the app or the shop."""
        rng = chance(self.config.seed, "visit", key)
        # The one number that decides about a purchase is drawn first, so that nothing else can shift it.
        luck, in_store = rng.random(), rng.random() < self.config.store_share
        temper = life.shopper.temper
        buys = luck < temper.purchase_chance(at_ms, life.boosts)
        would_buy = called_by is None and luck < temper.purchase_chance(at_ms, [])
        self.prevented_count += would_buy and not buys
        if buys and in_store and life.is_member and called_by is None:
            purchase: Purchase | None = sell_at_till(rng, self.catalogue, life, f"o-{key}", at_ms)
            source = "till"
        else:
            purchase, source = self._visit_online(life, key, at_ms, rng, buys, called_by)
        if purchase is not None:
            self._record(life, purchase, source, caused=not would_buy)

    def _record(self, life: Life, purchase: Purchase, source: str, caused: bool) -> None:
        order = Order(
            purchase.order_id, life.shopper.index, purchase.at_ms, source, purchase.money, purchase.lines, caused
        )
        self.orders.append(order)
        if source == "till":
            self._note_sale(life, purchase)
        if life.is_member:
            self._put(purchase.at_ms, partial(self._note_account, life))
        rng = chance(self.config.seed, "return", order.order_id)
        if rng.random() < self.config.return_share:
            back_ms = purchase.at_ms + int(rng.uniform(2, 20) * DAY_MS)
            if back_ms < self.config.end_ms:
                self._put(back_ms, partial(self._take_back, life, order, rng))

    def _visit_online(
        self, life: Life, key: str, at_ms: int, rng: Random, buys: bool, called_by: MessageKind | None
    ) -> tuple[Purchase | None, str]:
        config, devices = self.config, life.shopper.devices
        device = devices[int(rng.random() ** 1.6 * len(devices))]
        state = self._states.setdefault(device.device_id, DeviceState())
        road = chance(config.seed, "road", key)
        offline = device.is_app and not buys and called_by is None and road.random() < config.mischief.offline
        tracker = self._make_tracker(life, device, state, key, at_ms, rng, called_by)
        tracker.may_break(config.mischief, road)
        visit = Visit(self.catalogue, life, device, state, tracker, rng, f"o-{key}", buys)
        visit.play()
        if visit.account_changed:
            self._put(tracker.now_ms, partial(self._note_account, life))
        if offline:
            self._hold(device, state, tracker.written, at_ms, road)
        else:
            self._send_visit(device, state, tracker.written, at_ms, road)
        return visit.purchase, device.source

    def _make_tracker(
        self,
        life: Life,
        device: Device,
        state: DeviceState,
        key: str,
        at_ms: int,
        rng: Random,
        called_by: MessageKind | None,
    ) -> Tracker:
        culture = life.shopper.culture
        context = device.context(culture.locale, culture.timezone)
        if called_by is not None:
            context["campaign"] = {"name": called_by.value, "source": "courtesy", "medium": "message"}
        elif rng.random() < 0.12:
            context["campaign"] = {"name": "autumn", "source": "lookout", "medium": "cpc", "term": "kettle"}
        anonymous_id = device.anonymous_id(self.config.seed, state.generation)
        return Tracker(device, life.shopper.index, anonymous_id, key, at_ms, context)

    # From the device to the server

    def _courier(self, device: Device, road: Random) -> Courier:
        return Courier(self.config, road, device.source, "/v1/b", device.skew_ms)

    def _send_visit(self, device: Device, state: DeviceState, written: list[Written], at_ms: int, road: Random) -> None:
        """What waited goes first, then the visit's messages as they come about."""
        courier = self._courier(device, road)
        if state.held:
            self._send_held(courier, state, at_ms)
        window_ms, count_max = APP_BATCH if device.is_app else WEB_BATCH
        for batch in split_by_time(written, window_ms, count_max):
            sent_ms = batch[-1].made_ms + road.randrange(20, 2_000)
            self._put_all(courier.carry(batch, sent_ms, device.single_calls))

    def _hold(self, device: Device, state: DeviceState, written: list[Written], at_ms: int, road: Random) -> None:
        state.held.extend(written)
        if state.flush_ms is None:
            state.flush_ms = at_ms + int(road.uniform(2, 48) * HOUR_MS)
            self._put(state.flush_ms, partial(self._flush, device, state, road))

    def _flush(self, device: Device, state: DeviceState, road: Random, at_ms: int) -> None:
        """The network is back, unless a visit found it before."""
        if state.flush_ms == at_ms:
            self._send_held(self._courier(device, road), state, at_ms)

    def _send_held(self, courier: Courier, state: DeviceState, at_ms: int) -> None:
        held = state.take_held()
        # A visit may still be under way, though all of it is known here already.
        sent_ms = max(at_ms, max(message.made_ms for message in held)) + SECOND_MS
        for batch in split_by_size(held):
            self._put_all(courier.carry(batch, sent_ms))

    # The shop's own systems

    def _note_sale(self, life: Life, purchase: Purchase) -> None:
        send_ms = self._office.tell_sale(life, purchase)
        if send_ms is not None:
            self._put(send_ms, self._send_sales)

    def _note_account(self, life: Life, at_ms: int) -> None:
        send_ms = self._office.tell_account(life, at_ms)
        if send_ms is not None:
            self._put(send_ms, self._send_accounts)

    def _send_sales(self, at_ms: int) -> None:
        self._put_all(self._office.send_sales(at_ms))

    def _send_accounts(self, at_ms: int) -> None:
        self._put_all(self._office.send_accounts(at_ms))

    def _take_back(self, life: Life, order: Order, rng: Random, at_ms: int) -> None:
        lines = choose_returned(rng, order)
        money = refund_for(self.catalogue, order, lines)
        self._put_all(self._office.send_refund(life, order, lines, money, at_ms))

    # Bots

    def _await_bots(self) -> None:
        start_ms, seed = self.config.start_ms, self.config.seed
        for index in range(bots.crawler_count(self.config)):
            rng = chance(seed, "crawler", index)
            self._await_bot(bots.next_crawl_ms(rng, start_ms), partial(self._crawl, rng, index, 0))
        if self.config.mischief.floods_per_day > 0:
            rng = chance(seed, "flood")
            self._await_bot(bots.next_flood_ms(self.config, rng, start_ms), partial(self._flood, rng, 0))

    def _await_bot(self, at_ms: int, task: _Task) -> None:
        if at_ms < self.config.end_ms:
            self._put(at_ms, task)

    def _crawl(self, rng: Random, index: int, number: int, at_ms: int) -> None:
        self._put_all(bots.crawl(self.config, self.catalogue, rng, f"{self._tag}-crawl-{index}-{number}", at_ms))
        self._await_bot(bots.next_crawl_ms(rng, at_ms), partial(self._crawl, rng, index, number + 1))

    def _flood(self, rng: Random, number: int, at_ms: int) -> None:
        self._put_all(bots.flood(self.config, self.catalogue, rng, f"{self._tag}-flood-{number}", at_ms))
        self._await_bot(bots.next_flood_ms(self.config, rng, at_ms), partial(self._flood, rng, number + 1))
