"""The fingerprint of the schemas changes exactly when a migration does."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack.prepare import fingerprint


def test_the_fingerprint_follows_the_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fingerprinted" / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    first = fingerprint(["fingerprinted"])
    (folder / "0001_first.sql").write_text("create table one ();")
    second = fingerprint(["fingerprinted"])
    assert first != second == fingerprint(["fingerprinted"])
    (folder / "0001_first.sql").write_text("create table two ();")
    assert fingerprint(["fingerprinted"]) != second
