"""A mail as a small tree of blocks in JSON: what an editor makes, and from which HTML and text are compiled.

Texts may have template tags, and signs for bold, italic, links and lists (`rich_text.py`). Colours are `#rrggbb`,
sizes are pixels. A block that stands in no section gets one of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from courtesy.base.errors import Code, CourtesyError

Colour = Annotated[str, Meta(pattern="^#[0-9a-fA-F]{6}$")]
Pixels = Annotated[int, Meta(ge=0, le=2_000)]
Line = Annotated[str, Meta(max_length=2_000)]
Text_ = Annotated[str, Meta(max_length=50_000)]
Address = Annotated[str, Meta(min_length=1, max_length=4_000)]
Formula = Annotated[str, Meta(min_length=1, max_length=1_000)]
Word = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,49}$")]
Align = Annotated[str, Meta(pattern="^(left|center|right)$")]

DEPTH_MAX = 12
BLOCKS_MAX = 1_000


class _Block(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    pass


class Text(_Block, frozen=True, tag="text"):
    """Paragraphs and lists."""

    text: Text_
    align: Align | None = None
    colour: Colour | None = None
    size: Pixels | None = None


class Heading(_Block, frozen=True, tag="heading"):
    """A heading of a level from 1 to 3."""

    text: Line
    level: Annotated[int, Meta(ge=1, le=3)] = 1
    align: Align | None = None
    colour: Colour | None = None


class Image(_Block, frozen=True, tag="image"):
    """A picture. `alt` says what it shows to those who don't see it; empty only when `decorative`. `width`: of the
    place it takes at most."""

    src: Address
    alt: Line = ""
    decorative: bool = False
    link: Address | None = None
    width: Pixels | None = None
    align: Align | None = None


class Button(_Block, frozen=True, tag="button"):
    """A link that looks like a button."""

    text: Line
    link: Address
    background: Colour | None = None
    colour: Colour | None = None
    align: Align | None = None


class Divider(_Block, frozen=True, tag="divider"):
    """A line across. Plain text has a line of hyphens."""

    colour: Colour | None = None


class Spacer(_Block, frozen=True, tag="spacer"):
    """Room of so many pixels."""

    height: Pixels = 20


class SocialLink(_Block, frozen=True):
    """A place where the company is met: a name such as `Instagram`, a link, and a picture if there is one."""

    name: Line
    link: Address
    icon: Address | None = None


class Social(_Block, frozen=True, tag="social"):
    """Where else the company is met."""

    links: Annotated[tuple[SocialLink, ...], Meta(min_length=1, max_length=20)]
    align: Align | None = None


class Raw(_Block, frozen=True, tag="raw"):
    """HTML of one's own, and the same as text. Styles are inlined; nothing else is touched."""

    html: Text_
    text: Text_ = ""


class Footer(_Block, frozen=True, tag="footer"):
    """Who writes, from where, and how to unsubscribe. Labels that are empty are those of the locale."""

    text: Text_ = ""
    unsubscribe: Line = ""
    preferences: Line = ""
    web_version: bool = False


class Branch(_Block, frozen=True):
    """Blocks that are shown when a condition holds, and none before it did."""

    when: Formula
    blocks: tuple[Block, ...]


class Condition(_Block, frozen=True, tag="condition"):
    """The blocks of the first branch whose condition holds, else `otherwise`."""

    branches: Annotated[tuple[Branch, ...], Meta(min_length=1, max_length=50)]
    otherwise: tuple[Block, ...] = ()


class Loop(_Block, frozen=True, tag="loop"):
    """The blocks once for each element of a list, which has the name `each` in them; `otherwise` when there is none.
    At most `limit` of them."""

    each: Word
    of: Formula
    blocks: tuple[Block, ...]
    limit: Annotated[int, Meta(ge=1, le=100)] | None = None
    otherwise: tuple[Block, ...] = ()


