"""`python -m sim --shoppers 1000 --days 7 --seed 1 > deliveries.jsonl`: a world as lines of JSON, or its summary."""

from __future__ import annotations

import argparse
import base64
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from sim.config import WorldConfig
from sim.truth import Delivery
from sim.world import World


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sim", description="A simulated shop, as lines of JSON.")
    parser.add_argument("--shoppers", type=int, default=1_000, help="how many shoppers (1000)")
    parser.add_argument("--days", type=int, default=30, help="how many days (30)")
    parser.add_argument("--seed", type=int, default=1, help="which world (1)")
    parser.add_argument("--start", help="first day, such as 2026-09-01, UTC")
    parser.add_argument("--tidy", action="store_true", help="without any mischief")
    parser.add_argument("--history", action="store_true", help="as an import, without sentAt")
    parser.add_argument("--summary", action="store_true", help="only what is true in the end, as JSON")
    return parser.parse_args(arguments)


def _config(options: argparse.Namespace) -> WorldConfig:
    config = WorldConfig(seed=options.seed, shopper_count=options.shoppers, day_count=options.days)
    if options.start is not None:
        start = datetime.fromisoformat(options.start)
        start_ms = int(start.replace(tzinfo=start.tzinfo or UTC).timestamp()) * 1_000
        config = replace(config, start_ms=start_ms)
    config = config.tidy() if options.tidy else config
    return config.as_history() if options.history else config


def as_line(delivery: Delivery) -> dict[str, Any]:
    """A delivery for JSON: `body` is the text as sent, or `body_base64` its bytes where they are no text."""
    line: dict[str, Any] = {
        "arrives_at_ms": delivery.arrives_at_ms,
        "source": delivery.source,
        "path": delivery.path,
        "truth": [truth._asdict() for truth in delivery.truth],
    }
    try:
        line["body"] = delivery.body.decode()
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(delivery.body).decode()
    return line


def _write_lines(world: World) -> None:
    encoder, out = msgspec.json.Encoder(), sys.stdout.buffer
    for delivery in world.deliveries():
        out.write(encoder.encode(as_line(delivery)) + b"\n")
    out.flush()


def _write_summary(world: World) -> None:
    began = time.perf_counter()
    for _ in world.deliveries():
        pass
    seconds = time.perf_counter() - began
    people = {"shoppers": len(world.shoppers), **world.summary.as_dict()}
    print(msgspec.json.format(msgspec.json.encode(people)).decode())
    count = world.summary.message_count
    print(f"{count:,} messages in {seconds:.1f} s: {count / seconds:,.0f}/s", file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    """Write the world that the arguments ask for to standard output; the exit status."""
    options = _parse(arguments)
    try:
        world = World(_config(options))
    except ValueError as error:
        print(f"python -m sim: {error}", file=sys.stderr)
        return 64
    try:
        _write_summary(world) if options.summary else _write_lines(world)
    except BrokenPipeError:  # whoever read has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
