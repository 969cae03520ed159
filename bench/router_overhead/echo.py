"""`python -m bench.router_overhead.echo PORT`: a WebSocket that sends every message back, as small as it can be.

It understands what `websocket.py` sends: unfragmented messages of up to 125 bytes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from typing import Final, cast

import uvloop

_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3


class Echo(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's does not say so

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded and not self._upgrade():
            return
        if answers := self._answers():
            assert self._transport is not None
            self._transport.write(answers)

    def _upgrade(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = bytes(self._buffer[:end]).split(b"\r\n")
        key = next(
            (line.split(b":")[1].strip() for line in lines if line.lower().startswith(b"sec-websocket-key:")), b""
        )
        del self._buffer[: end + 4]
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        assert self._transport is not None
        self._transport.write(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self._upgraded = True
        return True

    def _answers(self) -> bytes:
        """The messages that are whole, unmasked (RFC 6455 section 5.3)."""
        made, buffer = [], self._buffer
        while len(buffer) >= 6 and len(buffer) >= (end := 6 + (buffer[1] & 0x7F)):
            size = end - 6
            mask = int.from_bytes((bytes(buffer[2:6]) * (size // 4 + 1))[:size], "big")
            payload = int.from_bytes(buffer[6:end], "big") ^ mask
            made.append(bytes((buffer[0], size)) + payload.to_bytes(size, "big"))
            del buffer[:end]
        return b"".join(made)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
