"""What held at any instant, by what was known at any other: random histories against a replay without bounds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.base.ids import Partition, PersonId, Position, SourceId
from courtesy.consent.standing import State, verdict
from courtesy.engine.ledger import Entry
from courtesy.event.choice import ANY, Action, Basis, Choice, Scope
from courtesy.runtime.ledger import Content, Read, standing_of

LAST = 60
ANN, DEVICE, BOTH = (PersonId(1),), (PersonId(2),), (PersonId(1), PersonId(2))
SCOPES = [Scope("marketing", "email"), Scope("marketing", "email", "hats"), Scope("marketing"), Scope(ANY)]
QUESTIONS = [Scope("marketing", "email", "hats"), Scope("marketing", "email", "shoes"), Scope("sale", "email", "hats")]
ACTIONS = [Action.GRANT, Action.GRANT, Action.WITHDRAW, Action.OBJECT, Action.EXPIRE, Action.CORRECT]


def _read(index: int, known: int, choice: Choice, told_as: tuple[PersonId, ...], retracts: int | None) -> Read:
    entry = Entry(index, Partition(0), index, known, b"", b"", b"", told_as[0], Position(index + 1))
    return Read(entry, Content(f"{index:032x}", SourceId(1), "m", known, known, choice, told_as, retracts))


@st.composite
def histories(draw: st.DrawFn) -> list[Read]:
    """Entries as they came in: of the past or of the future, with an end or without, corrected and taken back."""
    known, made = 0, list[Read]()
    for index in range(draw(st.integers(0, 45))):
        known += draw(st.integers(0, 2))
        action = draw(st.sampled_from(ACTIONS))
        begins = max(0, known - draw(st.sampled_from([0, 0, 0, 3, 20, -15])))
        ends = draw(st.sampled_from([None, None, None, begins + 7]))
        corrects = f"{draw(st.integers(0, 45)):032x}" if action is Action.CORRECT else None
        scope = draw(st.sampled_from(SCOPES))
        choice = Choice(action, *scope, held_from=begins, held_to=ends, corrects=corrects)
        retracts = draw(st.integers(0, index - 1)) if index and draw(st.integers(0, 15)) == 0 else None
        made.append(_read(index, known, choice, draw(st.sampled_from([ANN, DEVICE, BOTH])), retracts))
    return made


def replayed(read: list[Read], question: Scope, at: int) -> State:
    """All that counts, one after the other in the order in which it began; of one instant the refusals last."""
    told = [each.content for each in read if each.content is not None]
    retracted = {each.retracts for each in told}
    left = [each for number, each in enumerate(told) if each.retracts is None and number not in retracted]
    voids = {each.choice.corrects for each in left if each.choice.action is Action.CORRECT}
    order = {Action.GRANT: 0, Action.EXPIRE: 1, Action.WITHDRAW: 2, Action.OBJECT: 2}
    counting = [
        each
        for each in left
        if each.choice.action in order and each.id not in voids and each.choice.held_from <= at
        if question.is_within(each.choice.scope)
    ]
    allowed: list[Content] = []
    refused: list[Content] = []
    for each in sorted(counting, key=lambda one: (one.choice.held_from, order[one.choice.action])):
        choice = each.choice
        has_ended = choice.held_to is not None and choice.held_to <= at
        if choice.action is Action.EXPIRE:
            allowed = [one for one in allowed if not one.choice.scope.is_within(choice.scope)]
        elif choice.action is Action.GRANT and not has_ended:
            allowed.append(each)
        elif not has_ended:
            refused.append(each)
    open_ = [no for no in refused if not any(_takes_back(yes, no) for yes in allowed)]
    return State.REFUSED if open_ else State.GRANTED if allowed else State.UNKNOWN


def _takes_back(yes: Content, no: Content) -> bool:
    return (
        yes.choice.held_from > no.choice.held_from
        and yes.choice.scope.is_within(no.choice.scope)
        and not set(yes.known_as).isdisjoint(no.known_as)
    )


@settings(max_examples=150)
@given(histories(), st.integers(0, LAST), st.integers(0, LAST + 90))
def test_what_held_then_by_what_was_known_then_is_what_a_replay_says(read: list[Read], at: int, known: int) -> None:
    """However often somebody changed their mind before and after, and whoever of those who became one it was."""
    seen = [each for each in read if each.entry.recorded_ms <= known]
    standing = standing_of(seen, at)
    for question in QUESTIONS:
        found = verdict(standing, question, at, frozenset(Basis), {})
        assert found.state is replayed(seen, question, at), question
