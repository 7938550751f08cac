"""The guard: which addresses may be reached, and that what was checked is what is dialled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courtesy.base.errors import CourtesyError
from courtesy.base.time import ManualClock
from courtesy.channel.address import Address, Network, is_permitted, permitted_networks, why_not_public
from courtesy.channel.contract import Attempt, Delivered, FailCause, Failed, Outside, Parcel
from courtesy.channel.guard import Blocked, GuardedNetwork, SocketOption, SystemResolver, Unresolved
from courtesy.channel.webhook import COMPONENT, Webhook
from tests.unit.channel.receiver import answering, receiving

PUBLIC = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "93.184.215.14",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
]
NOT_PUBLIC = [
    ("0.0.0.0", "this host"),
    ("0.1.2.3", "this host"),
    ("10.0.0.1", "private"),
    ("10.255.255.255", "private"),
    ("100.64.0.0", "shared by carriers"),
    ("100.100.100.200", "shared by carriers"),
    ("100.127.255.255", "shared by carriers"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.254", "loopback"),
    ("168.63.129.16", "a cloud's metadata service"),
    ("169.254.169.254", "link-local"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.0.0.192", "reserved for protocols"),
    ("192.0.2.1", "reserved for documentation"),
    ("192.88.99.1", "a 6to4 relay"),
    ("192.168.1.1", "private"),
    ("198.19.255.255", "reserved for benchmarks"),
    ("198.51.100.1", "reserved for documentation"),
    ("203.0.113.1", "reserved for documentation"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("::", "this host"),
    ("::1", "loopback"),
    ("::127.0.0.1", "not in public use"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:169.254.169.254", "link-local"),
    ("::ffff:0:127.0.0.1", "not in public use"),
    ("64:ff9b::10.0.0.1", "private"),
    ("64:ff9b::7f00:1", "loopback"),
    ("64:ff9b:1::1.1.1.1", "a private translation to IPv4"),
    ("100::1", "not in public use"),
    ("2001::1", "reserved for protocols"),
    ("2001:db8::1", "reserved for documentation"),
    ("2002:7f00:1::", "a 6to4 address"),
    ("3fff::1", "reserved for documentation"),
    ("4000::1", "not in public use"),
    ("5f00::1", "not in public use"),
    ("fc00::1", "private"),
    ("fd00:ec2::254", "private"),
    ("fe80::1", "link-local"),
    ("fe80::1%eth0", "link-local"),
    ("fec0::1", "site-local"),
    ("ff02::1", "multicast"),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_permitted(text: str) -> None:
    """Also the neighbours of special ranges, and IPv4 hosts as an IPv6-only network shows them."""
    assert why_not_public(ip_address(text)) == ""
    assert is_permitted(ip_address(text), ())


@pytest.mark.parametrize(("text", "what"), NOT_PUBLIC)
def test_a_special_address_is_refused(text: str, what: str) -> None:
    """Every special range, in every disguise, with its name for the message."""
    assert why_not_public(ip_address(text)) == what
    assert not is_permitted(ip_address(text), ())


@given(st.ip_addresses())
def test_what_we_call_public_python_calls_global(address: IPv4Address | IPv6Address) -> None:
    """A second opinion: the standard library's table never refuses what ours lets pass (translations aside)."""
    inner = getattr(address, "ipv4_mapped", None) or address
    if why_not_public(address) == "" and not str(address).startswith("64:ff9b::"):
        assert inner.is_global
        assert not inner.is_multicast


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_ipv6_dress(address: IPv4Address) -> None:
    """Mapping and translation hide nothing."""
    dresses = (IPv6Address((0xFFFF << 32) | int(address)), IPv6Address((0x64FF9B << 96) | int(address)))
    assert {why_not_public(dress) for dress in dresses} == {why_not_public(address)}


@pytest.mark.parametrize(
    ("setting", "text", "permitted"),
    [
        (False, "10.0.0.1", False),
        (True, "10.0.0.1", True),
        (True, "::1", True),
        (True, "169.254.169.254", True),
        (["10.0.0.0/8"], "10.9.9.9", True),
        (["10.0.0.0/8"], "::ffff:10.9.9.9", True),
        (["10.0.0.0/8"], "169.254.169.254", False),
        (["10.0.0.0/8"], "1.1.1.1", True),
        (["192.168.1.5"], "192.168.1.5", True),
        (["192.168.1.5"], "192.168.1.6", False),
        (["fd00::/8"], "fd00::1", True),
        (["fd00::/8"], "10.0.0.1", False),
    ],
)
def test_the_operator_permits_private_networks(setting: bool | list[str], text: str, permitted: bool) -> None:
    """All of them, or those listed and no others."""
    assert is_permitted(ip_address(text), permitted_networks(setting)) is permitted


