"""People with long histories: the simulated shop's events, told of as few or as many people as a figure needs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from itertools import count, cycle, islice

import msgspec

from bench.load import send_all
from bench.workload import BATCH, messages
from courtesy.base.time import to_iso
from sim.server import Server

WHAT_IS_DONE = ("track", "page")
DISTINCT_ACTS = 5_000
CONNECTIONS = 8

Act = dict[str, msgspec.Raw]


def acts(seed: int = 1) -> Iterator[Act]:
    """What customers do in a browser, without who and when; some thousand, then the same again, without end.

    An app names its device in the context, which would be one more identifier.
    """
    decoder = msgspec.json.Decoder(Act)
    decoded = (decoder.decode(raw) for raw in messages(2 * DISTINCT_ACTS, seed))
    browsed = (each for each in decoded if b'"device":' not in bytes(each.get("context", b"")))
    kept = islice((each for each in browsed if msgspec.json.decode(each["type"]) in WHAT_IS_DONE), DISTINCT_ACTS)
    who_and_when = ("messageId", "userId", "anonymousId", "timestamp", "originalTimestamp")
    return cycle([{name: part for name, part in each.items() if name not in who_and_when} for each in kept])


class Teller:
    """Tells a server what people do, each message under an id of its own."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._acts = acts()
        self._numbers = count()

    def message(self, who: dict[str, str], at_ms: int, **more: object) -> bytes:
        """The next act as done by them at an instant; `more` replaces parts of it."""
        said = {"messageId": f"told-{next(self._numbers)}", "timestamp": to_iso(at_ms), **who, **more}
        return msgspec.json.encode({**next(self._acts), **said})

    def send(self, told: Sequence[bytes]) -> None:
        """Send the messages, and return when all are folded. Raises RuntimeError when one is refused."""
        bodies = [
            b'{"batch":[' + b",".join(told[first : first + BATCH]) + b"]}" for first in range(0, len(told), BATCH)
        ]
        sent = asyncio.run(send_all(self._server.port, self._server.write_key, bodies, CONNECTIONS))
        if sent.bad:
            raise RuntimeError(f"{len(sent.bad)} bad answers, the first: {sent.bad[0]}")
        self._server.wait_folded()
