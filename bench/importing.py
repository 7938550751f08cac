"""The import's figures: millions of rows by `courtesy import` into a running server's store, people read meanwhile.

The rows are what the simulated shop's customers do, of as many towns as it takes: a world of a town's size is simulated
once and told of each town anew, with customers and orders of its own.
"""

from __future__ import annotations

import asyncio
import csv
import gc
import json
import re
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

import msgspec

from bench.asking import Request, ask_all
from bench.lives import Teller
from bench.load import percentile
from bench.results import Figure
from bench.workload import messages
from courtesy.base.time import HOUR_MS, SystemClock
from sim.client import Connection
from sim.server import Server, command, serving

TOWN_ROWS = 500_000
READERS = 1_000
READ_EVERY_S = 1 / 50
LOOK_EVERY_S = 0.1

COLUMNS = (
    "time", "type", "event", "user_id", "anonymous_id", "email", "order_id", "product_id", "category", "price",
    "quantity", "revenue", "currency", "path",
)  # fmt: skip
MAPPING: dict[str, Any] = {
    "name": "town",
    "rules": [
        {
            "columns": list(COLUMNS),
            "identifiers": {"user_id": "user_id", "anonymous_id": "anonymous_id"},
            "time": "time",
            "outputs": [
                {
                    "type": "track",
                    "when": {"column": "type", "in": ["track"]},
                    "event": "event",
                    "properties": {
                        **{name: name for name in ("order_id", "product_id", "category", "currency")},
                        **{name: {"column": name, "as": "number"} for name in ("price", "quantity", "revenue")},
                    },
                },
                {"type": "page", "when": {"column": "type", "in": ["page"]}, "properties": {"path": "path"}},
                {"type": "identify", "when": {"column": "type", "in": ["identify"]}, "traits": {"email": "email"}},
            ],
        }
    ],
}
"""How the rows become calls; they are all tracks, pages and identifies."""


class _Part(msgspec.Struct):
    """What the file tells of a call's properties or traits."""

    email: str = ""
    order_id: str = ""
    product_id: str = ""
    category: str = ""
    price: float | str = ""
    quantity: int | str = ""
    revenue: float | str = ""
    currency: str = ""
    path: str = ""


class _Call(msgspec.Struct, rename="camel"):
    """What the file tells of a call."""

    type: str
    timestamp: str = ""
    original_timestamp: str = ""
    event: str = ""
    user_id: str = ""
    anonymous_id: str = ""
    properties: _Part = msgspec.field(default_factory=_Part)
    traits: _Part = msgspec.field(default_factory=_Part)


def importing(count: int) -> list[Figure]:
    """So many rows imported, the server folding them and answering 50 reads a second of people it had before."""
    with tempfile.TemporaryDirectory(prefix="courtesy-") as folder:
        rows, mapping = Path(folder) / "towns.csv", Path(folder) / "town.json"
        mapping.write_text(json.dumps(MAPPING))
        _write_rows(rows, count)
        with serving("--http-workers", "1", "--fold-workers", "1") as server:
            _make_readers(server)
            arguments = ("import", str(rows), "--source", "shop", "--mapping", str(mapping), "--data", str(server.data))
            seconds, peak_bytes, reads = asyncio.run(_import(server, arguments))
            _require_stored(server, count + READERS)
    size = f"{count:,} rows of CSV by `courtesy import`, server folding with 1 HTTP and 1 fold worker"
    read = f"{1 / READ_EVERY_S:.0f} reads/s over HTTP, {size}"
    return [
        Figure("import_rows_per_s", count / seconds, "rows/s", count, size),
        Figure("import_peak_mb", peak_bytes / 1e6, "MB", count, f"highest resident memory of the process; {size}"),
        Figure("read_while_import_ms_p50", percentile(reads, 0.5), "ms", len(reads), read),
        Figure("read_while_import_ms_p99", percentile(reads, 0.99), "ms", len(reads), read),
    ]


