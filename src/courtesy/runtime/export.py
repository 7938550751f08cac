"""The export of a person: one document with everything that is held of them, wherever it lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import Clock, to_iso
from courtesy.channel.in_app import InApp
from courtesy.engine.contract import Engine, IdentityHistory, Quarantined
from courtesy.engine.delivery import InboxItem
from courtesy.engine.outbox import EffectReading
from courtesy.engine.permit import PermitFilter
from courtesy.engine.request import RequestFilter
from courtesy.identity.resolve import Link
from courtesy.offer.deciding import Offer
from courtesy.person.record import Record
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.held import HeldEvents
from courtesy.runtime.history import History
from courtesy.runtime.ledger import Ledger, Read
from courtesy.runtime.offer_view import GrantView, RedemptionView, grant_view, redemption_view
from courtesy.runtime.people import GROUP, People, event_view, link_view
from courtesy.runtime.permit_view import judged_view, permit_view
from courtesy.runtime.propagation import Propagation
from courtesy.runtime.quarantine_view import as_text
from courtesy.runtime.request_view import log_view, request_view

FORMAT = "courtesy.person/1"
"""What the document calls its form. The number rises when a program that reads it would have to change."""

ALL = 2**31 - 1

Document = dict[str, Any]


class Exports:
    """Makes exports, in one process."""

    def __init__(
        self,
        engine: Engine,
        catalog: CatalogCache,
        people: People,
        history: History,
        held: HeldEvents,
        ledger: Ledger,
        propagation: Propagation,
        clock: Clock,
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._people = people
        self._history = history
        self._held = held
        self._ledger = ledger
        self._propagation = propagation
        self._clock = clock

    async def of(self, kind: str, value: str) -> Document:
        """Everything that is held of a person, plain values ready for JSON.

        It takes memory for this one person, whatever else the store holds. The events are those of the log and of the
        lake. Held events that name one of the person's identifiers are found by reading all that is held. What comes
        in meanwhile is in some parts and not in others; `person.position` says up to where it is surely in all.
        Raises CourtesyError(NOT_FOUND).
        """
        person = await self._people.view(kind, value)
        why = await self._people.why("person" if kind != GROUP else kind, _number_or(person, kind, value))
        people = [PersonId(int(each)) for each in (person["person"], *person["merged_people"])]
        identifiers = {f"{each['kind']}:{each['value']}" for each in person["identifiers"]}
        past = await self._engine.identity_history(people[0])
        records = await self._history.of(people)
        held = await self._held.naming(identifiers)
        chosen = [each for each in await self._ledger.of(people) if each.content is not None]
        used = (
            {each.source for each in records}
            | {each.source for each in held}
            | {each.content.source for each in chosen if each.content}
        )
        names = await self._catalog.source_names(used | {merge.evidence.source for merge, *_ in past.merges})
        return {
            "format": FORMAT,
            "exported": to_iso(self._clock.now_ms()),
            "person": person,
            "links": why["links"],
            "merges": why["merges"],
            "refused": why["refused"],
            "corrections": await self._corrections(people),
            **_past_view(past, names),
            "choices": [_choice(each, names) for each in chosen],
            "requests": await self._requests(people),
            "events": [_event(record, names) for record in records],
            "effects": await self._effects(people),
            "permits": [permit_view(each) for each in await self._engine.permits(_permits_of(people), None, ALL)],
            "sends": [judged_view(each) for each in await self._engine.sends_of(people)],
            "grants": [_plain(grant_view(each, NO_OFFERS)) for each in await self._engine.grants_of(people)],
            "redemptions": [_plain(redemption_view(each)) for each in await self._engine.redemptions_of(people)],
            "inbox": [_waiting(each) for each in await self._engine.inbox(people, InApp.channel, 0)],
            "recipients": await self._propagation.told_of(people),
            "held": [_held_view(each, names) for each in held],
        }

    async def _corrections(self, people: Iterable[PersonId]) -> list[Document]:
        notes = [note for person in people for note in reversed(await self._engine.notes(person, ALL))]
        return [
            {"kind": note.kind, "by": note.by, "reason": note.reason, "at": to_iso(note.at_ms)}
            for note in sorted(notes, key=lambda note: note.at_ms)
        ]

    async def _requests(self, people: Iterable[PersonId]) -> list[Document]:
        requests = await self._engine.requests(RequestFilter(people=frozenset(people)), None, ALL)
        now_ms = self._clock.now_ms()
        return [
            {**request_view(each, now_ms), "log": log_view(await self._engine.request_log(each.number))}
            for each in sorted(requests, key=lambda each: each.number)
        ]

    async def _effects(self, people: Iterable[PersonId]) -> list[Document]:
        effects = [each for person in people for each in await self._engine.effects(person, ALL)]
        return [_effect(each) for each in sorted(effects, key=lambda each: (each.created_ms, each.key))]


NO_OFFERS: Mapping[str, Offer] = {}


def _plain(view: GrantView | RedemptionView) -> Document:
    plain: Document = msgspec.to_builtins(view)
    return plain


def _permits_of(people: Iterable[PersonId]) -> PermitFilter:
    return PermitFilter(people=frozenset(people))


def _number_or(person: Document, kind: str, value: str) -> str:
    """By number nobody else answers, should an identifier change hands meanwhile."""
    return value if kind == GROUP else str(person["person"])


def _past_view(past: IdentityHistory, names: Mapping[SourceId, str]) -> Document:
    """Who else was taken for the owner of their identifiers, and merges that were undone."""
    return {
        "owners_before": [
            {"identifier": each.identifier, "person": str(each.person), "until": to_iso(each.until_ms)}
            for each in past.owners
        ],
        "merges_undone": [
            {
                "loser": str(each.loser),
                "survivor": str(each.survivor),
                **link_view(Link(each.a, each.b, each.evidence, each.reason), names),
                "undone": to_iso(undone),
            }
            for each, _, undone in past.merges
            if undone is not None
        ],
    }


def _choice(read: Read, names: Mapping[SourceId, str]) -> Document:
    """An entry of the ledger, with all that it says."""
    told = read.content
    assert told is not None, "an entry without a key is left out"
    said: Document = msgspec.to_builtins(msgspec.structs.replace(told.choice, held_from=0, held_to=None))
    return {
        "index": read.entry.index,
        "id": told.id,
        **told.choice.scope._asdict(),
        **{name: said.get(name) for name in ("action", "value", "basis", "policy", "corrects")},
        **{name: said.get(name) for name in ("method", "actor", "request", "evidence")},
        "held_from": to_iso(told.choice.held_from),
        "held_to": None if told.choice.held_to is None else to_iso(told.choice.held_to),
        "recorded": to_iso(told.received),
        "source": names.get(told.source, str(told.source)),
        "message_id": told.message,
        "retracts": told.retracts,
    }


def _event(record: Record, names: Mapping[SourceId, str]) -> Document:
    try:
        return {**event_view(record, names), "unreadable": None}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text, _ = as_text(record.payload)
        known = {"position": str(record.position), "at": to_iso(record.at), "received": to_iso(record.received)}
        source = names.get(record.source, str(record.source))
        return {**_NO_EVENT, **known, "source": source, "unreadable": text}


_NO_EVENT: Document = {
    "position": "0",
    "at": "",
    "received": "",
    "source": "",
    "message_id": None,
    "type": None,
    "name": None,
    "group": None,
    "identifiers": [],
    "live": False,
    "properties": {},
    "traits": {},
    "group_traits": {},
    "context": {},
}


def _waiting(each: InboxItem) -> Document:
    """A message that waits to be shown."""
    content = msgspec.json.decode(each.body)
    return {
        "message": each.message,
        "channel": each.channel,
        "created": to_iso(each.created_ms),
        "expires": to_iso(each.expires_ms),
        "content": content,
    }


def _effect(each: EffectReading) -> Document:
    return {
        "key": each.key.hex(),
        "kind": each.kind,
        "target": each.target,
        "state": str(each.state),
        "attempts": each.attempt,
        "cause": each.cause,
        "detail": each.detail,
        "created": to_iso(each.created_ms),
        "settled": None if each.settled_ms is None else to_iso(each.settled_ms),
    }


def _held_view(held: Quarantined, names: Mapping[SourceId, str]) -> Document:
    raw, encoding = as_text(held.raw)
    mended, mended_encoding = (None, None) if held.mended is None else as_text(held.mended)
    return {
        "number": held.number,
        "source": names.get(held.source, str(held.source)),
        "received": to_iso(held.received_ms),
        "cause": str(held.cause),
        "detail": held.detail,
        "message_id": held.message_id,
        "raw": raw,
        "raw_encoding": encoding,
        "mended": mended,
        "mended_encoding": mended_encoding,
    }
