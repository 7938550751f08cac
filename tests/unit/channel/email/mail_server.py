"""A mail server that does as its script says: answers of any kind, silence, and connections that break anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

HANG_UP = ""
"""An answer that is none: the connection is closed."""
SILENCE = "silence"
"""An answer that is none: nothing comes."""

Script = Callable[[str, int], str | None]
"""The answer to a command or, under the name of the dot, to a message; None for the usual one. Messages are numbered
from 1, over all connections."""

FEATURES = ("PIPELINING", "SIZE 1000000", "8BITMIME", "DSN", "SMTPUTF8")


@dataclass
class MailServer:
    """What was said and taken. `together` are the commands that came in one piece with the end of a message."""

    port: int = 0
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    together: list[int] = field(default_factory=list)
    connections: int = 0
    began: int = 0


@asynccontextmanager
async def mail_server(script: Script | None = None, features: Sequence[str] = FEATURES) -> AsyncIterator[MailServer]:
    """A server on a loopback port until the end."""
    server = MailServer()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.connections += 1
        try:
            with suppress(ConnectionError):
                await _Conversation(server, script or (lambda command, number: None), features, reader, writer).go_on()
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the next turn of the loop


@dataclass
class _Conversation:
    server: MailServer
    script: Script
    features: Sequence[str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    agreed: list[bool] = field(default_factory=list)

    async def go_on(self) -> None:
        if not await self._say("GREETING", "220 mail.test"):
            return
        while line := await self.reader.readline():
            command = line.decode().rstrip("\r\n")
            self.server.commands.append(command)
            word = command.split(" ")[0].upper()
            if word == "MAIL":
                self.server.began += 1
            if not await self._say(word, self._usual(word)) or word == "QUIT":
                return
            if word in ("MAIL", "RCPT"):
                self.agreed.append(self._answer(word, self._usual(word)).startswith("2"))
            elif word in ("RSET", "EHLO"):
                self.agreed.clear()
            is_wanted = word == "DATA" and self._answer("DATA", self._usual("DATA")).startswith("354")
            if is_wanted and not await self._content():
                return

    def _usual(self, word: str) -> str:
        """What a server says that takes everything, in its order."""
        if word == "EHLO":
            return "\r\n".join(f"250-{each}" for each in ("mail.test", *self.features)) + "\r\n250 HELP"
        if {"MAIL": [], "RCPT": [True], "DATA": [True, True]}.get(word, self.agreed) != self.agreed:
            return "503 5.5.1 bad sequence of commands"
        return {"DATA": "354 go ahead", "QUIT": "221 bye", ".": "250 2.0.0 taken"}.get(word, "250 2.1.0 ok")

    async def _content(self) -> bool:
        """Read a message and answer it; whether the conversation goes on."""
        content = bytearray()
        while not content.endswith(b"\r\n.\r\n") and content != b".\r\n":
            line = await self.reader.readline()
            if not line:
                return False
            content += line
        # What is in the buffer already came with the dot, without waiting for the answer to it.
        self.server.together.append(len(self.reader._buffer))  # type: ignore[attr-defined]
        if self._answer(".", "250").startswith("250") and content != b".\r\n":
            self.server.messages.append(bytes(content))
        self.agreed.clear()
        return await self._say(".", self._usual("."))

    def _answer(self, word: str, answer: str) -> str:
        told = self.script(word, self.server.began)
        return answer if told is None else told

    async def _say(self, word: str, answer: str) -> bool:
        """Whether the conversation goes on."""
        answer = self._answer(word, answer)
        if answer == SILENCE:
            await asyncio.sleep(60)
        if answer == HANG_UP:
            return False
        self.writer.write(f"{answer}\r\n".encode())
        await self.writer.drain()
        return not answer.startswith("421")
