"""What was shown to people is kept under its digest."""

from __future__ import annotations

from hashlib import sha256

from courtesy.engine.contract import Engine
from tests.contract.builders import NOW_MS, Store


async def test_what_was_shown_is_found_by_its_digest(engine: Engine, store: Store) -> None:
    """Byte for byte, whatever the bytes, by every engine over the store; kept again it is there once."""
    contents = [b"<form>", "Ღირს".encode(), b"\x00\xff" * 2_000, b""]
    await engine.keep_shown(contents, NOW_MS)
    await engine.keep_shown([*contents, contents[0], b"more"], NOW_MS + 1)
    await engine.keep_shown([], NOW_MS)
    async with store.another() as other:
        for content in (*contents, b"more"):
            assert await other.shown(sha256(content).digest()) == content


async def test_what_was_never_shown_is_not_found(engine: Engine) -> None:
    """Nor is what is no digest."""
    assert await engine.shown(sha256(b"never").digest()) is None
    assert await engine.shown(b"short") is None
