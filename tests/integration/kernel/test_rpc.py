import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kernel import tasks
from kernel.errors import NOT_FOUND, ShipoffError
from kernel.rpc import RpcClient, RpcServer
from kernel.telemetry import request_id
from proto.logsink.v1 import logsink_pb2 as logs
from proto.logsink.v1.logsink_pb2_grpc import LogsServicer, LogsStub, add_LogsServicer_to_server
from proto.projects.v1 import projects_pb2 as pb
from proto.projects.v1.projects_pb2_grpc import ProjectsServicer, ProjectsStub, add_ProjectsServicer_to_server

TOKEN = "the service token"


class Catalog(ProjectsServicer):
    async def GetProject(self, request: pb.GetProjectRequest, context: Any) -> pb.Project:  # noqa: N802
        if request.project == "unknown":
            raise NOT_FOUND("nobody has it", hint="make one", retry_after_s=9)
        if request.project == "bug":
            raise ValueError("secret detail")
        if request.project == "slow":
            await asyncio.sleep(30)
        return pb.Project(id=request_id.get())


class Lines(LogsServicer):
    async def Read(self, request: logs.ReadRequest, context: Any) -> AsyncIterator[logs.Line]:  # noqa: N802
        for number in range(3):
            yield logs.Line(text=str(number))
        raise NOT_FOUND("no more")


@pytest.fixture
async def address() -> AsyncIterator[str]:
    narrow = frozenset({"/shipoff.logsink.v1.Logs/Read"})
    server = RpcServer("127.0.0.1:0", TOKEN, {"a narrow token": narrow})
    server.add(add_ProjectsServicer_to_server, Catalog())  # type: ignore[abstract]  # the other calls answer UNIMPLEMENTED
    server.add(add_LogsServicer_to_server, Lines())  # type: ignore[abstract]
    yield f"127.0.0.1:{await server.start()}"
    await server.stop(0)


async def ask(address: str, token: str, service_token: str = TOKEN, timeout: float = 5) -> pb.Project:
    client = RpcClient(address, service_token)
    try:
        answer: pb.Project = await client.stub(ProjectsStub).GetProject(
            pb.GetProjectRequest(project=token), timeout=timeout
        )
        return answer
    finally:
        await client.close()


async def test_the_request_id_travels(address: str) -> None:
    request_id.set("req_1")
    assert (await ask(address, "x")).id == "req_1"


async def test_an_error_keeps_its_fields_across_the_wire(address: str) -> None:
    with pytest.raises(ShipoffError) as caught:
        await ask(address, "unknown")
    error = caught.value
    assert (error.code, error.detail, error.hint, error.status) == ("NOT_FOUND", "nobody has it", "make one", 404)
    assert error.retry_after_s == 9


async def test_a_bug_is_internal_and_shows_nothing(address: str) -> None:
    with pytest.raises(ShipoffError) as caught:
        await ask(address, "bug")
    assert caught.value.code == "INTERNAL"
    assert "secret" not in str(caught.value)


async def test_a_wrong_service_token_is_refused(address: str) -> None:
    with pytest.raises(ShipoffError) as caught:
        await ask(address, "x", "wrong")
    assert caught.value.code == "SERVICE_TOKEN_INVALID"


async def test_a_deadline_ends_a_slow_call(address: str) -> None:
    with pytest.raises(ShipoffError) as caught:
        await ask(address, "slow", timeout=0.2)
    assert caught.value.code == "DEADLINE_EXCEEDED"


async def test_a_stream_gives_what_it_has_and_then_its_error(address: str) -> None:
    client = RpcClient(address, TOKEN)
    seen: list[str] = []

    async def read() -> None:
        async for line in client.stub(LogsStub).Read(logs.ReadRequest()):
            seen.append(line.text)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ShipoffError) as caught:
        await read()
    await client.close()
    assert (seen, caught.value.code) == (["0", "1", "2"], "NOT_FOUND")


async def test_a_read_waits_for_a_server_that_comes_back(unused_tcp_port: int) -> None:
    client = RpcClient(f"127.0.0.1:{unused_tcp_port}", TOKEN)

    async def ask_patiently() -> pb.Project:
        return await client.stub(ProjectsStub).GetProject(pb.GetProjectRequest(project="x"), timeout=10)

    asking = tasks.spawn(ask_patiently(), "asks")
    await asyncio.sleep(0.2)
    server = RpcServer(f"127.0.0.1:{unused_tcp_port}", TOKEN)
    server.add(add_ProjectsServicer_to_server, Catalog())  # type: ignore[abstract]  # the other calls answer UNIMPLEMENTED
    await server.start()
    assert await asking is not None
    await client.close()
    await server.stop(0)


async def test_a_server_that_is_away_is_a_retryable_error(unused_tcp_port: int) -> None:
    with pytest.raises(ShipoffError) as caught:
        await ask(f"127.0.0.1:{unused_tcp_port}", "x", timeout=0.3)
    assert caught.value.retryable


async def test_a_taken_address_is_named(address: str) -> None:
    with pytest.raises(ShipoffError, match=address):
        await RpcServer(address, TOKEN).start()


async def test_a_narrow_token_opens_its_methods_and_no_other(address: str) -> None:
    client = RpcClient(address, "a narrow token")
    try:
        with pytest.raises(ShipoffError, match="no more"):
            [line async for line in client.stub(LogsStub).Read(logs.ReadRequest())]
        with pytest.raises(ShipoffError, match="SERVICE_TOKEN_INVALID"):
            await client.stub(ProjectsStub).GetProject(pb.GetProjectRequest(project="x"))
    finally:
        await client.close()
