"""The gRPC door that says what a request would meet (proto/orchestrator/v1/explain.proto)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import aiohttp
import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from kernel.authority import Owners, Permission
from kernel.database import Database, load_queries
from kernel.streams.connection import GONE
from orchestrator.matching import best, candidates
from orchestrator.routes import current
from proto.orchestrator.v1 import explain_pb2 as pb
from proto.orchestrator.v1.explain_pb2_grpc import ExplainServicer

SQL: Final = load_queries("orchestrator")
REDIS_S: Final = 2.0  # without it the routers are left out
ROUTER_S: Final = 1.0  # for a router's own word
MOST_ASKED: Final = 3  # routers, one after the other, until one answers
Json = dict[str, Any]


class ExplainDoor(ExplainServicer):
    """Answers from the database, the routers' reports in Redis, and what one of the routers says itself."""

    def __init__(self, database: Database, redis: Redis, owners: Owners) -> None:
        self._database, self._redis, self._owners = database, redis, owners

    async def ExplainAddress(  # noqa: N802 - the name in the .proto
        self, request: pb.ExplainAddressRequest, context: Any
    ) -> pb.ExplainAddressResponse:
        """What answers there now."""
        await self._owners.require(Permission.PROJECT_READ, request.project_id)
        rows = await self._database.fetch(SQL["routes_of_hosts"], request.project_id, candidates(request.host))
        record = best((row["record"] for row in rows), request.host, request.path)
        _, version = await current(self._database)
        reports = await self._reports()
        asked = {"host": request.host, "path": request.path, "scheme": request.scheme or "http"}
        return pb.ExplainAddressResponse(
            route=orjson.dumps(_shown(record)).decode() if record is not None else "",
            releases=await self._releases(record) if record is not None else [],
            routers=[pb.RouterReport(id=name, version=report["version"]) for name, report in sorted(reports.items())],
            version=version,
            # Without a route of this project, what a router does there is somebody else's.
            lookup=await _lookup(reports.values(), asked) if record is not None else "",
        )

    async def _releases(self, record: Json) -> list[pb.ServingRelease]:
        weights = record.get("weights") or ([[record["release"], 100]] if record.get("release") else [])
        return [await self._release(name, share) for name, share in weights] if record["kind"] == "dynamic" else []

    async def _release(self, name: str, share: int) -> pb.ServingRelease:
        known = await self._database.fetchval(SQL["get_endpoints"], name)
        if known is None:
            return pb.ServingRelease(id=name, share=share)
        instances = [endpoint["instance"] for endpoint in known["endpoints"]]
        return pb.ServingRelease(
            id=name, share=share, state=known["state"], instances=instances, version=known["version"]
        )

    async def _reports(self) -> dict[str, Json]:
        """What each living worker has reported, by its name."""
        try:
            async with asyncio.timeout(REDIS_S):
                keys = [key async for key in self._redis.scan_iter(match="routers:*", count=1000)]
                reports = await self._redis.mget(keys) if keys else []
        except (RedisError, TimeoutError, *GONE):
            return {}
        found = zip(keys, reports, strict=True)
        return {key.decode().partition(":")[2]: orjson.loads(raw) for key, raw in found if raw is not None}


async def _lookup(reports: Iterable[Json], asked: dict[str, str]) -> str:
    """What the newest router that answers says of a request; "" when none does."""
    newest = sorted(reports, key=lambda report: int(report["version"]), reverse=True)
    doors = list(dict.fromkeys(str(report["admin"]) for report in newest if report.get("admin")))
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ROUTER_S)) as session:
        for door in doors[:MOST_ASKED]:
            try:
                async with session.get(f"http://{door}/debug/lookup", params=asked) as answer:
                    told: Json = orjson.loads(await answer.read())
                    return orjson.dumps(told["workers"][0]).decode()
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError, TypeError):
                continue  # it has gone since, its door is not open to us, or somebody else answers there
    return ""


def _shown(record: Json) -> Json:
    """A record without what a password could be guessed from."""
    rules = dict(record.get("rules") or {})
    if "basic_auth" in rules:
        users = dict.fromkeys(rules["basic_auth"].get("users") or {}, "(hidden)")
        rules["basic_auth"] = {**rules["basic_auth"], "users": users}
    return {**record, "rules": rules}
