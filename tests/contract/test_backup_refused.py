"""What is no backup, or not for this place, is refused, and nothing of it is left."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import psycopg
import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import ManualClock
from courtesy.engine_postgres import PostgresEngine
from courtesy.runtime.backup import framed
from courtesy.runtime.backup.format import GROUP, TITLE, Header
from courtesy.runtime.backup.making import make_backup, refresh_keys
from courtesy.runtime.backup.restoring import checked, restored
from courtesy.runtime.settings import Settings
from tests.contract.backups import shop, told
from tests.contract.conftest import Databases


async def _backed_up(url: str, data: Path, clock: ManualClock) -> tuple[Path, Path]:
    """A backup of a small shop, and its keys."""
    file, keys = data.with_suffix(".backup"), data.with_suffix(".keys")
    async with shop(url, data, clock) as world:
        await world.store(*told("ann"), *told("bob"))
        await asyncio.to_thread(make_backup, Settings(data=str(data)), url, file, keys, clock)
    return file, keys


async def _refusal(url: str, data: Path, file: Path, keys: Path, clock: ManualClock) -> CourtesyError:
    """Why a backup can't be restored there."""
    backup = await asyncio.to_thread(checked, file, keys)
    with pytest.raises(CourtesyError) as raised:
        await restored(Settings(data=str(data)), url, backup, keys, None, clock)
    return raised.value


def _is_bare(url: str, data: Path) -> bool:
    """Whether there is nothing at all: no table, no file."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return not tables and not [path for path in data.rglob("*") if path.is_file()]


def _rewritten(file: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """A backup with other frames, and a digest that fits them, as somebody makes it who knows the form."""
    frames = list(framed.frames(file, TITLE))
    with framed.written(file, TITLE) as writer:
        for frame in change(frames):
            writer.write(frame)


def _later_schema(frames: list[bytes]) -> list[bytes]:
    header = msgspec.msgpack.decode(frames[0], type=Header)
    return [msgspec.msgpack.encode(msgspec.structs.replace(header, schema=9_999)), *frames[1:]]


def _other_instant(frames: list[bytes]) -> list[bytes]:
    header = msgspec.msgpack.decode(frames[0], type=Header)
    return [msgspec.msgpack.encode(msgspec.structs.replace(header, head=header.head + 1)), *frames[1:]]


def _groups(frames: list[bytes]) -> list[int]:
    return [place for place, frame in enumerate(frames) if frame[:1] == GROUP]


def _without_the_last_group(frames: list[bytes]) -> list[bytes]:
    last = _groups(frames)[-1]
    return frames[:last] + frames[last + 1 :]


def _with_two_changed_over(frames: list[bytes]) -> list[bytes]:
    first, *_, last = _groups(frames)
    frames[first], frames[last] = frames[last], frames[first]
    return frames


def _without_an_end(frames: list[bytes]) -> list[bytes]:
    return frames[:-1]


def _by_an_unknown_key(frames: list[bytes]) -> list[bytes]:
    """As if somebody were erased of whom no erasure tells."""
    last = _groups(frames)[-1]
    frames[last] = frames[last][:6] + bytes(16) + frames[last][22:]
    return frames


async def test_damage_is_noticed_before_anything_is_restored(
    databases: Databases, clock: ManualClock, tmp_path: Path
) -> None:
    """Wherever a file is cut or altered, the backup and the keys alike; what is no such file is told, too."""
    with databases.fresh() as url:
        file, keys = await _backed_up(url, tmp_path / "data", clock)
    for path in (file, keys):
        whole = path.read_bytes()
        size = len(whole)
        for damaged in (whole[: size - 1], whole[: size // 2], whole[:20], b"", whole + b"x", b"x" * size):
            path.write_bytes(damaged)
            with pytest.raises(CourtesyError) as raised:
                checked(file, keys)
            assert (raised.value.code, raised.value.place) == (Code.UNREADABLE, str(path))
        for place in (0, 30, size // 3, size - 40, size - 1):
            flipped = bytearray(whole)
            flipped[place] ^= 1
            path.write_bytes(flipped)
            with pytest.raises(CourtesyError) as raised:
                checked(file, keys)
            assert (raised.value.code, raised.value.place) == (Code.UNREADABLE, str(path))
        path.write_bytes(whole)
    assert checked(file, keys).header.schema > 0
    for missing in ((tmp_path / "none", keys), (file, tmp_path / "none")):
        with pytest.raises(CourtesyError) as raised:
            checked(*missing)
        assert raised.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    "forge",
    [_other_instant, _without_the_last_group, _with_two_changed_over, _without_an_end, _by_an_unknown_key],
)
async def test_a_forged_backup_leaves_nothing_behind(
    databases: Databases, clock: ManualClock, tmp_path: Path, forge: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Who has no keys can make a digest that fits, and nothing else; the place is as empty as before."""
    other = tmp_path / "other"
    with databases.fresh() as url, databases.bare() as empty:
        file, keys = await _backed_up(url, tmp_path / "data", clock)
        shutil.copy(file, file.with_suffix(".whole"))
        _rewritten(file, forge)
        refused = await _refusal(empty, other, file, keys, clock)
        assert refused.code is Code.UNREADABLE
        assert "altered" in refused.message
        assert _is_bare(empty, other)
        # Then the backup itself is restored there.
        backup = checked(file.with_suffix(".whole"), keys)
        await restored(Settings(data=str(other)), empty, backup, keys, None, clock)
        async with shop(empty, other, clock) as world:
            assert (await world.app.people.view("user_id", "zzann-user"))["event_count"] == 5


