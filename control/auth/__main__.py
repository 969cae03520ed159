"""The auth process: `python -m control.auth`."""

from __future__ import annotations

import asyncio

from control.auth.server import AuthServer
from control.auth.settings import AuthSettings
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.rpc import RpcServer
from kernel.service import run
from kernel.telemetry import AdminDoor
from proto.auth.v1.auth_pb2_grpc import add_AuthServicer_to_server


async def main(stop: asyncio.Event) -> None:
    """Opens the database, serves, and closes in the reverse order."""
    settings = AuthSettings.from_process("auth")
    database = await Database.connect(settings.database_url, max_size=settings.database_connections)

    async def ready() -> str:
        try:
            await database.ping()
        except ShipoffError as error:
            return str(error)
        return ""

    host, _, port = settings.admin.rpartition(":")
    door = AdminDoor(host, int(port), ready)
    server = RpcServer(settings.listen, settings.service_token)
    server.add(add_AuthServicer_to_server, AuthServer(database))
    try:
        await server.start()
        await door.start()
        await stop.wait()
    finally:
        await server.stop()
        await door.stop()
        await database.close()


if __name__ == "__main__":
    run("auth", main)
