"""Identifier kinds with priority, cap, uniqueness and blocked values; and the normal form of a claimed value."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec

from courtesy.base.errors import Code, CourtesyError
from courtesy.event.accept import NO_HINTS, Claim, text_of
from courtesy.standard.hints import Hints
from courtesy.standard.phone import standard_phone
from courtesy.standard.placeholder import (
    COMMON_PATTERN,
    COMMON_PLACEHOLDERS,
    PLACEHOLDER_EMAILS,
    PLACEHOLDER_PHONES,
    plain_form,
)
from courtesy.standard.value import Confidence

VALUE_CHARS_MAX = 256
KIND_CHARS_MAX = 64
EVENT_IDS_MAX = 50
"""Identifiers of one event that count, the most telling. Real events carry under ten; each costs work in the append."""

HELD_MAX = 500
"""Identifiers of one person, of all kinds together: senders may invent kinds, and each brings a cap of its own."""

EXTERNAL = "external"
"""The kind whose rules hold for every `context.externalIds` type that has none of its own."""

SOURCE_KIND = "event_source"
"""The kind under which a source is read like a person: whom the system's own events about it belong to."""

RESERVED = frozenset({"person", "group", SOURCE_KIND})
"""Kinds that Courtesy itself gives: a person's own number, the group that a group call names, and a source. No claim
may."""


class IdentifierKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules of one kind of identifier.

    `priority`: of the identifiers of an event the lowest number decides first. `cap`: how many values of the kind one
    person may hold; a value over it is not linked. `unique`: two values are two people, who never merge unless an
    alias says so. `shareable`: when it turns up with people who can't be one, the value itself is set apart, as for a
    device that several use. `blocked`: values (whole, in any case and width) that identify nobody, beside the common
    ones.
    """

    name: str
    priority: int
    cap: int
    unique: bool = False
    shareable: bool = False
    blocked: tuple[str, ...] = ()


Judged = tuple[str, int] | None
_UNKNOWN: Judged = ("", 0)
REMEMBERED_MAX = 200_000


class IdentityRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """All rules of identity. `alarm_degree`: refusals of one identifier after which it raises an alarm."""

    kinds: tuple[IdentifierKind, ...] = (
        IdentifierKind("user_id", priority=10, cap=5, unique=True),
        IdentifierKind(EXTERNAL, priority=20, cap=10),
        IdentifierKind(
            "email",
            priority=30,
            cap=5,
            blocked=PLACEHOLDER_EMAILS,
        ),
        IdentifierKind("phone", priority=40, cap=5, blocked=PLACEHOLDER_PHONES),
        IdentifierKind("device_id", priority=50, cap=20, shareable=True),
        IdentifierKind("anonymous_id", priority=60, cap=100, shareable=True),
    )
    blocked: tuple[str, ...] = COMMON_PLACEHOLDERS
    blocked_pattern: str = COMMON_PATTERN
    alarm_degree: int = 3

    @cached_property
    def by_name(self) -> dict[str, IdentifierKind]:
        return {kind.name: kind for kind in self.kinds}

    @cached_property
    def held_max(self) -> int:
        """How many identifiers a person may hold: `HELD_MAX`, unless the caps of the kinds come to more."""
        return max(HELD_MAX, sum(kind.cap for kind in self.kinds))

    @cached_property
    def _blocked(self) -> frozenset[str]:
        return frozenset(map(plain_form, self.blocked))

    @cached_property
    def _blocked_by_kind(self) -> dict[str, frozenset[str]]:
        return {kind.name: frozenset(map(plain_form, kind.blocked)) for kind in self.kinds}

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.blocked_pattern)

    @cached_property
    def remembered(self) -> dict[Claim, Judged]:
        """What `usable` found out about claims before."""
        return {}

    def remember(self, claim: Claim, judged: Judged) -> Judged:
        """Keep what was found out about a claim, for some 200,000 of them; return it."""
        if len(self.remembered) >= REMEMBERED_MAX:
            self.remembered.clear()
        self.remembered[claim] = judged
        return judged

    def kind_of(self, name: str) -> IdentifierKind:
        """The rules for a kind; those of `external` for one that is not declared."""
        return self.by_name.get(name) or self.by_name[EXTERNAL]

    def is_blocked(self, kind: IdentifierKind, value: str) -> bool:
        """True for a value that identifies nobody."""
        compared = plain_form(value)
        return (
            compared in self._blocked
            or compared in self._blocked_by_kind[kind.name]
            or self._pattern.fullmatch(compared) is not None
        )

    def checked(self) -> IdentityRules:
        """The same rules, or CourtesyError(INVALID) that says which of them can't work."""
        names = [kind.name for kind in self.kinds]
        missing = [name for name in ("user_id", "anonymous_id", EXTERNAL) if name not in names]
        if missing:
            raise CourtesyError(
                Code.INVALID, f"expected rules for {', '.join(missing)}, too", hint="names are exact", place="kinds"
            )
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise CourtesyError(Code.INVALID, f"expected each kind once, got {', '.join(twice)} twice", place="kinds")
        for kind in self.kinds:
            _check_kind(kind)
        try:
            re.compile(self.blocked_pattern)
        except re.error as error:
            raise CourtesyError(Code.INVALID, f"not a pattern: {error}", place="blocked_pattern") from None
        return self


