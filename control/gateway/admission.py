"""Who sends a request: auth turns the credential into a passport, under which the other services are called."""

from __future__ import annotations

from control.gateway.clients import Clients
from kernel.authority import become
from kernel.authority.principal import NOBODY
from kernel.rpc import wire
from proto.auth.v1 import auth_pb2


def forget() -> None:
    """Makes the caller nobody. Requests of one connection share a context, so each begins with this."""
    wire.identity.set("")
    become(NOBODY)


async def admit(clients: Clients, credential: str, address: str) -> auth_pb2.Account:
    """Finds out who shows a credential, and calls the other services for them from here on.

    Args:
        clients: of the services that know.
        credential: an API token or an access token.
        address: the client's.

    Returns:
        The account; empty for a token that belongs to a project.

    Raises:
        ShipoffError: TOKEN_INVALID, SIGNED_TOKEN_INVALID, SIGNED_TOKEN_EXPIRED.
    """
    request = auth_pb2.AuthenticateRequest(credential=credential, address=address)
    answer = await clients.auth.Authenticate(request)
    await clients.border.enter(answer.passport)
    wire.identity.set(answer.passport)
    return answer.account
