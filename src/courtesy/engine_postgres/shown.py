"""Forms and wordings as they were shown."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256

from courtesy.engine_postgres.connection import Connected

_KEEP = """
INSERT INTO shown (digest, first_kept, content) SELECT digest, %s, content FROM unnest(%b::bytea[], %b::bytea[])
    AS given (digest, content) ORDER BY digest
ON CONFLICT DO NOTHING
"""


class Shown(Connected):
    """The engine's evidence of what was shown."""

    async def keep_shown(self, contents: Collection[bytes], now_ms: int) -> None:
        by_digest = {sha256(content).digest(): content for content in contents}
        async with self._transaction() as connection:
            await connection.execute(_KEEP, (now_ms, list(by_digest), list(by_digest.values())))

    async def shown(self, digest: bytes) -> bytes | None:
        rows = await self._rows("SELECT content FROM shown WHERE digest = %s", digest)
        return bytes(rows[0][0]) if rows else None
