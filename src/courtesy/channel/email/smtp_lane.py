"""The way to one mail server: letters wait in one queue, and a few sessions take from it."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from courtesy.channel.contract import Outside
from courtesy.channel.email.smtp_session import (
    FINAL_PATIENCE,
    ConnectionLost,
    Envelope,
    NotOpened,
    Reply,
    Session,
    opened,
    stuffed,
)
from courtesy.channel.mail import Server
from courtesy.channel.message import Accepted, Answer, Later, Refused, Unsure
from courtesy.delivery.cause import DeliveryCause
from courtesy.delivery.diagnosis import diagnosed
from courtesy.delivery.outcome import shortened

_GO_AHEAD = 354
_GOOD_BYE = 421
_OUT_OF_TURN = 503
_COMMANDS_OF_AN_OFFER = 3
# What a refusal of the sender can't mean, whatever its words are: nothing is known of the recipient by then.
_OF_RECIPIENTS = {DeliveryCause.DEAD_ADDRESS, DeliveryCause.BAD_DOMAIN, DeliveryCause.INACTIVE, DeliveryCause.FULL}


@dataclass(frozen=True, slots=True)
class Limits:
    """How a server is used. `timeout_s` is for each of its answers; the one to a message may take longer."""

    sessions: int = 4
    messages_per_session: int = 100
    timeout_s: float = 60.0
    idle_s: float = 10.0
    hello: str = "localhost"


class _Job:
    """One message under way. A job goes back into the queue once at most, when it was certainly not handed over."""

    __slots__ = ("answer", "envelope", "is_again")

    def __init__(self, envelope: Envelope, answer: asyncio.Future[Answer]) -> None:
        self.envelope = envelope
        self.answer = answer
        self.is_again = False

    def settle(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


class Lane:
    """Carries envelopes to one server. Sessions are opened while letters wait, up to the limit, and close when idle."""

    def __init__(self, outside: Outside, tls: ssl.SSLContext, server: Server, limits: Limits) -> None:
        self._outside = outside
        self._tls = tls
        self._server = server
        self._limits = limits
        self._queue: deque[_Job] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._workers: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def carry(self, envelope: Envelope) -> Answer:
        """One attempt, when its turn comes."""
        job = _Job(envelope, asyncio.get_running_loop().create_future())
        self._queue.append(job)
        self._wake()
        return await job.answer

    async def aclose(self) -> None:
        """Close all sessions. What still waits, or is under way, is answered as far as is known."""
        self._is_closed = True
        workers = list(self._workers)
        for each in workers:
            each.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        while self._queue:
            self._queue.popleft().settle(Later(DeliveryCause.NO_ANSWER, "closed before its turn came"))

    def _wake(self) -> None:
        while self._idle:
            waiter = self._idle.pop()
            if not waiter.done():
                waiter.set_result(None)
                return
        if len(self._workers) < self._limits.sessions and not self._is_closed:
            worker = asyncio.create_task(self._work(), name=f"smtp {self._server.host}")
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    async def _work(self) -> None:
        """One session after the other, for as long as there is something to carry."""
        session: Session | None = None
        try:
            while job := await self._next():
                if session is None:
                    session = await self._opened(job)
                if session is not None:
                    session = await self._run(session, job)
        finally:
            if session is not None:
                with suppress(ConnectionLost):
                    await session.quit()

    async def _next(self) -> _Job | None:
        """The next job; None when there was none for a while."""
        while True:
            if job := self._waiting():
                return job
            waiter = asyncio.get_running_loop().create_future()
            self._idle.append(waiter)
            try:
                async with asyncio.timeout(self._limits.idle_s):
                    await waiter
            except TimeoutError:
                return self._waiting()
            finally:
                with suppress(ValueError):
                    self._idle.remove(waiter)

    def _waiting(self) -> _Job | None:
        while self._queue:
            job = self._queue.popleft()
            if not job.answer.done():  # whoever waited may have been cancelled
                return job
        return None

    async def _opened(self, job: _Job) -> Session | None:
        """A session, or None: then the job is answered, and all that wait, since they would fare no better."""
        try:
            return await opened(self._outside, self._tls, self._server, self._limits.hello, self._limits.timeout_s)
        except NotOpened as error:
            failed = Later(error.cause, shortened(str(error)))
            job.settle(failed)
            while waiting := self._waiting():
                waiting.settle(failed)
            return None
        except BaseException:
            job.settle(Later(DeliveryCause.NO_ANSWER, "closed before it was sent"))
            raise

    async def _run(self, session: Session, job: _Job) -> Session | None:
        """Carry this job and those that wait, as far as the session goes; the session again if it can go on."""
        run = _Run(session, self._limits.messages_per_session, self._waiting)
        unfit = session.why_not(job.envelope)
        if unfit is not None:
            job.settle(Refused(*unfit))
            return session
        try:
            following: _Job | None = job
            while following is not None:
                following = await run.carried(following)
        except ConnectionLost as error:
            self._lost(run, str(error))
        except BaseException:
            self._lost(run, "closed while it was under way", is_over=True)
            await session.aclose()
            raise
        if run.is_over:
            await session.quit()
            return None
        return session

    def _lost(self, run: _Run, words: str, is_over: bool = False) -> None:
        """Settle what was under way on a session that broke.

        A server may hang up on a session that it has used enough, which is no reason to wait for another day.
        """
        run.is_over = True
        for job in dict.fromkeys((run.offered, run.job)):
            if job is None or job.answer.done():
                continue
            if job is run.job and run.is_handed_over:
                job.settle(Unsure(shortened(words)))
            elif is_over or job.is_again or not run.session.carried_count:
                job.settle(Later(DeliveryCause.NO_ANSWER, shortened(words)))
            else:
                job.is_again = True
                self._queue.appendleft(job)
        if self._queue and not is_over:
            self._wake()


class _Run:
    """Messages in a row on one session. `job` is the one at hand, `offered` one whose commands are already written."""

    def __init__(self, session: Session, messages_max: int, waiting: Callable[[], _Job | None]) -> None:
        """`waiting` takes the next job out of the queue."""
        self.session = session
        self.job: _Job | None = None
        self.offered: _Job | None = None
        self.is_handed_over = False
        self.is_over = False
        self._messages_max = messages_max
        self._waiting = waiting

    async def carried(self, job: _Job) -> _Job | None:
        """Bring a job to its answer; the next job, if one waits. Raises ConnectionLost."""
        self.job, self.is_handed_over = job, False
        replies = await self._replies() if job is self.offered else await self._offer(job)
        self.offered = None
        if [reply.code // 100 for reply in replies] == [2, 2, 3]:
            return await self._content(job)
        await self._recover(replies)
        refused = next(reply for reply in replies if reply.code >= 400)
        job.settle(refusal(refused, is_of_sender=refused is replies[0]))
        return self._next()

    def _next(self) -> _Job | None:
        """The next job that this server can take, unless the session has carried enough."""
        self.is_over |= self.session.carried_count >= self._messages_max
        while not self.is_over and (job := self._waiting()):
            unfit = self.session.why_not(job.envelope)
            if unfit is None:
                return job
            job.settle(Refused(*unfit))
        return None

    async def _offer(self, job: _Job) -> list[Reply]:
        """Write the commands before the content, at once or one by one; their replies up to the first refusal."""
        commands = self.session.offer(job.envelope)
        if self.session.must_reset:
            self.session.must_reset = False
            await self.session.write(b"RSET\r\n")
            await self.session.reply()
        if self.session.is_pipelined:
            await self.session.write(b"".join(commands))
            return await self._replies()
        replies: list[Reply] = []
        for command in commands:
            await self.session.write(command)
            replies.append(await self.session.reply())
            if replies[-1].code >= 400:
                break
        return replies

    async def _replies(self) -> list[Reply]:
        """To MAIL, RCPT and DATA, which are already written; none after a good-bye."""
        replies: list[Reply] = []
        for _ in range(_COMMANDS_OF_AN_OFFER):
            replies.append(await self.session.reply())
            if replies[-1].code == _GOOD_BYE:
                break
        return replies

    async def _recover(self, replies: Sequence[Reply]) -> None:
        """After a refusal: leave the session as if nothing had been offered. Raises ConnectionLost if it can't be."""
        if all(reply.code < 400 for reply in replies):
            raise ConnectionLost("the server said what is no SMTP")
        if any(reply.code == _GOOD_BYE for reply in replies):
            self.is_over = True
            if self.session.carried_count:  # it has had enough of this session, not of the message
                raise ConnectionLost(replies[0].said)
        elif replies[-1].code == _GO_AHEAD:  # it refused the recipient, and waits for content all the same
            await self.session.write(b".\r\n")
            await self.session.reply(FINAL_PATIENCE)
        else:
            self.session.must_reset = True

    async def _content(self, job: _Job) -> _Job | None:
        """Write the content, and with its end what comes next; settle the job by the answer."""
        content = stuffed(job.envelope.content)
        # Apart from the final dot: if this fails, the server has certainly not got the message.
        await self.session.write(content if content.endswith(b"\r\n") else content + b"\r\n")
        self.session.carried_count += 1
        following = self._next() if self.session.is_pipelined else None
        commands = self.session.offer(following.envelope) if following else []
        self.offered = following
        self.is_handed_over = True
        await self.session.write(b"".join((b".\r\n", *commands)))
        reply = await self.session.reply(FINAL_PATIENCE)
        job.settle(Accepted(shortened(reply.said)) if reply.code < 300 else refusal(reply))
        if reply.code == _GOOD_BYE:
            raise ConnectionLost(reply.said)
        return following or self._next()


def refusal(reply: Reply, *, is_of_sender: bool = False) -> Refused | Later:
    """What a reply comes to that is no consent. One that makes no sense here is worth another attempt."""
    found = diagnosed(reply.words, code=reply.code)
    cause = found.cause
    if (is_of_sender and cause in _OF_RECIPIENTS) or cause is DeliveryCause.SET_UP:
        return Later(DeliveryCause.SET_UP, shortened(reply.said), found.status)
    if reply.code == _OUT_OF_TURN:
        # It is said of the session, and says nothing of the message.
        return Later(DeliveryCause.TEMPORARY, shortened(reply.said), found.status)
    if found.is_permanent:
        return Refused(cause, shortened(reply.said), found.status)
    return Later(cause, shortened(reply.said), found.status)
