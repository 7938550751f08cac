"""A campaign from a running server to a mail server and to inboxes: every message is accounted for and permitted."""

from __future__ import annotations

import email
import http.client
import re
import socket
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from html import unescape
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from sim.server import Server, serving
from tests.e2e.asking import ask, events_of, tell, until

PEOPLE = 40
CONTENT = {
    "fields": {
        "subject": {"default": "Spring for {{ person.traits.first_name | default('you') }}"},
        "title": {"default": "Spring"},
        "text": {"default": "Ten per cent for {{ person.traits.first_name }}"},
        "blocks": {
            "default": [
                {"type": "text", "text": "Dear {{ person.traits.first_name | default('friend') }},"},
                {"type": "button", "text": "To the shop", "link": "https://shop.example/spring?who=1"},
                {"type": "footer", "text": "Shop, 1 Road, Town", "web_version": True},
            ]
        },
    }
}


class PostOffice:
    """A mail server that keeps what it takes, and has no mailbox for some."""

    def __init__(self) -> None:
        self.letters: dict[str, EmailMessage] = {}
        self.returns: dict[str, str] = {}

    async def handle_RCPT(self, *args: Any) -> str:  # noqa: N802 -- the library's name
        """Who is called dead is dead."""
        envelope: Envelope = args[2]
        address: str = args[3]
        if address.startswith("dead"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, *args: Any) -> str:  # noqa: N802 -- the library's name
        """Keep a letter."""
        envelope: Envelope = args[2]
        assert isinstance(envelope.content, bytes)
        (to,) = envelope.rcpt_tos
        assert to not in self.letters, "one letter each"
        letter = email.message_from_bytes(envelope.content, policy=SMTP)
        assert isinstance(letter, EmailMessage)
        self.letters[to] = letter
        self.returns[to] = envelope.mail_from or ""
        return "250 OK"


@contextmanager
def post_office() -> Iterator[tuple[PostOffice, int]]:
    """A mail server on a port of its own."""
    office = PostOffice()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    controller = Controller(office, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield office, port
    finally:
        controller.stop()


def customers() -> list[dict[str, Any]]:
    """People of whom each third likes messages in the app better, each tenth refused, and some have dead addresses."""
    told: list[dict[str, Any]] = []
    for number in range(PEOPLE):
        who = f"user-{number}"
        address = f"{'dead' if number % 8 == 7 else 'ok'}{number}@shop.example"
        traits = {"email": address, "first_name": f"Ann{number}", "campaign_test": True}
        told.append({"type": "identify", "userId": who, "traits": traits})
        action = "withdraw" if number % 10 == 9 else "grant"
        choices: list[dict[str, Any]] = [{"action": action, "purpose": "marketing"}]
        if number % 3 == 0:
            choices.append({"action": "set", "purpose": "marketing", "value": {"channel": "in_app"}})
        told.append({"type": "consent", "userId": who, "choices": choices})
    return told


def define(server: Server, mail_port: int) -> None:
    """A connection to the mail server, one to the inboxes, content, a segment, a campaign."""
    config = {
        "sender": "Shop <hello@shop.example>",
        "bounces": "bounces.shop.example",
        "host": "127.0.0.1",
        "port": mail_port,
        "security": "none",
    }
    server.send("PUT", "/v1/connections/letters", {"component": "smtp", "config": config})
    server.send("PUT", "/v1/connections/app", {"component": "in_app"})
    server.send("PUT", "/v1/content/items/campaign/spring", CONTENT)
    server.send("POST", "/v1/content/items/campaign/spring/publish", {})
    server.send("PUT", "/v1/segments/everybody", {"text": "campaign_test is true"})
    campaign = {"audience": "everybody", "content": "campaign/spring", "channels": ["email", "in_app"]}
    server.send("PUT", "/v1/campaigns/spring", campaign)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, PostOffice]]:
    """A server that has sent its campaign."""
    folder = tmp_path_factory.mktemp("sending") / "data"
    links = {"COURTESY_LINKS_URL": "https://mail.shop.example"}
    with (
        post_office() as (office, port),
        serving("--allow-private-webhooks", data=folder, source="s", environment=links) as server,
    ):
        tell(server, customers())
        define(server, port)
        until(lambda: len(server.get("/v1/segments/everybody/members?limit=100")["members"]) == PEOPLE, "the audience")
        server.send("POST", "/v1/campaigns/spring/start", {})
        until(lambda: is_over(server), "everybody to be told")
        yield server, office


def is_over(server: Server) -> bool:
    """Whether every message of the campaign has come to an end."""
    told = server.get("/v1/campaigns/spring")
    return bool(told["runs"][0]["state"] == "done" and told["open"] == 0)


