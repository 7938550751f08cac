"""The stand-alone verifier: what is true passes, and no lie does."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courtesy.consent import export, verifier
from courtesy.consent.checkpoint import Checkpoint, Note, notes_text, sign
from courtesy.consent.leaf import read_leaf
from courtesy.consent.tree import consistency_ranges, inclusion_ranges, proof
from tests.unit.consent.ledger import LOG, LOG_NAME, START_MS, WITNESS, Ledger, history, party, write

SCRIPT = Path(verifier.__file__)
KEY = LOG.key.text()
WITNESSED = ["--witness", WITNESS.key.text()]
LOG_KEY, WITNESS_KEY = verifier.Key(KEY), verifier.Key(WITNESS.key.text())


def _accepts(files: dict[str, bytes], known: Path | None = None) -> bool:
    """Whether an export passes, checked in this process."""
    with TemporaryDirectory() as folder:
        write(Path(folder), files)
        try:
            verifier.check_export(folder, LOG_KEY, str(known) if known else None, [WITNESS_KEY])
        except verifier.FAILURES:
            return False
        return True


ProofCheck = Callable[[dict[str, Any], list[bytes], verifier.Key, list[verifier.Key]], None]


def _shows(check: ProofCheck, proof: bytes) -> bool:
    """Whether a proof passes, checked in this process."""
    told = json.loads(proof)
    try:
        check(told, [verifier.from_base64(step) for step in told["path"]], LOG_KEY, [])
    except verifier.FAILURES:
        return False
    return True


def _script(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The verifier as a stranger runs it: no packages, no environment."""
    command = [sys.executable, "-I", "-S", str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env={"PYTHONUTF8": "1"})


def test_it_stands_alone_and_is_short_enough_to_read() -> None:
    """Under 300 lines, with nothing but the standard library."""
    text = SCRIPT.read_text(encoding="utf-8")
    tree = ast.parse(text)
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert text.count("\n") < 300
    assert imported <= sys.stdlib_module_names


def test_a_true_export_passes_as_a_script(tmp_path: Path) -> None:
    """It says what it checked."""
    ledger = history(30)
    run = _script(write(tmp_path, ledger.files(opened=[0, 7, 29])), KEY, *WITNESSED)
    assert (run.returncode, run.stderr) == (0, "")
    assert f"ok: {len(ledger.notes)} checkpoints signed by {LOG_NAME}, the last also by 1 witnesses" in run.stdout
    assert "ok: 30 entries" in run.stdout


def test_a_failure_says_where_what_and_why(tmp_path: Path) -> None:
    """Which entry, what was expected, what came, what it means."""
    ledger = history(30)
    ledger.leaves[12], ledger.leaves[13] = ledger.leaves[13], ledger.leaves[12]
    run = _script(write(tmp_path, ledger.files()), KEY)
    assert run.returncode == 1
    assert "entry 12" in run.stderr
    assert "expected: 12, number" in run.stderr
    assert "came:     13, number" in run.stderr
    assert "meaning:  it or one before was altered, added, dropped or moved" in run.stderr


@pytest.mark.parametrize(
    "arguments",
    [[], ["nowhere"], ["nowhere", KEY], ["nowhere", "no key"], ["nowhere", KEY[:-1]], ["--inclusion", "x", KEY]],
)
def test_what_can_not_be_checked_is_no_failure_and_no_success(arguments: list[str]) -> None:
    """Exit status 2: nothing was found wrong, and nothing was found right."""
    assert _script(*arguments).returncode == 2


@given(count=st.integers(0, 40), seed=st.integers(0, 9), every=st.integers(1, 9), data=st.data())
def test_every_true_history_passes(count: int, seed: int, every: int, data: st.DataObject) -> None:
    """Of any length, with checkpoints anywhere, whichever entries are opened."""
    opened = data.draw(st.sets(st.integers(0, count - 1))) if count else set()
    assert _accepts(history(count, seed, every=every).files(opened=sorted(opened)))


LEDGER = history(9)
FILES = LEDGER.files(opened=[0, 4, 8])


