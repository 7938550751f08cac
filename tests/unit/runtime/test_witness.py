"""A witness and its memory: what it signed last stays known, and without memory nothing is signed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import ManualClock
from courtesy.consent.checkpoint import signers
from courtesy.consent.witnessing import Refusal, cosigned
from courtesy.runtime.signing import verify
from courtesy.runtime.witness import Verdict, Witness, alone_in, witness_key
from tests.unit.consent.ledger import LOG, LOG_NAME, START_MS, history
from tests.unit.consent.test_witnessing import submission

NAME = "watch.example/w"


def witness(folder: Path) -> Witness:
    """As it is after a start, of one log."""
    return Witness(folder, witness_key(folder, NAME), [LOG.key], ManualClock(START_MS))


def test_what_it_signed_is_known_after_a_restart(tmp_path: Path) -> None:
    """By the same key, with the signature that it gave; the next must continue it."""
    ledger = history(12)
    sent = submission(ledger, 0, 7)
    verdict = witness(tmp_path).add_checkpoint(sent.text())
    assert verdict.signature is not None
    again = witness(tmp_path)
    key = witness_key(tmp_path, "whatever").public
    assert key.name == NAME
    last = again.last(LOG_NAME)
    assert last is not None
    assert last == cosigned(sent.note, verdict.signature.line(), key, verify)
    assert signers(last, [LOG.key, key], verify) == {LOG.key, key}
    assert again.add_checkpoint(submission(ledger, 0, 12).text()) == Verdict(None, Refusal.CONFLICT, 7)
    assert again.add_checkpoint(submission(ledger, 7, 12).text()).size == 12


def test_a_second_history_is_refused_whenever_it_is_shown(tmp_path: Path) -> None:
    """Larger, smaller or as large, and by whichever size it begins with."""
    mine, other = history(12, seed=1), history(12, seed=2)
    one = witness(tmp_path)
    assert one.add_checkpoint(submission(mine, 0, 7).text()).signature is not None
    for size in range(1, 13):
        for old in range(size + 1):
            assert one.add_checkpoint(submission(other, old, size).text()).signature is None
    assert one.add_checkpoint(submission(mine, 7, 9).text()).size == 9


def test_of_many_at_once_one_is_the_first(tmp_path: Path) -> None:
    """Nobody rolls back what another had signed meanwhile."""
    ledger, one = history(30), witness(tmp_path)
    sent = [submission(ledger, 0, size).text() for size in range(1, 31)]
    with ThreadPoolExecutor(8) as threads:
        verdicts = list(threads.map(one.add_checkpoint, sent))
    (signed,) = [verdict for verdict in verdicts if verdict.signature is not None]
    last = one.last(LOG_NAME)
    assert last is not None
    assert last.checkpoint.size == signed.size
    assert {(each.refusal, each.size) for each in verdicts if each is not signed} == {(Refusal.CONFLICT, signed.size)}


def test_without_memory_nothing_is_signed(tmp_path: Path) -> None:
    """A file that can't be read or written is an error and no fresh start."""
    ledger, one = history(9), witness(tmp_path)
    one.add_checkpoint(submission(ledger, 0, 5).text())
    (kept,) = tmp_path.glob("*.checkpoint")
    kept.write_text("nothing")
    with pytest.raises(CourtesyError) as raised:
        one.add_checkpoint(submission(ledger, 0, 9).text())
    assert raised.value.code is Code.SETUP
    kept.unlink()
    kept.with_suffix(".new").mkdir()
    with pytest.raises(CourtesyError, match="must remember"):
        one.add_checkpoint(submission(ledger, 0, 9).text())
    assert one.last(LOG_NAME) is None


def test_a_folder_has_one_witness(tmp_path: Path) -> None:
    """Two of them could sign two histories."""
    folder = tmp_path / "w"
    with alone_in(folder), pytest.raises(CourtesyError, match="no other witness"), alone_in(folder):
        pass
    with alone_in(folder):
        assert folder.is_dir()
