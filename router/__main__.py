"""`python -m router`: the supervisor, or (with --worker, started by it) one worker."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket
import sys
from pathlib import Path

import uvloop
from pydantic import ValidationError

from kernel.errors import ShipoffError, define
from kernel.service import end_with
from kernel.telemetry import configure_logging
from router.settings import SERVICE, RouterSettings

log = logging.getLogger("router")
ARGUMENTS_INVALID = define("ARGUMENTS_INVALID", source="client", hint="see python -m router --help")
NO_TABLE = define("NO_TABLE", source="client", hint="set SHIPOFF_REDIS_URL or pass --table FILE")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m router", description="The edge router of Shipoff.")
    parser.add_argument("--table", metavar="FILE", help="records as JSON lines instead of Redis; SIGHUP reads it again")
    parser.add_argument("--listen", metavar="HOST:PORT", help="where requests come in")
    parser.add_argument("--admin", metavar="HOST:PORT", help="the admin door; '' for none")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that serve; 0 for one per CPU")
    for name in ("--worker", "--listener", "--control", "--owner", "--replaces"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    return parser.parse_args()


def _settings(arguments: argparse.Namespace) -> tuple[RouterSettings, list[str]]:
    """The settings, and the arguments that make the same ones in a worker."""
    named = {name: getattr(arguments, name) for name in ("table", "listen", "admin", "workers")}
    given = {name: value for name, value in named.items() if value is not None}
    if arguments.table is not None and arguments.admin is None:
        given["admin"] = ""  # alone, the door is opened only when asked for
    settings = RouterSettings.from_process(SERVICE)
    try:
        settings = RouterSettings.model_validate({**settings.model_dump(), **given})
    except ValidationError as error:
        wrong = "; ".join(f"--{item['loc'][0]}: {item['msg']}" for item in error.errors())
        raise ARGUMENTS_INVALID(wrong) from None
    if not settings.table and not settings.redis_url:
        raise NO_TABLE("there is nowhere to read the route table from")
    return settings, [part for name, value in given.items() for part in (f"--{name}", str(value))]


def main() -> None:
    """Runs the process that the arguments ask for; exits with one clear line when it cannot."""
    arguments = _arguments()
    try:
        settings, passed = _settings(arguments)
        configure_logging(SERVICE, settings.log_level)
        if arguments.worker is None:
            uvloop.run(_supervise(settings, passed))
        else:
            uvloop.run(_work(settings, arguments))
    except ShipoffError as error:
        log.critical("the router cannot run: %s", error)
        sys.exit(1)


async def _supervise(settings: RouterSettings, passed: list[str]) -> None:
    from router.supervisor import Supervisor

    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if settings.owner_pid:
        end_with(settings.owner_pid, stopped.set)
    await Supervisor(settings, passed).run(stopped)


async def _work(settings: RouterSettings, arguments: argparse.Namespace) -> None:
    from router.worker import serve

    listener = socket.socket(fileno=int(arguments.listener))
    owners = [int(pid) for pid in (arguments.owner, settings.owner_pid) if pid]
    await serve(settings, int(arguments.worker), listener, Path(arguments.control), owners, arguments.replaces or "")


if __name__ == "__main__":
    main()
