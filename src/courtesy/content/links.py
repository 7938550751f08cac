"""Links of a message: cut out when it is published, filled in for each recipient by a signed token.

A token names a slot of a published version and is signed, so nobody can make it lead elsewhere: where it leads is
looked up in what was published. What differs between recipients within an address (a product, a code) is signed with
it, and can only fill the gaps of that address, never its host.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import html as markup
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from courtesy.base.ids import PersonId
from courtesy.content.language.tokens import Piece, Source, failed, pieces_of
from courtesy.content.marks import Marks

FORMAT = 1
SIGNATURE_BYTES = 16
"""Of an HMAC-SHA-256: nobody guesses one of 2^128."""

TOKEN_CHARS_MAX = 2_048
SLOTS_MAX = 1_000


class Use(IntEnum):
    """What a token is for. Each is signed apart, so that none can be used for another."""

    LINK = 1
    OPEN = 2
    UNSUBSCRIBE = 3
    VIEW = 4


class Ticket(msgspec.Struct, frozen=True, array_like=True):
    """What a token says. `content` and `version`: what was published; `message`: the one that carries it, empty when
    nobody needs to know; `slot` and `values` only for LINK."""

    content: str
    version: int
    person: PersonId
    message: bytes = b""
    slot: int = 0
    values: tuple[str, ...] = ()


_TICKET = msgspec.msgpack.Decoder(Ticket)
_PACK = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """The keys that sign tokens, by a number from 0 to 255. New ones are made by `current`; old ones are still read for
    as long as they are kept here."""

    keys: Mapping[int, bytes]
    current: int

    def token(self, use: Use, ticket: Ticket) -> str:
        """A token as text for an address."""
        content = bytes((FORMAT << 4 | use, self.current)) + _PACK.encode(ticket)
        signature = hmac.digest(self.keys[self.current], content, "sha256")[:SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(content + signature).rstrip(b"=").decode("ascii")

    def ticket(self, use: Use, token: str) -> Ticket | None:
        """What a token for that use says; None for anything that was not made here, or for another use. Takes as long
        for a wrong signature as for a right one."""
        raw = _bytes(token)
        if raw is None or len(raw) < 2 + SIGNATURE_BYTES or raw[0] != FORMAT << 4 | use:
            return None
        key = self.keys.get(raw[1])
        content, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if key is None or not hmac.compare_digest(hmac.digest(key, content, "sha256")[:SIGNATURE_BYTES], signature):
            return None
        try:
            return _TICKET.decode(content[2:])
        except msgspec.MsgspecError:
            return None


def _bytes(token: str) -> bytes | None:
    """The bytes of a token in its only spelling; None for any other text."""
    if len(token) > TOKEN_CHARS_MAX or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.urlsafe_b64encode(raw).rstrip(b"=") == token.encode() else None


class Slot(msgspec.Struct, frozen=True):
    """A link of a published version. `pieces`: its address around what differs between recipients:
    `("https://shop.example/p/", "?x=1")`. An address that differs as a whole has two empty pieces, and leads only to a
    known host."""

    number: int
    pieces: tuple[str, ...]

    @property
    def shown(self) -> str:
        """The address with dots for what differs."""
        return "…".join(self.pieces)


def destination(slot: Slot, values: tuple[str, ...], hosts: Collection[str]) -> str | None:
    """Where a slot leads with its values; None when they don't fit, or an address that differs as a whole is not https
    to one of the hosts or below it."""
    if len(values) != len(slot.pieces) - 1:
        return None
    if not slot.pieces[0]:
        return values[0] + "".join(slot.pieces[1:]) if len(values) == 1 and leads_to(values[0], hosts) else None
    address = slot.pieces[0]
    for value, piece in zip(values, slot.pieces[1:], strict=True):
        in_query = "?" in address or "#" in address
        address += quote(value.encode("utf-8", "replace"), safe="" if in_query else "/%:@$!*,;=~+") + piece
    return address


def leads_to(address: str, hosts: Collection[str]) -> bool:
    """Whether an address is https and its host one of these, or below one."""
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    odd = any(char.isspace() or ord(char) < 32 or char == "\\" for char in address)
    if odd or parts.scheme != "https" or parts.username is not None or parts.password is not None:
        return False
    return any(host == each or host.endswith(f".{each}") for each in hosts)


# -- when content is published

_ANCHOR = re.compile(r"""(<(?:a|area)\b(?:[^>"']|"[^"]*"|'[^']*')*?\bhref=)(["'])(.*?)\2""", re.IGNORECASE | re.DOTALL)
_ADDRESS_IN_TEXT = re.compile(r"https?://[^\s<>\"()]+")
_AS_THEY_ARE = re.compile(r"\s*(mailto:|tel:|sms:|#|\{\{-?\s*message\.|\{\{-?\s*link\()", re.IGNORECASE)
_WITH_HOST = re.compile(r"https?://[^/?#\s]+[/?#]", re.IGNORECASE)


class Linked(msgspec.Struct, frozen=True):
    """Templates whose links are calls of `link`, and the slots that those name."""

    html: str
    text: str
    slots: tuple[Slot, ...]


def rewrite(html: str, text: str) -> Linked:
    """The templates of a mail with a slot for each link of the HTML, in order; links of the text take the slot of the
    first with the same address, or one of their own. Mail and phone links stay, and those of `message`.

    Raises CourtesyError(INVALID) for a link with conditions in it.
    """
    found = _Rewriting()
    new_html = found.marks.back(_ANCHOR.sub(found.in_html, found.marks.mask(html)))
    new_text = found.marks.back(_ADDRESS_IN_TEXT.sub(found.in_text, found.marks.mask(text)))
    return Linked(new_html, new_text, tuple(found.slots))


class _Rewriting:
    """The slots found so far, by their addresses too."""

    def __init__(self) -> None:
        self.marks = Marks()
        self.slots: list[Slot] = []
        self._calls: dict[str, str] = {}

    def in_html(self, found: re.Match[str]) -> str:
        address = self.marks.back(found[3])
        if not address.strip() or _AS_THEY_ARE.match(address):
            return found[0]
        call = self._called(markup.unescape(address))
        return f"{found[1]}{found[2]}{self.marks.mark(call)}{found[2]}"

    def in_text(self, found: re.Match[str]) -> str:
        kept, rest = _without_stop(found[0])
        address = self.marks.back(kept)
        return self.marks.mark(self._calls[address] if address in self._calls else self._called(address)) + rest

    def _called(self, address: str) -> str:
        pieces, expressions = _cut(address)
        slot = Slot(len(self.slots), pieces)
        self.slots.append(slot)
        call = f"{{{{ link({', '.join([str(slot.number), *expressions])}) }}}}"
        self._calls.setdefault(address, call)
        return call


def _without_stop(address: str) -> tuple[str, str]:
    """An address in running text, and the punctuation after it."""
    kept = address.rstrip(".,;:!?")
    return kept, address[len(kept) :]


def _cut(address: str) -> tuple[tuple[str, ...], list[str]]:
    """An address as its fixed pieces and the expressions between them, as they are written."""
    source = Source(address.strip())
    pieces: list[str] = [""]
    expressions: list[str] = []
    for piece in pieces_of(source):
        if not piece.tokens:
            pieces[-1] += piece.text
        elif piece.output:
            expressions.append(_expression(piece, source.text))
            pieces.append("")
        else:
            raise failed(
                piece.at, f"a link can't have conditions or loops in it: {address:.100}", "set a name to it before"
            )
    if expressions and (pieces[0] or len(expressions) > 1) and not _WITH_HOST.match(pieces[0]):
        message = f"the host of a link must not differ between people: {address:.100}"
        raise failed(source.place(0), message, "write https and the host, or use one name for the whole address")
    return tuple(pieces), expressions


def _expression(piece: Piece, address: str) -> str:
    """The text of an output between its braces. An address has one line, so columns are offsets."""
    begin, end = piece.tokens[0].at, piece.tokens[-1].at
    lines = address.split("\n")
    start = sum(len(each) + 1 for each in lines[: begin.line - 1]) + begin.column - 1
    stop = sum(len(each) + 1 for each in lines[: end.line - 1]) + end.column - 1
    return address[start:stop].strip()


PIXEL = (
    '<img src="{{ message.pixel_url }}" alt="" width="1" height="1" border="0"'
    ' style="display:block;width:1px;height:1px;border:0" aria-hidden="true">'
)


def with_pixel(html: str) -> str:
    """HTML with a picture of one point at its end, by which an opening shows."""
    before, end, after = html.rpartition("</body>")
    return f"{before}{PIXEL}{end}{after}" if end else html + PIXEL


# -- for each recipient


@dataclass(frozen=True, slots=True)
class MessageLinks:
    """The addresses of one message to one person. `base`: https and a host of the company, without a slash at the end.

    `link` is what templates call: `scope.functions["link"]`.
    """

    keys: LinkKeys
    base: str
    content: str
    version: int
    person: PersonId
    message: bytes = b""

    def link(self, slot: Any, *values: Any) -> str:
        """The tracked address of a slot. Raises ValueError for a number that can be none."""
        if not isinstance(slot, int) or not 0 <= slot < SLOTS_MAX:
            raise ValueError("no slot")
        given = tuple("" if each is None else str(each) for each in values)
        return self._address("l", Use.LINK, slot, given)

    def pixel(self) -> str:
        """The address of the picture that shows an opening."""
        return self._address("o", Use.OPEN)

    def unsubscribe(self) -> str:
        """The address that unsubscribes by POST (RFC 8058), and by GET only asks."""
        return self._address("u", Use.UNSUBSCRIBE)

    def view(self) -> str:
        """The address at which the message is shown in a browser."""
        return self._address("v", Use.VIEW)

    def _address(self, part: str, use: Use, slot: int = 0, values: tuple[str, ...] = ()) -> str:
        ticket = Ticket(self.content, self.version, self.person, self.message, slot, values)
        return f"{self.base}/{part}/{self.keys.token(use, ticket)}"
