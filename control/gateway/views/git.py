"""git over HTTP, which asks for a password itself and answers in git's own way (`../git/`)."""

from __future__ import annotations

from aiohttp import web

from control.gateway.call import Call


async def advertise(call: Call) -> web.StreamResponse:
    """GET /git/{project}/info/refs: what there is to fetch, or to push to."""
    return await call.parts.git.advertise(call.request)


async def exchange(call: Call) -> web.StreamResponse:
    """POST /git/{project}/git-upload-pack, …/git-receive-pack: a fetch or a push."""
    return await call.parts.git.exchange(call.request)
