"""Clients that insist: SDK and raw batches that are sent again until they are taken, as real clients do."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from segment.analytics.client import Client

from sim.server import Server
from tests.e2e.asking import Answer, ask, events_of, fates_of, make_key, person_of, until

BATCH_EVENTS = 20
PEOPLE_COUNT = 12
PAUSE_S = 0.02
AGAIN_S = 0.2
ORDER_EVERY = 5
ORDER = "Order Completed"


@dataclass(slots=True)
class Traffic:
    """What some clients of a new source, `name`, tell of a dozen people, each thing until it is taken.

    Every fifth message is an order.
    """

    server: Server
    name: str
    key: str
    pad: str = ""
    taken: dict[str, str] = field(default_factory=dict)
    """The person of each message that was acknowledged, by message id."""
    orders: set[str] = field(default_factory=set)
    refusals: Counter[str] = field(default_factory=Counter)
    """How often a client was not answered 200, by status or kind of error."""
    unexpected: list[object] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def people(self) -> tuple[str, ...]:
        """Those it is about."""
        return tuple(f"{self.name}/{number}" for number in range(PEOPLE_COUNT))

    def stop(self) -> None:
        """Begin nothing new; what was begun is still sent until it is taken."""
        self._stop.set()

    def message(self, client: str, number: int) -> dict[str, Any]:
        """A message of a client; its content follows from its number."""
        name = ORDER if number % ORDER_EVERY == 0 else "Product Viewed"
        who = self.people[number % len(self.people)]
        properties = {"number": number, "text": "Größe ✓", "pad": self.pad}
        return {
            "type": "track",
            "event": name,
            "userId": who,
            "messageId": f"{self.name}-{client}-{number}",
            "properties": properties,
        }

    def insist(self, client: str) -> None:
        """Send batches, each until it is taken, until told to stop."""
        numbers = itertools.count()
        while not self._stop.is_set():
            batch = [self.message(client, next(numbers)) for _ in range(BATCH_EVENTS)]
            while not self._taken(batch):
                time.sleep(AGAIN_S)
            time.sleep(PAUSE_S)

    def _taken(self, batch: list[dict[str, Any]]) -> bool:
        try:
            answer = ask(self.server.port, "POST", "/v1/batch", body={"batch": batch, "writeKey": self.key})
        except (OSError, ConnectionError) as error:
            self.refusals[type(error).__name__] += 1
            return False
        if answer.status != 200:
            self.refusals[str(answer.status)] += 1
            self._check_refusal(answer)
            return False
        unstored = [each for each in answer.json()["results"] if each["cause"] != "duplicate"]
        if unstored:
            self.unexpected.append(unstored)
        self._remember(batch)
        return True

    def _check_refusal(self, answer: Answer) -> None:
        """Whatever else is answered makes clients drop events."""
        if answer.status not in (429, 503) or not 0 < int(answer.headers.get("retry-after", "0")) <= 300:
            self.unexpected.append(answer)

    def _remember(self, batch: list[dict[str, Any]]) -> None:
        with self._lock:
            self.taken.update((each["messageId"], each["userId"]) for each in batch)
            self.orders.update(each["messageId"] for each in batch if each["event"] == ORDER)

    def use_sdk(self, client: str) -> None:
        """Tell the same kind of things through the SDK, which retries by itself."""
        host = f"http://127.0.0.1:{self.server.port}"

        def on_error(error: object, items: object) -> None:
            self.unexpected.append((error, items))

        analytics = Client(self.key, host=host, on_error=on_error, max_retries=50, upload_interval=0.1)
        told: list[dict[str, Any]] = []
        for number in itertools.count():
            if self._stop.is_set():
                break
            message = self.message(client, number)
            analytics.track(message["userId"], message["event"], message["properties"], message_id=message["messageId"])
            told.append(message)
            time.sleep(PAUSE_S)
        # Returns when the server has taken all.
        analytics.shutdown()
        self._remember(told)

    def check(self) -> None:
        """What was taken, and nothing else, is stored, exactly once: in events, in states and in counts."""
        assert self.unexpected == []
        stored: Counter[str] = Counter()
        for who in self.people:
            events = events_of(self.server, "user_id", who)
            told = [event for event in events if event["type"] == "track"]
            assert {event["message_id"] for event in told} == {each for each, by in self.taken.items() if by == who}
            assert all(int(event["message_id"].rpartition("-")[2]) == event["properties"]["number"] for event in told)
            stored.update(event["message_id"] for event in told)
            person = person_of(self.server, "user_id", who)
            assert person["event_types"]["track"] == len(told)
            assert sum(person["events"][name]["count"] for name in (ORDER, "Product Viewed")) == len(told)
        assert len(stored) == stored.total() == len(self.taken)
        fates = fates_of(self.server, self.name)
        assert (fates["stored"], fates["quarantined"], fates["suppressed"]) == (len(self.taken), 0, 0)


@contextmanager
def traffic(server: Server, name: str, insisting_count: int = 2, pad: str = "") -> Iterator[Traffic]:
    """Traffic that is on inside; afterwards everything that was begun was taken. `pad` goes with each message."""
    told = Traffic(server, name, make_key(server, "write", name), pad)
    # Daemons: where a server never comes back they try for ever, and must not keep the tests from ending.
    threads = [threading.Thread(target=told.insist, args=(f"raw{n}",), daemon=True) for n in range(insisting_count)]
    threads.append(threading.Thread(target=told.use_sdk, args=("sdk",), daemon=True))
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        told.stop()
        for thread in threads:
            thread.join(120)
    assert not any(thread.is_alive() for thread in threads), "clients are still trying"


def go_on(told: Traffic, more: int, limit_s: float = 120.0) -> None:
    """Wait until that many more messages are taken."""
    goal = len(told.taken) + more
    until(lambda: len(told.taken) >= goal, f"{more} more messages taken", limit_s)
