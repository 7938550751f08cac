"""The normal form of what becomes of a message, whoever reports it: a mail server, a mailbox provider, a provider's
API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from courtesy.delivery.cause import DeliveryCause, Worded


class OutcomeKind(Worded):
    """What happened. One message has several of them, in no certain order."""

    SENT = "sent", "Whoever sends for us took it."
    DELIVERED = "delivered", "The server of the recipient took it. Whether it went to the inbox, nobody says."
    DEFERRED = "deferred", "It is on its way, but was not taken yet; who sends tries again."
    BOUNCED = "bounced", "It was given up; the cause says why."
    REJECTED = "rejected", "Who sends for us refused to try."
    COMPLAINED = "complained", "The person called it spam."
    OPENED = "opened", "A picture in it was fetched, by a person or a machine."
    CLICKED = "clicked", "A link in it was fetched, by a person or a machine."
    UNSUBSCRIBED = "unsubscribed", "The person wants no more."
    RESUBSCRIBED = "resubscribed", "The person, or somebody for them, took that back."
    AUTOREPLIED = "autoreplied", "A machine answered, such as that of somebody on holiday. It is no bounce."


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that became of one message to one address.

    `recipient` is as the reporter writes it, in lower case; empty when it was left out, as some complaints do.
    `token` is ours, from the message: the way back to it, empty when it got lost. `message_id` is the id by which the
    reporter knows the message, without angle brackets. `event_id` is one for each report that is told once: a
    repetition has the same; empty when the reporter has none. `status` is an enhanced status code (RFC 3463) such as
    "5.1.1", or empty. `detail` are the reporter's own words. `is_machine` is the reporter's own opinion of an open or
    click.
    """

    kind: OutcomeKind
    at_ms: int
    reporter: str
    recipient: str = ""
    cause: DeliveryCause | None = None
    token: str = ""
    message_id: str = ""
    event_id: str = ""
    status: str = ""
    detail: str = ""
    url: str = ""
    user_agent: str = ""
    ip: str = ""
    is_machine: bool | None = None


DETAIL_CHARS_MAX = 500


def shortened(words: str) -> str:
    """Words of others as a `detail`: one line, printable, of bounded length."""
    kept = "".join(char if char.isprintable() else " " for char in words[: 4 * DETAIL_CHARS_MAX])
    return " ".join(kept.split())[:DETAIL_CHARS_MAX]


def text_at(data: Mapping[str, Any], *path: str) -> str:
    """The text at a path of nested objects; empty when there is none. Numbers are told as text."""
    found: Any = data
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found)
