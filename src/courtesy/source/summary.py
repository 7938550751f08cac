"""What an import tells while it runs and when it is done."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from courtesy.event.cause import Cause, Fate


class Outcome(StrEnum):
    """What became of a file."""

    IMPORTED = "imported"
    KNOWN = "imported before"
    LEFT_OUT = "not imported"
    BROKEN_OFF = "broken off"


class Progress(msgspec.Struct, frozen=True):
    """How far an import is. Bytes are those of the files as they lie; `eta_ms` is None until there is a rate."""

    file: str
    file_number: int
    file_count: int
    row_count: int
    done_byte_count: int
    byte_count: int
    rows_per_s: float
    eta_ms: int | None

    @property
    def share(self) -> float:
        """How much is done, from 0 to 1."""
        return min(self.done_byte_count / self.byte_count, 1.0) if self.byte_count else 1.0


class FileSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one file.

    `row_count` are the rows read now: without the `resumed_row_count` of an earlier run. Of them `left_out_row_count`
    did not meet the conditions of the rule. The calls made of the others are `received_count`, which is the sum of
    the four counts after it; a row that can't be read counts as one call.
    """

    name: str
    outcome: Outcome
    mapping: str = ""
    reason: str = ""
    row_count: int = 0
    left_out_row_count: int = 0
    resumed_row_count: int = 0
    received_count: int = 0
    stored_count: int = 0
    duplicate_count: int = 0
    quarantined_count: int = 0
    suppressed_count: int = 0


class CauseSummary(msgspec.Struct, frozen=True):
    """Calls that were not stored for one cause, with the first of them as an example."""

    cause: Cause
    fate: Fate
    count: int
    place: str
    detail: str


class ImportSummary(msgspec.Struct, frozen=True):
    """What became of an import: file by file in the order of names, and cause by cause, the most frequent first."""

    files: tuple[FileSummary, ...]
    causes: tuple[CauseSummary, ...]
    duration_ms: int

    @property
    def row_count(self) -> int:
        """Rows read."""
        return sum(file.row_count for file in self.files)

    @property
    def received_count(self) -> int:
        """Calls made."""
        return sum(file.received_count for file in self.files)

    @property
    def stored_count(self) -> int:
        """Events stored."""
        return sum(file.stored_count for file in self.files)

    @property
    def duplicate_count(self) -> int:
        """Calls that had been stored before."""
        return sum(file.duplicate_count for file in self.files)

    @property
    def quarantined_count(self) -> int:
        """Calls and rows that wait in the quarantine."""
        return sum(file.quarantined_count for file in self.files)

    @property
    def suppressed_count(self) -> int:
        """Calls that the source's policy kept out."""
        return sum(file.suppressed_count for file in self.files)

    @property
    def rows_per_s(self) -> float:
        """Rows read in a second."""
        return self.row_count * 1_000 / max(self.duration_ms, 1)
