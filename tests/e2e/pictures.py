"""Takes the pictures that the documents show: `python -m tests.e2e.pictures`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import pyvips

from sim.server import LEARN_S, Server, serving
from tests.e2e.asking import ask, tell, until
from tests.e2e.browsing import browsing
from tests.e2e.walking import LAPTOP, PHONE, address_for, customer, open_shop, walk
from tests.e2e.web_world import web_world
from tests.tidy.checkout import ROOT
from tests.unit.channel.mailbox import mailbox

FOLDER = ROOT / "docs" / "pictures"
TALL, SHORT = 1_180, 620
LINKS_URL = "https://mail.shop.example"
CONTROLLER = {
    "name": "Shoes & More",
    "contact": "Nino Beridze, data protection",
    "email": "privacy@shop.example",
    "address": {"country": "DE", "street": "Hauptstrasse 1", "city": "Berlin", "postal_code": "10115"},
    "privacy_url": "https://shop.example/privacy",
    "retention": "P3Y",
    "recipients": ["Post Ltd"],
}


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


def take_answer(server: Server, node_modules: Path, folder: Path) -> None:
    """The page that answers a request for access."""
    server.send("PUT", "/v1/controller", CONTROLLER)
    time.sleep(LEARN_S)
    customer(server, "ana")
    person = {"kind": "user_id", "value": "ana"}
    number = server.send("POST", "/v1/requests", {"kind": "access", "person": person})["number"]
    page = folder / "page.html"
    page.write_bytes(ask(server.port, "GET", f"/v1/requests/{number}/page", key=server.admin_key).body)
    walk(
        node_modules,
        ("open", page.as_uri()),
        ("picture", str(FOLDER / "request-page.png"), TALL),
        viewport={**LAPTOP, "height": TALL},
    )


def take_preview(server: Server, node_modules: Path, folder: Path) -> None:
    """A message in two locales on three channels, as somebody would get it."""
    customer(server, "ann")
    choice = {"action": "grant", "purpose": "marketing"}
    traits = {"first_name": "Ann", "locale": "de-AT", "email": "ann@customer.example"}
    tell(server, [{"type": "identify", "userId": "ann", "traits": traits}])
    tell(server, [{"type": "consent", "userId": "ann", "choices": [choice]}])
    sky = pyvips.Image.xyz(1_200, 500)
    colours = [200 - sky[1] * 0.15, 120 + sky[0] * 0.08, 90 + sky[1] * 0.25]
    picture = bytes(colours[0].bandjoin(colours[1:]).cast("uchar").copy(interpretation="srgb").jpegsave_buffer())
    asset = ask(server.port, "POST", "/v1/assets", key=server.admin_key, body=picture).json()
    told = {"file": {"default": asset["sha256"]}, "alt": {"default": "A sunny morning", "de": "Ein sonniger Morgen"}}
    server.send("PUT", "/v1/content/items/image/morning", {"fields": told})
    config = {"sender": "Shoes & More <hello@shop.example>", "host": "127.0.0.1", "security": "none"}
    server.send("PUT", "/v1/connections/letters", {"component": "smtp", "config": config})
    server.send("PUT", "/v1/connections/app", {"component": "in_app"})
    offer = {
        "title": "Ten",
        "value": {"kind": "percent", "percent": 10},
        "codes": {"kind": "minted", "prefix": "SPRING"},
    }
    server.send("PUT", "/v1/offers/ten", offer)
    server.send("PUT", "/v1/content/items/campaign/spring", {"title": "Spring", "fields": spring(asset["url"])})
    look = {"content": "campaign/spring", "person": {"kind": "user_id", "value": "ann"}, "offer": "ten"}
    look["sms_price"] = {"amount": 0.07, "currency": "EUR"}
    time.sleep(LEARN_S)
    answer = ask(server.port, "POST", "/v1/previews?format=html", key=server.admin_key, body=look)
    page = folder / "preview.html"
    # The world would reach the server under another address than this browser does.
    page.write_bytes(answer.body.replace(LINKS_URL.encode(), f"http://127.0.0.1:{server.port}".encode()))
    walk(
        node_modules,
        ("open", page.as_uri()),
        # What stands in frames is painted after the page is.
        ("axe",),
        ("picture", str(FOLDER / "preview.png"), 1_700, 0),
        viewport={"width": 1_400, "height": 1_700},
    )


def spring(picture: str) -> dict[str, Any]:
    """What the message of the preview says."""
    words = {
        "default": ("Spring is here", "Ten per cent off all boots, until Sunday.", "To the boots"),
        "de": ("Der Frühling ist da", "Zehn Prozent auf alle Stiefel, bis Sonntag.", "Zu den Stiefeln"),
    }
    sms = "Shoes & More: {} {{{{ offer.code }}}} https://shop.example/boots STOP 1234"
    return {
        "subject": {name: f"{title}, {{{{ person.traits.first_name }}}}" for name, (title, _, _) in words.items()},
        "title": {name: title for name, (title, _, _) in words.items()},
        "text": {name: text for name, (_, text, _) in words.items()}
        | {"@sms": sms.format(words["default"][1]), "de@sms": sms.format(words["de"][1])},
        "image": "image/morning",
        "preheader": {"default": "Until Sunday", "de": "Bis Sonntag"},
        "link": dict.fromkeys(words, "https://shop.example/boots"),
        "display": {"style": "dialog", "button": "OK"},
        "blocks": {
            name: [
                {"type": "heading", "text": f"{title}, {{{{ person.traits.first_name }}}}"},
                {"type": "image", "src": picture, "alt": title},
                {"type": "text", "text": f"{text} Code: **{{{{ offer.code }}}}**"},
                {"type": "button", "text": button, "link": "https://shop.example/boots"},
                {"type": "footer", "text": "Shoes & More, Hauptstrasse 1, Berlin"},
            ]
            for name, (title, text, button) in words.items()
        },
    }


def take_message(folder: Path) -> None:
    """A message on the page of a shop, in the shop's colours."""
    colours = ":root{--courtesy-accent:#5b2a6e;--courtesy-on-accent:#fff}body{font:16px system-ui;padding:24px 48px}"
    with web_world(folder / "web") as world, browsing(folder / "profile") as browser:
        told = {"title": "Spring is here", "text": "Ten per cent on all boots until Sunday, in your size."}
        world.publish("spring", {"button": "Have a look"}, **told, link="https://shop.example/spring")
        tell(world.server, [{"type": "identify", "userId": "ann"}])
        world.send("ann", "spring")
        browser.do(goto=world.page())
        browser.do(size={"width": 1_000, "height": 480})
        browser.run(f"document.body.insertAdjacentHTML('beforeend', '<style>{colours}</style>')")
        browser.run(f"site.identify('ann', {{}}, {{ userHash: '{world.proof('ann')}' }})")
        until(lambda: bool(browser.run("!!window.box()")), "the message to be shown")
        browser.run("Promise.all(box().getAnimations().map((each) => each.finished)).then(() => 0)")
        browser.do(picture=str(FOLDER / "in-app.png"))


def main() -> None:
    """Take them all, of a server that is there for nothing else."""
    with tempfile.TemporaryDirectory() as folder, mailbox() as box:
        mail = {
            "COURTESY_MAIL_URL": f"smtp://127.0.0.1:{box.port}?tls=none",
            "COURTESY_MAIL_FROM": "hello@shop.example",
            "COURTESY_LINKS_URL": LINKS_URL,
        }
        with serving(data=Path(folder) / "data", environment=mail) as server:
            take(server, ROOT / "node_modules")
            take_answer(server, ROOT / "node_modules", Path(folder))
            take_preview(server, ROOT / "node_modules", Path(folder))
        take_message(Path(folder))


if __name__ == "__main__":
    main()
