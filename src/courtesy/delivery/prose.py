"""Bounces of servers that write no delivery report: qmail, Exim, old Exchange and Domino, gateways of their own making.

A mail is taken for a bounce by who sends it and what it says first. The address is the one that stands at the words of
failure; what comes after the returned letter begins is not looked at, since anything may stand there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

TEXT_CHARS_MAX = 20_000
LINE_CHARS_MAX = 1_000
BODIES_MAX = 4
_WORDS_LINES = 12

_FROM_A_MACHINE = re.compile(
    r"mailer.?daemon|postmaster|mail.?(delivery|administrator|system)|mdaemon|maildaemon|bounce", re.IGNORECASE
)
_OF_FAILURE = re.compile(
    r"undeliver|deliver\w* (status|fail|problem|error|notification)|fail\w* (delivery|notice|mail|message)"
    r"|returned mail"
    r"|mail (delivery )?(fail|error|status|could not)|could not (be )?deliver|not delivered|non.?remis|unzustellbar"
    r"|nicht zugestellt|zustellung|rebot|no (se )?(ha )?(podido )?entreg|mancata consegna|delayed|bounce|warning: ",
    re.IGNORECASE,
)
_DELAY = re.compile(
    r"(has|have|been|is|warning:?.{0,40}) delayed|still (trying|being)|will (continue|keep|retry|be retried)"
    r"|not yet been delivered|you do not need to resend|delayed mail|no action is required",
    re.IGNORECASE,
)
_LETTER_BEGINS = re.compile(
    r"^[^\w\n]{0,40}(below this line is a copy|this is a copy of (your|the) message|original message"
    r"|(the )?(original )?(message|headers?) (headers? )?follows?|unsent message|returned message|message header"
    r"|forwarded message|included is a copy|a copy of the (original )?message|received: (from|by)|return-path:"
    r"|----- original|-----begin)",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESS = re.compile(r"(?:smtp[=:])?([\w.!#$%&*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+)", re.IGNORECASE)
# Who writes bounces, and whom they tell to ask for help.
_STAFF = re.compile(r"(postmaster|mailer-daemon|hostmaster|abuse|support|help|helpdesk|admin|administrator)@")
# A line that gives an address as a failure, as qmail, Postfix and many after them do.
_AT_FAILURE = re.compile(
    r"^\W*(?:recipient|address|to|for|failed recipient)?\W{0,4}<?[^\s<>]+@[^\s<>:]+>?\W*(?::|\.\.\.|$)", re.IGNORECASE
)
_QUOTED_HEADER = re.compile(r"^\s*(from|to|cc|subject|sent|date|reply-to|message-id|sender)\s*:", re.IGNORECASE)
# What no person writes in the first lines of a letter, whoever sends it.
_SAYS_A_MACHINE = re.compile(
    r"(mail|message|delivery|following).{0,80}(could ?n.t|was not|unable|cannot|failed|pas pu) .{0,30}d[ée]liv|rcpt to:"
    r"|failed recipients?|undeliverable (address|message|mail)|unable to deliver (the |your |this )?(mail|message)",
    re.IGNORECASE | re.DOTALL,
)
_TAG = re.compile(r"<(?![^<>\s]{1,300}@)[^>]{0,1000}>")
_BLOCK_TAG = re.compile(r"<(br|p|div|tr|li|h\d)\b[^>]{0,1000}>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failure:
    """One address that was not reached, and what was said of it. It is not final while the server goes on trying."""

    recipient: str
    words: str
    is_final: bool


def bounced_in_prose(sender: str, subject: str, failed: Sequence[str], bodies: Sequence[str]) -> list[Failure]:
    """The failures that a mail tells of, none when it is no bounce. `failed` are addresses that a header names."""
    if not failed and not _is_bounce(sender, subject, bodies):
        return []
    text = said(bodies)
    is_final = not (_DELAY.search(subject) or _DELAY.search(text[:2_000]))
    addresses = list(dict.fromkeys(failed)) or _failing(text, _address(sender))
    if not addresses:
        return [Failure("", text.strip()[:1_000], is_final)] if text.strip() else []
    return [Failure(each, _words_of(text, each), is_final) for each in addresses]


def _failing(text: str, sender: str) -> list[str]:
    """The addresses that stand as failures on lines of their own; else the first that is not staff, nor in a header."""
    at_failure: list[str] = []
    anywhere: list[str] = []
    in_headers: list[str] = []
    for line in text.split("\n"):
        found = [each for each in _addresses(line) if each != sender and not _STAFF.match(each)]
        (in_headers if _QUOTED_HEADER.match(line) else anywhere).extend(found)
        if found and _AT_FAILURE.match(line) and not _QUOTED_HEADER.match(line):
            at_failure.append(found[0])
    return list(dict.fromkeys(at_failure)) or anywhere[:1] or in_headers[:1]


def _is_bounce(sender: str, subject: str, bodies: Sequence[str]) -> bool:
    """Whether a machine says that it could not deliver: by who it is, or by its subject and how it begins."""
    beginnings = [body.lstrip()[:2_000] for body in bodies]
    if _FROM_A_MACHINE.search(sender):
        return any(_OF_FAILURE.search(text) for text in (subject, *beginnings))
    is_reply = subject.lower().startswith(("re:", "aw:", "fwd:", "fw:")) and "non remis" not in subject
    return (
        not is_reply
        and _OF_FAILURE.search(subject) is not None
        and any(_SAYS_A_MACHINE.search(text[:400]) for text in beginnings)
    )


def _as_text(body: str) -> str:
    """The text of a body that may be HTML."""
    if "<html" in body[:2_000].lower() or "<body" in body[:4_000].lower():
        body = unescape(_TAG.sub(" ", _BLOCK_TAG.sub("\n", body[: 4 * TEXT_CHARS_MAX])))
    return body[:TEXT_CHARS_MAX].replace("\r\n", "\n")


def said(bodies: Sequence[str]) -> str:
    """What the server says, without what it returns. Bounded, in all and in each line, as anybody may write it."""
    text = "\n".join(line[:LINE_CHARS_MAX] for body in bodies[:BODIES_MAX] for line in _as_text(body).split("\n"))
    found = _LETTER_BEGINS.search(text)
    before = text[: found.start()] if found else text
    return before if before.strip() else text


def _addresses(text: str) -> list[str]:
    return list(dict.fromkeys(found.lower().strip(".") for found in _ADDRESS.findall(text)))


def _address(text: str) -> str:
    found = _ADDRESS.search(text)
    return found[1].lower() if found else ""


def _words_of(text: str, address: str) -> str:
    """The lines at an address: its own, and those that follow up to the next address or for a while."""
    lines = text.split("\n")
    at = next((number for number, line in enumerate(lines) if address in line.lower()), None)
    if at is None:
        return " ".join(text.split())[:2_000]
    kept = [lines[at]]
    for line in lines[at + 1 : at + _WORDS_LINES]:
        others = [each for each in _addresses(line) if each != address]
        if others and line.strip().startswith(("<", *others)):
            break
        kept.append(line)
    words = " ".join(" ".join(kept).split())
    # Some say first what went wrong, and then for whom.
    return words if len(words) > len(address) + 20 else " ".join(" ".join(lines[: at + _WORDS_LINES]).split())[-1_000:]
