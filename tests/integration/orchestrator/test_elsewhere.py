"""Sources from other hosts' repositories: a real git server that wants a credential."""

from __future__ import annotations

import base64
import http.server
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.errors import ShipoffError
from kernel.net_guard import NetGuard
from orchestrator.build import elsewhere as module
from orchestrator.build.elsewhere import Elsewhere
from proto.projects.v1.projects_pb2 import Source
from tests.integration.orchestrator import remotes
from tests.integration.orchestrator.remotes import Remote, served

SECRET = "ghs_9f8e7d6c5b4a39281706"
SHOWN = "Basic " + base64.b64encode(f"x-access-token:{SECRET}".encode()).decode()


class Watcher(list[str]):
    """Looks at every process's arguments while a request is being answered."""

    def __init__(self) -> None:
        super().__init__()
        self.arguments: set[str] = set()

    def append(self, header: str) -> None:
        super().append(header)
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.arguments.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def remote(tmp_path: Path, watcher: Watcher) -> Iterator[Remote]:
    made = Remote(tmp_path)
    with served(tmp_path, SHOWN, watcher) as port:
        made.url = f"http://127.0.0.1:{port}/git/demo.git"
        yield made


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AGAIN_S", 0.0)


def wanted(remote: Remote, commit: str, **fields: str) -> Source:
    values = {"ref": "refs/heads/main", "username": "x-access-token", "password": SECRET, **fields}
    return Source(clone_url=remote.url, commit=commit, **values)


