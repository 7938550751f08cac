"""Offers in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from msgspec.structs import replace

from courtesy.base.ids import PersonId, Position
from courtesy.engine.offer import (
    CODES_AT_ONCE_MAX,
    CodePool,
    Facts,
    Grant,
    OfferQuestion,
    OfferTally,
    OfferWrite,
    Redemption,
    position_of,
)
from courtesy.engine_memory.identity import IdentityGraph
from courtesy.identity.repair import Erasure
from courtesy.offer.codes import OwnCode

R = TypeVar("R", Grant, Redemption)


class Offers:
    """Grants and redemptions by number, tallies by offer, and codes of pools by code; rows have the person for whom
    their event was appended, and `identity` knows whose that is now."""

    def __init__(self, identity: IdentityGraph) -> None:
        self._identity = identity
        self._grants: dict[int, Grant] = {}
        self._redemptions: dict[int, Redemption] = {}
        self._tallies: dict[str, OfferTally] = {}
        self._codes: dict[str, tuple[str, str, bool]] = {}
        self._pools: Counter[str] = Counter()

    def facts(self, asked: OfferQuestion) -> Facts:
        """As `OfferAppending.offer_facts`."""
        by_name = [
            each
            for each in self._redemptions.values()
            if each.number in asked.redemptions or each.request in asked.requests
        ]
        wanted = {*asked.grants, *(each.grant for each in by_name)}
        grants = [
            each
            for each in self._grants.values()
            if each.number in wanted
            or each.request in asked.requests
            or (each.code is not None and each.code.key in asked.codes)
        ]
        grants = [self._owned_grant(each) for each in grants]
        facts = Facts(next_grant=len(self._grants) + 1, next_redemption=len(self._redemptions) + 1)
        people = {*asked.people, *(each.person for each in grants if each.person is not None)}
        facts.one_with = {person: self._one_with(person) for person in people}
        everyone = {person for all_ in facts.one_with.values() for person in all_}
        offers = {*asked.offers, *(each.offer for each in grants), *(each.offer for each in by_name)}
        grants += [each for each in self.grants_of(everyone) if each.offer in offers]
        redeemed = [self._owned_redemption(each) for each in by_name]
        redeemed += [
            each for each in self.redemptions_of(everyone) if each.offer in offers and each.given_back_ms is None
        ]
        facts.grants = [each for _, each in sorted({each.number: each for each in grants}.items())]
        facts.redemptions = [each for _, each in sorted({each.number: each for each in redeemed}.items())]
        facts.tallies = {offer: self._tallies[offer] for offer in offers if offer in self._tallies}
        facts.free = {pool: self._free(pool)[:count] for pool, count in asked.wanted.items()}
        facts.pools = {each.name: each for each in self.pools() if each.name in asked.wanted}
        facts.in_pools = {code for code in asked.codes if code in self._codes}
        return facts

    def _one_with(self, person: PersonId) -> tuple[PersonId, ...]:
        root = self._identity.root_of(person)
        return (root, *self._identity.merged_into(root))

    def _free(self, pool: str) -> list[OwnCode]:
        return [
            OwnCode(key, shown) for key, (of, shown, is_taken) in self._codes.items() if of == pool and not is_taken
        ]

    def put(self, written: OfferWrite, first: Position) -> None:
        """Keep what an append changes whose records begin at `first`."""
        for placed in written.grants:
            row, known = placed.row, self._grants.get(placed.row.number)
            assert isinstance(row, Grant)
            self._grants[row.number] = (
                replace(row, position=position_of(placed, first))
                if known is None
                else replace(
                    known,
                    held_micros=row.held_micros,
                    redeemed_count=row.redeemed_count,
                    ended=row.ended,
                    ended_ms=row.ended_ms,
                )
            )
        for placed in written.redemptions:
            told, before = placed.row, self._redemptions.get(placed.row.number)
            assert isinstance(told, Redemption)
            self._redemptions[told.number] = (
                replace(told, position=position_of(placed, first))
                if before is None
                else replace(before, given_back_ms=told.given_back_ms)
            )
        self._tallies.update({each.offer: each for each in written.tallies})
        self._codes.update({key: (pool, self._codes[key][1], True) for key, pool in written.taken.items()})

    def tallies(self) -> list[OfferTally]:
        """All tallies, by offer."""
        return [each for _, each in sorted(self._tallies.items())]

    def grants_of(self, people: Collection[PersonId]) -> list[Grant]:
        """All grants of these people, by number."""
        owned = (self._owned_grant(each) for _, each in sorted(self._grants.items()))
        return [each for each in owned if each.person in people]

    def redemptions_of(self, people: Collection[PersonId]) -> list[Redemption]:
        """All redemptions of these people, by number."""
        owned = (self._owned_redemption(each) for _, each in sorted(self._redemptions.items()))
        return [each for each in owned if each.person in people]

    def redemption(self, number: int) -> Redemption | None:
        """A redemption by its number."""
        found = self._redemptions.get(number)
        return None if found is None else self._owned_redemption(found)

    def _owned_grant(self, each: Grant) -> Grant:
        return replace(each, person=self._owner(each.person, each.position))

    def _owned_redemption(self, each: Redemption) -> Redemption:
        return replace(each, person=self._owner(each.person, each.position))

    def _owner(self, person: PersonId | None, position: Position) -> PersonId | None:
        """Whose the event is now that was appended for somebody."""
        if person is None:
            return None
        moves = [
            move
            for move in self._identity.moves_of([person])
            if (move.position, move.appended_for) == (position, person)
        ]
        return moves[-1].person if moves else person

    def due(self, now_ms: int, limit: int) -> list[int]:
        """The numbers of grants that are held though their time is over."""
        ended = [
            (each.expires_ms, each.number)
            for each in self._grants.values()
            if each.is_held and each.expires_ms is not None and each.expires_ms <= now_ms
        ]
        return [number for _, number in sorted(ended)[:limit]]

    def add_codes(self, pool: str, codes: Sequence[OwnCode]) -> int:
        """Add codes to a pool; how many are new."""
        assert len(codes) <= CODES_AT_ONCE_MAX, "so many codes are added in parts"
        given = {each.code.key for each in self._grants.values() if each.code is not None}
        fresh = {each.key: each.shown for each in codes if each.key not in self._codes and each.key not in given}
        self._codes.update({key: (pool, shown, False) for key, shown in fresh.items()})
        self._pools[pool] += len(fresh)
        return len(fresh)

    def pools(self) -> list[CodePool]:
        """All pools, by name."""
        return [CodePool(pool, count, len(self._free(pool))) for pool, count in sorted(self._pools.items())]

    def forget(self, erasure: Erasure) -> None:
        """Forget whose they were."""
        people, others, kept = set(erasure.people), set(erasure.others), set(erasure.kept)

        def is_gone(each: Grant | Redemption) -> bool:
            is_other = (each.position, each.person) in others
            return is_other or (each.person in people and each.position not in kept)

        _forget(self._grants, is_gone, lambda each: replace(each, person=None, identifier="", request=None))
        _forget(
            self._redemptions,
            is_gone,
            lambda each: replace(each, person=None, identifier="", request=None, order="", by="", where=""),
        )


def _forget(rows: dict[int, R], is_gone: Callable[[Grant | Redemption], bool], emptied: Callable[[R], R]) -> None:
    for number, each in rows.items():
        if is_gone(each):
            rows[number] = emptied(each)
