"""The demo's third part: a customer says what they allow; it is obeyed at once, and can be proven to a stranger."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.parse
import uuid
from typing import Any

import msgspec
from rich.console import Console

from courtesy.consent import verifier
from sim.client import Connection
from sim.server import Server, command, create_key

USES = (("marketing", "email"), ("marketing", "sms"), ("service", "email"))


def welcome(server: Server, view: dict[str, Any], console: Console) -> None:
    """Ask before and after a yes and a no, link their own page, and check the whole ledger as a stranger."""
    known = next(each for each in view["identifiers"] if each["kind"] == "user_id")
    path = f"/v1/people/user_id/{urllib.parse.quote(known['value'], safe='')}"
    write_key = create_key(server.data, "write", "till")
    console.print(f"\n[bold]What {known['value']} allows[/bold]")
    console.print(f"  nothing said yet   {_answers(server, path)}", soft_wrap=True)
    for action, scope in (("grant", {"purpose": "marketing", "channel": "email"}), ("withdraw", {"purpose": "*"})):
        asyncio.run(_say(server.port, write_key, known["value"], {"action": action, **scope, "method": "at the till"}))
        console.print(f"  {action:18} {_answers(server, path)}", soft_wrap=True)
    answer = server.get(f"{path}/allowed?purpose=marketing&channel=email")
    console.print(f"  by the rule {answer['rule']} of {answer['policy']}: {answer['source']}", highlight=False)
    link = server.send("POST", f"{path}/links", {"kind": "preferences"})
    console.print(f"  their own page: http://127.0.0.1:{server.port}{link['path']}", soft_wrap=True, highlight=False)
    _check_the_ledger(server, console)


async def _say(port: int, write_key: str, user_id: str, choice: dict[str, str]) -> None:
    connection = Connection(port, write_key)
    body = {"messageId": f"demo-{uuid.uuid4()}", "userId": user_id, "choices": [choice]}
    status, answer = await connection.request("POST", "/v1/consent", msgspec.json.encode(body))
    await connection.close()
    if status != 200:
        raise RuntimeError(f"a choice was answered {status}: {answer.decode(errors='replace')}")


def _answers(server: Server, path: str) -> str:
    """Yes or no for some uses, with why."""
    found = []
    for purpose, channel in USES:
        answer = server.get(f"{path}/allowed?purpose={purpose}&channel={channel}")
        word = "[green]yes[/green]" if answer["allowed"] else "[red]no[/red]"
        found.append(f"{purpose} over {channel}: {word} ({answer['why'].replace('_', ' ')})")
    return ", ".join(found)


def _check_the_ledger(server: Server, console: Console) -> None:
    folder = server.data / "ledger"
    data = ("--data", str(server.data))
    subprocess.run(command("ledger", "export", str(folder), *data), check=True, capture_output=True)
    key = subprocess.run(command("ledger", "key", *data), check=True, capture_output=True, text=True).stdout.strip()
    checked = subprocess.run(
        [sys.executable, str(verifier.__file__), str(folder), key], check=True, capture_output=True, text=True
    )
    console.print(f"  the ledger, checked as a stranger would: {checked.stdout.strip().splitlines()[-1]}")
