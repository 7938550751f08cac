"""The processes of a server, as the supervisor would start them: made of the real parts, and mortal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, cast

from courtesy.base.errors import HTTP_STATUS, Code, CourtesyError
from courtesy.base.time import DAY_MS, HOUR_MS, Clock
from courtesy.channel.contract import Channel
from courtesy.channel.subjects import SubjectCalls
from courtesy.engine.contract import Engine, ImportProgress, StorageFull, Unavailable
from courtesy.engine.imported import FileKey
from courtesy.engine_memory import MemoryEngine
from courtesy.http.body import Envelope, accept_all
from courtesy.identity.rules import IdentityRules
from courtesy.person.step import WEBHOOK
from courtesy.runtime.audit import Audit
from courtesy.runtime.catalog import CatalogCache
from courtesy.runtime.dispatch import Dispatcher
from courtesy.runtime.erase import Eraser
from courtesy.runtime.fold import FoldWorker
from courtesy.runtime.held import HeldEvents
from courtesy.runtime.history import History as Past
from courtesy.runtime.ingest import Ingest, Receipt
from courtesy.runtime.people import People
from courtesy.runtime.permits import Permits
from courtesy.runtime.quarantine import Quarantine
from courtesy.runtime.recipient import SubjectIds
from courtesy.runtime.repair import Repairs
from courtesy.runtime.settings import Settings
from courtesy.runtime.take_back import TakeBacks
from courtesy.runtime.targets import WebhookTargets
from courtesy.runtime.telling import Teller
from courtesy.runtime.trimming import trim
from tests.sim.faults import Faults
from tests.sim.history import History, Message
from tests.sim.others import Calls, Other
from tests.sim.remote import Remote, RemoteChannel
from tests.sim.store import WatchedDisk, Wire

IMPORTED = "import"
"""The source whose events are history: they start nothing, and their keys are kept for ever."""

OPENING: ContextVar[Process | None] = ContextVar("process", default=None)
"""The process whose code runs. Tasks that it makes are its own, and die with it."""


SUBJECT_IDS = SubjectIds(Settings(link_key="the key of a simulation"))


class Request(NamedTuple):
    """Some messages of one source, as one body. `sent_at` is by the client's clock; `gpc`: it has Global Privacy
    Control."""

    source: str
    messages: tuple[Message, ...]
    sent_at: str | None
    gpc: bool = False


class Answer(NamedTuple):
    """Status and receipt of a request."""

    status: int
    receipt: Receipt | None


def _as_defined(rules: IdentityRules) -> IdentityRules:
    return rules


@dataclass(frozen=True, slots=True)
class Parts:
    """What processes are made of. A canary puts something broken in a part's place."""

    disk: type[WatchedDisk] = WatchedDisk
    wire: type[Wire] = Wire
    worker: type[FoldWorker] = FoldWorker
    ingest: type[Ingest] = Ingest
    dispatcher: type[Dispatcher] = Dispatcher
    repairs: type[Repairs] = Repairs
    take_backs: type[TakeBacks] = TakeBacks
    permits: type[Permits] = Permits
    teller: type[Teller] = Teller
    eraser: type[Eraser] = Eraser
    rules: Callable[[IdentityRules], IdentityRules] = _as_defined


@dataclass(frozen=True, slots=True)
class Machine:
    """What all processes share."""

    loop: asyncio.AbstractEventLoop
    clock: Clock
    disk: WatchedDisk
    faults: Faults
    history: History
    remote: Remote
    parts: Parts
    others: dict[str, Other] = field(default_factory=dict)
    """The recipients of a run that has any, by name."""


def make_task(
    loop: asyncio.AbstractEventLoop, body: Coroutine[Any, Any, Any], context: Context | None = None, **named: Any
) -> asyncio.Task[Any]:
    """A task factory that makes each task known to the process that made it."""
    owner = OPENING.get() if context is None else context.get(OPENING)
    task = asyncio.Task(body, loop=loop, context=context, **named)
    if owner is not None:
        owner.own(task)
    return task


