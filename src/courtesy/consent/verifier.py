"""Checks what a consent ledger says of itself, needing only what it exported and the public key of its log.

    python verifier.py EXPORT_DIR PUBLIC_KEY [--known NOTES] [--witness KEY]...
    python verifier.py --inclusion PROOF.json PUBLIC_KEY [--witness KEY]...
    python verifier.py --consistency PROOF.json PUBLIC_KEY [--witness KEY]...

A key is a text like `example.org/ledger+1a2b3c4d+AQ...`. NOTES is a file of checkpoints that you or others have kept,
which must be of this same history. A witness is somebody else who signs checkpoints: each that you name must have
signed the last. Exit status: 0 all holds; 1 something does not, and what; 2 it could not be checked. This imports
nothing of the software that it checks: read it, and run a copy of your own.

entries.bin: for each entry the length (4 bytes, big-endian) of its leaf and that: layout 1 (1 byte), index (8),
partition (2), number (8), recorded ms (8), subject (16), previous (32), sealed (the rest). In each partition
`previous` is zeros, then SHA-256 over `previous` and leaf hash of the entry before. checkpoints.txt: signed notes
(c2sp.org/tlog-checkpoint) with the root of the Merkle tree (RFC 6962) over the first so many leaves, and a line
`time_ms N`; the last covers all entries. opened.jsonl: of some entries, by rising index, what they say and the key
that shows it: their sealed part begins with HMAC-SHA256(key, content).
"""

from __future__ import annotations

import argparse
import hmac
import json
import re
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from functools import reduce
from hashlib import sha256, sha512
from heapq import merge
from itertools import accumulate, islice, pairwise, repeat
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

LEAF = struct.Struct(">BQHQ24x32s")
NAME, BASE64, NUMBER = r"([^\s+]+)", "([A-Za-z0-9+/]+={0,2})", "(0|[1-9][0-9]{0,18})"
SIGNATURE = re.compile(f"— {NAME} {BASE64}\n")
FAILURES = (ValueError, LookupError, TypeError, AttributeError, struct.error, RecursionError)  # what nonsense leads to
NOTE = re.compile(f"({NAME}\n{NUMBER}\n{BASE64}\ntime_ms {NUMBER}\n)\n((?:{SIGNATURE.pattern})+)")


def expect(holds: bool, where: object, expected: object, came: object, meaning: str) -> None:
    """Go on only if it holds. Raises ValueError with what this was about."""
    if not holds:
        raise ValueError(f"{where}\n  expected: {expected}\n  came:     {came}\n  meaning:  {meaning}")


