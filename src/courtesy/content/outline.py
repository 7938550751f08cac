"""The texts of a mail one below the other, as one template that decides and repeats as the mail does.

What is wrong with a name is found in it, and told by the JSON pointer of the block that says it: the compiled HTML is
one long line that nobody wrote.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from courtesy.content import blocks as of
from courtesy.content.blocks import Block, Mail
from courtesy.content.language.tree import Place
from courtesy.content.mail import FragmentBlocks, statements

TEXTS = ("text", "alt", "html", "link", "src", "unsubscribe", "preferences")
"""The fields of blocks that are templates, in the order in which they are told."""

_PLACE = re.compile(r"line (\d+), column (\d+)$")


@dataclass(frozen=True, slots=True)
class Outline:
    """`source` as a template. Its text from each line of `starts` on stands at the pointer of the same number."""

    source: str
    starts: tuple[int, ...]
    pointers: tuple[str, ...]

    def place(self, at: Place) -> str:
        """Where that is in the mail: `/blocks/2/text, line 1, column 7`. What a fragment includes is told by itself."""
        return str(at) if at.source else self._place(at.line, at.column)

    def place_of(self, said: str) -> str:
        """The same for a place that an error tells in words."""
        found = _PLACE.match(said)
        return said if found is None else self._place(int(found[1]), int(found[2]))

    def _place(self, line: int, column: int) -> str:
        number = bisect_right(self.starts, line) - 1
        return f"{self.pointers[number]}, line {line - self.starts[number] + 1}, column {column}"


def outlined(mail: Mail, fragments: FragmentBlocks | None = None) -> Outline:
    """The outline of a mail that compiles, with the blocks of fragments where they are used."""
    writing = _Writing(fragments)
    writing.say("/subject", mail.subject)
    writing.say("/preheader", mail.preheader)
    writing.blocks(mail.blocks, "/blocks")
    return Outline("\n".join(writing.lines), tuple(writing.starts), tuple(writing.pointers))


def texts_of(block: Block) -> Iterator[tuple[str, str]]:
    """What a block says and where it leads, by the field that does."""
    for name in TEXTS:
        text = getattr(block, name, None)
        if isinstance(text, str) and text:
            yield name, text
    if isinstance(block, of.Social):
        yield from ((f"links/{n}/link", each.link) for n, each in enumerate(block.links))


@dataclass(slots=True)
class _Writing:
    fragments: FragmentBlocks | None
    lines: list[str] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    pointers: list[str] = field(default_factory=list)

    def say(self, pointer: str, text: str) -> None:
        self.starts.append(len(self.lines) + 1)
        self.pointers.append(pointer)
        self.lines += text.split("\n")

    def blocks(self, blocks: tuple[Block, ...], place: str, within: str = "") -> None:
        """`within`: the use of a fragment, at which all of it is told."""
        for n, block in enumerate(blocks):
            at = within or f"{place}/{n}"
            match block:
                case of.FragmentUse(name=name):
                    found = None if self.fragments is None else self.fragments(name)
                    if found is not None:
                        self.blocks(found.blocks, "", at)
                case of.Condition() | of.Loop() | of.Placement():
                    self._deciding(block, at, within)
                case _:
                    for name, text in texts_of(block):
                        self.say(within or f"{at}/{name}", text)
                    for below, inside in of.children(block):
                        self.blocks(inside, f"{at}{below}", within)

    def _deciding(self, block: of.Condition | of.Loop | of.Placement, at: str, within: str) -> None:
        below = [each for each, _ in of.children(block)]
        for (statement, inside), under in zip_longest(statements(block), below[: len(statements(block))]):
            self.say(at if under is None else at + ("" if within else under.removesuffix("/blocks")), statement)
            self.blocks(inside, f"{at}{under or ''}", within)
