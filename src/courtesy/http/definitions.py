"""What the company defines: sources, keys, identity rules, webhook subscriptions. For admin keys."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from functools import wraps
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError, nearest
from courtesy.base.time import to_iso
from courtesy.channel.address import is_permitted, permitted_networks, why_not_public
from courtesy.channel.webhook import COMPONENT, SECRET_PREFIX
from courtesy.component.validation import validated
from courtesy.consent.controller import Controller
from courtesy.event.event import TRUST_RANK, Party
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.identity.rules import IdentityRules
from courtesy.person.catalog import DELAY_MS_MAX, Subscription
from courtesy.runtime.app import App
from courtesy.runtime.catalog import KEY, NAME_CHARS_MAX, SOURCE, SUBSCRIPTION, InboxIdentity, Scope, Source

SECRET_BYTES = 24

Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX)]


class Removed(msgspec.Struct, frozen=True):
    """It is gone."""

    removed: str


class SourceView(msgspec.Struct, frozen=True):
    """A source. `rank` is the one in force, declared or the party's."""

    name: str
    party: Party
    owner: str
    rank: int
    paused: bool
    consent_categories: tuple[str, ...]
    traits_identify: bool
    country: str
    consent_purposes: dict[str, str]
    consent_vendor: int | None
    inbox_identity: InboxIdentity
    identity_secret: int
    changed: str
    changed_by: str


class Sources(msgspec.Struct, frozen=True):
    """All sources by name."""

    sources: list[SourceView]


def _source_view(app: App, name: str) -> SourceView:
    found = app.catalog.now.sources.get(name)
    if found is None:
        hint = nearest(name, app.catalog.now.sources)
        raise CourtesyError(Code.NOT_FOUND, f"no source named {name!r:.120}", hint=hint)
    source = found[1]
    definition = app.catalog.now.revisions[SOURCE, name]
    return SourceView(
        name,
        source.party,
        source.owner,
        TRUST_RANK[source.party] if source.rank is None else source.rank,
        source.paused,
        source.consent_categories,
        source.traits_identify,
        source.country,
        source.consent_purposes,
        source.consent_vendor,
        source.inbox_identity,
        source.identity_secret,
        to_iso(definition.changed_ms),
        definition.changed_by,
    )


async def list_sources(asked: Asked[NoQuery, None]) -> Sources:
    """All sources."""
    return Sources([_source_view(asked.app, name) for name in sorted(asked.app.catalog.now.sources)])


async def read_source(asked: Asked[NoQuery, None]) -> SourceView:
    """One source."""
    return _source_view(asked.app, asked.path["name"])


async def define_source(asked: Asked[NoQuery, Source]) -> SourceView:
    """Declare or change a source."""
    await asked.app.catalog.define_source(asked.path["name"], asked.body, asked.by)
    return _source_view(asked.app, asked.path["name"])


async def remove_source(asked: Asked[NoQuery, None]) -> Removed:
    """Remove a source to which no key writes any more."""
    app, name = asked.app, asked.path["name"]
    _source_view(app, name)
    writers = sorted(key for key, each in app.catalog.now.keys.values() if each.source == name)
    if writers:
        hint = f"revoke {', '.join(map(repr, writers[:5]))} first, or pause the source"
        raise CourtesyError(Code.CONFLICT, f"{len(writers)} keys write to this source", hint=hint)
    await app.engine.define(SOURCE, name, None, asked.by, app.clock.now_ms())
    await app.catalog.refresh()
    return Removed(name)


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made. A write key's source is named like the key unless `source` says otherwise."""

    name: Name
    scope: Scope
    source: Name | None = None


class MadeKey(msgspec.Struct, frozen=True):
    """A new key. Its secret is shown this once and kept nowhere."""

    name: str
    scope: Scope
    source: str | None
    secret: str


class KeyView(msgspec.Struct, frozen=True):
    """A key without its secret. `expires` is set for one that was replaced."""

    name: str
    scope: Scope
    source: str | None
    expires: str | None
    changed: str
    changed_by: str


class Keys(msgspec.Struct, frozen=True):
    """All keys by name."""

    keys: list[KeyView]


async def make_key(asked: Asked[NoQuery, NewKey]) -> MadeKey:
    """Make a key; one of the same name stays valid for a week."""
    body = asked.body
    if body.source is not None and body.scope is not Scope.WRITE:
        raise CourtesyError(Code.INVALID, "only a write key belongs to a source", place="source")
    secret = await asked.app.catalog.create_key(body.name, body.scope, asked.by, source=body.source)
    source = (body.source or body.name) if body.scope is Scope.WRITE else None
    return MadeKey(body.name, body.scope, source, secret)


