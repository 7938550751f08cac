"""Sending over HTTP: connections, the contact policy, campaigns, single messages."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import DAY_MS, to_iso
from courtesy.delivery.contact import ContactPolicy
from courtesy.delivery.message import CAMPAIGN_END, CHANNELS_MAX, Message, Priority
from courtesy.delivery.warm_up import WarmUp
from courtesy.engine.delivery import CampaignRun, RunState
from courtesy.engine.permit import PermitFilter
from courtesy.event.choice import ANY, INSTANT_MAX, Word
from courtesy.http.definitions import Name, Removed
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.http.people import PERSON_PATH
from courtesy.http.permits import ZoneView
from courtesy.offer.terms import Money
from courtesy.person import conversion
from courtesy.person.messages import PRICE_UNIT, Sent
from courtesy.person.state import PersonState
from courtesy.runtime.app import App
from courtesy.runtime.catalog import CAMPAIGN, CONNECTION, Scope
from courtesy.runtime.connection import Campaign, ConnectionBody, check_campaign_name
from courtesy.runtime.permit_view import permit_view

WORTH_MS = 2 * DAY_MS
LEFT_MAX = 200
PERMITS_MAX = 1_000

Identifying = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
MessageName = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00/]*$")]
Later = Annotated[int, Meta(ge=0, le=INSTANT_MAX)]


class ConnectionView(msgspec.Struct, frozen=True):
    """Something that sends. Secrets of its `config` are shown as `***`; written back so, they stay."""

    name: str
    channel: str
    component: str
    config: dict[str, Any]
    brand: str
    per_second: float | None
    paused: bool
    price: Money | None
    warm_up: WarmUp | None
    changed: str
    changed_by: str


class ConnectionsView(msgspec.Struct, frozen=True):
    """All connections by name."""

    connections: list[ConnectionView]


class RunView(msgspec.Struct, frozen=True):
    """A start of a campaign: in which version its content is sent, when it begins, how it stands, how many messages
    were asked for, and when it ended."""

    run: int
    content: str
    start: str
    state: RunState
    asked: int
    ended: str | None


class FateView(msgspec.Struct, frozen=True):
    """How many messages came to something, over a channel (empty: none was chosen), and why or of what kind."""

    channel: str
    outcome: str
    reason: str
    messages: int


class CampaignView(msgspec.Struct, frozen=True):
    """A campaign, its starts (the latest first), and what became of its messages over all of them. `open`: how many
    were asked for and have not come to an end."""

    name: str
    campaign: Campaign
    changed: str
    changed_by: str
    runs: list[RunView]
    fates: list[FateView]
    open: int


class CampaignsView(msgspec.Struct, frozen=True):
    """All campaigns by name."""

    campaigns: list[str]


class StartBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When to begin (ms UTC); at once without it."""

    start_ms: Later | None = None


class MessageBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A message to one person, by any identifier of theirs.

    `message`: your id of it; asked for twice, it is sent once. `content`: the item that it says, as `kind/name`, in the
    version that is live now. `channels`: those that may carry it, the best first. `expires_ms`: from when on it is not
    worth sending (ms UTC); two days from now without it. `data` is what its template reads as `event`. `service`:
    whether it is a confirmation, receipt or warning, which needs no room in the contact budget.
    """

    kind: Identifying
    value: Identifying
    message: MessageName
    content: Name
    purpose: Word
    channels: Annotated[tuple[Word, ...], Meta(min_length=1, max_length=CHANNELS_MAX)] = ("email",)
    topic: Word = ANY
    brand: Word = ANY
    service: bool = False
    offer: Annotated[str, Meta(max_length=200)] = ""
    connection: Annotated[str, Meta(max_length=200)] = ""
    expires_ms: Later | None = None
    data: dict[str, Any] = {}


class AskedView(msgspec.Struct, frozen=True):
    """Whether it was asked for now; false when it was before."""

    message: str
    content: str
    asked: bool


class ConvertedView(msgspec.Struct, frozen=True):
    """That somebody did what a message was to bring about, when, and what it was worth (`currency` empty: not told).
    `attribution` says by which rule it was found to belong to this message; for information only."""

    at: str
    value: float
    currency: str
    attribution: str


class LeftView(msgspec.Struct, frozen=True):
    """A message that left, or may have: when, over which channel, what it cost of the contact budget, and the
    conversion that followed.

    `local_time` and `zones` are those of its permit: what time it was there, and in which zones they may have been, by
    what is known; null and none when nobody knew.
    """

    message: str
    at: str
    channel: str
    price: float
    local_time: str | None
    zones: list[ZoneView]
    converted: ConvertedView | None = None


class MessagesView(msgspec.Struct, frozen=True):
    """What left to a person lately, the latest first, and the ids of messages that are on their way."""

    left: list[LeftView]
    on_their_way: list[str]


def connection_view(app: App, name: str) -> ConnectionView:
    """A connection without its secrets. Raises CourtesyError(NOT_FOUND)."""
    body = app.catalog.now.connections.get(name)
    if body is None:
        raise CourtesyError(Code.NOT_FOUND, f"no connection named {name!r:.120}", place="name")
    definition = app.catalog.now.revisions[CONNECTION, name]
    return ConnectionView(
        name, body.declared.channel, body.component, body.shown_config, body.brand, body.per_second, body.paused,
        body.price, body.warm_up, to_iso(definition.changed_ms), definition.changed_by,
    )  # fmt: skip


async def list_connections(asked: Asked[NoQuery, None]) -> ConnectionsView:
    """All connections, without their secrets."""
    await asked.app.catalog.refresh()
    return ConnectionsView([connection_view(asked.app, name) for name in sorted(asked.app.catalog.now.connections)])


async def read_connection(asked: Asked[NoQuery, None]) -> ConnectionView:
    """One connection, without its secrets."""
    await asked.app.catalog.refresh()
    return connection_view(asked.app, asked.path["name"])


async def define_connection(asked: Asked[NoQuery, ConnectionBody]) -> ConnectionView:
    """Connect something that sends, or change how it is connected."""
    app, name = asked.app, asked.path["name"]
    await app.catalog.refresh()
    body = asked.body.with_secrets_of(app.catalog.now.connections.get(name))
    try:
        await app.catalog.define_connection(name, body, asked.by)
    except CourtesyError as error:
        error.place = f"body.{error.place}" if error.place else "body"
        raise
    return connection_view(app, name)


async def remove_connection(asked: Asked[NoQuery, None]) -> Removed:
    """Send by it no more."""
    await asked.app.catalog.remove_connection(asked.path["name"], asked.by)
    return Removed(asked.path["name"])


async def read_contact_policy(asked: Asked[NoQuery, None]) -> ContactPolicy:
    """How often, when and at which price people are written to."""
    await asked.app.catalog.refresh()
    return asked.app.catalog.now.contact_policy


async def define_contact_policy(asked: Asked[NoQuery, ContactPolicy]) -> ContactPolicy:
    """Change that; it holds from then on, also for what has not left."""
    await asked.app.catalog.define_contact_policy(asked.body, asked.by)
    return asked.app.catalog.now.contact_policy


def run_view(run: CampaignRun) -> RunView:
    """A start of a campaign as it stands."""
    ended = None if run.ended_ms is None else to_iso(run.ended_ms)
    return RunView(run.number, run.content, to_iso(run.start_ms), run.state, run.asked_count, ended)


async def campaign_view(app: App, name: str) -> CampaignView:
    """A campaign, and what became of its messages. Raises CourtesyError(NOT_FOUND)."""
    campaign = app.catalog.now.campaigns.get(name)
    if campaign is None:
        raise CourtesyError(Code.NOT_FOUND, f"no campaign named {name!r:.120}", place="name")
    definition = app.catalog.now.revisions[CAMPAIGN, name]
    runs = await app.engine.runs(name)
    fates = await app.engine.message_fates(name)
    told = [FateView(each.channel, each.outcome, each.reason, count) for each, count in sorted(fates.items())]
    ended = sum(each.messages for each in told if each.outcome in ENDS)
    asked = sum(run.asked_count for run in runs)
    runs_view = [run_view(run) for run in runs]
    changed = to_iso(definition.changed_ms)
    return CampaignView(name, campaign, changed, definition.changed_by, runs_view, told, asked - ended)


ENDS = frozenset({"sent", "unsure", "failed", "skipped"})


async def list_campaigns(asked: Asked[NoQuery, None]) -> CampaignsView:
    """All campaigns."""
    await asked.app.catalog.refresh()
    return CampaignsView(sorted(asked.app.catalog.now.campaigns))


async def read_campaign(asked: Asked[NoQuery, None]) -> CampaignView:
    """A campaign, and what became of its messages."""
    await asked.app.catalog.refresh()
    return await campaign_view(asked.app, asked.path["name"])


async def define_campaign(asked: Asked[NoQuery, Campaign]) -> CampaignView:
    """Define or change a campaign; nothing is sent until it is started."""
    check_campaign_name(asked.path["name"])
    await asked.app.catalog.define_campaign(asked.path["name"], asked.body, asked.by)
    return await campaign_view(asked.app, asked.path["name"])


async def remove_campaign(asked: Asked[NoQuery, None]) -> Removed:
    """Remove a campaign. What is under way of it is stopped."""
    app, name = asked.app, asked.path["name"]
    await app.catalog.remove_campaign(name, asked.by)
    if await app.engine.runs(name, open_only=True):
        await app.post.campaigns.stand(name, RunState.STOPPED)
    return Removed(name)


async def start_campaign(asked: Asked[NoQuery, StartBody]) -> RunView:
    """Start a campaign: everybody in its audience is asked for."""
    return run_view(await asked.app.post.campaigns.start(asked.path["name"], asked.body.start_ms))


async def pause_campaign(asked: Asked[NoQuery, None]) -> RunView:
    """Let what is left of a campaign wait."""
    return run_view(await asked.app.post.campaigns.stand(asked.path["name"], RunState.PAUSED))


async def resume_campaign(asked: Asked[NoQuery, None]) -> RunView:
    """Go on with a campaign that waits."""
    return run_view(await asked.app.post.campaigns.stand(asked.path["name"], RunState.RUNNING))


async def stop_campaign(asked: Asked[NoQuery, None]) -> RunView:
    """Send nothing more of a campaign: what has not left is skipped, and what waits to be shown is taken away."""
    return run_view(await asked.app.post.campaigns.stand(asked.path["name"], RunState.STOPPED))


async def ask_for_message(asked: Asked[NoQuery, MessageBody]) -> AskedView:
    """Ask for a message to one person."""
    app, body = asked.app, asked.body
    key = app.people.key_of(body.kind, body.value)
    pin = await app.post.campaigns.pinned(body.content)
    content = f"{pin.key}@{pin.version}"
    message = Message(
        # Without a campaign: no other message's id can be the beginning of this one.
        message=f"single{CAMPAIGN_END}{body.message}",
        purpose=body.purpose,
        channels=body.channels,
        content=content,
        expires=body.expires_ms or app.clock.now_ms() + WORTH_MS,
        topic=body.topic,
        brand=body.brand,
        priority=Priority.SERVICE if body.service else Priority.NORMAL,
        offer=body.offer,
        connection=body.connection,
        data=body.data,
    )
    return AskedView(message.message, content, await app.post.asking.ask(key, message))


def _converted(state: PersonState, message: str) -> ConvertedView | None:
    found = None if state.conversions is None else conversion.holding(state.conversions, message)
    if found is None:
        return None
    return ConvertedView(to_iso(found.at), found.micros / conversion.MICROS, found.currency, conversion.ATTRIBUTION)


async def read_messages(asked: Asked[NoQuery, None]) -> MessagesView:
    """What was sent to a person lately."""
    return await messages_view(asked.app, asked.path["kind"], asked.path["value"])


async def messages_view(app: App, kind: str, value: str) -> MessagesView:
    """What left to a person, and what is on its way."""
    state = await app.people.state(kind, value)
    found = state.messages
    if found is None:
        return MessagesView([], [])
    sent = found.sent[:LEFT_MAX]
    since_ms = min((each.at for each in sent), default=0) - DAY_MS
    people = frozenset(await app.people.everyone(kind, value))
    permits = await app.engine.permits(PermitFilter(from_ms=since_ms, people=people), None, PERMITS_MAX)
    told = {each.terms.message: permit_view(each) for each in permits}
    left = [_left_view(state, each, told.get(each.message, {})) for each in sent]
    return MessagesView(left, sorted(found.held))


def _left_view(state: PersonState, sent: Sent, permit: dict[str, Any]) -> LeftView:
    zones = [ZoneView(each["zone"], each["by"]) for each in permit.get("zones", ())]
    at, converted = to_iso(sent.at), _converted(state, sent.message)
    price, local_time = sent.price / PRICE_UNIT, permit.get("local_time")
    return LeftView(sent.message, at, sent.channel, price, local_time, zones, converted)


class Withdrawn(msgspec.Struct, frozen=True):
    """A message that waits no more."""

    message: str


async def withdraw_message(asked: Asked[NoQuery, None]) -> Withdrawn:
    """Have a message that waits on pages and in applications wait no more."""
    message = asked.path["message"]
    reading = await asked.app.people.reading(asked.path["kind"], asked.path["value"])
    if not await asked.app.post.inbox.withdraw((reading.person, *reading.merged), message):
        raise CourtesyError(Code.NOT_FOUND, f"no message {message!r:.120} waits for them", place="message")
    return Withdrawn(message)


_NAME = {"name": "Its name, percent-encoded."}
_GONE = (Code.NOT_FOUND,)
_NOT_SO = (Code.NOT_FOUND, Code.CONFLICT)


def _admin(method: str, path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    docs = _NAME if "{name}" in path else {}
    return Operation(method, path, "sending", summary, handle, scope=Scope.ADMIN, answer=answer, path_docs=docs, **more)


OPERATIONS = (
    _admin("GET", "/v1/connections", "List all connections.", list_connections, ConnectionsView),
    _admin("GET", "/v1/connections/{name}", "Read a connection.", read_connection, ConnectionView, codes=_GONE),
    _admin(
        "PUT",
        "/v1/connections/{name}",
        "Connect something that sends, or change how it is connected.",
        define_connection,
        ConnectionView,
        body=ConnectionBody,
    ),
    _admin(
        "DELETE", "/v1/connections/{name}", "Send by a connection no more.", remove_connection, Removed, codes=_GONE
    ),
    _admin(
        "GET", "/v1/contact-policy", "How often and when people are written to.", read_contact_policy, ContactPolicy
    ),
    _admin(
        "PUT",
        "/v1/contact-policy",
        "Change how often and when people are written to.",
        define_contact_policy,
        ContactPolicy,
        body=ContactPolicy,
    ),
    _admin("GET", "/v1/campaigns", "List all campaigns.", list_campaigns, CampaignsView),
    _admin(
        "GET",
        "/v1/campaigns/{name}",
        "Read a campaign, and what became of its messages.",
        read_campaign,
        CampaignView,
        codes=_GONE,
    ),
    _admin("PUT", "/v1/campaigns/{name}", "Define or change a campaign.", define_campaign, CampaignView, body=Campaign),
    _admin("DELETE", "/v1/campaigns/{name}", "Remove a campaign.", remove_campaign, Removed, codes=_GONE),
    _admin(
        "POST",
        "/v1/campaigns/{name}/start",
        "Start a campaign.",
        start_campaign,
        RunView,
        body=StartBody,
        codes=_NOT_SO,
    ),
    _admin(
        "POST", "/v1/campaigns/{name}/pause", "Let what is left of it wait.", pause_campaign, RunView, codes=_NOT_SO
    ),
    _admin("POST", "/v1/campaigns/{name}/resume", "Go on with it.", resume_campaign, RunView, codes=_NOT_SO),
    _admin("POST", "/v1/campaigns/{name}/stop", "Send nothing more of it.", stop_campaign, RunView, codes=_NOT_SO),
    Operation(
        "POST",
        "/v1/messages",
        "sending",
        "Ask for a message to one person.",
        ask_for_message,
        doc="It is durable when this is answered, and leaves within a second if it may.",
        scope=Scope.DECIDE,
        body=MessageBody,
        answer=AskedView,
        codes=_GONE,
    ),
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/messages",
        "sending",
        "What was sent to a person lately.",
        read_messages,
        scope=Scope.READ,
        answer=MessagesView,
        codes=_GONE,
        path_docs=PERSON_PATH,
    ),
    Operation(
        "DELETE",
        "/v1/people/{kind}/{value}/messages/{message}",
        "sending",
        "Withdraw a message that waits to be shown.",
        withdraw_message,
        doc="Where it is on a screen, it goes within a second.",
        scope=Scope.ADMIN,
        answer=Withdrawn,
        codes=_GONE,
        path_docs=PERSON_PATH | {"message": "Its id."},
    ),
)
