"""Canaries for the runs of consent: each breaks one part on purpose, so that one of their checkers must notice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from courtesy.base.ids import PersonId
from courtesy.engine.contract import FoldCommit
from courtesy.engine.ledger import Entry, Keyring
from courtesy.engine.propagation import AttemptEnd, Change, ClaimedSubject, Cursor, ReceiptState
from courtesy.person.state import decode_state, encode_state
from courtesy.runtime.erase import Eraser
from courtesy.runtime.hearing import Hearing
from courtesy.runtime.ingest import Ingest
from courtesy.runtime.telling import LOOKED_AT, Teller
from tests.sim.canaries import Canary, Meddling
from tests.sim.faults import Weather
from tests.sim.process import Parts
from tests.sim.store import Wire, WiredAppend


class NeverLooksAgain(Teller):
    """Takes what was read back once for what is there for ever."""

    async def _look_again(self, name: str, recipient: Any, claimed: ClaimedSubject, *_: Any) -> AttemptEnd:
        now_ms = self._clock.now_ms()
        return AttemptEnd(name, claimed.subject, claimed.attempt, LOOKED_AT, now_ms, end=ReceiptState.VERIFIED)


class LosesChanges(Wire):
    """Moves the cursor, and now and then forgets what was before it."""

    async def queue_changes(
        self, recipient: str, changes: Sequence[Change], now_ms: int, moved: tuple[Cursor, Cursor] | None = None
    ) -> bool:
        kept = [each for each in changes if each.entry is None or each.entry % 7 != 3]
        return bool(await self.call("queue_changes", self.inner.queue_changes, (recipient, kept, now_ms, moved), {}))


class ErasesHereAlone(Eraser):
    """Tells nobody who else is to erase."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given[:6])


class ForgetsChoices(Meddling):
    """Loses what people chose when their states are stored."""

    def meddled(self, commit: FoldCommit) -> FoldCommit:
        return replace(commit, states=[(person, _without_choices(state)) for person, state in commit.states])


def _without_choices(content: bytes) -> bytes:
    state = decode_state(content)
    state.standing = None
    return encode_state(state)


class HearsAnewAppend(WiredAppend):
    """Says that nobody ever chose anything."""

    async def ledger_of(
        self, people: Collection[PersonId], recorded_until_ms: int | None = None
    ) -> tuple[list[Entry], Keyring]:
        return await super().ledger_of((), recorded_until_ms)


class HearsAnew(Wire):
    append_type = HearsAnewAppend


class _Deaf(Hearing):
    async def with_news(self, append: Any, owners: Any, fresh: Any) -> Any:
        return list(fresh)


class HearsNothing(Ingest):
    """Takes no note of what is said along with everything."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._hearing = _Deaf(given[2])


CANARIES: dict[str, Canary] = {
    "nobody looks again": Canary(Parts(teller=NeverLooksAgain), "told", Weather(crash=0.002)),
    "changes are lost": Canary(Parts(wire=LosesChanges), "receipts", Weather()),
    "others are not told of erasures": Canary(Parts(eraser=ErasesHereAlone), "told", Weather(erasures=3)),
    "states forget what people chose": Canary(Parts(wire=ForgetsChoices), "meaning", Weather()),
    "whatever is said is news": Canary(Parts(wire=HearsAnew), "heard", Weather()),
    "nothing that is said is heard": Canary(Parts(ingest=HearsNothing), "heard", Weather()),
}
