"""Runs git's own `http-backend` (CGI, RFC 3875) for one request: bodies stream both ways, nothing is held in memory.

Bounded by a deadline for the whole, by an idle limit on the client, and by bytes. When the client goes away, the
process group is killed. A body that git has stopped reading (a pack above receive.maxInputSize) is read on and thrown
away, because a client that still writes would not see the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast

from aiohttp import web

from control.gateway.frame import address
from control.gateway.git.command import Git, end
from kernel import tasks
from kernel.errors import UNAVAILABLE

log = logging.getLogger(__name__)

CHUNK: Final = 64 * 1024
COMPLAINT_BYTES: Final = 4096
END_S: Final = 5.0
# What CGI needs of the request's head, and nothing else of it.
_PASSED: Final = {
    "Content-Type": "CONTENT_TYPE",
    "Content-Length": "CONTENT_LENGTH",
    "Content-Encoding": "HTTP_CONTENT_ENCODING",
    "Git-Protocol": "GIT_PROTOCOL",
    "Accept": "HTTP_ACCEPT",
    "User-Agent": "HTTP_USER_AGENT",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may take: seconds in all, seconds of silence, bytes of body."""

    total_s: float
    idle_s: float
    body_bytes: int


class Backend:
    """Starts one `http-backend` a request.

    Args:
        git: its environment.
        program: the path of git-http-backend.
        root: where the repositories are.
        limits: see above.
    """

    def __init__(self, git: Git, program: str, root: str, limits: Limits) -> None:
        self._git, self._program, self._root, self._limits = git, program, root, limits

    async def serve(
        self, request: web.Request, path: str, extra: Mapping[str, str], *, trusted: bool
    ) -> web.StreamResponse:
        """Answers a request with what git answers.

        Args:
            request: of smart HTTP (gitprotocol-http(5)).
            path: `/<repository>.git/<rest>`, below the root.
            extra: further variables for git and its hooks.
            trusted: see Git.environment.

        Raises:
            TimeoutError: the deadline passed before git answered; afterwards the connection is cut.
            ShipoffError: UNAVAILABLE when git could not be run.
        """
        process = await asyncio.create_subprocess_exec(
            self._program,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**self._git.environment(trusted=trusted), **self._variables(request, path), **extra},
            start_new_session=True,
            limit=CHUNK,
        )
        feeding = tasks.spawn(self._feed(request, process), "git request body")
        listening = tasks.spawn(_complaints(process), "git stderr")
        try:
            async with asyncio.timeout(self._limits.total_s):
                response = await self._answer(request, process)
                await feeding  # the client may still be writing what git did not want
                return response
        finally:
            await end(process)
            await tasks.stop(feeding, listening)

    def _variables(self, request: web.Request, path: str) -> dict[str, str]:
        passed = {name: request.headers[header] for header, name in _PASSED.items() if header in request.headers}
        return {
            **passed,
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REQUEST_METHOD": request.method,
            "QUERY_STRING": request.query_string,
            "PATH_INFO": path,
            "GIT_PROJECT_ROOT": self._root,
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_ADDR": address.of(request),
        }

    async def _feed(self, request: web.Request, process: asyncio.subprocess.Process) -> None:
        stdin = cast("asyncio.StreamWriter", process.stdin)
        sent, wanted = 0, True
        try:
            while chunk := await asyncio.wait_for(request.content.read(CHUNK), self._limits.idle_s):
                sent += len(chunk)
                wanted = wanted and sent <= self._limits.body_bytes and await _written(stdin, chunk)
                if not wanted:
                    stdin.close()
        except (TimeoutError, OSError, web.RequestPayloadError) as error:
            log.info("a git client stopped in the middle of its request: %r", error)
        finally:
            stdin.close()

    async def _answer(self, request: web.Request, process: asyncio.subprocess.Process) -> web.StreamResponse:
        stdout = cast("asyncio.StreamReader", process.stdout)
        status, headers = await _head(stdout)
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        while chunk := await stdout.read(CHUNK):
            await response.write(chunk)
        await response.write_eof()
        return response


async def _written(stdin: asyncio.StreamWriter, chunk: bytes) -> bool:
    """Gives git more to read; False when it reads no more."""
    try:
        stdin.write(chunk)
        await stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


async def _head(stdout: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """The CGI head: a status (200 unless named) and headers."""
    try:
        raw = await stdout.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise UNAVAILABLE("git gave no answer", hint="the gateway's log has git's own words") from error
    status, headers = 200, {}
    for line in raw.decode("latin-1").splitlines():
        name, colon, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        elif colon:
            headers[name] = value.strip()
    return status, headers


async def _complaints(process: asyncio.subprocess.Process) -> None:
    stderr, kept = cast("asyncio.StreamReader", process.stderr), b""
    while chunk := await stderr.read(COMPLAINT_BYTES):
        kept = (kept + chunk)[:COMPLAINT_BYTES]
    if kept:
        log.warning("git http-backend: %s", kept.decode(errors="replace").strip())
