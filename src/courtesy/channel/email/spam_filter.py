"""What spam filters make of a mail before it goes out: rspamd over HTTP, SpamAssassin as a server or as a program.

They are asked by what is found here, or by what the settings say, and for a limited time. A filter that is not there or
does not answer keeps nobody from anything.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpcore
import msgspec

from courtesy.base.errors import Code, CourtesyError

OFF = "off"
RSPAMD_PORT, SPAMD_PORT = 11333, 783
USUAL = (f"http://127.0.0.1:{RSPAMD_PORT}", f"spamd://127.0.0.1:{SPAMD_PORT}")
"""Where the filters listen unless they are told otherwise."""

PROGRAM = "spamassassin"
PROGRAMS = (PROGRAM, "/usr/bin/spamassassin")
CONNECT_S = 1.0
ANSWER_BYTES_MAX = 1_000_000

_ROW = re.compile(r"^\s*\*?\s{0,2}(-?\d+(?:\.\d+)?)\s+([A-Z][A-Z0-9_]+)\s+(\S.*)$", re.MULTILINE)
_DETAILS = re.compile(r"Content analysis details:\s+\((-?[\d.]+) points, (-?[\d.]+) required\)")
_SPAMD = re.compile(r"^Spam:\s*(?:True|False|Yes|No)\s*;\s*(-?[\d.]+)\s*/\s*(-?[\d.]+)", re.MULTILINE)


class Rule(NamedTuple):
    """A rule of a filter that a mail fits, the points it gives, and what it is about."""

    name: str
    points: float
    about: str = ""


class SpamScore(NamedTuple):
    """What a filter makes of a mail. `is_spam`: it would do something about it. `limit`: from how many points on."""

    filter: str
    points: float
    limit: float
    is_spam: bool
    rules: Sequence[Rule]


class _Rspamd(msgspec.Struct):
    score: float
    required_score: float
    action: str
    symbols: dict[str, dict[str, Any]] = {}


class SpamFilter:
    """The filter that a setting names: `http://host:port` of rspamd, `spamd://host:port`, `spamassassin` for the
    program, `off`; empty for the first that there is of those at their usual places."""

    def __init__(self, where: str) -> None:
        self._where = where

    @property
    def is_off(self) -> bool:
        """Whether nobody is to be asked."""
        return self._where == OFF

    async def score(self, content: bytes, within_s: float) -> SpamScore | None:
        """What is made of a mail (RFC 5322); None when there is no filter here. Raises CourtesyError(UNAVAILABLE) when
        one is there, or should be, and says nothing within so many seconds."""
        try:
            async with asyncio.timeout(within_s):
                return await self._first(content)
        except TimeoutError:
            raise _unavailable(f"it did not answer within {within_s:g} seconds") from None

    async def _first(self, content: bytes) -> SpamScore | None:
        if self._where:
            found = await _asked(self._where, content)
            if found is None:
                raise _unavailable(f"nobody answers at {self._where}")
            return found
        for where in (*USUAL, PROGRAM):
            found = await _asked(where, content)
            if found is not None:
                return found
        return None


def _unavailable(message: str) -> CourtesyError:
    return CourtesyError(Code.UNAVAILABLE, f"the spam filter is asked in vain: {message}", place="spam_filter")


async def _asked(where: str, content: bytes) -> SpamScore | None:
    """What a filter says; None when it is not there."""
    if where == PROGRAM:
        return await _by_program(content)
    parts = urlsplit(where)
    if parts.scheme == "spamd":
        return await _by_spamd(parts.hostname or "127.0.0.1", parts.port or SPAMD_PORT, content)
    return await _by_rspamd(where.rstrip("/"), content)


async def _by_rspamd(url: str, content: bytes) -> SpamScore | None:
    try:
        async with httpcore.AsyncConnectionPool() as pool:
            # The whole is limited by whoever asks; a connection that is not taken is nobody's.
            answer = await pool.request(
                "POST", f"{url}/checkv2", content=content, extensions={"timeout": {"connect": CONNECT_S}}
            )
    except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ConnectTimeout):
        return None
    if answer.status != 200:
        raise _unavailable(f"rspamd answered {answer.status}")
    return read_rspamd(answer.content)


def read_rspamd(content: bytes) -> SpamScore:
    """What rspamd answers. Raises CourtesyError(UNAVAILABLE) for anything else."""
    try:
        told = msgspec.json.decode(content, type=_Rspamd)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _unavailable("rspamd said what can't be read") from None
    rules = [_symbol(name, each) for name, each in told.symbols.items()]
    return SpamScore("rspamd", told.score, told.required_score, told.action != "no action", by_points(rules))


def _symbol(name: str, told: Mapping[str, Any]) -> Rule:
    points = told.get("score")
    return Rule(name, float(points) if isinstance(points, int | float) else 0.0, str(told.get("description", "")))


async def _by_spamd(host: str, port: int, content: bytes) -> SpamScore | None:
    """By the protocol of spamc, which answers with a report."""
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return None
    try:
        writer.write(b"REPORT SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(content) + content)
        await writer.drain()
        writer.write_eof()
        answer = await _whole(reader)
    except OSError:
        raise _unavailable("spamd broke off") from None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    return read_spamassassin(answer.decode("utf-8", "replace"))


async def _whole(reader: asyncio.StreamReader) -> bytes:
    found = b""
    while len(found) < ANSWER_BYTES_MAX and (piece := await reader.read(65_536)):
        found += piece
    return found


async def _by_program(content: bytes) -> SpamScore | None:
    """By SpamAssassin's own rules alone: it asks nobody, and learns nothing."""
    program = next((each for each in PROGRAMS if shutil.which(each)), None)
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as home:
        process = await asyncio.create_subprocess_exec(
            program, "-L", "-t", "-x", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL, env={**os.environ, "HOME": home},
        )  # fmt: skip
        try:
            answer, _ = await process.communicate(content)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    return read_spamassassin(answer.decode("utf-8", "replace"))


def read_spamassassin(report: str) -> SpamScore:
    """What SpamAssassin reports of a mail. Raises CourtesyError(UNAVAILABLE) for anything else."""
    found = _SPAMD.search(report) or _DETAILS.search(report)
    if found is None:
        raise _unavailable("SpamAssassin said what can't be read")
    points, limit = float(found[1]), float(found[2])
    details = _DETAILS.search(report)
    rows = _ROW.findall(report, details.end() if details is not None else 0)
    rules = by_points([Rule(name, float(given), about.strip()) for given, name, about in rows])
    return SpamScore("SpamAssassin", points, limit, points >= limit, rules)


def by_points(rules: Sequence[Rule]) -> list[Rule]:
    """Those that cost points, the dearest first, each once."""
    costing = {each.name: each for each in rules if each.points > 0}
    return sorted(costing.values(), key=lambda each: (-each.points, each.name))
