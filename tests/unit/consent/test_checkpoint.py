"""Checkpoints as text, their signatures, and whom to believe."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.consent.checkpoint import (
    Checkpoint,
    KeyKind,
    Note,
    PublicKey,
    Signature,
    check_name,
    notes_text,
    read_key,
    read_note,
    read_notes,
    sign,
    signers,
    trusted,
)
from tests.unit.consent.ledger import LOG, LOG_NAME, WITNESS, Ledger, party, verify

NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), min_size=1)
CHECKPOINTS = st.builds(
    Checkpoint,
    origin=NAMES,
    size=st.integers(0, 10**18),
    root=st.binary(min_size=32, max_size=32),
    time_ms=st.integers(0, 10**15),
)
SIGNATURES = st.builds(
    Signature, name=NAMES, key_id=st.binary(min_size=4, max_size=4), data=st.binary(min_size=64, max_size=72)
)
NOTES = st.builds(Note, CHECKPOINTS, st.lists(SIGNATURES, min_size=1, max_size=3).map(tuple))
SECOND = party("other.example/w", 3)


def _note() -> Note:
    ledger = Ledger()
    ledger.append("yes")
    return ledger.sign(WITNESS)


def test_a_checkpoint_is_a_signed_note_of_c2sp() -> None:
    """Line by line, as other software reads it."""
    note = _note()
    body, _, lines = note.text().partition("\n\n")
    root = note.checkpoint.root
    assert body.split("\n")[:2] == [LOG_NAME, "1"]
    assert b64decode(body.split("\n")[2]) == root
    assert body.split("\n")[3] == f"time_ms {note.checkpoint.time_ms}"
    dash, name, signature = lines.split("\n")[0].split(" ")
    assert (dash, name) == ("—", LOG_NAME)
    assert b64decode(signature)[:4] == LOG.key.id()
    assert verify(LOG.key.public, f"{body}\n".encode(), b64decode(signature)[4:])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        # From the tests of golang.org/x/mod/sumdb/note, and of transparency-dev/formats.
        ("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", KeyKind.TEXT),
        ("TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6", KeyKind.TEXT),
        ("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2", KeyKind.COSIGNATURE),
    ],
)
def test_keys_of_other_software_are_understood(text: str, kind: KeyKind) -> None:
    """Their ids are computed alike."""
    assert (read_key(text).kind, read_key(text).text()) == (kind, text)


@given(st.lists(NOTES, min_size=1, max_size=3))
def test_notes_are_read_as_they_were_written(notes: list[Note]) -> None:
    """One or many."""
    assert read_notes(notes_text(notes)) == notes


@given(NOTES, st.data())
def test_a_note_has_one_text_only(note: Note, data: st.DataObject) -> None:
    """Whatever is altered gives another note or none, so nothing can hide in how it is written."""
    text = note.text()
    place = data.draw(st.integers(0, len(text) - 1))
    other = text[:place] + data.draw(st.characters(codec="utf-8")) + text[place + data.draw(st.integers(0, 1)) :]
    try:
        read = read_note(other)
    except CourtesyError:
        return
    assert (read == note) == (other == text)


@pytest.mark.parametrize("size", ["01", "-1", "+1", "1 ", "", "١"])
def test_a_size_is_written_in_one_way(size: str) -> None:
    """Without leading zeros, signs, blanks, or the digits of other scripts."""
    text = _note().text().replace(f"{LOG_NAME}\n1\n", f"{LOG_NAME}\n{size}\n")
    with pytest.raises(CourtesyError, match="expected origin, size, root"):
        read_note(text)


def test_keys_are_read_as_they_were_written() -> None:
    """Of both kinds; one letter wrong is noticed."""
    for who in (LOG, WITNESS):
        assert read_key(who.key.text()) == who.key
    for text in ("", "a+b", LOG.key.text().replace("shop", "shap"), LOG.key.text()[:-1], LOG.key.text() + "AA=="):
        with pytest.raises(CourtesyError, match="expected an Ed25519 key"):
            read_key(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x00b"])
def test_names_that_could_break_a_note_are_refused(name: str) -> None:
    """No blank of any script, no plus, nothing that can't be seen."""
    with pytest.raises(CourtesyError, match="without blanks"):
        check_name(name)


def test_ordinary_names_are_taken() -> None:
    """Addresses without their scheme, in any script."""
    check_name(LOG_NAME)
    check_name("კაფე.example/ledger")


def test_a_checkpoint_is_trusted_with_the_log_and_enough_witnesses() -> None:
    """M of n: one of two is there, so one is enough and two are not."""
    note, both = _note(), [WITNESS.key, SECOND.key]
    assert trusted(note, LOG.key, verify) == note.checkpoint
    assert trusted(note, LOG.key, verify, witnesses=both, quorum=1) == note.checkpoint
    assert signers(note, both, verify) == {WITNESS.key}
    with pytest.raises(CourtesyError, match=r"2 witnesses, got watch\.example/w"):
        trusted(note, LOG.key, verify, witnesses=both, quorum=2)
    more = Note(note.checkpoint, (*note.signatures, sign(note.checkpoint, SECOND.key, SECOND.private.sign)))
    assert trusted(more, LOG.key, verify, witnesses=both, quorum=2) == note.checkpoint


def test_a_witness_counts_once() -> None:
    """However many keys it has and however often it signed."""
    note = _note()
    twin = party(WITNESS.key.name, 9)
    twice = (*note.signatures, note.signatures[1], sign(note.checkpoint, twin.key, twin.private.sign))
    with pytest.raises(CourtesyError, match="2 witnesses"):
        trusted(Note(note.checkpoint, twice), LOG.key, verify, witnesses=[WITNESS.key, twin.key], quorum=2)


def test_the_log_must_have_signed_under_its_own_name() -> None:
    """Witnesses can't stand in for it, nor another log."""
    note = _note()
    with pytest.raises(CourtesyError, match="got none"):
        trusted(Note(note.checkpoint, note.signatures[1:]), LOG.key, verify)
    with pytest.raises(CourtesyError, match=f"of {SECOND.key.name}, got one of {LOG_NAME}"):
        trusted(note, SECOND.key, verify)


@pytest.mark.parametrize("who", [0, 1])
def test_a_known_key_with_a_wrong_signature_is_an_alarm(who: int) -> None:
    """It is not passed over like an unknown one: it was altered, or forged."""
    note = _note()
    broken = [*note.signatures]
    data = broken[who].data
    broken[who] = Signature(broken[who].name, broken[who].key_id, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CourtesyError, match="got one that does not fit"):
        signers(Note(note.checkpoint, tuple(broken)), [LOG.key, WITNESS.key], verify)


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    """Also under a known name, and under a known id."""
    note = _note()
    strangers = (
        Signature(LOG_NAME, b"\0\0\0\0", bytes(64)),
        Signature("else.example", LOG.key.id(), bytes(64)),
        Signature(LOG_NAME, PublicKey(LOG_NAME, LOG.key.public, KeyKind.COSIGNATURE).id(), bytes(72)),
    )
    assert trusted(Note(note.checkpoint, (*strangers, *note.signatures)), LOG.key, verify) == note.checkpoint
