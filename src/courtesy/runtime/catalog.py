"""The catalogue: sources, keys, identity rules and subscriptions, kept in memory and refreshed when they change."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS, Clock, to_iso
from courtesy.catalogue.definition import CatalogueDefinition
from courtesy.consent.controller import Controller
from courtesy.consent.law import Laws
from courtesy.consent.laws import LAWS
from courtesy.consent.preference_centre import PREFERENCE_CENTRE, PreferenceCentre
from courtesy.consent.questions import CAPS, DEFINED_MAX, QUESTION, Caps, Question
from courtesy.content.workflow import ContentWorkflow
from courtesy.delivery.contact import ContactPolicy
from courtesy.delivery.proof import ProofAddresses
from courtesy.engine.contract import Definition, Engine
from courtesy.engine.tasks import end
from courtesy.event.accept import NAME_CHARS_MAX as EVENT_NAME_CHARS_MAX
from courtesy.event.accept import SourcePolicy
from courtesy.event.choice import ANY, is_purpose
from courtesy.event.event import TRUST_RANK, Party
from courtesy.event.hearsay import VENDOR_MAX
from courtesy.event.mend import Fix
from courtesy.identity.rules import IdentityRules
from courtesy.offer.terms import OfferTerms
from courtesy.person import catalog
from courtesy.person.catalog import DELAY_MS_MAX, Catalog, Subscription
from courtesy.person.conversion import asked_of
from courtesy.person.record import SYSTEM_SOURCE
from courtesy.runtime.connection import Campaign, ConnectionBody, desk_of
from courtesy.runtime.recipient import Recipient
from courtesy.runtime.retention import Retention, Rule, about, rules_of
from courtesy.schema.event_schema import (
    EVERY_SOURCE,
    EventCheck,
    EventSchema,
    SchemaBook,
    book_of,
    check_of,
    compile_schema,
    subject,
)
from courtesy.segment.definition import Ready, SegmentBody, SegmentDefinition, in_order
from courtesy.segment.live.watch import Watch, patterns_for
from courtesy.standard.country import country_of

REFRESH_MS = 1_000
SYSTEM_NAME = "courtesy"
"""What the source is called under which Courtesy itself reports."""

ROTATION_MS = 7 * DAY_MS
"""How long a replaced key stays valid: clients that hold it retry for 12 hours, and people deploy on weekdays."""

NAME_CHARS_MAX = 100
SOURCE, KEY, RULES, SUBSCRIPTION = "source", "key", "identity_rules", "subscription"
SWITCHED_OFF = "subscription_off"
FIX = "fix"
SCHEMA = "schema"
RETENTION = "retention"
CONTROLLER = "controller"
WORKFLOW = "content_workflow"
RECIPIENT = "recipient"
OFFER = "offer"
CATALOGUE = "catalogue"
SEGMENT, SEGMENT_READY, SEGMENT_SETTLED = "segment", "segment_ready", "segment_settled"
CONNECTION, CONTACT_POLICY, CAMPAIGN = "connection", "contact_policy", "campaign"
PROOF_ADDRESSES = "proof_addresses"
SCHEMA_NAME_CHARS_MAX = NAME_CHARS_MAX + 1 + EVENT_NAME_CHARS_MAX

log = structlog.get_logger("catalog")


class Scope(StrEnum):
    """What a key allows. Each includes nothing of the others, but `admin` includes all."""

    WRITE = "write"
    READ = "read"
    DECIDE = "decide"
    ADMIN = "admin"


class InboxIdentity(StrEnum):
    """What a page must show to be told what waits for somebody known. `open`: nothing but who it is, which suits pages
    that only those can reach who may see everything."""

    SIGNED = "signed"
    OPEN = "open"


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where events come from. `rank` (0 to 99) decides whose traits win; without one the party's default holds.

    `country`: where most of its people are, by code or name; phone numbers without a country code and without a better
    hint are taken as of there. Without one, such numbers identify nobody.

    `consent_purposes`: which purposes the categories of `context.consent` mean; empty for one that is not recorded, and
    for one that is not named its own name. `consent_vendor`: the vendor of the IAB's list for whom consent strings are
    read that come without one; without it they are read for the publisher.

    `inbox_identity`: whether a page must prove by a signature whose messages and offers it asks for. `identity_secret`:
    raise it and the source has another secret to sign with.
    """

    party: Party = Party.FIRST
    owner: str = ""
    rank: int | None = None
    paused: bool = False
    consent_categories: tuple[str, ...] = ()
    traits_identify: bool = True
    country: str = ""
    consent_purposes: Annotated[dict[str, str], Meta(max_length=100)] = {}
    consent_vendor: Annotated[int, Meta(ge=1, le=VENDOR_MAX)] | None = None
    inbox_identity: InboxIdentity = InboxIdentity.SIGNED
    identity_secret: Annotated[int, Meta(ge=0, le=1_000_000)] = 0

    def checked(self) -> Source:
        """The same, its country as ISO 3166-1 alpha-2; or CourtesyError(INVALID)."""
        for category, purpose in self.consent_purposes.items():
            if purpose and (purpose == ANY or not is_purpose(purpose)):
                raise CourtesyError(
                    Code.INVALID,
                    f"expected a purpose for the category {category!r:.60}, got {purpose!r:.60}",
                    hint="such as analytics; health is none, and an empty text records nothing",
                    place="consent_purposes",
                )
        if self.rank is not None and not 0 <= self.rank <= 99:
            raise CourtesyError(Code.INVALID, f"expected a rank from 0 to 99, got {self.rank}", place="rank")
        if not self.country:
            return self
        country = country_of(self.country)
        if country is None:
            raise CourtesyError(
                Code.INVALID, f"expected a country, got {self.country!r:.60}", hint="such as DE", place="country"
            )
        return msgspec.structs.replace(self, country=country)


