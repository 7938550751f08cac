"""Hearing: which choices there are in what a call says along with everything else, and which of them are news.

A page sends what its visitor allows with every call. The ledger gets an entry when that differs from what the same
source said of the same person by the same means before; not when it differs from what they chose elsewhere since, for a
page knows nothing of that and goes on saying what it said. Only a choice that was made again, later, counts against
what was chosen in between. What a browser signals by itself is recorded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from msgspec.structs import replace

from courtesy.base.errors import CourtesyError
from courtesy.base.ids import SourceId
from courtesy.base.time import DAY_MS
from courtesy.consent.bits import invalid
from courtesy.consent.gpp import Gpp, decode_gpp
from courtesy.consent.signals import Action as SaidAction
from courtesy.consent.signals import Said, said_by_gpc, said_by_gpp, said_by_tcf
from courtesy.consent.tcf import CanadianTcString, TcString, decode_tcf
from courtesy.event.choice import Action, Basis, Choice, Evidence, Scope
from courtesy.event.hearsay import ConsentString, Hearsay, StringForm

CATEGORY_METHOD, TCF_METHOD, GPP_METHOD, GPC_METHOD = "context.consent", "TCF 2.3", "GPP", "Sec-GPC"

STRINGS_REMEMBERED = 2_048

_ACTIONS = {
    SaidAction.GRANT: Action.GRANT,
    SaidAction.WITHDRAW: Action.WITHDRAW,
    SaidAction.OBJECT: Action.OBJECT,
}


class Candidate(NamedTuple):
    """A choice that may be news. It was made between its `held_from` and `latest` (ms UTC), both included; `again`:
    each time that it is said anew it was made anew."""

    choice: Choice
    latest: int
    again: bool


class Known(NamedTuple):
    """A choice that is in the ledger and counts, and who told it."""

    source: SourceId
    choice: Choice


class _Part(NamedTuple):
    """What a consent string says for one framework, and when it was last changed (ms UTC; None: it does not tell)."""

    said: tuple[Said, ...]
    updated_ms: int | None


def problem_of(string: ConsentString) -> str:
    """What is wrong with a consent string; empty for one that can be read."""
    try:
        _parts(string.form, string.text, string.vendor)
    except CourtesyError as error:
        return f"{string.place}: {error.message}"
    return ""


def is_for_others(string: ConsentString) -> bool:
    """Whether a consent string that can be read tells nothing to the one for whom it is read, as TC strings do without
    a vendor and a segment of the publisher's."""
    parts = _parts(string.form, string.text, string.vendor)
    return all(part.updated_ms is not None and not part.said for part in parts)


def candidates_of(heard: Hearsay, at_ms: int) -> Iterator[Candidate]:
    """All choices in what was said at an instant. Its strings are ones that can be read."""
    for purpose, is_allowed in heard.categories:
        action, basis = (Action.GRANT, Basis.CONSENT) if is_allowed else (Action.WITHDRAW, None)
        choice = Choice(action, purpose, held_from=at_ms, basis=basis, method=CATEGORY_METHOD)
        yield Candidate(choice, at_ms, heard.on_purpose)
    for string in heard.strings:
        yield from _candidates_in(string, at_ms)
    if heard.gpc:
        for each in said_by_gpc("1"):
            signal = Choice(Action.SIGNAL, each.purpose, jurisdiction=each.jurisdiction, held_from=at_ms, value=False)
            yield Candidate(replace(signal, method=GPC_METHOD), at_ms, again=False)


def _candidates_in(string: ConsentString, at_ms: int) -> Iterator[Candidate]:
    method = TCF_METHOD if string.form is StringForm.TCF else GPP_METHOD
    evidence = Evidence(signal=sha256(string.text.encode()).hexdigest())
    for part in _parts(string.form, string.text, string.vendor):
        first, latest = _span(part.updated_ms, at_ms)
        for said in part.said:
            choice = Choice(
                _ACTIONS[said.action],
                said.purpose,
                channel=said.channel,
                jurisdiction=said.jurisdiction,
                held_from=first,
                basis=Basis.CONSENT if said.action is SaidAction.GRANT else None,
                method=method,
                evidence=evidence,
            )
            yield Candidate(choice, latest, again=part.updated_ms is not None)


