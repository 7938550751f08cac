"""The operations of the preference centre: making links, the pages that they open, and what is shown there."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.consent.preference_centre import PreferenceCentre
from courtesy.event.choice import ANY, Scope, Word, is_purpose
from courtesy.http.centre import own_data
from courtesy.http.centre.asking import answered_before, answers_section, offered, question_section, take
from courtesy.http.centre.confirm import confirm_page, confirmed_page
from courtesy.http.centre.form import digest_of, first, form_of, issue, issued_for, notice_of, wanted_in
from courtesy.http.centre.markup import Markup
from courtesy.http.centre.page import Frame, centre_page, unsubscribe_page, unsubscribed_page
from courtesy.http.centre.texts import LOCALES
from courtesy.http.centre.visit import (
    FORM_BODY,
    FORM_BYTES_MAX,
    PAGE,
    PROBLEM,
    SEE_OTHER,
    Visit,
    answered,
    back,
    frame_of,
    opened,
    page_operation,
    sent_fields,
    short,
)
from courtesy.http.metrics import count_fates
from courtesy.http.operation import Answer, Asked, NoQuery, Operation
from courtesy.http.people import PERSON_PATH
from courtesy.http.schemas import PAGE_OF_TEXT
from courtesy.http.tracking import headers_of
from courtesy.http.wire import BadBody, read
from courtesy.runtime.catalog import Scope as KeyScope
from courtesy.runtime.ingest import Receipt
from courtesy.runtime.links import LinkKind, Unconfirmed
from courtesy.runtime.preferences import Evidence, Guest

DAYS_MAX = 3_650
DEFAULT_DAYS = {LinkKind.PREFERENCES: 30, LinkKind.UNSUBSCRIBE: 400, LinkKind.CONFIRM: 7}
PREFIXES = {LinkKind.PREFERENCES: "/p/", LinkKind.UNSUBSCRIBE: "/u/", LinkKind.CONFIRM: "/c/"}
"""An unsubscribe link must work for 60 days (CASL), and people read old mail."""

_ONE_CLICK = b"List-Unsubscribe=One-Click"
_ONE_CLICK_PART = re.compile(
    rb'name="?List-Unsubscribe"?[^\r\n]*\r?\n(?:[^\r\n]+\r?\n)*\r?\nOne-Click\r?\n', re.IGNORECASE
)
"""The same in a body of multipart/form-data."""


class NewLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A link to be made. `days`: how long it works; 30 for preferences, 400 for unsubscribing and 7 for confirming
    unless said. `purpose`, `channel`, `topic`: what a link for unsubscribing withdraws. `brand`: one of those that the
    preference centre defines, for which alone it counts. `choices`: what one for confirming allows; `request`: your
    name for the occasion on which they asked for it."""

    kind: LinkKind = LinkKind.PREFERENCES
    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)] | None = None
    purpose: Word = ANY
    channel: Word = ANY
    topic: Word = ANY
    brand: Word = ANY
    choices: Annotated[list[Unconfirmed], Meta(max_length=10)] = []
    request: Annotated[str, Meta(max_length=80)] | None = None


class MadeLink(msgspec.Struct, frozen=True):
    """A link: put the address under which people reach this server before `path`. `request`: what the choice that it
    makes will say it was asked for on; null for other links."""

    kind: LinkKind
    path: str
    expires: str
    request: str | None = None


class GpcSupport(msgspec.Struct, frozen=True):
    """As https://w3c.github.io/gpc asks for. `lastUpdate`: since when what it says is so."""

    gpc: bool
    lastUpdate: str  # noqa: N815 -- as the specification spells it


GPC_SINCE = "2026-11-22"


