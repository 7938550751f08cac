"""Wiring: from settings to a running set of parts, by plain constructor calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from courtesy.base.time import Clock, SystemClock
from courtesy.channel.carriers import make_channels, make_reporters
from courtesy.channel.email.provider import Reporter
from courtesy.channel.email.spam_filter import SpamFilter
from courtesy.content.compiling import compile_item
from courtesy.engine.contract import Engine
from courtesy.engine_postgres import PostgresEngine
from courtesy.runtime.archive import lake_archive
from courtesy.runtime.asked import Asking, Campaigns
from courtesy.runtime.assets import Assets
from courtesy.runtime.audit import Audit
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.catalogue_import import CatalogueImports
from courtesy.runtime.catalogue_lookup import CatalogueLookup
from courtesy.runtime.catalogues import Catalogues
from courtesy.runtime.clienteling import Clienteling
from courtesy.runtime.codes import Codes, mailer_of
from courtesy.runtime.connections import SignedTokens
from courtesy.runtime.consent import Consents
from courtesy.runtime.content import Contents
from courtesy.runtime.content_drafts import Drafts
from courtesy.runtime.content_files import ContentFiles
from courtesy.runtime.content_publishing import Publications
from courtesy.runtime.content_releases import Releases
from courtesy.runtime.discoveries import Discoveries
from courtesy.runtime.eligibility import Eligibility
from courtesy.runtime.erase import Eraser
from courtesy.runtime.expecting import Expecting
from courtesy.runtime.export import Exports
from courtesy.runtime.feedback import Feedback
from courtesy.runtime.held import HeldEvents
from courtesy.runtime.history import Archive, History
from courtesy.runtime.inbox import Inbox
from courtesy.runtime.ingest import Ingest
from courtesy.runtime.leaving import Departures
from courtesy.runtime.ledger import Ledger
from courtesy.runtime.links import Signer
from courtesy.runtime.lists import Lists
from courtesy.runtime.mail_proof import MailProofs
from courtesy.runtime.memberships import Memberships
from courtesy.runtime.message_preview import MessagePreviews
from courtesy.runtime.names_seen import NamesSeen
from courtesy.runtime.offer_desk import OfferDesk
from courtesy.runtime.offer_ledger import OfferLedger
from courtesy.runtime.offers import Offers
from courtesy.runtime.outside import outside_of
from courtesy.runtime.packages import Packages
from courtesy.runtime.people import People
from courtesy.runtime.permits import Permits
from courtesy.runtime.preferences import Preferences
from courtesy.runtime.propagation import Propagation
from courtesy.runtime.quality import Judge
from courtesy.runtime.quarantine import Quarantine
from courtesy.runtime.questions import Questions
from courtesy.runtime.recipient import SubjectIds
from courtesy.runtime.register import REGISTER, Register
from courtesy.runtime.repair import Repairs
from courtesy.runtime.requests import Requests
from courtesy.runtime.sample_people import SamplePeople
from courtesy.runtime.schemas import Schemas
from courtesy.runtime.sealer import Proofs
from courtesy.runtime.segment_preview import Previews
from courtesy.runtime.segment_reason import Reasons
from courtesy.runtime.segment_unready import Unready
from courtesy.runtime.segments import Segments
from courtesy.runtime.settings import Settings
from courtesy.runtime.spam_scores import SpamScores
from courtesy.runtime.suppressions import Suppressions
from courtesy.runtime.take_back import TakeBacks
from courtesy.runtime.visitors import Visitors
from courtesy.runtime.web_view import WebViews
from courtesy.runtime.wording import ContentWording

if TYPE_CHECKING:
    from courtesy.runtime.segment_events import Files


class Giving(NamedTuple):
    """What the ledger of offers asks of others: segments, and who is in them."""

    segments: Segments
    eligibility: Eligibility
    people: People


@dataclass(frozen=True, slots=True)
class Shelf:
    """What there is to show and to give: content, catalogues, assets, offers."""

    contents: Contents
    publications: Publications
    releases: Releases
    content_files: ContentFiles
    catalogues: Catalogues
    catalogue_imports: CatalogueImports
    catalogue_lookup: CatalogueLookup
    assets: Assets
    offers: Offers
    offer_desk: OfferDesk
    clienteling: Clienteling


@dataclass(frozen=True, slots=True)
class Post:
    """What shows messages before they leave, has them sent, shows those that wait and those that were sent, and takes
    in what comes back."""

    tokens: SignedTokens
    wording: ContentWording
    web_views: WebViews
    feedback: Feedback
    reporters: Mapping[str, Reporter]
    asking: Asking
    campaigns: Campaigns
    visitors: Visitors
    inbox: Inbox
    suppressions: Suppressions
    previews: MessagePreviews
    proofs: MailProofs


@dataclass(frozen=True, slots=True)
class App:
    """The parts that answer requests in one process."""

    settings: Settings
    clock: Clock
    engine: Engine
    catalog: CatalogCache
    ingest: Ingest
    people: People
    consents: Consents
    proofs: Proofs
    permits: Permits
    audit: Audit
    preferences: Preferences
    questions: Questions
    codes: Codes
    propagation: Propagation
    repairs: Repairs
    eraser: Eraser
    exports: Exports
    requests: Requests
    packages: Packages
    take_backs: TakeBacks
    quarantine: Quarantine
    schemas: Schemas
    quality: Judge
    segments: Segments
    memberships: Memberships
    reasons: Reasons
    previews: Previews
    lists: Lists
    discoveries: Discoveries
    shelf: Shelf
    post: Post


def make_app(
    settings: Settings, engine: Engine, clock: Clock, archive: Archive | None = None, files: Files | None = None
) -> App:
    """Put the parts together; nothing runs yet. `files`: of the lake, for questions about everybody."""
    catalog, signer = CatalogCache(engine, clock), Signer(settings)
    ingest, history = Ingest(engine, catalog.rules, clock, catalog.book), History(engine, archive)
    people, ledger = People(engine, catalog, history), Ledger(engine)
    held, repairs = HeldEvents(engine, catalog), Repairs(engine, catalog, history, clock)
    propagation = Propagation(engine, catalog, SubjectIds(settings), clock)
    register = Register(Path(settings.data) / REGISTER)
    unready = Unready(engine, history, catalog, clock)
    eraser = Eraser(engine, history, archive, held, clock, register, catalog.recipients, catalog.catalog, unready)
    exports = Exports(engine, catalog, people, history, held, ledger, propagation, clock)
    requests = Requests(engine, catalog, ingest, people, eraser, propagation, clock)
    segments = Segments(engine, catalog, NamesSeen(engine, catalog, clock))
    previews = Previews(engine, files, catalog, clock)
    memberships = Memberships(engine, catalog, segments, people, clock)
    reasons = Reasons(people, history, catalog, segments, previews, clock)
    giving = Giving(segments, Eligibility(memberships, reasons, clock), people)
    shelf = _make_shelf(settings, engine, catalog, clock, signer, giving)
    post = _make_post(settings, engine, catalog, ingest, people, clock, signer, shelf)
    ingest.tell_of_choices(post.inbox.reconsider)
    return App(
        settings,
        clock,
        engine,
        catalog,
        ingest,
        people,
        Consents(people, ledger, catalog, clock),
        Proofs(engine),
        Permits(engine, people, clock),
        Audit(engine, people),
        Preferences(engine, catalog, ingest, people, clock, signer),
        Questions(engine, catalog, ingest, people, clock, signer),
        Codes(engine, signer, clock, mailer_of(settings)),
        propagation,
        repairs,
        eraser,
        exports,
        requests,
        Packages(engine, catalog, requests, exports, clock),
        TakeBacks(engine, catalog, history, repairs, clock),
        Quarantine(engine, catalog, ingest),
        Schemas(engine, catalog),
        Judge(engine, catalog, clock, settings),
        segments,
        memberships,
        reasons,
        previews,
        Lists(engine, catalog, ingest, segments, clock),
        Discoveries(engine, files, catalog, clock),
        shelf,
        post,
    )


def _make_shelf(
    settings: Settings, engine: Engine, catalog: CatalogCache, clock: Clock, signer: Signer, giving: Giving
) -> Shelf:
    """What there is to show and to give."""
    contents, assets = Contents(engine, clock), Assets(settings, signer, clock)
    publications = make_publications(settings, engine, catalog, clock, assets)
    catalogues, offers = Catalogues(engine, catalog, clock), Offers(engine, catalog, giving.segments)
    ledger, eligibility, people = OfferLedger(engine, offers, clock), giving.eligibility, giving.people
    desk = OfferDesk(engine, catalog, offers, ledger, eligibility, people)
    return Shelf(
        contents,
        publications,
        Releases(engine, publications, clock),
        ContentFiles(contents),
        catalogues,
        CatalogueImports(engine, catalogues),
        CatalogueLookup(engine, lambda: catalog.now.catalogues, clock),
        assets,
        offers,
        desk,
        Clienteling(offers, desk, eligibility, people, clock),
    )


def make_publications(
    settings: Settings, engine: Engine, catalog: CatalogCache, clock: Clock, assets: Assets
) -> Publications:
    """What publishes content."""
    lookup = CatalogueLookup(engine, lambda: catalog.now.catalogues, clock)
    people, names = SamplePeople(engine, catalog, clock), NamesSeen(engine, catalog, clock)
    expecting = Expecting(engine, catalog, people, names, clock, settings)
    spam = SpamScores(SpamFilter(settings.spam_filter), lambda: catalog.now.connections, clock)
    return Publications(
        engine,
        lambda: catalog.now.workflow,
        compile_item,
        clock,
        assets.has,
        expecting,
        lookup,
        spam,
        assets.print_file,
    )


def _make_post(
    settings: Settings,
    engine: Engine,
    catalog: CatalogCache,
    ingest: Ingest,
    people: People,
    clock: Clock,
    signer: Signer,
    shelf: Shelf,
) -> Post:
    """What has messages sent, and takes in what comes back."""
    tokens, outside = SignedTokens(settings, signer), outside_of(settings, clock)
    wording = ContentWording(engine, tokens, clock, shelf.catalogue_lookup)
    previews = MessagePreviews(
        Drafts(engine, clock),
        people,
        shelf.clienteling,
        Departures(engine, catalog, tokens, clock),
        shelf.catalogue_lookup,
        clock,
        tokens.url,
        settings.linked_hosts,
    )
    return Post(
        tokens,
        wording,
        WebViews(engine, shelf.offers, wording, clock),
        Feedback(engine, catalog, ingest, tokens, clock),
        make_reporters(outside),
        Asking(engine, clock),
        Campaigns(engine, catalog, shelf.publications, clock),
        Visitors(catalog, people, signer),
        Inbox(engine, catalog, clock),
        Suppressions(engine, tokens, lambda: catalog.now.rules, clock),
        previews,
        MailProofs(previews, shelf.contents, catalog, tokens, partial(make_channels, outside, engine)),
    )


@asynccontextmanager
async def running_app(settings: Settings, url: str) -> AsyncIterator[App]:
    """An app on the PostgreSQL at `url`, started; stopped, with everything handed in stored, on leaving."""
    clock = SystemClock()
    engine = PostgresEngine(url, clock, settings.partitions)
    await engine.open()
    archive = lake_archive(settings, url)
    app = make_app(settings, engine, clock, archive, archive)
    try:
        await app.catalog.start()
        app.ingest.start()
        yield app
    finally:
        await app.ingest.stop()
        app.post.inbox.stop()
        await app.catalog.stop()
        if archive is not None:
            await archive.close()
        await engine.close()
