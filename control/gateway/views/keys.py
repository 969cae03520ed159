"""The public keys that access tokens are verified with."""

from __future__ import annotations

from aiohttp import web

from control.gateway.call import Call
from proto.auth.v1 import auth_pb2

KEPT_S = 300  # a new key is published ten minutes before it signs


async def show(call: Call) -> web.Response:
    """GET /.well-known/jwks.json: gives the keys as a JSON Web Key Set (RFC 7517)."""
    answer = await call.clients.auth.ListKeys(auth_pb2.ListKeysRequest())
    headers = {"Cache-Control": f"public, max-age={KEPT_S}"}
    return web.Response(text=answer.jwks, content_type="application/jwk-set+json", headers=headers)
