"""What must hold of offers, however it went: never more than there is, once each, in order, and told alike by all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from courtesy.base.ids import PersonId
from courtesy.engine.offer import OfferTally
from courtesy.offer import standing
from courtesy.offer.deciding import Granted, Redeemed
from courtesy.offer.redeeming import OfferCause, Refused, bound_micros
from courtesy.offer.terms import micros_of
from courtesy.person.assemble import assemble
from courtesy.person.history import NO_CATALOGS, refold
from courtesy.person.record import RecordKind
from courtesy.runtime.history import History as Past
from courtesy.runtime.offer_ledger import NOBODY
from tests.sim.history import Filed
from tests.sim.offers import OFFERS, POOL, POOL_CODES, Run, Said

Check = Callable[[Run], Awaitable[Iterator[str]]]


@dataclass(frozen=True, slots=True)
class Act:
    """An event of the ledger of offers, as the log has it; `told` is what it says."""

    filed: Filed
    name: str
    at_ms: int
    told: dict[str, Any]
    is_of_nobody: bool

    @property
    def offer(self) -> str:
        """Of which offer."""
        return str(self.told["offer"])

    @property
    def grant(self) -> int:
        """The number of the grant that it is about, 0 for none."""
        return int(self.told.get("grant", 0))

    @property
    def redemption(self) -> int:
        """The number of the redemption that it is about, 0 for none."""
        return int(self.told.get("redemption", 0))

    @property
    def micros(self) -> int:
        """What it cost."""
        return micros_of(self.told.get("value", 0.0))


def acts_of(run: Run) -> list[Act]:
    """All acts in the order of the log, also of people who are forgotten: what they took is taken."""
    found = []
    for each in run.history.filed:
        # Copies are of another kind.
        if each.record.kind is RecordKind.EVENT and b'"Offer ' in each.record.payload:
            event = msgspec.json.decode(each.record.payload)
            if event["name"] in standing.EVENTS:
                is_of_nobody = tuple(event["ids"]) == (NOBODY,)
                found.append(Act(each, event["name"], event["at"], event["properties"], is_of_nobody))
    return found


@dataclass(slots=True)
class Reckoning:
    """A plain reckoning of acts. `held`: what of the budget is kept for each grant that holds; `used`: how often each
    was redeemed; `standing`: the redemptions that were not given back; `wrong`: acts that can't be."""

    grants: dict[int, Act] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    used: Counter[int] = field(default_factory=Counter)
    over: dict[int, str] = field(default_factory=dict)
    redeemed: dict[int, Act] = field(default_factory=dict)
    standing: dict[int, Act] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def go(self, acts: list[Act]) -> Iterator[Act]:
        """Each act, once it is reckoned."""
        for act in acts:
            match act.name:
                case standing.GRANTED:
                    self._grant(act)
                case standing.REDEEMED:
                    self._redeem(act)
                case standing.GIVEN_BACK:
                    self._give_back(act)
                case standing.EXPIRED | standing.DECLINED if act.grant:
                    self._end(act)
            yield act

    def pieces(self, offer: str) -> int:
        """How many pieces are taken, by who holds one and by who has redeemed."""
        return len(self.held_of(offer)) + len(self.standing_of(offer))

    def cost(self, offer: str) -> int:
        """What of the budget is kept or spent."""
        return sum(self.held_of(offer).values()) + self.spent(offer)

    def spent(self, offer: str) -> int:
        """What the redemptions that stand have cost."""
        return sum(each.micros for each in self.standing_of(offer).values())

    def held_of(self, offer: str) -> dict[int, int]:
        """The grants of an offer that hold something."""
        return {number: micros for number, micros in self.held.items() if self.grants[number].offer == offer}

    def standing_of(self, offer: str) -> dict[int, Act]:
        """The redemptions of an offer that stand."""
        return {number: each for number, each in self.standing.items() if each.offer == offer}

    def _grant(self, act: Act) -> None:
        if act.grant != len(self.grants) + 1:
            self.wrong.append(f"grant {act.grant} came after {len(self.grants)}")
        self.grants[act.grant] = act
        self.held[act.grant] = bound_micros(OFFERS[act.offer].value)
        self.counts[act.offer, "granted"] += 1

    def _redeem(self, act: Act) -> None:
        if act.redemption != len(self.redeemed) + 1:
            self.wrong.append(f"redemption {act.redemption} came after {len(self.redeemed)}")
        grant = self.grants.get(act.grant)
        if act.grant and (grant is None or grant.offer != act.offer):
            self.wrong.append(f"redemption {act.redemption} of {act.offer} by grant {act.grant}, which is not of it")
        elif grant is None and OFFERS[act.offer].needs_grant:
            self.wrong.append(f"redemption {act.redemption} of {act.offer} by no grant")
        elif grant is not None:
            if act.grant in self.over:
                self.wrong.append(f"redemption {act.redemption} by grant {act.grant}: {self.over[act.grant]}")
            if grant.told["until"] and act.at_ms >= grant.told["until"]:
                self.wrong.append(f"redemption {act.redemption} by grant {act.grant}, whose time was over")
            self.held.pop(act.grant, None)
            self.used[act.grant] += 1
        self.redeemed[act.redemption] = self.standing[act.redemption] = act

    def _give_back(self, act: Act) -> None:
        if self.standing.pop(act.redemption, None) is None:
            self.wrong.append(f"redemption {act.redemption} was given back, though none stands")
            return
        self.counts[act.offer, "given_back"] += 1
        if act.grant:
            self.used[act.grant] -= 1
            if not self.used[act.grant] and act.grant not in self.over:
                terms, most = OFFERS[act.offer], bound_micros(OFFERS[act.offer].value)
                left = most if terms.budget is None else micros_of(terms.budget.amount) - self.cost(act.offer)
                self.held[act.grant] = max(0, min(most, left))

    def _end(self, act: Act) -> None:
        if self.held.pop(act.grant, None) is None:
            self.wrong.append(f"{act.name} of grant {act.grant}, for which nothing is kept")
            return
        reason = act.told["reason"]
        if reason == "expired" and act.at_ms < self.grants[act.grant].told["until"]:
            self.wrong.append(f"grant {act.grant} expired early")
        self.over[act.grant] = reason
        if reason in ("expired", "declined"):
            self.counts[act.offer, reason] += 1


