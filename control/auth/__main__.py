"""The auth process: `python -m control.auth`."""

from __future__ import annotations

import asyncio

from control.auth.keys.service import Keys
from control.auth.server import AuthServer
from control.auth.settings import AuthSettings
from kernel.authority import Border
from kernel.authority.border import Jwks
from kernel.database import Database
from kernel.errors import ShipoffError
from kernel.rpc import RpcServer
from kernel.sealing import Sealer
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
    keys = Keys(database, Sealer(settings.seal_key))
    border = Border(lambda: _own(keys))
    server = RpcServer(settings.listen, settings.service_token, admit=border.enter)
    server.add(add_AuthServicer_to_server, AuthServer(database, keys))
    try:
        await keys.start()
        await server.start()
        await door.start()
        await stop.wait()
    finally:
        await server.stop()
        await keys.stop()
        await door.stop()
        await database.close()


async def _own(keys: Keys) -> Jwks:
    return {jwk["kid"]: jwk for jwk in (await keys.jwks())["keys"]}


if __name__ == "__main__":
    run("auth", main)
