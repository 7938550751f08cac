"""Previews: what would leave for a person in every channel and locale, and whether it would leave now.

Words are written as those of messages are, decisions are asked of the same desk and the same laws. But nobody is
granted anything, no permit is issued, no room is taken, and no link tells who followed it: nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import DAY_MS, Clock, to_iso
from courtesy.channel.in_app import shown_fields
from courtesy.content.appearance import appearance
from courtesy.content.findings import Check, error
from courtesy.content.items import CHANNELS, key_of
from courtesy.content.links import Slot, destination
from courtesy.content.offers import terms_of
from courtesy.content.wording import EMAIL, Wording
from courtesy.delivery.message import Message, Priority, Skip
from courtesy.engine.contract import PersonReading
from courtesy.event.event import Party
from courtesy.offer.redeeming import Refused
from courtesy.person.assemble import assemble
from courtesy.person.state import Membership, PersonState, Seen, Stamp, Trait
from courtesy.person.view import leaves
from courtesy.runtime.catalogue_lookup import CatalogueLookup
from courtesy.runtime.clienteling import Clienteling
from courtesy.runtime.content_drafts import Drafts, Said
from courtesy.runtime.leaving import Departures, Leaving
from courtesy.runtime.offer_desk import Named
from courtesy.runtime.people import People
from courtesy.runtime.previewed import LackedView, Preview, PreviewAsk, Shown, Somebody
from courtesy.runtime.wording import not_now
from courtesy.runtime.writing import Addresses, Occasion, Words, locale_of, nearest, offer_told, words_for

OFFER, PLACEMENT = "offer", "web"
PURPOSE = "marketing"
SAMPLE = "sample"
"""What stands in links for the token that tells whose they are. It is nobody's."""

WORTH_MS = 2 * DAY_MS


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads it: by which identifier, as they were read (both None for somebody made up), what is known of them."""

    named: Named | None
    reading: PersonReading | None
    state: PersonState

    @property
    def label(self) -> str:
        """Who it is, in words."""
        return "somebody made up" if self.named is None else f"{self.named.kind} {self.named.value}"


@dataclass(frozen=True, slots=True)
class Case:
    """What is looked at, by whom it is read, with which offer."""

    ask: PreviewAsk
    said: Said
    reader: Reader
    offer: Mapping[str, Any]
    refused: str
    now_ms: int


class Column(NamedTuple):
    """A channel in a locale: by which wording (None: it says nothing there), for whoever reads in which locale, and
    whether that is what the person gets."""

    channel: str
    locale: str
    wording: Wording | None
    reads: str
    theirs: bool


@dataclass(frozen=True, slots=True)
class MessagePreviews:
    """Previews of one process. `url`: to which links lead; `hosts`: to which others may."""

    drafts: Drafts
    people: People
    clienteling: Clienteling
    departures: Departures
    lookup: CatalogueLookup
    clock: Clock
    url: str
    hosts: tuple[str, ...]

    async def preview(self, ask: PreviewAsk) -> Preview:
        """What would leave. Nothing is changed.

        Raises CourtesyError: INVALID, NOT_FOUND for an item, a version, a person or an offer that is not there.
        """
        case = await self.case(ask)
        key = key_of(ask.content, "content")
        if key.kind == OFFER:
            shown, leaving = list(_placed(case.said)), await self._placing(key.name, case.reader)
        else:
            shown = [await self._shown(case, column) for column in columns(case)]
            leaving = await self._leaving(case, dict.fromkeys(each.channel for each in shown))
        return Preview(
            ask.content, case.said.source, case.said.body.title, case.reader.label, locale_of(case.reader.state),
            to_iso(case.now_ms), case.said.findings, shown, leaving,
        )  # fmt: skip

    async def case(self, ask: PreviewAsk) -> Case:
        """All that is looked at. Raises as `preview`."""
        key = key_of(ask.content, "content")
        if ask.body is not None or ask.version == "draft":
            said = await self.drafts.draft(key, ask.body)
        else:
            said = await self.drafts.version(key, None if ask.version == "live" else int(ask.version))
        reader = await self._reader(ask.person or Somebody())
        offer, refused = await self._offer(ask.offer, reader)
        return Case(ask, said, reader, offer, refused, self.clock.now_ms())

    async def _reader(self, somebody: Somebody) -> Reader:
        if somebody.named is None:
            return Reader(None, None, made_up(somebody, self.clock.now_ms()))
        reading = await self.people.reading(somebody.kind, somebody.value)
        state = assemble(reading.person, reading.merged, reading.states, reading.tail)
        return Reader(somebody.named, reading, state)

    # -- offers

    async def _offer(self, name: str, reader: Reader) -> tuple[dict[str, Any], str]:
        """An offer as templates would read it, and why this person would not get it, empty when they would."""
        if not name:
            return {}, ""
        outcome, why = await self.clienteling.would_grant(name, reader.named), ""
        if isinstance(outcome, Refused):
            # Still shown, as somebody would get it who may have it.
            why, outcome = str(outcome.cause), await self.clienteling.would_grant(name, None)
        terms = self.clienteling.offers.get(name).terms
        if isinstance(outcome, Refused):
            return offer_told(name, terms, terms.value, "", None), why
        code = "" if outcome.grant.code is None else outcome.grant.code.shown
        return offer_told(name, terms, outcome.grant.value, code, outcome.grant.expires_ms), why

    async def _placing(self, name: str, reader: Reader) -> list[Leaving]:
        """Whether an offer that is published would be shown to somebody now."""
        if reader.named is None or name not in await self.clienteling.offers.latest():
            return []
        outcome = await self.clienteling.would_grant(name, reader.named)
        if isinstance(outcome, Refused):
            return [Leaving(PLACEMENT, leaves=False, reason=Skip.OFFER, why=str(outcome.cause))]
        return [Leaving(PLACEMENT, leaves=True)]

    # -- words

    async def words(self, case: Case, column: Column) -> Words:
        """What leaves over a channel in a locale, where something does. Raises CourtesyError(TOO_LARGE)."""
        assert column.wording is not None, "there is something to say"
        addresses = self.addresses(column.wording.sheet.slots)
        occasion = Occasion(
            case.reader.state, column.reads, SAMPLE, addresses, case.now_ms, case.ask.data, case.offer
        )  # fmt: skip
        return await words_for(column.wording, occasion, self.lookup)

    async def _shown(self, case: Case, column: Column) -> Shown:
        channel, locale = column.channel, column.locale
        if column.wording is None:
            nothing = error(Check.MISSING, f"it says nothing on {channel} in {locale or 'any locale'}")
            return Shown(channel, locale, theirs=False, parts={}, findings=[nothing])
        try:
            words = await self.words(case, column)
        except CourtesyError as problem:
            found = error(Check.SIZE, problem.message, problem.place, problem.hint)
            return Shown(channel, locale, column.theirs, {}, findings=[found])
        look = appearance(channel, words.parts, case.ask.sms_price)
        parts = words.parts if channel == EMAIL else shown_fields(words.parts)
        lacked = [LackedView(each.about, each.problem, str(each.place)) for each in words.missed]
        return Shown(channel, locale, column.theirs, parts, lacked, look.findings, "", look.sms, look.push)

    def addresses(self, slots: Iterable[Slot]) -> Addresses:
        """Where links lead when nobody is to be told who followed them: to the pages themselves, and where a link
        would change something, to a page that says it can't."""
        by_number = {each.number: each for each in slots}

        def link(slot: Any, *values: Any) -> str:
            given = tuple("" if each is None else str(each) for each in values)
            found = destination(by_number[slot], given, self.hosts) if slot in by_number else None
            if found is None:
                raise ValueError("it leads nowhere")
            return found

        unsubscribe, preferences, web, pixel = (f"{self.url}/{part}/{SAMPLE}" for part in ("u", "p", "v", "o"))
        return Addresses(link, unsubscribe, preferences, web, pixel, f"{self.url}/a")

    # -- leaving

    async def _leaving(self, case: Case, channels: Iterable[str]) -> list[Leaving]:
        """Whether it would leave now, were it asked for over each channel; as if what is drafted were published."""
        reader, found = case.reader, list[Leaving]()
        if reader.reading is None:
            return found
        why_not = not_now(case.said.body, case.now_ms)
        for channel in channels:
            each = await self.departures.foreseen(_message(case, channel), reader.reading, reader.state)
            if each.leaves and why_not:
                each = each.stays(Skip.CONTENT, why_not)
            elif each.leaves and case.refused:
                each = each.stays(Skip.OFFER, case.refused)
            found.append(each)
        return found


