"""Plays the orchestrator on the real streams: reads what is requested, publishes what happens, stores log lines."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import aiohttp

from kernel import ids
from kernel.events import DeploymentRequested, DeploymentStateChanged, Envelope
from kernel.rpc import RpcClient
from kernel.streams import connect, follow
from proto.auth.v1.auth_pb2_grpc import AuthStub
from proto.logsink.v1 import logsink_pb2
from proto.logsink.v1.logsink_pb2_grpc import LogsStub
from proto.projects.v1.projects_pb2_grpc import ProjectsStub
from tests.integration.control.processes import Process


@dataclass(frozen=True)
class Plane:
    """Where a running control plane is."""

    ports: dict[str, int]
    service_token: str
    token: str
    redis_url: str
    environment: dict[str, str]
    processes: dict[str, Process]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway.listen']}"

    def git_url(self, project: str, token: str | None = None) -> str:
        password = self.token if token is None else token
        return f"http://anybody:{password}@127.0.0.1:{self.ports['gateway.listen']}/git/{project}.git"

    def service_url(self, project: str) -> str:
        return f"http://shipoff-service:{self.service_token}@127.0.0.1:{self.ports['gateway.listen']}/git/{project}.git"


class Driver:
    """One test's orchestrator and its clients."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self._redis = connect(plane.redis_url)
        channels = {name: self._channel(name) for name in ("auth", "projects", "logsink")}
        self._channels = list(channels.values())
        self.auth = channels["auth"].stub(AuthStub)
        self.projects = channels["projects"].stub(ProjectsStub)
        self.logs = channels["logsink"].stub(LogsStub)
        self.http = aiohttp.ClientSession(plane.url, headers={"Authorization": f"Bearer {plane.token}"})
        self._sequence = 0
        self._seen: set[str] = set()

    def _channel(self, name: str) -> RpcClient:
        return RpcClient(f"127.0.0.1:{self.plane.ports[name + '.listen']}", self.plane.service_token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()
        for channel in self._channels:
            await channel.close()
        await self._redis.aclose()

    async def answered(self, project_id: str, *statuses: int) -> int:
        """What a router says of requests that it answered, a second apart; returns the first one's time."""
        self._sequence += 1
        count, at_us = len(statuses), time.time_ns() // 1000 - 60_000_000
        zeros: list[int] = [0] * count
        columns = logsink_pb2.RequestColumns(
            served=[logsink_pb2.Served(project_id=project_id, environment="production", kind="app")],
            by=zeros,
            at_us=[at_us + number * 1_000_000 for number in range(count)],
            id=[f"req-{number}" for number in range(count)],
            trace_id=[""] * count,
            client_ip=["192.0.2.1"] * count,
            method=["GET"] * count,
            host=["app.test"] * count,
            target=[f"/{number}" for number in range(count)],
            status=statuses,
            error=["" if status < 500 else "UPSTREAM_REFUSED" for status in statuses],
            whole=[True] * count,
            attempts=[1] * count,
            received=zeros,
            sent=zeros,
            queue_us=zeros,
            connect_us=zeros,
            first_us=[1500] * count,
            body_us=zeros,
        )
        await self.logs.AppendRequests(
            logsink_pb2.AppendRequestsRequest(producer="router/test", sequence=time.time_ns(), requests=columns)
        )
        return at_us

    async def call(self, method: str, path: str, body: object = None, status: int = 200) -> Any:
        """A REST call that must answer with this status."""
        async with self.http.request(method, path, json=body) as response:
            text = await response.text()
            assert response.status == status, (response.status, text)
            return await response.json(content_type=None)

    async def project(self, **fields: object) -> dict[str, Any]:
        """A fresh project."""
        body = {"name": f"p{ids.new('prj')[-12:]}", **fields}
        return cast("dict[str, Any]", await self.call("POST", "/v1/projects", body, 201))

    async def requested(self, project_id: str) -> DeploymentRequested:
        """The next deployment of a project that is requested and was not returned before, within 10 s."""
        async with asyncio.timeout(10):
            return await self._next(project_id)

    async def _next(self, project_id: str) -> DeploymentRequested:
        async for envelope in self._requests():
            event = envelope.data
            mine = isinstance(event, DeploymentRequested) and event.project_id == project_id
            if isinstance(event, DeploymentRequested) and mine and event.deployment_id not in self._seen:
                self._seen.add(event.deployment_id)
                return event
        raise AssertionError("follow never ends")

    def _requests(self) -> AsyncIterator[Envelope]:
        return follow(self._redis, "deployments", after="0-0")

    async def report(self, event: DeploymentRequested, state: str, **fields: Any) -> Envelope:
        """Publishes a change of a deployment's state, as the orchestrator's outbox would."""
        change = DeploymentStateChanged(event.deployment_id, event.project_id, event.environment, state, **fields)
        envelope = Envelope(data=change, key=f"{event.project_id}/{event.environment}")
        await self.publish(envelope)
        return envelope

    async def publish(self, envelope: Envelope) -> None:
        await self._redis.xadd("lifecycle", {"e": envelope.encode()})

    async def live(self, event: DeploymentRequested, url: str = "http://app.localhost:8080") -> None:
        """All the way."""
        await self.report(event, "BUILDING", stage="fetch")
        await self.report(event, "BUILDING", stage="build")
        await self.report(event, "PROVISIONING", stage="start")
        await self.report(event, "LIVE", url=url, timings_ms={"build": 12})

    async def log(self, event: DeploymentRequested, *texts: str, source: str = "build") -> None:
        """Stores lines of a deployment."""
        self._sequence += 1
        lines = [
            logsink_pb2.Line(
                at_ns=time.time_ns(),
                project_id=event.project_id,
                deployment_id=event.deployment_id,
                source=source,
                stream="stdout",
                text=text,
            )
            for text in texts
        ]
        producer = f"{event.deployment_id}/{source}"
        await self.logs.Append(logsink_pb2.AppendRequest(producer=producer, sequence=self._sequence, lines=lines))

    async def until(self, project: str, deployment_id: str, state: str) -> dict[str, Any]:
        """Waits until the API shows a deployment in this state."""
        while True:
            shown = await self.call("GET", f"/v1/projects/{project}/deployments/{deployment_id}")
            if shown["state"] == state:
                return cast("dict[str, Any]", shown)
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class Ran:
    """How a git command ended."""

    status: int
    out: str


class Work:
    """A working copy of a developer, driven by the real git."""

    def __init__(self, folder: Path, plane: Plane) -> None:
        self.folder = folder
        home = folder.parent / "home"
        home.mkdir(exist_ok=True)
        self._environment = {
            "PATH": plane.environment["PATH"],
            "HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
        }

    @classmethod
    def begin(cls, folder: Path, plane: Plane) -> Work:
        """A repository with one commit."""
        folder.mkdir(parents=True, exist_ok=True)
        work = cls(folder, plane)
        work.ok("init", "--quiet", "--initial-branch=main")
        work.commit("index.html", "<h1>one</h1>\n", "First page")
        return work

    def commit(self, name: str, text: str, message: str) -> str:
        """Writes a file and commits it; returns the commit's id."""
        (self.folder / name).write_text(text)
        self.ok("add", name)
        self.ok("commit", "--quiet", "-m", message)
        return self.ok("rev-parse", "HEAD")

    def ok(self, *args: str) -> str:
        """A command that must succeed; returns what it printed."""
        ran = subprocess.run(
            ["git", *args], cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout.strip()

    async def run(self, *args: str) -> Ran:
        """A command of which both ends are of interest."""
        process = await self.start(*args)
        out, _ = await process.communicate()
        return Ran(process.returncode or 0, out.decode())

    async def start(self, *args: str) -> asyncio.subprocess.Process:
        """A command that goes on beside the test."""
        return await asyncio.create_subprocess_exec(
            "git",
            *args,
            cwd=self.folder,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
