"""Reading and writing a socket with as little around the system call as there is.

`descriptor` gives an object with `recv(size)` and `send(data)` that behave as a socket's. The compiled module
`syscalls` calls the C library; without it the socket does both itself.
"""

from __future__ import annotations

import socket
from typing import Any

from router import COMPILED

if COMPILED:
    from router.edge.syscalls import Descriptor

    def descriptor(sock: socket.socket) -> Any:
        """What reads and writes this socket."""
        return Descriptor(sock.fileno())

else:

    def descriptor(sock: socket.socket) -> Any:
        """What reads and writes this socket."""
        return sock
