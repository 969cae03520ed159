"""Submodules: siblings from the platform, strangers through the sandbox, and what is refused."""

from __future__ import annotations

import datetime
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kernel.errors import ShipoffError
from orchestrator.build.fetch import Source, Sources, Submodule
from orchestrator.build.plan import BuildPlan
from orchestrator.build.submodules import Submodules, commands
from orchestrator.drivers.base import BuildJob
from orchestrator.drivers.local.driver import LocalDriver
from orchestrator.drivers.local.layout import LocalConfig
from tests.integration.orchestrator.remotes import SHOWN, TOKEN, Remote, served
from tests.integration.orchestrator.workshop import PROJECT, Workshop, dismantle


class Two:
    """A project with a sibling, on the platform's server."""

    def __init__(self, root: Path, port: int) -> None:
        self.demo, self.lib = Remote(root, "demo"), Remote(root, "lib")
        self.sources = Sources(f"http://127.0.0.1:{port}", TOKEN)
        self.tree = root / "out"

    async def fetch(self, commit: str, *, readable: bool = True) -> list[Submodule]:
        """Fetches the project with its siblings; returns the other submodules."""

        async def may_read(project: str) -> bool:
            return readable and project in ("lib", "demo")

        source: Source = await self.sources.fetch("demo", "refs/heads/main", commit, self.tree)
        return await Submodules(self.sources).complete(source, self.tree, may_read)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    with served(tmp_path, SHOWN, []) as port:
        yield Two(tmp_path, port)


async def test_a_relative_address_is_another_project_of_the_same_owner(two: Two) -> None:
    wanted = two.lib.commit({"lib.txt": "old"})
    two.lib.commit({"lib.txt": "newer"})
    two.demo.link("vendor/lib", "../lib.git", wanted)
    assert await two.fetch(two.demo.commit({"main.txt": "x"})) == []
    assert (two.tree / "vendor/lib/lib.txt").read_text() == "old"
    assert not (two.tree / "vendor/lib/.git").exists()


async def test_a_project_that_the_owner_cannot_read_is_no_submodule(two: Two) -> None:
    two.demo.link("vendor/lib", "../lib.git", two.lib.commit({"secret.txt": "x"}))
    with pytest.raises(ShipoffError, match="SUBMODULE_REFUSED"):
        await two.fetch(two.demo.commit({"main.txt": "x"}), readable=False)
    assert not (two.tree / "vendor/lib/secret.txt").exists()


async def test_submodules_that_contain_each_other_come_to_an_end(two: Two) -> None:
    first = two.lib.commit({"a": "1"})
    two.demo.link("d", "../lib.git", first)
    second = two.demo.commit({"b": "1"})
    for _ in range(3):
        two.lib.link("l", "../demo.git", second)
        first = two.lib.commit({})
        two.demo.link("d", "../lib.git", first)
        second = two.demo.commit({})
    with pytest.raises(ShipoffError, match="deep"):
        await two.fetch(second)


@pytest.mark.parametrize(
    "url", ["git@example.org:a/b.git", "ssh://example.org/a", "http://example.org/a.git", "file:///etc", "/etc", "-x"]
)
async def test_an_address_that_is_not_https_is_refused_by_name(two: Two, url: str) -> None:
    two.demo.link("vendor/x", url, "a" * 40)
    with pytest.raises(ShipoffError, match=r"SUBMODULE_REFUSED|SOURCE_UNAVAILABLE") as caught:
        await two.fetch(two.demo.commit({"main.txt": "x"}))
    assert not caught.value.code.startswith("INTERNAL")


async def test_a_link_without_an_address_is_told(two: Two) -> None:
    two.demo.link("vendor/x", "https://example.org/x.git", "a" * 40)
    (two.demo.work / ".gitmodules").unlink()
    with pytest.raises(ShipoffError, match="does not say where vendor/x comes from"):
        await two.fetch(two.demo.commit({"main.txt": "x"}))


# --- from elsewhere, through the sandbox ------------------------------------------------------------------------------


@pytest.fixture
async def open_workshop(scratch: Path) -> AsyncIterator[Workshop]:
    """A driver whose tenants may reach this machine's own name."""
    address = socket.gethostbyname(socket.gethostname())
    config = LocalConfig(scratch / "work", scratch / "run", owner_pid=os.getpid(), egress_allow=(f"{address}/32",))
    driver = LocalDriver(config)
    await driver.open()
    yield Workshop(driver, config, scratch)
    await dismantle(driver, config)


def certificate(folder: Path, host: str) -> ssl.SSLContext:
    """A server's context with a certificate of its own, which lies in `cert.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, *private))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_a_stranger_is_fetched_in_the_sandbox_with_what_it_contains(
    open_workshop: Workshop, tmp_path: Path
) -> None:
    host, inner, outer = socket.gethostname(), Remote(tmp_path, "inner"), Remote(tmp_path, "outer")
    with served(tmp_path, "", [], certificate(tmp_path, host)) as port:
        outer.link("inner", "../inner.git", inner.commit({"deep.txt": "deep"}))
        commit = outer.commit({"outer.txt": "outer"})
        outer.commit({"outer.txt": "newer"})
        tree = open_workshop.tree({"cert.pem": (tmp_path / "cert.pem").read_text(), "vendor/x/.keep": ""})
        (tree / "vendor/x/.keep").unlink()
        steps = commands([Submodule("vendor/x", f"https://{host}:{port}/git/outer.git", commit)])
        env = {"GIT_SSL_CAINFO": "/app/cert.pem"}
        job = BuildJob("bld_s", PROJECT, BuildPlan("git", "dynamic"), tree, env, steps=steps)
        result = await open_workshop.build(job)
    assert result.ok, open_workshop.lines
    assert (tree / "vendor/x/outer.txt").read_text() == "outer"
    assert (tree / "vendor/x/inner/deep.txt").read_text() == "deep"
    assert not list(tree.rglob(".git"))


async def test_this_machine_is_no_stranger_to_fetch_from(workshop: Workshop, tmp_path: Path) -> None:
    host, seen = socket.gethostname(), list[str]()
    with served(tmp_path, "", seen, certificate(tmp_path, host)) as port:
        tree = workshop.tree({})
        steps = commands([Submodule("x", f"https://{host}:{port}/git/outer.git", "a" * 40)])
        result = await workshop.build(BuildJob("bld_s", PROJECT, BuildPlan("git", "dynamic"), tree, {}, steps=steps))
    assert (result.ok, result.failed_step) == (False, "submodule-1")
    assert seen == []
    assert any("403" in line for line in workshop.said())
