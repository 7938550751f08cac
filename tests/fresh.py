"""Stores as they are when they were just made: one is made in each process of the tests, the others are copies of it.

What is in a copy is what `courtesy keys create` leaves in a new folder, so a server on it is as fresh as a server on
nothing, and comes up without making a cluster, a schema and keys. Tests of those start from nothing.
"""

from __future__ import annotations

import atexit
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from courtesy.engine_postgres.embedded import EmbeddedPostgres
from sim.server import Keys, create_key

SOURCE = "shop"


@cache
def _made() -> tuple[Path, Keys]:
    """A folder with a store that nobody uses, and its keys. Removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="courtesy-fresh-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    data = folder / "data"
    with EmbeddedPostgres(data):
        keys = Keys(
            create_key(data, "write", SOURCE), create_key(data, "read", "tests"), create_key(data, "admin", "sim")
        )
    # No test on a copy cuts the power: what the operating system has is safe, and a disk need not be waited for.
    with (data / "postgres" / "postgresql.conf").open("a") as settings:
        settings.write("fsync = off\n")
    return data, keys


def fresh_store(data: Path) -> Keys:
    """`data`, which was not there, is a new store with keys: to write to the source `shop`, to read, to do anything."""
    made, keys = _made()
    data.parent.mkdir(parents=True, exist_ok=True)
    # Not by shutil, which leaves the files to whoever copies: PostgreSQL wants its own.
    subprocess.run(["cp", "--archive", "--reflink=auto", "--no-target-directory", made, data], check=True)
    return keys
