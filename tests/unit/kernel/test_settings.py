from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from kernel.settings import Settings


class Sample(Settings):
    port: int
    name: str = "nobody"


def test_a_service_variable_wins_over_the_shared_one() -> None:
    environ = {"SHIPOFF_AUTH_PORT": "1", "SHIPOFF_PORT": "2", "SHIPOFF_NAME": "all"}
    assert Sample.load("auth", environ) == Sample(port=1, name="all")


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "name").write_text("from a file\n")
    settings = Sample.load("auth", {"SHIPOFF_PORT": "1", "SHIPOFF_AUTH_NAME_FILE": str(tmp_path / "name")})
    assert settings.name == "from a file"


def test_every_wrong_variable_is_named_and_no_value_shown() -> None:
    with pytest.raises(ShipoffError) as caught:
        Sample.load("auth", {"SHIPOFF_PORT": "hunter2"})
    assert caught.value.code == "SETTINGS_INVALID"
    assert "SHIPOFF_AUTH_PORT" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ShipoffError, match="SHIPOFF_PORT_FILE"):
        Sample.load("auth", {"SHIPOFF_PORT_FILE": str(tmp_path / "none")})


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Sample(port=1).port = 2  # type: ignore[misc]  # what the test is about
