"""Reading and writing a socket with as little around the system call as there is.

`descriptor` gives an object with `recv(size)` and `send(data)` that behave as a socket's; `is_quiet` looks without
reading. The compiled module `syscalls` calls the C library; without it the socket does all of it.
"""

from __future__ import annotations

import socket
from typing import Any

from router import COMPILED

if COMPILED:
    from router.edge.syscalls import Descriptor, nothing_came

    def is_quiet(sock: socket.socket) -> bool:
        """Whether nothing has come from the peer, not even the end."""
        return nothing_came(sock.fileno())

    def descriptor(sock: socket.socket) -> Any:
        """What reads and writes this socket."""
        return Descriptor(sock.fileno())

else:

    def is_quiet(sock: socket.socket) -> bool:
        """Whether nothing has come from the peer, not even the end."""
        try:
            sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def descriptor(sock: socket.socket) -> Any:
        """What reads and writes this socket."""
        return sock