async def test_other_keys_are_refused(databases: Databases, clock: ManualClock, tmp_path: Path) -> None:
    """Those of another store, and those from before the backup, which lack whoever came since."""
    other_keys, early_keys = tmp_path / "other.keys", tmp_path / "early.keys"
    with databases.fresh() as url, databases.bare() as elsewhere:
        engine = PostgresEngine(elsewhere, clock)
        await engine.open()
        await engine.close()
        await asyncio.to_thread(refresh_keys, url, early_keys, clock)
        file, _ = await _backed_up(url, tmp_path / "data", clock)
        await asyncio.to_thread(refresh_keys, elsewhere, other_keys, clock)
    for keys, told_so in ((other_keys, "another store"), (early_keys, "or later, when the backup was made")):
        with pytest.raises(CourtesyError, match=told_so) as raised:
            checked(file, keys)
        assert (raised.value.code, raised.value.place) == (Code.INVALID, str(keys))


async def test_a_backup_of_a_later_version_is_refused(databases: Databases, clock: ManualClock, tmp_path: Path) -> None:
    """As a database of one is."""
    with databases.fresh() as url:
        file, keys = await _backed_up(url, tmp_path / "data", clock)
    _rewritten(file, _later_schema)
    with pytest.raises(CourtesyError, match="or earlier, got 9999") as raised:
        checked(file, keys)
    assert raised.value.code is Code.SETUP


async def test_nothing_is_restored_over_something_else(
    databases: Databases, clock: ManualClock, tmp_path: Path
) -> None:
    """Not into a database with tables, a lake with files, a folder with a key; none of it is touched."""
    data, other = tmp_path / "data", tmp_path / "other"
    with databases.fresh() as url, databases.bare() as empty:
        file, keys = await _backed_up(url, data, clock)
        refused = await _refusal(url, other, file, keys, clock)
        assert (refused.code, "empty database" in refused.message) == (Code.CONFLICT, True)
        for name, what in (("lake/some.parquet", "for the lake"), ("links.key", "empty data folder")):
            path = other / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("mine")
            refused = await _refusal(empty, other, file, keys, clock)
            assert (refused.code, what in refused.message) == (Code.CONFLICT, True)
            assert path.read_text() == "mine"
            path.unlink()
        assert _is_bare(empty, other)
        async with shop(url, data, clock) as world:
            assert (await world.app.people.view("user_id", "zzann-user"))["event_count"] == 5


async def test_a_store_that_is_being_restored_is_closed_to_others(
    databases: Databases, clock: ManualClock, tmp_path: Path
) -> None:
    """Also when whoever restored it is gone."""
    with databases.fresh() as url:
        with psycopg.connect(url) as connection:
            connection.execute("INSERT INTO restoring (began) VALUES (1)")
        engine = PostgresEngine(url, clock)
        with pytest.raises(CourtesyError, match="being restored") as raised:
            await engine.open()
        assert raised.value.code is Code.SETUP
        with suppress(CourtesyError):
            await engine.close()


def test_a_backup_that_can_t_be_written_leaves_the_one_before(
    databases: Databases, clock: ManualClock, tmp_path: Path
) -> None:
    """Neither half of it nor a draft."""
    settings, folder = Settings(data=str(tmp_path / "data"), lake="off"), tmp_path / "kept"
    folder.mkdir()
    file, keys = folder / "shop.backup", folder / "shop.keys"
    with databases.fresh() as url:
        make_backup(settings, url, file, keys, clock)
        before = file.read_bytes()
        (folder / "folder").mkdir()
        with pytest.raises(CourtesyError, match="can't write there"):
            make_backup(settings, url, file, folder / "none" / "shop.keys", clock)
        with pytest.raises(CourtesyError, match="two files"):
            make_backup(settings, url, file, file, clock)
    assert file.read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["folder", "shop.backup", "shop.keys"]
    assert [path.stat().st_mode & 0o777 for path in (file, keys)] == [0o600, 0o600]
