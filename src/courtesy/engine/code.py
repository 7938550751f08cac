"""What a store keeps of codes that people are sent, so that every process counts the same ones.

Of a code only a keyed hash is kept, and the key lies elsewhere. Codes are gone with the person who is erased, and by
themselves once nothing is counted by them any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from courtesy.base.ids import PersonId


class NewCode(NamedTuple):
    """A code for one person. `about`: what it is for; `digest`: the keyed hash of what is to be entered. Both have 32
    bytes. `made_ms`: ms UTC."""

    person: PersonId
    about: bytes
    digest: bytes
    made_ms: int


class Rate(NamedTuple):
    """At most so many codes within so many ms."""

    most: int
    within_ms: int


class Tried(StrEnum):
    """What became of something that was entered. OVER: there is no code to try; it was used, tried too often, or is too
    old, or there never was one."""

    RIGHT = "right"
    WRONG = "wrong"
    OVER = "over"


class CodeStore(Protocol):
    """The codes of a store."""

    async def add_code(self, code: NewCode, people: Collection[PersonId], rates: Sequence[Rate]) -> bool:
        """Keep a code, unless these people, of whom its own is one, were made as many as one of the rates allows;
        whether it is kept. Codes older than the longest of the rates are forgotten, of everybody."""
        ...

    async def try_code(
        self, people: Collection[PersonId], about: bytes, digest: bytes, after_ms: int, tries_max: int
    ) -> Tried:
        """Try something against the latest code about this of these people, if that was made after an instant, is not
        used, and was tried less than `tries_max` times. It counts as a try; the right one uses the code up.

        Of several who enter the right one at once, one is told so.
        """
        ...
