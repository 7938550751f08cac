"""`python -m bench.learn_words`: learn the weights of `courtesy.consent.likeness` from labelled messages.

Logistic regression by stochastic gradient descent, in plain Python, in a fixed order: the same texts give the same
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

from courtesy.consent.likeness import BUCKETS, FILE, STEP, features, weighed
from courtesy.consent.words import CLAUSE, plain

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "tests" / "data" / "revocations.tsv"
TO_LEARN = ROOT / "tests" / "data" / "revocations-to-learn.tsv"
KEYWORDS = ROOT / "tests" / "unit" / "consent" / "words.jsonl"
WEIGHTS = ROOT / "src" / "courtesy" / "consent" / "data" / FILE

EPOCHS, RATE, DECAY = 30, 0.3, 1e-4
FARTHEST = 30.0


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
        return [Message(row["text"], row["language"], row["label"] == "revocation", row["kind"]) for row in rows]


def keyword_messages() -> list[Message]:
    """The texts on which the lists of words are tested, without those that are kept unseen."""
    rows = [json.loads(line) for line in KEYWORDS.read_text("utf-8").splitlines()]
    known = [row for row in rows if "unseen" not in row]
    return [Message(row["text"], row["lang"], row["means"] == "stop", row["means"]) for row in known]


def learnable() -> list[Message]:
    """All that may be learnt from; a text that is held out, too, is not."""
    published = messages_in(PUBLISHED)
    held_out = {each.text for each in published if each.is_held_out}
    return [each for each in (*keyword_messages(), *messages_in(TO_LEARN), *published) if each.text not in held_out]


def held_out_messages() -> list[Message]:
    """What was never looked at while the recogniser was made: held out, and not among the texts of the lists."""
    known = {each.text.casefold() for each in keyword_messages()}
    published = messages_in(PUBLISHED)
    return [each for each in published if each.is_held_out and each.text.casefold() not in known]


def learnt(messages: list[Message]) -> array[int]:
    """The weights, in steps."""
    weights = [0.0] * BUCKETS
    told = [(features(each.text, plain(each.text).replace(CLAUSE, " ").split()), each.is_refusal) for each in messages]
    order = Random(1)
    for _ in range(EPOCHS):
        order.shuffle(told)
        for buckets, is_refusal in told:
            odds = max(-FARTHEST, min(FARTHEST, weighed(weights, buckets)))
            wrong = RATE * (is_refusal - 1 / (1 + exp(-odds)))
            share = wrong / sqrt(len(buckets) or 1)
            for each in buckets:
                weights[each] += share - RATE * DECAY * weights[each]
    return array("h", [round(each / STEP) for each in weights])


def main() -> None:
    """Learn, and keep the weights."""
    weights = learnt(learnable())
    if sys.byteorder == "big":
        weights.byteswap()
    WEIGHTS.write_bytes(weights.tobytes())


if __name__ == "__main__":
    main()
