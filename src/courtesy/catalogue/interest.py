"""Who shows interest in which entry, as events tell it."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from courtesy.base.ids import Partition, PersonId, Position
from courtesy.base.time import DAY_MS
from courtesy.catalogue.definition import CatalogueDefinition, Interest
from courtesy.catalogue.entry import ids_in
from courtesy.event.event import Fact, behaviour_name

_VIEWS = {"Page Viewed": b'"type":"page"', "Screen Viewed": b'"type":"screen"'}


class Seen(NamedTuple):
    """That somebody is interested in an entry until an instant (ms UTC), by the event at a position, which was appended
    for them. `shown_as`: what `shown_as` says of the event: those of which it says the same go together when people are
    cut apart."""

    item: str
    person: PersonId
    until_ms: int
    position: Position
    partition: Partition
    shown_as: bytes = b""


class Shown(NamedTuple):
    """The entry that an event shows interest in, and until when (ms UTC)."""

    item: str
    until_ms: int


def shown_as(fact: Fact) -> bytes:
    """16 bytes that stand for the identifiers that an event carried, in whatever order; empty for one that carried
    none."""
    ids = "\0".join(sorted(set(fact.ids)))
    return blake2b(ids.encode("utf-8", "surrogatepass"), digest_size=16).digest() if ids else b""


def marks_of(definition: CatalogueDefinition) -> tuple[bytes, ...]:
    """Bytes of which an encoded event has one if it may show interest: quicker looked for than decoded."""
    found = {b'"name":' + msgspec.json.encode(each.event) for each in definition.interest}
    return tuple(sorted(found | {_VIEWS[each.event] for each in definition.interest if each.event in _VIEWS}))


def shown_by(definition: CatalogueDefinition, fact: Fact) -> Iterator[Shown]:
    """The entries in which a fact shows interest, each once for each way in which it does."""
    name = behaviour_name(fact)
    if name is None or not fact.properties:
        return
    for interest in definition.interest:
        if interest.event == name:
            until_ms = min(fact.at, fact.received) + interest.days * DAY_MS
            for item in sorted(ids_in(fact.properties, interest.property.split("."))):
                yield Shown(item, until_ms)


def named_in(interest: tuple[Interest, ...]) -> str:
    """What the id of an entry is called in the events of interest: the last word of the first one's property."""
    return interest[0].property.rpartition(".")[2] if interest else ""
