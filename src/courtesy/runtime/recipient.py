"""Recipients: other systems that are told what people allow, that what is known of them changed, and to erase them."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.ids import PersonId
from courtesy.base.time import DAY_MS, MINUTE_MS, SECOND_MS
from courtesy.channel.subjects import Where, check_recipient_url
from courtesy.channel.webhook import check_secrets
from courtesy.event.choice import ANY, RESTRICTION, Scope, Word
from courtesy.identity.rules import split_identifier
from courtesy.runtime.links import key_of
from courtesy.runtime.settings import Settings

NOT_UNLESS_NAMED = frozenset({"anonymous_id", "device_id"})
"""Kinds of identifiers by which a browser or a device goes: for a recipient only if it is to get them."""

SUBJECT_BYTES = 16
FIRST_LOOK_MS = MINUTE_MS
"""How long after it was read back it is looked at again: a recipient may lose its latest writes when it starts anew."""

Words = Annotated[tuple[Word, ...], Meta(max_length=50)]
Span = Annotated[int, Meta(ge=SECOND_MS, le=90 * DAY_MS)]


class Told(StrEnum):
    """Of what a recipient is told. CONSENT: what people allow and refuse. RECTIFICATION: that what is known of them was
    put right. ERASURE: that they are to be forgotten."""

    CONSENT = "consent"
    RECTIFICATION = "rectification"
    ERASURE = "erasure"


class Recipient(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A system that is told of people.

    `purposes`, `channels`: what it does; all when there are none. `kinds`: of which kinds are the identifiers that it
    gets; all but those of browsers and devices when there are none. `reads_back`: whether it says what it has.
    `needs_identifiers`: whether it has to be told identifiers to find whom to erase. `escalate_after_ms`: after how
    long a change that is not confirmed is for people to look at. `check_every_ms`: how often it is looked at whether it
    still has what it was told. `backfill`: whether it is told of choices from before it was defined.
    """

    url: str
    secrets: tuple[str, ...]
    tells: tuple[Told, ...] = tuple(Told)
    purposes: Words = ()
    channels: Words = ()
    kinds: Words = ()
    reads_back: bool = True
    needs_identifiers: bool = False
    escalate_after_ms: Span = DAY_MS
    check_every_ms: Span = DAY_MS
    backfill: bool = False

    def checked(self) -> Recipient:
        """The same, or CourtesyError(INVALID)."""
        for place, expected in (("url", check_recipient_url(self.url)), ("secrets", check_secrets(self.secrets))):
            if expected:
                raise CourtesyError(Code.INVALID, f"expected {expected}", place=place)
        if not self.tells:
            hint = "consent, rectification, erasure"
            raise CourtesyError(Code.INVALID, "expected something that it is told of", hint=hint, place="tells")
        return self

    @property
    def where(self) -> Where:
        """How to call it."""
        return Where(self.url, self.secrets)

    def cares_about(self, scope: Scope) -> bool:
        """Whether a choice for that is about anything that it does; a restriction is about everything."""
        if scope.purpose == RESTRICTION:
            return True
        return _meets(scope.purpose, self.purposes) and _meets(scope.channel, self.channels)

    def gets(self, identifiers: Iterable[str]) -> list[str]:
        """Those of the identifiers that it may know, in order."""
        return sorted(each for each in identifiers if self._gets(split_identifier(each)[0]))

    def _gets(self, kind: str) -> bool:
        return kind in self.kinds if self.kinds else kind not in NOT_UNLESS_NAMED

    def look_again_ms(self, now_ms: int, *, is_fresh: bool) -> int | None:
        """When to look again at what it has; None for never. `is_fresh`: whether it was told only now."""
        if not self.reads_back:
            return None
        return now_ms + (min(FIRST_LOOK_MS, self.check_every_ms) if is_fresh else self.check_every_ms)


def _meets(part: str, own: tuple[str, ...]) -> bool:
    return not own or part == ANY or part in own


class SubjectIds:
    """Names people for recipients: the same person always alike for one, and differently for each, so that no two can
    find out by it of whom both know. It can't be turned back: HMAC-SHA-256 under the installation's key of links."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key: bytes | None = None

    def of(self, recipient: str, person: PersonId) -> bytes:
        """16 bytes. Raises CourtesyError as `key_of` does."""
        if self._key is None:
            self._key = key_of(self._settings)
        named = f"subject\0{recipient}\0{person}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, named, "sha256")[:SUBJECT_BYTES]