class Placement(_Block, frozen=True, tag="placement"):
    """What was decided for a person at a placement, which has the name `offer` in the blocks under `placements`:
    `placements.hero.title`. Without blocks: picture, heading, text and button of the offer. `otherwise` when nothing
    was decided."""

    name: Word
    blocks: tuple[Block, ...] = ()
    otherwise: tuple[Block, ...] = ()


class FragmentUse(_Block, frozen=True, tag="fragment"):
    """The blocks of a fragment, in the locale of the mail."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]


class Section(_Block, frozen=True, tag="section"):
    """Blocks one below the other, on a background of their own."""

    blocks: tuple[Block, ...]
    background: Colour | None = None
    padding: Pixels | None = None


class Column(_Block, frozen=True):
    """A part of the width, in per cent; columns without one share what is left."""

    blocks: tuple[Block, ...]
    width: Annotated[int, Meta(ge=5, le=100)] | None = None


class Columns(_Block, frozen=True, tag="columns"):
    """Columns side by side, which narrow screens put one below the other, unless `keep`."""

    columns: Annotated[tuple[Column, ...], Meta(min_length=1, max_length=4)]
    background: Colour | None = None
    padding: Pixels | None = None
    keep: bool = False


Block = (
    Text
    | Heading
    | Image
    | Button
    | Divider
    | Spacer
    | Social
    | Raw
    | Footer
    | Condition
    | Loop
    | Placement
    | FragmentUse
    | Section
    | Columns
)
BLOCKS: tuple[type[_Block], ...] = (
    Section, Columns, Text, Heading, Image, Button, Divider, Spacer, Social, Raw, Footer, Condition, Loop, Placement,
    FragmentUse,
)  # fmt: skip
"""All kinds, in the order in which the docs list them."""


class Theme(_Block, frozen=True):
    """Colours, font and width of a mail. `dark_…`: what programs that honour it show in the dark."""

    font: Annotated[str, Meta(pattern="^[A-Za-z0-9 ,'-]{1,200}$")] = "Helvetica, Arial, sans-serif"
    size: Pixels = 16
    width: Annotated[int, Meta(ge=320, le=800)] = 600
    background: Colour = "#f4f4f4"
    surface: Colour = "#ffffff"
    colour: Colour = "#222222"
    link: Colour = "#0b57d0"
    button: Colour = "#1a1a1a"
    button_colour: Colour = "#ffffff"
    dark_background: Colour = "#121212"
    dark_surface: Colour = "#1e1e1e"
    dark_colour: Colour = "#f0f0f0"
    dark_link: Colour = "#a8c7fa"
    dark_button: Colour = "#a8c7fa"
    dark_button_colour: Colour = "#121212"


class Mail(_Block, frozen=True):
    """A whole mail. `preheader`: what mail programs show after the subject."""

    subject: Line
    blocks: tuple[Block, ...]
    preheader: Line = ""
    theme: Theme = msgspec.field(default_factory=Theme)


_MAIL = msgspec.json.Decoder(Mail)
_BLOCKS = msgspec.json.Decoder(tuple[Block, ...])
_WHERE = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)


def read_mail(raw: bytes) -> Mail:
    """A mail from JSON. Raises CourtesyError(INVALID) with a JSON pointer, UNREADABLE for what is no JSON."""
    return _checked(_read(_MAIL, raw))


def read_fragment(raw: bytes) -> tuple[Block, ...]:
    """The blocks of a fragment from JSON, a list. Raises as `read_mail` does."""
    blocks: tuple[Block, ...] = _read(_BLOCKS, raw)
    check_nesting(blocks, "")
    return blocks


def _read(decoder: Any, raw: bytes) -> Any:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as problem:
        found = _WHERE.match(str(problem))
        assert found is not None
        raise CourtesyError(Code.INVALID, _plain(found["message"]), place=pointer(found["path"] or "$")) from None
    except msgspec.DecodeError as problem:
        raise CourtesyError(Code.UNREADABLE, f"expected a mail as JSON: {problem}") from None
    except RecursionError:
        raise CourtesyError(Code.INVALID, f"blocks are nested at most {DEPTH_MAX} deep") from None


def _checked(mail: Mail) -> Mail:
    check_nesting(mail.blocks, "/blocks")
    return mail


def pointer(path: str) -> str:
    """A path of msgspec (`$.blocks[0].text`) as a JSON pointer (`/blocks/0/text`)."""
    return re.sub(r"\[(\d+|\.\.\.)\]", r"/\1", path.removeprefix("$")).replace(".", "/").replace("///", "/…")


def _plain(message: str) -> str:
    """What msgspec says, in plain words."""
    for pattern, words in (
        (r"Object missing required field `(.*)`", r"the field '\1' is missing"),
        (r"Object contains unknown field `(.*)`", r"there is no field '\1' here"),
        (r"Invalid value '(.*)'", r"there is no block '\1'"),
        (r"Expected `(.*)`, got `(.*)`", r"expected \1, found \2"),
        (r"Expected `str` matching regex '\^#.*", "expected a colour such as '#1a2b3c'"),
        (r"Expected `str` matching regex '\^\(left.*", "expected 'left', 'center' or 'right'"),
        (r"Expected `str` matching regex '\^\[a-z\].*", "expected a word of small letters, digits and underscores"),
    ):
        message, count = re.subn(f"^{pattern}$", words, message, flags=re.DOTALL)
        if count:
            break
    return message[:1].lower() + message[1:]


def children(block: Block | Branch | Column) -> Iterator[tuple[str, tuple[Block, ...]]]:
    """The lists of blocks within a block, with their pointers from it."""
    match block:
        case Condition(branches=branches, otherwise=otherwise):
            yield from ((f"/branches/{n}/blocks", each.blocks) for n, each in enumerate(branches))
            yield "/otherwise", otherwise
        case Loop(blocks=blocks, otherwise=otherwise) | Placement(blocks=blocks, otherwise=otherwise):
            yield "/blocks", blocks
            yield "/otherwise", otherwise
        case Section(blocks=blocks):
            yield "/blocks", blocks
        case Columns(columns=columns):
            yield from ((f"/columns/{n}/blocks", each.blocks) for n, each in enumerate(columns))
        case _:
            pass


def walk(blocks: tuple[Block, ...], place: str) -> Iterator[tuple[str, Block]]:
    """Every block with its JSON pointer, in the order in which they are read."""
    for n, block in enumerate(blocks):
        yield f"{place}/{n}", block
        for below, inside in children(block):
            yield from walk(inside, f"{place}/{n}{below}")


def check_nesting(blocks: tuple[Block, ...], place: str) -> None:
    """Raises CourtesyError(INVALID) for sections within columns or sections, for too many blocks, or too deep ones."""
    if sum(1 for _ in walk(blocks, place)) > BLOCKS_MAX:
        raise CourtesyError(Code.INVALID, f"a mail has at most {BLOCKS_MAX:,} blocks", place=place)
    _check_within(blocks, place, within="", depth=0)


def _check_within(blocks: tuple[Block, ...], place: str, within: str, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise CourtesyError(Code.INVALID, f"blocks are nested at most {DEPTH_MAX} deep", place=place)
    for n, block in enumerate(blocks):
        wide = isinstance(block, Section | Columns)
        if wide and within:
            message = f"{_name(block)} can't stand in a {within}"
            raise CourtesyError(Code.INVALID, message, place=f"{place}/{n}", hint="put it beside")
        inside = ("section" if isinstance(block, Section) else "column") if wide else within
        for below, more in children(block):
            _check_within(more, f"{place}/{n}{below}", inside, depth + 1)


def _name(block: Block) -> str:
    return "a section" if isinstance(block, Section) else "columns"


def is_wide(block: Block) -> bool:
    """Whether a block is as wide as the mail, so that it can't stand in a section: a section, columns, or what has one
    within it."""
    return any(isinstance(each, Section | Columns) for _, each in walk((block,), ""))
