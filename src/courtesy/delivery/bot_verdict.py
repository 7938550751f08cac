"""Whether a person or a machine opened a mail or followed a link, and why we think so.

Mail gateways fetch every link to look for malware, mailbox providers fetch every picture before anybody looks, chat
programs fetch a link to show what is there. Counted as people they spoil every figure. The verdict rests on facts that
are handed in, so that it can be made again when more is known, and it says its reasons. When in doubt it says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from courtesy.base.time import SECOND_MS
from courtesy.delivery.cause import Worded


class Verdict(StrEnum):
    """Who it was, as far as we can tell."""

    HUMAN = "human"
    MACHINE = "machine"
    UNSURE = "unsure"


class Reason(Worded):
    """What speaks for a machine, or for a person."""

    HONEYPOT = "honeypot", "A link was followed that no person can see."
    METHOD = "method", "It did not ask as a browser does that shows a page (HEAD, or no GET)."
    PREFETCH = "prefetch", "It said itself that it only fetches ahead (`Purpose: prefetch` and the like)."
    NO_USER_AGENT = "no_user_agent", "It did not say what program it is."
    SCANNER = "scanner", "It named itself as a scanner of links, a robot, or a program library."
    PREVIEW = "preview", "It named itself as a program that shows what is behind a link."
    IMAGE_PROXY = "image_proxy", "A mailbox provider fetched the picture; whether anybody looked, it does not tell."
    PRIVACY_PROXY = "privacy_proxy", "Apple's Mail Privacy Protection fetches all pictures, seen or not."
    DATA_CENTRE = "data_centre", "It came from a network of servers, not of people."
    MANY_LINKS = "many_links", "Several links of one mail were followed within a second."
    AT_ONCE = "at_once", "It came within seconds of the sending, faster than people read."
    REPORTER_MACHINE = "reporter_machine", "Who reported it says that it was a machine."
    REPORTER_HUMAN = "reporter_human", "Who reported it says that it was a person."
    ON_THE_PAGE = "on_the_page", "Somebody did something on the page afterwards."
    BROWSER = "browser", "It looks like a browser, and nothing speaks against it."


CERTAIN = frozenset(
    {Reason.HONEYPOT, Reason.METHOD, Reason.PREFETCH, Reason.SCANNER, Reason.PREVIEW, Reason.MANY_LINKS}
    | {Reason.IMAGE_PROXY, Reason.PRIVACY_PROXY, Reason.REPORTER_MACHINE}
)
"""Each of these is enough for a machine; of the others two are."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one open or click. Times are milliseconds; `sent_at_ms` None when it is not known.

    `near_links` are how many different links of the same mail were followed within a second, this one among them.
    `is_prefetch`: a header said so. `did_something` tells of the page behind the link, when it can.
    """

    is_click: bool
    at_ms: int
    method: str = "GET"
    user_agent: str = ""
    ip: str = ""
    sent_at_ms: int | None = None
    near_links: int = 1
    is_honeypot: bool = False
    is_prefetch: bool = False
    did_something: bool = False
    reporter_says: bool | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict and all that speaks for it, the strongest first; for UNSURE, what speaks for a machine."""

    verdict: Verdict
    reasons: tuple[Reason, ...]


AT_ONCE_MS = 2 * SECOND_MS
"""An open within this time of the sending, and a click within five times as much, is hardly a person's."""
LINKS_OF_A_PERSON = 2
"""Nobody follows more links of one mail than so many within a second."""

