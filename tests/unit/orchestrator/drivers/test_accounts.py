"""A uid per project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.drivers.local.accounts import FIRST_UID, LAST_UID, Accounts


def test_a_project_keeps_its_uid_and_shares_it_with_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    accounts = Accounts(tmp_path / "uids.json")
    uids = [accounts.uid_of(f"prj_{number}") for number in range(20)]
    assert len(set(uids)) == 20
    assert all(uid is not None and FIRST_UID <= uid <= LAST_UID for uid in uids)
    again = Accounts(tmp_path / "uids.json")
    assert [again.uid_of(f"prj_{number}") for number in range(20)] == uids


def test_two_processes_never_give_one_uid_to_two_projects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    one, two = Accounts(tmp_path / "uids.json"), Accounts(tmp_path / "uids.json")
    assert one.uid_of("a") != two.uid_of("b")
    assert one.uid_of("b") == two.uid_of("b")


def test_without_root_there_is_no_uid_to_change_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Accounts(tmp_path / "uids.json").uid_of("prj_1") is None
