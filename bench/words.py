"""How well revocations are heard in free text: on the held-out half of the published set, and on keywords.

- recall: of messages that are revocations, the share that is obeyed, outright or in doubt (suppressed now, asked once);
- precision: of messages that are taken for a revocation outright, the share that is one;
- precision of all that is obeyed: the same with those in doubt;
- unseen: the same three on messages that were written and kept before the recogniser was made what it is, in kinds of
  phrasing that it did not learn from;
- latest: the same three on messages by another hand, kept before the recogniser last changed;
- keywords: of all words of the lists, however they are written, the share that is obeyed outright.

The held-out messages are by the same hand as those from which the recogniser learnt, and half of them are not
revocations but look like one, which is more than a company gets.
"""

from __future__ import annotations

import time

from bench.learn_words import LATEST, UNSEEN, Message, held_out_messages, messages_in
from bench.results import Figure
from courtesy.consent.word_lists import STOP_WORDS
from courtesy.consent.words import Meaning, heard

FORMS = ("{}", "  {}.  ", "{}!!!", "«{}»", "Hi, {} please, thanks")
OBEYED = (Meaning.STOP, Meaning.UNSURE)


def words() -> list[Figure]:
    """All, and how long a message takes."""
    forms = [form.format(word.strip()) for each in STOP_WORDS.values() for word in each.split(",") for form in FORMS]
    kept = sum(heard(each).meaning is Meaning.STOP for each in forms)
    unseen, latest = messages_in(UNSEEN), messages_in(LATEST)
    return [
        *_told_apart(held_out_messages(), ""),
        *_told_apart(unseen, "_unseen"),
        *_told_apart(latest, "_latest"),
        Figure(
            "words_keywords", kept / len(forms), "share", len(forms), "keywords in 32 languages, each in five forms"
        ),
        Figure("words_message_us", _each_us(unseen), "us", len(unseen), "one message, the mean of them; one core"),
    ]


def _told_apart(messages: list[Message], kind: str) -> list[Figure]:
    """Recall, and precision outright and of all that is obeyed."""
    heard_as = [(each, heard(each.text).meaning) for each in messages]
    outright = [each for each, meaning in heard_as if meaning is Meaning.STOP]
    obeyed = [each for each, meaning in heard_as if meaning in OBEYED]
    refusals = _refusals(messages)
    languages = len({each.language for each in messages})
    note = (
        f"{len(messages)} messages in {languages} languages, {refusals} revocations,"
        f" {_refusals(outright)} of them outright"
    )
    return [
        Figure(f"words_recall{kind}", _refusals(obeyed) / refusals, "share", refusals, note),
        Figure(
            f"words_precision_outright{kind}",
            _refusals(outright) / max(1, len(outright)),
            "share",
            len(outright),
            note,
        ),
        Figure(f"words_precision_obeyed{kind}", _refusals(obeyed) / max(1, len(obeyed)), "share", len(obeyed), note),
    ]


def _each_us(messages: list[Message]) -> float:
    """The mean time that a message takes."""
    began = time.perf_counter()
    for each in messages:
        heard(each.text)
    return (time.perf_counter() - began) * 1e6 / len(messages)


def _refusals(messages: list[Message]) -> int:
    return sum(each.is_refusal for each in messages)
