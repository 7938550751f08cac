"""What must hold of permits and of what left, by all that people said: no message without a basis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from courtesy.base.time import MINUTE_MS
from courtesy.engine.permit import Permit
from tests.sim.basis import Basis, Question
from tests.sim.history import History
from tests.sim.leaving import Issued, Left

if TYPE_CHECKING:
    from tests.sim.checkers import Rest

Found = Iterator[str]


def check_permits(rest: Rest) -> Found:
    """Nobody's permit was issued after they had said otherwise, however it came about; it holds for a minute at most,
    is for whoever has the identifier, and lies there as it was answered. At rest the answer is what they said."""
    basis = Basis(rest.history)
    for issued in rest.history.leaving.issued:
        permit, told = issued.permit, issued.permit.terms
        name = f"permit {permit.number} for {told.message}"
        if permit.person is None or not issued.owner == permit.person == rest.history.root_of(
            permit.person, issued.head
        ):
            yield f"{name} is {permit.person}'s, but {issued.asked.identifier} is {issued.owner}'s"
            continue
        if not 0 < told.expires_ms - told.issued_ms <= MINUTE_MS or issued.now_ms >= told.expires_ms:
            yield f"{name} holds from {told.issued_ms} to {told.expires_ms}, and was issued at {issued.now_ms}"
        question = Question(permit.person, told.scope.purpose, told.scope.channel, issued.head, told.issued_ms)
        ruling = basis.answer(question)
        if not ruling.allowed:
            yield f"{name} was issued at {issued.head} to {permit.person} for {told.scope}: {ruling.why}"
    for probe in rest.probes:
        question = Question(probe.person, probe.purpose, probe.channel, rest.history.head, probe.now_ms)
        ruling = basis.answer(question)
        if ruling.allowed != probe.granted and rest.history.ever_with(probe.person) not in basis.rotten:
            yield f"{question}: permitted is {probe.granted} ({probe.why}), but {ruling.why}"
    kept = {each.number: each for each in rest.permits}
    for permit in rest.history.leaving.answered:
        if permit.number not in kept or not _is_same(permit, kept[permit.number]):
            yield f"permit {permit.number} was answered, but there is {kept.get(permit.number)}"


def _is_same(permit: Permit, kept: Permit) -> bool:
    """Whether a permit is as it was, but for what is forgotten of it."""
    told, now = permit.terms, kept.terms
    return (
        (permit.position, told.scope, told.message, told.message_hash, told.issued_ms, told.expires_ms)
        == (kept.position, now.scope, now.message, now.message_hash, now.issued_ms, now.expires_ms)
        and kept.person in (None, permit.person)
        and now.choices in ((), told.choices)
    )


def check_sends(rest: Rest) -> Found:
    """The audit finds what left without a permit of its own, and nothing else; and each that left once."""
    leaving = rest.history.leaving
    found = {(each.message, each.at_ms) for each in rest.audit.faulty}
    # Who is forgotten between two tellings, or was known by a file alone, is somebody else when they are told again.
    is_whole = not (rest.history.erasures or rest.history.files.change_count or _is_unclear(rest.history))
    if rest.audit.send_count != len(leaving.left) and is_whole:
        yield f"{len(leaving.left)} left, but {rest.audit.send_count} are kept"
    for left in leaving.left:
        is_rightful = _is_rightful(rest, left)
        if is_rightful is None:
            continue
        verdicts = {each.fault for each in left.judged}
        if (verdicts == {None}) != is_rightful or ((left.message, left.at_ms) in found) == is_rightful:
            yield f"{left.message} to {left.key} left {'with' if is_rightful else 'without'} a permit, but: {verdicts}"


def _is_rightful(rest: Rest, left: Left) -> bool | None:
    """Whether a message left on a permit of its own; None when nobody can tell any more, because somebody is forgotten
    or came apart, or when it went to somebody else who was or became the same person."""
    history = rest.history
    own = [each for each in history.leaving.issued if _is_its(each, left)]
    if not own:
        return False
    people = {history.ever_with(each.permit.person) for each in own if each.permit.person is not None}
    touched = {history.ever_with(person) for erasure in history.erasures for person in erasure.people}
    if people & touched or any(map(history.was_taken_from, people)):
        return None
    if any(
        each.permit.person is not None and history.root_of(each.permit.person, left.head) == left.person for each in own
    ):
        # To whom a shared identifier belonged once is told by the instants of a clock.
        return None if _is_unclear(history) or (history.clock_was_set and left.key in history.set_apart) else True
    return None if left.person is not None and history.ever_with(left.person) in people else False


def _is_unclear(history: History) -> bool:
    """Whether people came apart, and by the instants of a clock that was set it can't be told when."""
    return history.clock_was_set and any(each.cut for each in history.repairs)


def _is_its(issued: Issued, left: Left) -> bool:
    told = issued.permit.terms
    return (
        told.message == left.message
        and told.scope.channel == left.channel
        and left.message_hash in (None, told.message_hash)
        and told.issued_ms <= left.at_ms < told.expires_ms
    )


def check_asked_again(rest: Rest) -> Found:
    """Asked again by the ledger as it was then, every permit is borne out."""
    rotten = Basis(rest.history).rotten
    for each in rest.recheck.differences:
        person = each.permit.person
        # By the instants of clocks that were set it can't be told what a repair had moved by then.
        is_told = not (rest.history.clock_was_set and person is not None and rest.history.cut_s(person) is not None)
        if is_told and (person is None or rest.history.ever_with(person) not in rotten):
            yield f"permit {each.permit.number}, on {each.permit.terms.choices}: the ledger says {each.answer}"
