"""A real mail server on a loopback address that keeps what it takes, in a thread of its own."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


@dataclass
class Mailbox:
    """What was taken: each envelope, and whether it came encrypted and from somebody who had logged in. `refusal` is
    what the server says instead of taking anything for an address that begins with `refused`."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    refusal: str = ""
    refused: str = ""

    async def handle_RCPT(  # noqa: N802 -- as the server calls it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refusal and address.startswith(self.refused):
            return self.refusal.format(address=address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.encrypted.append(session.ssl is not None)
        self.envelopes.append(envelope)
        return "250 OK"

    def log_in(self, server: SMTP, session: Session, envelope: Envelope, how: str, given: Any) -> AuthResult:
        """Whoever says that they are `courtesy` is."""
        assert isinstance(given, LoginPassword)
        self.logins.append((given.login, given.password))
        return AuthResult(success=given.login == b"courtesy", handled=False)

    def messages(self) -> list[EmailMessage]:
        """The messages that were taken, in order."""
        contents = [each.content for each in self.envelopes]
        return [message_from_bytes(each, policy=policy.default) for each in contents if isinstance(each, bytes)]

    def code(self) -> str:
        """The code in the latest message."""
        (found,) = re.findall(r"\b\d{6}\b", text_of(self.messages()[-1]))
        return str(found)


def text_of(message: EmailMessage, kind: str = "plain") -> str:
    """A message as text, or as `html`."""
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


@contextmanager
def mailbox(starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Mailbox]:
    """A mail server that runs until the end: in the open unless it is given with what to encrypt. Who encrypts by
    STARTTLS must, and must log in."""
    box = Mailbox()
    loop = asyncio.new_event_loop()

    async def listen() -> asyncio.Server:
        def made() -> SMTP:
            return SMTP(
                box,
                hostname="mail.test",
                enable_SMTPUTF8=True,
                tls_context=starttls,
                require_starttls=starttls is not None,
                auth_required=starttls is not None,
                authenticator=box.log_in,
                loop=loop,
            )

        return await loop.create_server(made, "127.0.0.1", 0, ssl=tls)

    thread = threading.Thread(target=loop.run_forever, name="mailbox", daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        asyncio.run_coroutine_threadsafe(_closed(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _closed(server: asyncio.Server) -> None:
    server.close()
    await server.wait_closed()
    others = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)