async def check_stock(run: Run) -> Iterator[str]:
    """At no position of the log is more held and redeemed than there is."""
    found, reckoning = list[str](), Reckoning()
    for act in reckoning.go(acts_of(run)):
        stock, pieces = OFFERS[act.offer].stock, reckoning.pieces(act.offer)
        if stock is not None and pieces > stock:
            found.append(f"{act.name} at {act.filed.record.position}: {pieces} of {stock} {act.offer} are taken")
    return iter(found)


async def check_budget(run: Run) -> Iterator[str]:
    """At no position of the log is more kept and spent than the budget has."""
    found, reckoning = list[str](), Reckoning()
    for act in reckoning.go(acts_of(run)):
        budget, cost = OFFERS[act.offer].budget, reckoning.cost(act.offer)
        if budget is not None and cost > micros_of(budget.amount):
            found.append(f"{act.name} at {act.filed.record.position}: {act.offer} costs {cost} micros")
    return iter(found)


async def check_codes(run: Run) -> Iterator[str]:
    """Each code is that of one grant; a pool gives its own, and has as many left as it did not give."""
    acts = acts_of(run)
    found = [act for act in acts if act.name == standing.GRANTED and act.told["code"]]
    codes = Counter(act.told["code"] for act in found)
    wrong = [f"{code} was given to {count} grants" for code, count in codes.items() if count > 1]
    paper = [act.told["code"] for act in found if act.offer == "paper"]
    wrong += [f"{code} is not of the pool" for code in paper if code not in POOL_CODES]
    wrong += [
        f"grant {act.grant} has no code"
        for act in acts
        if act.name == standing.GRANTED and not act.told["code"] and OFFERS[act.offer].needs_grant
    ]
    (pool,) = await run.system.engine.code_pools()
    if (pool.name, pool.code_count, pool.free_count) != (POOL, len(POOL_CODES), len(POOL_CODES) - len(paper)):
        wrong.append(f"{pool}, but {len(paper)} were given")
    given = {act.grant: act.told["code"] for act in found}
    for act in acts:
        if act.name == standing.REDEEMED and act.grant in given and act.told["code"] != given[act.grant]:
            wrong.append(f"redemption {act.redemption} by {act.told['code']}, but grant {act.grant} has another")
    return iter(wrong)


