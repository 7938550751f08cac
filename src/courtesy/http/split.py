"""Cutting broken JSON into its parts, so that one bad item does not condemn its batch.

A JSON decoder gives up on the whole body when one item has, say, a NaN in it, as some clients send. Here only strings
and brackets are looked at, which is enough to tell where an item begins and ends; each is then judged alone.
"""

from __future__ import annotations

import re

# Each branch takes all it can and gives nothing back, so that the time is linear in what is read. A quote that starts
# no string is a token of its own, and ends the cutting.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\],]', re.DOTALL)
_CLOSING = {b"{": b"}", b"[": b"]"}
_NAME = re.compile(rb'\s*"([^"\\]*)"\s*:')


def children(content: bytes) -> list[bytes] | None:
    """The texts between the commas of the outermost array or object.

    None when brackets or quotes don't pair, or when something follows the end.
    """
    parts: list[bytes] = []
    open_: list[bytes] = []
    start = 0
    for token in _TOKEN.finditer(content):
        mark = token[0]
        if mark in _CLOSING:
            open_.append(_CLOSING[mark])
            if len(open_) == 1:
                if content[: token.start()].strip():
                    return None
                start = token.end()
        elif mark in (b"}", b"]"):
            if not open_ or open_.pop() != mark:
                return None
            if not open_:
                parts.append(content[start : token.start()])
                return None if content[token.end() :].strip() else [part for part in parts if part.strip()]
        elif mark == b"," and len(open_) == 1:
            parts.append(content[start : token.start()])
            start = token.end()
        elif mark == b'"':
            return None
    return None


def members(content: bytes) -> dict[str, bytes] | None:
    """The texts of an object's members by name; None as `children`. A member without a plain name is left out."""
    parts = children(content)
    if parts is None:
        return None
    found: dict[str, bytes] = {}
    for part in parts:
        name = _NAME.match(part)
        if name is not None:
            found[name[1].decode("utf-8", "replace")] = part[name.end() :].strip()
    return found
