"""Codes that people copy from paper and say on the phone: without characters that look alike, and with a last one that
tells most mistakes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""32 letters and digits, without I, O, 0 and 1."""

RANDOM_CHARS = 12
"""60 random bits: with a million codes about, of a million million guesses one is right."""

GROUP_CHARS = 4
CODE_CHARS_MAX = 64


class OwnCode(NamedTuple):
    """A code of one grant: as codes are compared, and as people see it."""

    key: str
    shown: str


Draw = Callable[[int], bytes]
"""So many random bytes that nobody can guess."""

_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}


def minted(prefix: str, draw: Draw) -> OwnCode:
    """A new code: the prefix, random characters, and one that checks them; shown in groups."""
    body = "".join(ALPHABET[byte % len(ALPHABET)] for byte in draw(RANDOM_CHARS))
    body += check_character(body)
    groups = [body[at : at + GROUP_CHARS] for at in range(0, RANDOM_CHARS, GROUP_CHARS)]
    groups[-1] += body[RANDOM_CHARS:]
    return OwnCode(f"{prefix}{body}", "-".join([*([prefix] if prefix else []), *groups]))


def check_character(body: str) -> str:
    """The character behind the random ones: the sum of Luhn's scheme modulo 32, which finds any one character that is
    wrong and nearly any two neighbours that are swapped (ISO/IEC 7812-1, annex B, for an alphabet of 32)."""
    total = 0
    for place, letter in enumerate(reversed(body)):
        value = _VALUES[letter] * (2 if place % 2 == 0 else 1)
        total += value // len(ALPHABET) + value % len(ALPHABET)
    return ALPHABET[-total % len(ALPHABET)]


def is_sound(code: str, prefix: str) -> bool:
    """Whether a code, as it is compared, may have been minted behind that prefix."""
    body = code.removeprefix(prefix)
    return (
        code.startswith(prefix)
        and len(body) == RANDOM_CHARS + 1
        and all(letter in _VALUES for letter in body)
        and check_character(body[:-1]) == body[-1]
    )


def normalised(typed: str) -> str:
    """What somebody typed, as codes are compared: letters and digits alone, in capitals. Empty for what has none."""
    kept = "".join(letter for letter in typed.upper() if letter.isalnum())
    return kept[:CODE_CHARS_MAX]


def sorted_out(lines: Iterable[str]) -> list[OwnCode]:
    """The codes of a list, each once, in order; without what has no letter or digit."""
    found: dict[str, OwnCode] = {}
    for line in lines:
        told = line.strip()[:CODE_CHARS_MAX]
        if key := normalised(told):
            found.setdefault(key, OwnCode(key, told))
    return list(found.values())
