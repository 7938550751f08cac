"""A choice with all that is known of how it came, for whoever has to show it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.terms import CONSENT_BASES
from courtesy.event.choice import Action, Basis, Choice

UUID_PARTS = (8, 12, 16, 20)


@dataclass(frozen=True, slots=True)
class Told:
    """One entry of the ledger, opened. `recorded_ms`: when it came in (UTC); `source` and `message`: from where, and in
    which message. `index`: its place in the ledger, by which its proof is found. `retracted_ms`: since when it counts
    no more because what told it was taken back, None while it counts."""

    id: str
    index: int
    recorded_ms: int
    source: str
    message: str
    choice: Choice
    retracted_ms: int | None = None

    @property
    def order(self) -> tuple[int, str]:
        """As choices are ordered: by when they begin, then by id."""
        return self.choice.held_from, self.id


def refuses(choice: Choice) -> bool:
    """Whether it says no."""
    return choice.action in (Action.WITHDRAW, Action.OBJECT) or (
        choice.action is Action.SIGNAL and choice.value is False
    )


def gives_consent(choice: Choice) -> bool:
    """Whether it allows, and what it allows rests on consent."""
    return choice.action is Action.GRANT and (choice.basis or Basis.CONSENT) in CONSENT_BASES


def is_about_consent(choice: Choice) -> bool:
    """Whether records and receipts of consent are made of it: it gives, refuses or ends consent. Likes, wishes and
    what rests on a contract, a law or an interest are not."""
    return gives_consent(choice) or refuses(choice) or choice.action is Action.EXPIRE


def corrections(told: Iterable[Told]) -> dict[str, int]:
    """Which choices count as never made, by id, with the instant (ms UTC) since when: they were corrected, or what told
    them was taken back."""
    found: dict[str, int] = {}
    for each in told:
        if each.choice.action is Action.CORRECT and each.choice.corrects is not None and each.retracted_ms is None:
            _note(found, each.choice.corrects, each.recorded_ms)
        if each.retracted_ms is not None:
            _note(found, each.id, each.retracted_ms)
    return found


def _note(found: dict[str, int], told: str, at_ms: int) -> None:
    found[told] = min(at_ms, found.get(told, at_ms))


def find(told: Sequence[Told], wanted: str) -> Told:
    """The choice with an id, which may be written like a UUID. Raises CourtesyError(NOT_FOUND), also for a choice that
    is not about consent."""
    bare = wanted.replace("-", "").lower()
    found = next((each for each in told if each.id == bare), None)
    if found is None:
        raise CourtesyError(
            Code.NOT_FOUND, f"this person made no choice with the id {wanted!r:.60}", hint="`…/choices` lists them"
        )
    if not is_about_consent(found.choice):
        basis = "" if found.choice.basis is None else f" on the basis {found.choice.basis}"
        raise CourtesyError(
            Code.NOT_FOUND,
            f"there is no receipt of consent for a {found.choice.action}{basis}, which is not about consent",
            hint="consent-records?format=csv lists every choice",
        )
    return found


def uuid_of(digits: str) -> str:
    """32 hexadecimal digits, written like a UUID."""
    cuts = (0, *UUID_PARTS, len(digits))
    return "-".join(digits[start:end] for start, end in pairwise(cuts))
