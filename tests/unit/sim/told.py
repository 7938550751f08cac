"""Reading deliveries as a server would: each message beside the truth about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from sim import Delivery, Truth, World, WorldConfig


@dataclass(frozen=True, slots=True)
class Told:
    """One message of one delivery: its bytes, its fields, when it says it was sent, and the truth."""

    delivery: Delivery
    raw: bytes
    message: dict[str, Any]
    sent_at: str | None
    truth: Truth


class _Batch(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw]
    sent_at: str | None = None


def told(deliveries: Iterable[Delivery]) -> Iterator[Told]:
    """All messages of all readable bodies; fails where a body and its truth differ in length."""
    for delivery in deliveries:
        if delivery.truth:
            raws, sent_at = _messages(delivery)
            for raw, truth in zip(raws, delivery.truth, strict=True):
                yield Told(delivery, raw, msgspec.json.decode(raw), sent_at, truth)


def _messages(delivery: Delivery) -> tuple[list[bytes], str | None]:
    if b'{"batch":' in delivery.body[:10]:
        batch = msgspec.json.decode(delivery.body, type=_Batch)
        return [bytes(raw) for raw in batch.batch], batch.sent_at
    fields = msgspec.json.decode(delivery.body)
    sent_at = fields.pop("sentAt", None)
    return [msgspec.json.encode(fields)], sent_at


def ms_of(text: str) -> int:
    """Milliseconds of an instant in ISO 8601."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def stated_ms(message: dict[str, Any]) -> int:
    """When the message says it happened, by its device's clock."""
    return ms_of(message.get("originalTimestamp") or message["timestamp"])


def turn(config: WorldConfig) -> World:
    """A world of that configuration at its end."""
    world = World(config)
    for _ in world.deliveries():
        pass
    return world
