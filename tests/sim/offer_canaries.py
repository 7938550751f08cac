"""Canaries for the runs of offers: each breaks one part on purpose, so that one of their checkers must notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from courtesy.base.ids import Position
from courtesy.engine.contract import AppendBatch, FoldCommit
from courtesy.engine.offer import Facts, OfferQuestion, OfferTally
from courtesy.person.state import decode_state, encode_state
from tests.sim.canaries import Meddling
from tests.sim.faults import Weather
from tests.sim.offers import Ways
from tests.sim.process import Parts
from tests.sim.store import Wire, WiredAppend


class _Tells(WiredAppend):
    """Tells something else of offers than is so."""

    async def offer_facts(self, asked: OfferQuestion) -> Facts:
        facts = await super().offer_facts(asked)
        self.meddle(facts, asked)
        return facts

    def meddle(self, facts: Facts, asked: OfferQuestion) -> None:
        """Change what is told."""
        raise NotImplementedError


class CountsNoPieces(_Tells):
    """Takes nothing for held or redeemed."""

    def meddle(self, facts: Facts, asked: OfferQuestion) -> None:
        facts.tallies = _with(facts, {"held": 0, "redeemed": 0})


class CountsNoMoney(_Tells):
    """Takes nothing for kept or spent."""

    def meddle(self, facts: Facts, asked: OfferQuestion) -> None:
        facts.tallies = _with(facts, {"held_micros": 0, "spent_micros": 0})


class KnowsNoRedemptions(_Tells):
    """Tells of redemptions only to who repeats their request."""

    def meddle(self, facts: Facts, asked: OfferQuestion) -> None:
        facts.redemptions = [
            each for each in facts.redemptions if each.request in asked.requests or each.number in asked.redemptions
        ]


class KnowsNoEnds(_Tells):
    """Takes every grant for one that never ends."""

    def meddle(self, facts: Facts, asked: OfferQuestion) -> None:
        facts.grants = [msgspec.structs.replace(each, ended=None, expires_ms=None) for each in facts.grants]


class KnowsNoRequests(_Tells):
    """Forgets what was asked for."""

    def meddle(self, facts: Facts, asked: OfferQuestion) -> None:
        facts.redemptions = [msgspec.structs.replace(each, request=None) for each in facts.redemptions]


class TakesNoCodes(WiredAppend):
    """Leaves codes that were given in their pool."""

    async def write(self, batch: AppendBatch) -> Position:
        offers = None if batch.offers is None else replace(batch.offers, taken={})
        return await super().write(batch._replace(offers=offers))


def _with(facts: Facts, changed: Mapping[str, int]) -> dict[str, OfferTally]:
    return {name: msgspec.structs.replace(each, **changed) for name, each in facts.tallies.items()}


def _wired(append: type[WiredAppend]) -> Ways:
    return Ways(Parts(wire=type(append.__name__, (Wire,), {"append_type": append})))


class ForgetsOffers(Meddling):
    """Keeps of nobody where they stand on offers."""

    def meddled(self, commit: FoldCommit) -> FoldCommit:
        return replace(commit, states=[(person, _without_offers(state)) for person, state in commit.states])


def _without_offers(content: bytes) -> bytes:
    state = decode_state(content)
    state.offers = {}
    return encode_state(state)


@dataclass(frozen=True, slots=True)
class Canary:
    """A broken part, who must notice, and in what weather."""

    ways: Ways
    checker: str
    weather: Weather | None = None


CALM = Weather()
CANARIES: dict[str, Canary] = {
    "pieces are not counted": Canary(_wired(CountsNoPieces), "stock", CALM),
    "money is not counted": Canary(_wired(CountsNoMoney), "budget", CALM),
    "codes stay in their pool": Canary(_wired(TakesNoCodes), "codes", CALM),
    "redemptions are not known": Canary(_wired(KnowsNoRedemptions), "limits", CALM),
    "ends are not known": Canary(_wired(KnowsNoEnds), "order", CALM),
    "requests are not known": Canary(_wired(KnowsNoRequests), "answers", Weather(lose=0.2)),
    "nobody's standing is kept": Canary(Ways(Parts(wire=ForgetsOffers)), "agreement", CALM),
}
