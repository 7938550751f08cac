"""Rejected events that are about somebody, found by reading all that is held."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

import msgspec

from courtesy.base.ids import message_key
from courtesy.engine.contract import Engine, Quarantined
from courtesy.identity.named import named_in
from courtesy.identity.rules import split_identifier
from courtesy.runtime.catalog import CatalogCache

PAGE = 500
BREATH_EVENTS = 20
SHORT = 3
"""Values shorter than this are not looked for anywhere in an event: they would be found everywhere."""


class HeldEvents:
    """The quarantine of one store, searched for people."""

    def __init__(self, engine: Engine, catalog: CatalogCache) -> None:
        self._engine = engine
        self._catalog = catalog

    async def naming(self, identifiers: Collection[str]) -> list[Quarantined]:
        """Those that name one of the identifiers where the protocol has identifiers, the oldest first.

        As they came, as they are mended so far, or in what came beside them.
        """
        return await self._where(self._names(identifiers))

    async def mentioning(self, identifiers: Collection[str], keys: Collection[bytes] = ()) -> list[Quarantined]:
        """Those, all that have the value of one of the identifiers anywhere, in any case and however escaped, and
        copies of events with these keys, which were sent twice and mended once; the oldest first. Some of them are
        about others: it is for when nothing may be left."""
        names, mentions = self._names(identifiers), _mentions(identifiers)
        return await self._where(lambda held: names(held) or mentions(held) or _key_of(held) in keys)

    async def _where(self, is_theirs: Callable[[Quarantined], bool]) -> list[Quarantined]:
        found: list[Quarantined] = []
        before: int | None = None
        while page := await self._engine.quarantined(None, None, before, PAGE):
            for start in range(0, len(page), BREATH_EVENTS):
                found += filter(is_theirs, page[start : start + BREATH_EVENTS])
                # Reading what is broken takes a while, and others want the loop meanwhile.
                await asyncio.sleep(0)
            before = page[-1].number
        return found[::-1]

    def _names(self, identifiers: Collection[str]) -> Callable[[Quarantined], bool]:
        rules = self._catalog.rules()
        countries = {number: source.country for number, source in self._catalog.now.sources.values()}

        def names(held: Quarantined) -> bool:
            country = countries.get(held.source, "")
            hints = (("source_country", country),) if country else ()
            return any(not named_in(rules, part, hints).isdisjoint(identifiers) for part in _parts(held))

        return names


def _mentions(identifiers: Collection[str]) -> Callable[[Quarantined], bool]:
    values = {split_identifier(each)[1].casefold() for each in identifiers}
    values = {value for value in values if len(value) >= SHORT}

    def mentions(held: Quarantined) -> bool:
        texts = [_plain(part) for part in _parts(held)]
        return any(value in text for text in texts for value in values)

    return mentions


class _Named(msgspec.Struct):
    """As much of a call as says what it is called."""

    messageId: str | None = None  # noqa: N815 -- the protocol's name


_NAMED = msgspec.json.Decoder(_Named)


def _key_of(held: Quarantined) -> bytes | None:
    """The key of the message that a rejected event is, by the name that it was sent under; None for one without."""
    try:
        message_id = _NAMED.decode(held.raw).messageId
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message_id = None
    return None if message_id is None else message_key(held.source, message_id)


def _parts(held: Quarantined) -> list[bytes]:
    return [part for part in (held.raw, held.mended, held.circumstances) if part]


def _plain(content: bytes) -> str:
    """Without escapes, if it is JSON, and folded to one case."""
    try:
        text = msgspec.json.encode(msgspec.json.decode(content)).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = content.decode(errors="replace")
    return text.casefold()
