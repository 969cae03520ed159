"""Processes: what runs, how many of it, and what is said to change that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Self, TypedDict

from pydantic import Field, model_validator

from control.gateway.models.base import Body, Query, Short, time_of
from proto.orchestrator.v1 import running_pb2

Count = Annotated[int, Field(ge=0, le=1000)]


class EnvironmentQuery(Query):
    """Of which environment.

    Attributes:
        environment: `production`, or `preview/…`.
    """

    environment: Short = "production"


class Scale(Body):
    """How many instances: `instances` for a fixed number, `min` and `max` for a range, else `auto`.

    Attributes:
        process: its name.
        environment: where.
        instances: a fixed number.
        min: the least.
        max: the most.
        auto: back to what the live release says.
    """

    process: Short = "web"
    environment: Short = "production"
    instances: Count | None = None
    min: Count | None = None
    max: Count | None = None
    auto: bool = False

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        fixed, ranged = self.instances is not None, self.min is not None and self.max is not None
        if fixed + ranged + self.auto != 1 or (self.min is None) != (self.max is None):
            raise ValueError("say instances, or min and max, or auto")
        return self

    @property
    def bounds(self) -> tuple[int, int]:
        """The range; of no meaning with `auto`."""
        return (self.min or 0, self.max or 0) if self.instances is None else (self.instances, self.instances)


class Restart(Body):
    """New instances for old.

    Attributes:
        environment: where.
    """

    environment: Short = "production"


class UsageShape(TypedDict):
    """What an instance uses.

    Attributes:
        cpu_s: processor time since its start, in seconds.
        cpu_share: processors in use of late.
        memory_bytes: memory in use.
        processes: how many it has.
    """

    cpu_s: float
    cpu_share: float
    memory_bytes: int
    processes: int


class EndShape(TypedDict):
    """How an instance ended.

    Attributes:
        reason: `exit`, `signal`, `memory`, `lost`, `unhealthy` or `start`.
        exit_status: negative for a signal.
        at: RFC 3339.
        last_lines: of its log.
    """

    reason: str
    exit_status: int
    at: str
    last_lines: list[str]


class RunningShape(TypedDict):
    """An instance of a process.

    Attributes:
        id: ins_….
        release_id: rel_….
        process: its name.
        state: `starting`, `ready`, `draining` or `crashed`.
        started_at: RFC 3339.
        usage: null where it is not known.
        ended: null while it runs.
    """

    id: str
    release_id: str
    process: str
    state: str
    started_at: str
    usage: UsageShape | None
    ended: EndShape | None


class ProcessShape(TypedDict):
    """A process of the live release.

    Attributes:
        name: `web`, or as the project names it.
        kind: `web` or `worker`.
        command: that starts it.
        state: `running`, `starting`, `crash_looping`, `asleep`, `waking` or `off`.
        min: the least instances.
        max: the most.
        desired: as many as there are to be now.
        ready: as many as are ready.
        crashes: in a row.
        crash_looping: whether it is started again ever more slowly.
        changed_by: who changed `desired` last: `autoscaler`, `wake`, or acc_…; null for nobody.
        instances: those that run and those that crashed lately.
    """

    name: str
    kind: str
    command: str
    state: str
    min: int
    max: int
    desired: int
    ready: int
    crashes: int
    crash_looping: bool
    changed_by: str | None
    instances: list[RunningShape]


class ProcessList(TypedDict):
    """What an environment runs.

    Attributes:
        processes: of the live release, the web process first.
        others: instances of processes that it does not have.
    """

    processes: list[ProcessShape]
    others: list[RunningShape]


class RestartedShape(TypedDict):
    """What a restart does.

    Attributes:
        instances: how many will be replaced.
    """

    instances: int


def process(message: running_pb2.Process, instances: Iterable[running_pb2.RunningInstance]) -> ProcessShape:
    """A process as the API shows it, with those of the instances that are its own."""
    return {
        "name": message.name,
        "kind": message.kind,
        "command": message.command,
        "state": message.state,
        "min": message.least,
        "max": message.most,
        "desired": message.desired,
        "ready": message.ready,
        "crashes": message.crashes,
        "crash_looping": message.crash_looping,
        "changed_by": message.changed_by or None,
        "instances": [running(one) for one in instances if one.process == message.name],
    }


def running(message: running_pb2.RunningInstance) -> RunningShape:
    """An instance as the API shows it: what it uses while it runs, how it ended when it has."""
    ended: EndShape = {
        "reason": message.reason,
        "exit_status": message.exit_status,
        "at": time_of(message.ended_at_ms),
        "last_lines": list(message.last_lines),
    }
    usage: UsageShape = {
        "cpu_s": round(message.cpu_s, 3),
        "cpu_share": round(message.cpu_share, 3),
        "memory_bytes": message.memory_bytes,
        "processes": message.processes,
    }
    return {
        "id": message.id,
        "release_id": message.release_id,
        "process": message.process,
        "state": message.state,
        "started_at": time_of(message.started_at_ms),
        "usage": usage if message.measured else None,
        "ended": ended if message.ended_at_ms else None,
    }
