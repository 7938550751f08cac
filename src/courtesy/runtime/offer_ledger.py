"""The ledger of offers: every act is decided inside an append, on what is known there, and written with its events.

Acts that come while an append is under way are decided together in the next one. What each comes to, `Book` says.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from secrets import token_bytes

import msgspec
import structlog

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, message_key
from courtesy.base.time import Clock
from courtesy.engine.contract import AppendBatch, Engine, Unavailable
from courtesy.engine.offer import OfferQuestion, OfferWrite, Placed
from courtesy.event.event import Event, EventType, Party, encode
from courtesy.identity.resolve import Changes, Evidence, Owner
from courtesy.identity.rules import SOURCE_KIND, identifier
from courtesy.offer.codes import Draw, minted
from courtesy.offer.deciding import (
    Book,
    Conflict,
    ExpireAsk,
    Facts,
    GiveBackAsk,
    GrantAsk,
    Granted,
    NoteAsk,
    Offer,
    RedeemAsk,
    Redeemed,
    Told,
    Who,
)
from courtesy.offer.low_water import CODES_LOW, OFFER_LOW
from courtesy.offer.redeeming import Refused
from courtesy.offer.terms import MintedCode, PoolCode
from courtesy.person.record import SYSTEM_SOURCE, NewRecord, RecordKind
from courtesy.runtime.offers import Offers
from courtesy.runtime.telemetry import error_and_place

ACTS_MAX = 1_000
"""Decided in one append, which takes a tenth of a second then: as long as others wait for theirs."""

EXPIRE_EVERY_S = 1.0
"""What is over can't be redeemed from the instant on; so long later at most others can have it."""

EVENT_RANK = 30
NOBODY = identifier(SOURCE_KIND, "offers")
"""To whom redemptions belong of which nobody knows whose they are: an entity as sources have, which counts as
nobody."""

log = structlog.get_logger("offers")

Ask = GrantAsk | RedeemAsk | NoteAsk | GiveBackAsk | ExpireAsk
Outcome = Granted | Redeemed | Refused | Conflict | CourtesyError | bool | None


