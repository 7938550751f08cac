"""What is known of some people as of an instant, put into tables of DuckDB from which conditions can be made.

Nothing that happened later gets into them. They are temporary: beyond the memory that the connection may use they lie
in its temporary folder, and they are gone with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from courtesy.segment.discovery.people import mixed

PEOPLE_MAX = 200_000
"""People that are looked at. Of more it is a sample: so many tell any rate to a third of a per cent."""

SAMPLE_ROWS = 2_000
"""Events of a name that are read to learn what properties it has."""

Column = NDArray[np.generic]

_OWNED = """
    CREATE OR REPLACE TEMP VIEW owned AS
    SELECT event.*, epoch_ms(event.at) AS at_ms, CASE
        WHEN moved.position IS NOT NULL THEN moved.root
        WHEN merged.person_id IS NOT NULL THEN merged.root
        ELSE event.person_id
    END AS owner
    FROM events AS event
    LEFT JOIN (SELECT person_id, root FROM people WHERE position IS NULL) AS merged
        ON merged.person_id = event.person_id
    LEFT JOIN (SELECT position, root FROM people WHERE position IS NOT NULL) AS moved
        ON moved.position = event.position
    WHERE event.raw IS NULL
"""

_POPULATION = """
    SELECT DISTINCT owner FROM owned
    WHERE kind = 'event' AND at_ms <= $at_ms AND owner IS NOT NULL ORDER BY owner
"""

_HAPPENED = """
    CREATE OR REPLACE TEMP TABLE happened AS
    SELECT number, at_ms, position, name, tie, told[1] AS properties, told[2] AS traits, told[4] ->> '$' AS "group",
        TRY_CAST(told[3] AS BIGINT) AS rank
    FROM (
        SELECT chosen.number, each.at_ms, each.position,
            CASE each.type
                WHEN 'track' THEN each.name WHEN 'system' THEN each.name
                WHEN 'page' THEN 'Page Viewed' WHEN 'screen' THEN 'Screen Viewed'
            END AS name,
            -- Signed, as `tie_break` reads it: only the order matters.
            xor(CAST(concat('0x', hex(each.key)[1:16]) AS UBIGINT), 9223372036854775808) AS tie,
            TRY(json_extract(each.payload, ['/properties', '/traits', '/rank', '/group'])) AS told
        FROM owned AS each JOIN chosen ON chosen.person = each.owner
        WHERE each.kind = 'event' AND each.at_ms <= $at_ms
    )
"""

_GROUP_CLAIMS = """
    CREATE OR REPLACE TEMP TABLE group_claims AS
    SELECT told[1] ->> '$' AS "group", told[2] AS traits, TRY_CAST(told[3] AS BIGINT) AS rank, at_ms,
        xor(CAST(concat('0x', hex(key)[1:16]) AS UBIGINT), 9223372036854775808) AS tie
    FROM (
        SELECT at_ms, key, TRY(json_extract(payload, ['/group', '/group_traits', '/rank'])) AS told
        FROM owned WHERE kind = 'group' AND at_ms <= $at_ms AND owner IS NOT NULL
    )
    WHERE told[2] IS NOT NULL
"""

_TOLD = """
    CREATE OR REPLACE TEMP TABLE told AS
    SELECT number, at_ms, path, value, json_type(value) AS type
    FROM (
        SELECT number, at_ms, unnest(TRY(json_extract(properties, $pointers))) AS value,
            generate_subscripts(CAST($pointers AS VARCHAR[]), 1) AS path
        FROM happened WHERE name = $name
    )
    WHERE value IS NOT NULL
"""

_TRAITS = """
    CREATE OR REPLACE TEMP TABLE told AS
    SELECT number, CAST(0 AS BIGINT) AS at_ms, path, value, json_type(value) AS type
    FROM (
        SELECT number, path, arg_max(value, (rank, at_ms, tie)) AS value
        FROM (
            SELECT number, rank, at_ms, tie, unnest(TRY(json_extract(traits, $pointers))) AS value,
                generate_subscripts(CAST($pointers AS VARCHAR[]), 1) AS path
            FROM happened WHERE traits IS NOT NULL
        )
        WHERE value IS NOT NULL AND json_type(value) <> 'OBJECT'
        GROUP BY number, path
    )
    WHERE json_type(value) <> 'NULL'
