"""`python -m router`: the supervisor, or (with --worker, started by it) one worker."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvloop

from kernel.errors import ShipoffError, define
from kernel.service import end_with
from kernel.telemetry import configure_logging
from router.inherited import Inherited
from router.settings import SERVICE, RouterSettings
from router.settings_file import settings_of

log = logging.getLogger("router")
NO_TABLE = define("NO_TABLE", source="client", hint="set SHIPOFF_REDIS_URL or pass --table FILE")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m router", description="The edge router of Shipoff.")
    parser.add_argument("--table", metavar="FILE", help="records as JSON lines instead of Redis; SIGHUP reads it again")
    parser.add_argument("--listen", metavar="HOST:PORT", help="where requests come in; several with commas")
    parser.add_argument("--listen-tls", metavar="HOST:PORT", help="where they come in over TLS")
    parser.add_argument("--tls-certificates", metavar="PATH", help="files or directories of certificates")
    parser.add_argument("--admin", metavar="HOST:PORT", help="the admin door; '' for none")
    parser.add_argument("--workers", type=int, metavar="N", help="processes that serve; 0 for one per CPU")
    for name in ("--worker", "--inherited", "--control", "--owner", "--replaces"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    return parser.parse_args()


def _settings(arguments: argparse.Namespace) -> RouterSettings:
    """The settings of now; called again when the supervisor is told to read them again."""
    names = ("table", "listen", "listen_tls", "tls_certificates", "admin", "workers")
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if arguments.table is not None and arguments.admin is None:
        given["admin"] = ""  # alone, the door is opened only when asked for
    settings = settings_of(given)
    if not settings.table and not settings.redis_url:
        raise NO_TABLE("there is nowhere to read the route table from")
    return settings


def main() -> None:
    """Runs the process that the arguments ask for; exits with one clear line when it cannot."""
    arguments = _arguments()
    try:
        if arguments.worker is None:
            settings = _settings(arguments)
            configure_logging(SERVICE, settings.log_level)
            uvloop.run(_supervise(settings, partial(_settings, arguments)))
        else:
            inherited = Inherited.take(int(arguments.inherited))
            configure_logging(SERVICE, inherited.settings.log_level)
            uvloop.run(_work(inherited, arguments))
    except ShipoffError as error:
        log.critical("the router cannot run: %s", error)
        sys.exit(1)


async def _supervise(settings: RouterSettings, read: Callable[[], RouterSettings]) -> None:
    from router.supervisor import Supervisor

    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if settings.owner_pid:
        end_with(settings.owner_pid, stopped.set)
    await Supervisor(settings, read).run(stopped)


async def _work(inherited: Inherited, arguments: argparse.Namespace) -> None:
    from router.worker import serve

    owners = [int(pid) for pid in (arguments.owner, inherited.settings.owner_pid) if pid]
    await serve(inherited, int(arguments.worker), Path(arguments.control), owners, arguments.replaces or "")


if __name__ == "__main__":
    main()
