"""The projects process: `python -m control.projects`."""

from __future__ import annotations

import asyncio
from functools import partial

from redis.asyncio import Redis
from redis.exceptions import RedisError

from control.projects.deployments.lifecycle import Lifecycle
from control.projects.domains.part import DomainsPart
from control.projects.env.server import EnvServer
from control.projects.environments.server import EnvironmentsServer
from control.projects.hooks.running import RunningHooks
from control.projects.limits.running import RunningLimits
from control.projects.previews.expiry import Expiry
from control.projects.previews.service import PreviewLimits, Previews
from control.projects.repositories.part import RepositoryPart
from control.projects.sealing import sealing
from control.projects.server import ProjectsServer
from control.projects.settings import ProjectsSettings
from control.projects.teams.server import OwningTeamsServer
from kernel.authority import Border
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.rpc import RpcClient, RpcServer
from kernel.sealing import Sealer, ring_of
from kernel.service import run
from kernel.streams import Consumer, OutboxRelay, connect
from kernel.telemetry import AdminDoor
from proto.auth.v1.auth_pb2_grpc import AuthStub
from proto.auth.v1.keys import fetch as fetch_keys
from proto.projects.v1.domains_pb2_grpc import add_DomainsServicer_to_server
from proto.projects.v1.env_pb2_grpc import add_EnvVarsServicer_to_server
from proto.projects.v1.environments_pb2_grpc import add_EnvironmentsServicer_to_server
from proto.projects.v1.hooks_pb2_grpc import add_HooksServicer_to_server
from proto.projects.v1.limits_pb2_grpc import add_LimitsServicer_to_server
from proto.projects.v1.projects_pb2_grpc import add_ProjectsServicer_to_server
from proto.projects.v1.teams_pb2_grpc import add_OwningTeamsServicer_to_server
from proto.sealing.v1.sealing_pb2_grpc import add_SealingServicer_to_server


async def main(stop: asyncio.Event) -> None:  # noqa: PLR0915 - the order of start is one list
    """Opens database and bus, serves, and closes in the reverse order."""
    settings = ProjectsSettings.from_process("projects")
    sealer = Sealer(ring_of(settings.env_keys, settings.env_key))
    limits = PreviewLimits(settings.preview_count, settings.preview_days)
    database = await Database.connect(settings.database_url, max_size=settings.database_connections)
    redis = connect(settings.redis_url)
    relay = OutboxRelay(database, redis)
    consumer = Consumer(redis, "lifecycle", "projects", settings.consumer, Lifecycle(database).apply)
    host, _, port = settings.admin.rpartition(":")
    door = AdminDoor(host, int(port), lambda: _missing(database, redis))
    auth = RpcClient(settings.auth_address, settings.service_token, idempotent=frozenset({"SendMail"}))
    border = Border(partial(fetch_keys, auth.stub(AuthStub)))
    server = RpcServer(settings.listen, settings.service_token, admit=border.enter)
    repositories = RepositoryPart(database, sealer, limits, settings)
    server.add(add_ProjectsServicer_to_server, ProjectsServer(database, sealer, limits, repositories.tokens))
    repositories.serve(server)
    hooks = RunningHooks(settings, database, sealer, auth)
    server.add(add_HooksServicer_to_server, hooks.server)
    plans = RunningLimits(settings, database, auth)
    server.add(add_LimitsServicer_to_server, plans.server)
    server.add(add_EnvVarsServicer_to_server, EnvServer(database, sealer, limits))
    server.add(add_EnvironmentsServicer_to_server, EnvironmentsServer(database, sealer))
    server.add(add_SealingServicer_to_server, sealing(database, sealer))
    domains = DomainsPart(database, settings, auth)
    server.add(add_DomainsServicer_to_server, domains.server)
    server.add(add_OwningTeamsServicer_to_server, OwningTeamsServer(database))
    expiry = Expiry(Previews(database))
    try:
        relay.start()
        expiry.start()
        hooks.start()
        await plans.start()
        repositories.start()
        domains.start()
        consumer.start()
        await server.start()
        await door.start()
        await stop.wait()
    finally:
        await server.stop()
        await hooks.stop()
        await plans.stop()
        await domains.stop()
        await auth.close()
        await repositories.stop()
        await expiry.stop()
        await consumer.stop()
        await relay.stop()
        await door.stop()
        await redis.aclose()
        await database.close()


async def _missing(database: Database, redis: Redis) -> str:
    """What this service lacks to do its work, or ""."""
    try:
        await database.ping()
        await redis.ping()
    except (ShipoffError, RedisError, OSError) as error:
        return str(error)
    return ""


if __name__ == "__main__":
    run("projects", main)
