"""What accepting leaves beside the log: message keys, counts, and the quarantine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from courtesy.base.ids import SourceId
from courtesy.engine.contract import Count, Quarantined, QuarantineGroup
from courtesy.engine.imported import FileKey
from courtesy.event.cause import Cause, Fate

_Bucket = tuple[SourceId, int, Fate, Cause | None]


class Intake:
    """Keys by which duplicates are known, how many events met which fate, and those that wait to be mended."""

    def __init__(self) -> None:
        self._seen: dict[bytes, int | None] = {}
        self._counts: dict[_Bucket, int] = {}
        self._quarantined: dict[int, Quarantined] = {}
        self._quarantined_count = 0

    def seen(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of the keys that were remembered."""
        return {key for key in keys if key in self._seen}

    def remember(self, keys: Iterable[tuple[bytes, int | None]]) -> None:
        """Remember each key as of an instant (ms UTC), or for ever when that is None."""
        self._seen.update(keys)

    def forget(self, before_ms: int) -> int:
        """Forget keys older than an instant; how many."""
        old = [key for key, at_ms in self._seen.items() if at_ms is not None and at_ms < before_ms]
        for key in old:
            del self._seen[key]
        return len(old)

    def forget_keys(self, keys: Iterable[bytes]) -> None:
        """Forget some keys, those to be kept too."""
        for key in keys:
            self._seen.pop(key, None)

    def count(self, counts: Iterable[Count]) -> None:
        """Add to the sums."""
        for each in counts:
            bucket = each[:4]
            self._counts[bucket] = self._counts.get(bucket, 0) + each.event_count

    def uncount(self, counts: Iterable[Count]) -> None:
        """Take from the sums."""
        self.count(each._replace(event_count=-each.event_count) for each in counts)

    def counted(self, from_ms: int, to_ms: int) -> list[Count]:
        """The sums of the hours that begin in a span, by hour, source, fate and cause."""
        sums = [
            Count(*bucket, count) for bucket, count in self._counts.items() if count and from_ms <= bucket[1] < to_ms
        ]
        return sorted(sums, key=lambda each: (each.hour_ms, each.source, each.fate, each.cause or ""))

    def quarantine(self, rejected: Iterable[Quarantined]) -> None:
        """Keep rejected events, each under a number of its own."""
        for each in rejected:
            self._quarantined_count += 1
            self._quarantined[self._quarantined_count] = each._replace(number=self._quarantined_count)

    def still_quarantined(self, numbers: Iterable[int]) -> dict[int, Cause]:
        """The cause of each that is still there."""
        return {number: self._quarantined[number].cause for number in numbers if number in self._quarantined}

    def release(self, numbers: Iterable[int]) -> None:
        """Keep those no longer."""
        for number in numbers:
            self._quarantined.pop(number, None)

    def release_file(self, file: FileKey) -> None:
        """Keep nothing that came in that file."""
        own = [n for n, each in self._quarantined.items() if FileKey(each.file or "", each.source) == file]
        self.release(own)

    def hold_again(self, rejected: Iterable[Quarantined]) -> None:
        """Keep those that are still there for another cause than before."""
        for each in rejected:
            known = self._quarantined.get(each.number)
            if known is not None:
                self._quarantined[each.number] = known._replace(
                    cause=each.cause, detail=each.detail, signature=each.signature, mended=each.mended
                )

    def quarantined(
        self,
        source: SourceId | None,
        cause: Cause | None,
        before: int | None,
        limit: int,
        signature: str | None,
        numbers: Collection[int] | None,
    ) -> list[Quarantined]:
        """Rejected events, newest first, before a number if given."""
        found = [
            each
            for each in sorted(self._quarantined.values(), key=lambda each: -each.number)
            if (source is None or each.source == source)
            and (cause is None or each.cause is cause)
            and (before is None or each.number < before)
            and (signature is None or each.signature == signature)
            and (numbers is None or each.number in numbers)
        ]
        return found[:limit]

    def groups(self, source: SourceId | None, cause: Cause | None) -> list[QuarantineGroup]:
        """What is held by source, cause and signature."""
        grouped: dict[tuple[SourceId, Cause, str], list[Quarantined]] = {}
        for each in self._quarantined.values():
            if (source is None or each.source == source) and (cause is None or each.cause is cause):
                grouped.setdefault((each.source, each.cause, each.signature), []).append(each)
        groups = [_group(*key, held) for key, held in grouped.items()]
        return sorted(groups, key=lambda each: (-each.event_count, -each.last_number))


def _group(source: SourceId, cause: Cause, signature: str, held: Sequence[Quarantined]) -> QuarantineGroup:
    arrived = [each.received_ms for each in held]
    latest = max(each.number for each in held)
    return QuarantineGroup(source, cause, signature, len(held), min(arrived), max(arrived), latest)
