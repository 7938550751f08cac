"""`make demo`: a server, a month of a simulated shop (or your own data), and what came of it."""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from sim.client import Connection
from sim.clock import DAY_MS
from sim.config import WorldConfig
from sim.hooks import HookServer
from sim.mending import mend
from sim.server import LEARN_S, Server, command, create_key, free_port, serving
from sim.truth import Delivery
from sim.world import World

CONNECTIONS = 48
QUEUED = 200
HOOKS_LIMIT_S = 30.0
DEFAULT_PORT = 8080
CART_DELAY_MS = 2 * DAY_MS

console = Console(highlight=False)


@dataclass(slots=True)
class Fed:
    """What was sent and how it was answered."""

    request_count: int = 0
    statuses: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sim.demo", description="Run Courtesy on a shop, or on your data.")
    parser.add_argument("--data", type=Path, help="a file or folder to import instead of the simulated shop")
    parser.add_argument("--mapping", type=Path, help="how to read it; guessed when not given")
    parser.add_argument("--serve", action="store_true", help="stay up at the end")
    parser.add_argument("--dir", type=Path, default=Path("data/demo"), help="where the demo keeps its data (data/demo)")
    parser.add_argument("--port", type=int, help=f"port to listen on ({DEFAULT_PORT}, or another when it is taken)")
    parser.add_argument("--shoppers", type=int, default=400, help="size of the simulated shop (400)")
    parser.add_argument("--days", type=int, default=30, help="how many days of it, ending now (30)")
    parser.add_argument("--seed", type=int, default=1, help="which shop (1)")
    return parser.parse_args(arguments)


def _port(wanted: int | None) -> int:
    if wanted is not None:
        return wanted
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", DEFAULT_PORT))
        except OSError:
            return free_port()
    return DEFAULT_PORT


async def _feed(port: int, keys: dict[str, str], deliveries: Iterable[tuple[str, Delivery]]) -> Fed:
    """Send deliveries over some connections; each to the path given beside it, with the key of its source."""
    fed = Fed()
    began = time.monotonic()
    queue: asyncio.Queue[tuple[str, Delivery] | None] = asyncio.Queue(QUEUED)

    async def one() -> None:
        connections = {source: Connection(port, key) for source, key in keys.items()}
        while (item := await queue.get()) is not None:
            path, delivery = item
            status, _ = await connections[delivery.source].request("POST", path, delivery.body)
            fed.statuses[status] = fed.statuses.get(status, 0) + 1
            fed.request_count += 1
        for connection in connections.values():
            await connection.close()

    workers = [asyncio.create_task(one()) for _ in range(CONNECTIONS)]
    for item in deliveries:
        await queue.put(item)
    for _ in workers:
        await queue.put(None)
    await asyncio.gather(*workers)
    fed.seconds = time.monotonic() - began
    return fed


async def _define_hooks(server: Server, hook_port: int, secret: str) -> None:
    """Two subscriptions: every order at once, and carts that nobody came back for."""
    admin = Connection(server.port, server.admin_key)
    url = f"http://127.0.0.1:{hook_port}/courtesy"
    for name, body in (
        ("orders", {"url": url, "events": ["Order Completed"], "secrets": [secret]}),
        (
            "abandoned-cart",
            {
                "url": url,
                "events": ["Product Added"],
                "unless": ["Order Completed"],
                "delay_ms": CART_DELAY_MS,
                "secrets": [secret],
            },
        ),
    ):
        status, answer = await admin.request("PUT", f"/v1/subscriptions/{name}", msgspec.json.encode(body))
        if status >= 300:
            raise RuntimeError(f"the subscription {name} was answered {status}: {answer.decode(errors='replace')}")
    await admin.close()
    await asyncio.sleep(LEARN_S)


async def _shop(server: Server, options: argparse.Namespace) -> None:
    """Feed the shop: all but the last day as history, the last day live."""
    now_ms = time.time_ns() // 1_000_000
    config = WorldConfig(seed=options.seed, shopper_count=options.shoppers, day_count=options.days)
    config = replace(config, start_ms=now_ms - options.days * DAY_MS).as_history()
    world = World(config)
    sources = sorted({"web", "app", "till", "crm"})
    keys = {source: create_key(server.data, "write", source) for source in sources}
    secret = "whsec_" + base64.b64encode(os.urandom(24)).decode()
    hooks = HookServer(secret)
    await _define_hooks(server, await hooks.start(), secret)
    live_from = now_ms - DAY_MS
    live_orders: set[str] = set()

    def routed() -> Iterable[tuple[str, Delivery]]:
        for delivery in world.deliveries():
            live = delivery.arrives_at_ms >= live_from
            if live:
                live_orders.update(
                    each.message_id
                    for each in delivery.truth
                    if each.name == "Order Completed" and each.expected == "stored"
                )
            yield (delivery.path if live else f"{delivery.path}?live=false"), delivery

    console.print(f"feeding {options.shoppers} shoppers, {options.days} days, seed {options.seed} …")
    fed = await _feed(server.port, keys, routed())
    await asyncio.to_thread(server.wait_folded)
    console.print(f"{fed.request_count:,} requests in {fed.seconds:.1f} s, answered {fed.statuses}")
    await _wait_hooks(hooks, len(live_orders))
    await hooks.stop()
    _report_shop(server, world)
    orders = sum(each["data"]["subscription"] == "orders" for each in hooks.received.values())
    console.print(
        f"webhooks: {orders} signed calls for {len(live_orders)} orders of the last day, {hooks.forged_count} forged"
    )
    await asyncio.to_thread(mend, server, world, console)


