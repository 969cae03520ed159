"""Connects to an instance the way the router does (ARCHITECTURE.md, the dial protocol), for health checks.

Blocking, with a timeout on every step: it runs in a thread, a few times while an instance starts.
"""

from __future__ import annotations

import socket

PLUS = b"+"


def connect(address: str, timeout_s: float) -> socket.socket:
    """Opens a connection to an endpoint's address.

    Args:
        address: `tcp:host:port`, `unix:path` or `dial:path`.
        timeout_s: bounds each step, and is set on the socket that is returned.

    Raises:
        OSError: nobody listens, or nobody answered in time.
    """
    scheme, _, rest = address.partition(":")
    if scheme == "tcp":
        host, _, port = rest.rpartition(":")
        return socket.create_connection((host, int(port)), timeout=timeout_s)
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    channel.settimeout(timeout_s)
    try:
        channel.connect(rest)
        if scheme == "unix":
            return channel
        connection = _receive(channel)
    except OSError:
        channel.close()
        raise
    channel.close()
    connection.settimeout(timeout_s)
    return connection


def _receive(channel: socket.socket) -> socket.socket:
    channel.sendall(b"c")
    answer, descriptors, _, _ = socket.recv_fds(channel, 256, 1)
    if answer[:1] == PLUS and descriptors:
        return socket.socket(fileno=descriptors[0])
    raise ConnectionRefusedError(answer[1:].decode(errors="replace") or "the dialer closed without an answer")
