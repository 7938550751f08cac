"""The words of the text form that mean something, and how values and names are written so that they are not mistaken
for them."""

from __future__ import annotations

from courtesy.segment.tokens import BARE_WORD
from courtesy.segment.tree import ANYTHING, Function, Match, Period, Stance, Unit

BEGINNINGS = frozenset(
    "did not in any all none at first last sum average smallest largest number allows granted refused wishes group"
    " score context source anything for each".split()
)
"""Words that begin a condition, a field or an event: a trait or property of this name is written in quotes."""

KEYWORDS = BEGINNINGS | frozenset(
    "about absent ago after and before between bottom by comes contain contains different does end ends every exactly"
    " false from has have is later least less like look looks more most next now of often on one or over present"
    " previous round segment since start starts than that the then this times to today top true until was where with"
    " within without yesterday km".split()
)
"""Words that a value is not written as without quotes. In capitals they mean nothing: AT is Austria."""

UNITS = {name: unit for unit in Unit for name in (unit.value, f"{unit}s")}
PERIODS = {period.value: period for period in Period}
STANCES = {stance.value: stance for stance in Stance}
FUNCTIONS = {
    "sum": (Function.SUM, "sum of"),
    "average": (Function.AVERAGE, "average"),
    "smallest": (Function.SMALLEST, "smallest"),
    "largest": (Function.LARGEST, "largest"),
    "number": (Function.DIFFERENT, "number of different"),
}
"""By the word that begins them, with how they are written."""

MATCHES = {
    Match.CONTAINS: ("contains", "does not contain"),
    Match.STARTS: ("starts with", "does not start with"),
    Match.ENDS: ("ends with", "does not end with"),
    Match.LIKE: ("looks like", "does not look like"),
}


def written_event(name: str) -> str:
    """The name of an event as it is written, in quotes; `anything` for all of them."""
    return "anything" if name == ANYTHING else quoted(name)


def quoted(text: str) -> str:
    """Text in quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def written_path(path: str) -> str:
    """A path as it is written, in quotes if it must be."""
    return path if BARE_WORD.fullmatch(path) and path not in BEGINNINGS else quoted(path)


def written_value(text: str) -> str:
    """A text value or a name as it is written, in quotes if it must be."""
    return text if BARE_WORD.fullmatch(text) and text not in KEYWORDS else quoted(text)