async def check_limits(run: Run) -> Iterator[str]:
    """Nobody redeems an offer more often than one may, as far as it was known then who they are."""
    found, history, reckoning = list[str](), run.history, Reckoning()
    for act in reckoning.go(acts_of(run)):
        limit = OFFERS[act.offer].redemptions_per_person
        if act.name != standing.REDEEMED or act.is_of_nobody or limit is None:
            continue
        head = act.filed.record.position
        person = history.owner_of(act.filed, head)
        theirs = [
            number
            for number, each in reckoning.standing_of(act.offer).items()
            if not each.is_of_nobody
            and not history.is_gone(each.filed, head)
            and history.owner_of(each.filed, head) == person
        ]
        if len(theirs) > limit:
            found.append(f"{person} has redeemed {act.offer} by {theirs} at {head}")
    return iter(found)


async def check_order(run: Run) -> Iterator[str]:
    """Each grant and redemption goes through its states in order, by numbers without a gap."""
    reckoning = Reckoning()
    run.sizes.update(act.name for act in reckoning.go(acts_of(run)))
    run.sizes.update(f"refused {each.outcome.cause}" for each in run.said if isinstance(each.outcome, Refused))
    return iter(reckoning.wrong)


async def check_answers(run: Run) -> Iterator[str]:
    """What was answered is in the log, news is answered once, and who repeats a request is answered by what it came
    to; as long as it is known whose it was."""
    acts = acts_of(run)
    events = {(act.name, act.redemption or act.grant): act.filed for act in acts}
    found, made = list[str](), dict[tuple[str, str], int]()
    for said in run.said:
        kind, number, is_new = _came_to(said)
        if number and (kind, number) not in events:
            found.append(f"{said.wish.request} was answered {kind} {number}, which is not in the log")
        elif number and is_new:
            first = made.setdefault((kind, said.wish.request), number)
            if first != number and not run.history.is_gone(events[kind, first]):
                found.append(f"{said.wish.request} was answered as {kind} {first} and {number}")
    found += _answered_otherwise(run, made, events)
    return iter(found)


def _came_to(said: Said) -> tuple[str, int, bool]:
    match said.outcome:
        case Granted(grant, is_new):
            return standing.GRANTED, grant.number, is_new
        case Redeemed(redemption, _, is_new) if said.wish.kind == "redeem":
            return standing.REDEEMED, redemption.number, is_new
        case _:
            return "", 0, False


def _answered_otherwise(
    run: Run, made: dict[tuple[str, str], int], events: dict[tuple[str, int], Filed]
) -> Iterator[str]:
    """Requests that were answered by something else after they had come to something."""
    for said in run.said:
        kind = {"grant": standing.GRANTED, "redeem": standing.REDEEMED}.get(said.wish.kind, "")
        number = made.get((kind, said.wish.request))
        if number is None:
            continue
        filed, (_, told, _) = events[kind, number], _came_to(said)
        if said.asked_at < filed.record.position or run.history.is_gone(filed):
            continue
        is_undone = isinstance(said.outcome, Refused) and said.outcome.cause is OfferCause.GIVEN_BACK
        if told != number and not is_undone and isinstance(said.outcome, Granted | Redeemed | Refused):
            yield f"{said.wish.request} came to {kind} {number}, and was answered {said.outcome} later"


