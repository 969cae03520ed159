"""The access log of real router processes: into a file, and into a real logsink that comes and goes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kernel.database import migrate
from kernel.rpc import RpcClient
from kernel.tasks import spawn
from proto.logsink.v1 import logsink_pb2 as pb
from proto.logsink.v1.logsink_pb2_grpc import LogsStub
from router import COMPILED
from router.access_log.file import FileOutlet, file_outlet, opened
from router.access_log.lines import line_log, lines
from router.access_log.noted import AccessLog
from router.access_log.outlet import FileSink, Outlet
from router.access_log.shipper import Shipper
from tests.integration.router.wire import (
    LIMIT_S,
    InProcess,
    Origin,
    Processes,
    endpoints,
    free_port,
    read_message,
    route,
)
from tests.unit.router.requests import ended

MakeProcesses = Callable[..., Processes]
WriteTable = Callable[..., Path]
TOKEN = "a-token"
NARROW = "what-routers-show"
TRACE = "0af7651916cd43dd8448eb211c80319c"


def get(target: str, more: str = "", host: str = "app.test") -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()


@pytest.fixture
def table(write_table: WriteTable, origin: Origin) -> Path:
    owned = {"project": "prj_a", "environment": "production"}
    return write_table(
        route("app.test", **owned),
        route("dead.test", "rel_dead", **owned),
        route("nobodys.test"),
        endpoints("rel_1", origin.address),
        endpoints("rel_dead", f"tcp:127.0.0.1:{free_port()}"),
    )


@asynccontextmanager
async def logsink(database_url: str, port: int) -> AsyncIterator[Process]:
    """The log service as a process; killed at the end."""
    environment = {
        "SHIPOFF_LOGSINK_LISTEN": f"127.0.0.1:{port}",
        "SHIPOFF_LOGSINK_ADMIN": "127.0.0.1:0",
        "SHIPOFF_LOGSINK_DATABASE_URL": database_url,
        "SHIPOFF_SERVICE_TOKEN": TOKEN,
        "SHIPOFF_REQUESTS_TOKEN": NARROW,
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "logsink", env=environment, stderr=PIPE)
    try:
        assert process.stderr is not None
        async with asyncio.timeout(LIMIT_S):
            while b"listening on port" not in await process.stderr.readline():
                pass
        yield process
    finally:
        process.kill()
        await process.communicate()


class Requests:
    """Reads what logsink has of a project."""

    def __init__(self, port: int) -> None:
        self._client = RpcClient(f"127.0.0.1:{port}", TOKEN)
        self._stub: Any = self._client.stub(LogsStub)

    async def targets(self, project: str = "prj_a") -> list[str]:
        return list((await self.all(project)).target)

    async def all(self, project: str = "prj_a") -> Any:
        asked = pb.ListRequestsRequest(project_id=project, limit=1000)
        return (await self._stub.ListRequests(asked, timeout=LIMIT_S)).requests

    async def until(self, count: int) -> Any:
        async with asyncio.timeout(LIMIT_S):
            while True:
                found = await self.all()
                if len(found.at_us) >= count:
                    return found
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        await self._client.close()


@pytest.fixture
async def requests() -> AsyncIterator[Callable[[int], Requests]]:
    made: list[Requests] = []

    def make(port: int) -> Requests:
        made.append(Requests(port))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def counted(router: Processes, name: str) -> float:
    """A metric's value; name with its labels."""
    text = (await router.get("/metrics")).body.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_requests_arrive_in_logsink_with_their_times(
    make_processes: MakeProcesses, table: Path, tmp_path: Path, database_url: str, requests: Callable[[int], Requests]
) -> None:
    migrate(database_url, "logsink")
    port = free_port()
    router = make_processes(
        table=table, state_dir=tmp_path / "s", logsink_address=f"127.0.0.1:{port}", requests_token=NARROW
    )
    async with logsink(database_url, port):
        await router.start()
        await router.ask(
            get("/one?a=b", f"X-Request-Id: my-request-1\r\ntraceparent: 00-{TRACE}-b7ad6b7169203331-01\r\n")
        )
        await router.ask(get("/two", host="dead.test"))
        await router.ask(get("/three", host="nobodys.test"))
        await router.ask(get("/four", host="unknown.test"))
        found = await requests(port).until(2)
        by_target = {target: index for index, target in enumerate(found.target)}
        assert set(by_target) == {"/one?a=b", "/two"}  # what is nobody's is not sent
        one, two = by_target["/one?a=b"], by_target["/two"]
        assert (found.id[one], found.trace_id[one], found.client_ip[one]) == ("my-request-1", TRACE, "127.0.0.1")
        assert (found.status[one], found.method[one], found.host[one], found.whole[one]) == (
            200,
            "GET",
            "app.test",
            True,
        )
        served = found.served[found.by[one]]
        assert (served.environment, served.release_id, served.instance_id) == ("production", "rel_1", "ins_0")
        assert served.kind == "app"
        assert found.connect_us[one] > 0 and found.first_us[one] > 0 and found.sent[one] > 0
        assert (found.status[two], found.error[two]) == (502, "UPSTREAM_REFUSED")
        assert found.served[found.by[two]].kind == "error"
        async with asyncio.timeout(LIMIT_S):
            while await counted(router, 'router_log_records_total{result="without_project"}') < 2:
                await asyncio.sleep(0.05)
        assert await counted(router, 'router_log_records_total{result="stored"}') == 2


