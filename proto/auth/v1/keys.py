"""Auth's public keys, as the border of another service wants them."""

from __future__ import annotations

import orjson

from kernel.authority.border import Jwks
from proto.auth.v1.auth_pb2 import ListKeysRequest
from proto.auth.v1.auth_pb2_grpc import AuthStub


async def fetch(auth: AuthStub) -> Jwks:
    """Asks auth.

    Args:
        auth: its stub.

    Returns:
        Key id to JWK (RFC 8037).

    Raises:
        ShipoffError: it can't be asked.
    """
    answer = await auth.ListKeys(ListKeysRequest())
    return {jwk["kid"]: jwk for jwk in orjson.loads(answer.jwks)["keys"]}
