"""What may go wrong, how often in one run, and when."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random

from courtesy.base.time import HOUR_MS

CHAOS_S = 24.0
"""For how long things go wrong, in virtual seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Rates of what may happen at each call (shares from 0 to 1), and how many times what befalls everybody does.

    `crash`: a process dies around a call to its store, before or after it took hold. `unsure`: a call answers
    Unavailable, whether it took hold or not. `pause`: a process sleeps for longer than its leases last. `odd`: an
    append fails in a way that nobody foresaw. `lose`, `repeat`: requests and answers on the network. `rot`: a record
    is corrupted on disk. `refuse`, `forget`, `hang`: the remote says no for good, answers with a fault after it took
    the message, or not at all. `die_delivering`: a dispatcher dies when the remote has the message.
    """

    crash: float = 0.0
    unsure: float = 0.0
    pause: float = 0.0
    lose: float = 0.0
    repeat: float = 0.0
    odd: float = 0.0
    rot: float = 0.0
    refuse: float = 0.0
    forget: float = 0.0
    hang: float = 0.0
    die_delivering: float = 0.0
    outages: int = 0
    fulls: int = 0
    power_cuts: int = 0
    clock_jumps: int = 0
    joins: int = 0
    leaves: int = 0
    trims: int = 0
    redefinitions: int = 0
    mendings: int = 0
    repairs: int = 0
    erasures: int = 0
    files: int = 0

    @property
    def is_calm(self) -> bool:
        """True when nothing goes wrong at all."""
        calm = Weather(redefinitions=self.redefinitions, mendings=self.mendings, repairs=self.repairs, files=self.files)
        return self == calm


def draw_weather(chance: Random) -> Weather:
    """The weather of a run: calm for one in eight, else a mixture in which each fault is there or not."""
    if chance.random() < 0.125:
        return Weather(
            redefinitions=chance.randrange(3),
            mendings=chance.randrange(9),
            repairs=chance.randrange(17),
            files=chance.randrange(3),
        )

    def rate(most: float) -> float:
        return most * chance.random() ** 2 if chance.random() < 0.6 else 0.0

    def times(most: int) -> int:
        return chance.randrange(1, most + 1) if chance.random() < 0.5 else 0

    return Weather(
        crash=rate(0.02),
        unsure=rate(0.06),
        pause=rate(0.01),
        lose=rate(0.3),
        repeat=rate(0.2),
        odd=rate(0.02) if chance.random() < 0.3 else 0.0,
        rot=rate(0.05),
        refuse=rate(0.2),
        forget=rate(0.4),
        hang=rate(0.2),
        die_delivering=rate(0.15),
        outages=times(3),
        fulls=times(2),
        power_cuts=times(2),
        clock_jumps=times(3),
        joins=times(2),
        leaves=times(3),
        trims=times(8),
        redefinitions=times(4),
        mendings=times(16),
        repairs=times(24),
        erasures=times(2),
        files=times(3),
    )


class Faults:
    """Chance at work. `active` is False before and after the bad time; nothing happens then."""

    def __init__(self, weather: Weather, chance: Random, loop: asyncio.AbstractEventLoop) -> None:
        self.weather = weather
        self.active = False
        self.seen: Counter[str] = Counter()
        self._chance = chance
        self._loop = loop
        self._out_until_s = 0.0
        self._full_until_s = 0.0

    def happens(self, name: str, rate: float) -> bool:
        """Whether the named fault happens now; counted if so."""
        if not self.active or rate == 0.0 or self._chance.random() >= rate:
            return False
        self.seen[name] += 1
        return True

    def latency_s(self) -> float:
        """How long a call to the store takes on its way; mostly little."""
        return float(0.0002 + 0.02 * self._chance.random() ** 4)

    def network_s(self) -> float:
        """How long a request or an answer takes on its way."""
        return float(0.001 + 0.2 * self._chance.random() ** 3)

    def thought_s(self) -> float:
        """How long it takes from what was decided to asking that it be issued; at times so long that much happens."""
        return float(3.0 * self._chance.random() ** 4)

    def pause_s(self) -> float:
        """How long a process sleeps that sleeps too long: less or more than a lease lasts."""
        return self._chance.uniform(3.0, 14.0)

    @property
    def is_out(self) -> bool:
        """True while the store answers nobody."""
        return self._loop.time() < self._out_until_s

    @property
    def is_full(self) -> bool:
        """True while the store has no room."""
        return self._loop.time() < self._full_until_s

    def begin_outage(self) -> None:
        """The store restarts."""
        self.seen["outage"] += 1
        self._out_until_s = self._loop.time() + self._chance.uniform(0.2, 6.0)

    def begin_full(self) -> None:
        """The disk is full, until somebody makes room."""
        self.seen["full"] += 1
        self._full_until_s = self._loop.time() + self._chance.uniform(0.2, 6.0)

    def jump_ms(self) -> int:
        """By how much a clock is set forward or back."""
        hours = self._chance.choice((0.001, 0.02, 1, 6)) * self._chance.choice((1, -1))
        return int(hours * HOUR_MS * self._chance.uniform(0.5, 1.0))

    def stop(self) -> None:
        """From now on all is well."""
        self.active = False
        self._out_until_s = self._full_until_s = 0.0
