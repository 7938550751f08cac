"""What a ledger of any size is filled with: people who make a choice now and then over two years, some of them often.

Everything follows from the number of a person and the round, so that a life can be told again without being kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

import msgspec

from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS
from courtesy.event.choice import Action, Basis, Choice, Evidence

ROUNDS = 10
"""So many choices makes a person who makes few, one in each round."""
OFTEN = 50
"""So many in each round makes a person who makes many."""
ONE_OFTEN_IN = 5_000
EACH_ON_AVERAGE = ROUNDS + ROUNDS * (OFTEN - 1) / ONE_OFTEN_IN
SPAN_MS = 730 * DAY_MS
SHUFFLE = 2_654_435_761
"""A prime larger than any number of people: multiples of it, modulo that number, go once through everybody."""
SHIFT = 7_919
"""Each round begins elsewhere."""

WORDINGS = tuple(f"Yes, write to me about news and offers. Wording {number}.".encode() for number in range(8))
DIGESTS = tuple(sha256(each).hexdigest() for each in WORDINGS)
CHANNELS = ("email", "sms", "push", "phone")
TOPICS = ("*", "shoes", "hats", "newsletter")
LOCALES = ("de-DE", "en-GB", "ka-GE", "th-TH")
METHODS = ("preference_centre", "checkout", "form")


class Told(NamedTuple):
    """A choice of a life: whose, when it came in, under which message id."""

    person: PersonId
    received_ms: int
    message: str
    choice: Choice


@dataclass(frozen=True, slots=True)
class Lives:
    """So many people from number 1 on, whose choices come in from an instant on, over `SPAN_MS`."""

    people: int
    first_ms: int

    def told(self) -> Iterator[Told]:
        """All choices in the order in which they come in: in each round everybody, in an order of its own."""
        for turn in range(ROUNDS):
            for place in range(self.people):
                person = (place * SHUFFLE + turn * SHIFT) % self.people + 1
                yield from self._of_round(PersonId(person), turn, place)

    def life(self, person: PersonId) -> Iterator[Told]:
        """Those of one person, as `told` has them."""
        back = pow(SHUFFLE, -1, self.people)
        for turn in range(ROUNDS):
            yield from self._of_round(person, turn, (person - 1 - turn * SHIFT) * back % self.people)

    def _of_round(self, person: PersonId, turn: int, place: int) -> Iterator[Told]:
        at_ms = self.first_ms + (turn * self.people + place) * SPAN_MS // (ROUNDS * self.people)
        for number in range(OFTEN if person % ONE_OFTEN_IN == 0 else 1):
            nth = turn * OFTEN + number
            yield Told(person, at_ms, f"{person:08x}-{nth:04x}-choice", choice(person, nth, at_ms))


def choice(person: int, nth: int, at_ms: int) -> Choice:
    """The nth choice of somebody: two thirds allow, the others take back."""
    pick = (person * 0x9E3779B1 + nth * 0x85EBCA6B) >> 7
    allows = pick % 3 != 0
    return Choice(
        Action.GRANT if allows else Action.WITHDRAW,
        "marketing",
        CHANNELS[pick // 3 % len(CHANNELS)],
        TOPICS[pick // 16 % len(TOPICS)],
        held_from=at_ms,
        basis=Basis.CONSENT if allows else None,
        policy=f"privacy-{pick % 5}",
        method=METHODS[pick // 5 % len(METHODS)],
        evidence=Evidence(notice=DIGESTS[pick % len(DIGESTS)], locale=LOCALES[pick % len(LOCALES)], affirmative=True),
    )


def as_sent(choice: Choice) -> dict[str, object]:
    """The choice as a client sends it."""
    told = msgspec.to_builtins(choice)
    return {"heldFrom" if name == "held_from" else name: value for name, value in told.items()}
