"""WebSocket messages: connections that stay, each arrival one message, matched with the answers in their order."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections import deque
from typing import Final, cast

from bench.load.answer import Answer, Malformed
from bench.load.payload import payloads
from bench.load.recorder import Recorder
from bench.load.scenario import Request
from bench.load.target import Target
from kernel.tasks import spawn

_BEHIND: Final = 1_000
_AGAIN_S: Final = 0.2
_DIAL_S: Final = 10.0
_CLOSE, _PING, _PONG = 0x8, 0x9, 0xA


class Sockets:
    """The WebSockets of one kind of request in one process."""

    def __init__(self, request: Request, target: Target, recorder: Recorder, count: int, timeout_ns: int) -> None:
        self.name = request.name
        self.recorder = recorder
        self.message = frame(0x1, b"m" * request.message_bytes)
        self._target = target
        self._head = _handshake(payloads(request, target)[0])
        self._timeout_ns = timeout_ns
        self._open: list[Socket] = []
        self._count = count
        self._next = 0
        self._tls = target.context()
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Opens all of them, or as many as the server takes."""
        self._keepers = [spawn(self._keep(), "load.socket") for _ in range(self._count)]
        give_up = time.monotonic() + _DIAL_S
        while len(self._open) < self._count and time.monotonic() < give_up:  # noqa: ASYNC110 - once, before the clock
            await asyncio.sleep(0.01)

    def fire(self, intended: int) -> None:
        """Sends one message."""
        if not self._open:
            self.recorder.failed(self.name, intended, "no WebSocket open")
            return
        self._next = (self._next + 1) % len(self._open)
        socket = self._open[self._next]
        if len(socket.sent) >= _BEHIND:
            self.recorder.failed(self.name, intended, "too many waiting in the client")
        else:
            socket.send(intended)

    def sweep(self) -> None:
        """Gives up messages that were not answered in time, and their connection, whose order is lost with them."""
        late = time.monotonic_ns() - self._timeout_ns
        for one in [one for one in self._open if one.sent and one.sent[0] < late]:
            one.give_up("timeout")

    def busy(self) -> int:
        """Messages without an answer."""
        return sum(len(one.sent) for one in self._open)

    def close(self) -> None:
        """Ends all."""
        for keeper in self._keepers:
            keeper.cancel()
        for one in list(self._open):
            one.give_up("unfinished")

    async def _keep(self) -> None:
        """Keeps one WebSocket open."""
        while True:
            lost = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(self._dial(lost), _DIAL_S)
                await lost
            except (OSError, TimeoutError, Malformed):
                pass
            await asyncio.sleep(_AGAIN_S)

    async def _dial(self, lost: asyncio.Future[None]) -> None:
        socket = Socket(self, self._head, lost)
        await asyncio.get_running_loop().create_connection(
            lambda: socket,
            self._target.address,
            self._target.port,
            ssl=self._tls,
            server_hostname=self._target.name if self._tls else None,
        )
        self.recorder.tally.connections += 1

    def opened(self, socket: Socket) -> None:
        """A handshake is done."""
        self._open.append(socket)

    def closed(self, socket: Socket) -> None:
        """A connection is gone."""
        if socket in self._open:
            self._open.remove(socket)


class Socket(asyncio.Protocol):
    """One WebSocket (RFC 6455), as a client.

    Attributes:
        sent: intended starts of messages without an answer.
    """

    __slots__ = ("_answer", "_buffer", "_lost", "_owner", "_transport", "sent")

    def __init__(self, owner: Sockets, head: bytes, lost: asyncio.Future[None]) -> None:
        self.sent: deque[int] = deque()
        self._owner = owner
        self._lost = lost
        self._buffer = head
        self._answer: Answer | None = Answer(self._frames)
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say so
        self._transport.write(self._buffer)
        self._buffer = b""

    def send(self, intended: int) -> None:
        """Sends the message."""
        assert self._transport is not None
        self.sent.append(intended)
        self._transport.write(self._owner.message)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self._frames(data)
            return
        try:
            whole = self._answer.feed(data)
        except Malformed:
            self.give_up("malformed answer")
            return
        if self._answer.status == 101:
            self._answer = None
            self._owner.opened(self)
        elif whole:
            self.give_up("not upgraded")

    def connection_lost(self, error: Exception | None) -> None:
        self._fail("WebSocket lost", waited=False)
        self._owner.closed(self)
        if not self._lost.done():
            self._lost.set_result(None)

    def give_up(self, kind: str) -> None:
        """Ends the connection and what waits on it."""
        self._fail(kind, waited=True)
        self._owner.closed(self)
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, kind: str, waited: bool) -> None:
        while self.sent:
            self._owner.recorder.failed(self._owner.name, self.sent.popleft(), kind, waited)

    def _frames(self, data: bytes) -> None:
        data = self._buffer + data
        at = 0
        while (found := _frame(data, at)) is not None:
            opcode, final, begin, end = found
            self._got(opcode, final, data[begin:end])
            at = end
        self._buffer = data[at:]

    def _got(self, opcode: int, final: bool, payload: bytes) -> None:
        assert self._transport is not None
        if opcode == _PING:
            self._transport.write(frame(_PONG, payload))
        elif opcode == _CLOSE:
            self._transport.abort()
        elif opcode < _CLOSE and final and self.sent:
            self._owner.recorder.good(self._owner.name, self.sent.popleft(), len(payload))


def frame(opcode: int, payload: bytes) -> bytes:
    """A masked frame of a client (RFC 6455 section 5.2); the payload may have up to 65,535 bytes."""
    mask = os.urandom(4)
    size = len(payload)
    head = bytes((0x80 | opcode, 0x80 | size)) if size < 126 else bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big")
    key = (mask * (size // 4 + 1))[:size]
    return head + mask + (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def _frame(data: bytes, at: int) -> tuple[int, bool, int, int] | None:
    """(opcode, final, begin and end of the payload) of the server's frame at a place, None when it is not whole."""
    if len(data) < at + 2:
        return None
    size, begin = data[at + 1] & 0x7F, at + 2
    if size >= 126:
        width = 2 if size == 126 else 8
        if len(data) < begin + width:
            return None
        size, begin = int.from_bytes(data[begin : begin + width], "big"), begin + width
    end = begin + size
    return (data[at] & 0x0F, bool(data[at] & 0x80), begin, end) if len(data) >= end else None


def _handshake(head: bytes) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    fields = (
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    return head[:-2] + fields.encode()
