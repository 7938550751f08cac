"""Facts to fold, and ways to fold them: all at once, in parts, in any order."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterable, Sequence
from typing import Any

from courtesy.base.ids import PersonId, SourceId, message_key, tie_break
from courtesy.base.time import DAY_MS
from courtesy.event.event import EventType, Fact, Party
from courtesy.person.fold import fold_fact, merge
from courtesy.person.state import PersonState, decode_state, encode_state
from courtesy.person.step import Occurred

NOON_MS = 1_763_812_800_000
ANN, BOB, CID = PersonId(1), PersonId(2), PersonId(3)
SHOP = SourceId(1)


def fact(message_id: str = "m1", name: str | None = "Product Viewed", *, at: int = NOON_MS, **more: Any) -> Fact:
    """A track call of the shop, unless `more` says otherwise."""
    given: dict[str, Any] = {
        "type": EventType.TRACK,
        "received": at,
        "source": SHOP,
        "rank": 30,
        "party": Party.FIRST,
        "ids": ("user_id:ann",),
    }
    return Fact(id=message_id, name=name, at=at, **(given | more))


def tie_of(given: Fact) -> int:
    """What settles the order of facts of one millisecond."""
    return tie_break(message_key(given.source, given.id))


def occurred(given: Fact) -> Occurred:
    """The fact as an input of the step."""
    return Occurred(given, tie_of(given), message_key(given.source, given.id))


def folded(facts: Iterable[Fact], person: PersonId = ANN) -> PersonState:
    """The state that the facts give in this order."""
    state = PersonState(person)
    for each in facts:
        fold_fact(state, each, tie_of(each), message_key(each.source, each.id))
    return state


def merged(states: Sequence[PersonState], chance: random.Random) -> PersonState:
    """All states as one, merged in an order and a grouping that chance picks; each goes to the store and back."""
    waiting = [decode_state(encode_state(state)) for state in states]
    while len(waiting) > 1:
        into = waiting.pop(chance.randrange(len(waiting)))
        merge(into, waiting.pop(chance.randrange(len(waiting))))
        waiting.append(into)
    return waiting[0]


def split(facts: Sequence[Fact], chance: random.Random) -> list[list[Fact]]:
    """The facts shuffled and dealt to up to five hands, some of which may be empty."""
    hands: list[list[Fact]] = [[] for _ in range(chance.randint(1, 5))]
    for each in chance.sample(facts, len(facts)):
        chance.choice(hands).append(each)
    return hands


def copied(state: PersonState) -> PersonState:
    """A state that can be changed without changing the other."""
    return copy.deepcopy(state)


def busy_facts(chance: random.Random, count: int, variety: int, first: int = 0) -> list[Fact]:
    """A stream of facts about one person, with `variety` of everything that has a bound: names, traits, days, ids."""
    return [_busy_fact(chance, number, variety) for number in range(first, first + count)]


def _busy_fact(chance: random.Random, number: int, variety: int) -> Fact:
    some = [chance.randrange(variety) for _ in range(6)]
    at = NOON_MS - chance.randrange(variety) * DAY_MS // 2 - chance.randrange(3)
    kind = chance.choice((EventType.TRACK, EventType.TRACK, EventType.PAGE, EventType.IDENTIFY, EventType.GROUP))
    return fact(
        f"m{number}",
        f"Name {some[0]}",
        at=at,
        type=kind,
        source=SourceId(1 + some[1] % 3),
        rank=chance.choice((10, 30, 40)),
        ids=(f"user_id:{some[1] % 5}", f"anonymous_id:{some[2]}"),
        group=f"group-{some[3]}" if kind is EventType.GROUP else None,
        traits={f"trait {some[4]}": {f"leaf.{each}": each for each in some}} if number % 2 else None,
        properties={f"amount {each}": each / 8 for each in some},
    )
