"""The native way in, for servers and for history: an array, a single call, or a stream of lines, up to 50 MB.

A stream is stored in chunks, each durable before the next is read on, so that memory stays bounded. When the store
fails in the middle the answer says how far it came; sending everything again is safe, since what has a message id or
tells its time is recognised.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import msgspec
from msgspec import UNSET, UnsetType

from courtesy.base.errors import Code, CourtesyError
from courtesy.event.accept import EVENT_BYTES_MAX, Rejected, SourcePolicy
from courtesy.event.cause import Cause, Fate
from courtesy.http.auth import Headers, write_keys_in
from courtesy.http.body import BYTE_ORDER_MARK, Envelope, accept_by_turns, open_call, open_items
from courtesy.http.errors import answer_to, problem_of
from courtesy.http.metrics import count_fates
from courtesy.http.operation import Answer, Asked, Operation
from courtesy.http.schemas import EVENTS_BODY
from courtesy.http.tracking import headers_of
from courtesy.http.wire import BadBody, Line, lines, pieces, unpacked_pieces
from courtesy.runtime.app import App
from courtesy.runtime.catalog import Scope

BODY_BYTES_MAX = 50 * 1024 * 1024
CHUNK_EVENTS = 1_000
CHUNK_BYTES = 4 * 1024 * 1024
RESULTS_MAX = 1_000
SINGLE_BYTES_MAX = 2 * EVENT_BYTES_MAX
"""Up to here a body that begins with a brace, but not with a whole line, is looked at as one call over many lines."""


class EventsQuery(msgspec.Struct, frozen=True):
    """`live=false`: history, which changes facts and starts nothing. `source`: for an admin key, where to write to."""

    live: bool = True
    source: str | None = None


class LineResult(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """What became of an item that was not stored, or a warning: its place from 0 and, in a stream, its line from 1."""

    index: int
    fate: str
    cause: str
    detail: str
    message_id: str | None
    line: int | None = None


class Received(msgspec.Struct, frozen=True):
    """Everything is stored but what `results` lists with another fate than `stored`.

    They are up to 1,000 items; `results_cut` says that there are more.
    """

    success: bool
    position: str
    received: int
    stored: int
    quarantined: int
    duplicate: int
    suppressed: int
    results: Sequence[LineResult]
    results_cut: bool


class Interrupted(msgspec.Struct, frozen=True):
    """An error. Once the body was begun: the first `received` items are dealt with, `stored` of them stored."""

    code: str
    message: str
    hint: str
    place: str
    received: int | UnsetType = UNSET
    stored: int | UnsetType = UNSET


@dataclass(slots=True)
class _Progress:
    """What became of the items so far."""

    app: App
    policy: SourcePolicy
    live: bool
    received: int = 0
    stored: int = 0
    position: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)
    results: list[LineResult] = field(default_factory=list)

    async def store(self, items: Sequence[bytes], numbers: Sequence[int] | None = None) -> None:
        """Store some items; `numbers` are their lines."""
        ingest = self.app.ingest
        accepted = await accept_by_turns(
            ingest.turn, Envelope(items), self.policy, self.app.clock.now_ms(), live=self.live
        )
        receipt = await ingest.append(accepted, self.policy)
        count_fates(receipt)
        await self.app.post.inbox.settle(accepted)
        for each in receipt.results:
            self.fates[each.fate] += 1
            if len(self.results) < RESULTS_MAX:
                line = None if numbers is None else numbers[each.place]
                index = self.received + each.place
                told = LineResult(index, each.fate, each.cause, each.detail, each.message_id, line)
                self.results.append(told)
        self.received += len(items)
        self.stored += receipt.stored_count
        self.position = max(self.position, receipt.position)

    async def store_lines(self, some: Sequence[Line]) -> None:
        """Store some lines of a stream."""
        await self.store([line.content for line in some], [line.number for line in some])

    async def keep(self, bad: BadBody) -> None:
        """Put the beginning of a body that can't be taken into quarantine."""
        receipt = await self.app.ingest.append([Rejected(bad.cause, bad.detail, bad.head)], self.policy)
        count_fates(receipt)

    def summary(self) -> Received:
        """The answer when everything is dealt with."""
        return Received(
            True,
            str(self.position),
            self.received,
            self.stored,
            self.fates[Fate.QUARANTINED],
            self.fates[Fate.DUPLICATE],
            self.fates[Fate.SUPPRESSED],
            self.results,
            sum(self.fates.values()) > len(self.results),
        )


