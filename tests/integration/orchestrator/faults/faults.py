"""What is taken away from a platform. A fault is over when its function returns, but for a slow store and a clock."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis

from tests.integration.orchestrator.faults.app import until
from tests.integration.orchestrator.faults.rig import Rig

AWAY_S = 1.0
Fault = Callable[[Rig], None]


@contextmanager
def redis(rig: Rig) -> Iterator[Any]:
    client = Redis.from_url(rig.plan.redis_url)
    yield client
    client.close()


def loses_its_data(rig: Rig) -> None:
    with redis(rig) as client:
        client.flushall()


def refuses(rig: Rig) -> None:
    rig.servers.run(rig.s3.set(refuse=True))
    time.sleep(AWAY_S)
    rig.servers.run(rig.s3.set())


def is_slow(rig: Rig) -> None:
    rig.servers.run(rig.s3.set(pause_s=0.1))  # for the rest of the deployment


def is_paused(rig: Rig) -> None:
    rig.send("orchestrator", signal.SIGSTOP)
    time.sleep(4.0)  # longer than its lease
    rig.send("orchestrator", signal.SIGCONT)


def jumps(ahead_s: int) -> Fault:
    def jump(rig: Rig) -> None:
        if rig.clock is None:
            pytest.skip("the clock is shifted by a library that a C compiler makes")
        rig.clock.set(ahead_s)
        until(lambda: abs(_now(rig) - time.time() - ahead_s) < 5, "the clock did not jump")

    return jump


def _now(rig: Rig) -> float:
    """The time as the servers have it."""
    with redis(rig) as client:
        seconds, _ = client.time()
    return float(seconds)


FAULTS: dict[str, Fault] = {
    "redis is killed and has its data": lambda rig: rig.restart("valkey"),
    "redis loses its data": loses_its_data,
    "postgres is killed": lambda rig: rig.restart("postgres"),
    "postgres is restarted": lambda rig: rig.restart("postgres", signal.SIGINT),
    "the object store refuses": refuses,
    "the object store is slow": is_slow,
    "the router is restarted": lambda rig: rig.restart("router"),
    "the orchestrator is killed": lambda rig: rig.restart("orchestrator"),
    "the orchestrator is paused": is_paused,
    # Not further: by its protocol S3 refuses whoever's clock is off by more than a quarter of an hour.
    "the clock jumps ten minutes ahead": jumps(600),
    "the clock falls back ten minutes": jumps(-600),
}


def heal(rig: Rig) -> None:
    """Takes back what lasts."""
    rig.servers.run(rig.s3.set())
    if rig.clock is not None:
        rig.clock.set(0)
