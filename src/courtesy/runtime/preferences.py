"""What a person does in the preference centre, as ordinary calls of party zero from a source of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.ids import PersonId, SourceId
from courtesy.base.time import DAY_MS, SECOND_MS, Clock
from courtesy.consent.gpc import GPC_SCOPES, gpc_of
from courtesy.consent.hearing import GPC_METHOD
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.consent.preference_centre import PreferenceCentre
from courtesy.consent.signals import said_by_gpc
from courtesy.consent.standing import Standing, State, scope_key, verdict
from courtesy.consent.wishes import Pause, Person, Wishes, changes, refused_everywhere, wishes_of
from courtesy.engine.contract import Engine, PersonReading
from courtesy.event.choice import ANY, CHOICES_MAX, Action, Basis, Scope
from courtesy.event.choice import Evidence as Evidenced
from courtesy.event.event import EventType, Party
from courtesy.person.state import PersonState, Trait
from courtesy.person.view import sources_of, split_path
from courtesy.person.whereabouts import place_of
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.ingest import Ingest, Receipt
from courtesy.runtime.links import Link, LinkKind, Signer, Unconfirmed
from courtesy.runtime.people import PERSON, People
from courtesy.runtime.saying import Sayings

SOURCE_NAME = "preference-centre"
"""The source of what people say there; made when somebody says something first."""

CENTRE_METHOD, UNSUBSCRIBE_METHOD, CONFIRM_METHOD = "preference centre", "one-click unsubscribe", "double opt-in"

CONFIRM_CHARS_MAX = 1_900
"""Of the token of a link to confirm: mail programs and browsers take addresses of 2,000 characters."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The wording and the form that were shown, byte for byte, and their locale."""

    notice: bytes
    form: bytes
    locale: str

    def told(self) -> dict[str, Any]:
        """As a choice tells it."""
        return {
            "notice": sha256(self.notice).hexdigest(),
            "form": sha256(self.form).hexdigest(),
            "locale": self.locale,
            "affirmative": True,
        }


@dataclass(frozen=True, slots=True)
class Guest:
    """Who a link belongs to, by everything that was acknowledged before, and the brand of its page."""

    reading: PersonReading
    state: PersonState
    source_names: Mapping[SourceId, str]
    brand: str = ANY

    @property
    def standing(self) -> Standing:
        """What they chose."""
        return self.state.standing or Standing()

    @property
    def person(self) -> Person:
        """What counts for the form."""
        return Person(self.standing, place_of(self.state), self.brand)

    @property
    def people(self) -> tuple[PersonId, ...]:
        """Their number, and those of who became part of them."""
        return self.reading.person, *self.reading.merged

    @property
    def inferred(self) -> dict[str, Trait]:
        """Traits that others told or worked out, by path: they may be removed."""
        return {
            path: trait
            for path, trait in sorted(self.state.traits.items())
            if trait.party is Party.THIRD and trait.value is not None
        }


class GpcSignal(msgspec.Struct, frozen=True):
    """Of Global Privacy Control: whether this request has it, whether some request of theirs ever had, and whether all
    that it asks is refused now."""

    sent: bool
    recorded: bool
    honoured: bool


