"""Chance that depends on nothing but its name: the same seed and name give the same numbers, in any order of asking."""

from __future__ import annotations

from hashlib import blake2b
from random import Random


def _digest(seed: int, name: tuple[str | int, ...], size: int) -> bytes:
    return blake2b(":".join(map(str, (seed, *name))).encode(), digest_size=size).digest()


def chance(seed: int, *name: str | int) -> Random:
    """A generator of its own for one named thing, such as `chance(seed, "visit", shopper, 3)`."""
    return Random(int.from_bytes(_digest(seed, name, 8)))


def draw(seed: int, *name: str | int) -> float:
    """One number in [0, 1) for one named question; cheaper than a generator."""
    return int.from_bytes(_digest(seed, name, 6)) / (1 << 48)


def token(seed: int, *name: str | int) -> str:
    """A UUID-shaped text for one named thing."""
    digits = _digest(seed, name, 16).hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
