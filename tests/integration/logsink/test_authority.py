"""Lines and requests of a project are for those who may read its logs; whoever sends lines is the platform."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from kernel.authority import Border, Kind, Owners, Principal, Role, become
from kernel.errors import ShipoffError
from kernel.rpc import RpcClient, wire
from logsink.query.reader import Reader
from logsink.receive.grpc_door import GrpcDoor
from logsink.receive.intake import Intake
from logsink.requests.store import RequestStore
from logsink.store.postgres import PostgresStore
from logsink.tail.hub import Hub
from proto.logsink.v1 import logsink_pb2 as pb
from proto.logsink.v1.logsink_pb2_grpc import LogsStub


async def ours(project_id: str) -> str:
    return "tem_1"


class Said(Border):
    """For tests: the caller is whose team it names."""

    async def enter(self, said: str) -> None:
        become(Principal(Kind.SESSION, "acc_1", teams={said: Role.VIEWER}))


class Authority:
    border, owners = Said(None), Owners(ours)  # type: ignore[arg-type]  # it fetches no keys


@pytest.fixture
async def stub(store: PostgresStore, db: Any) -> AsyncIterator[Any]:
    hub = Hub(1 << 20)
    intake = Intake(store, hub.publish)
    intake.start()
    parts: Any = (intake, Reader(store, hub), RequestStore(db), Authority())
    door = GrpcDoor("127.0.0.1:0", "t", "", *parts)
    client = RpcClient(f"127.0.0.1:{await door.start()}", "t", caller="")
    yield client.stub(LogsStub)
    await client.close()
    await door.stop()
    await intake.stop()


async def refused(stub: Any, who: str) -> list[str]:
    wire.identity.set(who)
    codes = []
    for call in (_read, _requests, _append):
        try:
            await call(stub)
            codes.append("")
        except ShipoffError as error:
            codes.append(error.code)
    return codes


async def _read(stub: Any) -> None:
    async for _ in stub.Read(pb.ReadRequest(project_id="prj_1", tail=5)):
        pass


async def _requests(stub: Any) -> None:
    await stub.ListRequests(pb.ListRequestsRequest(project_id="prj_1", limit=1))


async def _append(stub: Any) -> None:
    line = pb.Line(at_ns=1, project_id="prj_1", source="run", stream="stdout", text="forged")
    await stub.Append(pb.AppendRequest(producer="p", sequence=1, lines=[line]))


async def test_members_read_strangers_see_nothing_and_neither_writes(stub: Any) -> None:
    assert await refused(stub, "tem_1") == ["", "", "PERMISSION_DENIED"]
    assert await refused(stub, "tem_2") == ["NO_SUCH_PROJECT", "NO_SUCH_PROJECT", "PERMISSION_DENIED"]
