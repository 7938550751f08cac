"""One server for the tests that only use it; those that stop, kill or starve a server start their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.server import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A ready server on an embedded PostgreSQL, allowed to call webhooks of this machine.

    It is shared: a test writes to a source of its own, about people of its own.
    """
    folder = tmp_path_factory.mktemp("shared") / "data"
    with serving("--allow-private-webhooks", data=folder, source="shared") as started:
        yield started


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Where the clients from npm are; `make test` puts them there."""
    folder = Path(__file__).parents[2] / "node_modules"
    assert (folder / "playwright-core").is_dir(), "the clients from npm are missing: run scripts/test-setup"
    return folder
