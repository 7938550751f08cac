"""Generated questions asked of Spark and of DuckDB, over the same Parquet rows: `make spark WORLDS=60`.

Spark is not among the dependencies, for it takes half a gigabyte and Java 17. `make spark` installs PySpark 4.0.1 into
an environment of its own (but not Java); a world takes it some 20 seconds to a minute. Questions that are not asked of
it: whether an object is there, which takes merging JSON (`Features.whole_trait`). Texts are compared in Java's lower
case, which has one more rule for a sigma at the end of a word than ours.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any as Anything

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, given, settings
from pyspark.sql import SparkSession  # type: ignore[import-not-found]

from courtesy.lake.rows import to_arrow
from courtesy.segment.sql.scan import Question as Asked
from courtesy.segment.sql.statement import compiled
from courtesy.segment.tree import Segment
from tests.unit.segment import histories
from tests.unit.segment.by_sql import TOLD_ZONES, by_sql, consents_of, people_of
from tests.unit.segment.executions import Members
from tests.unit.segment.facts import World
from tests.unit.segment.histories import Question
from tests.unit.segment.records import SOURCE_NAMES, log_of

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}


def by_spark(spark: Anything, world: World, segments: Mapping[str, Segment], at_ms: int, folder: Path) -> Members:
    """As `by_sql`, by Spark."""
    log = log_of(world)
    statement = compiled(segments, segments, Asked(at_ms, zones=TOLD_ZONES, dialect="spark"))
    sources = [(int(number), name) for number, name in SOURCE_NAMES.items()]
    tables = {
        "events": _without_large(to_arrow(log.records)),
        "people": people_of(log, world.roots),
        "sources": pa.table({"source_id": [n for n, _ in sources], "name": [name for _, name in sources]}),
        "consents": consents_of(world, log, statement, at_ms),
    }
    for name, table in tables.items():
        path = folder / f"{name}.parquet"
        pq.write_table(table, path)
        spark.read.parquet(str(path)).createOrReplaceTempView(name)
    return {name: {tuple(row) for row in spark.sql(statement.members_of(name)).collect()} for name in segments}


def _without_large(events: pa.Table) -> pa.Table:
    """Texts as Spark reads them."""
    columns = {name: events.column(name) for name in events.column_names if name != "ids"}
    return pa.table(
        {
            name: each.cast(pa.string()) if pa.types.is_large_string(each.type) else each
            for name, each in columns.items()
        }
    )


def asks_for_objects(segments: Mapping[str, Segment], at_ms: int) -> bool:
    """Whether JSON would have to be merged."""
    statement = compiled(segments, segments, Asked(at_ms, zones=TOLD_ZONES))
    return any("JSON_MERGE_PATCH" in statement.members_of(name).upper() for name in segments)


def main() -> None:
    """Ask, and fail at the first question that is not answered alike."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=60)
    count = parser.parse_args().worlds
    builder = SparkSession.builder.master("local[1]")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("OFF")
    asked = 0
    with tempfile.TemporaryDirectory() as folder:

        @settings(phases=[Phase.generate], max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))
        @given(histories.questions())
        def agree(question: Question) -> None:
            nonlocal asked
            world, segments, at_ms = question
            if asks_for_objects(segments, at_ms):
                return
            assert by_spark(spark, world, segments, at_ms, Path(folder)) == by_sql(world, segments, at_ms), question
            asked += len(segments)

        agree()
    spark.stop()
    print(f"Spark and DuckDB found the same members of {asked} segments.", file=sys.stderr)


if __name__ == "__main__":
    main()
