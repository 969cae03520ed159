"""The life of a `shipoff up` process: lock, log file, signals, platform; in the foreground or detached.

Detached, `python -m stack.run` is the platform's process, and the command that started it reads its progress from a
pipe until everything is up. Options travel in the environment, because they may hold a password.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

import orjson

from kernel.errors import ShipoffError, define
from kernel.settings import Settings
from kernel.telemetry import JsonFormatter
from stack import orphans
from stack.display import Display, PipeDisplay
from stack.environment import inherited, tuning
from stack.services import MODULES
from stack.settings import given, resolve
from stack.state import State
from stack.up import Platform

UP_FAILED = define("UP_FAILED", hint="see logs/up.log and logs/up.err in the state directory")
LOG_BYTES: Final = 1024 * 1024
log = logging.getLogger(__name__)


class DetachedSettings(Settings):
    """Read from SHIPOFF_UP_….

    Attributes:
        dir: the state directory.
        options: JSON, as given on the command line.
        examples: "1" to deploy examples on a first run.
        pipe: descriptor to tell progress to.
    """

    dir: Path
    options: str
    examples: str
    pipe: int


def run(directory: Path, options: dict[str, object], display: Display, *, examples: bool) -> int:
    """Runs a stack until it is told to stop.

    Args:
        directory: its state.
        options: from the command line, None where not given.
        display: who is told.
        examples: whether a first run deploys them.

    Returns:
        The exit code.

    Raises:
        ShipoffError: it did not come up.
    """
    state = State(directory)
    state.open()
    try:
        _log_to(state.logs / "up.log")
        return asyncio.run(_run(state, options, display, examples))
    finally:
        state.close()


def run_detached(directory: Path, options: dict[str, object], display: Display, *, examples: bool) -> None:
    """Starts a stack as a process of its own and waits until it is up.

    Raises:
        ShipoffError: it did not come up.
    """
    state = State(directory)
    state.open()  # says at once, and here, when another stack runs or the directory is unusable
    state.close()
    read, write = os.pipe()
    env = (
        inherited()
        | tuning(MODULES)
        | {
            "SHIPOFF_UP_DIR": str(state.directory),
            "SHIPOFF_UP_OPTIONS": json.dumps(given(options)),
            "SHIPOFF_UP_EXAMPLES": "1" if examples else "",
            "SHIPOFF_UP_PIPE": str(write),
        }
    )
    with (state.logs / "up.err").open("wb") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", "stack.run"],
            env=env,
            cwd=state.directory,
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            pass_fds=[write],
            start_new_session=True,
        )
    os.close(write)
    try:
        _follow(read, display)
    except KeyboardInterrupt:
        child.terminate()
        raise
    finally:
        display.close()


def _follow(descriptor: int, display: Display) -> None:
    with os.fdopen(descriptor, "rb") as pipe:
        for line in pipe:
            event: dict[str, Any] = orjson.loads(line)
            match event:
                case {"unit": name, "state": state}:
                    display.unit(name, state)
                case {"say": text}:
                    display.say(text)
                case {"summary": fields}:
                    display.summary(fields)
                    return
                case {"error": error}:
                    raise ShipoffError(**error)
    raise UP_FAILED("the stack's process ended before everything was up")


async def _run(state: State, options: dict[str, object], display: Display, examples: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():  # asked twice: somebody is in a hurry
            for pid in orphans.descendants_of(os.getpid()):
                os.kill(pid, signal.SIGKILL)
            os._exit(130)
        display.say("stopping")
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked)
    platform = Platform(state, resolve(state.directory, options), display, examples=examples)
    return await platform.run(stop)


def _log_to(path: Path) -> None:
    handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1)
    handler.setFormatter(JsonFormatter("up"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def main() -> None:
    """A detached stack."""
    settings = DetachedSettings.from_process("up")
    os.set_inheritable(settings.pipe, False)
    display = PipeDisplay(settings.pipe)
    try:
        code = run(settings.dir, orjson.loads(settings.options), display, examples=bool(settings.examples))
    except ShipoffError as error:
        log.critical("%s", error)
        display.error(error)
        code = 1
    finally:
        display.close()
    sys.exit(code)


if __name__ == "__main__":
    main()
