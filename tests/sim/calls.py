"""What clients send: calls of a handful of people on a handful of devices, some of them broken, as raw JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import count
from random import Random
from typing import Any

import msgspec

from courtesy.base.ids import SourceId, message_key
from courtesy.base.time import DAY_MS, HOUR_MS, to_iso
from courtesy.event.cause import Cause
from courtesy.event.choice import choice_id
from courtesy.http.body import own_id
from tests.sim.history import Message
from tests.sim.process import IMPORTED

VIEWED, CARTED, ORDERED = "Product Viewed", "Cart Viewed", "Order Completed"
NAMES = (VIEWED, VIEWED, CARTED, CARTED, ORDERED, "Signed Up")
PLACEHOLDERS = ("null", "undefined", "0000", "00000000-0000-0000-0000-000000000000", "  ")
Call = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Habits:
    """What the people of a run do. Rates are shares from 0 to 1."""

    user_count: int
    devices_each: int
    shared_tablet: float
    alias: float
    group: float
    broken: float
    placeholder: float
    many_emails: bool
    hoarder: bool
    choosing: float
    countries: bool = False


def draw_habits(chance: Random) -> Habits:
    """The habits of a run."""
    return Habits(
        user_count=chance.randrange(2, 7),
        devices_each=chance.randrange(1, 4),
        shared_tablet=chance.choice((0.0, 0.05, 0.2)),
        alias=chance.choice((0.0, 0.0, 0.05)),
        group=chance.choice((0.0, 0.05)),
        broken=chance.choice((0.0, 0.06)),
        placeholder=chance.choice((0.0, 0.1)),
        many_emails=chance.random() < 0.2,
        hoarder=chance.random() < 0.1,
        choosing=chance.choice((0.0, 0.05, 0.2)),
        countries=chance.random() < 0.4,
    )


def note_of(message_id: str) -> str:
    """What a client notes in a message, as a trait or a property."""
    return f"note<{message_id}>"


class Writer:
    """Writes the messages of one client of one source. `now_ms` tells the client's time, which may be wrong. `gpc`: its
    browser asks not to sell or share."""

    gpc = False

    def __init__(self, source: str, habits: Habits, chance: Random, now_ms: Callable[[], int]) -> None:
        self.source = source
        self._habits = habits
        self._chance = chance
        self._now_ms = now_ms
        self._numbers = count()

    def write(self, message_id: str) -> Message:
        """One more message, whole or broken."""
        call = self._call()
        if self._chance.random() < 0.95:
            call["messageId"] = message_id
        for name in ("traits", "properties"):
            if name in call and call["type"] != "group":
                # A value that nobody else has: after an erasure it must be nowhere.
                call[name]["note"] = note_of(message_id)
        if self.source == IMPORTED:
            call["timestamp"] = to_iso(self._now_ms() - int(self._chance.uniform(3, 100) * DAY_MS))
        else:
            age_ms = int(self._chance.choice((0, 0, 1, 5)) * self._chance.random() * HOUR_MS)
            call["originalTimestamp"] = to_iso(self._now_ms() - age_ms)
        expected: Cause | None = None
        if self._chance.random() < self._habits.broken:
            expected, call = _break(call, self._chance, self.source)
        raw = b'{"type":' if expected is Cause.UNREADABLE else msgspec.json.encode(call)
        return Message(self.source, message_id if "messageId" in call else own_id(raw), raw, expected)

    def _call(self) -> Call:
        chance, habits = self._chance, self._habits
        user = chance.randrange(habits.user_count)
        ids = self._ids(user)
        kind = chance.random()
        if kind < habits.alias:
            return ids | {"type": "alias", "userId": f"u{user}", "previousId": self._previous(user)}
        if kind < habits.alias + habits.group:
            group = f"company {chance.randrange(3)}"
            return ids | {"type": "group", "groupId": group, "traits": {"size": chance.randrange(9)}}
        if kind > 1 - habits.choosing:
            return ids | {"type": "consent", "choices": [self._choice() for _ in range(chance.randrange(1, 4))]}
        if kind < 0.3:
            return ids | {"type": "identify", "traits": self._traits(user)}
        if kind < 0.4:
            return ids | {"type": chance.choice(("page", "screen")), "name": "Home", "properties": self._properties()}
        return ids | {"type": "track", "event": self._name(), "properties": self._properties()}

    def _ids(self, user: int) -> Call:
        """Who says so: a login, a device, or both; on a tablet of everybody's now and then."""
        chance, habits = self._chance, self._habits
        device = (
            "tablet" if chance.random() < habits.shared_tablet else f"a{user}.{chance.randrange(habits.devices_each)}"
        )
        anonymous: Call = {"anonymousId": device}
        if chance.random() < 0.2:
            anonymous["context"] = {"device": {"id": f"d-{device}"}}
        way = chance.random()
        if way < 0.45:
            return anonymous
        if way < habits.placeholder + 0.45:
            return {"userId": f"u{user}", "anonymousId": chance.choice(PLACEHOLDERS)}
        return {"userId": f"u{user}"} | (anonymous if way < 0.85 else {})

    def _choice(self) -> Call:
        chance = self._chance
        action = chance.choice(("grant", "grant", "withdraw", "object", "expire", "set"))
        choice: Call = {"action": action, "purpose": chance.choice(("marketing", "analytics", "*"))}
        if action == "set":
            choice["value"] = chance.randrange(3)
        if chance.random() < 0.6:
            choice["channel"] = chance.choice(("email", "sms"))
        if chance.random() < 0.2:
            choice["heldFrom"] = self._now_ms() - int(chance.random() * DAY_MS)
        if self._habits.countries and chance.random() < 0.2:
            choice["jurisdiction"] = chance.choice(("DE", "EU", "US"))
        return choice

    def _previous(self, user: int) -> str:
        return self._chance.choice((f"a{user}.0", f"u{user}", f"old{user}", "tablet", f"u{(user + 1) % 2}"))

    def _traits(self, user: int) -> Call:
        chance = self._chance
        email = f"u{user}{chance.randrange(9) if self._habits.many_emails else ''}@shop.example"
        traits: Call = {"plan": chance.choice("abc"), "address": {"city": chance.choice("xyz"), "zip.code": 7}}
        if self._habits.hoarder:
            traits |= {f"t{chance.randrange(900)}": 1 for _ in range(60)}
        elif self._habits.countries and chance.random() < 0.6:
            traits["country"] = chance.choice(("DE", "US"))
        return traits | {"email": email} if chance.random() < 0.6 else traits | {"age": chance.choice((30, None))}

    def _name(self) -> str:
        if self._habits.hoarder and self._chance.random() < 0.7:
            return f"Event {self._chance.randrange(140)}"
        return self._chance.choice(NAMES)

    def _properties(self) -> Call:
        chance = self._chance
        properties: Call = {"revenue": chance.choice((0.1, 19.99, 5, -3.3)), "quantity": chance.randrange(4)}
        if chance.random() < 0.02:
            properties["number"] = 10**30
        if chance.random() < 0.1:
            properties |= {f"p{chance.randrange(30)}": chance.random() for _ in range(6)}
        return properties


