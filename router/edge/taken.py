"""Whether a peer can have taken anything of what was written to it before it closed.

A connection that ends without an answer leaves open whether the request was carried out. It was not when the peer's
kernel has acknowledged no byte of it and the peer had ended its side (FIN) before: a server that has closed processes
nothing that comes later (RFC 9112, section 9.6), and its FIN acknowledged all that it had received until then. This is
the keep-alive race as it happens: the app closes an idle connection while a request is on its way.

A reset alone proves nothing: an app can read, act and reset before the delayed acknowledgement leaves.
"""

from __future__ import annotations

import array
import fcntl
import socket
import termios


def untaken(sock: socket.socket, written: int, ended: bool) -> bool:
    """Whether nothing of the last bytes can have reached the application.

    Args:
        sock: the connection, lost but not yet closed on our side.
        written: how many of these bytes the kernel had taken.
        ended: the peer ended its side in order, which is how we know that the connection is lost.
    """
    if written <= 0:
        return True
    if not ended or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    waiting = array.array("i", (0,))
    try:
        fcntl.ioctl(sock, termios.TIOCOUTQ, waiting)  # tcp(7), SIOCOUTQ: bytes that are not acknowledged
    except OSError:
        return False
    return waiting[0] >= written
