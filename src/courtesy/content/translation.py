"""What a translated template comes to, and what of it could not be translated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from courtesy.content.findings import Check, Finding, Severity
from courtesy.content.language.expressions import WORDS
from courtesy.content.language.tokens import Source
from courtesy.content.scope import HIDDEN, SCOPE


@dataclass(frozen=True, slots=True)
class Translated:
    """A template of ours. Each finding has the place in the original, the snippet and why; an ERROR stands where
    something was left out, a WARNING where it may say something else."""

    source: str
    findings: list[Finding]


@dataclass(slots=True)
class Notes:
    """The findings of one translation."""

    source: Source
    findings: list[Finding] = field(default_factory=list)

    def left_out(self, offset: int, snippet: str, why: str, hint: str = "") -> str:
        """Notes what was left out; gives a comment to stand in its place."""
        place = str(self.source.place(offset))
        self.findings.append(Finding(Severity.ERROR, Check.TRANSLATION, f"{snippet:.100}: {why}", place, hint))
        return ""

    def differs(self, offset: int, snippet: str, why: str, hint: str = "") -> None:
        """Notes what may say something else."""
        place = str(self.source.place(offset))
        self.findings.append(Finding(Severity.WARNING, Check.TRANSLATION, f"{snippet:.100}: {why}", place, hint))


def free_name(name: str) -> str:
    """A name that a template may give: with an ending where the name has its meaning here already."""
    taken = name in SCOPE or name in HIDDEN or name in WORDS or name.startswith("_")
    return f"{name.lstrip('_')}_1" if taken else name


def quoted(text: str) -> str:
    """Text as a template writes it."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def trimmed(tag: str, before: str, after: str) -> str:
    """A tag that takes the blanks before or after it away, where those are not empty."""
    if before and tag:
        tag = f"{tag[:2]}-{tag[2:]}"
    return f"{tag[:-2]}-{tag[-2:]}" if after and tag else tag


STRFTIME: Mapping[str, str] = {
    "%Y": "yyyy", "%y": "yy", "%m": "MM", "%-m": "M", "%B": "MMMM", "%b": "MMM", "%h": "MMM", "%d": "dd", "%-d": "d",
    "%e": "d", "%A": "EEEE", "%a": "EEE", "%H": "HH", "%-H": "H", "%I": "hh", "%-I": "h", "%l": "h", "%M": "mm",
    "%S": "ss", "%p": "a", "%P": "a", "%Z": "z", "%z": "Z", "%F": "yyyy-MM-dd", "%T": "HH:mm:ss", "%R": "HH:mm",
    "%D": "MM/dd/yy", "%j": "D", "%%": "%",
}  # fmt: skip
"""Directives of strftime as patterns of CLDR."""
