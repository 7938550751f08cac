"""What the tests of the lake are written with: places for one, records of events, and a look at every byte of it."""

from __future__ import annotations

import asyncio
import io
import time
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from courtesy.base.ids import Partition, PersonId, Position, SourceId, message_key, partition_of
from courtesy.event.event import Event, EventType, Party, encode
from courtesy.lake import Lake, place_of
from courtesy.lake.place import Place
from courtesy.person.record import Record, RecordKind
from tests.contract.builders import NOW_MS, SHOP

READ_TRIES = 50
READ_AGAIN_S = 0.1


@dataclass(frozen=True, slots=True)
class LakeSettings:
    """Settings as a lake needs them."""

    data: str
    lake: str | None = None
    lake_s3_endpoint: str | None = None
    lake_s3_region: str | None = None
    lake_s3_access_key: str | None = None
    lake_s3_secret_key: str | None = None
    partitions: int = 16


@dataclass(frozen=True, slots=True)
class Site:
    """A place for a lake: how to open one there, and to see what lies there without it."""

    place: Place
    url: str
    files: fs.FileSystem
    path: str
    opened: list[Lake] = field(default_factory=list)

    def lake(self) -> Lake:
        """Another lake over the same place and catalogue, as another process has it."""
        self.opened.append(Lake(self.place, self.url))
        return self.opened[-1]

    def paths(self) -> list[str]:
        """Every file there is."""
        found = self.files.get_file_info(fs.FileSelector(self.path, recursive=True, allow_not_found=True))
        return sorted(each.path for each in found if each.type == fs.FileType.File)

    def contents(self) -> dict[str, bytes]:
        """All bytes of every file; of a Parquet file also those of its columns, unpacked."""
        found = {}
        for path in self.paths():
            for tries_left in reversed(range(READ_TRIES)):
                try:
                    with self.files.open_input_stream(path) as stream:
                        raw = stream.read()
                    found[path] = raw + _unpacked(path, raw)
                    break
                except (pa.ArrowInvalid, FileNotFoundError):
                    # Being written just now, or no longer needed since we looked.
                    if not tries_left:
                        raise
                    time.sleep(READ_AGAIN_S)
                    if path not in self.paths():
                        break
        return found

    def holding(self, needle: str) -> list[str]:
        """The files in which a text is found, packed or not."""
        return [path for path, content in self.contents().items() if needle.encode() in content]


def _unpacked(path: str, raw: bytes) -> bytes:
    if path.endswith(".parquet"):
        return repr(pq.read_table(io.BytesIO(raw)).to_pydict()).encode()
    return _inflated(raw) if path.endswith(".avro") else b""


def _inflated(raw: bytes) -> bytes:
    """The blocks of an Avro file, unpacked. Each ends with the marker with which the file ends, and begins with two
    numbers of variable length: objects and bytes."""
    marker = raw[-16:]
    parts = []
    for block in raw.split(marker)[1:-1]:
        start = 0
        for _ in range(2):
            while block[start] & 0x80:
                start += 1
            start += 1
        parts.append(zlib.decompress(block[start:], -15))
    return b"".join(parts)


KEY, SECRET = "AKIALAKE", "secret"


def folder_site(url: str, folder: Path) -> Site:
    """A lake in the data folder."""
    return Site(_placed(LakeSettings(str(folder))), url, fs.LocalFileSystem(), str(folder / "lake"))


def s3_site(url: str, endpoint: str) -> Site:
    """A lake below a prefix in a bucket of its own."""
    bucket = f"bucket-{url.rpartition('/')[2].partition('?')[0].replace('_', '-')}"
    files = fs.S3FileSystem(
        access_key=KEY, secret_key=SECRET, endpoint_override=endpoint, region="us-east-1", allow_bucket_creation=True
    )
    files.create_dir(bucket)
    settings = LakeSettings("unused", f"s3://{bucket}/some/where/", endpoint, "us-east-1", KEY, SECRET)
    return Site(_placed(settings), url, files, f"{bucket}/some/where")


def _placed(settings: LakeSettings) -> Place:
    place = place_of(settings)
    assert place is not None
    return place


def close(site: Site) -> None:
    """Let go of all connections of the lakes of a test."""
    for lake in site.opened:
        asyncio.run(lake.close())


def event(
    position: int,
    person: PersonId,
    *,
    name: str | None = "Product Viewed",
    received: int | None = None,
    kind: RecordKind = RecordKind.EVENT,
    source: SourceId = SHOP,
    traits: object = None,
    payload: bytes | None = None,
) -> Record:
    """A record of the log at a position; it arrived a millisecond after the one before unless said otherwise."""
    arrived = NOW_MS + position if received is None else received
    message = f"m{position}"
    written = Event(
        message, EventType.TRACK, arrived - 5, arrived, source, 30, Party.FIRST, (f"user_id:u{person}",), name=name,
        traits=msgspec.Raw(msgspec.json.encode(traits or {})),
    )  # fmt: skip
    where = Partition(partition_of(person))
    content = encode(written) if payload is None else payload
    key = message_key(source, message)
    return Record(Position(position), where, person, kind, arrived - 5, arrived, source, key, content)


async def put(lake: Lake, records: Sequence[Record]) -> int:
    """Append records, all that the log has up to the last of them."""
    async with lake.appending() as appending:
        return await appending.write(records, records[-1].position)


async def all_of(lake: Lake, people: Iterable[PersonId]) -> list[Record]:
    """Everything that the lake has of some people."""
    return await lake.history(list(people), Position(2**62))


def rows_of(found: Any) -> list[tuple[Any, ...]]:
    """The rows of an Arrow table, by position."""
    return [tuple(row.values()) for row in found.sort_by("position").to_pylist()]