async def make_link(asked: Asked[NoQuery, NewLink]) -> MadeLink:
    """A link for one person."""
    body = asked.body
    scope = Scope(body.purpose, body.channel, body.topic, body.brand)
    if body.kind is LinkKind.PREFERENCES and scope != Scope(ANY, brand=body.brand):
        raise CourtesyError(Code.INVALID, "only a link for unsubscribing is about something", place="purpose")
    if body.kind is LinkKind.UNSUBSCRIBE and body.purpose == ANY:
        raise CourtesyError(Code.INVALID, "expected the purpose that the link withdraws", place="purpose")
    if body.kind is LinkKind.CONFIRM:
        return await _make_confirmation(asked)
    if body.choices or body.request is not None:
        raise CourtesyError(Code.INVALID, "only a link for confirming has choices and a request", place="choices")
    days = body.days or DEFAULT_DAYS[body.kind]
    token, expires_ms = await asked.app.preferences.make_link(
        asked.path["kind"], asked.path["value"], body.kind, days, scope
    )
    return MadeLink(body.kind, PREFIXES[body.kind] + token, to_iso(expires_ms))


async def _make_confirmation(asked: Asked[NoQuery, NewLink]) -> MadeLink:
    body = asked.body
    if not body.choices or (body.purpose, body.channel, body.topic) != (ANY, ANY, ANY):
        raise CourtesyError(
            Code.INVALID, "expected what the link confirms in `choices`, and there alone", place="choices"
        )
    for number, each in enumerate(body.choices):
        if each.purpose == ANY or not is_purpose(each.purpose) or not is_purpose(each.topic):
            place = f"choices[{number}]"
            raise CourtesyError(Code.INVALID, "expected one purpose, and neither it nor a topic of health", place=place)
    request = body.request or f"confirm-{secrets.token_hex(8)}"
    days = body.days or DEFAULT_DAYS[LinkKind.CONFIRM]
    token, expires_ms = await asked.app.preferences.ask_to_confirm(
        asked.path["kind"], asked.path["value"], body.choices, request, days
    )
    return MadeLink(body.kind, PREFIXES[body.kind] + token, to_iso(expires_ms), request)


async def read_centre(asked: Asked[NoQuery, None]) -> PreferenceCentre:
    """The definition in force."""
    await asked.app.catalog.refresh()
    return asked.app.preferences.centre


async def define_centre(asked: Asked[NoQuery, PreferenceCentre]) -> PreferenceCentre:
    """Change it."""
    await asked.app.catalog.define_centre(asked.body, asked.by)
    return asked.app.preferences.centre


async def read_shown(asked: Asked[NoQuery, None]) -> Answer:
    """The bytes that were shown."""
    name = asked.path["digest"]
    content = await asked.app.engine.shown(bytes.fromhex(name)) if re.fullmatch("[0-9a-f]{64}", name) else None
    if content is None:
        raise CourtesyError(Code.NOT_FOUND, f"nothing that was shown has the SHA-256 {name!r:.80}")
    return Answer(content, media_type="text/plain; charset=utf-8")


async def read_gpc(asked: Asked[NoQuery, None]) -> GpcSupport:
    """That Global Privacy Control is heeded."""
    return GpcSupport(True, GPC_SINCE)


def _count(receipt: Receipt | None) -> bool:
    """Whether anything was stored, which is counted."""
    if receipt is not None:
        count_fates(receipt)
    return receipt is not None


async def show_centre(asked: Visit) -> Answer:
    """The preference centre."""
    link = opened(asked, LinkKind.PREFERENCES)
    if isinstance(link, Answer):
        return link
    preferences = asked.app.preferences
    guest = await preferences.guest(link)
    gpc, receipt = await preferences.heed_gpc(guest, headers_of(asked).get(b"sec-gpc", b"").decode("latin-1"))
    if _count(receipt):
        guest = await preferences.guest(link)
    frame = frame_of(asked, guest)
    shown = preferences.wishes(guest)
    form = form_of(frame.centre, frame.texts, shown)
    issued = issue(
        preferences.signer, asked.path["token"], asked.app.clock.now_ms(), frame.texts.locale, str(form), shown
    )
    questions = await _questions(asked, guest, frame)
    codes = asked.app.codes.is_offered
    return answered(
        frame, centre_page(frame, guest, link, form, issued, asked.query.done, gpc, *questions, codes=codes)
    )


