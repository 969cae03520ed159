"""The frame of every process: uvloop, JSON logs, an orderly stop on SIGTERM, and an end with its owner."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop

from kernel.errors import ShipoffError
from kernel.settings import Settings
from kernel.telemetry import configure_logging

log = logging.getLogger(__name__)
Main = Callable[[asyncio.Event], Awaitable[None]]


class ProcessSettings(Settings):
    """What every process reads, whatever its service.

    Attributes:
        log_level: a level of the logging module; INFO shows one line per thing that a person did.
        owner_pid: the `shipoff up` process, whose end ends this one; 0 in a cluster, where the kubelet does that.
    """

    log_level: str = "INFO"
    owner_pid: int = 0


def run(name: str, main: Main) -> None:
    """Runs a service until SIGTERM, SIGINT or the end of its owner; exits non-zero with one clear line when it cannot.

    Args:
        name: the service's name in logs and settings.
        main: starts everything, awaits the event, stops everything in order.
    """
    try:
        settings = ProcessSettings.from_process(name)
        configure_logging(name, settings.log_level)
        uvloop.run(_guarded(main, settings.owner_pid))
    except ShipoffError as error:
        log.critical("%s cannot run: %s", name, error)
        sys.exit(1)


async def _guarded(main: Main, owner_pid: int) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if owner_pid:
        end_with(owner_pid, stop.set)
    await main(stop)


def end_with(owner_pid: int, ended: Callable[[], object]) -> None:
    """Calls `ended` once when a process of this machine ends (pidfd_open(2)); at once if it has ended already.

    The descriptor stays open for the life of this process, because that is how long the question matters.
    """
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(owner_pid)
    except ProcessLookupError:
        ended()
        return

    def gone() -> None:
        loop.remove_reader(descriptor)
        log.warning("the owner (pid %d) is gone: stopping", owner_pid)
        ended()

    loop.add_reader(descriptor, gone)
