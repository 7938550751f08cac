"""What can be looked at before it leaves, for whom, and what is answered."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from courtesy.content.appearance import PushLook, SmsLook
from courtesy.content.findings import Finding
from courtesy.content.items import LOCALE_PATTERN, Body
from courtesy.event.choice import ANY, Word
from courtesy.offer.terms import Money
from courtesy.runtime.leaving import Leaving
from courtesy.runtime.offer_desk import Named

Identifying = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
Short = Annotated[str, Meta(max_length=201, pattern=r"^[^\x00]*$")]
LocaleWord = Annotated[str, Meta(pattern=f"^({LOCALE_PATTERN})?$")]
ChannelWord = Literal["email", "sms", "push", "web_push", "in_app", "web", "webhook", "print", "social", "till"]


class Somebody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person by any identifier, or one who is made up, of whom only this is known."""

    kind: Identifying = ""
    value: Identifying = ""
    traits: dict[str, Any] = {}
    identifiers: dict[str, str] = {}
    groups: tuple[str, ...] = ()

    @property
    def named(self) -> Named | None:
        """By which identifier they are known; None for somebody made up."""
        return Named(self.kind, self.value) if self.kind else None


class PreviewAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be looked at, and for whom.

    `content`: an item as `kind/name`. `version`: a number, `live`, or `draft`, the item as it stands. `body`: what it
    would say, not saved. `person`: who reads it; without, somebody of whom nothing is known. `locales` and `channels`:
    all that it says something in unless some are named. `data` is what templates read as `event`, `offer` what they
    read so. `purpose` (its own if it has one, or `marketing`), `topic`, `brand`, `service` and `connection`: what it
    would be sent with. `sms_price`: what one part of a text message costs.
    """

    content: Short
    version: Annotated[int, Meta(ge=1)] | Literal["live", "draft"] = "draft"
    body: Body | None = None
    person: Somebody | None = None
    locales: Annotated[tuple[LocaleWord, ...], Meta(max_length=50)] = ()
    channels: Annotated[tuple[ChannelWord, ...], Meta(max_length=10)] = ()
    data: dict[str, Any] = {}
    offer: Short = ""
    purpose: Word | None = None
    topic: Word = ANY
    brand: Word = ANY
    service: bool = False
    connection: Short = ""
    sms_price: Money | None = None


class LackedView(msgspec.Struct, frozen=True):
    """What a template asked for and this person has not: how it is written, what was wrong, at which line."""

    about: str
    problem: str
    place: str


class Shown(msgspec.Struct, frozen=True):
    """What leaves over a channel in a locale, empty for everybody else's; `theirs`: it is what this person gets.

    `parts`: subject, html and text of a mail, title, text and more of other messages; of an offer, all that is shown
    at a `placement`. `lacked`: names that this person lacks. `sms` and `push`: how it looks there.
    """

    channel: str
    locale: str
    theirs: bool
    parts: dict[str, Any]
    lacked: list[LackedView] = []
    findings: list[Finding] = []
    placement: str = ""
    sms: SmsLook | None = None
    push: list[PushLook] = []


class Preview(msgspec.Struct, frozen=True):
    """What would leave for somebody, and whether it would leave now: `leaving` by channel, empty for somebody made up.

    `source`: of what it was made. `findings`: what would be found if that were published; an error there keeps some of
    it from being shown. `locale`: in which the person reads, empty when nobody knows.
    """

    content: str
    source: str
    title: str
    person: str
    locale: str
    made: str
    findings: list[Finding]
    shown: list[Shown]
    leaving: list[Leaving]
