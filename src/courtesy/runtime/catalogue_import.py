"""Files into catalogues: what a file says of entries, and with a full one also which are no more."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import NamedTuple

from courtesy.base.errors import CourtesyError
from courtesy.catalogue.definition import CatalogueDefinition
from courtesy.catalogue.entry import check_id, encode_body
from courtesy.catalogue.values import check_values
from courtesy.engine.contract import Engine
from courtesy.runtime.catalogues import Catalogues, Given, Made, Outcome
from courtesy.source.entries import EntryRow, entry_rows
from courtesy.source.files import DataFile
from courtesy.source.mapping import Format

WRITE_ITEMS = 1_000
IDS_PAGE = 10_000
TOLD_MAX = 100
RETIRE_AT_MOST = 20
"""Per cent of a catalogue that a full file may lack. What lacks more is rather cut off than so."""


@dataclass(frozen=True, slots=True)
class HowToRead:
    """`id_name`: the column with the id of an entry. `full`: entries that it lacks are retired, unless they are more
    than `retire_at_most` per cent. `dry`: nothing is written."""

    id_name: str = "id"
    format: Format | None = None
    full: bool = False
    dry: bool = False
    retire_at_most: int = RETIRE_AT_MOST


class RefusedRow(NamedTuple):
    """A row that is no entry, and why."""

    number: int
    id: str
    why: str


class Difference(NamedTuple):
    """What becomes of an entry, and the names of the fields that change."""

    id: str
    outcome: Outcome
    fields: tuple[str, ...]


@dataclass(slots=True)
class ImportReport:
    """What a file came to: how many rows went which way; the first differences and refused rows. `held_back`: why what
    it lacks was not retired; empty when it was."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    refused_count: int = 0
    refused: list[RefusedRow] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    held_back: str = ""

    def add(self, made: list[Made]) -> None:
        """Count what became of entries."""
        for each in made:
            self.counts[each.outcome] += 1
            if each.outcome is not Outcome.SAME and len(self.differences) < TOLD_MAX:
                self.differences.append(Difference(each.entry.id, each.outcome, each.fields))

    def refuse(self, row: EntryRow, why: str) -> None:
        """Count a row that is no entry."""
        self.refused_count += 1
        if len(self.refused) < TOLD_MAX:
            self.refused.append(RefusedRow(row.number, "" if row.id is None else str(row.id), why))


class CatalogueImports:
    """Reads files into the catalogues of one process."""

    def __init__(self, engine: Engine, catalogues: Catalogues) -> None:
        self._engine = engine
        self._catalogues = catalogues

    async def read(self, name: str, file: DataFile, how: HowToRead, by: str) -> ImportReport:
        """Have entries say what a file says. What it was cut off in the middle of may be repeated: what is as it says
        stays.

        Raises CourtesyError: NOT_FOUND for a catalogue that is not there, UNREADABLE for a file that is no table.
        """
        definition, report = await self._catalogues.get(name), ImportReport()
        seen: set[str] = set()
        has_nameless = False
        batches = entry_rows(file, definition, how.id_name, how.format)
        while (rows := await asyncio.to_thread(next, batches, None)) is not None:
            given, nameless = _entries(definition, rows, seen, report)
            has_nameless = has_nameless or nameless
            for start in range(0, len(given), WRITE_ITEMS):
                report.add(await self._write(name, given[start : start + WRITE_ITEMS], how, by))
        if how.full:
            await self._retire(name, seen, how, by, report, has_nameless=has_nameless)
        return report

    async def _write(self, name: str, given: list[Given], how: HowToRead, by: str) -> list[Made]:
        if how.dry:
            return await self._catalogues.plan(name, given)
        return await self._catalogues.write(name, given, by)

    async def _retire(
        self, name: str, seen: set[str], how: HowToRead, by: str, report: ImportReport, *, has_nameless: bool
    ) -> None:
        """Retire what a full file lacks, unless it looks like one that is not whole."""
        live_count, missing = 0, list[str]()
        async for id_ in self._live(name):
            live_count += 1
            if id_ not in seen:
                missing.append(id_)
        if has_nameless and missing:
            report.held_back = "rows without an id may be those that seem to be missing"
        elif len(missing) * 100 > live_count * how.retire_at_most:
            report.held_back = (
                f"the file lacks {len(missing):,} of {live_count:,} entries, which is more than {how.retire_at_most} %"
            )
        else:
            for start in range(0, len(missing), WRITE_ITEMS):
                gone = [Given(id_, None) for id_ in missing[start : start + WRITE_ITEMS]]
                report.add(await self._write(name, gone, how, by))

    async def _live(self, name: str) -> AsyncIterator[str]:
        after = ""
        while page := await self._engine.live_entries(name, after, IDS_PAGE):
            for id_ in page:
                yield id_
            after = page[-1]


def _entries(
    definition: CatalogueDefinition, rows: list[EntryRow], seen: set[str], report: ImportReport
) -> tuple[list[Given], bool]:
    """The rows that are entries, and whether there are some of which nobody can say which they would be."""
    given: list[Given] = []
    nameless = False
    for row in rows:
        try:
            id_ = check_id(row.id)
        except CourtesyError as error:
            report.refuse(row, row.unread or error.message)
            nameless = True
            continue
        if id_ in seen:
            report.refuse(row, "the entry is in the file twice; the first one counts")
            continue
        # Also one that is refused: it is there, if not as it should be.
        seen.add(id_)
        values = {name: value for name, value in row.values.items() if value is not None}
        try:
            check_values(definition, values)
            encode_body(values)
        except CourtesyError as error:
            report.refuse(row, f"{error.place}: {error.message}" if error.place else error.message)
            continue
        given.append(Given(id_, values))
    return given, nameless
