"""Clients that ask one thing over and over: `python -m bench.api.load HOST PORT CLIENTS SECONDS`, a request on stdin.

A process of its own, so that what the clients cost is not taken for the platform's. Prints JSON: the latencies in
milliseconds, and how many answers were no success.
"""

from __future__ import annotations

import asyncio
import sys
import time

import orjson
import uvloop


async def _ask(host: str, port: int, request: bytes, until: float, took_ms: list[float], bad: list[bytes]) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        while time.monotonic() < until:
            began = time.monotonic()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            await _skip(reader, head.lower())
            took_ms.append((time.monotonic() - began) * 1000)
            if not head.startswith(b"HTTP/1.1 2"):
                bad.append(head)
    finally:
        writer.close()


async def _skip(reader: asyncio.StreamReader, head: bytes) -> None:
    if b"transfer-encoding: chunked" in head:
        while size := int((await reader.readline()).split(b";")[0], 16):
            await reader.readexactly(size + 2)
        await reader.readline()
        return
    _, _, rest = head.partition(b"content-length:")
    await reader.readexactly(int(rest.partition(b"\r\n")[0] or 0))


async def _main(host: str, port: int, clients: int, seconds: float) -> None:
    request, took_ms, bad = sys.stdin.buffer.read(), list[float](), list[bytes]()
    until = time.monotonic() + seconds
    await asyncio.gather(*(_ask(host, port, request, until, took_ms, bad) for _ in range(clients)))
    first = bad[0].decode(errors="replace") if bad else ""
    sys.stdout.buffer.write(orjson.dumps({"took_ms": took_ms, "bad": len(bad), "first": first}))


if __name__ == "__main__":
    uvloop.run(_main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
