"""What the tests of the response cache say and ask."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

from tests.integration.router.wire import Message, Origin, read_message

Make = Callable[..., Awaitable[Origin]]
OK = b"HTTP/1.1 200 OK\r\n"


def get(path: str = "/", *lines: str, method: str = "GET", host: str = "app.test", version: str = "1.1") -> bytes:
    """A request."""
    return "\r\n".join((f"{method} {path} HTTP/{version}", f"Host: {host}", *lines, "", "")).encode()


def answer(body: bytes = b"hello", *lines: str, status: str = "200 OK") -> bytes:
    """An answer with a length."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *lines, f"Content-Length: {len(body)}"))
    return head.encode() + b"\r\n" + body


def reset(writer: asyncio.StreamWriter) -> None:
    """Goes away for good: an end alone would leave a client that still reads."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def until(happened: Callable[[], Any]) -> None:
    """Polls with an end."""
    async with asyncio.timeout(10):
        while not happened():
            await asyncio.sleep(0.005)


def how(message: Message) -> str:
    return message["cache-status"]


class Gate:
    """An origin's script that counts requests and answers each in two steps, when told."""

    def __init__(self, first: bytes, second: bytes = b"") -> None:
        self.first, self.second = first, second
        self.requests = 0
        self.begin, self.end = asyncio.Event(), asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_message(reader)
            self.requests += 1
            await self.begin.wait()
            writer.write(self.first)
            await self.end.wait()
            writer.write(self.second)
            if not self.second:
                return
