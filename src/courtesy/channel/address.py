"""Which network addresses a user's URL may lead to: public ones, and those that the operator permits. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from courtesy.base.errors import Code, CourtesyError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Python's own `is_global` differs between versions and lets 6to4, site-local and new documentation ranges
# pass, so the ranges stand here, after the IANA special-purpose registries (RFC 6890 and its updates).
_NOT_PUBLIC_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by carriers"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's metadata service"),  # Azure; a public number that only its guests reach
        ("169.254.0.0/16", "link-local"),  # with 169.254.169.254, most clouds' metadata service
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "reserved for documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("198.51.100.0/24", "reserved for documentation"),
        ("203.0.113.0/24", "reserved for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)

# Of IPv6 only 2000::/3 is in public use, so all else is refused; the names before it are for the message.
_PUBLIC_V6 = IPv6Network("2000::/3")
_NOT_PUBLIC_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), what)
    for network, what in (
        ("::/128", "this host"),
        ("::1/128", "loopback"),
        ("64:ff9b:1::/48", "a private translation to IPv4"),
        ("2001::/23", "reserved for protocols"),  # with Teredo, which hides an IPv4 address
        ("2001:db8::/32", "reserved for documentation"),
        ("2002::/16", "a 6to4 address"),  # which hides an IPv4 address too
        ("3fff::/20", "reserved for documentation"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)

_NAT64 = IPv6Network("64:ff9b::/96")
EVERYWHERE: tuple[Network, ...] = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))


def destination(address: Address) -> Address:
    """Where packets to `address` end up: the IPv4 address inside a mapped (RFC 4291) or NAT64 (RFC 6052) one.

    Networks that have only IPv6 see every IPv4 host under a NAT64 address, so it is judged by what it stands for.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def why_not_public(address: Address) -> str:
    """What `address` is instead of public, as in "10.0.0.1 is private"; empty when it is public."""
    address = destination(address)
    if isinstance(address, IPv4Address):
        return next((what for network, what in _NOT_PUBLIC_V4 if address in network), "")
    special = next((what for network, what in _NOT_PUBLIC_V6 if address in network), "")
    return special or ("" if address in _PUBLIC_V6 else "not in public use")


def is_permitted(address: Address, permitted: Sequence[Network]) -> bool:
    """Whether a connection to `address` may be made: it is public, or leads into a permitted network."""
    reached = destination(address)
    return not why_not_public(address) or any(reached in network for network in permitted)


def permitted_networks(allow_private: bool | Sequence[str]) -> tuple[Network, ...]:
    """The setting `allow_private`, read: False permits nothing beyond public addresses, True everything.

    A list permits its networks, such as "10.1.0.0/16" or a single address. Raises CourtesyError (INVALID).
    """
    if isinstance(allow_private, bool):
        return EVERYWHERE if allow_private else ()
    return tuple(_network(text, f"allow_private[{index}]") for index, text in enumerate(allow_private))


def _network(text: str, place: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        message = f"expected a network such as 10.1.0.0/16, got {text!r}"
        raise CourtesyError(Code.INVALID, message, hint=str(error), place=place) from error
