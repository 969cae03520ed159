"""Supervisor and workers as real processes: crashes, kills, hand-over, drain, owner, admin door."""

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

from kernel.tasks import spawn
from tests.integration.router.generations import Traffic, alive, until_gone
from tests.integration.router.wire import LIMIT_S, Origin, Processes, endpoints, read_message, route

MakeProcesses = Callable[..., Processes]
WriteTable = Callable[..., Path]
GET = b"GET / HTTP/1.1\r\nHost: app.test\r\n\r\n"


@pytest.fixture
def table(write_table: WriteTable, origin: Origin) -> Path:
    return write_table(route("app.test"), endpoints("rel_1", origin.address))


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "s")


async def test_a_table_file_serves_and_is_read_again(
    make_processes: MakeProcesses, table: Path, origin: Origin
) -> None:
    router = make_processes("--table", str(table))
    router.arguments += ["--admin", f"127.0.0.1:{router.admin}"]
    await router.start()
    assert (await router.ask(GET)).status == 200
    with table.open("a") as file:
        file.write(json.dumps(route("more.test")) + "\n")
    assert router.process is not None
    router.process.send_signal(signal.SIGHUP)
    async with asyncio.timeout(LIMIT_S):
        while {w["version"] for w in await router.workers()} != {2}:
            await asyncio.sleep(0.02)
    assert (await router.ask(GET.replace(b"app", b"more"))).status == 200
    table.write_text("{broken\n")
    router.process.send_signal(signal.SIGHUP)
    await asyncio.sleep(0.1)
    assert (await router.ask(GET)).status == 200
    pids = [w["pid"] for w in await router.workers()]
    router.process.kill()
    await router.process.wait()
    await until_gone(*pids)  # alone, without a state directory, nobody could find them again


async def test_a_table_file_that_is_wrong_is_said_so_in_one_line(table: Path) -> None:
    table.write_text('{"host": "a b"}\n')
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "router", "--table", str(table), "--listen", "nonsense"],
        capture_output=True,
        timeout=LIMIT_S,
    )
    assert done.returncode == 1
    assert b"ARGUMENTS_INVALID: --listen" in done.stderr
    assert b"Traceback" not in done.stderr


async def test_two_routers_do_not_share_a_port_in_silence(
    make_processes: MakeProcesses, table: Path, state: str
) -> None:
    first = make_processes(table=table, state_dir=state)
    await first.start()
    second = make_processes(table=table, state_dir=state + "2", listen=f"127.0.0.1:{first.port}")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "router", env=second.environment, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 1
    assert b"LISTEN_FAILED" in errors
    third = make_processes(table=table, state_dir=state)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "router", env=third.environment, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert b"ALREADY_RUNNING" in errors


async def test_a_crashed_worker_is_replaced(make_processes: MakeProcesses, table: Path, state: str) -> None:
    router = make_processes(table=table, state_dir=state)
    await router.start()
    before = {w["slot"]: w["pid"] for w in await router.workers()}
    os.kill(before[0], signal.SIGKILL)
    async with asyncio.timeout(LIMIT_S):
        while {w["slot"] for w in await router.workers()} != {0, 1} or before[0] in {
            w["pid"] for w in await router.workers()
        }:
            await asyncio.sleep(0.02)
    await router.until_ready()
    for _ in range(20):
        assert (await router.ask(GET)).status == 200


async def test_workers_serve_on_without_a_supervisor_and_hand_over_to_the_next(
    make_processes: MakeProcesses, table: Path, state: str
) -> None:
    router = make_processes(table=table, state_dir=state)
    await router.start()
    old = [w["pid"] for w in await router.workers()]
    traffic = Traffic(router.port)
    await traffic.until(50)
    assert router.process is not None
    router.process.kill()
    await router.process.wait()
    await traffic.until(100)
    assert all(alive(pid) for pid in old)
    for _ in range(2):
        await router.start()
        await until_gone(*old)
        await traffic.until(100)
        old = [w["pid"] for w in await router.workers()]
        router.process.kill()
        await router.process.wait()
    await router.start()
    await traffic.stop()
    assert traffic.failures == []


