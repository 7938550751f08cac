"""What writes messages: published versions, held in memory, rendered for people as they are known now."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec
import structlog

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SECOND_MS, Clock, from_iso, to_iso
from courtesy.content.items import Body, ItemKey, key_of
from courtesy.content.links import MessageLinks
from courtesy.content.scope import Scope
from courtesy.content.templates import Missed
from courtesy.content.wording import Wording, nearest_locales, sheets_of
from courtesy.delivery.desk import No
from courtesy.delivery.message import Admitted, Skip
from courtesy.engine.content import ItemState
from courtesy.engine.contract import Engine
from courtesy.identity.rules import split_identifier
from courtesy.offer.redeeming import Refused
from courtesy.person.state import PersonState
from courtesy.person.view import nested_traits
from courtesy.runtime.catalogue_lookup import CatalogueLookup
from courtesy.runtime.connections import SignedTokens
from courtesy.runtime.offer_desk import Named, OfferDesk
from courtesy.runtime.offers import Offers
from courtesy.runtime.sending import Written

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
        offers: Offers,
        desk: OfferDesk,
        tokens: SignedTokens,
        clock: Clock,
        lookup: CatalogueLookup,
    ) -> None:
        self._engine = engine
        self._offers = offers
        self._desk = desk
        self._tokens = tokens
        self._clock = clock
        self._lookup = lookup
        self._loaded: OrderedDict[str, _Loaded] = OrderedDict()
        # A batch asks for one version hundreds of times at once; it is read, and its templates compiled, once.
        self._loading: dict[str, asyncio.Task[_Loaded | No]] = {}

    async def write(self, each: Admitted, key: bytes, state: PersonState, now_ms: int) -> Written | No:
        loaded = await self._load(each.message.content, now_ms)
        if isinstance(loaded, No):
            return loaded
        locale = locale_of(state)
        found = next(
            (one for name in nearest_locales(locale) if (one := loaded.wordings.get((name, each.channel)))), None
        )
        if found is None:
            return No(
                Skip.CONTENT, f"{each.message.content} says nothing on {each.channel} in {locale or 'any locale'}"
            )
        offer = await self._offer(each, state, key) if each.message.offer else {}
        if isinstance(offer, No):
            return offer
        scope = self._scope(each, key, state, offer, found, locale, now_ms)
        try:
            parts, missed = await self._lookup.rendered(scope.locale, partial(_rendered, found, scope))
        except CourtesyError as error:
            return No(Skip.CONTENT, error.message)
        if missed:
            log.info("wording_lacked", content=each.message.content, places=[str(one) for one in missed[:5]])
        shown = found.sheet.item if each.channel != "email" else {}
        return Written({**{name: _told(value) for name, value in shown.items() if name not in parts}, **parts}, locale)

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

    async def _offer(self, each: Admitted, state: PersonState, key: bytes) -> dict[str, Any] | No:
        """The offer of a message as its person holds it: granted now, if it was not before."""
        try:
            granted = await self._desk.grant(
                each.message.offer, Named("person", str(state.person)), f"message {key.hex()}"
            )
            terms = self._offers.get(each.message.offer).terms
        except CourtesyError as error:
            return No(Skip.OFFER, error.message)
        if isinstance(granted, Refused):
            return No(Skip.OFFER, str(granted.cause))
        grant = granted.grant
        told = {
            name: value for name, value in msgspec.to_builtins(terms).items() if isinstance(value, str | int | float)
        }
        return told | {
            "name": each.message.offer,
            "code": "" if grant.code is None else grant.code.shown,
            "valid_until": None if grant.expires_ms is None else to_iso(grant.expires_ms),
            "value": msgspec.to_builtins(grant.value),
        }

    def _scope(
        self,
        each: Admitted,
        key: bytes,
        state: PersonState,
        offer: Mapping[str, Any],
        found: Wording,
        locale: str,
        now_ms: int,
    ) -> Scope:
        content, version = pinned(each.message.content)
        links = MessageLinks(self._tokens.link_keys, self._tokens.url, str(content), version, state.person, key)
        traits = nested_traits(state.traits)
        zone = traits.get("timezone")
        return Scope(
            person={"traits": traits, "identifiers": identifiers_view(state), "groups": sorted(state.groups)},
            event=each.message.data,
            offer=offer,
            message={
                "unsubscribe_url": self._tokens.unsubscribe_url(each, state.person, now_ms),
                "preferences_url": self._tokens.preferences_url(each, state.person, now_ms),
                "web_url": links.view(),
                "pixel_url": links.pixel(),
                "campaign": each.message.campaign,
            },
            content=found.sheet.item,
            locale=found.sheet.locale or locale or "en",
            zone=zone if isinstance(zone, str) else "UTC",
            now_ms=now_ms,
            functions={"link": links.link},
        )


def _rendered(
    wording: Wording, scope: Scope, catalogue: Callable[[Any, Any], Any]
) -> tuple[dict[str, str], list[Missed]]:
    return wording.render(replace(scope, functions={**scope.functions, "catalogue": catalogue}))


def _told(value: Any) -> str:
    """What an item says of itself, as the part of a message."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


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


def locale_of(state: PersonState) -> str:
    """The locale in which somebody reads, by the traits `locale` or `language`; empty when that is not known."""
    for name in ("locale", "language"):
        trait = state.traits.get(name)
        if trait is not None and isinstance(trait.value, str) and trait.value:
            language, *rest = trait.value.replace("_", "-").split("-")
            return "-".join([language.lower(), *(part.upper() if len(part) == 2 else part.title() for part in rest)])
    return ""


def identifiers_view(state: PersonState) -> dict[str, str]:
    """The identifier of each kind that was used last."""
    found: dict[str, tuple[Any, str]] = {}
    for name, seen in state.identifiers.items():
        kind, value = split_identifier(name)
        if kind not in found or found[kind][0] < seen.last:
            found[kind] = seen.last, value
    return {kind: value for kind, (_, value) in found.items()}
