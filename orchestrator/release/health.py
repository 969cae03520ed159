"""The gate that a new instance must pass before any request reaches it."""

from __future__ import annotations

import asyncio
import http.client
import math
import socket
from dataclasses import dataclass
from typing import Final

from kernel.errors import ShipoffError, define
from orchestrator.build.running import Health
from orchestrator.drivers.base import ExitInfo
from orchestrator.release import dialing

APP_CRASHED = define(
    "APP_CRASHED", source="client", status=422, hint="the app ended before it answered; its last lines say why"
)
APP_NOT_LISTENING = define(
    "APP_NOT_LISTENING",
    source="client",
    status=422,
    hint="the app must listen on the port in the environment variable PORT, on 0.0.0.0 or 127.0.0.1",
)
HEALTH_CHECK_TIMEOUT = define(
    "HEALTH_CHECK_TIMEOUT",
    source="client",
    status=422,
    hint="the app accepts connections but does not answer its health check; is it waiting for something?",
)
HEALTH_CHECK_FAILED = define(
    "HEALTH_CHECK_FAILED",
    source="client",
    status=422,
    hint="the health check's path must answer; choose another in [health] of shipoff.toml or as health_path",
)

# Between the first checks after a start, in seconds, ten of each: most apps answer within a second. Then the interval.
EAGER_S: Final = (0.02, 0.03, 0.05, 0.1, 0.25)
EACH: Final = 10


@dataclass(frozen=True, slots=True)
class Check:
    """What to ask, and what counts as healthy.

    Attributes:
        health: of the plan.
        host: Host header, the project's own, because frameworks refuse unknown hosts.
        strict: only 2xx and 3xx are healthy. Otherwise (nobody named a path) any answer below 500 is: an API without
            a start page is not ill.
    """

    health: Health
    host: str
    strict: bool


async def wait_until_healthy(address: str, check: Check, exited: asyncio.Future[ExitInfo], within_s: float) -> None:
    """Returns when the instance passed its check.

    Args:
        address: of the instance's endpoint.
        check: what to ask.
        exited: done when the instance ends.
        within_s: how long it may take from now, where the check itself names no start period.

    Raises:
        ShipoffError: APP_CRASHED, APP_NOT_LISTENING, HEALTH_CHECK_TIMEOUT, HEALTH_CHECK_FAILED.
    """
    loop = asyncio.get_running_loop()
    period_s = check.health.start_period_s or within_s
    give_up, tried = loop.time() + period_s, 0
    while True:
        verdict = await asyncio.to_thread(_probe, address, check, min(check.health.timeout_s, period_s))
        if exited.done():
            raise crashed(exited.result())
        if verdict is None:
            return
        pause = min(pause_s(tried), check.health.interval_s)
        if loop.time() + pause > give_up:
            raise verdict
        tried += 1
        await asyncio.wait([exited], timeout=pause)


async def answers(address: str, check: Check) -> bool:
    """Whether an instance says anything within the check's timeout, be it an error."""
    verdict = await asyncio.to_thread(_probe, address, check, check.health.timeout_s)
    return verdict is None or verdict.code == HEALTH_CHECK_FAILED.code


def pause_s(tried: int) -> float:
    """How long to wait after a number of checks, unless the interval is shorter; in seconds."""
    return EAGER_S[tried // EACH] if tried < EACH * len(EAGER_S) else math.inf


def crashed(end: ExitInfo) -> ShipoffError:
    """The error for an instance that ended by itself."""
    how = f"killed by signal {-end.exit_status}" if end.exit_status < 0 else f"exited with status {end.exit_status}"
    reason = " (out of memory)" if end.reason == "memory" else ""
    return APP_CRASHED(f"the app {how}{reason} before it passed its health check")


def _probe(address: str, check: Check, timeout_s: float) -> ShipoffError | None:
    """Asks once; None when healthy, else what to report if it stays so."""
    try:
        connection = dialing.connect(address, timeout_s)
    except OSError as error:
        return APP_NOT_LISTENING(f"nothing listens on the app's port ({error})")
    with connection:
        if check.health.kind == "tcp":
            return None
        path = check.health.path
        try:
            status = _get(connection, check)
        except TimeoutError:
            return HEALTH_CHECK_TIMEOUT(f"GET {path} was not answered within {timeout_s:g} s")
        except (OSError, http.client.HTTPException) as error:
            return HEALTH_CHECK_FAILED(f"GET {path} was answered by {type(error).__name__}: {error}")
    if 200 <= status < (400 if check.strict else 500):
        return None
    return HEALTH_CHECK_FAILED(f"GET {path} was answered with status {status}")


def _get(connection: socket.socket, check: Check) -> int:
    client = http.client.HTTPConnection(check.host)
    client.sock = connection
    headers = {"Host": check.host, "User-Agent": "shipoff-health", "Connection": "close"}
    client.request("GET", check.health.path, headers=headers)
    return client.getresponse().status
