"""One connection to a mail server (RFC 5321): greeted, encrypted, logged in, and then one message after the other.

With PIPELINING (RFC 2920) the next message is offered in the same breath as the end of the one before, so a message
costs one round trip. Each ends in one answer, and what that is when the connection breaks is certain: until the final
dot is written nothing was handed over, and from then until the answer nobody knows.
"""

from __future__ import annotations

import base64
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import httpcore

from courtesy.channel.contract import Outside
from courtesy.channel.guard import Blocked, Unresolved
from courtesy.channel.mail import Security, Server
from courtesy.delivery.cause import DeliveryCause

REPLY_BYTES_MAX = 64 * 1024
READ_BYTES = 64 * 1024
FINAL_PATIENCE = 10  # RFC 5321, 4.5.3.2.6: ten minutes for the answer to a message, where other answers have one

_FAILURES = (OSError, httpcore.NetworkError, httpcore.TimeoutException)
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*?))?\r?\n")
_UNSAFE_XTEXT = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x7e]")


class Reply(NamedTuple):
    """What a server said: its code, and its words on one line."""

    code: int
    words: str

    @property
    def said(self) -> str:
        """Code and words."""
        return f"{self.code} {self.words}".rstrip()


class ConnectionLost(Exception):
    """The connection broke, went silent, or said what is no SMTP."""


class NotOpened(Exception):
    """No session came about; `cause` says whether it is worth another attempt."""

    def __init__(self, cause: DeliveryCause, words: str) -> None:
        super().__init__(words)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class Envelope:
    """One message and whom it is for. `content` has CRLF at the end of each line, and is not dot-stuffed.

    `envelope_id` comes back with delivery reports (RFC 3461), where the server knows how to.
    """

    sender: str
    recipient: str
    content: bytes = field(repr=False)
    envelope_id: str = ""
    is_international: bool = False


class Wire:
    """A stream of replies and commands. Raises ConnectionLost for all that goes wrong with it."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, timeout_s: float) -> None:
        self._stream = stream
        self._timeout_s = timeout_s
        self._buffer = bytearray()

    async def write(self, data: bytes) -> None:
        try:
            await self._stream.write(data, self._timeout_s)
        except _FAILURES as error:
            raise ConnectionLost(_told(error)) from error

    async def reply(self, patience: int = 1) -> Reply:
        """The next reply; it may take `patience` times as long as usual."""
        code, lines = await self.lines(patience)
        return Reply(code, " ".join(lines))

    async def lines(self, patience: int = 1) -> tuple[int, list[str]]:
        """The next reply: its code, and the words of each of its lines, as extensions are told."""
        said: list[str] = []
        while True:
            found = _REPLY_LINE.match(self._buffer)
            if found is None:
                await self._more(patience, sum(map(len, said)))
                continue
            code, is_last, words = int(found[1]), found[2] != b"-", (found[3] or b"").decode("utf-8", "replace")
            del self._buffer[: found.end()]
            said.append(words)
            if is_last:
                return code, said

    async def encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        """Go on in TLS. What came before it in the open beyond the last reply is somebody else's: raises NotOpened."""
        if self._buffer:
            raise NotOpened(DeliveryCause.SET_UP, "the server went on in the open after it agreed to encrypt")
        try:
            self._stream = await self._stream.start_tls(tls, host, self._timeout_s)
        except httpcore.TimeoutException as error:
            raise ConnectionLost("no answer while agreeing on encryption") from error
        except (*_FAILURES, ssl.SSLError) as error:
            raise NotOpened(DeliveryCause.SET_UP, f"encryption failed: {_told(error)}") from error

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def _more(self, patience: int, known: int) -> None:
        if b"\n" in self._buffer or known + len(self._buffer) > REPLY_BYTES_MAX:
            raise ConnectionLost("the server said what is no SMTP")
        try:
            read = await self._stream.read(READ_BYTES, self._timeout_s * patience)
        except httpcore.TimeoutException as error:
            raise ConnectionLost("no answer in the time allowed") from error
        except _FAILURES as error:
            raise ConnectionLost(_told(error)) from error
        if not read:
            raise ConnectionLost("the server closed the connection")
        self._buffer += read


def _told(error: BaseException) -> str:
    """The message of the first cause."""
    inner = error.__cause__ or next(iter(error.args), None)
    if isinstance(inner, BaseException):
        return _told(inner)
    return str(error) or type(error).__name__


class Session:
    """A connection on which messages can be offered. Made by `opened`.

    `must_reset`: the server still keeps the sender of a message that it refused, whoever offers the next one.
    """

    def __init__(self, wire: Wire, features: Mapping[str, str]) -> None:
        self._wire = wire
        self.features = features
        self.is_pipelined = "PIPELINING" in features
        self.carried_count = 0
        self.must_reset = False

    def why_not(self, envelope: Envelope) -> tuple[DeliveryCause, str] | None:
        """Why the server can't take this message, by what it said of itself; None when it can."""
        size = self.features.get("SIZE", "")
        if size.isdecimal() and 0 < int(size) < len(envelope.content):
            return DeliveryCause.TOO_LARGE, f"{len(envelope.content)} bytes; the server takes {size}"
        if _is_international(envelope) and "SMTPUTF8" not in self.features:
            return DeliveryCause.NOT_UNDERSTOOD, "the server does not take international addresses (SMTPUTF8)"
        return None

    def offer(self, envelope: Envelope) -> list[bytes]:
        """The commands that come before the content: MAIL, RCPT and DATA."""
        mail, rcpt = f"MAIL FROM:<{envelope.sender}>", f"RCPT TO:<{envelope.recipient}>"
        if "SIZE" in self.features:
            mail += f" SIZE={len(envelope.content)}"
        if _is_international(envelope):
            mail += " SMTPUTF8 BODY=8BITMIME"
        if "DSN" in self.features:
            # The headers suffice to know the message again, and those who bounce it need not send it all back.
            mail += " RET=HDRS" + (f" ENVID={xtext(envelope.envelope_id)}" if envelope.envelope_id else "")
            rcpt += " NOTIFY=FAILURE"
            rcpt += f" ORCPT=rfc822;{xtext(envelope.recipient)}" if envelope.recipient.isascii() else ""
        return [f"{mail}\r\n".encode(), f"{rcpt}\r\n".encode(), b"DATA\r\n"]

    async def write(self, data: bytes) -> None:
        """Raises ConnectionLost."""
        await self._wire.write(data)

    async def reply(self, patience: int = 1) -> Reply:
        """Raises ConnectionLost."""
        return await self._wire.reply(patience)

    async def quit(self) -> None:
        """Say good-bye, without waiting for more than that it is on its way, and close."""
        try:
            await self._wire.write(b"QUIT\r\n")
        except ConnectionLost:
            pass
        finally:
            await self._wire.aclose()

    async def aclose(self) -> None:
        """Close without a word."""
        await self._wire.aclose()


