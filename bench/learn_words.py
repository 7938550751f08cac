"""`python -m bench.learn_words`: learn the weights of `courtesy.consent.likeness` from labelled messages.

Logistic regression by stochastic gradient descent in a fixed order: the same texts give the same
weights. Held-out messages are not looked at.
"""

from __future__ import annotations

import csv
import json
import sys
from array import array
from dataclasses import dataclass
from hashlib import sha256
from math import exp, sqrt
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from courtesy.consent.folding import own_part, plain
from courtesy.consent.likeness import BUCKETS, FILE, STEP, Features, features

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "tests" / "data" / "revocations.tsv"
UNSEEN = ROOT / "tests" / "data" / "revocations-unseen.tsv"
LATEST = ROOT / "tests" / "data" / "revocations-latest.tsv"
TO_LEARN = ROOT / "tests" / "data" / "revocations-to-learn.tsv"
KEYWORDS = ROOT / "tests" / "unit" / "consent" / "words.jsonl"
WEIGHTS = ROOT / "src" / "courtesy" / "consent" / "data" / FILE

EPOCHS, RATE, COOLING, DECAY = 30, 0.3, 0.9, 2e-5
FARTHEST = 30.0

LINE_END = "\\n"
"""What stands in tables for the end of a line of a message."""

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Message:
    """A labelled message. `kind`: how it is said, or what it is instead."""

    text: str
    language: str
    is_refusal: bool
    kind: str

    @property
    def is_held_out(self) -> bool:
        """Whether nothing may be learnt from it."""
        return sha256(self.text.encode()).digest()[0] % 2 == 1


def messages_in(path: Path) -> list[Message]:
    """The messages of a table."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Message(row["text"].replace(LINE_END, "\n"), row["language"], row["label"] == "revocation", row["kind"])
            for row in rows
        ]


def keyword_messages() -> list[Message]:
    """The texts on which the lists of words are tested, without those that are kept unseen."""
    rows = [json.loads(line) for line in KEYWORDS.read_text("utf-8").splitlines()]
    known = [row for row in rows if "unseen" not in row]
    return [Message(row["text"], row["lang"], row["means"] == "stop", row["means"]) for row in known]


def learnable() -> list[Message]:
    """All that may be learnt from; a text that is held out, too, is not."""
    published = messages_in(PUBLISHED)
    kept = {each.text.casefold() for each in published if each.is_held_out}
    kept |= {each.text.casefold() for path in (UNSEEN, LATEST) for each in messages_in(path)}
    told = (*keyword_messages(), *messages_in(TO_LEARN), *published)
    return [each for each in told if each.text.casefold() not in kept]


def held_out_messages() -> list[Message]:
    """What was never looked at while the recogniser was made: held out, and not among the texts of the lists."""
    known = {each.text.casefold() for each in keyword_messages()}
    published = messages_in(PUBLISHED)
    return [each for each in published if each.is_held_out and each.text.casefold() not in known]


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to learn of a message: the weights that it has and by how much each counts, and what it is."""

    buckets: IntArray
    shares: FloatArray
    is_refusal: bool


def told_of(message: Message) -> list[Told]:
    """A message as it is; and without how it is written, so that what it means counts for other languages, too."""
    found = features(message.text, plain(own_part(message.text)))
    whole = _told(found, message.is_refusal)
    return [whole, _told(Features((), found.meant), message.is_refusal)] if found.meant else [whole]


def _told(found: Features, is_refusal: bool) -> Told:
    shares = [1 / sqrt(len(part)) for part in found for _ in part]
    return Told(np.array([*found.written, *found.meant], np.int64), np.array(shares), is_refusal)


def learnt(messages: list[Message]) -> array[int]:
    """The weights, in steps."""
    weights = np.zeros(BUCKETS)
    told = [each for message in messages for each in told_of(message) if len(each.buckets)]
    order = Random(1)
    for epoch in range(EPOCHS):
        rate = RATE * (1 - COOLING * epoch / EPOCHS)
        order.shuffle(told)
        for each in told:
            odds = max(-FARTHEST, min(FARTHEST, float(weights[each.buckets] @ each.shares)))
            wrong = each.is_refusal - 1 / (1 + exp(-odds))
            weights[each.buckets] += rate * (wrong * each.shares - DECAY * weights[each.buckets])
    return array("h", np.rint(weights / STEP).astype(np.int64).tolist())


def main() -> None:
    """Learn, and keep the weights."""
    weights = learnt(learnable())
    if sys.byteorder == "big":
        weights.byteswap()
    WEIGHTS.write_bytes(weights.tobytes())


if __name__ == "__main__":
    main()
