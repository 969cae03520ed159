"""The debug answers of real processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from router.core.passwords import sha256_text
from tests.integration.router.wire import LIMIT_S, Origin, Processes, endpoints, free_port, route

HASH = sha256_text("secret")
GET = b"GET /slow HTTP/1.1\r\nHost: app.test\r\nX-Request-Id: slow-request\r\n\r\n"


async def debug(router: Processes, path: str) -> list[dict[str, Any]]:
    answer = await router.get(path)
    assert answer.status == 200, answer
    assert answer["content-type"].startswith("application/json")
    found: list[dict[str, Any]] = json.loads(answer.body)["workers"]
    return found


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_what_a_request_would_do(
    make_processes: Callable[..., Processes], write_table: Callable[..., Path], tmp_path: Path, origin: Origin
) -> None:
    table = write_table(
        route("app.test", project="prj_a"),
        route("*.app.test", "rel_1"),
        {**route("app.test", "rel_1"), "path": "/api", "weights": [["rel_1", 90], ["rel_2", 10]]},
        route("closed.test", rules={"maintenance": {}, "basic_auth": {"users": {"a": HASH}}}),
        endpoints("rel_1", origin.address),
        endpoints("rel_2", origin.address, state="asleep"),
    )
    router = make_processes(table=table, state_dir=tmp_path / "s", workers=1)
    await router.start()
    (told,) = await debug(router, "/debug/lookup?host=App.test:8080&path=/x/../y%3Fa=b")
    assert (told["host"], told["path"], told["route"]["project"]) == ("app.test", "/y", "prj_a")
    assert (told["matched"]["by"], told["matched"]["path_by"]) == ("exact host", "whole host")
    assert told["releases"][0]["share"] == 1
    assert told["releases"][0]["endpoints"][0]["address"] == origin.address
    (told,) = await debug(router, "/debug/lookup?host=deep.er.app.test")
    assert (told["matched"]["host"], told["matched"]["by"]) == ("*.app.test", "wildcard")
    (told,) = await debug(router, "/debug/lookup?host=app.test&path=/api/v1")
    assert (told["matched"]["path"], told["matched"]["path_by"]) == ("/api", "longest prefix")
    assert [(one["release"], one["share"], one["state"]) for one in told["releases"]] == [
        ("rel_1", 0.9, "running"),
        ("rel_2", 0.1, "asleep"),
    ]
    (told,) = await debug(router, "/debug/lookup?host=closed.test&ip=192.0.2.1")
    assert [(rule["rule"], rule["answers"]) for rule in told["rules"]] == [("maintenance", 503)]
    assert HASH not in json.dumps(told)
    for host, error in (("nobody.test", "NO_ROUTE"), ("no%20host", "BAD_HOST")):
        (told,) = await debug(router, f"/debug/lookup?host={host}")
        assert (told["route"], told["error"]) == (None, error)
    assert (await router.get("/debug/lookup")).status == 400
    assert (await router.get("/debug/lookup?host=a&path=/" + "b" * 5000)).status == 400
    assert "/debug/lookup" in json.loads((await router.get("/debug")).body)


async def test_what_is_going_on(
    make_processes: Callable[..., Processes],
    make_origin: Callable[..., Awaitable[Origin]],
    write_table: Callable[..., Path],
    tmp_path: Path,
    origin: Origin,
) -> None:
    slow = await make_origin(script=hang)
    table = write_table(
        route("app.test"),
        route("quick.test", "rel_2"),
        route("half.test", "rel_3"),
        endpoints("rel_1", slow.address),
        endpoints("rel_2", origin.address),
        endpoints("rel_3", origin.address, f"tcp:127.0.0.1:{free_port()}"),
    )
    router = make_processes(table=table, state_dir=tmp_path / "s", workers=1)
    await router.start()
    for _ in range(8):
        assert (await router.ask(b"GET / HTTP/1.1\r\nHost: half.test\r\n\r\n")).status == 200
    _, writer = await asyncio.open_connection("127.0.0.1", router.port)
    writer.write(GET)
    async with asyncio.timeout(LIMIT_S):
        while not (told := (await debug(router, "/debug/connections"))[0])["in_flight"]:
            await asyncio.sleep(0.02)
        while not (told := (await debug(router, "/debug/connections"))[0])["shown"][0].get("instance"):
            await asyncio.sleep(0.02)
    shown = told["shown"][0]
    assert (shown["host"], shown["target"], shown["request"]) == ("app.test", "/slow", "slow-request")
    assert (shown["release"], shown["instance"], shown["attempts"], shown["ip"]) == ("rel_1", "ins_0", 1, "127.0.0.1")
    writer.close()
    (told,) = await debug(router, "/debug/pools")
    assert told["pooled"] >= 1
    assert origin.address in {one["address"] for one in told["shown"]}
    (told,) = await debug(router, "/debug/ejections")
    assert told["aside"] == 1
    assert told["shown"][0]["aside_why"] == "dial"
    (told,) = await debug(router, "/debug/table")
    assert (told["version"], told["hosts"], told["releases"], told["frozen"]) == (1, 3, 3, False)
    (told,) = await debug(router, "/debug/workers")
    assert told["ready"] and told["resident_bytes"] > 1_000_000 and told["open_fds"] > 5


async def test_a_worker_that_hangs_is_left_out_in_time(
    make_processes: Callable[..., Processes], write_table: Callable[..., Path], tmp_path: Path, origin: Origin
) -> None:
    router = make_processes(table=write_table(route("app.test")), state_dir=tmp_path / "s")
    await router.start()
    pid = (await router.workers())[0]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        assert len(await debug(router, "/debug/table")) == 1
        assert b"router_connections" in (await router.get("/metrics")).body
    finally:
        os.kill(pid, signal.SIGCONT)
