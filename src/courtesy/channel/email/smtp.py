"""The carrier `smtp`: letters are composed and signed here, and handed to a mail server."""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any, ClassVar

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.channel.contract import Outside
from courtesy.channel.email.composing import composed
from courtesy.channel.email.dkim import Signer, signed, signer
from courtesy.channel.email.headers import address
from courtesy.channel.email.letter import Letter
from courtesy.channel.email.smtp_lane import Lane, Limits
from courtesy.channel.email.smtp_session import Envelope
from courtesy.channel.mail import PORTS, Security, Server
from courtesy.channel.message import Answer, Later, Refused
from courtesy.component.declaration import Component, Field, FieldType, Kind
from courtesy.component.validation import validated
from courtesy.delivery.cause import DeliveryCause

_HOST = re.compile(r"\[?[A-Za-z0-9_.:-]{1,253}\]?")
_KEYS_MAX = 4


def check_host(host: str) -> str:
    """What was expected instead of `host`; empty when it can be one."""
    return "" if _HOST.fullmatch(host) else "the name or address of a host"


def check_security(security: str) -> str:
    """What was expected instead of `security`; empty when it is one of the ways."""
    return "" if security in list(Security) else f"one of {', '.join(Security)}"


def _within(low: int, high: int) -> Any:
    return lambda value: "" if low <= value <= high else f"an integer from {low} to {high}"


def check_keys(keys: Sequence[str]) -> str:
    """What was expected instead of `keys`; empty when each is a selector and a private key."""
    if len(keys) > _KEYS_MAX:
        return f"at most {_KEYS_MAX} keys"
    try:
        signers("any.example", tuple(keys))
    except CourtesyError as error:
        return f"keys as `selector:PEM`, {error.message}"
    return ""


@lru_cache(maxsize=64)
def signers(domain: str, keys: tuple[str, ...]) -> tuple[Signer, ...]:
    """Signers by the field `dkim_keys`. Raises CourtesyError (INVALID). Kept, since reading a key takes a while."""
    return tuple(signer(domain, *_selector_and_pem(each)) for each in keys)


def _selector_and_pem(text: str) -> tuple[str, str]:
    selector, _, pem = text.partition(":")
    return selector, pem.strip()


COMPONENT = Component(
    name="smtp",
    kind=Kind.CHANNEL,
    summary="Sends e-mail through a mail server.",
    doc="""
Letters are composed and signed (DKIM) here and handed to one server by SMTP, over a few connections that stay open
while there is something to send, without waiting for one letter to be taken before the next is offered. Encryption is
required unless you say otherwise, and the server must prove its name.

Each letter ends in one answer: accepted, refused for good, to be tried later, or unsure, when the connection broke
after the whole letter was handed over and before the server answered. An unsure letter is not sent again.

Addresses that are not public are refused unless the operator permits them.
""",
    fields=(
        Field(
            "host",
            FieldType.STRING,
            "The mail server.",
            example="mail.shop.example",
            required=True,
            check=check_host,
        ),
        Field(
            "port",
            FieldType.INTEGER,
            "Its port; 0 for the usual one: 587 with `starttls`, 465 with `tls`, 25 with `none`.",
            example=587,
            default=0,
            check=_within(0, 65_535),
        ),
        Field(
            "security",
            FieldType.STRING,
            "`starttls`: encrypt after the first words, or not send. `tls`: from the beginning. `none`: in the "
            "open, for "
            "a server on the same machine; nobody logs in then.",
            example="starttls",
            default="starttls",
            check=check_security,
        ),
        Field("user", FieldType.STRING, "Who logs in; empty to do without.", example="courtesy", default=""),
        Field(
            "password", FieldType.STRING, "The password of the user.", example="correct horse", default="", secret=True
        ),
        Field(
            "dkim_domain",
            FieldType.STRING,
            "The domain that signs, which should be the one in `From`.",
            example="shop.example",
            default="",
        ),
        Field(
            "dkim_keys",
            FieldType.STRINGS,
            "What to sign with, each `selector:` and a private key in PEM, RSA with at least 2048 bits or "
            "ed25519. With "
            "several each signs: send RSA, and ed25519 beside it if you like, as not everybody reads it yet.",
            example=(),
            default=(),
            secret=True,
            check=check_keys,
        ),
        Field(
            "hello_name",
            FieldType.STRING,
            "The name by which this server greets. Some servers want the name that DNS has for it.",
            example="courtesy.shop.example",
            default="localhost",
            check=check_host,
        ),
        Field(
            "connections",
            FieldType.INTEGER,
            "How many connections may be open at once, from each process, 1 to 64.",
            example=4,
            default=4,
            check=_within(1, 64),
        ),
        Field(
            "messages_per_connection",
            FieldType.INTEGER,
            "After how many letters a connection is closed, 1 to 100000.",
            example=100,
            default=100,
            check=_within(1, 100_000),
        ),
        Field(
            "timeout_ms",
            FieldType.INTEGER,
            "How long each answer may take, in milliseconds, 100 to 120000; that to a whole letter ten times as long.",
            example=60_000,
            default=60_000,
            check=_within(100, 120_000),
        ),
    ),
)