class SavedFix(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fix for events in quarantine, to be used again. `said`: what it is for, for people to read."""

    fix: Fix
    said: Annotated[str, Meta(max_length=500)] = ""


class SwitchedOff(msgspec.Struct, frozen=True):
    """A subscription's receiver wants no more: since when (ms UTC), and in which words.

    Of one `revision` of the subscription, so that it is on again as soon as it is defined again.
    """

    revision: int
    since_ms: int
    why: str


class Key(msgspec.Struct, frozen=True):
    """An API key as it is kept: the hash of its secret (random, so that a fast hash will do), never the secret."""

    digest: str
    scope: Scope
    source: str | None = None
    expires_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid key allows; `source` is set for a key that writes."""

    name: str
    scope: Scope
    source: str | None


@dataclass(slots=True)
class Definitions:
    """Everything defined, typed."""

    version: int = -1
    sources: dict[str, tuple[SourceId, Source]] = field(default_factory=dict)
    keys: dict[str, tuple[str, Key]] = field(default_factory=dict)
    rules: IdentityRules = field(default_factory=IdentityRules)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    switched_off: dict[str, SwitchedOff] = field(default_factory=dict)
    fixes: dict[str, SavedFix] = field(default_factory=dict)
    schemas: dict[str, EventCheck] = field(default_factory=dict)
    retention: dict[str, Retention] = field(default_factory=dict)
    centre: PreferenceCentre = field(default_factory=PreferenceCentre)
    controller: Controller | None = None
    workflow: ContentWorkflow = field(default_factory=ContentWorkflow)
    questions: dict[str, Question] = field(default_factory=dict)
    question_caps: Caps = field(default_factory=Caps)
    recipients: dict[str, Recipient] = field(default_factory=dict)
    offers: dict[str, OfferTerms] = field(default_factory=dict)
    catalogues: dict[str, CatalogueDefinition] = field(default_factory=dict)
    segments: dict[str, SegmentBody] = field(default_factory=dict)
    segments_ready: dict[str, Ready] = field(default_factory=dict)
    settled: dict[str, int] = field(default_factory=dict)
    segments_in_force: list[SegmentDefinition] = field(default_factory=list)
    connections: dict[str, ConnectionBody] = field(default_factory=dict)
    contact_policy: ContactPolicy = field(default_factory=ContactPolicy)
    campaigns: dict[str, Campaign] = field(default_factory=dict)
    proof_addresses: ProofAddresses = field(default_factory=ProofAddresses)
    book: SchemaBook = field(default_factory=SchemaBook)
    catalog: Catalog = field(default_factory=Catalog)
    revisions: dict[tuple[str, str], Definition] = field(default_factory=dict)
    source_names: dict[SourceId, str] = field(default_factory=dict)


def check_name(name: str, chars_max: int = NAME_CHARS_MAX) -> None:
    """Raise CourtesyError(INVALID) for what no definition may be called."""
    if not name or len(name) > chars_max or "\0" in name:
        raise CourtesyError(Code.INVALID, f"expected a name of 1 to {chars_max} characters", place="name")


def digest_of(secret: str) -> str:
    """The form in which a key is kept and looked up."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _name_of_replaced(name: str, key: Key) -> str:
    """A name that says until when the key is valid, is no other's, and fits."""
    assert key.expires_ms is not None
    return f"{name[: NAME_CHARS_MAX - 40]} until {to_iso(key.expires_ms)} {key.digest[:8]}"


def _typed(version: int, found: list[Definition], before: Definitions) -> Definitions:
    out = Definitions(version=version)
    for each in found:
        out.revisions[each.kind, each.name] = each
        if each.kind == SOURCE:
            out.sources[each.name] = (SourceId(each.number), msgspec.json.decode(each.body, type=Source))
        elif each.kind == KEY:
            _add_key(out.keys, each.name, msgspec.json.decode(each.body, type=Key))
        elif each.kind == RULES:
            out.rules = msgspec.json.decode(each.body, type=IdentityRules)
        elif each.kind == SUBSCRIPTION:
            out.subscriptions[each.name] = msgspec.json.decode(each.body, type=Subscription)
        elif each.kind == SWITCHED_OFF:
            out.switched_off[each.name] = msgspec.json.decode(each.body, type=SwitchedOff)
        elif each.kind == FIX:
            out.fixes[each.name] = msgspec.json.decode(each.body, type=SavedFix)
        elif each.kind == SCHEMA:
            _add_schema(out.schemas, each)
        elif each.kind == RETENTION:
            out.retention[each.name] = msgspec.json.decode(each.body, type=Retention)
        elif each.kind == PREFERENCE_CENTRE:
            out.centre = msgspec.json.decode(each.body, type=PreferenceCentre)
        elif each.kind == CONTROLLER:
            out.controller = msgspec.json.decode(each.body, type=Controller)
        elif each.kind == WORKFLOW:
            out.workflow = msgspec.json.decode(each.body, type=ContentWorkflow)
        elif each.kind == QUESTION:
            out.questions[each.name] = msgspec.json.decode(each.body, type=Question)
        elif each.kind == CAPS:
            out.question_caps = msgspec.json.decode(each.body, type=Caps)
        elif each.kind == RECIPIENT:
            out.recipients[each.name] = msgspec.json.decode(each.body, type=Recipient)
        elif each.kind == OFFER:
            out.offers[each.name] = msgspec.json.decode(each.body, type=OfferTerms)
        elif each.kind == CATALOGUE:
            out.catalogues[each.name] = msgspec.json.decode(each.body, type=CatalogueDefinition)
        elif each.kind == SEGMENT:
            out.segments[each.name] = msgspec.json.decode(each.body, type=SegmentBody)
        elif each.kind == SEGMENT_SETTLED:
            out.settled[each.name] = each.number
        elif each.kind == SEGMENT_READY:
            out.segments_ready[each.name] = msgspec.json.decode(each.body, type=Ready)
        elif each.kind == CONNECTION:
            out.connections[each.name] = msgspec.json.decode(each.body, type=ConnectionBody)
        elif each.kind == CONTACT_POLICY:
            out.contact_policy = msgspec.json.decode(each.body, type=ContactPolicy)
        elif each.kind == CAMPAIGN:
            out.campaigns[each.name] = msgspec.json.decode(each.body, type=Campaign)
        elif each.kind == PROOF_ADDRESSES:
            out.proof_addresses = msgspec.json.decode(each.body, type=ProofAddresses)
    out.source_names = {SYSTEM_SOURCE: SYSTEM_NAME} | {number: name for name, (number, _) in out.sources.items()}
    out.book = book_of(list(out.schemas.values()), {name: number for name, (number, _) in out.sources.items()})
    out.switched_off = {name: off for name, off in out.switched_off.items() if _is_about(off, out, name)}
    on = [each for name, each in out.subscriptions.items() if name not in out.switched_off]
    out.segments_in_force = _segments_in_force(out)
    desk = desk_of(out.connections, out.contact_policy)
    goals = asked_of({name: each.goal for name, each in out.campaigns.items() if each.goal is not None})
    out.catalog = Catalog(version, tuple(on), _watch(out, before), desk, goals)
    return out


def _segments_in_force(found: Definitions) -> list[SegmentDefinition]:
    """The segments that people are in, in order; what stands on one that is not there is nobody's."""
    told = {name: found.revisions[SEGMENT, name] for name, body in found.segments.items() if not body.archived}
    some = [_in_force(each, found.segments[name], found.segments_ready.get(name)) for name, each in told.items()]
    ordered = list(in_order(some))
    if len(ordered) < len(some):
        left_out = sorted(told.keys() - {each.name for each in ordered})
        log.error("segments_unusable", names=left_out, cause="each stands on one that is not there, or on itself")
    return ordered


def _in_force(told: Definition, body: SegmentBody, ready: Ready | None) -> SegmentDefinition:
    turn = ready.turn if ready is not None and ready.revision == told.revision else None
    return SegmentDefinition(told.number, told.name, told.revision, body.segment, body.patterns, turn)


def _watch(found: Definitions, before: Definitions) -> catalog.Watch | None:
    """What watches over them: the same as before while they and the names of sources are."""
    if (found.segments_in_force, found.source_names) == (before.segments_in_force, before.source_names):
        return before.catalog.watch
    if not found.segments_in_force:
        return None
    archived = [found.revisions[SEGMENT, name].number for name, body in found.segments.items() if body.archived]
    return Watch(found.segments_in_force, archived=archived, laws=Laws(LAWS), source_names=found.source_names)


def _is_about(off: SwitchedOff, found: Definitions, name: str) -> bool:
    """Whether the subscription is still the one that was switched off."""
    definition = found.revisions.get((SUBSCRIPTION, name))
    return definition is not None and definition.revision == off.revision


def _add_schema(schemas: dict[str, EventCheck], found: Definition) -> None:
    """One that can't be compiled any more, as after an upgrade, must not keep all events out: it is left out."""
    try:
        schemas[found.name] = check_of(found.name, found.revision, found.body)
    except CourtesyError as error:
        log.error("schema_unusable", name=found.name, revision=found.revision, cause=str(error))


def _add_key(keys: dict[str, tuple[str, Key]], name: str, key: Key) -> None:
    """Of two definitions of one secret, which a replacement leaves when it is broken off, the one that lasts counts."""
    known = keys.get(key.digest)
    if known is None or known[1].expires_ms is not None:
        keys[key.digest] = (name, key)


class CatalogCache:
    """The definitions of one process. Changes made here are seen at once, others' after `refresh_ms`."""

    def __init__(self, engine: Engine, clock: Clock, refresh_ms: int = REFRESH_MS) -> None:
        self._engine = engine
        self._clock = clock
        self._refresh_ms = refresh_ms
        self._definitions = Definitions()
        self._removed_sources: set[SourceId] = set()
        self._naming = asyncio.Lock()
        self._switching = asyncio.Lock()
        self._refresher: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load everything, and begin to watch for changes."""
        await self.refresh()
        self._refresher = asyncio.create_task(self._watch(), name="catalog")

    async def stop(self) -> None:
        """Stop watching."""
        if self._refresher is not None:
            await end(self._refresher)

    async def refresh(self) -> None:
        """Load when the store has a newer version."""
        if await self._engine.catalog_version() != self._definitions.version:
            found = _typed(*await self._engine.definitions(), self._definitions)
            # Who was asked to load earlier may be answered later.
            if found.version > self._definitions.version:
                self._definitions = found

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_ms / 1_000)
            try:
                await self.refresh()
            except CourtesyError as error:
                log.warning("catalog_not_refreshed", cause=error.message)
            except msgspec.DecodeError as error:
                # Written by a newer version of Courtesy, it may be; what is known goes on being in force.
                log.error("definition_unreadable", cause=str(error))

    @property
    def now(self) -> Definitions:
        """The definitions in force."""
        return self._definitions

    def rules(self) -> IdentityRules:
        """The identity rules in force."""
        return self._definitions.rules

    def catalog(self) -> Catalog:
        """What the fold needs."""
        return self._definitions.catalog

    def book(self) -> SchemaBook:
        """The schemas in force."""
        return self._definitions.book

    async def subscription(self, name: str) -> Subscription | None:
        """A subscription as it stands now, be it switched off; None for one that is gone.

        The store is asked before either is said: whoever folded may have heard of it sooner than this process.
        """
        now = self._definitions
        if name not in now.subscriptions or name in now.switched_off:
            await self.refresh()
        return self._definitions.subscriptions.get(name)

    def grant(self, secret: str) -> Grant | None:
        """What a key allows; None for one that is unknown or expired."""
        digest = digest_of(secret)
        found = self._definitions.keys.get(digest)
        if found is None or not hmac.compare_digest(found[1].digest, digest):
            return None
        name, key = found
        if key.expires_ms is not None and key.expires_ms <= self._clock.now_ms():
            return None
        return Grant(name, key.scope, key.source)

    def policy(self, source: str) -> SourcePolicy:
        """What accept needs to know of a source. Raises CourtesyError(NOT_FOUND)."""
        found = self._definitions.sources.get(source)
        if found is None:
            hint = nearest(source, self._definitions.sources)
            raise CourtesyError(Code.NOT_FOUND, f"no source named {source!r}", hint=hint)
        number, declared = found
        rank = TRUST_RANK[declared.party] if declared.rank is None else declared.rank
        return SourcePolicy(
            number,
            declared.party,
            rank,
            declared.paused,
            declared.consent_categories,
            declared.traits_identify,
            declared.country,
            declared.consent_purposes,
            declared.consent_vendor,
        )

    async def source_names(self, used: Iterable[SourceId]) -> Mapping[SourceId, str]:
        """What sources are called, by their numbers: all that are known, and surely those in `used`, which are of
        something stored, unless they were removed.

        The store is asked for a number that is new here, as of a source that another process just made. What it does
        not know either was removed: a number is never given out again, and not asked for again. Raises Unavailable.
        """
        used = set(used)
        if used - self._definitions.source_names.keys() - self._removed_sources:
            async with self._naming:  # one asks, and the others who wait find it known
                if unknown := used - self._definitions.source_names.keys() - self._removed_sources:
                    await self.refresh()
                    self._removed_sources |= unknown - self._definitions.source_names.keys()
        return self._definitions.source_names

    async def define_source(self, name: str, source: Source, by: str) -> SourceId:
        """Declare or change a source."""
        definition = await self._define(SOURCE, name, msgspec.json.encode(source.checked()), by)
        assert definition is not None
        return SourceId(definition.number)

    async def ensure_source(self, name: str, source: Source, by: str) -> None:
        """Declare a source unless there is one of that name."""
        if name not in self._definitions.sources:
            await self.define_source(name, source, by)

    async def create_key(self, name: str, scope: Scope, by: str, *, source: str | None = None) -> str:
        """Make a key and return its secret, which is kept nowhere. A write key's source is made when it is missing.

        A key of that name that exists is replaced, and stays valid for `ROTATION_MS`.
        """
        await self.refresh()
        if scope is Scope.WRITE:
            source = source or name
            await self.ensure_source(source, Source(), by)
        expires_ms = self._clock.now_ms() + ROTATION_MS
        for key in [key for each, key in self._definitions.keys.values() if each == name]:
            old = msgspec.structs.replace(key, expires_ms=expires_ms)
            await self._define(KEY, _name_of_replaced(name, old), msgspec.json.encode(old), by)
        secret = f"{scope}_{secrets.token_urlsafe(24)}"
        await self._define(KEY, name, msgspec.json.encode(Key(digest_of(secret), scope, source)), by)
        return secret

    async def revoke_key(self, name: str, by: str) -> None:
        """Make a key invalid at once. One that it replaced has a name of its own. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(KEY, name, by)

    async def define_rules(self, rules: IdentityRules, by: str) -> None:
        """Change the identity rules, for events to come."""
        await self._define(RULES, "default", msgspec.json.encode(rules.checked()), by)

    async def define_centre(self, centre: PreferenceCentre, by: str) -> None:
        """Change the preference centre. Raises CourtesyError(INVALID)."""
        await self._define(PREFERENCE_CENTRE, "default", msgspec.json.encode(centre.checked()), by)

    async def define_question(self, name: str, question: Question, by: str) -> None:
        """Put a question in force, or a new revision of it. Raises CourtesyError: INVALID for one that must not be
        asked, CONFLICT when there are as many as there may be."""
        checked = question.checked()
        await self.refresh()
        if name not in self._definitions.questions and len(self._definitions.questions) >= DEFINED_MAX:
            raise CourtesyError(
                Code.CONFLICT, f"there are {DEFINED_MAX} questions", hint="remove one that nobody needs", place="name"
            )
        await self._define(QUESTION, name, msgspec.json.encode(checked), by)

    async def remove_question(self, name: str, by: str) -> None:
        """Ask it no more; answers stay, and so do its revisions. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(QUESTION, name, by)

    async def define_question_caps(self, caps: Caps, by: str) -> None:
        """Change how many questions a person is asked at most."""
        await self._define(CAPS, "default", msgspec.json.encode(caps), by)

    async def define_controller(self, controller: Controller, by: str) -> None:
        """Say who answers for what is done with people's data, for records of consent to name."""
        await self._define(CONTROLLER, "default", msgspec.json.encode(controller), by)

    async def define_workflow(self, workflow: ContentWorkflow, by: str) -> None:
        """Say who has to approve content before it is published."""
        await self._define(WORKFLOW, "default", msgspec.json.encode(workflow), by)

    async def define_recipient(self, name: str, recipient: Recipient, by: str) -> None:
        """Create or change a recipient, which must be sound."""
        await self._define(RECIPIENT, name, msgspec.json.encode(recipient), by)

    async def remove_recipient(self, name: str, by: str) -> None:
        """Remove a recipient. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(RECIPIENT, name, by)

    async def define_offer(self, name: str, terms: OfferTerms, by: str) -> None:
        """Create or change an offer, which must be sound. One that is as it was makes no revision."""
        if self._definitions.offers.get(name) != terms:
            await self._define(OFFER, name, msgspec.json.encode(terms), by)

    async def remove_offer(self, name: str, by: str) -> None:
        """Remove an offer. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(OFFER, name, by)

    async def define_catalogue(self, name: str, definition: CatalogueDefinition, by: str) -> None:
        """Create or change a catalogue, which must be sound. One that is as it was makes no revision."""
        if self._definitions.catalogues.get(name) != definition:
            await self._define(CATALOGUE, name, msgspec.json.encode(definition), by)

    async def remove_catalogue(self, name: str, by: str) -> None:
        """Remove a catalogue. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(CATALOGUE, name, by)

    async def define_segment(self, name: str, body: SegmentBody, by: str) -> None:
        """Create or change a segment, which must be sound. One that is as it was makes no revision.

        Holds afterwards: whatever is appended from now on is counted for it, because nothing is while it is defined.
        """
        async with self._engine.appending():
            # What it shares with others is counted all the while: none of them goes before it is there.
            await self.refresh()
            known = self._definitions.segments.get(name)
            if known is not None and msgspec.structs.replace(known, patterns={}) == body:
                return
            since = await self._engine.head()
            body = msgspec.structs.replace(
                body, patterns=patterns_for(body.segment, since, self._definitions.segments_in_force)
            )
            await self._define(SEGMENT, name, msgspec.json.encode(body), by)

    async def settle(self, condition: str) -> int:
        """The number under which the store keeps for whom a condition holds, by its key."""
        if condition not in self._definitions.settled:
            await self._define(SEGMENT_SETTLED, condition, b"{}", SYSTEM_NAME)
        return self._definitions.settled[condition]

    async def segment_is_ready(self, name: str, revision: int) -> None:
        """Have people looked at for a revision of a segment, now that all it asks for is counted."""
        turn = 1 + max((each.turn for each in self._definitions.segments_ready.values()), default=0)
        await self._define(SEGMENT_READY, name, msgspec.json.encode(Ready(revision, turn)), SYSTEM_NAME)

    async def remove_segment(self, name: str, by: str) -> None:
        """Remove a segment; its revisions stay readable. Raises CourtesyError(NOT_FOUND)."""
        async with self._engine.appending():
            await self._remove(SEGMENT, name, by)

    async def define_connection(self, name: str, body: ConnectionBody, by: str) -> None:
        """Connect something that sends, or change how. Raises CourtesyError(INVALID)."""
        await self._define(CONNECTION, name, msgspec.json.encode(body.checked()), by)

    async def remove_connection(self, name: str, by: str) -> None:
        """Send by it no more. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(CONNECTION, name, by)

    async def define_contact_policy(self, policy: ContactPolicy, by: str) -> None:
        """Say how often and when people are written to. Raises CourtesyError(INVALID)."""
        await self._define(CONTACT_POLICY, CONTACT_POLICY, msgspec.json.encode(policy.checked()), by)

    async def define_campaign(self, name: str, campaign: Campaign, by: str) -> None:
        """Define a campaign, or change it; a run that is under way goes on with what is defined now."""
        await self._define(CAMPAIGN, name, msgspec.json.encode(campaign), by)

    async def remove_campaign(self, name: str, by: str) -> None:
        """Remove a campaign: nothing of it is sent any more. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(CAMPAIGN, name, by)

    async def define_proof_addresses(self, addresses: ProofAddresses, by: str) -> None:
        """Say to whom proofs may be sent. Raises CourtesyError(INVALID)."""
        await self._define(PROOF_ADDRESSES, PROOF_ADDRESSES, msgspec.json.encode(addresses.checked()), by)

    async def recipients(self) -> Mapping[str, Recipient]:
        """All recipients by name, by all that was defined before the call."""
        await self.refresh()
        return self._definitions.recipients

    async def define_subscription(self, subscription: Subscription, by: str) -> Subscription:
        """Create or change a webhook subscription. Raises CourtesyError(INVALID)."""
        if not 0 <= subscription.delay_ms <= DELAY_MS_MAX:
            raise CourtesyError(
                Code.INVALID, f"expected 0 to {DELAY_MS_MAX} ms, got {subscription.delay_ms}", place="delay_ms"
            )
        if not subscription.events:
            raise CourtesyError(Code.INVALID, "expected at least one event name, or '*'", place="events")
        await self._define(SUBSCRIPTION, subscription.name, msgspec.json.encode(subscription), by)
        return subscription

    async def remove_subscription(self, name: str, by: str) -> None:
        """End a subscription; what waits for it is called off. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(SUBSCRIPTION, name, by)
        if (SWITCHED_OFF, name) in self._definitions.revisions:
            await self._remove(SWITCHED_OFF, name, by)

    async def switch_off(self, name: str, revision: int, why: str) -> bool:
        """Let nothing start this revision of a subscription any more; whether that is news.

        False, and no change, when it is off already, is gone, or was defined again since.
        """
        async with self._switching:  # of several calls under way each may be told so
            await self.refresh()
            now = self._definitions
            definition = now.revisions.get((SUBSCRIPTION, name))
            if definition is None or definition.revision != revision or name in now.switched_off:
                return False
            off = SwitchedOff(revision, self._clock.now_ms(), why)
            await self._define(SWITCHED_OFF, name, msgspec.json.encode(off), SYSTEM_NAME)
            return True

    async def define_fix(self, name: str, saved: SavedFix, by: str) -> None:
        """Save or change a fix for events in quarantine, which must be sound."""
        await self._define(FIX, name, msgspec.json.encode(saved), by)

    async def remove_fix(self, name: str, by: str) -> None:
        """Remove a saved fix. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(FIX, name, by)

    async def define_schema(self, name: str, declared: EventSchema, by: str) -> EventCheck:
        """Put a new revision of a schema in force, for events to come; earlier revisions stay readable. One that says
        what the present one says makes no revision.

        Raises CourtesyError: INVALID for a name that is not `<source>/<event name>` or a schema that is none,
        NOT_FOUND for a source that is not there.
        """
        await self._check_source(subject(name).source)
        compile_schema(declared.schema)
        known = self._definitions.schemas.get(name)
        if known is None or known.declared != declared:
            await self._define(SCHEMA, name, msgspec.json.encode(declared), by, SCHEMA_NAME_CHARS_MAX)
        return self._definitions.schemas[name]

    async def _check_source(self, source: str) -> None:
        await self.refresh()
        sources = self._definitions.sources
        if source != EVERY_SOURCE and source not in sources:
            hint = nearest(source, sources) or "`*` is every source"
            raise CourtesyError(Code.NOT_FOUND, f"no source named {source!r:.120}", hint=hint, place="name")

    async def remove_schema(self, name: str, by: str) -> None:
        """Hold no event against it any more; its revisions stay readable. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(SCHEMA, name, by)

    async def define_retention(self, name: str, rule: Retention, by: str) -> None:
        """Say how long the events of a `<source>/<event name>` are kept. Raises CourtesyError: INVALID for another
        name, NOT_FOUND for a source that is not there."""
        await self._check_source(about(name).source)
        await self._define(RETENTION, name, msgspec.json.encode(rule), by, SCHEMA_NAME_CHARS_MAX)

    async def remove_retention(self, name: str, by: str) -> None:
        """Remove such a rule. Raises CourtesyError(NOT_FOUND)."""
        await self._remove(RETENTION, name, by)

    def retention(self) -> list[Rule]:
        """The rules of retention in force."""
        now = self._definitions
        return rules_of(now.retention, {name: number for name, (number, _) in now.sources.items()})

    async def _remove(self, kind: str, name: str, by: str) -> None:
        await self.refresh()
        names = [each for each_kind, each in self._definitions.revisions if each_kind == kind]
        if name not in names:
            raise CourtesyError(Code.NOT_FOUND, f"no {kind} named {name!r}", hint=nearest(name, names))
        await self._define(kind, name, None, by, len(name))

    async def _define(
        self, kind: str, name: str, body: bytes | None, by: str, name_chars_max: int = NAME_CHARS_MAX
    ) -> Definition | None:
        check_name(name, name_chars_max)
        definition = await self._engine.define(kind, name, body, by, self._clock.now_ms())
        await self.refresh()
        return definition
