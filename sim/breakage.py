"""Broken clients: how a message goes wrong before it leaves the device."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from sim.config import Mischief
from sim.truth import Flaw
from sim.wire import Message, encode

OVERSIZE_BYTES = 40_000
"""Clearly more than the spec's 32 KB, whether a kilobyte has 1,000 or 1,024 bytes."""

_WRONG: tuple[Callable[[Message], dict[str, Any]], ...] = (
    lambda message: {"type": "trak"},
    lambda message: {"type": None},
    lambda message: {"properties": "[object Object]"},
    lambda message: {"properties": [["product_id", 7]]},
    lambda message: {"context": "web"},
    lambda message: {"userId": {"id": 7}},
    lambda message: {"type": "track", "event": ["Product Viewed"]},
    lambda message: {"type": "track", "event": None},
)
_ANONYMOUS: tuple[dict[str, Any], ...] = ({}, {"anonymousId": None, "userId": None}, {"anonymousId": ""})


def find_flaw(mischief: Mischief, rng: Random) -> Flaw | None:
    """Whether the next browsing message breaks, and how; one draw."""
    at = rng.random()
    for flaw, rate in (
        (Flaw.MISSING_ID, mischief.missing_id),
        (Flaw.WRONG_TYPE, mischief.wrong_type),
        (Flaw.OVERSIZE, mischief.oversize),
    ):
        if at < rate:
            return flaw
        at -= rate
    return None


def break_message(message: Message, flaw: Flaw, rng: Random) -> bytes:
    """The message with that flaw, encoded. Meant for batches: a path of one type would overrule a wrong `type`."""
    fields: dict[str, Any] = msgspec.json.decode(encode(message))
    match flaw:
        case Flaw.MISSING_ID:
            _forget_ids(fields)
            fields |= rng.choice(_ANONYMOUS)
        case Flaw.WRONG_TYPE:
            fields |= rng.choice(_WRONG)(message)
        case Flaw.OVERSIZE:
            fields["properties"] = {"html": "<p>" + "x" * (OVERSIZE_BYTES + rng.randrange(20_000)) + "</p>"}
        case Flaw.PLACEHOLDER_ID | Flaw.SENT_AGAIN:
            raise AssertionError(f"{flaw} is not made here")
    return encode(fields)


def _forget_ids(fields: dict[str, Any]) -> None:
    """Nothing is left by which the message could be anybody's."""
    for name in ("anonymousId", "userId"):
        fields.pop(name, None)
    fields["context"].pop("traits", None)
    fields["context"].get("device", {}).pop("id", None)
