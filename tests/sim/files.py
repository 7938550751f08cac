"""What was seen of imported files: what they tell, where it came to lie, and what became of it when they were taken
back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from courtesy.base.ids import Position
from courtesy.engine.contract import Imported
from courtesy.engine.imported import FileKey
from courtesy.person.record import FACTS, SYSTEM_SOURCE, Record


@dataclass(slots=True)
class FileSeen:
    """A file with the keys of its messages, and what was seen of it since it was last taken back: where its events lie,
    and how many of its rows were surely counted, were perhaps, and were erased out of quarantine."""

    keys: frozenset[bytes]
    places: set[Position] = field(default_factory=set)
    answered_count: int = 0
    unsure_count: int = 0
    erased_held_count: int = 0
    taken_back_count: int = 0


class Files:
    """Every file of a run. `change_count` rises whenever something of one is taken back."""

    def __init__(self, fail: Callable[[str, str], None]) -> None:
        self.seen: dict[FileKey, FileSeen] = {}
        self.change_count = 0
        self.uncounted: set[Position] = set()
        """Where events lay whose file was taken back: they count for nothing, even those that were erased before."""
        self._fail = fail

    def write(self, file: FileKey, keys: Iterable[bytes]) -> FileSeen:
        """There is a file with messages of these keys."""
        return self.seen.setdefault(file, FileSeen(frozenset(keys)))

    def place(self, imported: Iterable[Imported], first: Position) -> None:
        """The store says what of the records that it is about to file, from `first` on, is of which file."""
        for each in imported:
            for start, end in each.runs:
                self.seen[each.file].places.update(Position(first + place) for place in range(start, end + 1))

    def check_place(self, record: Record) -> None:
        """A record that a client sent lies in a file if that told it, and in no other."""
        if record.kind not in FACTS or record.source == SYSTEM_SOURCE:
            return
        telling = {file for file, seen in self.seen.items() if record.key in seen.keys}
        lying = {file for file, seen in self.seen.items() if record.position in seen.places}
        if len(lying) > 1 or not lying <= telling or bool(lying) != bool(telling):
            self._fail("taken_back", f"{record.key.hex()} lies in {lying}, but was told by {telling}")

    def take(self, file: FileKey | None, taken: Collection[Position], rest: Collection[Position]) -> None:
        """Records are taken back, and with `file` the memory that it was ever there; `rest` are all that are left then.
        Only what is of one file may go, and when it is forgotten nothing of it may be left."""
        self.change_count += 1
        known = [each.places for each in self.seen.values() if not each.places.isdisjoint(taken)]
        if len(known) > 1 or not set(taken) <= set().union(*known):
            self._fail(
                "taken_back", f"{sorted(set(taken).difference(*known))} were taken back, but are of no such file"
            )
        if file is None:
            return
        seen = self.seen[file]
        if not seen.places.isdisjoint(rest):
            left = sorted(seen.places.intersection(rest))
            self._fail("taken_back", f"{file.fingerprint:.8} was taken back, but for {left}")
        self.uncounted |= seen.places
        self.seen[file] = FileSeen(
            seen.keys, unsure_count=seen.unsure_count, taken_back_count=seen.taken_back_count + 1
        )