class Preferences:
    """The preference centre of one process."""

    def __init__(
        self, engine: Engine, catalog: CatalogCache, ingest: Ingest, people: People, clock: Clock, signer: Signer
    ) -> None:
        self._engine = engine
        self._catalog = catalog
        self._people = people
        self._clock = clock
        self._laws = Laws(LAWS)
        self._sayings = Sayings(catalog, ingest, clock, SOURCE_NAME)
        self.signer = signer

    @property
    def centre(self) -> PreferenceCentre:
        """The definition in force."""
        return self._catalog.now.centre

    async def make_link(self, kind: str, value: str, what: LinkKind, days: int, scope: Scope) -> tuple[str, int]:
        """A token for a person by any identifier, and when it runs out (ms UTC). Raises CourtesyError(NOT_FOUND), and
        INVALID for a brand that there is not."""
        brands = [each.name for each in self.centre.brands]
        if scope.brand not in (ANY, *brands):
            hint = nearest(scope.brand, brands) or f"the brands are: {', '.join(brands) or 'none'}"
            raise CourtesyError(Code.INVALID, f"there is no brand {scope.brand!r:.60}", hint=hint, place="brand")
        reading, _ = await self._people.whole(kind, value)
        expires_s = (self._clock.now_ms() + days * DAY_MS) // SECOND_MS
        link = Link(what, reading.person, expires_s, scope.purpose, scope.channel, scope.topic, scope.brand)
        return self.signer.token(link), expires_s * SECOND_MS

    async def ask_to_confirm(
        self, kind: str, value: str, unconfirmed: Sequence[Unconfirmed], request: str, days: int
    ) -> tuple[str, int]:
        """As `make_link`, for a link with which a person allows what they asked for on the occasion `request`.

        Raises CourtesyError(INVALID) when that is more than an address has room for.
        """
        reading, _ = await self._people.whole(kind, value)
        expires_s = (self._clock.now_ms() + days * DAY_MS) // SECOND_MS
        link = Link(LinkKind.CONFIRM, reading.person, expires_s, unconfirmed=tuple(unconfirmed), request=request)
        token = self.signer.token(link)
        if len(token) > CONFIRM_CHARS_MAX:
            raise CourtesyError(
                Code.INVALID,
                f"expected choices for which a link of {CONFIRM_CHARS_MAX} characters has room, got {len(token)}",
                hint="ask for fewer in one link, or leave evidence out",
                place="choices",
            )
        return token, expires_s * SECOND_MS

    async def confirm(self, link: Link, token: str, locale: str) -> Receipt:
        """Allow what a link asks for, counted from when it returns: once, however often it is done."""
        guest = await self.guest(link)
        told = [_confirmed(each, link.request, locale) for each in link.unconfirmed]
        occasion = f"confirmed-{sha256(token.encode('utf-8', 'surrogatepass')).hexdigest()[:48]}"
        return await self._choose(guest, told, occasion, keep_keys=True)

    async def guest(self, link: Link) -> Guest:
        """Whom a link belongs to now: who was merged since is found in whom they became part of.

        Raises CourtesyError(NOT_FOUND) for who was erased, or whose identifiers are all somebody else's now.
        """
        reading, state = await self._people.whole(PERSON, str(link.person))
        if not reading.identifiers:
            raise CourtesyError(Code.NOT_FOUND, f"person {link.person} is not there any more")
        return Guest(reading, state, await self._catalog.source_names(sources_of(state)), link.brand)

    def wishes(self, guest: Guest) -> Wishes:
        """What the form shows of them."""
        return wishes_of(self.centre.under(guest.brand), guest.person, self._clock.now_ms(), self._laws)

    async def save(
        self, guest: Guest, shown: Wishes, wanted: Wishes, pause: Pause, evidence: Evidence, occasion: str
    ) -> Receipt | None:
        """Store what was changed in a form; counted from when it returns. None when nothing was.

        `occasion` names the form as it was sent: the same one sent twice counts once. What was shown is kept first, so
        that no choice names what nobody can look up.
        """
        centre, now_ms = self.centre.under(guest.brand), self._clock.now_ms()
        told = changes(centre, guest.person, shown, wanted, pause, now_ms, self._laws)
        return await self._keep(guest, told, evidence, occasion) if told else None

    async def refuse_everywhere(self, guest: Guest, evidence: Evidence, occasion: str) -> Receipt:
        """Store that somebody wants no messages any more, of whatever brand, as `save` does."""
        return await self._keep(guest, refused_everywhere(self.centre), evidence, occasion)

    async def _keep(self, guest: Guest, told: Iterable[dict[str, Any]], evidence: Evidence, occasion: str) -> Receipt:
        await self._engine.keep_shown((evidence.notice, evidence.form), self._clock.now_ms())
        beside = {"method": CENTRE_METHOD, "evidence": evidence.told()}
        return await self._choose(guest, [{**each, **beside} for each in told], occasion)

    async def forget(self, guest: Guest, paths: Iterable[str]) -> Receipt | None:
        """Remove inferred traits, so that no source brings them back; None when none of these is there."""
        removed = [path for path in paths if path in guest.inferred]
        if not removed:
            return None
        traits: dict[str, Any] = {}
        for path in removed:
            *parents, leaf = split_path(path)
            node = traits
            for name in parents:
                node = node.setdefault(name, {})
            node[leaf] = None
        call = {"type": EventType.IDENTIFY, "traits": traits, "messageId": f"forget-{secrets.token_hex(16)}"}
        return await self._sayings.say(guest.reading, [call], {"courtesy": {"overwrite": True}})

    async def unsubscribe(self, link: Link) -> Receipt | None:
        """Withdraw what a link is about; None when that is withdrawn already."""
        guest = await self.guest(link)
        scope = Scope(link.purpose, link.channel, link.topic, link.brand)
        refused = verdict(guest.standing, scope, self._clock.now_ms(), frozenset(Basis), {})
        own = guest.standing.scopes.get(scope_key(scope), [])
        if refused.state is State.REFUSED and any(each in own and each.held_to is None for each in refused.kept):
            return None
        told = {"action": Action.WITHDRAW, **scope._asdict(), "method": UNSUBSCRIBE_METHOD}
        return await self._choose(guest, [told], secrets.token_hex(16))

    async def heed_gpc(self, guest: Guest, header: str | None) -> tuple[GpcSignal, Receipt | None]:
        """Take note of the header `Sec-GPC`: once for each person, whatever they choose later."""
        said = said_by_gpc(header)
        known = gpc_of(guest.standing, guest.person.place, self._clock.now_ms())
        if said and not known.recorded:
            told = [
                {"action": Action.SIGNAL, **scope._asdict(), "value": False, "method": GPC_METHOD}
                for scope in GPC_SCOPES
            ]
            return GpcSignal(True, True, True), await self._choose(guest, told, secrets.token_hex(16))
        return GpcSignal(bool(said), known.recorded, known.honoured), None

    async def _choose(
        self, guest: Guest, told: Sequence[dict[str, Any]], occasion: str, *, keep_keys: bool = False
    ) -> Receipt:
        calls = [
            {
                "type": EventType.CONSENT,
                "messageId": f"choices-{occasion}-{at // CHOICES_MAX}",
                "choices": told[at : at + CHOICES_MAX],
            }
            for at in range(0, len(told), CHOICES_MAX)
        ]
        return await self._append(guest, calls, {}, keep_keys=keep_keys)

    async def _append(
        self, guest: Guest, calls: Sequence[dict[str, Any]], context: dict[str, Any], *, keep_keys: bool = False
    ) -> Receipt:
        return await self._sayings.say(guest.reading, calls, context, keep_keys=keep_keys)


def _confirmed(asked: Unconfirmed, request: str, locale: str) -> dict[str, Any]:
    """The choice that a confirmation makes."""
    evidence = msgspec.structs.replace(asked.evidence or Evidenced(), affirmative=True, double_opt_in=True)
    if evidence.locale is None:
        evidence = msgspec.structs.replace(evidence, locale=locale)
    told = {name: getattr(asked, name) for name in asked.__struct_fields__}
    return {
        **told,
        "action": Action.GRANT,
        "basis": Basis.CONSENT,
        "evidence": evidence,
        "method": CONFIRM_METHOD,
        "request": request,
    }
