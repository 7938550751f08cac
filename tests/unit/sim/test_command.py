"""`python -m sim`: lines of JSON, a summary, or a plain refusal."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import msgspec

from sim import World, WorldConfig

_ROOT = Path(__file__).parents[3]
_SMALL = ("--shoppers", "40", "--days", "4", "--seed", "3")


def _run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "sim", *arguments]
    return subprocess.run(command, check=False, capture_output=True, cwd=_ROOT)


def test_lines_hold_all_deliveries_unharmed() -> None:
    """Each line gives back the delivery's body byte for byte, readable or not, and its truth."""
    lines = [msgspec.json.decode(line) for line in _run(*_SMALL).stdout.splitlines()]
    deliveries = list(World(WorldConfig(seed=3, shopper_count=40, day_count=4)).deliveries())
    assert len(lines) == len(deliveries)
    for line, delivery in zip(lines, deliveries, strict=True):
        body = line["body"].encode() if "body" in line else base64.b64decode(line["body_base64"])
        assert body == delivery.body
        assert (line["arrives_at_ms"], line["source"], line["path"]) == (
            delivery.arrives_at_ms,
            delivery.source,
            delivery.path,
        )
        assert [truth["message_id"] for truth in line["truth"]] == [truth.message_id for truth in delivery.truth]


def test_the_summary_is_that_of_the_world() -> None:
    """`--summary` prints what the world says of itself, and nothing else on standard output."""
    world = World(WorldConfig(seed=3, shopper_count=40, day_count=4).tidy())
    for _ in world.deliveries():
        pass
    assert msgspec.json.decode(_run(*_SMALL, "--tidy", "--summary").stdout) == {
        "shoppers": 40,
        **world.summary.as_dict(),
    }


def test_the_start_may_be_any_day_and_the_world_may_be_told_as_history() -> None:
    """`--start` sets the first day; with `--history` batches go to the import path without `sentAt`."""
    lines = [
        msgspec.json.decode(line) for line in _run(*_SMALL, "--history", "--start", "2024-02-29").stdout.splitlines()
    ]
    assert min(line["arrives_at_ms"] for line in lines) // 86_400_000 == 19_782
    assert "/v1/import" in {line["path"] for line in lines}
    assert not any('"sentAt"' in line.get("body", "") for line in lines)


def test_a_world_that_cannot_be_is_refused_with_a_reason() -> None:
    """A wrong option ends with the exit status for usage and says what was expected."""
    refused = _run("--shoppers", "0")
    assert refused.returncode == 64
    assert b"expected shopper_count of 1 or more, got 0" in refused.stderr


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    """`| head` ends the command quietly."""
    with subprocess.Popen(
        [sys.executable, "-m", "sim", "--shoppers", "300"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=_ROOT
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0
