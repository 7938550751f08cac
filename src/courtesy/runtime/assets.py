"""Assets: taken in, shown in the sizes that are asked for, and looked for before content is published."""

from __future__ import annotations

import asyncio
import base64
import hmac
from functools import cached_property
from hashlib import sha256
from typing import NamedTuple

import msgspec

from courtesy.asset.rendition import MIDDLE, ORIGINAL, PDF, Fit, Focus, ImageFormat, Rendition, rendition_of
from courtesy.asset.store import AssetStore, asset_store
from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import Clock
from courtesy.content.printing import PrintFile
from courtesy.runtime.links import SIGNATURE_BYTES, Signer
from courtesy.runtime.settings import Settings

ASSET_BYTES_MAX = 25 * 1024 * 1024
AT_ONCE = 2
"""Pictures that a process works on at the same time: each takes memory, and a core."""


class Asset(msgspec.Struct, frozen=True):
    """What is known of an asset. Width and height in pixels, 0 for a document. `focus`: the point of the picture that
    must stay in it when it is cut."""

    sha256: str
    media_type: str
    byte_count: int
    width: int
    height: int
    title: str
    focus: Focus
    added_ms: int
    added_by: str


class Shown(NamedTuple):
    """What an address of an asset leads to."""

    content: bytes
    media_type: str


class Assets:
    """The assets of one process. The store is opened when it is needed first."""

    def __init__(self, settings: Settings, signer: Signer, clock: Clock) -> None:
        self._settings = settings
        self._signer = signer
        self._clock = clock
        self._room = asyncio.Semaphore(AT_ONCE)

    @cached_property
    def _store(self) -> AssetStore:
        return asset_store(self._settings)

    async def put(self, content: bytes, title: str, by: str, focus: Focus = MIDDLE) -> Asset:
        """Take in a picture, cleaned, or a document; durable when it returns. The same one again stays what it was.

        Raises CourtesyError: TOO_LARGE, INVALID for a type that is not taken, UNREADABLE, UNAVAILABLE.
        """
        from courtesy.asset.picture import taken_in  # libvips is loaded by who works on pictures, and by nobody else

        if len(content) > ASSET_BYTES_MAX:
            raise CourtesyError(Code.TOO_LARGE, f"expected at most {ASSET_BYTES_MAX:,} bytes, got {len(content):,}")
        async with self._room:
            picture = await asyncio.to_thread(taken_in, content)
        digest = sha256(picture.content).hexdigest()
        asset = Asset(
            digest, picture.media_type, len(picture.content), picture.width, picture.height, title, focus,
            self._clock.now_ms(), by,
        )  # fmt: skip
        await self._store.put(_path(digest, ORIGINAL), picture.content)
        # Afterwards: what is known is there.
        await self._store.put(_path(digest, "asset.json"), msgspec.json.encode(asset))
        return await self.get(digest)

    async def get(self, digest: str) -> Asset:
        """What is known of an asset. Raises CourtesyError(NOT_FOUND)."""
        found = await self._store.get(_path(digest, "asset.json"))
        if found is None:
            raise CourtesyError(Code.NOT_FOUND, f"no asset {digest:.64}")
        return msgspec.json.decode(found, type=Asset)

    async def has(self, digest: str) -> bool:
        """Whether there is an asset."""
        return await self._store.has(_path(digest, "asset.json"))

    async def print_file(self, digest: str) -> PrintFile | None:
        """What a printer has to know of an asset; None when it is not there."""
        from courtesy.asset.document import pages_of

        if not await self.has(digest):
            return None
        asset = await self.get(digest)
        content = await self._store.get(_path(digest, ORIGINAL)) if asset.media_type == PDF else None
        if content is None:
            return PrintFile((asset.width, asset.height))
        try:
            return PrintFile(pages=await asyncio.to_thread(pages_of, content))
        except CourtesyError:
            return PrintFile()

    def url(self, asset: Asset, width: int, height: int, fit: Fit, format: ImageFormat, focus: Focus | None) -> str:
        """The address of a picture in a size, signed where it has to be. `focus` None: its own. Raises
        CourtesyError(INVALID)."""
        if asset.media_type == PDF:
            return f"{self._base}/a/{asset.sha256}/{ORIGINAL}"
        around = (focus or asset.focus) if fit is Fit.COVER else MIDDLE
        rendition = Rendition(width, height, fit, format, around).checked()
        signed = "" if rendition.is_open else f"?s={self._signature(asset.sha256, rendition.name)}"
        return f"{self._base}/a/{asset.sha256}/{rendition.name}{signed}"

    @property
    def _base(self) -> str:
        return self._settings.links_url or f"http://{self._settings.host}:{self._settings.port}"

    def _signature(self, digest: str, name: str) -> str:
        signature = self._signer.hashed("asset", f"{digest}/{name}".encode())[:SIGNATURE_BYTES]
        return base64.urlsafe_b64encode(signature).decode().rstrip("=")

    async def show(self, digest: str, name: str, signature: str) -> Shown:
        """What an address leads to; a size is made once. Raises CourtesyError: NOT_FOUND, INVALID, FORBIDDEN for a size
        that wants a signature."""
        if name == ORIGINAL:
            asset = await self.get(digest)
            content = await self._store.get(_path(digest, ORIGINAL))
            if content is None:
                raise CourtesyError(Code.NOT_FOUND, f"no asset {digest:.64}")
            return Shown(content, asset.media_type)
        rendition = rendition_of(name)
        if not rendition.is_open and not hmac.compare_digest(
            signature.encode("utf-8", "surrogatepass"), self._signature(digest, name).encode()
        ):
            raise CourtesyError(
                Code.FORBIDDEN, f"the size {name} wants a signature", hint="GET /v1/assets/{sha256} gives its address"
            )
        path, media_type = _path(digest, f"r/{name}"), f"image/{rendition.format}"
        kept = await self._store.get(path)
        if kept is not None:
            return Shown(kept, media_type)
        return Shown(await self._make(digest, rendition, path), media_type)

    async def _make(self, digest: str, rendition: Rendition, path: str) -> bytes:
        from courtesy.asset.picture import made

        asset = await self.get(digest)
        if asset.media_type == PDF:
            raise CourtesyError(Code.INVALID, "a document has no sizes", place="rendition")
        content = await self._store.get(_path(digest, ORIGINAL))
        if content is None:
            raise CourtesyError(Code.NOT_FOUND, f"no asset {digest:.64}")
        async with self._room:
            picture = await asyncio.to_thread(made, content, rendition)
        await self._store.put(path, picture)
        return picture


def _path(digest: str, name: str) -> str:
    return f"{digest[:2]}/{digest}/{name}"
