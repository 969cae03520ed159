"""The API's reference: for programs, and for people."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

import orjson
from aiohttp import web

from control.gateway.call import Call

CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


async def document(call: Call) -> web.Response:
    """GET /v1/openapi.json: shows this reference for programs, as OpenAPI 3.1."""
    return _kept(call, _document(call.parts.settings.public_url), "application/json", {})


async def page(call: Call) -> web.Response:
    """GET /docs: this reference for people."""
    return _kept(call, _page(call.parts.settings.public_url), "text/html", {"Content-Security-Policy": CSP})


def _kept(call: Call, content: bytes, media_type: str, headers: dict[str, str]) -> web.Response:
    """What changes with the platform's release only."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers |= {"ETag": tag, "Cache-Control": "no-cache"}
    if call.request.headers.get("If-None-Match") == tag:
        return web.Response(status=304, headers=headers)
    return web.Response(body=content, content_type=media_type, charset="utf-8", headers=headers)


@cache
def _document(public_url: str) -> bytes:
    from control.gateway.openapi.document import document as make
    from control.gateway.routes import ROUTES  # which knows this module

    return orjson.dumps(make(ROUTES, public_url))


@cache
def _page(public_url: str) -> bytes:
    from control.gateway.openapi.page import render

    return render(orjson.loads(_document(public_url))).encode()
