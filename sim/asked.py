"""What becomes of questions: people with known tastes are asked one at a time, or all at once by a form.

What is assumed of people, the same for both ways of asking:

- Somebody answers a question that stands alone with a chance that is their patience, 0.1 to 0.7, if they have anything
  to say to it: to a category of goods many have not.
- Of several questions in one form each is answered with `STAYING` of the chance of the one before it.
- Who was asked something in the last two weeks answers with `WEARY` of their patience.
- Of one in five the shop knows already what it would ask beside tastes; a form asks all the same.

The form is shown at the first visit. One at a time goes by what `choose` says, visit by visit, with the caps that hold
unless others are set; each event is folded as the server folds it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from courtesy.base.ids import PersonId, SourceId
from courtesy.consent.questions import Caps, Question, read_answer
from courtesy.event.choice import Action, Choice
from courtesy.event.event import EventType, Fact, Party
from courtesy.person.asking import ANSWERED, ASKED, Ask, ask_properties
from courtesy.person.choosing import Candidate, Counts, Moment, choose
from courtesy.person.fold import fold_fact
from courtesy.person.state import PersonState
from sim.catalogue import Catalogue, make_catalogue
from sim.chance import chance, draw
from sim.clock import DAY_MS
from sim.config import WorldConfig
from sim.shopper import Shopper, make_shopper

STAYING = 0.93
WEARY = 0.8
WEARY_MS = 14 * DAY_MS
KNOWN_SHARE = 0.2
OPINION_SHARE = 0.5
VIEWED_EACH_VISIT = 2
SOURCE = SourceId(1)

_FACTS: Mapping[str, tuple[str, ...]] = {
    "style": ("plain", "colourful"),
    "home": ("flat", "house"),
    "shops_for": ("self", "family", "others"),
    "mail_rhythm": ("weekly", "monthly", "never"),
}


def viewed(category: str) -> str:
    """The event that says that somebody looked at goods of a category."""
    return f"Viewed {category}"


def questions_about(categories: tuple[str, ...]) -> dict[str, Question]:
    """What the shop would like to know of everybody: tastes in goods, asked of who looked at such; and facts."""

    def told(answer: dict[str, object], **more: object) -> Question:
        return msgspec.convert({"text": {"en": "?"}, "answer": answer, **more}, Question).checked()

    def options(*names: str) -> list[dict[str, str]]:
        return [{"name": name} for name in names]

    tastes = {
        f"taste {each}": told(
            {"kind": "one_of", "topic": each, "options": options("like", "dislike")},
            after={"event": viewed(each), "to_days": 30},
        )
        for each in categories
    }
    facts = {name: told({"kind": "trait", "path": name, "options": options(*names)}) for name, names in _FACTS.items()}
    return tastes | facts


@dataclass(frozen=True, slots=True)
class Respondent:
    """Somebody with known tastes. `truths`: what they would say, by question; what is missing they can't say. `known`:
    questions whose answers the shop has. `visits`: the instants at which they come."""

    index: int
    patience: float
    truths: Mapping[str, str]
    known: frozenset[str]
    looks_at: tuple[str, ...]
    visits: tuple[int, ...]


@dataclass(slots=True)
class Result:
    """What came of asking: questions shown, preferences learnt that were not known, and of how many there were."""

    shown_count: int = 0
    filled_count: int = 0
    wanted_count: int = 0

    @property
    def filled_per_shown(self) -> float:
        """Preferences learnt by each question shown."""
        return self.filled_count / max(1, self.shown_count)

    @property
    def coverage(self) -> float:
        """The share of all preferences to be learnt that were."""
        return self.filled_count / max(1, self.wanted_count)


def respondents(config: WorldConfig) -> list[Respondent]:
    """The people of a world."""
    catalogue = make_catalogue(config.seed)
    return [_respondent(config, catalogue, make_shopper(config, catalogue, at)) for at in range(config.shopper_count)]


def _respondent(config: WorldConfig, catalogue: Catalogue, shopper: Shopper) -> Respondent:
    rng = chance(config.seed, "respondent", shopper.index)
    truths: dict[str, str] = {}
    for category in sorted(catalogue.by_category):
        if category in shopper.favourites:
            truths[f"taste {category}"] = "like"
        elif rng.random() < OPINION_SHARE:
            truths[f"taste {category}"] = "like" if rng.random() < 0.3 else "dislike"
    truths |= {name: rng.choice(options) for name, options in _FACTS.items()}
    known = frozenset(name for name in _FACTS if rng.random() < KNOWN_SHARE)
    looks_at = (*sorted(catalogue.by_category), *shopper.favourites * 4)
    rate = config.visits_per_day * rng.lognormvariate(-0.32, 0.8)
    return Respondent(
        shopper.index, rng.uniform(0.1, 0.7), truths, known, looks_at, tuple(_visits(config, rng.expovariate, rate))
    )


def _visits(config: WorldConfig, wait: object, rate: float) -> Iterator[int]:
    assert callable(wait)
    at = config.start_ms + int(wait(rate) * DAY_MS)
    while at < config.end_ms:
        yield at
        at += int(wait(rate) * DAY_MS) + 1


def by_form(config: WorldConfig, people: list[Respondent], shown_max: int | None, staying: float = STAYING) -> Result:
    """A form of all questions for each at their first visit, in the order of these, until so many were shown."""
    names = list(questions_about(tuple(sorted(make_catalogue(config.seed).by_category))))
    result = Result(wanted_count=_wanted(people))
    for each in sorted((each for each in people if each.visits), key=lambda each: each.visits[0]):
        for place, name in enumerate(names):
            if result.shown_count == shown_max:
                return result
            result.shown_count += 1
            answers = draw(config.seed, "form", each.index, name) < each.patience * staying**place
            result.filled_count += answers and name in each.truths and name not in each.known
    return result


def _wanted(people: list[Respondent]) -> int:
    return sum(len(each.truths.keys() - each.known) for each in people)


@dataclass(slots=True)
class _Asked:
    """Everybody's state and all counts, while people are asked one question at a time."""

    config: WorldConfig
    questions: Mapping[str, Question]
    states: dict[int, PersonState] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    labels: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def counts(self) -> dict[str, Counts]:
        """How often each was asked and answered."""
        return {name: Counts(self.asked[name], self.answered[name], self.labels[name]) for name in self.questions}

    def tell(self, person: Respondent, at_ms: int, kind: EventType, **more: object) -> None:
        """Fold one event of theirs."""
        state = self.states[person.index]
        number = state.event_count
        told: dict[str, object] = {"id": f"m{number}", "type": kind, "at": at_ms, "received": at_ms, "source": SOURCE}
        fact = msgspec.convert({**told, "rank": 40, "party": Party.ZERO, "ids": ()}, Fact)
        fold_fact(state, msgspec.structs.replace(fact, **more), number, f"{person.index}/{number}".encode())


