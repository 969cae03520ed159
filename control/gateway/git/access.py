"""Who may do what over git: HTTP Basic (RFC 7617) with an API token as the password."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from typing import Final, Literal

from control.gateway.admission import admit as authenticate
from control.gateway.clients import Clients
from control.gateway.identity import become_platform
from kernel.authority import Kind, Permission, Principal, Resource, current, require
from kernel.errors import UNAUTHENTICATED, define
from proto.projects.v1 import projects_pb2

GIT_TOKEN_MISSING = define(
    "GIT_TOKEN_MISSING",
    source="client",
    status=401,
    hint="the user name does not matter and the password is an API token, such as shipoff login keeps",
)
GIT_READ_ONLY = define("GIT_READ_ONLY", source="client", status=403, hint="push with the token of an account")

Service = Literal["git-upload-pack", "git-receive-pack"]
SERVICE_USER: Final = "shipoff-service"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a request may touch.

    Attributes:
        project: the only one.
        who: asks.
        credential: that they have shown.
    """

    project: projects_pb2.Project
    who: Principal
    credential: str = field(default="", repr=False)

    @property
    def trusted(self) -> bool:
        """Whether this is the platform itself."""
        return self.who.kind is Kind.PLATFORM


async def renew(clients: Clients, grant: Grant) -> None:
    """Calls the other services for whoever pushed, from here on: a pack may take longer than a passport lasts.

    Raises:
        ShipoffError: TOKEN_INVALID when the token was revoked meanwhile.
    """
    await authenticate(clients, grant.credential, grant.who.address)


async def admit(
    clients: Clients, service_token: str, authorization: str, project: str, service: Service, address: str = ""
) -> Grant:
    """Checks the token first and then the project, so that nobody learns names without a token.

    Args:
        clients: of the services that know.
        service_token: the platform's own.
        authorization: the request's header.
        project: name or id, from the path.
        service: what is asked for.
        address: the client's.

    Raises:
        ShipoffError: GIT_TOKEN_MISSING, TOKEN_INVALID, GIT_READ_ONLY, PROJECT_NOT_FOUND or PERMISSION_DENIED.
    """
    user, password = _credentials(authorization)
    if user == SERVICE_USER:
        if not hmac.compare_digest(password.encode(), service_token.encode()):
            raise UNAUTHENTICATED("the service token is not valid")
        if service == "git-receive-pack":
            raise GIT_READ_ONLY("the platform's own token fetches and never pushes")
        become_platform()
    else:
        await authenticate(clients, password, address)
    found = await clients.projects.GetProject(projects_pb2.GetProjectRequest(project=project))
    needed = Permission.DEPLOYMENT_CREATE if service == "git-receive-pack" else Permission.PROJECT_READ
    require(needed, Resource(found.team_id, found.id))
    return Grant(found, current(), password)


def _credentials(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() == "basic":
            user, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
            if colon:
                return user, password
    except (binascii.Error, UnicodeDecodeError):
        pass  # answered like a missing token: the reader's next step is the same
    raise GIT_TOKEN_MISSING("git needs an API token")
