"""E-mail that Courtesy itself must send: few messages, each awaited by somebody, by SMTP.

It is no `Channel`: what it carries, such as a code, must lie in no outbox. One attempt is made while the person waits;
who got nothing asks again.

`smtplib` does it, in a thread: it is part of Python, as well kept as Python is, and a connection for each message is
fast enough for what people ask for by hand. Campaigns want a sender of another kind.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import smtplib
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from enum import StrEnum
from urllib.parse import unquote, urlsplit

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SECOND_MS

TIMEOUT_S = 15
"""How long each step of talking to the server may take."""

URL_FORM = "smtp://user:password@host:port, or smtps://"


_PART = r"""([^\s@<>(),;:"\\\[\]\x00-\x1f\x7f]+)"""
_PLAIN = re.compile(f"{_PART}@{_PART}")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Security(StrEnum):
    """How a connection is made private. STARTTLS: after the first words, or not at all; TLS: from the beginning.
    NONE: not, for a relay on this machine."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


PORTS = {Security.STARTTLS: 587, Security.TLS: 465, Security.NONE: 25}
_SECURITY = {("smtp", ""): Security.STARTTLS, ("smtps", ""): Security.TLS, ("smtp", "tls=none"): Security.NONE}
"""By scheme and query of an URL."""


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server and how to reach it. Without a `user` nobody logs in."""

    host: str
    port: int
    security: Security
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Mail:
    """A message to one address, in one language, as text and as HTML, which say the same."""

    to: str
    subject: str
    text: str
    html: str
    locale: str


def server_of(url: str) -> Server:
    """The server that a setting names: `smtp://`, with STARTTLS unless `?tls=none` says otherwise, or `smtps://`.

    Raises CourtesyError(SETUP), which does not repeat what may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 0
    except ValueError:
        raise _no_server() from None
    security = _SECURITY.get((parts.scheme, parts.query))
    if security is None or not parts.hostname or parts.path not in ("", "/") or parts.fragment:
        raise _no_server()
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Server(parts.hostname, port or PORTS[security], security, user, password)


def _no_server() -> CourtesyError:
    hint = "`?tls=none` after smtp:// does without TLS, for a server on this machine"
    return CourtesyError(Code.SETUP, f"expected {URL_FORM}", hint=hint, place="mail_url")


def sender_of(text: str) -> Address:
    """Who a message is from: `hello@shop.example` or `Shop <hello@shop.example>`. Raises CourtesyError(SETUP)."""
    try:
        if _UNPRINTABLE.search(text):
            raise ValueError("there is a control character in it")
        return _address_of(*parseaddr(text))
    except ValueError as error:
        raise CourtesyError(
            Code.SETUP, f"expected an address like `Shop <hello@shop.example>`: {error}", place="mail_from"
        ) from None


def _address_of(name: str, address: str) -> Address:
    """One plain address. Raises ValueError for anything else; quoted ones are for nobody that we know."""
    found = _PLAIN.fullmatch(address)
    if found is None:
        raise ValueError("it is not one plain address")
    return Address(name, username=found[1], domain=found[2])


class Mailer:
    """Sends messages from one address through one server. `trusted` says whose certificates are believed; those that
    the system believes unless it is given."""

    def __init__(self, server: Server, sender: Address, trusted: ssl.SSLContext | None = None) -> None:
        self._server = server
        self._sender = sender
        self._trusted = trusted

    async def send(self, mail: Mail, now_ms: int) -> None:
        """Hand a message to the server. Raises CourtesyError(UNAVAILABLE) when it is not known to have taken it, and
        INVALID for an address that can't be one. Neither names the address."""
        message = self.composed(mail, now_ms)
        try:
            await asyncio.to_thread(self._hand_in, message, mail.to)
        except (OSError, smtplib.SMTPException) as error:
            raise CourtesyError(
                Code.UNAVAILABLE,
                f"the mail server {self._server.host}:{self._server.port} did not take a message: {_said(error)}",
                hint="look at COURTESY_MAIL_URL and COURTESY_MAIL_FROM, and at the log of that server",
                place="mail_url",
            ) from None

    def composed(self, mail: Mail, now_ms: int) -> EmailMessage:
        """The message with its headers. A line break in a subject is a space: no value makes a header of its own."""
        try:
            to = _address_of("", mail.to)
        except ValueError as error:
            raise CourtesyError(Code.INVALID, f"expected an e-mail address: {error}", place="to") from None
        message = EmailMessage(SMTP)
        message["From"] = self._sender
        message["To"] = to
        message["Subject"] = " ".join(_UNPRINTABLE.sub(" ", mail.subject).split())
        message["Date"] = format_datetime(datetime.fromtimestamp(now_ms // SECOND_MS, UTC))
        message["Message-ID"] = f"<{secrets.token_hex(16)}@{self._sender.domain}>"
        # RFC 3834: no answering machine answers.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        message.add_alternative(mail.html, subtype="html")
        # Last: headers of content go to the first part when there is a second.
        message["Content-Language"] = mail.locale
        return message

    def _hand_in(self, message: EmailMessage, to: str) -> None:
        server = self._server
        trusted = self._trusted or ssl.create_default_context()
        if server.security is Security.TLS:
            client: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=trusted)
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
        with client:
            if server.security is Security.STARTTLS:
                # Refuses a server that does not offer it, or somebody in between who hides that it does.
                client.starttls(context=trusted)
            if server.user:
                client.login(server.user, server.password)
            client.send_message(message, self._sender.addr_spec, [to])


def _said(error: Exception) -> str:
    """What went wrong, without the address that it was about."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"the recipient was refused with {next(code for code, _ in error.recipients.values())}"
    told = str(error)
    if isinstance(error, smtplib.SMTPResponseException):
        words = error.smtp_error
        told = f"{error.smtp_code} {words if isinstance(words, str) else words.decode('utf-8', 'replace')}"
    return " ".join(word for word in told.split() if "@" not in word)[:200] or type(error).__name__
