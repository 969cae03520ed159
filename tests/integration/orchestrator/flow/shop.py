"""An orchestrator's running half on real servers and the real sandbox, without builds: releases are put there ready."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from redis.asyncio import Redis

from kernel import ids, tasks
from kernel.database import Database, load_queries
from kernel.database.pool import Row
from kernel.objects import ObjectStore
from kernel.sealing import Sealer
from orchestrator.acknowledgements import Acknowledgements
from orchestrator.build.artifact import Artifacts
from orchestrator.build.plan import BuildPlan
from orchestrator.drivers.base import INSTANCE_LIMITS
from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.drivers.local.layout import LocalConfig
from orchestrator.endpoints import Endpoints, named
from orchestrator.instances import Instances
from orchestrator.keeper import Keeper
from orchestrator.leases import Leases
from orchestrator.logs import LogClient
from orchestrator.release.drain import Drain
from orchestrator.release.release import Release, save
from orchestrator.routes import VERSION, RouteTable
from orchestrator.settings import OrchestratorSettings
from orchestrator.starter import Starter
from proto.logsink.v1.logsink_pb2 import AppendRequest, AppendResponse
from proto.logsink.v1.logsink_pb2_grpc import LogsServicer

SQL = load_queries("orchestrator")
PROJECT = "prj_0192f0c1a8b27c3d9e4f5a6b7c8d9e0f"
ENVIRONMENT = "production"
SERVE = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["SHIPOFF_INSTANCE"].encode())
    def log_message(self, *args): pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


class Sink(LogsServicer):
    """Keeps the lines that instances say."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def Append(self, request: AppendRequest, context: Any) -> AppendResponse:  # noqa: N802
        self.lines += [line.text for line in request.lines]
        return AppendResponse(stored=True)


@dataclass
class Shop:
    """What the tests ask and change."""

    database: Database
    redis: Redis
    store: ObjectStore
    sink: Sink
    sink_address: str
    scratch: Path
    owner_pid: int
    parts: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sealer = Sealer(base64.b64encode(secrets.token_bytes(32)).decode())
        self.artifacts = Artifacts(self.store, self.scratch / "slugs")
        self.config = LocalConfig(self.scratch / "work", self.scratch / "run", owner_pid=self.owner_pid)
        self.settings = OrchestratorSettings(
            database_url="", redis_url="", service_token="t", env_key="", projects_address="", logsink_address="",
            gateway_url="", work_dir=self.scratch, run_dir=self.scratch, drain_s=2.0, grace_s=1.0, start_s=6.0,
            routers_s=5.0,
        )  # fmt: skip
        self.router = tasks.spawn(self._route(), "a router that takes every version")

    async def _route(self) -> None:
        while True:
            version = int(await self.redis.get(VERSION) or 0)
            report = {"epoch": "epo_1", "version": version, "pid": 1, "at": 0}
            await self.redis.set("routers:one", orjson.dumps(report), ex=10)
            await asyncio.sleep(0.02)

    async def open(self) -> None:
        """Starts an orchestrator's running half; after `close` a new one finds what the old one left."""
        self.driver = LocalDriver(self.config)
        await self.driver.open()
        self.logs = LogClient(self.sink_address, "t")
        self.instances = Instances(self.database, self.driver, self.artifacts, self.logs, INSTANCE_LIMITS)
        await self.instances.open()
        table = RouteTable()
        acknowledgements = Acknowledgements(self.redis)
        self.drain = Drain(table, Endpoints(table), acknowledgements, self.instances, self.settings)
        starter = Starter(self.database, self.instances, self.settings.start_s)
        leases = Leases(self.database, "worker", 30.0)
        self.keeper = Keeper(self.database, self.instances, table, self.drain, self.sealer, starter, leases)
        self.keeper.start()

    async def close(self) -> None:
        """As an orchestrator that ends: what runs goes on."""
        await self.keeper.stop()
        await self.instances.close()
        await self.logs.close()
        await self.driver.close()

    async def release(self, plan: BuildPlan, files: Mapping[str, str], env: Mapping[str, str] | None = None) -> Release:
        """A release whose deployment is LIVE; the one before it is INACTIVE."""
        tree = self.scratch / ids.new("bld")
        for name, text in files.items():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(text)
        digest = await self.artifacts.publish_slug(tree, epoch_s=1_700_000_000)
        deployment = ids.new("dep")
        release = Release(
            ids.new("rel"), deployment, PROJECT, ENVIRONMENT, "dynamic", digest, plan, False, dict(env or {})
        )  # fmt: skip
        async with self.database.transaction() as tx:
            await tx.execute("update deployments set state = 'INACTIVE' where state = 'LIVE'")
            await tx.execute(
                "insert into deployments (id, project_id, environment, state, release_id, host)"
                " values ($1, $2, $3, 'LIVE', $4, 'app.localhost')",
                deployment, PROJECT, ENVIRONMENT, release.id,
            )  # fmt: skip
            await save(tx, release, self.sealer)
        self.keeper.look()
        return release

    async def rows(self, release: Release, *states: str) -> list[Row]:
        """The instances of a release, oldest first."""
        found = await self.database.fetch(
            "select * from instances where release_id = $1 order by started_at", release.id
        )
        return [row for row in found if not states or row["state"] in states]

    async def served(self, release: Release) -> set[str]:
        """The instances that routers may use."""
        return named(await self.database.fetchval(SQL["get_endpoints"], release.id))

    async def state(self, release: Release) -> str:
        """Of the endpoints record."""
        record = await self.database.fetchval(SQL["get_endpoints"], release.id)
        return record["state"] if record else ""

    async def runs(self, release: Release, count: int) -> set[str]:
        """Waits until exactly so many instances are ready, named and running; returns them."""
        found: set[str] = set()

        async def so_many() -> bool:
            nonlocal found
            found = {row["id"] for row in await self.rows(release, "ready") if row["process"] == "web"}
            alive = {info.instance_id for info in await self.instances.running() if info.release_id == release.id}
            return len(found) == count and await self.served(release) == found and found <= alive

        await until(so_many)
        return found


async def until(condition: Callable[[], Awaitable[bool]], within_s: float = 30.0) -> None:
    """Waits for what must become true."""
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(0.02)
