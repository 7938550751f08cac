"""What content is checked against before people are shown it: real people, what happened of late, what messages were
told, entries of catalogues, and what is expected of it here."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import cycle, islice
from typing import Any, NamedTuple

import msgspec

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.ids import Position
from courtesy.base.time import SECOND_MS, Clock, to_iso
from courtesy.catalogue.definition import CatalogueDefinition
from courtesy.consent.laws import MARKETING, SERVICE
from courtesy.content.items import Body, ItemKey
from courtesy.content.limits import SmsTerms
from courtesy.content.names import CATALOGUE, EACH
from courtesy.content.offers import terms_of
from courtesy.content.release import Candidate
from courtesy.content.sampling import Expectations
from courtesy.content.scope import Scope
from courtesy.content.sheet_checks import SMS
from courtesy.content.workflow import asked_for
from courtesy.engine.catalogue import EntryFilter
from courtesy.engine.contract import Engine
from courtesy.event.event import Event, EventType
from courtesy.offer.terms import OfferTerms
from courtesy.person.messages import ASKED
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.catalogue_lookup import entry_value
from courtesy.runtime.connection import ConnectionBody
from courtesy.runtime.names_seen import NamesSeen
from courtesy.runtime.sample_people import COUNT, NamedPerson, SamplePeople, sample_scope
from courtesy.runtime.settings import Settings
from courtesy.segment.parsing import NameKind
from courtesy.segment.remarks import Seen

EVENTS_MAX = 500
"""Of the latest, among which samples are looked for."""

FRESH_MS = 10 * SECOND_MS
ENTRIES = 20
OFFER, EVENT, CONTENT = "offer", "event", "content"
_LINK = "https://links.invalid/u/" + "x" * 160
MESSAGE = {
    "unsubscribe_url": _LINK,
    "preferences_url": _LINK,
    "web_url": _LINK,
    "pixel_url": _LINK,
    "campaign": "sample",
}
"""What every message tells of itself; the addresses are as long as they will be."""

_EVENT = msgspec.json.Decoder(Event)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_OFFER_NAMES = ("name", "code", "valid_until", "value")


class Trial(NamedTuple):
    """What somebody wants content to be tried with beside what is picked: people, the data of a message to them, and
    the connection over which it would go (empty: the first that sends text messages), for what it costs."""

    people: tuple[NamedPerson, ...] = ()
    data: Mapping[str, Any] | None = None
    connection: str = ""


NO_TRIAL = Trial()


@dataclass(frozen=True, slots=True)
class Happened:
    """Events of late, each with another name, as templates see them; and by item what its messages were told."""

    events: Sequence[Mapping[str, Any]] = ()
    told: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Samples:
    """What was found to try content with. `people`: those named first. `data`: what somebody gave for a message."""

    people: Sequence[Scope] = ()
    happened: Happened = field(default_factory=Happened)
    seen: frozenset[str] = frozenset()
    entries: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    data: Mapping[str, Any] | None = None
    connection: str = ""


class Expecting:
    """What one process expects of content. Looking takes a few bounded queries, and is kept for `FRESH_MS`."""

    def __init__(
        self,
        engine: Engine,
        catalog: CatalogCache,
        people: SamplePeople,
        names: NamesSeen,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._people = people
        self._names = names
        self._clock = clock
        self._hosts = settings.linked_hosts
        self._kept: Samples | None = None
        self._kept_ms = 0

    async def look(self, trial: Trial = NO_TRIAL) -> Samples:
        """Find samples. Raises CourtesyError for a person of `trial` whom nobody knows; Unavailable."""
        now_ms = self._clock.now_ms()
        named = await self._people.named(trial.people)
        if self._kept is None or not 0 <= now_ms - self._kept_ms < FRESH_MS:
            picked = [sample_scope(each, now_ms, MESSAGE) for each in await self._people.pick()]
            seen, happened = await self._names.look(), await self._happened()
            kinds = self._catalog.now.rules.by_name
            self._kept = Samples(picked, happened, _paths(seen, kinds), await self._entries())
            self._kept_ms = now_ms
        own = [sample_scope(each, now_ms, MESSAGE) for each in named]
        others = [each for each in self._kept.people if all(each.person != one.person for one in own)]
        return replace(self._kept, people=[*own, *others], data=trial.data, connection=trial.connection)

    async def _happened(self) -> Happened:
        head = await self._engine.head()
        first = Position(max(0, head - EVENTS_MAX))
        events: dict[str, Mapping[str, Any]] = {}
        told: dict[str, list[Mapping[str, Any]]] = {}
        for record in await self._engine.events_between(first, head, None, EVENTS_MAX):
            try:
                event = _EVENT.decode(record.payload)
                properties = _OBJECT.decode(event.properties or b"{}")
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if event.name == ASKED:
                data, (item, _, _) = properties.get("data"), str(properties.get(CONTENT)).partition("@")
                if isinstance(data, dict) and data:
                    told.setdefault(item, []).append(data)
            elif event.type is EventType.TRACK and event.name is not None and len(events) < COUNT:
                events.setdefault(event.name, {"name": event.name, "properties": properties})
        return Happened(list(events.values()), {item: some[:COUNT] for item, some in told.items()})

    async def _entries(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Some entries of each catalogue that has any."""
        found = {}
        for name, definition in self._catalog.now.catalogues.items():
            some = await self._engine.catalogue_page(name, EntryFilter(), "", ENTRIES)
            if some:
                blank: dict[str, Any] = {**dict.fromkeys(definition.fields), "was": {}}
                found[name] = [{**blank, **entry_value(definition, each, "en")} for each in some]
        return found

    def of(self, candidate: Candidate, used: Mapping[ItemKey, Body], samples: Samples) -> Expectations:
        """What is expected of an item that stands on `used`."""
        now = self._catalog.now
        sent = [each for each in now.campaigns.values() if each.content == str(candidate.key)]
        own = [each.data for each in sent if each.data] + list(samples.happened.told.get(str(candidate.key), ()))
        if samples.data is not None:
            own = [samples.data]
        offers = list(_offers(used))
        similar = {OFFER} if not offers else set()
        if not own:
            similar.add(EVENT)
        events = own or samples.happened.events
        unsampled = {"decision", "placements", *(() if events else (EVENT,))}
        purposes = {str(candidate.body.fields.get("purpose", "")) or MARKETING}
        if not candidate.body.fields.get("purpose") and sent:
            purposes = {each.purpose for each in sent}
        return Expectations(
            hosts=self._hosts,
            samples=_together(samples.people, events, offers),
            marketing=purposes != {SERVICE},
            entries=samples.entries,
            seen=samples.seen | _field_paths(now.catalogues),
            unsampled=frozenset(unsampled),
            similar=frozenset(similar),
            locales=asked_for(now.workflow, candidate.kind.name),
            sms=_sms_terms(now.connections, samples.connection),
        )