def _span(updated_ms: int | None, at_ms: int) -> tuple[int, int]:
    """Between which instants the choices of a string were made that was sent at an instant. Since TCF 2.2 strings tell
    the day of their last change and not the time."""
    if updated_ms is None or updated_ms > at_ms:
        return at_ms, at_ms
    return updated_ms, updated_ms if updated_ms % DAY_MS else min(at_ms, updated_ms + DAY_MS - 1)


@lru_cache(maxsize=STRINGS_REMEMBERED)
def _parts(form: StringForm, text: str, vendor: int | None) -> tuple[_Part, ...]:
    """What a string says. Raises CourtesyError(INVALID). The same comes again with each call of a visitor."""
    if not text.isascii():
        raise invalid("expected letters, digits and -_.~ alone", "consent string")
    if form is StringForm.TCF:
        if text[:1] != "C":
            raise invalid(f"expected a TC string of version 2, which begins with C, got {text[:1]!r}", "consent string")
        tc = decode_tcf(text)
        return (_Part(tuple(said_by_tcf(tc, vendor)), tc.updated_ms),)
    return tuple(
        _Part(
            tuple(said_by_gpp(Gpp((section,)), vendor)),
            section.updated_ms if isinstance(section, TcString | CanadianTcString) else None,
        )
        for section in decode_gpp(text).sections
    )


def news(candidates: Iterable[Candidate], source: SourceId, known: Sequence[Known]) -> list[Choice]:
    """The choices that are news to somebody of whom these are known, held from when they were made.

    A refusal holds from the latest instant at which it can have been made, so that nothing that was allowed before it
    stands; an allowance from the earliest, unless the same source told of a refusal meanwhile, which it takes back.
    """
    found: list[Choice] = []
    for candidate in candidates:
        settled = _settled(candidate, source, known)
        if _is_news(settled, candidate.again, source, known):
            found.append(settled)
    return found


def _settled(candidate: Candidate, source: SourceId, known: Iterable[Known]) -> Choice:
    choice, latest, _ = candidate
    if choice.held_from == latest:
        return choice
    is_late = choice.action is not Action.GRANT or any(
        each.choice.action is Action.WITHDRAW and choice.held_from <= each.choice.held_from < latest
        for each in _own(choice, source, known)
    )
    return replace(choice, held_from=latest) if is_late else choice


def _is_news(choice: Choice, again: bool, source: SourceId, known: Sequence[Known]) -> bool:
    if choice.action is Action.SIGNAL:
        return not any(
            each.choice.action is Action.SIGNAL and each.choice.value is False and each.choice.scope == choice.scope
            for each in known
        )
    own = [each.choice for each in _own(choice, source, known)]
    if any(each.action is choice.action and _is_same_act(each, choice) for each in own):
        return False
    before = max((each for each in own if each.held_from <= choice.held_from), key=_order, default=None)
    if before is None or before.action is not choice.action:
        return True
    return again and any(
        before.held_from < each.choice.held_from <= choice.held_from and _is_against(each.choice, choice)
        for each in known
    )


def _is_same_act(known: Choice, choice: Choice) -> bool:
    """Whether it was told before: at the same instant, or by the same string."""
    return known.held_from == choice.held_from or (known.evidence is not None and known.evidence == choice.evidence)


def _own(choice: Choice, source: SourceId, known: Iterable[Known]) -> Iterator[Known]:
    """What the same source told before by the same means about the same. An objection is about an interest, the others
    about consent."""
    is_objection = choice.action is Action.OBJECT
    return (
        each
        for each in known
        if each.source == source
        and each.choice.method == choice.method
        and each.choice.scope == choice.scope
        and (each.choice.action is Action.OBJECT) is is_objection
    )


def _order(choice: Choice) -> tuple[int, bool]:
    return choice.held_from, choice.action is not Action.GRANT


def _is_against(other: Choice, choice: Choice) -> bool:
    """Whether one says the contrary of another about the same or a part of it."""
    refuses = other.action in (Action.WITHDRAW, Action.OBJECT)
    if not refuses and other.action is not Action.GRANT:
        return False
    return refuses is (choice.action is Action.GRANT) and _overlap(other.scope, choice.scope)


def _overlap(one: Scope, other: Scope) -> bool:
    return one.is_within(other) or other.is_within(one)
