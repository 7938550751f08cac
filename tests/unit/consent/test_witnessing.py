"""What a witness signs and what it refuses, and what a log takes for a signature."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from courtesy.base.errors import Code, CourtesyError
from courtesy.consent.checkpoint import Checkpoint, KeyKind, Note, cosign
from courtesy.consent.tree import consistency_ranges, proof
from courtesy.consent.witnessing import (
    STEPS_MAX,
    Refusal,
    Submission,
    cosigned,
    has_signed,
    read_size,
    read_submission,
    refusal_of,
    with_signatures,
)
from tests.unit.consent.ledger import LOG, WITNESS, Ledger, history, party, verify

OTHER = party("other.example/w", 3, KeyKind.COSIGNATURE)
AT_S = 1_790_000_000


def submission(ledger: Ledger, old: int, size: int) -> Submission:
    """What the log sends of its first so many entries."""
    path = proof(consistency_ranges(old, size), ledger) if old <= size else []
    return Submission(old, tuple(path), ledger.sign(size=size))


def judged(given: Submission, known: Checkpoint | None) -> Refusal | None:
    """By a witness of one log."""
    return refusal_of(given, [LOG.key], known, verify)


@given(st.integers(0, 40), st.integers(0, 40))
def test_what_continues_the_last_is_signed(one: int, other: int) -> None:
    """Also the first of all, the same again, and of an empty log."""
    old, size = sorted((one, other))
    ledger = history(40)
    known = ledger.sign(size=old).checkpoint if old else None
    assert judged(submission(ledger, old, size), known) is None


@given(st.integers(1, 30), st.integers(1, 30))
def test_of_two_histories_one_is_signed(known_size: int, size: int) -> None:
    """Whatever the sizes of both, and whatever size the log says that the witness knows."""
    mine, other = history(30, seed=1), history(30, seed=2)
    known = mine.sign(size=known_size).checkpoint
    refusals = {judged(submission(other, old, size), known) for old in range(size + 1)}
    assert None not in refusals


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({"note": Note(Checkpoint("else.example", 8, bytes(32), 1), ())}, Refusal.UNKNOWN_LOG),
        ({"note": structs.replace(history(8).sign(), signatures=())}, Refusal.NOT_SIGNED),
        ({"note": Note(history(8).sign().checkpoint, history(9).sign().signatures)}, Refusal.NOT_SIGNED),
        ({"old_size": 9}, Refusal.BACKWARDS),
        ({"old_size": 4}, Refusal.CONFLICT),
        ({"path": ()}, Refusal.INCONSISTENT),
        ({"path": (bytes(32),) * 3}, Refusal.INCONSISTENT),
    ],
)
def test_everything_else_is_refused_with_its_reason(changed: dict[str, object], refusal: Refusal) -> None:
    """In the order of the specification, so that a log knows what to do about it."""
    ledger = history(8)
    known = ledger.sign(size=5).checkpoint
    right = submission(ledger, 5, 8)
    assert judged(right, known) is None
    assert judged(structs.replace(right, **changed), known) is refusal


def test_a_submission_is_read_as_it_was_written() -> None:
    """With a proof and without."""
    for old in (0, 3, 8):
        sent = submission(history(8), old, 8)
        assert read_submission(sent.text()) == sent


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("old 5", "old 05"),
        lambda text: text.replace("old 5", "old 5 "),
        lambda text: text.replace("old", "new"),
        lambda text: text.replace("\n\n", "\n", 1),
        lambda text: text[:-1],
        lambda text: "",
        lambda text: text.replace("old 5\n", "old 5\nAAAA\n"),
        lambda text: text.replace("old 5\n", "old 5\n" + (b64encode(bytes(32)).decode() + "\n") * (STEPS_MAX + 1)),
    ],
)
def test_what_is_no_submission_is_refused(change: Callable[[str], str]) -> None:
    """Whatever was cut, added or written otherwise."""
    with pytest.raises(CourtesyError) as raised:
        read_submission(change(submission(history(8), 5, 8).text()))
    assert raised.value.code is Code.UNREADABLE


def test_the_signature_of_a_witness_is_kept_once_and_others_are_not() -> None:
    """The answer may have more in it; what the witness did not sign is no signature."""
    note = history(8).sign()
    ours, theirs = (cosign(note.checkpoint, each.key, each.private.sign, AT_S) for each in (WITNESS, OTHER))
    signed = cosigned(note, theirs.line() + ours.line(), WITNESS.key, verify)
    assert signed.signatures == (*note.signatures, ours)
    assert (has_signed(signed, WITNESS.key), has_signed(signed, OTHER.key)) == (True, False)
    assert with_signatures(signed, [ours]) == signed
    forged = structs.replace(theirs, name=WITNESS.key.name, key_id=WITNESS.key.id())
    for answer in (theirs.line(), forged.line(), "", "no\n", ours.line()[:-1]):
        with pytest.raises(CourtesyError):
            cosigned(note, answer, WITNESS.key, verify)


def test_a_conflict_says_a_size_and_nothing_else() -> None:
    """A number and the end of its line."""
    assert [read_size(text) for text in ("17\n", "0\n", "17", "017\n", "-1\n", "x\n")] == [17, 0, *[None] * 4]
