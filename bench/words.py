"""How well revocations are heard in free text: on the held-out half of the published set, and on keywords.

- recall: of messages that are revocations, the share that is obeyed, outright or in doubt (suppressed now, asked once);
- precision: of messages that are taken for a revocation outright, the share that is one;
- precision of all that is obeyed: the same with those in doubt;
- keywords: of all words of the lists, however they are written, the share that is obeyed outright.

The held-out messages are by the same hand as those from which the recogniser learnt, and half of them are not
revocations but look like one, which is more than a company gets.
"""

from __future__ import annotations

from bench.learn_words import Message, held_out_messages
from bench.results import Figure
from courtesy.consent.word_lists import STOP_WORDS
from courtesy.consent.words import Meaning, heard

FORMS = ("{}", "  {}.  ", "{}!!!", "«{}»", "Hi, {} please, thanks")
OBEYED = (Meaning.STOP, Meaning.UNSURE)


def words() -> list[Figure]:
    """All four."""
    held_out = held_out_messages()
    heard_as = [(each, heard(each.text).meaning) for each in held_out]
    outright = [each for each, meaning in heard_as if meaning is Meaning.STOP]
    obeyed = [each for each, meaning in heard_as if meaning in OBEYED]
    refusals = [each for each in held_out if each.is_refusal]
    languages = len({each.language for each in held_out})
    note = f"{len(held_out)} held-out messages in {languages} languages, {len(refusals)} revocations"
    forms = [form.format(word.strip()) for each in STOP_WORDS.values() for word in each.split(",") for form in FORMS]
    kept = sum(heard(each).meaning is Meaning.STOP for each in forms)
    return [
        Figure("words_recall", _refusals(obeyed) / len(refusals), "share", len(refusals), note),
        Figure("words_precision_outright", _refusals(outright) / max(1, len(outright)), "share", len(outright), note),
        Figure("words_precision_obeyed", _refusals(obeyed) / max(1, len(obeyed)), "share", len(obeyed), note),
        Figure(
            "words_keywords", kept / len(forms), "share", len(forms), "keywords in 32 languages, each in five forms"
        ),
    ]


def _refusals(messages: list[Message]) -> int:
    return sum(each.is_refusal for each in messages)
