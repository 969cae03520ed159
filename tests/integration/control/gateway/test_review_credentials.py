"""A credential gets at the door what it may get, and no longer than it may."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from kernel.rpc import RpcServer
from proto.orchestrator.v1.running_pb2 import ExecBegun, ExecInput, ExecOutput
from proto.orchestrator.v1.running_pb2_grpc import RunningServicer, add_RunningServicer_to_server
from tests.integration.control.driver import Driver, Plane
from tests.integration.control.gateway.conftest import Start


async def made(driver: Driver, **more: Any) -> tuple[str, dict[str, str]]:
    """A token of the owner's: its id, and the header that shows it."""
    new = await driver.call("POST", "/v1/me/tokens", {"name": "review", **more}, status=201)
    return new["token"]["id"], {"Authorization": f"Bearer {new['secret']}"}


async def test_an_answer_is_repeated_to_the_credential_that_got_it_and_to_no_lesser_one(driver: Driver) -> None:
    _, narrow = await made(driver, scopes=["PROJECT:READ"])
    key, body = {"Idempotency-Key": secrets.token_hex(8)}, {"name": "whole"}
    async with driver.http.post("/v1/me/tokens", json=body, headers=key) as answer:
        whole = (await answer.json())["secret"]
    async with driver.http.post("/v1/me/tokens", json=body, headers={**key, **narrow}) as answer:
        text = await answer.text()
        assert (answer.status, whole in text) == (403, False), text


async def test_secrets_are_tried_on_the_pages_no_more_often_than_by_the_api(start: Start) -> None:
    gateway = start(rate_auth=2)
    async with aiohttp.ClientSession(gateway.url) as http:
        for number, (method, path) in enumerate(
            [("POST", "/login"), ("POST", "/login/code"), ("GET", "/login/with/acme"), ("POST", "/device"),
             ("POST", "/reset"), ("POST", "/verify"), ("POST", "/v1/auth/login")]
        ):  # fmt: skip
            async with http.request(method, path, data={}) as answer:
                assert (answer.status == 429) is (number >= 2), path


class Endless(RunningServicer):
    """An orchestrator in which a command begins and does not end."""

    async def Exec(  # noqa: N802 - the name in the .proto
        self, request_iterator: AsyncIterator[ExecInput], context: Any
    ) -> AsyncIterator[ExecOutput]:
        async for _ in request_iterator:
            yield ExecOutput(begun=ExecBegun(instance_id="ins_1"))


async def test_a_command_in_an_instance_ends_with_the_right_to_run_it(
    plane: Plane, start: Start, driver: Driver
) -> None:
    project = await driver.project()
    server = RpcServer("127.0.0.1:0", plane.service_token)
    server.add(add_RunningServicer_to_server, Endless())  # type: ignore[abstract]  # nothing else is asked
    port = await server.start()
    try:
        gateway = start(orchestrator_address=f"127.0.0.1:{port}", ask_again_s=0.2)
        token, shown = await made(driver)
        async with aiohttp.ClientSession(gateway.url, headers=shown) as http:
            async with http.ws_connect(f"/v1/projects/{project['id']}/exec") as socket, asyncio.timeout(20):
                await socket.send_json({"command": ["sh"]})
                assert await socket.receive_json() == {"begun": "ins_1"}
                await driver.call("DELETE", f"/v1/me/tokens/{token}", status=204)
                assert (await socket.receive_json())["error"]["code"] == "TOKEN_INVALID"
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    finally:
        await server.stop(0)
