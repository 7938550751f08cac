"""Recipients: what other systems are told of people, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import DAY_MS, to_iso
from courtesy.engine.propagation import ChangeKind, ReceiptFilter, ReceiptState
from courtesy.http.definitions import Name, Removed, check_reachable, new_secret
from courtesy.http.operation import Asked, NoQuery, Operation
from courtesy.http.people import PERSON_PATH, PositionNumber
from courtesy.runtime.app import App
from courtesy.runtime.catalog import NAME_CHARS_MAX, RECIPIENT, Scope
from courtesy.runtime.recipient import Recipient, Span, Told, Words

PAGE_MAX = 500
NUMBERS_MAX = 1_000


class NewRecipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A system that is told of people, at `<url>/subjects/<subject>`.

    `tells`: of what. `purposes`, `channels`: what it does; all without any. `kinds`: of which kinds are the identifiers
    that it gets; all but those of browsers and devices without any. `reads_back`: whether it answers what it has.
    `needs_identifiers`: whether an erasure names identifiers. `escalate_after_ms`: after how long a change that is not
    confirmed is given up and reported. `check_every_ms`: how often to look whether it still has what it was told.
    `backfill`: tell it of choices from before it was defined, when it is new. Without `secrets` the present ones stay,
    and a new recipient gets one.
    """

    url: str
    secrets: tuple[str, ...] = ()
    tells: tuple[Told, ...] = tuple(Told)
    purposes: Words = ()
    channels: Words = ()
    kinds: Words = ()
    reads_back: bool = True
    needs_identifiers: bool = False
    escalate_after_ms: Span = DAY_MS
    check_every_ms: Span = DAY_MS
    backfill: bool = False


