"""A log and its witnesses over HTTP: what was witnessed convinces a stranger, and a second history does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from courtesy.base.errors import CourtesyError
from courtesy.base.time import MINUTE_MS, Clock, ManualClock
from courtesy.consent.checkpoint import Note, PublicKey, read_note
from courtesy.consent.witnessing import SUBMISSION_BYTES_MAX, has_signed
from courtesy.engine.contract import Engine
from courtesy.engine_memory.engine import MemoryEngine
from courtesy.http.witness import WitnessServer
from courtesy.runtime import witness as witnessing
from courtesy.runtime.sealer import Proofs, Sealer, signing_key
from courtesy.runtime.signing import SigningKey
from courtesy.runtime.witness import witness_key
from courtesy.runtime.witnesses import Witness, Witnesses, read_witnesses
from tests.contract.test_engine_repair import World, world_of
from tests.contract.test_sealing import choose, verified


@contextmanager
def listening(folder: Path, logs: list[PublicKey], clock: Clock) -> Iterator[Witness]:
    """A witness that runs as long as the context; after that its folder is as a stop leaves it."""
    folder.mkdir(exist_ok=True)
    key = witness_key(folder, "watch.example/w")
    with WitnessServer(witnessing.Witness(folder, key, logs, clock), "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield Witness(f"http://127.0.0.1:{server.server_port}", key.public)
        finally:
            server.shutdown()
            thread.join()


async def sealed(engine: Engine, key: SigningKey, clock: ManualClock, *witnesses: Witness) -> Note:
    """A round of the sealer: what there is, sealed, and signed by whom it could be."""
    clock.advance(MINUTE_MS)
    asking = Witnesses(engine, witnesses)
    try:
        return await asking.sign(await Sealer(engine, key, clock).seal())
    finally:
        await asking.aclose()


async def grown(world: World, choices: range, key: SigningKey, clock: ManualClock, *witnesses: Witness) -> Note:
    """A round after some more choices."""
    await choose(world, choices.start, len(choices))
    return await sealed(world.engine, key, clock, *witnesses)


async def test_what_was_witnessed_convinces_a_stranger(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """The export, a proof of an entry and one of growth, with the witness named; without its signature none."""
    key = signing_key(tmp_path / "data")
    with listening(tmp_path / "w", [key.public], clock) as witness:
        async with world_of(engine, clock) as world:
            first = await grown(world, range(9), key, clock)
            second = await grown(world, range(9, 23), key, clock, witness)
            third = await grown(world, range(23, 31), key, clock, witness)
        assert [has_signed(note, witness.key) for note in (first, second, third)] == [False, True, True]
        assert [read_note(text) for text in await engine.checkpoints()] == [first, second, third]
        assert await sealed(engine, key, clock, witness) == third
    proofs = Proofs(engine)
    await proofs.export(tmp_path / "out", key.public)
    (tmp_path / "entry").write_bytes(await proofs.inclusion(30))
    (tmp_path / "growth").write_bytes(await proofs.consistency(9, 31))
    (tmp_path / "early").write_bytes(await proofs.consistency(9, 9))
    names = (key.public.text(), "--witness", witness.key.text())
    for asked in ([tmp_path / "out"], ["--inclusion", tmp_path / "entry"], ["--consistency", tmp_path / "growth"]):
        said = verified(*map(str, asked), *names)
        assert (said.returncode, said.stderr) == (0, "")
    assert verified("--consistency", str(tmp_path / "early"), *names).returncode == 1
    assert verified("--consistency", str(tmp_path / "early"), key.public.text()).returncode == 0


async def test_of_two_histories_for_two_auditors_the_second_is_not_witnessed(
    engine: Engine, clock: ManualClock, tmp_path: Path
) -> None:
    """Each holds by itself, as the log signs what it likes; the auditor who asks for the witness finds out."""
    key = signing_key(tmp_path / "data")
    other = MemoryEngine(clock)
    await other.open()
    with listening(tmp_path / "w", [key.public], clock) as witness:
        async with world_of(engine, clock) as world, world_of(other, clock) as forked:
            await grown(world, range(12), key, clock, witness)
            await grown(forked, range(1, 18), key, clock, witness)
            await grown(forked, range(18, 21), key, clock, witness)
            shown = await grown(world, range(12, 17), key, clock, witness)
    assert shown.checkpoint.size == 17
    for name, store in (("one", engine), ("two", other)):
        await Proofs(store).export(tmp_path / name, key.public)
    names = (key.public.text(), "--witness", witness.key.text())
    assert verified(str(tmp_path / "one"), *names).returncode == 0
    assert verified(str(tmp_path / "two"), key.public.text()).returncode == 0
    refused = verified(str(tmp_path / "two"), *names)
    assert refused.returncode == 1
    assert "a signature of watch.example/w" in refused.stderr


async def test_while_a_witness_is_down_checkpoints_go_on(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """They are signed by those who are there; when it is back, it signs the last, which covers all before."""
    key = signing_key(tmp_path / "data")
    async with world_of(engine, clock) as world:
        with listening(tmp_path / "w", [key.public], clock) as witness:
            await grown(world, range(6), key, clock, witness)
        with listening(tmp_path / "v", [key.public], clock) as second:
            down = await grown(world, range(6, 12), key, clock, witness, second)
            assert (has_signed(down, witness.key), has_signed(down, second.key)) == (False, True)
            with listening(tmp_path / "w", [key.public], clock) as back:
                assert back.key == witness.key
                late = await sealed(engine, key, clock, back, second)
    assert late.checkpoint == down.checkpoint
    assert (has_signed(late, witness.key), has_signed(late, second.key)) == (True, True)
    assert read_note((await engine.checkpoints(latest_only=True))[0]) == late


async def test_a_log_that_went_back_is_not_witnessed(engine: Engine, clock: ManualClock, tmp_path: Path) -> None:
    """One that was put back from a backup and goes on elsewhere shows, though each of its checkpoints is signed."""
    key = signing_key(tmp_path / "data")
    before = MemoryEngine(clock)
    await before.open()
    with listening(tmp_path / "w", [key.public], clock) as witness:
        async with world_of(engine, clock) as world, world_of(before, clock) as again:
            await grown(world, range(9), key, clock, witness)
            back = await grown(again, range(4), key, clock, witness)
    assert not has_signed(back, witness.key)


async def test_only_a_checkpoint_as_it_is_known_gets_signatures(
    engine: Engine, clock: ManualClock, tmp_path: Path
) -> None:
    """Whoever comes with a text that is not there any more changes nothing."""
    key = signing_key(tmp_path / "data")
    async with world_of(engine, clock) as world:
        await grown(world, range(3), key, clock)
        await grown(world, range(3, 6), key, clock)
    first, last = await engine.checkpoints()
    assert await engine.sign_checkpoint(last, last + "more")
    assert not await engine.sign_checkpoint(last, last + "other")
    assert await engine.checkpoints() == [first, last + "more"]


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/add-checkpoint", b"", 400),
        ("/add-checkpoint", b"\xff", 400),
        ("/add-checkpoint", "old 0\n\nelse.example\n0\nAAAA\ntime_ms 1\n\n— e AAAAAAAA\n".encode(), 404),
        ("/add-checkpoint", b"x" * (SUBMISSION_BYTES_MAX + 1), 413),
        ("/other", b"old 0\n\n", 404),
    ],
)
def test_a_witness_refuses_nonsense(path: str, content: bytes, status: int, tmp_path: Path) -> None:
    """And goes on to answer the next."""
    with listening(tmp_path / "w", [], ManualClock(0)) as witness:
        for _ in range(2):
            connection = HTTPConnection(witness.url.removeprefix("http://"), timeout=10)
            connection.request("POST", path, content)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
            connection.close()


def test_witnesses_are_named_by_url_and_key(tmp_path: Path) -> None:
    """Several with commas between; a log's key, or what is no URL, is refused at the start."""
    key = witness_key(tmp_path, "watch.example/w").public
    assert read_witnesses(f"https://watch.example/ {key.text()} , http://[::1]:8090 {key.text()}") == (
        Witness("https://watch.example", key),
        Witness("http://[::1]:8090", key),
    )
    assert read_witnesses("") == ()
    for wrong in (key.text(), f"ftp://watch.example {key.text()}", "https://watch.example", "https://watch.example x"):
        with pytest.raises(CourtesyError):
            read_witnesses(wrong)
    with pytest.raises(CourtesyError, match="key of a witness"):
        read_witnesses(f"https://watch.example {signing_key(tmp_path).public.text()}")
