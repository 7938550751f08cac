"""What people tell us directly, as ordinary calls of party zero from a source of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import SourceId
from courtesy.base.time import Clock
from courtesy.engine.contract import HeldIdentifier, PersonReading, Unavailable
from courtesy.event.accept import Accepted, Draft, Rejected, SourcePolicy, accept
from courtesy.event.cause import Fate
from courtesy.event.event import Party
from courtesy.identity.rules import EXTERNAL, IdentityRules, split_identifier
from courtesy.runtime.catalog import CatalogCache, Source
from courtesy.runtime.ingest import Ingest, Receipt

PRIORITY_UNKNOWN = 100

Call = dict[str, Any]


class Voice:
    """Tells what somebody said, from one source; it is made when somebody says something first."""

    def __init__(self, catalog: CatalogCache, ingest: Ingest, clock: Clock, source: str) -> None:
        self._catalog = catalog
        self._ingest = ingest
        self._clock = clock
        self._source = source

    async def tell(self, reading: PersonReading, calls: Sequence[Call], context: Call) -> Receipt:
        """Store calls of one instant about a person, each with a message id of its own; counted from when it returns.

        What was told before under its id counts once. Raises Unavailable when any of them is not stored.
        """
        await self._catalog.refresh()
        await self._catalog.ensure_source(self._source, Source(Party.ZERO, traits_identify=False), "courtesy")
        policy = self._catalog.policy(self._source)
        items = self._judged(reading, calls, context, policy)
        receipt = await self._ingest.append(items, policy)
        lost = [each for each in receipt.results if each.fate not in (Fate.STORED, Fate.DUPLICATE)]
        if lost:
            raise Unavailable(f"the source {self._source} does not take it: {lost[0].cause}, {lost[0].detail}")
        return receipt

    def check(self, reading: PersonReading, call: Call, context: Call) -> None:
        """Raises CourtesyError(INVALID) for a call that would be rejected, of whatever source."""
        (item,) = self._judged(reading, [call], context, SourcePolicy(SourceId(0), Party.ZERO, traits_identify=False))
        if isinstance(item, Rejected):
            raise CourtesyError(Code.INVALID, f"it can't be told: {item.cause}, {item.detail:.200}")

    def _judged(
        self, reading: PersonReading, calls: Sequence[Call], context: Call, policy: SourcePolicy
    ) -> list[Accepted | Rejected]:
        kind, value = split_identifier(telling(reading, self._catalog.rules()))
        context = {**context, "externalIds": [{"type": kind, "id": value}]}
        now_ms = self._clock.now_ms()
        return [
            accept(Draft(msgspec.json.encode({**call, "context": context}), policy, now_ms, None, _named, None, True))
            for call in calls
        ]


def _named(raw: bytes) -> str:
    raise AssertionError("every call here has an id of its own")


def telling(reading: PersonReading, rules: IdentityRules) -> str:
    """The identifier by which a person is told best: the kind first that decides first. Raises CourtesyError(CONFLICT)
    for one who shares all they have."""

    def priority(each: HeldIdentifier) -> tuple[int, int, str]:
        kind, _ = split_identifier(each.identifier)
        found = rules.by_name.get(kind) or rules.by_name.get(EXTERNAL)
        return found.priority if found is not None else PRIORITY_UNKNOWN, each.since_ms, each.identifier

    own = [each for each in reading.identifiers if not each.shared]
    if not own:
        raise CourtesyError(Code.CONFLICT, f"person {reading.person} has no identifier of their own")
    return min(own, key=priority).identifier
