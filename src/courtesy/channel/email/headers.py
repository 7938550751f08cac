"""Header lines of a message (RFC 5322, RFC 2047): folded, encoded where they must be, and closed to injection.

No value becomes a header of its own: line breaks and control characters in what people read are spaces, and in what
machines read they are refused.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import lru_cache

import idna

from courtesy.base.errors import Code, CourtesyError

LINE_CHARS = 76
ADDRESS_CHARS_MAX = 254
VALUE_CHARS_MAX = 900  # a line may have 998 (RFC 5322, 2.1.1), and what stands in angle brackets can't be folded
_ENCODED_OVERHEAD = len("=?utf-8?B??=")
_ENCODED_WORD_CHARS = 75

_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_LOCAL = re.compile(r"""[^\s@<>(),;:"\\\[\]\x00-\x1f\x7f-\x9f\u2028\u2029]{1,64}""")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_MACHINE_TEXT = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]+")  # visible ASCII without angle brackets


def address(text: str, place: str) -> str:
    """A plain address with its domain in ASCII (IDNA 2008). Raises CourtesyError (INVALID), which does not repeat
    it."""
    local, _, domain = text.rpartition("@")
    host = _ascii_domain(domain)
    if not _LOCAL.fullmatch(local) or not host or len(local) + len(host) >= ADDRESS_CHARS_MAX:
        raise CourtesyError(Code.INVALID, "expected one plain e-mail address, got something else", place=place)
    return f"{local}@{host}"


@lru_cache(maxsize=4096)
def _ascii_domain(domain: str) -> str:
    """The domain as DNS knows it; empty when it can't be one."""
    host = domain.lower()
    if not host.isascii():
        try:
            host = idna.encode(domain, uts46=True).decode()
        except idna.IDNAError:
            return ""
    return host if _HOST.fullmatch(host) else ""


def plain(text: str) -> str:
    """Text on one line, without control characters, and with one blank where there were several."""
    return " ".join(_NOT_PRINTABLE.sub(" ", text).split())


def text_line(name: str, text: str) -> bytes:
    """A header that people read."""
    return _line(name, _folded(_words(plain(text), len(name) + 2), len(name) + 2))


def mailbox_line(name: str, person: str, mailbox: str) -> bytes:
    """A header with one address, and a name before it unless that is empty. `mailbox` is from `address`."""
    used = len(name) + 2
    words = _phrase(plain(person), used)
    return _line(name, _folded([*words, f"<{mailbox}>" if words else mailbox], used))


def machine_line(name: str, value: str, place: str) -> bytes:
    """A header of visible ASCII, which can't be folded. Raises CourtesyError (INVALID) for anything else."""
    return _line(name, machine_text(value, place))


def bracketed_line(name: str, values: list[str], place: str) -> bytes:
    """A header of values in angle brackets, each on a line of its own. Raises CourtesyError (INVALID)."""
    return _line(name, ",\r\n ".join(f"<{machine_text(value, place)}>" for value in values))


def machine_text(value: str, place: str) -> str:
    """The value, if it is visible ASCII without angle brackets. Raises CourtesyError (INVALID)."""
    if len(value) > VALUE_CHARS_MAX or not _MACHINE_TEXT.fullmatch(value):
        message = f"expected at most {VALUE_CHARS_MAX} visible ASCII characters without angle brackets"
        raise CourtesyError(Code.INVALID, message, place=place)
    return value


def header_name(name: str, taken: frozenset[str], place: str) -> str:
    """The name, if it can be one and is not taken (in lower case). Raises CourtesyError (INVALID)."""
    if not _NAME.fullmatch(name) or name.lower() in taken:
        message = f"expected the name of a header that is not written anyway, got {name[:60]!r}"
        raise CourtesyError(Code.INVALID, message, place=place)
    return name


def _line(name: str, value: str) -> bytes:
    return f"{name}: {value}\r\n".encode()


def _phrase(person: str, used: int) -> list[str]:
    """The name before an address: as it is, in quotation marks, or encoded."""
    if not person.isascii() or "=?" in person or len(person) > LINE_CHARS - used - 2:
        return list(_encoded(person, used))
    if _ATOMS.fullmatch(person):
        return person.split()
    escaped = person.replace("\\", "\\\\").replace('"', '\\"')
    return [f'"{escaped}"']


def _words(text: str, used: int) -> list[str]:
    """What a line may be folded between."""
    words = text.split(" ")
    if text.isascii() and "=?" not in text and all(len(word) < LINE_CHARS - used for word in words):
        return words
    return list(_encoded(text, used))


def _encoded(text: str, used: int) -> Iterator[str]:
    """`text` as encoded words (RFC 2047) of whole characters, each for a line; the first has `used` less room."""
    data = text.encode("utf-8", "replace")
    begin, room = 0, _room(LINE_CHARS - used)
    while begin < len(data):
        end = begin + room
        while end < len(data) and data[end] & 0xC0 == 0x80:  # within a character
            end -= 1
        yield f"=?utf-8?B?{base64.b64encode(data[begin:end]).decode()}?="
        begin, room = end, _room(_ENCODED_WORD_CHARS)


def _room(chars: int) -> int:
    """How many bytes an encoded word of so many characters can hold; enough for any character at least."""
    return max((chars - _ENCODED_OVERHEAD) // 4 * 3, 4)


def _folded(words: list[str], used: int) -> str:
    """Words with blanks between, on lines of at most LINE_CHARS where that can be. Unfolding gives back the blanks."""
    whole = " ".join(words)
    if used + len(whole) <= LINE_CHARS:
        return whole
    lines, line = [], words[0]
    for word in words[1:]:
        if used + len(line) + 1 + len(word) > LINE_CHARS:
            lines.append(line)
            line, used = word, 1
        else:
            line = f"{line} {word}"
    return "\r\n ".join([*lines, line])
