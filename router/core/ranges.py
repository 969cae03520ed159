"""Sets of IP networks: one set lookup per prefix length that occurs, however many networks there are."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


class Ranges:
    """An immutable set of IPv4 and IPv6 networks; `ip in ranges` with the address as text.

    Args of the constructor:
        networks: CIDR texts; a bare address is a network of one. Raises ValueError when one is neither.
    """

    __slots__ = ("_sizes", "texts")

    def __init__(self, networks: Iterable[str] = ()) -> None:
        sizes: dict[tuple[int, int], set[int]] = {}
        self.texts = tuple(text.strip() for text in networks if text.strip())
        for text in self.texts:
            network = ipaddress.ip_network(text)
            host_bits = network.max_prefixlen - network.prefixlen
            sizes.setdefault((network.version, host_bits), set()).add(int(network.network_address) >> host_bits)
        self._sizes = tuple((version, bits, frozenset(found)) for (version, bits), found in sizes.items())

    def __bool__(self) -> bool:
        return bool(self._sizes)

    def __contains__(self, ip: str) -> bool:
        try:
            address = ipaddress.ip_address(ip)
        except ValueError:
            return False
        number, version = int(address), address.version
        return any(v == version and number >> bits in found for v, bits, found in self._sizes)


def plain(ip: str) -> str:
    """An address as the sets know it: no zone, no IPv4 inside IPv6."""
    return ip.partition("%")[0].removeprefix("::ffff:")


def client_key(ip: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 host can choose addresses from."""
    if ":" not in ip:
        return ip
    try:
        return f"{int(ipaddress.IPv6Address(ip)) >> 64:x}::/64"
    except ValueError:
        return ip
