"""The text of a block, written once and shown twice: as HTML and as plain text.

`**bold**`, `*italic*`, `[label](address)`, lists of lines that begin with `- ` or `1. `, and an empty line between
paragraphs. A backslash before a sign takes its meaning away. Tags of templates stay as they are.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

from courtesy.content.marks import Marks

_INLINE = re.compile(
    r"""\\(?P<plain>[\\*\[\]()_-])
    | \*\*(?P<bold>(?:[^*\\]|\\.|\*(?!\*))+?)\*\*
    | \*(?P<italic>(?:[^*\\\s]|\\.)(?:[^*\\]|\\.)*?)\*
    | \[(?P<label>(?:[^\[\]\\]|\\.)+)\]\((?P<address>[^()\s]+)\)""",
    re.VERBOSE | re.DOTALL,
)
_BULLET = re.compile(r"[-*•][ \t]+")
_NUMBER = re.compile(r"[0-9]{1,3}[.)][ \t]+")


def as_html(text: str, marks: Marks) -> str:
    """HTML of paragraphs and lists, template tags marked."""
    return "".join(_html_block(lines, marks) for lines in _blocks(marks.mask(text)))


def as_html_line(text: str, marks: Marks) -> str:
    """HTML of one line, as in a heading or button."""
    return _html_inline(marks.mask(" ".join(text.split("\n"))), marks)


def as_text(text: str) -> str:
    """The same as plain text: links with their address, lists by their signs. Template tags stay."""
    marks = Marks()
    return marks.back("\n\n".join(_text_block(lines, marks) for lines in _blocks(marks.mask(text))))


def links_of(text: str) -> list[str]:
    """The addresses that a text links to, tags and all."""
    marks = Marks()
    return [marks.back(found["address"]) for found in _INLINE.finditer(marks.mask(text)) if found["address"]]


def _blocks(text: str) -> Iterator[list[str]]:
    """Paragraphs and lists as their lines."""
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").strip("\n")):
        lines: list[str] = []
        for line in block.split("\n"):
            if lines and bool(_item_sign(line)) != bool(_item_sign(lines[0])):
                yield lines
                lines = []
            lines.append(line.strip())
        if any(lines):
            yield lines


def _item_sign(line: str) -> re.Match[str] | None:
    return _BULLET.match(line.strip()) or _NUMBER.match(line.strip())


def _html_block(lines: list[str], marks: Marks) -> str:
    if not _item_sign(lines[0]):
        return f"<p>{'<br/>'.join(_html_inline(line, marks) for line in lines)}</p>"
    kind = "ul" if _BULLET.match(lines[0]) else "ol"
    items = "".join(f"<li>{_html_inline(_without_sign(line), marks)}</li>" for line in lines)
    return f"<{kind}>{items}</{kind}>"


def _without_sign(line: str) -> str:
    sign = _item_sign(line)
    return line if sign is None else line[sign.end() :]


def _html_inline(text: str, marks: Marks) -> str:
    def written(found: re.Match[str]) -> str:
        if found["plain"] is not None:
            return html.escape(found["plain"])
        if found["bold"] is not None:
            return f"<strong>{_html_inline(found['bold'], marks)}</strong>"
        if found["italic"] is not None:
            return f"<em>{_html_inline(found['italic'], marks)}</em>"
        address = marks.attribute(marks.back(found["address"]))
        return f'<a href="{address}">{_html_inline(found["label"], marks)}</a>'

    return _replaced(text, written, lambda plain: html.escape(plain, quote=False))


def _replaced(text: str, written: Callable[[re.Match[str]], str], between: Callable[[str], str]) -> str:
    parts: list[str] = []
    start = 0
    for found in _INLINE.finditer(text):
        parts += [between(text[start : found.start()]), written(found)]
        start = found.end()
    return "".join([*parts, between(text[start:])])


def _text_block(lines: list[str], marks: Marks) -> str:
    return "\n".join(_text_inline(line, marks) for line in lines)


def _text_inline(text: str, marks: Marks) -> str:
    def written(found: re.Match[str]) -> str:
        if found["plain"] is not None:
            return found["plain"]
        if found["bold"] is not None or found["italic"] is not None:
            return _text_inline(found["bold"] or found["italic"], marks)
        label, address = _text_inline(found["label"], marks), found["address"]
        return address if label == address else f"{label}: {address}"

    return _replaced(text, written, str)