async def _wait_hooks(hooks: HookServer, expected: int) -> None:
    end = time.monotonic() + HOOKS_LIMIT_S
    while len(hooks.received) < expected and time.monotonic() < end:
        await asyncio.sleep(0.1)


def _report_shop(server: Server, world: World) -> None:
    truth = world.summary
    counts = _totals(server.get("/v1/counts"))
    status = server.get("/v1/status")
    table = Table("", "Courtesy", "truth", title="What came of it")
    table.add_row("stored", f"{counts['stored']:,}", f"{truth.stored_count:,}")
    table.add_row("duplicate", f"{counts['duplicate']:,}", f"{truth.duplicate_count:,}")
    unreadable = truth.unreadable_count
    table.add_row("quarantined", f"{counts['quarantined']:,}", f"{truth.quarantined_count + unreadable:,}")
    table.add_row("received", f"{counts['received']:,}", f"{truth.message_count + unreadable:,}")
    table.add_row("people (with bots and strangers)", f"{int(status['people']):,}", f"{len(truth.people):,} shoppers")
    console.print(table)
    _report_person(server, world)


def _totals(counts: dict[str, Any]) -> dict[str, int]:
    """All sources and hours added up."""
    totals = dict.fromkeys(("received", "stored", "quarantined", "duplicate", "suppressed"), 0)
    for row in counts["counts"]:
        for fate in totals:
            totals[fate] += int(row[fate])
    return totals


def _report_person(server: Server, world: World) -> None:
    buyers = (world.shoppers[order.shopper] for order in reversed(world.orders))
    for shopper in buyers:
        path = f"/v1/people/user_id/{urllib.parse.quote(str(shopper.user_id), safe='')}"
        try:
            view = server.get(path)
        except urllib.error.HTTPError:
            continue  # bought as a guest, and never signed in
        break
    else:
        return
    console.print(f"\n[bold]One of them[/bold]: {shopper.name}, {path}")
    console.print(f"  traits       {view['traits']}")
    console.print(f"  identifiers  {', '.join(each['kind'] + ' ' + each['value'] for each in view['identifiers'])}")
    for name, each in view["events"].items():
        console.print(f"  {name:24} {each['count']:4}   last {each['last']}")


def _import(server: Server, options: argparse.Namespace) -> None:
    """Import the user's file or folder with the command that they would use."""
    mapping = ("--mapping", str(options.mapping)) if options.mapping else ()
    arguments = ("import", str(options.data), "--data", str(server.data), "--source", "import", *mapping)
    done = subprocess.run(command(*arguments), check=False)
    if done.returncode:
        sys.exit(done.returncode)
    server.wait_folded()
    counts = _totals(server.get("/v1/counts"))
    console.print(
        f"stored {counts['stored']:,} of {counts['received']:,}; people {server.get('/v1/status')['people']:,}"
    )


def _where_to_look(server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}"
    console.print(f"\n[bold]Where to look[/bold] (admin key {server.admin_key})")
    header = f'-H "Authorization: Bearer {server.admin_key}"'
    for path, what in (
        ("/v1/status", "how far everything is folded"),
        ("/v1/counts", "what was received and what became of it"),
        ("/v1/quarantine/groups", "what was rejected, by what is wrong with it"),
        ("/v1/sources/web/quality", "how good a source's data is, day by day"),
        ("/v1/identity/alarms", "identifiers that look shared"),
        ("/openapi.json", "everything else"),
    ):
        console.print(f"  curl {header} {base}{path}   # {what}", soft_wrap=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the demo."""
    options = _options(arguments)
    if options.data is not None and not options.data.exists():
        sys.exit(f"expected a file or folder to import, found nothing at {options.data}")
    folder = options.dir.resolve() / time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    console.print(f"starting Courtesy with its own PostgreSQL in {folder} …")
    with serving("--allow-private-webhooks", data=folder, port=_port(options.port), source="demo") as server:
        if options.data is None:
            asyncio.run(_shop(server, options))
        else:
            _import(server, options)
        _where_to_look(server)
        if options.serve:
            console.print("\nserving until Ctrl-C")
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    console.print(
        f"\nstopped. To look around: .venv/bin/courtesy serve --data {folder} --port {server.port}", soft_wrap=True
    )


if __name__ == "__main__":
    main()
