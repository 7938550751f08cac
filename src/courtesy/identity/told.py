"""What some events tell of who is who: identifiers and links, each with the first that told it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from courtesy.identity.resolve import Evidence, Link

SAME_EVENT, ALIAS = "same event", "alias"


class Telling(NamedTuple):
    """An event, as far as it says who is who. `previous` are the ids that an alias joins to the others."""

    evidence: Evidence
    ids: tuple[str, ...]
    previous: tuple[str, ...] = ()


@dataclass(slots=True)
class Told:
    """Who is who by some events."""

    identifiers: dict[str, Evidence] = field(default_factory=dict)
    links: dict[tuple[str, str], Link] = field(default_factory=dict)


def told_by(events: Iterable[Telling], held: Collection[str]) -> Told:
    """What events, in the order in which they came, tell of identifiers that are one person's anyway."""
    told = Told()
    for evidence, ids, previous in events:
        for key in (*ids, *previous):
            told.identifiers.setdefault(key, evidence)
        own = [key for key in ids if key in held]
        for names, reason in ((own[1:], SAME_EVENT), ([key for key in previous if key in held], ALIAS)):
            for key in names if own else ():
                if key != own[0]:
                    told.links.setdefault((own[0], key), Link(own[0], key, evidence, reason))
    return told
