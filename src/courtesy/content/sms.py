"""Text messages in parts, as networks count them: GSM 7 bit (3GPP TS 23.038) where every character is in it, else
UCS-2.

A part of several loses room to the header that joins them. What a phone shows as one character is never cut: neither an
escape and its character, nor a surrogate pair.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = frozenset("\f^{}\\[~]|€")
"""Characters that take two septets: an escape and a code."""

INSTEAD = str.maketrans(
    {
        "’": "'", "‘": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "–": "-", "—": "-", "−": "-",
        "…": "...", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "•": "-", "·": "-", "×": "x", "\t": " ", "\u200b": "",
        "`": "'", "´": "'", "ç": "Ç", "À": "A", "Á": "A", "Â": "A", "Ã": "A", "È": "E", "Ê": "E", "Ë": "E", "Ì": "I",
        "Í": "I", "Î": "I", "Ï": "I", "Ò": "O", "Ó": "O", "Ô": "O", "Õ": "O", "Ù": "U", "Ú": "U", "Û": "U",
        "á": "a", "â": "a", "ã": "a", "ê": "e", "ë": "e", "í": "i", "î": "i", "ï": "i", "ó": "o", "ô": "o", "õ": "o",
        "ú": "u", "û": "u", "ÿ": "y", "Ž": "Z", "ž": "z", "Š": "S", "š": "s", "Č": "C", "č": "c", "ł": "l", "Ł": "L",
    }
)  # fmt: skip
"""What may be written instead, so that a message need not be sent in UCS-2."""


class Encoding(StrEnum):
    """Of a text message."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


ROOM = {Encoding.GSM7: (160, 153), Encoding.UCS2: (70, 67)}
"""Units of a message of one part, and of each part of several: septets, or 16-bit units."""


class Parts(NamedTuple):
    """How a text is sent. `units`: septets or 16-bit units in all. `left`: units free in the last part."""

    encoding: Encoding
    units: int
    left: int
    texts: tuple[str, ...]


def units_of(char: str, encoding: Encoding) -> int:
    """How many units a character takes."""
    if encoding is Encoding.GSM7:
        return 2 if char in EXTENSION else 1
    return 2 if ord(char) > 0xFFFF else 1


def encoding_of(text: str) -> Encoding:
    """GSM 7 bit if that has every character."""
    return Encoding.GSM7 if all(char in BASIC or char in EXTENSION for char in text) else Encoding.UCS2


def parts_of(text: str) -> Parts:
    """The parts in which a text is sent; one empty part for no text."""
    encoding = encoding_of(text)
    single, joined = ROOM[encoding]
    units = sum(units_of(char, encoding) for char in text)
    if units <= single:
        return Parts(encoding, units, single - units, (text,))
    texts: list[str] = []
    begin, used = 0, 0
    for at, char in enumerate(text):
        size = units_of(char, encoding)
        if used + size > joined:
            texts.append(text[begin:at])
            begin, used = at, 0
        used += size
    return Parts(encoding, units, joined - used, (*texts, text[begin:]))


def in_gsm7(text: str) -> str:
    """The text with typographic signs and accents that GSM 7 bit lacks written otherwise, as far as that is usual."""
    return "".join(char if char in BASIC or char in EXTENSION else char.translate(INSTEAD) for char in text)
