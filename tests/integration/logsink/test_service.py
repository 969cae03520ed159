"""The log service as its callers see it: gRPC in, Postgres behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from kernel import tasks
from kernel.errors import ShipoffError
from kernel.rpc import RpcClient
from logsink.service import LogService
from logsink.settings import LogsinkSettings
from proto.logsink.v1.logsink_pb2 import AppendRequest, Line, ReadRequest
from proto.logsink.v1.logsink_pb2_grpc import LogsStub


def batch(sequence: int, *texts: str, producer: str = "ins_1/run", **fields: Any) -> AppendRequest:
    shape = {"project_id": "prj_a", "deployment_id": "dep_1", "source": "run", "stream": "stdout"} | fields
    return AppendRequest(
        producer=producer,
        sequence=sequence,
        lines=[Line(at_ns=1 + i, text=text, **shape) for i, text in enumerate(texts)],
    )


async def texts(stream: AsyncIterator[Line]) -> list[str]:
    return [line.text async for line in stream]


async def test_what_was_appended_is_read_in_order(logs: Any) -> None:
    for sequence in range(20):
        answer = await logs.Append(batch(sequence, f"{sequence}a", f"{sequence}b"))
        assert answer.stored
    lines = [line async for line in logs.Read(ReadRequest(project_id="prj_a"))]
    assert [line.text for line in lines] == [f"{n}{c}" for n in range(20) for c in "ab"]
    assert [line.offset for line in lines] == list(range(1, 41))
    assert (lines[1].at_ns, lines[1].stream, lines[1].source, lines[1].deployment_id) == (2, "stdout", "run", "dep_1")


async def test_a_repeated_batch_is_stored_once(logs: Any) -> None:
    assert (await logs.Append(batch(7, "a"))).stored
    assert not (await logs.Append(batch(7, "a"))).stored
    assert (await logs.Append(batch(7, "b", producer="ins_2/run"))).stored
    assert await texts(logs.Read(ReadRequest(project_id="prj_a"))) == ["a", "b"]


async def test_of_concurrent_repetitions_one_is_stored(logs: Any) -> None:
    answers = await asyncio.gather(*[logs.Append(batch(1, "a")) for _ in range(30)])
    assert sum(answer.stored for answer in answers) == 1
    assert await texts(logs.Read(ReadRequest(project_id="prj_a"))) == ["a"]


async def test_a_batch_that_arrives_late_is_stored_all_the_same(logs: Any) -> None:
    assert (await logs.Append(batch(2, "b"))).stored
    assert (await logs.Append(batch(1, "a"))).stored


async def test_a_read_is_narrowed_by_deployment_source_tail_and_offset(logs: Any) -> None:
    await logs.Append(batch(1, "b1", "b2", source="build"))
    await logs.Append(batch(2, "r1", "r2", "r3"))
    await logs.Append(batch(3, "other", deployment_id="dep_2"))
    await logs.Append(batch(4, "elsewhere", project_id="prj_b"))

    async def read(**fields: Any) -> list[str]:
        return await texts(logs.Read(ReadRequest(project_id="prj_a", **fields)))

    assert await read() == ["b1", "b2", "r1", "r2", "r3", "other"]
    assert await read(deployment_id="dep_1") == ["b1", "b2", "r1", "r2", "r3"]
    assert await read(source="build") == ["b1", "b2"]
    assert await read(tail=2) == ["r3", "other"]
    assert await read(deployment_id="dep_1", tail=2) == ["r2", "r3"]
    assert await read(after_offset=4) == ["r3", "other"]
    assert await read(after_offset=5, tail=5) == ["other"]
    assert await read(after_offset=10**12) == []
    assert await texts(logs.Read(ReadRequest(project_id="prj_none"))) == []


async def test_a_follower_gets_stored_lines_then_live_ones(logs: Any) -> None:
    await logs.Append(batch(1, "old 1", "old 2"))
    stream = aiter(logs.Read(ReadRequest(project_id="prj_a", tail=1, follow=True)))
    assert (await anext(stream)).text == "old 2"
    for sequence in range(2, 6):
        await logs.Append(batch(sequence, f"new {sequence}"))
        line = await anext(stream)
        assert (line.text, line.offset) == (f"new {sequence}", sequence + 1)
    await stream.aclose()


async def test_a_follower_sees_only_what_it_asked_for(logs: Any) -> None:
    stream = aiter(logs.Read(ReadRequest(project_id="prj_a", deployment_id="dep_2", source="run", follow=True)))
    first = tasks.spawn(anext(stream), "first line")
    for sequence in range(5):
        await logs.Append(batch(sequence, "not mine"))
    await logs.Append(batch(10, "not mine", deployment_id="dep_2", source="build"))
    await logs.Append(batch(11, "mine", deployment_id="dep_2"))
    assert (await first).text == "mine"
    await stream.aclose()


async def test_the_seam_has_no_gap_and_no_line_twice(logs: Any) -> None:
    """Followers that join while five senders write see every line once, in offset order."""

    async def send(producer: str) -> None:
        for sequence in range(60):
            await logs.Append(batch(sequence, f"{producer} {sequence}", producer=producer, deployment_id=producer))

    async def follow(delay: float) -> list[int]:
        await asyncio.sleep(delay)
        seen: list[int] = []
        async for line in logs.Read(ReadRequest(project_id="prj_a", follow=True)):
            seen.append(line.offset)
            if line.offset == 300:
                break
        return seen

    followers = [tasks.spawn(follow(n / 20), f"follower {n}") for n in range(10)]
    await asyncio.gather(*[send(f"p{n}") for n in range(5)])
    for follower in followers:
        assert await follower == list(range(1, 301))


async def test_a_follower_that_is_cut_resumes_after_its_offset(
    logs: Any, service: LogService, settings: LogsinkSettings
) -> None:
    await logs.Append(batch(1, "a"))
    stream = aiter(logs.Read(ReadRequest(project_id="prj_a", follow=True)))
    assert (await anext(stream)).text == "a"
    waiting = tasks.spawn(anext(stream), "cut follower")
    await asyncio.sleep(0.05)
    await service.stop()
    with pytest.raises(ShipoffError) as cut:
        await waiting
    assert cut.value.retryable

    again = await LogService.start(settings)
    client = RpcClient(f"127.0.0.1:{again.port}", settings.service_token)
    stub: Any = client.stub(LogsStub)
    await stub.Append(batch(2, "b"))
    stream = aiter(stub.Read(ReadRequest(project_id="prj_a", follow=True, after_offset=1)))
    assert (await anext(stream)).text == "b"
    await stream.aclose()
    await client.close()
    await again.stop()


async def test_long_and_broken_lines_are_made_to_fit(logs: Any) -> None:
    await logs.Append(batch(1, "one\ntwo\r\nthree\n", "é" * 40_000, "\x1b[31mred\x00"))
    got = await texts(logs.Read(ReadRequest(project_id="prj_a")))
    assert got[:3] == ["one", "two", "three"]
    assert got[3] == "é" * 32_768 + " … [14464 bytes cut]"
    assert got[4] == "\x1b[31mred\x00"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (batch(1, "a", source="elsewhere"), "LOG_BATCH_INVALID"),
        (batch(1, "a", stream="stdin"), "LOG_BATCH_INVALID"),
        (batch(1, "a", project_id=""), "LOG_BATCH_INVALID"),
        (batch(1, "a", project_id="a\x00b"), "LOG_BATCH_INVALID"),
        (batch(1, "a", instance_id="x" * 300), "LOG_BATCH_INVALID"),
        (batch(1, "a", producer=""), "LOG_BATCH_INVALID"),
        (batch(-1, "a"), "LOG_BATCH_INVALID"),
        (batch(1, *["a"] * 5001), "LOG_BATCH_TOO_LARGE"),
        (batch(1, *["a" * 60_000] * 71), "LOG_BATCH_TOO_LARGE"),
    ],
)
async def test_a_bad_batch_is_refused_whole(logs: Any, request_: AppendRequest, code: str) -> None:
    with pytest.raises(ShipoffError) as refused:
        await logs.Append(request_)
    assert refused.value.code == code
    assert await texts(logs.Read(ReadRequest(project_id="prj_a"))) == []


@pytest.mark.parametrize(
    "fields", [{"project_id": ""}, {"source": "x"}, {"tail": -1}, {"tail": 10**6}, {"after_offset": -1}]
)
async def test_a_bad_query_is_refused(logs: Any, fields: dict[str, Any]) -> None:
    with pytest.raises(ShipoffError) as refused:
        await texts(logs.Read(ReadRequest(**({"project_id": "prj_a"} | fields))))
    assert refused.value.code == "LOG_QUERY_INVALID"


async def test_a_caller_without_the_token_is_refused(service: LogService) -> None:
    client = RpcClient(f"127.0.0.1:{service.port}", "wrong")
    stub: Any = client.stub(LogsStub)
    with pytest.raises(ShipoffError) as refused:
        await stub.Append(batch(1, "a"))
    assert refused.value.code == "SERVICE_TOKEN_INVALID"
    await client.close()


async def test_small_blocks_are_compacted_while_they_are_read(logs: Any, service: LogService) -> None:
    for sequence in range(100):
        await logs.Append(batch(sequence, f"line {sequence}"))
    expected = [f"line {sequence}" for sequence in range(100)]
    for _ in range(200):
        assert await texts(logs.Read(ReadRequest(project_id="prj_a"))) == expected
        if await _blocks(service) == 1:
            break
        await asyncio.sleep(0.02)
    assert await _blocks(service) == 1
    assert await texts(logs.Read(ReadRequest(project_id="prj_a"))) == expected
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{service.admin_port}/metrics") as answer:
        assert 'logsink_lines_total{source="run"}' in await answer.text()


async def _blocks(service: LogService) -> int:
    count: int = await service._db.fetchval("select count(*) from blocks")
    return count


async def test_readiness_says_whether_the_database_answers(service: LogService, logs: Any) -> None:
    url = f"http://127.0.0.1:{service.admin_port}/readyz"
    async with aiohttp.ClientSession() as http:
        async with http.get(url) as answer:
            assert answer.status == 200
        await service._db.close()
        async with http.get(url) as answer:
            assert answer.status == 503
    with pytest.raises(ShipoffError) as failed:
        await logs.Append(batch(1, "a"))
    assert failed.value.code == "DATABASE_UNAVAILABLE"