async def _questions(asked: Visit, guest: Guest, frame: Frame) -> list[Markup]:
    """What they are asked now, and what they answered; nothing for most."""
    action = f"{frame.address}?lang={frame.texts.locale}"
    offer = await offered(asked.app, guest, asked.path["token"], frame.texts)
    given = await answered_before(asked.app, guest, frame.texts)
    return [
        *([question_section(frame.texts, offer, action)] if offer is not None else ()),
        *([answers_section(frame.texts, given, action)] if given else ()),
    ]


async def save_centre(asked: Visit) -> Answer:
    """Save what was changed, and lead back to the page."""
    link = opened(asked, LinkKind.PREFERENCES)
    if isinstance(link, Answer):
        return link
    preferences = asked.app.preferences
    sent = await sent_fields(asked)
    if isinstance(sent, Answer):
        return sent
    body, fields = sent
    if "question" in fields or "revise" in fields:
        done = await take(asked.app, fields)
        return short(asked, "form", 409, again=True) if done is None else back(frame_of(asked), done)
    token = asked.path["token"]
    issued = issued_for(preferences.signer, token, asked.app.clock.now_ms(), first(fields, "form"))
    if issued is None or issued.locale not in LOCALES:
        return short(asked, "form", 400, again=True)
    guest = await preferences.guest(link)
    frame = frame_of(asked, guest, issued.locale)
    if "remove" in fields:
        done = "removed" if _count(await preferences.forget(guest, fields.get("forget", []))) else "unchanged"
        return back(frame, done)
    try:
        form = form_of(frame.centre, frame.texts, issued.shown)
    except ValueError:
        form = None
    if form is None or digest_of(form) != issued.digest:
        # The definition was changed meanwhile: what was shown can't be shown to have been shown.
        return short(asked, "form", 409, again=True)
    notice = notice_of(frame.centre, frame.texts, guest.brand)
    evidence = Evidence(notice.encode(), form.encode(), issued.locale)
    occasion = digest_of(first(fields, "form") + digest_of(body.decode("ascii")))[:48]
    if "refuse_everywhere" in fields:
        return back(frame, "saved" if _count(await preferences.refuse_everywhere(guest, evidence, occasion)) else "")
    wanted, pause = wanted_in(frame.centre, issued.shown, fields)
    receipt = await preferences.save(guest, issued.shown, wanted, pause, evidence, occasion)
    return back(frame, "saved" if _count(receipt) else "unchanged")


async def ask_unsubscribe(asked: Visit) -> Answer:
    """A page with a button; mail scanners open it too, so it changes nothing."""
    link = opened(asked, LinkKind.UNSUBSCRIBE)
    if isinstance(link, Answer):
        return link
    frame = frame_of(asked, await asked.app.preferences.guest(link))
    return answered(frame, unsubscribe_page(frame, link))


async def unsubscribe(asked: Visit) -> Answer:
    """Withdraw what the link is about (RFC 8058): no login, no cookie, no redirect."""
    link = opened(asked, LinkKind.UNSUBSCRIBE)
    if isinstance(link, Answer):
        return link
    try:
        body = await read(asked.request, FORM_BYTES_MAX)
    except BadBody:
        body = b""
    if _ONE_CLICK not in body.strip().split(b"&") and _ONE_CLICK_PART.search(body) is None:
        return short(asked, "form", 400, again=True)
    _count(await asked.app.preferences.unsubscribe(link))
    frame = frame_of(asked, await asked.app.preferences.guest(link))
    return answered(frame, unsubscribed_page(frame, link))


async def ask_to_confirm(asked: Visit) -> Answer:
    """A page with a button; mail scanners open it too, so it changes nothing."""
    link = opened(asked, LinkKind.CONFIRM)
    if isinstance(link, Answer):
        return link
    frame = frame_of(asked, await asked.app.preferences.guest(link))
    return answered(frame, confirm_page(frame, link))


