"""Static lists: people named in a file, as traits of theirs, with a segment of those who have the trait.

A list is a source of its own. Each row of a file becomes an identify call with the trait `lists.<name>`, through the
same import as all files: so it survives a crash, says of everybody who put them on the list, and can be taken back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import BinaryIO

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import Clock, to_iso
from courtesy.engine.contract import Engine
from courtesy.event.event import Party
from courtesy.runtime.catalog import NAME_CHARS_MAX, CatalogCache, Source, check_name
from courtesy.runtime.importing import import_path
from courtesy.runtime.ingest import Ingest
from courtesy.runtime.segments import Segments
from courtesy.segment.definition import SegmentBody
from courtesy.segment.printing import write
from courtesy.segment.tree import Field, Is, Segment
from courtesy.source.files import fingerprint, kept_stream, sample_of
from courtesy.source.guess import guess_rule
from courtesy.source.mapping import CallType, CsvOptions, Format, Given, Mapping, Output, Rule, Value
from courtesy.source.summary import ImportSummary

TRAIT = "lists"
SOURCE_PREFIX = "list "
CHARS_MAX = NAME_CHARS_MAX - len(SOURCE_PREFIX)


def source_of(name: str) -> str:
    """The source under which a list's files are known."""
    return SOURCE_PREFIX + name


def segment_of(name: str) -> Segment:
    """The segment of those who are on a list."""
    escaped = name.replace("\\", "\\\\")
    return Segment(1, Field(f"{TRAIT}.{escaped}", Is((True,))))


class Lists:
    """The writing side of lists in one process."""

    def __init__(self, engine: Engine, catalog: CatalogCache, ingest: Ingest, segments: Segments, clock: Clock) -> None:
        self._engine = engine
        self._catalog = catalog
        self._ingest = ingest
        self._segments = segments
        self._clock = clock

    async def change(
        self,
        name: str,
        opened: Callable[[], BinaryIO],
        by: str,
        *,
        kind: str | None = None,
        format_: Format | None = None,
        removes: bool = False,
    ) -> tuple[ImportSummary, str]:
        """Put everybody whom a file names on a list, or take them off; what became of the file, and its SHA-256.

        `opened`: the file from its beginning, each time. `kind`: it has one column of such identifiers and no header;
        else its columns are told by their names. The list's segment is defined unless it is. Raises CourtesyError:
        CONFLICT when another segment has the name, INVALID when no column names people, UNREADABLE for what is no
        table, and what `import_path` does.
        """
        check_name(name, CHARS_MAX)
        await self._ensure_segment(name, by)
        await self._catalog.ensure_source(source_of(name), Source(party=Party.FIRST), by)
        now_ms = self._clock.now_ms()
        # A name that no other call has: who is put on the list a second time, after they were taken off, is told anew.
        label = f"{'off' if removes else 'on'} {name} at {to_iso(now_ms)}"
        rule, digest = await asyncio.to_thread(_planned, opened, label, now_ms, kind, format_)
        output = Output(CallType.IDENTIFY, traits={f"{TRAIT}.{name}": Value(constant=not removes)})
        mapping = Mapping(name, rules=(_with(rule, output, to_iso(now_ms)),))
        with await asyncio.to_thread(opened) as stream:
            summary = await import_path(
                self._ingest,
                self._engine,
                self._catalog.policy(source_of(name)),
                None,
                mapping,
                self._clock,
                lambda progress: None,
                format=format_,
                stdin=stream,
                name=label,
                again=True,
            )
        return summary, digest

    async def _ensure_segment(self, name: str, by: str) -> None:
        await self._catalog.refresh()
        known = self._catalog.now.segments.get(name)
        if known is None:
            said = "A list from files."
            await self._segments.define(name, SegmentBody(segment_of(name), said=said), by)
        elif known.segment != segment_of(name):
            raise CourtesyError(
                Code.CONFLICT,
                f"there is a segment {name!r:.120} that is no list: {write(known.segment):.200}",
                hint="choose another name",
                place="name",
            )


def _planned(
    opened: Callable[[], BinaryIO], label: str, now_ms: int, kind: str | None, format_: Format | None
) -> tuple[Rule, str]:
    """How a file is read, and its SHA-256."""
    with opened() as stream, kept_stream(stream, label, now_ms) as file:
        digest = fingerprint(file)
        if kind is not None:
            options = CsvOptions(header=False, columns=(kind,))
            return Rule(format=Format.CSV, csv=options, identifiers={kind: kind}), digest
        sample = sample_of(file, known_only=False, format=format_)
        rule = guess_rule(label, sample)
    identifiers: dict[str, Given] = dict(rule.identifiers)
    if rule.skip is not None or not identifiers:
        columns = ", ".join(sample.columns)
        raise CourtesyError(
            Code.INVALID,
            f"expected a column that names people, such as user_id or email, got {columns:.200}",
            hint="for a file of nothing but one kind of identifiers, say which kind",
            place="file",
        )
    return Rule(csv=rule.csv, identifiers=identifiers), digest


def _with(rule: Rule, output: Output, at: str) -> Rule:
    return Rule(
        format=rule.format, csv=rule.csv, identifiers=rule.identifiers, time=Value(constant=at), outputs=(output,)
    )
