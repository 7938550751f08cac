"""Mails shown in a browser, to whoever has the link that they carry."""

from __future__ import annotations

from urllib.parse import urlsplit

from courtesy.content.links import Use
from courtesy.http.feedback import NEVER_KEPT, TOKEN_DOCS, AnyQuery, not_found
from courtesy.http.operation import HTML, Answer, Asked, Operation
from courtesy.runtime.app import App


async def view_mail(asked: Asked[AnyQuery, None]) -> Answer:
    """The mail that a link is of. Its picture of one point counts the opening, as in a mailbox; this does not."""
    post = asked.app.post
    ticket = post.tokens.link_keys.ticket(Use.VIEW, asked.path["token"])
    if ticket is None:
        return not_found()
    page = await post.web_views.page(ticket)
    if page is None:
        return Answer(_GONE, 410, f"{HTML}; charset=utf-8", NEVER_KEPT)
    headers = (("content-security-policy", _policy(asked.app)), *NEVER_KEPT)
    return Answer(page.encode("utf-8", "replace"), 200, f"{HTML}; charset=utf-8", headers)


def _policy(app: App) -> str:
    """Styles of its own and pictures of ours, whatever the mail says; nothing else from anywhere."""
    links = urlsplit(app.post.tokens.url)
    hosts = [f"https://{each} https://*.{each}" for each in app.settings.linked_hosts]
    images = " ".join(["'self'", f"{links.scheme}://{links.netloc}", *hosts])
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src {images}; form-action 'none'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


_GONE = (
    b'<!doctype html><html lang="en"><meta charset="utf-8"><title>No longer kept</title>'
    b"<p>This message can't be shown any more: we keep messages for a while only. If it is still in your mailbox,"
    b" you can read it there.</p></html>"
)

OPERATIONS = (
    Operation(
        "GET",
        "/v/{token}",
        "sending",
        "Show a mail in a browser.",
        view_mail,
        doc="As its person got it, with its offer as that stands now, for as long as messages are kept (setting"
        " `outbox_days`). Pictures are shown from the domain of links and those of `link_hosts`.",
        query=AnyQuery,
        web=True,
        response={
            "200": {"description": "The mail."},
            "404": {"description": "A page that says that there is none."},
            "410": {"description": "A page that says that it is no longer kept."},
        },
        path_docs=TOKEN_DOCS,
    ),
)
