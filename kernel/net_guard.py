"""Which addresses the platform itself may connect to when a tenant names the host: public ones only (SSRF).

A hook's URL and a repository's are a tenant's words, and the platform stands inside: beside it are databases, metadata
services and other tenants. So the name is resolved here, every address of the answer is judged, and the connection goes
to the address that was judged. A name that changes its address between two looks (DNS rebinding) gains nothing, since
there is no second look: aiohttp connects to what `_Resolver` returned, and each socket is judged once more as it is
made, which covers URLs that hold an address instead of a name. Who connects by other means (git) pins what `addresses`
returned. What a URL may look like is kernel/net_url.py's business.

The lists are IANA's special-purpose registries (https://www.iana.org/assignments/iana-ipv4-special-registry/ and
iana-ipv6-special-registry/), and metadata services that clouds keep on public addresses. IPv6 is taken the other way
round: nothing outside of 2000::/3 (global unicast) is public, so a form that nobody thought of is refused.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

from kernel.errors import define

if TYPE_CHECKING:
    from aiohttp import TCPConnector

HOST_NOT_PUBLIC = define(
    "HOST_NOT_PUBLIC",
    source="client",
    status=422,
    hint="name a host that is reachable from the internet; whoever runs the platform can allow networks of their own",
)
HOST_UNRESOLVED = define(
    "HOST_UNRESOLVED", source="client", status=422, retryable=True, hint="is the host's name right, and in the DNS?"
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str, int], Awaitable[list[str]]]

RESOLVE_S: Final = 5.0  # a name that takes longer is as good as none
LOOKUPS: Final = 16  # names asked for at a time; a tenant's slow name server holds a thread each
_SPECIAL_4: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network (RFC 791)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598); Alibaba's metadata service
        "127.0.0.0/8",  # loopback (RFC 1122)
        "168.63.129.16/32",  # Azure's platform services, on every machine there
        "169.254.0.0/16",  # link-local (RFC 3927), and most clouds' metadata services
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # protocol assignments (RFC 6890); Oracle's metadata service
        "192.0.2.0/24",  # TEST-NET-1 (RFC 5737)
        "192.31.196.0/24",  # AS112 (RFC 7535)
        "192.52.193.0/24",  # automatic multicast tunnelling (RFC 7450)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "192.175.48.0/24",  # AS112 (RFC 7534)
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "198.51.100.0/24",  # TEST-NET-2
        "203.0.113.0/24",  # TEST-NET-3
        "224.0.0.0/4",  # multicast (RFC 5771)
        "240.0.0.0/4",  # reserved (RFC 1112), and broadcast
    )
)
_GLOBAL_6: Final = ipaddress.IPv6Network("2000::/3")
_SPECIAL_6: Final = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments (RFC 2928): Teredo, ORCHID and others
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4 (RFC 3056)
        "2620:4f:8000::/48",  # AS112 (RFC 7534)
        "3fff::/20",  # documentation (RFC 9637)
    )
)
# Where a network has IPv6 only, each IPv4 host has such an address (RFC 6052, DNS64): judged as the address it holds.
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's; what is no address, or has a zone, is not.

    Args:
        address: as `ipaddress` reads it: four decimal numbers, or IPv6 without brackets.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.scope_id is None and ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        return ip.scope_id is None and ip in _GLOBAL_6 and not any(ip in network for network in _SPECIAL_6)
    return not any(ip in network for network in _SPECIAL_4)


async def system_lookup(host: str, port: int) -> list[str]:
    """What the machine's resolver says; blocking, so in threads of its own, which a slow name server may fill."""
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_threads, _getaddrinfo, host, port)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


_threads: Final = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="net-guard")


def _getaddrinfo(host: str, port: int) -> list[tuple[Any, ...]]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


class NetGuard:
    """Resolves and judges.

    Args:
        allow: networks (CIDR) that may be reached although they are not public: a self-hoster's own, and in tests
            127.0.0.0/8.
        lookup: the resolver; the machine's.

    Raises:
        ValueError: `allow` names something that is no network.
    """

    def __init__(self, allow: Iterable[str] = (), lookup: Lookup = system_lookup) -> None:
        self._allow: tuple[Network, ...] = tuple(ipaddress.ip_network(text) for text in allow)
        self._lookup = lookup

    def permits(self, address: str) -> bool:
        """Whether the platform may connect to an address: it is public and not this machine's, or it is allowed."""
        if self._allowed(address):
            return True
        return is_public(address) and not _is_local(address)

    def _allowed(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._allow)

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of them judged: connect to these and to no other.

        Args:
            host: a name, or an address (IPv6 without brackets).

        Raises:
            ShipoffError: HOST_UNRESOLVED; HOST_NOT_PUBLIC when any of them is not permitted, for a name that has both
                kinds is one that tries. The address is not told: it may be that of an internal name.
        """
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await self._lookup(host, port)
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            raise HOST_UNRESOLVED(f"the host {host[:200]!r} is not found") from error
        if not found:
            raise HOST_UNRESOLVED(f"the host {host[:200]!r} has no address")
        if not all(self.permits(address) for address in found):
            raise HOST_NOT_PUBLIC(f"the host {host[:200]!r} is not on the internet")
        return found

    def connector(self, **options: Any) -> TCPConnector:
        """An aiohttp connector that connects to permitted addresses only; a refusal is a ClientConnectorError.

        Args:
            options: of aiohttp.TCPConnector. A session over it must not use a proxy, which would resolve by itself.
        """
        from aiohttp import TCPConnector
        from aiohttp.abc import AbstractResolver, ResolveResult

        guard = self

        class _Resolver(AbstractResolver):
            async def resolve(
                self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
            ) -> list[ResolveResult]:
                return [
                    ResolveResult(
                        hostname=host,
                        host=address,
                        port=port,
                        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                        proto=socket.IPPROTO_TCP,
                        flags=socket.AI_NUMERICHOST,
                    )
                    for address in await guard.addresses(host, port)
                ]

            async def close(self) -> None:
                return None

        def make_socket(info: Any) -> socket.socket:
            family, kind, protocol, _, where = info
            if not guard.permits(str(where[0])):
                raise PermissionError(errno.EACCES, "the address is not on the internet")
            return socket.socket(family, kind, protocol)

        return TCPConnector(resolver=_Resolver(), socket_factory=make_socket, use_dns_cache=False, **options)


def _is_local(address: str) -> bool:
    """Whether the address is one of this machine's, a public one too: only those can be bound."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True
