"""What a static site publishes, and that nothing of the machine gets into it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from orchestrator.build.static_files import StaticFile, StaticLimits, collect

LIMITS = StaticLimits(total_bytes=10_000, file_bytes=5_000, files=5)


def paths(root: Path, within: Path | None = None) -> list[str]:
    return [file.path for file in collect(root, within or root, LIMITS)]


def test_files_are_found_in_order_without_what_is_hidden(tmp_path: Path) -> None:
    for name in ("b.html", "a/x.css", ".env", ".git/config", "node_modules/y.js", ".well-known/z.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert paths(tmp_path) == ["/.well-known/z.txt", "/a/x.css", "/b.html"]


def test_a_link_inside_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.html").write_text("x")
    (tmp_path / "link.html").symlink_to("real.html")
    assert paths(tmp_path) == ["/link.html", "/real.html"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "nothing", "directory"])
def test_a_link_that_leaves_or_leads_to_no_file_is_refused(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("x")
    root = tmp_path / "site"
    (root / "directory").mkdir(parents=True)
    (root / "index.html").write_text("x")
    (root / "link.txt").symlink_to(target)
    with pytest.raises(ShipoffError, match=r"ARTIFACT_REFUSED.*/link\.txt"):
        paths(root)


def test_a_link_to_a_directory_outside_publishes_nothing_of_it(tmp_path: Path) -> None:
    root = tmp_path / "site"
    root.mkdir()
    (root / "index.html").write_text("x")
    (root / "etc").symlink_to("/etc")
    with pytest.raises(ShipoffError, match=r"ARTIFACT_REFUSED.*/etc"):
        paths(root)


@pytest.mark.parametrize("name", ["dist", "inner/dist"])
def test_an_output_directory_that_is_a_link_out_of_the_tree_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside/dist").mkdir(parents=True)
    (tmp_path / "outside/dist/index.html").write_text("x")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "dist").symlink_to(tmp_path / "outside/dist")
    (tree / "inner").symlink_to(tmp_path / "outside")
    with pytest.raises(ShipoffError, match="ARTIFACT_REFUSED"):
        paths(tree / name, tree)


def test_special_files_are_refused_without_opening_them(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.html")
    with pytest.raises(ShipoffError, match="ARTIFACT_REFUSED"):
        paths(tmp_path)


def test_a_missing_or_empty_output_is_named(tmp_path: Path) -> None:
    with pytest.raises(ShipoffError, match=r"OUTPUT_MISSING.*no directory dist"):
        paths(tmp_path / "dist", tmp_path)
    (tmp_path / "dist").mkdir()
    with pytest.raises(ShipoffError, match=r"OUTPUT_MISSING.*no files"):
        paths(tmp_path / "dist", tmp_path)


@pytest.mark.parametrize("sizes", [[5_001], [4_000, 4_000, 4_000], [1, 1, 1, 1, 1, 1]])
def test_limits_hold(tmp_path: Path, sizes: list[int]) -> None:
    for number, size in enumerate(sizes):
        (tmp_path / f"{number}.bin").write_bytes(bytes(size))
    with pytest.raises(ShipoffError, match="ARTIFACT_TOO_LARGE"):
        paths(tmp_path)


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.html")).write_text("x")
    with pytest.raises(ShipoffError, match="ARTIFACT_REFUSED"):
        paths(tmp_path)


@pytest.mark.parametrize(
    ("name", "kind", "compressible"),
    [
        ("/a.HTML", "text/html; charset=utf-8", True),
        ("/a.mjs", "text/javascript; charset=utf-8", True),
        ("/a.svg", "image/svg+xml", True),
        ("/a.png", "image/png", False),
        ("/a.unknown-thing", "application/octet-stream", False),
        ("/LICENSE", "application/octet-stream", False),
    ],
)
def test_types_go_by_extension(name: str, kind: str, compressible: bool) -> None:
    file = StaticFile(name, Path(name), 5000)
    assert (file.content_type, file.compressible) == (kind, compressible)
