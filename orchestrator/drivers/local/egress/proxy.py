"""The egress proxy: a process of its own, because apps must keep their way out while the orchestrator restarts.

Each project has a directory with a socket `s`, bound into its sandboxes. A sandbox's agent passes each connection that
a program opened to the loopback proxy port as a descriptor (SCM_RIGHTS), so this process talks HTTP straight with the
program: `CONNECT host:port`, or a request with an absolute http:// URL. Where it then connects is decided in
addresses.py. When this machine itself needs a proxy to get out, it goes through that one.

The control socket takes one JSON object a connection: `{"open": tag}` makes a project's socket, `{"stats": true}` asks
for bytes and connections, `{"stop": true}` ends the proxy. After a restart every project directory that exists is
opened again.

Standard library only; it ends with the platform's owner.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from kernel.tasks import spawn
from orchestrator.drivers.local.egress.addresses import EgressPolicy
from orchestrator.drivers.local.launch import start_time

MAX_PER_PROJECT: Final = 256
MAX_HEAD: Final = 32 << 10
HEAD_DEADLINE_S: Final = 15.0
CONNECT_DEADLINE_S: Final = 10.0
IDLE_S: Final = 600.0
CHUNK: Final = 256 << 10


class RefusedError(Exception):
    """A request that is not carried out: the status and one sentence for the tenant."""

    def __init__(self, status: str, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


@dataclass(slots=True)
class Usage:
    """What one project has used since this process started."""

    connections: int = 0
    open: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    refused: int = 0


class Proxy:
    """All projects' sockets and the connections on them."""

    def __init__(self, root: Path, policy: EgressPolicy, upstream: str, stop: Callable[[], object]) -> None:
        self._root, self._policy, self._stop = root, policy, stop
        self._upstream = urlsplit(upstream) if upstream else None
        self._listening: dict[str, socket.socket] = {}
        self._usage: dict[str, Usage] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, tag: str) -> None:
        """Listens on a project's socket."""
        directory = self._root / tag
        if tag in self._listening and (directory / "s").exists():
            return
        directory.mkdir(exist_ok=True)
        directory.chmod(0o755)
        path = directory / "s"
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(0o666)  # the directory above is private; inside, the project's uid connects
        listener.listen(128)
        listener.setblocking(False)
        self._forget(tag)
        self._listening[tag] = listener
        asyncio.get_running_loop().add_reader(listener, self._accept, tag, listener)

    def _forget(self, tag: str) -> None:
        if (old := self._listening.pop(tag, None)) is not None:
            asyncio.get_running_loop().remove_reader(old)
            old.close()

    def open_all(self) -> None:
        """Opens what an earlier process had open."""
        for directory in self._root.iterdir():
            if directory.is_dir():
                self.open(directory.name)

    def stats(self) -> dict[str, Any]:
        """Usage by project tag."""
        return {
            tag: {
                "connections": u.connections,
                "open": u.open,
                "out": u.bytes_out,
                "in": u.bytes_in,
                "refused": u.refused,
            }
            for tag, u in self._usage.items()
        }

    def _accept(self, tag: str, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        usage = self._usage.setdefault(tag, Usage())
        if usage.open >= MAX_PER_PROJECT:
            usage.refused += 1
            client.close()
            return
        usage.open += 1
        task = spawn(self._serve(client, usage), f"egress-{tag}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: socket.socket, usage: Usage) -> None:
        writer: asyncio.StreamWriter | None = None
        try:
            with client:
                connection = await asyncio.wait_for(_receive(client), HEAD_DEADLINE_S)
            if connection is None:
                return
            reader, writer = await asyncio.open_connection(sock=connection, limit=MAX_HEAD)
            usage.connections += 1
            await self._handle(reader, writer, usage)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the program went away, or sent what is no request; it sees its connection close
        finally:
            usage.open -= 1
            if writer is not None:
                writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, usage: Usage) -> None:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_DEADLINE_S)
        try:
            request = parse(head)
            upstream = await asyncio.wait_for(self._connect(request), CONNECT_DEADLINE_S)
        except RefusedError as error:
            usage.refused += 1
            await _answer(writer, error.status, error.why)
            return
        except (OSError, TimeoutError) as error:
            await _answer(writer, "502 Bad Gateway", f"cannot connect: {str(error) or 'timed out'}")
            return
        up_reader, up_writer = upstream
        try:
            if request.tunnel:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                up_writer.write(request.forwarded(absolute=self._upstream is not None, extra=self._authorization()))
            await self._relay((reader, writer), (up_reader, up_writer), usage)
        finally:
            up_writer.close()

    async def _relay(
        self,
        ours: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        theirs: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        usage: Usage,
    ) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(ours[0], theirs[1], usage, "bytes_out"))
            group.create_task(_copy(theirs[0], ours[1], usage, "bytes_in"))

    async def _connect(self, request: Request) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        addresses = await self._allowed(request)
        if self._upstream is not None:
            return await self._connect_upstream(request, self._upstream)
        last: OSError | None = None
        for address in addresses:
            try:
                return await asyncio.open_connection(address, request.port, limit=CHUNK)
            except OSError as error:
                last = error
        raise last or OSError("no address")

    async def _allowed(self, request: Request) -> list[str]:
        """The addresses of the host, all of them allowed."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                request.host, request.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except OSError as error:
            if self._upstream is not None:  # only the upstream proxy can resolve here, and it has its own rules
                return []
            raise RefusedError("502 Bad Gateway", f"{request.host} does not resolve") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for address in addresses:
            if why := self._policy.refusal(address, request.port):
                raise RefusedError("403 Forbidden", f"{request.host}:{request.port} is refused: {why}")
        return addresses

    async def _connect_upstream(
        self, request: Request, upstream: SplitResult
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(
            upstream.hostname,
            upstream.port or 3128,
            ssl=upstream.scheme == "https" or None,
            limit=CHUNK,
        )
        if request.tunnel:
            target = f"{_bracketed(request.host)}:{request.port}"
            writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n".encode() + self._authorization() + b"\r\n")
            answer = await reader.readuntil(b"\r\n\r\n")
            if answer.split(b" ", 2)[1:2] != [b"200"]:
                writer.close()
                raise RefusedError("502 Bad Gateway", "this machine's own proxy refused the connection")
        return reader, writer

    def _authorization(self) -> bytes:
        if self._upstream is None or not self._upstream.username:
            return b""
        pair = f"{unquote(self._upstream.username)}:{unquote(self._upstream.password or '')}"
        return b"Proxy-Authorization: Basic " + base64.b64encode(pair.encode()) + b"\r\n"

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one control connection."""
        try:
            order = json.loads(await asyncio.wait_for(reader.readline(), HEAD_DEADLINE_S))
            if tag := order.get("open"):
                self.open(str(tag))
            if order.get("stop"):
                self._stop()
            writer.write(json.dumps(self.stats() if order.get("stats") else {"ok": True}).encode() + b"\n")
            await writer.drain()
        except (ValueError, OSError, TimeoutError) as error:
            print(f"egress control: {error!r}", file=sys.stderr)  # noqa: T201 - a program on the bare interpreter
        finally:
            writer.close()


