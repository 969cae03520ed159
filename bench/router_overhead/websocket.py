"""WebSocket messages through a proxy: every connection sends the next one when the echo of the last is there."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import uvloop

from bench.router_overhead.load import Counted

_PAYLOAD: Final = b"m" * 64
_MASK: Final = b"\x5a\x11\x3c\xe7"
_MESSAGE: Final = bytes((0x81, 0x80 | len(_PAYLOAD))) + _MASK + bytes(b ^ _MASK[n % 4] for n, b in enumerate(_PAYLOAD))
_ECHO: Final = bytes((0x81, len(_PAYLOAD))) + _PAYLOAD
_HANDSHAKE: Final = (
    b"GET /echo HTTP/1.1\r\nHost: site1.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_SETUP_S: Final = 10.0


class _Socket(asyncio.Protocol):
    """One connection; it waits after the handshake until all are ready."""

    def __init__(self, ready: asyncio.Future[None]) -> None:
        self.echoes = 0
        self.wrong = 0
        self._ready = ready
        self._buffer = bytearray()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's does not say so
        self.transport.write(_HANDSHAKE)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ready.done():
            self._ready.set_exception(RuntimeError(f"no WebSocket: {bytes(self._buffer[:100])!r}"))

    def send(self) -> None:
        """Sends a message."""
        assert self.transport is not None
        self.transport.write(_MESSAGE)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._ready.done():
            self._shake()
            return
        while len(self._buffer) >= len(_ECHO):
            self.echoes += 1
            self.wrong += self._buffer[: len(_ECHO)] != _ECHO
            del self._buffer[: len(_ECHO)]
            self.send()

    def _shake(self) -> None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        if self._buffer.startswith(b"HTTP/1.1 101"):
            del self._buffer[: end + 4]
            self._ready.set_result(None)
        else:
            self._ready.set_exception(RuntimeError(f"no WebSocket: {bytes(self._buffer[:100])!r}"))


async def _run(port: int, seconds: float, connections: int) -> Counted:
    loop = asyncio.get_running_loop()
    ready = [loop.create_future() for _ in range(connections)]
    made = [
        (await loop.create_connection(lambda one=one: _Socket(one), "127.0.0.1", port))[1]  # type: ignore[misc]
        for one in ready
    ]
    try:
        await asyncio.wait_for(asyncio.gather(*ready), _SETUP_S)
        began = loop.time()
        for one in made:
            one.send()
        await asyncio.sleep(seconds)
        took = loop.time() - began
        count = sum(one.echoes for one in made)
        return Counted(count, took, count * len(_ECHO), sum(one.wrong for one in made), 0.0, 0.0)
    finally:
        for one in made:
            if one.transport is not None:
                one.transport.abort()


def run(port: int, seconds: float, connections: int = 64) -> Counted:
    """Loads the proxy; `requests` are messages that came back.

    Raises:
        RuntimeError: the proxy does not upgrade.
    """
    return uvloop.run(_run(port, seconds, connections))
