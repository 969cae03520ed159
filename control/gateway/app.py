"""Puts the table of routes behind one frame: request id, time limit, token, errors as answers, one log line each."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from control.gateway.admission import admit, forget
from control.gateway.call import Call, Parts
from control.gateway.problems import as_problem, as_text, translate
from control.gateway.routes import ROUTES, Route
from kernel import ids
from kernel.errors import UNAUTHENTICATED
from kernel.telemetry import request_id
from proto.auth.v1 import auth_pb2

log = logging.getLogger(__name__)

RequestHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.-]{8,128}")


def make_app(parts: Parts) -> web.Application:
    """The application."""
    app = web.Application(client_max_size=parts.settings.body_bytes, middlewares=[_frame])
    for route in ROUTES:
        resource = app.router.add_resource(route.path)
        methods = (route.method, "HEAD") if route.method == "GET" else (route.method,)
        for method in methods:
            resource.add_route(method, _bound(route, parts))
    app.on_response_prepare.append(_sign)
    return app


def _bound(route: Route, parts: Parts) -> RequestHandler:
    async def handle(request: web.Request) -> web.StreamResponse:
        async with asyncio.timeout(None if route.streams else parts.settings.request_s):
            account = await _account(request, parts) if route.token else auth_pb2.Account()
            return await route.handler(Call(request, parts, account))

    return handle


async def _account(request: web.Request, parts: Parts) -> auth_pb2.Account:
    """Whose token the request shows (RFC 6750, section 2.1).

    Raises:
        ShipoffError: UNAUTHENTICATED without one, TOKEN_INVALID with a wrong one.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise UNAUTHENTICATED("an API token is needed", hint="send Authorization: Bearer shp_…")
    return await admit(parts.clients, token.strip(), request.remote or "")


@web.middleware
async def _frame(request: web.Request, handler: RequestHandler) -> web.StreamResponse:
    shown = request.headers.get("X-Request-Id", "")
    forget()
    request_id.set(shown if _REQUEST_ID.fullmatch(shown) else ids.new("req"))
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
