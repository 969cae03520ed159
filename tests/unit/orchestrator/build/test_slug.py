"""Slugs: the same tree gives the same digest, and a hostile one gets nowhere."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from kernel.errors import ShipoffError
from orchestrator.build.slug import Slug, pack, unpack

EPOCH = 1_700_000_000


def app(root: Path, order: list[str]) -> Path:
    root.mkdir()
    for name in order:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    (root / "run.sh").chmod(0o700)
    (root / "current").symlink_to("b/two")
    (root / "python").symlink_to("/runtimes/python/bin/python3")
    return root


def packed(root: Path, target: Path, epoch_s: int = EPOCH) -> Slug:
    return pack(root, target, epoch_s=epoch_s, max_bytes=1 << 20)


def test_the_same_tree_gives_the_same_digest_however_it_came_about(tmp_path: Path) -> None:
    names = ["a", "b/two", "b/one", "run.sh"]
    one = app(tmp_path / "one", names)
    two = app(tmp_path / "two", names[::-1])
    os.utime(two / "a", (1, 1))
    (two / "b/one").chmod(0o600)
    assert packed(one, tmp_path / "1").digest == packed(two, tmp_path / "2").digest
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a").write_text("other"),
        lambda root: (root / "a").chmod(0o755),
        lambda root: (root / "a").rename(root / "c"),
        lambda root: (root / "new").mkdir(),
    ],
)
def test_another_tree_gives_another_digest(tmp_path: Path, change: Callable[[Path], object]) -> None:
    root = app(tmp_path / "one", ["a", "b/two", "run.sh"])
    before = packed(root, tmp_path / "1").digest
    change(root)
    assert packed(root, tmp_path / "2").digest != before


def test_files_have_the_commits_time_so_that_etags_change_with_it(tmp_path: Path) -> None:
    root = app(tmp_path / "one", ["a", "b/two", "run.sh"])
    first, second = packed(root, tmp_path / "1", EPOCH), packed(root, tmp_path / "2", EPOCH + 1)
    assert first.digest != second.digest
    unpack(tmp_path / "1", tmp_path / "out", first.digest)
    assert (tmp_path / "out/b/two").stat().st_mtime == EPOCH
    assert (root / "b/two").stat().st_mtime == EPOCH + 1


def test_a_tree_comes_back_as_it_went(tmp_path: Path) -> None:
    root = app(tmp_path / "one", ["a", "b/two", "run.sh"])
    slug = packed(root, tmp_path / "1")
    unpack(tmp_path / "1", tmp_path / "out", slug.digest)
    out = tmp_path / "out"
    assert (out / "b/two").read_text() == "b/two"
    assert (out / "current").readlink() == Path("b/two")
    assert (out / "python").readlink() == Path("/runtimes/python/bin/python3")
    assert (out / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (out / "a").stat().st_mode & 0o777 == 0o644
    assert slug.tree_bytes == len("a") + len("b/two") + len("run.sh")
    assert slug.key == f"slugs/{slug.digest}.tar.zst"


def test_repositories_and_caches_are_left_out(tmp_path: Path) -> None:
    names = ["a", "b/two", "run.sh"]
    plain = packed(app(tmp_path / "one", names), tmp_path / "1").digest
    extra = app(tmp_path / "two", [*names, ".git/config", "x/node_modules/.cache/y"])
    (extra / "x/node_modules/.cache/y").unlink()
    (extra / "x/node_modules/.cache").rmdir()
    (extra / "x/node_modules").rmdir()
    (extra / "x").rmdir()
    assert packed(extra, tmp_path / "2").digest == plain


def test_special_files_are_refused(tmp_path: Path) -> None:
    root = app(tmp_path / "one", ["a", "b/two", "run.sh"])
    os.mkfifo(root / "pipe")
    with pytest.raises(ShipoffError, match=r"ARTIFACT_REFUSED.*pipe"):
        packed(root, tmp_path / "1")


def test_what_is_too_large_is_refused(tmp_path: Path) -> None:
    root = app(tmp_path / "one", ["a", "b/two", "run.sh"])
    (root / "big").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(ShipoffError, match="ARTIFACT_TOO_LARGE"):
        packed(root, tmp_path / "1")


def tarred(path: Path, *entries: tuple[str, bytes, str]) -> str:
    """Writes a slug by hand: (name, type, link target); returns its digest."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, target in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            info.size = 4 if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(b"evil") if info.size else None)
    path.write_bytes(zstandard.compress(raw.getvalue()))
    return hashlib.sha256(raw.getvalue()).hexdigest()


@pytest.mark.parametrize(
    "entries",
    [
        [("../escaped", tarfile.REGTYPE, "")],
        [("/tmp/escaped", tarfile.REGTYPE, "")],
        [("a/../../escaped", tarfile.REGTYPE, "")],
        [("out", tarfile.SYMTYPE, ".."), ("out/escaped", tarfile.REGTYPE, "")],
        [("d", tarfile.DIRTYPE, ""), ("d/l", tarfile.SYMTYPE, "/"), ("d/l/tmp/escaped", tarfile.REGTYPE, "")],
        [("hard", tarfile.LNKTYPE, "/etc/passwd")],
        [("null", tarfile.CHRTYPE, "")],
        [("fifo", tarfile.FIFOTYPE, "")],
    ],
)
def test_a_hostile_slug_writes_nothing_outside(tmp_path: Path, entries: list[tuple[str, bytes, str]]) -> None:
    digest = tarred(tmp_path / "slug", *entries)
    with pytest.raises(ShipoffError, match="ARTIFACT_REFUSED"):
        unpack(tmp_path / "slug", tmp_path / "in" / "out", digest)
    assert not list(tmp_path.rglob("escaped"))


def test_a_file_is_never_written_through_a_link_of_the_same_name(tmp_path: Path) -> None:
    target = tmp_path / "victim"
    target.write_text("safe")
    digest = tarred(tmp_path / "slug", ("x", tarfile.SYMTYPE, str(target)), ("x", tarfile.REGTYPE, ""))
    with pytest.raises(OSError, match="exists"):
        unpack(tmp_path / "slug", tmp_path / "out", digest)
    assert target.read_text() == "safe"


def test_a_slug_with_another_content_is_damaged(tmp_path: Path) -> None:
    tarred(tmp_path / "slug", ("x", tarfile.REGTYPE, ""))
    with pytest.raises(ShipoffError, match="SLUG_DAMAGED"):
        unpack(tmp_path / "slug", tmp_path / "out", "0" * 64)


def test_a_truncated_slug_is_damaged(tmp_path: Path) -> None:
    digest = tarred(tmp_path / "slug", ("x", tarfile.REGTYPE, ""))
    (tmp_path / "slug").write_bytes((tmp_path / "slug").read_bytes()[:-10])
    with pytest.raises(ShipoffError, match="SLUG_DAMAGED"):
        unpack(tmp_path / "slug", tmp_path / "out", digest)
