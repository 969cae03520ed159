"""The one page for people who come with a browser."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from aiohttp import web

from control.gateway.call import Call

LANDING: Final = files("control.gateway").joinpath("pages/landing.html").read_text()


async def landing(call: Call) -> web.Response:
    """GET /: what this is and where the API is."""
    page = LANDING.replace("{{url}}", call.parts.settings.public_url.rstrip("/"))
    return web.Response(text=page, content_type="text/html", headers={"Content-Security-Policy": CSP})


CSP: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
