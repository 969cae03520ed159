"""Cross-origin requests (Fetch Standard, "CORS protocol"): the dashboard may ask and read, other sites may not.

Credentials in cookies are never allowed across origins: the dashboard sends its token in a header.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

from aiohttp import web

METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
ASKED: Final = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, X-Request-Id"
SHOWN: Final = (
    "ETag, Idempotent-Replayed, Location, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, "
    "X-Request-Id"
)
KEEP_S: Final = 7200  # that a browser may remember the answer; Chromium's most


class Cors:
    """The rule.

    Args:
        origins: that may ask, e.g. `https://dashboard.example.org`, with commas between.
    """

    def __init__(self, origins: str) -> None:
        self._origins = frozenset(one.strip().rstrip("/") for one in origins.split(",") if one.strip())

    def preflight(self, request: web.Request) -> web.Response | None:
        """The answer to a question whether a request may be sent; None when this is none."""
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        response = web.Response(status=204)
        if self._allows(request):
            response.headers["Access-Control-Allow-Methods"] = METHODS
            response.headers["Access-Control-Allow-Headers"] = ASKED
            response.headers["Access-Control-Max-Age"] = str(KEEP_S)
        return response

    def mark(self, request: web.Request, headers: MutableMapping[str, str]) -> None:
        """Says in an answer's headers who may read it."""
        if not self._origins:
            return
        headers["Vary"] = f"{headers['Vary']}, Origin" if "Vary" in headers else "Origin"
        if self._allows(request):
            headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            headers["Access-Control-Expose-Headers"] = SHOWN

    def _allows(self, request: web.Request) -> bool:
        return request.headers.get("Origin", "") in self._origins
