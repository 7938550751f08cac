"""What somebody means by a message of their own: no more, messages again, help, or nothing of the kind.

Pure, and by lists of words first: the same text always means the same, and who asks why is told which words decided.
Law accepts any reasonable way to refuse (47 CFR 64.1200(a)(10) names seven words as such), so doubt counts as a refusal
that is to be confirmed. Where no words decide, how much a message is like known refusals does, or makes it doubtful;
and where words within a sentence do, how little it is like them makes it doubtful.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from courtesy.consent.folding import CLAUSE, folded, own_part, plain
from courtesy.consent.likeness import likeness
from courtesy.consent.notions import GLUED_FROM
from courtesy.consent.word_lists import (
    COURTESIES,
    DOUBTS,
    EVERYTHING,
    HARMLESS,
    HARMLESS_UNSPACED,
    HELP_WORDS,
    START_PHRASES,
    START_WORDS,
    STOP_PHRASES,
    STOP_WORDS,
    WEAK_WORDS,
)

TEXT_CHARS_MAX = 2_000
"""Of a message that are looked at; after so many nobody says the first time that they want no more."""

LIKE, LIKE_AS_WRITTEN = -1.5, 1.0
"""From which likeness on a message may be a refusal; the second for one that speaks of nothing that is known in any
language. A refusal that is missed is worse than a question asked in vain, so a chance of one in five is enough to ask;
lower, and every other complaint about a parcel would be answered with a question about consent."""

SURE, UNLIKE = 2.5, 0.0
"""From which likeness on a message is a refusal that no word of the lists decides, and up to which one of which words
say so is doubtful. The first found on texts from which nothing was learnt, all of which above it were refusals."""

FEW_CHARS = 4
"""Of so few characters and no more a message is a keyword or nothing, where words are of letters: "no" answers much."""

SHORT_WORDS = 5
UNSPACED = frozenset({"th", "zh", "ja", "ko"})
"""Languages of which words are found without spaces around them."""


class Meaning(StrEnum):
    """STOP: no more. UNSURE: probably no more; refuse for them now, and ask. START: messages again. HELP: what is this?
    NOTHING: none of these."""

    STOP = "stop"
    UNSURE = "unsure"
    START = "start"
    HELP = "help"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message means. `everything`: over all channels, and not only over that on which it came. `words`: those
    that decided, folded; empty when none did, and the message is like a refusal."""

    meaning: Meaning
    everything: bool = False
    words: str = ""


def heard(text: str) -> Heard:
    """What a message means that somebody sent. What it quotes of an earlier one is left out."""
    own = own_part(text[:TEXT_CHARS_MAX])
    told = f" {plain(own)} "
    lists = _lists()
    everything = lists.everything.search(told) is not None
    for whole in _wholes(told.replace(CLAUSE, " ").split()):
        if whole in lists.stops:
            return Heard(Meaning.STOP, everything or whole.endswith("all"), whole)
        if whole in lists.starts:
            return Heard(Meaning.START, False, whole)
        if whole in lists.helps:
            return Heard(Meaning.HELP, False, whole)
    return _by_likeness(own, told, everything, _in_sentence(told, everything))


def _by_likeness(text: str, told: str, everything: bool, found: Heard) -> Heard:
    """The same, unless what it is like says otherwise: of what words missed, or took for a refusal."""
    if found.meaning in (Meaning.START, Meaning.UNSURE) or not _says_enough(told):
        return found
    like = likeness(text, told)
    if found.meaning is Meaning.STOP:
        return replace(found, meaning=Meaning.UNSURE) if like.odds <= UNLIKE else found
    if any(each.search(told) for each in _lists().harmless):
        return found
    if like.odds >= SURE and like.is_understood:
        return Heard(Meaning.STOP, everything)
    is_like = like.odds >= (LIKE if like.is_understood else LIKE_AS_WRITTEN)
    return Heard(Meaning.UNSURE, everything) if is_like else found


def _says_enough(told: str) -> bool:
    """Whether there is anything in a message that it could be like others by."""
    letters = [char for char in told if char.isalpha()]
    return len(letters) > FEW_CHARS or any(char >= GLUED_FROM for char in letters)


def _in_sentence(told: str, everything: bool) -> Heard:
    lists = _lists()
    for harmless in lists.harmless:
        told = harmless.sub(f" {CLAUSE} ", told)
    refusal = _first(lists.refusals, told)
    if refusal:
        return Heard(Meaning.STOP, everything, refusal)
    again = _first((lists.again,), told)
    if again:
        return Heard(Meaning.START, False, again)
    return _by_a_clause(told, everything)