@settings(max_examples=400)
@given(name=st.sampled_from([export.ENTRIES, export.CHECKPOINTS, export.OPENED]), data=st.data())
def test_any_flipped_bit_is_found(name: str, data: st.DataObject) -> None:
    """Wherever it is: an entry, a checkpoint, a signature, what an entry is told to say."""
    content = bytearray(FILES[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not _accepts(FILES | {name: bytes(content)})


def test_any_changed_byte_is_found() -> None:
    """All bytes of a small export, each once."""
    files = history(2).files(opened=[1])
    chance = Random(1)
    for name in (export.ENTRIES, export.CHECKPOINTS, export.OPENED):
        for place in range(len(files[name])):
            content = bytearray(files[name])
            content[place] ^= chance.randrange(1, 256)
            assert not _accepts(files | {name: bytes(content)}), f"{name}, byte {place}"


@given(data=st.data())
def test_whatever_is_cut_off_is_missed(data: st.DataObject) -> None:
    """From the entries at either end; from the checkpoints at the end, for the last one counts."""
    entries, notes = FILES[export.ENTRIES], FILES[export.CHECKPOINTS]
    place = data.draw(st.integers(1, len(entries) - 1))
    assert not _accepts(FILES | {export.ENTRIES: entries[:place]})
    assert not _accepts(FILES | {export.ENTRIES: entries[place:], export.OPENED: b""})
    assert not _accepts(FILES | {export.CHECKPOINTS: notes[: data.draw(st.integers(0, len(notes) - 1))]})


@given(order=st.lists(st.integers(0, 8), max_size=12))
def test_entries_dropped_repeated_or_reordered_are_found(order: list[int]) -> None:
    """Any selection of the entries in any order, but the true one."""
    entries = b"".join(export.framed(LEDGER.leaves[index]) for index in order)
    assert _accepts(FILES | {export.ENTRIES: entries, export.OPENED: b""}) == (order == list(range(9)))


@given(order=st.lists(st.integers(0, len(LEDGER.notes) - 1), max_size=5))
def test_checkpoints_repeated_or_reordered_are_found(order: list[int]) -> None:
    """They rise, and the last one covers everything. That some in between are not shown is no lie."""
    notes = notes_text(LEDGER.notes[index] for index in order).encode()
    rises = order == sorted(set(order)) and order[-1:] == [len(LEDGER.notes) - 1]
    assert _accepts(FILES | {export.CHECKPOINTS: notes}) == rises


@pytest.mark.parametrize("place", range(9))
def test_a_rewritten_history_does_not_fit_what_was_signed(place: int) -> None:
    """One entry says something else, and all that follows is made anew to fit, as only the ledger itself can."""
    rewritten = Ledger()
    for index, leaf in enumerate(LEDGER.leaves):
        content = LEDGER.opened[index].content.decode()
        rewritten.append("something else" if index == place else content, read_leaf(leaf).partition)
    assert rewritten.leaves[:place] == LEDGER.leaves[:place]
    entries = b"".join(map(export.framed, rewritten.leaves))
    assert not _accepts(FILES | {export.ENTRIES: entries, export.OPENED: b""})


def test_after_an_erasure_everything_still_verifies() -> None:
    """The key of a person is gone, so nobody can open their entry; it proves as before that nothing was touched."""
    ledger = history(12)
    before = ledger.files(opened=range(12))
    del ledger.opened[5]
    path = proof(inclusion_ranges(5, 12), ledger)
    assert ledger.files(opened=sorted(ledger.opened))[export.ENTRIES] == before[export.ENTRIES]
    assert _accepts(ledger.files(opened=sorted(ledger.opened)))
    assert _shows(verifier.check_inclusion, export.inclusion_proof(ledger.leaves[5], path, ledger.notes[-1]))


def test_two_histories_that_were_both_signed_contradict_each_other(tmp_path: Path) -> None:
    """Each passes alone; with the checkpoint that somebody else was given, it does not."""
    shown, hidden = history(12), history(12, seed=1)
    for one, other in ((shown, hidden), (hidden, shown)):
        kept = tmp_path / "kept.txt"
        kept.write_text(notes_text(other.notes[-1:]), encoding="utf-8")
        assert _accepts(one.files())
        assert not _accepts(one.files(), kept)


def test_an_export_continues_what_was_kept(tmp_path: Path) -> None:
    """The history of last year is the beginning of this year's; an older export is not accepted for a newer."""
    old, new = history(12), history(20)
    kept = tmp_path / "kept.txt"
    kept.write_text(notes_text(old.notes[-1:]), encoding="utf-8")
    assert _accepts(new.files(), kept)
    kept.write_text(notes_text(new.notes[-1:]), encoding="utf-8")
    assert not _accepts(old.files(), kept)


def test_entries_that_nobody_signed_are_not_accepted() -> None:
    """Appended behind the last checkpoint, in good order."""
    ledger = history(5)
    ledger.append("late")
    assert not _accepts(ledger.files())


def test_only_the_log_and_the_witness_can_vouch() -> None:
    """Not another log with the same key, not another key with the same name, not the log without the witness."""
    ledger = history(5)
    newest, impostor = ledger.notes[-1], party(LOG_NAME, 99)
    elsewhere = Checkpoint("else.example", 5, newest.checkpoint.root, newest.checkpoint.time_ms)
    for note in (
        Note(newest.checkpoint, newest.signatures[:1]),
        Note(newest.checkpoint, newest.signatures[1:]),
        Note(newest.checkpoint, (sign(newest.checkpoint, impostor.key, impostor.private.sign), newest.signatures[1])),
        Note(elsewhere, (sign(elsewhere, LOG.key, LOG.private.sign), newest.signatures[1])),
    ):
        ledger.notes[-1] = note
        assert not _accepts(ledger.files())


def test_what_an_entry_is_told_to_say_must_be_what_was_sealed() -> None:
    """Not something else, not with another key, not of another entry."""
    ledger = history(5)
    true, other = ledger.opened[2], ledger.opened[3]
    for lie in (other, export.Opened(true.key, other.content), export.Opened(other.key, true.content)):
        assert not _accepts(ledger.files() | {export.OPENED: export.opened_line(2, lie)})
    twice = export.opened_line(2, true) * 2
    assert _accepts(ledger.files() | {export.OPENED: export.opened_line(2, true)})
    assert not _accepts(ledger.files() | {export.OPENED: twice})


@pytest.mark.parametrize("line", [b"\n", b"null\n", b"{}\n", b"[" * 100_000 + b"\n", b'{"index":0}\n', b"\xff\n"])
def test_nonsense_is_a_failure_and_not_a_crash(line: bytes) -> None:
    """Whoever made it; in any file."""
    assert not _accepts(FILES | {export.OPENED: line})
    assert not _accepts(FILES | {export.CHECKPOINTS: line})
    assert not _accepts(FILES | {export.ENTRIES: line})


@pytest.mark.parametrize("size", [1, 2, 3, 8, 13, 21])
def test_each_entry_has_a_proof_that_holds_for_it_alone(size: int) -> None:
    """With what it says, and without; not with what another says, nor with another's path, nor in another history."""
    ledger, other = history(size, every=3), history(size, seed=5, every=3)
    for index, leaf in enumerate(ledger.leaves):
        path = proof(inclusion_ranges(index, size), ledger)
        good = export.inclusion_proof(leaf, path, ledger.notes[-1], ledger.opened[index])
        assert _shows(verifier.check_inclusion, good)
        assert _shows(verifier.check_inclusion, export.inclusion_proof(leaf, path, ledger.notes[-1]))
        for bad in (
            export.inclusion_proof(leaf, path, ledger.notes[-1], other.opened[index]),
            export.inclusion_proof(other.leaves[index], path, ledger.notes[-1]),
            export.inclusion_proof(leaf, path, other.notes[-1]),
            export.inclusion_proof(leaf, [*path, bytes(32)], ledger.notes[-1]),
            export.inclusion_proof(leaf, path[:-1] if path else [bytes(32)], ledger.notes[-1]),
        ):
            assert not _shows(verifier.check_inclusion, bad)


@pytest.mark.parametrize("newer", range(1, 18))
def test_any_two_checkpoints_of_one_history_are_shown_to_be_so(newer: int) -> None:
    """And with a checkpoint of another history no path shows it."""
    ledger, other = history(17, every=1), history(17, seed=5, every=1)
    for older in range(1, newer + 1):
        path = proof(consistency_ranges(older, newer), ledger)
        old, new = ledger.notes[older], ledger.notes[newer]
        assert (old.checkpoint.size, new.checkpoint.size) == (older, newer)
        assert _shows(verifier.check_consistency, export.consistency_proof(old, new, path))
        for bad in (
            export.consistency_proof(other.notes[older], new, path),
            export.consistency_proof(old, other.notes[newer], path),
            export.consistency_proof(old, other.notes[newer], proof(consistency_ranges(older, newer), other)),
            export.consistency_proof(old, new, [*path, bytes(32)]),
            export.consistency_proof(old, new, [bytes(32), *path]),
        ):
            assert not _shows(verifier.check_consistency, bad)
        if older < newer:
            assert not _shows(verifier.check_consistency, export.consistency_proof(new, old, path))
            assert not _shows(verifier.check_consistency, export.consistency_proof(old, new, path[:-1]))


@given(data=st.data())
def test_a_proof_with_any_other_value_fails(data: st.DataObject) -> None:
    """One bit of the leaf or of a hash."""
    path = proof(inclusion_ranges(5, 9), LEDGER)
    told = json.loads(export.inclusion_proof(LEDGER.leaves[5], path, LEDGER.notes[-1]))
    place = data.draw(st.integers(-1, len(path) - 1))
    value = bytearray(b64decode(told["leaf"] if place < 0 else told["path"][place]))
    value[data.draw(st.integers(0, len(value) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    text = b64encode(value).decode()
    told |= {"leaf": text} if place < 0 else {"path": [*told["path"][:place], text, *told["path"][place + 1 :]]}
    assert not _shows(verifier.check_inclusion, json.dumps(told).encode())


def test_proofs_are_checked_as_a_script(tmp_path: Path) -> None:
    """A person who was handed one reads what it says of them."""
    ledger = history(21)
    file = tmp_path / "proof.json"
    path = proof(inclusion_ranges(4, 21), ledger)
    file.write_bytes(export.inclusion_proof(ledger.leaves[4], path, ledger.notes[-1], ledger.opened[4]))
    run = _script("--inclusion", file, KEY)
    assert run.returncode == 0
    assert f"recorded ms {START_MS + 4}) is in the checkpoint of 21 entries" in run.stdout
    assert "it says entry 4 of 0: naïve yes" in run.stdout
    file.write_bytes(
        export.consistency_proof(ledger.notes[1], ledger.notes[-1], proof(consistency_ranges(4, 21), ledger))
    )
    run = _script("--consistency", file, KEY)
    assert run.returncode == 0
    assert "ok: the checkpoint of 21 entries" in run.stdout


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.data())
def test_signatures_are_verified_as_a_trusted_library_does(seed: bytes, message: bytes, data: st.DataObject) -> None:
    """The pure Ed25519 says yes to what the library signed, and no to anything else near it."""
    who = party(seed.hex(), 0)
    key, signature = verifier.Key(who.key.text()), who.private.sign(message)
    assert key.signed(message, signature)
    place, bit = data.draw(st.integers(0, 63)), data.draw(st.integers(0, 7))
    flipped = bytearray(signature)
    flipped[place] ^= 1 << bit
    assert not key.signed(message, bytes(flipped))
    assert not key.signed(message + b"x", signature)
    assert not key.signed(message, signature + b"\0")
    second = int.from_bytes(signature[32:], "little") + verifier.L
    assert not key.signed(message, signature[:32] + second.to_bytes(32, "little"))


def test_a_signature_of_other_software_is_verified() -> None:
    """The example of golang.org/x/mod/sumdb/note."""
    key = verifier.Key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = b"If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    line = b64decode("x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=")
    assert line[:4] == key.id
    assert key.signed(text, line[4:])
    assert not key.signed(text.upper(), line[4:])
