"""Standard Webhooks' signature: HMAC-SHA256 over id, time and body. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md; receivers have libraries for
it in most languages.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32  # the specification asks for 24 to 64


def new_secret() -> str:
    """A secret as the receiver gets it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, at_s: int, body: bytes) -> str:
    """One signature: `v1,` and the digest in base64.

    Args:
        secret: `whsec_` and the key in base64.
        message_id: the same for each attempt, so that the receiver can tell a repetition.
        at_s: unix time of this attempt, in seconds; receivers refuse old ones.
        body: as it is sent.
    """
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.digest(key, f"{message_id}.{at_s}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def headers(secrets_held: Iterable[str], message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """What the receiver checks; it has one signature for each secret that is good, and one match is enough."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(sign(secret, message_id, at_s, body) for secret in secrets_held),
    }