async def receive_events(asked: Asked[EventsQuery, None]) -> Answer | Received:
    """Store what the body has."""
    headers = headers_of(asked)
    policy = await asked.door.writer(write_keys_in(headers), asked.query.source)
    progress = _Progress(asked.app, policy, asked.query.live)
    parts = unpacked_pieces(pieces(asked.request), BODY_BYTES_MAX)
    try:
        await _receive(parts, _says_lines(headers), progress)
    except BadBody as bad:
        await progress.keep(bad)
        error: Exception = CourtesyError(Code(str(bad.cause)), bad.detail, hint=_hint(bad), place="body")
        return _interrupted(error, asked.operation, progress)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the client must learn how far it came
        return _interrupted(error, asked.operation, progress)
    return progress.summary()


def _hint(bad: BadBody) -> str:
    if bad.cause is Cause.TOO_LARGE:
        return "send it in several requests"
    return "say `Content-Type: application/x-ndjson` when each line is a call"


def _says_lines(headers: Headers) -> bool:
    label = headers.get(b"content-type", b"").lower()
    return b"ndjson" in label or b"jsonl" in label or b"json-lines" in label


async def _receive(parts: AsyncIterator[bytes], says_lines: bool, progress: _Progress) -> None:
    """Find out what the body is, and store it."""
    if says_lines:
        await _store_lines(parts, progress)
        return
    start = await _beginning(parts)
    whole = _after(start, parts)
    text = start.lstrip()
    if not text or _is_call(text.partition(b"\n")[0]):
        await _store_lines(whole, progress)
    elif text[:1] == b"[":
        await _store_array(whole, progress)
    else:
        await _store_single(whole, progress)


async def _beginning(parts: AsyncIterator[bytes]) -> bytes:
    """As much as is needed to see the first line that is not blank."""
    start = b""
    while len(start) < SINGLE_BYTES_MAX and b"\n" not in start.lstrip():
        part = await anext(parts, None)
        if part is None:
            break
        start = (start + part).removeprefix(BYTE_ORDER_MARK)
    return start


async def _after(start: bytes, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield start
    async for part in parts:
        yield part


def _is_call(line: bytes) -> bool:
    try:
        open_call(line)
    except BadBody:
        return False
    return True


async def _store_lines(parts: AsyncIterator[bytes], progress: _Progress) -> None:
    waiting: list[Line] = []
    waiting_bytes = 0
    async for some in lines(parts):
        for line in some:
            waiting.append(line)
            waiting_bytes += len(line.content)
            if len(waiting) >= CHUNK_EVENTS or waiting_bytes >= CHUNK_BYTES:
                await progress.store_lines(waiting)
                waiting, waiting_bytes = [], 0
    # Even without a line, for the answer must have a position.
    await progress.store_lines(waiting)


async def _store_array(parts: AsyncIterator[bytes], progress: _Progress) -> None:
    items = open_items(b"".join([part async for part in parts]))
    for start in range(0, max(len(items), 1), CHUNK_EVENTS):
        await progress.store(items[start : start + CHUNK_EVENTS])


async def _store_single(parts: AsyncIterator[bytes], progress: _Progress) -> None:
    content = b""
    async for part in parts:
        content += part
        if len(content) > SINGLE_BYTES_MAX:
            raise BadBody(Cause.TOO_LARGE, f"expected a call of at most {EVENT_BYTES_MAX} bytes", content)
    open_call(content)
    await progress.store([content])


def _interrupted(error: Exception, operation: Operation, progress: _Progress) -> Answer:
    """An error, and how far it came before."""
    told = problem_of(error, operation)
    content = Interrupted(told.code, told.message, told.hint, told.place, progress.received, progress.stored)
    return answer_to(error, operation, content)


OPERATIONS = (
    Operation(
        "POST",
        "/v1/events",
        "events",
        "Send calls: an array, a single one, or a stream of lines.",
        receive_events,
        doc="Each chunk of 1,000 is durable before the next is read. After an error, `received` items were dealt with; "
        "sending everything again counts nothing twice that has a messageId or tells its time.",
        scope=Scope.WRITE,
        query=EventsQuery,
        answer=Received,
        codes=(Code.UNREADABLE, Code.TOO_LARGE, Code.NOT_FOUND, Code.TOO_MANY),
        problem=Interrupted,
        request=EVENTS_BODY,
    ),
)
