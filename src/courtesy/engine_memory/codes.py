"""Codes that people are sent, in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from courtesy.base.ids import PersonId
from courtesy.engine.code import NewCode, Rate, Tried


@dataclass(slots=True)
class _Kept:
    code: NewCode
    tries: int = 0
    is_used: bool = False


class Codes:
    """The codes of a store, in the order in which they were made."""

    def __init__(self) -> None:
        self._kept: list[_Kept] = []

    def add(self, code: NewCode, people: Collection[PersonId], rates: Sequence[Rate]) -> bool:
        """As `CodeStore.add_code`."""
        oldest = code.made_ms - max(each.within_ms for each in rates)
        self._kept = [each for each in self._kept if each.code.made_ms > oldest]
        made = [each.code.made_ms for each in self._kept if each.code.person in people]
        if any(sum(at > code.made_ms - rate.within_ms for at in made) >= rate.most for rate in rates):
            return False
        self._kept.append(_Kept(code))
        return True

    def try_(self, people: Collection[PersonId], about: bytes, digest: bytes, after_ms: int, tries_max: int) -> Tried:
        """As `CodeStore.try_code`."""
        own = [each for each in self._kept if each.code.person in people and each.code.about == about]
        if not own or own[-1].is_used or own[-1].tries >= tries_max or own[-1].code.made_ms <= after_ms:
            return Tried.OVER
        own[-1].tries += 1
        own[-1].is_used = own[-1].code.digest == digest
        return Tried.RIGHT if own[-1].is_used else Tried.WRONG

    def forget(self, people: Collection[PersonId]) -> None:
        """Forget those of erased people."""
        self._kept = [each for each in self._kept if each.code.person not in people]