"""

_GROUP_TRAITS = """
    CREATE OR REPLACE TEMP TABLE told AS
    SELECT DISTINCT number, CAST(0 AS BIGINT) AS at_ms, path, value, json_type(value) AS type
    FROM (
        SELECT "group", path, arg_max(value, (rank, at_ms, tie)) AS value
        FROM (
            SELECT "group", rank, at_ms, tie, unnest(TRY(json_extract(traits, $pointers))) AS value,
                generate_subscripts(CAST($pointers AS VARCHAR[]), 1) AS path
            FROM group_claims
        )
        WHERE value IS NOT NULL AND json_type(value) <> 'OBJECT'
        GROUP BY "group", path
    )
    JOIN (SELECT DISTINCT number, "group" FROM happened WHERE "group" IS NOT NULL) USING ("group")
    WHERE json_type(value) <> 'NULL'
"""


def rows(connection: DuckDBPyConnection, query: str, **values: object) -> dict[str, Column]:
    """The columns of an answer as arrays; floating with NaN where a number is missing."""
    found = connection.execute(query, values or None).fetchnumpy()
    return {name: _plain(column) for name, column in found.items()}


def _plain(column: NDArray[np.generic]) -> Column:
    if np.ma.is_masked(column):
        return np.ma.filled(column.astype(np.float64), np.nan)
    return np.ma.getdata(column)


@dataclass(frozen=True, slots=True)
class Tables:
    """`people`: those who are looked at, rising; a person's place in it is their number in the tables. `of_count`: how
    many there are of whom these may be a sample."""

    connection: DuckDBPyConnection
    people: NDArray[np.int64]
    of_count: int

    def read_properties(self, name: str, pointers: Sequence[str]) -> None:
        """Put the values of properties of the events of a name into `told`; `path` counts the pointers from 1."""
        self.connection.execute(_TOLD, {"name": name, "pointers": list(pointers)})

    def read_traits(self, pointers: Sequence[str]) -> None:
        """Put the values of traits into `told`."""
        self.connection.execute(_TRAITS, {"pointers": list(pointers)})

    def read_group_traits(self, pointers: Sequence[str]) -> None:
        """Put the values of traits of people's groups into `told`: one row for each group that has it."""
        self.connection.execute(_GROUP_TRAITS, {"pointers": list(pointers)})

    def samples(self) -> dict[str, list[str]]:
        """Some objects of properties in JSON, by the name of the event."""
        query = """
            SELECT name, list(CAST(properties AS VARCHAR) ORDER BY position)
            FROM happened
            JOIN (
                SELECT position FROM happened WHERE name IS NOT NULL AND properties IS NOT NULL
                QUALIFY row_number() OVER (PARTITION BY name ORDER BY hash(position), position) <= $most
            ) USING (position)
            GROUP BY name
        """
        return dict(self.connection.execute(query, {"most": SAMPLE_ROWS}).fetchall())

    def sample_traits(self) -> list[str]:
        """Some objects of traits in JSON."""
        query = """
            SELECT CAST(traits AS VARCHAR) FROM happened WHERE traits IS NOT NULL
            ORDER BY hash(position), position LIMIT $most
        """
        return [text for (text,) in self.connection.execute(query, {"most": 5 * SAMPLE_ROWS}).fetchall()]

    def sample_group_traits(self) -> list[str]:
        """Some objects of traits of groups in JSON."""
        query = "SELECT CAST(traits AS VARCHAR) FROM group_claims ORDER BY hash(tie), tie LIMIT $most"
        return [text for (text,) in self.connection.execute(query, {"most": SAMPLE_ROWS}).fetchall()]


def tables(connection: DuckDBPyConnection, at_ms: int, seed: int, among: NDArray[np.int64] | None = None) -> Tables:
    """What is known as of an instant of people who did something by then; of those in `among`, if it is given.

    The connection has the relations `events` and `people` of `segment.sql.scan.Relations`.
    """
    connection.execute(_OWNED)
    found = np.asarray(rows(connection, _POPULATION, at_ms=at_ms)["owner"], np.int64)
    if among is not None:
        found = np.intersect1d(found, among)
    people = found
    if found.size > PEOPLE_MAX:
        # Other bits than those by which people are held out.
        people = np.sort(found[np.argsort(mixed(found, ~seed & 0xFFFF_FFFF), kind="stable")[:PEOPLE_MAX]])
    chosen = pa.table({"person": people, "number": np.arange(people.size, dtype=np.int64)})
    connection.register("chosen_people", chosen)
    try:
        connection.execute("CREATE OR REPLACE TEMP TABLE chosen AS SELECT person, number FROM chosen_people")
    finally:
        connection.unregister("chosen_people")
    connection.execute(_HAPPENED, {"at_ms": at_ms})
    connection.execute(_GROUP_CLAIMS, {"at_ms": at_ms})
    return Tables(connection, people, int(found.size))