# Ed25519 (RFC 8032, section 5.1): points of a curve modulo P, as X, Y, Z, T; the base point generates L of them.
Point = tuple[int, int, int, int]
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(p: Point, q: Point) -> Point:
    """The sum of two points, which may be the same."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def read_point(data: bytes) -> Point:
    """The point with this encoding. Raises ValueError when there is none."""
    y, odd = int.from_bytes(data, "little") & (1 << 255) - 1, data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x * pow(2, (P - 1) // 4, P) % P if (x * x - square) % P else x
    if y >= P or (x * x - square) % P or (x == 0 and odd):
        raise ValueError("the public key is no point of the curve")
    x = x if x & 1 == odd else P - x
    return x, y, 1, x * y % P


def multiples(point: Point) -> list[list[Point]]:
    """j * 16**i times the point, for j up to 16 and i below 64: with them, multiplying takes 64 additions."""
    rows: list[list[Point]] = []
    for _ in range(64):
        rows.append(list(accumulate(repeat(point, 16), add, initial=(0, 1, 1, 0))))
        point = rows[-1][16]
    return rows


BASE = multiples(read_point((4 * pow(5, -1, P) % P).to_bytes(32, "little")))


def from_base64(text: str) -> bytes:
    """The bytes. Raises ValueError for all but the one proper way of writing them."""
    data = b64decode(text, validate=True)
    if b64encode(data).decode() != text:
        raise ValueError(f"{text!r} is not proper base64")
    return data


class Key:
    """Who signs. Kind 1 signs a text; kind 4, of witnesses (c2sp.org/tlog-cosignature), a time and the text."""

    def __init__(self, text: str) -> None:
        self.name, written, encoded = text.split("+", 2)
        data = from_base64(encoded)
        self.kind, self.public = data[0], data[1:]
        self.id = sha256(self.name.encode() + b"\n" + data).digest()[:4]
        if self.id.hex() != written or self.kind not in (1, 4) or len(self.public) != 32:
            raise ValueError(f"{text!r} is no Ed25519 key with its name and id")
        x, y, z, t = read_point(self.public)
        self.negated = multiples((P - x, y, z, P - t))

    def signed(self, text: bytes, signature: bytes) -> bool:
        """Whether signature R, S fits: R = S * base point - hash * public key."""
        if self.kind == 4:
            text = b"cosignature/v1\ntime %d\n" % int.from_bytes(signature[:8], "big") + text
            signature = signature[8:]
        r, s = signature[:32], int.from_bytes(signature[32:], "little")
        h = int.from_bytes(sha512(r + self.public + text).digest(), "little") % L
        rows = [(s >> 4 * i & 15, BASE[i]) for i in range(64)] + [(h >> 4 * i & 15, self.negated[i]) for i in range(64)]
        x, y, z, _ = reduce(add, (row[digit] for digit, row in rows))
        x, y = x * pow(z, -1, P) % P, y * pow(z, -1, P) % P
        return len(signature) == 64 and s < L and r == (y | (x & 1) << 255).to_bytes(32, "little")


class Checkpoint(NamedTuple):
    """A signed note: what the log said, at a time, of its first `size` entries."""

    text: str
    size: int
    root: bytes
    time_ms: int
    signatures: list[tuple[str, bytes]]

    def __str__(self) -> str:
        return f"checkpoint of {self.size} entries at time_ms {self.time_ms}"

    def check_signed(self, key: Key) -> None:
        """There is a signature of the key, and all signatures of it fit. Those of other keys are passed over."""
        fits = [key.signed(self.text.encode(), s[4:]) for n, s in self.signatures if (n, s[:4]) == (key.name, key.id)]
        expect(fits != [] and all(fits), self, f"a signature of {key.name}", fits or "none", "it was forged or altered")

    def check_root(self, root: bytes, of: str) -> None:
        """What was signed is what was found."""
        meaning = "entries were altered, added, dropped or moved after this was signed; or the log signed two histories"
        expect(root == self.root, self, f"root {self.root.hex()}, as signed", f"root {root.hex()}, of {of}", meaning)


def read_notes(data: bytes, key: Key, witnesses: Iterable[Key] = ()) -> list[Checkpoint]:
    """The notes of a file, all of the log and signed by it, the last by witnesses too. Between them is a blank line."""
    notes = []
    for text in re.split("(?<=\n)\n(?!—)", data.decode()):
        if (match := NOTE.fullmatch(text)) is None:
            raise ValueError(f"expected a signed checkpoint, got {text!r}")
        signatures = [(name, from_base64(signature)) for name, signature in SIGNATURE.findall(match[6])]
        note = Checkpoint(match[1], int(match[3]), from_base64(match[4]), int(match[5]), signatures)
        expect(match[2] == key.name, note, f"one of {key.name}", f"one of {match[2]}", "it is of another log")
        note.check_signed(key)
        notes.append(note)
    for witness in witnesses:
        notes[-1].check_signed(witness)
    return notes


def read_leaves(file: BinaryIO) -> Iterator[bytes]:
    """The leaves of entries.bin, one after the other."""
    data, at, count, length_at = b"", 0, 0, struct.Struct(">I").unpack_from
    while chunk := file.read(65536):
        data, at = data[at:] + chunk, 0
        while at + 4 <= len(data) and (end := at + 4 + length_at(data, at)[0]) <= len(data):
            yield data[at + 4 : end]
            at, count = end, count + 1
    expect(at == len(data), f"entry {count}", "a whole one", f"{len(data) - at} bytes", "it was cut or altered")


def read_openings(lines: Iterable[bytes]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The lines of opened.jsonl, each with the number of entries up to its own."""
    before = -1
    for line in lines:
        told = json.loads(line)
        written = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        proper = line == written and type(told["index"]) is int and told["index"] > before
        expect(proper, "opened.jsonl", f"compact JSON with an index above {before}", line, "it was altered")
        yield (before := told["index"]) + 1, told


