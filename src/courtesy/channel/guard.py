"""The guarded way out: names are resolved once, addresses checked, and the checked address is the one dialled.

A URL from a user must not reach what only this machine can see (server-side request forgery). Checking the
URL is not enough: its host can be written in many ways, and its name can resolve differently the next time
(DNS rebinding). So the check sits where the connection is made, below HTTP and TLS.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, Protocol

import httpcore

from courtesy.channel.address import Address, Network, destination, is_permitted, why_not_public

_LOOKUPS_AT_ONCE = 16
_ADDRESSES_TRIED = 4

SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


class Unresolved(Exception):
    """A host name that gave no address; the message says why."""


class Blocked(Exception):
    """A host none of whose addresses may be connected to; the message says what they are."""


class Resolver(Protocol):
    """Finds the addresses of a host."""

    async def resolve(self, host: str) -> Sequence[Address]:
        """The addresses of `host`, best first, not empty. Raises Unresolved."""
        ...


class SystemResolver:
    """The machine's own resolver (hosts file, DNS).

    It blocks, so it has threads of its own: name servers that hang must not hold up other work.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS_AT_ONCE, thread_name_prefix="resolve")

    async def resolve(self, host: str) -> Sequence[Address]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host)


def _look_up(host: str) -> list[Address]:
    try:
        # As bytes, since Python encodes a str in its own way and fails with errors of its own.
        found = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unresolved(f"{host} cannot be resolved: {getattr(error, 'strerror', None) or error}") from error
    return list(dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found))


class _Stream(httpcore.AsyncNetworkStream):
    """A connection that is closed when its TLS handshake is cancelled.

    httpcore 1.0 closes it after errors only, so every server that never answers a handshake would cost a socket.
    """

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
    ) -> httpcore.AsyncNetworkStream:
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except asyncio.CancelledError:
            await self.aclose()
            raise

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to public addresses and to permitted networks, and to nothing else."""

    def __init__(
        self,
        resolver: Resolver,
        permitted: Sequence[Network] = (),
        dialler: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        """`dialler` makes the connections; it is only ever given an address, never a name."""
        self._resolver = resolver
        self._permitted = permitted
        self._dialler = dialler or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the first address of `host` that may be reached and answers.

        `timeout` is per address, in seconds. Raises Unresolved, Blocked, or the last address's httpcore error.
        """
        failure: Exception | None = None
        for address in self._permitted_of(host, await self._resolver.resolve(host)):
            try:
                dialled = self._dialler.connect_tcp(str(address), port, timeout, local_address, socket_options)
                return _Stream(await dialled)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None
        raise failure

    def _permitted_of(self, host: str, addresses: Sequence[Address]) -> Sequence[Address]:
        permitted = [address for address in addresses if is_permitted(address, self._permitted)]
        if not permitted:
            kinds = ", ".join(f"{destination(address)} is {why_not_public(address)}" for address in addresses)
            raise Blocked(f"{host} leads to no public address: {kinds}")
        return permitted[:_ADDRESSES_TRIED]

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Always raises Blocked: a socket file is on this machine."""
        raise Blocked("a local socket is not a public address")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
