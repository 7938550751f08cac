"""The demo's second part: the data is mended, judged, taken apart, put back and forgotten, as its owner would."""

from __future__ import annotations

import subprocess
import time
import urllib.error
import urllib.parse
from typing import Any

from rich.console import Console
from rich.table import Table

from courtesy.base.time import to_iso
from sim.clock import DAY_MS
from sim.server import Server, command
from sim.welcome import welcome
from sim.world import World

LAKE_LIMIT_S = 60.0


def mend(server: Server, world: World, console: Console) -> None:
    """Show what is wrong and mend it, judge the sources, undo a merge and do it again, ask the past and what
    somebody allows, and forget."""
    _mend_quarantine(server, console)
    console.print("\n[bold]How good is what comes in[/bold]")
    subprocess.run(command("quality", "--now", "--data", str(server.data)), check=True)
    console.print("The last day is told within a minute, hours after it happened: so little of it is fresh.")
    known = _known(server, world)
    _undo_a_merge(server, known, console)
    _ask_the_past(server, known, console)
    welcome(server, known[0], console)
    _forget(server, known[-1], console)


def _mend_quarantine(server: Server, console: Console) -> None:
    groups = server.get("/v1/quarantine/groups")["groups"]
    table = Table("events", "source", "what is wrong", "proposed fix", title="Held in quarantine, by what is wrong")
    proposed: list[tuple[str, list[dict[str, Any]]]] = []
    for each in groups[:8]:
        detail = server.get(f"/v1/quarantine/groups/{urllib.parse.quote(each['group'], safe='')}")
        fixes = detail["proposals"]
        words = "; ".join(fixes[0]["words"]) if fixes else "-"
        table.add_row(f"{each['events']:,}", each["source"], each["meaning"], words)
        if fixes:
            proposed.append((each["group"], fixes[0]["fix"]))
    console.print()
    console.print(table)
    for group, fix in proposed:
        done = server.send("POST", "/v1/quarantine/replay", {"group": group, "fix": fix})
        totals = done["totals"]
        console.print(f"  mended and let in: {totals['stored']:,} stored, {sum(totals['left'].values()):,} stay held")


def _known(server: Server, world: World) -> list[dict[str, Any]]:
    """Customers of several devices, as they are read, the latest buyers first."""
    found: dict[str, dict[str, Any]] = {}
    for order in reversed(world.orders):
        user = urllib.parse.quote(str(world.shoppers[order.shopper].user_id), safe="")
        try:
            view = server.get(f"/v1/people/user_id/{user}")
        except urllib.error.HTTPError:
            continue  # bought as a guest, and never signed in
        if any(each["kind"] == "anonymous_id" and not each["shared"] for each in view["identifiers"]):
            found.setdefault(view["person"], view)
        if len(found) == 5:
            break
    return list(found.values())


def _path(view: dict[str, Any]) -> str:
    return f"/v1/people/person/{view['person']}"


def _undo_a_merge(server: Server, known: list[dict[str, Any]], console: Console) -> None:
    view = known[0]
    device = next(each for each in view["identifiers"] if each["kind"] == "anonymous_id" and not each["shared"])
    user = next(each for each in view["identifiers"] if each["kind"] == "user_id")
    path = f"/v1/people/user_id/{urllib.parse.quote(user['value'], safe='')}"
    body = {"other": {"kind": "anonymous_id", "value": device["value"]}, "reason": "the demo"}
    cut = server.send("POST", f"{path}/unmerge", body)
    counts = " and ".join(f"{each['events']} events" for each in cut["people"])
    console.print(f"\n[bold]Undone and done again[/bold]: {user['value']} and the device {device['value']}")
    console.print(f"  taken apart: {len(cut['people'])} people of {counts}")
    server.send("POST", f"{path}/merge", body)
    server.wait_folded()
    now = server.get(path)
    same = all(now[name] == view[name] for name in ("traits", "events", "event_count", "groups"))
    console.print(f"  put together again: {'exactly as before' if same else 'NOT as before'}")


def _ask_the_past(server: Server, known: list[dict[str, Any]], console: Console) -> None:
    view = known[0]
    then = to_iso(time.time_ns() // 1_000_000 - 7 * DAY_MS)
    at = urllib.parse.quote(then, safe="")
    try:
        past = server.get(f"{_path(view)}?as_of={at}&knowing=today")["event_count"]
    except urllib.error.HTTPError:
        past = 0
    console.print(f"  a week ago they had done {past} things, now {view['event_count']}")


def _forget(server: Server, view: dict[str, Any], console: Console) -> None:
    done = server.send("DELETE", _path(view))
    where = "and in the lake" if done["archived"] else "(the lake follows)"
    console.print(f"\n[bold]Forgotten[/bold]: person {done['person']}, {done['events']} events, in the log {where}")
