"""Who sends a request: auth turns the credential into a passport, under which the other services are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from control.gateway.clients import Clients
from kernel.authority import Principal, become, current
from kernel.authority.principal import NOBODY as NO_PRINCIPAL
from kernel.errors import UNAUTHENTICATED
from kernel.rpc import wire
from proto.auth.v1 import auth_pb2


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sends a request.

    Attributes:
        who: as the matrix knows them.
        account: as auth knows them; empty for nobody, and for a token that belongs to a project.
    """

    who: Principal
    account: auth_pb2.Account


NOBODY: Final = Visitor(NO_PRINCIPAL, auth_pb2.Account())


def forget() -> None:
    """Makes the caller nobody. Requests of one connection share a context, so each begins with this."""
    wire.identity.set("")
    become(NO_PRINCIPAL)


async def admit(clients: Clients, credential: str, address: str) -> Visitor:
    """Finds out who shows a credential, and calls the other services for them from here on.

    Args:
        clients: of the services that know.
        credential: an API token or an access token.
        address: the client's.

    Raises:
        ShipoffError: TOKEN_INVALID, SIGNED_TOKEN_INVALID, SIGNED_TOKEN_EXPIRED.
    """
    request = auth_pb2.AuthenticateRequest(credential=credential, address=address)
    answer = await clients.auth.Authenticate(request)
    await clients.border.enter(answer.passport)
    wire.identity.set(answer.passport)
    return Visitor(current(), answer.account)


def shown(request: web.Request) -> str:
    """The bearer token of a request (RFC 6750, section 2.1).

    Raises:
        ShipoffError: UNAUTHENTICATED when there is none.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UNAUTHENTICATED("an API token is needed", hint="send Authorization: Bearer shp_…")
    if not token.isascii():
        raise UNAUTHENTICATED("the token is none of ours", hint="sign in again, or make a new token")
    return token.strip()
