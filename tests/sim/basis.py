"""A slow, plain model of what people allow: everything that each of them said, as clients sent it, asked anew for every
question. It shares no code with the product's consent, so that the two can disagree.

The law of the simulation is small. Who is in the United States may be written to by e-mail, and looked at, until they
refuse; nobody knows what time it is there, so no text may be sent. Everybody else has to have allowed it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from courtesy.base.ids import PersonId, Position
from courtesy.event.choice import choice_id
from courtesy.person.record import RecordKind
from tests.sim.history import Filed, History

ANYTHING = "*"
UNIONS = {"DE": "EU"}
UNTIL_REFUSED = {("marketing", "email"), ("analytics", "email"), ("analytics", "sms")}
NEVER = {("marketing", "sms")}
PARTS = ("purpose", "channel", "topic", "brand")


class Question(NamedTuple):
    """May this person be used for a purpose over a channel, by all up to a position, at an instant?"""

    person: PersonId
    purpose: str
    channel: str
    head: Position
    now_ms: int


class Ruling(NamedTuple):
    """The answer; and why, for whoever reads of a failure."""

    allowed: bool
    why: str


@dataclass(frozen=True, slots=True)
class Said:
    """One choice, as a client sent it. `knew`: everybody who was known to be one with who said it, when it came in."""

    filed: Filed
    id: str
    told: dict[str, Any]
    begins_ms: int
    knew: frozenset[PersonId]

    def is_about(self, question: Question, place: str) -> bool:
        """Whether the question is within what it is about."""
        asked = {"purpose": question.purpose, "channel": question.channel}
        places = {ANYTHING, place, UNIONS.get(place, place)}
        return self.told.get("jurisdiction", ANYTHING) in places and all(
            self.told.get(part, ANYTHING) in (ANYTHING, asked.get(part, ANYTHING)) for part in PARTS
        )

    def is_part_of(self, wide: Said) -> bool:
        """Whether all that it is about, the other is about."""
        own, theirs = (each.told.get("jurisdiction", ANYTHING) for each in (self, wide))
        return theirs in (ANYTHING, own, UNIONS.get(own)) and all(
            wide.told.get(part, ANYTHING) in (ANYTHING, self.told.get(part, ANYTHING)) for part in PARTS
        )

    def does(self, *actions: str) -> bool:
        """Whether it is one of these."""
        return self.told["action"] in actions


class Basis:
    """What a run's people said, to be asked about once it is over."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._said = [each for filed in _events(history) for each in _said(history, filed)]
        self._places = [each for each in _events(history) if b'"country"' in history.sent[each.record.key].raw]
        self.rotten = {
            history.ever_with(each.record.person)
            for each in history.filed
            if each.rotten and each.record.key in history.sent and b'"choices"' in history.sent[each.record.key].raw
        }

    def answer(self, question: Question) -> Ruling:
        """What everything comes to that was said by then and not erased or taken back."""
        own = [each for each in self._said if self._is_own(each.filed, question)]
        voided = {each.told["corrects"] for each in own if each.does("correct")}
        # Where a clock was set back it is still no earlier than when the last of it came in.
        now_ms = max([question.now_ms, *(each.filed.record.received for each in own)])
        place = self.place_of(question)
        open_ = [
            each
            for each in own
            if each.id not in voided and each.is_about(question, place) and each.begins_ms <= now_ms
        ]
        ended = [each for each in open_ if each.does("expire")]
        open_ = [each for each in open_ if now_ms < each.told.get("heldTo", now_ms + 1)]
        grants = [
            each
            for each in open_
            if each.does("grant") and not any(end.begins_ms >= each.begins_ms and each.is_part_of(end) for end in ended)
        ]
        for refusal in open_:
            if refusal.does("withdraw", "object") and not any(
                each.begins_ms > refusal.begins_ms and each.knew & refusal.knew and each.is_part_of(refusal)
                for each in grants
            ):
                return Ruling(False, f"refused at {refusal.filed.record.position} by {refusal.told}")
        if place == "US":
            about = question.purpose, question.channel
            return Ruling(about not in NEVER and (bool(grants) or about in UNTIL_REFUSED), f"in {place}")
        return Ruling(bool(grants), f"{len(grants)} grants in {place}")

    def place_of(self, question: Question) -> str:
        """The country that was told last, by whom one believes most."""
        own = (each for each in self._places if self._is_own(each, question))
        told = [(fact["rank"], fact["at"], _tie(each), fact) for each in own for fact in [_fact(each)]]
        return str(max(told, key=lambda each: each[:3])[3]["traits"]["country"]) if told else ANYTHING

    def _is_own(self, filed: Filed, question: Question) -> bool:
        history, head = self._history, question.head
        return (
            filed.record.position <= head
            and not history.is_gone(filed, head)
            and history.owner_of(filed, head) == question.person
        )


def _events(history: History) -> list[Filed]:
    return [
        each
        for each in history.filed
        if each.record.kind is RecordKind.EVENT and not each.forwarded and not each.rotten
        if each.record.key in history.sent
    ]


def _said(history: History, filed: Filed) -> Iterator[Said]:
    record = filed.record
    raw = history.sent[record.key].raw
    if b'"choices"' not in raw:
        return
    fact = _fact(filed)
    # What was broken may have been mended to something else.
    if fact["type"] != "consent":
        return
    knew = frozenset(history.part_of(history.root_of(record.person, record.position), record.position))
    for ordinal, told in enumerate(msgspec.json.decode(raw)["choices"]):
        yield Said(filed, choice_id(record.key, ordinal), told, told.get("heldFrom", fact["at"]), knew)


def _fact(filed: Filed) -> dict[str, Any]:
    fact: dict[str, Any] = msgspec.json.decode(filed.record.payload)
    return fact


def _tie(filed: Filed) -> int:
    return int.from_bytes(filed.record.key[:8], "big", signed=True)