def _write_rows(path: Path, count: int) -> None:
    """As many rows, town after town, without holding more than a town of them."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(COLUMNS)
        town = [row for row, _ in zip(_town(), range(min(count, TOWN_ROWS)), strict=False)]
        for number in range(-(-count // len(town))):
            _write_town(file, town[: count - number * len(town)], number)


def _town() -> Iterator[list[Any]]:
    decoder = msgspec.json.Decoder(_Call)
    for raw in messages(2 * TOWN_ROWS, seed=1):
        if re.match(rb'\{"type":"(track|page|identify)"', bytes(raw)):
            call = decoder.decode(raw)
            if call.user_id or call.anonymous_id:
                yield _row(call)


def _row(call: _Call) -> list[Any]:
    part = call.traits if call.type == "identify" else call.properties
    return [
        call.timestamp or call.original_timestamp, call.type, call.event, call.user_id, call.anonymous_id, part.email,
        part.order_id, part.product_id, part.category, part.price, part.quantity, part.revenue, part.currency,
        part.path,
    ]  # fmt: skip


def _write_town(file: TextIO, rows: list[list[Any]], number: int) -> None:
    user, device, mail, order = (COLUMNS.index(name) for name in ("user_id", "anonymous_id", "email", "order_id"))
    writer = csv.writer(file)
    for row in rows:
        told = row.copy()
        for place in (user, device, order):
            told[place] = row[place] and f"{row[place]}-{number}"
        told[mail] = row[mail] and f"town{number}.{row[mail]}"
        writer.writerow(told)


def _make_readers(server: Server) -> None:
    teller, at_ms = Teller(server), SystemClock().now_ms() - HOUR_MS
    teller.send([teller.message({"userId": f"reader-{number}"}, at_ms) for number in range(READERS)])


async def _import(server: Server, arguments: tuple[str, ...]) -> tuple[float, int, list[float]]:
    """How long an import takes (s), its peak of memory (bytes), the times of reads (ms). RuntimeError if it fails."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*command(*arguments), stdout=PIPE, stderr=PIPE)
    telling = asyncio.create_task(process.communicate())
    peak, reads = await asyncio.gather(_peak_bytes(process), _reads(server, telling.done))
    told, complaint = await telling
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        raise RuntimeError(f"the import ended with {process.returncode}: {(complaint or told).decode()[-500:]}")
    return seconds, peak, reads


async def _peak_bytes(process: Process) -> int:
    """The highest resident memory of a process, looked at until it ends."""
    peak = 0
    while process.returncode is None:
        with suppress(OSError, StopIteration):
            status = await asyncio.to_thread(Path(f"/proc/{process.pid}/status").read_text)
            peak = 1_024 * int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))
        await asyncio.sleep(LOOK_EVERY_S)
    return peak


async def _reads(server: Server, is_over: Callable[[], bool]) -> list[float]:
    """Read somebody every fiftieth of a second, whether or not the one before is answered."""
    took: list[float] = []
    free: list[Connection] = []

    async def one(number: int) -> None:
        connection = free.pop() if free else Connection(server.port, server.admin_key)
        sent = time.perf_counter()
        status, _ = await connection.request("GET", f"/v1/people/user_id/reader-{number * 7919 % READERS}")
        took.append((time.perf_counter() - sent) * 1_000)
        free.append(connection)
        if status != 200:
            raise RuntimeError(f"a read was answered {status}")

    # A pause of this process would look like one of the server.
    gc.collect()
    gc.freeze()
    began = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        number = 0
        while not is_over():
            await asyncio.sleep(max(0.0, began + number * READ_EVERY_S - time.perf_counter()))
            tasks.create_task(one(number))
            number += 1
    for connection in free:
        await connection.close()
    return took


def _require_stored(server: Server, count: int) -> None:
    """Raises RuntimeError unless the store has so many events and refused none."""
    ((told, _),) = ask_all(server, [Request("GET", "/v1/counts")])
    stored, received = (sum(hour[fate] for hour in told["counts"]) for fate in ("stored", "received"))
    if not stored == received == count:
        raise RuntimeError(f"expected {count} events to be stored, got {stored} of {received}")
