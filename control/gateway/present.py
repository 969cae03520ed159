"""How the API shows things: messages of the services as JSON values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from control.gateway.live.watch import Step
from control.gateway.settings import GatewaySettings
from kernel.deployments import State
from proto.auth.v1 import auth_pb2
from proto.logsink.v1 import logsink_pb2
from proto.orchestrator.v1 import orchestrator_pb2, running_pb2
from proto.projects.v1 import projects_pb2

Json = dict[str, Any]
BUILD = ("framework", "root_dir", "install_command", "build_command", "run_command", "output_dir", "health_path")


def account(message: auth_pb2.Account) -> Json:
    """Who I am."""
    return {"id": message.id, "email": message.email, "name": message.name}


def project(message: projects_pb2.Project, settings: GatewaySettings) -> Json:
    """A project, with where it is served once it is, and where to push."""
    live = message.live_deployment_id
    return {
        "id": message.id,
        "name": message.name,
        **{field: getattr(message.build, field) for field in BUILD},
        "production_branch": message.production_branch,
        "live_deployment_id": live or None,
        "url": settings.apps_url.format(project=message.name) if live else None,
        "git_url": f"{settings.public_url.rstrip('/')}/git/{message.name}.git",
        "created_at": _time(message.created_at_ms),
    }


def env(message: projects_pb2.ListEnvResponse) -> Json:
    """Variables in clear: whoever may set them may read them."""
    return {
        "env": [
            {"name": one.name, "value": one.value, "scope": one.scope, "updated_at": _time(one.updated_at_ms)}
            for one in message.vars
        ],
        "deployment_id": message.deployment_id or None,
    }


def rules(message: projects_pb2.Rules) -> Json:
    """What the owner says of a project's routes."""
    return {"rules": orjson.loads(message.rules), "deployment_id": message.deployment_id or None}


def deployment(message: projects_pb2.Deployment) -> Json:
    """A deployment; `failure` says what went wrong, and is null unless it FAILED."""
    failure = {
        "stage": message.stage,
        "reason": message.reason,
        "hint": message.hint,
        "exit_status": message.exit_status,
    }
    return {
        "id": message.id,
        "project_id": message.project_id,
        "environment": message.environment,
        "kind": message.kind,
        "state": message.state,
        "stage": message.stage or None,
        "failure": failure if message.state == State.FAILED else None,
        "commit": message.commit,
        "message": message.message,
        "url": message.url or None,
        "release_id": message.release_id or None,
        "timings_ms": dict(message.timings_ms),
        "created_at": _time(message.created_at_ms),
        "updated_at": _time(message.updated_at_ms),
    }


def preview(message: projects_pb2.Preview) -> Json:
    """A preview environment."""
    return {
        "environment": message.environment,
        "created_at": _time(message.created_at_ms),
        "deployed_at": _time(message.deployed_at_ms),
        "expires_at": _time(message.expires_at_ms),
    }


def report(message: orchestrator_pb2.Report) -> Json:
    """What was measured of a deployment: while it took over, and as a canary."""
    measured, plan = orjson.loads(message.measured), orjson.loads(message.canary)
    return {
        "measured": measured or None,
        "canary": {"plan": plan, **orjson.loads(message.canary_state)} if plan else None,
    }


def release(message: orchestrator_pb2.Release) -> Json:
    """A release that can be brought back."""
    return {
        "id": message.id,
        "deployment_id": message.deployment_id,
        "environment": message.environment,
        "kind": message.kind,
        "live": message.live,
        "warm": message.warm,
        "plan": orjson.loads(message.plan or b"{}"),
        "created_at": _time(message.created_at_ms),
    }


def step(deployment_id: str, seen: Step) -> Json:
    """A step of a deployment, as it happens."""
    failure = {"stage": seen.stage, "reason": seen.reason, "hint": seen.hint, "exit_status": seen.exit_status}
    return {
        "deployment_id": deployment_id,
        "state": seen.state,
        "stage": seen.stage or None,
        "failure": {**failure, "detail": seen.detail} if seen.state is State.FAILED else None,
        "url": seen.url or None,
        "answered": seen.answered,
    }


def instance(message: orchestrator_pb2.Instance) -> Json:
    """A running (or lately ended) copy of a release. Its address is the platform's own affair."""
    return {
        "id": message.id,
        "release_id": message.release_id,
        "state": message.state,
        "exit_status": message.exit_status,
        "started_at": _time(message.started_at_ms),
    }


def process(message: running_pb2.Process, instances: Iterable[running_pb2.RunningInstance]) -> Json:
    """A process of the live release with its instances, those that crashed lately among them."""
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


def running(message: running_pb2.RunningInstance) -> Json:
    """An instance: what it uses while it runs, how it ended when it has."""
    ended = {
        "reason": message.reason,
        "exit_status": message.exit_status,
        "at": _time(message.ended_at_ms),
        "last_lines": list(message.last_lines),
    }
    usage = {
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
        "started_at": _time(message.started_at_ms),
        "usage": usage if message.measured else None,
        "ended": ended if message.ended_at_ms else None,
    }


def crons(message: running_pb2.ListCronsResponse) -> Json:
    """The live release's cron jobs, and what ran, newest first."""
    return {
        "crons": [
            {
                "name": one.name,
                "schedule": one.schedule,
                "timezone": one.timezone,
                "command": one.command,
                "next_at": _time(one.next_at_ms) if one.next_at_ms else None,
            }
            for one in message.crons
        ],
        "runs": [
            {
                "name": one.name,
                "due_at": _time(one.due_at_ms),
                "state": one.state,
                "exit_status": one.exit_status,
                "detail": one.detail or None,
                "instance_id": one.instance_id or None,
                "started_at": _time(one.started_at_ms),
                "ended_at": _time(one.ended_at_ms) if one.ended_at_ms else None,
            }
            for one in message.runs
        ],
    }


def line(message: logsink_pb2.Line) -> Json:
    """A log line; `offset` resumes a read after it."""
    return {
        "at": datetime.fromtimestamp(message.at_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        "deployment_id": message.deployment_id or None,
        "instance_id": message.instance_id or None,
        "source": message.source,
        "stream": message.stream,
        "text": message.text,
        "offset": message.offset,
    }


def requests(columns: logsink_pb2.RequestColumns) -> list[Json]:
    """Requests, each with what answered it and where its time went."""
    return [_request(columns, columns.served[by], index) for index, by in enumerate(columns.by)]


def _request(columns: logsink_pb2.RequestColumns, served: logsink_pb2.Served, index: int) -> Json:
    return {
        "at": datetime.fromtimestamp(columns.at_us[index] / 1e6, UTC).isoformat(timespec="milliseconds"),
        "at_us": columns.at_us[index],
        "id": columns.id[index],
        "trace_id": columns.trace_id[index] or None,
        "client_ip": columns.client_ip[index],
        "method": columns.method[index],
        "host": columns.host[index],
        "target": columns.target[index],
        "status": columns.status[index] or None,
        "error": columns.error[index] or None,
        "whole": columns.whole[index],
        "kind": served.kind,
        "environment": served.environment,
        "release_id": served.release_id or None,
        "instance_id": served.instance_id or None,
        "attempts": columns.attempts[index],
        "received": columns.received[index],
        "sent": columns.sent[index],
        "queue_ms": columns.queue_us[index] / 1000,
        "connect_ms": columns.connect_us[index] / 1000,
        "first_byte_ms": columns.first_us[index] / 1000,
        "body_ms": columns.body_us[index] / 1000,
    }


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
