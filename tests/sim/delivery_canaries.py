"""Canaries for the runs of delivery: each breaks one part on purpose, so that one of their checkers must notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from courtesy.delivery.desk import Desk
from courtesy.engine.contract import FoldCommit
from courtesy.engine.outbox import ClaimedEffect, Settlement
from courtesy.person.record import Record
from courtesy.person.state import decode_state, encode_state
from courtesy.runtime.connections import DefinedConnections
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.sending import Sender
from tests.sim.canaries import IssuesAnyway, Meddling
from tests.sim.delivery import Ways
from tests.sim.faults import Weather
from tests.sim.process import Parts
from tests.sim.store import Wire


class AsksForNothing(Sender):
    """Hands over whatever was written."""

    async def _permitted(self, written: Sequence[Any]) -> list[Any]:
        for each in written:
            each.expires_ms = 2**62
        return list(written)


class TriesAgain(Sender):
    """Takes an attempt that was broken off for one that was never made."""

    async def _may_have_left(self, kind: str, effects: Sequence[ClaimedEffect]) -> set[bytes]:
        return set()


class TellsNothing(Wire):
    """Settles what became of messages without a word."""

    async def settle_all(self, settlements: Sequence[Settlement]) -> list[bool]:
        silent = [each._replace(report=None) for each in settlements]
        return list(await self.call("settle_all", self.inner.settle_all, (silent,), {}))


class _Forgets(Meddling):
    def meddled(self, commit: FoldCommit) -> FoldCommit:
        return replace(commit, states=[(person, self.changed(state)) for person, state in commit.states])

    def changed(self, content: bytes) -> bytes:
        """The state that is stored instead."""
        raise NotImplementedError


class ForgetsWhatLeft(_Forgets):
    """Keeps of nobody what left to them, nor for what room is held."""

    def changed(self, content: bytes) -> bytes:
        state = decode_state(content)
        state.messages = None
        return encode_state(state)


class KeepsRoom(FoldWorker):
    """Holds room for what was skipped, for ever."""

    def _fold(self, record: Record, changes: Any) -> None:
        before = self._hot.get(record.person)
        held = {} if before is None or before.messages is None else dict(before.messages.held)
        super()._fold(record, changes)
        after = self._hot[record.person]
        if held and after.messages is not None and b'"Message Skipped"' in record.payload:
            after.messages.held.update(held)


class NeverSleeps(DefinedConnections):
    """Knows no night."""

    @property
    def desk(self) -> Desk:
        known = super().desk
        exempt = (*known.policy.quiet_exempt, "email")
        awake = known.policy.__class__(
            known.policy.windows, known.policy.prices, known.policy.frequencies, None, exempt, known.policy.zone
        )
        return replace(known, policy=awake)


class SendsAtOnce(Meddling):
    """Lets nothing wait until the morning."""

    def meddled(self, commit: FoldCommit) -> FoldCommit:
        return replace(commit, effects=[each._replace(not_before_ms=0) for each in commit.effects])


@dataclass(frozen=True, slots=True)
class Canary:
    """A broken part, who must notice, and in what weather."""

    ways: Ways
    checker: str
    weather: Weather | None = None


CALM = Weather()
CANARIES: dict[str, Canary] = {
    "letters leave without a permit": Canary(Ways(sender=AsksForNothing), "permitted", CALM),
    "a permit is issued after a withdrawal": Canary(Ways(Parts(wire=IssuesAnyway)), "permitted", Weather(pause=0.02)),
    "what was broken off is sent again": Canary(
        Ways(sender=TriesAgain), "carried", Weather(crash=0.004, die_delivering=0.3)
    ),
    "ends are not told": Canary(Ways(Parts(wire=TellsNothing)), "ends", CALM),
    "nobody remembers what left": Canary(Ways(Parts(wire=ForgetsWhatLeft)), "budget", CALM),
    "room is never given back": Canary(Ways(Parts(worker=KeepsRoom)), "released", Weather(pause=0.02)),
    "letters leave at night": Canary(Ways(Parts(wire=SendsAtOnce), connections=NeverSleeps), "quiet", CALM),
}
