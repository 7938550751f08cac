"""One campaign to a thousand people of every kind, over a real Postfix and in the app: every message is accounted for,
none leaves without a permit, over the budget, or after a withdrawal; and the offer in the mail is the one on the page.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from courtesy.base.time import HOUR_MS, MINUTE_MS, from_iso
from sim.server import Server, serving
from tests.e2e.asking import ask, events_of, tell, until
from tests.e2e.browsing import Browser, browsing, page_at, sdk_shop
from tests.e2e.guests import COUNTS, Guest, Kind, guests
from tests.e2e.mail_peers import postfix
from tests.unit.channel.mailbox import Mailbox, mailbox, text_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="Postfix' master starts as root only")

BOUNCES = "bounces.shop.example"
PER_S = 120
"""Letters in a second to their one host, so that there is a middle in which people can withdraw."""

WITHDRAWING = 60
ENDS = ("Message Sent", "Message Skipped", "Message Failed", "Message Unsure")
OFFER = {
    "title": "Ten per cent off",
    "value": {"kind": "percent", "percent": 10},
    "codes": {"kind": "minted", "prefix": "SPRING"},
    "placements": {"voucher": {}},
}
CONTENT = {
    "fields": {
        "subject": {"default": "For {{ person.traits.first_name }}"},
        "title": {"default": "Spring"},
        "text": {"default": "Your code is {{ offer.code }}."},
        "blocks": {
            "default": [
                {"type": "text", "text": "{{ offer.title }} with the code {{ offer.code }}"},
                {"type": "footer", "text": "Shop, 1 Road, Town"},
            ]
        },
    }
}
POLICY = {"windows": [{"days": 1, "room": 1}], "prices": {"email": 1, "in_app": 1}}
CAMPAIGN = {
    "audience": "guests",
    "content": "campaign/spring",
    "channels": ["email", "in_app"],
    "offer": "spring",
    "worth_ms": HOUR_MS,
}


@dataclass(slots=True)
class Evening:
    """What was seen of the campaign, by all who took part in it."""

    server: Server
    home: Mailbox = field(repr=False)
    ours: Mailbox = field(repr=False)
    guests: list[Guest] = field(repr=False)
    withdrawn: dict[str, int] = field(default_factory=dict)
    """Those who withdrew meanwhile, by address: up to which position the log reached when that was acknowledged."""

    joined: list[int] = field(default_factory=list)
    """As far as the log reached when it was acknowledged who is one with whom."""

    def of(self, kind: Kind) -> list[Guest]:
        """All of a kind."""
        return [each for each in self.guests if each.kind is kind]

    def letters(self) -> dict[str, list[bytes]]:
        """What lies in the mailboxes, by address."""
        found = defaultdict[str, list[bytes]](list)
        for envelope in self.home.envelopes:
            (to,) = envelope.rcpt_tos
            assert isinstance(envelope.content, bytes)
            found[to].append(envelope.content)
        return dict(found)


def define(server: Server, mail_port: int) -> None:
    """All that a campaign stands on."""
    config = {"sender": "Shop <hello@shop.example>", "bounces": BOUNCES, "host": "127.0.0.1", "port": mail_port}
    body = {"component": "smtp", "config": config | {"security": "none"}, "per_second": PER_S}
    server.send("PUT", "/v1/connections/letters", body)
    server.send("PUT", "/v1/connections/app", {"component": "in_app"})
    server.send("PUT", "/v1/contact-policy", POLICY)
    server.send("PUT", "/v1/offers/spring", OFFER)
    server.send("PUT", "/v1/content/items/campaign/spring", CONTENT)
    server.send("POST", "/v1/content/items/campaign/spring/publish", {})
    server.send("PUT", "/v1/segments/guests", {"text": "guest is true"})
    server.send("PUT", "/v1/campaigns/spring", CAMPAIGN)


def tire(evening: Evening) -> None:
    """Have some hear enough for today before it begins."""
    evening.server.send("PUT", "/v1/content/items/campaign/news", {"fields": {"text": {"default": "News"}}})
    evening.server.send("POST", "/v1/content/items/campaign/news/publish", {})
    until(lambda: {has_heard_enough(evening.server, each) for each in evening.of(Kind.HEAVY)} == {True}, "some to tire")


def has_heard_enough(server: Server, guest: Guest) -> bool:
    """Whether something left to them at the price that it has now. If nothing did, something is asked for: whoever
    decides may have learnt too late of what is connected, and at which price."""
    known = server.get(f"/v1/people/{guest.path}/messages")
    if any(each["price"] == 1 for each in known["left"]):
        return True
    if not known["on_their_way"]:
        kind, value = guest.path.split("/")
        message = {"kind": kind, "value": value, "message": str(uuid4()), "content": "campaign/news"}
        server.send("POST", "/v1/messages", message | {"purpose": "marketing", "channels": ["in_app"]})
    return False


def disturb(evening: Evening) -> None:
    """In the middle some withdraw who have no letter yet, and of some it turns out that two are one."""
    for pair in range(0, COUNTS[Kind.LATE], 2):
        one, other = Guest(Kind.LATE, pair), Guest(Kind.LATE, pair + 1)
        answer = tell(evening.server, [{"type": "identify", **one.who, **other.who}])
        evening.joined.append(int(answer["position"]))
    written = {to for envelope in evening.home.envelopes for to in envelope.rcpt_tos}
    waiting = [each for each in evening.of(Kind.LETTER) if each.address not in written][:WITHDRAWING]
    withdraw = {"type": "consent", "choices": [{"action": "withdraw", "purpose": "marketing"}]}
    for place in range(0, len(waiting), 10):
        some = waiting[place : place + 10]
        answer = tell(evening.server, [{**withdraw, **each.who} for each in some])
        evening.withdrawn |= {each.address: int(answer["position"]) for each in some}


def is_over(server: Server) -> bool:
    """Whether every message of the campaign has come to an end."""
    told = server.get("/v1/campaigns/spring")
    return bool(told["runs"][0]["state"] == "done" and told["open"] == 0)


def fates_of_campaign(server: Server) -> Counter[tuple[str, str, str]]:
    """How many messages came to what, by channel, outcome and reason."""
    fates = server.get("/v1/campaigns/spring")["fates"]
    return Counter({(each["channel"], each["outcome"], each["reason"]): each["messages"] for each in fates})


def id_of(letter: bytes) -> bytes:
    """Its Message-ID."""
    (found,) = re.findall(rb"^Message-ID: (\S+)", letter, re.MULTILINE | re.IGNORECASE)
    return bytes(found)


def instant(text: str) -> int:
    """An instant of an answer, in ms."""
    at_ms = from_iso(text)
    assert at_ms is not None
    return at_ms


def recipients(server: Server, campaign: str = "spring") -> list[dict[str, Any]]:
    """All that left of a campaign, with its permits."""
    found, after = [], ""
    while True:
        page = server.get(f"/v1/audit/recipients?campaign={campaign}&limit=1000{after}")
        found += page["recipients"]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    """The campaign, over."""
    folder = tmp_path_factory.mktemp("thousand") / "data"
    all_of_them = guests()
    dead = [each.address for each in all_of_them if each.kind is Kind.DEAD]
    with mailbox() as home, mailbox() as ours:
        home.refusal, home.refused = "550 5.1.1 <{address}>: User unknown", str(Kind.GONE)
        with (
            postfix({"home.example": home.port, BOUNCES: ours.port}, dead) as port,
            serving("--allow-private-webhooks", data=folder, source="s") as server,
        ):
            made = Evening(server, home, ours, all_of_them)
            calls = [call for each in all_of_them for call in each.calls()]
            for place in range(0, len(calls), 400):
                tell(server, calls[place : place + 400])
            define(server, port)
            until(lambda: server.get("/v1/segments/guests/sizes")["people"] == len(all_of_them), "the audience")
            tire(made)
            server.send("POST", "/v1/campaigns/spring/start", {})
            until(lambda: len(home.envelopes) >= 100, "the first letters")
            disturb(made)
            until(lambda: is_over(server), "everybody to be told")
            until(lambda: len(ours.envelopes) == COUNTS[Kind.GONE], "Postfix to return what nobody took")
            yield made


def test_every_message_comes_to_the_one_end_that_it_must(evening: Evening) -> None:
    """By kind of person; the sums are all who were asked for, by the counts and by what is told of each person."""
    fates = fates_of_campaign(evening.server)
    overtaken = fates.pop(("email", "skipped", "not_allowed"))
    joined = fates.pop(("email", "skipped", "budget"))
    assert 0 < overtaken <= WITHDRAWING
    assert 0 < joined <= COUNTS[Kind.LATE] // 2
    letter_count = sum(COUNTS[kind] for kind in (Kind.LETTER, Kind.TWIN, Kind.LATE, Kind.GONE)) - overtaken - joined
    assert fates == {
        ("email", "sent", ""): letter_count,
        ("in_app", "sent", ""): COUNTS[Kind.IN_APP],
        ("email", "failed", "dead_address"): COUNTS[Kind.DEAD],
        ("", "skipped", "not_allowed"): COUNTS[Kind.SILENT] + COUNTS[Kind.REFUSED],
        ("", "skipped", "no_address"): COUNTS[Kind.HOMELESS],
        ("", "skipped", "quiet_hours"): COUNTS[Kind.QUIET],
        ("", "skipped", "budget"): COUNTS[Kind.HEAVY],
    }
    assert fates.total() + overtaken + joined == len(evening.guests) == 1_000
    assert evening.server.get("/v1/campaigns/spring")["runs"][0]["asked"] == 1_000
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda each: events_of(evening.server, *each.path.split("/")), evening.guests))
    ends: dict[str, set[str]] = defaultdict(set)
    for event in (event for events in told for event in events if event.get("name") in ENDS):
        if event["properties"]["message"].startswith("spring/"):
            ends[event["properties"]["message"]].add(event["name"])
    assert len(ends) == 1_000
    assert {len(names) for names in ends.values()} == {1}


def test_each_letter_has_a_permit_of_its_own_and_nobody_gets_two(evening: Evening) -> None:
    """What lies in mailboxes is what the audit has, one permit each, of a minute at most and in force; nobody's budget
    is overdrawn, but by what had left before anybody knew that two are one."""
    letters = evening.letters()
    assert {len(each) for each in letters.values()} == {1}
    assert len({id_of(letter) for (letter,) in letters.values()}) == len(letters)
    audit = evening.server.get("/v1/audit/sends")
    left = recipients(evening.server)
    assert audit["faulty"] == []
    assert audit["sends"] == len(left) + len(recipients(evening.server, "single"))
    assert Counter(each["channel"] for each in left) == {
        "email": len(letters) + COUNTS[Kind.GONE],
        "in_app": COUNTS[Kind.IN_APP],
    }
    assert len({each["permit"] for each in left}) == len({each["message"] for each in left}) == len(left)
    for each in left:
        issued_ms, at_ms, expires_ms = (
            instant(text) for text in (each["basis"]["issued"], each["at"], each["basis"]["expires"])
        )
        assert expires_ms - issued_ms <= MINUTE_MS
        assert issued_ms <= at_ms < expires_ms
        assert [zone["by"] for zone in each["basis"]["zones"]] == ["declared"]
    by_person = defaultdict[str, list[int]](list)
    for each in left:
        by_person[each["person"]].append(int(each["basis"]["position"]))
    known = max(evening.joined)
    assert all(len(at) == 1 or sorted(at)[1] < known for at in by_person.values())


def test_a_withdrawal_overtakes_what_waits(evening: Evening) -> None:
    """Who withdrew has a letter only if its permit was issued before; most of them have none."""
    people = {each["person"]: each for each in recipients(evening.server) if each["channel"] == "email"}
    letters = evening.letters()
    for guest in [each for each in evening.of(Kind.LETTER) if each.address in evening.withdrawn]:
        person = evening.server.get(f"/v1/people/{guest.path}")["person"]
        assert (person in people) == (guest.address in letters)
        if person in people:
            assert int(people[person]["basis"]["position"]) < evening.withdrawn[guest.address]
    told = evening.server.get(f"/v1/people/{evening.of(Kind.IN_APP)[1].path}/messages")["left"]
    assert [each["zones"] for each in told] == [[{"zone": "America/New_York", "by": "declared"}]]
    assert len(evening.withdrawn) == WITHDRAWING
    assert len(evening.withdrawn.keys() & letters.keys()) < WITHDRAWING


def test_what_comes_back_is_told_of_each_who_is_gone(evening: Evening) -> None:
    """Reports that Postfix wrote lead back to their messages."""
    server, headers = evening.server, {"content-type": "message/rfc822"}
    for each in evening.ours.envelopes:
        assert isinstance(each.content, bytes)
        path, key = "/v1/returned-mail", server.admin_key
        told = ask(server.port, "POST", path, key=key, body=each.content, headers=headers).json()
        assert told == {"reports": 1, "news": 1}
    assert fates_of_campaign(server)["email", "bounced", "dead_address"] == COUNTS[Kind.GONE]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, node_modules: Path) -> Iterator[Browser]:
    """A browser."""
    assert node_modules.exists()
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def test_the_page_shows_the_offer_of_the_letter_until_it_is_redeemed(evening: Evening, browser: Browser) -> None:
    """The code in the mail is on the page; the till takes it once; then the page has nothing, and the till refuses."""
    server, letters = evening.server, evening.letters()
    guest = next(each for each in evening.of(Kind.LETTER) if each.address in letters)
    (letter,) = letters[guest.address]
    written = message_from_bytes(letter, policy=policy.default)
    found = re.search(r"Ten per cent off with the code (SPRING-[\w-]+)", text_of(written))
    assert found is not None
    code = found[1]
    secret, user = server.get("/v1/sources/s/identity-secret")["secret"], guest.who["userId"]
    proof = hmac.new(secret.encode(), user.encode(), hashlib.sha256).hexdigest()
    options = {"writeKey": server.write_key, "url": f"http://127.0.0.1:{server.port}", "placementTimeoutMs": 10_000}
    place = "document.querySelector('#voucher')"
    with sdk_shop() as shop:
        page = page_at(shop, "/voucher.html", **options)
        browser.do(goto=page)
        browser.run(f"site.identify('{user}', {{}}, {{userHash: '{proof}'}})")
        browser.do(goto=page)
        until(lambda: browser.run(f"{place}.dataset.courtesyState") == "filled", "the offer")
        assert browser.run(f"{place}.querySelector('code').textContent") == code
        assert browser.run(f"{place}.querySelector('strong').textContent") == "Ten per cent off"
        redeemed = server.send("POST", "/v1/redemptions", {"code": code.lower(), "order": "o-1", "where": "Berlin"})
        assert (redeemed["redeemed"], redeemed["redemption"]["offer"]) == (True, "spring")
        browser.do(goto=page)
        until(lambda: browser.run(f"{place}.dataset.courtesyState") == "default", "what is there otherwise")
        assert browser.run(f"{place}.querySelector('strong').textContent") == "Nothing for you today"
    again = server.send("POST", "/v1/redemptions", {"code": code, "order": "o-2"})
    assert (again["redeemed"], again["cause"]) == (False, "used")
    assert browser.failures == []
