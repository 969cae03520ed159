"""The admin door of a router: health, readiness and metrics over all workers, and what one wants to know at night."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from kernel.telemetry import AdminDoor
from router.control import Json

if TYPE_CHECKING:
    from router.supervisor import Supervisor


class RouterAdmin(AdminDoor):
    """Answers for the supervisor's workers."""

    def __init__(self, host: str, port: int, supervisor: Supervisor) -> None:
        super().__init__(host, port, supervisor.missing)
        self._supervisor = supervisor
        self.app.router.add_get("/debug/lookup", self._lookup)
        self.app.router.add_get("/debug/connections", self._connections)
        self.app.router.add_get("/debug/workers", self._workers)
        self.app.router.add_post("/cache/purge", self._purge)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._supervisor.metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _lookup(self, request: web.Request) -> web.Response:
        """What would this host and path do? Query: host, path."""
        host, path = request.query.get("host", ""), request.query.get("path", "/")
        return _json(await self._supervisor.ask_all({"ask": "lookup", "host": host, "path": path}))

    async def _connections(self, _: web.Request) -> web.Response:
        return _json(await self._supervisor.ask_all({"ask": "connections"}))

    async def _workers(self, _: web.Request) -> web.Response:
        statuses = await self._supervisor.statuses()
        return _json([{name: value for name, value in s.items() if name != "numbers"} for s in statuses])

    async def _purge(self, request: web.Request) -> web.Response:
        """Forgets cached answers in all workers. Body: project and tags, hosts, urls (edge/caching/purging.py)."""
        try:
            question = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            question = None
        if not isinstance(question, dict):
            return web.json_response({"error": "PURGE_INVALID", "detail": "the body is not a JSON object"}, status=400)
        answers = await self._supervisor.ask_all({**question, "ask": "purge"})
        refused = next((answer for answer in answers if "error" in answer), None)
        if refused is not None:
            return web.json_response(refused, status=400)
        purged = sum(answer["purged"] for answer in answers)
        whole = len(answers) == len(self._supervisor.slots)
        return web.json_response({"purged": purged, "workers": len(answers)}, status=200 if whole else 503)


def _json(answers: list[Json]) -> web.Response:
    return web.Response(body=orjson.dumps({"workers": answers}), content_type="application/json")
