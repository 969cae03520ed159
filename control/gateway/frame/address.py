"""Whose address a request comes from. A header is believed only of proxies that we know (RFC 7239, section 8.1)."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from aiohttp import web

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
HOPS: Final = 20  # of X-Forwarded-For that are looked at
KEY: Final = "address"
SITE_BITS: Final = 64  # of an IPv6 address, which one customer has for himself alone (RFC 6177)


def networks(text: str) -> tuple[Network, ...]:
    """The networks of a setting, e.g. `127.0.0.0/8, ::1/128`.

    Raises:
        ValueError: one is malformed.
    """
    return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())


def client(remote: str, forwarded: str, trusted: Sequence[Network]) -> str:
    """The client's address.

    Args:
        remote: of the connection; "" for a unix socket, which a proxy on this machine uses.
        forwarded: X-Forwarded-For, to which each proxy added at the end whom it heard from.
        trusted: networks of proxies.

    Returns:
        The last address that no trusted proxy has, in its canonical form.
    """
    found = _parse(remote)
    for part in reversed(forwarded.split(",")[-HOPS:]):
        if found is not None and not any(found in network for network in trusted):
            break
        if (said := _parse(part)) is None:
            break
        found = said
    return str(found) if found is not None else remote


def of(request: web.Request) -> str:
    """The client's address, as the frame found it."""
    return str(request.get(KEY, ""))


def site(address: str) -> str:
    """What limits go by: an IPv4 address, or the network that an IPv6 address is in."""
    found = _parse(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, SITE_BITS), strict=False))
    return address


def _parse(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.strip())
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