class OfferLedger:
    """The deciding side of offers in one process."""

    def __init__(self, engine: Engine, offers: Offers, clock: Clock, draw: Draw = token_bytes) -> None:
        """`draw` gives what codes are made of, and must not be foreseen by anybody."""
        self._engine = engine
        self._offers = offers
        self._clock = clock
        self._draw = draw
        self._waiting: deque[tuple[Ask, asyncio.Future[Outcome]]] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._spare: list[PersonId] = []

    async def grant(self, ask: GrantAsk) -> Granted | Refused:
        """Let somebody have an offer; durable when it returns. Raises CourtesyError: NOT_FOUND for who is not known,
        CONFLICT for a request that had asked for something else."""
        (outcome,) = await self.grant_all([ask])
        if isinstance(outcome, CourtesyError):
            raise outcome
        return outcome

    async def grant_all(self, asks: Sequence[GrantAsk]) -> list[Granted | Refused | CourtesyError]:
        """Let many have offers, decided in this order, in as few appends as they fit into; durable when it returns.
        Each is answered alone, be it by the error that `grant` would raise. Raises what keeps the store from
        answering."""
        outcomes = await asyncio.gather(*[self._asked(self._with_code(each)) for each in asks])
        return [_of_grant(each) for each in outcomes]

    def _with_code(self, ask: GrantAsk) -> GrantAsk:
        codes = ask.offer.terms.codes
        return replace(ask, code=minted(codes.prefix, self._draw)) if isinstance(codes, MintedCode) else ask

    async def redeem(self, ask: RedeemAsk) -> Redeemed | Refused:
        """Redeem an offer; durable when it returns. Raises as `grant`."""
        outcome = await self._act(ask)
        assert isinstance(outcome, Redeemed | Refused)
        return outcome

    async def note(self, ask: NoteAsk) -> bool:
        """Note what was done about an offer with somebody, once for each request; whether that is news. Raises as
        `grant`."""
        return await self._act(ask) is True

    async def give_back(self, ask: GiveBackAsk) -> Redeemed:
        """Undo a redemption, once. Raises CourtesyError(NOT_FOUND)."""
        outcome = await self._act(ask)
        if outcome is None:
            raise CourtesyError(Code.NOT_FOUND, f"there is no redemption {ask.number}")
        assert isinstance(outcome, Redeemed)
        return outcome

    async def expire(self, limit: int = ACTS_MAX) -> int:
        """End grants whose time is over, at most so many; how many."""
        due = await self._engine.grants_due(self._clock.now_ms(), limit)
        ended = await asyncio.gather(*(self._act(ExpireAsk(number)) for number in due))
        return sum(each is True for each in ended)

    async def _act(self, ask: Ask) -> Outcome:
        outcome = _told(await self._asked(ask))
        if isinstance(outcome, CourtesyError):
            raise outcome
        return outcome

    def _asked(self, ask: Ask) -> asyncio.Future[Outcome]:
        """What an act that goes into the next append will come to."""
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, done))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run(), name="offers")
        return done

    async def _run(self) -> None:
        while self._waiting:
            count = min(len(self._waiting), ACTS_MAX)
            await self._settle([self._waiting.popleft() for _ in range(count)])

    async def _settle(self, acts: Sequence[tuple[Ask, asyncio.Future[Outcome]]]) -> None:
        """Decide acts, and tell whoever waits. Of acts that make an append fail each is tried alone."""
        try:
            outcomes: Sequence[Outcome] = await self._decide([ask for ask, _ in acts])
        except asyncio.CancelledError:
            _fail(acts, Unavailable("the server is stopping"))
            raise
        except CourtesyError as error:
            _fail(acts, error)
        except Exception as error:  # noqa: BLE001 -- the outermost edge of an append: find out whose fault it is
            if len(acts) == 1:
                _fail(acts, error)
            else:
                for each in acts:
                    await self._settle([each])
        else:
            for (_, done), outcome in zip(acts, outcomes, strict=True):
                if not done.done():
                    done.set_result(outcome)

    # -- within the append

    async def _decide(self, asks: Sequence[Ask]) -> list[Outcome]:
        offers = await self._offers.latest()
        if not self._spare:
            self._spare = [PersonId(number) for number in await self._engine.reserve_people(1)]
        async with self._engine.appending() as append:
            owners = await append.owners([*_identifiers(asks), NOBODY])
            facts = await append.offer_facts(_question(asks, owners, offers))
            seen = await append.seen([_note_key(each) for each in asks if isinstance(each, NoteAsk)])
            acts = _Acts(Book(facts, offers, self._clock.now_ms()), facts, owners, offers, seen)
            outcomes = [acts.decide(ask) for ask in asks]
            acts.book.tell_low(self._offers.marks)
            if acts.book.told:
                await append.write(self._written(acts.book, acts.noted, owners))
        _warn_of_low(acts.book.told)
        return outcomes

    def _written(self, book: Book, noted: Sequence[bytes], owners: Mapping[str, Owner]) -> AppendBatch:
        now_ms = self._clock.now_ms()
        changes = Changes()
        nobody = owners.get(NOBODY)
        if nobody is None and any(each.person is None for each in book.told):
            nobody, evidence = Owner(self._spare.pop()), Evidence(SYSTEM_SOURCE, "source-offers", now_ms)
            changes.owners[NOBODY] = (nobody, evidence)
            changes.people[nobody.person] = evidence
        records = [_record(each, None if nobody is None else nobody.person, now_ms) for each in book.told]
        written = OfferWrite(
            [Placed(book.grant_of(number), place) for number, place in book.changed_grants.items()],
            [Placed(book.redemption_of(number), place) for number, place in book.changed_redemptions.items()],
            [book.tally(offer) for offer in sorted(book.changed_tallies)],
            book.taken,
        )
        return AppendBatch(records, noted, changes, (), (), now_ms, offers=written)


class _Acts:
    """The acts of one append. `seen`: the keys of notes that were made before."""

    def __init__(
        self, book: Book, facts: Facts, owners: Mapping[str, Owner], offers: Mapping[str, Offer], seen: set[bytes]
    ) -> None:
        self.book = book
        self.noted: list[bytes] = []
        self._facts = facts
        self._owners = owners
        self._offers = offers
        self._seen = set(seen)

    def decide(self, ask: Ask) -> Outcome:
        """What an act comes to; an error is told to whoever asked for it alone."""
        try:
            return self._decided(ask)
        except CourtesyError as error:
            return error

    def _decided(self, ask: Ask) -> Outcome:
        match ask:
            case GrantAsk():
                key = "" if ask.code is None else ask.code.key
                if key in self._facts.in_pools or self.book.has_code(key):
                    raise Unavailable("the code that was made is somebody's already")
                return self.book.grant(replace(ask, offer=self._offer(ask.offer), who=self._who(ask.who)))
            case RedeemAsk():
                offer = None if ask.offer is None else self._offer(ask.offer)
                who = None if ask.who is None else self._who(ask.who)
                return self.book.redeem(replace(ask, offer=offer, who=who))
            case NoteAsk():
                return self._note(replace(ask, offer=self._offer(ask.offer), who=self._who(ask.who)))
            case GiveBackAsk():
                return self.book.give_back(ask)
            case ExpireAsk():
                return self.book.expire(ask)

    def _note(self, ask: NoteAsk) -> bool:
        key = _note_key(ask)
        if key in self._seen:
            return False
        self._seen.add(key)
        self.noted.append(key)
        self.book.note(ask)
        return True

    def _offer(self, meant: Offer) -> Offer:
        """The offer as it is now."""
        found = self._offers.get(meant.name)
        if found is None:
            raise CourtesyError(Code.NOT_FOUND, f"no offer named {meant.name!r:.120}")
        return found

    def _who(self, meant: Who) -> Who:
        """Who has the identifier now."""
        owner = self._owners.get(meant.identifier)
        if owner is None:
            raise CourtesyError(Code.NOT_FOUND, f"nobody has the identifier {meant.identifier!r:.120}")
        return Who(meant.identifier, self._facts.one_with[owner.person])


