"""Backups: who is erased is in none of them, whatever is restored, and everybody else is as before."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

import psycopg

from courtesy.base.time import ManualClock
from courtesy.engine_postgres.backup_tables import LEFT_OUT, TABLES
from courtesy.runtime.backup.format import LAKE, BackupFile
from courtesy.runtime.backup.keys_file import read_keys
from courtesy.runtime.backup.making import make_backup, refresh_keys
from courtesy.runtime.backup.restoring import Restored, checked, restored
from courtesy.runtime.backup.seals import Place, ids_of
from courtesy.runtime.settings import Settings
from tests.contract.backups import PEOPLE, fill, shop, told, user, views, whereabouts
from tests.contract.conftest import Databases

ERASED = ("ann", "cid")
OTHERS = tuple(name for name in PEOPLE if name not in ERASED)


def test_every_table_is_in_a_backup_or_left_out_for_a_reason(databases: Databases) -> None:
    """A table that a migration adds goes into `backup_tables.py`, with the people of whom its rows tell."""
    with databases.fresh() as url, psycopg.connect(url) as connection:
        names = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    listed = [table.name for table in TABLES] + list(LEFT_OUT)
    assert sorted(listed) == sorted(names)


async def backed_up(url: str, folder: Path, clock: ManualClock) -> None:
    """A backup of a data folder, and its keys, beside it."""
    file, keys = folder.with_suffix(".backup"), folder.with_suffix(".keys")
    await asyncio.to_thread(make_backup, Settings(data=str(folder)), url, file, keys, clock)


async def put_back(
    url: str, folder: Path, clock: ManualClock, *, of: Path, register: Path | None, keys: Path | None = None
) -> Restored:
    """A backup of another data folder, put back into an empty one."""
    keys = keys or of.with_suffix(".keys")
    backup = await asyncio.to_thread(checked, of.with_suffix(".backup"), keys)
    return await restored(Settings(data=str(folder)), url, backup, keys, register, clock)


async def test_a_backup_brings_back_everything(databases: Databases, clock: ManualClock, tmp_path: Path) -> None:
    """People as they are and as they were, to the letter, and the keys of the data folder."""
    data, other = tmp_path / "data", tmp_path / "other"
    with databases.fresh() as url, databases.bare() as empty:
        async with shop(url, data, clock) as world:
            await fill(world)
            before = {name: await views(world, name) for name in PEOPLE}
            await backed_up(url, data, clock)
        done = await put_back(empty, other, clock, of=data, register=None)
        assert (done.without, done.erased, done.unexplained) == (0, 0, 0)
        async with shop(empty, other, clock) as world:
            assert {name: await views(world, name) for name in PEOPLE} == before
        for name in ("ledger.key", "links.key"):
            assert (other / name).read_bytes() == (data / name).read_bytes()


async def test_who_was_erased_is_in_no_backup(databases: Databases, clock: ManualClock, tmp_path: Path) -> None:
    """Not from before either, once the keys are written anew; others are read exactly as before."""
    data, other = tmp_path / "data", tmp_path / "other"
    with databases.fresh() as url, databases.bare() as empty:
        async with shop(url, data, clock) as world:
            await fill(world)
            await backed_up(url, data, clock)
            for name in ERASED:
                await world.erase(name)
            await world.export()
            before = {name: await views(world, name) for name in OTHERS}
            await asyncio.to_thread(refresh_keys, url, data.with_suffix(".keys"), clock)
        done = await put_back(empty, other, clock, of=data, register=data / "erasures.jsonl")
        assert (done.erased, done.unexplained) == (2, 0)
        async with shop(empty, other, clock) as world:
            for name in ERASED:
                assert await whereabouts(empty, other, name) == set()
            assert {name: await views(world, name) for name in OTHERS} == before


ASKED_AND_TOLD = (
    "INSERT INTO request (kind, state, person_id, identifier, hashes, sameness, details, law, source, received, due)"
    " SELECT 'access', 'fulfilled', person_id, identifier, '{}', 'same', 'zzdetails', 'gdpr', '12', 1, 2"
    " FROM identifier WHERE identifier = ANY(%(names)s)",
    "INSERT INTO request_log (request, at, made_by, what, note)"
    " SELECT number, 1, 'eve', 'opened', 'zznote' FROM request",
    "INSERT INTO propagation_subject (recipient, subject, person_id, find_by, urgent)"
    " SELECT 'crm', sha256(identifier::bytea), person_id, ARRAY[identifier], false"
    " FROM identifier WHERE identifier = ANY(%(names)s)",
    "INSERT INTO propagation (recipient, subject, kind, urgent, version, request, queued, since, error, read_back)"
    " SELECT recipient, subject, 'consent', false, 1, '', 1, 1, 'zzerror', 'zzread' FROM propagation_subject",
)


async def test_requests_and_receipts_stay_without_who_was_erased(
    databases: Databases, clock: ManualClock, tmp_path: Path
) -> None:
    """What was asked and told is evidence; who, and what they wrote, is there of the others alone."""
    data, other, bob = tmp_path / "data", tmp_path / "other", f"user_id:zz{OTHERS[0]}-user"
    with databases.fresh() as url, databases.bare() as empty:
        async with shop(url, data, clock) as world:
            await fill(world)
            with psycopg.connect(url) as connection:
                for text in ASKED_AND_TOLD:
                    connection.execute(text, {"names": ["user_id:zzann-user", bob]})
            await backed_up(url, data, clock)
            await world.erase("ann")
            await asyncio.to_thread(refresh_keys, url, data.with_suffix(".keys"), clock)
        await put_back(empty, other, clock, of=data, register=data / "erasures.jsonl")
        with psycopg.connect(empty) as connection:
            asked = connection.execute(
                "SELECT identifier, details FROM request ORDER BY identifier NULLS LAST"
            ).fetchall()
            assert asked == [(bob, b"zzdetails"), (None, b"{}")]
            notes = connection.execute("SELECT note FROM request_log ORDER BY note").fetchall()
            assert notes == [("",), ("zznote",)]
            found = connection.execute("SELECT find_by FROM propagation_subject ORDER BY find_by").fetchall()
            assert found == [([],), ([bob],)]
            receipts = connection.execute("SELECT error, read_back FROM propagation ORDER BY error").fetchall()
            assert receipts == [("", ""), ("zzerror", "zzread")]


async def test_keys_from_before_an_erasure_bring_nobody_back(
    databases: Databases, clock: ManualClock, tmp_path: Path
) -> None:
    """The register has them erased all the same, once: a backup of what was restored knows that, and goes on."""
    data, other, third = tmp_path / "data", tmp_path / "other", tmp_path / "third"
    with databases.fresh() as url, databases.bare() as empty, databases.bare() as next_empty:
        async with shop(url, data, clock) as world:
            await fill(world)
            await backed_up(url, data, clock)
            for name in ERASED:
                await world.erase(name)
            await world.export()
            before = {name: await views(world, name) for name in OTHERS}
        register = data / "erasures.jsonl"
        done = await put_back(empty, other, clock, of=data, register=register)
        assert (done.without, done.erased, done.unexplained) == (0, 2, 0)
        async with shop(empty, other, clock) as world:
            for name in ERASED:
                assert await whereabouts(empty, other, name) == set()
            assert {name: await views(world, name) for name in OTHERS} == before
            await world.store(*told("gus"), *told("ann"))
            assert (await views(world, "gus"))["now"]["person"]["event_count"] == 5
            before["gus"] = await views(world, "gus")
            assert await whereabouts(empty, other, "ann") == set()
            await backed_up(empty, other, clock)
        done = await put_back(next_empty, third, clock, of=other, register=other / "erasures.jsonl")
        assert (done.without, done.erased) == (0, 0)
        async with shop(next_empty, third, clock) as world:
            assert {name: await views(world, name) for name in (*OTHERS, "gus")} == before


async def test_what_lies_under_others_numbers_goes_with_who_was_one_with_them(
    databases: Databases, clock: ManualClock, tmp_path: Path
) -> None:
    """Two were one when the backup was made and were parted later; when one of them is erased the other comes back."""
    data, other, third = tmp_path / "data", tmp_path / "other", tmp_path / "third"
    with databases.fresh() as url, databases.bare() as empty, databases.bare() as next_empty:
        async with shop(url, data, clock) as world:
            await world.store(*told("eva"), *told("fay"))
            await world.app.repairs.merge("user_id:zzeva-user", "user_id:zzfay-user", "clerk", "", dry=False)
            await world.store(user("eva"), user("fay"))
            await backed_up(url, data, clock)
            old_keys = tmp_path / "old.keys"
            shutil.copy(data.with_suffix(".keys"), old_keys)
            await world.app.repairs.unmerge("user_id:zzeva-user", "user_id:zzfay-user", "clerk", "", dry=False)
            await world.fold()
            await world.erase("fay")
            kept = (await world.app.people.view("user_id", "zzeva-user"))["traits"]
            await asyncio.to_thread(refresh_keys, url, data.with_suffix(".keys"), clock)
        register = data / "erasures.jsonl"
        for target, folder, keys in ((empty, other, None), (next_empty, third, old_keys)):
            await put_back(target, folder, clock, of=data, register=register, keys=keys)
            async with shop(target, folder, clock) as world:
                assert await whereabouts(target, folder, "fay") == set()
                assert (await world.app.people.view("user_id", "zzeva-user"))["traits"] == kept


def opened(file: Path, keys: Path, owners: Mapping[bytes, int | None]) -> list[tuple[str, set[int | None], bytes]]:
    """Everything of a backup that these keys open: the section, whose keys it took, and what it says."""
    backup = BackupFile(file)
    known = {each.id: each.key for each in read_keys(keys)}
    found = []
    for section in backup.sections():
        for group in section.groups():
            for part, sealed in enumerate((group.own, group.rest)):
                if sealed and (
                    content := backup.seals.opened(sealed, Place(section.number, part, group.number), known)
                ):
                    found.append((section.what.name, {owners[each] for each in ids_of(sealed)}, content))
    return found


async def test_a_backup_is_noise_without_the_keys_of_its_people(
    databases: Databases, clock: ManualClock, tmp_path: Path
) -> None:
    """To the eye all of it; and once somebody is erased, to everybody who has all the keys that there are. What is left
    of them is what the group that they were in is told by, and opens with the group's key."""
    data = tmp_path / "data"
    file, keys = data.with_suffix(".backup"), data.with_suffix(".keys")
    with databases.fresh() as url:
        async with shop(url, data, clock) as world:
            await fill(world)
            await backed_up(url, data, clock)
            group = (await world.app.people.view("group", "acme"))["person"]
            assert b"zz" + b"ann-" not in file.read_bytes()
            owners = {each.id: each.person for each in read_keys(keys)}
            before = opened(file, keys, owners)
            for name in ERASED:
                where = {section for section, _, content in before if f"zz{name}-".encode() in content}
                assert where >= {"log", LAKE, "person_state", "identifier", "link", "effect", "chapter"}
                await world.erase(name)
            await asyncio.to_thread(refresh_keys, url, keys, clock)
            after = opened(file, keys, owners)
            assert any(b"zzbob-held" in content for _, _, content in after)
            assert b"zzann-held" not in b"".join(content for _, _, content in after)
            for name in ERASED:
                left = [(owner, content) for _, owner, content in after if f"zz{name}-".encode() in content]
                assert {each for owner, _ in left for each in owner} == {int(group)}
                told_anywhere = b"".join(content for _, content in left)
                for value in ("mail", "name", "city", "topic", "device"):
                    assert f"zz{name}-{value}".encode() not in told_anywhere
