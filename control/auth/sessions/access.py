"""The access token: a JWT (RFC 9068) that says for some minutes which session somebody has."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from control.auth.keys.service import Keys
from kernel import ids
from kernel.authority.passport import ISSUER

TYPE: Final = "at+jwt"  # RFC 9068, section 2.1: neither a passport nor anything else is taken for it
AUDIENCE: Final = "shipoff-api"
LIFE_S: Final = 600


async def make(keys: Keys, account_id: str, session_id: str, amr: Sequence[str], auth_time_s: float) -> str:
    """A signed token.

    Args:
        keys: sign it.
        account_id: whose.
        session_id: that it belongs to and ends with.
        amr: how they proved who they are (RFC 8176).
        auth_time_s: when they did, unix seconds.
    """
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": account_id,
        "sid": session_id,
        "amr": list(amr),
        "auth_time": int(auth_time_s),
        "iat": now,
        "exp": now + LIFE_S,
        "jti": ids.uuid7().hex(),
    }
    return await keys.sign(claims, typ=TYPE)
