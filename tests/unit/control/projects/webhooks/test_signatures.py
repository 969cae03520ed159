"""Signatures: GitHub's and Standard Webhooks' published vectors, and everything that is not one."""

from __future__ import annotations

import base64
import hmac

import pytest

from control.projects.webhooks.signatures import PROVIDERS, check, digest, new_secret, stamp
from kernel.errors import ShipoffError

BODY = b'{"a": 1}'
NOW = 1_700_000_000.0


def signed(provider: str, secret: str, body: bytes = BODY, at: float = NOW) -> dict[str, str]:
    made = hmac.digest(secret.encode(), body, "sha256").hex()
    match provider:
        case "github":
            return {"x-hub-signature-256": f"sha256={made}"}
        case "gitlab":
            return {"x-gitlab-token": secret}
        case "gitea":
            return {"x-gitea-signature": made}
        case "bitbucket":
            return {"x-hub-signature": f"sha256={made}"}
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = base64.b64encode(hmac.digest(key, b"msg_1.%d." % at + body, "sha256")).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": str(int(at)), "webhook-signature": f"v1,{mac}"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_the_secret_signed_is_admitted_and_nothing_else(provider: str) -> None:
    secret = new_secret(provider)
    headers = signed(provider, secret)
    check(provider, headers, BODY, secret, NOW)
    wrong = [
        ({}, BODY, secret),
        (headers, BODY, new_secret(provider)),
        (headers, BODY, ""),
        (dict.fromkeys(headers, ""), BODY, secret),
        ({name: value[:-1] for name, value in headers.items()}, BODY, secret),
        ({name: value + "é" for name, value in headers.items()}, BODY, secret),
    ]
    if provider != "gitlab":  # whose header is the secret itself, whatever the body
        wrong.append((headers, BODY + b" ", secret))
    for shown, body, against in wrong:
        with pytest.raises(ShipoffError, match="WEBHOOK_UNSIGNED") as refused:
            check(provider, shown, body, against, NOW)
        assert secret not in str(refused.value)


def test_githubs_documented_example() -> None:
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
    shown = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    check("github", {"x-hub-signature-256": shown}, b"Hello, World!", "It's a Secret to Everybody", NOW)


def test_forgejos_headers_are_giteas_by_another_name() -> None:
    made = signed("gitea", "s")["x-gitea-signature"]
    check("gitea", {"x-forgejo-signature": made}, BODY, "s", NOW)
    assert stamp("gitea", {"x-forgejo-delivery": "d", "x-forgejo-event": "push"}, BODY).delivery == "d"


@pytest.mark.parametrize("off", [-301, 301, -1e9])
def test_a_signature_of_another_time_is_a_replay(off: float) -> None:
    secret = new_secret("generic")
    with pytest.raises(ShipoffError, match="WEBHOOK_UNSIGNED"):
        check("generic", signed("generic", secret, at=NOW + off), BODY, secret, NOW)


def test_one_of_several_signatures_is_enough_while_a_secret_changes() -> None:
    secret = new_secret("generic")
    headers = signed("generic", secret)
    headers["webhook-signature"] = f"v1,AAAA v1a,BBBB {headers['webhook-signature']}"
    check("generic", headers, BODY, secret, NOW)


def test_a_delivery_without_an_id_is_known_by_its_contents() -> None:
    assert stamp("gitlab", {"x-gitlab-event": "Push Hook"}, BODY).delivery == digest(BODY)
    named = {"idempotency-key": "k", "x-gitlab-event-uuid": "u", "x-gitlab-event": "Push Hook"}
    assert stamp("gitlab", named, BODY).delivery == "k"
