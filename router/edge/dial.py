"""Makes upstream connections: TCP, unix sockets, and descriptors handed over by an instance's dialer.

The dial protocol is in ARCHITECTURE.md. This is off the hot path (connections are pooled), so a coroutine may do it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import os
import socket
from typing import Final

from router.core.balance import Endpoint
from router.core.errors import NO_CONNECTION, UPSTREAM_REFUSED, UPSTREAM_TIMEOUT, Refused
from router.edge.context import Edge
from router.edge.readable import readable
from router.edge.stream import Stream
from router.edge.upstream import Upstream

_MOST_TEXT: Final = 256
# What this machine lacks says nothing of the app: descriptors, ports of its own, memory.
_OURS: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM))


async def dial(edge: Edge, endpoint: Endpoint) -> Upstream:
    """Connects to an endpoint, for a caller that has counted the connection (`Edge.opened`).

    Raises:
        Refused: UPSTREAM_REFUSED or UPSTREAM_TIMEOUT, within `connect_s`; the connection is counted no longer.
    """
    try:
        return await _dial(edge, endpoint)
    except BaseException:
        edge.closed(endpoint)
        raise


async def _dial(edge: Edge, endpoint: Endpoint) -> Upstream:
    sock: socket.socket | None = None
    try:
        async with asyncio.timeout(edge.settings.connect_s):
            sock = await connect(endpoint.address, endpoint.instance)
            upstream = Upstream(edge, endpoint, sock)
            Stream(edge.streams(), sock, upstream)
            return upstream
    except TimeoutError:
        _close(sock)
        raise Refused(UPSTREAM_TIMEOUT, "the app did not accept a connection in time") from None
    except OSError as error:
        _close(sock)
        if error.errno in _OURS:
            raise Refused(NO_CONNECTION, f"no connection can be made ({error.strerror})") from error
        raise Refused(UPSTREAM_REFUSED, f"the app accepts no connection ({error.strerror or error})") from error


def _close(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()


async def connect(address: str, instance: str) -> socket.socket:
    """A connection to an address of the table; the caller bounds the wait.

    Args:
        instance: whose it is; a dialer is asked for exactly that one.

    Raises:
        OSError: nobody accepts one.
    """
    scheme, _, rest = address.partition(":")
    if scheme == "tcp":
        host, _, port = rest.rpartition(":")
        return await _connect_tcp(host.strip("[]"), int(port))
    if scheme == "unix":
        return await _connect_to(socket.AF_UNIX, rest)
    return await _receive(rest, instance)


async def _connect_tcp(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, host = found[0][0], str(found[0][4][0])
    sock = await _connect_to(family, (host, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if ipaddress.ip_address(host.partition("%")[0]).is_loopback:
        _be_plain(sock)
    return sock


def _be_plain(sock: socket.socket) -> None:
    """Takes the plainest congestion control for a connection that does not leave the machine.

    Nothing is lost there. What a host has chosen for its visitors may pace every send by a timer (BBR).
    """
    with contextlib.suppress(OSError):  # a kernel without it, or no TCP
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")


async def _connect_to(family: int, address: str | tuple[str, int]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


async def _receive(path: str, instance: str) -> socket.socket:
    """Asks a dialer for a connected descriptor: `c`, instance and LF there, `+` and it (or `-` and why not) back."""
    loop = asyncio.get_running_loop()
    door = await _connect_to(socket.AF_UNIX, path)
    try:
        await loop.sock_sendall(door, b"c" + instance.encode() + b"\n" if instance else b"c")
        await readable(door)
        text, descriptors, _, _ = socket.recv_fds(door, _MOST_TEXT, 1)
    finally:
        door.close()
    if text[:1] != b"+" or len(descriptors) != 1:
        for descriptor in descriptors:
            os.close(descriptor)
        raise ConnectionRefusedError(text[1:].decode("utf-8", "replace") or "the dialer handed nothing over")
    sock = socket.socket(fileno=descriptors[0])
    sock.setblocking(False)
    _be_plain(sock)
    return sock