async def test_logsink_may_come_late_and_die_in_between(
    make_processes: MakeProcesses, table: Path, tmp_path: Path, database_url: str, requests: Callable[[int], Requests]
) -> None:
    migrate(database_url, "logsink")
    port = free_port()
    router = make_processes(
        table=table, state_dir=tmp_path / "s", logsink_address=f"127.0.0.1:{port}", requests_token=NARROW
    )
    await router.start()
    for number in range(10):
        assert (await router.ask(get(f"/early/{number}"))).status == 200
    async with logsink(database_url, port):
        await requests(port).until(10)
    for number in range(10):
        assert (await router.ask(get(f"/down/{number}"))).status == 200
    async with logsink(database_url, port):
        found = await requests(port).until(20)
    assert Counter(found.target).most_common(1)[0][1] == 1  # nothing twice
    assert await counted(router, 'router_log_records_total{result="dropped"}') == 0


async def test_what_workers_noted_last_is_sent_before_the_router_ends(
    make_processes: MakeProcesses, table: Path, tmp_path: Path, database_url: str, requests: Callable[[int], Requests]
) -> None:
    migrate(database_url, "logsink")
    port = free_port()
    router = make_processes(
        table=table, state_dir=tmp_path / "s", logsink_address=f"127.0.0.1:{port}", requests_token=NARROW
    )
    async with logsink(database_url, port):
        await router.start()
        for number in range(20):
            await router.ask(get(f"/last/{number}"))
        await router.stop()
        assert len((await requests(port).all()).at_us) == 20


async def test_the_next_supervisor_takes_the_log_of_the_workers_that_are_left(
    make_processes: MakeProcesses, table: Path, tmp_path: Path, database_url: str, requests: Callable[[int], Requests]
) -> None:
    migrate(database_url, "logsink")
    port = free_port()
    router = make_processes(
        table=table, state_dir=tmp_path / "s", logsink_address=f"127.0.0.1:{port}", requests_token=NARROW
    )
    async with logsink(database_url, port):
        await router.start()
        assert router.process is not None
        router.process.kill()
        await router.process.wait()
        for number in range(10):  # the workers serve on, and keep what they note
            assert (await router.ask(get(f"/orphaned/{number}"))).status == 200
        await router.start()
        await requests(port).until(10)


async def test_a_buffer_that_nobody_empties_drops_the_oldest_with_a_count() -> None:
    shipper = Shipper(f"127.0.0.1:{free_port()}", TOKEN, "test")
    shipper.start()
    try:
        for _ in range(40):
            shipper.put(b"x" * (1 << 20), 10)
        assert shipper.counts["dropped"] >= 230
        assert shipper.waiting + shipper.counts["dropped"] + shipper.counts["refused"] == 400
    finally:
        await shipper.stop()


async def test_a_burst_is_answered_whole_while_nobody_takes_the_log(make_router: Any, origin: Origin) -> None:
    """No supervisor, no logsink: the list fills to its bound, requests are answered, drops are counted."""
    router: InProcess = await make_router(logsink_address="127.0.0.1:1")
    router.put(route("app.test"), endpoints("rel_1", origin.address))
    log = router.edge.access_log
    assert log is not None
    full = ended()
    while not log.dropped:
        log.add(full, "", 1.0)
        if len(log) % 256 == 0:
            await asyncio.sleep(0)
    reader, writer = await router.connect()
    for _ in range(50):
        writer.write(get("/"))
        assert (await read_message(reader)).status == 200
    writer.close()
    async with asyncio.timeout(LIMIT_S):
        while not router.edge.metrics.log_dropped:
            await asyncio.sleep(0.02)
    assert len(log) <= 32_768 + 512


