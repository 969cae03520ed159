"""The admin door of a router: health, readiness and metrics over all workers, and what one wants to know at night.

Every answer waits at most two seconds for workers (control.py), and one that does not answer is left out. The door
knows no password and shows hosts, addresses and targets of requests: it listens on loopback unless it is told otherwise
(docs/threat_model.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from kernel.telemetry import AdminDoor

if TYPE_CHECKING:
    from router.supervisor import Supervisor

# path -> (question to the workers, what the index says)
_QUESTIONS: Final = {
    "/debug/lookup": ("lookup", "what would a request do: ?host=&path=&method=&scheme=&ip="),
    "/debug/connections": ("connections", "client connections, the longest requests first"),
    "/debug/pools": ("pools", "idle upstream connections by endpoint"),
    "/debug/ejections": ("ejections", "endpoints that are set aside, until when and why"),
    "/debug/table": ("table", "version, epoch, age and size of the route table"),
}
_ASKED: Final = ("host", "path", "method", "scheme", "ip")
_LONGEST: Final = 4096  # characters; the workers' door takes 16 KiB


class RouterAdmin(AdminDoor):
    """Answers for the supervisor's workers."""

    def __init__(self, host: str, port: int, supervisor: Supervisor) -> None:
        super().__init__(host, port, supervisor.missing)
        self._supervisor = supervisor
        self.app.router.add_get("/debug", self._index)
        self.app.router.add_get("/debug/workers", self._workers)
        self.app.router.add_post("/cache/purge", self._purge)
        for path in _QUESTIONS:
            self.app.router.add_get(path, self._ask)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await self._supervisor.metrics(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _index(self, _: web.Request) -> web.Response:
        told = {path: text for path, (_, text) in _QUESTIONS.items()}
        return _json(told | {"/debug/workers": "processes: pid, readiness, version, what they take"})

    async def _ask(self, request: web.Request) -> web.Response:
        ask, _ = _QUESTIONS[request.path]
        given = {name: value for name, value in request.query.items() if name in _ASKED}
        if ask == "lookup" and not given.get("host"):
            return _json({"error": "name a host: /debug/lookup?host=www.example.org&path=/"}, 400)
        if sum(map(len, given.values())) > _LONGEST:
            return _json({"error": f"a question has at most {_LONGEST} characters"}, 400)
        return _json({"workers": await self._supervisor.ask_all({"ask": ask, **given})})

    async def _workers(self, _: web.Request) -> web.Response:
        statuses = await self._supervisor.statuses()
        takes = {usage.name: usage for usage in self._supervisor.usage()}
        told = []
        for status in statuses:
            usage = takes.get(str(status["slot"]))
            own: dict[str, Any] = {name: value for name, value in status.items() if name != "numbers"}
            if usage is not None:
                own |= {"cpu_s": usage.cpu_s, "resident_bytes": usage.resident, "open_fds": usage.descriptors}
            told.append(own)
        return _json({"workers": told})

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


def _json(value: object, status: int = 200) -> web.Response:
    body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    return web.Response(
        status=status, body=body, content_type="application/json", headers={"Cache-Control": "no-store"}
    )
