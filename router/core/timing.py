"""The `Server-Timing` header (W3C Server Timing): where an answer's time went, for whoever looks with a browser.

`total` is from the request's head to the answer's, `up` what the app took of it; `queue` and `connect` stand there when
there was something to wait for, `cold` in place of `queue` where the app had to be woken. In milliseconds. Bodies come
behind the header, so nothing is said of them.
"""

from __future__ import annotations

from typing import Final

# The common answer came from a pooled connection within 100 ms: its line is there already (80 KB a worker).
_SHORT: Final = tuple(b"Server-Timing: total;dur=%.1f, up;dur=%.1f\r\n" % (i / 10, i / 10) for i in range(1000))
_OWN: Final = tuple(b"Server-Timing: total;dur=%.1f\r\n" % (i / 10) for i in range(1000))


def proxied(total: float, queued: float, connecting: float, cold: bool = False) -> bytes:
    """The line of an app's answer; arguments in seconds.

    Args:
        cold: it queued for an app that had to be woken.
    """
    if not queued and not connecting and total < 0.0999:
        return _SHORT[int(total * 10_000)]
    up = max(0.0, total - queued - connecting) * 1000
    line = b"Server-Timing: total;dur=%.1f, up;dur=%.1f" % (total * 1000, up)
    if queued:
        line += b", cold;dur=%.1f" % (queued * 1000) if cold else b", queue;dur=%.1f" % (queued * 1000)
    if connecting:
        line += b", connect;dur=%.1f" % (connecting * 1000)
    return line + b"\r\n"


def own(total: float) -> bytes:
    """The line of an answer of the router's own; in seconds."""
    return _OWN[int(total * 10_000)] if total < 0.0999 else b"Server-Timing: total;dur=%.1f\r\n" % (total * 1000)
