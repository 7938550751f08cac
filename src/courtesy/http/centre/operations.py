"""The operations of the preference centre: making links, the pages that they open, and what is shown there."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SECOND_MS, to_iso
from courtesy.consent.preference_centre import PreferenceCentre
from courtesy.event.choice import ANY, Scope, Word, is_purpose
from courtesy.http.centre.confirm import confirm_page, confirmed_page
from courtesy.http.centre.form import (
    digest_of,
    first,
    form_of,
    issue,
    issued_for,
    notice_of,
    read_fields,
    wanted_in,
)
from courtesy.http.centre.markup import policy_of, style_of, tag
from courtesy.http.centre.page import Frame, centre_page, unsubscribe_page, unsubscribed_page
from courtesy.http.centre.texts import LOCALES, accepted, choose, texts
from courtesy.http.errors import log_bug
from courtesy.http.metrics import count_fates
from courtesy.http.operation import HTML, JSON, Answer, Asked, NoQuery, Operation
from courtesy.http.people import PERSON_PATH
from courtesy.http.schemas import PAGE_OF_TEXT
from courtesy.http.tracking import headers_of
from courtesy.http.wire import BadBody, read
from courtesy.runtime.catalog import Scope as KeyScope
from courtesy.runtime.ingest import Receipt
from courtesy.runtime.links import Link, LinkKind, Unconfirmed
from courtesy.runtime.preferences import Evidence, Guest

FORM_BYTES_MAX = 64 * 1024
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
    unless said. `purpose`, `channel`, `topic`: what a link for unsubscribing withdraws. `choices`: what one for
    confirming allows; `request`: your name for the occasion on which they asked for it."""

    kind: LinkKind = LinkKind.PREFERENCES
    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)] | None = None
    purpose: Word = ANY
    channel: Word = ANY
    topic: Word = ANY
    choices: Annotated[list[Unconfirmed], Meta(max_length=10)] = []
    request: Annotated[str, Meta(max_length=80)] | None = None


class MadeLink(msgspec.Struct, frozen=True):
    """A link: put the address under which people reach this server before `path`. `request`: what the choice that it
    makes will say it was asked for on; null for other links."""

    kind: LinkKind
    path: str
    expires: str
    request: str | None = None


class PageQuery(msgspec.Struct, frozen=True):
    """`lang`: the language of the page. `done`: what was done just now."""

    lang: str | None = None
    done: str | None = None


class GpcSupport(msgspec.Struct, frozen=True):
    """As https://w3c.github.io/gpc asks for. `lastUpdate`: since when what it says is so."""

    gpc: bool
    lastUpdate: str  # noqa: N815 -- as the specification spells it


GPC_SINCE = "2026-11-22"

Visit = Asked[PageQuery, None]


async def make_link(asked: Asked[NoQuery, NewLink]) -> MadeLink:
    """A link for one person."""
    body = asked.body
    scope = Scope(body.purpose, body.channel, body.topic)
    if body.kind is LinkKind.PREFERENCES and scope != Scope(ANY):
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


def _frame(asked: Visit, guest: Guest | None = None, locale: str | None = None) -> Frame:
    """The frame in the language that was asked for, or the person's, or the browser's."""
    traits = {} if guest is None else guest.state.traits
    own = [str(traits[name].value) for name in ("locale", "language") if name in traits]
    header = headers_of(asked).get(b"accept-language", b"").decode("latin-1")
    chosen = locale or choose(asked.query.lang, *own, *accepted(header))
    prefix = asked.operation.path.partition("{")[0]
    return Frame(asked.app.preferences.centre, texts(chosen), f"{prefix}{asked.path['token']}")


def _answer(frame: Frame, page: str, status: int = 200) -> Answer:
    policy = policy_of(style_of(frame.centre.colour), frame.centre.embedded_by)
    headers = (
        ("content-security-policy", policy),
        ("content-language", frame.texts.locale),
        ("x-robots-tag", "noindex, nofollow"),
    )
    return Answer(page.encode(), status, f"{HTML}; charset=utf-8", headers)


def _short(asked: Visit, name: str, status: int, *, again: bool = False) -> Answer:
    """A page that says what is wrong."""
    frame = _frame(asked)
    way_out = tag("p", tag("a", frame.texts["again"], href=f"{frame.address}?lang={frame.texts.locale}"))
    bare = Frame(frame.centre, frame.texts)
    return _answer(bare, bare.short(name, *((way_out,) if again else ())), status)