async def list_keys(asked: Asked[NoQuery, None]) -> Keys:
    """All keys, without their secrets."""
    now = asked.app.catalog.now
    views = []
    for name, key in sorted(now.keys.values(), key=lambda each: each[0]):
        definition = now.revisions[KEY, name]
        expires = None if key.expires_ms is None else to_iso(key.expires_ms)
        changed = to_iso(definition.changed_ms)
        views.append(KeyView(name, key.scope, key.source, expires, changed, definition.changed_by))
    return Keys(views)


async def revoke_key(asked: Asked[NoQuery, None]) -> Removed:
    """Make a key invalid."""
    await asked.app.catalog.revoke_key(asked.path["name"], asked.by)
    return Removed(asked.path["name"])


async def read_rules(asked: Asked[NoQuery, None]) -> IdentityRules:
    """The identity rules in force."""
    return asked.app.catalog.rules()


async def define_rules(asked: Asked[NoQuery, IdentityRules]) -> IdentityRules:
    """Change the identity rules, for events to come."""
    await asked.app.catalog.define_rules(asked.body, asked.by)
    return asked.app.catalog.rules()


async def read_controller(asked: Asked[NoQuery, None]) -> Controller:
    """Who is named as controller."""
    found = await asked.app.consents.controller()
    if found is None:
        raise CourtesyError(Code.NOT_FOUND, "no controller is defined", hint="PUT /v1/controller defines it")
    return found


async def define_controller(asked: Asked[NoQuery, Controller]) -> Controller:
    """Name another controller, for what is handed out from now on."""
    await asked.app.catalog.define_controller(asked.body, asked.by)
    return asked.body


class NewSubscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook called when a person does something: `events` are the names that start it, `*` for all.

    `delay_ms`: wait this long after the event; `unless`: an event of one of these names meanwhile calls it off.
    Without `secrets` the present ones stay, and a new subscription gets one.
    """

    url: str
    events: Annotated[tuple[str, ...], Meta(min_length=1)]
    delay_ms: Annotated[int, Meta(ge=0, le=DELAY_MS_MAX)] = 0
    unless: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class SwitchedOffView(msgspec.Struct, frozen=True):
    """Since when nothing starts a subscription, and what its receiver said."""

    since: str
    why: str


class SubscriptionView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subscription. `secrets` only in the answer that made them. `switched_off` only when its receiver answered that
    it wants no more (410 Gone); it is on again when it is defined again."""

    name: str
    url: str
    events: tuple[str, ...]
    delay_ms: int
    unless: tuple[str, ...]
    secret_count: int
    changed: str
    changed_by: str
    secrets: tuple[str, ...] = ()
    switched_off: SwitchedOffView | None = None


class Subscriptions(msgspec.Struct, frozen=True):
    """All subscriptions by name."""

    subscriptions: list[SubscriptionView]


def _subscription_view(app: App, name: str, new_secrets: Sequence[str] = ()) -> SubscriptionView:
    found = app.catalog.now.subscriptions.get(name)
    if found is None:
        hint = nearest(name, app.catalog.now.subscriptions)
        raise CourtesyError(Code.NOT_FOUND, f"no subscription named {name!r:.120}", hint=hint)
    definition = app.catalog.now.revisions[SUBSCRIPTION, name]
    off = app.catalog.now.switched_off.get(name)
    return SubscriptionView(
        name,
        found.url,
        found.events,
        found.delay_ms,
        found.unless,
        len(found.secrets),
        to_iso(definition.changed_ms),
        definition.changed_by,
        tuple(new_secrets),
        None if off is None else SwitchedOffView(to_iso(off.since_ms), off.why),
    )


async def list_subscriptions(asked: Asked[NoQuery, None]) -> Subscriptions:
    """All subscriptions, without their secrets."""
    names = sorted(asked.app.catalog.now.subscriptions)
    return Subscriptions([_subscription_view(asked.app, name) for name in names])


async def read_subscription(asked: Asked[NoQuery, None]) -> SubscriptionView:
    """One subscription, without its secrets."""
    return _subscription_view(asked.app, asked.path["name"])


