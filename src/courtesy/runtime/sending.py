"""The sender: takes messages that were let through, has them written, asks for permits, hands them over, and settles
each with one end.

In batches, so that a thousand messages cost a few questions to the store. Each message goes the same way:

1. claimed; one whose attempt before was broken off is *unsure* if it may have left, for nobody is to get it twice;
2. decided once more by what is known of its person now: skipped, put off, or given its offer and written;
3. permitted, under the lock that choices are appended under;
4. handed over, and settled with the event that tells what became of it.

A crash between any two of these ends in one of the same ends.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import msgspec
import structlog

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, SECOND_MS, Clock
from courtesy.channel.contract import backoff_ms
from courtesy.channel.message import Accepted, Answer, Later, MessageChannel, Outgoing, Refused, Unsure
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.delivery.cause import REACTION, DeliveryCause, Reaction
from courtesy.delivery.desk import Desk, No, Way, host_of, skipped
from courtesy.delivery.message import Admitted, Skip, admitted
from courtesy.delivery.pacing import Pacing
from courtesy.delivery.warm_up import WarmUp
from courtesy.engine.contract import Engine, PersonReading, StorageFull, Unavailable
from courtesy.engine.delivery import DeadAddress, MessageFate
from courtesy.engine.outbox import ClaimedEffect, EffectState, Settlement
from courtesy.engine.permit import NewPermit, PermitFilter, Send
from courtesy.person.assemble import assemble
from courtesy.person.crossing import Told, system_record
from courtesy.person.messages import FAILED, SENT, SKIPPED, UNSURE, Held, Messages
from courtesy.person.state import PersonState
from courtesy.runtime.permits import Ask, Refusal, decide
from courtesy.runtime.warming import Wanted, WarmUps, tomorrow_ms

CLAIM_MS = 300 * SECOND_MS
BATCH = 200
LANES = 3
"""Batches of one kind under way at once, so that one is handed over while another is asked about."""

IN_FLIGHT_MAX = 64
"""Messages of a batch that are permitted, and handed over, at the same time. What is permitted and not settled when a
process ends counts as unsure, and is not sent again: so no more is than leaves at once."""

GIVE_UP_MS = 3 * DAY_MS
"""For how long a message is tried that the other side does not take."""

PAUSED_MS = 10 * SECOND_MS
"""How often it is looked at whether what is paused goes on."""

PER_S = 1_000.0
"""How many messages go to one host in a second unless its connection says otherwise: more than any takes."""

FULL_STRIKES, FULL_DEAD_MS = 3, 14 * DAY_MS
"""An address that is full again and again counts as dead for a while."""

log = structlog.get_logger("send")


class Written(NamedTuple):
    """A message as it goes out: the parts of its content, in which language."""

    parts: Mapping[str, str]
    locale: str


class Wording(Protocol):
    """What writes messages."""

    async def write(
        self, each: Admitted, key: bytes, state: PersonState, now_ms: int, offer: Mapping[str, Any]
    ) -> Written | No:
        """The words of a message, named by its key, for a person as they are known now, with its offer as they hold it
        (empty for none); or why there are none."""
        ...

    async def why_not(self, each: Admitted, state: PersonState, now_ms: int) -> No | None:
        """Why there will be no words for a message, as far as that can be said before it has its offer."""
        ...


class Giving(Protocol):
    """What gives people the offers of their messages."""

    async def give(self, due: Sequence[tuple[Admitted, bytes, PersonReading]]) -> list[Mapping[str, Any] | No]:
        """Grant the offers of messages, each named by its key, to whom they are for; each once, however often it is
        asked. What templates are told of each, or why it can't be given."""
        ...


