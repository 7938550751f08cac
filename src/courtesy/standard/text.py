"""A raw value as plain text: one way of writing characters, blanks and digits that look alike."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from courtesy.standard.value import Reason

TEXT_CHARS_MAX = 500

# Soft hyphen, zero-width blanks, marks of direction, byte order mark: they come along when text is copied.
# Joiners stay: the scripts of India and Persian are written with them.
_INVISIBLE = dict.fromkeys(
    [0xAD, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x2065), *range(0x2066, 0x206A), 0xFEFF]
)
_BLANKS = re.compile(r"\s+")


def text_or_reason(raw: Any, chars_max: int = TEXT_CHARS_MAX) -> str | Reason:
    """The text of a value without outer blanks, composed (NFC), invisible characters left out; or why there is none.

    A number is its shortest text. Line breaks stay.
    """
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return Reason.EMPTY if raw is None else Reason.WRONG_TYPE
    if isinstance(raw, int) and abs(raw) >= 10**18:
        return Reason.TOO_LONG
    text = raw if isinstance(raw, str) else str(int(raw) if isinstance(raw, float) and raw.is_integer() else raw)
    if len(text) > chars_max:
        return Reason.TOO_LONG
    try:
        text.encode()
    except UnicodeEncodeError:
        return Reason.MALFORMED
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).translate(_INVISIBLE)).strip()
    if "\0" in text:
        return Reason.MALFORMED
    return text or Reason.EMPTY


def one_line(text: str) -> str:
    """The same with each run of blanks as one space."""
    return _BLANKS.sub(" ", text).strip()


def folded_width(text: str) -> str:
    """The same in the usual width of letters, and with the digits 0 to 9 whatever their script."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    return "".join(char if (digit := unicodedata.decimal(char, -1)) < 0 else str(digit) for char in text)


def comparable(text: str) -> str:
    """The form in which words are looked up: case, width, accents, full stops and blanks make no difference."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in folded if not unicodedata.combining(char)) or folded
    return one_line(bare.replace(".", " ").replace("’", "'"))
