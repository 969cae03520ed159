"""One epoll set inside the loop: a single callback of the loop serves every ready socket of the data path.

The loop watches the set as it watches any descriptor, so everything else of asyncio goes on beside it.
"""

from __future__ import annotations

import asyncio
import logging
import select
import socket
from collections.abc import Callable
from typing import Any, Final

from router.edge.stream import READABLE, Stream

log = logging.getLogger(__name__)
_MOST_EVENTS: Final = 256
# After a batch the next one has often come already; more than this many in a row would starve the rest of the loop.
_ROUNDS: Final = 4
_ACCEPTS: Final = 64
_PAUSE_S: Final = 0.1
_SAID_S: Final = 10.0


class Poller:
    """The sockets of one loop."""

    __slots__ = ("_again", "_ending", "_epoll", "_serving", "_sources", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._epoll = select.epoll()
        self._sources: list[Any] = []  # by descriptor: the kernel gives the lowest that are free
        self._again: list[Stream] = []
        self._ending: list[tuple[Stream, OSError | None]] = []
        self._serving = False
        loop.add_reader(self._epoll.fileno(), self._serve)

    def close(self) -> None:
        """Serves nothing more; sockets still open are closed."""
        self._finish()
        self.loop.remove_reader(self._epoll.fileno())
        for source in self._sources:
            if source is not None:
                source.abort()
        self._finish()
        self._epoll.close()

    # --- what streams and listeners call -----------------------------------------------------------------------------

    def watch(self, source: Any, mask: int, fresh: bool) -> None:
        """Watches a socket for some events, from now on or differently than before."""
        if fresh:
            self._epoll.register(source.fd, mask)
            while source.fd >= len(self._sources):
                self._sources.append(None)
            self._sources[source.fd] = source
        else:
            self._epoll.modify(source.fd, mask)

    def forget(self, source: Any) -> None:
        """Watches a socket no longer."""
        self._sources[source.fd] = None
        self._epoll.unregister(source.fd)

    def end(self, stream: Stream, error: OSError | None) -> None:
        """Ends a stream once whoever runs now has returned: protocols expect no call from inside their own calls."""
        self._ending.append((stream, error))
        if not self._serving and len(self._ending) == 1:
            self.loop.call_soon(self._finish)

    def again(self, stream: Stream) -> None:
        """Lets a stream that has more to read go on when the others have had their turn."""
        self._again.append(stream)
        if not self._serving and len(self._again) == 1:
            self.loop.call_soon(self._serve)

    # --- the loop's callback -----------------------------------------------------------------------------------------

    def _serve(self) -> None:
        if self._epoll.closed:
            return  # a stream had asked to go on
        sources = self._sources
        for _ in range(_ROUNDS):
            events = self._epoll.poll(0, _MOST_EVENTS)
            self._serving = True
            for fd, mask in events:
                source = sources[fd]
                if source is not None:
                    try:
                        source.ready(mask)
                    except Exception as error:  # noqa: BLE001 - a fault in one connection ends that one and no other
                        self._blame(source, error)
            if not self._settle() and len(events) < _ROUNDS:
                return
        if self._again:
            self.loop.call_soon(self._serve)

    def _settle(self) -> bool:
        """What the events of a batch have left to do; tells whether a stream has more to read."""
        again, self._again = self._again, []
        self._serving = True
        for stream in again:
            try:
                stream.go_on()
            except Exception as error:  # noqa: BLE001 - as above
                self._blame(stream, error)
        self._serving = False
        if self._ending:
            self._finish()
        return bool(self._again)

    def _finish(self) -> None:
        while self._ending:
            ending, self._ending = self._ending, []
            for stream, error in ending:
                try:
                    stream.finish(error)
                except Exception as fault:  # noqa: BLE001 - as above
                    self._blame(stream, fault)

    def _blame(self, source: Any, error: Exception) -> None:
        log.error("a connection is ended because its handling failed", exc_info=error)
        source.abort()


class Listener:
    """A listening socket, whose connections get a protocol each.

    Args of the constructor:
        sock: bound; it belongs to the listener from now on.
        is_full: asked before each connection; those that are too many wait in the backlog.
    """

    __slots__ = ("_factory", "_is_full", "_poller", "_said", "_sock", "fd")

    def __init__(
        self,
        poller: Poller,
        sock: socket.socket,
        factory: Callable[[], Any],
        backlog: int,
        is_full: Callable[[], bool] = lambda: False,
    ) -> None:
        self._poller = poller
        self._is_full = is_full
        self._said = 0.0
        self._sock = sock
        self._factory = factory
        self.fd = sock.fileno()
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # what it accepts inherits this
        sock.listen(backlog)
        poller.watch(self, READABLE, True)

    def ready(self, mask: int) -> None:
        """Somebody connects."""
        for _ in range(_ACCEPTS):
            if self._is_full():
                self._rest("as many are open as may be")
                return
            try:
                sock, name = self._sock.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # there is no descriptor or memory left
                self._rest(str(error))
                return
            sock.setblocking(False)
            try:
                Stream(self._poller, sock, self._factory(), name)
            except OSError as error:  # no room in the epoll set: this one is lost, and the listener must not be
                sock.close()
                self._rest(str(error))
                return

    def _rest(self, why: str) -> None:
        """Those who wait in the backlog wait a little longer."""
        now = self._poller.loop.time()
        if now > self._said:
            self._said = now + _SAID_S
            log.warning("no more connections can be accepted for now: %s", why)
        self._poller.watch(self, 0, False)
        self._poller.loop.call_later(_PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        if self._sock.fileno() >= 0:
            self._poller.watch(self, READABLE, False)

    def close(self) -> None:
        """Accepts nothing more."""
        if self._sock.fileno() >= 0:
            self._poller.forget(self)
            self._sock.close()

    abort = close
