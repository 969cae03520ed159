"""Puts the table of routes behind one frame: request id, time limit, who asks and may they, errors, one log line."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from aiohttp import web

from control.gateway.admission import forget
from control.gateway.call import Parts
from control.gateway.frame import address, metrics
from control.gateway.frame.bound import STANDING, STREAMS, Bound
from control.gateway.frame.cors import Cors
from control.gateway.frame.limits import Standing
from control.gateway.problems import as_problem, as_text, translate
from control.gateway.routes import ROUTES
from kernel import ids
from kernel.telemetry import request_id

log = logging.getLogger(__name__)

RequestHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.-]{8,128}")


def make_app(parts: Parts) -> web.Application:
    """The application."""
    cors = Cors(parts.settings.dashboard_origin)
    app = web.Application(client_max_size=parts.settings.body_bytes, middlewares=[_frame(parts, cors)])
    twins = {route.path: route for route in ROUTES if route.method == "GET"}
    for route in ROUTES:
        resource = app.router.add_resource(route.path)
        bound = Bound(route, twins.get(route.path), parts)
        for method in (route.method, "HEAD") if route.method == "GET" else (route.method,):
            resource.add_route(method, bound.answer)
    app.on_response_prepare.append(partial(_sign, cors))
    return app


def _frame(parts: Parts, cors: Cors) -> Any:
    trusted = address.networks(parts.settings.trusted_proxies)

    @web.middleware
    async def frame(request: web.Request, handler: RequestHandler) -> web.StreamResponse:
        forget()
        said = request.headers.get("X-Request-Id", "")
        request_id.set(said if _REQUEST_ID.fullmatch(said) else ids.new("req"))
        forwarded = ",".join(request.headers.getall("X-Forwarded-For", ()))
        request[address.KEY] = address.client(request.remote or "", forwarded, trusted)
        began, status = time.monotonic(), 499  # 499 in the log: the client went away
        try:
            response = cors.preflight(request) or await _answered(request, handler)
            status = response.status
            return response
        finally:
            took_s = time.monotonic() - began
            log.info("%s %s %d %.0f ms", request.method, request.path, status, took_s * 1000)
            metrics.observe(request, status, took_s, streamed=request.get(STREAMS, False))

    return frame


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


async def _sign(cors: Cors, request: web.Request, response: web.StreamResponse) -> None:
    request["begun"] = True
    response.headers["X-Request-Id"] = request_id.get()
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.pop("Server", None)
    if isinstance(standing := request.get(STANDING), Standing) and standing.limit:
        response.headers.update(standing.headers())
    cors.mark(request, response.headers)