class Process:
    """One process: an engine of its own over the common disk, tasks, and an end that may come at any await."""

    kind: ClassVar[str]

    def __init__(self, machine: Machine, name: str) -> None:
        self.name = name
        self.crashed = False
        self.stop = asyncio.Event()
        self.done: asyncio.Task[None] | None = None
        self._machine = machine
        self._inner = MemoryEngine(machine.clock, machine.disk.partition_count, machine.disk)
        wire = machine.parts.wire(self._inner, self, machine.faults, machine.history)
        self._engine = cast(Engine, wire)
        self._catalog = CatalogCache(self._engine, machine.clock)
        self._tasks: list[asyncio.Task[Any]] = []

    def own(self, task: asyncio.Task[Any]) -> None:
        """From now on a task of this process."""
        if len(self._tasks) > 256:
            self._tasks = [each for each in self._tasks if not each.done()]
        self._tasks.append(task)

    def spawn(self, body: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something inside the process."""
        context = Context()
        context.run(OPENING.set, self)
        return self._machine.loop.create_task(body, context=context)

    def start(self) -> None:
        """Begin to run."""
        self.done = self.spawn(self._main())

    async def _main(self) -> None:
        await self._inner.open()
        try:
            await self._catalog.start()
            await self.run()
        finally:
            await self._catalog.stop()
            await self._inner.close()

    async def run(self) -> None:
        """Work until `stop` is set."""
        raise NotImplementedError

    def crash(self) -> None:
        """End without another word: nothing that was under way gets any further."""
        if self.crashed:
            return
        self.crashed = True
        self._machine.history.trace.note(self.name, "crashes")
        for task in self._tasks:
            task.cancel()
        self._machine.loop.create_task(self._inner.close(), context=Context())


class Front(Process):
    """Accepts events and reads people."""

    kind = "front"

    def __init__(self, machine: Machine, name: str) -> None:
        super().__init__(machine, name)
        rules = machine.parts.rules
        self.is_ready = False
        self.ingest = machine.parts.ingest(self._engine, lambda: rules(self._catalog.rules()), machine.clock)
        past = Past(self._engine, machine.disk.archive)
        self.people = People(self._engine, self._catalog, past)
        self.repairs = machine.parts.repairs(self._engine, self._catalog, past, machine.clock)
        self.take_backs = machine.parts.take_backs(self._engine, self._catalog, past, self.repairs, machine.clock)
        held = HeldEvents(self._engine, self._catalog)
        recipients = self._catalog.recipients if machine.others else None
        self.eraser = machine.parts.eraser(
            self._engine, past, machine.disk.archive, held, machine.clock, None, recipients
        )
        self.permits = machine.parts.permits(self._engine, self.people, machine.clock)
        self.audit = Audit(self._engine, self.people)
        self.quarantine = Quarantine(self._engine, self._catalog, self.ingest)
        self.catalog = self._catalog

    async def run(self) -> None:
        self.ingest.start()
        self.is_ready = True
        await self.stop.wait()
        self.is_ready = False
        await self.ingest.stop()

    async def accept(self, request: Request) -> Answer:
        """What the HTTP layer does with a body that it could read."""
        try:
            policy = self._catalog.policy(request.source)
            envelope = Envelope([message.raw for message in request.messages], sent_at=request.sent_at)
            is_live = request.source != IMPORTED
            items = accept_all(envelope, policy, self._machine.clock.now_ms(), live=is_live, gpc=request.gpc)
            receipt = await self.ingest.append(items, policy, keep_keys=not is_live)
        except CourtesyError as error:
            return Answer(HTTP_STATUS[error.code], None)
        return Answer(200, receipt)

    async def begin_import(self, file: FileKey, name: str) -> int:
        """The first row of a file that is not known to be there. Raises CONFLICT while it is being taken back."""
        known = await self._engine.import_progress(*file)
        if known is None:
            # Before anything of it is stored, so that it is known what to take back.
            await self._engine.save_import(ImportProgress(*file, name, 0, None))
        elif known.taken_back_ms is not None:
            raise CourtesyError(Code.CONFLICT, "this file is being taken back")
        return 0 if known is None else known.row_count

    async def import_rows(self, file: FileKey, rows: Sequence[Message]) -> Receipt:
        """What an import does with some rows of a file."""
        policy = self._catalog.policy(IMPORTED)
        envelope = Envelope([row.raw for row in rows], sent_at=None)
        items = accept_all(envelope, policy, self._machine.clock.now_ms(), live=False)
        return await self.ingest.append(items, policy, keep_keys=True, file=file.fingerprint)

    async def save_import(self, file: FileKey, name: str, row_count: int, *, finished: bool) -> None:
        """Remember how far a file is imported. Raises CONFLICT when it was taken back meanwhile."""
        known = await self._engine.import_progress(*file)
        if known is None or known.taken_back_ms is not None:
            raise CourtesyError(Code.CONFLICT, "this file was taken back while it was imported")
        finished_ms = self._machine.clock.now_ms() if finished else None
        await self._engine.save_import(ImportProgress(*file, name, row_count, finished_ms))


class Folder(Process):
    """Owns partitions and folds them."""

    kind = "folder"

    async def run(self) -> None:
        machine = self._machine
        await machine.parts.worker(self._engine, self._catalog.catalog, machine.clock, self.name).run(self.stop)


class Courier(Process):
    """Carries out effects, and keeps the store trim."""

    kind = "courier"

    async def trim(self, before_ms: int) -> None:
        """What the upkeep does, but for records that are far younger."""
        with suppress(Unavailable, StorageFull):
            await trim(self._engine, before_ms)
            await self._engine.forget_keys(self._machine.clock.now_ms() - 7 * DAY_MS - HOUR_MS)

    async def run(self) -> None:
        machine = self._machine
        channels: dict[str, Channel] = {WEBHOOK: RemoteChannel(None, machine.remote, self.crash)}
        targets = {WEBHOOK: WebhookTargets(self._catalog)}
        await machine.parts.dispatcher(self._engine, channels, targets, machine.clock).run(self.stop)


class Herald(Process):
    """Tells recipients."""

    kind = "herald"

    async def run(self) -> None:
        machine = self._machine
        calls = cast(SubjectCalls, Calls(machine.others))
        await machine.parts.teller(
            self._engine, lambda: self._catalog.now.recipients, calls, SUBJECT_IDS, machine.clock
        ).run(self.stop)
