"""`shipoff exec`: a command, or a shell, in an instance. The other end is control/gateway/views/shell.py."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import typer

from stack.cli.client import link, session
from stack.cli.client.credentials import Credentials
from stack.cli.client.failures import Exit, Failure, of_problem, reported
from stack.cli.client.wire import unreachable

if TYPE_CHECKING:
    from aiohttp import ClientWebSocketResponse

CHUNK: Final = 32768
STDERR: Final = 2


@reported
def exec_(
    command: Annotated[list[str] | None, typer.Argument(help="Behind `--`; default: a shell.")] = None,
    project: Annotated[
        str | None, typer.Option("--project", "-p", help="Default: what this folder is linked to.")
    ] = None,
    environment: Annotated[str, typer.Option("--environment", "-e", help="Which one.")] = "production",
    instance: Annotated[str, typer.Option("--instance", "-i", help="The end of its id is enough; see ps.")] = "",
    process: Annotated[str, typer.Option(help="Of this process, when no instance is named.")] = "web",
    tty: Annotated[bool | None, typer.Option(help="With a terminal; default: if we are at one.")] = None,
) -> None:
    """Runs a command in a running instance: the app's files, variables and limits. Ends with the command's status."""
    terminal = sys.stdin.isatty() and sys.stdout.isatty() if tty is None else tty
    cols, rows = shutil.get_terminal_size()
    asked = {
        "command": command or ["sh"],
        "environment": environment,
        "instance": instance,
        "process": process,
        "tty": terminal,
        "rows": rows,
        "cols": cols,
        "term": os.environ.get("TERM", "xterm"),  # environ: the user's terminal is described there
    }
    sys.exit(asyncio.run(_run(session.current(), link.project(project), asked)))


async def _run(who: Credentials, project: str, asked: dict[str, Any]) -> int:
    import aiohttp

    url = f"{who.url}/v1/projects/{quote(project, safe='')}/exec"
    headers = {"Authorization": f"Bearer {who.token}"}
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, headers=headers, heartbeat=30.0, max_msg_size=0) as socket,
        ):
            await socket.send_json(asked)
            return await _talk(socket, tty=asked["tty"])
    except aiohttp.WSServerHandshakeError as error:
        raise of_problem(error.status, await _problem(url, headers)) from error
    except (aiohttp.ClientError, OSError) as error:
        raise unreachable(who.url, error) from error


async def _problem(url: str, headers: dict[str, str]) -> dict[str, object]:
    """Why the platform refuses: a handshake's answer does not show it, so it is asked again without one."""
    import aiohttp

    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        with contextlib.suppress(ValueError, aiohttp.ContentTypeError):
            found: dict[str, object] = await answer.json(content_type=None)
            return found
    return {}


async def _talk(socket: ClientWebSocketResponse, *, tty: bool) -> int:
    import aiohttp

    loop = asyncio.get_running_loop()
    with _raw() if tty and sys.stdin.isatty() else contextlib.nullcontext():
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                _write(message.data)
                continue
            said = json.loads(message.data)
            if "begun" in said:
                threading.Thread(target=_give, args=(socket, loop), daemon=True).start()
                if tty:
                    loop.add_signal_handler(signal.SIGWINCH, _resize, socket, loop)
            elif "error" in said:
                raise Failure(said["error"]["code"], said["error"]["detail"], said["error"]["hint"])
            elif "exit" in said:
                status = int(said["exit"])
                return status if status >= 0 else 128 - status
    raise Failure("EXEC_LOST", "the connection was lost", "is the platform still there? shipoff ps", Exit.UNREACHABLE)


def _give(socket: ClientWebSocketResponse, loop: asyncio.AbstractEventLoop) -> None:
    """Sends what is typed or piped in. In a thread that dies with us: a read of a terminal cannot be interrupted."""
    with contextlib.suppress(Exception):  # the connection is gone, which the other side of us tells
        while data := os.read(sys.stdin.fileno(), CHUNK):
            asyncio.run_coroutine_threadsafe(socket.send_bytes(data), loop).result()
        asyncio.run_coroutine_threadsafe(socket.send_json({"end": True}), loop).result()


def _resize(socket: ClientWebSocketResponse, loop: asyncio.AbstractEventLoop) -> None:
    cols, rows = shutil.get_terminal_size()
    asyncio.run_coroutine_threadsafe(socket.send_json({"resize": [rows, cols]}), loop)


def _write(data: bytes) -> None:
    stream = sys.stderr.buffer if data[0] == STDERR else sys.stdout.buffer
    stream.write(data[1:])
    stream.flush()


@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Our terminal passes every key on; as it was before when the block ends."""
    import termios
    import tty

    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
