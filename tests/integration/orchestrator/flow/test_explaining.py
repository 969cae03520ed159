"""What a router itself says of an address is asked of one whose door answers, newest table first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from aiohttp import web
from redis.asyncio import Redis

from kernel.authority import Owners, acting_as, platform
from kernel.database import Database
from orchestrator.explaining import ExplainDoor
from orchestrator.routes import RouteTable
from proto.orchestrator.v1.explain_pb2 import ExplainAddressRequest, ExplainAddressResponse


async def nobodys(project_id: str) -> str:
    raise AssertionError(f"the platform was judged for {project_id}")


@pytest.fixture
async def doors() -> AsyncIterator[list[str]]:
    """Admin doors by number: 0 is nobody's, 1 is somebody else's, 2 is a router's, 3 never answers."""
    asked = asyncio.Event()

    async def stranger(_: web.Request) -> web.Response:
        return web.json_response(["hello"])

    async def router(request: web.Request) -> web.Response:
        return web.json_response({"workers": [{"asked": dict(request.query)}, {"asked": "of the second"}]})

    async def silent(_: web.Request) -> web.Response:
        await asked.wait()
        return web.Response()

    runners, found = [], ["127.0.0.1:1"]
    for handler in (stranger, router, silent):
        app = web.Application()
        app.router.add_get("/debug/lookup", handler)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        found.append(f"127.0.0.1:{runner.addresses[0][1]}")
    yield found
    asked.set()
    for runner in runners:
        await runner.cleanup()


async def explained(
    database: Database, redis: Redis, *admins: str, host: str = "app.test", project: str = "prj_1"
) -> ExplainAddressResponse:
    """With routers at these doors, the first of which has the newest table."""
    async with database.transaction() as tx:
        record = {"host": "app.test", "path": "/", "project": "prj_1", "environment": "production"}
        _ = await RouteTable().put_route(tx, {**record, "kind": "maintenance", "rules": {}})
    for n, admin in enumerate(admins):
        report = {"epoch": "epo_1", "version": 9 - n, "pid": 1, "at": 0, "admin": admin}
        await redis.set(f"routers:n-{n}", orjson.dumps(report), ex=10)
    asked = ExplainAddressRequest(project_id=project, host=host, path="/x", scheme="https")
    with acting_as(platform("test")):
        return await ExplainDoor(database, redis, Owners(nobodys)).ExplainAddress(asked, None)


async def test_the_first_router_that_answers_is_believed(database: Database, redis: Redis, doors: list[str]) -> None:
    found = await explained(database, redis, *doors[:3])
    assert orjson.loads(found.lookup) == {"asked": {"host": "app.test", "path": "/x", "scheme": "https"}}
    assert [(one.id, one.version) for one in found.routers] == [("n-0", 9), ("n-1", 8), ("n-2", 7)]


async def test_without_a_router_that_answers_the_rest_is_told(
    database: Database, redis: Redis, doors: list[str]
) -> None:
    found = await explained(database, redis, doors[0], doors[1], doors[3], "")
    assert (found.lookup, orjson.loads(found.route)["host"], len(found.routers)) == ("", "app.test", 4)


async def test_no_router_is_asked_of_what_is_another_projects(
    database: Database, redis: Redis, doors: list[str]
) -> None:
    found = await explained(database, redis, doors[2], project="prj_2")
    assert (found.route, found.lookup) == ("", "")
