"""The orchestrator's part of the `routes` stream, and what the tests ask of a table."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
from redis.asyncio import Redis

from kernel.events import EndpointsDelete, EndpointsPut, Envelope, Event, RouteDelete, RoutePut
from router.edge.context import Edge
from tests.integration.router.wire import LIMIT_S


class Publisher:
    """Writes the table as the orchestrator does: change of the hash and event in one MULTI."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.epoch = "epo_1"
        self.version = 0

    async def begin(self, epoch: str = "epo_1", version: int = 0) -> None:
        self.epoch, self.version = epoch, version
        await self.redis.set("routes:epoch", epoch)
        await self.redis.set("routes:version", version)

    async def put(self, record: dict[str, Any], event: bool = True) -> None:
        self.version += 1
        record = {**record, "version": self.version}
        told: Event
        if "host" in record:
            field = f"r:{record['host']}{record['path']}"
            told = RoutePut(self.epoch, self.version, record)
        else:
            field = f"e:{record['release']}"
            told = EndpointsPut(self.epoch, self.version, record)
        await self._write("HSET", field, told if event else None, orjson.dumps(record))

    async def delete(self, host: str = "", release: str = "") -> None:
        self.version += 1
        if host:
            await self._write("HDEL", f"r:{host}/", RouteDelete(self.epoch, self.version, host))
        else:
            await self._write("HDEL", f"e:{release}", EndpointsDelete(self.epoch, self.version, release))

    async def _write(self, command: str, field: str, event: Event | None, *value: bytes) -> None:
        async with self.redis.pipeline(transaction=True) as pipe:
            _ = pipe.execute_command(command, "routes:table", field, *value)
            _ = pipe.set("routes:version", self.version)
            if event is not None:
                _ = pipe.xadd("routes", {"e": Envelope(event, key="routes").encode()})
            await pipe.execute()

    async def truth(self) -> dict[str, str]:
        """Release by the fields of the snapshot's routes."""
        raw: dict[Any, Any] = await self.redis.hgetall("routes:table")
        return {bytes(key).decode(): orjson.loads(value)["release"] for key, value in raw.items()}

    async def report_of(self, router: str) -> dict[str, Any]:
        raw = await self.redis.get(f"routers:{router}")
        return dict(json.loads(raw)) if raw else {}


async def until(edge: Edge, version: int, epoch: str = "epo_1") -> None:
    """Waits until the edge serves a version."""
    async with asyncio.timeout(LIMIT_S):
        while (edge.table.epoch, edge.table.version) != (epoch, version):
            await asyncio.sleep(0.005)


def hosts(edge: Edge) -> set[str]:
    return {r.host.decode() for r in edge.table.routes()}