async def confirm(asked: Visit) -> Answer:
    """Allow what the link is about: the second step of a double opt-in."""
    link = opened(asked, LinkKind.CONFIRM)
    if isinstance(link, Answer):
        return link
    sent = await sent_fields(asked)
    if isinstance(sent, Answer):
        return sent
    if first(sent[1], "confirm") != "yes":
        return short(asked, "form", 400, again=True)
    frame = frame_of(asked, await asked.app.preferences.guest(link))
    _count(await asked.app.preferences.confirm(link, asked.path["token"], frame.texts.locale))
    return answered(frame, confirmed_page(frame, link))


_ONE_CLICK_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "properties": {"List-Unsubscribe": {"const": "One-Click"}},
                "required": ["List-Unsubscribe"],
            }
        }
    },
}
OPERATIONS = (
    Operation(
        "POST",
        "/v1/people/{kind}/{value}/links",
        "consent",
        "Make a link with which a person sees and changes their choices, unsubscribes, or confirms.",
        make_link,
        doc="It needs no login, so send it to nobody else: whoever has it can use it until it runs out.",
        scope=KeyScope.ADMIN,
        body=NewLink,
        answer=MadeLink,
        status=201,
        codes=(Code.NOT_FOUND,),
        path_docs=PERSON_PATH,
    ),
    Operation(
        "GET",
        "/v1/preference-centre",
        "consent",
        "Read how the preference centre looks and what it asks.",
        read_centre,
        scope=KeyScope.ADMIN,
        answer=PreferenceCentre,
    ),
    Operation(
        "PUT",
        "/v1/preference-centre",
        "consent",
        "Change how the preference centre looks and what it asks.",
        define_centre,
        doc="What is left out is as it is without a definition.",
        scope=KeyScope.ADMIN,
        body=PreferenceCentre,
        answer=PreferenceCentre,
    ),
    Operation(
        "GET",
        "/v1/shown/{digest}",
        "consent",
        "Read a form or a wording as it was shown, by the SHA-256 that a choice names.",
        read_shown,
        scope=KeyScope.ADMIN,
        response={"200": PAGE_OF_TEXT, **dict.fromkeys(("400", "401", "403", "404", "503"), PROBLEM)},
        path_docs={"digest": "64 hexadecimal digits, from `evidence` of a choice."},
    ),
    page_operation(
        "GET", "/p/{token}", "The preference centre of one person.", show_centre, "A page, in seven languages."
    ),
    page_operation(
        "POST",
        "/p/{token}",
        "Save the form of the preference centre.",
        save_centre,
        "What was changed becomes choices, as does an answer to a question. Answers by leading back to the page.",
        FORM_BODY,
        **{"303": SEE_OTHER, "409": PAGE},
    ),
    *own_data.OPERATIONS,
    page_operation("GET", "/u/{token}", "A page with a button to unsubscribe.", ask_unsubscribe, "It changes nothing."),
    page_operation(
        "POST",
        "/u/{token}",
        "Unsubscribe with one click, as in RFC 8058.",
        unsubscribe,
        "Withdraws the purpose and channel of the link, at once, with no login.",
        _ONE_CLICK_BODY,
    ),
    page_operation("GET", "/c/{token}", "A page with a button to confirm.", ask_to_confirm, "It changes nothing."),
    page_operation(
        "POST",
        "/c/{token}",
        "Confirm what somebody asked for, the second step of a double opt-in.",
        confirm,
        "Allows what the link is about, once. Until then it is not allowed where the law asks for consent.",
        FORM_BODY,
    ),
    Operation(
        "GET",
        "/.well-known/gpc.json",
        "consent",
        "Say that Global Privacy Control is heeded.",
        read_gpc,
        answer=GpcSupport,
    ),
)
