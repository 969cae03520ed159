"""The gRPC door to running apps (proto/orchestrator/v1/running.proto): messages in, messages out, no decisions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Any

from kernel.authority import Owners, Permission
from kernel.database.pool import Row
from orchestrator.cron.schedule import next_time
from orchestrator.cron.story import CronStory
from orchestrator.operate.exec import Execs
from orchestrator.operate.processes import Processes, Shown
from orchestrator.operate.usage import Measured, Meter
from orchestrator.restarts import is_looping
from proto.orchestrator.v1 import running_pb2 as pb
from proto.orchestrator.v1.running_pb2_grpc import RunningServicer


class RunningDoor(RunningServicer):
    """Answers from the parts beside it."""

    def __init__(self, processes: Processes, meter: Meter, execs: Execs, story: CronStory, owners: Owners) -> None:
        self._owners = owners
        self._processes, self._meter, self._execs, self._story = processes, meter, execs, story

    async def ListProcesses(  # noqa: N802 - the name in the .proto
        self, request: pb.ListProcessesRequest, context: Any
    ) -> pb.ListProcessesResponse:
        """What runs, how many are wanted, and what they use."""
        await self._owners.require(Permission.DEPLOYMENT_READ, request.project_id)
        shown, rows = await self._processes.show(request.project_id, request.environment)
        measured = await self._meter.read()
        return pb.ListProcessesResponse(
            processes=[_process(one) for one in shown],
            instances=[_instance(row, measured.get(row["id"])) for row in rows],
        )

    async def Scale(self, request: pb.ScaleRequest, context: Any) -> pb.ScaleResponse:  # noqa: N802
        """Sets a process's bounds."""
        team_id = await self._owners.require(Permission.DEPLOYMENT_UPDATE, request.project_id)
        bounds = None if request.auto else (request.least, request.most)
        shown = await self._processes.scale(
            request.project_id, request.environment, request.process, bounds, request.account_id, team_id
        )
        return pb.ScaleResponse(process=_process(shown))

    async def Restart(self, request: pb.RestartRequest, context: Any) -> pb.RestartResponse:  # noqa: N802
        """Has all instances replaced."""
        team_id = await self._owners.require(Permission.DEPLOYMENT_UPDATE, request.project_id)
        count = await self._processes.restart(request.project_id, request.environment, request.account_id, team_id)
        return pb.RestartResponse(instances=count)

    async def Exec(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.ExecInput], context: Any
    ) -> AsyncIterator[pb.ExecOutput]:
        """Runs a command."""
        async with aclosing(self._execs.run(request_iterator)) as outputs:
            async for output in outputs:
                yield output

    async def ListCrons(self, request: pb.ListCronsRequest, context: Any) -> pb.ListCronsResponse:  # noqa: N802
        """The live release's jobs, and what ran."""
        await self._owners.require(Permission.DEPLOYMENT_READ, request.project_id)
        crons, rows, now = await self._story.read(request.project_id, request.environment)
        return pb.ListCronsResponse(
            crons=[
                pb.CronJob(
                    name=cron.name,
                    schedule=cron.schedule,
                    timezone=cron.timezone,
                    command=cron.command,
                    next_at_ms=_ms(next_time(cron, now)),
                )
                for cron in crons
            ],
            runs=[_run(row) for row in rows],
        )


def _process(shown: Shown) -> pb.Process:
    return pb.Process(
        name=shown.process.name,
        kind=shown.process.kind,
        command=shown.process.command,
        state=shown.state,
        least=shown.scale.least,
        most=shown.scale.most,
        desired=shown.scale.desired,
        ready=shown.ready,
        crashes=shown.crashes,
        crash_looping=is_looping(shown.crashes),
        changed_by=shown.changed_by,
    )


def _instance(row: Row, measured: Measured | None) -> pb.RunningInstance:
    shown = pb.RunningInstance(
        id=row["id"],
        release_id=row["release_id"],
        process=row["process"],
        state=row["state"],
        started_at_ms=_ms(row["started_at"]),
        ended_at_ms=_ms(row["ended_at"]),
        reason=row["reason"],
        exit_status=row["exit_status"],
        last_lines=row["last_lines"],
    )
    if measured is not None:
        shown.measured = True
        shown.cpu_s, shown.cpu_share = measured.usage.cpu_s, measured.cpu_share
        shown.memory_bytes, shown.processes = measured.usage.memory_bytes, measured.usage.processes
    return shown


def _run(row: Row) -> pb.CronRun:
    return pb.CronRun(
        name=row["name"],
        due_at_ms=_ms(row["due_at"]),
        state=row["state"],
        exit_status=row["exit_status"],
        detail=row["detail"],
        instance_id=row["instance_id"] or "",
        started_at_ms=_ms(row["started_at"]),
        ended_at_ms=_ms(row["ended_at"]),
    )


def _ms(at: datetime | None) -> int:
    return 0 if at is None else int(at.timestamp() * 1000)
