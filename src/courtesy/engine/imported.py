"""What the store remembers of an imported file, so that it can be taken back; and what taking it back changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from courtesy.base.ids import PersonId, Position, SourceId
from courtesy.identity.resolve import Evidence, Link


class FileKey(NamedTuple):
    """A file as imported into a source. `fingerprint` is the SHA-256 of its bytes in hex."""

    fingerprint: str
    source: SourceId


class Span(NamedTuple):
    """Positions of the log, both ends included, at which all EVENT and GROUP records are of one file."""

    first: Position
    last: Position


@dataclass(frozen=True, slots=True)
class TakeBack:
    """What of a file goes in one append: the records of some people, and what only they told.

    `people`: every number under which they lie. `positions` and `keys` are those of their records that are the file's,
    in the log or not; copies that were forwarded have the same keys. An EVENT or GROUP record with such a key elsewhere
    stays: another file told the same since. `restored`: whose earlier RESTORE records go as well. `identifiers`: nobody
    else told of them; they are nobody's now. `evidence`: what told of an identifier, now that the file does not. `cut`:
    links that only the file told, `links`: those that were told after it as well. `messages`: what was refused to these
    people by messages of these names is as if never said.

    `finished`: nothing is left of that file in the log; with it go its counts, what of it is in quarantine, and the
    memory that it was imported.
    """

    source: SourceId
    people: Collection[PersonId] = ()
    positions: Collection[Position] = ()
    keys: Collection[bytes] = ()
    restored: Collection[PersonId] = ()
    identifiers: Collection[str] = ()
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    cut: Collection[Link] = ()
    links: Collection[Link] = ()
    messages: Collection[str] = ()
    finished: FileKey | None = None


class Spans:
    """Some spans, to ask which positions lie in them."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = sorted(spans)

    def __bool__(self) -> bool:
        return bool(self._spans)

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __contains__(self, position: int) -> bool:
        low, high = 0, len(self._spans)
        while low < high:
            middle = (low + high) // 2
            if self._spans[middle].last < position:
                low = middle + 1
            else:
                high = middle
        return low < len(self._spans) and self._spans[low].first <= position


def joined(spans: Iterable[Span]) -> list[Span]:
    """The same positions in as few spans as possible, in order."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.first <= found[-1].last + 1:
            found[-1] = Span(found[-1].first, max(found[-1].last, span.last))
        else:
            found.append(span)
    return found


def runs_of(keys: Sequence[bytes], files: Mapping[bytes, FileKey]) -> dict[FileKey, list[tuple[int, int]]]:
    """The runs of records, given by their keys, that are of one file; by the places of the first and the last."""
    found: dict[FileKey, list[tuple[int, int]]] = {}
    before: FileKey | None = None
    for place, key in enumerate(keys):
        file = files.get(key)
        if file is not None:
            runs = found.setdefault(file, [])
            if file == before:
                runs[-1] = (runs[-1][0], place)
            else:
                runs.append((place, place))
        before = file
    return found
