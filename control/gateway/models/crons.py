"""Cron jobs, and what ran."""

from __future__ import annotations

from typing import TypedDict

from control.gateway.models.base import time_of, time_or_none
from proto.orchestrator.v1 import running_pb2


class CronShape(TypedDict):
    """A cron job of the live release.

    Attributes:
        name: as the project names it.
        schedule: five fields, as in crontab(5).
        timezone: in which the schedule is meant.
        command: that runs.
        next_at: RFC 3339; null when it is never due again.
    """

    name: str
    schedule: str
    timezone: str
    command: str
    next_at: str | None


class CronRunShape(TypedDict):
    """One run of a job.

    Attributes:
        name: of the job.
        due_at: RFC 3339.
        state: `running`, `done`, `failed`, `skipped` or `missed`.
        exit_status: negative for a signal.
        detail: why, where there is something to say.
        instance_id: ins_… that it ran in; null when it did not.
        started_at: RFC 3339.
        ended_at: RFC 3339; null while it runs.
    """

    name: str
    due_at: str
    state: str
    exit_status: int
    detail: str | None
    instance_id: str | None
    started_at: str
    ended_at: str | None


class CronList(TypedDict):
    """The live release's cron jobs, and what ran.

    Attributes:
        crons: of the live release.
        runs: newest first, at most 100, of jobs that are gone too.
    """

    crons: list[CronShape]
    runs: list[CronRunShape]


def crons(message: running_pb2.ListCronsResponse) -> CronList:
    """Cron jobs as the API shows them."""
    return {
        "crons": [
            {
                "name": one.name,
                "schedule": one.schedule,
                "timezone": one.timezone,
                "command": one.command,
                "next_at": time_or_none(one.next_at_ms),
            }
            for one in message.crons
        ],
        "runs": [
            {
                "name": one.name,
                "due_at": time_of(one.due_at_ms),
                "state": one.state,
                "exit_status": one.exit_status,
                "detail": one.detail or None,
                "instance_id": one.instance_id or None,
                "started_at": time_of(one.started_at_ms),
                "ended_at": time_or_none(one.ended_at_ms),
            }
            for one in message.runs
        ],
    }
