"""Transports of our own: the part of asyncio's that this router needs, on one epoll set inside the loop.

They have asyncio's names and meanings, so that a protocol runs on either. What they save is the way from the kernel to
the protocol: one callback of the loop serves a whole batch of ready sockets, writes go to the kernel at once, and reads
grow to `_LARGE` in the middle of large bodies. The set is edge-triggered (epoll(7)): the kernel tells once that there
is something, and `_more` remembers it until a read has found nothing left. So a pause costs no system call, and a
socket that is broken while nobody reads is told once and not without end. Nothing here waits; edge/poller.py calls it.
"""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING, Any, Final

from router.edge.descriptor import descriptor
from router.edge.receiver import Receiver
from router.edge.transport import Transport

if TYPE_CHECKING:
    from router.edge.poller import Poller

READABLE: Final = select.EPOLLIN
WRITABLE: Final = select.EPOLLOUT
_READING: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_BROKEN: Final = select.EPOLLERR | select.EPOLLHUP
_ENDS: Final = select.EPOLLRDHUP | _BROKEN
_READS: Final = select.EPOLLIN | _ENDS
_WRITES: Final = select.EPOLLOUT | _BROKEN
# One read: a head and a small body, or (once two in a row were full) a piece of a large one.
_SMALL: Final = 65536
_LARGE: Final = 524288
# Written bytes that the kernel does not take: above the one the protocol is told to pause, below the other to go on.
_HIGH: Final = 65536
_LOW: Final = 16384
_MOST_PARTS: Final = 64