@dataclass(frozen=True, slots=True)
class Request:
    """Where a program wants to go, and the head to send on when it is a plain http request."""

    host: str
    port: int
    tunnel: bool
    method: str = ""
    target: str = ""
    url: str = ""
    headers: tuple[bytes, ...] = ()

    def forwarded(self, *, absolute: bool, extra: bytes) -> bytes:
        """The request's head for the origin, one request a connection."""
        line = f"{self.method} {self.url if absolute else self.target} HTTP/1.1\r\n".encode("latin-1")
        return line + b"".join(header + b"\r\n" for header in self.headers) + extra + b"Connection: close\r\n\r\n"


def parse(head: bytes) -> Request:
    """Reads a proxy request's head.

    Raises:
        RefusedError: it is neither CONNECT host:port nor an absolute http:// URL.
    """
    first, *lines = head[:-4].split(b"\r\n")
    try:
        method, target, _ = first.decode("latin-1").split(" ")
        if method == "CONNECT":
            parts = urlsplit(f"//{target}")
            return Request(str(parts.hostname or ""), _port(parts.port), tunnel=True)
        parts = urlsplit(target)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(target)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        kept = tuple(line for line in lines if line.split(b":")[0].strip().lower() not in _HOP_BY_HOP)
        return Request(parts.hostname, parts.port or 80, False, method, path, target, kept)
    except ValueError as error:
        raise RefusedError(
            "400 Bad Request", "this is a proxy: CONNECT host:port, or an absolute http:// URL"
        ) from error


_HOP_BY_HOP: Final = frozenset(
    {b"connection", b"proxy-connection", b"proxy-authorization", b"keep-alive", b"upgrade", b"te"}
)


def _port(port: int | None) -> int:
    if not port:
        raise ValueError("a port is missing")
    return port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _receive(client: socket.socket) -> socket.socket | None:
    """The connection that an agent passes; None when it passes something else."""
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(client, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(client)
    _, descriptors, _, _ = socket.recv_fds(client, 1, 1)
    if not descriptors:
        return None
    if not stat.S_ISSOCK(os.fstat(descriptors[0]).st_mode):
        os.close(descriptors[0])
        return None
    connection = socket.socket(fileno=descriptors[0])
    if connection.type != socket.SOCK_STREAM or connection.family not in (socket.AF_INET, socket.AF_INET6):
        connection.close()
        return None
    connection.setblocking(False)
    return connection


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, usage: Usage, counter: str) -> None:
    """Copies one direction to its end and passes the end on; a broken or idle connection ends both ways."""
    try:
        while data := await asyncio.wait_for(reader.read(CHUNK), IDLE_S):
            setattr(usage, counter, getattr(usage, counter) + len(data))
            writer.write(data)
            await asyncio.wait_for(writer.drain(), IDLE_S)
        if writer.can_write_eof():
            writer.write_eof()
    except (OSError, TimeoutError):
        writer.close()


async def _answer(writer: asyncio.StreamWriter, status: str, why: str) -> None:
    body = f"shipoff egress: {why}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    with contextlib.suppress(OSError):
        await writer.drain()


async def serve(spec: dict[str, Any]) -> None:
    """Runs until SIGTERM or the end of the owner."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if spec["owner_pid"]:
        owner = os.pidfd_open(spec["owner_pid"])
        if start_time(spec["owner_pid"]) != spec["owner_start"]:
            return
        loop.add_reader(owner, stop.set)
    root = Path(spec["root"])
    proxy = Proxy(root, EgressPolicy(spec["allow"]), spec["upstream"], stop.set)
    proxy.open_all()
    path = root / "control"
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(proxy.control, path)
    path.chmod(0o600)
    async with server:
        await stop.wait()


def main() -> None:
    """Reads the spec from stdin, detaches, and serves. A lock on `<root>/lock` lets one proxy serve a directory."""
    import fcntl

    spec = json.load(sys.stdin)
    if os.fork():
        os._exit(0)
    os.setsid()
    lock = os.open(Path(spec["root"]) / "lock", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os._exit(0)
    errors = os.open(Path(spec["root"]) / "errors", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor, onto in ((null, 0), (null, 1), (errors, 2)):
        os.dup2(descriptor, onto)
    os.chdir("/")
    with contextlib.suppress(ProcessLookupError):
        asyncio.run(serve(spec))
