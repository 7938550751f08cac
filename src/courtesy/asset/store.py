"""Where assets lie: a local folder or an S3-compatible store."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Protocol

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, S3Store

from courtesy.base.errors import Code, CourtesyError

FOLDER = "assets"
"""Its name in the data folder."""


class Settings(Protocol):
    """What the store needs to be told."""

    @property
    def data(self) -> str:
        """The data folder; assets are in its subfolder `assets` unless said otherwise."""

    @property
    def assets(self) -> str:
        """A folder, or `s3://bucket/prefix`."""

    @property
    def assets_s3_endpoint(self) -> str | None:
        """URL of an S3-compatible store that is not Amazon's."""

    @property
    def assets_s3_region(self) -> str | None:
        """Region of the bucket."""

    @property
    def assets_s3_access_key(self) -> str | None:
        """Public part of the key to the store."""

    @property
    def assets_s3_secret_key(self) -> str | None:
        """Secret part of the key to the store."""


class AssetStore:
    """Objects by path, which never change once they are there."""

    def __init__(self, store: Any, folder: Path | None = None) -> None:
        """`folder`: where the objects of a local store lie."""
        self._store = store
        self._folder = folder

    async def put(self, path: str, content: bytes) -> None:
        """Have an object there; durable when it returns. One that is there stays. Raises CourtesyError(UNAVAILABLE)."""
        try:
            await obstore.put_async(self._store, path, content, mode="create")
        except AlreadyExistsError:
            return
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None
        if self._folder is not None:
            await asyncio.to_thread(_flush, self._folder / path)

    async def get(self, path: str) -> bytes | None:
        """An object; None when there is none. Raises CourtesyError(UNAVAILABLE)."""
        try:
            found = await obstore.get_async(self._store, path)
            return bytes(await found.bytes_async())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None

    async def has(self, path: str) -> bool:
        """Whether there is an object. Raises CourtesyError(UNAVAILABLE)."""
        try:
            await obstore.head_async(self._store, path)
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            raise _unavailable(error) from None
        return True


def asset_store(settings: Settings) -> AssetStore:
    """The store that the settings want; its folder is made. Raises CourtesyError: INVALID, UNAVAILABLE."""
    where = settings.assets or str(Path(settings.data) / FOLDER)
    try:
        if "://" not in where:
            return AssetStore(LocalStore(Path(where).absolute(), mkdir=True), Path(where).absolute())
        return AssetStore(_s3(settings, where))
    except (BaseError, OSError) as error:
        raise _unavailable(error) from None


def _s3(settings: Settings, where: str) -> S3Store:
    """The way to the store. What is not set follows from the usual variables of AWS."""
    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    region = settings.assets_s3_region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    given = {
        "endpoint": settings.assets_s3_endpoint,
        "access_key_id": settings.assets_s3_access_key,
        "secret_access_key": settings.assets_s3_secret_key,
        "region": region or "us-east-1",
    }
    config: Any = {name: value for name, value in given.items() if value}
    is_plain = (settings.assets_s3_endpoint or "").startswith("http://")
    return S3Store(bucket, prefix=prefix or None, config=config, client_options={"allow_http": is_plain})


def _flush(path: Path) -> None:
    """Have the disk write a file, and that it is in its folder."""
    for each in (path, path.parent):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unavailable(error: Exception) -> CourtesyError:
    said = str(error).strip().splitlines()
    return CourtesyError(Code.UNAVAILABLE, f"the store of assets does not answer: {said[0] if said else error}")