def _opened(asked: Visit, kind: LinkKind) -> Link | Answer:
    """What the token says, or the page that says why it opens nothing."""
    link = asked.app.preferences.signer.link(asked.path["token"])
    if link is None or link.kind is not kind:
        return _short(asked, "invalid", 404)
    if asked.app.clock.now_ms() >= link.expires_s * SECOND_MS:
        return _short(asked, "expired", 410)
    return link


def _on_paper(handle: Any) -> Any:
    """A handler whose errors people read on a page."""

    async def shown(asked: Visit) -> Answer:
        try:
            answer: Answer = await handle(asked)
        except CourtesyError as error:
            if error.code is Code.NOT_FOUND:
                return _short(asked, "invalid", 404)
            return _short(asked, "failed", 503, again=True).with_headers(("retry-after", "10"))
        except Exception as error:  # noqa: BLE001 -- a bug; people are told so in their own language
            log_bug(error, asked.operation)
            return _short(asked, "failed", 500, again=True)
        return answer

    shown.__name__ = handle.__name__
    return shown


def _count(receipt: Receipt | None) -> bool:
    """Whether anything was stored, which is counted."""
    if receipt is not None:
        count_fates(receipt)
    return receipt is not None


async def show_centre(asked: Visit) -> Answer:
    """The preference centre."""
    link = _opened(asked, LinkKind.PREFERENCES)
    if isinstance(link, Answer):
        return link
    preferences = asked.app.preferences
    guest = await preferences.guest(link.person)
    gpc, receipt = await preferences.heed_gpc(guest, headers_of(asked).get(b"sec-gpc", b"").decode("latin-1"))
    if _count(receipt):
        guest = await preferences.guest(link.person)
    frame = _frame(asked, guest)
    shown = preferences.wishes(guest)
    form = form_of(frame.centre, frame.texts, shown)
    issued = issue(
        preferences.signer, asked.path["token"], asked.app.clock.now_ms(), frame.texts.locale, str(form), shown
    )
    return _answer(frame, centre_page(frame, guest, link, form, issued, asked.query.done, gpc))


async def save_centre(asked: Visit) -> Answer:
    """Save what was changed, and lead back to the page."""
    link = _opened(asked, LinkKind.PREFERENCES)
    if isinstance(link, Answer):
        return link
    preferences = asked.app.preferences
    try:
        body = await read(asked.request, FORM_BYTES_MAX)
        fields = read_fields(body)
    except (BadBody, ValueError):
        return _short(asked, "form", 400, again=True)
    token = asked.path["token"]
    issued = issued_for(preferences.signer, token, asked.app.clock.now_ms(), first(fields, "form"))
    if issued is None or issued.locale not in LOCALES:
        return _short(asked, "form", 400, again=True)
    guest = await preferences.guest(link.person)
    frame = _frame(asked, guest, issued.locale)
    if "remove" in fields:
        done = "removed" if _count(await preferences.forget(guest, fields.get("forget", []))) else "unchanged"
        return _back(frame, done)
    try:
        form = form_of(frame.centre, frame.texts, issued.shown)
    except ValueError:
        form = None
    if form is None or digest_of(form) != issued.digest:
        # The definition was changed meanwhile: what was shown can't be shown to have been shown.
        return _short(asked, "form", 409, again=True)
    wanted, pause = wanted_in(frame.centre, issued.shown, fields)
    evidence = Evidence(notice_of(frame.centre, frame.texts).encode(), form.encode(), issued.locale)
    occasion = digest_of(first(fields, "form") + digest_of(body.decode("ascii")))[:48]
    receipt = await preferences.save(guest, issued.shown, wanted, pause, evidence, occasion)
    return _back(frame, "saved" if _count(receipt) else "unchanged")


def _back(frame: Frame, done: str) -> Answer:
    """Off to the page by GET, so that loading it again sends nothing again."""
    location = f"{frame.address}?lang={frame.texts.locale}&done={done}"
    return Answer(b"", 303, f"{HTML}; charset=utf-8", (("location", location),))