@pytest.mark.parametrize("network", ["10.0.0.1/8", "intranet", "10.0.0.0/40", ""])
def test_a_network_that_cannot_be_read_is_an_error(network: str) -> None:
    """The message names the entry; a typo never permits more than was meant."""
    with pytest.raises(CourtesyError, match="expected a network") as caught:
        permitted_networks(["10.0.0.0/8", network])
    assert caught.value.place == "allow_private[1]"


class Book:
    """A resolver that gives one prepared answer after the other."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = [[ip_address(text) for text in answer] for answer in answers]

    async def resolve(self, host: str) -> Sequence[Address]:
        return self._answers.pop(0)


class Dialler(httpcore.AsyncNetworkBackend):
    """Notes what it was asked to dial, and reaches nobody."""

    def __init__(self) -> None:
        self.dialled: list[tuple[str, int]] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.dialled.append((host, port))
        raise httpcore.ConnectError("nobody there")


def dialled(addresses: Sequence[str], permitted: Sequence[Network] = ()) -> list[tuple[str, int]]:
    """Which addresses are dialled for a host that has these."""
    dialler = Dialler()
    network = GuardedNetwork(Book(addresses), permitted, dialler)
    with pytest.raises(httpcore.ConnectError):
        asyncio.run(network.connect_tcp("shop.example", 443))
    return dialler.dialled


def test_checked_addresses_are_dialled_in_order_and_never_the_name() -> None:
    """What follows the guard has nothing left to resolve."""
    assert dialled(["1.1.1.1", "2606:4700::1111"]) == [("1.1.1.1", 443), ("2606:4700::1111", 443)]


def test_of_a_mixed_answer_only_public_addresses_are_dialled() -> None:
    """A private address is not reached by standing next to a public one."""
    assert dialled(["10.0.0.1", "1.1.1.1", "::1"]) == [("1.1.1.1", 443)]


def test_a_host_with_very_many_addresses_is_not_tried_at_all_of_them() -> None:
    """A name cannot make us knock at a thousand doors."""
    assert len(dialled([f"1.1.1.{last}" for last in range(200)])) == 4


def test_a_host_with_private_addresses_only_is_blocked_with_the_reasons() -> None:
    """The message tells the operator what to permit, if he wants to."""
    network = GuardedNetwork(Book(["10.0.0.1", "::ffff:127.0.0.1"]), (), Dialler())
    with pytest.raises(Blocked) as caught:
        asyncio.run(network.connect_tcp("intranet", 80))
    assert str(caught.value) == ("intranet leads to no public address: 10.0.0.1 is private, 127.0.0.1 is loopback")


def test_a_local_socket_is_blocked() -> None:
    """A socket file is always this machine's own."""
    with pytest.raises(Blocked):
        asyncio.run(GuardedNetwork(Book()).connect_unix_socket("/run/docker.sock"))


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "0",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "2130706433",
        "2852039166",
        "::1",
        "::ffff:127.0.0.1",
        "0:0:0:0:0:ffff:7f00:1",
    ],
)
def test_odd_spellings_of_an_address_are_seen_through(host: str) -> None:
    """The real resolver reads decimal, octal, hex and short forms, and the guard judges what it read."""
    with pytest.raises(Blocked):
        asyncio.run(GuardedNetwork(SystemResolver(), (), Dialler()).connect_tcp(host, 80))


@pytest.mark.parametrize("host", ["", "x" * 300, "bücher"])
def test_a_name_that_cannot_be_a_host_is_unresolved(host: str) -> None:
    """The ways in which the real resolver fails come to one; these need no name server."""
    with pytest.raises(Unresolved):
        asyncio.run(SystemResolver().resolve(host))


def test_a_name_that_changes_its_address_after_the_check_gains_nothing() -> None:
    """DNS rebinding, with two real servers: the first answer is permitted, the second not.

    127.1.1.2 plays the public address and 127.1.1.1 the private one. The first attempt must reach the
    former, although the name leads to the latter from the second look-up on; the second attempt fails.
    """

    async def scenario() -> tuple[list[Attempt], int, int]:
        book = Book(["127.1.1.2"], ["127.1.1.1"])
        channel = Webhook(Outside(ManualClock(), GuardedNetwork(book, permitted_networks(["127.1.1.2"]))))
        async with (
            receiving(answering(200), "127.1.1.2") as public,
            receiving(answering(200), "127.1.1.1", public.port) as private,
        ):
            config = {**COMPONENT.example, "url": f"http://rebind.example:{public.port}/"}
            parcel = Parcel(bytes(16), "webhook", 0, config, b"{}")
            attempts = [await channel.deliver(parcel) for _ in range(2)]
            await channel.aclose()
            return attempts, len(public.requests), len(private.requests)

    attempts, public, private = asyncio.run(scenario())
    blocked = "rebind.example leads to no public address: 127.1.1.1 is loopback"
    assert attempts == [Delivered("200"), Failed(FailCause.BLOCKED_ADDRESS, blocked)]
    assert (public, private) == (1, 0)