async def test_a_commit_is_fetched_with_a_credential_that_nobody_sees(
    remote: Remote, watcher: Watcher, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    commit = remote.commit({"index.html": "hello"})
    source = await Elsewhere(private=True).fetch(wanted(remote, commit), tmp_path / "out")
    assert (source.commit, (tmp_path / "out/index.html").read_text()) == (commit, "hello")
    assert set(watcher) == {SHOWN}
    assert any("git" in arguments and "fetch" in arguments for arguments in watcher.arguments)
    hidden = (SECRET, SHOWN.removeprefix("Basic "))
    for text in (*watcher.arguments, caplog.text, *(str(path) for path in tmp_path.rglob("*"))):
        assert not any(secret in text for secret in hidden)
    kept = [path for path in (tmp_path / "out").rglob("*") if path.is_file() and SECRET in path.read_text()]
    assert kept == []


async def test_a_commit_is_built_though_its_branch_has_gone_on_or_is_gone(remote: Remote, tmp_path: Path) -> None:
    old = remote.commit({"index.html": "old"})
    remote.commit({"index.html": "new"})
    await Elsewhere(private=True).fetch(wanted(remote, old), tmp_path / "out")
    assert (tmp_path / "out/index.html").read_text() == "old"
    await Elsewhere(private=True).fetch(wanted(remote, old, ref="refs/heads/gone"), tmp_path / "again")
    assert (tmp_path / "again/index.html").read_text() == "old"


async def test_where_a_host_gives_no_commit_by_its_id_the_branch_has_it(
    remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = remotes._environment
    monkeypatch.setattr(remotes, "_environment", lambda *given: plain(*given) | {"GIT_PROTOCOL": ""})
    old = remote.commit({"index.html": "old"})
    remote.commit({"index.html": "new"})
    await Elsewhere(private=True).fetch(wanted(remote, old), tmp_path / "out")
    assert (tmp_path / "out/index.html").read_text() == "old"
    for ref in ("refs/heads/gone", ""):
        with pytest.raises(ShipoffError, match="SOURCE_MISSING"):
            await Elsewhere(private=True).fetch(wanted(remote, old, ref=ref), tmp_path / "not")
    with pytest.raises(ShipoffError, match="SOURCE_MISSING"):
        await Elsewhere(private=True).fetch(wanted(remote, "0" * 39 + "1"), tmp_path / "not")
    assert not (tmp_path / "not").exists()


async def test_a_branch_may_be_called_as_git_allows(remote: Remote, tmp_path: Path) -> None:
    ref = "refs/heads/feature/#12-größer+(neu)"
    commit = remote.commit({"index.html": "x"}, ref)
    await Elsewhere(private=True).fetch(wanted(remote, commit, ref=ref), tmp_path / "out")
    for bad in ("refs/heads/a..b", "refs/heads/a b", "refs/heads/@{1}", "refs/heads/a:b", "-x", "refs/heads/a\nb"):
        with pytest.raises(ShipoffError, match="SOURCE_MISSING"):
            await Elsewhere(private=True).fetch(wanted(remote, commit, ref=bad), tmp_path / "not")


async def test_a_credential_that_opens_nothing_is_said_to_be_so(remote: Remote, tmp_path: Path) -> None:
    commit = remote.commit({"index.html": "x"})
    for password in ("ghs_wrong-token-123", ""):
        with pytest.raises(ShipoffError, match="SOURCE_REFUSED") as refused:
            await Elsewhere(private=True).fetch(wanted(remote, commit, password=password), tmp_path / "out")
        assert not refused.value.retryable
        assert "ghs_wrong" not in str(refused.value)
        assert not (tmp_path / "out").exists()


async def test_a_host_that_is_away_may_be_tried_again(tmp_path: Path) -> None:
    source = Source(clone_url="http://127.0.0.1:9/a.git", commit="a" * 40)
    with pytest.raises(ShipoffError, match="SOURCE_UNAVAILABLE") as failed:
        await Elsewhere(private=True).fetch(source, tmp_path / "out")
    assert failed.value.retryable


async def test_a_redirect_is_not_followed_with_the_credential(remote: Remote, tmp_path: Path) -> None:
    class Leads(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", remote.url + self.path.removeprefix("/a.git"))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is given
            return

    commit = remote.commit({"index.html": "x"})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Leads)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        source = wanted(remote, commit)
        source.clone_url = f"http://127.0.0.1:{server.server_port}/a.git"
        with pytest.raises(ShipoffError, match="SOURCE_MOVED"):
            await Elsewhere(private=True).fetch(source, tmp_path / "out")
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("https://127.0.0.1/a.git", "HOST_NOT_PUBLIC"),
        ("https://localhost/a.git", "HOST_NOT_PUBLIC"),
        ("https://[::1]/a.git", "HOST_NOT_PUBLIC"),
        ("https://169.254.169.254/latest/meta-data", "HOST_NOT_PUBLIC"),
        ("https://10.0.0.1/a.git", "HOST_NOT_PUBLIC"),
        ("https://0x7f.1/a.git", "URL_INVALID"),
        ("http://example.com/a.git", "URL_INVALID"),
        ("https://example.com:22/a.git", "URL_INVALID"),
        ("https://user:pw@example.com/a.git", "URL_INVALID"),
        ("ssh://git@example.com/a.git", "URL_INVALID"),
        ("file:///etc", "URL_INVALID"),
        ("ext::sh -c true", "URL_INVALID"),
        ("-uhttps://example.com/a.git", "URL_INVALID"),
    ],
)
async def test_only_https_to_the_internet(tmp_path: Path, url: str, code: str) -> None:
    with pytest.raises(ShipoffError, match=code):
        await Elsewhere().fetch(Source(clone_url=url, commit="a" * 40), tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_git_connects_to_the_address_that_was_judged(remote: Remote, tmp_path: Path) -> None:
    """The name exists nowhere but in the resolver that judged it: git can't have asked another."""
    asked = []

    async def lookup(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    commit = remote.commit({"index.html": "hello"})
    source = wanted(remote, commit)
    source.clone_url = remote.url.replace("127.0.0.1", "git.invalid")
    await Elsewhere(private=True, guard=NetGuard(["127.0.0.0/8"], lookup)).fetch(source, tmp_path / "out")
    assert asked == ["git.invalid"]
    with pytest.raises(ShipoffError, match="HOST_NOT_PUBLIC"):
        await Elsewhere(private=True, guard=NetGuard((), lookup)).fetch(source, tmp_path / "not")