def _is_international(envelope: Envelope) -> bool:
    return envelope.is_international or not (envelope.recipient.isascii() and envelope.sender.isascii())


def stuffed(content: bytes) -> bytes:
    """The content as DATA carries it: lines that begin with a dot get another one (RFC 5321, 4.5.2)."""
    if content.startswith(b"."):
        content = b"." + content
    return content.replace(b"\r\n.", b"\r\n..") if b"\r\n." in content else content


def xtext(text: str) -> str:
    """ASCII as parameters of DSN carry it (RFC 3461, 4)."""
    return _UNSAFE_XTEXT.sub(lambda found: f"+{ord(found[0]):02X}", text)


async def opened(outside: Outside, tls: ssl.SSLContext, server: Server, hello: str, timeout_s: float) -> Session:
    """A session on a new connection: encrypted as the server's `security` demands, and logged in if it has a user.

    Raises NotOpened.
    """
    try:
        stream = await outside.network.connect_tcp(server.host, server.port, timeout_s)
    except Blocked as error:
        raise NotOpened(DeliveryCause.SET_UP, str(error)) from error
    except (Unresolved, *_FAILURES) as error:
        raise NotOpened(DeliveryCause.NO_ANSWER, _told(error)) from error
    wire = Wire(stream, timeout_s)
    try:
        return await _greeted(wire, tls, server, hello)
    except ConnectionLost as error:
        await wire.aclose()
        raise NotOpened(DeliveryCause.NO_ANSWER, str(error)) from error
    except BaseException:
        await wire.aclose()
        raise


async def _greeted(wire: Wire, tls: ssl.SSLContext, server: Server, hello: str) -> Session:
    if server.security is Security.TLS:
        await wire.encrypt(tls, server.host)
    greeting = await wire.reply()
    if greeting.code != 220:
        raise NotOpened(DeliveryCause.TEMPORARY if greeting.code < 500 else DeliveryCause.POLICY, greeting.said)
    features = await _features(wire, hello)
    if server.security is Security.STARTTLS:
        await _start_tls(wire, tls, server, features)
        features = await _features(wire, hello)
    if server.user:
        await _log_in(wire, server, features)
    return Session(wire, features)


async def _features(wire: Wire, hello: str) -> dict[str, str]:
    """What the server says it can, by keyword; nothing of one that knows no EHLO."""
    await wire.write(f"EHLO {hello}\r\n".encode())
    code, lines = await wire.lines()
    if code == 250:
        keywords = (line.partition(" ") for line in lines[1:])
        return {keyword.upper(): rest.strip() for keyword, _, rest in keywords}
    await wire.write(f"HELO {hello}\r\n".encode())
    reply = await wire.reply()
    if reply.code != 250:
        raise NotOpened(DeliveryCause.TEMPORARY if reply.code < 500 else DeliveryCause.POLICY, reply.said)
    return {}


async def _start_tls(wire: Wire, tls: ssl.SSLContext, server: Server, features: Mapping[str, str]) -> None:
    if "STARTTLS" not in features:
        raise NotOpened(DeliveryCause.SET_UP, "the server does not offer encryption (STARTTLS)")
    await wire.write(b"STARTTLS\r\n")
    reply = await wire.reply()
    if reply.code != 220:
        raise NotOpened(DeliveryCause.TEMPORARY if reply.code < 500 else DeliveryCause.SET_UP, reply.said)
    await wire.encrypt(tls, server.host)


async def _log_in(wire: Wire, server: Server, features: Mapping[str, str]) -> None:
    """By PLAIN (RFC 4616), or else by LOGIN, which older servers know."""
    ways = features.get("AUTH", "").upper().split()
    if "PLAIN" in ways:
        reply = await _say(wire, "AUTH PLAIN " + _base64(f"\0{server.user}\0{server.password}"))
    elif "LOGIN" in ways:
        reply = await _say(wire, "AUTH LOGIN")
        for each in (server.user, server.password):
            if reply.code == 334:
                reply = await _say(wire, _base64(each))
    else:
        raise NotOpened(DeliveryCause.SET_UP, "the server offers neither AUTH PLAIN nor AUTH LOGIN")
    if reply.code != 235:
        raise NotOpened(DeliveryCause.TEMPORARY if reply.code < 500 else DeliveryCause.SET_UP, reply.said)


async def _say(wire: Wire, line: str) -> Reply:
    await wire.write(f"{line}\r\n".encode())
    return await wire.reply()


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
