"""A router in this process or as its own processes, and origins that do exactly what a test says, on real sockets."""

# environ: routers of their own processes get this one's environment, without what is meant for the platform
from __future__ import annotations

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from kernel.streams import connect
from router.edge.context import Edge
from router.feed import Feed
from router.settings import RouterSettings
from router.snapshot import Snapshot
from tests.integration.router.publisher import Publisher
from tests.integration.router.tls_wire import Authority
from tests.integration.router.wire import InProcess, Origin, Processes, endpoints, free_port, route


@pytest.fixture(scope="session")
def event_loop_policy() -> asyncio.AbstractEventLoopPolicy:
    """The router runs on uvloop, so its tests do."""
    policy: asyncio.AbstractEventLoopPolicy = uvloop.EventLoopPolicy()
    return policy


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    """An origin that answers every request."""
    made = await Origin().start()
    yield made
    await made.stop()


@pytest.fixture
async def make_origin() -> AsyncIterator[Callable[..., Awaitable[Origin]]]:
    """Makes more origins."""
    made: list[Origin] = []

    async def make(path: str = "", **values: Any) -> Origin:
        made.append(Origin(**values))
        return await made[-1].start(path)

    yield make
    for one in made:
        await one.stop()


@pytest.fixture
async def make_router() -> AsyncIterator[Callable[..., Awaitable[InProcess]]]:
    """Makes routers in this process with settings of one's own."""
    made: list[InProcess] = []

    async def make(**settings: Any) -> InProcess:
        made.append(await InProcess(**settings).start())
        return made[-1]

    yield make
    for one in made:
        await one.stop()


@pytest.fixture
async def router(make_router: Callable[..., Awaitable[InProcess]], origin: Origin) -> InProcess:
    """A router whose host `app.test` is served by `origin`."""
    made = await make_router()
    made.put(route("app.test"), endpoints("rel_1", origin.address))
    return made


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def certificates(tmp_path: Path, authority: Authority) -> Path:
    """A directory with a certificate for `app.test` and for one label below `wild.test`."""
    directory = tmp_path / "certificates"
    authority.write(directory / "app.pem", "app.test")
    authority.write(directory / "wild.pem", "*.wild.test")
    return directory


@pytest.fixture
async def tls(make_router: Callable[..., Awaitable[InProcess]], origin: Origin, certificates: Path) -> InProcess:
    """A router that speaks TLS, whose hosts are all served by `origin`."""
    made = await make_router(tls_certificates=str(certificates))
    for host in ("app.test", "a.wild.test", "other.test"):
        made.put(route(host))
    made.put(endpoints("rel_1", origin.address))
    return made


@pytest.fixture
async def cached(make_router: Callable[..., Awaitable[InProcess]], origin: Origin) -> InProcess:
    """A router whose host `app.test` has a cache in front of `origin`."""
    made = await make_router(cache_memory=2_000_000, cache_object=1_000_000)
    made.put(route("app.test", project="prj_1", rules={"cache": {}}), endpoints("rel_1", origin.address))
    return made


@pytest.fixture
async def make_processes(tmp_path: Path) -> AsyncIterator[Callable[..., Processes]]:
    """Makes routers of real processes; the test's own process is their owner, so none outlives it."""
    made: list[Processes] = []
    scratches: list[Path] = []

    def make(*arguments: str, **settings: Any) -> Processes:
        port, admin = free_port(), free_port()
        own = {"listen": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{admin}", "workers": 2, "drain_s": 5, **settings}
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SHIPOFF_")}
        environment |= {f"SHIPOFF_ROUTER_{name.upper()}": str(value) for name, value in own.items()}
        environment |= {"SHIPOFF_OWNER_PID": str(os.getpid())} if "owner_pid" not in own else {}
        scratch = Path(
            tempfile.mkdtemp(prefix="sr-")
        )  # what a killed supervisor leaves lies here; sockets need it short
        scratches.append(scratch)
        environment["TMPDIR"] = str(scratch)
        made.append(Processes(environment, list(arguments), port, admin))
        return made[-1]

    yield make
    for one in made:
        await one.stop()
    for scratch in scratches:
        shutil.rmtree(scratch)


@pytest.fixture
def write_table(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file for `--table`."""

    def write(*records: dict[str, Any]) -> Path:
        path = tmp_path / "table.jsonl"
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
        return path

    return write


@pytest.fixture
async def publisher(redis_url: str) -> AsyncIterator[Publisher]:
    redis = connect(redis_url)
    made = Publisher(redis)
    await made.begin()
    yield made
    await redis.aclose()


@pytest.fixture
async def follow(redis_url: str) -> AsyncIterator[Callable[..., Awaitable[Edge]]]:
    """Starts a feed of its own; `router_1` and so on."""
    feeds: list[Feed] = []
    snapshots: list[Snapshot] = []

    async def start(url: str = redis_url, path: Path | None = None, replaces: str = "") -> Edge:
        edge = Edge(RouterSettings(redis_url=url))
        snapshot = Snapshot(edge, path, writes=True) if path else None
        feeds.append(Feed(edge, url, f"router_{len(feeds) + 1}", snapshot, replaces))
        await feeds[-1].start()
        if snapshot is not None:
            snapshot.start()
            snapshots.append(snapshot)
        return edge

    yield start
    for feed in feeds:
        await feed.stop()
    for snapshot in snapshots:
        await snapshot.stop()
