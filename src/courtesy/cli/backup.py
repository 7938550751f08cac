"""`courtesy backup` and `courtesy restore`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import SystemClock, to_iso
from courtesy.cli.connect import DatabaseOption, DataOption, logs_aside, require_store, settings_of
from courtesy.runtime.backup.making import make_backup, refresh_keys
from courtesy.runtime.backup.restoring import Restored, checked, restored
from courtesy.runtime.supervisor import database as started_database


def back_up(
    file: Annotated[str | None, typer.Argument(help="The backup to write; in place of what is there")] = None,
    keys: Annotated[str | None, typer.Option("--keys", help="The file of keys, written anew as well")] = None,
    keys_only: Annotated[
        str | None, typer.Option("--keys-only", help="Write this file of keys anew, and no backup")
    ] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Back up the whole store while it goes on, each person's rows sealed by a key of theirs that is not in the backup.

    Assets (pictures and documents) are not in it: copy their folder beside it.

    Keep the keys apart from the backups, in one copy, each time in place of the one before: whoever is erased is gone
    from every backup as soon as the last copy that has their key is.
    """
    settings = settings_of(data=data, database=database)
    if (file is None) == (keys_only is None) or (file is None) != (keys is None):
        raise CourtesyError(Code.INVALID, "expected a file and --keys, or --keys-only alone")
    require_store(settings)
    logs_aside()
    with started_database(settings) as (url, _):
        if file is None or keys is None:
            print(f"{refresh_keys(url, Path(keys_only or ''), SystemClock())} keys")
            return
        made = make_backup(settings, url, Path(file), Path(keys), SystemClock())
    print(f"{made.row_count} rows and {made.key_count} keys, as of {to_iso(made.made_ms)}")


def restore(
    file: Annotated[str, typer.Argument(help="A backup that `courtesy backup` wrote")],
    keys: Annotated[str, typer.Option("--keys", help="The file of keys, the latest there is")],
    erasures: Annotated[
        str | None, typer.Option("--erasures", help="The register of erasures (erasures.jsonl), the latest there is")
    ] = None,
    data: DataOption = None,
    database: DatabaseOption = None,
) -> None:
    """Restore a backup into a new data folder (or an empty database), without whoever was erased since."""
    settings = settings_of(data=data, database=database)
    backup = checked(Path(file), Path(keys))
    register = None if erasures is None else Path(erasures)
    if register is not None and not register.exists():
        raise CourtesyError(Code.NOT_FOUND, "there is no register of erasures", place=str(register))
    logs_aside()
    with started_database(settings) as (url, _):
        done = asyncio.run(restored(settings, url, backup, Path(keys), register, SystemClock()))
    _tell(done)


def _tell(done: Restored) -> None:
    print(f"restored as of {to_iso(done.made_ms)}")
    _tell_lacking(done.lacking)
    print(f"{done.without} people and held events left out, whose keys are gone; {done.erased} erased again")
    if done.unexplained:
        print(
            f"courtesy: of {done.unexplained} of them no register tells: groups and others may still name them\n"
            "  restore again with the whole register, --erasures erasures.jsonl",
            file=sys.stderr,
        )


def _tell_lacking(lacking: list[str] | None) -> None:
    """Say which pictures and documents are to be brought along."""
    if lacking is None:
        print("courtesy: where assets lie can't be asked whether they are all there", file=sys.stderr)
    elif lacking:
        print(
            f"courtesy: {len(lacking)} assets that published content names are not there, such as {lacking[0]}\n"
            "  they are in no backup: copy the folder `assets`, or set where they lie",
            file=sys.stderr,
        )