class _Settings(msgspec.Struct, frozen=True):
    """The fields of COMPONENT, validated."""

    host: str
    port: int
    security: Security
    user: str
    password: str
    dkim_domain: str
    dkim_keys: tuple[str, ...]
    hello_name: str
    connections: int
    messages_per_connection: int
    timeout_ms: int

    @property
    def server(self) -> Server:
        port = self.port or PORTS[self.security]
        return Server(self.host.strip("[]"), port, self.security, self.user, self.password)

    @property
    def limits(self) -> Limits:
        return Limits(self.connections, self.messages_per_connection, self.timeout_ms / 1000, hello=self.hello_name)


class Smtp:
    """The carrier `smtp`. One lane for each server, and for each way of logging in to it."""

    component: ClassVar[Component] = COMPONENT

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._lanes: dict[tuple[Server, Limits], Lane] = {}

    async def carry(self, letter: Letter, config: dict[str, Any]) -> Answer:
        try:
            settings = settings_of(config)
        except CourtesyError as error:
            return Later(DeliveryCause.SET_UP, str(error))
        try:
            envelope = self._envelope(letter, settings)
        except CourtesyError as error:
            return Refused(DeliveryCause.NOT_UNDERSTOOD, str(error))
        return await self._lane(settings).carry(envelope)

    async def aclose(self) -> None:
        lanes, self._lanes = list(self._lanes.values()), {}
        for lane in lanes:
            await lane.aclose()

    def _envelope(self, letter: Letter, settings: _Settings) -> Envelope:
        """Raises CourtesyError (INVALID) for a letter that no message can be made of."""
        message = composed(letter)
        is_international = message.is_international
        if settings.dkim_keys:
            keys = signers(settings.dkim_domain, settings.dkim_keys)
            message = signed(message, keys, self._outside.clock.now_ms())
        return Envelope(
            address(letter.return_path or letter.from_address, "return_path"),
            address(letter.to, "to"),
            message.content,
            letter.token,
            is_international,
        )

    def _lane(self, settings: _Settings) -> Lane:
        key = settings.server, settings.limits
        if key not in self._lanes:
            tls = self._outside.tls if settings.security is Security.NONE else self._tls
            self._lanes[key] = Lane(self._outside, tls, *key)
        return self._lanes[key]

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Made when it is needed: there are many authorities."""
        return without_alpn(self._outside.tls)


def settings_of(config: dict[str, Any]) -> _Settings:
    """The configuration, checked. Raises CourtesyError (INVALID)."""
    settings = msgspec.convert(validated(COMPONENT, config), _Settings)
    if settings.dkim_keys:
        signers(settings.dkim_domain, settings.dkim_keys)
    if settings.user and settings.security is Security.NONE:
        raise CourtesyError(Code.INVALID, "expected no user where nothing is encrypted", place=f"{COMPONENT.name}.user")
    return settings


def without_alpn(shared: ssl.SSLContext) -> ssl.SSLContext:
    """What believes the same authorities, but does not say that it speaks HTTP.

    Connections for HTTP set that on the context that they share, and some mail servers hang up on it.
    """
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    own.minimum_version = ssl.TLSVersion.TLSv1_2
    if believed := b"".join(shared.get_ca_certs(binary_form=True)):
        own.load_verify_locations(cadata=believed)
    return own
