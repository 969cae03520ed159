"""The gate on real sockets: what is asked, what counts as healthy, and what is said when it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kernel.errors import ShipoffError
from orchestrator.build.running import Health
from orchestrator.drivers.base import ExitInfo
from orchestrator.release.health import EACH, EAGER_S, Check, pause_s, wait_until_healthy

SOON_S = 0.4


@asynccontextmanager
async def app(*answers: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers the n-th connection with the n-th status, the last one for ever; "" answers nothing."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.read(4096)
        asked.append(head)
        status = answers[min(len(asked), len(answers)) - 1] if head else ""
        if status:
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


async def gate(address: str, health: Health, *, strict: bool = True) -> str:
    """The code that the gate ends with, "" when it lets the instance through."""
    exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()
    try:
        await wait_until_healthy(address, Check(health, "app.localhost", strict), exited, within_s=SOON_S)
    except ShipoffError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("status", "strict", "code"),
    [
        ("200 OK", True, ""),
        ("302 Found", True, ""),
        ("404 Not Found", True, "HEALTH_CHECK_FAILED"),
        ("404 Not Found", False, ""),
        ("500 Oh", False, "HEALTH_CHECK_FAILED"),
    ],
)
async def test_two_and_three_hundreds_are_healthy_and_without_a_path_what_is_no_fault(
    status: str, strict: bool, code: str
) -> None:
    async with app(status) as (address, asked):
        assert await gate(address, Health(path="/up"), strict=strict) == code
    assert asked[0].startswith(b"GET /up HTTP/1.1\r\n")
    assert b"\r\nHost: app.localhost\r\n" in asked[0]


async def test_an_app_that_gets_ready_is_asked_until_it_is() -> None:
    async with app("503 Wait", "503 Wait", "200 OK") as (address, asked):
        assert await gate(address, Health()) == ""
    assert len(asked) == 3


async def test_tcp_asks_nothing() -> None:
    async with app("500 Oh") as (address, asked):
        assert await gate(address, Health(kind="tcp")) == ""
    assert not any(asked)


async def test_an_app_that_accepts_and_never_answers_has_a_code_of_its_own() -> None:
    async with app("") as (address, _):
        assert await gate(address, Health(timeout_s=0.05)) == "HEALTH_CHECK_TIMEOUT"


async def test_a_start_period_of_its_own_takes_the_place_of_the_platforms() -> None:
    async with app(*["503 Wait"] * 8, "200 OK") as (address, asked):
        assert await gate(address, Health(interval_s=0.1, start_period_s=60.0)) == ""
    assert len(asked) == 9


async def test_nobody_listens() -> None:
    async with app("200 OK") as (address, _):
        pass
    assert await gate(address, Health()) == "APP_NOT_LISTENING"


async def test_an_app_that_ends_is_not_waited_for() -> None:
    exited: asyncio.Future[ExitInfo] = asyncio.get_running_loop().create_future()
    exited.set_result(ExitInfo("ins_1", "prj_1", "rel_1", "exit", 3, 0))
    with pytest.raises(ShipoffError, match="status 3"):
        await wait_until_healthy("tcp:127.0.0.1:9", Check(Health(), "a", strict=True), exited, within_s=60)


def test_the_first_checks_follow_fast_and_then_the_interval_alone_counts() -> None:
    assert pause_s(0) == EAGER_S[0]
    assert pause_s(EACH * len(EAGER_S) - 1) == EAGER_S[-1]
    assert pause_s(EACH * len(EAGER_S)) > 3600
