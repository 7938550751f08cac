"""The lake of a real server: what was accepted is in it within a minute, by itself."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import duckdb
from pyiceberg.catalog.sql import SqlCatalog

from courtesy.engine_postgres.embedded import EmbeddedPostgres
from courtesy.lake.place import catalog_url
from tests.e2e.asking import ask, until
from tests.e2e.processes import Running, running

LIMIT_S = 60
LAKE = ("-m", "courtesy.runtime.process", "lake")


def _send(server: Running, key: str, count: int, prefix: str) -> None:
    items = [
        {"type": "track", "userId": f"ann-{n % 3}", "event": "Tea Bought", "messageId": f"{prefix}{n}"}
        for n in range(count)
    ]
    assert ask(server.port, "POST", "/v1/batch", key=key, body={"batch": items}).status == 200


def _message_ids(data: Path) -> list[str]:
    """What a data engineer finds: the catalogue plans the files, DuckDB reads them."""
    with EmbeddedPostgres(data) as postgres:
        catalog = SqlCatalog("courtesy", uri=catalog_url(postgres.url), warehouse=f"file://{data}/lake")
        try:
            table = catalog.load_table("courtesy.events")
            paths = [task.file.file_path.removeprefix("file://") for task in table.scan().plan_files()]
        finally:
            catalog.close()
    if not paths:
        return []
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT message_id FROM read_parquet($paths) WHERE name = 'Tea Bought' ORDER BY message_id",
            {"paths": paths},
        ).fetchall()
    return [row[0] for row in rows]


def test_accepted_events_are_in_the_lake_within_a_minute(tmp_path: Path) -> None:
    """Also those that come while the process that writes them is dead; none is there twice."""
    data = tmp_path / "data"
    with running(data, environment={"COURTESY_LAKE_EVERY_S": "2"}) as server:
        key = server.with_keys("shop").write_key
        _send(server, key, 50, "a")
        accepted = time.monotonic()
        until(lambda: len(pids) == 1 if (pids := server.pids_of(*LAKE)) else False, "the process of the lake")
        until(lambda: (data / "lake" / "courtesy" / "events").exists() and len(_message_ids(data)) == 50, "the lake")
        assert time.monotonic() - accepted < LIMIT_S
        server.kill(server.pids_of(*LAKE))
        _send(server, key, 30, "b")
        expected = sorted([*(f"a{n}" for n in range(50)), *(f"b{n}" for n in range(30))])
        until(lambda: _message_ids(data) == expected, "events that came while nobody wrote to the lake")
        page = ask(server.port, "GET", "/metrics").body.decode()
        assert "courtesy_lake_time_seconds" in page
        assert "courtesy_lake_rows_total" in page
        assert server.stop(signal.SIGTERM) == 0


def test_a_server_without_a_lake_has_none(tmp_path: Path) -> None:
    """Switched off there is neither a process nor a folder."""
    data = tmp_path / "data"
    with running(data, environment={"COURTESY_LAKE": "off"}) as server:
        assert server.pids_of(*LAKE) == set()
        assert not (data / "lake").exists()
