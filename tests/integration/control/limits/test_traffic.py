"""Traffic: from what a router says to the log service to a limit that is told and refuses, through real processes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from control.projects.limits.metering import Metering
from control.projects.owners import Owners
from kernel.database import Database
from kernel.errors import INVALID_ARGUMENT
from kernel.rpc import RpcClient, RpcServer
from proto.auth.v1.mail_pb2 import SendMailRequest, SendMailResponse
from proto.auth.v1.mail_pb2_grpc import MailServicer, add_MailServicer_to_server
from proto.logsink.v1 import logsink_pb2
from proto.projects.v1.limits_pb2 import SetPlanRequest
from proto.projects.v1.limits_pb2_grpc import LimitsStub
from tests.integration.control.driver import Driver, Plane


class Post(MailServicer):
    """Auth's part."""

    def __init__(self) -> None:
        self.mails: list[SendMailRequest] = []
        self.down = False

    async def SendMail(self, request: SendMailRequest, context: object) -> SendMailResponse:  # noqa: N802
        if self.down:
            raise INVALID_ARGUMENT("not now")
        self.mails.append(request)
        return SendMailResponse()


@pytest.fixture
async def database(plane: Plane) -> AsyncIterator[Database]:
    """Of the running projects service."""
    opened = await Database.connect(plane.environment["SHIPOFF_PROJECTS_DATABASE_URL"], max_size=3)
    yield opened
    await opened.close()


async def answered(driver: Driver, project_id: str, sequence: int, *sizes: int) -> None:
    """A router says that it answered requests with bodies of these sizes."""
    count, zeros = len(sizes), [0] * len(sizes)
    columns = logsink_pb2.RequestColumns(
        served=[logsink_pb2.Served(project_id=project_id, environment="production", kind="file")],
        by=zeros, at_us=[time.time_ns() // 1000] * count, id=["r"] * count, trace_id=[""] * count,
        client_ip=["192.0.2.1"] * count, method=["GET"] * count, host=["a.test"] * count, target=["/"] * count,
        status=[200] * count, error=[""] * count, whole=[True] * count, attempts=zeros, received=zeros, sent=sizes,
        queue_us=zeros, connect_us=zeros, first_us=zeros, body_us=zeros,
    )  # fmt: skip
    producer = f"router/{project_id}"
    batch = logsink_pb2.AppendRequestsRequest(producer=producer, sequence=sequence, requests=columns)
    await driver.logs.AppendRequests(batch)


async def test_traffic_is_counted_once_told_and_refuses_builds(
    plane: Plane, driver: Driver, database: Database
) -> None:
    project = await driver.project()
    team = str(await database.fetchval("select team_id from projects where id = $1", project["id"]))
    projects = RpcClient(f"127.0.0.1:{plane.ports['projects.listen']}", plane.service_token)
    logs = RpcClient(f"127.0.0.1:{plane.ports['logsink.listen']}", plane.service_token)
    rpc, post = RpcServer("127.0.0.1:0", "token"), Post()
    rpc.add(add_MailServicer_to_server, post)
    auth = RpcClient(f"127.0.0.1:{await rpc.start()}", "token")
    metering, stub = Metering(database, logs, Owners(auth)), projects.stub(LimitsStub)
    limits = f"/v1/teams/{team}/limits"
    hook = await driver.call(
        "POST", f"/v1/teams/{team}/hooks",
        {"kind": "webhook", "target": "https://nothing.invalid/", "events": ["limit.warned", "limit.reached"]}, 201,
    )  # fmt: skip
    try:
        await metering.take_over()
        before = {one["name"]: one["used"] for one in (await driver.call("GET", limits))["limits"]}
        most = before["bandwidth_mb"] + 10
        await stub.SetPlan(SetPlanRequest(team_id=team, plan="unlimited", overrides={"bandwidth_mb": most}))
        for sequence in (1, 1):  # sent twice, counted once
            await answered(driver, project["id"], sequence, most << 20, 3, 0)
        for _ in range(2):  # asked twice
            await metering.take_over()
        shown = await driver.call("GET", limits)
        now = {one["name"]: (one["limit"], one["used"]) for one in shown["limits"]}
        assert now["bandwidth_mb"][0] == most
        assert now["bandwidth_mb"][1] >= most
        assert now["requests"] == (None, before["requests"] + 3)
        refusal = await driver.call("POST", f"/v1/projects/{project['id']}/deployments", {"kind": "config"}, 409)
        assert refusal["code"] == "NOTHING_DEPLOYED"  # no build: not refused for its limits
        told = (await driver.call("GET", f"/v1/teams/{team}/hooks/{hook['id']}/deliveries"))["deliveries"]
        assert [one["type"] for one in told] == ["limit.reached", "limit.warned"]
        post.down = True
        await metering.tell()
        post.down = False
        await metering.tell()
        await metering.tell()
        ours = [one for one in post.mails if one.team_id == team]
        assert [one.id.rpartition("/")[2] for one in ours] == ["80", "100"]
        assert "MiB of bandwidth a month" in ours[1].text
    finally:
        await stub.SetPlan(SetPlanRequest(team_id=team, plan="unlimited"))
        await driver.call("DELETE", f"/v1/teams/{team}/hooks/{hook['id']}", status=204)
        for channel in (projects, logs, auth):
            await channel.close()
        await rpc.stop(0)
