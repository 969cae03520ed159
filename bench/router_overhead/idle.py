"""What a connection costs that has had one answer and now says nothing."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Final

from bench.router_overhead.peers import Peer
from bench.router_overhead.processes import Memory, descriptors

_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: site%d.test\r\nUser-Agent: idle\r\n\r\n"
_SETTLE_S: Final = 1.0
_WAIT_S: Final = 10.0
_EVERY: Final = 50


def possible(wanted: int) -> int:
    """How many connections the descriptors of this process allow; a proxy may need two for each."""
    return max(1, min(wanted, descriptors() // 2 - 300))


def measured(peer: Peer, count: int) -> tuple[Memory, float]:
    """What the proxy has after its first requests, and KB more of its own for each idle connection.

    What the kernel has for their sockets is in neither.

    Raises:
        RuntimeError: a connection got no good answer.
    """
    opened: list[socket.socket] = []
    with contextlib.ExitStack() as held:
        for number in range(64):  # buffers and pools that one connection needs as well as all
            _ask(_open(peer.port, held), number)
        before = peer.memory()
        for number in range(count):
            one = _open(peer.port, held)
            _ask(one, number)
            opened.append(one)
        time.sleep(_SETTLE_S)
        added = peer.memory().own - before.own
        for number in range(0, count, _EVERY):
            _ask(opened[number], number)  # one that the proxy has closed would have cost nothing
        return before, added / count


def _open(port: int, held: contextlib.ExitStack) -> socket.socket:
    return held.enter_context(socket.create_connection(("127.0.0.1", port), _WAIT_S))


def _ask(one: socket.socket, number: int) -> None:
    one.sendall(_REQUEST % (number % 512))
    got = 0
    while got < 1024:  # the answer's body alone has that many
        part = one.recv(65_536)
        if not part or (not got and not part.startswith(b"HTTP/1.1 200")):
            raise RuntimeError(f"connection {number} was answered {part[:100]!r}")
        got += len(part)