async def check_agreement(run: Run) -> Iterator[str]:
    """The log, the tallies, the rows, what is kept of each person and what their history comes to say the same."""
    engine, history, acts = run.system.engine, run.history, acts_of(run)
    reckoning = Reckoning()
    for _ in reckoning.go(acts):
        pass
    found = _tallies_differ(reckoning, {each.offer: each for each in await engine.offer_tallies()})
    owners: dict[int, PersonId] = {}
    for act in acts:
        if not act.is_of_nobody and not history.is_gone(act.filed):
            owners[act.filed.record.position] = history.owner_of(act.filed, history.head)
    nobody = {history.owner_of(act.filed, history.head) for act in acts if act.is_of_nobody}
    for person in sorted(history.people().keys() - nobody):
        found += await _person_differs(run, reckoning, owners, person)
    return iter(found)


def _tallies_differ(reckoning: Reckoning, tallies: dict[str, OfferTally]) -> list[str]:
    found = []
    for offer in OFFERS:
        expected = OfferTally(
            offer,
            reckoning.counts[offer, "granted"],
            len(reckoning.held_of(offer)),
            len(reckoning.standing_of(offer)),
            reckoning.counts[offer, "declined"],
            reckoning.counts[offer, "expired"],
            reckoning.counts[offer, "given_back"],
            sum(reckoning.held_of(offer).values()),
            reckoning.spent(offer),
        )
        told = tallies.get(offer, OfferTally(offer))
        if told != expected:
            found.append(f"{told}, but the log comes to {expected}")
    return found


async def _person_differs(run: Run, reckoning: Reckoning, owners: dict[int, PersonId], person: PersonId) -> list[str]:
    engine, found = run.system.engine, list[str]()
    reading = await engine.read_person(f"person:{person}")
    if reading is None or reading.person != person:
        return found
    people = [reading.person, *reading.merged]
    grants, redemptions = await engine.grants_of(people), await engine.redemptions_of(people)

    def theirs(told: dict[int, Act]) -> set[int]:
        return {number for number, act in told.items() if owners.get(act.filed.record.position) == person}

    kept = {each.number for each in grants if each.is_held}
    standing_now = {each.number for each in redemptions if each.given_back_ms is None}
    held = {number: reckoning.grants[number] for number in reckoning.held}
    for what, rows, log in (
        ("granted", {each.number for each in grants}, theirs(reckoning.grants)),
        ("holds", kept, theirs(held)),
        ("redeemed", standing_now, theirs(reckoning.standing)),
    ):
        if rows != log:
            found.append(f"{person} {what} {sorted(rows)} by the rows, {sorted(log)} by the log")
    state = assemble(reading.person, reading.merged, reading.states, reading.tail)
    records = await Past(engine, run.system.disk.archive).of(people)
    if refold(person, list(records), NO_CATALOGS, 0).offers != state.offers:
        found.append(f"{person} is on offers {state.offers}, but their history comes to something else")
    by_offer: defaultdict[str, int] = defaultdict(int)
    for number in standing_now:
        by_offer[reckoning.redeemed[number].offer] += 1
    for offer, each in standing.standings(state.offers).items():
        if each.redeemed_count != by_offer[offer]:
            found.append(f"{person} redeemed {offer} {each.redeemed_count} times, by the rows {by_offer[offer]}")
    return found


CHECKS: dict[str, Check] = {
    "stock": check_stock,
    "budget": check_budget,
    "codes": check_codes,
    "limits": check_limits,
    "order": check_order,
    "answers": check_answers,
    "agreement": check_agreement,
}