def _sms_terms(connections: Mapping[str, ConnectionBody], name: str) -> SmsTerms:
    """What a part of a text message costs over a connection. Raises CourtesyError(NOT_FOUND)."""
    if name and name not in connections:
        raise CourtesyError(
            Code.NOT_FOUND, f"no connection named {name!r:.120}", hint=nearest(name, connections), place="connection"
        )
    sending = [body for _, body in sorted(connections.items()) if body.declared.channel == SMS]
    body = connections[name] if name else next((each for each in sending if each.price is not None), None)
    if body is None or body.price is None:
        return SmsTerms()
    return SmsTerms(Decimal(str(body.price.amount)), body.price.currency)


def _together(
    people: Sequence[Scope], events: Sequence[Mapping[str, Any]], offers: Sequence[Mapping[str, Any]]
) -> list[Scope]:
    """Each person with an event and an offer, as many as it takes to have each of them in it."""
    if not people:
        return []
    count = max(len(people), len(events), len(offers))
    return [
        replace(person, event=event, offer=offer)
        for person, event, offer in islice(zip(cycle(people), cycle(events or [{}]), cycle(offers or [{}])), count)
    ]


def _offers(used: Mapping[ItemKey, Body]) -> Iterator[Mapping[str, Any]]:
    """The offers that an item stands on, as their messages tell them."""
    for key, body in used.items():
        if key.kind != OFFER:
            continue
        try:
            terms = terms_of(body)
        except (CourtesyError, msgspec.ValidationError):
            continue
        told = msgspec.to_builtins(terms)
        plain = {name: value for name, value in told.items() if isinstance(value, str | int | float)}
        until = None if terms.to_ms is None else to_iso(terms.to_ms)
        yield {**plain, "name": key.name, "code": "AB12-CD34", "valid_until": until, "value": told["value"]}


def _paths(seen: Seen, kinds: Collection[str]) -> frozenset[str]:
    """Every path that somebody or something was seen to have, as templates write it."""
    found = {f"person.identifiers.{kind}" for kind in kinds} | {f"offer.{each}" for each in _OFFER_NAMES}
    found |= {f"offer.{name}" for name in OfferTerms.__struct_fields__}
    found |= {"event.name", "event.properties"}
    for about, names in seen.names.items():
        if about.kind is NameKind.TRAIT:
            found |= {f"person.traits.{each}" for name in names for each in _above(name)}
        elif about.kind is NameKind.PROPERTY:
            found |= {f"event.properties.{each}" for name in names for each in _above(name)}
            found |= {f"event.properties.{about.of}{EACH}.{name}" for name in names}
    return frozenset(found)


def _above(path: str) -> Iterator[str]:
    """A path, and those that it is within."""
    parts = path.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _field_paths(catalogues: Mapping[str, CatalogueDefinition]) -> frozenset[str]:
    return frozenset(
        f"{CATALOGUE}.{name}{EACH}.{each}" for name, definition in catalogues.items() for each in definition.fields
    )
