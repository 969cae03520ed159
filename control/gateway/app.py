"""Puts the table of routes behind one frame: request id, time limit, who asks and may they, errors, one log line."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web

from control.gateway import body, stream
from control.gateway.admission import NOBODY, admit, forget, shown
from control.gateway.call import Call, Parts
from control.gateway.handler import contract_of
from control.gateway.needs import PUBLIC, OnTeam, of_project, personal_team, require_on_team
from control.gateway.problems import as_problem, as_text, translate
from control.gateway.routes import ROUTES, Route
from kernel import ids
from kernel.authority import Permission, require
from kernel.errors import NOT_FOUND
from kernel.telemetry import request_id
from proto.projects.v1 import projects_pb2

log = logging.getLogger(__name__)

RequestHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.-]{8,128}")
PROJECT_PART: Final = "project"
TEAM_PART: Final = "team"


def make_app(parts: Parts) -> web.Application:
    """The application."""
    app = web.Application(client_max_size=parts.settings.body_bytes, middlewares=[_frame])
    for route in ROUTES:
        resource = app.router.add_resource(route.path)
        methods = (route.method, "HEAD") if route.method == "GET" else (route.method,)
        handle = _bound(route, parts)
        for method in methods:
            resource.add_route(method, handle)
    app.on_response_prepare.append(_sign)
    return app


def _bound(route: Route, parts: Parts) -> RequestHandler:
    contract = contract_of(route.handler)
    unbounded = route.streams or contract.streams

    async def arguments(call: Call) -> dict[str, Any]:
        """Asks who may before it reads, but where the body names the team."""
        await _resolve(route, call)
        given: dict[str, Any] = {}
        if not contract.raw:
            query = body.query(call.request, contract.query)
            if contract.query is not None:
                given["query"] = query
        if contract.body is not None:
            given["body"] = await body.read(call.request, contract.body)
        if isinstance(route.needs, OnTeam) and TEAM_PART not in call.request.match_info:
            call.team = getattr(given.get("body"), TEAM_PART, "") or personal_team(call.who)
            require_on_team(route.needs.permission, call.team)
        return given

    async def handle(request: web.Request) -> web.StreamResponse:
        limit_s = parts.settings.request_s
        async with asyncio.timeout(limit_s):
            visitor = (
                NOBODY if route.needs is PUBLIC else await admit(parts.clients, shown(request), request.remote or "")
            )
            call = Call(request, parts, visitor)
            given = await arguments(call)
        async with asyncio.timeout(None if unbounded else limit_s):
            return await _answer(route, call, await route.handler(call, **given))

    return handle


async def _resolve(route: Route, call: Call) -> None:
    """Finds what the path names, and asks whether the sender may.

    Raises:
        ShipoffError: PROJECT_NOT_FOUND or TEAM_NOT_FOUND for those who may not even read it; PERMISSION_DENIED.
    """
    named = call.request.match_info
    if any("\0" in part for part in named.values()):
        raise NOT_FOUND("there is nothing at this address")
    match route.needs:
        case Permission() as permission:
            wanted = projects_pb2.GetProjectRequest(project=named[PROJECT_PART])
            call.found = await call.clients.projects.GetProject(wanted)
            require(permission, of_project(call.found))
        case OnTeam(permission) if TEAM_PART in named:
            call.team = named[TEAM_PART]
            require_on_team(permission, call.team)


async def _answer(route: Route, call: Call, given: Any) -> web.StreamResponse:
    if isinstance(given, web.StreamResponse):
        return given
    if isinstance(given, stream.Stream):
        return await stream.send(call.request, given, call.headers)
    if given is None:
        return web.Response(status=route.status, headers=call.headers)
    if route.secret:
        call.headers["Cache-Control"] = "no-store"
    return body.answer(given, route.status, call.headers)


@web.middleware
async def _frame(request: web.Request, handler: RequestHandler) -> web.StreamResponse:
    forget()
    said = request.headers.get("X-Request-Id", "")
    request_id.set(said if _REQUEST_ID.fullmatch(said) else ids.new("req"))
    began, status = time.monotonic(), 499  # 499 in the log: the client went away
    try:
        response = await _answered(request, handler)
        status = response.status
        return response
    finally:
        took_ms = (time.monotonic() - began) * 1000
        log.info("%s %s %d %.0f ms", request.method, request.path, status, took_ms)


async def _answered(request: web.Request, handler: RequestHandler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ConnectionError:
        raise  # the client went away; aiohttp closes what is left
    except Exception as error:  # the boundary: everything leaves as an answer with a code
        failure = translate(error)
        if request.transport is None or _begun(request):
            log.warning("an answer that had begun was cut: %s", failure)
            raise ConnectionResetError from error
        response = as_text(failure) if request.path.startswith("/git/") else as_problem(failure)
        if isinstance(error, web.HTTPMethodNotAllowed):
            response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return response


def _begun(request: web.Request) -> bool:
    return request.get("begun", False) is True


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    request["begun"] = True
    response.headers["X-Request-Id"] = request_id.get()
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.pop("Server", None)
