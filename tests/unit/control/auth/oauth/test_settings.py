from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from control.auth.oauth.outbound import Outbound
from control.auth.oauth.providers import providers
from control.auth.oauth.settings import OAuthSettings, is_safe
from kernel.errors import ShipoffError

ACME = {"id": "acme", "name": "Acme", "issuer": "https://id.acme.example", "client_id": "c", "client_secret": "s3cret"}


def load(*listed: Mapping[str, object], **more: str) -> OAuthSettings:
    return OAuthSettings.load("auth", {"SHIPOFF_AUTH_OAUTH_PROVIDERS": json.dumps(listed), **more})


def test_without_settings_nobody_else_is_asked() -> None:
    assert dict(providers(OAuthSettings.load("auth", {}), Outbound())) == {}


def test_providers_come_in_their_order() -> None:
    told = load(ACME, SHIPOFF_AUTH_OAUTH_GOOGLE_ID="g", SHIPOFF_AUTH_OAUTH_GITHUB_ID="h")
    assert list(providers(told, Outbound())) == ["google", "github", "acme"]


@pytest.mark.parametrize(
    "change",
    [
        {"id": "Acme"},
        {"id": "a/b"},
        {"id": ""},
        {"id": "google"},
        {"id": "github"},
        {"issuer": "http://id.acme.example"},
        {"issuer": "id.acme.example"},
        {"issuer": "https://user@id.acme.example"},
        {"issuer": "https://"},
        {"client_id": ""},
        {"authentication": "private_key_jwt"},
        {"more": "x"},
    ],
)
def test_what_is_wrong_is_named_without_a_secret(change: dict[str, object]) -> None:
    with pytest.raises(ShipoffError, match="SETTINGS_INVALID") as caught:
        load({**ACME, **change})
    assert "s3cret" not in str(caught.value)


def test_one_id_is_one_provider_s() -> None:
    with pytest.raises(ShipoffError, match="two providers have one id"):
        load(ACME, ACME)


def test_secrets_are_in_no_repr() -> None:
    told = load(ACME, SHIPOFF_AUTH_OAUTH_GITHUB_ID="h", SHIPOFF_AUTH_OAUTH_GITHUB_SECRET="hush")
    shown = repr(told) + repr(dict(providers(told, Outbound())))
    assert "s3cret" not in shown
    assert "hush" not in shown


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://a.example/x", True),
        ("http://127.0.0.1:3000", True),
        ("http://[::1]:3000", True),
        ("http://localhost:3000", True),
        ("http://a.example", False),
        ("http://127.0.0.1.evil.example", False),
        ("ftp://127.0.0.1", False),
        ("https://a@b.example", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_secrets_travel_encrypted_or_not_at_all(url: str, safe: bool) -> None:
    assert is_safe(url) is safe
