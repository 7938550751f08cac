"""Hearing within an append: what calls say of consent along with everything else becomes choices where it is news.

Which it is, the ledger tells, read under the append lock, so that it is news once however many processes hear it. What
was no news is remembered: the next call that says the same of the same person costs a look into a dictionary, and one
question for all of an append: whose choices came in since.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import MINUTE_MS, Clock
from courtesy.consent.hearing import Known, candidates_of, news
from courtesy.engine.contract import Append
from courtesy.event.accept import Accepted
from courtesy.event.choice import Action
from courtesy.event.hearsay import Hearsay
from courtesy.identity.resolve import Owner
from courtesy.runtime.identities import Fresh, settled
from courtesy.runtime.item import Item, with_choices
from courtesy.runtime.ledger import Entries, Read, counting

PEOPLE_REMEMBERED_MAX, SPEAKERS_REMEMBERED_MAX = 100_000, 20
REMEMBERED_MS = 10 * MINUTE_MS
"""A correction of who is who by hand is noticed after so long at the latest."""

_Speaker = tuple[SourceId, tuple[str, ...]]
"""A source, and by which identifiers it speaks of somebody."""


class _Settled(NamedTuple):
    """What was no news when it was said last, at an instant after all that is known."""

    heard: Hearsay
    at_ms: int
    until_ms: int


class Hearing:
    """The hearing side of one process's appends."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._settled: dict[PersonId, dict[_Speaker, _Settled]] = {}
        self._size = 0

    async def with_news(self, append: Append, owners: dict[str, Owner], fresh: Sequence[Fresh]) -> list[Fresh]:
        """The same items; those that tell news of consent have it among their choices."""
        await self._forget_changed(append)
        now_ms = self._clock.now_ms()
        settled_at = {
            place
            for place, (item, given) in enumerate(fresh)
            if given.heard is not None and self._is_settled(item, given.heard, owners, now_ms)
        }
        # What is settled is so no longer once the same append says anything else of the same people.
        moved = {
            owners[key].person
            for place, (item, given) in enumerate(fresh)
            if place not in settled_at and (given.heard is not None or given.event.choices)
            for key in item.ids
            if key in owners
        }
        asking = [
            place
            for place, (item, given) in enumerate(fresh)
            if given.heard is not None and (place not in settled_at or settled(item.ids, owners) in moved)
        ]
        if not asking:
            return list(fresh)
        told = await _told_of(
            append, {owners[key].person for at in asking for key in fresh[at][0].ids if key in owners}
        )
        return self._heard(fresh, asking, owners, told, now_ms)

    def _heard(
        self,
        fresh: Sequence[Fresh],
        asking: Collection[int],
        owners: dict[str, Owner],
        told: dict[PersonId, list[Known]],
        now_ms: int,
    ) -> list[Fresh]:
        done = list(fresh)
        asked_of = frozenset(asking)
        just_now: dict[str, list[Known]] = {}
        for place, (item, given) in enumerate(fresh):
            event = given.event
            if place in asked_of:
                assert given.heard is not None
                people = dict.fromkeys(owners[key].person for key in item.ids if key in owners)
                earlier = [known for person in people for known in told.get(person, ())]
                recent = [known for key in item.ids for known in just_now.get(key, ())]
                choices = news(candidates_of(given.heard, event.at), event.source, [*earlier, *recent])
                if choices:
                    heard = with_choices(item, choices)
                    assert isinstance(heard.given, Accepted)
                    done[place] = heard, heard.given
                elif not recent and all(known.choice.held_from < event.at for known in earlier):
                    # What comes late says nothing of what is news after it.
                    self._settle(item, given, owners, now_ms)
            # Also what was chosen in so many words: the ledger has none of this append yet.
            known_now = [Known(event.source, each) for each in done[place][1].event.choices]
            for key in item.ids if known_now else ():
                just_now.setdefault(key, []).extend(known_now)
        return done

    def _is_settled(self, item: Item, heard: Hearsay, owners: dict[str, Owner], now_ms: int) -> bool:
        assert isinstance(item.given, Accepted)
        person = settled(item.ids, owners)
        of_person = self._settled.get(person) if person is not None and not heard.on_purpose else None
        event = item.given.event
        known = of_person.get((event.source, item.ids)) if of_person is not None else None
        return known is not None and known.heard == heard and known.at_ms <= event.at and now_ms < known.until_ms

    def _settle(self, item: Item, given: Accepted, owners: dict[str, Owner], now_ms: int) -> None:
        person = settled(item.ids, owners)
        if person is None or given.heard is None:
            return
        of_person = self._settled.setdefault(person, {})
        if len(of_person) >= SPEAKERS_REMEMBERED_MAX:
            of_person.clear()
        of_person[given.event.source, item.ids] = _Settled(given.heard, given.event.at, now_ms + REMEMBERED_MS)
        if len(self._settled) > PEOPLE_REMEMBERED_MAX:
            for each in list(self._settled)[: PEOPLE_REMEMBERED_MAX // 2]:
                del self._settled[each]

    async def _forget_changed(self, append: Append) -> None:
        """Forget what is settled of those whose choices came in since the last look."""
        self._size, people = await append.entered_since(self._size)
        if people is None:
            self._settled.clear()
        for person in people or ():
            self._settled.pop(person, None)


async def _told_of(append: Append, people: Collection[PersonId]) -> dict[PersonId, list[Known]]:
    """What the ledger has of each of these people and all who became part of them, as far as it counts."""
    if not people:
        return {}
    parts = await append.parts(people)
    root_of = {part: person for person in people for part in (*parts.get(person, ()), person)}
    read = counting(await Entries(append).of(root_of.keys()))
    voided = {each.content.choice.corrects for each in read if each.content is not None}
    moves = {move.position: move.person for move in await append.moves(root_of.keys())}
    found: dict[PersonId, list[Known]] = {}
    for each in read:
        person = moves.get(each.entry.position, each.entry.person)
        if each.content is not None and person is not None and not _is_void(each, voided):
            found.setdefault(root_of[person], []).append(Known(each.content.source, each.content.choice))
    return found


def _is_void(each: Read, voided: Collection[str | None]) -> bool:
    assert each.content is not None
    return each.content.id in voided or each.content.choice.action is Action.CORRECT
