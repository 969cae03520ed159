"""An app to try the harness on: `python -m bench.load.demo PORT` serves pages, a WebSocket and a stream on loopback.

`/` and unknown paths give 1 KB; `/slow/MS` answers after so many milliseconds; `/stall/MS` holds the whole process up
for so long, as a garbage collection or a full disk would; `/events` is an event stream; an upgrade is an echo.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import uvloop

from bench.load.scenario import Refused
from kernel.tasks import spawn

_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
_PAGE: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n\r\n" + b"x" * 1024
_STREAM: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_EVENTS: Final = 100
_EVENT_S: Final = 0.02
_START_S: Final = 20.0
_ROOT: Final = Path(__file__).parents[2]


class App(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._buffer = b""
        self._upgraded = False
        self._skip = 0
        self._streaming: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while self._buffer and (self._echo() if self._upgraded else self._request()):
            pass

    def _request(self) -> bool:
        if self._skip:  # a body
            taken = min(self._skip, len(self._buffer))
            self._skip -= taken
            self._buffer = self._buffer[taken:]
            if not self._skip:
                self._transport.write(_PAGE)
            return not self._skip
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if found:
            self._buffer = rest
            self._answer(head)
        return bool(found)

    def _answer(self, head: bytes) -> None:
        path = head.split(b" ", 2)[1]
        fields = _fields(head)
        if key := fields.get(b"sec-websocket-key"):
            self._upgrade(key)
        elif int(fields.get(b"content-length", b"0")):
            self._skip = int(fields[b"content-length"])
        elif path.startswith(b"/events"):
            self._streaming = spawn(self._stream(), "demo.stream")
        elif path.startswith(b"/slow/"):
            asyncio.get_running_loop().call_later(int(path[6:]) / 1000, self._transport.write, _PAGE)
        else:
            if path.startswith(b"/stall/"):
                time.sleep(int(path[7:]) / 1000)
            self._transport.write(_PAGE)

    def _upgrade(self, key: bytes) -> None:
        accept = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self._transport.write(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self._upgraded = True

    def _echo(self) -> bool:
        """Sends a whole message back unmasked; messages of up to 125 bytes."""
        buffer = self._buffer
        if len(buffer) < 6 or len(buffer) < (end := 6 + (buffer[1] & 0x7F)):
            return False
        size = end - 6
        mask = int.from_bytes((buffer[2:6] * (size // 4 + 1))[:size], "big")
        payload = (int.from_bytes(buffer[6:end], "big") ^ mask).to_bytes(size, "big")
        self._transport.write(bytes((buffer[0], size)) + payload)
        self._buffer = buffer[end:]
        return True

    async def _stream(self) -> None:
        self._transport.write(_STREAM)
        for number in range(_EVENTS):
            if self._transport.is_closing():
                return
            event = b"data: %d\n\n" % number
            self._transport.write(b"%x\r\n%s\r\n" % (len(event), event))
            await asyncio.sleep(_EVENT_S)
        self._transport.write(b"0\r\n\r\n")


def _fields(head: bytes) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in pairs}


@contextlib.contextmanager
def running() -> Iterator[int]:
    """The app in a process of its own for the length of the block; its port.

    Raises:
        Refused: it does not start.
    """
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    app = subprocess.Popen([sys.executable, "-m", "bench.load.demo", str(port)], cwd=_ROOT)
    try:
        _wait(port)
        yield port
    finally:
        app.kill()
        app.wait()


def _wait(port: int) -> None:
    give_up = time.monotonic() + _START_S
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise Refused("the demo app does not start")


async def serve(port: int) -> None:
    """Serves until it is cancelled."""
    server = await asyncio.get_running_loop().create_server(App, "127.0.0.1", port, backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
