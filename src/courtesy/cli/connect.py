"""What every command needs: settings, a connection to the store, and errors told in one line."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import structlog
import typer

from courtesy.base.errors import EXIT_STATUS, Code, CourtesyError
from courtesy.runtime.app import App, running_app
from courtesy.runtime.settings import Settings, from_environment
from courtesy.runtime.supervisor import database

T = TypeVar("T")

DataOption = Annotated[str | None, typer.Option("--data", help="Folder for everything that is kept. Default: data")]
DatabaseOption = Annotated[
    str | None, typer.Option("--database", help="URL of a PostgreSQL 15 or later instead of the embedded one")
]


def settings_of(**given: object) -> Settings:
    """Settings from options, environment and defaults."""
    return from_environment(given, os.environ)


def with_app(settings: Settings, work: Callable[[App], Awaitable[T]], *, make: bool = False) -> T:
    """Run `work` on the store, whether or not a server runs on it, and return what it returns.

    Raises CourtesyError(NOT_FOUND) when there is no store yet, unless it may `make` one.
    """
    if not make:
        require_store(settings)
    logs_aside()

    async def run(url: str) -> T:
        async with running_app(settings, url) as app:
            return await work(app)

    with database(settings) as (url, _):
        return asyncio.run(run(url))


def require_store(settings: Settings) -> None:
    """Raises CourtesyError(NOT_FOUND) when there is no store in the data folder, which is to be used."""
    if settings.database is None and not (Path(settings.data) / "postgres").is_dir():
        raise CourtesyError(
            Code.NOT_FOUND, f"no store in the folder {settings.data}", hint="name the server's folder with --data"
        )


def logs_aside() -> None:
    """Keep standard output to what a command answers."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def tell(error: CourtesyError) -> int:
    """Say what went wrong on standard error; the exit status for it."""
    place = f"{error.place}: " if error.place else ""
    print(f"courtesy: {place}{error.message}", file=sys.stderr)
    if error.hint:
        print(f"  {error.hint}", file=sys.stderr)
    return EXIT_STATUS[error.code]
