"""Sources from a real git server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from orchestrator.build.fetch import Sources, fetch
from orchestrator.build.git import SourceLimits
from tests.integration.orchestrator.remotes import SHOWN, TOKEN, Remote, served


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    made = Remote(tmp_path)
    with served(tmp_path, SHOWN, made.authorizations) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


async def test_a_commit_is_fetched_without_its_repository(remote: Remote, tmp_path: Path) -> None:
    commit = remote.commit({"index.html": "hello", "a/b.txt": "deep"}, "refs/deployments/dep_1")
    source = await Sources(remote.url, TOKEN).fetch("demo", "refs/deployments/dep_1", commit, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "index.html"]
    assert (tmp_path / "out/a/b.txt").read_text() == "deep"
    assert (source.commit, source.files, source.bytes) == (commit, 2, 9)
    assert source.epoch_s == int(remote.git("show", "-s", "--format=%ct", commit))
    assert set(remote.authorizations) == {SHOWN}


async def test_a_ref_that_moved_on_is_not_built_as_if_it_had_not(remote: Remote, tmp_path: Path) -> None:
    old = remote.commit({"index.html": "old"}, "refs/heads/main")
    remote.commit({"index.html": "new"}, "refs/heads/main")
    with pytest.raises(ShipoffError, match="SOURCE_MISSING"):
        await Sources(remote.url, TOKEN).fetch("demo", "refs/heads/main", old, tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_a_ref_that_is_not_there_is_missing(remote: Remote, tmp_path: Path) -> None:
    commit = remote.commit({"x": "1"}, "refs/heads/main")
    with pytest.raises(ShipoffError, match="SOURCE_MISSING"):
        await Sources(remote.url, TOKEN).fetch("demo", "refs/deployments/dep_9", commit, tmp_path / "out")


@pytest.mark.parametrize("ref", ["--upload-pack=touch /tmp/x", "refs/../../x", "refs/heads/a b", "HEAD"])
async def test_a_ref_that_could_be_an_option_is_never_passed_on(remote: Remote, tmp_path: Path, ref: str) -> None:
    with pytest.raises(ShipoffError, match="SOURCE_MISSING"):
        await Sources(remote.url, TOKEN).fetch("demo", ref, "0" * 40, tmp_path / "out")
    assert remote.authorizations == []


async def test_a_wrong_token_or_a_dead_gateway_may_be_tried_again(remote: Remote, tmp_path: Path) -> None:
    commit = remote.commit({"x": "1"}, "refs/heads/main")
    for url, token in ((remote.url, "wrong"), ("http://127.0.0.1:9", TOKEN)):
        with pytest.raises(ShipoffError, match="SOURCE_UNAVAILABLE") as failed:
            await Sources(url, token).fetch("demo", "refs/heads/main", commit, tmp_path / "out")
        assert failed.value.retryable
        assert token not in str(failed.value)
        assert not (tmp_path / "out").exists()


async def test_a_tree_that_is_too_large_is_never_written(remote: Remote, tmp_path: Path) -> None:
    commit = remote.commit({"big.txt": "0" * 200_000}, "refs/heads/main")
    limits = SourceLimits(tree_bytes=100_000)
    with pytest.raises(ShipoffError, match="SOURCE_TOO_LARGE"):
        await Sources(remote.url, TOKEN, limits).fetch("demo", "refs/heads/main", commit, tmp_path / "out")
    limits = SourceLimits(files=0)
    with pytest.raises(ShipoffError, match="SOURCE_TOO_LARGE"):
        await Sources(remote.url, TOKEN, limits).fetch("demo", "refs/heads/main", commit, tmp_path / "out")


async def test_a_pack_that_is_too_large_is_cut_off(remote: Remote, tmp_path: Path) -> None:
    commit = remote.commit({f"f{n}": os.urandom(60_000).hex() for n in range(20)}, "refs/heads/main")
    limits = SourceLimits(pack_bytes=200_000)
    with pytest.raises(ShipoffError, match="SOURCE_TOO_LARGE"):
        await Sources(remote.url, TOKEN, limits).fetch("demo", "refs/heads/main", commit, tmp_path / "out")


async def test_nothing_in_the_repository_runs_when_it_is_fetched(remote: Remote, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    files = {
        ".gitattributes": "* filter=evil\n",
        ".gitmodules": f'[submodule "x"]\n path = x\n url = {remote.url}/git/other.git\n',
        "hooks/post-checkout": f"#!/bin/sh\ntouch {marker}\n",
        ".githooks/post-checkout": f"#!/bin/sh\ntouch {marker}\n",
        "x.txt": "plain",
    }
    commit = remote.commit(files, "refs/heads/main")
    await Sources(remote.url, TOKEN).fetch("demo", "refs/heads/main", commit, tmp_path / "out")
    assert not marker.exists()
    assert (tmp_path / "out/x.txt").read_text() == "plain"


async def test_only_http_is_spoken(remote: Remote, tmp_path: Path) -> None:
    commit = remote.commit({"x": "1"}, "refs/heads/main")
    for url in (f"file://{remote.bare}", str(remote.bare), "ext::sh -c touch% /tmp/x"):
        with pytest.raises(ShipoffError, match="SOURCE_UNAVAILABLE"):
            await fetch(url, "refs/heads/main", commit, tmp_path / "out", "", SourceLimits())
        assert not (tmp_path / "out").exists()
    shutil.rmtree(tmp_path / "out", ignore_errors=True)


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"


async def test_pointers_of_git_lfs_are_found(remote: Remote, tmp_path: Path) -> None:
    files = {"a.png": POINTER, "b.png": "x" * 200, "deep/c.png": POINTER, "deep/.gitattributes": "*.png filter=lfs\n"}
    commit = remote.commit(files)
    source = await Sources(remote.url, TOKEN).fetch("demo", "refs/heads/main", commit, tmp_path / "out")
    assert source.lfs_pointers == ("a.png", "deep/c.png")


async def test_a_text_that_looks_like_a_pointer_is_none_where_nobody_speaks_of_lfs(
    remote: Remote, tmp_path: Path
) -> None:
    commit = remote.commit({"a.txt": POINTER})
    source = await Sources(remote.url, TOKEN).fetch("demo", "refs/heads/main", commit, tmp_path / "out")
    assert source.lfs_pointers == ()
