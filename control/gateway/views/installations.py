"""GitHub installations of a team."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from aiohttp import web

from control.gateway.call import Call
from control.gateway.models import installations as models
from control.gateway.models.base import time_of
from control.gateway.views.pages import CSP
from proto.projects.v1 import repositories_pb2 as pb

SETUP: Final = files("control.gateway").joinpath("pages/github.html").read_text()
ASKING_S: Final = 60.0  # GitHub is asked several times


async def index(call: Call) -> models.InstallationList:
    """GET /v1/teams/{team}/installations: lists the GitHub installations that the team has claimed."""
    found = await call.clients.repositories.ListInstallations(pb.ListInstallationsRequest(team_id=call.team))
    return {"installations": [models.installation(one) for one in found.installations]}


async def begin(call: Call) -> models.ClaimShape:
    """POST /v1/teams/{team}/installations: begins to claim an installation of the GitHub App for the team.

    The address in the answer is opened in a browser; GitHub sends that person back to `/github/setup`.
    """
    begun = await call.clients.repositories.BeginClaim(pb.BeginClaimRequest(team_id=call.team))
    return {"url": begun.url, "expires_at": time_of(begun.expires_at_ms)}


async def setup(call: Call, query: models.Setup) -> models.InstallationShape:
    """GET /v1/github/setup: ends a claim with what GitHub sent back.

    Only the account that began it can, and only with a code of somebody who administers the installation.
    """
    request = pb.CompleteClaimRequest(installation_id=query.installation_id, code=query.code, state=query.state)
    return models.installation(await call.clients.repositories.CompleteClaim(request, timeout=ASKING_S))


async def page(call: Call) -> web.Response:
    """GET /github/setup: tells a person whom GitHub sends back how to end the claim.

    The browser shows no credential, and without one nothing is claimed: the address goes to `shipoff repo claim`.
    """
    return web.Response(
        text=SETUP,
        content_type="text/html",
        headers={"Content-Security-Policy": CSP, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"},
    )
