"""A receiver of hooks that behaves as badly as it is told to: raw sockets, because a framework would be too polite."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Self

import orjson

ANSWERS = {
    "ok": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Said: thanks\r\n\r\nok",
    "broken": b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops",
    "gone": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "garbage": b"\x00\x01nonsense\r\n\r\n",
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "binary": b"HTTP/1.1 200 OK\r\nX-Raw: \xff\xfe\r\nContent-Length: 4\r\n\r\na\x00\xffb",
}


@dataclass
class Got:
    """A request as it came."""

    head: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass
class Receiver:
    """Answers as `mode` says: one of ANSWERS, hang, reset, flood, or redirect to `location`."""

    mode: str = "ok"
    location: str = ""
    got: list[Got] = field(default_factory=list)
    port: int = 0
    open: int = 0
    most_open: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def received(self, count: int) -> list[Got]:
        """Waits for so many requests, within 20 s."""
        async with asyncio.timeout(20):
            while len(self.got) < count:
                await asyncio.sleep(0.02)
        return self.got

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.strip().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.got.append(Got(lines[0], headers, body))
        if self.mode in ANSWERS:
            writer.write(ANSWERS[self.mode])
            await writer.drain()
        elif self.mode == "redirect":
            writer.write(f"HTTP/1.1 302 Found\r\nLocation: {self.location}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        elif self.mode == "hang":
            await reader.read()  # until the other side has enough
        elif self.mode == "reset":
            raw: socket.socket = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        elif self.mode == "flood":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
