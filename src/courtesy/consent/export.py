"""The export of a ledger, and single proofs, as the stand-alone `verifier.py` reads them. It gives bytes, writes none.

An export is a folder:

| file | what |
|---|---|
| `entries.bin` | `framed` leaves, all of them, by index |
| `checkpoints.txt` | `checkpoints_file`: signed notes, each superseding the one before, the last covering all entries |
| `opened.jsonl` | `opened_line`s by rising index, none for most entries; the file may be empty |
| `README.txt` | `readme`: what this is, and how to check it |
"""

from __future__ import annotations

import json
import struct
from base64 import b64encode
from collections.abc import Iterable, Sequence

import msgspec

from courtesy.consent.checkpoint import Note, PublicKey, notes_text

ENTRIES = "entries.bin"
CHECKPOINTS = "checkpoints.txt"
OPENED = "opened.jsonl"
README = "README.txt"

_LENGTH = struct.Struct(">I")


class Opened(msgspec.Struct, frozen=True):
    """What shows what an entry says: its commitment key, never the key of its person, and the content as sealed."""

    key: bytes
    content: bytes


def framed(leaf: bytes) -> bytes:
    """A leaf as it lies in `entries.bin`: its length in 4 bytes, big-endian, and its bytes."""
    return _LENGTH.pack(len(leaf)) + leaf


def checkpoints_file(notes: Iterable[Note]) -> bytes:
    """`checkpoints.txt`. The notes must rise in time and not fall in size, which the verifier checks."""
    return notes_text(notes).encode()


def opened_line(index: int, opened: Opened) -> bytes:
    """A line of `opened.jsonl`. The content must be UTF-8."""
    return _compact({"index": index, **_shown(opened)}) + b"\n"


def inclusion_proof(leaf: bytes, path: Sequence[bytes], note: Note, opened: Opened | None = None) -> bytes:
    """What `verifier.py --inclusion` reads: that this leaf is under this checkpoint, and what it says if `opened`.

    `path` is the proof for the size of the checkpoint.
    """
    proof = {"leaf": _base64(leaf), "path": [_base64(step) for step in path], "checkpoint": note.text()}
    return _compact(proof | _shown(opened) if opened else proof)


def consistency_proof(older: Note, newer: Note, path: Sequence[bytes]) -> bytes:
    """What `verifier.py --consistency` reads: that the newer checkpoint covers all that the older covers."""
    return _compact({"older": older.text(), "newer": newer.text(), "path": [_base64(step) for step in path]})


def _shown(opened: Opened) -> dict[str, str]:
    return {"key": _base64(opened.key), "content": opened.content.decode()}


def _compact(value: object) -> bytes:
    # The verifier writes what it read once more and compares, so both use the same library.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


def readme(key: PublicKey, newest: Note) -> bytes:
    """`README.txt`, for whoever was handed the folder."""
    checkpoint = newest.checkpoint
    return f"""An export of the consent ledger {key.name}

It holds {checkpoint.size} entries, as of time_ms {checkpoint.time_ms}.

entries.bin      every entry, sealed: what it says can be read only by who has the key of its person
checkpoints.txt  what the ledger signed of them, each time that it did
opened.jsonl     what some of the entries say, and the keys that show that they do; may be empty
README.txt       this text, which proves nothing

Check it with verifier.py, a script of under 300 lines for Python 3.11 or later that needs nothing else. Take it from
the source of Courtesy (src/courtesy/consent/verifier.py), not from whoever gave you this folder, and the key of the
ledger from where it is published. It should be

    {key.text()}

    python verifier.py . '{key.text()}'

Exit status 0 means: no entry was altered, added, dropped or moved since the ledger signed, and nothing that it signed
in this folder contradicts it. Keep the last note of checkpoints.txt: with --known, the next export is checked to
continue this one. Compare it with what others were given: if both were shown one history, there is a proof of
consistency between your two checkpoints, which the ledger must hand out (--consistency).

The key of a person who was erased is gone, and with it what their entries say. The entries remain, and still prove that
nothing else was tampered with.
""".encode()