def one_at_a_time(config: WorldConfig, people: list[Respondent], caps: Caps | None = None) -> Result:
    """The one question that is worth asking, if any, at each visit, everybody's visits in the order of time."""
    categories = tuple(sorted(make_catalogue(config.seed).by_category))
    asked, result = _Asked(config, questions_about(categories)), Result(wanted_count=_wanted(people))
    for each in people:
        asked.states[each.index] = PersonState(PersonId(each.index + 1))
        if each.known:
            traits = {name: each.truths[name] for name in each.known}
            asked.tell(each, config.start_ms, EventType.IDENTIFY, traits=traits)
    for at_ms, number in sorted((at, number) for number, each in enumerate(people) for at in each.visits):
        _visit(asked, people[number], at_ms, caps or Caps(), result)
    return result


def _visit(asked: _Asked, person: Respondent, at_ms: int, caps: Caps, result: Result) -> None:
    """They look at some goods, and may be asked something."""
    rng = chance(asked.config.seed, "look", person.index, at_ms)
    for _ in range(VIEWED_EACH_VISIT):
        asked.tell(person, at_ms, EventType.TRACK, name=viewed(rng.choice(person.looks_at)))
    state = asked.states[person.index]
    moment = Moment(at_ms, "web", f"visit {at_ms}")
    chosen = choose(state, asked.questions, asked.counts(), caps, moment).question
    if chosen is None:
        return
    recent = state.asking.recent[:1] if state.asking is not None else []
    is_weary = any(each.at > at_ms - WEARY_MS for each in recent)
    result.shown_count += 1
    asked.asked[chosen.name] += 1
    ask = Ask(at_ms, f"{person.index}-{at_ms}", chosen.name, moment.session, chosen.occasion)
    asked.tell(person, at_ms, EventType.TRACK, name=ASKED, properties=ask_properties(ask))
    truth = person.truths.get(chosen.name)
    if truth is not None and rng.random() < person.patience * (WEARY if is_weary else 1):
        result.filled_count += chosen.name not in person.known
        _answer(asked, person, ask, chosen, truth)


def _answer(asked: _Asked, person: Respondent, ask: Ask, chosen: Candidate, truth: str) -> None:
    answer = asked.questions[chosen.name].answer
    said = read_answer(answer, truth)
    asked.answered[chosen.name] += 1
    asked.labels[chosen.name].update(said.labels)
    asked.tell(person, ask.at + 1, EventType.TRACK, name=ANSWERED, properties=ask_properties(ask))
    choice = Choice(Action.SET, topic=chosen.name, held_from=ask.at + 1, value=said.value)
    asked.tell(person, ask.at + 1, EventType.CONSENT, choices=(choice,))
