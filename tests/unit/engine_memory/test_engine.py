"""What is the memory engine's own, beside the contract: closing, crashing, determinism, and bugs that it catches."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

from courtesy.base.ids import Partition, Position
from courtesy.base.time import ManualClock
from courtesy.engine.contract import Engine, FoldCommit, Unavailable
from courtesy.engine_memory import Disk, MemoryEngine
from tests.contract.builders import (
    ANN,
    BOB,
    NOW_MS,
    batch,
    commit,
    lease_of,
    record,
    write,
)

_WORLD = """
import asyncio
from courtesy.base.time import ManualClock
from courtesy.engine_memory import MemoryEngine
from tests.contract.builders import *

async def world():
    engine = MemoryEngine(ManualClock(NOW_MS))
    await engine.open()
    ids = [f"email:{number}@example.com" for number in range(50)]
    await receive(engine, *(Message(key, (key,)) for key in ids))
    await receive(engine, *(Message(f"both {a}", (a, b)) for a, b in zip(ids[::2], ids[1::2])))
    await receive(engine, *(Message(f"till {n}", (f"user_id:{n}", "device_id:till")) for n in range(9)))
    await fold(engine)
    async with engine.appending() as append:
        changed = await append.owners_changed_since(0)
    return [changed, await everything(engine, *(PersonId(number) for number in range(1, 200)))]

print(repr(asyncio.run(world())))
"""


async def opened(disk: Disk | None = None) -> MemoryEngine:
    """An open engine over a disk, or over one of its own."""
    engine = MemoryEngine(ManualClock(NOW_MS), disk=disk)
    await engine.open()
    return engine


async def test_a_closed_engine_is_unavailable() -> None:
    """Nothing is read from it or written through it, as from a process that is gone."""
    engine = await opened()
    await engine.close()
    for call in (engine.head(), engine.status(), write(engine, record()), engine.wait_for_records(1)):
        with pytest.raises(Unavailable):
            await call


async def test_closing_twice_is_closing_once() -> None:
    """Whoever tidies up need not know whether somebody did already."""
    engine = await opened()
    await engine.close()
    await engine.close()


async def test_an_append_that_outlives_its_engine_changes_nothing() -> None:
    """Also when another engine appended meanwhile, and its own was opened again."""
    disk = Disk()
    engine, other = await opened(disk), await opened(disk)
    async with engine.appending() as lost:
        pass
    with pytest.raises(Unavailable):
        await _append_across_a_crash(engine, other)
    assert [each.person for each in await other.records_of([ANN, BOB], None, 10)] == [BOB]
    with pytest.raises(AssertionError):
        await lost.write(batch([record()]))


async def _append_across_a_crash(engine: Engine, other: Engine) -> None:
    async with engine.appending() as append:
        await append.write(batch([record(ANN, "m1")]))
        await engine.close()
        await write(other, record(BOB, "m2"))
        await engine.open()


async def test_whoever_waits_for_a_turn_on_an_engine_that_is_closed_gets_none() -> None:
    """A queue of appends dies with its process and holds up no other."""
    disk = Disk()
    engine, other = await opened(disk), await opened(disk)
    async with other.appending():
        waiting = [asyncio.create_task(write(engine, record(ANN, f"m{number}"))) for number in range(3)]
        await asyncio.sleep(0)
        await engine.close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in results] == [Unavailable] * 3
    assert await write(other, record(BOB, "m2")) == 1


def test_a_disk_is_used_on_one_loop_after_another() -> None:
    """What was written in one run is there in the next, though the first ended with callers in the queue."""
    disk = Disk()

    async def use(name: str) -> Position:
        engine = await opened(disk)
        await asyncio.gather(*(write(engine, record(ANN, f"{name}{number}")) for number in range(3)))
        head = await engine.head()
        await engine.close()
        return head

    assert [asyncio.run(use("a")), asyncio.run(use("b"))] == [3, 6]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_calls_give_the_same_answers(hash_seed: str) -> None:
    """A run can be played again: nothing depends on real time, chance, or how a process orders its sets."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", _WORLD], env=environment, capture_output=True, text=True, check=True)
    here: dict[str, object] = {}
    exec(_WORLD.replace("print(", "answers = ("), here)  # noqa: S102 -- the text above, in this process
    assert done.stdout.strip() == here["answers"]


async def test_a_key_that_was_seen_is_a_bug_in_the_caller() -> None:
    """Whoever writes without asking what is known is told at once, and nothing is written."""
    engine = await opened()
    await write(engine, record())
    with pytest.raises(AssertionError, match="appended before"):
        await write(engine, record())
    with pytest.raises(AssertionError, match="twice"):
        await write(engine, record(ANN, "m2"), keys=[bytes(16), bytes(16)])
    assert await engine.head() == 1


@pytest.mark.parametrize(
    "broken",
    [{"states": [(BOB, b"state")]}, {"folded": {}}, {"folded": {Partition(0): Position(0), Partition(1): Position(0)}}],
    ids=["somebody else's state", "no position", "another position"],
)
async def test_a_commit_beyond_its_leases_is_a_bug_in_the_worker(broken: dict[str, object]) -> None:
    """What a lease does not cover must not be written under it."""
    engine = await opened()
    whole = commit(await lease_of(engine))
    for name, value in broken.items():
        setattr(whole, name, value)
    with pytest.raises(AssertionError):
        await engine.commit_fold(whole)
    assert await engine.states([BOB]) == {}


async def test_folding_back_is_a_bug_in_the_worker() -> None:
    """A position only ever rises."""
    engine = await opened()
    position = await write(engine, record())
    await engine.commit_fold(commit(await lease_of(engine), position))
    lease = await lease_of(engine)
    with pytest.raises(AssertionError, match="never goes back"):
        await engine.commit_fold(FoldCommit([lease], {lease.partition: Position(0)}))


async def test_bytes_that_can_be_changed_are_copied() -> None:
    """A caller's buffer may be used again for something else."""
    engine = await opened()
    buffer = bytearray(b"first")
    await write(engine, record(payload=buffer))  # type: ignore[arg-type]
    await engine.commit_fold(commit(await lease_of(engine), states=[(ANN, buffer)]))
    buffer[:] = b"other"
    assert [each.payload for each in await engine.records_of([ANN], None, 1)] == [b"first"]
    assert await engine.states([ANN]) == {ANN: b"first"}
