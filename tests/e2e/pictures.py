"""Takes the pictures of the preference centre that the documents show: `python -m tests.e2e.pictures`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sim.server import Server, serving
from tests.e2e.walking import LAPTOP, PHONE, address_for, customer, open_shop, walk
from tests.tidy.checkout import ROOT
from tests.unit.channel.mailbox import mailbox

FOLDER = ROOT / "docs" / "pictures"
TALL, SHORT = 1_180, 620


def take(server: Server, node_modules: Path) -> None:
    """The page on a laptop and on a phone, and where a code is entered."""
    open_shop(server)
    customer(server, "ann")
    address = address_for(server, "ann")
    large, small = {**LAPTOP, "height": TALL}, {**PHONE, "width": 390, "height": TALL}
    chosen = (("tick", "c0.0"), ("choose", "l0", "like"), ("choose", "frequency", "weekly"))
    walk(
        node_modules,
        ("open", f"{address}?lang=en"),
        *chosen,
        ("press", "save"),
        ("picture", str(FOLDER / "preference-centre.png"), TALL),
        viewport=large,
    )
    walk(
        node_modules,
        ("open", f"{address}?lang=de"),
        ("picture", str(FOLDER / "preference-centre-phone.png"), TALL),
        viewport=small,
    )
    walk(
        node_modules,
        ("open", f"{address}/delete?lang=en"),
        ("press", "send"),
        ("picture", str(FOLDER / "preference-centre-code.png"), SHORT),
        viewport={**LAPTOP, "height": SHORT},
    )


def main() -> None:
    """Take them all, of a server that is there for nothing else."""
    with tempfile.TemporaryDirectory() as folder, mailbox() as box:
        mail = {
            "COURTESY_MAIL_URL": f"smtp://127.0.0.1:{box.port}?tls=none",
            "COURTESY_MAIL_FROM": "hello@shop.example",
        }
        with serving(data=Path(folder) / "data", environment=mail) as server:
            take(server, ROOT / "node_modules")


if __name__ == "__main__":
    main()