class Connections(Protocol):
    """What is connected, as it is defined now."""

    async def refresh(self) -> None:
        """Know what is so now. Raises Unavailable."""
        ...

    @property
    def desk(self) -> Desk:
        """What decides about messages now."""
        ...

    def config(self, connection: str) -> dict[str, Any] | None:
        """The configuration of a connection; None when it is gone."""
        ...

    def per_second(self, connection: str) -> float | None:
        """How many messages it may send to one host in a second; None: as many as there are."""
        ...

    def component(self, connection: str) -> str | None:
        """The kind of its component; None when it is gone."""
        ...

    def warm_up(self, connection: str) -> WarmUp | None:
        """Its plan of warming up; None without one."""
        ...

    def stands_in(self, connection: str, for_: str) -> bool:
        """Whether it can send what is meant for another."""
        ...

    def is_stopped(self, campaign: str) -> bool:
        """Whether nothing of a campaign is to be sent any more."""
        ...

    def waits(self, each: Admitted) -> bool:
        """Whether its connection or its campaign is paused."""
        ...


class Tokens(Protocol):
    """What makes links and addresses that lead back to a message."""

    def token(self, key: bytes) -> str:
        """What reports of a message bring back."""
        ...

    def unsubscribe_url(self, each: Admitted, person: PersonId, now_ms: int) -> str:
        """Where one click unsubscribes."""
        ...

    def address_hash(self, address: str) -> bytes:
        """As what an address is kept that must stay known when its owner is forgotten."""
        ...


@dataclass(slots=True)
class _Letter:
    """A message under way: its effect, what it is, to whom, and as far as it has come."""

    effect: ClaimedEffect
    each: Admitted
    reading: PersonReading
    state: PersonState
    way: Way
    outgoing: Outgoing | None = None
    offer: Mapping[str, Any] = field(default_factory=dict)
    expires_ms: int = 0
    left_ms: int = 0
    content_hash: bytes = b""
    has_left: bool = False

    @property
    def wanted(self) -> Wanted:
        """The connection over which it is to leave, and the host to which."""
        return Wanted(self.each.connection, host_of(self.way.address))


