"""Assets in a folder and in an S3-compatible store: kept by content, made in a size once, shown to anybody."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import pyvips
from moto.server import ThreadedMotoServer

from courtesy.asset.rendition import MIDDLE, Fit, Focus, ImageFormat
from courtesy.base.errors import Code, CourtesyError
from courtesy.base.time import ManualClock
from courtesy.runtime.assets import ASSET_BYTES_MAX, Assets
from courtesy.runtime.links import Signer
from courtesy.runtime.settings import Settings

NOW_MS = 1_763_769_600_000
PNG = bytes(pyvips.Image.black(300, 200, bands=3).copy(interpretation="srgb").pngsave_buffer())


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The URL of an S3-compatible store on this machine, with a bucket `shop`."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    _, port = server.get_host_and_port()
    url = f"http://127.0.0.1:{port}"
    session = boto3.Session(aws_access_key_id="k", aws_secret_access_key="s", region_name="us-east-1")
    session.client("s3", endpoint_url=url).create_bucket(Bucket="shop")
    yield url
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Where assets lie."""
    if request.param == "folder":
        return Settings(data=str(tmp_path))
    return Settings(
        data=str(tmp_path),
        assets=f"s3://shop/{tmp_path.name}",
        assets_s3_endpoint=request.getfixturevalue("bucket"),
        assets_s3_region="us-east-1",
        assets_s3_access_key="k",
        assets_s3_secret_key="s",
    )


def assets_of(settings: Settings, now_ms: int = NOW_MS) -> Assets:
    """The assets of a process."""
    return Assets(settings, Signer(settings), ManualClock(now_ms))


async def test_a_file_is_kept_by_its_content(settings: Settings) -> None:
    """Once, whoever sends it; another process has it, and what is not there is told."""
    one, two = assets_of(settings), assets_of(settings, NOW_MS + 1)
    first = await one.put(PNG, "black", "ann", Focus(10, 20))
    again = await two.put(PNG, "other", "bob")
    assert first == again == await two.get(first.sha256)
    assert (first.title, first.added_by, first.added_ms) == ("black", "ann", NOW_MS)
    assert (first.width, first.height) == (300, 200)
    assert (await two.show(first.sha256, "original", "")).media_type == "image/png"
    assert await two.has(first.sha256)
    assert not await two.has("0" * 64)
    with pytest.raises(CourtesyError, match="no asset"):
        await two.show("0" * 64, "640x0-inside.webp", "")


async def test_a_size_is_made_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """And kept: afterwards nobody works on it again."""
    one = assets_of(settings)
    asset = await one.put(PNG, "", "ann")
    made = await one.show(asset.sha256, "128x0-inside.webp", "")
    monkeypatch.setattr("courtesy.asset.picture.made", lambda *_: pytest.fail("it is made again"))
    assert await assets_of(settings).show(asset.sha256, "128x0-inside.webp", "") == made
    assert made.media_type == "image/webp"


async def test_other_sizes_want_a_signature(settings: Settings) -> None:
    """Which is good for one size of one asset."""
    one = assets_of(settings)
    asset = await one.put(PNG, "", "ann", Focus(10, 20))
    url = one.url(asset, 123, 45, Fit.COVER, ImageFormat.JPEG, None)
    name, _, signature = url.rpartition("/")[2].partition("?s=")
    assert name == "123x45-cover-f10x20.jpeg"
    assert (await one.show(asset.sha256, name, signature)).content.startswith(b"\xff\xd8\xff")
    for wrong, given in ((name, ""), (name, signature[:-2] + "AA"), ("124x45-cover-f10x20.jpeg", signature)):
        if (wrong, given) != (name, signature):
            with pytest.raises(CourtesyError) as caught:
                await one.show(asset.sha256, wrong, given)
            assert caught.value.code is Code.FORBIDDEN
    assert "?" not in one.url(asset, 640, 640, Fit.COVER, ImageFormat.WEBP, MIDDLE)


async def test_a_document_stays_as_it_is(settings: Settings) -> None:
    """It has no sizes; and what is too large is not looked at."""
    one = assets_of(settings)
    asset = await one.put(b"%PDF-1.7 of ours", "terms", "ann")
    assert (await one.show(asset.sha256, "original", "")) == (b"%PDF-1.7 of ours", "application/pdf")
    with pytest.raises(CourtesyError, match="no sizes"):
        await one.show(asset.sha256, "640x0-inside.webp", "")
    with pytest.raises(CourtesyError) as caught:
        await one.put(bytes(ASSET_BYTES_MAX + 1), "", "ann")
    assert caught.value.code is Code.TOO_LARGE


async def test_a_store_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """Told as such, not as an asset that is missing."""
    (tmp_path / "assets").write_text("a file where the folder should be")
    with pytest.raises(CourtesyError) as caught:
        await assets_of(Settings(data=str(tmp_path))).put(PNG, "", "ann")
    assert caught.value.code is Code.UNAVAILABLE
