"""Waiting for a socket that is read by hand, because a descriptor may come with the bytes."""

from __future__ import annotations

import asyncio
import socket


async def readable(sock: socket.socket) -> None:
    """Waits until there is something to read."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(sock.fileno(), lambda: None if ready.done() else ready.set_result(None))
    try:
        await ready
    finally:
        loop.remove_reader(sock.fileno())
