"""What a plan says about running: processes, cron jobs, the health check, scaling and limits.

Plain frozen data with the platform's defaults, stored inside the release's plan. Rows of before a field existed load
with its default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProcessKind = Literal["web", "worker"]
WEB = "web"


@dataclass(frozen=True, slots=True)
class Process:
    """One kind of process of an app.

    Attributes:
        name: unique in the plan; the one that listens is called "web".
        command: shell command.
        kind: web (listens on $PORT, is routed and scaled) or worker (no port, no route).
        instances: how many of a worker run; the web process' number is the scaling's.
    """

    name: str
    command: str
    kind: ProcessKind = "worker"
    instances: int = 1


@dataclass(frozen=True, slots=True)
class Cron:
    """A command that runs at times, in an instance of its own.

    Attributes:
        name: unique in the plan.
        schedule: five fields of cron(5), or @hourly, @daily, @weekly, @monthly.
        command: shell command.
        timezone: IANA name in which the schedule is meant.
        deadline_s: a run that takes longer is ended.
    """

    name: str
    schedule: str
    command: str
    timezone: str = "UTC"
    deadline_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Health:
    """When an instance counts as healthy.

    Attributes:
        kind: http (GET `path`) or tcp (the port accepts).
        path: asked for with GET.
        strict: only 2xx and 3xx are healthy; otherwise (nobody named a path) any answer below 500 is.
        interval_s: between two checks, at most; the first ones after a start follow faster.
        timeout_s: of one check.
        start_period_s: an instance must be healthy this long after its start; 0 is the platform's `start_s`.
    """

    kind: Literal["http", "tcp"] = "http"
    path: str = "/"
    strict: bool = False
    interval_s: float = 1.0
    timeout_s: float = 5.0
    start_period_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Scaling:
    """How many instances of the web process run.

    Attributes:
        min: never fewer; 0 lets the app sleep.
        max: never more.
        target: requests in flight per instance that the autoscaler aims at.
        idle_s: without a request for this long, an app whose `min` is 0 goes to sleep.
    """

    min: int = 1
    max: int = 1
    target: float = 20.0
    idle_s: float = 900.0


@dataclass(frozen=True, slots=True)
class AppLimits:
    """What one instance may use.

    Attributes:
        memory_bytes: resident memory of its process tree.
        cpus: share of processors, 0 for no limit.
        processes: processes and threads.
    """

    memory_bytes: int = 512 << 20
    cpus: float = 0.0
    processes: int = 512