class Stream(Transport):
    """A connected socket, driven by its poller.

    Args of the constructor:
        sock: connected and not blocking; it belongs to the stream from now on.
        name: the peer's address where it is known already.
    """

    __slots__ = (
        "_broken",
        "_choked",
        "_closing",
        "_ended",
        "_ends",
        "_full",
        "_half",
        "_io",
        "_lost",
        "_more",
        "_name",
        "_out",
        "_paused",
        "_poller",
        "_protocol",
        "_queued",
        "_receiver",
        "_size",
        "_sock",
        "_waiting",
        "_writing",
        "fd",
    )

    def __init__(self, poller: Poller, sock: socket.socket, protocol: Any, name: Any = None) -> None:
        self._poller = poller
        self._sock = sock
        self._io = descriptor(sock)
        self._protocol = protocol
        self._receiver = protocol if isinstance(protocol, Receiver) else None
        self._name = name
        self.fd = sock.fileno()
        self._size = _SMALL
        self._full = 0
        self._waiting = 0
        self._out: list[Any] | None = None
        self._choked = False  # the protocol was told to pause
        self._paused = False  # the protocol does not want to read
        self._ended = False  # the peer has ended its side
        self._half = False  # we end ours behind what is still to be written
        self._closing = False
        self._lost = False
        self._more = False  # there may be something to read
        self._ends = False  # the last report has come: what is there now is followed by the end
        self._broken = False  # neither side can be used any more
        self._queued = False  # the poller calls `go_on` soon
        self._writing = False  # the set tells when there is room to write
        poller.watch(self, _READING, True)
        protocol.connection_made(self)

    # --- what the poller calls ---------------------------------------------------------------------------------------

    def ready(self, mask: int) -> None:
        """The socket is readable, writable or broken."""
        if mask & _WRITES and self._out:
            self._flush()
        if mask & _READS:
            self._more = True
            if mask & _ENDS:
                self._ends = True
                if mask & _BROKEN:
                    self._broken = True
            self.go_on()

    def go_on(self) -> None:
        """Reads once; asks to be called again when that has left something."""
        self._queued = False
        if self._paused or self._ended or self._closing or self._lost:
            if self._broken and self._ended:
                self._lose(None)
            return
        try:
            data = self._io.recv(self._size)
        except BlockingIOError:
            self._more = False
            return
        except OSError as error:
            self._lose(error)
            return
        if not data:
            self._end()
            return
        size = len(data)
        self._more = size == self._size or self._ends  # a short read has emptied the socket
        self._measure(size)
        if self._receiver is not None:
            self._receiver.data_received(data)
        else:
            self._protocol.data_received(data)
        if self._more and not self._paused:
            self._ask()

    def finish(self, error: OSError | None) -> None:
        """Tells the protocol that the connection is gone."""
        protocol, self._protocol, self._receiver = self._protocol, None, None
        try:
            protocol.connection_lost(error)
        finally:
            self._sock.close()

    # --- what protocols call -----------------------------------------------------------------------------------------

    def write(self, data: Any) -> None:
        """Sends bytes, now as far as the kernel takes them and the rest when it does."""
        if self._lost:
            return
        if self._out:
            self._out.append(data)
            self._waiting += len(data)
        else:
            try:
                sent = self._io.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._waiting = len(data)
                self._fail_to_write(error)
                return
            left = len(data) - sent
            if not left:
                return
            self._out = [memoryview(data)[sent:] if sent else data]
            self._waiting = left
            if not self._writing:
                self._writing = True
                self._poller.watch(self, _READING | WRITABLE, False)
        if self._waiting > _HIGH and not self._choked:
            self._choked = True
            self._protocol.pause_writing()

    def close(self) -> None:
        """Ends the connection behind what was written."""
        if self._closing or self._lost:
            return
        self._closing = True
        if not self._out:
            self._lose(None)

    def abort(self) -> None:
        """Ends the connection now."""
        self._closing = True
        self._lose(None)

    def write_eof(self) -> None:
        """Ends our side behind what was written."""
        if self._half or self._lost:
            return
        self._half = True
        if not self._out:
            self._shut()

    def pause_reading(self) -> None:
        """Reads no more until `resume_reading`."""
        if not self._paused:
            self._paused = True
            self._size = _SMALL
            self._full = -2  # a reader that stops us gets small pieces for a while

    def resume_reading(self) -> None:
        """Reads again."""
        if self._paused:
            self._paused = False
            if self._more:
                self._ask()

    def is_closing(self) -> bool:
        """Whether it is gone or about to be."""
        return self._closing or self._lost

    def can_write_eof(self) -> bool:
        """Whether our side can end alone."""
        return True

    def get_write_buffer_size(self) -> int:
        """Bytes that the kernel did not take yet; once the connection is lost, that it never took."""
        return self._waiting

    def set_protocol(self, protocol: Any) -> None:
        """Another protocol gets what comes from now on."""
        self._protocol = protocol
        self._receiver = protocol if isinstance(protocol, Receiver) else None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`socket` and `peername`, as asyncio's transports know them."""
        if name == "socket":
            return self._sock
        if name == "peername":
            if self._name is None:
                self._name = self._sock.getpeername()
            return self._name
        return default

    # --- inside ------------------------------------------------------------------------------------------------------

    def _measure(self, size: int) -> None:
        """Chooses how much the next read asks for."""
        if size < _SMALL:
            self._full = 0
            self._size = _SMALL
        else:
            self._full += 1
            if self._full > 1:
                self._size = _LARGE

    def _ask(self) -> None:
        """Has `go_on` called when the others have had their turn."""
        if not (self._queued or self._lost):
            self._queued = True
            self._poller.again(self)

    def _end(self) -> None:
        self._ended = True
        if not self._protocol.eof_received():
            self.close()
        elif self._broken:
            self._lose(None)

    def _flush(self) -> None:
        """Writes until the kernel takes no more, for only then it tells when it does again."""
        while self._out:
            try:
                sent = self._sock.sendmsg(self._out[:_MOST_PARTS])
            except BlockingIOError:
                return
            except OSError as error:
                self._fail_to_write(error)
                return
            if self._take_off(self._out, sent):
                break
        if not self._out:
            self._out = None
            self._written()
        if self._choked and self._waiting <= _LOW and not self._lost:
            self._choked = False
            self._protocol.resume_writing()

    def _take_off(self, out: list[Any], sent: int) -> bool:
        """Forgets what was written; tells whether that was less than was offered."""
        self._waiting -= sent
        done = 0
        for part in out[:_MOST_PARTS]:
            if len(part) > sent:
                out[done] = memoryview(part)[sent:] if sent else part
                break
            sent -= len(part)
            done += 1
        del out[:done]
        return bool(out) and done < _MOST_PARTS

    def _written(self) -> None:
        if self._closing:
            self._lose(None)
            return
        if self._half:
            self._shut()

    def _shut(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            self._lose(error)

    def _fail_to_write(self, error: OSError) -> None:
        """The peer takes no more. What it said before may still be here: then reading finds it, and the end."""
        self._out = None
        if self._paused or self._ended or self._closing:
            self._lose(error)
        else:
            self._more = True
            self._ask()

    def _lose(self, error: OSError | None) -> None:
        if not self._lost:
            self._poller.forget(self)
            self._lost = True
            self._out = None
            self._poller.end(self, error)
