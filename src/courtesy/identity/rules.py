"""Identifier kinds with priority, cap, uniqueness and blocked values; and the normal form of a claimed value."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec
import phonenumbers

from courtesy.base.errors import Code, CourtesyError
from courtesy.event.accept import Claim, text_of

VALUE_CHARS_MAX = 256

EXTERNAL = "external"
"""The kind whose rules hold for every `context.externalIds` type that has none of its own."""


class IdentifierKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules of one kind of identifier.

    `priority`: of the identifiers of an event the lowest number decides first. `cap`: how many values of the kind one
    person may hold; a value over it is not linked. `unique`: two values are two people, who never merge unless an
    alias says so. `shareable`: when it turns up with people who can't be one, the value itself is set apart, as for a
    device that several use. `blocked`: values (whole, any case) that identify nobody, beside the common ones.
    """

    name: str
    priority: int
    cap: int
    unique: bool = False
    shareable: bool = False
    blocked: tuple[str, ...] = ()


COMMON_PLACEHOLDERS = (
    (
        "null nil none undefined nan unknown anonymous anon guest user visitor customer test tester admin root default "
        "id userid user_id anonymousid anonymous_id deviceid device_id uid uuid email phone true false n/a na nobody "
        "(not set) not_set notset empty string object [object object] xxx abc foo bar changeme your_user_id "
        "00000000-0000-0000-0000-000000000000 ffffffff-ffff-ffff-ffff-ffffffffffff 9774d56d682e549c"
    )
    .replace("(not set)", "(not\0set)")
    .replace("[object object]", "[object\0object]")
)
# 9774d56d682e549c is the ANDROID_ID that a faulty Android 2.2 build gave to every device.


class IdentityRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """All rules of identity. `alarm_degree`: refusals of one identifier after which it raises an alarm."""

    kinds: tuple[IdentifierKind, ...] = (
        IdentifierKind("user_id", priority=10, cap=5, unique=True),
        IdentifierKind(EXTERNAL, priority=20, cap=10),
        IdentifierKind(
            "email", priority=30, cap=5, blocked=("test@test.com", "a@a.com", "none@none.com", "noreply@noreply.com")
        ),
        IdentifierKind("phone", priority=40, cap=5, blocked=("+10000000000", "+11111111111", "+1234567890")),
        IdentifierKind("device_id", priority=50, cap=20, shareable=True),
        IdentifierKind("anonymous_id", priority=60, cap=100, shareable=True),
    )
    blocked: tuple[str, ...] = tuple(word.replace("\0", " ") for word in COMMON_PLACEHOLDERS.split())
    blocked_pattern: str = r"[0\-_.\s]*|-1|(.)\1{5,}"
    alarm_degree: int = 3

    @cached_property
    def by_name(self) -> dict[str, IdentifierKind]:
        return {kind.name: kind for kind in self.kinds}

    @cached_property
    def _blocked(self) -> frozenset[str]:
        return frozenset(value.casefold() for value in self.blocked)

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.blocked_pattern)

    def kind_of(self, name: str) -> IdentifierKind:
        """The rules for a kind; those of `external` for one that is not declared."""
        return self.by_name.get(name) or self.by_name[EXTERNAL]

    def is_blocked(self, kind: IdentifierKind, value: str) -> bool:
        """True for a value that identifies nobody."""
        folded = value.casefold()
        return folded in self._blocked or folded in kind.blocked or self._pattern.fullmatch(value) is not None

    def checked(self) -> IdentityRules:
        """The same rules, or CourtesyError(INVALID) that says which of them can't work."""
        names = [kind.name for kind in self.kinds]
        if EXTERNAL not in names or "user_id" not in names or "anonymous_id" not in names:
            raise CourtesyError(
                Code.INVALID, "expected the kinds user_id, anonymous_id and external among the rules", place="kinds"
            )
        if len(set(names)) != len(names):
            raise CourtesyError(Code.INVALID, "expected each kind once", place="kinds")
        for kind in self.kinds:
            if kind.cap < 1 or ":" in kind.name:
                raise CourtesyError(
                    Code.INVALID, "expected a cap of 1 or more and a name without ':'", place=f"kinds.{kind.name}"
                )
        try:
            re.compile(self.blocked_pattern)
        except re.error as error:
            raise CourtesyError(Code.INVALID, f"not a pattern: {error}", place="blocked_pattern") from None
        return self


def identifier(kind: str, value: str) -> str:
    """The one-text form of an identifier, `kind:value`."""
    return f"{kind}:{value}"


def split_identifier(key: str) -> tuple[str, str]:
    """Kind and value of `kind:value`."""
    kind, _, value = key.partition(":")
    return kind, value


_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]+\.[^@\s.\x00-\x1f]{2,63}")


def _normal_email(value: str) -> str | None:
    folded = unicodedata.normalize("NFKC", value).strip().casefold()
    return folded if _EMAIL.fullmatch(folded) else None


def _normal_phone(value: str) -> str | None:
    """E.164; None without a country code, for a number must not be guessed into somebody else's."""
    if not value.startswith("+"):
        return None
    try:
        number = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def normalise(rules: IdentityRules, kind_name: str, value: Any) -> str | None:
    """`kind:value` in the form in which identifiers are compared; None for what identifies nobody."""
    text = text_of(value)
    if text is None or len(text) > VALUE_CHARS_MAX or "\0" in text:
        return None
    if kind_name == "email":
        text = _normal_email(text)
    elif kind_name == "phone":
        text = _normal_phone(text)
    if text is None or rules.is_blocked(rules.kind_of(kind_name), text):
        return None
    return f"{_kind_key(kind_name)}:{text}"


def _kind_key(name: str) -> str:
    return name.strip().replace(":", "_")[:64]


def usable(rules: IdentityRules, claims: Iterable[Claim]) -> tuple[str, ...]:
    """The identifiers among the claims, normalised, each once, most telling first."""
    found: dict[str, int] = {}
    for kind, value in claims:
        key = normalise(rules, kind, value)
        if key is not None and key not in found:
            found[key] = rules.kind_of(kind).priority
    if len(found) > 1:
        return tuple(sorted(found, key=found.__getitem__))
    return tuple(found)
