"""The way from a device to the server: delays, lost answers and what clients do about them, garbled bodies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from sim.clock import HOUR_MS, SECOND_MS
from sim.config import WorldConfig
from sim.truth import Delivery, Expected, Flaw, Truth
from sim.wire import SINGLE_PATHS, Written, batch_body, single_body

LATENCY_MS = (30, 900)
"""Least and most from sending to arrival."""

RETRY_MS_MAX = 6 * HOUR_MS
"""How long after the first try a client may try again."""

_GARBAGE = (b"", b"\x1f\x8b\x08\x00not gzip after all", b"anonymousId=17&event=Product+Viewed", b"{'batch': []}")


class Courier:
    """Carries batches of one sender. `source` is where they come from; `batch_path` where its batches go."""

    __slots__ = ("_batch_path", "_config", "_rng", "_skew_ms", "_source")

    def __init__(self, config: WorldConfig, rng: Random, source: str, batch_path: str, skew_ms: int = 0) -> None:
        self._config = config
        self._rng = rng
        self._source = source
        self._batch_path = batch_path if config.states_sent_at else "/v1/import"
        self._skew_ms = skew_ms

    def carry(self, messages: Sequence[Written], sent_ms: int, single: bool = False) -> Iterator[Delivery]:
        """All deliveries that come of sending the messages at that time, not sorted.

        The messages arrive as meant exactly once; copies come later and are known as such. `single`: each message as
        a request of its own.
        """
        for group in [[message] for message in messages] if single else [messages]:
            yield from self._send(group, sent_ms, single)

    def _send(self, messages: Sequence[Written], sent_ms: int, single: bool) -> Iterator[Delivery]:
        rng, mischief = self._rng, self._config.mischief
        at = rng.random()
        if at < mischief.unreadable:
            yield self._garbled(self._delivery(messages, sent_ms, single))
            sent_ms += rng.randrange(2 * SECOND_MS, 30 * SECOND_MS)
        first = self._delivery(messages, sent_ms, single)
        yield first
        if 0 <= at - mischief.unreadable < mischief.retry:
            yield self._again(messages, first, single)

    def _delivery(self, messages: Sequence[Written], sent_ms: int, single: bool) -> Delivery:
        stated_ms = sent_ms + self._skew_ms if self._config.states_sent_at else None
        if single:
            path, body = SINGLE_PATHS[messages[0].type], single_body(messages[0], stated_ms)
        else:
            path, body = self._batch_path, batch_body(messages, stated_ms)
        arrives_ms = sent_ms + self._rng.randrange(*LATENCY_MS)
        return Delivery(arrives_ms, self._source, path, body, tuple([message.truth for message in messages]))

    def _garbled(self, delivery: Delivery) -> Delivery:
        rng, body = self._rng, delivery.body
        garbled = body[: rng.randrange(1, len(body))] if rng.random() < 0.7 else rng.choice(_GARBAGE)
        return Delivery(delivery.arrives_at_ms, delivery.source, delivery.path, garbled, ())

    def _again(self, messages: Sequence[Written], first: Delivery, single: bool) -> Delivery:
        """All of the messages once more, or only the end of them, after the first copy has arrived."""
        start = self._rng.randrange(len(messages)) if self._rng.random() < 0.4 else 0
        wait_ms = min(RETRY_MS_MAX, int(self._rng.expovariate(1 / 60) * SECOND_MS) + SECOND_MS)
        copies = [message._replace(truth=_sent_again(message.truth)) for message in messages[start:]]
        return self._delivery(copies, first.arrives_at_ms + wait_ms, single)


def _sent_again(truth: Truth) -> Truth:
    """What was stored is now a duplicate; what could not be read still can't."""
    if truth.expected is Expected.QUARANTINED:
        return truth
    return truth._replace(expected=Expected.DUPLICATE, flaw=Flaw.SENT_AGAIN)
