"""Whether a delivery comes from who holds the secret. Pure; every comparison takes the same time whatever differs.

- GitHub: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
- GitLab: https://docs.gitlab.com/user/project/integrations/webhooks/ (the secret itself, in a header)
- Gitea, Forgejo: HMAC-SHA256 of the body in hex
- Bitbucket: https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/ (`sha256=` before the hex)
- generic: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kernel.errors import define

WEBHOOK_UNSIGNED = define(
    "WEBHOOK_UNSIGNED",
    source="client",
    status=401,
    hint="the address or the secret is wrong: shipoff repo link shows both when it makes them",
)
PROVIDERS: Final = ("github", "gitlab", "gitea", "bitbucket", "generic")
TOLERANCE_S: Final = 300.0
PREFIX: Final = "whsec_"
SIGNATURES_MOST: Final = 10  # in one webhook-signature header; two are enough while a secret changes
ID_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a delivery is called.

    Attributes:
        delivery: the provider's id, the same when it sends the delivery again.
        event: the provider's name of its kind.
    """

    delivery: str
    event: str


def new_secret(provider: str) -> str:
    """A secret in the form that the provider's settings take."""
    raw = secrets.token_bytes(32)
    return PREFIX + base64.b64encode(raw).decode() if provider == "generic" else raw.hex()


def check(provider: str, headers: Mapping[str, str], body: bytes, secret: str, now_s: float) -> None:
    """Refuses what was not signed with the secret.

    Args:
        provider: of PROVIDERS.
        headers: by lower-case name.
        body: raw, as it came.
        secret: the link's, or the App's.
        now_s: unix time.

    Raises:
        ShipoffError: WEBHOOK_UNSIGNED; the reason is never said.
    """
    if not secret or not _signed(provider, headers, body, secret, now_s):
        raise WEBHOOK_UNSIGNED("the delivery is not signed with the secret of a link")


def stamp(provider: str, headers: Mapping[str, str], body: bytes) -> Stamp:
    """What a delivery calls itself; one that has no id is known by its contents."""
    match provider:
        case "github":
            found = Stamp(headers.get("x-github-delivery", ""), headers.get("x-github-event", ""))
        case "gitlab":
            # Idempotency-Key stays the same over retries; older versions have the UUID of the event only.
            named = headers.get("idempotency-key") or headers.get("x-gitlab-event-uuid", "")
            found = Stamp(named, headers.get("x-gitlab-event", ""))
        case "gitea":
            found = Stamp(
                headers.get("x-forgejo-delivery") or headers.get("x-gitea-delivery", ""),
                headers.get("x-forgejo-event") or headers.get("x-gitea-event", ""),
            )
        case "bitbucket":
            found = Stamp(headers.get("x-request-uuid", ""), headers.get("x-event-key", ""))
        case _:
            found = Stamp(headers.get("webhook-id", ""), "generic")
    return Stamp((found.delivery or digest(body))[:ID_LENGTH], found.event[:80])


def digest(body: bytes) -> str:
    """The body's own name."""
    return hashlib.sha256(body).hexdigest()


def _signed(provider: str, headers: Mapping[str, str], body: bytes, secret: str, now_s: float) -> bool:
    match provider:
        case "github":
            return _hex(headers.get("x-hub-signature-256", ""), "sha256=", body, secret)
        case "gitea":
            shown = headers.get("x-forgejo-signature") or headers.get("x-gitea-signature", "")
            return _hex(shown, "", body, secret)
        case "bitbucket":
            return _hex(headers.get("x-hub-signature", ""), "sha256=", body, secret)
        case "gitlab":
            return hmac.compare_digest(_ascii(headers.get("x-gitlab-token", "")), secret.encode())
        case "generic":
            return _standard(headers, body, secret, now_s)
    return False


def _hex(shown: str, prefix: str, body: bytes, secret: str) -> bool:
    wanted = prefix + hmac.digest(secret.encode(), body, "sha256").hex()
    return hmac.compare_digest(_ascii(shown), wanted.encode())


def _standard(headers: Mapping[str, str], body: bytes, secret: str, now_s: float) -> bool:
    named, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not named or not (at.isascii() and at.isdigit() and len(at) < 12) or abs(now_s - int(at)) > TOLERANCE_S:
        return False
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        return False
    made = hmac.digest(key, b".".join((named.encode(), at.encode(), body)), "sha256")
    wanted = b"v1," + base64.b64encode(made)
    shown = headers.get("webhook-signature", "").split(" ")[:SIGNATURES_MOST]
    return any(hmac.compare_digest(_ascii(one), wanted) for one in shown)


def _ascii(text: str) -> bytes:
    return text.encode("utf-8", "replace")
