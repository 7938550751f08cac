"""Planning: what is to be done with each file, settled before the first row is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import to_iso
from courtesy.source.calls import CallsRenderer
from courtesy.source.files import DataFile, Sample, sample_of
from courtesy.source.guess import guess_rule
from courtesy.source.mapping import CsvOptions, Format, Mapping, Rule, check_columns
from courtesy.source.ready import ready_rule
from courtesy.source.rendering import Renderer, TableRenderer

GUESSED = "guessed"
NO_RULE = "no rule of the mapping is for it"


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file with the rule for it, or with the reason why it is not imported. `mapping` says whose the rule is."""

    file: DataFile
    sample: Sample | None = None
    rule: Rule | None = None
    mapping: str = ""
    reason: str = ""


class Choose(Protocol):
    """Finds the rule for a file. Raises CourtesyError(UNREADABLE) for what is no table."""

    def __call__(self, file: DataFile, *, known_only: bool) -> PlannedFile: ...


def plan(
    found: Sequence[DataFile],
    mapping: Mapping | None,
    format: Format | None = None,
    *,
    from_folder: bool,
    consent: bool = False,
) -> list[PlannedFile]:
    """A plan for each file. Without a mapping a ready one that fits is taken, else one is guessed; with `consent`, as
    of files that tell what people chose.

    Raises CourtesyError when a rule names columns that its file lacks, and, unless the files are those of a folder,
    when the file can't be read.
    """
    choose: Choose = _ByMapping(mapping, format) if mapping is not None else _ByLooks(format, consent=consent)
    planned = []
    for file in found:
        try:
            planned.append(choose(file, known_only=from_folder))
        except CourtesyError as error:
            if not from_folder or error.code is not Code.UNREADABLE:
                raise
            planned.append(PlannedFile(file, reason=error.message))
    return planned


class _ByMapping:
    """The first rule of a mapping that is for a file of that name and those columns."""

    def __init__(self, mapping: Mapping, format: Format | None) -> None:
        self._mapping = mapping
        self._format = format

    def __call__(self, file: DataFile, *, known_only: bool) -> PlannedFile:
        name = self._mapping.name or "mapping"
        for number, rule in enumerate(self._mapping.rules):
            if not rule.is_for(file.name):
                continue
            if rule.skip is not None and not rule.columns:
                return PlannedFile(file, mapping=name, reason=rule.skip)
            known_only = known_only and rule.files == "*"
            sample = sample_of(file, known_only=known_only, format=rule.format or self._format, csv=rule.csv)
            if not set(rule.columns) <= set(sample.columns):
                continue
            if rule.skip is not None:
                return PlannedFile(file, mapping=name, reason=rule.skip)
            if sample.format is not Format.JSONL:
                check_columns(rule, sample.columns, f"{name} $.rules[{number}] for {file.name}: ")
            return PlannedFile(file, sample, rule, name)
        return PlannedFile(file, mapping=name, reason=NO_RULE)


class _ByLooks:
    """A ready rule whose columns the file has, else a guess from names and samples."""

    def __init__(self, format: Format | None, *, consent: bool) -> None:
        self._format = format
        self._consent = consent

    def __call__(self, file: DataFile, *, known_only: bool) -> PlannedFile:
        sample = sample_of(file, known_only=known_only, format=self._format)
        ready = None if self._consent else ready_rule(sample.columns)
        name, rule = ready or (GUESSED, guess_rule(file.identity, sample, consent=self._consent))
        if rule.skip is not None:
            return PlannedFile(file, mapping=name, reason=rule.skip)
        if rule.csv != CsvOptions():
            sample = sample_of(file, known_only=known_only, format=self._format, csv=rule.csv)
        return PlannedFile(file, sample, rule, name)


def renderer_for(rule: Rule, file: DataFile) -> Renderer:
    """What makes calls of the file's rows. Rows without a time are dated by the file's last change."""
    undated = to_iso(file.modified_ms)
    return TableRenderer(rule, undated) if rule.calls is None else CallsRenderer(rule, rule.calls, undated)
