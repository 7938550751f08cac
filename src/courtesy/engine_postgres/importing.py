"""Importing: how far files are imported, what of the store is theirs, and taking them back."""

from __future__ import annotations

from collections.abc import Sequence

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.engine.contract import Count, Imported, ImportProgress
from courtesy.engine.imported import FileKey, Span, TakeBack
from courtesy.engine_postgres.catalogues import TAKE_BACK_INTEREST
from courtesy.engine_postgres.connection import Connected, Connection
from courtesy.engine_postgres.erasing import UNNAME_MERGES
from courtesy.event.cause import Cause, Fate
from courtesy.person.record import DERIVED, FACTS, RecordKind

SPANS_AT_ONCE = 500

_PROGRESS = "SELECT fingerprint, source_id, name, row_count, finished, taken_back FROM import_file"
_PUT_SPAN = "INSERT INTO import_span (fingerprint, source_id, first, last) VALUES (%s, %s, %s, %s)"
_PUT_COUNT = """
INSERT INTO import_count AS known (fingerprint, source_id, hour, fate, cause, event_count)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (fingerprint, source_id, hour, fate, cause) DO UPDATE SET
    event_count = known.event_count + excluded.event_count
"""
_PEOPLE_IN = """
SELECT DISTINCT part.person_id FROM unnest(%b::bigint[], %b::bigint[]) AS span (first, last) CROSS JOIN partition_state
CROSS JOIN LATERAL (
    SELECT person_id FROM log WHERE log.partition = partition_state.partition
      AND log.position BETWEEN span.first AND span.last AND log.kind = ANY(%b::smallint[])
) AS part
"""
_COPIES = (RecordKind.FORWARDED_EVENT, RecordKind.FORWARDED_GROUP)
_DROP = f"""
DELETE FROM {{table}} WHERE person_id = ANY(%(people)s::bigint[])
    AND (kind IN ({", ".join(str(kind.value) for kind in FACTS)}) AND position = ANY(%(positions)s::bigint[])
        OR kind IN ({", ".join(str(kind.value) for kind in _COPIES)}) AND key = ANY(%(keys)s::bytea[]))
"""
# Each takes the same parameters.
_TAKE_BACK = (
    _DROP.format(table="log"),
    _DROP.format(table="poisoned"),
    "UPDATE chapter SET state = NULL, message_ids = '' WHERE person_id = ANY(%(people)s::bigint[])"
    " AND EXISTS (SELECT FROM unnest(%(positions)s::bigint[]) AS own WHERE own BETWEEN first AND last)",
    *(
        f"DELETE FROM {table} WHERE person_id = ANY(%(restored)s::bigint[])"
        f" AND kind IN ({', '.join(str(kind.value) for kind in DERIVED)})"
        for table in ("log", "poisoned")
    ),
    "DELETE FROM seen WHERE key = ANY(%(keys)s::bytea[])",
    "DELETE FROM moved WHERE position = ANY(%(positions)s::bigint[])",
    *TAKE_BACK_INTEREST,
    "DELETE FROM identifier WHERE identifier = ANY(%(identifiers)s::text[])",
    "DELETE FROM owner_before WHERE identifier = ANY(%(identifiers)s::text[])",
    UNNAME_MERGES,
    "DELETE FROM link_refusal WHERE person_id = ANY(%(people)s::bigint[])"
    " AND source_id = %(source)s AND message_id = ANY(%(messages)s::text[])",
)
_EVIDENCE = "UPDATE identifier SET source_id = %s, message_id = %s, since = %s WHERE identifier = %s"
_CUT = "DELETE FROM link WHERE a = %s AND b = %s"
_LINK = """
INSERT INTO link (a, b, source_id, message_id, at, reason) VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (a, b) DO NOTHING
"""
_UNCOUNT = """
UPDATE accept_count AS known SET event_count = known.event_count - gone.event_count
FROM import_count AS gone WHERE gone.fingerprint = %(fingerprint)s AND gone.source_id = %(source)s
    AND (known.source_id, known.hour, known.fate, known.cause) = (gone.source_id, gone.hour, gone.fate, gone.cause)
"""
_FINISH = (
    _UNCOUNT,
    "DELETE FROM quarantine WHERE file = %(fingerprint)s AND source_id = %(source)s",
    "DELETE FROM import_count WHERE fingerprint = %(fingerprint)s AND source_id = %(source)s",
    "DELETE FROM import_span WHERE fingerprint = %(fingerprint)s AND source_id = %(source)s",
    "DELETE FROM import_file WHERE fingerprint = %(fingerprint)s AND source_id = %(source)s",
)


