"""Documents: the boxes of the pages of a PDF (ISO 32000-2, 14.11.2), without rendering it. Memory is bounded."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping

from courtesy.base.errors import Code, CourtesyError
from courtesy.content.limits import MM_PER_INCH
from courtesy.content.printing import Box, Page

INFLATED_BYTES_MAX = 64 * 1024 * 1024
"""Of the object streams of one document together."""

POINTS_PER_INCH = 72
_NUMBERS_BYTES_MAX = 1_000

# Numbers and spaces are bounded: what is searched may be anything.
_HEAD = re.compile(rb"(?<!\d)(\d{1,10})\s{1,9}\d{1,5}\s{1,9}obj\b")
_END = re.compile(rb"endobj\b|\bstream\r?\n")
_REFERENCE = re.compile(rb"(?<!\d)(\d{1,10})\s{1,9}\d{1,5}\s{1,9}R\b")
_ROOT = re.compile(rb"/Root\s{1,9}(\d{1,10})\s{1,9}\d{1,5}\s{1,9}R\b")
_ENCRYPTED = re.compile(rb"/Encrypt\s{0,9}(?:\d{1,10}\s{1,9}\d{1,5}\s{1,9}R\b|<<)")
_PACKED = re.compile(rb"/Type\s{0,9}/ObjStm\b")
_PAGE_TREE = re.compile(rb"/Type\s{0,9}/Pages\b")
_NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)")

_INHERITED = (b"MediaBox", b"CropBox", b"Rotate")

Objects = Mapping[int, bytes]
Inherited = Mapping[bytes, bytes]


def pages_of(content: bytes) -> tuple[Page, ...]:
    """The pages of a PDF in their order, each as it is shown upright. Raises CourtesyError(UNREADABLE) for one that is
    encrypted or broken, or packed otherwise than by Flate."""
    objects = _objects(content)
    roots = _ROOT.findall(content)
    if not roots or _ENCRYPTED.search(content):
        raise _unreadable("it is encrypted, or no PDF")
    tree = _value(objects, objects.get(int(roots[-1]), b""), b"Pages")
    pages = tuple(_pages(objects, tree))
    if not pages:
        raise _unreadable("it has no pages")
    return pages


def _pages(objects: Objects, tree: bytes) -> Iterator[Page]:
    """The leaves below a node, from left to right."""
    ahead: list[tuple[bytes, Inherited]] = [(tree, {})]
    met: set[int] = set()
    while ahead:
        node, above = ahead.pop()
        own = {name: given for name in _INHERITED if (given := _value(objects, node, name))}
        inherited = {**above, **own}
        if not _PAGE_TREE.search(node):
            yield _page(objects, node, inherited)
            continue
        kids = [int(each) for each in _REFERENCE.findall(_value(objects, node, b"Kids"))]
        for kid in reversed(kids):
            if kid in met or kid not in objects:
                raise _unreadable("its pages stand in a circle, or are not there")
            met.add(kid)
            ahead.append((objects[kid], inherited))


def _page(objects: Objects, node: bytes, inherited: Inherited) -> Page:
    """A page by its boxes: that of the bleed is the crop box when it is not said, and that the media box."""
    bleed = _value(objects, node, b"BleedBox") or inherited.get(b"CropBox") or inherited.get(b"MediaBox") or b""
    trim = _value(objects, node, b"TrimBox")
    unit = _numbers(_value(objects, node, b"UserUnit")) or [1.0]
    turned = (_numbers(inherited.get(b"Rotate", b"")) or [0.0])[0] % 180 != 0
    mm = unit[0] * MM_PER_INCH / POINTS_PER_INCH
    return Page(_box(bleed, mm, turned), _box(trim, mm, turned) if trim else None)


def _box(given: bytes, mm: float, turned: bool) -> Box:
    """A box, to a hundredth of a mm, from two of its corners, whichever they are. `turned`: its axes change places."""
    numbers = [round(each * mm, 2) for each in _numbers(given)]
    if len(numbers) != 4:
        raise _unreadable("a page has no box")
    (left, right), (bottom, top) = sorted(numbers[::2]), sorted(numbers[1::2])
    return Box(bottom, left, top, right) if turned else Box(left, bottom, right, top)


def _numbers(given: bytes) -> list[float]:
    return [float(each) for each in _NUMBER.findall(given[:_NUMBERS_BYTES_MAX])]


def _value(objects: Objects, node: bytes, name: bytes) -> bytes:
    """An array without its brackets, a number, or what is referred to; empty when there is nothing of this name."""
    pattern = rb"/" + name + rb"\s{0,9}(?:\[([^\[\]]*)\]|(\d{1,10})\s{1,9}\d{1,5}\s{1,9}R\b|([-+.\d]{1,20}))"
    found = re.search(pattern, node)
    if found is None:
        return b""
    array, reference, number = found.groups()
    return objects.get(int(reference), b"") if reference else array or number or b""


def _objects(content: bytes) -> dict[int, bytes]:
    """Every object by its number, without its stream; of one that was changed the latest."""
    found: dict[int, bytes] = {}
    at, room = 0, INFLATED_BYTES_MAX
    while (head := _HEAD.search(content, at)) and (end := _END.search(content, head.end())):
        text = found[int(head[1])] = content[head.end() : end.start()]
        at = end.end()
        if not end[0].startswith(b"stream"):
            continue
        closed = content.find(b"endstream", at)
        if closed < 0:
            break
        if _PACKED.search(text):
            inflated = _inflated(content[at:closed], room)
            room -= len(inflated)
            found.update(_unpacked(text, inflated))
        at = closed
    return found


def _inflated(packed: bytes, room: int) -> bytes:
    try:
        inflated = zlib.decompressobj().decompress(packed, room + 1)
    except zlib.error:
        raise _unreadable("it is packed otherwise, or encrypted") from None
    if len(inflated) > room:
        raise _unreadable("it is too large")
    return inflated


def _unpacked(head: bytes, stream: bytes) -> dict[int, bytes]:
    """The objects of an object stream (7.5.7): pairs of number and offset, then, at `First`, the objects."""
    first = int((_numbers(_value({}, head, b"First")) or [0.0])[0])
    words = stream[:first].split()
    if not all(each.isdigit() and len(each) <= 10 for each in words) or len(words) % 2:
        raise _unreadable("its objects can't be told apart")
    numbers, starts = [int(each) for each in words[::2]], [first + int(each) for each in words[1::2]]
    if starts != sorted(starts):
        raise _unreadable("its objects can't be told apart")
    return {
        number: stream[start:end]
        for number, start, end in zip(numbers, starts, [*starts[1:], len(stream)], strict=True)
    }


def _unreadable(why: str) -> CourtesyError:
    return CourtesyError(Code.UNREADABLE, f"the pages of the document can't be read: {why}", place="body")
