"""An operator's choices: command line over environment over what was remembered."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from stack.settings import resolve


def test_what_was_chosen_is_remembered(tmp_path: Path) -> None:
    resolve(tmp_path, {"redis_url": "redis://user:secret@example.org/0", "host": None})
    assert resolve(tmp_path, {}).redis_url == "redis://user:secret@example.org/0"
    assert stat.S_IMODE((tmp_path / "settings.json").stat().st_mode) == 0o600


def test_the_command_line_wins_over_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIPOFF_STACK_ROUTER_PORT", "18081")
    monkeypatch.setenv("SHIPOFF_STACK_GATEWAY_PORT", "18082")
    settings = resolve(tmp_path, {"router_port": 18083})
    assert (settings.router_port, settings.gateway_port) == (18083, 18082)


def test_a_wrong_choice_is_named_and_its_value_is_not(tmp_path: Path) -> None:
    with pytest.raises(ShipoffError, match="router_port") as raised:
        resolve(tmp_path, {"router_port": 99_999_999})
    assert "99999999" not in str(raised.value)


def test_a_broken_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{")
    with pytest.raises(ShipoffError, match=r"settings\.json"):
        resolve(tmp_path, {})
