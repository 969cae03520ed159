"""What the tests of the router speak with: messages, origins that do as told, and routers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import struct
import sys
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernel.tasks import spawn, stop
from router.core.records import EndpointsRecord, Route
from router.edge.caching.responses import ResponseCache
from router.edge.caching.shelf import Shelf
from router.edge.certificate_store import CertificateStore
from router.edge.context import TICK_S, Edge
from router.edge.doorway import visitors
from router.edge.poller import Listener
from router.settings import RouterSettings

LIMIT_S = 15
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Message:
    """A request or an answer as it came off the wire."""

    first: str
    headers: list[tuple[str, str]]
    body: bytes
    raw: bytes

    def __getitem__(self, name: str) -> str:
        """The header's values, joined."""
        return ", ".join(value for key, value in self.headers if key == name)

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])


async def read_message(reader: asyncio.StreamReader, bodiless: bool = False) -> Message:
    """Reads one message strictly; a body without length goes to the end."""
    async with asyncio.timeout(LIMIT_S):
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = [(line.partition(":")[0].lower(), line.partition(":")[2].strip()) for line in lines]
        message = Message(first, headers, b"", head)
        is_answer = first.startswith("HTTP/")
        if bodiless or (is_answer and (message.status < 200 or message.status in (204, 304))):
            return message
        if message["transfer-encoding"]:
            while True:
                size = int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16)
                if not size:
                    while (await reader.readuntil(b"\r\n")) != b"\r\n":
                        pass
                    return message
                message.body += (await reader.readexactly(size + 2))[:-2]
        if message["content-length"]:
            message.body = await reader.readexactly(int(message["content-length"]))
        elif is_answer:
            message.body = await reader.read()
        return message


@dataclass
class Origin:
    """An upstream: records whole requests and answers each, or runs the test's own script per connection."""

    name: str = "origin"
    script: Script | None = None
    answer: bytes = b""
    requests: list[Message] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    server: asyncio.Server | None = None

    @property
    def address(self) -> str:
        return f"tcp:127.0.0.1:{self.port}"

    async def start(self, path: str = "") -> Origin:
        """Listens on a port of its own, or on a unix socket."""
        if path:
            self.server = await asyncio.start_unix_server(self._serve, path)
        else:
            self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
            self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Stops listening and cuts what is open."""
        if self.server is not None:
            self.server.close()
        for writer in list(self.open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open.add(writer)
        try:
            if self.script is not None:
                await self.script(reader, writer)
            else:
                await self._answer_all(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass
        finally:
            self.open.discard(writer)
            writer.close()

    async def _answer_all(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await read_message(reader)
            self.requests.append(request)
            writer.write(self.answer or self._echo(request))
            await writer.drain()

    def _echo(self, request: Message) -> bytes:
        shown = {"by": self.name, "first": request.first, "headers": request.headers, "size": len(request.body)}
        body = b"" if request.first.startswith("HEAD") else json.dumps(shown).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(json.dumps(shown)), body)


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with RST, which a peer cannot take for a half-close."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def route(host: str, release: str = "rel_1", **more: Any) -> dict[str, Any]:
    """A dynamic route's record."""
    return {"host": host, "path": "/", "kind": "dynamic", "release": release, **more}


def endpoints(release: str, *addresses: str, state: str = "running") -> dict[str, Any]:
    """An endpoints record."""
    listed = [
        {"address": address, "instance": f"ins_{i}", "weight": 1, "zone": ""} for i, address in enumerate(addresses)
    ]
    return {"release": release, "state": state, "endpoints": listed}


class InProcess:
    """The data path alone: an edge that listens on a port of this process."""

    def __init__(self, **settings: Any) -> None:
        self.edge = Edge(RouterSettings(**settings))
        shared = self.edge.settings.cache_dir
        shelf = Shelf(Path(shared), self.edge.settings.cache_shared, 1) if shared else None
        self.edge.responses = ResponseCache(self.edge, lambda: shelf)
        self.port = 0
        self.tls_port = 0
        self.certificates: CertificateStore
        self._server: Listener | None = None
        self._tls_server: Listener | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def start(self) -> InProcess:
        self.port, self._server = self._listen(False)
        if self.edge.settings.tls_certificates:
            self.certificates = CertificateStore(self.edge.settings)
            self.edge.certificates = self.certificates.scan()
            self.tls_port, self._tls_server = self._listen(True)
        self._ticker = spawn(self._tick(), "test.tick")
        return self

    def _listen(self, secure: bool) -> tuple[int, Listener]:
        edge, sock = self.edge, socket.create_server(("127.0.0.1", 0))
        return sock.getsockname()[1], Listener(edge.streams(), sock, visitors(edge, secure), 128, edge.is_full)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S / 5)
            self.edge.tick()

    async def stop(self) -> None:
        await stop(self._ticker)
        assert self._server is not None
        self._server.close()
        if self._tls_server is not None:
            self._tls_server.close()
        for client in list(self.edge.clients):
            client.transport.abort()
        await asyncio.sleep(0.01)
        if self.edge.responses is not None:
            await self.edge.responses.close()
        self.edge.close()

    def put(self, *records: dict[str, Any]) -> None:
        """Changes the table as an event does."""
        for record in records:
            if "host" in record:
                self.edge.table.put_route(Route(record))
            else:
                self.edge.retire(self.edge.table.put_release(EndpointsRecord(record)))
        self.edge.changed()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client connection."""
        return await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)

    async def ask(self, raw: bytes, bodiless: bool = False) -> Message:
        """Sends bytes on a new connection and reads one answer (behind any 100)."""
        reader, writer = await self.connect()
        try:
            writer.write(raw)
            answer = await read_message(reader, bodiless)
            while answer.status == 100:
                answer = await read_message(reader, bodiless)
            return answer
        finally:
            writer.close()

    async def talk(self, raw: bytes) -> bytes:
        """Sends bytes on a new connection and reads everything until the router closes."""
        reader, writer = await self.connect()
        try:
            writer.write(raw)
            async with asyncio.timeout(LIMIT_S):
                return await reader.read()
        finally:
            writer.close()


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Processes:
    """`python -m router` as its own processes."""

    environment: dict[str, str]
    arguments: list[str]
    port: int
    admin: int
    process: Process | None = None

    async def start(self) -> None:
        """Starts the supervisor and waits until every worker serves."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "router", *self.arguments, env=self.environment, start_new_session=True
        )
        await self.until_ready()

    async def until_ready(self) -> None:
        async with asyncio.timeout(LIMIT_S):
            while True:
                with contextlib.suppress(OSError):
                    if (await self.get("/readyz")).status == 200:
                        return
                assert self.process is not None and self.process.returncode is None
                await asyncio.sleep(0.05)

    async def get(self, path: str) -> Message:
        """Asks the admin door."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.admin)
        try:
            writer.write(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
            return await read_message(reader)
        finally:
            writer.close()

    async def post(self, path: str, question: object) -> Message:
        """Tells the admin door something, as JSON."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.admin)
        try:
            body = json.dumps(question).encode()
            head = f"POST {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            return await read_message(reader)
        finally:
            writer.close()

    async def ask(self, raw: bytes) -> Message:
        """Asks the router on a new connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(raw)
            return await read_message(reader)
        finally:
            writer.close()

    async def workers(self) -> list[dict[str, Any]]:
        """What the admin door says of the workers."""
        found: list[dict[str, Any]] = json.loads((await self.get("/debug/workers")).body)["workers"]
        return found

    async def stop(self) -> None:
        """Ends it in order; kills what does not end."""
        if self.process is None:
            return
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            await self.process.wait()
