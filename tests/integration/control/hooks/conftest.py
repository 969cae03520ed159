"""The stage as a fixture."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from control.projects.catalog.service import Catalog
from control.projects.hooks.deliveries import Deliveries
from control.projects.hooks.mail import MailSender
from control.projects.hooks.server import HooksServer
from control.projects.hooks.service import Hooks
from control.projects.owners import Owners
from control.projects.server import ProjectsServer
from kernel.database import Database
from kernel.rpc import RpcClient, RpcServer
from kernel.sealing import Sealer
from proto.auth.v1.mail_pb2_grpc import add_MailServicer_to_server
from proto.projects.v1 import projects_pb2
from tests.integration.control.hooks.stage import (
    ANY_PORT,
    KEY,
    NO_CONTEXT,
    TEAM,
    Post,
    Stage,
)


@pytest.fixture
async def stage(server: ProjectsServer, database: Database, database_url: str) -> AsyncIterator[Stage]:
    post = Post()
    rpc = RpcServer("127.0.0.1:0", "token")
    rpc.add(add_MailServicer_to_server, post)
    auth = RpcClient(f"127.0.0.1:{await rpc.start()}", "token")
    hooks = HooksServer(Catalog(database), Hooks(database, Sealer(KEY), ANY_PORT), Deliveries(database))
    project = await server.CreateProject(projects_pb2.CreateProjectRequest(name="blog", team_id=TEAM), NO_CONTEXT)
    made = Stage(database, database_url, server, hooks, post, MailSender(auth), Owners(auth), project)
    yield made
    for stop in made.stops:
        await stop()
    await auth.close()
    await rpc.stop(0)