@dataclass(slots=True)
class Sender:
    """Sends what was let through over some channels."""

    engine: Engine
    channels: Mapping[str, MessageChannel]
    connections: Connections
    wording: Wording
    giving: Giving
    tokens: Tokens
    clock: Clock
    laws: Laws = field(default_factory=lambda: Laws(LAWS))
    pacing: Pacing = field(default_factory=lambda: Pacing(PER_S))
    warm_ups: WarmUps = field(init=False)

    def __post_init__(self) -> None:
        self.warm_ups = WarmUps(self.engine, self.connections)

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop` is set; what is under way comes to its end."""
        await asyncio.gather(*(self._run_kind(kind, stop) for kind in self.channels for _ in range(LANES)))
        for channel in self.channels.values():
            await channel.aclose()

    async def _run_kind(self, kind: str, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                if not await self.send_once(kind):
                    await self.engine.wait_for_effects(SECOND_MS)
            except (Unavailable, StorageFull) as error:
                log.warning("sending_waits", kind=kind, cause=error.message)
                await asyncio.sleep(1)

    async def send_once(self, kind: str) -> int:
        """Claim a batch of one kind and bring each message of it to an end, or put it off; how many there were."""
        await self.connections.refresh()
        now = self.clock.now_ms()
        closed = self.pacing.closed(now)
        effects = await self.engine.claim_effects(kind, now, CLAIM_MS, BATCH, except_targets=list(closed))
        if not effects:
            return 0
        ready = await self._with_room(await self._ready(kind, effects))
        written = await self._written(await self._with_offers(ready))
        left = set[bytes]()
        for first in range(0, len(written), IN_FLIGHT_MAX):
            permitted = await self._permitted(written[first : first + IN_FLIGHT_MAX])
            await self._hand_over(kind, permitted)
            left |= {each.effect.key for each in permitted if each.has_left}
        stayed = [each.wanted for each in ready if each.effect.key not in left]
        await self.warm_ups.give_back(stayed, self.clock.now_ms())
        return len(effects)

    # -- deciding once more

    async def _ready(self, kind: str, effects: Sequence[ClaimedEffect]) -> list[_Letter]:
        """Those of the messages that are to leave now. The others are settled, or put off."""
        readings = await self.engine.read_people({each.person for each in effects})
        now, ready = self.clock.now_ms(), list[_Letter]()
        ended: list[Settlement] = []
        lost = await self._may_have_left(kind, effects)
        for effect in effects:
            each = admitted(effect.body)
            if effect.key in lost:
                ended.append(self._end(effect, each, EffectState.UNSURE, "", "an attempt was broken off", now))
                continue
            found = self._decide(effect, each, readings.get(effect.person), now)
            if isinstance(found, _Letter):
                ready.append(found)
            else:
                ended.append(found)
        ready, dead = await self._without_dead(ready, now)
        await self.engine.settle_all(ended + dead)
        return ready

    async def _may_have_left(self, kind: str, effects: Sequence[ClaimedEffect]) -> set[bytes]:
        """Those whose attempt before was broken off with a permit in hand, over a channel that must not repeat."""
        if self.channels[kind].may_repeat:
            return set()
        broken = [each for each in effects if each.was_broken_off]
        lost = set()
        for effect in broken:
            which = PermitFilter(message=admitted(effect.body).message.message)
            if await self.engine.permits(which, None, 1):
                lost.add(effect.key)
        return lost

    def _decide(
        self, effect: ClaimedEffect, each: Admitted, reading: PersonReading | None, now: int
    ) -> _Letter | Settlement:
        """A message as it is to leave now, or what became of it."""
        message = each.message
        if self.connections.is_stopped(message.campaign):
            return self._skip(effect, each, No(Skip.STOPPED), now)
        if message.expires <= now:
            return self._skip(effect, each, No(Skip.EXPIRED), now)
        if self.connections.waits(each):
            return self._put_off(effect, "paused", "", now, now + PAUSED_MS)
        if self.warm_ups.is_full(Wanted(each.connection, effect.target.partition("/")[2]), now):
            return self._put_off(effect, "warm_up", "", now, tomorrow_ms(now))
        letter = self._decide_of(effect, each, reading, now)
        if isinstance(letter, Settlement):
            return letter
        pace = self.pacing.of(effect.target, now, self.connections.per_second(each.connection))
        if not pace.take(now):
            return self._put_off(effect, "pacing", "", now, pace.opens_at(now))
        return letter

    def _decide_of(
        self, effect: ClaimedEffect, each: Admitted, reading: PersonReading | None, now: int
    ) -> _Letter | Settlement:
        """What is decided by what is known of the person."""
        if reading is None or not reading.identifiers:
            return self._skip(effect, each, No(Skip.NOBODY), now)
        message, state = each.message, assemble(reading.person, reading.merged, reading.states, reading.tail)
        held = (state.messages or Messages()).held.get(message.message) or Held(each.asked, each.channel, each.price)
        way = self.connections.desk.way_over(state, message, each.channel, now, held)
        if isinstance(way, No):
            return self._skip(effect, each, way, now)
        if way.not_before_ms > now:
            return self._put_off(effect, "quiet_hours", "", now, way.not_before_ms)
        return _Letter(effect, each, reading, state, way)

    async def _without_dead(self, ready: list[_Letter], now: int) -> tuple[list[_Letter], list[Settlement]]:
        """Those whose address is alive, and what became of the others."""
        by_channel = defaultdict[str, list[_Letter]](list)
        for letter in ready:
            by_channel[letter.each.channel].append(letter)
        alive, ended = list[_Letter](), list[Settlement]()
        for channel, letters in by_channel.items():
            hashes = {letter.way.address: self.tokens.address_hash(letter.way.address) for letter in letters}
            dead = await self.engine.dead(channel, set(hashes.values()), now)
            for letter in letters:
                found = dead.get(hashes[letter.way.address])
                is_service = letter.each.message.priority == "service"
                if found is None or (found.spares_service and is_service):
                    alive.append(letter)
                else:
                    ended.append(self._skip(letter.effect, letter.each, No(Skip.SUPPRESSED, found.cause), now))
        return alive, ended

    async def _with_room(self, ready: Sequence[_Letter]) -> list[_Letter]:
        """Those for which the plan of their connection, or of one that sends what is over, has room today."""
        now = self.clock.now_ms()
        ways = await self.warm_ups.take([letter.wanted for letter in ready], now)
        late = [letter for letter, way in zip(ready, ways, strict=True) if way is None]
        await self.engine.settle_all(
            [self._put_off(letter.effect, "warm_up", "", now, tomorrow_ms(now)) for letter in late]
        )
        found = [(letter, way) for letter, way in zip(ready, ways, strict=True) if way is not None]
        for letter, way in found:
            if way != letter.each.connection:
                letter.each = msgspec.structs.replace(letter.each, connection=way)
        return [letter for letter, _ in found]

    # -- giving, writing and permitting

    async def _with_offers(self, ready: Sequence[_Letter]) -> list[_Letter]:
        """The messages with their offers, granted to all of their people in one append; without those whose offer can't
        be given. That somebody was granted something is news of them, and permits are not issued over news: so who was
        is read and decided about once more."""
        offered = [letter for letter in ready if letter.each.message.offer]
        if not offered:
            return list(ready)
        ended: dict[bytes, Settlement] = {}
        given = await self._given(offered, ended)
        readings = await self.engine.read_people({letter.effect.person for letter in given})
        now, found = self.clock.now_ms(), [letter for letter in ready if not letter.each.message.offer]
        for before in given:
            letter = self._decide_of(before.effect, before.each, readings.get(before.effect.person), now)
            if isinstance(letter, Settlement):
                ended[before.effect.key] = letter
            elif letter.way.address != before.way.address:
                # Whether the new one is alive was not asked.
                ended[before.effect.key] = self._put_off(before.effect, "unsettled", "", now, now)
            else:
                letter.offer = before.offer
                found.append(letter)
        await self.engine.settle_all(list(ended.values()))
        return found

    async def _given(self, offered: Sequence[_Letter], ended: dict[bytes, Settlement]) -> list[_Letter]:
        """Those who hold the offer now; how the others ended is noted. Nobody is granted what a message would have told
        them for which there are no words."""
        now, due = self.clock.now_ms(), list[_Letter]()
        for letter in offered:
            why = await self.wording.why_not(letter.each, letter.state, now)
            if why is None:
                due.append(letter)
            else:
                ended[letter.effect.key] = self._skip(letter.effect, letter.each, why, now)
        given = await self.giving.give([(letter.each, letter.effect.key, letter.reading) for letter in due])
        held = list[_Letter]()
        for letter, offer in zip(due, given, strict=True):
            if isinstance(offer, No):
                ended[letter.effect.key] = self._skip(letter.effect, letter.each, offer, now)
            else:
                letter.offer = offer
                held.append(letter)
        return held

    async def _written(self, ready: Sequence[_Letter]) -> list[_Letter]:
        """The messages with their words; without those for which there are none."""
        ended: list[Settlement] = []
        written: list[_Letter] = []
        now = self.clock.now_ms()
        # Together, so that what their templates look up is asked in a few questions.
        found = await asyncio.gather(
            *(self.wording.write(letter.each, letter.effect.key, letter.state, now, letter.offer) for letter in ready)
        )
        for letter, words in zip(ready, found, strict=True):
            if isinstance(words, No):
                ended.append(self._skip(letter.effect, letter.each, words, now))
                continue
            letter.outgoing = self._outgoing(letter, words, now)
            letter.content_hash = letter.outgoing.content_hash
            written.append(letter)
        await self.engine.settle_all(ended)
        return written

    def _outgoing(self, letter: _Letter, words: Written, now: int) -> Outgoing:
        each, message = letter.each, letter.each.message
        is_service = message.priority == "service"
        return Outgoing(
            key=letter.effect.key,
            person=letter.reading.person,
            message=message.message,
            campaign=message.campaign,
            address=letter.way.address,
            parts=words.parts,
            locale=words.locale,
            token=self.tokens.token(letter.effect.key),
            asked_ms=each.asked,
            expires_ms=message.expires,
            is_service=is_service,
            unsubscribe_url="" if is_service else self.tokens.unsubscribe_url(each, letter.reading.person, now),
            offer=message.offer,
            purpose=message.purpose,
            topic=message.topic,
            brand=message.brand,
        )

    async def _permitted(self, written: Sequence[_Letter]) -> list[_Letter]:
        """Those for which a permit was issued. Of whom something came in meanwhile is put off for a moment."""
        now = self.clock.now_ms()
        asked: list[tuple[_Letter, NewPermit]] = []
        ended: list[Settlement] = []
        for letter in written:
            found = decide(self._ask(letter), f"person:{letter.reading.person}", letter.reading, now, self.laws)
            if isinstance(found, Refusal):
                ended.append(self._skip(letter.effect, letter.each, No(Skip.NOT_ALLOWED, found.why), now))
            else:
                asked.append((letter, found))
        issued = await self.engine.issue_permits([permit for _, permit in asked])
        permitted: list[_Letter] = []
        for (letter, _), permit in zip(asked, issued, strict=True):
            if permit is None:
                ended.append(self._put_off(letter.effect, "unsettled", "", now, now))
            else:
                letter.expires_ms = permit.terms.expires_ms
                permitted.append(letter)
        await self.engine.settle_all(ended)
        return permitted

    def _ask(self, letter: _Letter) -> Ask:
        message = letter.each.message
        return Ask(
            "person", str(letter.reading.person), message.purpose, letter.each.channel, message.message,
            letter.content_hash, message.topic, message.brand,
        )  # fmt: skip

    # -- handing over

    async def _hand_over(self, kind: str, permitted: Sequence[_Letter]) -> None:
        """Hand over what is permitted, and settle each."""
        answers = await asyncio.gather(*(self._carry(kind, letter) for letter in permitted))
        now = self.clock.now_ms()
        for letter, answer in zip(permitted, answers, strict=True):
            letter.has_left = not isinstance(answer, Later)
        settled = [self._settlement(letter, answer, now) for letter, answer in zip(permitted, answers, strict=True)]
        refused = [
            (letter, answer.cause)
            for letter, answer in zip(permitted, answers, strict=True)
            if isinstance(answer, Refused)
        ]
        dead = [(letter, found) for letter, cause in refused if (found := self._dead(letter, cause, now)) is not None]
        await self.engine.set_dead([found for _, found in dead])
        await self.warm_ups.came_back([letter.each.connection for letter, _ in dead], (), now)
        await self._settle(settled)

    async def _carry(self, kind: str, letter: _Letter) -> Answer:
        assert letter.outgoing is not None
        config = self.connections.config(letter.each.connection)
        if config is None:
            return Later(DeliveryCause.SET_UP, f"nothing named {letter.each.connection!r} is connected any more")
        letter.left_ms = self.clock.now_ms()
        if letter.left_ms >= letter.expires_ms:
            return Later(DeliveryCause.TEMPORARY, "its permit ended before its turn came", after_ms=0)
        try:
            # Of another kind when another connection sends what is over.
            own = self.connections.component(letter.each.connection) or kind
            channel = self.channels.get(own, self.channels[kind])
            return await channel.carry(letter.outgoing, config)
        except Exception as error:  # noqa: BLE001 -- a bug in a channel must not keep its messages from ever ending
            log.error("channel_broke", kind=kind, key=letter.effect.key.hex(), cause=type(error).__name__)
            return Unsure(f"the channel broke off: {type(error).__name__}")

    def _settlement(self, letter: _Letter, answer: Answer, now: int) -> Settlement:
        effect, each = letter.effect, letter.each
        pace = self.pacing.of(effect.target, now, self.connections.per_second(each.connection))
        match answer:
            case Accepted():
                pace.taken()
                settlement = self._end(effect, each, EffectState.DELIVERED, "", answer.words, now)
                return settlement._replace(send=self._send(letter))
            case Unsure():
                settlement = self._end(effect, each, EffectState.UNSURE, "", answer.words, now)
                return settlement._replace(send=self._send(letter))
            case Refused():
                if REACTION[answer.cause] is Reaction.BRAKE:
                    pace.brake(now)
                return self._end(effect, each, EffectState.FAILED, str(answer.cause), answer.words, now)
            case Later():
                if REACTION[answer.cause] is Reaction.BRAKE or answer.cause is DeliveryCause.THROTTLED:
                    pace.brake(now, answer.after_ms)
                if now - each.asked >= GIVE_UP_MS:
                    return self._end(effect, each, EffectState.FAILED, str(answer.cause), answer.words, now)
                wait_ms = max(backoff_ms(effect.attempt, effect.key), answer.after_ms or 0)
                return self._put_off(effect, str(answer.cause), answer.words, now, now + wait_ms)

    def _send(self, letter: _Letter) -> Send:
        people = (letter.reading.person, *letter.reading.merged)
        message = letter.each.message.message
        return Send(message, people, letter.each.channel, letter.left_ms, letter.content_hash)

    def _dead(self, letter: _Letter, cause: DeliveryCause, now: int) -> DeadAddress | None:
        """What a refusal says of the address."""
        return dead_address(self.tokens.address_hash(letter.way.address), letter.each.channel, cause, now)

    async def _settle(self, settlements: Sequence[Settlement]) -> None:
        """Record what became of messages. A store that fails is asked again, lest what left is held to be unsure."""
        while True:
            try:
                await self.engine.settle_all(settlements)
            except (Unavailable, StorageFull) as error:
                log.warning("settling_waits", cause=error.message)
                await asyncio.sleep(1)
            else:
                return

    # -- ends

    def _put_off(self, effect: ClaimedEffect, cause: str, words: str, now: int, until_ms: int) -> Settlement:
        return Settlement(effect.key, effect.attempt, EffectState.WAITING, cause, _clean(words), now, until_ms)

    def _skip(self, effect: ClaimedEffect, each: Admitted, no: No, now: int) -> Settlement:
        settlement = self._end(effect, each, EffectState.SKIPPED, str(no.skip), no.why, now)
        told = skipped(each.message, {each.channel: no})
        return settlement._replace(report=_report(effect, SKIPPED, told, now))

    def _end(
        self, effect: ClaimedEffect, each: Admitted, state: EffectState, cause: str, words: str, now: int
    ) -> Settlement:
        """The end of a message, and the event that tells of it."""
        name = _NAMES[state]
        told = told_of(each) | {"cause": cause}
        fate = MessageFate(each.message.campaign, each.channel, _OUTCOMES[state], cause)
        report = _report(effect, name, told, now)
        return Settlement(effect.key, effect.attempt, state, cause, _clean(words), now, report=report, fate=fate)


_NAMES = {
    EffectState.DELIVERED: SENT,
    EffectState.UNSURE: UNSURE,
    EffectState.FAILED: FAILED,
    EffectState.SKIPPED: SKIPPED,
}
_OUTCOMES = {
    EffectState.DELIVERED: "sent",
    EffectState.UNSURE: "unsure",
    EffectState.FAILED: "failed",
    EffectState.SKIPPED: "skipped",
}


def told_of(each: Admitted) -> dict[str, Any]:
    """What every event about a message tells of it."""
    message = each.message
    told: dict[str, Any] = {
        "message": message.message,
        "campaign": message.campaign,
        "content": message.content,
        "channel": each.channel,
        "connection": each.connection,
        "price": each.price,
    }
    return told | ({"offer": message.offer} if message.offer else {})


def dead_address(address: bytes, channel: str, cause: DeliveryCause, now_ms: int) -> DeadAddress | None:
    """What the cause of a bounce, or a complaint, says of an address; None when it says nothing."""
    match REACTION[cause]:
        case Reaction.SUPPRESS:
            return DeadAddress(address, channel, str(cause), now_ms, None)
        case Reaction.SUPPRESS_MARKETING:
            return DeadAddress(address, channel, str(cause), now_ms, None, spares_service=True)
        case Reaction.COUNT:
            return DeadAddress(address, channel, str(cause), now_ms, now_ms + FULL_DEAD_MS, strikes=FULL_STRIKES)
        case _:
            return None


def _report(effect: ClaimedEffect, name: str, told: Mapping[str, Any], now_ms: int) -> Any:
    return system_record(effect.person, effect.key, Told(name, told, now_ms, f"message-{effect.key.hex()}"), now_ms)


def _clean(words: str) -> str:
    return words.replace("\0", "\\0")[:500]
