"""What is wrong with a rejected event, without its values: events with one signature want one fix."""

from __future__ import annotations

import re

from courtesy.event.cause import Cause

SIGNATURE_CHARS_MAX = 120

_GOT = ", got "
_PATH = re.compile(r"\$(?:\.[\w.\-]+|\[\.\.\.\]|\[\d+\])*")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"")
_DIGITS = re.compile(r"\d+")
_LETTERS = re.compile(r"[^\W\d_]+")
_CLAIM = re.compile(r"(\w+)=")


def signature_of(cause: Cause, detail: str) -> str:
    """Where and what is wrong, in at most 120 characters, the same for all events that are wrong in the same way.

    Of what came only the kind is told: the kinds of identifiers, the shape of a date (`00/00/0000`), the kind of value
    in place of an object. Nobody is named by it.
    """
    expected, _, came = detail.partition(_GOT)
    if cause is Cause.TIME_UNREADABLE:
        told = f"{_path_in(expected)} {_shape(came)}"
    elif cause is Cause.NOT_AN_OBJECT:
        told = f"{_path_in(expected)} {_kind(came)}"
    elif cause is Cause.WRONG_TYPE:
        told = f"{_path_in(detail)} {came.partition(' - at ')[0] if came.startswith('`') else ''}"
    elif cause is Cause.NO_IDENTIFIER:
        told = ", ".join(dict.fromkeys(_CLAIM.findall(_QUOTED.sub("", came)))) or "none"
    elif cause is Cause.UNSTORABLE:
        told = detail.partition(":")[0]
    else:
        told = _DIGITS.sub("#", _QUOTED.sub("…", expected))
    return " ".join(told.split())[:SIGNATURE_CHARS_MAX]


def _path_in(text: str) -> str:
    found = _PATH.search(text)
    return found[0] if found else ""


def _shape(came: str) -> str:
    """A value with each digit as 0 and each word as `a`; numbers of a length are one shape."""
    return _LETTERS.sub("a", _DIGITS.sub(lambda found: "0" * len(found[0]), came))[:40]


def _kind(came: str) -> str:
    first = came[:1]
    if first == '"':
        return "text with JSON" if came[1:].lstrip()[:1] in ("{", "[") else "text"
    return {"[": "a list", "t": "true", "f": "false"}.get(first, "a number")
