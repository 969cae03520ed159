"""Auth's public keys, as the border of another service wants them."""

from __future__ import annotations

import orjson

from kernel.authority.border import Jwks
from kernel.rpc import RpcClient
from proto.auth.v1.auth_pb2 import ListKeysRequest
from proto.auth.v1.auth_pb2_grpc import AuthStub


async def fetch(auth: RpcClient) -> Jwks:
    """Asks auth.

    Args:
        auth: the channel to it.

    Returns:
        Key id to JWK (RFC 8037).

    Raises:
        ShipoffError: it can't be asked.
    """
    answer = await auth.stub(AuthStub).ListKeys(ListKeysRequest())
    return {jwk["kid"]: jwk for jwk in orjson.loads(answer.jwks)["keys"]}
