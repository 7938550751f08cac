"""Downloading and deleting what is held of somebody, by them: with their link, and a code that was sent to their mail.

Nothing is done by opening a page. A code is asked for, entered, and what it opens is done by a button of its own, each
by POST; where nothing is answered but a page, the browser is led back to it by GET, so that loading it again sends
nothing again.
"""

from __future__ import annotations

import structlog

from courtesy.base.errors import CourtesyError
from courtesy.consent.request import RequestKind, RequestState, name_of
from courtesy.engine.code import Tried
from courtesy.http.centre.form import first
from courtesy.http.centre.markup import tag
from courtesy.http.centre.own_page import ask_page, code_mail, passed_page
from courtesy.http.centre.page import Frame
from courtesy.http.centre.visit import (
    FORM_BODY,
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
from courtesy.http.operation import HTML, JSON, Answer
from courtesy.runtime.codes import Ask, Purpose, address_of
from courtesy.runtime.links import LinkKind
from courtesy.runtime.packages import PackageForm
from courtesy.runtime.people import PERSON
from courtesy.runtime.preferences import Guest

BY = "preference centre"
"""Who takes in requests and fulfils them, as their log tells it."""

KINDS = {Purpose.DOWNLOAD: RequestKind.ACCESS, Purpose.DELETE: RequestKind.ERASURE}

_log = structlog.get_logger()


async def ask_download(asked: Visit) -> Answer:
    """The page that asks; opening it sends nothing."""
    return await _ask(asked, Purpose.DOWNLOAD)


async def ask_deletion(asked: Visit) -> Answer:
    """The page that asks; opening it sends nothing."""
    return await _ask(asked, Purpose.DELETE)


async def download(asked: Visit) -> Answer:
    """Send a code, take one, or answer with the file that it opened."""
    return await _do(asked, Purpose.DOWNLOAD)


async def delete(asked: Visit) -> Answer:
    """Send a code, take one, or delete what it opened."""
    return await _do(asked, Purpose.DELETE)


async def _ask(asked: Visit, purpose: Purpose) -> Answer:
    found = await _visitor(asked)
    if isinstance(found, Answer):
        return found
    frame, guest = found
    address = address_of(guest.reading.identifiers)
    return answered(frame, ask_page(frame, purpose, address, asked.query.done, _home(asked)))


async def _do(asked: Visit, purpose: Purpose) -> Answer:
    found = await _visitor(asked)
    if isinstance(found, Answer):
        return found
    sent = await sent_fields(asked)
    if isinstance(sent, Answer):
        return sent
    (frame, guest), (_, fields) = found, sent
    address = address_of(guest.reading.identifiers)
    if address is None:
        return back(frame, "")
    ask = Ask(asked.path["token"], purpose, guest.people, address)
    if "pass" in fields:
        request = asked.app.codes.passed(ask, first(fields, "pass"))
        wanted = first(fields, "get")
        return back(frame, Tried.OVER) if request is None else await _fulfilled(asked, frame, ask, request, wanted)
    if "code" in fields:
        return await _entered(asked, frame, ask, first(fields, "code"))
    return await _sent(asked, frame, ask) if "send" in fields else back(frame, "")


async def _visitor(asked: Visit) -> tuple[Frame, Guest] | Answer:
    """Who came with which link; or the page that says that it opens nothing, as where no mail can be sent."""
    link = opened(asked, LinkKind.PREFERENCES)
    if isinstance(link, Answer):
        return link
    if not asked.app.codes.is_offered:
        return short(asked, "invalid", 404)
    guest = await asked.app.preferences.guest(link)
    return frame_of(asked, guest), guest


async def _sent(asked: Visit, frame: Frame, ask: Ask) -> Answer:
    try:
        is_sent = await asked.app.codes.send(ask, lambda code: code_mail(frame, ask.purpose, ask.address, code))
    except CourtesyError as error:
        # People are told that it failed; what failed is for the operator.
        _log.warning("a code was not sent", code=error.code, error=error.message, place=error.place)
        raise
    return back(frame, "sent" if is_sent else "limit")


async def _entered(asked: Visit, frame: Frame, ask: Ask, text: str) -> Answer:
    """Who entered the right code has made a request, with a number, and a deadline until it is fulfilled."""
    tried = await asked.app.codes.enter(ask, text)
    if tried is not Tried.RIGHT:
        return back(frame, tried)
    requests = asked.app.requests
    request = await requests.open(KINDS[ask.purpose], f"{PERSON}:{ask.people[0]}", BY)
    if request.state is RequestState.CONFIRMING:
        # They asked the same before in some other way, and nobody was sure that it was them.
        request = await requests.confirm(request.number, BY, "with a code from their mail")
    pass_ = asked.app.codes.pass_for(ask, request.number)
    return answered(frame, passed_page(frame, ask.purpose, name_of(request.number), pass_, _home(asked)))


async def _fulfilled(asked: Visit, frame: Frame, ask: Ask, request: int, wanted: str) -> Answer:
    """What was asked for; what fails can be asked again with the same pass."""
    if ask.purpose is Purpose.DELETE:
        await asked.app.requests.fulfil(request, BY)
        bare = Frame(frame.centre, frame.texts)
        number = tag("p", frame.texts.say("request_number", number=name_of(request)))
        return answered(bare, bare.short("deleted", number))
    form = PackageForm(wanted) if wanted in list(PackageForm) else PackageForm.HTML
    package = await asked.app.packages.hand_out(request, BY, form)
    await asked.app.requests.fulfil(request, BY)
    return Answer(
        package.content, 200, package.media_type, (("content-disposition", f'attachment; filename="{package.name}"'),)
    )


def _home(asked: Visit) -> str:
    return f"/p/{asked.path['token']}"


_FILE = {
    "content": {
        HTML: {"schema": {"type": "string"}},
        JSON: {"schema": {"type": "object"}},
        "application/zip": {"schema": {"type": "string", "format": "binary"}},
    }
}

OPERATIONS = (
    page_operation(
        "GET",
        "/p/{token}/download",
        "A page with which a person downloads what is held of them.",
        ask_download,
        "It changes nothing. 404 where no mail server is set.",
    ),
    page_operation(
        "POST",
        "/p/{token}/download",
        "Have a code sent, enter it, and download what is held of the person.",
        download,
        "A code goes to the person's own address: three an hour, ten a day, good for ten minutes and five tries.",
        FORM_BODY,
        **{"200": _FILE, "303": SEE_OTHER},
    ),
    page_operation(
        "GET",
        "/p/{token}/delete",
        "A page with which a person deletes what is held of them.",
        ask_deletion,
        "It changes nothing. 404 where no mail server is set.",
    ),
    page_operation(
        "POST",
        "/p/{token}/delete",
        "Have a code sent, enter it, and delete what is held of the person.",
        delete,
        "With suppression: what carries their identifiers is not stored again. Codes are as for the download.",
        FORM_BODY,
        **{"303": SEE_OTHER},
    ),
)
