"""The App's own token."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from control.projects.github.app import App
from control.projects.github.client import path_of
from control.projects.settings import ProjectsSettings
from kernel.errors import ShipoffError

NEEDED = {"SHIPOFF_DATABASE_URL": "x", "SHIPOFF_REDIS_URL": "x", "SHIPOFF_ENV_KEY": "x", "SHIPOFF_SERVICE_TOKEN": "x"}


def test_the_token_lives_for_less_than_ten_minutes_and_bears_a_clock_that_is_ahead() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    none = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none).decode()
    app = App("4711", pem, "hook")
    shown = app.token(1000.9)
    claims = jwt.decode(
        shown, key.public_key(), algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False}
    )
    assert claims == {"iat": 940, "exp": 1540, "iss": "4711"}
    assert claims["exp"] - claims["iat"] <= 600
    assert "PRIVATE" not in repr(app) and "hook" not in repr(app)


def test_a_key_that_is_none_is_said_so_without_it() -> None:
    with pytest.raises(ShipoffError, match="GITHUB_KEY_INVALID") as failed:
        App("4711", "-----BEGIN secret", "hook").token(0)
    assert "BEGIN secret" not in str(failed.value)


def test_there_is_no_app_without_an_id_and_a_pem_may_stand_on_one_line() -> None:
    assert ProjectsSettings.load("projects", NEEDED).github is None
    said = {"SHIPOFF_PROJECTS_GITHUB_APP_ID": "1", "SHIPOFF_PROJECTS_GITHUB_PRIVATE_KEY": r"a\nb"}
    said["SHIPOFF_PROJECTS_GITHUB_API_URL"] = "https://ghe.example.com/api/v3/"
    app = ProjectsSettings.load("projects", NEEDED | said).github
    assert app is not None
    assert (app.private_key, app.api_url) == ("a\nb", "https://ghe.example.com/api/v3")


def test_paths_are_filled_in_and_nothing_leads_out_of_them() -> None:
    assert path_of("/repos/{repository}/statuses/{sha}", repository="a/b", sha="../x") == "/repos/a/b/statuses/..%2Fx"
