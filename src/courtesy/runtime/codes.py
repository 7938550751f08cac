"""Codes by e-mail: what a link alone does not open opens for who also reads the mail of the person.

A code counts for one link, one purpose and one address, for ten minutes and five tries. Of a code that was sent nothing
but a keyed hash stays. Who entered the right one gets a *pass*, a signed text that lets the same link do that one thing
for a while, so that what fails can be tried again.
"""

from __future__ import annotations

import secrets
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, HOUR_MS, MINUTE_MS, Clock
from courtesy.channel.mail import Mail, Mailer, sender_of, server_of
from courtesy.engine.code import NewCode, Rate, Tried
from courtesy.engine.contract import Engine, HeldIdentifier
from courtesy.identity.rules import split_identifier
from courtesy.runtime.links import Signer
from courtesy.runtime.settings import Settings

DIGITS = 6
LIFE_MS = 10 * MINUTE_MS
TRIES_MAX = 5
RATES = (Rate(3, HOUR_MS), Rate(10, DAY_MS))
"""With five tries each, who tries all day long for a month guesses a code with a probability of 0.15 %."""

PASS_MS = 15 * MINUTE_MS

_CODE, _ABOUT, _PASS = "code", "code about", "pass"


class Purpose(StrEnum):
    """What somebody wants who has a code sent."""

    DOWNLOAD = "download"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Ask:
    """Who wants what: somebody with a link, of a person with these numbers, their own first, at that address."""

    token: str
    purpose: Purpose
    people: tuple[PersonId, ...]
    address: str


class _Pass(msgspec.Struct, frozen=True, array_like=True):
    link: str
    purpose: Purpose
    person: PersonId
    request: int
    until_ms: int


_PASSES = msgspec.json.Decoder(_Pass)


def mailer_of(settings: Settings) -> Mailer | None:
    """What sends mail; None when no server is set. Raises CourtesyError(SETUP) for settings that can't be."""
    if settings.mail_url is None:
        return None
    server = server_of(settings.mail_url)
    if settings.mail_from is None:
        raise CourtesyError(
            Code.SETUP, "expected who mail is from, for there is a mail server", hint="set COURTESY_MAIL_FROM",
            place="mail_from",
        )  # fmt: skip
    return Mailer(server, sender_of(settings.mail_from))


def address_of(identifiers: Iterable[HeldIdentifier]) -> str | None:
    """The e-mail address to which codes of a person go: of those that are theirs alone the one that is known longest,
    for a newer one may have been added by whoever wants the code. None when there is none."""
    own = [
        (each.since_ms, value)
        for each in identifiers
        for kind, value in (split_identifier(each.identifier),)
        if kind == "email" and not each.shared
    ]
    return min(own)[1] if own else None


class Codes:
    """Sends codes and knows them again, in one process; all processes count the same ones."""

    def __init__(self, engine: Engine, signer: Signer, clock: Clock, mailer: Mailer | None) -> None:
        self._engine = engine
        self._signer = signer
        self._clock = clock
        self._mailer = mailer

    @property
    def is_offered(self) -> bool:
        """Whether there is a mail server, without which there are no codes."""
        return self._mailer is not None

    async def send(self, ask: Ask, composed: Callable[[str], Mail]) -> bool:
        """Send a new code in a message made for it, which ends an earlier one; False when the person was sent as many
        as they may be.

        One that could not be sent counts as well: it may have arrived all the same. Raises CourtesyError(UNAVAILABLE).
        """
        if self._mailer is None:
            raise CourtesyError(Code.SETUP, "there is no mail server", hint="set COURTESY_MAIL_URL", place="mail_url")
        code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
        now_ms = self._clock.now_ms()
        new = NewCode(ask.people[0], self._about(ask), self._digest(ask, code), now_ms)
        if not await self._engine.add_code(new, ask.people, RATES):
            return False
        await self._mailer.send(composed(code), now_ms)
        return True

    async def enter(self, ask: Ask, text: str) -> Tried:
        """Try what somebody entered, in digits of any script."""
        digits = "".join(str(unicodedata.decimal(char)) for char in text if char.isdecimal())
        after_ms = self._clock.now_ms() - LIFE_MS
        return await self._engine.try_code(ask.people, self._about(ask), self._digest(ask, digits), after_ms, TRIES_MAX)

    def pass_for(self, ask: Ask, request: int) -> str:
        """The text that lets the link have a request fulfilled, for `PASS_MS`."""
        until_ms = self._clock.now_ms() + PASS_MS
        content = msgspec.json.encode(_Pass(_digest_of(ask.token), ask.purpose, ask.people[0], request, until_ms))
        return self._signer.signed(_PASS, content)

    def passed(self, ask: Ask, text: str) -> int | None:
        """The number of the request that a pass is for; None for what is none, or of another link or person, or for
        something else, or run out."""
        content = self._signer.opened(_PASS, text)
        if content is None:
            return None
        told = _PASSES.decode(content)
        is_theirs = told.link == _digest_of(ask.token) and told.purpose is ask.purpose and told.person in ask.people
        return told.request if is_theirs and self._clock.now_ms() < told.until_ms else None

    def _about(self, ask: Ask) -> bytes:
        return self._signer.hashed(_ABOUT, msgspec.json.encode([ask.token, ask.purpose, ask.address]))

    def _digest(self, ask: Ask, code: str) -> bytes:
        return self._signer.hashed(_CODE, msgspec.json.encode([ask.token, ask.purpose, ask.address, code]))


def _digest_of(token: str) -> str:
    return sha256(token.encode()).hexdigest()
