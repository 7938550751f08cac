"""One e-mail to one person, before it has a form."""

from __future__ import annotations

import msgspec


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """All that a carrier needs to know of one e-mail.

    Addresses are plain (`ann@shop.example`), domains in any script. `text` says what `html` says; `html` may be empty.
    `message_id` is without angle brackets. `unsubscribe_url` takes a POST (RFC 8058) and `unsubscribe_mailto` is an URL
    too; with either the letter is bulk mail. `list_id` is a domain name, `feedback_id` as mailbox providers read it
    (`campaign:customer:kind:sender`). `return_path` is where bounces go, `token` what comes back with a provider's
    reports. `is_automatic` says that it answers or follows something, so that no machine answers it (RFC 3834).
    `headers` are more of them, none that are written here anyway.
    """

    from_address: str
    to: str
    subject: str
    text: str
    message_id: str
    date_ms: int
    from_name: str = ""
    to_name: str = ""
    reply_to: str = ""
    html: str = ""
    locale: str = ""
    list_id: str = ""
    feedback_id: str = ""
    unsubscribe_url: str = ""
    unsubscribe_mailto: str = ""
    return_path: str = ""
    token: str = ""
    is_automatic: bool = False
    headers: tuple[tuple[str, str], ...] = ()

    def __repr__(self) -> str:
        """Without content and addresses, which are personal data that must not reach a log."""
        return f"Letter(message_id={self.message_id!r})"
