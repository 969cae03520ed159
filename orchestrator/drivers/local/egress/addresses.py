"""Which addresses a tenant may reach: everything public, nothing of this machine or its private networks.

The decision is taken on the address that is then connected to, after the name was resolved, so a name that changes its
address between check and use (DNS rebinding) gains nothing. Documentation networks (TEST-NET) are not refused: some
networks use them for their mirrors, and nothing sensitive lives there.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_REFUSED: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # this network (RFC 1122)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598)
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, and every cloud's metadata service
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "::/127",  # unspecified and loopback
        "64:ff9b:1::/48",  # local-use NAT64 (RFC 8215)
        "100::/64",  # discard
        "2001::/23",  # protocol assignments, Teredo among them
        "fc00::/7",  # unique local
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR: Final = ipaddress.IPv6Network("2002::/16")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
REFUSED_PORTS: Final = frozenset({25})  # mail from a platform's address is mostly spam


class EgressPolicy:
    """Says why an address is refused.

    Args:
        allow: networks that are reachable although they are private (a package mirror's).
    """

    def __init__(self, allow: Iterable[str] = ()) -> None:
        self._allow: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in allow)

    def refusal(self, address: str, port: int) -> str:
        """Why a tenant may not connect there; "" when it may."""
        ip = embedded(ipaddress.ip_address(address.partition("%")[0]))
        if any(ip in network for network in self._allow):
            return ""
        if port in REFUSED_PORTS:
            return f"port {port} is not allowed"
        if any(ip in network for network in _REFUSED):
            return f"{ip} is in a private or special network"
        if is_local(ip):
            return f"{ip} is this machine"
        return ""


def embedded(ip: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (mapped, compatible, NAT64, 6to4), else the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    value = int(ip)
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    if ip in _NAT64 or (ip in _COMPATIBLE and value > 1):
        return ipaddress.IPv4Address(value & 0xFFFFFFFF)
    if ip in _SIX_TO_FOUR:
        return ipaddress.IPv4Address(value >> 80 & 0xFFFFFFFF)
    return ip


def is_local(ip: Address) -> bool:
    """Whether the address is one of this machine's: only those can be bound."""
    family = socket.AF_INET if ip.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(ip), 0))
        except OSError:
            return False
    return True