def check_opening(leaf: bytes, index: int, told: dict[str, Any]) -> None:
    """The entry says what it is told to say: it was sealed with this content."""
    key, committed = from_base64(told["key"]), leaf[LEAF.size : LEAF.size + 32]
    shown = hmac.digest(key, told["content"].encode(), "sha256") if len(key) == 32 else b""
    expect(shown == committed, f"entry {index}", "the content sealed in it", told["content"], "it never said that")


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node of the Merkle tree (RFC 6962, section 2.1)."""
    return sha256(b"\1" + left + right).digest()


def check_entries(leaves: Iterator[bytes], marks: Iterator[tuple[int, Any]]) -> None:
    """Each entry is in its place and in the chain of its partition. Each mark, which is a checkpoint or what an entry
    is told to say, holds of as many entries as it is of, and the last of all."""
    numbers, digests = [0] * 65536, [bytes(32)] * 65536  # of each partition: the next number, the digest so far
    subtrees: list[bytes] = []  # of the Merkle tree: the roots of its complete subtrees, largest first
    count, leaf, head, digest = 0, b"", LEAF.unpack_from, sha256
    for size, mark in marks:
        for leaf in islice(leaves, size - count):
            layout, index, partition, number, previous = head(leaf)
            if index != count or number != numbers[partition] or previous != digests[partition] or layout != 1:
                expected = f"{count}, number {numbers[partition]} of {partition} after {digests[partition].hex()}"
                came = f"{index}, number {number} of {partition} after {previous.hex()}, layout {layout}"
                expect(False, f"entry {count}", expected, came, "it or one before was altered, added, dropped or moved")
            node = digest(b"\0" + leaf).digest()
            numbers[partition] = number + 1
            digests[partition] = digest(previous + node).digest()
            while index & 1:
                node = digest(b"\1" + subtrees.pop() + node).digest()
                index >>= 1
            subtrees.append(node)
            count += 1
        expect(count == size, mark, f"{size} entries", count, "entries were dropped, or this export is an older one")
        if isinstance(mark, Checkpoint):
            roots = subtrees[::-1] or [sha256().digest()]
            mark.check_root(reduce(lambda right, left: node_hash(left, right), roots), "the entries")
        else:
            check_opening(leaf, count - 1, mark)
    expect(next(leaves, None) is None, f"entry {count}", "the end", "an entry", "added after the last checkpoint")


def check_export(folder: str, key: Key, known: str | None, witnesses: list[Key]) -> None:
    """All that an export says of itself holds, and it is the history that the known checkpoints are of."""
    notes = read_notes(Path(folder, "checkpoints.txt").read_bytes(), key, witnesses)
    for before, note in pairwise(notes):
        supersedes = before.time_ms < note.time_ms and before.size <= note.size
        expect(supersedes, note, f"a later one than the {before}", "an older one", "they were moved or repeated")
    print(f"ok: {len(notes)} checkpoints signed by {key.name}, the last also by {len(witnesses)} witnesses")
    kept = read_notes(Path(known).read_bytes(), key) if known else []
    marks = sorted(((note.size, note) for note in notes + kept), key=lambda mark: mark[0])
    with Path(folder, "entries.bin").open("rb") as entries, Path(folder, "opened.jsonl").open("rb") as opened:
        check_entries(read_leaves(entries), merge(marks, read_openings(opened), key=lambda mark: mark[0]))
    print(f"ok: {notes[-1].size} entries, each in its place and chain, under all checkpoints and {len(kept)} kept ones")


def climb(node: bytes, place: int, last: int, path: list[bytes]) -> tuple[bytes, bytes]:
    """The roots over all nodes of a level up to this one, and up to the last, by the neighbours on the way up: those to
    the left are in both trees (RFC 9162, sections 2.1.3 and 2.1.4, in one)."""
    turns = (place ^ last).bit_length()  # from there on up, the node is at the right edge of the tree
    count = turns + (place >> turns).bit_count()
    expect(place <= last and len(path) == count, "the proof", f"{count} hashes", len(path), "it is no proof of this")
    was = now = node
    for level, other in enumerate(path):
        left = level >= turns or place >> level & 1
        was, now = (node_hash(other, was), node_hash(other, now)) if left else (was, node_hash(now, other))
    return was, now


def check_inclusion(told: dict[str, Any], path: list[bytes], key: Key, witnesses: list[Key]) -> None:
    """The entry is among those that the log signed, and says what it is told to say."""
    (note,) = read_notes(told["checkpoint"].encode(), key, witnesses)
    leaf = from_base64(told["leaf"])
    (_, index, partition, number, _), (at_ms, subject) = LEAF.unpack_from(leaf), struct.unpack_from(">q16s", leaf, 19)
    note.check_root(climb(sha256(b"\0" + leaf).digest(), index, note.size - 1, path)[1], "the proof")
    print(f"ok: entry {index} (partition {partition}, number {number}, recorded ms {at_ms}) is in the {note}")
    if "content" in told:
        check_opening(leaf, index, told)
        print(f"ok: of subject {subject.hex()} it says {told['content']}")


def check_consistency(told: dict[str, Any], path: list[bytes], key: Key, witnesses: list[Key]) -> None:
    """The newer checkpoint covers all that the older does: whoever holds either was shown one history."""
    (older,), (newer,) = read_notes(told["older"].encode(), key), read_notes(told["newer"].encode(), key, witnesses)
    expect(0 < older.size <= newer.size, older, f"1 to {newer.size} entries", older.size, "there is nothing to prove")
    level = (older.size & -older.size).bit_length() - 1  # of the last complete subtree of the older tree
    place, last = older.size - 1 >> level, newer.size - 1 >> level
    start = path.pop(0) if path and place else older.root
    was, now = climb(start, place, last, path) if path or older.size < newer.size else (start, start)
    older.check_root(was, "the proof")
    newer.check_root(now, "the proof")
    print(f"ok: the {newer} continues the {older}")


def main() -> None:
    """Does what the command line says, and exits with 0, 1 or 2."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("subject")
    parser.add_argument("key", type=Key)
    parser.add_argument("--inclusion", dest="check", action="store_const", const=check_inclusion)
    parser.add_argument("--consistency", dest="check", action="store_const", const=check_consistency)
    parser.add_argument("--known")
    parser.add_argument("--witness", type=Key, action="append", default=[])
    asked = parser.parse_intermixed_args()
    try:
        if asked.check is None:
            check_export(asked.subject, asked.key, asked.known, asked.witness)
        else:
            told = json.loads(Path(asked.subject).read_bytes())
            asked.check(told, [from_base64(step) for step in told["path"]], asked.key, asked.witness)
    except OSError as error:
        parser.exit(2, f"could not be checked: {error}\n")
    except FAILURES as error:
        parser.exit(1, f"FAILED, {type(error).__name__}: {error}\n")


if __name__ == "__main__":
    main()
