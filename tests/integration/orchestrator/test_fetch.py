"""Sources from a real git server: git's own http-backend behind Python's CGI server."""

from __future__ import annotations

import base64
import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from orchestrator.build.fetch import SERVICE_USER, SourceLimits, Sources, fetch

# environ: git, run by a test, needs this process's PATH.
TOKEN = "service-token-77"
SHOWN = "Basic " + base64.b64encode(f"{SERVICE_USER}:{TOKEN}".encode()).decode()


class Remote:
    """One repository, served at `url`, that wants the services' token."""

    def __init__(self, root: Path) -> None:
        self.work, self.bare = root / "work", root / "git" / "demo.git"
        self.git("init", "-q", "-b", "main", str(self.work), cwd=root)
        self.git("init", "-q", "--bare", str(self.bare), cwd=root)
        self.url = ""
        self.authorizations: list[str] = []

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        env = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=cwd or self.work, env=env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str], ref: str) -> str:
        """Commits files and pushes them to a ref; returns the commit."""
        for name, text in files.items():
            (self.work / name).parent.mkdir(parents=True, exist_ok=True)
            (self.work / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x", "--date=2024-01-01T00:00:00Z")
        self.git("push", "-q", str(self.bare), f"+HEAD:{ref}")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    made = Remote(tmp_path)
    backend = subprocess.run(["git", "--exec-path"], check=True, capture_output=True, text=True).stdout.strip()

    class Handler(http.server.CGIHTTPRequestHandler):
        def is_cgi(self) -> bool:
            made.authorizations.append(self.headers.get("Authorization", ""))
            self.cgi_info = "", f"git-http-backend{self.path}"
            return True

        def run_cgi(self) -> None:
            if self.headers.get("Authorization") != SHOWN:
                self.send_error(401)
                return
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            env = {
                "GIT_PROJECT_ROOT": str(tmp_path),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(length),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "PATH": os.defpath,
            }
            answer = subprocess.run(
                [f"{backend}/git-http-backend"],
                input=self.rfile.read(length),
                env=env,
                capture_output=True,
                check=False,
            ).stdout
            head, _, body = answer.partition(b"\r\n\r\n")
            lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
            self.send_response(next((int(value[:3]) for name, value in lines if name == "Status"), 200))
            for name, value in lines:
                if name != "Status":
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    made.url = f"http://127.0.0.1:{server.server_port}"
    yield made
    server.shutdown()
    server.server_close()


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