async def ask_unsubscribe(asked: Visit) -> Answer:
    """A page with a button; mail scanners open it too, so it changes nothing."""
    link = _opened(asked, LinkKind.UNSUBSCRIBE)
    if isinstance(link, Answer):
        return link
    frame = _frame(asked, await asked.app.preferences.guest(link.person))
    return _answer(frame, unsubscribe_page(frame, link))


async def unsubscribe(asked: Visit) -> Answer:
    """Withdraw what the link is about (RFC 8058): no login, no cookie, no redirect."""
    link = _opened(asked, LinkKind.UNSUBSCRIBE)
    if isinstance(link, Answer):
        return link
    try:
        body = await read(asked.request, FORM_BYTES_MAX)
    except BadBody:
        body = b""
    if _ONE_CLICK not in body.strip().split(b"&") and _ONE_CLICK_PART.search(body) is None:
        return _short(asked, "form", 400, again=True)
    _count(await asked.app.preferences.unsubscribe(link))
    frame = _frame(asked, await asked.app.preferences.guest(link.person))
    return _answer(frame, unsubscribed_page(frame, link))


async def ask_to_confirm(asked: Visit) -> Answer:
    """A page with a button; mail scanners open it too, so it changes nothing."""
    link = _opened(asked, LinkKind.CONFIRM)
    if isinstance(link, Answer):
        return link
    frame = _frame(asked, await asked.app.preferences.guest(link.person))
    return _answer(frame, confirm_page(frame, link))


async def confirm(asked: Visit) -> Answer:
    """Allow what the link is about: the second step of a double opt-in."""
    link = _opened(asked, LinkKind.CONFIRM)
    if isinstance(link, Answer):
        return link
    try:
        fields = read_fields(await read(asked.request, FORM_BYTES_MAX))
    except (BadBody, ValueError):
        return _short(asked, "form", 400, again=True)
    if first(fields, "confirm") != "yes":
        return _short(asked, "form", 400, again=True)
    frame = _frame(asked, await asked.app.preferences.guest(link.person))
    _count(await asked.app.preferences.confirm(link, asked.path["token"], frame.texts.locale))
    return _answer(frame, confirmed_page(frame, link))


_PAGE = {"content": {HTML: {"schema": {"type": "string"}}}}
_FORM_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
}
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
_TOKEN = {"token": "The end of a link that `POST /v1/people/{kind}/{value}/links` made."}
_PROBLEM = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
_PROBLEM_OR_PAGE = {"content": {**_PROBLEM["content"], **_PAGE["content"]}}


def _page(method: str, path: str, summary: str, handle: Any, doc: str, request: Any = None, **more: Any) -> Operation:
    responses = {str(status): _PAGE for status in (200, 404, 410, 500, 503)}
    return Operation(
        method,
        path,
        "consent",
        summary,
        _on_paper(handle),
        doc=doc,
        query=PageQuery,
        request=request,
        response={**responses, "400": _PROBLEM_OR_PAGE, **more},
        path_docs=_TOKEN,
        web=True,
    )


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
        response={"200": PAGE_OF_TEXT, **dict.fromkeys(("400", "401", "403", "404", "503"), _PROBLEM)},
        path_docs={"digest": "64 hexadecimal digits, from `evidence` of a choice."},
    ),
    _page("GET", "/p/{token}", "The preference centre of one person.", show_centre, "A page, in seven languages."),
    _page(
        "POST",
        "/p/{token}",
        "Save the form of the preference centre.",
        save_centre,
        "What was changed in the form becomes choices. Answers by leading back to the page.",
        _FORM_BODY,
        **{"303": {"headers": {"Location": {"schema": {"type": "string"}}}}, "409": _PAGE},
    ),
    _page("GET", "/u/{token}", "A page with a button to unsubscribe.", ask_unsubscribe, "It changes nothing."),
    _page(
        "POST",
        "/u/{token}",
        "Unsubscribe with one click, as in RFC 8058.",
        unsubscribe,
        "Withdraws the purpose and channel of the link, at once, with no login.",
        _ONE_CLICK_BODY,
    ),
    _page("GET", "/c/{token}", "A page with a button to confirm.", ask_to_confirm, "It changes nothing."),
    _page(
        "POST",
        "/c/{token}",
        "Confirm what somebody asked for, the second step of a double opt-in.",
        confirm,
        "Allows what the link is about, once. Until then it is not allowed where the law asks for consent.",
        _FORM_BODY,
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