# Google's and Yahoo's picture proxies say who they are. Apple's shows a bare "Mozilla/5.0" from Apple's own exits.
_IMAGE_PROXY = re.compile(
    r"googleimageproxy|ggpht\.com|yahoomailproxy|yahoo.?mail.?proxy|outlook-?image", re.IGNORECASE
)
_PRIVACY_PROXY = re.compile(r"Mozilla/5\.0$")
_PREVIEW = re.compile(
    r"facebookexternalhit|whatsapp/|slackbot|slack-imgproxy|telegrambot|twitterbot|linkedinbot|discordbot|skypeuripreview"
    r"|bingpreview|microsoft.?preview|embedly|iframely|google-?pagerenderer|applebot|pinterest",
    re.IGNORECASE,
)
_SCANNER = re.compile(
    r"barracuda|proofpoint|mimecast|symantec|messagelabs|trend ?micro|sophos|fortinet|fortimail|forcepoint|fireeye"
    r"|checkpoint|zscaler|cisco|ironport|kaspersky|safelinks|urldefense|vade|hornetsecurity|avanan|ms.?office.?protect"
    r"|\bbot\b|bot/|crawler|spider|scan(ner|ning)?\b|headless|phantomjs|selenium|puppeteer|playwright"
    r"|^(curl|wget|python|java|go-http|okhttp|apache-httpclient|libwww|axios|node-fetch|php|ruby|dart|guzzle|aiohttp)"
    r"|python-(requests|urllib)|httpclient|libwww|validator|monitor|check(er)?\b",
    re.IGNORECASE,
)
_BROWSER = re.compile(
    r"Mozilla/5\.0 \(.+\) .*(AppleWebKit|Gecko)|Opera|Trident|MSIE|Outlook|Thunderbird|Microsoft Office"
)


def judged(seen: Seen, server_networks: Sequence[IPv4Network | IPv6Network] = ()) -> Judged:
    """The verdict on one open or click. `server_networks` are those of data centres, as far as somebody keeps a list.

    A machine by one certain reason or two others; a person if the page behind the link saw something done, or if it
    looks like a browser and nothing speaks against it; unsure otherwise.
    """
    if seen.is_honeypot:
        return Judged(Verdict.MACHINE, (Reason.HONEYPOT,))
    if seen.did_something:
        return Judged(Verdict.HUMAN, (Reason.ON_THE_PAGE,))
    against = tuple(_against(seen, server_networks))
    certain = tuple(reason for reason in against if reason in CERTAIN)
    if certain or len(against) > 1:
        return Judged(Verdict.MACHINE, (*certain, *(reason for reason in against if reason not in CERTAIN)))
    if against:
        return Judged(Verdict.UNSURE, against)
    if seen.reporter_says is False:
        return Judged(Verdict.HUMAN, (Reason.REPORTER_HUMAN,))
    return Judged(Verdict.HUMAN, (Reason.BROWSER,)) if _BROWSER.search(seen.user_agent) else Judged(Verdict.UNSURE, ())


def _against(seen: Seen, server_networks: Sequence[IPv4Network | IPv6Network]) -> Iterator[Reason]:
    """All that speaks for a machine."""
    if seen.method.upper() != "GET":
        yield Reason.METHOD
    if seen.is_prefetch:
        yield Reason.PREFETCH
    if seen.reporter_says:
        yield Reason.REPORTER_MACHINE
    yield from _by_user_agent(seen)
    if seen.near_links > LINKS_OF_A_PERSON:
        yield Reason.MANY_LINKS
    if seen.sent_at_ms is not None and seen.at_ms - seen.sent_at_ms < AT_ONCE_MS * (5 if seen.is_click else 1):
        yield Reason.AT_ONCE
    if _is_within(seen.ip, server_networks):
        yield Reason.DATA_CENTRE


def _by_user_agent(seen: Seen) -> Iterator[Reason]:
    agent = seen.user_agent.strip()
    if not agent:
        yield Reason.NO_USER_AGENT
    elif _IMAGE_PROXY.search(agent):
        yield Reason.IMAGE_PROXY
    elif _PREVIEW.search(agent):
        yield Reason.PREVIEW
    elif _SCANNER.search(agent):
        yield Reason.SCANNER
    elif _PRIVACY_PROXY.match(agent):
        # A click with it is no browser either, but not Apple's proxy, which follows no links.
        yield Reason.SCANNER if seen.is_click else Reason.PRIVACY_PROXY


def networks(texts: Sequence[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    """Networks as lists of data centres write them. Raises ValueError for what is none."""
    return tuple(ip_network(text, strict=False) for text in texts)


def _is_within(ip: str, known: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    return any(address.version == network.version and address in network for network in known)
