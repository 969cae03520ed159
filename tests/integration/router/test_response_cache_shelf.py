"""Stored answers in a directory: shared between workers, there after a restart, bounded, and never half."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kernel.errors import ShipoffError
from kernel.tasks import spawn
from router.edge.caching.shelf import INLINE, Shelf
from tests.integration.router.caching import Gate, answer, get, how, until
from tests.integration.router.wire import InProcess, Origin, Processes, endpoints, read_message, route

Make = Callable[..., Awaitable[InProcess]]
LARGE = bytes(range(256)) * (INLINE // 256 + 400)


@pytest.fixture
def make(make_router: Make, origin: Origin, tmp_path: Path) -> Make:
    """Makes workers that share a directory."""

    async def made(**settings: Any) -> InProcess:
        router = await make_router(cache_dir=str(tmp_path / "shelf"), **settings)
        router.put(route("app.test", project="prj_1", rules={"cache": {}}), endpoints("rel_1", origin.address))
        return router

    return made


def files(tmp_path: Path) -> list[Path]:
    """Descriptions and bodies on the shelf."""
    return [path for path in (tmp_path / "shelf").glob("*/*/*") if not path.name.startswith("v-")]


async def test_what_one_has_stored_all_serve(make: Make, origin: Origin) -> None:
    one, other = await make(), await make()
    origin.answer = answer(b"hello", "Cache-Control: max-age=60", "Vary: Accept-Language", 'ETag: "v"')
    await one.ask(get())
    hit = await other.ask(get())
    assert (hit.body, hit["etag"]) == (b"hello", '"v"')
    assert how(hit).startswith("shipoff; hit")
    assert "vary-miss" in how(await other.ask(get("/", "Accept-Language: de")))
    assert how(await one.ask(get("/", "Accept-Language: de"))).startswith("shipoff; hit")
    assert len(origin.requests) == 2


async def test_what_one_forgets_or_replaces_nobody_serves(make: Make, origin: Origin) -> None:
    one, other = await make(), await make()
    origin.answer = answer(b"old", "Cache-Control: max-age=60")
    for router in (one, other):
        await router.ask(get())
    origin.answer = answer(b"new", "Cache-Control: max-age=60")
    await one.ask(get("/", "Cache-Control: no-cache"))
    assert (await other.ask(get())).body == b"new"
    await one.ask(get("/", "Content-Length: 0", method="POST"))
    assert "miss" in how(await other.ask(get()))


async def test_it_is_there_after_a_restart(make: Make, origin: Origin) -> None:
    one = await make()
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    await one.ask(get())
    await one.stop()
    later = await make()
    assert how(await later.ask(get())).startswith("shipoff; hit")
    assert len(origin.requests) == 1


@pytest.mark.parametrize("at", [0, 9, 40, -1])
async def test_a_damaged_file_is_a_miss(make: Make, origin: Origin, tmp_path: Path, at: int) -> None:
    one = await make()
    origin.answer = answer(b"hello", "Cache-Control: max-age=60")
    await one.ask(get())
    (path,) = files(tmp_path)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    other = await make()
    assert (await other.ask(get())).body == b"hello"
    assert len(origin.requests) == 2
    path.write_bytes(path.read_bytes()[:-1])
    assert "miss" in how(await (await make()).ask(get()))


async def test_a_large_body_comes_from_its_file(make: Make, origin: Origin, tmp_path: Path) -> None:
    one = await make()
    origin.answer = answer(LARGE, "Cache-Control: max-age=60", 'ETag: "v"')
    assert (await one.ask(get())).body == LARGE
    await until(lambda: one.edge.metrics.cache_stored == 1)
    hit = await one.ask(get())
    assert how(hit).startswith("shipoff; hit")
    assert hit.body == LARGE
    part = await one.ask(get("/", f"Range: bytes=5-{INLINE}"))
    assert part.body == LARGE[5 : INLINE + 1]
    assert (await one.ask(get("/", "Range: bytes=5-9"))).body == LARGE[5:10]
    assert (await one.ask(get("/", 'If-None-Match: "v"'))).status == 304
    assert (await one.ask(get(method="HEAD"), bodiless=True))["content-length"] == str(len(LARGE))
    assert len(origin.requests) == 1
    (body,) = [path for path in files(tmp_path) if path.name.startswith("b-")]
    assert one.edge.responses is not None
    assert one.edge.responses.gauges()["cache_bytes"] < 10_000
    body.unlink()
    assert (await one.ask(get())).body == LARGE
    assert len(origin.requests) == 2


async def test_a_confirmed_large_body_is_not_written_again(make: Make, origin: Origin, tmp_path: Path) -> None:
    one = await make()
    origin.answer = answer(LARGE, "Cache-Control: no-cache", 'ETag: "v"')
    await one.ask(get())
    await until(lambda: one.edge.metrics.cache_stored == 1)
    before = [path for path in files(tmp_path) if path.name.startswith("b-")]
    origin.answer = b'HTTP/1.1 304 Not Modified\r\nETag: "v"\r\nCache-Control: max-age=60\r\n\r\n'
    assert (await one.ask(get())).body == LARGE
    assert how(await (await make()).ask(get())).startswith("shipoff; hit")
    assert [path for path in files(tmp_path) if path.name.startswith("b-")] == before


async def test_a_slow_reader_of_a_file_gets_it_whole(make: Make, origin: Origin) -> None:
    one = await make()
    body = LARGE * 10
    origin.answer = answer(body, "Cache-Control: max-age=60")
    await one.ask(get())
    await until(lambda: one.edge.metrics.cache_stored == 1)
    readers = [await one.connect() for _ in range(5)]
    for _, writer in readers:
        writer.write(get())
    await asyncio.sleep(0.1)
    assert all(client.transport.get_write_buffer_size() < 300_000 for client in one.edge.clients)
    for reader, writer in readers:
        assert (await read_message(reader)).body == body
        writer.close()


async def test_it_is_bounded_and_what_is_read_stays(make: Make, origin: Origin, tmp_path: Path) -> None:
    limit = 200_000
    one = await make(cache_shared=limit)
    shelf = Shelf(tmp_path / "shelf", limit, 1)
    origin.answer = answer(b"x" * 10_000, "Cache-Control: max-age=60")
    for at in range(60):
        await one.ask(get(f"/{at}"))
        if at % 5 == 0:
            assert one.edge.responses is not None
            await one.edge.responses.tend()
        assert sum(path.stat().st_size for path in files(tmp_path)) <= limit
    assert len(files(tmp_path)) > 5
    shelf.close(remove=False)


async def test_a_purge_reaches_what_nobody_has_in_memory(make: Make, origin: Origin, tmp_path: Path) -> None:
    one = await make()
    origin.answer = answer(b"hello", "Cache-Control: max-age=60", "Cache-Tag: page")
    for path in ("/a", "/b"):
        await one.ask(get(path))
    other = await make()
    assert other.edge.responses is not None
    assert other.edge.responses.purge(b"tprj_1\0page") == 0
    assert await other.edge.responses.purge_shelf({b"tprj_1\0page"}) == 2
    assert "miss" in how(await one.ask(get("/a")))


async def test_workers_share_and_are_purged_together(
    make_processes: Callable[..., Processes], write_table: Callable[..., Path], origin: Origin
) -> None:
    table = write_table(route("app.test", project="prj_1", rules={"cache": {}}), endpoints("rel_1", origin.address))
    origin.answer = answer(b"hello", "Cache-Control: max-age=60", "Cache-Tag: page")
    router = make_processes(table=str(table), workers=3)
    await router.start()
    asks = [await router.ask(get()) for _ in range(30)]
    assert len(origin.requests) == 1
    assert sum(how(one).startswith("shipoff; hit") for one in asks) == 29
    purged = await router.post("/cache/purge", {"project": "prj_1", "tags": ["page"]})
    assert (purged.status, json.loads(purged.body)["workers"]) == (200, 3)
    for _ in range(10):
        await router.ask(get())
    assert len(origin.requests) == 2
    assert (await router.post("/cache/purge", {"urls": ["http://app.test/"]})).status == 200
    await router.ask(get())
    assert len(origin.requests) == 3
    assert (await router.post("/cache/purge", {})).status == 400
    assert (await router.post("/cache/purge", {"hosts": "app.test"})).status == 400
    metrics = (await router.get("/metrics")).body.decode()
    assert "router_cache_misses_total 3.0" in metrics


async def test_what_another_invalidates_meanwhile_is_not_stored(make: Make, make_origin: Any, origin: Origin) -> None:
    one, other = await make(), await make()
    gate = Gate(answer(b"old", "Cache-Control: max-age=60"))
    one.put(endpoints("rel_1", (await make_origin(script=gate)).address))
    asking = spawn(one.ask(get()), "test.ask")
    await until(lambda: gate.requests == 1)
    await other.ask(get("/", "Content-Length: 0", method="POST"))
    gate.begin.set()
    gate.end.set()
    assert (await asking).body == b"old"
    origin.answer = answer(b"new", "Cache-Control: max-age=60")
    assert (await other.ask(get())).body == b"new"


async def test_a_directory_that_is_not_ours_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "file").write_text("")
    for name in ("link", "file", "file/below"):
        with pytest.raises(ShipoffError, match="CACHE_DIR_UNUSABLE"):
            Shelf(tmp_path / name, 1000, 1)


async def test_answers_of_a_split_route_are_kept_by_release(make: Make, make_origin: Any, origin: Origin) -> None:
    one = await make()
    other = await make_origin(answer=answer(b"two", "Cache-Control: max-age=60"))
    origin.answer = answer(b"one", "Cache-Control: max-age=60")
    weights = [["rel_1", 50], ["rel_2", 50]]
    one.put(route("app.test", "", weights=weights, project="prj_1", rules={"cache": {}}))
    one.put(endpoints("rel_2", other.address))
    bodies = {(await one.ask(get())).body for _ in range(40)}
    assert bodies == {b"one", b"two"}
    assert (len(origin.requests), len(other.requests)) == (1, 1)
