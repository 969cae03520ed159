"""The digest of a tree's content: what changes it, and what does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.build.content import content_digest


def tree(root: Path) -> Path:
    (root / "d").mkdir(parents=True)
    (root / "a").write_text("a")
    (root / "d/b").write_text("b")
    (root / "link").symlink_to("a")
    return root


def test_times_and_owners_do_not_count(tmp_path: Path) -> None:
    one, two = tree(tmp_path / "1"), tree(tmp_path / "2")
    os.utime(two / "a", (1, 1))
    (two / "a").chmod(0o600)
    assert content_digest(one) == content_digest(two)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a").write_text("x"),
        lambda root: (root / "a").chmod(0o755),
        lambda root: (root / "a").rename(root / "d/a"),
        lambda root: (root / "d/new").mkdir(),
        lambda root: (root / "link").unlink() or (root / "link").symlink_to("d/b"),
    ],
)
def test_everything_else_counts(tmp_path: Path, change: Callable[[Path], object]) -> None:
    root = tree(tmp_path / "1")
    before = content_digest(root)
    change(root)
    assert content_digest(root) != before