async def put_imported(connection: Connection, imported: Sequence[Imported], first: Position) -> None:
    """Remember what of an append, whose records begin at `first`, is a file's; within its transaction."""
    spans = [(*each.file, first + start, first + end) for each in imported for start, end in each.runs]
    counts = [
        (*each.file, count.hour_ms, count.fate, count.cause or "", count.event_count)
        for each in imported
        for count in each.counts
    ]
    async with connection.cursor() as cursor:
        await cursor.executemany(_PUT_SPAN, spans)
        await cursor.executemany(_PUT_COUNT, counts)


async def take_back(connection: Connection, gone: TakeBack) -> None:
    """Take back, within the transaction of an append. The identity epoch is moved by the caller."""
    given = {
        "people": list(gone.people),
        "keys": list(gone.keys),
        "restored": list(gone.restored),
        "positions": list(gone.positions),
        "identifiers": list(gone.identifiers),
        "source": gone.source,
        "messages": list(gone.messages),
    }
    for text in _TAKE_BACK:
        await connection.execute(text, given)
    async with connection.cursor() as cursor:
        evidence = [(why.source, why.message_id, why.at, key) for key, why in gone.evidence.items()]
        await cursor.executemany(_EVIDENCE, evidence)
        await cursor.executemany(_CUT, [(link.a, link.b) for link in gone.cut])
        await cursor.executemany(_LINK, [(link.a, link.b, *link.evidence, link.reason) for link in gone.links])
    if gone.finished is not None:
        for text in _FINISH:
            await connection.execute(text, gone.finished._asdict())


class Importing(Connected):
    """The engine's side of imports."""

    async def import_progress(self, fingerprint: str, source: SourceId) -> ImportProgress | None:
        rows = await self._rows(f"{_PROGRESS} WHERE fingerprint = %s AND source_id = %s", fingerprint, source)
        return ImportProgress(*rows[0]) if rows else None

    async def save_import(self, progress: ImportProgress) -> None:
        async with self._connection() as connection:
            await connection.execute(
                "INSERT INTO import_file (fingerprint, source_id, name, row_count, finished, taken_back)"
                " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (fingerprint, source_id) DO UPDATE SET"
                " name = excluded.name, row_count = excluded.row_count, finished = excluded.finished,"
                " taken_back = coalesce(excluded.taken_back, import_file.taken_back)",
                progress,
            )

    async def imports(self) -> list[ImportProgress]:
        return [ImportProgress(*row) for row in await self._rows(f"{_PROGRESS} ORDER BY source_id, name, fingerprint")]

    async def import_spans(self, file: FileKey) -> list[Span]:
        rows = await self._rows(
            "SELECT first, last FROM import_span WHERE fingerprint = %s AND source_id = %s ORDER BY first", *file
        )
        return [Span(*row) for row in rows]

    async def import_counts(self, file: FileKey) -> list[Count]:
        rows = await self._rows(
            "SELECT source_id, hour, fate, cause, event_count FROM import_count"
            " WHERE fingerprint = %s AND source_id = %s AND event_count <> 0 ORDER BY hour, fate, cause",
            *file,
        )
        return [
            Count(source, hour, Fate(fate), Cause(cause) if cause else None, count)
            for source, hour, fate, cause, count in rows
        ]

    async def spans_taken_back(self) -> list[Span]:
        rows = await self._rows(
            "SELECT first, last FROM import_span JOIN import_file USING (fingerprint, source_id)"
            " WHERE taken_back IS NOT NULL ORDER BY first"
        )
        return [Span(*row) for row in rows]

    async def people_in(self, spans: Sequence[Span]) -> set[PersonId]:
        kinds = [int(kind) for kind in FACTS]
        found: set[PersonId] = set()
        for start in range(0, len(spans), SPANS_AT_ONCE):
            part = spans[start : start + SPANS_AT_ONCE]
            firsts, lasts = [span.first for span in part], [span.last for span in part]
            found.update(PersonId(person) for (person,) in await self._rows(_PEOPLE_IN, firsts, lasts, kinds))
        return found
