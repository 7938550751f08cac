"""Sealing on a store: what is signed verifies for a stranger, whoever signs, and goes on doing so after an erasure."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import MINUTE_MS, ManualClock
from courtesy.consent import verifier
from courtesy.consent.checkpoint import read_note
from courtesy.consent.export import ENTRIES
from courtesy.engine.contract import Engine
from courtesy.runtime.sealer import KEY_FILE, Proofs, Sealer, public_key, signing_key
from tests.contract.test_engine_repair import ANN, World, world_of
from tests.contract.test_ledger import EVERYBODY, chooses


def verified(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What the script says to a stranger."""
    command = [sys.executable, "-I", "-S", verifier.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def choose(world: World, first: int, count: int) -> None:
    """Some people choose."""
    await world.store(
        *(chooses(f"c{n}", "grant" if n % 3 else "withdraw", userId=f"u{n % 5}") for n in range(first, first + count))
    )


async def test_an_export_convinces_a_stranger(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """With the key alone; with what it says of somebody, and nothing of anybody else; and a lie does not."""
    key = signing_key(tmp_path / "data")
    async with world_of(engine, clock) as world:
        await choose(world, 0, 23)
        await Sealer(engine, key, clock).seal()
        await choose(world, 23, 18)
        clock.set(clock.now_ms() + MINUTE_MS)
        note = await Sealer(engine, key, clock).seal()
        assert note.checkpoint.size == 41
        person = (await world.state("user_id:u1")).person
        await Proofs(engine).export(tmp_path / "out", key.public, [person])
    said = verified(str(tmp_path / "out"), key.public.text())
    assert (said.returncode, said.stderr) == (0, "")
    opened = [json.loads(line) for line in (tmp_path / "out" / "opened.jsonl").read_text().splitlines()]
    assert len(opened) == 8
    assert {json.loads(each["content"])["message"] for each in opened} == {f"c{n}" for n in range(1, 41, 5)}
    entries = tmp_path / "out" / ENTRIES
    content = bytearray(entries.read_bytes())
    content[-1] ^= 1
    entries.write_bytes(content)
    lie = verified(str(tmp_path / "out"), key.public.text())
    assert lie.returncode == 1


async def test_proofs_convince_a_stranger(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """Of each entry, and that the second checkpoint goes on from the first; asked for what is not there, it says so."""
    key, proofs = signing_key(tmp_path), Proofs(engine)
    sealer = Sealer(engine, key, clock)
    async with world_of(engine, clock) as world:
        with pytest.raises(CourtesyError, match="nothing of the ledger was signed"):
            await proofs.latest()
        await choose(world, 0, 19)
        await sealer.seal()
        await choose(world, 19, 30)
        await sealer.seal()
        for index in (0, 15, 16, 18, 48):
            (tmp_path / "proof.json").write_bytes(await proofs.inclusion(index))
            assert verified("--inclusion", str(tmp_path / "proof.json"), key.public.text()).returncode == 0
        (tmp_path / "proof.json").write_bytes(await proofs.consistency(19, 49))
        assert verified("--consistency", str(tmp_path / "proof.json"), key.public.text()).returncode == 0
        for wrong in (proofs.inclusion(49), proofs.consistency(20, 49), proofs.consistency(49, 19)):
            with pytest.raises(CourtesyError):
                await wrong


async def test_nothing_is_signed_twice_and_several_may_sign(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """While nothing comes the last checkpoint stays; two sealers at once grow one tree."""
    key = signing_key(tmp_path)
    async with world_of(engine, clock) as world:
        await choose(world, 0, 7)
        sealers = [Sealer(engine, key, clock) for _ in range(3)]
        first = await sealers[0].seal()
        assert await sealers[1].seal() == first
        await choose(world, 7, 30)
        await asyncio.gather(*(sealer.seal() for sealer in sealers))
        notes = [read_note(text) for text in await engine.checkpoints()]
        assert {note.checkpoint.size for note in notes} == {7, 37}
        assert len({note.checkpoint.root for note in notes}) == 2
        await Proofs(engine).export(tmp_path / "out", key.public)
    assert verified(str(tmp_path / "out"), key.public.text()).returncode == 0


async def test_after_an_erasure_everything_still_verifies(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """An old checkpoint, a new one, and the way from one to the other; only what they chose can't be shown."""
    key = signing_key(tmp_path / "data")
    sealer, proofs = Sealer(engine, key, clock), Proofs(engine)
    async with world_of(engine, clock) as world:
        await world.store(chooses("a1", "grant"))
        await choose(world, 0, 9)
        before = await sealer.seal()
        assert len(await proofs.shown(EVERYBODY, 10)) == 10
        await world.eraser.erase(ANN, "eve", "asked to", suppress=True)
        await choose(world, 9, 5)
        await sealer.seal()
        assert len(await proofs.shown(EVERYBODY, 15)) == 14
        await proofs.export(tmp_path / "out", key.public, EVERYBODY)
    known = tmp_path / "known.txt"
    known.write_text(before.text())
    said = verified(str(tmp_path / "out"), key.public.text(), "--known", str(known))
    assert (said.returncode, said.stderr) == (0, "")
    assert '\\"a1\\"' not in (tmp_path / "out" / "opened.jsonl").read_text()


async def test_another_key_does_not_go_on_with_a_ledger(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """A key that was lost is told, and not replaced in silence."""
    async with world_of(engine, clock) as world:
        await choose(world, 0, 3)
        await Sealer(engine, signing_key(tmp_path / "one"), clock).seal()
        await choose(world, 3, 3)
        with pytest.raises(CourtesyError) as refused:
            await Sealer(engine, signing_key(tmp_path / "two"), clock).seal()
        assert refused.value.code is Code.SETUP


def test_a_key_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    """The same for everybody who asks; a broken file is told, and never overwritten."""
    assert public_key(tmp_path) is None
    key = signing_key(tmp_path)
    assert signing_key(tmp_path).public == key.public == public_key(tmp_path)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE]
    (tmp_path / KEY_FILE).write_text("{}")
    with pytest.raises(CourtesyError, match="expected the key of the ledger"):
        signing_key(tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == "{}"


async def test_an_export_goes_to_an_empty_folder_alone(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """Nothing is overwritten."""
    key = signing_key(tmp_path / "data")
    async with world_of(engine, clock) as world:
        await choose(world, 0, 3)
        await Sealer(engine, key, clock).seal()
        with pytest.raises(CourtesyError, match="empty folder"):
            await Proofs(engine).export(tmp_path / "data", key.public)
        with pytest.raises(CourtesyError, match="can't write there"):
            await Proofs(engine).export(tmp_path / "data" / KEY_FILE, key.public)
