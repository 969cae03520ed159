"""A POST that is sent twice with one key is done once, and answered twice alike."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from control.gateway.frame.idempotency import Attempt, Replays
from control.gateway.problems import REQUEST_INVALID
from kernel import tasks
from kernel.errors import INTERNAL, ShipoffError
from kernel.streams import connect
from stack.ports import free_ports
from tests.integration.control.driver import Driver

ONE, OTHER = Attempt("place", "1" * 64), Attempt("place", "2" * 64)


async def post(driver: Driver, body: Any, key: str, path: str = "/v1/projects") -> tuple[int, Any, str]:
    async with driver.http.post(path, json=body, headers={"Idempotency-Key": key}) as answer:
        return answer.status, await answer.json(content_type=None), answer.headers.get("Idempotent-Replayed", "")


async def test_the_second_answer_is_the_first(driver: Driver) -> None:
    key, body = secrets.token_hex(8), {"name": f"i{secrets.token_hex(6)}"}
    first = await post(driver, body, key)
    assert (first[0], first[2]) == (201, "")
    assert await post(driver, body, f'"{key}"') == (201, first[1], "true")
    assert (await post(driver, body, secrets.token_hex(8)))[0] == 409  # done again it would be refused
    assert (await post(driver, {**body, "framework": "flask"}, key))[1]["code"] == "IDEMPOTENCY_KEY_REUSED"
    other_path = f"/v1/projects/{first[1]['id']}/restart"
    assert (await post(driver, {}, key, other_path))[1]["code"] != "IDEMPOTENCY_KEY_REUSED"


async def test_a_refusal_is_an_answer_too(driver: Driver) -> None:
    key, body = secrets.token_hex(8), {"name": "api"}
    first = await post(driver, body, key)
    again = await post(driver, body, key)
    assert (first[0], first[1]["code"], again[2]) == (422, "PROJECT_NAME_RESERVED", "true")
    assert again[1] == first[1]


async def test_many_at_once_are_done_once(driver: Driver) -> None:
    key, body = secrets.token_hex(8), {"name": f"i{secrets.token_hex(6)}"}
    answers = await asyncio.gather(*(post(driver, body, key) for _ in range(8)))
    assert {status for status, _, _ in answers} <= {201, 409}
    assert len([1 for status, _, replayed in answers if status == 201 and not replayed]) == 1
    assert {shown["code"] for status, shown, _ in answers if status == 409} <= {"IDEMPOTENCY_KEY_IN_USE"}


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 256, '"a', 'a"b'])
async def test_a_malformed_key_is_refused(driver: Driver, key: str) -> None:
    name = f"i{secrets.token_hex(6)}"
    assert (await post(driver, {"name": name}, key))[1]["code"] == "IDEMPOTENCY_KEY_INVALID"
    await driver.call("GET", f"/v1/projects/{name}", status=404)


async def test_the_work_goes_on_when_the_client_goes(redis_url: str) -> None:
    redis = connect(redis_url)
    replays, gate, done = Replays(redis, "secret"), asyncio.Event(), asyncio.Event()

    async def produce() -> web.Response:
        await gate.wait()
        done.set()
        return web.Response(body=b'{"token":"shp_once"}', status=201, content_type="application/json")

    first = tasks.spawn(replays.answer(ONE, produce), "a request")  # cancelled as aiohttp does
    while not await redis.exists("place"):
        await asyncio.sleep(0.01)
    with pytest.raises(ShipoffError, match="IDEMPOTENCY_KEY_IN_USE"):
        await replays.answer(ONE, produce)
    first.cancel()
    gate.set()
    await done.wait()
    while (kept := bytes(await redis.get("place") or b"")).endswith(b"running"):  # type: ignore[arg-type]  # bytes come
        await asyncio.sleep(0.01)
    assert b"shp_once" not in kept  # what is shown once does not lie about in clear
    again = await replays.answer(ONE, produce)
    assert (again.status, again.body) == (201, b'{"token":"shp_once"}')
    with pytest.raises(ShipoffError, match="IDEMPOTENCY_KEY_REUSED"):
        await replays.answer(OTHER, produce)
    assert 86_000 < await redis.ttl("place") <= 86_400
    await redis.aclose()


async def test_our_own_failures_are_not_kept(redis_url: str) -> None:
    redis = connect(redis_url)
    replays, turns = Replays(redis, "secret"), [INTERNAL("broken"), ValueError("a fault"), REQUEST_INVALID("no")]

    async def produce() -> web.Response:
        raise turns.pop(0)

    for kind in (ShipoffError, ValueError):
        with pytest.raises(kind):
            await replays.answer(ONE, produce)
    assert (await replays.answer(ONE, produce)).status == 400
    assert not turns
    await redis.aclose()


async def test_without_redis_nothing_is_done_twice(driver: Driver) -> None:
    gone = connect(f"redis://127.0.0.1:{free_ports(1)[0]}")

    async def produce() -> web.Response:
        raise AssertionError("it must not be done")

    with pytest.raises(ShipoffError, match="IDEMPOTENCY_UNAVAILABLE"):
        await Replays(gone, "secret").answer(ONE, produce)
    await gone.aclose()


async def test_strangers_have_no_keys(driver: Driver) -> None:
    async with aiohttp.ClientSession(driver.plane.url) as http:
        async with http.post("/v1/projects", json={"name": "x"}, headers={"Idempotency-Key": "a"}) as answer:
            assert answer.status == 401
