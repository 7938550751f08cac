"""What writes messages: published versions, held in memory, rendered for people as they are known now."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SECOND_MS, Clock, from_iso
from courtesy.content.items import Body, ItemKey, key_of
from courtesy.content.links import MessageLinks
from courtesy.content.wording import Wording, sheets_of
from courtesy.delivery.desk import No
from courtesy.delivery.message import Admitted, Skip
from courtesy.engine.content import ItemState
from courtesy.engine.contract import Engine
from courtesy.person.state import PersonState
from courtesy.runtime.catalogue_lookup import CatalogueLookup
from courtesy.runtime.connections import SignedTokens
from courtesy.runtime.sending import Written
from courtesy.runtime.writing import Addresses, Occasion, locale_of, nearest, words_for

HELD_MAX = 500
FRESH_MS = SECOND_MS
GONE = (ItemState.WITHDRAWN, ItemState.ARCHIVED)

log = structlog.get_logger("wording")


@dataclass(slots=True)
class _Loaded:
    """A version with its wordings, as far as they were asked for; whether it may be shown was found out when."""

    wordings: dict[tuple[str, str], Wording]
    body: Body
    why_not: str
    read_ms: int


def pinned(content: str) -> tuple[ItemKey, int]:
    """The item and the version that a message names. Raises CourtesyError(INVALID)."""
    name, at, version = content.rpartition("@")
    if not at or not version.isdecimal():
        raise CourtesyError(Code.INVALID, f"expected kind/name@version, got {content!r:.120}", place="content")
    return key_of(name, "content"), int(version)


class ContentWording:
    """The wording of one process."""

    def __init__(
        self,
        engine: Engine,
        tokens: SignedTokens,
        clock: Clock,
        lookup: CatalogueLookup,
    ) -> None:
        self._engine = engine
        self._tokens = tokens
        self._clock = clock
        self._lookup = lookup
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        # A batch asks for one version hundreds of times at once; it is read, and its templates compiled, once.
        self._loading: dict[str, asyncio.Task[_Loaded | No]] = {}

    async def write(
        self, each: Admitted, key: bytes, state: PersonState, now_ms: int, offer: Mapping[str, Any]
    ) -> Written | No:
        """As `Wording.write`. `now_ms` may be past, for a message that was sent; whether it may be shown is asked as of
        the present."""
        locale = locale_of(state)
        found = await self._found(each, locale, self._clock.now_ms())
        if isinstance(found, No):
            return found
        addresses = self._addresses(each, key, state, now_ms)
        occasion = Occasion(state, locale, each.message.campaign, addresses, now_ms, each.message.data, offer)
        try:
            words = await words_for(found, occasion, self._lookup)
        except CourtesyError as error:
            return No(Skip.CONTENT, error.message)
        if words.missed:
            log.info("wording_lacked", content=each.message.content, places=[str(one) for one in words.missed[:5]])
        return Written(words.parts, locale)

    async def why_not(self, each: Admitted, state: PersonState, now_ms: int) -> No | None:
        found = await self._found(each, locale_of(state), now_ms)
        return found if isinstance(found, No) else None

    async def _found(self, each: Admitted, locale: str, now_ms: int) -> Wording | No:
        """What a message says over its channel, in the locale that is nearest."""
        loaded = await self._load(each.message.content, now_ms)
        if isinstance(loaded, No):
            return loaded
        wording = nearest(loaded.wordings, locale, each.channel)
        if wording is not None:
            return wording
        return No(Skip.CONTENT, f"{each.message.content} says nothing on {each.channel} in {locale or 'any locale'}")

    async def _load(self, content: str, now_ms: int) -> _Loaded | No:
        """A version that may be shown now."""
        known = self._loaded.get(content)
        if known is None or not known.read_ms <= now_ms < known.read_ms + FRESH_MS:
            task = self._loading.get(content)
            if task is None:
                task = self._loading[content] = asyncio.create_task(self._read(content, known, now_ms), name="wording")
                task.add_done_callback(lambda _: self._loading.pop(content))
            found = await asyncio.shield(task)
            if isinstance(found, No):
                return found
            known = found
        return No(Skip.CONTENT, known.why_not) if known.why_not else known

    def _hold(self, content: str, loaded: _Loaded) -> _Loaded:
        self._loaded[content] = loaded
        self._loaded.move_to_end(content)
        while len(self._loaded) > HELD_MAX:
            self._loaded.popitem(last=False)
        return loaded

    async def _read(self, content: str, known: _Loaded | None, now_ms: int) -> _Loaded | No:
        try:
            key, number = pinned(content)
        except CourtesyError as error:
            return No(Skip.CONTENT, error.message)
        item = await self._engine.content_item(key)
        if item is None:
            return No(Skip.CONTENT, f"there is no {key}")
        if known is None:
            version = await self._engine.content_version(key, number)
            if version is None:
                return No(Skip.CONTENT, f"there is no {content}")
            sheets = sheets_of(msgspec.json.decode(version.artefacts, type=dict[str, str]))
            wordings = {name: Wording(sheet) for name, sheet in sheets.items()}
            body = msgspec.json.decode(version.body, type=Body)
        else:
            wordings, body = known.wordings, known.body
        why_not = f"{key} is {item.state}" if item.state in GONE else not_now(body, now_ms)
        return self._hold(content, _Loaded(wordings, body, why_not, now_ms))

    def _addresses(self, each: Admitted, key: bytes, state: PersonState, now_ms: int) -> Addresses:
        """Where links lead that tell who followed them."""
        content, version = pinned(each.message.content)
        links = MessageLinks(self._tokens.link_keys, self._tokens.url, str(content), version, state.person, key)
        return Addresses(
            links.link,
            self._tokens.unsubscribe_url(each, state.person, now_ms),
            self._tokens.preferences_url(each, state.person, now_ms),
            links.view(),
            links.pixel(),
            f"{self._tokens.url}/a",
        )


def not_now(body: Body, now_ms: int) -> str:
    """Why what a body says may not be shown now; empty when it may."""
    starts = from_iso(body.valid_from) if body.valid_from else None
    ends = from_iso(body.valid_to) if body.valid_to else None
    rights = from_iso(body.rights.expires) if body.rights is not None and body.rights.expires else None
    if rights is not None and rights <= now_ms:
        return "its rights have ended"
    if ends is not None and ends <= now_ms:
        return "its validity is over"
    return "it is not valid yet" if starts is not None and now_ms < starts else ""