async def test_the_file_has_a_line_for_every_request(
    make_processes: MakeProcesses, table: Path, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    router = make_processes("--table", str(table), access_log=path)
    router.arguments += ["--admin", f"127.0.0.1:{router.admin}"]
    await router.start()
    for number in range(30):
        await router.ask(get(f"/{number}"))
    await router.ask(get("/none", host="unknown.test"))
    await router.ask(b"GET / HTTP/9.9\r\n\r\n")
    await router.stop()
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["target"] for line in written if line["status"] == 200) == sorted(f"/{n}" for n in range(30))
    assert {line["error"] for line in written if line["status"] != 200} == {"NO_ROUTE", "VERSION_UNSUPPORTED"}
    assert all(line["ip"] == "127.0.0.1" and line["id"] for line in written)


async def test_a_full_disk_loses_no_line_of_a_frame_and_doubles_none(tmp_path: Path) -> None:
    """/dev/full refuses every write; what was noted waits, and stopping says what is lost."""
    noted = AccessLog(lines)
    outlet = Outlet(noted, FileSink(opened("/dev/full")))
    outlet.start()
    noted.add(ended(), "192.0.2.1", 1.0)
    async with asyncio.timeout(LIMIT_S):
        while not outlet._told:
            await asyncio.sleep(0.02)
    assert [frame.count for frame in outlet._waiting] == [1]
    await outlet.stop()


@pytest.mark.skipif(not COMPILED, reason="the thread without the interpreter's lock is compiled")
async def test_what_a_full_disk_does_not_take_waits_within_bounds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noted = line_log()
    outlet = file_outlet(noted, "/dev/full")
    assert isinstance(outlet, FileOutlet)
    outlet.start()
    noted.add(ended(), "192.0.2.1", 1.0)
    async with asyncio.timeout(LIMIT_S):
        while not outlet.told:
            await asyncio.sleep(0.02)
    for _ in range(60_000):
        noted.add(ended(), "192.0.2.1", 1.0)
    await outlet.stop()
    said = re.search(r"(\d+) records of the access log are lost: No space left on device", caplog.text)
    assert said is not None
    assert 10_000 < int(said[1]) == len(noted)
    assert int(said[1]) + noted.take_dropped() == 60_001


@pytest.mark.skipif(not COMPILED, reason="the thread without the interpreter's lock is compiled")
async def test_a_reader_that_is_slow_gets_every_line_once_and_in_order(tmp_path: Path) -> None:
    """A pipe takes 64 KB at a time, so most writes are cut short."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    noted = line_log()
    outlet = file_outlet(noted, str(pipe))
    outlet.start()
    for size in range(5000):
        noted.add(ended(sent=size), "192.0.2.1", 1.0)
        if size % 1000 == 999:  # one that goes the long way, because it is escaped
            noted.add(ended(head=b'GET /"x HTTP/1.1\r\nHost: a.test\r\n\r\n', sent=-1), "192.0.2.1", 1.0)
    stopping = spawn(outlet.stop(), "stops")
    found = b""
    while (piece := await _read(end, 10_000)) != b"":
        found += piece
    await stopping
    os.close(end)
    sent = [json.loads(line)["sent"] for line in found.splitlines()]
    assert [one for one in sent if one >= 0] == list(range(5000))
    assert sent.count(-1) == 5


async def _read(descriptor: int, size: int) -> bytes:
    async with asyncio.timeout(LIMIT_S):
        while not select.select([descriptor], [], [], 0)[0]:
            await asyncio.sleep(0.001)
    return os.read(descriptor, size)


async def test_a_worker_that_is_killed_takes_no_count_back(
    make_processes: MakeProcesses, table: Path, tmp_path: Path
) -> None:
    router = make_processes(table=table, state_dir=tmp_path / "s")
    await router.start()
    total = 0
    name = 'router_requests_total{kind="app",status="200"}'
    for _ in range(3):
        for _ in range(20):
            total += (await router.ask(get("/"))).status == 200
        before = await counted(router, name)
        assert before == total  # shown, so it may not go back
        victim = (await router.workers())[0]["pid"]
        os.kill(victim, signal.SIGKILL)
        async with asyncio.timeout(LIMIT_S):
            while (await router.get("/readyz")).status != 200 or len(await router.workers()) < 2:
                assert await counted(router, name) >= before
                await asyncio.sleep(0.02)
        assert await counted(router, name) == total
    assert await counted(router, 'router_worker_restarts_total{why="ended"}') == 3
    assert await counted(router, "router_workers") == 2
