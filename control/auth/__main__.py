"""The auth process: `python -m control.auth`."""

from __future__ import annotations

import asyncio

from control.auth.audit.service import AuditLog
from control.auth.doors import doors
from control.auth.keys.service import Keys
from control.auth.limits import Limits
from control.auth.oauth.parts import OAuth
from control.auth.oauth.settings import OAuthSettings
from control.auth.owned import Owned
from control.auth.people import People
from control.auth.roles.service import ProjectRoles
from control.auth.sealing import sealing
from control.auth.settings import AuthSettings
from kernel.authority import Border
from kernel.authority.border import Jwks
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.rpc import RpcClient, RpcServer
from kernel.sealing import Sealer
from kernel.service import run
from kernel.streams import Consumer, connect
from kernel.telemetry import AdminDoor
from proto.sealing.v1.sealing_pb2_grpc import add_SealingServicer_to_server


async def main(stop: asyncio.Event) -> None:
    """Opens the database, serves, and closes in the reverse order."""
    settings = AuthSettings.from_process("auth")
    database = await Database.connect(settings.database_url, max_size=settings.database_connections)
    redis = connect(settings.redis_url)
    host, _, port = settings.admin.rpartition(":")
    door = AdminDoor(host, int(port), lambda: _missing(database))
    sealer = Sealer(settings.seal_key)
    keys = Keys(database, sealer)
    border = Border(lambda: _own(keys))
    server = RpcServer(settings.listen, settings.service_token, admit=border.enter)
    projects = RpcClient(settings.projects_address, settings.service_token, caller="platform:auth")
    owned, limits = Owned(projects), Limits.of(settings)
    people = People(settings, database, redis, keys, owned)
    people.serve(server)
    for add, servicer in doors(database, keys, owned, people.mails, people.limiter, limits):
        server.add(add, servicer)
    server.add(add_SealingServicer_to_server, sealing(database, sealer))
    oauth = OAuth(OAuthSettings.from_process("auth"), database, people)
    oauth.serve(server)
    log = AuditLog(database, settings.audit_days)
    roles = ProjectRoles(database, owned, limits)
    consumers = [
        Consumer(redis, "audit", "auth", settings.consumer, log.apply),
        Consumer(redis, "deployments", "auth", settings.consumer, roles.apply),
    ]
    try:
        await keys.start()
        log.start()
        people.start()
        for consumer in consumers:
            consumer.start()
        await server.start()
        await door.start()
        await stop.wait()
    finally:
        await server.stop()
        await oauth.stop()
        await people.stop()
        for consumer in consumers:
            await consumer.stop()
        await log.stop()
        await keys.stop()
        await door.stop()
        await projects.close()
        await redis.aclose()
        await database.close()


async def _missing(database: Database) -> str:
    """What this service lacks to answer, or ""; without Redis, records of the audit log wait and all else goes on."""
    try:
        await database.ping()
    except ShipoffError as error:
        return str(error)
    return ""


async def _own(keys: Keys) -> Jwks:
    return {jwk["kid"]: jwk for jwk in (await keys.jwks())["keys"]}


if __name__ == "__main__":
    run("auth", main)
