"""The state directory: one holder, private secrets, remembered ports, a short run directory."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from stack.settings import StackSettings
from stack.state import RUN_DIR_BYTES, State


def test_one_directory_has_one_holder(tmp_path: Path) -> None:
    first, second = State(tmp_path), State(tmp_path)
    first.open()
    assert second.owner() is not None
    with pytest.raises(ShipoffError, match="STACK_RUNNING"):
        second.open()
    first.close()
    assert second.owner() is None
    second.open()
    second.close()


def test_a_directory_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ShipoffError, match="STATE_UNUSABLE"):
        State(tmp_path / "file" / "below").open()


def test_a_directory_that_was_never_used_has_no_owner(tmp_path: Path) -> None:
    assert State(tmp_path / "nothing").owner() is None
    assert not (tmp_path / "nothing").exists()


def test_secrets_are_made_once_and_private(tmp_path: Path) -> None:
    made = State(tmp_path).secrets()
    assert made == State(tmp_path).secrets()
    assert len(set(made.values())) == len(made)
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_a_secret_that_is_new_in_this_version_is_added(tmp_path: Path) -> None:
    made = State(tmp_path).secrets()
    (tmp_path / "secrets.json").write_text('{"postgres": "kept"}')
    later = State(tmp_path).secrets()
    assert later["postgres"] == "kept"
    assert later.keys() == made.keys()


def test_ports_are_remembered(tmp_path: Path) -> None:
    state = State(tmp_path)
    first = state.ports(StackSettings(), {"extra": 15_001})
    assert len(set(first.values())) == len(first)
    again = state.ports(StackSettings(), {"extra": 15_002})
    assert again == first


def test_a_long_directory_gets_a_short_run_directory(tmp_path: Path) -> None:
    state = State(tmp_path / ("x" * 120))
    state.directory.mkdir()
    run_dir = state.run_dir()
    assert len(str(run_dir)) <= RUN_DIR_BYTES
    assert state.run_dir() == run_dir
    run_dir.rmdir()
    other = state.run_dir()
    assert other.is_dir()
    other.rmdir()


def test_facts_survive(tmp_path: Path) -> None:
    State(tmp_path).note("owner", "me@example.org")
    assert State(tmp_path).fact("owner") == "me@example.org"
    assert State(tmp_path).fact("examples") == ""
