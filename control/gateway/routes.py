"""Every HTTP route of the platform's door, in one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web

from control.gateway.call import Call, Handler
from control.gateway.views import (
    account,
    deployments,
    env,
    explain,
    instances,
    logs,
    pages,
    previews,
    processes,
    projects,
    releases,
    requests,
    rules,
    shell,
)


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        method: GET also answers HEAD.
        path: aiohttp's pattern.
        handler: what answers.
        token: whether an API token must be shown as a bearer; git checks its own.
        streams: whether the answer may take as long as it likes.
    """

    method: str
    path: str
    handler: Handler
    token: bool = True
    streams: bool = False


async def _advertise(call: Call) -> web.StreamResponse:
    return await call.parts.git.advertise(call.request)


async def _exchange(call: Call) -> web.StreamResponse:
    return await call.parts.git.exchange(call.request)


PROJECT: Final = "/v1/projects/{project}"
ROUTES: Final = (
    Route("GET", "/", pages.landing, token=False),
    Route("GET", "/v1/me", account.show),
    Route("POST", "/v1/projects", projects.create),
    Route("GET", "/v1/projects", projects.index),
    Route("GET", PROJECT, projects.show),
    Route("DELETE", PROJECT, projects.delete),
    Route("GET", PROJECT + "/previews", previews.index),
    Route("DELETE", PROJECT + "/previews/{name:.+}", previews.delete),
    Route("GET", PROJECT + "/env", env.show),
    Route("PUT", PROJECT + "/env", env.change),
    Route("GET", PROJECT + "/rules", rules.show),
    Route("PUT", PROJECT + "/rules", rules.change),
    Route("GET", PROJECT + "/deployments", deployments.index),
    Route("POST", PROJECT + "/deployments", deployments.create),
    Route("GET", PROJECT + "/deployments/{id}", deployments.show),
    Route("POST", PROJECT + "/deployments/{id}/cancel", deployments.cancel),
    Route("POST", PROJECT + "/deployments/{id}/canary", deployments.steer),
    Route("GET", PROJECT + "/deployments/{id}/events", deployments.events, streams=True),
    Route("GET", PROJECT + "/releases", releases.index),
    Route("GET", PROJECT + "/instances", instances.index),
    Route("GET", PROJECT + "/processes", processes.index),
    Route("POST", PROJECT + "/scale", processes.scale),
    Route("POST", PROJECT + "/restart", processes.restart),
    Route("GET", PROJECT + "/crons", processes.crons),
    Route("GET", PROJECT + "/exec", shell.run, streams=True),
    Route("GET", PROJECT + "/logs", logs.show, streams=True),
    Route("GET", PROJECT + "/requests", requests.index),
    Route("GET", PROJECT + "/explain", explain.show),
    Route("GET", "/git/{project}/info/refs", _advertise, token=False, streams=True),
    Route("POST", "/git/{project}/{service:git-(?:upload|receive)-pack}", _exchange, token=False, streams=True),
)
