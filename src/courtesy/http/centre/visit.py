"""What all pages have in common: a link that is opened, a language, an answer, and how it fails on paper."""

from __future__ import annotations

from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SECOND_MS
from courtesy.event.choice import ANY
from courtesy.http.centre.form import Fields, read_fields
from courtesy.http.centre.markup import policy_of, style_of, tag
from courtesy.http.centre.page import Frame
from courtesy.http.centre.texts import accepted, choose, texts
from courtesy.http.errors import log_bug
from courtesy.http.operation import HTML, JSON, Answer, Asked, Operation
from courtesy.http.tracking import headers_of
from courtesy.http.wire import BadBody, read
from courtesy.runtime.links import Link, LinkKind
from courtesy.runtime.preferences import Guest

FORM_BYTES_MAX = 64 * 1024


class PageQuery(msgspec.Struct, frozen=True):
    """`lang`: the language of the page. `done`: what was done just now."""

    lang: str | None = None
    done: str | None = None


Visit = Asked[PageQuery, None]


def frame_of(asked: Visit, guest: Guest | None = None, locale: str | None = None) -> Frame:
    """The frame in the language that was asked for, or the person's, or the browser's; under the brand of the link."""
    traits = {} if guest is None else guest.state.traits
    own = [str(traits[name].value) for name in ("locale", "language") if name in traits]
    header = headers_of(asked).get(b"accept-language", b"").decode("latin-1")
    chosen = locale or choose(asked.query.lang, *own, *accepted(header))
    address = asked.operation.path.replace("{token}", asked.path["token"])
    preferences = asked.app.preferences
    link = preferences.signer.link(asked.path["token"])
    centre = preferences.centre.under(ANY if link is None else link.brand)
    return Frame(centre, texts(chosen), address)


def answered(frame: Frame, page: str, status: int = 200) -> Answer:
    """A page with the headers that go with it."""
    centre = frame.centre
    policy = policy_of(style_of(centre.colour), centre.embedded_by, images="data:" if centre.logo else "'none'")
    headers = (
        ("content-security-policy", policy),
        ("content-language", frame.texts.locale),
        ("x-robots-tag", "noindex, nofollow"),
    )
    return Answer(page.encode(), status, f"{HTML}; charset=utf-8", headers)


def short(asked: Visit, name: str, status: int, *, again: bool = False) -> Answer:
    """A page that says what is wrong."""
    frame = frame_of(asked)
    way_out = tag("p", tag("a", frame.texts["again"], href=f"{frame.address}?lang={frame.texts.locale}"))
    bare = Frame(frame.centre, frame.texts)
    return answered(bare, bare.short(name, *((way_out,) if again else ())), status)


def opened(asked: Visit, kind: LinkKind) -> Link | Answer:
    """What the token says, or the page that says why it opens nothing."""
    link = asked.app.preferences.signer.link(asked.path["token"])
    if link is None or link.kind is not kind:
        return short(asked, "invalid", 404)
    if asked.app.clock.now_ms() >= link.expires_s * SECOND_MS:
        return short(asked, "expired", 410)
    return link


async def sent_fields(asked: Visit) -> tuple[bytes, Fields] | Answer:
    """The form that was sent, as it came and read; or the page that says that it can't be read."""
    try:
        body = await read(asked.request, FORM_BYTES_MAX)
        return body, read_fields(body)
    except (BadBody, ValueError):
        return short(asked, "form", 400, again=True)


def on_paper(handle: Any) -> Any:
    """A handler whose errors people read on a page."""

    async def shown(asked: Visit) -> Answer:
        try:
            answer: Answer = await handle(asked)
        except CourtesyError as error:
            if error.code is Code.NOT_FOUND:
                return short(asked, "invalid", 404)
            return short(asked, "failed", 503, again=True).with_headers(("retry-after", "10"))
        except Exception as error:  # noqa: BLE001 -- a bug; people are told so in their own language
            log_bug(error, asked.operation)
            return short(asked, "failed", 500, again=True)
        return answer

    shown.__name__ = handle.__name__
    return shown


def back(frame: Frame, done: str) -> Answer:
    """Off to the page by GET, so that loading it again sends nothing again."""
    location = f"{frame.address}?lang={frame.texts.locale}&done={done}"
    return Answer(b"", 303, f"{HTML}; charset=utf-8", (("location", location),))


PAGE = {"content": {HTML: {"schema": {"type": "string"}}}}
SEE_OTHER = {"headers": {"Location": {"schema": {"type": "string"}}}}
FORM_BODY: dict[str, Any] = {
    "required": True,
    "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
}
TOKEN = {"token": "The end of a link that `POST /v1/people/{kind}/{value}/links` made."}
PROBLEM = {"content": {JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
PROBLEM_OR_PAGE = {"content": {**PROBLEM["content"], **PAGE["content"]}}


def page_operation(
    method: str, path: str, summary: str, handle: Any, doc: str, request: Any = None, **more: Any
) -> Operation:
    """An operation that answers with a page, whatever happens. `more`: other answers than those of every page."""
    responses = {str(status): PAGE for status in (200, 404, 410, 500, 503)}
    return Operation(
        method,
        path,
        "consent",
        summary,
        on_paper(handle),
        doc=doc,
        query=PageQuery,
        request=request,
        response={**responses, "400": PROBLEM_OR_PAGE, **more},
        path_docs=TOKEN,
        web=True,
    )
