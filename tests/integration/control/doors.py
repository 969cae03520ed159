"""The orchestrator's gRPC doors alone, on its real database: `python -m tests.integration.control.doors`.

What it consumes and runs is played by driver.py; what people ask it is answered by the real thing.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from kernel.authority import Border, Owners
from kernel.database import Database
from kernel.rpc import RpcClient, RpcServer
from kernel.service import run
from kernel.settings import Settings
from kernel.streams import connect
from kernel.telemetry import AdminDoor
from orchestrator.cron.story import CronStory
from orchestrator.explaining import ExplainDoor
from orchestrator.operate.door import RunningDoor
from orchestrator.operate.exec import ExecLimits, Execs
from orchestrator.operate.processes import Processes
from orchestrator.operate.usage import Meter
from orchestrator.server import Door
from proto.auth.v1.auth_pb2_grpc import AuthStub
from proto.auth.v1.keys import fetch
from proto.orchestrator.v1.explain_pb2_grpc import add_ExplainServicer_to_server
from proto.orchestrator.v1.orchestrator_pb2_grpc import add_OrchestratorServicer_to_server
from proto.orchestrator.v1.running_pb2_grpc import add_RunningServicer_to_server
from proto.projects.v1.owners import team_of
from proto.projects.v1.projects_pb2_grpc import ProjectsStub


class DoorSettings(Settings):
    """As the orchestrator's, as far as they matter here."""

    listen: str
    admin: str
    database_url: str
    redis_url: str
    service_token: str
    auth_address: str
    projects_address: str


class NothingRuns:
    """A driver and its instances, of which there are none."""

    async def usage(self) -> dict[str, Any]:
        return {}

    async def exec(self, *_: object) -> None:
        raise AssertionError("no instance is ready, so nothing is executed")


def _nothing() -> None:
    """Nobody keeps instances here."""


async def main(stop: asyncio.Event) -> None:
    settings = DoorSettings.from_process("orchestrator")
    database, redis = await Database.connect(settings.database_url), connect(settings.redis_url)
    auth, projects = (
        RpcClient(address, settings.service_token) for address in (settings.auth_address, settings.projects_address)
    )
    owners = Owners(partial(team_of, projects.stub(ProjectsStub)))
    border = Border(partial(fetch, auth.stub(AuthStub)))
    server = RpcServer(settings.listen, settings.service_token, admit=border.enter)
    nothing: Any = NothingRuns()
    execs = Execs(database, nothing, ExecLimits(60.0, 60.0, 1 << 20), owners)
    running = RunningDoor(Processes(database, 10, _nothing), Meter(nothing), execs, CronStory(database), owners)
    server.add(add_RunningServicer_to_server, running)
    server.add(add_OrchestratorServicer_to_server, Door(database, owners))
    server.add(add_ExplainServicer_to_server, ExplainDoor(database, redis, owners))
    host, _, port = settings.admin.rpartition(":")
    door = AdminDoor(host, int(port), _ready)
    await server.start()
    await door.start()
    await stop.wait()
    await door.stop()
    await server.stop()
    for channel in (auth, projects):
        await channel.close()
    await redis.aclose()
    await database.close()


async def _ready() -> str:
    return ""


if __name__ == "__main__":
    run("orchestrator", main)
