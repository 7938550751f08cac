"""Clients that repeat with every call what their visitors allow, and a slow, plain model of what of that is a choice.

The model shares no code with the product's hearing. A page says the same again and again and knows nothing of what was
chosen elsewhere: what it says is a choice only where it differs from what the same source said last; or, when a consent
manager says that somebody has chosen just now, where something against it was chosen since. A browser's signal is one
choice, ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import PersonId
from courtesy.base.time import HOUR_MS, to_iso
from courtesy.person.record import RecordKind
from tests.sim.calls import Call, Habits, Writer
from tests.sim.history import Filed, History, Message

VISITORS = 4
CATEGORIES = ("analytics", "functional")
JUST_CHOSEN = "Segment Consent Preference Updated"
SIGNALLED = {"sale", "sharing"}


class Repeater(Writer):
    """Writes the calls of a page with a banner. Its visitors are nobody else's."""

    def __init__(self, source: str, habits: Habits, chance: Random, now_ms: Callable[[], int]) -> None:
        super().__init__(source, habits, chance, now_ms)
        self.gpc = chance.random() < 0.3
        self._banner = {(visitor, each): chance.random() < 0.5 for visitor in range(VISITORS) for each in CATEGORIES}

    def write(self, message_id: str) -> Message:
        """Mostly a call with what the banner says; now and then a choice in so many words."""
        chance, visitor = self._chance, self._chance.randrange(VISITORS)
        age_ms = int(chance.choice((0, 0, 1, 5)) * chance.random() * HOUR_MS)
        call: Call = {
            "userId": f"visitor-{visitor}",
            "messageId": message_id,
            "originalTimestamp": to_iso(self._now_ms() - age_ms),
            "context": {"app": {"name": _name(self.gpc)}},
        }
        if chance.random() < 0.12:
            call |= self._chosen()
        else:
            call |= {"type": "track", "event": JUST_CHOSEN if chance.random() < 0.15 else "Product Viewed"}
            call["context"]["consent"] = {"categoryPreferences": self._shown(visitor)}
        return Message(self.source, message_id, msgspec.json.encode(call), None)

    def _chosen(self) -> Call:
        chance = self._chance
        purpose = chance.choice(("analytics", "analytics", "*", "marketing"))
        return {"type": "consent", "choices": [{"action": chance.choice(("grant", "withdraw")), "purpose": purpose}]}

    def _shown(self, visitor: int) -> Call:
        """What the banner says, some of which its visitor may just have changed."""
        chance = self._chance
        for each in CATEGORIES:
            if chance.random() < 0.15:
                self._banner[visitor, each] = not self._banner[visitor, each]
        return {each: self._banner[visitor, each] for each in CATEGORIES if chance.random() < 0.8}


def _name(gpc: bool) -> str:
    return "a browser with a signal" if gpc else "a browser"


class _Known(NamedTuple):
    """What is known to have been chosen: by whose telling (empty: in so many words), and when."""

    source: int | None
    purpose: str
    action: str
    at_ms: int


class Heard(NamedTuple):
    """A choice that a call must have become."""

    purpose: str
    action: str
    at_ms: int


def check_heard(history: History) -> Iterator[str]:
    """What was news became a choice, what was none did not: for all who were never taken for anybody else."""
    for person, calls in _visitors(history).items():
        known: list[_Known] = []
        for filed in calls:
            fact = msgspec.json.decode(filed.record.payload)
            raw = msgspec.json.decode(history.sent[filed.record.key].raw)
            told = [_Known(None, each["purpose"], each["action"], fact["at"]) for each in raw.get("choices", ())]
            found = sorted(
                Heard(each["purpose"], each["action"], each["held_from"])
                for each in fact.get("choices", ())[len(told) :]
            )
            expected = sorted(_news(raw, fact, known))
            if found != expected:
                yield f"{raw['messageId']} of {person} became {found}, expected {expected}, known was {known}"
            known += [*told, *(_Known(fact["source"], *each) for each in found)]


def _news(raw: dict[str, Any], fact: dict[str, Any], known: list[_Known]) -> Iterator[Heard]:
    at_ms, is_chosen = fact["at"], raw.get("event") == JUST_CHOSEN
    context = raw["context"]
    if context["app"]["name"] == _name(True) and not any(each.action == "signal" for each in known):
        yield from (Heard(purpose, "signal", at_ms) for purpose in SIGNALLED)
    for purpose, is_allowed in context.get("consent", {}).get("categoryPreferences", {}).items():
        action = "grant" if is_allowed else "withdraw"
        own = [each for each in known if each.source == fact["source"] and each.purpose == purpose]
        if any(each.action == action and each.at_ms == at_ms for each in own):
            continue
        last = max(
            (each for each in own if each.at_ms <= at_ms),
            key=lambda each: (each.at_ms, each.action == "withdraw"),
            default=None,
        )
        if last is None or last.action != action or (is_chosen and _was_undone(last, at_ms, known)):
            yield Heard(purpose, action, at_ms)


def _was_undone(last: _Known, at_ms: int, known: list[_Known]) -> bool:
    """Whether something was chosen since that says the contrary."""
    contrary = "withdraw" if last.action == "grant" else "grant"
    return any(
        last.at_ms < each.at_ms <= at_ms and each.purpose in (last.purpose, "*") and each.action == contrary
        for each in known
    )


def _visitors(history: History) -> dict[PersonId, list[Filed]]:
    """The calls of each visitor who was never one with anybody else, and of whom nothing went."""
    found: dict[PersonId, list[Filed]] = {}
    for filed in history.filed:
        if filed.record.kind is RecordKind.EVENT and not filed.forwarded and _is_of_visitor(history, filed):
            found.setdefault(filed.record.person, []).append(filed)
    alone = {person for person in found if history.ever_with(person) == person}
    joined = {history.ever_with(person) for person in history.people_seen() if history.ever_with(person) != person}
    return {
        person: calls
        for person, calls in found.items()
        if person in alone - joined
        and not any(map(history.is_gone, calls))
        and not history.was_cut_by_hand(person)
        and not history.was_taken_from(person)
    }


def _is_of_visitor(history: History, filed: Filed) -> bool:
    return filed.record.key in history.sent and b'"userId":"visitor-' in history.sent[filed.record.key].raw
