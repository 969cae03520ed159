"""Who I am."""

from __future__ import annotations

from aiohttp import web

from control.gateway import body, present
from control.gateway.call import Call


async def show(call: Call) -> web.Response:
    """GET /v1/me."""
    return body.answer(present.account(call.account))