class Chooser(Writer):
    """Writes of nothing but what people choose. `sources`: the numbers of the sources by name."""

    def __init__(
        self,
        source: str,
        habits: Habits,
        chance: Random,
        now_ms: Callable[[], int],
        sources: Mapping[str, SourceId],
    ) -> None:
        super().__init__(source, replace(habits, choosing=1.0, alias=0.0, group=0.0, broken=0.0), chance, now_ms)
        self._sources = sources
        self._chosen: list[tuple[str, int]] = []

    def write(self, message_id: str) -> Message:
        message = super().write(message_id)
        call = msgspec.json.decode(message.raw)
        self._chosen += [(message.message_id, ordinal) for ordinal in range(len(call["choices"]))]
        return message

    def _choice(self) -> Call:
        """More often a yes; now and then one that corrects an earlier one, or that ends by itself."""
        choice, chance = super()._choice(), self._chance
        if chance.random() < 0.4:
            return {"action": "grant", "purpose": chance.choice(("marketing", "analytics")), "channel": "email"}
        if self._chosen and chance.random() < 0.05:
            message_id, ordinal = chance.choice(self._chosen)
            return {"action": "correct", "corrects": choice_id(self._key_of(message_id), ordinal)}
        if choice["action"] in ("grant", "withdraw", "object") and chance.random() < 0.1:
            choice["heldFrom"] = self._now_ms()
            choice["heldTo"] = choice["heldFrom"] + int(chance.uniform(1_000, 60_000))
        return choice

    def _key_of(self, message_id: str) -> bytes:
        return message_key(self._sources[self.source], message_id)


def _break(call: Call, chance: Random, source: str) -> tuple[Cause, Call]:
    """A call that must not be stored, and why; in the order of the checks one cause each."""
    nobody = {name: value for name, value in call.items() if name not in ("userId", "anonymousId", "context", "traits")}
    broken: list[tuple[Cause, Call]] = [
        (Cause.UNREADABLE, call),
        (Cause.WRONG_TYPE, call | {"userId": ["u1"]}),
        (Cause.UNKNOWN_TYPE, call | {"type": "trak"}),
        (Cause.NOT_AN_OBJECT, call | {"context": "web"}),
        (Cause.MESSAGE_ID_TOO_LONG, call | {"messageId": "m" * 101}),
        (Cause.NAME_MISSING, call | {"type": "track", "event": " "}),
        (Cause.TIME_UNREADABLE, call | {"originalTimestamp": "yesterday"}),
        (Cause.NO_IDENTIFIER, nobody | {"type": "page", "userId": "null", "anonymousId": "undefined"}),
        (Cause.OPTED_OUT_OF_COURTESY, call | {"integrations": {"Courtesy": False}}),
    ]
    if source == IMPORTED:
        broken.append((Cause.TIME_IN_FUTURE, call | {"timestamp": "9000-01-01T00:00:00Z"}))
    return chance.choice(broken)