def _by_a_clause(told: str, everything: bool) -> Heard:
    """A clause that is a keyword refuses; what is said of refusals may, and a keyword at an end of a short message."""
    lists = _lists()
    clauses = [clause.split() for clause in told.split(CLAUSE) if clause.strip()]
    keyword = next((whole for clause in clauses for whole in _wholes(clause) if whole in lists.stops), "")
    if keyword:
        return Heard(Meaning.STOP, everything, keyword)
    words = [word for clause in clauses for word in clause]
    ends = (*words[:1], *words[-1:]) if len(words) <= SHORT_WORDS else ()
    doubt = _first((lists.doubts,), told) or next((word for word in ends if word in lists.strong), "")
    return Heard(Meaning.UNSURE, everything, doubt) if doubt else Heard(Meaning.NOTHING)


def _first(patterns: tuple[re.Pattern[str], ...], told: str) -> str:
    """What is found of the first pattern that is found; empty when none is."""
    found = next((found for pattern in patterns if (found := pattern.search(told))), None)
    return "" if found is None else found.group().strip()


def _wholes(words: list[str]) -> list[str]:
    """The words as one, as they are and without courtesies at either end; a keyword repeated counts once."""
    courtesies = _lists().courtesies
    first, end = 0, len(words)
    while first < end and words[first] in courtesies:
        first += 1
    while end > first and words[end - 1] in courtesies:
        end -= 1
    found = [" ".join(words), " ".join(words[first:end])]
    if len(set(words[first:end])) == 1:
        found.append(words[first])
    spaceless = [each.replace(" ", "") for each in found]
    return [each for each in (*found, *spaceless) if each]


def _keywords(*lists: str) -> frozenset[str]:
    return frozenset(word for each in lists for keyword in each.split(",") if (word := plain(keyword)))


def _pattern(phrase: str) -> str:
    """A phrase of the lists as a regular expression over plain text."""
    written = re.sub(r" ~(\([^()]*\)\?)?$", "", folded(phrase).strip())
    written = re.sub(r" ~(?=[|)]|$)", "", written)
    written = re.sub(r"(?<=[^ (|])\*", "[^ |]*", written)
    written = re.sub(r"(?<=[ (|])\*", "[^ |]+", written)
    written = written.replace("~", "(?:[^ |]+ ){0,3}").replace("_", "(?:[^ |]+ )?")
    return re.sub(r"\((?!\?)", "(?:", written)


def _spaced(*lists: str) -> re.Pattern[str]:
    found = "|".join(f"(?:{_pattern(phrase)})" for each in lists for phrase in each.split(";"))
    return re.compile(f"(?<= )(?:{found})(?= )")


def _unspaced(*lists: str) -> re.Pattern[str]:
    """Of regular expressions, for texts without spaces between words."""
    return re.compile("|".join(f"(?:{folded(phrase)})" for each in lists for phrase in each.split(";")))


@dataclass(frozen=True, slots=True)
class _Lists:
    """The lists of words, ready to look things up."""

    stops: frozenset[str]
    strong: frozenset[str]
    starts: frozenset[str]
    helps: frozenset[str]
    courtesies: frozenset[str]
    everything: re.Pattern[str]
    harmless: tuple[re.Pattern[str], ...]
    refusals: tuple[re.Pattern[str], ...]
    again: re.Pattern[str]
    doubts: re.Pattern[str]


@cache
def _lists() -> _Lists:
    """Made when they are first needed: it takes a quarter of a second."""
    stops = _keywords(*STOP_WORDS.values(), "stop all, stopall")
    spaced = (phrases for language, phrases in STOP_PHRASES.items() if language not in UNSPACED)
    return _Lists(
        stops,
        stops - _keywords(WEAK_WORDS),
        _keywords(START_WORDS) - stops,
        _keywords(HELP_WORDS),
        frozenset(plain(word) for word in COURTESIES),
        re.compile(f"(?<= )(?:{'|'.join(sorted(_keywords(EVERYTHING)))})(?= )"),
        (_spaced(HARMLESS), _unspaced(HARMLESS_UNSPACED)),
        (_spaced(*spaced), _unspaced(*(STOP_PHRASES[language] for language in sorted(UNSPACED)))),
        _spaced(START_PHRASES),
        _spaced(DOUBTS),
    )
