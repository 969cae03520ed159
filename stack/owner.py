"""The owner account and its tokens: `python -m stack.owner` makes them on first run and prints them as JSON.

A process of its own when the supervisor needs it (gRPC stays out of there); `shipoff token` calls the functions.
"""

from __future__ import annotations

import asyncio
import sys

import orjson

from kernel.errors import ShipoffError
from kernel.rpc import RpcClient
from kernel.settings import Settings
from proto.auth.v1.auth_pb2 import BootstrapRequest, CreateTokenRequest
from proto.auth.v1.auth_pb2_grpc import AuthStub


class OwnerSettings(Settings):
    """Read from SHIPOFF_….

    Attributes:
        auth_address: of the service auth.
        service_token: shown to it.
        owner_email: of the account to make when there is none.
        owner_token: "1" to make a further token when the account exists.
    """

    auth_address: str
    service_token: str
    owner_email: str
    owner_token: str = ""


async def bootstrap(address: str, service_token: str, email: str) -> dict[str, str]:
    """Makes the owner and a first token; the token is "" when there is an account already."""
    client = RpcClient(address, service_token)
    try:
        answer = await client.stub(AuthStub).Bootstrap(BootstrapRequest(email=email))
        return {"email": answer.account.email or email, "token": answer.token if answer.created else ""}
    finally:
        await client.close()


async def make_token(address: str, service_token: str, name: str) -> str:
    """Makes a further token of the owner."""
    client = RpcClient(address, service_token)
    try:
        answer = await client.stub(AuthStub).CreateToken(CreateTokenRequest(name=name))
        return str(answer.token)
    finally:
        await client.close()


async def _run(settings: OwnerSettings) -> dict[str, str]:
    made = await bootstrap(settings.auth_address, settings.service_token, settings.owner_email)
    if not made["token"] and settings.owner_token:
        made["demo_token"] = await make_token(settings.auth_address, settings.service_token, "examples")
    return made


def main() -> None:
    """Prints {"email", "token"}."""
    try:
        made = asyncio.run(_run(OwnerSettings.from_process("")))
    except ShipoffError as error:
        sys.exit(str(error))
    sys.stdout.write(orjson.dumps(made).decode() + "\n")


if __name__ == "__main__":
    main()