def _message(case: Case, channel: str) -> Message:
    """The message that would be asked for."""
    ask = case.ask
    told = case.said.body.fields.get("purpose")
    purpose = ask.purpose or (told if isinstance(told, str) and told else PURPOSE)
    return Message(
        message=f"{SAMPLE}/",
        purpose=purpose,
        channels=(channel,),
        content=ask.content,
        expires=case.now_ms + WORTH_MS,
        topic=ask.topic,
        brand=ask.brand,
        priority=Priority.SERVICE if ask.service else Priority.NORMAL,
        offer=ask.offer,
        connection=ask.connection,
        data=ask.data,
    )


def columns(case: Case) -> Iterator[Column]:
    """What is to be shown: the channels and locales that were asked for, or all in which something is said."""
    wordings = _wordings(case.said)
    own, language = locale_of(case.reader.state), case.said.body.language
    said = sorted({channel for _, channel in wordings}, key=CHANNELS.index)
    for channel in case.ask.channels or said:
        theirs = nearest(wordings, own, channel)
        for locale in case.ask.locales or sorted(name for name, each in wordings if each == channel):
            wording = nearest(wordings, locale, channel)
            is_theirs = wording is not None and wording is theirs
            yield Column(channel, locale, wording, own if is_theirs and own else locale or language, is_theirs)


def _wordings(said: Said) -> dict[tuple[str, str], Wording]:
    """What can be rendered. What can't be read of a draft is among the findings about it."""
    found: dict[tuple[str, str], Wording] = {}
    for name, sheet in said.sheets.items():
        with suppress(CourtesyError):
            found[name] = Wording(sheet)
    return found


def _placed(said: Said) -> Iterator[Shown]:
    """What an offer looks like at each placement; nothing for terms that can't hold, which is found elsewhere."""
    try:
        terms = terms_of(said.body)
    except CourtesyError:
        return
    told = offer_told("", terms, terms.value, "", None)
    shared = {name: told[name] for name in ("title", "terms", "value")}
    for placement, look in sorted(terms.placements.items()):
        yield Shown(PLACEMENT, "", theirs=True, parts={**shared, "look": look}, placement=placement)


def made_up(somebody: Somebody, now_ms: int) -> PersonState:
    """Somebody of whom only this is known, since now."""
    now = Stamp(now_ms, 0)
    seen = {f"{kind}:{value}": Seen(now, SourceId(0), now) for kind, value in somebody.identifiers.items()}
    traits = {path: Trait(value, 0, now_ms, 0, SourceId(0), Party.FIRST) for path, value in leaves(somebody.traits, {})}
    groups = {each: Membership(now, now) for each in somebody.groups}
    return PersonState(PersonId(0), identifiers=seen, traits=traits, groups=groups)
