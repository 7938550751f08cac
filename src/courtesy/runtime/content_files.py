"""All content as files, out and in: a folder, or an archive of one."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from courtesy.base.errors import Code, CourtesyError
from courtesy.content.files import ITEM_END, TEXT_END, files_of, items_in, outdated
from courtesy.content.items import ItemKey, differences
from courtesy.content.kinds import KINDS
from courtesy.engine.content import ItemFilter, ItemState
from courtesy.runtime.content import Contents, body_of

_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o644 << 16
FILES_MAX = 100_000
BYTES_MAX = 256 * 1024 * 1024
KEPT = ItemFilter(states=frozenset(ItemState) - {ItemState.ARCHIVED})


class Step(StrEnum):
    """What an import does with an item."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


class ImportStep(NamedTuple):
    """What an import does with an item, and in which places it changes it."""

    key: ItemKey
    step: Step
    places: list[str]


class ContentFiles:
    """Takes content out and in."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    async def exported(self) -> dict[str, bytes]:
        """The files of every item that is not archived, as its draft says."""
        items = await self._contents.all(KEPT)
        return files_of((each.key, body_of(each.body)) for each in items)

    async def take_in(self, files: Mapping[str, bytes], by: str, *, dry_run: bool = False) -> list[ImportStep]:
        """Have every item of some files say what they say, or none; what was done, or would be, by item. Items that no
        file is about stay as they are. To do it again does nothing.

        Raises CourtesyError: what `items_in` raises, and CONFLICT for an archived item.
        """
        items = items_in(files)
        steps = []
        async with self._contents.editing() as edit:
            for key, body in items.items():
                known = await edit.content_item(key)
                places = differences(body_of(b"{}" if known is None else known.body), body)
                step = Step.NEW if known is None else Step.CHANGED if places else Step.SAME
                steps.append(ImportStep(key, step, places))
                if step is not Step.SAME and not dry_run:
                    await self._contents.put_in(edit, key, body, None, by)
        return steps


def zipped(files: Mapping[str, bytes]) -> bytes:
    """An archive of files; the same for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.external_attr = _FILE_MODE
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return out.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    """The files of an archive. Raises CourtesyError: UNREADABLE for what is none, TOO_LARGE for one that unpacks to
    more than FILES_MAX files or BYTES_MAX bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [each for each in archive.infolist() if not each.is_dir()]
            # What an entry says of its size is checked by its checksum, and no more than that is read.
            size = sum(each.file_size for each in entries)
            if len(entries) > FILES_MAX or size > BYTES_MAX:
                raise CourtesyError(
                    Code.TOO_LARGE,
                    f"expected at most {FILES_MAX} files of {BYTES_MAX} bytes, got {len(entries)} of {size}",
                    place="archive",
                )
            return {each.filename: archive.read(each) for each in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise CourtesyError(Code.UNREADABLE, f"expected a ZIP archive: {error}", place="archive") from None


def read_files(place: Path) -> dict[str, bytes]:
    """The files of content in a folder, or in an archive that ends in `.zip`. Raises CourtesyError(NOT_FOUND)."""
    if place.is_file() and place.suffix == ".zip":
        return unzipped(place.read_bytes())
    if not place.is_dir():
        raise CourtesyError(Code.NOT_FOUND, f"no folder or .zip file {place}", place="place")
    return {path: (place / path).read_bytes() for path in _present(place)}


def write_files(files: Mapping[str, bytes], place: Path) -> None:
    """Write files to a folder, or to an archive when its name ends in `.zip`. In a folder, what is not about these
    items stays as it is."""
    if place.suffix == ".zip":
        place.write_bytes(zipped(files))
        return
    for path in outdated(files, _present(place)):
        (place / path).unlink()
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)


def _present(folder: Path) -> list[str]:
    """The paths of files of content in a folder."""
    found = (path for kind in KINDS for path in (folder / kind).glob("*") if path.suffix in (ITEM_END, TEXT_END))
    return sorted(path.relative_to(folder).as_posix() for path in found if path.is_file())
