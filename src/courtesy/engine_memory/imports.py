"""How far files are imported, and what of the store is theirs."""

from __future__ import annotations

from collections.abc import Iterable

from courtesy.base.ids import Position, SourceId
from courtesy.engine.contract import Count, Imported, ImportProgress
from courtesy.engine.imported import FileKey, Span
from courtesy.event.cause import Cause, Fate


class Imports:
    """Files, each with its progress, its places in the log and what is counted for it."""

    def __init__(self) -> None:
        self.progress: dict[FileKey, ImportProgress] = {}
        self._spans: dict[FileKey, list[Span]] = {}
        self._counts: dict[FileKey, dict[tuple[SourceId, int, Fate, Cause | None], int]] = {}

    def save(self, progress: ImportProgress) -> None:
        """Remember how far a file is; one that is being taken back stays so."""
        file = FileKey(progress.fingerprint, progress.source)
        known = self.progress.get(file)
        if known is not None and progress.taken_back_ms is None:
            progress = progress._replace(taken_back_ms=known.taken_back_ms)
        self.progress[file] = progress

    def put(self, imported: Iterable[Imported], first: Position) -> None:
        """Remember what of an append, whose records begin at `first`, is a file's."""
        for each in imported:
            spans = self._spans.setdefault(each.file, [])
            spans += [Span(Position(first + start), Position(first + end)) for start, end in each.runs]
            counts = self._counts.setdefault(each.file, {})
            for count in each.counts:
                counts[count[:4]] = counts.get(count[:4], 0) + count.event_count

    def spans(self, file: FileKey) -> list[Span]:
        """Where a file's events lie."""
        return sorted(self._spans.get(file, ()))

    def counts(self, file: FileKey) -> list[Count]:
        """What is counted for a file."""
        counts = [Count(*bucket, count) for bucket, count in self._counts.get(file, {}).items() if count]
        return sorted(counts, key=lambda each: (each.hour_ms, each.fate, each.cause or ""))

    def spans_taken_back(self) -> list[Span]:
        """Where the events lie of all files that are being taken back."""
        files = (file for file, progress in self.progress.items() if progress.taken_back_ms is not None)
        return sorted(span for file in files for span in self._spans.get(file, ()))

    def forget(self, file: FileKey) -> None:
        """As if the file had never been there."""
        self.progress.pop(file, None)
        self._spans.pop(file, None)
        self._counts.pop(file, None)
