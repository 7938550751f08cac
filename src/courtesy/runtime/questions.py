"""Asking people one question, and taking the answer.

That a question was asked, answered or put off is an event of the person like all others, so caps and intervals rest on
their state. What holds when several processes ask the same person at once: each ask has a message id that is derived
from the person and from all that they were asked before, so of those who saw the same past one is stored. The others
are told that it is a duplicate, read again, and see it. So the asks of one person are in one order, each made in
knowledge of all before it, and no cap is ever exceeded; only of two people who become one later, each had their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId, Position
from courtesy.base.time import DAY_MS, Clock
from courtesy.consent.questions import (
    QUESTION,
    Question,
    Said,
    Shown,
    choices_of,
    evidence_of,
    read_answer,
    scope_of,
    shown,
    traits_of,
)
from courtesy.consent.standing import Standing
from courtesy.consent.wishes import Person
from courtesy.engine.answers import ANSWERED_COUNT, ASKED_COUNT, DECLINED_COUNT, LABEL, AnswerCount
from courtesy.engine.contract import Engine, PersonReading
from courtesy.event.choice import Scope
from courtesy.event.event import EventType
from courtesy.person.answered import Answer, answer_in
from courtesy.person.asking import ANSWERED, ASKED, DECLINED, Ask, Asking, ask_properties
from courtesy.person.choosing import Candidate, Chosen, Counts, Moment, choose, open_ask
from courtesy.person.state import PersonState
from courtesy.person.whereabouts import place_of
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.ingest import Ingest, Receipt
from courtesy.runtime.links import Signer
from courtesy.runtime.people import GROUP, PERSON, People
from courtesy.runtime.saying import Sayings

SOURCE_NAME = "questions"
METHOD = "question"
TRIES_MAX = 5
ANSWER_MS = 30 * DAY_MS
"""For how long an answer is taken: questions come by mail, too."""

USE, AGAIN_USE = "question", "answer again"
KEPT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Visit:
    """Over which channel somebody can be asked now. `locales`: their languages, the best first; those of the person's
    traits come behind. `session`: names what belongs together for the cap; empty for none. `after`: a position that
    must be known."""

    channel: str
    session: str = ""
    locales: tuple[str, ...] = ()
    after: Position | None = None


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """What the token of a question says: of whom it was asked, and what exactly they saw."""

    ask: str
    person: PersonId
    question: str
    revision: int
    asked_ms: int
    channel: str
    session: str
    occasion: int
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Offer:
    """A question to be shown; its answer is taken with the token up to `expires_ms`."""

    shown: Shown
    token: str
    expires_ms: int


Drawn = Callable[[Shown], bytes]
"""How a question is shown, byte for byte: what is kept as its form."""


def as_handed_out(seen: Shown) -> bytes:
    """The form of a question that others draw: as the API hands it out."""
    return seen.form


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that is known of somebody, and the question as it is shown for them to answer it anew with the token.
    `question`: its name; `form`: how it is shown, as `Drawn` drew it."""

    question: str
    shown: Shown
    answer: Answer
    form: bytes
    token: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What to ask, None for nothing; how each question stands; up to which position that was known. `receipt` when it
    was put down."""

    person: PersonId
    offer: Offer | None
    candidates: tuple[Candidate, ...]
    position: Position
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an answer. `choices`: what it says, as it is in the ledger; it was stored before when the receipt
    says that nothing was."""

    question: str
    choices: tuple[Mapping[str, Any], ...]
    receipt: Receipt


_TICKET = msgspec.json.Decoder(Ticket)


