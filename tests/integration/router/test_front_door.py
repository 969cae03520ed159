"""The listeners and settings of real processes: TLS across generations, certificates and settings read again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.router.generations import Traffic, until_gone
from tests.integration.router.tls_wire import Authority
from tests.integration.router.wire import LIMIT_S, Origin, Processes, endpoints, free_port, read_message, route

MakeProcesses = Callable[..., Processes]
WriteTable = Callable[..., Path]
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"
CLAIM = GET[:-2] + b"X-Forwarded-For: 203.0.113.9\r\n\r\n"


@pytest.fixture
def table(write_table: WriteTable, origin: Origin) -> Path:
    return write_table(route("app.test"), endpoints("rel_1", origin.address))


async def tell(router: Processes, reloads: int, result: str = "taken") -> None:
    """Sends SIGHUP and waits until the settings were read."""
    assert router.process is not None
    router.process.send_signal(signal.SIGHUP)
    wanted = f'router_settings_reloads_total{{result="{result}"}} {reloads}.0'
    async with asyncio.timeout(LIMIT_S):
        while wanted not in (await router.get("/metrics")).body.decode():
            await asyncio.sleep(0.02)


async def seen_as(router: Processes, origin: Origin) -> str:
    assert (await router.ask(CLAIM)).status == 200
    return origin.requests[-1]["x-forwarded-for"]


async def test_listeners_of_both_kinds_pass_from_one_generation_to_the_next(
    make_processes: MakeProcesses, table: Path, tmp_path: Path, certificates: Path, authority: Authority
) -> None:
    port = free_port()
    router = make_processes(
        table=table, state_dir=tmp_path / "s", listen_tls=f"127.0.0.1:{port}", tls_certificates=certificates
    )
    await router.start()
    traffic = [Traffic(router.port), Traffic(port, authority.client())]
    for one in traffic:
        await one.until(50)
    for _ in range(2):
        old = [worker["pid"] for worker in await router.workers()]
        assert router.process is not None
        router.process.kill()
        await router.process.wait()
        await router.start()
        await until_gone(*old)
        for one in traffic:
            await one.until(50)
    for one in traffic:
        await one.stop()
        assert one.failures == []


async def test_a_worker_that_crashes_comes_back_at_both_listeners(
    make_processes: MakeProcesses, table: Path, tmp_path: Path, certificates: Path, authority: Authority
) -> None:
    port = free_port()
    router = make_processes(
        table=table, state_dir=tmp_path / "s", listen_tls=f"127.0.0.1:{port}", tls_certificates=certificates, workers=1
    )
    await router.start()
    (worker,) = await router.workers()
    assert sorted(worker["listening"]) == [f"http 127.0.0.1:{router.port}", f"tls 127.0.0.1:{port}"]
    os.kill(worker["pid"], signal.SIGKILL)
    await until_gone(worker["pid"])
    await router.until_ready()
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=authority.client(), server_hostname="app.test"
    )
    writer.write(GET)
    assert (await read_message(reader)).status == 200
    writer.close()


async def is_served(port: int, authority: Authority, name: str) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=authority.client(), server_hostname=name)
    except OSError:
        return False
    writer.close()
    return True


async def test_certificates_are_read_again_on_a_signal_and_by_themselves(
    make_processes: MakeProcesses, table: Path, tmp_path: Path, certificates: Path, authority: Authority
) -> None:
    port = free_port()
    tls = {"listen_tls": f"127.0.0.1:{port}", "tls_certificates": certificates}
    for number, reload_s in enumerate((3600, 0.05)):
        router = make_processes(table=table, state_dir=tmp_path / str(number), tls_reload_s=reload_s, **tls)
        await router.start()
        name = f"new{number}.test"
        authority.write(certificates / f"{name}.pem", name)
        if reload_s > 1:
            await tell(router, 1)
        async with asyncio.timeout(LIMIT_S):
            while not await is_served(port, authority, name):
                await asyncio.sleep(0.05)
        await router.stop()


async def test_several_addresses_and_ipv6(make_processes: MakeProcesses, table: Path, tmp_path: Path) -> None:
    ports = [free_port(), free_port()]
    router = make_processes(
        table=table, state_dir=tmp_path / "s", listen=f"127.0.0.1:{ports[0]}, [::1]:{ports[1]}", workers=1
    )
    await router.start()
    for host, port in zip(("127.0.0.1", "::1"), ports, strict=True):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(GET)
        assert (await read_message(reader)).status == 200
        writer.close()


async def test_settings_change_live_where_they_can_and_are_named_where_they_cannot(
    make_processes: MakeProcesses, table: Path, tmp_path: Path, origin: Origin, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "settings"
    file.write_text("# nobody is trusted\nkeep_alive_s=30\n")
    router = make_processes(table=table, state_dir=tmp_path / "s", settings=file)
    await router.start()
    assert await seen_as(router, origin) == "127.0.0.1"
    file.write_text("trusted = 127.0.0.0/8\nSHIPOFF_ROUTER_CACHE_BYTES=1\n")
    await tell(router, 1)
    for _ in range(8):  # whichever worker answers
        assert await seen_as(router, origin) == "203.0.113.9, 127.0.0.1"
    said = capfd.readouterr().err
    assert "settings changed: trusted, keep_alive_s" in said
    assert "with the next start only: cache_bytes" in said
    file.write_text(json.dumps({"trusted": ""}))
    await tell(router, 2)
    assert await seen_as(router, origin) == "127.0.0.1"


@pytest.mark.parametrize("wrong", ["head_s=soon", "cloudflare=ranges"])
async def test_a_file_that_is_wrong_changes_nothing_not_even_for_a_worker_that_comes_back(
    make_processes: MakeProcesses, table: Path, tmp_path: Path, origin: Origin, wrong: str
) -> None:
    file = tmp_path / "settings"
    file.write_text("trusted=127.0.0.0/8\n")
    router = make_processes(
        table=table, state_dir=tmp_path / "s", settings=file, workers=1, cloudflare_ranges=tmp_path / "missing"
    )
    await router.start()
    file.write_text(f"{wrong}\n")
    await tell(router, 1, "refused")
    assert await seen_as(router, origin) == "203.0.113.9, 127.0.0.1"
    (worker,) = await router.workers()
    os.kill(worker["pid"], signal.SIGKILL)
    await until_gone(worker["pid"])
    await router.until_ready()
    assert await seen_as(router, origin) == "203.0.113.9, 127.0.0.1"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--listen-tls", "127.0.0.1:0"), b"CERTIFICATE_INVALID"),
        (("--listen-tls", "127.0.0.1:0", "--tls-certificates", "/nowhere"), b"CERTIFICATE_INVALID"),
        (("--listen-tls", "nonsense"), b"ARGUMENTS_INVALID: --listen_tls"),
    ],
)
async def test_what_cannot_work_is_said_at_the_start(table: Path, more: tuple[str, ...], said: bytes) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "router", "--table", str(table), "--listen", "127.0.0.1:0", *more],
        capture_output=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert b"Traceback" not in done.stderr
