"""Template tags taken out of a text and put back, so that what reads HTML or MJML in between can't hurt them.

A mark is a number between brackets that printable text hardly has; text that has them is marked itself.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

OPEN, CLOSE = "⟦", "⟧"
_MARK = re.compile(f"{OPEN}([0-9]+){CLOSE}")
_COMMENT = re.compile(f"<!--{OPEN}([0-9]+){CLOSE}-->")
_TAG = re.compile(
    r"""\{\{(?:[^"'}]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\}(?!\}))*\}\}"""
    r"""|\{%(?:[^"'%]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|%(?!\}))*%\}"""
    r"|\{\#.*?\#\}",
    re.DOTALL,
)
_BEGIN = re.compile(f"{{{{|{{%|{{#|[{OPEN}{CLOSE}]")
_BRACKET = re.compile(f"[{OPEN}{CLOSE}]")
UNCLOSED_MAX = 100
"""Tags that are never closed, after which no more are looked for: each takes a look at the whole rest. The compiler
refuses such a template anyway."""


class Marks:
    """What was taken out of one text, by number."""

    def __init__(self) -> None:
        self._kept: list[str] = []

    def mark(self, text: str) -> str:
        """A mark for a text."""
        self._kept.append(text)
        return f"{OPEN}{len(self._kept) - 1}{CLOSE}"

    def attribute(self, text: str) -> str:
        """A mark for the value of an attribute: escaped, but for its tags."""
        parts = (each if special else html.escape(each) for each, special in _cut(text))
        return self.mark("".join(parts))

    def mask(self, text: str) -> str:
        """A text with marks for its tags, and for brackets of its own."""
        return "".join(each if not special else self.mark(each) for each, special in _cut(text))

    def back(self, text: str) -> str:
        """A text with everything in its place again."""
        text = _COMMENT.sub(lambda found: self._at(found[1]), text)
        return _MARK.sub(lambda found: self._at(found[1]), text)

    def _at(self, number: str) -> str:
        return self._kept[int(number)]


def _cut(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a text, and whether each is a tag or a bracket."""
    start, position, unclosed = 0, 0, 0
    while (begin := _BEGIN.search(text, position)) and unclosed < UNCLOSED_MAX:
        found = _TAG.match(text, begin.start()) or _BRACKET.match(text, begin.start())
        if found is None:
            unclosed += 1
            position = begin.end()
            continue
        if found.start() > start:
            yield text[start : found.start()], False
        yield found[0], True
        start = position = found.end()
    if start < len(text):
        yield text[start:], False