def _warn_of_low(told: Sequence[Told]) -> None:
    for each in told:
        if each.name in (OFFER_LOW, CODES_LOW):
            log.warning("running_low", **each.properties)


def _told(outcome: Outcome) -> Outcome:
    """An outcome as it is told to whoever asked."""
    if isinstance(outcome, Conflict):
        return CourtesyError(
            Code.CONFLICT, f"the request {outcome.request!r:.120} had asked for something else", place="request"
        )
    return outcome


def _of_grant(outcome: Outcome) -> Granted | Refused | CourtesyError:
    told = _told(outcome)
    assert isinstance(told, Granted | Refused | CourtesyError)
    return told


def _identifiers(asks: Sequence[Ask]) -> Iterator[str]:
    for ask in asks:
        if isinstance(ask, GrantAsk | RedeemAsk | NoteAsk) and ask.who is not None:
            yield ask.who.identifier


def _question(asks: Sequence[Ask], owners: Mapping[str, Owner], offers: Mapping[str, Offer]) -> OfferQuestion:
    """All that the acts depend on."""
    shared = {code: each.name for each in offers.values() if (code := each.terms.shared_code) is not None}
    granting = [each for each in asks if isinstance(each, GrantAsk)]
    redeeming = [each for each in asks if isinstance(each, RedeemAsk)]
    named = [each.offer.name for each in asks if isinstance(each, GrantAsk | RedeemAsk | NoteAsk) and each.offer]
    return OfferQuestion(
        people={owners[each].person for each in _identifiers(asks) if each in owners},
        offers={*named, *(shared[each.code] for each in redeeming if each.code in shared)},
        codes={
            *(each.code.key for each in granting if each.code is not None),
            *(each.code for each in redeeming if each.code),
        },
        requests={each.request for each in asks if isinstance(each, GrantAsk | RedeemAsk)},
        grants={each.number for each in asks if isinstance(each, ExpireAsk)},
        redemptions={each.number for each in asks if isinstance(each, GiveBackAsk)},
        wanted=_codes_wanted(offers[each.offer.name] for each in granting if each.offer.name in offers),
    )


def _codes_wanted(offers: Iterable[Offer]) -> Counter[str]:
    """How many codes of which pool as many grants may take."""
    return Counter(each.terms.codes.pool for each in offers if isinstance(each.terms.codes, PoolCode))


def _note_key(ask: NoteAsk) -> bytes:
    return message_key(SYSTEM_SOURCE, _message_id(ask.name, ask.key))


def _message_id(name: str, key: str) -> str:
    return f"{name.lower().replace(' ', '-')}-{key}"


def _record(told: Told, nobody: PersonId | None, now_ms: int) -> NewRecord:
    """What is told as a record of whoever it is about; of nobody who is known, as one of the entity that stands for
    them."""
    person = told.person if told.person is not None else nobody
    assert person is not None
    message_id = _message_id(told.name, told.key)
    event = Event(
        id=message_id,
        type=EventType.SYSTEM,
        at=told.at_ms,
        received=now_ms,
        source=SYSTEM_SOURCE,
        rank=EVENT_RANK,
        party=Party.FIRST,
        ids=(told.identifier or NOBODY,),
        name=told.name,
        properties=msgspec.Raw(msgspec.json.encode(told.properties)),
    )
    key = message_key(SYSTEM_SOURCE, message_id)
    return NewRecord(person, RecordKind.EVENT, told.at_ms, now_ms, SYSTEM_SOURCE, key, encode(event))


def _fail(acts: Sequence[tuple[Ask, asyncio.Future[Outcome]]], error: Exception) -> None:
    for _, done in acts:
        if not done.done():
            done.set_exception(error)


async def keep_expiring(ledger: OfferLedger, stop: asyncio.Event) -> None:
    """End grants as their time is over, until `stop` is set. Several processes that do so end each once."""
    while not stop.is_set():
        try:
            while await ledger.expire() == ACTS_MAX:
                continue
        except CourtesyError as error:
            log.warning("offers_wait", cause=error.message)
        except Exception as error:  # noqa: BLE001 -- the outermost edge: the next look may go well
            log.error("offers_broke", **error_and_place(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EXPIRE_EVERY_S)