def test_every_message_is_accounted_for(sent: tuple[Server, PostOffice]) -> None:
    """By preference over e-mail or in the app; who refused got nothing; dead addresses failed; all with permits."""
    server, office = sent
    fates = server.get("/v1/campaigns/spring")["fates"]
    counted = {(each["channel"], each["outcome"], each["reason"]): each["messages"] for each in fates}
    refused = {number for number in range(PEOPLE) if number % 10 == 9}
    in_app = {number for number in range(PEOPLE) if number % 3 == 0} - refused
    dead = {number for number in range(PEOPLE) if number % 8 == 7} - refused - in_app
    mailed = set(range(PEOPLE)) - refused - in_app - dead
    assert set(office.letters) == {f"ok{number}@shop.example" for number in mailed}
    assert counted == {
        ("email", "sent", ""): len(mailed),
        ("in_app", "sent", ""): len(in_app),
        ("email", "failed", "dead_address"): len(dead),
        ("", "skipped", "not_allowed"): len(refused),
    }
    audit = server.get("/v1/audit/sends?from=2000-01-01T00:00:00Z&to=2100-01-01T00:00:00Z")
    assert (audit["sends"], audit["faulty"]) == (len(mailed) + len(in_app), [])


def test_a_letter_says_how_to_end_it_and_its_links_are_followed(sent: tuple[Server, PostOffice]) -> None:
    """One click unsubscribes; a link leads only to where it was published to, and is told of with a verdict."""
    server, office = sent
    letter = office.letters["ok1@shop.example"]
    assert letter["Subject"] == "Spring for Ann1"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    html = letter.get_body(("html",))
    text = letter.get_body(("plain",))
    assert html is not None
    assert text is not None
    assert "Dear Ann1," in html.get_content()
    assert "Dear Ann1," in text.get_content()
    page = unescape(html.get_content())
    (link,) = set(re.findall(r"https://mail\.shop\.example(/l/[\w-]+)", page))
    browser = {"user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"}
    answer = ask_without_following(server, link, browser)
    assert (answer[0], answer[1]) == (302, "https://shop.example/spring?who=1")
    assert ask(server.port, "GET", link[:-3] + "abc").status == 404
    pixel = re.search(r"https://mail\.shop\.example(/o/[\w-]+)", page)
    assert pixel is not None
    assert ask(server.port, "GET", pixel[1], headers={"user-agent": "GoogleImageProxy"}).status == 200
    until(lambda: "Message Opened" in names(server, "user-1"), "the opening")
    told = {each["name"]: each["properties"] for each in events_of(server, "user_id", "user-1") if "name" in each}
    assert told["Message Clicked"]["url"] == "https://shop.example/spring?who=1"
    assert (told["Message Opened"]["verdict"], told["Message Opened"]["reasons"]) == (
        "machine",
        ["image_proxy", "at_once"],
    )
    view = re.search(r"https://mail\.shop\.example(/v/[\w-]+)", page)
    assert view is not None
    assert "Dear Ann1," in ask(server.port, "GET", view[1]).body.decode()
    url = urllib.parse.urlsplit(letter["List-Unsubscribe"].split(">")[0].strip("<"))
    assert ask(server.port, "POST", url.path, body=b"List-Unsubscribe=One-Click").status == 200
    asked = server.get("/v1/people/user_id/user-1/allowed?purpose=marketing&channel=email")
    assert asked["allowed"] is False


def ask_without_following(server: Server, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """The status of an answer, and where it leads."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("location") or ""


def names(server: Server, who: str) -> set[str]:
    """The names of all that is told of somebody."""
    return {each.get("name") or "" for each in events_of(server, "user_id", who)}


def test_returned_mail_is_understood(sent: tuple[Server, PostOffice]) -> None:
    """A report of a mail server leads back to the message by its return path alone; the address is left alone then."""
    server, office = sent
    to = office.returns["ok2@shop.example"]
    report = "\r\n".join(
        [
            f"From: MAILER-DAEMON@mx.shop.example\r\nTo: {to}\r\nSubject: Undelivered\r\nMIME-Version: 1.0",
            'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n',
            "--x\r\nContent-Type: text/plain\r\n\r\nIt did not work.\r\n",
            "--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.shop.example\r\n",
            "Final-Recipient: rfc822; ok2@shop.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--x--\r\n",
        ]
    )
    headers = {"content-type": "message/rfc822"}
    told = ask(
        server.port, "POST", "/v1/returned-mail", key=server.admin_key, body=report.encode(), headers=headers
    ).json()
    assert told == {"reports": 1, "news": 1}
    again = ask(
        server.port, "POST", "/v1/returned-mail", key=server.admin_key, body=report.encode(), headers=headers
    ).json()
    assert again["news"] == 0
    until(lambda: "Message Bounced" in names(server, "user-2"), "the bounce")
    body = {
        "kind": "user_id",
        "value": "user-2",
        "message": "hello",
        "content": "campaign/spring",
        "purpose": "service",
    }
    server.send("POST", "/v1/messages", {**body, "service": True})
    until(lambda: "Message Skipped" in names(server, "user-2"), "the next to be skipped")