async def test_a_drain_finishes_what_runs_and_says_close(
    make_processes: MakeProcesses, table: Path, origin: Origin, state: str
) -> None:
    go = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_message(reader)
            await go.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")

    origin.script = script
    router = make_processes(table=table, state_dir=state, workers=1)
    await router.start()
    (worker,) = await router.workers()
    idle_reader, idle_writer = await asyncio.open_connection("127.0.0.1", router.port)
    idle_writer.write(GET.replace(b"app", b"no"))
    await read_message(idle_reader)
    waiting = spawn(router.ask(GET), "test.ask")
    while not origin.connections:
        await asyncio.sleep(0.01)
    assert router.process is not None
    router.process.send_signal(signal.SIGTERM)
    assert await idle_reader.read() == b""  # closed while the other still waits
    assert (await router.get("/readyz")).status == 503
    assert not waiting.done()
    go.set()
    answer = await waiting
    assert (answer.body, answer["connection"]) == (b"slow", "close")
    assert await asyncio.wait_for(router.process.wait(), LIMIT_S) == 0
    await until_gone(worker["pid"])
    assert not list(Path(state).glob("*.sock"))


async def test_a_drain_has_an_end(make_processes: MakeProcesses, table: Path, origin: Origin, state: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    origin.script = script
    router = make_processes(table=table, state_dir=state, workers=1, drain_s=0.3)
    await router.start()
    waiting = spawn(asyncio.wait_for(router.ask(GET), LIMIT_S), "test.ask")
    while not origin.connections:
        await asyncio.sleep(0.01)
    await router.stop()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await waiting


async def test_everything_ends_with_its_owner(make_processes: MakeProcesses, table: Path, state: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # noqa: ASYNC220
    router = make_processes(table=table, state_dir=state, owner_pid=owner.pid)
    await router.start()
    pids = [w["pid"] for w in await router.workers()]
    owner.kill()
    owner.wait()
    assert router.process is not None
    await asyncio.wait_for(router.process.wait(), LIMIT_S)
    await until_gone(*pids)


async def test_orphaned_workers_end_with_the_owner_too(make_processes: MakeProcesses, table: Path, state: str) -> None:
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])  # noqa: ASYNC220
    router = make_processes(table=table, state_dir=state, owner_pid=owner.pid)
    await router.start()
    pids = [w["pid"] for w in await router.workers()]
    assert router.process is not None
    router.process.kill()
    await router.process.wait()
    owner.kill()
    owner.wait()
    await until_gone(*pids)


async def test_the_admin_door_speaks_for_all_workers(make_processes: MakeProcesses, table: Path, state: str) -> None:
    router = make_processes(table=table, state_dir=state)
    await router.start()
    for _ in range(10):
        await router.ask(GET)
    await router.ask(GET.replace(b"app", b"no"))
    metrics = (await router.get("/metrics")).body.decode()
    assert 'router_requests_total{kind="app",status="200"} 10.0' in metrics
    assert 'router_errors_total{code="NO_ROUTE"} 1.0' in metrics
    assert "router_workers 2.0" in metrics
    assert "router_request_duration_seconds_count 11.0" in metrics
    found = json.loads((await router.get("/debug/lookup?host=app.test&path=/x")).body)["workers"]
    assert [w["route"]["release"] for w in found] == ["rel_1", "rel_1"]
    held = await asyncio.open_connection("127.0.0.1", router.port)
    shown: list[dict[str, object]] = []
    async with asyncio.timeout(LIMIT_S):
        while not shown:
            answer = json.loads((await router.get("/debug/connections")).body)["workers"]
            shown = [row for worker in answer for row in worker["shown"]]
    assert shown[0]["phase"] == "IDLE"
    held[1].close()
    pids = [w["pid"] for w in await router.workers()]
    await asyncio.sleep(1.2)  # the supervisor notes the counts once a second
    os.kill(pids[0], signal.SIGKILL)
    await until_gone(pids[0])
    await router.until_ready()
    assert 'router_requests_total{kind="app",status="200"} 10.0' in (await router.get("/metrics")).body.decode()


async def test_requests_are_logged_a_line_each(make_processes: MakeProcesses, table: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    router = make_processes(table=table, state_dir=str(tmp_path / "s"), access_log=log, workers=1)
    await router.start()
    answer = await router.ask(GET)
    await router.ask(GET.replace(b"app", b"no"))
    await router.stop()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [(line["status"], line.get("error", "")) for line in lines] == [(200, ""), (404, "NO_ROUTE")]
    assert lines[0]["id"] == answer["x-request-id"]
    assert lines[0]["instance"] == "ins_0"