def _check_kind(kind: IdentifierKind) -> None:
    place = f"kinds.{kind.name}"
    if kind.cap < 1:
        raise CourtesyError(Code.INVALID, f"expected a cap of 1 or more, got {kind.cap}", place=place)
    if kind.name in RESERVED:
        raise CourtesyError(Code.INVALID, f"{kind.name!r} is a kind of Courtesy's own", place=place)
    if not kind.name or kind.name != kind_key(kind.name):
        raise CourtesyError(
            Code.INVALID,
            f"expected a name of 1 to {KIND_CHARS_MAX} characters without ':', U+0000 and outer spaces",
            place=place,
        )


def identifier(kind: str, value: str) -> str:
    """The one-text form of an identifier, `kind:value`."""
    return f"{kind}:{value}"


def split_identifier(key: str) -> tuple[str, str]:
    """Kind and value of `kind:value`."""
    kind, _, value = key.partition(":")
    return kind, value


_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]+\.[^@\s.\x00-\x1f]{2,63}")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u2060\ufeff"))
"""Soft hyphen, zero-width space, word joiner, byte order mark: come along when text is copied, are in no address."""


def _normal_email(value: str) -> str | None:
    """In lower case, which next to no server tells apart; not folded, for ß and ss are two domains (IDNA2008)."""
    text = value.lower() if value.isascii() else _normal_text(value)
    return text if _EMAIL.fullmatch(text) else None


def _normal_text(value: str) -> str:
    text = unicodedata.normalize("NFKC", value.translate(_INVISIBLE)).lower()
    return unicodedata.normalize("NFKC", text).strip()


def _normal_phone(value: str, hints: Iterable[tuple[str, str]]) -> str | None:
    """E.164; None for a national number of an unknown country, for it must not be guessed into somebody else's.

    None with an extension, too: E.164 has no place for it, and a switchboard is not a person.
    """
    found = standard_phone(value, Hints(**dict(hints)))
    if found.parts is None or found.parts.extension is not None:
        return None
    # One with a country code that is in no known range is one that we have not heard of yet.
    return found.form if found.parts.hint is None or found.confidence is not Confidence.WEAK else None


def normalise(
    rules: IdentityRules, kind_name: str, value: Any, hints: Iterable[tuple[str, str]] = NO_HINTS
) -> str | None:
    """`kind:value` in the form in which identifiers are compared; None for what identifies nobody.

    `hints`: what is said of the country of a phone number that has no country code.
    """
    text = text_of(value)
    kind = kind_name if kind_name in rules.by_name else kind_key(kind_name)
    if text is None or not kind or len(text) > VALUE_CHARS_MAX or "\0" in text:
        return None
    if kind == "email":
        text = _normal_email(text)
    elif kind == "phone":
        text = _normal_phone(text, hints)
    # Nobody claims to be a source: what one is called says nothing of whether it is there.
    if text is None or (kind != SOURCE_KIND and rules.is_blocked(rules.kind_of(kind), text)):
        return None
    return f"{kind}:{text}"


def kind_key(name: str) -> str:
    """The name of a kind as it stands in an identifier; empty for one that can't be a name."""
    return "" if "\0" in name else name.replace(":", "_").strip()[:KIND_CHARS_MAX].strip()


def usable(rules: IdentityRules, claims: Iterable[Claim]) -> tuple[str, ...]:
    """The identifiers among the claims, normalised, each once, most telling first, `EVENT_IDS_MAX` at most."""
    found: dict[str, int] = {}
    for claim in claims:
        # The same values come again and again. Only text is kept: 1, 1.0 and True are one key of a dict, not one id.
        # And none that is too long anyway, or a few thousand of them would fill the memory.
        if type(claim.value) is str and len(claim.value) <= VALUE_CHARS_MAX and len(claim.kind) <= KIND_CHARS_MAX:
            known = rules.remembered.get(claim, _UNKNOWN)
            if known is _UNKNOWN:
                known = rules.remember(claim, _judged(rules, claim))
        else:
            known = _judged(rules, claim)
        if known is not None:
            found.setdefault(*known)
    if len(found) > 1:
        return tuple(sorted(found, key=found.__getitem__)[:EVENT_IDS_MAX])
    return tuple(found)


def _judged(rules: IdentityRules, claim: Claim) -> Judged:
    """The identifier of a claim with its kind's priority; None when it identifies nobody."""
    key = normalise(rules, *claim)
    if key is None:
        return None
    name = split_identifier(key)[0]
    return None if name in RESERVED else (key, rules.kind_of(name).priority)
