"""What the admin door tells of requests: by the route's template, never by the path, which has no end of values."""

from __future__ import annotations

from typing import Final

from aiohttp import web
from prometheus_client import Counter, Histogram

UNKNOWN: Final = "unknown"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUESTS = Counter("shipoff_gateway_requests_total", "Requests that were answered", ["method", "route", "status"])
SECONDS = Histogram(
    "shipoff_gateway_request_seconds",
    "From a request's head to the end of its answer; those that stream are not counted",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 30),
)


def observe(request: web.Request, status: int, seconds: float, *, streamed: bool) -> None:
    """Counts an answered request."""
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else UNKNOWN
    method = request.method if request.method in _METHODS else UNKNOWN
    REQUESTS.labels(method, route, f"{status // 100}xx").inc()
    if not streamed:
        SECONDS.labels(method, route).observe(seconds)
