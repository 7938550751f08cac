"""A walk through pages in a real Chromium, and a shop with a preference centre to walk through."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.server import LEARN_S, Server
from tests.e2e.asking import ask, make_key, person_path, tell

CLIENTS = Path(__file__).parent / "clients"
LAPTOP, PHONE = {"width": 1_000, "height": 800}, {"width": 320, "height": 640}

SHOP: dict[str, Any] = {
    "brand": "Shoes & More",
    "colour": "#5b2a6e",
    "uses": [{"name": "personalisation"}],
    "topics": [
        {"name": "new_arrivals", "labels": {"en": "New arrivals", "de": "Neu eingetroffen"}},
        {"name": "sales", "labels": {"en": "Sales", "de": "Sonderangebote"}},
        {"name": "care", "labels": {"en": "Looking after leather", "de": "Lederpflege"}},
    ],
    "likes": [
        {"name": "boots", "labels": {"en": "Boots", "de": "Stiefel"}},
        {"name": "sandals", "labels": {"en": "Sandals", "de": "Sandalen"}},
    ],
    "trait_labels": {
        "country": {"en": "Country"},
        "email": {"en": "E-mail"},
        "favourite_colour": {"en": "Favourite colour"},
        "household_income": {"en": "Household income"},
        "size": {"en": "Shoe size"},
    },
    "privacy_url": "https://shop.example/privacy",
}


LOGO = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAADAAAAAQCAMAAABncAyDAAAABlBMVEVbKm7Zs+aXf0LnAAAAGklEQVR42mNggAJGKCCWP6qBuhpG"
    "Q2dQaAAATy4BgTi3NZwAAAAASUVORK5CYII="
)
"""A chequered band."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a walk saw: an answer for each step, the hosts that were asked, and what a page's policy refused."""

    answers: list[Any]
    hosts: list[str]
    refused: list[str]


def walk(
    node_modules: Path,
    *steps: tuple[Any, ...],
    javascript: bool = True,
    viewport: Mapping[str, int] = LAPTOP,
    headers: Mapping[str, str] | None = None,
) -> Seen:
    """Have the browser take the steps, as `clients/walk.mjs` explains them."""
    given = {
        "executable": shutil.which("chromium"),
        "axe": str(node_modules / "axe-core" / "axe.min.js"),
        "javaScript": javascript,
        "viewport": viewport,
        "headers": headers or {},
        "steps": steps,
    }
    done = subprocess.run(
        ["node", CLIENTS / "walk.mjs"],
        input=json.dumps(given).encode(),
        capture_output=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return Seen(**json.loads(done.stdout))


def open_shop(server: Server, **more: Any) -> None:
    """Define the preference centre of a shop, and wait until every process knows it."""
    server.send("PUT", "/v1/preference-centre", {**SHOP, **more})
    time.sleep(LEARN_S)


def customer(server: Server, user: str, country: str = "DE") -> None:
    """Somebody who is known, by themselves and by a broker."""
    email = f"{user}@example.com"
    told = {"email": email, "country": country, "size": 41, "favourite_colour": "green"}
    tell(server, [{"type": "identify", "userId": user, "messageId": f"{user}-1", "traits": told}])
    broker = make_key(server, "write", f"broker-{user}")
    answer = ask(server.port, "PUT", f"/v1/sources/broker-{user}", key=server.admin_key, body={"party": "third"})
    assert answer.status == 200
    time.sleep(LEARN_S)
    guess = {"household_income": "high", "pets": "two dogs"}
    tell(server, [{"type": "identify", "userId": user, "messageId": f"{user}-2", "traits": guess}], broker)


def address_for(server: Server, user: str, **more: Any) -> str:
    """The address of a new link for a customer."""
    made = server.send("POST", f"{person_path('user_id', user)}/links", more)
    return f"http://127.0.0.1:{server.port}{made['path']}"


def may(server: Server, user: str, channel: str = "email", brand: str = "*") -> bool:
    """Whether a customer may be sent marketing."""
    query = f"purpose=marketing&channel={channel}&brand={brand}&local_time=12:00"
    path = f"{person_path('user_id', user)}/allowed?{query}"
    return bool(server.get(path)["allowed"])
