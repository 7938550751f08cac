"""Numbers in a row of bits, and the row as letters of base64url: what all of IAB's consent strings are made of.

Source: "Global Privacy Platform String", IAB Tech Lab, sections Fibonacci Encoding and Section Encoding.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode

from courtesy.base.errors import Code, CourtesyError

TEXT_CHARS_MAX = 65_536
"""The longest string that is read or written. Two full lists of 65,535 vendors each as a bitfield, the disclosed
vendors and the publisher's part take 33,000 characters; real strings stay under 2,000."""

FIBONACCI_BITS_MAX = 24
"""The longest Fibonacci code that is read, 75,024 and below: far beyond any section, and no work for hostile input."""

TCF_PADDING = (24,)
"""The reference library fills a segment of a TC string up to whole letters and whole bytes at once."""

GPP_PADDING = (8, 6)
"""A segment of a GPP string is filled up to bytes, and that up to letters; strings of TCF 1 were, too."""

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BITS_OF = {letter: f"{value:06b}" for value, letter in enumerate(_LETTERS)}
_FIBONACCI = [1, 2]
while len(_FIBONACCI) < FIBONACCI_BITS_MAX - 1:
    _FIBONACCI.append(_FIBONACCI[-1] + _FIBONACCI[-2])


def invalid(message: str, place: str, hint: str = "") -> CourtesyError:
    """The error that tells what is wrong with a consent string, and where."""
    return CourtesyError(Code.INVALID, message, place=place, hint=hint)


def check_length(text: str, place: str) -> str:
    """The text itself, unless it is longer than any consent string has a reason to be.

    Raises:
        CourtesyError: INVALID.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise invalid(f"expected at most {TEXT_CHARS_MAX} characters, found {len(text)}", place)
    return text


class BitReader:
    """Reads a segment from left to right. What follows the last field is padding and is not looked at."""

    def __init__(self, text: str, place: str) -> None:
        """`place` names the segment in errors.

        Raises:
            CourtesyError: INVALID, when a character is not one of base64url, or there is none.
        """
        self.place = place
        self.field = ""
        self.at = 0
        self._bits = _bits(text, place)

    @property
    def left(self) -> int:
        """How many bits were not taken yet."""
        return len(self._bits) - self.at

    def bits(self, count: int) -> str:
        """The next bits as a text of 0 and 1.

        Raises:
            CourtesyError: INVALID, when so many are not left.
        """
        if count > self.left:
            raise self.error(f"expected {count} bits, found {self.left} before the end of the segment")
        taken = self._bits[self.at : self.at + count]
        self.at += count
        return taken

    def number(self, count: int) -> int:
        """The next bits as a number, the first bit being the largest."""
        return int(self.bits(count), 2)

    def fibonacci(self) -> int:
        """The next number in Fibonacci code, at least 1.

        Raises:
            CourtesyError: INVALID, when none ends within 24 bits.
        """
        end = self._bits.find("11", self.at, self.at + FIBONACCI_BITS_MAX)
        if end < 0:
            raise self.error(f"expected a Fibonacci code, which ends with 11, within {FIBONACCI_BITS_MAX} bits")
        code = self.bits(end + 2 - self.at)
        return sum(value for value, bit in zip(_FIBONACCI, code[:-1], strict=False) if bit == "1")

    def error(self, message: str, back: int = 0) -> CourtesyError:
        """The error that says what is wrong with the field being read, `back` bits before here."""
        field = f"{self.field}: " if self.field else ""
        return invalid(f"{field}{message}", f"{self.place}, bit {self.at - back}")


class BitWriter:
    """Writes a segment from left to right."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.field = ""
        self._parts: list[str] = []

    def bits(self, bits: str) -> None:
        """Add a text of 0 and 1."""
        self._parts.append(bits)

    def number(self, value: int, count: int) -> None:
        """Add a number as `count` bits.

        Raises:
            CourtesyError: INVALID, when it does not fit.
        """
        if not 0 <= value < 1 << count:
            raise self.error(f"expected a number from 0 to {(1 << count) - 1}, found {value}")
        self.bits(f"{value:0{count}b}")

    def fibonacci(self, value: int) -> None:
        """Add a number in Fibonacci code.

        Raises:
            CourtesyError: INVALID, when it is below 1, or its code longer than is read.
        """
        if not 1 <= value < _FIBONACCI[-1] + _FIBONACCI[-2]:
            raise self.error(f"expected a number from 1 to {_FIBONACCI[-1] + _FIBONACCI[-2] - 1}, found {value}")
        self.bits(_zeckendorf(value) + "1")

    def text(self, padding: tuple[int, ...]) -> str:
        """The segment as letters, filled up with zeros to a multiple of each of `padding` in turn."""
        bits = "".join(self._parts)
        for multiple in padding:
            bits += "0" * (-len(bits) % multiple)
        whole = bits + "0" * (-len(bits) % 24)
        letters = urlsafe_b64encode(int(whole, 2).to_bytes(len(whole) // 8, "big")).decode("ascii")
        return letters[: len(bits) // 6]

    def error(self, message: str) -> CourtesyError:
        """The error that says what is wrong with the field being written."""
        return invalid(message, f"{self.place}, {self.field}" if self.field else self.place)


def _bits(text: str, place: str) -> str:
    if not text:
        raise invalid("expected a segment of base64url letters, found nothing", place)
    try:
        return "".join(map(_BITS_OF.__getitem__, text))
    except KeyError:
        at = next(index for index, letter in enumerate(text) if letter not in _BITS_OF)
        raise invalid(
            f"expected base64url letters (A-Z, a-z, 0-9, - and _), found {text[at]!r}", f"{place}, character {at}"
        ) from None


def _zeckendorf(value: int) -> str:
    """The bits of the sum of Fibonacci numbers, no two of them neighbours, that `value` is; smallest first."""
    bits = ""
    for each in reversed([number for number in _FIBONACCI if number <= value]):
        bits = ("1" if each <= value else "0") + bits
        value -= each if each <= value else 0
    return bits