async def define_subscription(asked: Asked[NoQuery, NewSubscription]) -> SubscriptionView:
    """Create or change a subscription; a secret made here is told in the answer, and never again."""
    app, name, body = asked.app, asked.path["name"], asked.body
    known = app.catalog.now.subscriptions.get(name)
    kept = body.secrets or (known.secrets if known is not None else ())
    made = () if kept else (new_secret(),)
    validated(COMPONENT, {"url": body.url, "secrets": kept or made}, place="body")
    check_reachable(app, body.url)
    subscription = Subscription(name, body.url, body.events, body.delay_ms, body.unless, kept or made)
    await app.catalog.define_subscription(subscription, asked.by)
    return _subscription_view(app, name, made)


def new_secret() -> str:
    """A secret in the form of Standard Webhooks."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def check_reachable(app: App, url: str) -> None:
    """Refuse at once an address that every call would be refused; a name is looked up when it is called."""
    try:
        address = ip_address(urlsplit(url).hostname or "")
    except ValueError:
        return
    if not is_permitted(address, permitted_networks(app.settings.allow_private_webhooks)):
        raise CourtesyError(
            Code.INVALID,
            f"expected a public address, {address} is {why_not_public(address)}",
            hint="the operator can permit it with --allow-private-webhooks",
            place="body.url",
        )


async def remove_subscription(asked: Asked[NoQuery, None]) -> Removed:
    """End a subscription, and call off what waits for it."""
    await asked.app.catalog.remove_subscription(asked.path["name"], asked.by)
    return Removed(asked.path["name"])


_NAME = {"name": "Its name, percent-encoded."}


def _admin(method: str, path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    tag = path.split("/")[2]
    docs = _NAME if path.endswith("{name}") else {}

    @wraps(handle)
    async def fresh(asked: Asked[Any, Any]) -> Any:
        # Another process may have made the definition that this one is asked for next.
        await asked.app.catalog.refresh()
        return await handle(asked)

    return Operation(method, path, tag, summary, fresh, scope=Scope.ADMIN, answer=answer, path_docs=docs, **more)


_GONE = (Code.NOT_FOUND,)

OPERATIONS = (
    _admin("GET", "/v1/sources", "List all sources.", list_sources, Sources),
    _admin("GET", "/v1/sources/{name}", "Read a source.", read_source, SourceView, codes=_GONE),
    _admin("PUT", "/v1/sources/{name}", "Declare or change a source.", define_source, SourceView, body=Source),
    _admin(
        "DELETE",
        "/v1/sources/{name}",
        "Remove a source to which no key writes any more.",
        remove_source,
        Removed,
        codes=(Code.NOT_FOUND, Code.CONFLICT),
    ),
    _admin("GET", "/v1/keys", "List all keys, without their secrets.", list_keys, Keys),
    _admin(
        "POST",
        "/v1/keys",
        "Make a key.",
        make_key,
        MadeKey,
        body=NewKey,
        status=201,
        doc="The secret is told this once. A key of the same name is replaced, and stays valid for 7 days.",
    ),
    _admin("DELETE", "/v1/keys/{name}", "Make a key invalid at once.", revoke_key, Removed, codes=_GONE),
    _admin("GET", "/v1/identity/rules", "Read the identity rules.", read_rules, IdentityRules),
    _admin(
        "PUT",
        "/v1/identity/rules",
        "Change the identity rules, for events to come.",
        define_rules,
        IdentityRules,
        body=IdentityRules,
    ),
    _admin("GET", "/v1/controller", "Read who is named as controller.", read_controller, Controller, codes=_GONE),
    _admin(
        "PUT",
        "/v1/controller",
        "Say who answers for people's data.",
        define_controller,
        Controller,
        body=Controller,
        doc="Records and receipts of consent name the controller.",
    ),
    _admin("GET", "/v1/subscriptions", "List all webhook subscriptions.", list_subscriptions, Subscriptions),
    _admin("GET", "/v1/subscriptions/{name}", "Read a subscription.", read_subscription, SubscriptionView, codes=_GONE),
    _admin(
        "PUT",
        "/v1/subscriptions/{name}",
        "Create or change a webhook subscription.",
        define_subscription,
        SubscriptionView,
        body=NewSubscription,
        doc="One that was switched off, because its receiver answered 410 Gone, is on again.",
    ),
    _admin(
        "DELETE",
        "/v1/subscriptions/{name}",
        "End a subscription; what waits for it is called off.",
        remove_subscription,
        Removed,
        codes=_GONE,
    ),
)