class Questions:
    """The asking side of one process."""

    def __init__(
        self, engine: Engine, catalog: CatalogCache, ingest: Ingest, people: People, clock: Clock, signer: Signer
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._sayings = Sayings(catalog, ingest, clock, SOURCE_NAME)
        self._people = people
        self._clock = clock
        self._signer = signer
        self._kept: set[str] = set()

    async def look(self, kind: str, value: str, visit: Visit) -> Decision:
        """What would be asked, and why nothing else; nothing is asked. Raises what `People.view` raises."""
        reading, state = await self._read(kind, value, visit)
        chosen = await self._chosen(state, self._moment(state, visit))
        return Decision(reading.person, None, chosen.candidates, reading.head)

    async def ask(self, kind: str, value: str, visit: Visit, drawn: Drawn = as_handed_out) -> Decision:
        """The one question to ask, if any is worth it. That it is asked is durable when this returns. `drawn`: how it
        will be shown, which is kept.

        While nothing came back it is told again in the same session, and counts once. Raises what `People.view` raises,
        and CourtesyError(CONFLICT) when others ask the same person all the time.
        """
        await self._catalog.refresh()
        for _ in range(TRIES_MAX):
            reading, state = await self._read(kind, value, visit)
            moment = self._moment(state, visit)
            chosen = await self._chosen(state, moment)
            again = open_ask(state, self._catalog.now.questions, moment)
            if again is not None:
                offer = await self._offer(reading, state, visit, again, drawn)
                return Decision(reading.person, offer, chosen.candidates, reading.head)
            if chosen.question is None:
                return Decision(reading.person, None, chosen.candidates, reading.head)
            ask = _ask_of(reading.person, state, chosen.question, moment)
            offer = await self._offer(reading, state, visit, ask, drawn)
            receipt = await self._sayings.say(reading, [_event(ASKED, ask, visit.channel)])
            if receipt.stored_count:
                await self._engine.count_answers([AnswerCount(ask.question, ASKED_COUNT, 1)])
                return Decision(reading.person, offer, chosen.candidates, receipt.position, receipt)
        raise CourtesyError(Code.CONFLICT, "others ask the same person at the same time", hint="ask again")

    async def answer(self, token: str, told: Any, comment: str = "") -> Taken:
        """Store an answer: it counts once, whoever sends it how often, and the first one counts.

        Raises CourtesyError: INVALID for a token that was not made here or an answer that does not fit, CONFLICT for
        one that comes too late, NOT_FOUND when the person was erased.
        """
        ticket = self._opened(USE, token)
        question = await self._as_asked(ticket)
        said = read_answer(question.answer, told, comment)
        reading, state = await self._people.whole(PERSON, str(ticket.person))
        made = self._choices(question, said, state, ticket)
        calls = [_event(ANSWERED, _ask_in(ticket), ticket.channel), *_calls(question, said, made, ticket)]
        receipt = await self._sayings.say(reading, calls, keep_keys=True)
        if receipt.stored_count:
            await self._engine.count_answers(_counts_of(ticket.question, said))
        return Taken(ticket.question, tuple(made), receipt)

    async def given(
        self,
        person: PersonId,
        state: PersonState,
        locales: Sequence[str],
        drawn: Callable[[Shown, Answer], bytes],
        leave_out: Collection[Scope] = (),
    ) -> list[Given]:
        """Every answer that is known of a person, by the name of its question, and what answers it anew. `leave_out`:
        what the answers are about that are shown elsewhere."""
        now_ms, place, found = self._clock.now_ms(), place_of(state), []
        for name, question in sorted(self._catalog.now.questions.items()):
            answer = answer_in(state, name, question, now_ms, place)
            if answer is None or scope_of(question.answer) in leave_out:
                continue
            seen = shown(name, question, self._locales(locales, state))
            form = drawn(seen, answer)
            ask = Ask(now_ms, "", name, "", answer.occasion_ms)
            found.append(Given(name, seen, answer, form, await self._token(AGAIN_USE, person, ask, "", seen, form)))
        return found

    async def revise(self, token: str, told: Any, comment: str = "") -> Receipt | None:
        """Store an answer in place of one that was `given`; the same one sent twice counts once. None when it says what
        is so already. It is no answer to an ask: no cap and no count rests on it. Raises as `answer`."""
        ticket = self._opened(AGAIN_USE, token)
        question = await self._as_asked(ticket)
        said = read_answer(question.answer, told, comment)
        reading, state = await self._people.whole(PERSON, str(ticket.person))
        known = answer_in(state, ticket.question, question, self._clock.now_ms(), place_of(state))
        if known is not None and not known.is_inferred and (known.value, known.comment) == (said.value, said.comment):
            return None
        name = sha256(token.encode("utf-8", "surrogatepass") + msgspec.json.encode([said.value, said.comment]))
        again = msgspec.structs.replace(ticket, ask=f"again-{name.hexdigest()[:32]}")
        made = self._choices(question, said, state, again)
        return await self._sayings.say(reading, _calls(question, said, made, again), keep_keys=True)

    def _choices(self, question: Question, said: Said, state: PersonState, ticket: Ticket) -> list[Mapping[str, Any]]:
        person = Person(state.standing or Standing(), place_of(state))
        return list(choices_of(question.answer, said, person, self._clock.now_ms(), ticket.occasion))

    async def put_off(self, token: str) -> Taken:
        """Store that somebody does not want to be asked now. Raises as `answer`."""
        ticket = self._opened(USE, token)
        reading, _ = await self._people.whole(PERSON, str(ticket.person))
        call = _event(DECLINED, _ask_in(ticket), ticket.channel)
        receipt = await self._sayings.say(reading, [call], keep_keys=True)
        if receipt.stored_count:
            await self._engine.count_answers([AnswerCount(ticket.question, DECLINED_COUNT, 1)])
        return Taken(ticket.question, (), receipt)

    async def counts(self) -> dict[str, Counts]:
        """How often each question was asked and answered, and how."""
        found: dict[str, dict[str, int]] = {}
        for each in await self._engine.answer_counts():
            found.setdefault(each.question, {})[each.what] = each.times
        return {
            name: Counts(
                counted.get(ASKED_COUNT, 0),
                counted.get(ANSWERED_COUNT, 0),
                {what.removeprefix(LABEL): count for what, count in counted.items() if what.startswith(LABEL)},
            )
            for name, counted in found.items()
        }

    async def _read(self, kind: str, value: str, visit: Visit) -> tuple[PersonReading, PersonState]:
        if kind == GROUP:
            raise CourtesyError(Code.INVALID, "expected an identifier of a person, got a group", place="kind")
        return await self._people.whole(kind, value, visit.after)

    def _moment(self, state: PersonState, visit: Visit) -> Moment:
        return Moment(self._clock.now_ms(), visit.channel, visit.session, place_of(state))

    async def _chosen(self, state: PersonState, moment: Moment) -> Chosen:
        now = self._catalog.now
        return choose(state, now.questions, await self.counts(), now.question_caps, moment)

    async def _offer(self, reading: PersonReading, state: PersonState, visit: Visit, ask: Ask, drawn: Drawn) -> Offer:
        """The question as they are to see it, kept under its digest before they see it."""
        seen = shown(ask.question, self._catalog.now.questions[ask.question], self._locales(visit.locales, state))
        token = await self._token(USE, reading.person, ask, visit.channel, seen, drawn(seen))
        return Offer(seen, token, ask.at + ANSWER_MS)

    def _locales(self, wanted: Sequence[str], state: PersonState) -> tuple[str, ...]:
        traits = [state.traits[name].value for name in ("locale", "language") if name in state.traits]
        return (*wanted, *(each for each in traits if isinstance(each, str)))

    async def _token(self, use: str, person: PersonId, ask: Ask, channel: str, seen: Shown, form: bytes) -> str:
        """What takes the answer to a question as it is shown; that is kept before it is."""
        evidence = evidence_of(seen, form)
        await self._keep((seen.wording, form), evidence["form"])
        revision = self._catalog.now.revisions[QUESTION, ask.question].revision
        ticket = Ticket(ask.id, person, ask.question, revision, ask.at, channel, ask.session, ask.occasion, evidence)
        return self._signer.signed(use, msgspec.json.encode(ticket))

    async def _keep(self, contents: Sequence[bytes], digest: str) -> None:
        """Keep what is shown; the store is spared what this process gave it before."""
        if digest not in self._kept:
            await self._engine.keep_shown(contents, self._clock.now_ms())
            if len(self._kept) >= KEPT_MAX:
                self._kept.clear()
            self._kept.add(digest)

    def _opened(self, use: str, token: str) -> Ticket:
        content = self._signer.opened(use, token)
        if content is None:
            raise CourtesyError(Code.INVALID, "expected the token of a question", place="token")
        ticket = _TICKET.decode(content)
        if self._clock.now_ms() >= ticket.asked_ms + ANSWER_MS:
            raise CourtesyError(Code.CONFLICT, "the question was asked too long ago", hint="ask again", place="token")
        return ticket

    async def _as_asked(self, ticket: Ticket) -> Question:
        """The question as it was defined when it was asked."""
        revisions = await self._engine.definition_history(QUESTION, ticket.question)
        body = next((each.body for each in revisions if each.revision == ticket.revision), None)
        if body is None:
            raise CourtesyError(Code.NOT_FOUND, f"there never was such a question: {ticket.question!r:.60}")
        return msgspec.json.decode(body, type=Question)


def _ask_of(person: PersonId, state: PersonState, candidate: Candidate, moment: Moment) -> Ask:
    """The next ask of a person, by a name that whoever knows the same past gives it as well."""
    asking = state.asking or Asking()
    latest = asking.recent[0].id if asking.recent else ""
    name = sha256(f"{person}\0{asking.count}\0{latest}".encode()).hexdigest()[:32]
    return Ask(moment.now_ms, name, candidate.name, moment.session, candidate.occasion)


def _ask_in(ticket: Ticket) -> Ask:
    return Ask(ticket.asked_ms, ticket.ask, ticket.question, ticket.session, ticket.occasion)


_WORDS = {ASKED: "asked", ANSWERED: "answered", DECLINED: "declined"}


def _event(name: str, ask: Ask, channel: str) -> dict[str, Any]:
    """A call that says what became of an ask."""
    return {
        "type": EventType.TRACK,
        "messageId": f"{_WORDS[name]}-{ask.id}",
        "event": name,
        "properties": {**ask_properties(ask), "channel": channel},
    }


def _calls(question: Question, said: Said, made: Sequence[Mapping[str, Any]], ticket: Ticket) -> list[dict[str, Any]]:
    """The calls that say an answer, apart from that it was asked for."""
    beside = {"method": METHOD, "request": ticket.ask, "evidence": ticket.evidence}
    choices = [{**each, **beside} for each in made]
    traits = traits_of(question.answer, said)
    return [
        {"type": EventType.CONSENT, "messageId": f"choices-{ticket.ask}", "choices": choices},
        *([{"type": EventType.IDENTIFY, "messageId": f"traits-{ticket.ask}", "traits": traits}] if traits else ()),
    ]


def _counts_of(question: str, said: Said) -> list[AnswerCount]:
    return [
        AnswerCount(question, ANSWERED_COUNT, 1),
        *(AnswerCount(question, LABEL + each, 1) for each in said.labels),
    ]