class RecipientView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A recipient. `secrets` only in the answer that made them."""

    name: str
    url: str
    tells: tuple[Told, ...]
    purposes: tuple[str, ...]
    channels: tuple[str, ...]
    kinds: tuple[str, ...]
    reads_back: bool
    needs_identifiers: bool
    escalate_after_ms: int
    check_every_ms: int
    backfill: bool
    secret_count: int
    changed: str
    changed_by: str
    secrets: tuple[str, ...] = ()


class RecipientsView(msgspec.Struct, frozen=True):
    """All recipients by name."""

    recipients: list[RecipientView]


class ReceiptView(msgspec.Struct, frozen=True):
    """A change that a recipient was to be told of, and what became of it.

    `entry`: its index in the ledger, if it is a choice. `person` is null once they are forgotten. `accepted`: when the
    recipient said that it took it; `verified`: when it was read back, with its own version of it in `read_back`;
    `escalated`: when it was given up. `error`: why the last attempt failed.
    """

    number: int
    recipient: str
    person: str | None
    kind: ChangeKind
    urgent: bool
    state: ReceiptState
    entry: int | None
    request: str
    queued: str
    sent: str | None
    accepted: str | None
    verified: str | None
    escalated: str | None
    attempts: int
    error: str
    read_back: str


class ReceiptPage(msgspec.Struct, frozen=True):
    """The newest first. `next_before` leads to older ones; null at the end."""

    receipts: list[ReceiptView]
    next_before: int | None


class SummaryView(msgspec.Struct, frozen=True):
    """How many changes a recipient was to be told of, by what became of them. `oldest_waiting`: since when the oldest
    waits of those under way; null when none does."""

    recipient: str
    queued: int
    sent: int
    accepted: int
    verified: int
    escalated: int
    oldest_waiting: str | None


class ToldRecipientView(msgspec.Struct, frozen=True):
    """A recipient that was told of a person, or is to be, and all that it was told, the oldest first."""

    recipient: str
    first_told: str | None
    last_accepted: str | None
    last_verified: str | None
    receipts: list[ReceiptView]


class ToldRecipientsView(msgspec.Struct, frozen=True):
    """Who was told what of a person, and when."""

    person: str
    recipients: list[ToldRecipientView]


class ReceiptsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of a `recipient`, in a `state`, of a `request`, about a `person` (by number), as far as they are given; older
    than the number `before`."""

    recipient: Annotated[str, Meta(min_length=1, max_length=NAME_CHARS_MAX, pattern=r"^[^\x00]*$")] | None = None
    state: ReceiptState | None = None
    request: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")] | None = None
    person: PositionNumber | None = None
    before: PositionNumber | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class RetryBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which receipts of a recipient, by number; all that were given up without any."""

    recipient: Name
    numbers: Annotated[list[PositionNumber], Meta(max_length=NUMBERS_MAX)] = []


class RetriedView(msgspec.Struct, frozen=True):
    """How many are under way again."""

    retried: int


def _view(app: App, name: str, new_secrets: tuple[str, ...] = ()) -> RecipientView:
    found = app.catalog.now.recipients[name]
    definition = app.catalog.now.revisions[RECIPIENT, name]
    shown = {each: getattr(found, each) for each in Recipient.__struct_fields__ if each != "secrets"}
    return RecipientView(
        name=name,
        **shown,
        secret_count=len(found.secrets),
        changed=to_iso(definition.changed_ms),
        changed_by=definition.changed_by,
        secrets=new_secrets,
    )


async def list_recipients(asked: Asked[NoQuery, None]) -> RecipientsView:
    """All recipients, without their secrets."""
    return RecipientsView([_view(asked.app, name) for name in sorted(await asked.app.catalog.recipients())])


async def read_recipient(asked: Asked[NoQuery, None]) -> RecipientView:
    """One recipient, without its secrets."""
    await asked.app.propagation.recipient(asked.path["name"])
    return _view(asked.app, asked.path["name"])


async def define_recipient(asked: Asked[NoQuery, NewRecipient]) -> RecipientView:
    """Create or change a recipient; a secret made here is told in the answer, and never again."""
    app, name, body = asked.app, asked.path["name"], asked.body
    known = (await app.catalog.recipients()).get(name)
    kept = body.secrets or (known.secrets if known is not None else ())
    made = () if kept else (new_secret(),)
    told = {each: getattr(body, each) for each in NewRecipient.__struct_fields__}
    recipient = Recipient(**{**told, "secrets": kept or made})
    try:
        recipient.checked()
    except CourtesyError as error:
        error.place = f"body.{error.place}"
        raise
    check_reachable(app, body.url)
    await app.propagation.define(name, recipient, asked.by)
    return _view(app, name, made)


async def remove_recipient(asked: Asked[NoQuery, None]) -> Removed:
    """Tell a recipient nothing any more."""
    await asked.app.propagation.remove(asked.path["name"], asked.by)
    return Removed(asked.path["name"])


async def summarise(asked: Asked[NoQuery, None]) -> dict[str, Any]:
    """How a recipient stands."""
    return await asked.app.propagation.summary(asked.path["name"])


async def read_receipts(asked: Asked[ReceiptsQuery, None]) -> dict[str, Any]:
    """A page of receipts."""
    query, app = asked.query, asked.app
    people = None
    if query.person is not None:
        people = frozenset(await app.people.everyone("person", str(query.person)))
    which = ReceiptFilter(query.recipient, query.state, query.request, people)
    return await app.propagation.receipts(which, query.before, query.limit)


async def retry(asked: Asked[NoQuery, RetryBody]) -> RetriedView:
    """What was given up, again."""
    body = asked.body
    return RetriedView(await asked.app.propagation.retry(body.recipient, body.numbers or None))


async def read_told(asked: Asked[NoQuery, None]) -> dict[str, Any]:
    """Who was told what of a person."""
    people = await asked.app.people.everyone(asked.path["kind"], asked.path["value"])
    return {"person": str(people[0]), "recipients": await asked.app.propagation.told_of(people)}


_NAME = {"name": "Its name, percent-encoded."}
_GONE = (Code.NOT_FOUND,)


def _admin(method: str, path: str, summary: str, handle: Any, answer: Any, **more: Any) -> Operation:
    docs = _NAME if "{name}" in path else {}
    return Operation(
        method, path, "recipients", summary, handle, scope=Scope.ADMIN, answer=answer, path_docs=docs, **more
    )


OPERATIONS = (
    _admin("GET", "/v1/recipients", "List all recipients.", list_recipients, RecipientsView),
    _admin("GET", "/v1/recipients/{name}", "Read a recipient.", read_recipient, RecipientView, codes=_GONE),
    _admin(
        "PUT",
        "/v1/recipients/{name}",
        "Create or change a recipient, a system that is told of people.",
        define_recipient,
        RecipientView,
        body=NewRecipient,
        doc="Of what people allow, of corrections, and to erase them; until it was read back from there.",
    ),
    _admin(
        "DELETE",
        "/v1/recipients/{name}",
        "Tell a recipient nothing any more; what is under way is given up.",
        remove_recipient,
        Removed,
        codes=_GONE,
    ),
    _admin(
        "GET",
        "/v1/recipients/{name}/receipts",
        "How many changes a recipient was told of, and how many wait.",
        summarise,
        SummaryView,
        codes=_GONE,
    ),
    _admin(
        "GET",
        "/v1/propagation",
        "List what recipients were to be told, and what became of it.",
        read_receipts,
        ReceiptPage,
        query=ReceiptsQuery,
        codes=_GONE,
    ),
    _admin(
        "POST",
        "/v1/propagation/retry",
        "Try again what was given up.",
        retry,
        RetriedView,
        body=RetryBody,
        codes=_GONE,
    ),
    Operation(
        "GET",
        "/v1/people/{kind}/{value}/recipients",
        "recipients",
        "List who was told what of a person, and when.",
        read_told,
        doc="For whoever asks to whom their data was disclosed (GDPR 15(1)(c) and 19).",
        scope=Scope.ADMIN,
        answer=ToldRecipientsView,
        codes=_GONE,
        path_docs=PERSON_PATH,
    ),
)
